/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* wire_device.c -- queue pairs of this host's devices, and writes that are late */

#include "wire.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "chance.h"
#include "transport/verbs.h"
#include "world.h"

/*
 * What a device sends to itself has come when the call that posts it returns. So that RPCs and answers overtake bytes, as
 * they do between two hosts, some writes are posted only after they were said to be sent.
 */

#define QUEUE 1024 /* there are fewer slots than that */

const char wire_program[] = "property_verbs_device";

struct late {
	struct xfer_transport transport;
	struct xfer_transport *under;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t posted = PTHREAD_COND_INITIALIZER;
static bool held;
static struct {
	struct late *by; /* NULL: it is gone */
	struct xfer_placement placement;
} queue[QUEUE]; /* a circle */
static unsigned first, queued;
static struct late *posting; /* is used without the lock; NULL: none */

void wire_begin(void)
{
}

void wire_end(void)
{
}

uint32_t wire_addresses(struct xfer_rdma_address list[XFER_RDMA_ADDRESSES_MAX])
{
	char why[256];
	int n = xfer_verbs_addresses(list, why, sizeof(why));

	CHECK(n > 0, "%s", why);
	return (uint32_t)n;
}

/* A receive that is missing, or anything else that isn't allowed, ends the queue pair. */
void wire_check(void)
{
}

/* --- writes that wait --------------------------------------------------------------------------- */

/* The lock is held, but not while the oldest one is posted. */
static void post_oldest(void)
{
	struct xfer_placement placement = queue[first].placement;
	int err = 0;

	posting = queue[first].by;
	first = (first + 1) % QUEUE;
	queued--;
	pthread_mutex_unlock(&lock);
	if (posting)
		err = posting->under->ops->send(posting->under, &placement);
	CHECK(err == 0 || (err == -ENOTCONN && r.breaking), "a late write can't be posted: %d",
		err);
	pthread_mutex_lock(&lock);
	posting = NULL;
	pthread_cond_broadcast(&posted);
}

void wire_jolt(void)
{
	unsigned n = 1 + rnd(3);

	pthread_mutex_lock(&lock);
	if (rnd(4) == 0)
		held = !held;
	while (queued > 0 && (!held || n-- > 0))
		post_oldest();
	pthread_mutex_unlock(&lock);
}

void wire_calm(void)
{
	pthread_mutex_lock(&lock);
	held = false;
	while (queued > 0)
		post_oldest();
	pthread_mutex_unlock(&lock);
}

/* --- the transport in front of the real one ----------------------------------------------------- */

static struct late *late_of(struct xfer_transport *transport)
{
	return (struct late *)transport;
}

static int late_stage(struct xfer_transport *transport, struct xfer_placement *placement)
{
	struct xfer_transport *under = late_of(transport)->under;

	return under->ops->stage(under, placement);
}

static int late_send(struct xfer_transport *transport, const struct xfer_placement *placement)
{
	struct late *late = late_of(transport);
	bool waits;

	pthread_mutex_lock(&lock);
	waits = held || queued > 0;
	if (waits) {
		unsigned at = (first + queued++) % QUEUE;

		CHECK(queued <= QUEUE, "more writes than there are slots");
		queue[at].by = late;
		queue[at].placement = *placement;
	}
	pthread_mutex_unlock(&lock);
	return waits ? 0 : late->under->ops->send(late->under, placement);
}

static void late_fetch(struct xfer_transport *transport, struct xfer_placement *placement)
{
	struct xfer_transport *under = late_of(transport)->under;

	under->ops->fetch(under, placement);
}

/* What waits isn't posted any more. */
static void late_free(struct xfer_transport *transport)
{
	struct late *late = late_of(transport);

	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < queued; i++)
		if (queue[(first + i) % QUEUE].by == late)
			queue[(first + i) % QUEUE].by = NULL;
	while (posting == late)
		pthread_cond_wait(&posted, &lock);
	pthread_mutex_unlock(&lock);
	late->under->ops->free(late->under);
	free(late);
}

static void late_start(
	struct xfer_transport *transport, const struct xfer_transport_events *events, void *arg)
{
	struct xfer_transport *under = late_of(transport)->under;

	under->ops->start(under, events, arg);
}

static void late_poll(struct xfer_transport *transport, uint32_t lane)
{
	struct xfer_transport *under = late_of(transport)->under;

	under->ops->poll(under, lane);
}

static void late_await(struct xfer_transport *transport, uint32_t lane)
{
	struct xfer_transport *under = late_of(transport)->under;

	under->ops->await(under, lane);
}

static json_t *late_status(struct xfer_transport *transport)
{
	struct xfer_transport *under = late_of(transport)->under;

	return under->ops->status(under);
}

static const struct xfer_transport_ops late_ops = {
	.path = XFER_PATH_VERBS,
	.immediates = true,
	.stage = late_stage,
	.send = late_send,
	.fetch = late_fetch,
	.free = late_free,
	.start = late_start,
	.poll = late_poll,
	.await = late_await,
	.status = late_status,
};

struct xfer_transport *wire_transport(struct xfer_transport *under)
{
	struct late *late = malloc(sizeof(*late));

	CHECK(late, "out of memory");
	*late = (struct late){ .transport.ops = &late_ops, .under = under };
	return &late->transport;
}
