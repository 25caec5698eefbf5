/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* initiator.c -- operations: their slots, their requests, and what their answers say */

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "pattern.h"
#include "world.h"

#define WORKERS 4
#define BATCH   6 /* operations under way at a time */

struct worker {
	pthread_t thread;
	unsigned number, left;
	uint64_t nseeds;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned busy; /* operations that aren't over */
	struct op ops[BATCH];
};

static const struct xfer_path_volume volume = { .wish = XFER_WISH_AUTO };

static struct op *op_of(struct xfer_placement *placement)
{
	return (struct op *)((char *)placement - offsetof(struct op, placed));
}

static struct iovec bytes_of(const struct op *op)
{
	return (struct iovec){ op->bytes, op->length };
}

/* --- the end of an operation -------------------------------------------------------------------- */

/* With a slot. It isn't touched any more. */
static void end(struct op *op)
{
	struct worker *worker = op->worker;

	xfer_datapath_unref(r.path);
	pthread_mutex_lock(&worker->lock);
	worker->busy--;
	pthread_cond_signal(&worker->changed);
	pthread_mutex_unlock(&worker->lock);
}

/* I1: what was read is what was asked for, and nothing behind it was touched. */
static void check_bytes(struct op *op)
{
	uint32_t length = op->placed.length;
	size_t at = xfer_pattern_check(op->bytes, length, op->seed);

	CHECK(at == length,
		"I1: READ of lane %u, slot %u, generation %u: the byte at %zu of %u is another "
		"one's",
		op->placed.slot.lane, op->placed.slot.name.slot, op->placed.slot.name.generation,
		at, length);
	for (uint32_t i = length; i < op->length + GUARD; i++)
		CHECK(op->bytes[i] == 0, "a READ of %u bytes has touched the one at %u", length, i);
	tally.reads++;
}

static void abandon(struct op *op)
{
	(void)xfer_datapath_abandon(r.path, &op->placed);
}

void initiator_ready(struct xfer_placement *placement, int err)
{
	struct op *op = op_of(placement);
	struct iovec iov = bytes_of(op);

	if (err == 0) {
		xfer_datapath_take(r.path, placement, &iov, 1);
		check_bytes(op);
	} else {
		CHECK(err == -EAGAIN && r.breaking, "a READ's bytes don't come: %d", err);
	}
	end(op);
}

static void answer_read(struct op *op, const struct call *call)
{
	struct iovec iov = bytes_of(op);
	int err = xfer_datapath_read(r.path, &op->placed, &call->payload, &iov, 1);

	if (err == -EINPROGRESS) {
		tally.in_progress++;
		return;
	}
	CHECK(err == 0 || (err == -EAGAIN && r.breaking), "a READ's answer: %d", err);
	if (err == 0 && call->answer == ANSWER_SLOT)
		check_bytes(op);
	tally.empty_reads += call->answer == ANSWER_NONE;
	end(op);
}

static void answer_write(struct op *op, const struct call *call)
{
	int err = xfer_datapath_written(r.path, &op->placed, &call->payload.slot);

	CHECK(err == 0, "a WRITE's answer: %d", err);
	tally.writes++;
	end(op);
}

void initiator_answer(struct call *call)
{
	struct op *op = call->op;

	if (op->forsaken) {
		end(op);
	} else if (call->answer == ANSWER_RESEND) {
		abandon(op);
		end(op);
	} else if (op->write) {
		answer_write(op, call);
	} else {
		answer_read(op, call);
	}
	free(call);
}

/* --- the beginning ------------------------------------------------------------------------------ */

/* Whether it may go inline for this reason. */
static bool may_be(const struct op *op, enum xfer_path_cause cause)
{
	switch (cause) {
	case XFER_CAUSE_SMALL:
		return op->length <= INLINE;
	case XFER_CAUSE_TOO_LONG:
		/* Chunks may have small slots only, or retire while a slot is looked for. */
		return op->length > (op->write ? INLINE : LARGE);
	case XFER_CAUSE_EXHAUSTED:
		return op->length > INLINE && op->length <= LARGE;
	case XFER_CAUSE_REFUSED:
		return op->length > INLINE && op->write;
	case XFER_CAUSE_NO_PATH:
		return r.breaking;
	default:
		return false;
	}
}

static void count_inline(const struct op *op, enum xfer_path_cause cause)
{
	CHECK(may_be(op, cause), "a %s of %u bytes goes inline: %s", op->write ? "WRITE" : "READ",
		op->length, xfer_path_cause_name(cause));
	tally.small += cause == XFER_CAUSE_SMALL;
	tally.too_long += cause == XFER_CAUSE_TOO_LONG;
	tally.exhausted += cause == XFER_CAUSE_EXHAUSTED;
}

