/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* raw.c -- how fast this host's queue pairs are: a data path's writes, without RPCs */

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "clock.h"
#include "counters.h"
#include "log.h"
#include "pattern.h"
#include "raw_link.h"
#include "xfer/xfer.h"

#define SILENCE_MS 10000 /* retransmissions are given up sooner */

/* A slot is the sender's, or flies: from before its write until its immediate. Under the lock, as far as it changes. */
struct slot {
	struct xfer_placement placement;
	bool flying;
	uint64_t sent_ns;
};

/*
 * The calling thread sends as long as there are free slots. Whoever finds immediates at the host's end gives slots back:
 * a lane's thread, or the calling one when it has none.
 */
struct raw {
	const struct xfer_raw_params *params;
	struct xfer_raw_link link;
	struct slot *slots;
	uint64_t sent;      /* the sender's: in this round */
	_Atomic bool check; /* the bytes of each write in this round */

	pthread_mutex_t lock; /* all that follows */
	pthread_cond_t freed;
	uint32_t *free; /* a circle of depth, in the order in which they became free */
	uint32_t first_free, nfree;
	uint32_t wanted; /* so many free ones are waited for; 0: nobody waits */
	bool lost;
	char why[256]; /* lost */

	/* of this round */
	uint64_t operations, latency_ns, max_ns;
	uint64_t last_ns; /* its latest immediate; at first its beginning */
};

