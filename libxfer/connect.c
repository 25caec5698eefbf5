/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* connect.c -- what makes a session's connections, and makes them again when they break */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "boot.h"
#include "clock.h"
#include "connect.h"
#include "log.h"
#include "session.h"

#define CONNECT_MS     5000
#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 2000
#define REPEAT_LOG_NS  (60000 * XFER_NS_PER_MS) /* the same reason is logged again after so long */

/* What the thread itself remembers. */
struct connector {
	struct xfer_session *session;
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

/* A lane has ended: so has the epoch. Lane thread. */
static void lane_closed(void *user, struct xfer_caller *caller, int err, const char *why)
{
	struct xfer_session *session = user;

	(void)caller;
	pthread_mutex_lock(&session->lock);
	if (!session->broken)
		snprintf(session->reason, sizeof(session->reason), "%s (%s)", why, strerror(-err));
	session->broken = true;
	session->open_lanes--;
	pthread_cond_broadcast(&session->changed);
	pthread_mutex_unlock(&session->lock);
}

static const struct xfer_caller_ops lane_ops = { .closed = lane_closed };

/* With a lane's number: connects it. */
static int open_lane(struct xfer_session *session, unsigned number)
{
	struct xfer_context *context = session->context;
	struct xfer_conn_io *io;
	struct xfer_caller *caller;
	int err, fd;

	err = xfer_address_connect(&session->address, CONNECT_MS, &fd);
	if (err)
		return err;
	io = xfer_conn_io_socket(fd);
	if (!io) {
		close(fd);
		return -ENOMEM;
	}
	pthread_mutex_lock(&session->lock);
	session->open_lanes++;
	pthread_mutex_unlock(&session->lock);
	err = xfer_caller_create(context->lanes[number], io, session->owner, context->heartbeat_ms,
		&lane_ops, session, &caller);
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
	hello->session_id = session->session_id;
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
	if (welcome->minor > XFER_MINOR || (welcome->features & ~XFER_FEATURES) ||
		welcome->limits.calls_max == 0 || welcome->limits.calls_max > XFER_SESSION_SLOTS ||
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
	session->session_id = welcome->session_id;
	session->epoch = welcome->epoch;
	session->limits = welcome->limits;
	xfer_session_set_verifier(session, welcome->write_verifier);
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
		explain(connector, "the connection ended before WELCOME; see the owner's log");
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
	pthread_mutex_lock(&session->lock);
	adopt_welcome(session, &results.hello);
	pthread_mutex_unlock(&session->lock);
	return 0;
}

/* A further lane joins the session by a token that was asked for on the first. */
static int attach_lane(struct xfer_session *session, unsigned number)
{
	union xfer_args args;
	union xfer_results results;
	struct xfer_token token;
	int err;

	memset(&args, 0, sizeof(args));
	memset(&results, 0, sizeof(results));
	err = call_lane(session->lanes[0], XFER_PROC_TOKEN, &args, &results);
	if (err == 0)
		err = xfer_status_to_errno(results.status);
	if (err)
		return err;
	token = results.token.token;
	err = open_lane(session, number);
	if (err)
		return err;
	args.attach = (struct xfer_attach_args){ .token = token, .lane = number };
	err = call_lane(session->lanes[number], XFER_PROC_ATTACH, &args, &results);
	return err ? err : xfer_status_to_errno(results.status);
}

/* --- epochs ----------------------------------------------------------------------------------- */

static int establish(struct connector *connector)
{
	struct xfer_session *session = connector->session;
	int err = open_lane(session, 0);

	if (err) {
		explain(connector,
			"%s: check that rdmaxferd runs there and that no firewall is "
			"in between",
			strerror(-err));
		return err;
	}
	err = say_hello(connector);
	if (err)
		return err;
	for (unsigned i = 1; i < session->context->nlanes; i++) {
		err = attach_lane(session, i);
		if (err) {
			explain(connector, "lane %u can't be attached: %s", i, strerror(-err));
			return err;
		}
	}
	return 0;
}

/* With the lock held. Sequences go on, so that no (call slot, sequence) is used twice in a session.
 */
static void go_up(struct xfer_session *session)
{
	session->nfree = 0;
	session->payload_out = 0;
	for (uint32_t slot = session->limits.calls_max; slot > 0; slot--)
		session->free_slots[session->nfree++] = (uint16_t)(slot - 1);
	session->state = XFER_SESSION_UP;
	session->reason[0] = '\0';
}

/* A call that waits for a slot; NULL: none. With the lock held. */
static struct xfer_session_call *any_waiting(struct xfer_session *session)
{
	for (unsigned i = 0; i < XFER_SESSION_SHARES; i++) {
		struct xfer_session_call *call = STAILQ_FIRST(&session->shares[i].waiting);

		if (!call)
			continue;
		STAILQ_REMOVE_HEAD(&session->shares[i].waiting, link);
		return call;
	}
	return NULL;
}

/* The calls that wait for a slot were never sent. */
static void fail_waiting(struct xfer_session *session)
{
	struct xfer_session_call *call;

	for (;;) {
		pthread_mutex_lock(&session->lock);
		call = any_waiting(session);
		pthread_mutex_unlock(&session->lock);
		if (!call)
			return;
		call->done(call, -EAGAIN);
		pthread_mutex_lock(&session->lock);
		if (--session->calls == 0)
			pthread_cond_broadcast(&session->changed);
		pthread_mutex_unlock(&session->lock);
	}
}

/* From the first lane's end, or the session's, to where nothing of the epoch is left. */
static void take_down(struct xfer_session *session)
{
	pthread_mutex_lock(&session->lock);
	if (session->state == XFER_SESSION_UP)
		session->state = XFER_SESSION_DOWN;
	pthread_cond_broadcast(&session->slot_free);
	pthread_mutex_unlock(&session->lock);
	close_lanes(session);
	fail_waiting(session);
	pthread_mutex_lock(&session->lock);
	while (session->calls > 0)
		pthread_cond_wait(&session->changed, &session->lock);
	session->broken = false;
	pthread_mutex_unlock(&session->lock);
}

/* Between attempts: grows from 0.1 s to 2 s, with a quarter of jitter, so that nodes don't come in
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
}

/* One epoch, from the first connection to the last. Returns whether the session was up. */
static bool run_epoch(struct connector *connector)
{
	struct xfer_session *session = connector->session;
	bool up;

	if (establish(connector)) {
		take_down(session);
		return false;
	}
	pthread_mutex_lock(&session->lock);
	up = session->state != XFER_SESSION_CLOSING && !session->broken;
	if (up) {
		go_up(session);
		xfer_info("session %016llx with owner %s at %s is up, epoch %u",
			(unsigned long long)session->session_id, session->owner,
			session->address_text, session->epoch);
	}
	while (session->state == XFER_SESSION_UP && !session->broken)
		pthread_cond_wait(&session->changed, &session->lock);
	pthread_mutex_unlock(&session->lock);
	take_down(session);
	return up;
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
		if (run_epoch(&connector)) {
			connector.backoff_ms = BACKOFF_MIN_MS;
			connector.logged[0] = '\0';
			if (!is_closing(session))
				xfer_warn(
					"session with owner %s at %s is down: %s; connecting again",
					session->owner, session->address_text, session->reason);
		}
		if (!is_closing(session))
			back_off(&connector);
	}
	return NULL;
}
