/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* session.c -- the calling end of a session: operations, call slots, its beginning and its end */

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot.h"
#include "clock.h"
#include "connect.h"
#include "counters.h"
#include "session.h"

#define UNSETTLED_MS 10000 /* after another verifier was seen */

/* --- call slots: with the lock held ----------------------------------------------------------- */

static struct xfer_share *share_of(struct xfer_session *session, struct xfer_session_call *call)
{
	uint32_t id = 0;

	(void)xfer_handle_volume(xfer_args_handle(call->call.proc, &call->args), &id);
	return &session->shares[id % XFER_SESSION_SHARES];
}

/* Whether the call may go now: there is a slot, its volume has not had its part, and the owner will not have to stop
 * reading. */
static bool may_go(const struct xfer_session *session, const struct xfer_session_call *call)
{
	const struct xfer_share *share = call->share;
	uint32_t length = call->call.payload_length;

	return session->nfree > 0 && session->payload_out + length <= XFER_PAYLOAD_OUT_MAX &&
	       2 * share->calls < session->limits.calls_max &&
	       2 * (share->payload_out + length) <= XFER_PAYLOAD_OUT_MAX;
}

static void take_slot(struct xfer_session *session, struct xfer_session_call *call)
{
	uint16_t slot = session->free_slots[--session->nfree];

	session->payload_out += call->call.payload_length;
	call->share->payload_out += call->call.payload_length;
	call->share->calls++;
	call->header.call_slot = slot;
	call->header.sequence = ++session->sequences[slot];
}

static void give_slot(struct xfer_session *session, struct xfer_session_call *call)
{
	session->free_slots[session->nfree++] = (uint16_t)call->header.call_slot;
	session->payload_out -= call->call.payload_length;
	call->share->payload_out -= call->call.payload_length;
	call->share->calls--;
	if (session->waiting_threads > 0)
		pthread_cond_signal(&session->slot_free);
}

/* The lane with the fewest calls under way, the first of equals: a single caller finds it awake. With a
 * reference. */
static struct xfer_caller *take_lane(struct xfer_session *session)
{
	struct xfer_caller *lane = session->lanes[0];
	unsigned pending = xfer_caller_pending(lane);

	for (unsigned i = 1; i < session->nlanes && pending > 0; i++) {
		unsigned others = xfer_caller_pending(session->lanes[i]);

		if (others < pending) {
			lane = session->lanes[i];
			pending = others;
		}
	}
	xfer_caller_ref(lane);
	return lane;
}

/* --- the end of a call ------------------------------------------------------------------------ */

/* The caller's verdict and the owner's together. */
static int outcome(const struct xfer_session_call *call, int err)
{
	switch (err) {
	case 0:
		return xfer_status_to_errno(call->results.status);
	case -EAGAIN:
	case -EREMOTEIO:
	case -ENOMEM:
	case -EOPNOTSUPP:
		return err;
	default:
		return -EIO; /* the owner did not understand the call */
	}
}

/* The first call of a share that waits and may go; shares take turns. With the lock held. */
static struct xfer_session_call *take_waiting(struct xfer_session *session)
{
	for (unsigned i = 0; i < XFER_SESSION_SHARES && session->nfree > 0; i++) {
		unsigned number = (session->next_share + i) % XFER_SESSION_SHARES;
		struct xfer_share *share = &session->shares[number];
		struct xfer_session_call *call = STAILQ_FIRST(&share->waiting);

		if (!call || !may_go(session, call))
			continue;
		STAILQ_REMOVE_HEAD(&share->waiting, link);
		session->next_share = number + 1;
		return call;
	}
	return NULL;
}

/* The next call that waits and may go, its slot taken; NULL: none. */
static struct xfer_session_call *next_waiting(
	struct xfer_session *session, struct xfer_caller **lane)
{
	struct xfer_session_call *next = NULL;

	pthread_mutex_lock(&session->lock);
	if (session->state == XFER_SESSION_UP)
		next = take_waiting(session);
	if (next) {
		take_slot(session, next);
		*lane = take_lane(session);
	}
	pthread_mutex_unlock(&session->lock);
	return next;
}

/*
 * Gives the slot back, and sends the calls that waited for it. Not when the connection has just failed this one:
 * they would all fail one inside the other; the session's thread fails them when it sees the connection's end.
 */
static void pass_slot(struct xfer_session *session, struct xfer_session_call *call, int err)
{
	struct xfer_session_call *next;
	struct xfer_caller *lane;

	pthread_mutex_lock(&session->lock);
	give_slot(session, call);
	pthread_mutex_unlock(&session->lock);
	if (err == -EAGAIN || err == -EREMOTEIO)
		return;
	while ((next = next_waiting(session, &lane))) {
		xfer_caller_submit(lane, &next->call);
		xfer_caller_unref(lane);
	}
}

