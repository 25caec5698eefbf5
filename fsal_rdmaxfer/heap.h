/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* heap.h -- what glibc's malloc does with the memory of payloads that were freed */
#ifndef FSAL_RDMAXFER_HEAP_H
#define FSAL_RDMAXFER_HEAP_H

/* Arenas at most, but for those that there are already: each thread that has used malloc before may have made one. */
#define HEAP_ARENAS 2
/* So many bytes may be free at the end of an arena; if there are more, all but HEAP_PAD of them are given back. */
#define HEAP_KEPT_MAX (64 << 20)
/* By so many bytes an arena grows and shrinks at a time. */
#define HEAP_PAD (16 << 20)
/* Larger blocks are mapped for themselves. */
#define HEAP_MAPPED_ABOVE (32 << 20)

/* Best before the process has threads. What the environment says of one of these, by MALLOC_ARENA_MAX and the like or in
 * GLIBC_TUNABLES, stays as it is. Another allocator than glibc's isn't changed. */
void heap_tune(void);

#endif
