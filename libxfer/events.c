/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* events.c -- what an owner tells a session of: the calling end of EVENTS */

#include <errno.h>
#include <stdatomic.h>

#include "events.h"
#include "log.h"
#include "session.h"

/* count 0: nothing is to be believed any more. */
static void invalidate(
	struct xfer_session *session, const struct xfer_invalidation *invalidations, unsigned count)
{
	if (session->ops && session->ops->invalidate)
		session->ops->invalidate(session->ops_arg, invalidations, count);
}

/* The owner won't tell of anything in this epoch. Whatever it has promised until now ends here. */
static void refused(struct xfer_session *session, int err)
{
	xfer_debug("owner %s tells session %016llx of no changes: %d", session->owner,
		(unsigned long long)session->events.session_id, err);
	xfer_events_forget(session);
}

/* What was told counts before the next call acknowledges it. False: there is no next one in this epoch. */
static bool take_answer(struct xfer_session *session)
{
	struct xfer_events *events = &session->events;
	const struct xfer_events_res *res = &events->results.events;
	int err = events->err;

	if (err == -EAGAIN)
		return false; /* the lane has ended, and the epoch with it */
	if (err == 0)
		err = xfer_status_to_errno(res->status);
	if (err) {
		refused(session, err);
		return false;
	}
	if (res->all)
		xfer_events_forget(session);
	else if (res->count > 0)
		invalidate(session, res->list, res->count);
	events->args.events = (struct xfer_events_args){ .seen = res->number };
	return true;
}

/* Of the submission's return and the call's end, whether the other one has come already. */
static bool is_last(struct xfer_events *events)
{
	return atomic_fetch_sub(&events->parties, 1) == 1;
}

/*
 * The answer may come before the submission returns, and events_done may even run within it: then the answer is taken
 * here, so that quick answers don't pile submissions up on the stack.
 */
static void ask(struct xfer_session *session)
{
	struct xfer_events *events = &session->events;

	do {
		atomic_store(&events->parties, 2);
		xfer_caller_submit(events->lane, &events->call);
	} while (is_last(events) && take_answer(session));
}

/* Of struct xfer_call: the lane's thread, or the submitting one. */
static void events_done(struct xfer_call *call, int err)
{
	struct xfer_session *session = call->user;

	if (xfer_caller_defer(call, err))
		return;
	session->events.err = err;
	if (is_last(&session->events) && take_answer(session))
		ask(session);
}

void xfer_events_begin(struct xfer_session *session)
{
	struct xfer_events *events = &session->events;
	uint64_t seen = events->args.events.seen;

	/* Another session has other numbers. */
	if (events->session_id != session->session_id)
		seen = 0;
	events->session_id = session->session_id;
	events->lane = session->lanes[0];
	events->args.events = (struct xfer_events_args){ .fresh = true, .seen = seen };
	events->call = (struct xfer_call){
		.proc = XFER_PROC_EVENTS,
		.args = &events->args,
		.results = &events->results,
		.lingers = true,
		.done = events_done,
		.user = session,
	};
	xfer_events_forget(session);
	ask(session);
}

void xfer_events_forget(struct xfer_session *session)
{
	invalidate(session, NULL, 0);
}
