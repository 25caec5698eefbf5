/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* main.c -- initiator and host of LMRM pools in random interleavings, invariants checked after each step */

/*
 * property_lmrm STEPS [RULE|broken]: with all rules in force, none of the invariants of docs/lmrm.md may fail. With a
 * RULE broken one has to; "broken" tries each of them. The seed is XFER_SEED or the clock's; it is printed, and
 * repeats a run.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "world.h"

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
			send_message(&w.discards[--w.ndiscards]);
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
		       "inline, %lu quarantined, %lu withheld, %lu epochs, %lu regions, %lu lanes closed\n",
			w.step, w.executed, w.slotted, w.delivered, w.resent, w.quarantined,
			w.withheld, w.epochs, w.grown, w.closed);
		return broken != NONE;
	}
	print_trace();
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
