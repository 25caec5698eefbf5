/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* lmrm.c -- initiator and host of LMRM pools in random interleavings, invariants checked after each step */

/*
 * lmrm STEPS [RULE|broken]: with all rules in force, none of the invariants of docs/lmrm.md may fail. With a RULE
 * broken one has to; "broken" tries each of them. The seed is XFER_SEED or the clock's; it is printed, and repeats
 * a run.
 *
 * One session with three lanes: verbs (payload and immediate travel by themselves), shared memory (payload is
 * stored by the sender's own hands), verbs. Each has its own epochs, its pools and joins, and both directions. The
 * control connection is worse than a real one: messages overtake each other, are lost, and are sent twice. Slots
 * are memory of this process, written and read in several steps each, so that whoever touches a slot at the wrong
 * time is seen.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/join.h"
#include "core/lmrm.h"
#include "core/quota.h"
#include "core/replycache.h"

#define LANES    3
#define CALLS    12
#define OFFSETS  3
#define MEMORIES 4 /* regions of a lane and direction */
#define SLOTS    4 /* of a region, at most */
#define MESSAGES 160
#define WRITES   96
#define WORKS    64
#define DISCARDS 32
#define MS       UINT64_C(1000000)
#define WRITE    XFER_POOL_WRITE
#define READ     XFER_POOL_READ

enum rule {
	NONE,
	TIMEOUT,
	GENERATION,
	IN_USE,
	REPLY,
	WITHHOLD,
	ABORT,
	LOCAL_EPOCH,
	JOIN,
	CACHE,
	DRAIN,
	LET_GO,
	ENDED_PATH,
	BEGIN,
	RULES,
};

static const char *const rules[RULES] = {
	[NONE] = "none",
	[TIMEOUT] = "timeout",       /* a timeout doesn't free a slot */
	[GENERATION] = "generation", /* RPC and immediate agree on epoch and generation */
	[IN_USE] = "in-use", /* a slot isn't given back before the operation is done with it */
	[REPLY] = "reply",   /* a reply frees the use of a slot that it names, not a later one */
	[WITHHOLD] = "withhold",       /* what is in use when an epoch begins isn't part of it */
	[ABORT] = "abort",             /* an aborted write is in quarantine */
	[LOCAL_EPOCH] = "local-epoch", /* the host confirms an epoch before anything is reused */
	[JOIN] = "join",               /* an RPC waits for its immediate */
	[CACHE] = "cache",             /* what was executed isn't executed again */
	[DRAIN] = "drain",             /* a region is deregistered when it is drained */
	[LET_GO] = "let-go", /* a slot isn't reused while somebody at this end writes into it */
	[ENDED_PATH] =
		"ended-path", /* a host that has given up an RPC doesn't carry it out later */
	[BEGIN] = "begin",    /* a region's generations begin where the host says */
};

enum phase { RESERVED, COPYING, FILLED, SENT, DELIVERED };

/* An operation of the initiator's; its index is its call slot. */
struct op {
	bool active, write, slotted, waits, slow;
	enum phase phase;
	int lane, offset;
	uint32_t sequence, id, length, version, executed;
	struct xfer_lmrm_slot slot;
	struct xfer_lmrm_waiter waiter;
};

enum kind { CALL, DISCARD, CANCEL, ANSWER };
enum answer { OK, DELAY, RESEND, REFUSED };

struct message {
	enum kind kind;
	int lane, call, offset;
	bool write, slotted; /* slotted: it names a slot */
	bool placed;         /* ANSWER to a READ: bytes are in that slot */
	enum answer answer;
	uint32_t sequence, id, length, version;
	struct xfer_slot_name name;
};

/* A posted write with immediate. */
struct transit {
	bool write; /* towards the host */
	int lane, memory;
	unsigned life, step; /* of the memory; 2: placed, its immediate is in a completion queue */
	struct xfer_slot_name name;
	uint64_t address;
	uint32_t id, version;
};

/* At the host. */
struct work {
	bool active, waiting, cancelled, slotted, slow;
	unsigned step;
	uint32_t version;
	struct message call;
	struct xfer_joined joined;
};

