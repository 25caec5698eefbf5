/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* verbs_lane.c -- a lane's queue pair: its queues are made, watched, and ended */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "log.h"
#include "transport/device.h"
#include "transport/verbs_end.h"

/* --- protection domains: verbs->lock is held ----------------------------------------------------- */

static int find_device(const struct xfer_verbs *verbs, const struct ibv_context *context)
{
	for (unsigned i = 0; i < verbs->ndevices; i++)
		if (verbs->devices[i].context == context)
			return (int)i;
	return -ENOENT;
}

/* A domain of its own: what one session's peer may write to is closed to all others. */
static int add_device(
	struct xfer_verbs *verbs, struct ibv_context *context, char *why, size_t why_len)
{
	struct verbs_device *device = &verbs->devices[verbs->ndevices];
	int err;

	*device = (struct verbs_device){ .context = context, .verbs = verbs };
	snprintf(device->name, sizeof(device->name), "%s", ibv_get_device_name(context->device));
	device->pd = ibv_alloc_pd(context);
	if (!device->pd) {
		err = -errno;
		verbs_explain(why, why_len, "%s gives no protection domain: %s", device->name,
			strerror(-err));
		return err;
	}
	verbs->ndevices++;
	err = verbs_events_add(device);
	if (err)
		verbs_explain(why, why_len, "the events of %s can't be heard: %s", device->name,
			strerror(-err));
	return err ? err : verbs_register_all(verbs, verbs->ndevices - 1, why, why_len);
}

int verbs_use_device(struct verbs_lane *lane, char *why, size_t why_len)
{
	struct xfer_verbs *verbs = lane->verbs;
	int found = find_device(verbs, lane->id->verbs), err;

	if (found < 0 && verbs->ndevices == VERBS_DEVICES_MAX) {
		verbs_explain(
			why, why_len, "the lanes lead to more than %u devices", VERBS_DEVICES_MAX);
		return -ENOSPC;
	}
	if (found < 0) {
		err = add_device(verbs, lane->id->verbs, why, why_len);
		if (err)
			return err;
		found = (int)verbs->ndevices - 1;
	}
	lane->device = (unsigned)found;
	return 0;
}

/* --- queues ------------------------------------------------------------------------------------- */

/* What was refused for want of memory is the locked memory's limit more often than anything else. */
static int refused(struct verbs_lane *lane, const char *what, int err, char *why, size_t why_len)
{
	char limit[VERBS_WHY] = "";

	if (err == -ENOMEM)
		(void)xfer_device_memlock(UINT64_C(1) << 20, limit, sizeof(limit));
	verbs_explain(why, why_len, "%s gives no %s: %s%s%s",
		lane->verbs->devices[lane->device].name, what, strerror(-err), *limit ? "; " : "",
		limit);
	return err;
}

/* All that can be under way at a time completes into one queue, the end of the queue pair included. */
static int check_sizes(const struct verbs_lane *lane, char *why, size_t why_len)
{
	const struct xfer_verbs *verbs = lane->verbs;
	struct ibv_device_attr attr;
	uint32_t wr = verbs->sq > verbs->rq ? verbs->sq : verbs->rq;

	if (ibv_query_device(lane->id->verbs, &attr)) {
		verbs_explain(why, why_len, "%s can't be asked for its limits",
			verbs->devices[lane->device].name);
		return -EIO;
	}
	if ((uint32_t)attr.max_qp_wr >= wr && (uint32_t)attr.max_cqe >= verbs->sq + verbs->rq)
		return 0;
	verbs_explain(why, why_len,
		"%s has queues of %d requests and %d completions, %u and %u are needed: lower "
		"Small_Slots and Large_Slots, or raise Lanes",
		verbs->devices[lane->device].name, attr.max_qp_wr, attr.max_cqe, wr,
		verbs->sq + verbs->rq);
	return -ENOSPC;
}

static int make_inbox(struct verbs_lane *lane, char *why, size_t why_len)
{
	size_t bytes = lane->verbs->rq * sizeof(lane->inbox[0]);
	struct ibv_pd *pd = lane->verbs->devices[lane->device].pd;

	lane->inbox = calloc(1, bytes);
	if (!lane->inbox)
		return refused(lane, "receives", -ENOMEM, why, why_len);
	lane->inbox_mr = ibv_reg_mr(pd, lane->inbox, bytes, IBV_ACCESS_LOCAL_WRITE);
	return lane->inbox_mr ? 0 : refused(lane, "memory for receives", -errno, why, why_len);
}

