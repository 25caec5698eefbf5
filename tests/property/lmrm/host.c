/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* host.c -- the host: what it executes, what it answers, and what it gives up */

#include <errno.h>
#include <string.h>

#include "world.h"

static void answer(struct work *work, enum answer status, bool named, bool placed)
{
	struct message message = work->call;

	message.kind = ANSWER;
	message.answer = status;
	message.slotted = named;
	message.placed = placed;
	message.version = work->version;
	if (work->call.write && work->call.kind == CALL && status != RESEND)
		xfer_replycache_done(&w.cache, (uint32_t)message.call, (const uint8_t *)&message,
			sizeof(message));
	send_message(&message);
	work->active = false;
}

/* It won't be carried out by this arrival. */
static void give_up(struct work *work)
{
	bool write = work->call.write;

	if (work->call.kind == DISCARD) {
		work->active = false;
	} else if (write && work->cancelled) {
		answer(work, DELAY, false, false);
	} else {
		w.resent++;
		if (write)
			xfer_replycache_forget(&w.cache, (uint32_t)work->call.call);
		answer(work, write ? RESEND : REFUSED, false, false);
	}
	if (w.broken == ENDED_PATH && write && work->call.kind == CALL) {
		work->active = work->slotted = true;
		work->waiting = false;
		work->step = 9;
	}
}

static void execute(struct work *work)
{
	struct op *op = &w.ops[work->call.call];

	CHECK(op->active && op->sequence == work->call.sequence,
		"I9: call %d executed after it was answered", work->call.call);
	CHECK(op->executed++ == 0, "I6: call %d executed twice", work->call.call);
	w.versions[op->offset]++;
	w.executed++;
}

static void finish_write(struct work *work)
{
	if (work->slotted)
		xfer_join_done(w.lanes[work->call.lane].sides[WRITE].join, &work->joined.name);
	if (work->call.kind == CALL && !work->cancelled)
		execute(work);
	answer(work, work->cancelled ? DELAY : OK, work->slotted, false);
}

static void read_step(struct work *work)
{
	struct lane *lane = &w.lanes[work->call.lane];
	struct xfer_join *join = lane->sides[READ].join;
	bool placed = true;

	if (work->step == 0)
		work->version = w.versions[work->call.offset];
	if (!work->slotted) {
		answer(work, OK, false, false);
		return;
	}
	if (!lane->verbs && work->step < 2) {
		store(work->joined.address, work->step++, work->call.id, work->version);
		return;
	}
	if (lane->verbs) {
		placed = xfer_join_live(join, &work->joined.name);
		if (placed)
			post(work->call.lane, false, &work->joined.name, work->joined.address,
				work->call.id, work->version);
	}
	xfer_join_done(join, &work->joined.name);
	answer(work, OK, true, placed);
}

void work_step(void)
{
	unsigned first = rnd(WORKS), i = 0;
	struct work *work;

	do {
		if (i == WORKS)
			return;
		work = &w.works[(first + i++) % WORKS];
	} while (!work->active || work->waiting || (work->slow && !w.fair && rnd(100)));
	if (work->step == 9) { /* ended-path: it was given up, and is carried out nevertheless */
		work->active = false;
		execute(work);
		return;
	}
	say("host: call %d step %u", work->call.call, work->step);
	if (!work->call.write)
		read_step(work);
	else if (work->step++ == 2 || work->cancelled)
		finish_write(work);
}

struct work *work_of(int lane, bool write, uint16_t slot, bool waiting)
{
	for (int i = 0; i < WORKS; i++) {
		struct work *work = &w.works[i];

		if (work->active && work->slotted && work->waiting == waiting &&
			work->call.lane == lane && work->call.write == write &&
			work->call.name.slot == slot && work->step != 9)
			return work;
	}
	return NULL;
}

void host_expire(struct lane *lane)
{
	struct xfer_joined joined;

	for (int i = 0; i < 2; i++)
		while (xfer_join_expired(lane->sides[i].join, w.now, &joined)) {
			struct work *work = joined.user;

			say("host: call %d's bytes don't come", work->call.call);
			give_up(work);
		}
}

/* A copy of a message may come when the region that it is about is gone. Real connections have no copies. */
static bool is_late_copy(const struct xfer_lmrm *pool, enum xfer_join_event event, uint16_t slot)
{
	struct xfer_slot_name name;

	return event == XFER_JOIN_UNKNOWN_SLOT && xfer_lmrm_look(pool, slot, &name) == -ENOENT;
}