struct memory {
	bool registered, gone; /* gone: broken rule */
	unsigned life;
	uint32_t id;
	uint64_t bytes;
	uint64_t room[SLOTS * 8];
};

struct side {
	struct xfer_lmrm *pool;
	struct xfer_join *join;
	struct memory memories[MEMORIES];
	uint16_t withheld[MEMORIES * SLOTS]; /* in WELCOME */
	uint32_t nwithheld;
};

struct lane {
	bool verbs, lost, ended, welcome; /* welcome: on its way */
	uint32_t epoch, accepted;         /* the host's, the initiator's */
	struct side sides[2];
};

static struct {
	enum rule broken;
	bool fair; /* no accidents, nothing new */
	uint64_t seed, random, now;
	uint32_t ids, regions;
	unsigned step, nmessages, ntransits, ndiscards;
	struct lane lanes[LANES];
	struct op ops[CALLS];
	struct message messages[MESSAGES], discards[DISCARDS];
	struct transit transits[WRITES];
	struct work works[WORKS];
	uint32_t versions[OFFSETS]; /* how often something was written there */
	struct xfer_replycache cache;
	struct xfer_quota quota;
	unsigned client;
	unsigned long executed, slotted, delivered, resent, quarantined, withheld, epochs, grown;
} w;

/* --- what happened, and what must not ------------------------------------------------------------ */

#define TRACE 48
static char trace[TRACE][120];
static unsigned traced;
static jmp_buf failed;
static char problem[160];

static void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(trace[traced++ % TRACE], sizeof(trace[0]), format, args);
	va_end(args);
}

static void fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(problem, sizeof(problem), format, args);
	va_end(args);
	longjmp(failed, 1);
}

#define CHECK(condition, ...)                                                                      \
	do {                                                                                       \
		if (!(condition))                                                                  \
			fail(__VA_ARGS__);                                                         \
	} while (0)

static uint32_t rnd(uint32_t n)
{
	w.random ^= w.random << 13;
	w.random ^= w.random >> 7;
	w.random ^= w.random << 17;
	return (uint32_t)((w.random >> 16) % n);
}

/* One in n, but not while things have to come to an end. */
static bool accident(uint32_t n)
{
	return !w.fair && rnd(n) == 0;
}

static uint32_t *words(uint64_t address)
{
	return (uint32_t *)(uintptr_t)address;
}

/* In two steps: what is written by one is only whole after the other. */
static void store(uint64_t address, unsigned step, uint32_t id, uint32_t version)
{
	if (step == 0) {
		words(address)[0] = id;
	} else {
		words(address)[1] = version;
		words(address)[2] = id;
	}
}

static bool whole(uint64_t address, uint32_t id)
{
	return words(address)[0] == id && words(address)[2] == id;
}

static void send(const struct message *message)
{
	if (accident(40) || w.nmessages == MESSAGES) {
		say("lost: kind %d call %d", message->kind, message->call);
		return;
	}
	w.messages[w.nmessages++] = *message;
}

static struct memory *memory_of(struct side *side, uint64_t address)
{
	for (int i = 0; i < MEMORIES; i++) {
		uint64_t base = (uint64_t)(uintptr_t)side->memories[i].room;

		if (address >= base && address < base + sizeof(side->memories[i].room))
			return &side->memories[i];
	}
	return NULL;
}

static void post(int lane, bool write, const struct xfer_slot_name *name, uint64_t address,
	uint32_t id, uint32_t version)
{
	struct side *side = &w.lanes[lane].sides[write ? WRITE : READ];
	struct memory *memory = memory_of(side, address);

	if (w.ntransits == WRITES)
		fail("too many writes on their way"); /* I4 */
	w.transits[w.ntransits++] = (struct transit){ .write = write,
		.lane = lane,
		.memory = (int)(memory - side->memories),
		.life = memory->life,
		.name = *name,
		.address = address,
		.id = id,
		.version = version };
}

/* --- the host ---------------------------------------------------------------------------------- */

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
	send(&message);
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

static void work_step(void)
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

/* Those that use the slot. */
static struct work *work_of(int lane, bool write, uint16_t slot, bool waiting)
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

