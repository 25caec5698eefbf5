/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* join.h -- the host's side of a lane's slots: an RPC and the bytes that it names meet */
#ifndef XFER_CORE_JOIN_H
#define XFER_CORE_JOIN_H

#include <stdbool.h>
#include <stdint.h>

#include "core/slot.h"

/*
 * A lane has one for the WRITE slots, and one for the READ slots that its peer names (without immediates: the
 * request says all). With immediates bytes come over the data path, and announce themselves; with shared memory
 * they are there before the RPC is.
 *
 * Pure as core/lmrm.h is: the caller has its lane's lock, times are CLOCK_MONOTONIC's nanoseconds, memory is
 * allocated for a join and for each region.
 *
 * The reply cache comes first: a sending of a call that executes already, or was executed, doesn't come here.
 * Whatever comes here and gets GO uses the slot until xfer_join_done; its reply names the slot, after that. No
 * other reply does, and nothing that names a slot is answered before it has met its immediate, not even when it
 * isn't to be carried out (CANCEL): the initiator would reuse the slot, and the immediate would meet the next RPC.
 */

struct xfer_join_config {
	bool immediates;
	uint64_t
		wait_ns; /* how long an RPC waits for its immediate; then its caller sends the payload inline */
};

struct xfer_join;

int xfer_join_create(const struct xfer_join_config *config, struct xfer_join **join); /* -ENOMEM */
/*
 * Nothing waits and no slot is in use any more. That is how memory comes back without a data path: all of it, after
 * xfer_join_end. NULL is ignored.
 */
void xfer_join_destroy(struct xfer_join *join);

/*
 * Chooses the region's first number, the lowest that leaves room, and where its generations begin: behind those of
 * regions that are gone. The initiator is told both. -EINVAL, -EEXIST (id), -ENOSPC (too many regions, no numbers
 * left), -ENOMEM.
 */
int xfer_join_add_region(struct xfer_join *join, struct xfer_region *region);
/*
 * The initiator has said that it is drained, and removed it. After it the memory may be deregistered. -ENOENT; -EBUSY:
 * a slot isn't IDLE, which no slot of a drained region is. Not before the initiator has said so, data path or not:
 * its slots would be free again with the next epoch.
 */
int xfer_join_remove_region(struct xfer_join *join, uint32_t id);
bool xfer_join_region(const struct xfer_join *join, unsigned index, struct xfer_region *region);

enum xfer_join_event {
	XFER_JOIN_GO,     /* the bytes are there: the slot is in use until xfer_join_done */
	XFER_JOIN_WAIT,   /* the other one of RPC and immediate is missing */
	XFER_JOIN_RESEND, /* of an RPC: its bytes won't come, it isn't executed: RESEND_INLINE */
	XFER_JOIN_IGNORED, /* of an immediate: of an epoch that is over, or of an RPC that was answered RESEND_INLINE */
	/* A late copy, or a defect of the peer's. Nothing has changed; the RPC is refused, its reply names no slot. */
	XFER_JOIN_STALE, /* the name was used already */
	/* Violations: the same, and the peer's data path is to be ended. */
	XFER_JOIN_UNKNOWN_SLOT,
	XFER_JOIN_BAD_EPOCH, /* one that hasn't begun */
	XFER_JOIN_TOO_LONG,  /* more bytes than the slot has */
	XFER_JOIN_BUSY,      /* the slot is another RPC's, or another immediate has come for it */
	XFER_JOIN_MISMATCH,  /* RPC and immediate name different generations */
};

static inline bool xfer_join_violation(enum xfer_join_event event)
{
	return event >= XFER_JOIN_UNKNOWN_SLOT;
}

const char *xfer_join_event_name(enum xfer_join_event event);

/* What an RPC or an immediate finds. */
struct xfer_joined {
	struct xfer_slot_name name;
	uint64_t address; /* GO */
	void *memory;     /* GO: the region's */
	uint32_t size;    /* GO: bytes of the slot */
	void *user;       /* GO, expired: the RPC's */
};

/* An RPC that names a slot for `length` bytes. user stands for it until GO or xfer_join_expired; not NULL. */
enum xfer_join_event xfer_join_rpc(struct xfer_join *join, const struct xfer_slot_name *name,
	uint32_t length, void *user, uint64_t now, struct xfer_joined *joined);
/* An immediate, by a queue pair of the epoch. GO: *joined is the RPC that waited. */
enum xfer_join_event xfer_join_immediate(
	struct xfer_join *join, uint32_t epoch, uint32_t immediate, struct xfer_joined *joined);
/* Whether the data path that the RPC came for is still there: asked before bytes are sent back over it. */
bool xfer_join_live(const struct xfer_join *join, const struct xfer_slot_name *name);
/* After GO: the slot isn't touched any more, and a receive for the next immediate was posted. Before the reply. */
void xfer_join_done(struct xfer_join *join, const struct xfer_slot_name *name);
/*
 * The next RPC to be answered RESEND_INLINE, after its time or its epoch is over; false: none. To be called until
 * then, after xfer_join_end and with time.
 */
bool xfer_join_expired(struct xfer_join *join, uint64_t now, struct xfer_joined *joined);

/* Whether an RPC waits for its immediate. */
bool xfer_join_waits(const struct xfer_join *join);
/*
 * The epoch is over, for whatever cause: no RPC gets GO any more. Before the next one begins, or memory is
 * deregistered, the caller ends all its queue pairs. May be repeated.
 */
void xfer_join_end(struct xfer_join *join);
/* How many slots are in use. The caller may wait for it to become 0 before it begins an epoch. */
uint32_t xfer_join_in_use(const struct xfer_join *join);
/*
 * A new epoch, before WELCOME is sent: those in use are withheld; WELCOME names them all. -EINVAL: there is one, it
 * isn't later, or an RPC hasn't been answered since the last one's end; -ENOBUFS: withheld has no room for all of
 * them (room numbers). Else their number.
 */
int xfer_join_begin(struct xfer_join *join, uint32_t epoch, uint16_t *withheld, uint32_t room);

enum xfer_join_state {
	XFER_JOIN_IDLE,
	XFER_JOIN_ARRIVED, /* the immediate has */
	XFER_JOIN_WAITING, /* the RPC does */
	XFER_JOIN_IN_USE,
	XFER_JOIN_GIVEN_UP, /* answered RESEND_INLINE: not used before the next epoch */
	XFER_JOIN_STATES,
};

void xfer_join_counts(const struct xfer_join *join, uint32_t counts[XFER_JOIN_STATES]);
int xfer_join_look(
	const struct xfer_join *join, uint16_t number); /* an enum xfer_join_state, or -ENOENT */

#endif
