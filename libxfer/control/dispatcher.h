/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* dispatcher.h -- the serving half of a connection: calls in, replies out in any order */
#ifndef XFER_CONTROL_DISPATCHER_H
#define XFER_CONTROL_DISPATCHER_H

#include "control/conn.h"
#include "control/peer.h"
#include "control/strangers.h"

struct xfer_dispatcher;

/* What dispatchers need of their server. */
struct xfer_dispatcher_ops {
	/* The process's status: a malloc'ed JSON text, NULL: out of memory. Lane thread. */
	char *(*status)(void *server);
	/* The connection belongs to dispatcher->peer's session from now on; those of its earlier epochs are to be
	 * closed. Lane thread. */
	void (*joined)(void *server, struct xfer_dispatcher *dispatcher);
	/* The connection has ended and so have its requests: gives up dispatcher->peer. The
	 * dispatcher is freed afterwards. Any thread. */
	void (*gone)(void *server, struct xfer_dispatcher *dispatcher);
};

/* Lives until its connection has ended and its last request was answered. */
struct xfer_dispatcher {
	_Atomic unsigned refs; /* the connection's and one per request */
	struct xfer_conn *conn;
	struct xfer_lane *lane;
	struct xfer_conn_identity identity;
	struct xfer_peers *peers;
	const struct xfer_dispatcher_ops *ops;
	void *server;

	/* Set once by the lane's thread, before ops->joined. */
	struct xfer_peer *peer;
	uint32_t epoch; /* of the session, that the connection belongs to */

	/* The lane's thread only. */
	struct xfer_request *receiving; /* its payload is on the way */
	uint64_t started_ns, resumed_ns;
	bool greeting; /* HELLO was received and isn't answered yet */
	bool closed;

	pthread_mutex_t lock; /* in_flight, charged, paused */
	unsigned in_flight;   /* requests not answered, or answered but not sent */
	uint64_t charged;     /* bytes of memory that they use */
	bool paused;

	_Atomic uint64_t calls;

	/* The server's, under its lock. */
	LIST_ENTRY(xfer_dispatcher) link;
	bool joined;
	struct xfer_stranger stranger; /* as long as it hasn't */
};

struct xfer_dispatcher_params {
	struct xfer_lane *lane;
	struct xfer_conn_io *io; /* the dispatcher's from then on, also on failure */
	const struct xfer_conn_identity *identity;
	struct xfer_peers *peers;
	const struct xfer_dispatcher_ops *ops;
	void *server;
};

int xfer_dispatcher_create(
	const struct xfer_dispatcher_params *params, struct xfer_dispatcher **dispatcher);

/*
 * Of struct xfer_hostpath_params: goes on with a request that waited for its data. On whichever thread has it, which
 * carries the request out as a lane's does.
 */
void xfer_request_resume(struct xfer_placement *placement, enum xfer_join_event event);

/* Begins to receive. */
void xfer_dispatcher_start(struct xfer_dispatcher *dispatcher);

#endif