/* The last thing about a call: from here on the session may go. */
static void forget_call(struct xfer_session *session)
{
	pthread_mutex_lock(&session->lock);
	/* While the session is up nobody waits for that, and its thread would be woken for nothing. */
	if (--session->calls == 0 && session->state != XFER_SESSION_UP)
		pthread_cond_broadcast(&session->changed);
	pthread_mutex_unlock(&session->lock);
}

static void session_done(struct xfer_call *caller_call, int err)
{
	struct xfer_session_call *call = caller_call->user;
	struct xfer_session *session = call->session;

	pass_slot(session, call, err);
	call->done(call, outcome(call, err));
	forget_call(session);
}

/* --- calls ------------------------------------------------------------------------------------ */

void xfer_session_prepare(struct xfer_session_call *call, struct xfer_session *session,
	const struct xfer_cred *cred, uint32_t proc)
{
	memset(call, 0, offsetof(struct xfer_session_call, call));
	call->session = session;
	call->header = (struct xfer_request_header){
		.uid = cred->uid,
		.gid = cred->gid,
		.ngroups = cred->ngroups,
		.groups = (uint32_t *)cred->groups,
	};
	if (call->header.ngroups > XFER_GROUPS_MAX)
		call->header.ngroups = XFER_GROUPS_MAX;
	call->call.proc = proc;
	call->call.header = &call->header;
	call->call.args = &call->args;
	call->call.results = &call->results;
	call->call.payload = NULL;
	call->call.payload_count = 0;
	call->call.payload_length = 0;
}

void xfer_session_put_payload(struct xfer_session_call *call, const struct iovec *iov)
{
	call->call.payload = iov;
	call->call.payload_count = 1;
	call->call.payload_length = (uint32_t)iov->iov_len;
}

int xfer_session_call(struct xfer_session_call *call)
{
	struct xfer_session *session = call->session;
	struct xfer_caller *lane;
	int err;

	assert(!xfer_on_lane_thread());
	pthread_mutex_lock(&session->lock);
	session->waiting_threads++;
	while (session->state == XFER_SESSION_UP && session->nfree == 0)
		pthread_cond_wait(&session->slot_free, &session->lock);
	session->waiting_threads--;
	if (session->state != XFER_SESSION_UP) {
		pthread_cond_broadcast(&session->changed); /* for xfer_session_close */
		pthread_mutex_unlock(&session->lock);
		return -EAGAIN;
	}
	call->share = share_of(session, call);
	take_slot(session, call);
	lane = take_lane(session);
	session->calls++;
	session->operations++;
	pthread_mutex_unlock(&session->lock);
	err = xfer_caller_call(lane, &call->call);
	xfer_caller_unref(lane);
	pass_slot(session, call, err);
	forget_call(session);
	return outcome(call, err);
}

void xfer_session_submit(struct xfer_session_call *call)
{
	struct xfer_session *session = call->session;
	struct xfer_caller *lane = NULL;
	bool up;

	call->call.done = session_done;
	call->call.user = call;
	pthread_mutex_lock(&session->lock);
	up = session->state == XFER_SESSION_UP;
	if (up) {
		session->calls++;
		session->operations++;
		call->share = share_of(session, call);
		if (STAILQ_EMPTY(&call->share->waiting) && may_go(session, call)) {
			take_slot(session, call);
			lane = take_lane(session);
		} else {
			STAILQ_INSERT_TAIL(&call->share->waiting, call, link);
		}
	}
	pthread_mutex_unlock(&session->lock);
	if (!up)
		call->done(call, -EAGAIN);
	if (!lane)
		return;
	xfer_caller_submit(lane, &call->call);
	xfer_caller_unref(lane);
}

/* --- what others want to know ----------------------------------------------------------------- */

bool xfer_session_is_up(struct xfer_session *session)
{
	bool up;

	pthread_mutex_lock(&session->lock);
	up = session->state == XFER_SESSION_UP;
	pthread_mutex_unlock(&session->lock);
	return up;
}

/* With the lock held. */
static const uint8_t *present_verifier(const struct xfer_session *session)
{
	return session->verifiers[(session->nverifiers - 1) % XFER_SESSION_VERIFIERS];
}

/*
 * Ganesha asks when a WRITE has ended, on another thread: the verifier may have changed in between. Until every such
 * WRITE has been answered it gets one that nothing was ever written under, so that clients write again.
 */
int xfer_session_verifier(struct xfer_session *session, uint8_t verifier[8])
{
	int err = -EAGAIN;

	pthread_mutex_lock(&session->lock);
	if (session->verifier_ns &&
		xfer_now_ns() < session->verifier_ns + UNSETTLED_MS * XFER_NS_PER_MS) {
		xfer_random(verifier, 8);
		err = 0;
	} else if (session->nverifiers > 0) {
		memcpy(verifier, present_verifier(session), 8);
		err = 0;
	}
	pthread_mutex_unlock(&session->lock);
	return err;
}