static void host_expire(struct lane *lane)
{
	struct xfer_joined joined;

	for (int i = 0; i < 2; i++)
		while (xfer_join_expired(lane->sides[i].join, w.now, &joined)) {
			struct work *work = joined.user;

			say("host: call %d's bytes don't come", work->call.call);
			give_up(work);
		}
}

static void host_end(struct lane *lane)
{
	say("host: epoch %u of lane %d ends", lane->epoch, (int)(lane - w.lanes));
	lane->ended = true;
	xfer_join_end(lane->sides[WRITE].join);
	xfer_join_end(lane->sides[READ].join);
	host_expire(lane);
}

static void begin_epoch(struct lane *lane)
{
	if (!lane->ended)
		host_end(lane);
	lane->epoch++;
	w.epochs++;
	for (int i = 0; i < 2; i++) {
		struct side *side = &lane->sides[i];
		int n = xfer_join_begin(side->join, lane->epoch, side->withheld, MEMORIES * SLOTS);

		CHECK(n >= 0, "an epoch doesn't begin");
		side->nwithheld = (uint32_t)n;
	}
	lane->ended = false;
	lane->welcome = w.broken != LOCAL_EPOCH || lane->accepted == 0;
	say("host: lane %d begins epoch %u", (int)(lane - w.lanes), lane->epoch);
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
	*work = (struct work){
		.active = true, .call = *call, .cancelled = cancelled, .slotted = call->slotted
	};
	if (call->slotted)
		meet(work);
}

static void host_call(const struct message *call)
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
		send(&again);
	}
}

/* It may also find an RPC that waits for its immediate: that one isn't answered before it has met it. */
static void host_cancel(const struct message *cancel)
{
	xfer_replycache_cancel(&w.cache, (uint32_t)cancel->call, cancel->sequence);
	for (int i = 0; i < WORKS; i++) {
		struct work *work = &w.works[i];

		if (work->active && work->waiting && work->call.kind == CALL && work->call.write &&
			work->call.call == cancel->call && work->call.sequence == cancel->sequence)
			work->cancelled = true;
	}
}

/* --- the initiator ------------------------------------------------------------------------------- */

static struct xfer_lmrm *pool_of(const struct op *op)
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
	send(&call);
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
static bool quarantine(struct op *op)
{
	if (!op->slotted || xfer_lmrm_quarantine(pool_of(op), &op->slot.name, w.now) < 0)
		return false;
	w.quarantined++;
	if (w.broken == TIMEOUT) {
		if (op->write)
			xfer_lmrm_reply(pool_of(op), &op->slot.name);
		else
			xfer_lmrm_read_reply(pool_of(op), &op->slot.name, false, 0);
	}
	return true;
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

static void new_op(void)
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

static void serve_waiters(void)
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
		send(&cancel);
		break;
	default:
		quarantine(op);
		send_op(op, false);
		break;
	}
}

static void op_step(void)
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

static void read_answered(struct op *op, const struct message *message)
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

static void write_answered(struct op *op, const struct message *message)
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

static void deliver_message(void)
{
	struct message message;
	unsigned i;

	if (w.nmessages == 0)
		return;
	i = rnd(w.nmessages);
	message = w.messages[i];
	/* else it comes once more; a READ's answer can't, since a call gets one */
	if ((message.kind == ANSWER && !message.write) || !accident(20))
		w.messages[i] = w.messages[--w.nmessages];
	if (message.kind == CANCEL)
		host_cancel(&message);
	else if (message.kind != ANSWER)
		host_call(&message);
	else if (message.write)
		write_answered(&w.ops[message.call], &message);
	else
		read_answered(&w.ops[message.call], &message);
}

/* --- the data path ------------------------------------------------------------------------------- */

/* Whether the receiving end's queue pair of that epoch is there. */
static bool alive(const struct transit *transit)
{
	const struct lane *lane = &w.lanes[transit->lane];

	return transit->write ? !lane->ended && lane->epoch == transit->name.epoch
			      : !lane->lost && lane->accepted == transit->name.epoch;
}

/* False: it isn't taken yet. */
static bool host_immediate(const struct transit *transit)
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

