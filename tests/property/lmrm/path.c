/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* path.c -- the data path: posted writes on their way, and their immediates */

#include <stddef.h>

#include "world.h"

static struct memory *memory_of(struct side *side, uint64_t address)
{
	for (int i = 0; i < MEMORIES; i++) {
		uint64_t base = (uint64_t)(uintptr_t)side->memories[i].room;

		if (address >= base && address < base + sizeof(side->memories[i].room))
			return &side->memories[i];
	}
	return NULL;
}

void post(int lane, bool write, const struct xfer_slot_name *name, uint64_t address, uint32_t id,
	uint32_t version)
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

bool alive(const struct transit *transit)
{
	const struct lane *lane = &w.lanes[transit->lane];

	return transit->write ? !lane->ended && lane->epoch == transit->name.epoch
			      : !lane->lost && lane->accepted == transit->name.epoch;
}

void transit_step(void)
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
