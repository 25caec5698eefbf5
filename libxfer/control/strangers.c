/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* strangers.c -- connections without a session: how many there may be, and who makes room for others */

#include <errno.h>
#include <string.h>

#include "address.h"
#include "control/strangers.h"
#include "log.h"

static bool same_host(const struct xfer_conn_identity *a, const struct xfer_conn_identity *b)
{
	return a->local ? a->uid == b->uid : xfer_address_same_host(&a->address, &b->address);
}

static void log_crowd(const struct xfer_conn_identity *identity)
{
	static struct xfer_log_limit limit;
	unsigned suppressed;

	if (xfer_log_allowed(&limit, 10000, &suppressed))
		xfer_warn(
			"%d connections without a session are open when %s comes (and %u before): "
			"the oldest ones are closed; look for what makes them",
			XFER_STRANGERS_MAX, identity->text, suppressed);
}

/*
 * Whoever comes is let in, or those who keep connections open would keep out everybody. Those of a host make room for
 * its own, so that many of them don't push out another's that is about to say HELLO.
 */
static void make_room(struct xfer_strangers *strangers, const struct xfer_conn_identity *identity)
{
	struct xfer_stranger *oldest = TAILQ_FIRST(&strangers->lists[identity->local]), *other;

	log_crowd(identity);
	TAILQ_FOREACH (other, &strangers->lists[identity->local], link)
		if (same_host(other->identity, identity)) {
			oldest = other;
			break;
		}
	xfer_strangers_leave(strangers, oldest);
	oldest->turn_out(oldest, -EUSERS, "too many connections without a session are open");
}

void xfer_strangers_init(struct xfer_strangers *strangers)
{
	TAILQ_INIT(&strangers->lists[0]);
	TAILQ_INIT(&strangers->lists[1]);
	strangers->counts[0] = strangers->counts[1] = 0;
}

void xfer_strangers_enter(struct xfer_strangers *strangers, struct xfer_stranger *stranger)
{
	bool local = stranger->identity->local;

	if (strangers->counts[local] == XFER_STRANGERS_MAX)
		make_room(strangers, stranger->identity);
	TAILQ_INSERT_TAIL(&strangers->lists[local], stranger, link);
	strangers->counts[local]++;
	stranger->counted = true;
}

void xfer_strangers_leave(struct xfer_strangers *strangers, struct xfer_stranger *stranger)
{
	bool local = stranger->identity->local;

	if (!stranger->counted)
		return;
	TAILQ_REMOVE(&strangers->lists[local], stranger, link);
	strangers->counts[local]--;
	stranger->counted = false;
}

void xfer_strangers_turn_out(struct xfer_strangers *strangers, int err, const char *why)
{
	struct xfer_stranger *stranger;

	for (int i = 0; i < 2; i++)
		while ((stranger = TAILQ_FIRST(&strangers->lists[i]))) {
			xfer_strangers_leave(strangers, stranger);
			stranger->turn_out(stranger, err, why);
		}
}
