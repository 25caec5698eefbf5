/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* attrcache.h -- the attributes that owners' replies brought, as long as they may be believed */
#ifndef FSAL_RDMAXFER_ATTRCACHE_H
#define FSAL_RDMAXFER_ATTRCACHE_H

/*
 * One cache per volume. An entry lives as long as somebody holds a reference to it, and two who ask for the
 * same handle get the same entry: MDCACHE makes and drops several objects for one file (each directory
 * listing makes new ones and keeps the old), and what any of them learns is known to all. So the number of
 * entries is bounded by MDCACHE's number of objects, and those of the names and places that are kept.
 *
 * Replies are ordered by the owner's change counter: one with a lower counter was overtaken on its way and
 * doesn't replace what is there, unless it was asked for after that had come.
 *
 * Any function may be called from any thread, lane threads included; none blocks.
 */

#include <stdbool.h>
#include <stdint.h>

#include "validity.h"
#include "xfer/xfer.h"

struct attrcache;
struct attrcache_entry;

/* NULL: no memory. validity: the volume's; it has to outlive the cache. */
struct attrcache *attrcache_create(struct validity *validity);

/* All references must have been dropped. */
void attrcache_destroy(struct attrcache *cache);

/* A reference to the entry of `handle`, which is made if there is none. fileid: the object's. NULL: no memory. */
struct attrcache_entry *attrcache_get(
	struct attrcache *cache, const struct xfer_handle *handle, uint64_t fileid);
/* One more to an entry that somebody has a reference to. */
void attrcache_ref(struct attrcache *cache, struct attrcache_entry *entry);
void attrcache_put(struct attrcache *cache, struct attrcache_entry *entry);

const struct xfer_handle *attrcache_handle(const struct attrcache_entry *entry);
uint32_t attrcache_bucket(const struct attrcache_entry *entry);

/*
 * Returns whether the attributes were taken; if not, newer ones are there. asked: before the request was sent that
 * brought them. Without a promise they are for requests of clients that began before.
 */
bool attrcache_feed(struct attrcache *cache, struct attrcache_entry *entry,
	const struct xfer_attr *attr, const struct asked *asked, uint64_t now);

enum attr_use {
	ATTR_CHECK, /* for permissions and the like */
	ATTR_TELL,  /* a client is told: not while this process changes the object */
};

/*
 * False, and *attr untouched: there are none that may be believed. What was asked for after a client's request had begun
 * (0: there is none) was true after that, and is good enough for this request.
 */
bool attrcache_read(struct attrcache *cache, struct attrcache_entry *entry, enum attr_use use,
	uint64_t begun, uint64_t now, struct xfer_attr *attr);

/* The latest that are known, true or not any more; false: none. */
bool attrcache_latest(
	struct attrcache *cache, struct attrcache_entry *entry, struct xfer_attr *attr);

/* A client's request that began then may have changed the object, and no reply tells of it. */
void attrcache_drop(struct attrcache *cache, struct attrcache_entry *entry, uint64_t begun);
/* It was removed: who began before that may still be told what it was. */
void attrcache_gone(struct attrcache *cache, struct attrcache_entry *entry);

#endif