static void initiator_immediate(const struct transit *transit)
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

static void transit_step(void)
{
	struct transit *transit;
	struct memory *memory;

	if (w.ntransits == 0)
		return;
	transit = &w.transits[rnd(w.ntransits)];
	if (transit->step < 2 && !alive(transit)) {
		if (w.broken == LOCAL_EPOCH && transit->write &&
			transit->name.epoch > w.lanes[transit->lane].epoch)
			return; /* its queue pair isn't there yet */
		*transit = w.transits[--w.ntransits];
		return;
	}
	if (transit->step < 2) {
		memory = &w.lanes[transit->lane]
				  .sides[transit->write ? WRITE : READ]
				  .memories[transit->memory];
		CHECK(memory->registered && !memory->gone && memory->life == transit->life,
			"I5: a write lands in memory that was deregistered");
		store(transit->address, transit->step++, transit->id, transit->version);
		return;
	}
	if (!transit->write)
		initiator_immediate(transit);
	else if (!host_immediate(transit))
		return;
	*transit = w.transits[--w.ntransits];
}

/* --- epochs -------------------------------------------------------------------------------------- */

static void lose_path(struct lane *lane)
{
	say("lane %d: path lost", (int)(lane - w.lanes));
	lane->lost = true;
	lane->welcome = false;
	for (int i = 0; i < 2; i++)
		xfer_lmrm_path_lost(lane->sides[i].pool);
	for (int i = 0; i < CALLS && w.broken == LET_GO; i++) {
		struct op *op = &w.ops[i];

		if (op->active && op->slotted && op->phase == COPYING && &w.lanes[op->lane] == lane)
			xfer_lmrm_filled(pool_of(op), &op->slot.name);
	}
}

static void accept_welcome(struct lane *lane, uint32_t epoch)
{
	lane->lost = lane->welcome = false;
	lane->accepted = epoch;
	say("lane %d: epoch %u", (int)(lane - w.lanes), epoch);
	for (int i = 0; i < 2; i++) {
		struct side *side = &lane->sides[i];
		uint32_t n = w.broken == WITHHOLD ? 0 : side->nwithheld;

		w.withheld += n;
		CHECK(xfer_lmrm_welcome(side->pool, epoch, side->withheld, n, w.now) == 0,
			"a WELCOME was refused");
		for (uint32_t j = 0; j < n && w.broken == IN_USE && i == WRITE; j++) {
			struct work *work =
				work_of((int)(lane - w.lanes), true, side->withheld[j], false);

			if (work)
				xfer_lmrm_reply(side->pool, &work->call.name);
		}
	}
}

static bool wants_epoch(const struct lane *lane)
{
	return xfer_lmrm_wants_epoch(lane->sides[WRITE].pool, w.now) ||
	       xfer_lmrm_wants_epoch(lane->sides[READ].pool, w.now);
}

static void epoch_step(void)
{
	struct lane *lane = &w.lanes[rnd(LANES)];

	if (lane->welcome && lane->lost) {
		accept_welcome(lane, lane->epoch);
	} else if (lane->lost) {
		if (w.broken == LOCAL_EPOCH && lane->epoch > 0 && lane->accepted == lane->epoch) {
			lane->sides[0].nwithheld = lane->sides[1].nwithheld = 0;
			accept_welcome(lane, lane->epoch + 1);
		} else {
			begin_epoch(lane);
		}
	} else if (w.broken == LOCAL_EPOCH && lane->accepted > lane->epoch) {
		begin_epoch(lane);
	} else if (lane->ended ? rnd(4) == 0 : wants_epoch(lane) || accident(30)) {
		lose_path(lane);
	} else if (accident(30)) {
		host_end(lane);
	}
}

/* --- regions ------------------------------------------------------------------------------------- */