static void meet(struct work *work)
{
	struct side *side = &w.lanes[work->call.lane].sides[work->call.write ? WRITE : READ];
	struct xfer_slot_name *name = &work->call.name;
	enum xfer_join_event event;

	if (w.broken == LOCAL_EPOCH && name->epoch > w.lanes[work->call.lane].epoch)
		begin_epoch(&w.lanes[work->call.lane]);
	event = xfer_join_rpc(side->join, name, work->call.length, work, w.now, &work->joined);
	if (event == XFER_JOIN_WAIT && w.broken == JOIN)
		event = xfer_join_immediate(
			side->join, name->epoch, xfer_immediate(name), &work->joined);
	say("host: call %d names %u.%u.%u: %s", work->call.call, name->epoch, name->slot,
		name->generation, xfer_join_event_name(event));
	CHECK(!xfer_join_violation(event) || is_late_copy(side->pool, event, name->slot),
		"the initiator names %s", xfer_join_event_name(event));
	work->waiting = event == XFER_JOIN_WAIT;
	if (event == XFER_JOIN_STALE && work->call.write && work->call.kind == CALL)
		fail("a WRITE's slot was used before");
	if (event != XFER_JOIN_GO && event != XFER_JOIN_WAIT)
		give_up(work);
}

static void begin_work(const struct message *call, bool cancelled)
{
	struct work *work = w.works;

	while (work < w.works + WORKS && work->active)
		work++;
	CHECK(work < w.works + WORKS, "too many works");
	*work = (struct work){ .active = true,
		.call = *call,
		.cancelled = cancelled,
		.slotted = call->slotted,
		.slow = rnd(24) == 0 };
	if (call->slotted)
		meet(work);
}

void host_call(const struct message *call)
{
	struct xfer_replayed replayed;
	struct message again;
	enum xfer_replay replay;

	if (!call->write || call->kind == DISCARD) {
		begin_work(call, false);
		return;
	}
	replay = w.broken == CACHE && rnd(4) == 0 && !call->slotted
			 ? XFER_REPLAY_LOST
			 : xfer_replycache_call(&w.cache, (uint32_t)call->call, call->sequence, 26,
				   &w, &replayed);
	if (replay == XFER_REPLAY_LOST) {
		struct work work = { .call = *call };

		execute(&work);
	}
	if (replay == XFER_REPLAY_EXECUTE || replay == XFER_REPLAY_CANCELLED)
		begin_work(call, replay == XFER_REPLAY_CANCELLED);
	CHECK(replay != XFER_REPLAY_CLASH, "call %d while another one executes", call->call);
	if (replay == XFER_REPLAY_DONE) {
		memcpy(&again, replayed.answer, sizeof(again));
		send_message(&again);
	}
}

/* It may also find an RPC that waits for its immediate: that one isn't answered before it has met it. */
void host_cancel(const struct message *cancel)
{
	xfer_replycache_cancel(&w.cache, (uint32_t)cancel->call, cancel->sequence);
	for (int i = 0; i < WORKS; i++) {
		struct work *work = &w.works[i];

		if (work->active && work->waiting && work->call.kind == CALL && work->call.write &&
			work->call.call == cancel->call && work->call.sequence == cancel->sequence)
			work->cancelled = true;
	}
}

bool host_immediate(const struct transit *transit)
{
	const struct lane *lane = &w.lanes[transit->lane];
	uint32_t epoch = transit->name.epoch, immediate = xfer_immediate(&transit->name);
	struct work *waiting = work_of(transit->lane, true, transit->name.slot, true);
	struct xfer_joined joined;
	enum xfer_join_event event;

	if (w.broken == GENERATION && !lane->ended && epoch != lane->epoch) {
		if (!waiting)
			return false;
		epoch = lane->epoch;
		immediate = xfer_immediate(&waiting->call.name);
	}
	event = xfer_join_immediate(lane->sides[WRITE].join, epoch, immediate, &joined);
	say("host: immediate %u.%u.%u: %s", transit->name.epoch, transit->name.slot,
		transit->name.generation, xfer_join_event_name(event));
	CHECK(!xfer_join_violation(event), "an immediate names %s", xfer_join_event_name(event));
	if (event == XFER_JOIN_GO) {
		struct work *work = joined.user;

		work->joined = joined;
		work->waiting = false;
	}
	return true;
}
