/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* verbs.c -- a data path over queue pairs: writes go out, announcements come in */

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "counters.h"
#include "log.h"
#include "transport/device.h"
#include "transport/verbs_end.h"

#define BATCH    32
#define PROBE_NS (5000 * XFER_NS_PER_MS)

void verbs_explain(char *why, size_t why_len, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(why, why_len, format, ap);
	va_end(ap);
}

/* --- losing it ---------------------------------------------------------------------------------- */

void verbs_lose(struct xfer_verbs *verbs, const char *format, ...)
{
	const struct xfer_transport_events *events;
	char why[VERBS_WHY];
	bool first;
	va_list ap;

	va_start(ap, format);
	vsnprintf(why, sizeof(why), format, ap);
	va_end(ap);
	pthread_mutex_lock(&verbs->lost_lock);
	first = !atomic_exchange(&verbs->lost, true);
	if (first)
		memcpy(verbs->reason, why, sizeof(why));
	events = first ? verbs->events : NULL;
	verbs->telling |= events != NULL;
	pthread_mutex_unlock(&verbs->lost_lock);
	if (!events)
		return;
	events->lost(verbs->events_arg, why);
	pthread_mutex_lock(&verbs->lost_lock);
	verbs->telling = false;
	pthread_cond_broadcast(&verbs->told);
	pthread_mutex_unlock(&verbs->lost_lock);
}

/* It is lost for good, and nobody is told any more. */
static void fall_silent(struct xfer_verbs *verbs)
{
	pthread_mutex_lock(&verbs->lost_lock);
	atomic_store(&verbs->lost, true);
	while (verbs->telling)
		pthread_cond_wait(&verbs->told, &verbs->lost_lock);
	pthread_mutex_unlock(&verbs->lost_lock);
}

/* What it is that a status says, for whoever has to do something about it. */
static const char *advice(enum ibv_wc_status status)
{
	switch (status) {
	case IBV_WC_RETRY_EXC_ERR:
		return "the peer or the network between doesn't answer";
	case IBV_WC_RNR_RETRY_EXC_ERR:
		return "the peer has no receive posted";
	case IBV_WC_REM_ACCESS_ERR:
	case IBV_WC_REM_INV_REQ_ERR:
	case IBV_WC_REM_OP_ERR:
		return "the peer's device has refused it";
	case IBV_WC_WR_FLUSH_ERR:
		return "the queue pair has ended";
	default:
		return "a defect of the device, its driver or this program";
	}
}

/* In an error completion only wr_id and status are valid. */
static void lose_by(struct verbs_lane *lane, enum ibv_wc_status status)
{
	verbs_lose(lane->verbs, "lane %u on %s: %s (%s)", lane->number,
		lane->verbs->devices[lane->device].name, ibv_wc_status_str(status), advice(status));
}

/* --- what comes --------------------------------------------------------------------------------- */

/* What one look at a completion queue has brought. */
struct harvest {
	unsigned immediates;
	uint32_t list[BATCH];
	bool failed;
	enum ibv_wc_status status; /* the first that isn't the end of a queue pair alone */
};

/* The host's end: the first announcement only shows how they come. */
static bool is_probe(struct verbs_lane *lane, enum verbs_announce announce)
{
	if (lane->probed)
		return false;
	lane->probed = true;
	lane->announce = announce;
	atomic_store(&lane->state, VERBS_OPEN);
	return true;
}

/* poll_lock is held. Receives are posted again by the batch; the reserve makes up for those that aren't. */
static void reuse(struct verbs_lane *lane, uint64_t number, struct harvest *harvest)
{
	lane->used[lane->nused++] = number;
	if (lane->nused < VERBS_REPOST)
		return;
	if (verbs_post_receives(lane, lane->used, lane->nused)) {
		harvest->failed = true;
		harvest->status = IBV_WC_GENERAL_ERR;
	}
	lane->nused = 0;
}

