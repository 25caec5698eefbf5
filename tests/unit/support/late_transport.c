/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* late_transport.c -- both ends of a transport with immediates, in one process, which deliver when a test says */

#include "support/late_transport.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "clock.h"
#include "control/protocol.h"

/* A buffer, from stage on; a message, from send on. */
struct message {
	STAILQ_ENTRY(message) next; /* sent */
	LIST_ENTRY(message) link;   /* staged */
	uint32_t lane, immediate, length;
	uint8_t *to;
	uint8_t bytes[];
};

struct end {
	struct xfer_transport transport;
	struct late_link *link;
	_Atomic enum late_when when;
	_Atomic int stage_err, send_err;
	_Atomic unsigned awaited;

	/* under the lock */
	const struct xfer_transport_events *events; /* NULL: it isn't there, or not any more */
	void *arg;
	STAILQ_HEAD(, message) owed; /* to this end */
	LIST_HEAD(, message) staged; /* of this end */
};

struct late_link {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct end ends[2];
	unsigned telling; /* threads that copy, or tell an end something */
};

static struct end *end_of(struct xfer_transport *transport)
{
	return (struct end *)transport;
}

static struct end *peer_of(struct end *end)
{
	return &end->link->ends[end == &end->link->ends[LATE_INITIATOR]];
}

/* --- telling: nothing goes while somebody is at it ---------------------------------------------- */

/* False: nobody is there to be told. */
static bool begin(struct end *end, const struct xfer_transport_events **events, void **arg)
{
	struct late_link *link = end->link;

	pthread_mutex_lock(&link->lock);
	*events = end->events;
	*arg = end->arg;
	link->telling += *events != NULL;
	pthread_mutex_unlock(&link->lock);
	return *events != NULL;
}

static void finish(struct end *end)
{
	struct late_link *link = end->link;

	pthread_mutex_lock(&link->lock);
	link->telling--;
	pthread_cond_broadcast(&link->changed);
	pthread_mutex_unlock(&link->lock);
}

/* The first message of a lane (XFER_LANES_MAX: of any), which is the caller's. */
static struct message *take(struct end *end, uint32_t lane)
{
	struct message *message;

	pthread_mutex_lock(&end->link->lock);
	STAILQ_FOREACH (message, &end->owed, next)
		if (lane == XFER_LANES_MAX || message->lane == lane)
			break;
	if (message)
		STAILQ_REMOVE(&end->owed, message, message, next);
	pthread_mutex_unlock(&end->link->lock);
	return message;
}

static unsigned deliver(struct end *end, uint32_t lane)
{
	const struct xfer_transport_events *events;
	struct message *message;
	unsigned number = 0;
	void *arg;

	if (!begin(end, &events, &arg))
		return 0;
	for (; (message = take(end, lane)); number++) {
		memcpy(message->to, message->bytes, message->length);
		events->immediate(arg, message->lane, message->immediate);
		free(message);
	}
	finish(end);
	return number;
}

/* --- the transport ------------------------------------------------------------------------------ */

static int stage(struct xfer_transport *transport, struct xfer_placement *placement)
{
	struct end *end = end_of(transport);
	struct message *message;

	if (end->stage_err)
		return end->stage_err;
	message = malloc(sizeof(*message) + placement->length);
	if (!message)
		return -EAGAIN;
	pthread_mutex_lock(&end->link->lock);
	LIST_INSERT_HEAD(&end->staged, message, link);
	pthread_mutex_unlock(&end->link->lock);
	placement->memory = message->bytes;
	return 0;
}

/* Not more than was staged. */
static int post(struct xfer_transport *transport, const struct xfer_placement *placement)
{
	struct message *message =
		(struct message *)((uint8_t *)placement->memory - offsetof(struct message, bytes));
	struct end *end = end_of(transport), *peer = peer_of(end);
	int err = end->send_err;

	message->lane = placement->slot.lane;
	message->immediate = xfer_immediate(&placement->slot.name);
	message->length = placement->length;
	message->to = (uint8_t *)(uintptr_t)placement->address;
	pthread_mutex_lock(&end->link->lock);
	LIST_REMOVE(message, link);
	if (!err)
		STAILQ_INSERT_TAIL(&peer->owed, message, next);
	pthread_mutex_unlock(&end->link->lock);
	if (err)
		free(message);
	else if (peer->when == LATE_AT_ONCE)
		deliver(peer, placement->slot.lane);
	return err;
}

static void fetch(struct xfer_transport *transport, struct xfer_placement *placement)
{
	(void)transport;
	placement->memory = (void *)(uintptr_t)placement->address;
}

static void start(
	struct xfer_transport *transport, const struct xfer_transport_events *events, void *arg)
{
	struct end *end = end_of(transport);

