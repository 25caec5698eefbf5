/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* region.c -- memory of the file's size, and what belongs into it */

#include <errno.h>
#include <sys/mman.h>

#include "bench.h"
#include "pattern.h"

int region_create(struct region *region, size_t size)
{
	void *data = mmap(NULL, size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (data == MAP_FAILED)
		return -errno;
	/* Copy on write would be measured, too. */
	madvise(data, size, MADV_DONTFORK);
	*region = (struct region){ .data = data, .size = size };
	return 0;
}

void region_destroy(struct region *region)
{
	if (region->data)
		munmap(region->data, region->size);
}

void region_fill(struct region *region, uint64_t seed)
{
	xfer_pattern_fill(region->data, region->size, seed);
}

size_t region_check(const struct region *region, uint64_t seed)
{
	return xfer_pattern_check(region->data, region->size, seed);
}