static void lose(struct raw *raw, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Nothing more is sent. The first reason counts. */
static void lose(struct raw *raw, const char *format, ...)
{
	va_list ap;

	pthread_mutex_lock(&raw->lock);
	va_start(ap, format);
	if (!raw->lost)
		vsnprintf(raw->why, sizeof(raw->why), format, ap);
	va_end(ap);
	raw->lost = true;
	pthread_cond_signal(&raw->freed);
	pthread_mutex_unlock(&raw->lock);
}

/* --- immediates: any thread that polls ---------------------------------------------------------- */

static uint64_t seed_of(const struct slot *slot)
{
	const struct xfer_slot_name *name = &slot->placement.slot.name;

	return (uint64_t)name->generation << 16 | name->slot;
}

/* The slot's write has ended. NULL: nobody has sent that. */
static struct slot *land(struct raw *raw, uint32_t lane, uint32_t immediate)
{
	uint32_t number = xfer_immediate_slot(immediate);
	struct slot *slot = number < raw->params->depth ? &raw->slots[number] : NULL;
	bool ours;

	pthread_mutex_lock(&raw->lock);
	ours = slot && slot->flying && slot->placement.slot.lane == lane &&
	       xfer_immediate_names(immediate, slot->placement.slot.name.generation);
	if (ours)
		slot->flying = false;
	pthread_mutex_unlock(&raw->lock);
	return ours ? slot : NULL;
}

static bool is_intact(const struct raw *raw, const struct slot *slot)
{
	uint32_t size = raw->params->size;
	uint64_t offset = slot->placement.slot.name.slot * (uint64_t)size;
	const uint8_t *bytes = (const uint8_t *)(uintptr_t)raw->link.host.memory->base + offset;

	return xfer_pattern_check(bytes, size, seed_of(slot)) == size;
}

/* The lock is held. */
static void tally(struct raw *raw, const struct slot *slot)
{
	uint64_t now = xfer_now_ns(), took = now - slot->sent_ns;

	raw->operations++;
	raw->latency_ns += took;
	raw->max_ns = took > raw->max_ns ? took : raw->max_ns;
	raw->last_ns = now;
}

static void give_back(struct raw *raw, const struct slot *slot)
{
	uint32_t depth = raw->params->depth;

	pthread_mutex_lock(&raw->lock);
	tally(raw, slot);
	raw->free[(raw->first_free + raw->nfree++) % depth] = slot->placement.slot.name.slot;
	if (raw->wanted > 0 && raw->nfree >= raw->wanted)
		pthread_cond_signal(&raw->freed);
	pthread_mutex_unlock(&raw->lock);
}

static void host_immediate(void *arg, uint32_t lane, uint32_t immediate)
{
	struct raw *raw = arg;
	struct slot *slot = land(raw, lane, immediate);

	if (!slot) {
		lose(raw, "lane %u: an immediate has come that nobody has sent: %08x", lane,
			immediate);
		return;
	}
	if (raw->check && !is_intact(raw, slot))
		lose(raw,
			"lane %u: the bytes in slot %u are others than were written: check "
			"memory and device of this host",
			lane, slot->placement.slot.name.slot);
	give_back(raw, slot);
}

static bool host_waits(void *arg, uint32_t lane)
{
	struct raw *raw = arg;
	bool waits;

	(void)lane;
	pthread_mutex_lock(&raw->lock);
	waits = raw->nfree < raw->wanted && !raw->lost;
	pthread_mutex_unlock(&raw->lock);
	return waits;
}

/* The initiator's end is written to by nobody. */
static void no_immediate(void *arg, uint32_t lane, uint32_t immediate)
{
	lose(arg, "lane %u: an immediate has come at the initiator: %08x", lane, immediate);
}

static bool never_waits(void *arg, uint32_t lane)
{
	(void)arg;
	(void)lane;
	return false;
}

static void tick(void *arg, uint32_t lane, uint64_t now_ns)
{
	(void)arg;
	(void)lane;
	(void)now_ns;
}

static void link_lost(void *arg, const char *why)
{
	lose(arg, "%s", why);
}

static const struct xfer_transport_events host_events = {
	.immediate = host_immediate,
	.waits = host_waits,
	.tick = tick,
	.lost = link_lost,
};

static const struct xfer_transport_events initiator_events = {
	.immediate = no_immediate,
	.waits = never_waits,
	.tick = tick,
	.lost = link_lost,
};

/* --- sending: the calling thread ---------------------------------------------------------------- */

/* NULL: all are flying, or it is lost. */
static struct slot *take_free(struct raw *raw)
{
	struct slot *slot = NULL;

	pthread_mutex_lock(&raw->lock);
	if (raw->nfree > 0 && !raw->lost) {
		slot = &raw->slots[raw->free[raw->first_free]];
		raw->first_free = (raw->first_free + 1) % raw->params->depth;
		raw->nfree--;
		slot->placement.slot.name.generation++;
		slot->flying = true;
		slot->sent_ns = xfer_now_ns();
	}
	pthread_mutex_unlock(&raw->lock);
	return slot;
}

/* Slots come back sooner than completions do, here, so the queue may be full for a moment. */
static int post(struct raw *raw, const struct xfer_placement *placement)
{
	struct xfer_transport *transport = raw->link.initiator.transport;
	int err;

	while ((err = transport->ops->send(transport, placement)) == -EAGAIN)
		sched_yield();
	return err;
}

static void send_slot(struct raw *raw, struct slot *slot)
{
	struct xfer_transport *transport = raw->link.initiator.transport;
	int err = transport->ops->stage(transport, &slot->placement);

	if (err == 0 && raw->check)
		xfer_pattern_fill(slot->placement.memory, raw->params->size, seed_of(slot));
	if (err == 0)
		err = post(raw, &slot->placement);
	if (err)
		lose(raw, "lane %u: a write can't be sent: %s", slot->placement.slot.lane,
			strerror(-err));
	raw->sent++;
}

/* The lock is held. */
static void sleep_for_slots(struct raw *raw)
{
	uint64_t begun = xfer_now_ns();

	while (raw->nfree < raw->wanted && !raw->lost) {
		uint64_t heard = raw->last_ns > begun ? raw->last_ns : begun;
		struct timespec until = xfer_timespec(heard + SILENCE_MS * XFER_NS_PER_MS);

		if (pthread_cond_timedwait(&raw->freed, &raw->lock, &until) != ETIMEDOUT ||
			raw->last_ns > heard || raw->lost)
			continue;
		snprintf(raw->why, sizeof(raw->why), "nothing has come for %d s, of %u writes",
			SILENCE_MS / 1000, raw->params->depth - raw->nfree);
		raw->lost = true;
	}
	raw->wanted = 0;
}

/* Looks for immediates, as somebody who has an RPC that waits for one; then a lane's thread does. False: it is lost. */
static bool await_free(struct raw *raw, uint32_t wanted)
{
	struct xfer_transport *host = raw->link.host.transport;
	bool lost;

	pthread_mutex_lock(&raw->lock);
	raw->wanted = wanted;
	pthread_mutex_unlock(&raw->lock);
	/* All of them: else a lane whose slots came first would keep the others' from being found. */
	for (unsigned i = 0; i < raw->link.lanes; i++)
		host->ops->poll(host, i);
	for (unsigned i = 0; i < raw->link.lanes && host_waits(raw, i); i++)
		host->ops->await(host, i);
	pthread_mutex_lock(&raw->lock);
	sleep_for_slots(raw);
	lost = raw->lost;
	pthread_mutex_unlock(&raw->lock);
	return !lost;
}

/* So many writes; 0: for so many seconds, at least one. All have landed afterwards; false: it is lost. */
static bool run(struct raw *raw, uint64_t operations, double seconds)
{
	uint64_t until = xfer_now_ns() + (uint64_t)(seconds * 1e9);

	raw->sent = 0;
	do {
		struct slot *slot = take_free(raw);

		if (slot)
			send_slot(raw, slot);
		else if (!await_free(raw, 1))
			return false;
	} while (operations ? raw->sent < operations : xfer_now_ns() < until);
	return await_free(raw, raw->params->depth);
}

/* --- measuring ---------------------------------------------------------------------------------- */

/* What is counted in the process, before and after. */
struct reading {
	uint64_t ns, posts, completions, wakeups;
	double cpu; /* seconds, of all threads */
};

static double seconds_of(const struct timeval *time)
{
	return (double)time->tv_sec + (double)time->tv_usec / 1e6;
}

static struct reading read_all(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (struct reading){
		.ns = xfer_now_ns(),
		.posts = xfer_counters[XFER_CNT_POSTS],
		.completions = xfer_counters[XFER_CNT_COMPLETIONS],
		.wakeups = xfer_counters[XFER_CNT_QUEUE_WAKEUPS],
		.cpu = seconds_of(&usage.ru_utime) + seconds_of(&usage.ru_stime),
	};
}

static void conclude(const struct raw *raw, const struct reading *before,
	const struct reading *after, struct xfer_raw_result *result)
{
	*result = (struct xfer_raw_result){
		.operations = raw->operations,
		.bytes = raw->operations * raw->params->size,
		.seconds = (double)(raw->last_ns - before->ns) / 1e9,
		.cpu_seconds = after->cpu - before->cpu,
		.mean_us = (double)raw->latency_ns / 1e3 / (double)raw->operations,
		.max_us = (double)raw->max_ns / 1e3,
		.posts = after->posts - before->posts,
		.completions = after->completions - before->completions,
		.wakeups = after->wakeups - before->wakeups,
	};
	memcpy(result->address, raw->link.address, sizeof(result->address));
}

/* Nothing flies. */
static void reset(struct raw *raw, bool check)
{
	pthread_mutex_lock(&raw->lock);
	assert(raw->nfree == raw->params->depth);
	raw->operations = raw->latency_ns = raw->max_ns = 0;
	raw->last_ns = xfer_now_ns();
	raw->check = check;
	pthread_mutex_unlock(&raw->lock);
}

/* A first write of each slot shows that the bytes are what was written. */
static int measure(struct raw *raw, struct xfer_raw_result *result)
{
	const struct xfer_raw_params *params = raw->params;
	struct reading before, after;

	reset(raw, true);
	if (!run(raw, params->depth, 0))
		return -EIO;
	reset(raw, params->verify);
	before = read_all();
	if (!run(raw, params->operations, params->seconds))
		return -EIO;
	after = read_all();
	conclude(raw, &before, &after, result);
	return 0;
}

/* --- life --------------------------------------------------------------------------------------- */

static bool are_valid(const struct xfer_raw_params *params)
{
	return params->size > 0 && params->size <= XFER_IO_MAX && params->depth > 0 &&
	       params->depth <= XFER_RAW_DEPTH_MAX && params->lanes > 0 &&
	       params->lanes <= XFER_LANES_MAX && (params->operations > 0 || params->seconds > 0);
}

static void lay_out(struct raw *raw)
{
	struct xfer_memory *mirror = raw->link.initiator.memory;

	for (uint32_t i = 0; i < raw->params->depth; i++) {
		raw->slots[i].placement = (struct xfer_placement){
			.direction = XFER_POOL_WRITE,
			.slot = { .lane = i % raw->link.lanes,
				.name = { .epoch = 1, .slot = (uint16_t)i } },
			.address = mirror->base + i * (uint64_t)raw->params->size,
			.in = mirror,
			.length = raw->params->size,
		};
		raw->free[i] = i;
	}
	raw->nfree = raw->params->depth;
}

static int open_all(struct raw *raw, char *why, size_t why_len)
{
	const struct xfer_raw_params *params = raw->params;
	struct xfer_raw_link_params link = {
		.address = params->address,
		.lanes = params->lanes,
		.writes = (params->depth + params->lanes - 1) / params->lanes,
		.bytes = params->depth * (uint64_t)params->size,
		.poll_us = params->poll_us ? params->poll_us : XFER_VERBS_POLL_US,
		.initiator = &initiator_events,
		.host = &host_events,
		.arg = raw,
	};
	int err;

	raw->slots = calloc(params->depth, sizeof(raw->slots[0]));
	raw->free = calloc(params->depth, sizeof(raw->free[0]));
	if (!raw->slots || !raw->free) {
		snprintf(why, why_len, "out of memory");
		return -ENOMEM;
	}
	err = xfer_raw_link_open(&raw->link, &link, why, why_len);
	if (err == 0)
		lay_out(raw);
	return err;
}

static void init_locks(struct raw *raw)
{
	pthread_mutex_init(&raw->lock, NULL);
	xfer_cond_init(&raw->freed);
}

int xfer_raw_run(const struct xfer_raw_params *params, struct xfer_raw_result *result, char *why,
	size_t why_len)
{
	struct raw raw = { .params = params };
	int err;

	if (!are_valid(params)) {
		snprintf(why, why_len, "a parameter is out of range");
		return -EINVAL;
	}
	if (params->log)
		xfer_log_set_sink(params->log);
	init_locks(&raw);
	err = open_all(&raw, why, why_len);
	if (err == 0) {
		err = measure(&raw, result);
		xfer_raw_link_close(&raw.link);
		if (err)
			snprintf(why, why_len, "%s", raw.why);
	}
	free(raw.free);
	free(raw.slots);
	pthread_cond_destroy(&raw.freed);
	pthread_mutex_destroy(&raw.lock);
	return err;
}