	pthread_mutex_lock(&end->link->lock);
	end->events = events;
	end->arg = arg;
	pthread_mutex_unlock(&end->link->lock);
}

static void poll_lane(struct xfer_transport *transport, uint32_t lane)
{
	struct end *end = end_of(transport);

	if (end->when == LATE_AT_POLL)
		deliver(end, lane);
}

static void await_lane(struct xfer_transport *transport, uint32_t lane)
{
	struct end *end = end_of(transport);

	end->awaited++;
	if (end->when != LATE_HELD)
		deliver(end, lane);
}

/* With the lock held. */
static void drop_owed(struct end *end)
{
	struct message *message;

	while ((message = STAILQ_FIRST(&end->owed))) {
		STAILQ_REMOVE_HEAD(&end->owed, next);
		free(message);
	}
}

/* What it has sent can't land any more: it would in memory that goes next. */
static void late_free(struct xfer_transport *transport)
{
	struct end *end = end_of(transport);
	struct late_link *link = end->link;
	struct message *message;

	pthread_mutex_lock(&link->lock);
	end->events = NULL;
	while (link->telling > 0)
		pthread_cond_wait(&link->changed, &link->lock);
	drop_owed(end);
	drop_owed(peer_of(end));
	while ((message = LIST_FIRST(&end->staged))) {
		LIST_REMOVE(message, link);
		free(message);
	}
	pthread_mutex_unlock(&link->lock);
}

static json_t *status(struct xfer_transport *transport)
{
	return json_pack("{s:i}", "awaited", (int)end_of(transport)->awaited);
}

static const struct xfer_transport_ops ops = {
	.path = XFER_PATH_VERBS,
	.immediates = true,
	.stage = stage,
	.send = post,
	.fetch = fetch,
	.free = late_free,
	.start = start,
	.poll = poll_lane,
	.await = await_lane,
	.status = status,
};

struct xfer_transport *late_transport_new(struct late_link *link, enum late_side side)
{
	return &link->ends[side].transport;
}

/* --- what a test says --------------------------------------------------------------------------- */

struct late_link *late_link_new(void)
{
	struct late_link *link = calloc(1, sizeof(*link));

	assert_non_null(link);
	pthread_mutex_init(&link->lock, NULL);
	pthread_cond_init(&link->changed, NULL);
	for (unsigned i = 0; i < 2; i++) {
		link->ends[i].transport.ops = &ops;
		link->ends[i].link = link;
		STAILQ_INIT(&link->ends[i].owed);
		LIST_INIT(&link->ends[i].staged);
	}
	return link;
}

void late_link_free(struct late_link *link)
{
	assert_null(link->ends[LATE_INITIATOR].events);
	assert_null(link->ends[LATE_HOST].events);
	pthread_cond_destroy(&link->changed);
	pthread_mutex_destroy(&link->lock);
	free(link);
}

void late_set(struct late_link *link, enum late_side side, enum late_when when)
{
	link->ends[side].when = when;
}

void late_fail(struct late_link *link, enum late_side side, int stage_err, int send_err)
{
	link->ends[side].stage_err = stage_err;
	link->ends[side].send_err = send_err;
}

unsigned late_deliver(struct late_link *link, enum late_side side)
{
	return deliver(&link->ends[side], XFER_LANES_MAX);
}

void late_drop(struct late_link *link, enum late_side side)
{
	pthread_mutex_lock(&link->lock);
	drop_owed(&link->ends[side]);
	pthread_mutex_unlock(&link->lock);
}

void late_forge(struct late_link *link, enum late_side side, uint32_t lane, uint32_t immediate)
{
	const struct xfer_transport_events *events;
	void *arg;

	if (!begin(&link->ends[side], &events, &arg))
		return;
	events->immediate(arg, lane, immediate);
	finish(&link->ends[side]);
}

void late_tick(struct late_link *link, enum late_side side, uint32_t lane, unsigned later_ms)
{
	const struct xfer_transport_events *events;
	void *arg;

	if (!begin(&link->ends[side], &events, &arg))
		return;
	events->tick(arg, lane, xfer_now_ns() + later_ms * XFER_NS_PER_MS);
	finish(&link->ends[side]);
}

void late_lose(struct late_link *link, enum late_side side, const char *why)
{
	const struct xfer_transport_events *events;
	void *arg;

	if (!begin(&link->ends[side], &events, &arg))
		return;
	events->lost(arg, why);
	finish(&link->ends[side]);
}

unsigned late_owed(struct late_link *link, enum late_side side)
{
	const struct message *message;
	unsigned number = 0;

	pthread_mutex_lock(&link->lock);
	STAILQ_FOREACH (message, &link->ends[side].owed, next)
		number++;
	pthread_mutex_unlock(&link->lock);
	return number;
}

unsigned late_awaited(struct late_link *link, enum late_side side)
{
	return link->ends[side].awaited;
}
