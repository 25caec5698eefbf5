/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* opens.c -- the files that a session keeps open, by open id */

#include <errno.h>
#include <stdlib.h>

#include "boot.h"
#include "owner/opens.h"

#define INDEX_MASK ((1u << OPENS_INDEX_BITS) - 1)
#define FIRST_SIZE 64u

struct open_slot {
	struct file *file;   /* NULL: free or reserved */
	uint64_t generation; /* of the file's id; never 0 */
	unsigned next_free;
};

void opens_init(struct opens *opens, struct opens_limit *limit)
{
	*opens = (struct opens){ .limit = limit };
	pthread_mutex_init(&opens->lock, NULL);
}

void opens_fini(struct opens *opens)
{
	for (unsigned i = 0; i < opens->size; i++)
		file_put(opens->slots[i].file);
	atomic_fetch_sub(&opens->limit->count, opens->count);
	free(opens->slots);
	pthread_mutex_destroy(&opens->lock);
}

/* With the lock held and no free slot. */
static int grow(struct opens *opens)
{
	unsigned size = opens->size ? 2 * opens->size : FIRST_SIZE;
	struct open_slot *slots = realloc(opens->slots, size * sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	for (unsigned i = opens->size; i < size; i++)
		slots[i] = (struct open_slot){ .next_free = i + 1 };
	opens->slots = slots;
	opens->size = size;
	return 0;
}

int opens_reserve(struct opens *opens, unsigned *place)
{
	int err = 0;

	if (atomic_fetch_add(&opens->limit->count, 1) >= opens->limit->max) {
		atomic_fetch_sub(&opens->limit->count, 1);
		return -EAGAIN;
	}
	pthread_mutex_lock(&opens->lock);
	if (opens->count >= opens->limit->max_peer)
		err = -EAGAIN;
	else if (opens->first_free == opens->size)
		err = grow(opens);
	if (err == 0) {
		*place = opens->first_free;
		opens->first_free = opens->slots[*place].next_free;
		opens->count++;
	}
	pthread_mutex_unlock(&opens->lock);
	if (err)
		atomic_fetch_sub(&opens->limit->count, 1);
	return err;
}

uint64_t opens_fill(struct opens *opens, unsigned place, struct file *file)
{
	uint64_t generation;

	do {
		xfer_random(&generation, sizeof(generation));
		generation >>= OPENS_INDEX_BITS;
	} while (generation == 0);
	pthread_mutex_lock(&opens->lock);
	opens->slots[place].file = file;
	opens->slots[place].generation = generation;
	pthread_mutex_unlock(&opens->lock);
	return generation << OPENS_INDEX_BITS | place;
}

/* With the lock held. */
static void release(struct opens *opens, unsigned place)
{
	opens->slots[place].file = NULL;
	opens->slots[place].next_free = opens->first_free;
	opens->first_free = place;
	opens->count--;
	atomic_fetch_sub(&opens->limit->count, 1);
}

void opens_cancel(struct opens *opens, unsigned place)
{
	pthread_mutex_lock(&opens->lock);
	release(opens, place);
	pthread_mutex_unlock(&opens->lock);
}

/* With the lock held. */
static struct file *lookup(struct opens *opens, uint64_t id)
{
	uint64_t place = id & INDEX_MASK;

	if (place >= opens->size || opens->slots[place].generation != id >> OPENS_INDEX_BITS)
		return NULL;
	return opens->slots[place].file;
}

unsigned opens_count(struct opens *opens)
{
	unsigned count;

	pthread_mutex_lock(&opens->lock);
	count = opens->count;
	pthread_mutex_unlock(&opens->lock);
	return count;
}

struct file *opens_find(struct opens *opens, uint64_t id)
{
	struct file *file;

	pthread_mutex_lock(&opens->lock);
	file = lookup(opens, id);
	if (file)
		file_get(file);
	pthread_mutex_unlock(&opens->lock);
	return file;
}

struct file *opens_take(struct opens *opens, uint64_t id)
{
	struct file *file;

	pthread_mutex_lock(&opens->lock);
	file = lookup(opens, id);
	if (file)
		release(opens, (unsigned)(id & INDEX_MASK));
	pthread_mutex_unlock(&opens->lock);
	return file;
}

unsigned opens_take_volume(
	struct opens *opens, const struct volume *volume, struct file **files, unsigned max)
{
	unsigned count = 0;

	pthread_mutex_lock(&opens->lock);
	for (unsigned i = 0; i < opens->size && count < max; i++) {
		if (!opens->slots[i].file || opens->slots[i].file->volume != volume)
			continue;
		files[count++] = opens->slots[i].file;
		release(opens, i);
	}
	pthread_mutex_unlock(&opens->lock);
	return count;
}
