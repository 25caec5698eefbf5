/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* main.c -- both ends of data paths over queue pairs, with threads, in random operations */

/*
 * property_verbs STEPS [ADDRESS]: so many operations, over the mock of libibverbs; property_verbs_device: over the
 * device that has this address, or the first one that works. The seed is XFER_SEED or the clock's; it is printed, and
 * repeats what is done, if not when threads run.
 */

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "world.h"

#define ROUND  500  /* operations */
#define OFTEN  2000 /* operations after which most has happened */
#define RARELY 20000
#define SPIN                                                                                       \
	66000 /* uses of one slot, by which the half of its generation that travels wraps around */

/* --- what goes on beside operations ------------------------------------------------------------- */

static _Atomic bool at_work; /* operations are carried out */

static void *jolt(void *arg)
{
	(void)arg;
	while (at_work) {
		if (!r.held_up)
			wire_jolt();
		usleep(rnd(300));
		wire_check();
	}
	return NULL;
}

/* The one thread that changes chunks, and may end the path. */
static void *meddle(void *arg)
{
	unsigned steps = r.breaks ? 1 + rnd(100) : 0;

	(void)arg;
	while (at_work && (!r.breaks || steps-- > 0)) {
		chunks_step();
		path_sums();
		usleep(rnd(1000));
	}
	if (r.breaks) {
		path_break();
		r.ending = true;
	}
	return NULL;
}

/* --- rounds ------------------------------------------------------------------------------------- */

static void operate(unsigned operations)
{
	pthread_t jolting, meddling;

	at_work = true;
	CHECK(pthread_create(&jolting, NULL, jolt, NULL) == 0 &&
			pthread_create(&meddling, NULL, meddle, NULL) == 0,
		"no thread");
	initiator_run(operations);
	at_work = false;
	pthread_join(meddling, NULL);
	pthread_join(jolting, NULL);
	wire_calm();
}

static void round_of(unsigned number, unsigned operations)
{
	const struct xfer_slot_layout read = { .nclasses = 2,
		.classes = { { MEDIUM, 1 + rnd(3) }, { LARGE, 1 } } };

	path_begin(number, rnd(3) == 0, &read);
	if (rnd(4) > 0)
		chunks_age();
	for (unsigned i = 0; i < 3; i++)
		chunks_step();
	operate(operations);
	/* What was given up comes back with another path only. */
	if (!r.breaks && !r.late) {
		path_at_rest();
		chunks_end();
	}
	chunks_forget();
	path_end();
}

static void spin(unsigned number)
{
	const struct xfer_slot_layout read = { .nclasses = 1, .classes = { { SMALL, 1 } } };

	path_begin(number, false, &read);
	r.hasty = true;
	initiator_spin(SPIN);
	path_at_rest();
	path_end();
}

/* A run that is long enough has met everything. */
static void check_tally(unsigned steps)
{
	static const struct {
		const char *name;
		const _Atomic unsigned long *count;
		unsigned enough; /* steps after which there has to be one */
	} all[] = { { "WRITEs", &tally.writes, OFTEN }, { "READs", &tally.reads, OFTEN },
		{ "empty READs", &tally.empty_reads, OFTEN },
		{ "inline: small", &tally.small, OFTEN }, { "too long", &tally.too_long, OFTEN },
		{ "exhausted", &tally.exhausted, OFTEN },
		{ "RPCs before their bytes", &tally.waits, OFTEN },
		{ "answers before their bytes", &tally.in_progress, OFTEN },
		{ "chunks", &tally.chunks, OFTEN }, { "retired", &tally.retired, OFTEN },
		{ "paths", &tally.rounds, OFTEN },
		{ "generations wrapped, of 16 bits", &tally.wraps16, OFTEN },
		{ "of 32 bits", &tally.wraps32, RARELY }, { "broken", &tally.breaks, RARELY },
		{ "resent", &tally.resent, RARELY }, { "abandoned", &tally.abandoned, RARELY } };
	const unsigned n = sizeof(all) / sizeof(all[0]);

	for (unsigned i = 0; i < n; i++)
		printf("%s%s: %lu", i ? ", " : "", all[i].name, *all[i].count);
	printf("\n");
	for (unsigned i = 0; i < n; i++)
		CHECK(steps < all[i].enough || *all[i].count > 0, "there was nothing of this: %s",
			all[i].name);
}

static void run(unsigned steps, const char *address)
{
	unsigned number = 0;

	wire_begin();
	pairs_begin(address);
	channel_begin();
	direct();
	for (unsigned done = 0; done < steps; done += ROUND)
		round_of(++number, steps - done < ROUND ? steps - done : ROUND);
	spin(++number);
	channel_end();
	pairs_end();
	wire_end();
	check_tally(steps);
}

int main(int argc, char **argv)
{
	const char *given = getenv("XFER_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
	unsigned steps = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 0) : 0;
	const char *address = argc > 2 ? argv[2] : NULL;
	char again[200];

	if (argc < 2 || argc > 3 || steps == 0) {
		fprintf(stderr, "usage: %s STEPS [ADDRESS]\n", wire_program);
		return 2;
	}
	snprintf(again, sizeof(again), "XFER_SEED=%llu %s %u %s", (unsigned long long)seed,
		wire_program, steps, address ? address : "");
	printf("XFER_SEED=%llu\n", (unsigned long long)seed);
	fflush(stdout);
	chance_begin(seed);
	chance_thread(0);
	trace_begin(again);
	run(steps, address);
	return 0;
}
