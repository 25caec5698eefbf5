/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* chance.c -- what is random: the same seed does the same things, if not at the same time */

#include "chance.h"

#include <stdatomic.h>
#include <unistd.h>

#include "pattern.h"
#include "world.h"

#define NUMBERED 1000 /* threads below that have their numbers from the test */

static uint64_t seed;
static _Atomic unsigned others = NUMBERED;
static _Thread_local uint64_t state; /* 0: none yet */

void chance_begin(uint64_t given)
{
	seed = given;
}

void chance_thread(unsigned number)
{
	state = xfer_pattern_word(seed, 8 * (size_t)number) | 1;
}

uint32_t rnd(uint32_t n)
{
	if (state == 0)
		chance_thread(others++);
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)((state >> 16) % n);
}

uint32_t random_length(void)
{
	static const uint32_t edges[] = { 0, 1, INLINE, INLINE + 1, SMALL - 1, SMALL, SMALL + 1,
		MEDIUM - 1, MEDIUM, MEDIUM + 1, LARGE - 1, LARGE, LARGE + 1 };
	unsigned edge = rnd(sizeof(edges) / sizeof(edges[0]));

	/* What is large takes long. */
	if (edges[edge] > MEDIUM + 1 && rnd(4) > 0)
		edge = 3;
	return rnd(4) > 0 ? edges[edge] : rnd(2 * MEDIUM);
}

void dawdle(unsigned us)
{
	if (!r.hasty && rnd(4) == 0)
		usleep(rnd(us));
}
