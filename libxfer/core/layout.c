/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* layout.c -- where the regions of all lanes lie in a chunk of memory */

#include <errno.h>

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

uint32_t xfer_layout_region_id(uint32_t chunk, uint32_t class)
{
	return chunk * XFER_SLOT_CLASSES_MAX + class;
}

struct xfer_region xfer_layout_region(const struct xfer_slot_layout *layout, uint32_t chunk,
	uint32_t lane, uint32_t class, uint64_t base)
{
	struct xfer_region region = {
		.id = xfer_layout_region_id(chunk, class),
		.slot_size = layout->classes[class].slot_size,
		.slots = layout->classes[class].slots,
		.base = base + lane * lane_bytes(layout),
	};

	for (uint32_t i = 0; i < class; i++) {
		region.first = (uint16_t)(region.first + layout->classes[i].slots);
		region.base += class_bytes(&layout->classes[i]);
	}
	return region;
}

uint32_t xfer_layout_slots(const struct xfer_slot_layout *layout)
{
	uint32_t slots = 0;

	for (uint32_t i = 0; i < layout->nclasses; i++)
		slots += layout->classes[i].slots;
	return slots;
}

uint32_t xfer_layout_largest(const struct xfer_slot_layout *layout)
{
	uint32_t largest = 0;

	for (uint32_t i = 0; i < layout->nclasses; i++)
		if (layout->classes[i].slot_size > largest)
			largest = layout->classes[i].slot_size;
	return largest;
}

/* NULL: there is none of that size. */
static struct xfer_slot_class *class_of(struct xfer_slot_layout *layout, uint32_t slot_size)
{
	for (uint32_t i = 0; i < layout->nclasses; i++)
		if (layout->classes[i].slot_size == slot_size)
			return &layout->classes[i];
	return NULL;
}

/* All of that size, in however many classes. */
static uint32_t slots_of(const struct xfer_slot_layout *layout, uint32_t slot_size)
{
	uint32_t slots = 0;

	for (uint32_t i = 0; i < layout->nclasses; i++)
		if (layout->classes[i].slot_size == slot_size)
			slots += layout->classes[i].slots;
	return slots;
}

struct xfer_slot_layout xfer_layout_missing(const struct xfer_slot_layout *wanted,
	const struct xfer_slot_layout *present, uint32_t chunks)
{
	struct xfer_slot_layout missing = { 0 };

	for (uint32_t i = 0; i < wanted->nclasses; i++) {
		const struct xfer_slot_class *class = &wanted->classes[i];
		uint32_t part = (class->slots + chunks - 1) / chunks;
		uint32_t there = slots_of(present, class->slot_size);
		uint32_t lacking = class->slots > there ? class->slots - there : 0;

		if (lacking > 0)
			missing.classes[missing.nclasses++] =
				(struct xfer_slot_class){ class->slot_size,
					lacking < part ? lacking : part };
	}
	return missing;
}

int xfer_layout_add(struct xfer_slot_layout *layout, const struct xfer_slot_layout *other)
{
	for (uint32_t i = 0; i < other->nclasses; i++) {
		struct xfer_slot_class *class = class_of(layout, other->classes[i].slot_size);

		if (class) {
			class->slots += other->classes[i].slots;
			continue;
		}
		if (layout->nclasses == XFER_SLOT_CLASSES_MAX)
			return -ENOSPC;
		layout->classes[layout->nclasses++] = other->classes[i];
	}
	return 0;
}

bool xfer_layout_is_part(const struct xfer_slot_layout *layout, const struct xfer_slot_layout *of)
{
	for (uint32_t i = 0; i < layout->nclasses; i++) {
		uint32_t slot_size = layout->classes[i].slot_size;

		if (slots_of(layout, slot_size) > slots_of(of, slot_size))
			return false;
	}
	return true;
}
