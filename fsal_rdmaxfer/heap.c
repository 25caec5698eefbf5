/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* heap.c -- what glibc's malloc does with the memory of payloads that were freed
 *
 * Ganesha has each payload in a buffer of its own, of 1 MiB and more. By default malloc gives the kernel back what is
 * freed of that, and takes it again page by page for the next one: 256 page faults, a quarter of the time of a READ.
 * Each arena keeps the most that was ever free in it, so there are few. */

#include <malloc.h>
#include <stdlib.h>

#include "heap.h"

static const struct {
	const char *variable;
	int parameter, value;
} settings[] = {
	{ "MALLOC_ARENA_MAX", M_ARENA_MAX, HEAP_ARENAS },
	{ "MALLOC_TRIM_THRESHOLD_", M_TRIM_THRESHOLD, HEAP_KEPT_MAX },
	{ "MALLOC_MMAP_THRESHOLD_", M_MMAP_THRESHOLD, HEAP_MAPPED_ABOVE },
};

void heap_tune(void)
{
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		if (!getenv(settings[i].variable))
			mallopt(settings[i].parameter, settings[i].value);
}
