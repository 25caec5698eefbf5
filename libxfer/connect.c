/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* connect.c -- what makes a session's connections, and makes them again when they break */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot.h"
#include "clock.h"
#include "connect.h"
#include "dial.h"
#include "log.h"
#include "session.h"

#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 500
#define SETTLE_MS                                                                                  \
	5000 /* what is sent again to an owner's successor, before others may change anything */
#define WORN_MS                                                                                    \
	1000 /* for what is under way when connections are replaced; the rest is sent again */
#define DRAIN_MS      2000 /* for what is under way when the session is closed */
#define END_MS        1000 /* for the owner to hear of that */
#define REPEAT_LOG_NS (60000 * XFER_NS_PER_MS) /* the same reason is logged again after so long */

/* What the thread itself remembers. */
struct connector {
	struct xfer_session *session;
	bool in_time; /* of a session that has to be recovered: nobody else could change anything yet */
	unsigned backoff_ms;
	char logged[sizeof(((struct xfer_session *)0)->reason)];
	uint64_t logged_ns;
};

/* Why there is no session now; for STATUS and, the first time and then each minute, for the log. */
__attribute__((format(printf, 2, 3))) static void explain(
	struct connector *connector, const char *format, ...)
{
	struct xfer_session *session = connector->session;
	uint64_t now = xfer_now_ns();
	char text[sizeof(connector->logged)];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	pthread_mutex_lock(&session->lock);
	memcpy(session->reason, text, sizeof(session->reason));
	pthread_mutex_unlock(&session->lock);
	if (strcmp(text, connector->logged) == 0 && now < connector->logged_ns + REPEAT_LOG_NS)
		return;
	memcpy(connector->logged, text, sizeof(connector->logged));
	connector->logged_ns = now;
	xfer_warn(
		"no session with owner %s at %s: %s", session->owner, session->address_text, text);
}

/* --- lanes ------------------------------------------------------------------------------------ */

/* With the lock held: nothing of the lane is used any more. */
static void lane_gone(struct xfer_session *session)
{
	session->open_lanes--;
	pthread_cond_broadcast(&session->changed);
}

/* A lane has ended: so has the epoch. Lane thread. */
static void lane_closed(void *user, struct xfer_caller *caller, int err, const char *why)
{
	struct xfer_session *session = user;
	bool recovering;

	(void)caller;
	pthread_mutex_lock(&session->lock);
	if (!session->reason[0])
		snprintf(session->reason, sizeof(session->reason), "%s (%s)", why, strerror(-err));
	session->broken_why = why;
	session->broken = true;
	recovering = session->state == XFER_SESSION_RECOVERING;
	/* The session may not go before this thread is done with it. */
	if (!recovering)
		lane_gone(session);
	pthread_mutex_unlock(&session->lock);
	if (!recovering)
		return;
	/* The session's thread may wait for an operation on another one. */
	xfer_session_close_lanes(session, -ENOTCONN, "another connection of the session has ended");
	pthread_mutex_lock(&session->lock);
	lane_gone(session);
	pthread_mutex_unlock(&session->lock);
}

/* Lane thread. */
static void lane_worn(void *user, struct xfer_caller *caller)
{
	struct xfer_session *session = user;

	(void)caller;
	pthread_mutex_lock(&session->lock);
	if (session->state == XFER_SESSION_UP && !session->worn) {
		session->worn = true;
		pthread_cond_broadcast(&session->changed);
	}
	pthread_mutex_unlock(&session->lock);
}

static const struct xfer_caller_ops lane_ops = { .closed = lane_closed, .worn = lane_worn };

/* With a lane's number: connects it. -errno: `why` tells it, for the log. */
static int open_lane(struct xfer_session *session, unsigned number, char *why, size_t why_len)
{
	struct xfer_context *context = session->context;
	struct xfer_conn_io *io;
	struct xfer_caller *caller;
	int err = xfer_dial(session, &io, why, why_len);

	if (err)
		return err;
	pthread_mutex_lock(&session->lock);
	session->open_lanes++;
	pthread_mutex_unlock(&session->lock);
	err = xfer_caller_create(context->lanes[number], io, session->owner, context->heartbeat_ms,
		&lane_ops, session, &caller);
	if (err)
		snprintf(why, why_len, "%s", strerror(-err));
	pthread_mutex_lock(&session->lock);
	if (err)
		session->open_lanes--;
	else
		session->lanes[session->nlanes++] = caller;
	pthread_mutex_unlock(&session->lock);
	return err;
}

