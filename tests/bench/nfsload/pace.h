/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* pace.h -- how connections get on beside each other, each with the same number of operations */
#ifndef NFSLOAD_PACE_H
#define NFSLOAD_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct pace_conn {
	uint64_t issued;
	uint64_t done;
	uint64_t done_then; /* when the first of the connections had done all of its operations */
	uint64_t ended_ns;  /* when this one had */
};

struct pace {
	uint64_t each; /* operations of each connection; 0: it isn't measured, and not limited */
	unsigned count;
	bool one_has_ended;
	struct pace_conn *conns;
};

void pace_begin(struct pace *pace, unsigned count, uint64_t each);
/* Before an operation; false: the connection has had all of its own. */
bool pace_issue(struct pace *pace, unsigned conn);
/* After it. */
void pace_done(struct pace *pace, unsigned conn, uint64_t now_ns);
/* A part of a line for people, or of a JSON object. */
void pace_print(const struct pace *pace, uint64_t began_ns, bool json);
void pace_free(struct pace *pace);

#endif