static void grow(int number, int direction)
{
	struct side *side = &w.lanes[number].sides[direction];
	struct memory *memory = &side->memories[rnd(MEMORIES)];
	struct xfer_region region = { .id = ++w.regions,
		.slot_size = rnd(2) ? 16 : 64,
		.slots = 1 + rnd(SLOTS),
		.base = (uint64_t)(uintptr_t)memory->room };
	uint64_t bytes = (uint64_t)region.slot_size * region.slots;

	if (memory->registered)
		return;
	memory->bytes = xfer_quota_grant(&w.quota, w.client, bytes, bytes, w.now);
	if (memory->bytes == 0)
		return;
	CHECK(xfer_join_add_region(side->join, &region) == 0, "the host can't grow");
	if (w.broken == BEGIN)
		region.generation = 0;
	CHECK(xfer_lmrm_add_region(side->pool, &region) == 0, "the initiator can't grow");
	memory->registered = true;
	memory->gone = false;
	memory->life++;
	memory->id = region.id;
	w.grown++;
	say("lane %d dir %d: region %u of %u slots from %u", number, direction, region.id,
		region.slots, region.first);
}

static void shrink(struct side *side, struct memory *memory)
{
	if (!memory->registered)
		return;
	if (accident(12)) {
		say("region %u retires", memory->id);
		xfer_lmrm_retire(side->pool, memory->id);
		memory->gone = w.broken == DRAIN;
	}
	if (!xfer_lmrm_drained(side->pool, memory->id))
		return;
	CHECK(xfer_lmrm_remove_region(side->pool, memory->id) == 0, "a drained region stays");
	CHECK(xfer_join_remove_region(side->join, memory->id) == 0,
		"a drained region is in use at the host");
	xfer_quota_return(&w.quota, w.client, memory->bytes);
	memory->registered = false;
	say("region %u deregistered", memory->id);
}

static void region_step(void)
{
	int lane = (int)rnd(LANES), direction = (int)rnd(2);
	struct side *side = &w.lanes[lane].sides[direction];

	if (rnd(2))
		grow(lane, direction);
	else
		shrink(side, &side->memories[rnd(MEMORIES)]);
}

/* --- invariants -------------------------------------------------------------------------------- */

/* I3; and a count of the free ones. */
static uint32_t check_counts(const struct side *side)
{
	struct xfer_lmrm_counts counts, all = { 0 }, sum;
	struct xfer_slot_name name;
	struct xfer_region region;

	for (unsigned i = 0; xfer_lmrm_region(side->pool, i, &region, &counts); i++) {
		uint32_t seen[XFER_SLOT_STATES] = { 0 };

		for (uint32_t j = 0; j < region.slots; j++)
			seen[xfer_lmrm_look(side->pool, (uint16_t)(region.first + j), &name)]++;
		CHECK(memcmp(seen, counts.state, sizeof(seen)) == 0, "I3: a region's counts");
		for (int j = 0; j < XFER_SLOT_STATES; j++)
			all.state[j] += seen[j];
		all.slots += region.slots;
	}
	xfer_lmrm_counts(side->pool, &sum);
	CHECK(memcmp(&all, &sum, sizeof(sum)) == 0, "I3: the counts");
	return all.slots - all.state[XFER_SLOT_FREE];
}

static void check_in_use(void)
{
	uint64_t bytes = 0;

	for (int i = 0; i < WORKS; i++) {
		const struct work *work = &w.works[i];

		if (work->active && work->slotted && !work->waiting && work->step != 9 &&
			work->call.write && work->call.kind == CALL && !work->cancelled)
			CHECK(whole(work->joined.address, work->call.id),
				"I1: call %d's slot has other bytes", work->call.call);
	}
	for (int i = 0; i < CALLS; i++)
		if (w.ops[i].active && w.ops[i].phase == DELIVERED)
			CHECK(whole(w.ops[i].slot.address, w.ops[i].id),
				"I1: a READ's bytes change while they are used");
	for (int i = 0; i < LANES; i++)
		for (int j = 0; j < 2 * MEMORIES; j++) {
			const struct memory *memory =
				&w.lanes[i].sides[j / MEMORIES].memories[j % MEMORIES];

			bytes += memory->registered ? memory->bytes : 0;
		}
	CHECK(bytes <= w.quota.granted && w.quota.granted <= w.quota.config.total,
		"I8: more memory than the quota");
}

