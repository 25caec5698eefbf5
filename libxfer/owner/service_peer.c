/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* service_peer.c -- what a session has here, from its first request to its end */

#include <errno.h>
#include <stdlib.h>

#include "owner/service.h"

/* --- peers ------------------------------------------------------------------------------------- */

/* Lanes of one session may come here at the same time. */
struct peer_state *service_peer_get(struct service *service, struct xfer_peer *peer)
{
	struct peer_state *state;

	pthread_mutex_lock(&service->peers_lock);
	state = xfer_peer_private(peer);
	if (!state) {
		state = calloc(1, sizeof(*state));
		if (state) {
			opens_init(&state->opens, &service->opens);
			LIST_INSERT_HEAD(&service->peers, state, link);
			coherence_add(service->coherence, &state->holder, peer);
		}
		xfer_peer_set_private(peer, state);
	}
	pthread_mutex_unlock(&service->peers_lock);
	return state;
}

void service_peer_gone(void *arg, struct xfer_peer *peer)
{
	struct peer_state *state = xfer_peer_private(peer);
	struct service *service = arg;

	if (!state)
		return;
	pthread_mutex_lock(&service->peers_lock);
	LIST_REMOVE(state, link);
	pthread_mutex_unlock(&service->peers_lock);
	coherence_remove(service->coherence, &state->holder);
	opens_fini(&state->opens);
	free(state);
}

unsigned service_peer_opens(void *arg, struct xfer_peer *peer)
{
	struct service *service = arg;
	struct peer_state *state;
	unsigned count;

	pthread_mutex_lock(&service->peers_lock);
	state = xfer_peer_private(peer);
	count = state ? opens_count(&state->opens) : 0;
	pthread_mutex_unlock(&service->peers_lock);
	return count;
}

/* NULL: it has asked for nothing yet. */
static struct holder *find_holder(struct service *service, struct xfer_peer *peer)
{
	struct peer_state *state;

	pthread_mutex_lock(&service->peers_lock);
	state = xfer_peer_private(peer);
	pthread_mutex_unlock(&service->peers_lock);
	return state ? &state->holder : NULL;
}

/* --- recovery ---------------------------------------------------------------------------------- */

void service_remember(void *arg, const struct xfer_hello_args *hello, struct xfer_request *request)
{
	struct service *service = arg;

	recovery_remember(service->recovery, hello, request);
}

enum xfer_standing service_peer_began(void *arg, struct xfer_peer *peer)
{
	struct service *service = arg;

	return recovery_session_began(
		service->recovery, xfer_peer_node(peer), xfer_peer_boot_id(peer));
}

/* One that is too late ends, and its process may not know yet that what it was promised is void. */
bool service_peer_recovered(void *arg, struct xfer_peer *peer)
{
	struct service *service = arg;
	bool in_time = recovery_session_recovered(
		service->recovery, xfer_peer_node(peer), xfer_peer_boot_id(peer));

	if (!in_time)
		service_peer_lost(service, peer);
	return in_time;
}

void service_peer_ended(void *arg, struct xfer_peer *peer)
{
	struct service *service = arg;
	struct holder *holder = find_holder(service, peer);

	/* First: who changes something when this one isn't awaited any more has to wait for what it believes. */
	if (holder)
		coherence_ended(service->coherence, holder);
	recovery_session_ended(service->recovery, xfer_peer_node(peer), xfer_peer_boot_id(peer));
}

/* --- promises ---------------------------------------------------------------------------------- */

void service_events(void *arg, struct xfer_request *request)
{
	struct service *service = arg;
	struct peer_state *state = service_peer_get(service, request->peer);

	if (state)
		coherence_events(service->coherence, &state->holder, request);
	else
		xfer_request_finish(request, -ENOMEM);
}

void service_peer_epoch_ended(struct service *service, struct xfer_peer *peer)
{
	struct holder *holder = find_holder(service, peer);

	if (holder)
		coherence_epoch_ended(service->coherence, holder);
}

void service_peer_lost(struct service *service, struct xfer_peer *peer)
{
	struct holder *holder = find_holder(service, peer);

	if (holder)
		coherence_lost(service->coherence, holder);
}

unsigned service_peer_unsettled(void *arg, struct xfer_peer *peer)
{
	struct service *service = arg;
	struct holder *holder = find_holder(service, peer);

	return holder ? coherence_unsettled(service->coherence, holder) : 0;
}
