/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* holder.h -- a session that was promised something: what it has to be told, and has not acknowledged */
#ifndef XFER_OWNER_HOLDER_H
#define XFER_OWNER_HOLDER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/queue.h>

#include "control/server.h"
#include "core/holders.h"

/* All functions but holder_hear are called under the lock of the promises (coherence.h). */

#define HOLDER_QUEUE_MAX 256u /* above it a session is told that nothing is to be believed */

/* Something that a holder has to be told, and has not acknowledged. */
struct invalidation {
	uint64_t number;
	uint64_t expires_ns; /* then nobody believes it any more */
	uint32_t volume_id, bucket;
	bool awaited; /* a change waits for it, or did */
};

/* A session; its memory is the service's. */
struct holder {
	LIST_ENTRY(holder) link;
	const struct xfer_peer *peer;
	unsigned slot; /* constant */
	_Atomic bool
		listening; /* it has said EVENTS in this epoch; changed under the coherence's lock */
	_Atomic bool
		late; /* a change had to wait for the end of its lease, and it has not caught up since; the same */
	_Atomic uint64_t
		heard_ns; /* when the last request arrived that may have got a promise, or a little later */

	/* under the coherence's lock */
	uint32_t epoch;
	bool ended;
	bool lost;           /* it ends without having said so */
	bool counted;        /* among those that have something unsettled */
	uint64_t last, told; /* numbers: the last one that was given, and up to where it was told */
	struct invalidation all; /* everything; number 0: not */
	unsigned first, count;   /* of the ring, in the order of numbers */
	struct invalidation queue[HOLDER_QUEUE_MAX];
	struct xfer_request *waiting; /* EVENTS */
};

#define COHERENCE_BUCKETS_MAX 4

/* One operation's change of objects of one volume. */
struct coherence_change {
	struct holders *holders;
	uint32_t volume_id;
	unsigned count;
	uint32_t buckets[COHERENCE_BUCKETS_MAX]; /* all different */
	bool strict;                             /* others have to have acknowledged */
};

/* A request that arrived then may get a promise. Any thread. */
void holder_hear(struct holder *holder, uint64_t arrived_ns);

/* Something is unsettled. */
bool holder_unsettled(const struct holder *holder);
/* Whatever it was promised, until its lease ends. */
void holder_invalidate_all(struct holder *holder, uint64_t expires_ns);
void holder_invalidate(
	struct holder *holder, uint32_t volume_id, uint32_t bucket, uint64_t expires_ns);
/* Fills the answer with what was not told yet. False: there is nothing. */
bool holder_tell(struct holder *holder, struct xfer_events_res *res);
/* All up to a number is settled. */
void holder_acknowledge(struct holder *holder, uint64_t number);
/* Forgets what nobody believes any more. True: a change had waited for some of it. */
bool holder_expire(struct holder *holder, uint64_t now_ns);
/* When something that this change has to wait for expires next; 0: there is nothing. */
uint64_t holder_until(
	struct holder *holder, const struct coherence_change *change, uint64_t now_ns);

/* How much later than its arrival a request may be taken to have come. */
#define HOLDER_STEP_NS (UINT64_C(1) << 24) /* 17 ms */

#endif
