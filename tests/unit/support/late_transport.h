/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* late_transport.h -- both ends of a transport with immediates, in one process, which deliver when a test says */
#ifndef SUPPORT_LATE_TRANSPORT_H
#define SUPPORT_LATE_TRANSPORT_H

#include "transport/transport.h"

/*
 * One data path's. Addresses are pointers, which the sender can write to: slots are memory that both ends have mapped.
 * Bytes stay in a buffer of the sender's, as a network card would read them, until they are delivered; then they are
 * copied, and the receiver is told.
 */
struct late_link;

enum late_side { LATE_INITIATOR, LATE_HOST };

/* When a side gets what it was sent. */
enum late_when {
	LATE_AT_ONCE,  /* on the sender's thread, before the RPC */
	LATE_AT_POLL,  /* when it looks */
	LATE_AT_AWAIT, /* when it waits */
	LATE_HELD,     /* when the test delivers */
};

struct late_link *late_link_new(void); /* fails the test if it can't */
/* Both transports were freed, or never made. */
void late_link_free(struct late_link *link);
struct xfer_transport *late_transport_new(struct late_link *link, enum late_side side);

void late_set(struct late_link *link, enum late_side side, enum late_when when);
/* What its calls give from now on; 0: what they should. */
void late_fail(struct late_link *link, enum late_side side, int stage_err, int send_err);
/* Delivers what a side was sent; how much that was. Any thread, as all of the following. */
unsigned late_deliver(struct late_link *link, enum late_side side);
/* What it was sent by now never comes. */
void late_drop(struct late_link *link, enum late_side side);
/* An immediate that was never sent. */
void late_forge(struct late_link *link, enum late_side side, uint32_t lane, uint32_t immediate);
/* A lane looks at the clock, which is so much later than it is. */
void late_tick(struct late_link *link, enum late_side side, uint32_t lane, unsigned later_ms);
void late_lose(struct late_link *link, enum late_side side, const char *why);

/* How much a side was sent and hasn't got; how often it has waited. */
unsigned late_owed(struct late_link *link, enum late_side side);
unsigned late_awaited(struct late_link *link, enum late_side side);

#endif
