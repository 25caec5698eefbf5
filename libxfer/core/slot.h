/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* slot.h -- what both ends of a pool call a slot, and where it is */
#ifndef XFER_CORE_SLOT_H
#define XFER_CORE_SLOT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * One use of a slot. A lane has one numbering for WRITE and one for READ, over all regions and size classes. Within
 * a slot's life generations only grow, by serial arithmetic, from one use to the next; they go on in the next epoch.
 * Its first use's comes after its region's. All three have to agree before anybody touches a slot.
 */
struct xfer_slot_name {
	uint32_t epoch; /* of the data path; 0 is none */
	uint32_t generation;
	uint16_t slot;
};

/* A slot of any of a session's lanes. */
struct xfer_slot_ref {
	uint32_t lane;
	struct xfer_slot_name name; /* epoch 0: none */
};

/* So many slots of one size on each lane. */
struct xfer_slot_class {
	uint32_t slot_size, slots;
};

/* Memory that is cut into slots of one size. Both ends know it by the same id and the same numbers, which the host
 * chooses. */
struct xfer_region {
	uint32_t id;
	uint32_t slot_size; /* bytes */
	uint32_t slots;
	uint16_t first;      /* number of its first slot */
	uint32_t generation; /* where its slots' generations begin */
	uint64_t base;       /* address of its first slot, in this process */
	void *memory;        /* of whoever added it: what it lies in */
};

#define XFER_SLOT_NUMBERS 65536u /* of a lane and direction */
#define XFER_REGIONS_MAX  16u    /* of a lane and direction */

/* Negative: a comes before b. */
static inline int32_t xfer_serial_order(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b);
}

/* What travels with the bytes, in host order: the queue pair that it came by says which epoch. */
static inline uint32_t xfer_immediate(const struct xfer_slot_name *name)
{
	return (uint32_t)name->slot << 16 | (name->generation & 0xffff);
}

static inline uint16_t xfer_immediate_slot(uint32_t immediate)
{
	return (uint16_t)(immediate >> 16);
}

static inline bool xfer_immediate_names(uint32_t immediate, uint32_t generation)
{
	return (immediate & 0xffff) == (generation & 0xffff);
}

/* Whether the region can be: there are bytes in it, and its numbers and addresses fit. */
static inline bool xfer_region_valid(const struct xfer_region *region)
{
	return region->slot_size > 0 && region->slots > 0 && region->slots <= XFER_SLOT_NUMBERS &&
	       region->first + region->slots <= XFER_SLOT_NUMBERS &&
	       (uint64_t)region->slots * region->slot_size - 1 <= UINT64_MAX - region->base;
}

static inline bool xfer_region_has(const struct xfer_region *region, uint16_t slot)
{
	return slot >= region->first && (uint32_t)(slot - region->first) < region->slots;
}

static inline bool xfer_regions_overlap(const struct xfer_region *a, const struct xfer_region *b)
{
	return a->first < b->first + b->slots && b->first < a->first + a->slots;
}

static inline uint64_t xfer_region_address(const struct xfer_region *region, uint16_t slot)
{
	return region->base + (uint64_t)(slot - region->first) * region->slot_size;
}

#endif
