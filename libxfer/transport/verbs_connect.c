/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* verbs_connect.c -- the initiator's ladder: address, route, queues, connection, lane by lane */

#include <arpa/inet.h>
#include <errno.h>
#include <endian.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "transport/device.h"
#include "transport/verbs_end.h"

#define STEP_MS  5000 /* for each rung; two of them may resend what was lost */
#define SLICE_MS 100  /* so often is asked whether it is still wanted */

struct ladder {
	struct xfer_verbs *verbs;
	const struct xfer_verbs_target *target;
	struct rdma_event_channel *channel; /* until the lanes are connected */
	struct xfer_memory *read;           /* may be NULL */
	char *why;
	size_t why_len;
};

/* --- one rung ----------------------------------------------------------------------------------- */

/* Waits until the channel has something; -ECANCELED: nobody wants that any more. */
static int await_channel(const struct ladder *ladder)
{
	struct pollfd pollfd = { .fd = ladder->channel->fd, .events = POLLIN };
	const struct xfer_verbs_target *target = ladder->target;
	uint64_t until = xfer_now_ns() + STEP_MS * XFER_NS_PER_MS;

	while (xfer_now_ns() < until) {
		if (target->given_up && target->given_up(target->arg))
			return -ECANCELED;
		if (poll(&pollfd, 1, SLICE_MS) > 0)
			return 0;
	}
	return -ETIMEDOUT;
}

/* A refusal's reason, as the host has said it. */
static const char *refusal(const struct rdma_cm_event *event)
{
	const uint8_t *code = event->param.conn.private_data;
	unsigned len = event->param.conn.private_data_len;

	switch (len > 0 && code ? *code : (uint8_t)VERBS_REFUSED_OTHER) {
	case VERBS_REFUSED_VERSION:
		return "it speaks another version: install the same release on both nodes";
	case VERBS_REFUSED_TOKEN:
		return "it doesn't know the token, or not any more";
	case VERBS_REFUSED_SOURCE:
		return "it doesn't expect anybody from this address";
	case VERBS_REFUSED_MTU:
		return "the MTU of its device is smaller than that of this node's: give both the "
		       "same";
	case VERBS_REFUSED_RESOURCES:
		return "it lacks what that takes; its log says what";
	default:
		return "nothing of its listens there, or it gives no reason";
	}
}

static int explain_event(
	const struct ladder *ladder, const char *what, const struct rdma_cm_event *event)
{
	int err = event->status < 0 ? event->status : -ECONNREFUSED;

	if (event->event == RDMA_CM_EVENT_DEVICE_REMOVAL)
		verbs_events_gone(event->id->verbs);
	if (event->event == RDMA_CM_EVENT_REJECTED)
		verbs_explain(ladder->why, ladder->why_len, "%s: the owner refuses: %s", what,
			refusal(event));
	else
		verbs_explain(ladder->why, ladder->why_len, "%s: %s (%s)", what,
			rdma_event_str(event->event),
			event->status < 0 ? strerror(-event->status) : "no reason is given");
	return err;
}

/* `wanted` is what the rung ends with when all is well. */
static int await_event(
	const struct ladder *ladder, enum rdma_cm_event_type wanted, const char *what)
{
	struct rdma_cm_event *event;
	int err = await_channel(ladder);

	if (err == 0 && rdma_get_cm_event(ladder->channel, &event))
		err = -errno;
	if (err) {
		verbs_explain(ladder->why, ladder->why_len, "%s: %s", what,
			err == -ECANCELED ? "it isn't wanted any more" : strerror(-err));
		return err;
	}
	if (event->event != wanted)
		err = explain_event(ladder, what, event);
	rdma_ack_cm_event(event);
	return err;
}

/* A call of librdmacm's that a rung begins with. */
static int begun(const struct ladder *ladder, int result, const char *what)
{
	int err = result ? -errno : 0;

	if (err)
		verbs_explain(ladder->why, ladder->why_len, "%s: %s", what, strerror(-err));
	return err;
}

/* --- lanes -------------------------------------------------------------------------------------- */