static enum xfer_path_cause take_slot(struct op *op, uint32_t lane)
{
	struct iovec iov = bytes_of(op);

	if (!op->write) {
		memset(op->bytes, 0, op->length + GUARD);
		return xfer_datapath_offer(r.path, &volume, lane, op->length, &op->placed);
	}
	xfer_pattern_fill(op->bytes, op->length, op->seed);
	return xfer_datapath_write(r.path, &volume, lane, &iov, 1, op->length, &op->placed);
}

/* The request is sent; the operation may be over then. */
static void request(struct op *op)
{
	struct call *call = calloc(1, sizeof(*call));
	bool forsaken = op->forsaken;

	CHECK(call, "out of memory");
	call->op = op;
	call->seed = op->seed;
	call->slot = op->placed.slot;
	call->placed = (struct xfer_placement){
		.direction = op->placed.direction, .slot = op->placed.slot, .length = op->length
	};
	tally.wraps16 += (op->placed.slot.name.generation & 0xffff) == 0;
	tally.wraps32 += op->placed.slot.name.generation == 0;
	tally.abandoned += forsaken;
	/* As by a timeout: the host is told all the same. */
	if (forsaken)
		abandon(op);
	channel_send(call);
}

static void begin(struct op *op, bool write, uint32_t length, uint32_t lane)
{
	struct worker *worker = op->worker;
	enum xfer_path_cause cause;

	op->write = write;
	op->length = length;
	op->seed = (uint64_t)r.number << 40 | (uint64_t)worker->number << 32 | ++worker->nseeds;
	/* Only a path that breaks gets such slots back. */
	op->forsaken = r.breaks && rnd(32) == 0;
	xfer_datapath_ref(r.path);
	cause = take_slot(op, lane);
	if (cause != XFER_CAUSE_NONE) {
		count_inline(op, cause);
		end(op);
		return;
	}
	say("%s of %u bytes: lane %u, slot %u, generation %u%s", write ? "WRITE" : "READ", length,
		lane, op->placed.slot.name.slot, op->placed.slot.name.generation,
		op->forsaken ? ", forsaken" : "");
	request(op);
}

/* --- workers ------------------------------------------------------------------------------------ */

static void await_all(struct worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	while (worker->busy > 0)
		pthread_cond_wait(&worker->changed, &worker->lock);
	pthread_mutex_unlock(&worker->lock);
}

static void run_batch(struct worker *worker)
{
	unsigned number = 1 + rnd(BATCH);

	number = number < worker->left ? number : worker->left;
	worker->left -= number;
	worker->busy = number;
	for (unsigned i = 0; i < number; i++)
		begin(&worker->ops[i], rnd(2), random_length(), rnd(LANES));
	await_all(worker);
}

static void *work(void *arg)
{
	struct worker *worker = arg;

	chance_thread(r.number * (WORKERS + 1) + worker->number);
	while (worker->left > 0 && !r.ending)
		run_batch(worker);
	return NULL;
}

static void worker_begin(struct worker *worker, unsigned number)
{
	*worker = (struct worker){ .number = number };
	pthread_mutex_init(&worker->lock, NULL);
	pthread_cond_init(&worker->changed, NULL);
	for (int i = 0; i < BATCH; i++) {
		worker->ops[i].worker = worker;
		worker->ops[i].bytes = malloc(LARGE + 1 + GUARD);
		CHECK(worker->ops[i].bytes, "out of memory");
	}
}

static void worker_end(struct worker *worker)
{
	for (int i = 0; i < BATCH; i++)
		free(worker->ops[i].bytes);
	pthread_mutex_destroy(&worker->lock);
	pthread_cond_destroy(&worker->changed);
}

void initiator_run(unsigned operations)
{
	static struct worker workers[WORKERS];

	for (unsigned i = 0; i < WORKERS; i++) {
		worker_begin(&workers[i], i);
		workers[i].left = operations / WORKERS + 1;
		CHECK(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0,
			"no thread");
	}
	for (unsigned i = 0; i < WORKERS; i++) {
		pthread_join(workers[i].thread, NULL);
		worker_end(&workers[i]);
	}
}

void initiator_spin(unsigned reads)
{
	static struct worker worker;

	worker_begin(&worker, WORKERS);
	for (unsigned i = 0; i < reads; i++) {
		worker.busy = 1;
		begin(&worker.ops[0], false, INLINE + 1, 0);
		await_all(&worker);
	}
	worker_end(&worker);
}