/* The lanes are given up; returns when nothing of them is left. */
static void close_lanes(struct xfer_session *session)
{
	struct xfer_caller *lanes[XFER_LANES_MAX];
	unsigned n;

	pthread_mutex_lock(&session->lock);
	n = session->nlanes;
	session->nlanes = 0;
	memcpy(lanes, session->lanes, sizeof(lanes));
	pthread_mutex_unlock(&session->lock);
	for (unsigned i = 0; i < n; i++)
		xfer_caller_close(lanes[i], -ENOTCONN, "the session's connections are given up");
	pthread_mutex_lock(&session->lock);
	while (session->open_lanes > 0)
		pthread_cond_wait(&session->changed, &session->lock);
	pthread_mutex_unlock(&session->lock);
	for (unsigned i = 0; i < n; i++)
		xfer_caller_unref(lanes[i]);
}

/* --- HELLO and ATTACH ------------------------------------------------------------------------- */

/* One call before the session is up. 0: results are there, whatever their status. */
static int call_lane(
	struct xfer_caller *lane, uint32_t proc, union xfer_args *args, union xfer_results *results)
{
	struct xfer_call call = { .proc = proc, .args = args, .results = results };

	return xfer_caller_call(lane, &call);
}

static void fill_hello(struct xfer_session *session, struct xfer_hello_args *hello)
{
	const struct xfer_context *context = session->context;

	memset(hello, 0, sizeof(*hello));
	hello->minor_min = hello->minor_max = XFER_MINOR;
	hello->features_optional = XFER_FEATURES;
	memcpy(hello->boot_id, context->boot_id, sizeof(hello->boot_id));
	memcpy(hello->kernel_boot_id, context->kernel_boot_id, sizeof(hello->kernel_boot_id));
	/* One whose recovery was interrupted is given up: what it has made again would be in its own way. */
	hello->session_id = session->recovered ? session->session_id : 0;
	snprintf(hello->node, sizeof(hello->node), "%s", context->node);
	snprintf(hello->owner, sizeof(hello->owner), "%s", session->owner);
	hello->limits = xfer_own_limits;
	hello->limits.heartbeat_ms = context->heartbeat_ms;
}

/* Whether WELCOME is one that this release can live with. */
static int check_welcome(struct connector *connector, const struct xfer_hello_res *welcome)
{
	struct xfer_session *session = connector->session;

	if (welcome->status != XFER_ST_OK) {
		explain(connector, "refused: %s",
			*welcome->reason ? welcome->reason : "the owner gives no reason");
		return -EACCES;
	}
	if (strcmp(welcome->node, session->owner) != 0) {
		explain(connector,
			"the owner there calls itself %s: correct Owners, or the address in it",
			welcome->node);
		return -EPROTO;
	}
	/* Call slots outlive sessions: a successor can't have fewer of them. */
	if (welcome->minor > XFER_MINOR || (welcome->features & ~XFER_FEATURES) ||
		welcome->limits.calls_max <= XFER_SESSION_RESERVED ||
		welcome->limits.calls_max > XFER_SESSION_SLOTS ||
		welcome->limits.calls_max < session->nslots ||
		welcome->limits.inline_max < XFER_IO_MAX) {
		explain(connector, "the owner's protocol limits can't be met: install the same "
				   "release on both nodes");
		return -EPROTO;
	}
	return 0;
}

/* With the session's lock held: what WELCOME said counts from now on. */
static void adopt_welcome(struct xfer_session *session, const struct xfer_hello_res *welcome)
{
	bool first = session->session_id == 0;

	session->session_id = welcome->session_id;
	session->epoch = welcome->epoch;
	session->limits = welcome->limits;
	if (welcome->standing != XFER_STANDING_RESUMED)
		session->recovered = first;
	xfer_session_set_verifier(session, welcome->write_verifier);
	if (session->nslots > 0)
		return;
	session->nslots = welcome->limits.calls_max;
	for (uint32_t slot = session->nslots; slot > 0; slot--)
		session->free_slots[session->nfree++] = (uint16_t)(slot - 1);
}

/* An owner that refuses this node's certificate says so only when this end believes that all is well. */
static void explain_end(struct connector *connector)
{
	struct xfer_session *session = connector->session;
	const char *why;

	pthread_mutex_lock(&session->lock);
	why = session->broken_why;
	pthread_mutex_unlock(&session->lock);
	explain(connector, "the connection ended before WELCOME: %s; see the owner's log",
		why ? why : "it could not be used");
}

