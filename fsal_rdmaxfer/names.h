/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* names.h -- the names that owners' replies told of, as long as they may be believed */
#ifndef FSAL_RDMAXFER_NAMES_H
#define FSAL_RDMAXFER_NAMES_H

/*
 * MDCACHE's own cache of names is switched off (Dir_Chunk = 0): it adds a name when the call that made it has returned,
 * which may be after another node's change of that name was told and acknowledged, and nothing can tell it then. So
 * names are kept here: that a directory has this object under this name, or nothing.
 *
 * What a reply says of a name holds as long as the directory's promise does (validity.h), and no own change of that name
 * has begun since it was asked for. Of own changes whose time between request and answer overlaps nobody knows here
 * which was first, so then nothing is kept.
 *
 * One per volume, of bounded size: what is too old to be believed goes, and the oldest of a part that is full. Any function may be
 * called from any thread; none blocks.
 */

#include "attrcache.h"

struct names;

/* At most max names. NULL: no memory. cache and validity: the volume's; they have to outlive it. */
struct names *names_create(struct validity *validity, struct attrcache *cache, unsigned max);
void names_destroy(struct names *names);

enum names_answer {
	NAMES_UNKNOWN, /* ask the owner */
	NAMES_NOTHING, /* there is no such name */
	NAMES_OBJECT,
};

/* *object: with a reference, if there is one. */
enum names_answer names_find(struct names *names, struct attrcache_entry *dir, const char *name,
	uint64_t now, struct attrcache_entry **object);

/* A reply that promised the directory's names; object: NULL: there is nothing of that name. */
void names_learn(struct names *names, struct attrcache_entry *dir, const char *name,
	struct attrcache_entry *object, const struct asked *asked);

/* An own change of a name, from before it is sent until after it is answered. */
struct names_change {
	struct attrcache_entry *dir;
	const char *name;
	uint64_t begun;
};

/* dir and name stay the caller's, and have to stay until the end. */
void names_change_begin(struct names *names, struct attrcache_entry *dir, const char *name,
	struct names_change *change);
/*
 * asked: NULL: what there is now isn't known, or not promised; else since when. object: what has the name now, or
 * NULL.
 */
void names_change_end(struct names *names, struct names_change *change, const struct asked *asked,
	struct attrcache_entry *object);

#endif
