/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* cpu.c -- processor time that other processes on this machine, the servers, have used */
#include "cpu.h"

#include <err.h>
#include <stdlib.h>

bool cpu_parse(const char *pids, struct cpu *cpu)
{
	char *end = NULL;

	cpu->count = 0;
	for (const char *at = pids; !end || *end; at = end + 1) {
		long pid = strtol(at, &end, 10);

		if (end == at || pid <= 0 || (*end && *end != ',') ||
			cpu->count == CPU_MAX_PROCESSES)
			return false;
		if (clock_getcpuclockid((pid_t)pid, &cpu->clocks[cpu->count++]))
			return false;
	}
	return true;
}

double cpu_seconds(const struct cpu *cpu)
{
	double seconds = 0;

	for (unsigned i = 0; i < cpu->count; i++) {
		struct timespec used;

		if (clock_gettime(cpu->clocks[i], &used))
			err(1, "a server whose processor time is measured has ended");
		seconds += (double)used.tv_sec + (double)used.tv_nsec / 1e9;
	}
	return seconds;
}
