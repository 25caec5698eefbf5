/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* resident.c -- tables whose memory is there from the start */

#include <stdlib.h>

#include "resident.h"

#define PAGE_MIN 4096 /* bytes: the smallest pages that there are */

void *resident_calloc(size_t size)
{
	volatile char *memory = calloc(1, size);

	for (size_t at = 0; memory && at < size; at += PAGE_MIN)
		memory[at] = 0;
	return (void *)memory;
}