static int make_completions(struct verbs_lane *lane, char *why, size_t why_len)
{
	uint32_t depth = lane->verbs->sq + lane->verbs->rq;
	struct ibv_context *context = lane->id->verbs;

	lane->channel = ibv_create_comp_channel(context);
	if (!lane->channel)
		return refused(lane, "completion channel", -errno, why, why_len);
	if (fcntl(lane->channel->fd, F_SETFL, O_NONBLOCK))
		return refused(lane, "completion channel", -errno, why, why_len);
	lane->cq = ibv_create_cq(context, (int)depth, lane, lane->channel, 0);
	if (!lane->cq)
		return refused(lane, "completion queue", -errno, why, why_len);
	assert(lane->cq->cqe >= (int)depth);
	return 0;
}

/* Without room for data in requests where the device has none. */
static int make_pair(struct verbs_lane *lane, char *why, size_t why_len)
{
	const struct xfer_verbs *verbs = lane->verbs;
	struct ibv_qp_init_attr attr = {
		.qp_context = lane,
		.send_cq = lane->cq,
		.recv_cq = lane->cq,
		.cap = { .max_send_wr = verbs->sq,
			.max_recv_wr = verbs->rq,
			.max_send_sge = 1,
			.max_recv_sge = 1,
			.max_inline_data = VERBS_INLINE },
		.qp_type = IBV_QPT_RC,
	};
	struct ibv_qp_init_attr wanted = attr;

	if (rdma_create_qp(lane->id, verbs->devices[lane->device].pd, &attr)) {
		attr = wanted;
		attr.cap.max_inline_data = sizeof(uint32_t);
		if (rdma_create_qp(lane->id, verbs->devices[lane->device].pd, &attr))
			return refused(lane, "queue pair", -errno, why, why_len);
	}
	lane->qp = lane->id->qp;
	lane->max_inline = attr.cap.max_inline_data;
	assert(attr.cap.max_send_wr >= verbs->sq && attr.cap.max_recv_wr >= verbs->rq);
	return 0;
}

int verbs_post_receives(struct verbs_lane *lane, const uint64_t *numbers, unsigned count)
{
	struct ibv_recv_wr requests[VERBS_REPOST], *bad;
	struct ibv_sge places[VERBS_REPOST];

	assert(count > 0 && count <= VERBS_REPOST);
	for (unsigned i = 0; i < count; i++) {
		places[i] = (struct ibv_sge){ (uintptr_t)&lane->inbox[numbers[i]],
			sizeof(lane->inbox[0]), lane->inbox_mr->lkey };
		requests[i] = (struct ibv_recv_wr){ .wr_id = numbers[i],
			.next = i + 1 < count ? &requests[i + 1] : NULL,
			.sg_list = &places[i],
			.num_sge = 1 };
	}
	return -ibv_post_recv(lane->qp, requests, &bad);
}

static int post_all(struct verbs_lane *lane, char *why, size_t why_len)
{
	uint64_t numbers[VERBS_REPOST];
	uint32_t rq = lane->verbs->rq;
	int err = 0;

	for (uint32_t first = 0; err == 0 && first < rq; first += VERBS_REPOST) {
		unsigned count = rq - first < VERBS_REPOST ? rq - first : VERBS_REPOST;

		for (unsigned i = 0; i < count; i++)
			numbers[i] = first + i;
		err = verbs_post_receives(lane, numbers, count);
	}
	return err ? refused(lane, "receives", err, why, why_len) : 0;
}

int verbs_make_queues(struct verbs_lane *lane, char *why, size_t why_len)
{
	int err = check_sizes(lane, why, why_len);

	if (err == 0)
		err = make_inbox(lane, why, why_len);
	if (err == 0)
		err = make_completions(lane, why, why_len);
	if (err == 0)
		err = make_pair(lane, why, why_len);
	return err ? err : post_all(lane, why, why_len);
}

uint32_t verbs_mtu(const struct rdma_cm_id *id)
{
	struct ibv_port_attr attr;

	return ibv_query_port(id->verbs, id->port_num, &attr) ? 0 : 128u << attr.active_mtu;
}