/* I2, and with it I4: as many receives are posted as there are slots. */
static void check_transits(void)
{
	uint32_t names[LANES][2] = { 0 };

	for (unsigned i = 0; i < w.ntransits; i++) {
		const struct transit *transit = &w.transits[i];
		uint32_t bit = UINT32_C(1) << transit->name.slot;

		if (!alive(transit))
			continue;
		CHECK(!(names[transit->lane][transit->write] & bit), "I2: two names for a slot");
		names[transit->lane][transit->write] |= bit;
	}
}

static unsigned check(void)
{
	unsigned busy = 0;

	for (int i = 0; i < LANES; i++)
		for (int j = 0; j < 2; j++)
			busy += check_counts(&w.lanes[i].sides[j]) +
				xfer_lmrm_waiters(w.lanes[i].sides[j].pool);
	check_in_use();
	check_transits();
	return busy;
}

/* --- runs ---------------------------------------------------------------------------------------- */

static void step(void)
{
	w.step++;
	w.now += rnd(w.fair ? 20 : 3) * MS / 2;
	switch (rnd(16)) {
	case 0:
	case 1:
		if (!w.fair)
			new_op();
		break;
	case 2:
	case 3:
	case 4:
	case 5:
		op_step();
		break;
	case 6:
	case 7:
	case 8:
		deliver_message();
		break;
	case 9:
	case 10:
		transit_step();
		break;
	case 11:
		epoch_step();
		break;
	case 12:
		if (rnd(4) == 0)
			region_step();
		if (w.ndiscards > 0)
			send(&w.discards[--w.ndiscards]);
		host_expire(&w.lanes[rnd(LANES)]);
		break;
	default:
		work_step();
		break;
	}
	serve_waiters();
}

static unsigned ops_under_way(void)
{
	unsigned n = 0;

	for (int i = 0; i < CALLS; i++)
		n += w.ops[i].active;
	return n;
}

/* I7: without accidents everything comes to an end. */
static void settle(void)
{
	say("no accidents from here on");
	w.fair = true;
	for (int i = 0; check() > 0 || ops_under_way() > 0; i++) {
		CHECK(i < 60000, "I7: %u operations, %u slots and waiters don't come to an end",
			ops_under_way(), check());
		step();
	}
	w.fair = false;
	say("accidents again");
}

/* What the host has seen in an epoch before: a region whose slot was used so often that generations soon wrap around. */
static void age(struct xfer_join *join, bool immediates)
{
	struct xfer_region region = { .id = ++w.regions, .slot_size = 16, .slots = 1 };
	uint32_t last = UINT32_MAX - rnd(300);
	struct xfer_slot_name name = { .epoch = 1, .generation = last / 2 };
	struct xfer_joined joined;

	if (xfer_join_begin(join, name.epoch, NULL, 0) || xfer_join_add_region(join, &region))
		abort();
	for (int i = 0; i < 2; i++, name.generation = last) {
		xfer_join_rpc(join, &name, 0, &region, w.now, &joined);
		if (immediates)
			xfer_join_immediate(join, name.epoch, xfer_immediate(&name), &joined);
		xfer_join_done(join, &name);
	}
	xfer_join_end(join);
	if (xfer_join_remove_region(join, region.id))
		abort();
}

static void set_up(uint64_t seed, enum rule broken)
{
	struct xfer_quota_config quota = {
		.total = 1200, .cap = 1100, .minimum = 64, .clients_max = 2, .idle_ns = 1000 * MS
	};

	memset(&w, 0, sizeof(w));
	traced = 0;
	w.seed = seed;
	w.random = seed * UINT64_C(0x9e3779b97f4a7c15) + 88172645463325252;
	w.broken = broken;
	w.now = 1;
	if (xfer_replycache_init(&w.cache, CALLS) || xfer_quota_init(&w.quota, &quota))
		abort();
	w.client = (unsigned)xfer_quota_join(&w.quota, w.now);
	for (int i = 0; i < LANES * 2; i++) {
		struct lane *lane = &w.lanes[i / 2];
		struct side *side = &lane->sides[i % 2];
		struct xfer_lmrm_config config = { .direction = i % 2 ? READ : WRITE,
			.immediates = i / 2 != 1,
			.waiters_max = 3,
			.wait_ns = 30 * MS,
			.quarantine_ns = 300 * MS };
		struct xfer_join_config join = { .immediates = i % 2 == WRITE && i / 2 != 1,
			.wait_ns = 40 * MS };

		lane->verbs = i / 2 != 1;
		lane->lost = lane->ended = true;
		lane->epoch = 1;
		if (xfer_lmrm_create(&config, &side->pool) || xfer_join_create(&join, &side->join))
			abort();
		age(side->join, join.immediates);
		grow(i / 2, i % 2);
	}
}

