/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* initiator.c -- the initiator: its operations, from a slot to the answer */

#include <errno.h>
#include <stddef.h>

#include "world.h"

struct xfer_lmrm *pool_of(const struct op *op)
{
	return w.lanes[op->lane].sides[op->write ? WRITE : READ].pool;
}

static void send_op(struct op *op, bool slotted)
{
	struct message call = { .kind = CALL,
		.lane = op->lane,
		.call = (int)(op - w.ops),
		.offset = op->offset,
		.write = op->write,
		.slotted = slotted,
		.sequence = op->sequence,
		.id = op->id,
		.length = op->length,
		.name = op->slot.name };

	op->phase = SENT;
	say("call %d seq %u id %u sent %s", call.call, op->sequence, op->id,
		slotted ? "with a slot" : "inline");
	send_message(&call);
}

/* A write into a slot of this name may still come, and no RPC will that names it. */
static void discard_later(const struct op *op)
{
	if (op->write && w.ndiscards < DISCARDS)
		w.discards[w.ndiscards++] = (struct message){ .kind = DISCARD,
			.lane = op->lane,
			.write = true,
			.slotted = true,
			.name = op->slot.name };
}

/* Nobody waits for the host's answer about the slot any more. */
static void quarantine(struct op *op)
{
	if (!op->slotted || xfer_lmrm_quarantine(pool_of(op), &op->slot.name, w.now) < 0)
		return;
	w.quarantined++;
	if (w.broken == TIMEOUT) {
		if (op->write)
			xfer_lmrm_reply(pool_of(op), &op->slot.name);
		else
			xfer_lmrm_read_reply(pool_of(op), &op->slot.name, false, 0);
	}
}

static void end_op(struct op *op)
{
	struct xfer_slot_name name;

	quarantine(op);
	if (op->slotted && op->write &&
		xfer_lmrm_look(pool_of(op), op->slot.name.slot, &name) == XFER_SLOT_QUARANTINED &&
		name.generation == op->slot.name.generation)
		discard_later(op);
	op->active = op->slotted = false;
	say("call %d over", (int)(op - w.ops));
}

/* --- begin, and send ----------------------------------------------------------------------------- */

static void reserve(struct op *op)
{
	int err = accident(6) ? -EAGAIN : xfer_lmrm_reserve(pool_of(op), op->length, &op->slot);

	op->slotted = err == 0;
	op->phase = RESERVED;
	if (err == -EAGAIN && rnd(4) > 0) {
		err = xfer_lmrm_wait(pool_of(op), &op->waiter, op->length, w.now);
		op->waits = err == 0;
	}
	if (err < 0)
		send_op(op, false);
	else if (op->slotted)
		say("call %d has %u.%u.%u of lane %d", (int)(op - w.ops), op->slot.name.epoch,
			op->slot.name.slot, op->slot.name.generation, op->lane);
}

void new_op(void)
{
	static const uint32_t lengths[] = { 0, 1, 15, 16, 17, 63, 64, 65 };
	struct op *op = &w.ops[rnd(CALLS)];
	uint32_t sequence = op->sequence;

	if (op->active)
		return;
	*op = (struct op){ .active = true,
		.sequence = sequence + 1,
		.id = ++w.ids,
		.write = rnd(3) > 0,
		.slow = rnd(24) == 0,
		.lane = (int)rnd(LANES),
		.offset = (int)rnd(OFFSETS),
		.length = lengths[rnd(8)] };
	op->version = w.versions[op->offset];
	reserve(op);
}

void serve_waiters(void)
{
	for (int i = 0; i < LANES; i++)
		for (int j = 0; j < 2; j++) {
			struct xfer_lmrm_waiter *waiter;

			while ((waiter = xfer_lmrm_served(w.lanes[i].sides[j].pool, w.now))) {
				struct op *op =
					(void *)((char *)waiter - offsetof(struct op, waiter));

				op->waits = false;
				op->slotted = waiter->result == 0;
				op->slot = waiter->slot;
				if (!op->slotted)
					send_op(op, false);
			}
		}
}

/* By its own hands over shared memory, else by a posted write; both go on when the path is lost meanwhile. */
static void fill(struct op *op)
{
	bool verbs = w.lanes[op->lane].verbs;

	if (!verbs) {
		store(op->slot.address, op->phase == COPYING, op->id, 0);
		if (op->phase == RESERVED) {
			op->phase = COPYING;
			return;
		}
	}
	if (xfer_lmrm_filled(pool_of(op), &op->slot.name) < 0) {
		op->slotted = false;
		send_op(op, false);
		return;
	}
	op->phase = FILLED;
	if (verbs)
		post(op->lane, true, &op->slot.name, op->slot.address, op->id, 0);
}