void verbs_be_patient(struct rdma_cm_id *id)
{
	uint8_t timeout = VERBS_ACK_TIMEOUT;

	/* Where there is no such option (iWARP) TCP does it. */
	(void)rdma_set_option(
		id, RDMA_OPTION_ID, RDMA_OPTION_ID_ACK_TIMEOUT, &timeout, sizeof(timeout));
}

/* --- watching ----------------------------------------------------------------------------------- */

/* On the lane's thread, all of it. */
static void start_watching(struct xfer_task *task)
{
	struct verbs_lane *lane =
		(struct verbs_lane *)((char *)task - offsetof(struct verbs_lane, watch));
	int err = xfer_lane_add(lane->thread, lane->channel->fd, EPOLLIN, &lane->pollable);

	xfer_lane_add_ticker(lane->thread, &lane->ticker);
	if (err)
		verbs_lose(lane->verbs, "lane %u: its completions can't be heard: %s", lane->number,
			strerror(-err));
}

static void stop_watching(struct xfer_task *task)
{
	struct verbs_lane *lane =
		(struct verbs_lane *)((char *)task - offsetof(struct verbs_lane, unwatch));
	struct xfer_verbs *verbs = lane->verbs;

	xfer_lane_remove(lane->thread, lane->channel->fd, &lane->pollable);
	xfer_lane_remove_ticker(&lane->ticker);
	pthread_mutex_lock(&verbs->watch_lock);
	verbs->watched--;
	pthread_cond_broadcast(&verbs->changed);
	pthread_mutex_unlock(&verbs->watch_lock);
}

void verbs_watch(struct verbs_lane *lane)
{
	struct xfer_verbs *verbs = lane->verbs;

	lane->pollable.ready = verbs_lane_ready;
	lane->ticker.tick = verbs_lane_tick;
	lane->watch.run = start_watching;
	pthread_mutex_lock(&verbs->watch_lock);
	assert(!verbs->closing && !lane->watched);
	lane->watched = true;
	verbs->watched++;
	pthread_mutex_unlock(&verbs->watch_lock);
	xfer_lane_post(lane->thread, &lane->watch);
}

/* Nobody connects lanes any more. */
static void unwatch_all(struct xfer_verbs *verbs)
{
	pthread_mutex_lock(&verbs->watch_lock);
	verbs->closing = true;
	pthread_mutex_unlock(&verbs->watch_lock);
	for (uint32_t i = 0; i < verbs->params.lanes; i++) {
		struct verbs_lane *lane = &verbs->lanes[i];

		if (!lane->watched)
			continue;
		/* Tasks run in order: it was posted before by verbs_watch, and has run when this one does. */
		lane->unwatch.run = stop_watching;
		xfer_lane_post(lane->thread, &lane->unwatch);
	}
	pthread_mutex_lock(&verbs->watch_lock);
	/* Nobody leaves errands any more, either. */
	while (verbs->watched > 0 || verbs->errands > 0)
		pthread_cond_wait(&verbs->changed, &verbs->watch_lock);
	pthread_mutex_unlock(&verbs->watch_lock);
}

/* --- the end ------------------------------------------------------------------------------------ */

/* In this order: nothing lands once the queue pair is gone. */
void verbs_end_lane(struct verbs_lane *lane)
{
	if (lane->qp) {
		(void)rdma_disconnect(lane->id);
		rdma_destroy_qp(lane->id);
	}
	if (lane->cq) {
		ibv_ack_cq_events(lane->cq, lane->unacked);
		(void)ibv_destroy_cq(lane->cq);
	}
	if (lane->channel)
		(void)ibv_destroy_comp_channel(lane->channel);
	if (lane->inbox_mr)
		(void)ibv_dereg_mr(lane->inbox_mr);
	free(lane->inbox);
	free(lane->deferred);
	lane->deferred = NULL;
	lane->qp = NULL;
	lane->cq = NULL;
	lane->channel = NULL;
	lane->inbox_mr = NULL;
	lane->inbox = NULL;
}

void verbs_end_lanes(struct xfer_verbs *verbs)
{
	unwatch_all(verbs);
	for (uint32_t i = 0; i < verbs->params.lanes; i++)
		verbs_end_lane(&verbs->lanes[i]);
}
