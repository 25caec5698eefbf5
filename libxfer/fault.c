/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* fault.c -- which mutation is in force; empty but in builds with RDMAXFER_FAULTS */

#include "fault.h"

#ifdef RDMAXFER_FAULTS

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static enum xfer_mutation in_force;

static void read_environment(void)
{
	static const char *const names[] = {
		[XFER_MUTATION_VERIFIER] = "verifier",
		[XFER_MUTATION_REPLYCACHE] = "replycache",
		[XFER_MUTATION_DELAY] = "delay",
		[XFER_MUTATION_INVALIDATION] = "invalidation",
	};
	const char *name = getenv("XFER_MUTATION");

	if (!name || !*name)
		return;
	for (unsigned i = XFER_MUTATION_VERIFIER; i <= XFER_MUTATION_INVALIDATION; i++)
		if (strcmp(name, names[i]) == 0)
			in_force = i;
	if (!in_force) {
		fprintf(stderr,
			"XFER_MUTATION=%s is unknown: use verifier, replycache, delay or invalidation\n",
			name);
		abort();
	}
}

bool xfer_mutation(enum xfer_mutation mutation)
{
	pthread_once(&once, read_environment);
	return in_force == mutation;
}

#endif
