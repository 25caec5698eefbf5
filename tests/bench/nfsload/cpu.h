/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* cpu.h -- processor time that other processes on this machine, the servers, have used */
#ifndef NFSLOAD_CPU_H
#define NFSLOAD_CPU_H

#include <stdbool.h>
#include <time.h>

#define CPU_MAX_PROCESSES 32

struct cpu {
	unsigned count;
	clockid_t clocks[CPU_MAX_PROCESSES];
};

/* Numbers with commas between; false if one is no process. */
bool cpu_parse(const char *pids, struct cpu *cpu);
/* User and system time of all of them; a process that ended ends the program with a message. */
double cpu_seconds(const struct cpu *cpu);

#endif
