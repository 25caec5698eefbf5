/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* lmrm.h -- the initiator's side of a lane's slots: who may use which, and when one is free again */
#ifndef XFER_CORE_LMRM_H
#define XFER_CORE_LMRM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "core/slot.h"

/*
 * A lane has two pools: the WRITE slots are the host's memory, which the initiator manages (the LMRM pool), the
 * READ slots are its own. docs/lmrm.md has the rules and their reasons.
 *
 * Pure: no I/O, no clock (times are CLOCK_MONOTONIC's nanoseconds, given by the caller, and never go back), no
 * lock: the caller has its lane's lock during each call. Memory is allocated for a pool and for each of its
 * regions, never for an operation.
 *
 * Whoever reserves a slot gets its name and gives it back with each further call. A name that isn't the slot's any
 * more, because the data path was lost meanwhile, is answered -ESTALE: the caller has nothing to do with the slot
 * from then on. A call that doesn't fit the state of one's own slot is a defect of the caller's, and asserted; one
 * that the peer causes is answered -EPROTO (a region or an epoch that can't be: -EINVAL, -EEXIST), changes nothing,
 * and calls for the end of the data path.
 */

enum xfer_slot_state {
	XFER_SLOT_FREE,
	XFER_SLOT_RESERVED, /* of whoever reserved it: WRITE: to be filled; READ: to be named */
	XFER_SLOT_FILLED, /* WRITE: the bytes are on their way, or there; the host hasn't been told */
	XFER_SLOT_SUBMITTED,   /* WRITE: the host has been told, and may be reading */
	XFER_SLOT_OFFERED,     /* READ: the host has been told, and may be writing */
	XFER_SLOT_DELIVERED,   /* READ: of whoever uses the bytes */
	XFER_SLOT_QUARANTINED, /* nobody waits for the host any more, which may still use it */
	XFER_SLOT_LIMBO, /* the data path was lost: until the host confirms a new one, and whoever was using it lets go */
	XFER_SLOT_STATES,
};

enum xfer_pool_direction { XFER_POOL_WRITE, XFER_POOL_READ };

struct xfer_lmrm_config {
	enum xfer_pool_direction direction;
	bool immediates; /* READ: the bytes come with an immediate (verbs), not before the reply (shm) */
	unsigned waiters_max;
	uint64_t wait_ns; /* how long one waits for a slot, then its payload goes inline */
	uint64_t
		quarantine_ns; /* a slot that is in quarantine, or withheld, for longer asks for a new epoch */
};

#define XFER_LMRM_CLASSES_MAX 4u /* different slot sizes */

struct xfer_lmrm;

/* A pool without regions and without a data path. -ENOMEM. */
int xfer_lmrm_create(const struct xfer_lmrm_config *config, struct xfer_lmrm **pool);
/* Nobody waits. Whatever state its slots are in; see xfer_lmrm_held. NULL is ignored. */
void xfer_lmrm_destroy(struct xfer_lmrm *pool);

/* --- regions ---------------------------------------------------------------------------------- */

/*
 * It may be used from the next welcome on, or at once where there is a data path. -EINVAL: no region; -EEXIST: its
 * id or its numbers are another one's; -ENOSPC: too many regions or sizes; -ENOMEM.
 */
int xfer_lmrm_add_region(struct xfer_lmrm *pool, const struct xfer_region *region);
/* None of its slots is reserved any more. -ENOENT. */
int xfer_lmrm_retire(struct xfer_lmrm *pool, uint32_t id);
/* It is retiring, and all its slots are free: the host may be told to deregister it. */
bool xfer_lmrm_drained(const struct xfer_lmrm *pool, uint32_t id);
/* Before the host is told. -ENOENT; -EBUSY: it isn't drained, nor can it be before a lost data path's successor. */
int xfer_lmrm_remove_region(struct xfer_lmrm *pool, uint32_t id);

/* --- the data path ---------------------------------------------------------------------------- */

/*
 * It doesn't work any more, as far as this end can tell. All slots go to LIMBO, all waiters inline. May be
 * repeated.
 */
void xfer_lmrm_path_lost(struct xfer_lmrm *pool);
/*
 * The host has confirmed a new epoch: nothing of an earlier one can land any more, and no operation uses a slot, but
 * for those withheld, which stay in LIMBO until such an operation's reply, or a later epoch, gives them back.
 * -EINVAL: there is a data path, or its epoch wasn't earlier.
 */
int xfer_lmrm_welcome(struct xfer_lmrm *pool, uint32_t epoch, const uint16_t *withheld,
	unsigned nwithheld, uint64_t now);
/*
 * A new epoch would help: there is no data path, or more than a quarter of a size class is in quarantine, or
 * something has been for too long, or withheld.
 */
bool xfer_lmrm_wants_epoch(const struct xfer_lmrm *pool, uint64_t now);
/* How many slots are used by somebody at this end. With shared memory each epoch has a pool of its own, and the old
 * one's is destroyed, and unmapped, when this is 0. */
unsigned xfer_lmrm_held(const struct xfer_lmrm *pool);

/* --- reserving -------------------------------------------------------------------------------- */

struct xfer_lmrm_slot {
	struct xfer_slot_name name;
	uint32_t region; /* its id */
	uint32_t size;   /* bytes, at least what was asked for */
	uint64_t address;
	void *memory; /* the region's */
};

/*
 * FREE -> RESERVED, no message. -EAGAIN: exhausted, or others wait: wait or go inline; -EMSGSIZE: longer than any
 * slot; -ENOTCONN: no data path.
 */
