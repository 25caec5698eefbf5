/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* names.h -- nobody changes the names of a directory between looking at one and changing it */
#ifndef XFER_OWNER_NAMES_H
#define XFER_OWNER_NAMES_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

/*
 * Which object has a name has to be known before the name is taken away, because others are told of it first, and that
 * takes time. So: names_seen, look, tell; names_lock, look again if names_seen is another number by now, change,
 * names_unlock. Directories share a lock if their numbers say so. With one held nobody waits for another session.
 */

#define NAMES_STRIPES 64

struct names {
	struct names_stripe {
		pthread_mutex_t lock;
		_Atomic uint64_t changes; /* counted with the lock held */
	} stripes[NAMES_STRIPES];
};

void names_init(struct names *names);
void names_fini(struct names *names);

/* How often names have been changed in this directory, or in one that shares its lock. */
uint64_t names_seen(const struct names *names, uint64_t fileid);

/* For a change in one directory, or in two. The second function counts it. */
void names_lock(struct names *names, uint64_t fileid, uint64_t other);
void names_unlock(struct names *names, uint64_t fileid, uint64_t other);

#endif
