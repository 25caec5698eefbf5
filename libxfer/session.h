/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* session.h -- the calling end of a session: call slots, lanes, connecting and connecting again */
#ifndef XFER_SESSION_H
#define XFER_SESSION_H

#include <sys/queue.h>

#include <jansson.h>

#include "address.h"
#include "context.h"
#include "control/caller.h"

/*
 * One operation on its way through a session. The submitter fills proc, args and for READ and WRITE
 * the payload; everything lives until `done` or, called synchronously, until xfer_session_call
 * returns.
 */
struct xfer_session_call {
	union xfer_args args;
	union xfer_results results;
	/* err: as of struct xfer_call, or the results' status as -errno. Any thread, lane threads
	 * included; must not block. Asynchronous calls only. */
	void (*done)(struct xfer_session_call *call, int err);

	/* the session's own */
	struct xfer_call call;
	struct xfer_request_header header;
	struct xfer_session *session;
	struct xfer_share *share; /* its volume's */
	STAILQ_ENTRY(xfer_session_call) link;
};

/* Fills what is the same for all operations; results start as zeros. */
void xfer_session_prepare(struct xfer_session_call *call, struct xfer_session *session,
	const struct xfer_cred *cred, uint32_t proc);

/* One piece of payload, sent or to be filled, that lives as long as the call. */
void xfer_session_put_payload(struct xfer_session_call *call, const struct iovec *iov);

/* Submits and waits for the answer; not on a lane thread. 0 or -errno as `done` would get. */
int xfer_session_call(struct xfer_session_call *call);

/* Any thread; never blocks. */
void xfer_session_submit(struct xfer_session_call *call);

/* An answer to WRITE or COMMIT carried this verifier: what xfer_session_verifier gives from now on. */
void xfer_session_set_verifier(
	struct xfer_session *session, const uint8_t verifier[8]); /* locked */
/* Whether it is the present one now. */
bool xfer_session_saw_verifier(struct xfer_session *session, const uint8_t verifier[8]);

/* The session's part of STATUS. */
json_t *xfer_session_status(struct xfer_session *session);

#define XFER_SESSION_SLOTS XFER_CALLS_MAX

/*
 * What one volume takes of its session: at most half of the call slots and of the payload under way, so that a
 * volume whose disk hangs leaves the rest to the others. Volumes whose ids agree in their lowest bits share.
 */
#define XFER_SESSION_SHARES 64u
struct xfer_share {
	unsigned calls;       /* under way */
	uint64_t payload_out; /* bytes that READs and WRITEs under way bring or ask for */
	STAILQ_HEAD(, xfer_session_call) waiting;
};

#define XFER_SESSION_VERIFIERS 64u /* so many are recognized when an answer was overtaken */

enum xfer_session_state { XFER_SESSION_DOWN, XFER_SESSION_UP, XFER_SESSION_CLOSING };

struct xfer_session {
	struct xfer_context *context;
	char owner[XFER_NODE_MAX + 1];
	char address_text[300];
	struct xfer_address address;
	const struct xfer_session_ops *ops; /* may be NULL */
	void *ops_arg;
	pthread_t thread; /* connects; everything about connections is its business alone */
	LIST_ENTRY(xfer_session) link; /* the context's */

	pthread_mutex_t lock;   /* all that follows */
	pthread_cond_t changed; /* state, broken, open_lanes, calls */
	pthread_cond_t slot_free;
	enum xfer_session_state state;
	bool broken;      /* a lane has ended */
	char reason[320]; /* why it isn't up */
	struct xfer_caller *lanes[XFER_LANES_MAX];
	unsigned nlanes;
	unsigned open_lanes; /* whose `closed` has not been called */
	unsigned calls;      /* that have not ended */

	/* what WELCOME said */
	uint64_t session_id;
	uint32_t epoch;
	struct xfer_limits limits;
	uint8_t verifiers[XFER_SESSION_VERIFIERS][8]; /* the last ones, in a circle */
	unsigned nverifiers;                          /* in all; the present one is the last */
	uint64_t verifier_ns; /* when it took another's place; 0: it is the first */

	/* call slots: a stack of free ones, and how often each was used */
	uint16_t free_slots[XFER_SESSION_SLOTS];
	unsigned nfree;
	uint32_t sequences[XFER_SESSION_SLOTS];
	uint64_t payload_out; /* of all shares */
	unsigned waiting_threads;
	struct xfer_share shares[XFER_SESSION_SHARES];
	unsigned next_share; /* whose waiting call is looked at first */
	uint64_t operations;
};

#endif
