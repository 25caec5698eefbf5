/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* layout.c -- where the regions of all lanes lie in one piece of memory */

#include "core/layout.h"

static uint64_t class_bytes(const struct xfer_slot_class *class)
{
	return (uint64_t) class->slot_size * class->slots;
}

static bool class_valid(const struct xfer_slot_class *class)
{
	return class->slot_size > 0 && class->slot_size % XFER_LAYOUT_ALIGNMENT == 0 &&
	       class->slots > 0 && class->slots <= XFER_SLOT_NUMBERS;
}

/* Of one lane. */
static uint64_t lane_bytes(const struct xfer_slot_layout *layout)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < layout->nclasses; i++)
		bytes += class_bytes(&layout->classes[i]);
	return bytes;
}

uint64_t xfer_layout_bytes(const struct xfer_slot_layout *layout, uint32_t lanes)
{
	uint64_t bytes = lane_bytes(layout);
	uint32_t slots = 0;

	for (uint32_t i = 0; i < layout->nclasses; i++) {
		if (!class_valid(&layout->classes[i]))
			return 0;
		slots += layout->classes[i].slots;
	}
	if (slots > XFER_SLOT_NUMBERS || lanes == 0 || bytes > XFER_LAYOUT_MAX / lanes)
		return 0;
	return bytes * lanes;
}

struct xfer_region xfer_layout_region(
	const struct xfer_slot_layout *layout, uint32_t lane, uint32_t class)
{
	struct xfer_region region = {
		.id = class + 1,
		.slot_size = layout->classes[class].slot_size,
		.slots = layout->classes[class].slots,
		.base = lane * lane_bytes(layout),
	};

	for (uint32_t i = 0; i < class; i++) {
		region.first = (uint16_t)(region.first + layout->classes[i].slots);
		region.base += class_bytes(&layout->classes[i]);
	}
	return region;
}

uint32_t xfer_layout_largest(const struct xfer_slot_layout *layout)
{
	uint32_t largest = 0;

	for (uint32_t i = 0; i < layout->nclasses; i++)
		if (layout->classes[i].slot_size > largest)
			largest = layout->classes[i].slot_size;
	return largest;
}