static void take_receive(struct verbs_lane *lane, const struct ibv_wc *wc, struct harvest *harvest)
{
	bool immediate = wc->opcode == IBV_WC_RECV_RDMA_WITH_IMM;
	uint32_t value = immediate ? wc->imm_data : lane->inbox[wc->wr_id];

	if (!immediate && (wc->opcode != IBV_WC_RECV || wc->byte_len != sizeof(value))) {
		harvest->failed = true;
		harvest->status = IBV_WC_LOC_LEN_ERR;
	} else if (!is_probe(lane, immediate ? VERBS_IMMEDIATE : VERBS_MESSAGE)) {
		harvest->list[harvest->immediates++] = ntohl(value);
	}
	reuse(lane, wc->wr_id, harvest);
}

/* A send's wr_id says how many requests were posted up to it, with this bit: a receive's is its number. */
#define IS_SEND (UINT64_C(1) << 63)

static void take(struct verbs_lane *lane, const struct ibv_wc *wc, struct harvest *harvest)
{
	if (wc->status != IBV_WC_SUCCESS) {
		if (!harvest->failed || harvest->status == IBV_WC_WR_FLUSH_ERR)
			harvest->status = wc->status;
		harvest->failed = true;
	} else if (wc->wr_id & IS_SEND) {
		atomic_store(&lane->completed, (uint32_t)wc->wr_id);
	} else {
		take_receive(lane, wc, harvest);
	}
}

/* True: there may be more. */
static bool look(struct verbs_lane *lane, struct harvest *harvest)
{
	struct ibv_wc wc[BATCH];
	int n;

	*harvest = (struct harvest){ 0 };
	pthread_mutex_lock(&lane->poll_lock);
	n = ibv_poll_cq(lane->cq, BATCH, wc);
	for (int i = 0; i < n; i++)
		take(lane, &wc[i], harvest);
	pthread_mutex_unlock(&lane->poll_lock);
	if (n < 0)
		verbs_lose(
			lane->verbs, "lane %u: its completion queue can't be read", lane->number);
	if (n > 0) {
		atomic_fetch_add_explicit(&lane->ncompletions, (uint64_t)n, memory_order_relaxed);
		xfer_count(XFER_CNT_COMPLETIONS, (uint64_t)n);
	}
	return n == BATCH;
}

void verbs_poll_lane(struct verbs_lane *lane)
{
	struct xfer_verbs *verbs = lane->verbs;
	struct harvest harvest;
	bool more;

	do {
		more = look(lane, &harvest);
		if (harvest.immediates > 0) {
			atomic_fetch_add(&lane->nimmediates, harvest.immediates);
			xfer_count(XFER_CNT_IMMEDIATES, harvest.immediates);
		}
		for (unsigned i = 0; i < harvest.immediates; i++)
			verbs->events->immediate(verbs->events_arg, lane->number, harvest.list[i]);
		if (harvest.failed)
			lose_by(lane, harvest.status);
	} while (more);
}

/* --- the operations ----------------------------------------------------------------------------- */

static struct verbs_lane *lane_at(struct xfer_transport *transport, uint32_t number)
{
	return &verbs_of(transport)->lanes[number];
}

static bool is_open(const struct verbs_lane *lane)
{
	return atomic_load_explicit(&lane->state, memory_order_acquire) == VERBS_OPEN &&
	       !atomic_load_explicit(&lane->verbs->lost, memory_order_relaxed);
}

/* The slot's place in the mirror is its user's. */
static int verbs_stage(struct xfer_transport *transport, struct xfer_placement *placement)
{
	struct verbs_lane *lane = lane_at(transport, placement->slot.lane);

	placement->memory = (void *)(uintptr_t)placement->address;
	if (!is_open(lane) && atomic_load(&lane->state) == VERBS_CONNECTED)
		verbs_poll_lane(lane);
	return is_open(lane) ? 0 : -EAGAIN;
}

static void prepare(const struct verbs_lane *lane, const struct xfer_placement *placement,
	struct verbs_sending *sending)
{
	const struct verbs_memory *memory = (const struct verbs_memory *)placement->in;
	struct ibv_send_wr *write = &sending->requests[0], *message = &sending->requests[1];
	bool small = placement->length <= lane->max_inline;

