/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* attrcache.h -- the attributes that owners' replies brought, for a second */
#ifndef FSAL_RDMAXFER_ATTRCACHE_H
#define FSAL_RDMAXFER_ATTRCACHE_H

/*
 * One cache per volume. An entry lives as long as somebody holds a reference to it, and two who ask for the
 * same handle get the same entry: MDCACHE makes and drops several objects for one file (each directory
 * listing makes new ones and keeps the old), and what any of them learns is known to all. So the number of
 * entries is bounded by MDCACHE's number of objects.
 *
 * Replies are ordered by the owner's change counter: while an entry is fresh, a reply with a lower counter
 * was overtaken on its way and doesn't replace it.
 *
 * Any function may be called from any thread, lane threads included; none blocks.
 */

#include <stdbool.h>
#include <stdint.h>

#include "xfer/xfer.h"

#define ATTRCACHE_LIFETIME_NS UINT64_C(1000000000)

struct attrcache;
struct attrcache_entry;

/* NULL: no memory */
struct attrcache *attrcache_create(void);

/* All references must have been dropped. */
void attrcache_destroy(struct attrcache *cache);

/* A reference to the entry of `handle`, which is made if there is none. NULL: no memory. */
struct attrcache_entry *attrcache_get(struct attrcache *cache, const struct xfer_handle *handle);
void attrcache_put(struct attrcache *cache, struct attrcache_entry *entry);

/*
 * Times are nanoseconds of any clock that never goes back. Returns whether the attributes were taken;
 * if not, newer ones are there.
 */
bool attrcache_feed(struct attrcache *cache, struct attrcache_entry *entry,
	const struct xfer_attr *attr, uint64_t now);

/* False, and *attr untouched: there are none, or they are older than ATTRCACHE_LIFETIME_NS. */
bool attrcache_read(struct attrcache *cache, struct attrcache_entry *entry, uint64_t now,
	struct xfer_attr *attr);

/* Forgets the attributes: something happened to the object that no reply tells of. */
void attrcache_drop(struct attrcache *cache, struct attrcache_entry *entry);

#endif
