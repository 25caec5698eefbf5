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
#include "dial.h"
#include "session.h"

#define UNSETTLED_MS 10000 /* after another verifier was seen */

/* --- what others want to know ----------------------------------------------------------------- */

bool xfer_session_changes(const struct xfer_session *session)
{
	return session->state == XFER_SESSION_DRAINING || session->state == XFER_SESSION_RENEWING;
}

/* With the lock held. */
static bool is_up(const struct xfer_session *session)
{
	return session->state == XFER_SESSION_UP || xfer_session_changes(session);
}

bool xfer_session_is_up(struct xfer_session *session)
{
	bool up;

	pthread_mutex_lock(&session->lock);
	up = is_up(session) && !session->broken;
	pthread_mutex_unlock(&session->lock);
	return up;
}

enum xfer_path_wish xfer_session_path(struct xfer_session *session)
{
	enum xfer_path kind = XFER_PATH_INLINE;

	pthread_mutex_lock(&session->lock);
	if (session->path)
		kind = xfer_datapath_kind(session->path);
	pthread_mutex_unlock(&session->lock);
	return kind == XFER_PATH_SHM     ? XFER_WISH_SHM
	       : kind == XFER_PATH_VERBS ? XFER_WISH_VERBS
					 : XFER_WISH_INLINE;
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
	struct xfer_session_call *call;
	int unsettled = 0;
	char id[17];

	pthread_mutex_lock(&session->lock);
	for (unsigned i = 0; session->state == XFER_SESSION_UP && i < session->nlanes; i++)
		json_array_append_new(
			lanes, json_pack("{s:s, s:b, s:i}", "address", session->address_text,
				       "local", session->address.local, "outstanding",
				       (int)xfer_caller_pending(session->lanes[i])));
	snprintf(id, sizeof(id), "%016llx", (unsigned long long)session->session_id);
	TAILQ_FOREACH (call, &session->unsettled, link)
		unsettled++;
	status = json_pack("{s:s, s:s, s:s, s:i, s:s, s:s, s:I, s:i, s:i, s:I, s:I, s:i, s:o}",
		"owner", session->owner, "address", session->address_text, "id", id, "epoch",
		(int)session->epoch, "state", is_up(session) ? "up" : "down", "reason",
		session->reason, "operations", (json_int_t)session->operations, "outstanding",
		(int)session->calls, "parked", (int)session->parked, "waiting_bytes",
		(json_int_t)session->waiting_bytes, "waiting_max", (json_int_t)session->waiting_max,
		"unsettled", unsettled, "lanes", lanes);
	json_object_set_new(
		status, "insecure", json_boolean(session->insecure && !session->address.local));
	if (session->path)
		json_object_set_new(status, "path", xfer_datapath_status(session->path));
	pthread_mutex_unlock(&session->lock);
	return status;
}

/* --- life ------------------------------------------------------------------------------------- */

static struct xfer_session *session_new(
	struct xfer_context *context, const struct xfer_session_params *params)
{
	struct xfer_session *session = calloc(1, sizeof(*session));

	if (!session)
		return NULL;
	session->context = context;
	session->dialed = -1;
	session->parked_ms = XFER_PARKED_MS;
	session->cancel_ms = XFER_CANCEL_MS;
	session->attend_ns = XFER_ATTEND_NS;
	session->waiting_max = context->waiting_max;
	snprintf(session->owner, sizeof(session->owner), "%s", params->owner);
	snprintf(session->address_text, sizeof(session->address_text), "%s", params->address);
	snprintf(session->reason, sizeof(session->reason), "connecting");
	for (unsigned i = 0; i < XFER_SESSION_SHARES; i++)
		TAILQ_INIT(&session->shares[i].waiting);
	TAILQ_INIT(&session->unsettled);
	pthread_mutex_init(&session->lock, NULL);
	xfer_cond_init(&session->changed);
	return session;
}

static void session_free(struct xfer_session *session)
{
	pthread_cond_destroy(&session->changed);
	pthread_mutex_destroy(&session->lock);
	free(session);
}

int xfer_session_open(struct xfer_context *context, const struct xfer_session_params *params,
	struct xfer_session **result)
{
	struct xfer_address parsed;
	struct xfer_session *session;
	int err;

	if (!*params->owner || strlen(params->owner) > XFER_NODE_MAX ||
		xfer_address_parse(params->address, &parsed))
		return -EINVAL;
	session = session_new(context, params);
	if (!session)
		return -ENOMEM;
	session->address = parsed;
	session->insecure = params->insecure;
	session->ops = params->ops;
	session->ops_arg = params->ops_arg;
	/* The first callback may come before this returns, and wish to use it. */
	*result = session;
	xfer_context_add(context, session);
	err = -pthread_create(&session->thread, NULL, xfer_connect_main, session);
	if (err) {
		xfer_context_remove(context, session);
		*result = NULL;
		session_free(session);
		return err;
	}
	return 0;
}

void xfer_session_close_lanes(struct xfer_session *session, int err, const char *why)
{
	struct xfer_caller *lanes[XFER_LANES_MAX];
	unsigned n;

	pthread_mutex_lock(&session->lock);
	for (n = 0; n < session->nlanes; n++) {
		lanes[n] = session->lanes[n];
		xfer_caller_ref(lanes[n]);
	}
	pthread_mutex_unlock(&session->lock);
	while (n > 0) {
		xfer_caller_close(lanes[--n], err, why);
		xfer_caller_unref(lanes[n]);
	}
}

/* Its thread does the rest; nobody waits for WELCOME any more. */
void xfer_session_end(struct xfer_session *session)
{
	bool up;

	pthread_mutex_lock(&session->lock);
	up = session->state == XFER_SESSION_UP || session->state == XFER_SESSION_DRAINING ||
	     session->state == XFER_SESSION_CLOSING;
	session->state = XFER_SESSION_CLOSING;
	xfer_dial_interrupt(session);
	pthread_cond_broadcast(&session->changed);
	pthread_mutex_unlock(&session->lock);
	if (!up)
		xfer_session_close_lanes(session, -ECANCELED, "the session is closed");
}

void xfer_session_close(struct xfer_session *session)
{
	assert(!xfer_on_lane_thread());
	xfer_context_remove(session->context, session);
	xfer_session_end(session);
	pthread_join(session->thread, NULL);
	pthread_mutex_lock(&session->lock);
	while (session->calls > 0)
		pthread_cond_wait(&session->changed, &session->lock);
	pthread_mutex_unlock(&session->lock);
	session_free(session);
}