	sending->value = htonl(xfer_immediate(&placement->slot.name));
	sending->bytes = (struct ibv_sge){ placement->address, placement->length,
		memory->mrs[lane->device]->lkey };
	*write = (struct ibv_send_wr){
		.num_sge = placement->length > 0,
		.opcode = IBV_WR_RDMA_WRITE_WITH_IMM,
		.send_flags = small ? IBV_SEND_INLINE : 0,
		.imm_data = sending->value,
		.wr.rdma = { memory->remote[placement->slot.lane].base + placement->address -
				     memory->memory.base,
			memory->remote[placement->slot.lane].key },
	};
	sending->count = 1;
	if (lane->announce == VERBS_IMMEDIATE)
		return;
	write->opcode = IBV_WR_RDMA_WRITE;
	*message = (struct ibv_send_wr){
		.num_sge = 1, .opcode = IBV_WR_SEND, .send_flags = IBV_SEND_INLINE
	};
	sending->count = 2;
}

/* send_lock is held. One doorbell. */
static int post(struct verbs_lane *lane, struct verbs_sending *sending)
{
	struct ibv_send_wr *first = sending->requests, *bad;
	bool message = sending->count == 2 || first->opcode == IBV_WR_SEND;

	sending->message = (struct ibv_sge){ (uintptr_t)&sending->value, 4, 0 };
	for (unsigned i = 0; i < sending->count; i++) {
		bool last = i + 1 == sending->count;

		first[i].sg_list = last && message ? &sending->message : &sending->bytes;
		first[i].next = last ? NULL : &first[i + 1];
	}
	return ibv_post_send(lane->qp, first, &bad);
}

static void run_errand(struct xfer_task *task);

/* One that waits already is run after this. */
static void leave_errand(struct verbs_lane *lane, enum verbs_errand errand)
{
	if (atomic_fetch_or(&lane->errands, errand))
		return;
	pthread_mutex_lock(&lane->verbs->watch_lock);
	lane->verbs->errands++;
	pthread_mutex_unlock(&lane->verbs->watch_lock);
	lane->errand.run = run_errand;
	verbs_events_run(&lane->errand);
}

/* send_lock is held. Completions of what was announced long ago may not have been looked at. */
static bool has_room(const struct verbs_lane *lane, unsigned count)
{
	return lane->posted - atomic_load(&lane->completed) + count <= lane->verbs->sq;
}

/* send_lock is held: the request is counted, and says by its completion what has been posted up to it. */
static void number(struct verbs_lane *lane, struct verbs_sending *sending)
{
	struct ibv_send_wr *last = &sending->requests[sending->count - 1];

	lane->posted += sending->count;
	lane->unsignalled += sending->count;
	last->wr_id = IS_SEND | lane->posted;
	if (lane->unsignalled < VERBS_SIGNAL_EACH)
		return;
	last->send_flags |= IBV_SEND_SIGNALED;
	lane->unsignalled = 0;
}

/* send_lock is held. There is room, since there is in the queue. */
static void defer(struct verbs_lane *lane, const struct verbs_sending *sending)
{
	lane->deferred[(lane->first_deferred + lane->ndeferred++) % lane->verbs->sq] = *sending;
	leave_errand(lane, VERBS_POST);
}

/* send_lock is held. The first time that it is refused the request is in the queue, and only the doorbell missing. */
static int post_or_defer(struct verbs_lane *lane, struct verbs_sending *sending)
{
	int err;

	if (!has_room(lane, sending->count))
		return -EAGAIN;
	number(lane, sending);
	if (lane->deferred) {
		defer(lane, sending);
		return 0;
	}
	err = post(lane, sending);
	if (err != EACCES)
		return -err;
	lane->deferred = calloc(lane->verbs->sq, sizeof(lane->deferred[0]));
	if (!lane->deferred)
		return -ENOMEM;
	leave_errand(lane, VERBS_RING);
	return 0;
}

static int send_now(struct verbs_lane *lane, struct verbs_sending *sending)
{
	int err;

	pthread_mutex_lock(&lane->send_lock);
	err = post_or_defer(lane, sending);
	pthread_mutex_unlock(&lane->send_lock);
	return err;
}

