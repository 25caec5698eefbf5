/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* direct.c -- bytes and immediates through queue pairs, one by one, below the pools */

#include <string.h>
#include <unistd.h>

#include "pattern.h"
#include "transport/verbs_end.h"
#include "world.h"

#define NONE UINT64_MAX

struct listener {
	_Atomic uint64_t told; /* lane and immediate; NONE: nothing */
	_Atomic unsigned times;
	_Atomic bool waits;
	_Atomic bool alone; /* the other end is about to go */
};

static void told_immediate(void *arg, uint32_t lane, uint32_t immediate)
{
	struct listener *listener = arg;

	listener->told = (uint64_t)lane << 32 | immediate;
	listener->times++;
}

static bool asked_waits(void *arg, uint32_t lane)
{
	(void)lane;
	return ((struct listener *)arg)->waits;
}

static void told_tick(void *arg, uint32_t lane, uint64_t now_ns)
{
	(void)arg;
	(void)lane;
	(void)now_ns;
}

static void told_lost(void *arg, const char *why)
{
	CHECK(((struct listener *)arg)->alone, "direct: lost: %s", why);
}

static const struct xfer_transport_events events = {
	.immediate = told_immediate,
	.waits = asked_waits,
	.tick = told_tick,
	.lost = told_lost,
};

static struct xfer_transport *start(struct xfer_verbs *verbs, struct listener *listener)
{
	struct xfer_transport *transport = xfer_verbs_transport(verbs);

	listener->told = NONE;
	listener->times = 0;
	transport->ops->start(transport, &events, listener);
	return transport;
}

/* Where bytes come from, and where to. */
struct way {
	struct xfer_transport *from, *to;
	struct xfer_memory *mirror, *memory;
	struct listener *listener;
};

/* By looking, or by being woken. */
static void await(const struct way *way, uint32_t lane)
{
	way->listener->waits = rnd(2);
	if (way->listener->waits)
		way->to->ops->await(way->to, lane);
	while (way->listener->told == NONE) {
		if (!way->listener->waits)
			way->to->ops->poll(way->to, lane);
		wire_check();
	}
	way->listener->waits = false;
}

static void pass(
	const struct way *way, uint32_t lane, uint16_t slot, uint32_t generation, uint32_t length)
{
	struct xfer_placement placement = { .slot = { lane, { r.epoch, generation, slot } },
		.address = way->mirror->base,
		.in = way->mirror,
		.length = length };
	uint8_t *bytes = (uint8_t *)(uintptr_t)way->memory->base;
	uint64_t seed = (uint64_t)generation << 32 | slot << 4 | lane;
	unsigned times = way->listener->times;

	say("direct: lane %u, slot %u, generation %u: %u bytes", lane, slot, generation, length);
	memset(bytes, 0, length + GUARD);
	CHECK(way->from->ops->stage(way->from, &placement) == 0, "it isn't staged");
	xfer_pattern_fill(placement.memory, length, seed);
	CHECK(way->from->ops->send(way->from, &placement) == 0, "it isn't sent");
	await(way, lane);
	CHECK(way->listener->told == ((uint64_t)lane << 32 | xfer_immediate(&placement.slot.name)),
		"another immediate: %llx", (unsigned long long)way->listener->told);
	CHECK(way->listener->times == times + 1, "it is told twice");
	way->listener->told = NONE;
	placement.address = way->memory->base;
	way->to->ops->fetch(way->to, &placement);
	CHECK(xfer_pattern_check(placement.memory, length, seed) == length, "other bytes");
	for (uint32_t i = 0; i < GUARD; i++)
		CHECK(bytes[length + i] == 0, "more bytes than were sent");
}

static void pass_all(const struct way *way)
{
	static const uint32_t lengths[] = { 0, 1, 2, VERBS_INLINE - 1, VERBS_INLINE,
		VERBS_INLINE + 1, INLINE, SMALL - 1, SMALL, SMALL + 1, MEDIUM, LARGE };
	static const uint16_t slots[] = { 0, 1, 0x7fff, 0x8000, 0xffff };
	static const uint32_t generations[] = { 0, 1, 0xffff, 0x10000, 0xffffffff };

	for (uint32_t lane = 0; lane < LANES; lane++)
		for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
			for (unsigned j = 0; j < 5; j++)
				pass(way, lane, slots[j], generations[(i + j) % 5], lengths[i]);
}

void direct(void)
{
	struct listener initiator = { 0 }, host = { 0 };
	struct xfer_memory *memory, *mirror;
	struct way write, read;
	struct pair pair;

	pair_host(&pair, LARGE + GUARD);
	write.to = read.from = start(pair.there, &host);
	pair_connect(&pair);
	write.from = read.to = start(pair.here, &initiator);
	pair_share(&pair, LARGE + GUARD, &memory, &mirror);
	write = (struct way){ write.from, write.to, mirror, memory, &host };
	read = (struct way){ read.from, read.to, pair.mirror, pair.own, &initiator };
	pass_all(&write);
	pass_all(&read);
	host.alone = true;
	write.from->ops->free(write.from);
	xfer_memory_free(pair.own);
	xfer_memory_free(mirror);
	write.to->ops->free(write.to);
	xfer_memory_free(pair.mirror);
	xfer_memory_free(memory);
}