static void tear_down(void)
{
	struct xfer_joined joined;

	for (int i = 0; i < CALLS; i++)
		if (w.ops[i].active && w.ops[i].waits)
			xfer_lmrm_unwait(pool_of(&w.ops[i]), &w.ops[i].waiter);
	for (int i = 0; i < LANES * 2; i++) {
		struct side *side = &w.lanes[i / 2].sides[i % 2];

		xfer_join_end(side->join);
		while (xfer_join_expired(side->join, w.now, &joined))
			;
		for (int j = 0; j < WORKS; j++)
			if (w.works[j].active && w.works[j].slotted && !w.works[j].waiting &&
				w.works[j].step != 9 && w.works[j].call.lane == i / 2 &&
				w.works[j].call.write == !(i % 2))
				xfer_join_done(side->join, &w.works[j].joined.name);
		xfer_join_destroy(side->join);
		xfer_lmrm_destroy(side->pool);
	}
	xfer_replycache_fini(&w.cache);
	xfer_quota_fini(&w.quota);
}

/* Whether all invariants held. */
static bool run(uint64_t seed, unsigned steps, enum rule broken)
{
	set_up(seed, broken);
	if (setjmp(failed))
		return false;
	while (w.step < steps) {
		step();
		check();
		if (rnd(20000) == 0)
			settle();
	}
	settle();
	tear_down();
	return true;
}

static int run_one(uint64_t seed, unsigned steps, enum rule broken)
{
	bool held = run(seed, steps, broken);

	if (held) {
		printf("%u steps: %lu executed, %lu slots named, %lu READs delivered, %lu resent "
		       "inline, %lu quarantined, %lu withheld, %lu epochs, %lu regions\n",
			w.step, w.executed, w.slotted, w.delivered, w.resent, w.quarantined,
			w.withheld, w.epochs, w.grown);
		return broken != NONE;
	}
	for (unsigned i = traced > TRACE ? traced - TRACE : 0; i < traced; i++)
		printf("  %s\n", trace[i % TRACE]);
	printf("step %u: %s\nagain: XFER_SEED=%llu property_lmrm %u %s\n", w.step, problem,
		(unsigned long long)seed, steps, rules[broken]);
	fflush(stdout);
	_exit(broken == NONE); /* what there is of pools and joins can't be torn down */
}

static _Noreturn void run_broken(uint64_t seed, unsigned steps)
{
	int missed = 0;

	for (enum rule rule = NONE + 1; rule < RULES; rule++) {
		bool held = run(seed, steps, rule);

		printf("%-12s %s%s, %u steps\n", rules[rule],
			held ? "NOT FOUND" : "found: ", held ? "" : problem, w.step);
		missed += held;
	}
	fflush(stdout);
	_exit(missed > 0); /* the same */
}

int main(int argc, char **argv)
{
	const char *given = getenv("XFER_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
	unsigned steps = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 0) : 0;

	if (argc < 2 || argc > 3 || steps == 0) {
		fprintf(stderr, "usage: property_lmrm STEPS [RULE|broken]\n");
		return 2;
	}
	printf("XFER_SEED=%llu\n", (unsigned long long)seed);
	if (argc == 2)
		return run_one(seed, steps, NONE);
	if (strcmp(argv[2], "broken") == 0)
		run_broken(seed, steps);
	for (enum rule rule = NONE; rule < RULES; rule++)
		if (strcmp(argv[2], rules[rule]) == 0)
			return run_one(seed, steps, rule);
	fprintf(stderr, "property_lmrm: no rule is called %s\n", argv[2]);
	return 2;
}
