/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* heap.c -- what glibc's malloc does with the memory of payloads that were freed
 *
 * Ganesha has each payload in a buffer of its own, of 1 MiB and more. By default malloc gives the kernel back what is
 * freed of that, and takes it again page by page for the next one: 256 page faults, a quarter of the time of a READ.
 * Each arena keeps what was in it, so there are few. */

#include <malloc.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "heap.h"

static const struct setting {
	const char *variable, *tunable; /* of the environment */
	int parameter, value;
} settings[] = {
	{ "MALLOC_ARENA_MAX", "glibc.malloc.arena_max", M_ARENA_MAX, HEAP_ARENAS },
	{ "MALLOC_TRIM_THRESHOLD_", "glibc.malloc.trim_threshold", M_TRIM_THRESHOLD,
		HEAP_KEPT_MAX },
	{ "MALLOC_TOP_PAD_", "glibc.malloc.top_pad", M_TOP_PAD, HEAP_PAD },
	{ "MALLOC_MMAP_THRESHOLD_", "glibc.malloc.mmap_threshold", M_MMAP_THRESHOLD,
		HEAP_MAPPED_ABOVE },
};

static bool is_set(const struct setting *setting)
{
	const char *tunables = getenv("GLIBC_TUNABLES");

	return getenv(setting->variable) || (tunables && strstr(tunables, setting->tunable));
}

void heap_tune(void)
{
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		if (!is_set(&settings[i]))
			mallopt(settings[i].parameter, settings[i].value);
}
