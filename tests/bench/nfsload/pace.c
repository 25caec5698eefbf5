/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* pace.c -- how connections get on beside each other, each with the same number of operations */
#include "pace.h"

#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void pace_begin(struct pace *pace, unsigned count, uint64_t each)
{
	*pace = (struct pace){ .each = each, .count = count };
	if (!each)
		return;
	pace->conns = calloc(count, sizeof(pace->conns[0]));
	if (!pace->conns)
		err(1, "no memory for notes on %u connections", count);
}

bool pace_issue(struct pace *pace, unsigned conn)
{
	if (!pace->each)
		return true;
	if (pace->conns[conn].issued == pace->each)
		return false;
	pace->conns[conn].issued++;
	return true;
}

static void note_first_end(struct pace *pace)
{
	pace->one_has_ended = true;
	for (unsigned i = 0; i < pace->count; i++)
		pace->conns[i].done_then = pace->conns[i].done;
}

void pace_done(struct pace *pace, unsigned conn, uint64_t now_ns)
{
	if (!pace->each || ++pace->conns[conn].done < pace->each)
		return;
	pace->conns[conn].ended_ns = now_ns;
	if (!pace->one_has_ended)
		note_first_end(pace);
}

/* In nanoseconds; 0: it has not ended. */
static uint64_t took(const struct pace *pace, unsigned conn, uint64_t began_ns)
{
	uint64_t ended_ns = pace->conns[conn].ended_ns;

	return ended_ns ? ended_ns - began_ns : 0;
}

static void print_json(const struct pace *pace, uint64_t began_ns)
{
	printf(", \"conns\": [");
	for (unsigned i = 0; i < pace->count; i++)
		printf("%s{\"ops\": %" PRIu64 ", \"ops_at_first_end\": %" PRIu64
		       ", \"seconds\": %.6f}",
			i ? ", " : "", pace->conns[i].done, pace->conns[i].done_then,
			(double)took(pace, i, began_ns) / 1e9);
	printf("]");
}

static void print_line(const struct pace *pace, uint64_t began_ns)
{
	uint64_t first = UINT64_MAX, last = 0, least = UINT64_MAX;

	for (unsigned i = 0; i < pace->count; i++) {
		uint64_t ns = took(pace, i, began_ns);

		first = ns < first ? ns : first;
		last = ns > last ? ns : last;
		if (pace->conns[i].done_then < least)
			least = pace->conns[i].done_then;
	}
	printf(", connections ended after %.2f to %.2f s, at the first end each had done %" PRIu64
	       " or more",
		(double)first / 1e9, (double)last / 1e9, least);
}

void pace_print(const struct pace *pace, uint64_t began_ns, bool json)
{
	if (!pace->each)
		return;
	if (json)
		print_json(pace, began_ns);
	else
		print_line(pace, began_ns);
}

void pace_free(struct pace *pace)
{
	free(pace->conns);
}
