/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* resident.h -- tables whose memory is there from the start */
#ifndef FSAL_RDMAXFER_RESIDENT_H
#define FSAL_RDMAXFER_RESIDENT_H

#include <stddef.h>

/*
 * Zeroed memory of `size` bytes, NULL without memory, given back by free().
 *
 * calloc gives a large table pages that come with their first use. Which parts of a table of hashes are used first is
 * up to the objects, so a process would seem to grow for hours, and whoever looks for a leak couldn't tell.
 */
void *resident_calloc(size_t size);

#endif
