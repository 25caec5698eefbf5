/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* coherence.h -- what sessions were promised, and what has to happen before a promise can be broken */
#ifndef XFER_OWNER_COHERENCE_H
#define XFER_OWNER_COHERENCE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/queue.h>

#include "control/server.h"
#include "core/holders.h"

/*
 * A session is a holder: of promises that reads give it, which its point of contact may rely on for a lease at most
 * (xfer.h). Before somebody else's change is carried out those who may believe what it ends are told, by the answer to
 * their EVENTS, and it waits until they have acknowledged that by the next EVENTS, or their lease is over. Until then
 * what they were told is unsettled.
 *
 * A session gets promises from its first EVENTS of an epoch on, so that one which never asks isn't waited for. When an
 * epoch ends, all of what was promised in it is unsettled. A session that ends without saying so leaves a ghost, which
 * is unsettled until its lease is over; so do, at the start, those of a predecessor of this process.
 *
 * Any thread. What takes a promise or finds nobody to tell takes no lock.
 */

struct coherence;

#define COHERENCE_QUEUE_MAX 256u /* above it a session is told that nothing is to be believed */

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
	struct invalidation queue[COHERENCE_QUEUE_MAX];
	struct xfer_request *waiting; /* EVENTS */
};

/* lease_ms: 0: XFER_LEASE_MS. -ENOMEM. */
int coherence_create(unsigned lease_ms, struct coherence **coherence);
/* No holder may be left. NULL is ignored. */
void coherence_destroy(struct coherence *coherence);

/* A process had a session with a predecessor of this one. node NULL: it isn't known who had. -ENOMEM. */
int coherence_add_ghost(struct coherence *coherence, const char *node, const uint8_t boot_id[16]);

/* --- sessions ---------------------------------------------------------------------------------- */

/* Its first request has come. *holder is zeroed. */
void coherence_add(
	struct coherence *coherence, struct holder *holder, const struct xfer_peer *peer);
/* None of its requests is under way any more. */
void coherence_remove(struct coherence *coherence, struct holder *holder);

/* EVENTS. Takes the request over. */
void coherence_events(
	struct coherence *coherence, struct holder *holder, struct xfer_request *request);
/* Its connections are gone, or it goes on over others. */
void coherence_epoch_ended(struct coherence *coherence, struct holder *holder);
/* It is going to end, and its point of contact may not know. */
void coherence_lost(struct coherence *coherence, struct holder *holder);
/* It has ended: unless it was lost, its point of contact believes nothing any more. */
void coherence_ended(struct coherence *coherence, struct holder *holder);

/* Nobody is to believe anything any more. */
void coherence_doubt_all(struct coherence *coherence);

/* How much is unsettled; for status. */
unsigned coherence_unsettled(struct coherence *coherence, struct holder *holder);

/* --- promises and changes ---------------------------------------------------------------------- */

/*
 * For a request that arrived then. True: what is read from now on (see holders.h) is promised to the session; false: it
 * isn't to be kept.
 */
bool coherence_promise(struct coherence *coherence, struct holder *holder, struct holders *holders,
	uint32_t bucket, uint64_t arrived_ns);

#define COHERENCE_BUCKETS_MAX 4

/* One operation's change of objects of one volume. */
struct coherence_change {
	struct holders *holders;
	uint32_t volume_id;
	unsigned count;
	uint32_t buckets[COHERENCE_BUCKETS_MAX]; /* all different */
	bool strict;                             /* others have to have acknowledged */
};

/*
 * Nobody is promised anything of these objects from now on, and those who were have been told. Waits, for a lease at
 * most, if the change is strict. coherence_end follows.
 */
void coherence_begin(
	struct coherence *coherence, struct holder *holder, const struct coherence_change *change);
/* The same if nobody has to be told or waited for. False: it isn't begun. Never waits. */
bool coherence_begin_now(
	struct coherence *coherence, struct holder *holder, const struct coherence_change *change);
void coherence_end(struct holder *holder, const struct coherence_change *change);

#endif