/* With the lock held. An answer that was overtaken on its way doesn't bring an old one back: none ever comes again. */
void xfer_session_set_verifier(struct xfer_session *session, const uint8_t verifier[8])
{
	unsigned known = session->nverifiers;

	if (known > XFER_SESSION_VERIFIERS)
		known = XFER_SESSION_VERIFIERS;
	for (unsigned i = 0; i < known; i++)
		if (memcmp(session->verifiers[i], verifier, 8) == 0)
			return;
	if (session->nverifiers > 0)
		session->verifier_ns = xfer_now_ns();
	memcpy(session->verifiers[session->nverifiers++ % XFER_SESSION_VERIFIERS], verifier, 8);
}

bool xfer_session_saw_verifier(struct xfer_session *session, const uint8_t verifier[8])
{
	bool present;

	pthread_mutex_lock(&session->lock);
	xfer_session_set_verifier(session, verifier);
	present = memcmp(present_verifier(session), verifier, 8) == 0;
	pthread_mutex_unlock(&session->lock);
	return present;
}

json_t *xfer_session_status(struct xfer_session *session)
{
	json_t *lanes = json_array(), *status;
	char id[17];

	pthread_mutex_lock(&session->lock);
	for (unsigned i = 0; session->state == XFER_SESSION_UP && i < session->nlanes; i++)
		json_array_append_new(
			lanes, json_pack("{s:s, s:b, s:i}", "address", session->address_text,
				       "local", session->address.local, "outstanding",
				       (int)xfer_caller_pending(session->lanes[i])));
	snprintf(id, sizeof(id), "%016llx", (unsigned long long)session->session_id);
	status = json_pack("{s:s, s:s, s:s, s:i, s:s, s:s, s:I, s:i, s:o}", "owner", session->owner,
		"address", session->address_text, "id", id, "epoch", (int)session->epoch, "state",
		session->state == XFER_SESSION_UP ? "up" : "down", "reason", session->reason,
		"operations", (json_int_t)session->operations, "outstanding", (int)session->calls,
		"lanes", lanes);
	pthread_mutex_unlock(&session->lock);
	return status;
}

/* --- life ------------------------------------------------------------------------------------- */

static struct xfer_session *session_new(
	struct xfer_context *context, const char *owner, const char *address)
{
	struct xfer_session *session = calloc(1, sizeof(*session));
	pthread_condattr_t attr;

	if (!session)
		return NULL;
	session->context = context;
	snprintf(session->owner, sizeof(session->owner), "%s", owner);
	snprintf(session->address_text, sizeof(session->address_text), "%s", address);
	snprintf(session->reason, sizeof(session->reason), "connecting");
	for (unsigned i = 0; i < XFER_SESSION_SHARES; i++)
		STAILQ_INIT(&session->shares[i].waiting);
	pthread_mutex_init(&session->lock, NULL);
	pthread_cond_init(&session->slot_free, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&session->changed, &attr);
	pthread_condattr_destroy(&attr);
	return session;
}

static void session_free(struct xfer_session *session)
{
	pthread_cond_destroy(&session->changed);
	pthread_cond_destroy(&session->slot_free);
	pthread_mutex_destroy(&session->lock);
	free(session);
}

int xfer_session_open(struct xfer_context *context, const char *owner, const char *address,
	const struct xfer_session_ops *ops, void *arg, struct xfer_session **result)
{
	struct xfer_address parsed;
	struct xfer_session *session;
	int err;

	if (!*owner || strlen(owner) > XFER_NODE_MAX || xfer_address_parse(address, &parsed))
		return -EINVAL;
	session = session_new(context, owner, address);
	if (!session)
		return -ENOMEM;
	session->address = parsed;
	session->ops = ops;
	session->ops_arg = arg;
	err = -pthread_create(&session->thread, NULL, xfer_connect_main, session);
	if (err) {
		session_free(session);
		return err;
	}
	xfer_context_add(context, session);
	*result = session;
	return 0;
}

void xfer_session_close(struct xfer_session *session)
{
	assert(!xfer_on_lane_thread());
	xfer_context_remove(session->context, session);
	pthread_mutex_lock(&session->lock);
	session->state = XFER_SESSION_CLOSING;
	pthread_cond_broadcast(&session->changed);
	pthread_cond_broadcast(&session->slot_free);
	pthread_mutex_unlock(&session->lock);
	pthread_join(session->thread, NULL);
	pthread_mutex_lock(&session->lock);
	while (session->calls > 0 || session->waiting_threads > 0)
		pthread_cond_wait(&session->changed, &session->lock);
	pthread_mutex_unlock(&session->lock);
	session_free(session);
}
