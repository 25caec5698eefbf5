/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* bufpool.c -- page-aligned buffers for payload, kept for reuse */

#include <pthread.h>
#include <stdlib.h>

#include "bufpool.h"
#include "xfer/xfer.h"

#define SMALLEST 4096u
#define CLASSES  9u /* each twice as large as the one before */

_Static_assert(SMALLEST << (CLASSES - 1) == XFER_IO_MAX, "the last class holds any payload");

struct kept {
	struct kept *next;
};

static struct kept *classes[CLASSES];
static size_t kept_bytes;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* the above */

static size_t size_of(unsigned class)
{
	return (size_t)SMALLEST << class;
}

static unsigned class_of(size_t size)
{
	unsigned class = 0;

	while (size_of(class) < size)
		class ++;
	return class;
}

void *xfer_bufpool_get(size_t size)
{
	unsigned class = class_of(size);
	struct kept *kept;

	pthread_mutex_lock(&lock);
	kept = classes[class];
	if (kept) {
		classes[class] = kept->next;
		kept_bytes -= size_of(class);
	}
	pthread_mutex_unlock(&lock);
	return kept ? kept : aligned_alloc(SMALLEST, size_of(class));
}

size_t xfer_bufpool_kept(void)
{
	size_t bytes;

	pthread_mutex_lock(&lock);
	bytes = kept_bytes;
	pthread_mutex_unlock(&lock);
	return bytes;
}

void xfer_bufpool_put(void *buffer, size_t size)
{
	unsigned class = class_of(size);
	struct kept *kept = buffer;

	if (!buffer)
		return;
	pthread_mutex_lock(&lock);
	if (kept_bytes + size_of(class) <= XFER_BUFPOOL_KEEP) {
		kept->next = classes[class];
		classes[class] = kept;
		kept_bytes += size_of(class);
		kept = NULL;
	}
	pthread_mutex_unlock(&lock);
	free(kept);
}