static void abort_op(struct op *op)
{
	int result = xfer_lmrm_abort(pool_of(op), &op->slot.name, w.now);

	say("call %d aborted: %d", (int)(op - w.ops), result);
	if (result == XFER_ABORT_CANCEL) {
		w.quarantined++;
		discard_later(op);
		if (w.broken == ABORT)
			xfer_lmrm_reply(pool_of(op), &op->slot.name);
	}
	op->slotted = false;
	if (rnd(2))
		send_op(op, false);
	else
		op->active = false;
}

static void submit(struct op *op)
{
	int err = op->write ? xfer_lmrm_submitted(pool_of(op), &op->slot.name)
			    : xfer_lmrm_offered(pool_of(op), &op->slot.name, op);

	op->slotted = err == 0;
	w.slotted += err == 0;
	send_op(op, err == 0);
}

/* What is sent again has its old numbers: by the slot if nothing is known of that one, or inline. READs just end. */
static void time_out(struct op *op)
{
	struct message cancel = { .kind = CANCEL,
		.lane = op->lane,
		.call = (int)(op - w.ops),
		.sequence = op->sequence };

	if (w.fair && w.nmessages > 0)
		return;
	if (!op->write) {
		end_op(op);
		return;
	}
	switch (rnd(4)) {
	case 0:
		if (op->slotted)
			send_op(op, true);
		break;
	case 1:
		quarantine(op);
		send_message(&cancel);
		break;
	default:
		quarantine(op);
		send_op(op, false);
		break;
	}
}

void op_step(void)
{
	unsigned first = rnd(CALLS), i = 0;
	struct op *op;

	do {
		if (i == CALLS)
			return;
		op = &w.ops[(first + i++) % CALLS];
	} while (!op->active || op->waits || (op->phase == SENT && rnd(4)) ||
		 (op->slow && !w.fair && rnd(100)));
	switch (op->phase) {
	case RESERVED:
	case COPYING:
	case FILLED:
		if (accident(8) && (op->write || op->phase == RESERVED))
			abort_op(op);
		else if (op->write && op->phase != FILLED)
			fill(op);
		else
			submit(op);
		break;
	case SENT:
		if (rnd(12) == 0)
			time_out(op);
		break;
	case DELIVERED:
		xfer_lmrm_release(pool_of(op), &op->slot.name);
		op->slotted = false;
		end_op(op);
		break;
	}
}

/* --- answers and immediates ---------------------------------------------------------------------- */

static void check_version(const struct op *op, uint32_t version)
{
	CHECK(version >= op->version && version <= w.versions[op->offset],
		"I9: a READ shows what was before it or never");
}

static void delivered(struct op *op)
{
	op->phase = DELIVERED;
	w.delivered++;
	CHECK(whole(op->slot.address, op->id), "I1: a READ's slot has other bytes");
	check_version(op, words(op->slot.address)[1]);
}

void read_answered(struct op *op, const struct message *message)
{
	int event = -ESTALE;

	if (message->slotted)
		event = xfer_lmrm_read_reply(w.lanes[message->lane].sides[READ].pool,
			&message->name, message->placed, message->length);
	CHECK(event != -EPROTO, "the host's reply to a READ isn't one");
	if (!op->active || op->sequence != message->sequence || op->phase != SENT)
		return;
	if (event == XFER_READ_READY) {
		delivered(op);
	} else if (event != XFER_READ_WAITS) {
		if (!message->slotted && message->answer == OK && !op->slotted)
			check_version(op, message->version);
		end_op(op);
	}
}

static void release_by_reply(const struct message *message)
{
	struct xfer_lmrm *pool = w.lanes[message->lane].sides[WRITE].pool;
	struct xfer_slot_name name = message->name;

	if (w.broken == REPLY) {
		int state = xfer_lmrm_look(pool, name.slot, &name);

		if (state != XFER_SLOT_SUBMITTED && state != XFER_SLOT_QUARANTINED)
			return;
	}
	CHECK(xfer_lmrm_reply(pool, &name) != -EPROTO, "the host answers what it wasn't told");
}

void write_answered(struct op *op, const struct message *message)
{
	if (message->slotted)
		release_by_reply(message);
	if (message->kind == ANSWER && message->id == 0)
		return; /* to a DISCARD */
	if (!op->active || op->sequence != message->sequence || op->phase != SENT)
		return;
	if (message->answer == RESEND) {
		quarantine(op);
		send_op(op, false);
		return;
	}
	CHECK(op->executed == (message->answer == OK), "I6: call answered %s was executed %u times",
		message->answer == OK ? "OK" : "DELAY", op->executed);
	end_op(op);
}

void initiator_immediate(const struct transit *transit)
{
	struct xfer_lmrm *pool = w.lanes[transit->lane].sides[READ].pool;
	void *user;
	int event = xfer_lmrm_immediate(
		pool, transit->name.epoch, xfer_immediate(&transit->name), &user);

	say("immediate %u.%u.%u: %d", transit->name.epoch, transit->name.slot,
		transit->name.generation, event);
	CHECK(event != -EPROTO, "the host's immediate isn't one");
	if (event == XFER_READ_READY)
		delivered(user);
}
