/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* transport.h -- how bytes get into the slots of a data path: the seam between pools and shared memory or verbs */
#ifndef XFER_TRANSPORT_TRANSPORT_H
#define XFER_TRANSPORT_TRANSPORT_H

#include "core/lmrm.h"
#include "core/path.h"

/* One use of a slot: of the host's memory for WRITE, of the initiator's for READ. */
struct xfer_placement {
	enum xfer_pool_direction direction;
	struct xfer_slot_ref slot;
	uint64_t address; /* of the slot, as its region's base says it */
	uint32_t length;  /* bytes of payload */
	void *memory;     /* what `stage` or `fetch` gave */
};

/* Memory with slots in it, as one end has it. What sort it is, is its transport's affair. */
struct xfer_memory {
	uint64_t base; /* address of its first byte, as a placement's address is meant */
	uint64_t bytes;
	void (*free)(struct xfer_memory *memory); /* nothing of it is used any more; takes time */
};

struct xfer_transport;

/*
 * A transport is one end of one epoch of a data path. Whoever places bytes (the initiator's WRITE, the host's READ)
 * calls stage, puts the bytes where that says, and send; whoever was placed some calls fetch once core/lmrm.h or
 * core/join.h says that they are there. docs/transport.md walks through both. Any thread; none blocks; the slot is
 * the caller's until send or the use's end.
 */
struct xfer_transport_ops {
	enum xfer_path path;
	bool immediates; /* bytes announce themselves, by an immediate; else they are there before the RPC that names them */
	/* Where to put placement->length bytes. -EAGAIN: no room now, the payload goes inline. */
	int (*stage)(struct xfer_transport *transport, struct xfer_placement *placement);
	/* What was staged is complete: the peer finds it in its slot. Before the RPC is sent. -ENOTCONN: it is lost. */
	int (*send)(struct xfer_transport *transport, const struct xfer_placement *placement);
	/* The bytes that were placed at this end. */
	void (*fetch)(struct xfer_transport *transport, struct xfer_placement *placement);
	/* Nothing is used any more, and nothing lands any more. Before the memory that it was used with is freed. */
	void (*free)(struct xfer_transport *transport);
};

struct xfer_transport {
	const struct xfer_transport_ops *ops;
};

static inline void xfer_memory_free(struct xfer_memory *memory)
{
	if (memory)
		memory->free(memory);
}

#endif
