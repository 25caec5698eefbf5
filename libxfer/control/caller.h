/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* caller.h -- the calling half of a connection: calls out, replies matched in any order */
#ifndef XFER_CONTROL_CALLER_H
#define XFER_CONTROL_CALLER_H

#include "control/conn.h"
#include "control/rpc.h"

struct xfer_caller;

/*
 * One call. The submitter fills the first part; the memory, args, results and payload included,
 * stays its own and has to live until `done`, which is called exactly once, on the lane's thread, on
 * the submitting one, or on one that receives in the lane's place.
 */
struct xfer_call {
	uint32_t proc;
	struct xfer_request_header *header; /* NULL outside of a session */
	union xfer_args *args;
	union xfer_results *results;
	const struct iovec *payload; /* WRITE: what goes out, READ: where what comes goes */
	int payload_count;
	uint32_t payload_length; /* bytes, of all of payload */
	bool lingers; /* the server answers it when it likes: it isn't counted as under way */
	/*
	 * err: 0: results are valid (their status may tell of a failure); -EAGAIN: not executed, or
	 * nothing that changes; -EREMOTEIO: fate unknown; other -errno: the server refused it at
	 * the RPC level.
	 */
	void (*done)(struct xfer_call *call, int err);
	void *user; /* the submitter's; xfer_caller_call uses it itself */

	/* the caller's own */
	struct xfer_caller *caller;
	struct xfer_out out;
	_Atomic unsigned refs; /* one until it was sent, one until it was answered */
	uint32_t xid;
	int err;
	STAILQ_ENTRY(xfer_call) link; /* of those whose end is told by the lane */
	bool broken;                  /* the connection ended before the answer */
	uint8_t *head;
	uint8_t small_head[4 + XFER_CALL_HEAD + 8]; /* mark, head, payload's mark, padding */
};

/* What the owner of a caller wants to know. Lane thread. */
struct xfer_caller_ops {
	/* All calls under way have been failed. */
	void (*closed)(void *user, struct xfer_caller *caller, int err, const char *why);
	/* The connection's keys are nearly used up (XFER_KEYS_WORN): another one is to take its place soon, before it
	 * closes itself. Again and again; must not wait. May be NULL. */
	void (*worn)(void *user, struct xfer_caller *caller);
};

/* In per mille of what keys may carry. What is left lasts for seconds, whatever is sent. */
#define XFER_KEYS_WORN 800u

/* A peer that was silent for so many heartbeats is taken for dead. */
#define XFER_HEARTBEATS_MISSED 5

/*
 * Makes a caller of a connected socket, which it owns from then on, also on failure, and starts it.
 * The reference belongs to the creator. heartbeat_ms: PING after so long without a send or a
 * receive.
 */
int xfer_caller_create(struct xfer_lane *lane, struct xfer_conn_io *io, const char *name,
	unsigned heartbeat_ms, const struct xfer_caller_ops *ops, void *user,
	struct xfer_caller **caller);
void xfer_caller_ref(struct xfer_caller *caller);
void xfer_caller_unref(struct xfer_caller *caller);

/* Any thread; never blocks. */
void xfer_caller_submit(struct xfer_caller *caller, struct xfer_call *call);

/* Submits and waits; not on a lane thread. The result is what `done` would get. */
int xfer_caller_call(struct xfer_caller *caller, struct xfer_call *call);

/*
 * For a thread that waits for the answer to a call of its own: receives in the lane's place as long as *wanted, until
 * deadline_ns; see xfer_conn_poll. Answers to calls of others come to it, too: their `done` has to cope with running
 * within what this thread is at, or to defer itself.
 */
void xfer_caller_poll(struct xfer_caller *caller, const _Atomic bool *wanted, uint64_t deadline_ns);

/*
 * For a `done` that takes locks, which the thread that receives may hold already. False: this is no such thread, it
 * may run; true: it is called once more, with the same err, by the lane, before `closed` is.
 */
bool xfer_caller_defer(struct xfer_call *call, int err);

/* Beside the call that is submitted next; then, what came with an answer (-1: nothing). See conn_io.h. */
int xfer_caller_put_fd(struct xfer_caller *caller, int fd);
int xfer_caller_take_fd(struct xfer_caller *caller);

/* Any thread; ops->closed follows on the lane. */
void xfer_caller_close(struct xfer_caller *caller, int err, const char *why);

/* Calls under way, but for those that linger. */
unsigned xfer_caller_pending(struct xfer_caller *caller);

#endif
