/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* invariants.c -- what must be so after each step */

#include <string.h>

#include "world.h"

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

unsigned check(void)
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
