/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* bufpool.c -- page-aligned buffers for payload, kept for reuse */

#include <pthread.h>
#include <stdlib.h>

#include "bufpool.h"
#include "xfer/xfer.h"

struct kept {
	struct kept *next;
};

static struct size_class {
	size_t size;
	struct kept *first;
} classes[] = { { .size = 4096 }, { .size = 65536 }, { .size = XFER_IO_MAX } };
static size_t kept_bytes;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* the above */

static struct size_class *class_of(size_t size)
{
	struct size_class *class = classes;

	while (class->size < size)
		class ++;
	return class;
}

void *xfer_bufpool_get(size_t size)
{
	struct size_class *class = class_of(size);
	struct kept *kept;

	pthread_mutex_lock(&lock);
	kept = class->first;
	if (kept) {
		class->first = kept->next;
		kept_bytes -= class->size;
	}
	pthread_mutex_unlock(&lock);
	return kept ? kept : aligned_alloc(4096, class->size);
}

void xfer_bufpool_put(void *buffer, size_t size)
{
	struct size_class *class = class_of(size);
	struct kept *kept = buffer;

	if (!buffer)
		return;
	pthread_mutex_lock(&lock);
	if (kept_bytes + class->size <= XFER_BUFPOOL_KEEP) {
		kept->next = class->first;
		class->first = kept;
		kept_bytes += class->size;
		kept = NULL;
	}
	pthread_mutex_unlock(&lock);
	free(kept);
}
