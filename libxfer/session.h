/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* session.h -- the calling end of a session: call slots, lanes, connecting and connecting again */
#ifndef XFER_SESSION_H
#define XFER_SESSION_H

#include <sys/queue.h>

#include <jansson.h>

#include "address.h"
#include "context.h"
#include "control/caller.h"
#include "datapath.h"
#include "events.h"
#include "sharing.h"

enum xfer_call_place { XFER_CALL_WAITS, XFER_CALL_FLIES, XFER_CALL_UNSETTLED };

/*
 * One operation on its way through a session. The submitter fills proc, args and for READ and WRITE
 * the payload; everything lives until `done` or, called synchronously, until xfer_session_call
 * returns.
 *
 * It waits (in its share's list) until there is a call slot, and while the session is down; flies (a lane has it);
 * or is unsettled: it was handed to a lane whose connection ended before the answer, and may have been executed. An
 * unsettled one keeps its call slot and sequence and is sent again in the next epoch.
 */
struct xfer_session_call {
	union xfer_args args;
	union xfer_results results;
	/* err: 0; the results' status as -errno; -EAGAIN or -EREMOTEIO as xfer.h says. The submitting thread, a lane's
	 * or the session's own; must not block. Asynchronous calls only. */
	void (*done)(struct xfer_session_call *call, int err);
	struct xfer_path_volume volume; /* of READ and WRITE: what their data belongs to */

	/* the session's own */
	struct xfer_call call;
	struct xfer_request_header header;
	struct xfer_session *session;
	struct xfer_share *share; /* its volume's */
	enum xfer_call_place place;
	unsigned lane; /* while it flies */
	struct xfer_datapath *
		path; /* while it flies, referenced: what a READ or WRITE may use, then what it uses */
	struct xfer_placement placed; /* its slot, if it uses one */
	bool in_slot;
	_Atomic bool
		attended; /* its thread waits for the answer; whoever clears this goes on with the call */
	int err;          /* that it was answered with, or what became of its data */
	struct xfer_task arrived; /* its data has come, or won't */
	bool exposed;             /* an owner may have executed it in an earlier epoch */
	bool recovers; /* from within struct xfer_session_ops.recover: it ends with its connection */
	bool patient;  /* what is given back: it waits for the session as long as that may take */
	bool hasty;    /* it isn't kept for a session to come up */
	void *waiter; /* the thread that waits for it, which isn't kept for a session to come up; or NULL */
	uint64_t parked_ns; /* since when it waits for the session; 0: for a slot only */
	TAILQ_ENTRY(xfer_session_call) link;
};
TAILQ_HEAD(xfer_session_calls, xfer_session_call);

/* Fills what is the same for all operations; results start as zeros. */
void xfer_session_prepare(struct xfer_session_call *call, struct xfer_session *session,
	const struct xfer_cred *cred, uint32_t proc);

/* One piece of payload, sent or to be filled, that lives as long as the call. */
void xfer_session_put_payload(struct xfer_session_call *call, const struct iovec *iov);

/* Submits and waits for the answer; not on a lane thread. 0 or -errno as `done` would get. */
int xfer_session_call(struct xfer_session_call *call);

/* Any thread; never blocks. */
void xfer_session_submit(struct xfer_session_call *call);
/*
 * The same, but if the call is alone the thread waits for the answer, for XFER_ATTEND_NS, and calls `done` itself: nobody
 * has to be woken. Not on a lane thread.
 */
void xfer_session_attend(struct xfer_session_call *call);

/* Of struct xfer_datapath_params: goes on with a READ whose data was on its way. */
void xfer_session_ready(struct xfer_placement *placed, int err);

/* With the lock held: its connections are being replaced, which takes a moment; everything waits for that. */
bool xfer_session_changes(const struct xfer_session *session);

/* Gives the present lanes up; their calls end on them. Any thread. */
void xfer_session_close_lanes(struct xfer_session *session, int err, const char *why);

/* --- for the thread that makes the session's connections ---------------------------------------- */

/* Hands on what waits and may go now. */
void xfer_session_pump(struct xfer_session *session);
/* Sends the unsettled calls again; all of them fly then. */
void xfer_session_resend(struct xfer_session *session);
/* Ends the unsettled calls, those of one procedure or (proc 0) all. */
void xfer_session_fail_unsettled(struct xfer_session *session, uint32_t proc, int err);
/* The session is down: threads stop waiting for a call slot, everything else begins to wait for the session. */
void xfer_session_strand(struct xfer_session *session);
/* Ends what waits since before a time (UINT64_MAX: since whenever) with -EAGAIN; a patient one only with all. */
void xfer_session_fail_waiting(struct xfer_session *session, uint64_t before_ns);

/* An answer to WRITE or COMMIT carried this verifier: what xfer_session_verifier gives from now on. */
void xfer_session_set_verifier(
	struct xfer_session *session, const uint8_t verifier[8]); /* locked */
/* Whether it is the present one now. */
bool xfer_session_saw_verifier(struct xfer_session *session, const uint8_t verifier[8]);

