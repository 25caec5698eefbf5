/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* region.c -- memory of the file's size, and what belongs into it */

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "bench.h"

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

/* SplitMix64: words next to each other have nothing in common. */
static uint64_t word_at(uint64_t seed, size_t offset)
{
	uint64_t z = seed + (offset / 8 + 1) * UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static size_t word_length(const struct region *region, size_t offset)
{
	return region->size - offset < 8 ? region->size - offset : 8;
}

void region_fill(struct region *region, uint64_t seed)
{
	for (size_t offset = 0; offset < region->size; offset += 8) {
		uint64_t word = word_at(seed, offset);

		memcpy(region->data + offset, &word, word_length(region, offset));
	}
}

size_t region_check(const struct region *region, uint64_t seed)
{
	for (size_t offset = 0; offset < region->size; offset += 8) {
		uint64_t word = word_at(seed, offset);
		const uint8_t *want = (const uint8_t *)&word, *have = region->data + offset;

		for (size_t i = 0; i < word_length(region, offset); i++)
			if (have[i] != want[i])
				return offset + i;
	}
	return region->size;
}
