/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* fault.h -- mutations: defects that tests have to find, only in builds made for that */
#ifndef XFER_FAULT_H
#define XFER_FAULT_H

#include <stdbool.h>

/* One of them, or none, is in force during a process's life: XFER_MUTATION of its environment. */
enum xfer_mutation {
	XFER_MUTATION_VERIFIER = 1, /* "verifier": it stays the same when a kernel has gone down */
	XFER_MUTATION_REPLYCACHE,   /* "replycache": the owner doesn't remember replies */
	XFER_MUTATION_DELAY,        /* "delay": given for an operation whose fate is unknown */
	XFER_MUTATION_INVALIDATION, /* "invalidation": owners break their promises silently */
};

#ifdef RDMAXFER_FAULTS
bool xfer_mutation(enum xfer_mutation mutation);
#else
static inline bool xfer_mutation(enum xfer_mutation mutation)
{
	(void)mutation;
	return false;
}
#endif

#endif