int xfer_lmrm_reserve(struct xfer_lmrm *pool, uint32_t length, struct xfer_lmrm_slot *slot);

/*
 * The caller's memory; the pool has it from xfer_lmrm_wait until xfer_lmrm_served gives it back, or
 * xfer_lmrm_unwait.
 */
struct xfer_lmrm_waiter {
	uint32_t length;
	uint64_t deadline;
	int result; /* given back: 0, -ETIMEDOUT, -ENOTCONN: what isn't 0 goes inline */
	struct xfer_lmrm_slot slot; /* given back, result 0: reserved for it */
	struct xfer_lmrm_class *class;
	TAILQ_ENTRY(xfer_lmrm_waiter) link;
};

/* After -EAGAIN. -ENOBUFS: too many wait already: go inline. Otherwise as xfer_lmrm_reserve. */
int xfer_lmrm_wait(
	struct xfer_lmrm *pool, struct xfer_lmrm_waiter *waiter, uint32_t length, uint64_t now);
void xfer_lmrm_unwait(struct xfer_lmrm *pool, struct xfer_lmrm_waiter *waiter);
/*
 * The next one that needn't wait any more, first come first served in each class; NULL: none. To be called until
 * then, after whatever frees slots or adds them, after a loss, and with time.
 */
struct xfer_lmrm_waiter *xfer_lmrm_served(struct xfer_lmrm *pool, uint64_t now);

/* --- WRITE ------------------------------------------------------------------------------------ */

/* RESERVED -> FILLED: the write was posted, or copied; the caller doesn't touch the slot again. -ESTALE. */
int xfer_lmrm_filled(struct xfer_lmrm *pool, const struct xfer_slot_name *name);
/* FILLED -> SUBMITTED. Before the RPC is sent, because its reply may be faster than this call. -ESTALE. */
int xfer_lmrm_submitted(struct xfer_lmrm *pool, const struct xfer_slot_name *name);
/*
 * A reply that names the slot: the host doesn't use it any more. SUBMITTED, QUARANTINED -> FREE. Any other use of
 * the slot is left alone: -ESTALE. -EPROTO: the host hasn't been told of it. RESEND_INLINE names nothing.
 */
int xfer_lmrm_reply(struct xfer_lmrm *pool, const struct xfer_slot_name *name);

/* --- READ ------------------------------------------------------------------------------------- */

/* RESERVED -> OFFERED. Before the request is sent. user: whom xfer_lmrm_immediate names. -ESTALE. */
int xfer_lmrm_offered(struct xfer_lmrm *pool, const struct xfer_slot_name *name, void *user);

enum xfer_read_event {
	XFER_READ_READY,   /* DELIVERED: the bytes are there */
	XFER_READ_WAITS,   /* the other one of reply and immediate is missing */
	XFER_READ_NOTHING, /* FREE: the reply has no bytes in the slot */
	XFER_READ_LATE,    /* FREE: the slot was in quarantine, nobody wants the bytes */
};

/*
 * The request's reply. placed: bytes were put into the slot, so many; with immediates one has come or will. An enum
 * xfer_read_event, -ESTALE, or -EPROTO: the host hasn't been told, says it twice, or has more bytes than were asked
 * for.
 */
int xfer_lmrm_read_reply(
	struct xfer_lmrm *pool, const struct xfer_slot_name *name, bool placed, uint32_t length);
/*
 * An immediate, by a queue pair of the epoch. An enum xfer_read_event, with *user for READY; -ESTALE: of a lost
 * epoch, to be ignored; -EPROTO: nobody has offered such a slot, or it has come before.
 */
int xfer_lmrm_immediate(struct xfer_lmrm *pool, uint32_t epoch, uint32_t immediate, void **user);
/* The bytes aren't used any more: DELIVERED -> FREE, whatever became of the data path. */
void xfer_lmrm_release(struct xfer_lmrm *pool, const struct xfer_slot_name *name);

/* --- both ------------------------------------------------------------------------------------- */

/* The operation doesn't wait any more (timeout, CANCEL), or was answered RESEND_INLINE. SUBMITTED, OFFERED ->
 * QUARANTINED. -ESTALE: nothing was waiting. */
int xfer_lmrm_quarantine(struct xfer_lmrm *pool, const struct xfer_slot_name *name, uint64_t now);

enum xfer_lmrm_abort {
	XFER_ABORT_FREE, /* the slot can be reserved again */
	XFER_ABORT_CANCEL, /* in quarantine: the host may be sent a CANCEL that names it, whose reply frees it */
};

/* The operation ends before the host was told: RESERVED -> FREE, FILLED -> QUARANTINED. -ESTALE: nothing to do. */
int xfer_lmrm_abort(struct xfer_lmrm *pool, const struct xfer_slot_name *name, uint64_t now);

/* --- what there is ---------------------------------------------------------------------------- */

struct xfer_lmrm_counts {
	uint32_t slots; /* the sum of the others */
	uint32_t state[XFER_SLOT_STATES];
};

unsigned xfer_lmrm_waiters(const struct xfer_lmrm *pool);
void xfer_lmrm_counts(const struct xfer_lmrm *pool, struct xfer_lmrm_counts *counts);
/* Regions by index, in no order; false: there are no more. */
bool xfer_lmrm_region(const struct xfer_lmrm *pool, unsigned index, struct xfer_region *region,
	struct xfer_lmrm_counts *counts);
/* The state of the slot with this number, and the name of its last use. -ENOENT. */
int xfer_lmrm_look(const struct xfer_lmrm *pool, uint16_t number, struct xfer_slot_name *name);
const char *xfer_slot_state_name(enum xfer_slot_state state);

#endif
