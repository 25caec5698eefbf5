/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* opens.h -- the files that a session keeps open, by open id */
#ifndef XFER_OWNER_OPENS_H
#define XFER_OWNER_OPENS_H

#include <pthread.h>

#include "owner/file.h"

/*
 * An open id is a place in the session's table and 44 random bits, so that an id of an earlier owner process,
 * of another session or of a closed file is recognized as such. It is never 0. Any thread.
 */

#define OPENS_INDEX_BITS 20

/* What all sessions of the process share. */
struct opens_limit {
	_Atomic unsigned count;
	unsigned max;      /* in all: descriptors */
	unsigned max_peer; /* per session, at most 1 << OPENS_INDEX_BITS */
};

struct opens {
	struct opens_limit *limit;
	pthread_mutex_t lock; /* the following */
	struct open_slot *slots;
	unsigned size, count;
	unsigned first_free; /* slots[].next_free chain; size: none */
};

void opens_init(struct opens *opens, struct opens_limit *limit);
/* Puts every file. */
void opens_fini(struct opens *opens);

/*
 * Reserves a place before the file is opened, because a created file can't be taken back.
 * -EAGAIN: the session or the process has too many; -ENOMEM.
 */
int opens_reserve(struct opens *opens, unsigned *place);
/* One of the two has to follow. Fill takes over the reference and gives the open id. */
uint64_t opens_fill(struct opens *opens, unsigned place, struct file *file);
void opens_cancel(struct opens *opens, unsigned place);

/* How many there are. */
unsigned opens_count(struct opens *opens);
/* With a reference; NULL: no such open. */
struct file *opens_find(struct opens *opens, uint64_t id);
/* Some of a volume's files, whose ids are gone; how many: 0 when there are no more. */
unsigned opens_take_volume(
	struct opens *opens, const struct volume *volume, struct file **files, unsigned max);
/* With a reference, and the id is gone. */
struct file *opens_take(struct opens *opens, uint64_t id);

#endif
