/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* stats.c -- what a run did and how long each operation took */
#include "stats.h"

#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MIB (1024.0 * 1024.0)

uint64_t stats_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void stats_begin(struct stats *stats, const struct cpu *cpu)
{
	*stats = (struct stats){ .cpu = cpu };
	stats->cpu_seconds = cpu ? -cpu_seconds(cpu) : 0;
	stats->began_ns = stats_now();
}

void stats_add(struct stats *stats, uint64_t bytes, uint64_t latency_ns)
{
	if (stats->ops == stats->room) {
		stats->room = stats->room ? 2 * stats->room : 65536;
		stats->latency_ns =
			realloc(stats->latency_ns, stats->room * sizeof(stats->latency_ns[0]));
		if (!stats->latency_ns)
			err(1, "no memory for latencies: let it run shorter");
	}
	stats->latency_ns[stats->ops++] = latency_ns;
	stats->bytes += bytes;
}

void stats_end(struct stats *stats)
{
	stats->ended_ns = stats_now();
	if (stats->cpu)
		stats->cpu_seconds += cpu_seconds(stats->cpu);
}

static int compare(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return (left > right) - (left < right);
}

static double percentile_us(const struct stats *stats, double part)
{
	return stats->ops
		       ? (double)stats->latency_ns[(size_t)(part * (double)(stats->ops - 1))] / 1000
		       : 0;
}

void stats_print(struct stats *stats, const char *what, uint64_t delays, bool json)
{
	double seconds = (double)(stats->ended_ns - stats->began_ns) / 1e9, sum = 0, mean, p50, p99;
	double mib = (double)stats->bytes / MIB;

	if (stats->ops)
		qsort(stats->latency_ns, stats->ops, sizeof(stats->latency_ns[0]), compare);
	for (uint64_t i = 0; i < stats->ops; i++)
		sum += (double)stats->latency_ns[i] / 1000;
	mean = stats->ops ? sum / (double)stats->ops : 0;
	p50 = percentile_us(stats, 0.5);
	p99 = percentile_us(stats, 0.99);
	if (json)
		printf("{\"what\": \"%s\", \"ops\": %" PRIu64 ", \"bytes\": %" PRIu64
		       ", \"seconds\": %.6f, "
		       "\"MiB/s\": %.2f, \"ops/s\": %.1f, \"lat_us\": {\"mean\": %.1f, \"p50\": %.1f, \"p99\": %.1f}, "
		       "\"delays\": %" PRIu64 ", \"errors\": %" PRIu64,
			what, stats->ops, stats->bytes, seconds, mib / seconds,
			(double)stats->ops / seconds, mean, p50, p99, delays, stats->errors);
	else
		printf("%-8s %" PRIu64
		       " ops, %.1f MiB in %.2f s: %.1f MiB/s, %.0f ops/s, latency mean %.0f p50 %.0f "
		       "p99 %.0f us, %" PRIu64 " delays, %" PRIu64 " errors",
			what, stats->ops, mib, seconds, mib / seconds, (double)stats->ops / seconds,
			mean, p50, p99, delays, stats->errors);
	if (stats->cpu)
		printf(json ? ", \"cpu_seconds\": %.6f" : ", servers' processor time %.3f s",
			stats->cpu_seconds);
	pace_print(&stats->pace, stats->began_ns, json);
	printf(json ? "}\n" : "\n");
	fflush(stdout);
}

void stats_free(struct stats *stats)
{
	free(stats->latency_ns);
	pace_free(&stats->pace);
}
