/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* strangers.h -- connections without a session: how many there may be, and who makes room for others */
#ifndef XFER_CONTROL_STRANGERS_H
#define XFER_CONTROL_STRANGERS_H

#include <sys/queue.h>

#include "control/server.h"

#define XFER_STRANGERS_MAX 256 /* over TCP and over Unix sockets each */

struct xfer_stranger {
	const struct xfer_conn_identity *identity; /* lives as long as it is one */
	/* Ends its connection, for this cause (static text). Any thread, a lock is held: must not wait, nor call back. */
	void (*turn_out)(struct xfer_stranger *stranger, int err, const char *why);
	bool counted; /* it is one */
	TAILQ_ENTRY(xfer_stranger) link;
};

/* Its owner's lock is held in all of these. */
struct xfer_strangers {
	TAILQ_HEAD(, xfer_stranger) lists[2]; /* over TCP, over Unix sockets; the oldest first */
	unsigned counts[2];
};

void xfer_strangers_init(struct xfer_strangers *strangers);
/* One that comes is let in: if there are too many, an older one is turned out. */
void xfer_strangers_enter(struct xfer_strangers *strangers, struct xfer_stranger *stranger);
/* It isn't one any more, if it was. */
void xfer_strangers_leave(struct xfer_strangers *strangers, struct xfer_stranger *stranger);
/* All of them are turned out, for this cause. */
void xfer_strangers_turn_out(struct xfer_strangers *strangers, int err, const char *why);

#endif
