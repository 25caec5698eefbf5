/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* fault_io.h -- connections that are cut, stalled or delayed at a chosen byte or call */
#ifndef SUPPORT_FAULT_IO_H
#define SUPPORT_FAULT_IO_H

#include <stdbool.h>
#include <stdint.h>

#include "control/conn_io.h"

/*
 * A test that is linked with --wrap=xfer_conn_io_socket has every connection which this process makes (not those
 * that it accepts) go through here, with one plan for all of them. Any thread.
 */

enum fault_direction { FAULT_SEND, FAULT_RECEIVE };

enum fault_kind {
	FAULT_NONE,
	FAULT_CUT,   /* the connection ends in both directions */
	FAULT_STALL, /* nothing moves any more, until there is another plan */
	FAULT_DELAY, /* nothing moves for some time */
};

struct fault_plan {
	enum fault_kind kind;
	enum fault_direction direction;
	bool calls;  /* `at` counts calls instead of bytes */
	uint64_t at; /* that pass before it happens, from when the plan is made */
	unsigned ms; /* of FAULT_DELAY */
};

void fault_io_plan(const struct fault_plan *plan);

/* Bytes and calls that have passed since the plan was made. */
struct fault_passed {
	uint64_t bytes[2], calls[2]; /* by direction */
	bool happened;
};
struct fault_passed fault_io_passed(void);

#endif
