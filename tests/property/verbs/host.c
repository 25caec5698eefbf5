/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* host.c -- requests at the host: they find their slots, are carried out, and are answered */

#include <errno.h>
#include <stddef.h>

#include "clock.h"
#include "pattern.h"
#include "world.h"

#define WAIT_NS (2000 * XFER_NS_PER_MS) /* what waits for less isn't given up */

static struct call *call_of(struct xfer_placement *placement)
{
	return (struct call *)((char *)placement - offsetof(struct call, placed));
}

/* The request doesn't use the path any more. */
static void reply(struct call *call, enum answer answer)
{
	call->answered = true;
	call->answer = answer;
	xfer_hostpath_unref(r.host);
	channel_send(call);
}

/* I1: as long as it is used the slot's contents are this operation's. */
static void check_bytes(const struct call *call)
{
	uint32_t length = call->placed.length;
	size_t at = xfer_pattern_check(call->placed.memory, length, call->seed);

	CHECK(at == length,
		"I1: WRITE of lane %u, slot %u, generation %u: the byte at %zu of %u is another "
		"one's",
		call->slot.lane, call->slot.name.slot, call->slot.name.generation, at, length);
}

static void execute_write(struct call *call)
{
	check_bytes(call);
	dawdle(200);
	check_bytes(call);
	xfer_hostpath_done(r.host, &call->placed);
	call->payload.slot = call->slot;
	reply(call, ANSWER_SLOT);
}

/* All that was asked for, less, or nothing. */
static void execute_read(struct call *call)
{
	uint32_t length = call->placed.length;
	bool empty = rnd(16) == 0;
	int err = 0;

	call->placed.length = rnd(8) == 0 ? rnd(length + 1) : length;
	if (!empty) {
		xfer_pattern_fill(call->placed.memory, call->placed.length, call->seed);
		dawdle(200);
		err = xfer_hostpath_send(r.host, &call->placed);
		CHECK(err == 0 || (err == -ENOTCONN && r.breaking), "bytes can't be sent: %d", err);
	}
	call->payload =
		(struct xfer_payload){ .kind = empty ? XFER_PAYLOAD_NONE : XFER_PAYLOAD_SLOT,
			.length = empty ? 0 : call->placed.length,
			.slot = call->slot };
	xfer_hostpath_done(r.host, &call->placed);
	reply(call, err ? ANSWER_RESEND : empty ? ANSWER_NONE : ANSWER_SLOT);
}

static void execute(struct call *call)
{
	if (call->placed.direction == XFER_POOL_WRITE)
		execute_write(call);
	else
		execute_read(call);
}

/* The path has ended, or somebody has had no processor for very long. */
static void resend(struct call *call)
{
	if (!r.breaking) {
		CHECK(call->placed.direction == XFER_POOL_WRITE &&
				xfer_now_ns() >= call->found_ns + WAIT_NS,
			"lane %u, slot %u, generation %u is to be sent again", call->slot.lane,
			call->slot.name.slot, call->slot.name.generation);
		r.late = true;
	}
	tally.resent++;
	reply(call, ANSWER_RESEND);
}

void host_resume(struct xfer_placement *placement, enum xfer_join_event event)
{
	struct call *call = call_of(placement);

	if (event == XFER_JOIN_GO)
		execute(call);
	else
		resend(call);
}

void host_call(struct call *call)
{
	const struct xfer_slot_ref slot = call->slot;
	enum xfer_join_event event;

	xfer_hostpath_ref(r.host);
	call->found_ns = xfer_now_ns();
	event = xfer_hostpath_find(r.host, &call->placed);
	switch (event) {
	case XFER_JOIN_GO:
		execute(call);
		break;
	case XFER_JOIN_WAIT:
		tally.waits++;
		break;
	case XFER_JOIN_RESEND:
		resend(call);
		break;
	default:
		fail("lane %u, slot %u, generation %u: %s", slot.lane, slot.name.slot,
			slot.name.generation, xfer_join_event_name(event));
	}
}
