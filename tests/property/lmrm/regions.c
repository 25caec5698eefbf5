/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* regions.c -- memory that comes, and goes when it is drained */

#include <stdlib.h>

#include "world.h"

void age(struct xfer_join *join, bool immediates)
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

void grow(int number, int direction)
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

void region_step(void)
{
	int lane = (int)rnd(LANES), direction = (int)rnd(2);
	struct side *side = &w.lanes[lane].sides[direction];

	if (rnd(2))
		grow(lane, direction);
	else
		shrink(side, &side->memories[rnd(MEMORIES)]);
}
