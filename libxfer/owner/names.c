/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* names.c -- nobody changes the names of a directory between looking at one and changing it */

#include "owner/names.h"

static unsigned stripe_of(uint64_t fileid)
{
	return (unsigned)(fileid * UINT64_C(0x9e3779b97f4a7c15) >> 32) % NAMES_STRIPES;
}

void names_init(struct names *names)
{
	for (unsigned i = 0; i < NAMES_STRIPES; i++) {
		pthread_mutex_init(&names->stripes[i].lock, NULL);
		atomic_init(&names->stripes[i].changes, 0);
	}
}

void names_fini(struct names *names)
{
	for (unsigned i = 0; i < NAMES_STRIPES; i++)
		pthread_mutex_destroy(&names->stripes[i].lock);
}

uint64_t names_seen(const struct names *names, uint64_t fileid)
{
	return atomic_load(&names->stripes[stripe_of(fileid)].changes);
}

/* In the stripes' order, whatever the directories' is. */
void names_lock(struct names *names, uint64_t fileid, uint64_t other)
{
	unsigned first = stripe_of(fileid), second = stripe_of(other);

	pthread_mutex_lock(&names->stripes[first < second ? first : second].lock);
	if (first != second)
		pthread_mutex_lock(&names->stripes[first < second ? second : first].lock);
}

void names_unlock(struct names *names, uint64_t fileid, uint64_t other)
{
	unsigned first = stripe_of(fileid), second = stripe_of(other);

	atomic_fetch_add(&names->stripes[first].changes, 1);
	if (first != second) {
		atomic_fetch_add(&names->stripes[second].changes, 1);
		pthread_mutex_unlock(&names->stripes[second].lock);
	}
	pthread_mutex_unlock(&names->stripes[first].lock);
}