static int say_hello(struct connector *connector)
{
	struct xfer_session *session = connector->session;
	union xfer_args args;
	union xfer_results results;
	int err;

	fill_hello(session, &args.hello);
	memset(&results, 0, sizeof(results));
	err = call_lane(session->lanes[0], XFER_PROC_HELLO, &args, &results);
	if (err == -EAGAIN || err == -EREMOTEIO) {
		explain_end(connector);
		return err;
	}
	if (err) {
		explain(connector,
			"what listens there doesn't speak version %d of the protocol: "
			"install the same release on both nodes",
			XFER_VERSION);
		return err;
	}
	err = check_welcome(connector, &results.hello);
	if (err)
		return err;
	connector->in_time = results.hello.standing == XFER_STANDING_RECOVER;
	pthread_mutex_lock(&session->lock);
	adopt_welcome(session, &results.hello);
	pthread_mutex_unlock(&session->lock);
	return 0;
}

/* One of these before the session is up, with its status. */
static int ask_lane(
	struct xfer_caller *lane, uint32_t proc, union xfer_args *args, union xfer_results *results)
{
	int err = call_lane(lane, proc, args, results);

	return err ? err : xfer_status_to_errno(results->status);
}

/* A further lane joins the session by a token that was asked for on the first. */
static int attach_lane(struct connector *connector, unsigned number)
{
	struct xfer_session *session = connector->session;
	char why[sizeof(session->reason)] = "";
	union xfer_args args;
	union xfer_results results;
	struct xfer_token token;
	int err;

	memset(&args, 0, sizeof(args));
	memset(&results, 0, sizeof(results));
	err = ask_lane(session->lanes[0], XFER_PROC_TOKEN, &args, &results);
	token = results.token.token;
	if (err == 0)
		err = open_lane(session, number, why, sizeof(why));
	args.attach = (struct xfer_attach_args){ .token = token, .lane = number };
	if (err == 0)
		err = ask_lane(session->lanes[number], XFER_PROC_ATTACH, &args, &results);
	if (err)
		explain(connector, "lane %u can't be attached: %.256s", number,
			why[0] ? why : strerror(-err));
	return err;
}

/* --- epochs ----------------------------------------------------------------------------------- */

static int establish(struct connector *connector)
{
	struct xfer_session *session = connector->session;
	char why[sizeof(session->reason)];
	int err = open_lane(session, 0, why, sizeof(why));

	if (err) {
		explain(connector, "%s", why);
		return err;
	}
	err = say_hello(connector);
	if (err)
		return err;
	for (unsigned i = 1; i < session->context->nlanes; i++) {
		err = attach_lane(connector, i);
		if (err)
			return err;
	}
	xfer_events_begin(session);
	return 0;
}

/* False: the epoch has ended already. */
static bool enter_state(struct xfer_session *session, enum xfer_session_state state)
{
	bool entered;

	pthread_mutex_lock(&session->lock);
	entered = session->state != XFER_SESSION_CLOSING && !session->broken;
	if (entered) {
		session->state = state;
		session->recoverer = pthread_self();
		if (state == XFER_SESSION_UP)
			session->reason[0] = '\0';
	}
	pthread_mutex_unlock(&session->lock);
	return entered;
}

/* Waits until nothing flies, or the epoch ends, or the time is over. */
static void await_settled(struct xfer_session *session, unsigned timeout_ms)
{
	struct timespec deadline = xfer_timespec(xfer_now_ns() + timeout_ms * XFER_NS_PER_MS);
	int err = 0;

	pthread_mutex_lock(&session->lock);
	while (session->flying > 0 && !session->broken && err == 0)
		err = pthread_cond_timedwait(&session->changed, &session->lock, &deadline);
	pthread_mutex_unlock(&session->lock);
}

/*
 * What has waited for other connections doesn't wait for a session that has to be made again: threads may hold locks that
 * are needed for that.
 */
static void end_change(struct xfer_session *session)
{
	bool changed;

	pthread_mutex_lock(&session->lock);
	changed = session->state == XFER_SESSION_RENEWING;
	if (changed)
		session->state = XFER_SESSION_DOWN;
	pthread_mutex_unlock(&session->lock);
	if (changed)
		xfer_session_strand(session);
}

/*
 * What was open and locked is made again, and what is unsettled sent again, to an owner that knows of neither. In
 * time: its process is another one, and nobody else changes anything before RECOVERED. Else the unsettled can't be
 * told from what others have done since, and would be executed twice.
 */
