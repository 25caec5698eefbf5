/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* stats.h -- what a run did and how long each operation took */
#ifndef NFSLOAD_STATS_H
#define NFSLOAD_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cpu.h"
#include "pace.h"

struct stats {
	const struct cpu *cpu; /* of the servers; NULL: not measured */
	double cpu_seconds;
	uint64_t ops;
	uint64_t bytes;
	uint64_t errors;
	uint64_t began_ns;
	uint64_t ended_ns;
	uint64_t *latency_ns;
	size_t room;
	struct pace pace; /* of the connections */
};

uint64_t stats_now(void);
void stats_begin(struct stats *stats, const struct cpu *cpu);
void stats_add(struct stats *stats, uint64_t bytes, uint64_t latency_ns);
void stats_end(struct stats *stats);
/* One line for people, or one JSON object. */
void stats_print(struct stats *stats, const char *what, uint64_t delays, bool json);
void stats_free(struct stats *stats);

#endif
