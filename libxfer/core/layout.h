/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* layout.h -- where the regions of all lanes lie in one piece of memory */
#ifndef XFER_CORE_LAYOUT_H
#define XFER_CORE_LAYOUT_H

#include "control/protocol.h"

/*
 * Both ends make the same of the same numbers: lane by lane, and on each lane class by class. A region's id is its
 * class's number plus 1, its address an offset in the memory. Pure.
 */

#define XFER_LAYOUT_ALIGNMENT 4096u               /* bytes, of slot sizes */
#define XFER_LAYOUT_MAX       (UINT64_C(1) << 36) /* bytes */

/* Bytes for so many lanes; 0: there is nothing in it, or it can't be: odd sizes, more slots than there are numbers. */
uint64_t xfer_layout_bytes(const struct xfer_slot_layout *layout, uint32_t lanes);
/* The region of a lane's class (below nclasses), of a layout that can be. */
struct xfer_region xfer_layout_region(
	const struct xfer_slot_layout *layout, uint32_t lane, uint32_t class);
/* The largest slot's size in bytes; 0: there is none. */
uint32_t xfer_layout_largest(const struct xfer_slot_layout *layout);

#endif