static int recover(struct connector *connector)
{
	struct xfer_session *session = connector->session;
	union xfer_args args;
	union xfer_results results;
	int err;

	end_change(session);
	if (!enter_state(session, XFER_SESSION_RECOVERING))
		return -ENOTCONN;
	/* Locks have ended with the process that had them; the client asks again. */
	xfer_session_fail_unsettled(session, XFER_PROC_LOCK, -EAGAIN);
	if (!connector->in_time)
		xfer_session_fail_unsettled(session, 0, -EREMOTEIO);
	xfer_session_resend(session);
	if (session->ops)
		session->ops->recover(session->ops_arg, session, connector->in_time);
	if (!connector->in_time)
		return 0;
	await_settled(session, SETTLE_MS);
	err = call_lane(session->lanes[0], XFER_PROC_RECOVERED, &args, &results);
	return err ? err : xfer_status_to_errno(results.status);
}

/* From WELCOME to where everybody may go. */
static int go_up(struct connector *connector)
{
	struct xfer_session *session = connector->session;
	int err = session->recovered ? 0 : recover(connector);

	if (err)
		return err;
	session->recovered = true;
	if (!enter_state(session, XFER_SESSION_UP))
		return -ENOTCONN;
	xfer_info("session %016llx with owner %s at %s is up, epoch %u",
		(unsigned long long)session->session_id, session->owner, session->address_text,
		session->epoch);
	xfer_session_resend(session);
	xfer_session_pump(session);
	return 0;
}

/* From the first lane's end, or the session's, to where nothing of the epoch is left. renews: the next one follows. */
static void take_down(struct xfer_session *session, bool renews)
{
	pthread_mutex_lock(&session->lock);
	if (session->state != XFER_SESSION_CLOSING)
		session->state = renews ? XFER_SESSION_RENEWING : XFER_SESSION_DOWN;
	pthread_mutex_unlock(&session->lock);
	close_lanes(session);
	/* READs that wait for their data fly as well, and nothing but this tells them that it won't come. */
	xfer_sharing_end(session);
	pthread_mutex_lock(&session->lock);
	while (session->flying > 0)
		pthread_cond_wait(&session->changed, &session->lock);
	session->broken = false;
	session->broken_why = NULL;
	session->worn = false;
	pthread_mutex_unlock(&session->lock);
	xfer_sharing_finish(session);
	if (!renews)
		xfer_session_strand(session);
}

/* Reads and writes that have waited for the session for too long. */
static void expire(struct xfer_session *session)
{
	uint64_t now = xfer_now_ns(), longest = session->parked_ms * XFER_NS_PER_MS;

	if (now > longest)
		xfer_session_fail_waiting(session, now - longest);
}

/* Between attempts: grows from 0.1 s to 0.5 s, with a quarter of jitter, so that nodes don't come in
 * step. */
static void back_off(struct connector *connector)
{
	struct xfer_session *session = connector->session;
	uint32_t random;
	uint64_t until;
	struct timespec deadline;

	xfer_random(&random, sizeof(random));
	until = xfer_now_ns() + connector->backoff_ms * (750000ull + random % 500000);
	deadline = xfer_timespec(until);
	connector->backoff_ms *= 2;
	if (connector->backoff_ms > BACKOFF_MAX_MS)
		connector->backoff_ms = BACKOFF_MAX_MS;
	pthread_mutex_lock(&session->lock);
	while (session->state != XFER_SESSION_CLOSING &&
		pthread_cond_timedwait(&session->changed, &session->lock, &deadline) == 0)
		;
	pthread_mutex_unlock(&session->lock);
	expire(session);
}

/* END, which is waited for only so long. */
struct ending {
	struct xfer_call call;
	struct xfer_session *session;
	bool told; /* under the session's lock */
};

static void told(struct xfer_call *call, int err)
{
	struct ending *ending = call->user;
	struct xfer_session *session = ending->session;

	(void)err;
	pthread_mutex_lock(&session->lock);
	ending->told = true;
	pthread_cond_broadcast(&session->changed);
	pthread_mutex_unlock(&session->lock);
}

static void await_told(struct ending *ending, uint64_t deadline_ns)
{
	struct xfer_session *session = ending->session;
	struct timespec deadline = xfer_timespec(deadline_ns);
	int err = 0;

	pthread_mutex_lock(&session->lock);
	while (!ending->told && err == 0)
		err = pthread_cond_timedwait(&session->changed, &session->lock, &deadline);
	pthread_mutex_unlock(&session->lock);
}

