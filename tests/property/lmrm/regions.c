/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* regions.c -- memory that comes, and goes when it is drained */

#include <stdlib.h>

#include "world.h"

/* The use of a region's only slot, after which the region goes. */
static void age_to(struct xfer_join *join, bool immediates, uint32_t generation)
{
	struct xfer_region region = { .id = ++w.regions, .slot_size = 16, .slots = 1 };
	struct xfer_slot_name name = { .epoch = 1, .generation = generation };
	struct xfer_joined joined;

	if (xfer_join_add_region(join, &region))
		abort();
	xfer_join_rpc(join, &name, 0, &region, w.now, &joined);
	if (immediates)
		xfer_join_immediate(join, name.epoch, xfer_immediate(&name), &joined);
	xfer_join_done(join, &name);
	if (xfer_join_remove_region(join, region.id))
		abort();
}

/* Regions' generations begin behind those of what is gone: no step is so wide that it leads back. */
void age(struct xfer_join *join, bool immediates)
{
	uint32_t last = UINT32_MAX - rnd(300);

	if (xfer_join_begin(join, 1, NULL, 0))
		abort();
	age_to(join, immediates, last / 2);
	age_to(join, immediates, last);
	xfer_join_end(join);
}

void grow(int number, int direction)
{
	struct side *side = &w.lanes[number].sides[direction];
	struct memory *memory = &side->memories[rnd(MEMORIES)];
	struct xfer_region region = { .id = ++w.regions,
		.slot_size = rnd(2) ? 16 : 64,
		.slots = 1 + rnd(SLOTS),
		.base = (uint64_t)(uintptr_t)memory->room };
	uint64_t bytes = (uint64_t)region.slot_size * region.slots;

	if (memory->registered || w.lanes[number].closed)
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

static void deregister(struct memory *memory)
{
	xfer_quota_return(&w.quota, w.client, memory->bytes);
	memory->registered = false;
	say("region %u deregistered", memory->id);
}

static void shrink(const struct lane *lane, struct side *side, struct memory *memory)
{
	if (!memory->registered)
		return;
	if (accident(12)) {
		say("region %u retires", memory->id);
		xfer_lmrm_retire(side->pool, memory->id);
		memory->gone = w.broken == DRAIN;
	}
	if (!xfer_lmrm_drained(side->pool, memory->id)) {
		if (w.broken == LIMBO && lane->ended &&
			xfer_join_remove_region(side->join, memory->id) == 0)
			deregister(memory);
		return;
	}
	CHECK(xfer_lmrm_remove_region(side->pool, memory->id) == 0, "a drained region stays");
	CHECK(xfer_join_remove_region(side->join, memory->id) == 0,
		"a drained region is in use at the host");
	deregister(memory);
}

/* The host, by itself: what executes uses its slots to the end. */
static void empty_host(struct lane *lane)
{
	for (int i = 0; i < 2; i++)
		if (xfer_join_in_use(lane->sides[i].join) > 0)
			return;
	for (int i = 0; i < 2; i++) {
		struct side *side = &lane->sides[i];

		for (int j = 0; j < MEMORIES; j++)
			if (side->memories[j].registered)
				deregister(&side->memories[j]);
		xfer_join_destroy(side->join);
		create_join((int)(lane - w.lanes), i);
	}
	lane->emptied = true;
}

/* The initiator, by itself: who uses a slot does so to the end. The lane may have memory and epochs again. */
static void empty_initiator(struct lane *lane)
{
	for (int i = 0; i < 2; i++)
		if (xfer_lmrm_held(lane->sides[i].pool) > 0)
			return;
	for (int i = 0; i < 2; i++) {
		xfer_lmrm_destroy(lane->sides[i].pool);
		create_pool((int)(lane - w.lanes), i);
	}
	lane->closed = lane->emptied = false;
	say("lane %d: all memory is back", (int)(lane - w.lanes));
}

/* All regions go back without being drained, since no epoch follows that would use them. */
static void close_step(struct lane *lane)
{
	if (!lane->closed && w.broken != LOCAL_EPOCH && accident(400)) {
		say("lane %d closes", (int)(lane - w.lanes));
		lane->closed = true;
		if (!lane->ended)
			host_end(lane);
		if (!lane->lost)
			lose_path(lane);
		w.closed++;
	} else if (lane->closed && !lane->emptied) {
		empty_host(lane);
	} else if (lane->closed) {
		empty_initiator(lane);
	}
}

void region_step(void)
{
	int number = (int)rnd(LANES), direction = (int)rnd(2);
	struct lane *lane = &w.lanes[number];
	struct side *side = &lane->sides[direction];

	close_step(lane);
	if (rnd(2))
		grow(number, direction);
	else
		shrink(lane, side, &side->memories[rnd(MEMORIES)]);
}
