/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* events.h -- what an owner tells a session of: the calling end of EVENTS */
#ifndef XFER_EVENTS_H
#define XFER_EVENTS_H

#include "control/caller.h"

struct xfer_session;

/*
 * The one EVENTS that a session has under way, from when its lanes are attached until one of them ends. It is none of
 * the session's operations: nothing waits for it but the end of its lane, which ends it.
 */
struct xfer_events {
	struct xfer_caller *lane; /* the epoch's first one, which outlives the call */
	struct xfer_call call;
	union xfer_args args; /* `seen`: the number of what was told last */
	union xfer_results results;
	uint64_t session_id; /* whose numbers these are */
	/* The submission's return and the call's end: how many of the two are still to come. */
	_Atomic unsigned parties;
	int err; /* of the call */
};

/*
 * An epoch has begun: nothing of all that the owner said before is believed any more, and it hears of that. The
 * session's own thread, when all lanes are attached and before anything is asked for over them.
 */
void xfer_events_begin(struct xfer_session *session);

/* Nothing is believed any more: the owner may forget that it promised to tell. The session's own thread. */
void xfer_events_forget(struct xfer_session *session);

#endif
