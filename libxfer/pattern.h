/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* pattern.h -- bytes by which it is seen whether others came: a function of a seed and where they are */
#ifndef XFER_PATTERN_H
#define XFER_PATTERN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* SplitMix64: words next to each other have nothing in common. */
static inline uint64_t xfer_pattern_word(uint64_t seed, size_t offset)
{
	uint64_t z = seed + (offset / 8 + 1) * UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static inline size_t xfer_pattern_length(size_t size, size_t offset)
{
	return size - offset < 8 ? size - offset : 8;
}

static inline void xfer_pattern_fill(uint8_t *bytes, size_t size, uint64_t seed)
{
	for (size_t offset = 0; offset < size; offset += 8) {
		uint64_t word = xfer_pattern_word(seed, offset);

		memcpy(bytes + offset, &word, xfer_pattern_length(size, offset));
	}
}

/* Where the first byte is that doesn't belong there; size: nowhere. */
static inline size_t xfer_pattern_check(const uint8_t *bytes, size_t size, uint64_t seed)
{
	for (size_t offset = 0; offset < size; offset += 8) {
		uint64_t word = xfer_pattern_word(seed, offset);
		const uint8_t *want = (const uint8_t *)&word;

		for (size_t i = 0; i < xfer_pattern_length(size, offset); i++)
			if (bytes[offset + i] != want[i])
				return offset + i;
	}
	return size;
}

#endif
