/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* request.h -- one call at its server, from decoded arguments to the reply */
#ifndef XFER_CONTROL_REQUEST_H
#define XFER_CONTROL_REQUEST_H

/*
 * Life: the dispatcher makes a request on a lane thread when a call's record is complete, and hands
 * it to the service's dispatch(). From then on it belongs to the service, on whichever thread,
 * until it calls xfer_request_reply(), exactly once, which also frees it.
 */

#include <sys/queue.h>

#include "control/hostpath.h"
#include "control/protocol.h"

struct xfer_dispatcher;
struct xfer_peer;

struct xfer_request {
	struct xfer_dispatcher *dispatcher; /* of the connection it came over; referenced */
	struct xfer_peer *peer; /* the session, which the dispatcher keeps; NULL outside of one */
	uint32_t xid, proc;
	struct xfer_request_header
		header; /* operations only; call_slot is below limits.calls_max */
	union xfer_args args;
	union xfer_results results; /* zeroed; the service fills it. READDIR's entries and STATUS's
				     * text are malloc'ed by the service and freed after encoding */

	/* WRITE's payload, in one or two pieces (the first may lie in the connection's receive
	 * buffer, or be a slot). */
	struct iovec payload[2];
	int payload_count;
	uint32_t payload_length;

	/* Payload of the answer (READ). Inline: set by the service; freed by release after it was sent. A slot that
	 * the arguments name: set already, and release is NULL. */
	void *answer;
	void (*release)(void *arg, void *answer);
	void *release_arg;

	struct xfer_request *next;            /* for the service's queues */
	LIST_ENTRY(xfer_request) orphan_link; /* the service's, of orphans */
	uint64_t turn;       /* the service's, of orphans and what waits for them; 0: none */
	void *user;          /* the service's */
	uint64_t arrived_ns; /* CLOCK_MONOTONIC */

	int fd; /* SHARE: what came along; -1: nothing */

	/* the dispatcher's own */
	struct xfer_hostpath *
		path; /* referenced: it uses the slot `placement`, or waits for its bytes; NULL: none */
	struct xfer_placement placement;
	bool delayed; /* it isn't carried out: the answer is -EAGAIN, once its slot may be named */
	bool cached;  /* it is in the session's reply cache */
	bool orphan;  /* the connection it came over is gone; under the session's calls_lock */
	struct xfer_rbuf *rbuf; /* keeps payload[0] alive; may be NULL */
	void *payload_buffer;   /* of the buffer pool; may be NULL */
	uint32_t payload_buffer_size;
	uint64_t charge;                  /* bytes counted against the connection */
	uint32_t groups[XFER_GROUPS_MAX]; /* where header.groups points */
};

/* Encodes and sends the results, then frees the request. Any thread; never blocks on the network.
 */
void xfer_request_reply(struct xfer_request *request);

/* Of struct xfer_service's `remember`: the HELLO can be answered. Any thread. */
void xfer_request_welcome(struct xfer_request *request);

/* A descriptor that goes to the peer with the reply. -EOPNOTSUPP: not over a Unix socket. */
int xfer_request_put_fd(struct xfer_request *request, int fd);

/* Whether nobody between the nodes can read what it brings, and what its reply does: TLS, or a Unix socket. */
bool xfer_request_is_private(const struct xfer_request *request);

/* Shorthand: sets the status (0 or -errno) and replies. */
void xfer_request_finish(struct xfer_request *request, int err);

#endif