static int resolve(struct ladder *ladder, struct verbs_lane *lane, unsigned choice)
{
	const struct xfer_rdma_address *address = &ladder->target->addresses[choice];
	char text[INET6_ADDRSTRLEN], what[VERBS_WHY / 2];
	struct sockaddr_storage to;
	int err;

	verbs_to_sockaddr(address, ladder->target->port, &to);
	snprintf(what, sizeof(what), "the way to %s", xfer_verbs_address_text(address, text));
	err = begun(ladder, rdma_create_id(ladder->channel, &lane->id, lane, RDMA_PS_TCP), what);
	if (err)
		return err;
	err = begun(ladder, rdma_resolve_addr(lane->id, NULL, (struct sockaddr *)&to, STEP_MS / 2),
		what);
	if (err == 0)
		err = await_event(ladder, RDMA_CM_EVENT_ADDR_RESOLVED, what);
	if (err == 0)
		err = begun(ladder, rdma_resolve_route(lane->id, STEP_MS / 2), what);
	if (err == 0)
		err = await_event(ladder, RDMA_CM_EVENT_ROUTE_RESOLVED, what);
	if (err == 0 && !lane->id->verbs) {
		verbs_explain(ladder->why, ladder->why_len, "%s leads over no RDMA device", what);
		err = -ENODEV;
	}
	if (err) {
		rdma_destroy_id(lane->id);
		lane->id = NULL;
	}
	return err;
}

/* Lanes begin with different addresses, and each takes the first that works. */
static int find_way(struct ladder *ladder, struct verbs_lane *lane)
{
	uint32_t n = ladder->target->naddresses;
	int err = -ENODEV;

	verbs_explain(ladder->why, ladder->why_len, "the owner names no address");
	for (uint32_t i = 0; i < n && err && err != -ECANCELED; i++)
		err = resolve(ladder, lane, (lane->number + i) % n);
	if (err)
		return err;
	pthread_mutex_lock(&ladder->verbs->lock);
	err = verbs_use_device(lane, ladder->why, ladder->why_len);
	pthread_mutex_unlock(&ladder->verbs->lock);
	return err;
}

static struct verbs_hello hello_of(const struct ladder *ladder, const struct verbs_lane *lane)
{
	struct verbs_hello hello = {
		.magic = htonl(VERBS_MAGIC),
		.version = htons(VERBS_VERSION),
		.lane = htons((uint16_t)lane->number),
		.mtu = htonl(verbs_mtu(lane->id)),
	};

	memcpy(hello.token, ladder->target->tokens[lane->number].bytes, sizeof(hello.token));
	if (ladder->read) {
		hello.read_base = htobe64(ladder->read->base);
		hello.read_key = htonl(xfer_verbs_key(ladder->read, lane->number));
	}
	return hello;
}

static int connect_lane(struct ladder *ladder, struct verbs_lane *lane)
{
	struct verbs_hello hello = hello_of(ladder, lane);
	struct rdma_conn_param param = {
		.private_data = &hello,
		.private_data_len = sizeof(hello),
		.retry_count = VERBS_RETRIES,
		.rnr_retry_count = VERBS_RNR_RETRIES,
	};
	char what[64];
	int err = verbs_make_queues(lane, ladder->why, ladder->why_len);

	if (err)
		return err;
	verbs_be_patient(lane->id);
	snprintf(what, sizeof(what), "lane %u can't be connected", lane->number);
	err = begun(ladder, rdma_connect(lane->id, &param), what);
	if (err == 0)
		err = await_event(ladder, RDMA_CM_EVENT_ESTABLISHED, what);
	/* What happens to it from now on is heard by the thread for that. */
	if (err == 0)
		err = begun(ladder, rdma_migrate_id(lane->id, verbs_events_channel()), what);
	if (err)
		return err;
	atomic_store(&lane->state, VERBS_CONNECTED);
	return verbs_probe(lane, ladder->why, ladder->why_len);
}

static int climb(struct ladder *ladder)
{
	struct xfer_verbs *verbs = ladder->verbs;
	uint64_t bytes = ladder->target->read_bytes;
	int err = 0;

	for (uint32_t i = 0; err == 0 && i < verbs->params.lanes; i++)
		err = find_way(ladder, &verbs->lanes[i]);
	if (err == 0 && bytes > 0)
		err = xfer_verbs_offer(verbs, bytes, &ladder->read, ladder->why, ladder->why_len);
	for (uint32_t i = 0; err == 0 && i < verbs->params.lanes; i++)
		err = connect_lane(ladder, &verbs->lanes[i]);
	return err;
}

int xfer_verbs_connect(struct xfer_verbs *verbs, const struct xfer_verbs_target *target,
	struct xfer_memory **read, char *why, size_t why_len)
{
	struct ladder ladder = { .verbs = verbs, .target = target, .why = why, .why_len = why_len };
	int err;

	ladder.channel = rdma_create_event_channel();
	if (!ladder.channel) {
		err = -errno;
		verbs_explain(why, why_len, "no channel for rdma_cm: %s", strerror(-err));
		return err;
	}
	err = climb(&ladder);
	if (err) {
		/* As long as there is one of its ids the device can't be closed, and its memory was registered. */
		verbs->ladder = ladder.channel;
		xfer_memory_free(ladder.read);
	} else {
		rdma_destroy_event_channel(ladder.channel);
		*read = ladder.read;
	}
	return err;
}
