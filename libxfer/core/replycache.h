/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* replycache.h -- what became of each call of a session, so that none is executed twice */
#ifndef XFER_CORE_REPLYCACHE_H
#define XFER_CORE_REPLYCACHE_H

#include <stddef.h>
#include <stdint.h>

/*
 * A session has so many call slots; a slot is used by one call at a time, and each use has a greater sequence (serial
 * arithmetic: it wraps around). The last call of each slot is remembered, whatever becomes of the connections that it
 * came over. Pure: no I/O, no clock, no lock; whoever uses it sees to it that one thread does at a time.
 */

#define XFER_REPLY_ROOM 512u /* bytes: the longest answer that is kept */

struct xfer_reply_slot;

struct xfer_replycache {
	uint32_t nslots;
	size_t bytes; /* of memory that it has */
	struct xfer_reply_slot *slots;
};

/* -ENOMEM. */
int xfer_replycache_init(struct xfer_replycache *cache, uint32_t nslots);
void xfer_replycache_fini(struct xfer_replycache *cache);

/* What is to be done with a call that arrives. */
enum xfer_replay {
	XFER_REPLAY_EXECUTE,   /* it is new, and executing from now on */
	XFER_REPLAY_CANCELLED, /* the same, but a CANCEL came before it: to be answered at once */
	XFER_REPLAY_ATTACHED, /* it is executing: this sending gets the answer, an earlier one doesn't any more */
	XFER_REPLAY_DONE,      /* it was executed: the answer is there */
	XFER_REPLAY_LOST,      /* it was executed, and its answer could not be kept */
	XFER_REPLAY_OLD,       /* its slot was used again since */
	XFER_REPLAY_CLASH,     /* its slot's call still executes, or another call has its number */
	XFER_REPLAY_NO_MEMORY, /* it is not remembered, so it must not be executed */
};

struct xfer_replayed {
	void *older; /* ATTACHED: a sending that is not to be answered; NULL: none, but the first, which executes */
	const uint8_t *answer; /* DONE: `length` bytes, until the slot's next use */
	uint32_t length;
};

/*
 * A call has arrived: `sending` stands for this one arrival of it. kind: what all sendings of a call have in common.
 * slot < nslots. *replayed is set for ATTACHED and DONE.
 */
enum xfer_replay xfer_replycache_call(struct xfer_replycache *cache, uint32_t slot,
	uint32_t sequence, uint32_t kind, void *sending, struct xfer_replayed *replayed);

/* The slot's call was executed. Keeps its answer (length 0: it has none that could be kept), and gives the sending that
 * gets it. */
void *xfer_replycache_done(
	struct xfer_replycache *cache, uint32_t slot, const uint8_t *answer, uint32_t length);

/*
 * The slot's call was not executed after all, and won't be by this arrival: its data never came. Whichever sending
 * of it arrives next is to be executed. Gives the sending to be answered.
 */
void *xfer_replycache_forget(struct xfer_replycache *cache, uint32_t slot);

/* What a CANCEL finds. */
enum xfer_cancelled {
	XFER_CANCEL_NOTED,     /* the call has not arrived yet: when it does, it is not executed */
	XFER_CANCEL_EXECUTING, /* too late, as far as this cache knows */
	XFER_CANCEL_DONE,      /* too late */
	XFER_CANCEL_CLASH,     /* the slot's earlier call still executes */
};
enum xfer_cancelled xfer_replycache_cancel(
	struct xfer_replycache *cache, uint32_t slot, uint32_t sequence);

/* Calls fn with the first sending of every call that is executing. */
void xfer_replycache_each(
	struct xfer_replycache *cache, void (*fn)(void *arg, void *sending), void *arg);

#endif