static int verbs_send(struct xfer_transport *transport, const struct xfer_placement *placement)
{
	struct verbs_lane *lane = lane_at(transport, placement->slot.lane);
	struct verbs_sending sending;
	int err;

	if (!is_open(lane))
		return -ENOTCONN;
	prepare(lane, placement, &sending);
	err = send_now(lane, &sending);
	if (err == -EAGAIN) {
		verbs_poll_lane(lane);
		err = send_now(lane, &sending);
	}
	if (err == -EAGAIN)
		return err;
	if (err) {
		verbs_lose(lane->verbs, "lane %u on %s: a write can't be posted: %s", lane->number,
			lane->verbs->devices[lane->device].name, strerror(-err));
		return -ENOTCONN;
	}
	atomic_fetch_add_explicit(&lane->nposted, 1, memory_order_relaxed);
	xfer_count(XFER_CNT_POSTS, 1);
	return 0;
}

/* The device has written them, and said so. */
static void verbs_fetch(struct xfer_transport *transport, struct xfer_placement *placement)
{
	(void)transport;
	atomic_thread_fence(memory_order_acquire);
	placement->memory = (void *)(uintptr_t)placement->address;
}

/* Lanes that are connected later are watched then. */
static void verbs_start(
	struct xfer_transport *transport, const struct xfer_transport_events *events, void *arg)
{
	struct xfer_verbs *verbs = verbs_of(transport);
	bool lost;

	pthread_mutex_lock(&verbs->lost_lock);
	verbs->events_arg = arg;
	verbs->events = events;
	lost = atomic_load(&verbs->lost);
	pthread_mutex_unlock(&verbs->lost_lock);
	if (lost)
		events->lost(arg, verbs->reason);
	for (uint32_t i = 0; i < verbs->params.lanes; i++)
		if (atomic_load(&verbs->lanes[i].state) == VERBS_OPEN)
			verbs_watch(&verbs->lanes[i]);
}

static void verbs_poll(struct xfer_transport *transport, uint32_t number)
{
	struct verbs_lane *lane = lane_at(transport, number);

	if (atomic_load_explicit(&lane->state, memory_order_acquire) >= VERBS_CONNECTED)
		verbs_poll_lane(lane);
}

/* Whoever comes between the last look and the arming is found by another look. */
static void arm(struct verbs_lane *lane)
{
	int err = ibv_req_notify_cq(lane->cq, 0);

	if (err == EACCES && !verbs_events_is_current()) {
		leave_errand(lane, VERBS_ARM);
		return;
	}
	if (err)
		verbs_lose(lane->verbs, "lane %u: its completion queue can't be armed: %s",
			lane->number, strerror(err));
	verbs_poll_lane(lane);
}

/* send_lock is held. A write of nothing: what is in the queue goes with it. */
static int ring(struct verbs_lane *lane)
{
	struct verbs_sending nothing = { .count = 1, .requests[0].opcode = IBV_WR_RDMA_WRITE };

	if (!has_room(lane, 1))
		return EAGAIN;
	number(lane, &nothing);
	return post(lane, &nothing);
}

/* send_lock is held. */
static int post_deferred(struct verbs_lane *lane)
{
	int err = 0;

	while (err == 0 && lane->ndeferred > 0) {
		err = post(lane, &lane->deferred[lane->first_deferred]);
		lane->first_deferred = (lane->first_deferred + 1) % lane->verbs->sq;
		lane->ndeferred--;
	}
	return err;
}

/* Of struct xfer_task. */
static void run_errand(struct xfer_task *task)
{
	struct verbs_lane *lane =
		(struct verbs_lane *)((char *)task - offsetof(struct verbs_lane, errand));
	unsigned errands = atomic_exchange(&lane->errands, 0);
	struct xfer_verbs *verbs = lane->verbs;
	int err = 0;

	/* Then there is room: what was carried out is known to be. */
	if (errands & VERBS_RING)
		verbs_poll_lane(lane);
	pthread_mutex_lock(&lane->send_lock);
	if (errands & VERBS_RING)
		err = ring(lane);
	if (err == 0)
		err = post_deferred(lane);
	pthread_mutex_unlock(&lane->send_lock);
	if (err)
		verbs_lose(verbs, "lane %u: its doorbell can't be rung: %s", lane->number,
			strerror(err));
	if (errands & VERBS_ARM)
		arm(lane);
	pthread_mutex_lock(&verbs->watch_lock);
	verbs->errands--;
	pthread_cond_broadcast(&verbs->changed);
	pthread_mutex_unlock(&verbs->watch_lock);
}

