/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* world.c -- the world's beginning and end, chance, and what is written into slots */

#include <stdlib.h>
#include <string.h>

#include "world.h"

struct world w;

uint32_t rnd(uint32_t n)
{
	w.random ^= w.random << 13;
	w.random ^= w.random >> 7;
	w.random ^= w.random << 17;
	return (uint32_t)((w.random >> 16) % n);
}

bool accident(uint32_t n)
{
	return !w.fair && rnd(n) == 0;
}

uint32_t *words(uint64_t address)
{
	return (uint32_t *)(uintptr_t)address;
}

void store(uint64_t address, unsigned step, uint32_t id, uint32_t version)
{
	if (step == 0) {
		words(address)[0] = id;
	} else {
		words(address)[1] = version;
		words(address)[2] = id;
	}
}

bool whole(uint64_t address, uint32_t id)
{
	return words(address)[0] == id && words(address)[2] == id;
}

void create_pool(int number, int direction)
{
	struct xfer_lmrm_config config = { .direction = direction ? READ : WRITE,
		.immediates = w.lanes[number].verbs,
		.waiters_max = 3,
		.wait_ns = 30 * MS,
		.quarantine_ns = 300 * MS };

	if (xfer_lmrm_create(&config, &w.lanes[number].sides[direction].pool))
		abort();
}

void create_join(int number, int direction)
{
	struct side *side = &w.lanes[number].sides[direction];
	struct xfer_join_config config = {
		.immediates = direction == WRITE && w.lanes[number].verbs, .wait_ns = 40 * MS
	};

	if (xfer_join_create(&config, &side->join))
		abort();
}

static void set_up_side(int number, int direction)
{
	create_pool(number, direction);
	create_join(number, direction);
	age(w.lanes[number].sides[direction].join, direction == WRITE && w.lanes[number].verbs);
	grow(number, direction);
}

void set_up(uint64_t seed, enum rule broken)
{
	struct xfer_quota_config quota = {
		.total = 1200, .cap = 1100, .minimum = 64, .clients_max = 2, .idle_ns = 1000 * MS
	};

	memset(&w, 0, sizeof(w));
	forget_trace();
	w.seed = seed;
	w.random = seed * UINT64_C(0x9e3779b97f4a7c15) + 88172645463325252;
	w.broken = broken;
	w.now = 1;
	if (xfer_replycache_init(&w.cache, CALLS) || xfer_quota_init(&w.quota, &quota))
		abort();
	w.client = (unsigned)xfer_quota_join(&w.quota, w.now);
	for (int i = 0; i < LANES; i++) {
		struct lane *lane = &w.lanes[i];

		lane->verbs = i != 1;
		lane->lost = lane->ended = true;
		lane->epoch = 1;
		set_up_side(i, WRITE);
		set_up_side(i, READ);
	}
}

static void tear_down_side(int number, int direction)
{
	struct side *side = &w.lanes[number].sides[direction];
	struct xfer_joined joined;

	xfer_join_end(side->join);
	while (xfer_join_expired(side->join, w.now, &joined))
		;
	for (int i = 0; i < WORKS; i++) {
		struct work *work = &w.works[i];

		if (work->active && work->slotted && !work->waiting && work->step != 9 &&
			work->call.lane == number && work->call.write == (direction == WRITE))
			xfer_join_done(side->join, &work->joined.name);
	}
	xfer_join_destroy(side->join);
	xfer_lmrm_destroy(side->pool);
}

void tear_down(void)
{
	for (int i = 0; i < CALLS; i++)
		if (w.ops[i].active && w.ops[i].waits)
			xfer_lmrm_unwait(pool_of(&w.ops[i]), &w.ops[i].waiter);
	for (int i = 0; i < LANES; i++) {
		tear_down_side(i, WRITE);
		tear_down_side(i, READ);
	}
	xfer_replycache_fini(&w.cache);
	xfer_quota_fini(&w.quota);
}
