/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* bufpool.h -- page-aligned buffers for payload, kept for reuse */
#ifndef XFER_BUFPOOL_H
#define XFER_BUFPOOL_H

#include <stddef.h>

/*
 * Fresh memory for a megabyte costs 256 page faults, more than moving the megabyte: so buffers are
 * kept, by size class, up to XFER_BUFPOOL_KEEP bytes in the process. A buffer has less than twice what is asked for, or
 * a page, so that what peers are charged for bounds what they cost. Any thread.
 */
#define XFER_BUFPOOL_KEEP (64u << 20)

/* A buffer of at least `size` bytes (1..XFER_IO_MAX), aligned to a page; NULL: out of memory. */
void *xfer_bufpool_get(size_t size);

/* Bytes that are kept. */
size_t xfer_bufpool_kept(void);

/* Gives it back; size: as asked for. NULL is ignored. */
void xfer_bufpool_put(void *buffer, size_t size);

#endif