static void verbs_await(struct xfer_transport *transport, uint32_t number)
{
	struct xfer_verbs *verbs = verbs_of(transport);
	struct verbs_lane *lane = lane_at(transport, number);
	uint64_t until;

	if (atomic_load_explicit(&lane->state, memory_order_acquire) < VERBS_CONNECTED)
		return;
	until = xfer_now_ns() + verbs->params.poll_us * UINT64_C(1000);
	do
		verbs_poll_lane(lane);
	while (verbs->events->waits(verbs->events_arg, number) && xfer_now_ns() < until);
	if (verbs->events->waits(verbs->events_arg, number))
		arm(lane);
}

/* Of struct xfer_pollable: the completion queue has an event. */
void verbs_lane_ready(struct xfer_pollable *pollable, uint32_t what)
{
	struct verbs_lane *lane =
		(struct verbs_lane *)((char *)pollable - offsetof(struct verbs_lane, pollable));
	struct xfer_verbs *verbs = lane->verbs;
	struct ibv_cq *cq;
	void *context;

	(void)what;
	/* Acknowledging takes a lock each time, so it is done at the end. */
	while (ibv_get_cq_event(lane->channel, &cq, &context) == 0)
		lane->unacked++;
	/* Of a device that is gone the descriptor is ready for ever. */
	if (errno != EAGAIN && errno != EINTR) {
		xfer_lane_remove(lane->thread, lane->channel->fd, pollable);
		verbs_lose(verbs, "lane %u: its completions can't be heard any more: %s",
			lane->number, strerror(errno));
	}
	atomic_fetch_add_explicit(&lane->nwakeups, 1, memory_order_relaxed);
	xfer_count(XFER_CNT_QUEUE_WAKEUPS, 1);
	verbs_poll_lane(lane);
	if (verbs->events->waits(verbs->events_arg, lane->number))
		arm(lane);
}

/* Of struct xfer_ticker: what nobody looks at, errors above all, is found now. */
void verbs_lane_tick(struct xfer_ticker *ticker, uint64_t now_ns)
{
	struct verbs_lane *lane =
		(struct verbs_lane *)((char *)ticker - offsetof(struct verbs_lane, ticker));
	struct xfer_verbs *verbs = lane->verbs;

	verbs_poll_lane(lane);
	verbs->events->tick(verbs->events_arg, lane->number, now_ns);
}

/* --- how bytes announce themselves -------------------------------------------------------------- */

static int post_probe(struct verbs_lane *lane)
{
	struct verbs_sending sending = { .count = 1 };
	int err;

	sending.requests[0] = (struct ibv_send_wr){
		.opcode = IBV_WR_RDMA_WRITE_WITH_IMM,
		.send_flags = IBV_SEND_SIGNALED,
		.wr_id = IS_SEND | 1,
	};
	if (lane->announce == VERBS_MESSAGE) {
		sending.requests[0].opcode = IBV_WR_SEND;
		sending.requests[0].send_flags |= IBV_SEND_INLINE;
		sending.requests[0].num_sge = 1;
	}
	err = -post(lane, &sending);
	if (err == 0)
		lane->posted = 1;
	return err;
}

/* Nobody else uses the lane yet. */
static int await_probe(struct verbs_lane *lane, char *why, size_t why_len)
{
	uint64_t until = xfer_now_ns() + PROBE_NS;
	struct harvest harvest = { 0 };

	while (atomic_load(&lane->completed) == 0 && !harvest.failed && xfer_now_ns() < until)
		(void)look(lane, &harvest);
	if (atomic_load(&lane->completed) > 0)
		return 0;
	verbs_explain(why, why_len, "lane %u on %s is connected, but carries nothing: %s",
		lane->number, lane->verbs->devices[lane->device].name,
		harvest.failed ? ibv_wc_status_str(harvest.status) : "no completion in 5 s");
	return -EIO;
}

int verbs_probe(struct verbs_lane *lane, char *why, size_t why_len)
{
	int err;

	lane->announce = VERBS_IMMEDIATE;
	lane->probed = true; /* the host doesn't probe */
	err = post_probe(lane);
	if (err) {
		lane->announce = VERBS_MESSAGE;
		err = post_probe(lane);
	}
	if (err) {
		verbs_explain(why, why_len, "lane %u on %s is connected, but takes no writes: %s",
			lane->number, lane->verbs->devices[lane->device].name, strerror(-err));
		return err;
	}
	err = await_probe(lane, why, why_len);
	if (err == 0)
		atomic_store(&lane->state, VERBS_OPEN);
	return err;
}

