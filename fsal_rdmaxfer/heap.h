/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* heap.h -- what glibc's malloc does with the memory of payloads that were freed */
#ifndef FSAL_RDMAXFER_HEAP_H
#define FSAL_RDMAXFER_HEAP_H

#include <stddef.h>

#define HEAP_ARENAS 2u
#define HEAP_KEPT_MAX                                                                              \
	((size_t)64 << 20) /* bytes at the end of an arena, free, that stay with the process */
#define HEAP_MAPPED_ABOVE ((size_t)32 << 20) /* bytes; larger blocks are mapped for themselves */

/* Call it before the process has many threads. What the environment says of one of these (MALLOC_ARENA_MAX,
 * MALLOC_TRIM_THRESHOLD_, MALLOC_MMAP_THRESHOLD_) stays as it is. Another allocator than glibc's isn't changed. */
void heap_tune(void);

#endif