/* The session's part of STATUS. */
json_t *xfer_session_status(struct xfer_session *session);

#define XFER_SESSION_SLOTS XFER_CALLS_MAX

#define XFER_ATTEND_NS 50000u /* an owner that has the data in memory has answered by then */

#define XFER_SESSION_RESERVED 4u /* call slots that are kept for making opens and locks again */
#define XFER_SESSION_PARKED                                                                        \
	1024u                 /* calls that wait for a session to come up, but for patient ones */
#define XFER_PARKED_MS 10000u /* so long at most */
#define XFER_CANCEL_MS                                                                             \
	5000u /* a thread that has waited so long asks for its operation not to be begun any more */

/*
 * What one volume takes of its session: at most half of the call slots, of the payload under way and of what may wait, so
 * that a volume whose disk hangs leaves the rest to the others. Volumes whose ids agree in their lowest bits share.
 */
#define XFER_SESSION_SHARES 64u
struct xfer_share {
	unsigned calls;         /* that have a slot */
	uint64_t payload_out;   /* bytes that their READs and WRITEs bring or ask for */
	uint64_t waiting_bytes; /* what those that wait keep in memory */
	struct xfer_session_calls waiting;
};

#define XFER_SESSION_VERIFIERS 64u /* so many are recognized when an answer was overtaken */

enum xfer_session_state {
	XFER_SESSION_DOWN,
	XFER_SESSION_RECOVERING, /* only the thread that makes opens and locks again may go */
	XFER_SESSION_UP,
	XFER_SESSION_DRAINING, /* its connections are about to be replaced: what flies ends, what comes waits */
	XFER_SESSION_RENEWING, /* they are gone, and the next ones are made: what comes waits */
	XFER_SESSION_CLOSING,
};

struct xfer_session {
	struct xfer_context *context;
	char owner[XFER_NODE_MAX + 1];
	char address_text[300];
	struct xfer_address address;
	bool insecure;                      /* TCP in cleartext, with whoever listens there */
	const struct xfer_session_ops *ops; /* may be NULL */
	void *ops_arg;
	unsigned parked_ms, cancel_ms; /* XFER_PARKED_MS, XFER_CANCEL_MS; but for tests */
	uint64_t attend_ns;            /* XFER_ATTEND_NS; but for tests */
	uint64_t waiting_max; /* bytes that READs and WRITEs which wait may keep in memory */
	pthread_t thread;     /* connects; everything about connections is its business alone */
	struct xfer_events events;
	struct xfer_sharing sharing;   /* but for what says so, the thread's */
	LIST_ENTRY(xfer_session) link; /* the context's */

	pthread_mutex_t lock;   /* all that follows */
	pthread_cond_t changed; /* state, broken, open_lanes, calls, flying, unsettled */
	enum xfer_session_state state;
	pthread_t recoverer; /* while RECOVERING: the thread that may go */
	bool broken; /* a lane has ended, or will in a moment: nothing is handed to them any more */
	bool worn;   /* its connections' keys are nearly used up */
	const char *broken_why; /* static text: why the last lane that ended has */
	char reason[320];       /* why it isn't up */
	int dialed; /* a descriptor of the connection that is being made, with TLS; -1: none */
	struct xfer_caller *lanes[XFER_LANES_MAX];
	unsigned nlanes;
	unsigned open_lanes; /* whose `closed` has not been called */
	unsigned calls;      /* that have not ended: waiting, flying, unsettled */
	unsigned waiting;    /* of those */
	bool pumping;        /* `pump` is posted, and one of those */
	struct xfer_task pump;
	unsigned parked; /* of those waiting, for the session */
	unsigned flying;
	uint64_t loads[XFER_LANES_MAX]; /* bytes, of what flies */
	unsigned unattended;            /* so many calls aren't attended */
	_Atomic unsigned vain; /* how many that were the last time; 0: that wasn't in vain */
	struct xfer_session_calls unsettled;

	struct xfer_datapath *path; /* referenced; NULL: none */
	uint32_t path_epoch;        /* of the last one; the session's own thread */

	/* what WELCOME said */
	uint64_t session_id;
	uint32_t epoch;
	bool recovered; /* opens and locks are what they were, or nothing was open yet */
	struct xfer_limits limits;
	uint8_t verifiers[XFER_SESSION_VERIFIERS][8]; /* the last ones, in a circle */
	unsigned nverifiers;                          /* in all; the present one is the last */
	uint64_t verifier_ns; /* when it took another's place; 0: it is the first */

	/* Call slots: a stack of free ones, and how often each was used. They outlive epochs. */
	uint16_t free_slots[XFER_SESSION_SLOTS];
	unsigned nslots, nfree;
	uint32_t sequences[XFER_SESSION_SLOTS];
	uint64_t payload_out, waiting_bytes; /* of all shares */
	struct xfer_share shares[XFER_SESSION_SHARES];
	unsigned next_share; /* whose waiting call is looked at first */
	uint64_t operations;
};

#endif