/* --- life --------------------------------------------------------------------------------------- */

void verbs_ref(struct xfer_verbs *verbs)
{
	atomic_fetch_add(&verbs->refs, 1);
}

void verbs_unref(struct xfer_verbs *verbs)
{
	if (atomic_fetch_sub(&verbs->refs, 1) != 1)
		return;
	for (unsigned i = 0; i < verbs->ndevices; i++) {
		(void)ibv_dealloc_pd(verbs->devices[i].pd);
		verbs_events_remove(&verbs->devices[i]);
	}
	for (uint32_t i = 0; i < verbs->params.lanes; i++) {
		/* The ids come last: as long as there is one of them the device can't be closed. */
		if (verbs->lanes[i].id)
			(void)rdma_destroy_id(verbs->lanes[i].id);
		pthread_mutex_destroy(&verbs->lanes[i].send_lock);
		pthread_mutex_destroy(&verbs->lanes[i].poll_lock);
	}
	if (verbs->ladder)
		rdma_destroy_event_channel(verbs->ladder);
	pthread_cond_destroy(&verbs->told);
	pthread_mutex_destroy(&verbs->lost_lock);
	pthread_cond_destroy(&verbs->changed);
	pthread_mutex_destroy(&verbs->watch_lock);
	pthread_mutex_destroy(&verbs->lock);
	free(verbs);
	verbs_events_put();
}

static void verbs_free(struct xfer_transport *transport)
{
	struct xfer_verbs *verbs = verbs_of(transport);

	verbs_unexpect(verbs);
	fall_silent(verbs);
	verbs_end_lanes(verbs);
	verbs_unref(verbs);
}

static const struct xfer_transport_ops verbs_ops = {
	.path = XFER_PATH_VERBS,
	.immediates = true,
	.stage = verbs_stage,
	.send = verbs_send,
	.fetch = verbs_fetch,
	.free = verbs_free,
	.start = verbs_start,
	.poll = verbs_poll,
	.await = verbs_await,
	.status = verbs_status,
};

struct xfer_transport *xfer_verbs_transport(struct xfer_verbs *verbs)
{
	return &verbs->transport;
}

static void init_lane(struct xfer_verbs *verbs, uint32_t number)
{
	struct verbs_lane *lane = &verbs->lanes[number];

	lane->verbs = verbs;
	lane->number = number;
	lane->thread = verbs->params.threads[number];
	pthread_mutex_init(&lane->send_lock, NULL);
	pthread_mutex_init(&lane->poll_lock, NULL);
}

int xfer_verbs_create(const struct xfer_verbs_params *params, struct xfer_verbs **result, char *why,
	size_t why_len)
{
	struct xfer_verbs *verbs;
	int err = xfer_device_init(why, why_len);

	if (err == 0)
		err = verbs_events_get(why, why_len);
	if (err)
		return err;
	verbs = calloc(1, sizeof(*verbs) + params->lanes * sizeof(verbs->lanes[0]));
	if (!verbs) {
		verbs_explain(why, why_len, "out of memory");
		verbs_events_put();
		return -ENOMEM;
	}
	verbs->transport.ops = &verbs_ops;
	atomic_init(&verbs->refs, 1);
	verbs->params = *params;
	/* Where a message announces bytes there are two requests for each write. */
	verbs->sq = 2 * (params->sends + VERBS_SIGNAL_EACH + VERBS_RESERVE);
	verbs->rq = params->receives + VERBS_REPOST + 1;
	LIST_INIT(&verbs->memories);
	pthread_mutex_init(&verbs->lost_lock, NULL);
	pthread_cond_init(&verbs->told, NULL);
	pthread_mutex_init(&verbs->lock, NULL);
	pthread_mutex_init(&verbs->watch_lock, NULL);
	pthread_cond_init(&verbs->changed, NULL);
	for (uint32_t i = 0; i < params->lanes; i++)
		init_lane(verbs, i);
	*result = verbs;
	return 0;
}
