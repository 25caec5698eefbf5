/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* hostpath.h -- the host's end of a session's data path: what RPCs that name slots find */
#ifndef XFER_CONTROL_HOSTPATH_H
#define XFER_CONTROL_HOSTPATH_H

#include <jansson.h>

#include "control/protocol.h"
#include "core/join.h"
#include "transport/transport.h"

/*
 * One epoch of it. Each request that uses a slot has a reference, so the memory stays until the last of them has ended.
 * Any thread, where it isn't said; nothing blocks but for a lane's lock, which is held for bookkeeping only.
 */
struct xfer_hostpath;

struct xfer_hostpath_params {
	struct xfer_transport *transport; /* the path's from then on, also on failure */
	uint32_t epoch, lanes;
	struct xfer_slot_layout read;
	struct xfer_memory
		*memory; /* the READ slots'; the path's, as above; NULL: there are none */
	/* Nothing uses it any more: it is to be freed, which takes time. Any thread; not called on failure. */
	void (*gone)(void *arg, struct xfer_hostpath *path);

	/* With immediates only; any thread, without locks. */

	/* An RPC that was told to WAIT. GO: its bytes have come, as if xfer_hostpath_find said so now; RESEND. */
	void (*resume)(struct xfer_placement *placement, enum xfer_join_event event);
	/* It is of no use any more, for this reason, and to be ended. Until xfer_hostpath_free returns; may be repeated. */
	void (*lost)(void *arg, const char *why);

	void *arg; /* of `gone` and `lost` */
};

/* With one reference, and without slots for WRITE. -ENOMEM; -EINVAL: the layout can't be. */
int xfer_hostpath_create(const struct xfer_hostpath_params *params, struct xfer_hostpath **path);
/* After `gone`. With immediates not on a lane thread, nor from within `resume` or `lost`. */
void xfer_hostpath_free(struct xfer_hostpath *path);
void *xfer_hostpath_arg(const struct xfer_hostpath *path);
void xfer_hostpath_ref(struct xfer_hostpath *path);
void xfer_hostpath_unref(struct xfer_hostpath *path); /* NULL is ignored */
/* No RPC finds a slot any more; those that wait are resumed. Whoever calls it has a reference. */
void xfer_hostpath_end(struct xfer_hostpath *path);

uint32_t xfer_hostpath_epoch(const struct xfer_hostpath *path);
uint32_t xfer_hostpath_lanes(const struct xfer_hostpath *path);

/*
 * An RPC names placement->slot for placement->length bytes. GO: it uses the slot until xfer_hostpath_done, and
 * placement->memory is where its bytes are (WRITE), or where they go (READ). WAIT (WRITE with immediates only): the
 * placement, and whatever it is part of, is `resume`'s, which may have been called already on another thread. What has
 * come for other RPCs is told first, so `resume` may be called for them from within.
 */
enum xfer_join_event xfer_hostpath_find(
	struct xfer_hostpath *path, struct xfer_placement *placement);
/* READ: placement->length bytes are in place; before the reply. */
int xfer_hostpath_send(struct xfer_hostpath *path, const struct xfer_placement *placement);
/* The slot isn't used any more. Before the reply. */
void xfer_hostpath_done(struct xfer_hostpath *path, const struct xfer_placement *placement);

/*
 * Chunks for WRITE: one thread at a time. Adding chooses the id and the places, of which the peer is to be told. The
 * memory is the path's from then on, also on failure. -EINVAL; -ENOSPC: too many regions, or no numbers are left; -ENOMEM.
 */
int xfer_hostpath_add(struct xfer_hostpath *path, const struct xfer_slot_layout *layout,
	struct xfer_memory *memory, struct xfer_chunk *chunk);
/*
 * The peer has said that it uses it no more: its memory is freed, which takes time. -ENOENT; -EBUSY: an operation uses
 * a slot of it, so the peer doesn't keep to it, and the path is to be ended; the memory stays as long as the path does.
 */
int xfer_hostpath_remove(struct xfer_hostpath *path, uint32_t id);
/* The chunk that was added last; 0: there is none. */
uint32_t xfer_hostpath_newest(const struct xfer_hostpath *path);
/* When an operation came last that used memory of the host's: a WRITE, with immediates also a READ, which is staged
 * there (CLOCK_MONOTONIC); 0: never. */
uint64_t xfer_hostpath_used_ns(const struct xfer_hostpath *path);

/* Slots by state. */
json_t *xfer_hostpath_status(struct xfer_hostpath *path);

#endif