/* The owner is told that the session ends, once what is under way has ended or its time is over. */
static void say_end(struct xfer_session *session)
{
	union xfer_results results;
	union xfer_args args;
	struct ending ending = { .session = session };

	await_settled(session, DRAIN_MS);
	xfer_events_forget(session);
	ending.call = (struct xfer_call){
		.proc = XFER_PROC_END,
		.args = &args,
		.results = &results,
		.done = told,
		.user = &ending,
	};
	xfer_caller_submit(session->lanes[0], &ending.call);
	await_told(&ending, xfer_now_ns() + END_MS * XFER_NS_PER_MS);
	/* Ends the call, if nothing else did. */
	close_lanes(session);
	await_told(&ending, UINT64_MAX);
}

/* With the lock held: whether there is nothing to do but to wait. */
static bool is_quiet(const struct xfer_session *session)
{
	return session->state == XFER_SESSION_UP && !session->broken && !session->worn &&
	       !session->sharing.news;
}

/* While the session is up this thread cares for its memory, which takes time; until there is some data goes inline. */
static void stay_up(struct xfer_session *session)
{
	struct timespec until;
	int err;

	xfer_sharing_begin(session);
	pthread_mutex_lock(&session->lock);
	while (session->state == XFER_SESSION_UP && !session->broken && !session->worn) {
		session->sharing.news = false;
		pthread_mutex_unlock(&session->lock);
		until = xfer_timespec(xfer_sharing_work(session));
		pthread_mutex_lock(&session->lock);
		for (err = 0; is_quiet(session) && err == 0;)
			err = pthread_cond_timedwait(&session->changed, &session->lock, &until);
	}
	pthread_mutex_unlock(&session->lock);
}

/*
 * Connections whose keys are nearly used up are replaced before they have to be closed. What flies gets the time to end:
 * most of it needs not be sent again then. False: they aren't, or the session ends.
 */
static bool drain_worn(struct xfer_session *session)
{
	bool drains;

	pthread_mutex_lock(&session->lock);
	drains = session->state == XFER_SESSION_UP && session->worn && !session->broken;
	if (drains)
		session->state = XFER_SESSION_DRAINING;
	pthread_mutex_unlock(&session->lock);
	if (!drains)
		return false;
	xfer_info("session %016llx with owner %s changes its connections: their keys are nearly "
		  "used up",
		(unsigned long long)session->session_id, session->owner);
	await_settled(session, WORN_MS);
	pthread_mutex_lock(&session->lock);
	drains = session->state == XFER_SESSION_DRAINING;
	pthread_mutex_unlock(&session->lock);
	return drains;
}

/* How an epoch ended. */
enum epoch_end { EPOCH_NEVER_UP, EPOCH_ENDED, EPOCH_CHANGES };

/* One epoch, from the first connection to the last. */
static enum epoch_end run_epoch(struct connector *connector)
{
	struct xfer_session *session = connector->session;
	bool up = establish(connector) == 0 && go_up(connector) == 0, closing, renews;

	if (up)
		stay_up(session);
	renews = up && drain_worn(session);
	pthread_mutex_lock(&session->lock);
	closing = session->state == XFER_SESSION_CLOSING && !session->broken;
	pthread_mutex_unlock(&session->lock);
	if (up && closing)
		say_end(session);
	take_down(session, renews);
	return renews ? EPOCH_CHANGES : up ? EPOCH_ENDED : EPOCH_NEVER_UP;
}

static bool is_closing(struct xfer_session *session)
{
	bool closing;

	pthread_mutex_lock(&session->lock);
	closing = session->state == XFER_SESSION_CLOSING;
	pthread_mutex_unlock(&session->lock);
	return closing;
}

void *xfer_connect_main(void *arg)
{
	struct connector connector = { .session = arg, .backoff_ms = BACKOFF_MIN_MS };
	struct xfer_session *session = arg;

	pthread_setname_np(pthread_self(), "xfer-connect");
	while (!is_closing(session)) {
		enum epoch_end end = run_epoch(&connector);

		if (end != EPOCH_NEVER_UP) {
			connector.backoff_ms = BACKOFF_MIN_MS;
			connector.logged[0] = '\0';
		}
		if (is_closing(session) || end == EPOCH_CHANGES)
			continue;
		if (end == EPOCH_ENDED)
			xfer_warn("session with owner %s at %s is down: %s; connecting again",
				session->owner, session->address_text, session->reason);
		back_off(&connector);
	}
	xfer_session_fail_waiting(session, UINT64_MAX);
	xfer_session_fail_unsettled(session, 0, -EREMOTEIO);
	return NULL;
}
