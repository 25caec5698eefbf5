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
 * Any thread; nothing blocks but for a lane's lock, which is held for bookkeeping only.
 */
struct xfer_hostpath;

struct xfer_hostpath_params {
	struct xfer_transport *transport; /* the path's from then on, also on failure */
	uint32_t epoch, lanes;
	struct xfer_slot_layout write, read;
	/* Nothing uses it any more; the transport is to be freed, which may take time. Any thread; not called on failure. */
	void (*gone)(void *arg, struct xfer_transport *transport);
	void *arg;
};

/* With one reference. -ENOMEM; -EINVAL: the layouts can't be. */
int xfer_hostpath_create(const struct xfer_hostpath_params *params, struct xfer_hostpath **path);
void xfer_hostpath_ref(struct xfer_hostpath *path);
void xfer_hostpath_unref(struct xfer_hostpath *path); /* NULL is ignored */
/* No RPC finds a slot any more. */
void xfer_hostpath_end(struct xfer_hostpath *path);

uint32_t xfer_hostpath_epoch(const struct xfer_hostpath *path);

/*
 * An RPC names placement->slot for placement->length bytes. GO: it uses the slot until xfer_hostpath_done, and
 * placement->memory is where its bytes are (WRITE), or where they go (READ). user: stands for it, not NULL.
 */
enum xfer_join_event xfer_hostpath_find(
	struct xfer_hostpath *path, struct xfer_placement *placement, void *user);
/* READ: the bytes are in place; before the reply. */
int xfer_hostpath_send(struct xfer_hostpath *path, const struct xfer_placement *placement);
/* The slot isn't used any more. Before the reply. */
void xfer_hostpath_done(struct xfer_hostpath *path, const struct xfer_placement *placement);

/* Slots by state. */
json_t *xfer_hostpath_status(struct xfer_hostpath *path);

#endif
