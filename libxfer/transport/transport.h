/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* transport.h -- how bytes get into the slots of a data path: the seam between pools and shared memory or verbs */
#ifndef XFER_TRANSPORT_TRANSPORT_H
#define XFER_TRANSPORT_TRANSPORT_H

#include <jansson.h>
#include <sys/queue.h>

#include "core/lmrm.h"
#include "core/path.h"

/* One use of a slot: of the host's memory for WRITE, of the initiator's for READ. */
struct xfer_placement {
	enum xfer_pool_direction direction;
	struct xfer_slot_ref slot;
	uint64_t
		address; /* of the slot, in this process: where its bytes are, or what stands for them here */
	struct xfer_memory *in; /* what it lies in */
	uint32_t length;        /* bytes of payload */
	void *memory;           /* what `stage` or `fetch` gave */

	/* READ, its answer has come, its immediate hasn't: the data path's, under the lane's lock */
	uint64_t since_ns;
	TAILQ_ENTRY(xfer_placement) link;
};

/* Memory with slots in it, as one end has it. What sort it is, is its transport's affair. */
struct xfer_memory {
	uint64_t base; /* address of its first byte, as a placement's address is meant */
	uint64_t bytes;
	void (*free)(struct xfer_memory *memory); /* nothing of it is used any more; takes time */
	/* Of whoever counts it: it is free. May be NULL. */
	void (*freed)(void *arg, uint64_t bytes);
	void *freed_arg;
};

struct xfer_transport;

/* What a transport with immediates tells the path that it is part of. */
struct xfer_transport_events {
	/* An immediate has come on a lane. Any thread that polls, without locks. */
	void (*immediate)(void *arg, uint32_t lane, uint32_t immediate);
	/* Whether somebody waits for an immediate of a lane. The same. */
	bool (*waits)(void *arg, uint32_t lane);
	/* From time to time, on the thread of each lane. */
	void (*tick)(void *arg, uint32_t lane, uint64_t now_ns);
	/* Nothing goes over it any more, for this reason. Once; any thread, without locks, also from within its calls. */
	void (*lost)(void *arg, const char *why);
};

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
	/*
	 * Nothing is used any more; afterwards nothing lands, and nothing is told any more. Before the memory that it was
	 * used with is freed. With immediates it takes time, and not on a lane thread.
	 */
	void (*free)(struct xfer_transport *transport);

	/* With immediates only; else NULL. */

	/* From now on `events` is told. Once, before anything else. */
	void (*start)(struct xfer_transport *transport, const struct xfer_transport_events *events,
		void *arg);
	/* Tells what has come on a lane. */
	void (*poll)(struct xfer_transport *transport, uint32_t lane);
	/*
	 * Somebody waits for an immediate of the lane: looks for some more time, and then makes sure that its coming
	 * wakes the lane's thread.
	 */
	void (*await)(struct xfer_transport *transport, uint32_t lane);
	/* Of its devices and queue pairs; NULL: there is nothing to say. */
	json_t *(*status)(struct xfer_transport *transport);
};

struct xfer_transport {
	const struct xfer_transport_ops *ops;
};

static inline void xfer_memory_free(struct xfer_memory *memory)
{
	void (*freed)(void *arg, uint64_t bytes);
	uint64_t bytes;
	void *arg;

	if (!memory)
		return;
	freed = memory->freed;
	arg = memory->freed_arg;
	bytes = memory->bytes;
	memory->free(memory);
	if (freed)
		freed(arg, bytes);
}

#endif
