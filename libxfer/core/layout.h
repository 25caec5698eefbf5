/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* layout.h -- where the regions of all lanes lie in a chunk of memory */
#ifndef XFER_CORE_LAYOUT_H
#define XFER_CORE_LAYOUT_H

#include "control/protocol.h"

/*
 * A chunk is memory that comes and goes as a whole: it has a region of each size on each lane. Both ends make the same
 * of the same numbers: lane by lane, and on each lane class by class. Pure.
 */

#define XFER_LAYOUT_ALIGNMENT 4096u               /* bytes, of slot sizes */
#define XFER_LAYOUT_MAX       (UINT64_C(1) << 36) /* bytes */

/* Bytes for so many lanes; 0: there is nothing in it, or it can't be: odd sizes, more slots than there are numbers. */
uint64_t xfer_layout_bytes(const struct xfer_slot_layout *layout, uint32_t lanes);
/* The id of a chunk's region, the same on each lane. */
uint32_t xfer_layout_region_id(uint32_t chunk, uint32_t class);
/*
 * The region of a lane's class (below nclasses), of a layout that can be, in memory that begins at `base`. Its numbers
 * are those of a lane that has no other chunk.
 */
struct xfer_region xfer_layout_region(const struct xfer_slot_layout *layout, uint32_t chunk,
	uint32_t lane, uint32_t class, uint64_t base);
/* All slots of a lane. */
uint32_t xfer_layout_slots(const struct xfer_slot_layout *layout);
/* The largest slot's size in bytes; 0: there is none. */
uint32_t xfer_layout_largest(const struct xfer_slot_layout *layout);

/*
 * What is to be asked for next, when all chunks together are to come to `wanted` and come to `present`: of each size
 * what is missing, but no more than `wanted` divided by `chunks`, rounded up. No classes: nothing is missing.
 */
struct xfer_slot_layout xfer_layout_missing(const struct xfer_slot_layout *wanted,
	const struct xfer_slot_layout *present, uint32_t chunks);
/* All slots of another layout on top. -ENOSPC: too many sizes. */
int xfer_layout_add(struct xfer_slot_layout *layout, const struct xfer_slot_layout *other);
/* Whether it has no size that the other one hasn't, and no more slots of any. */
bool xfer_layout_is_part(const struct xfer_slot_layout *layout, const struct xfer_slot_layout *of);

#endif
