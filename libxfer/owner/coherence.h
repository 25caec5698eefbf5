/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* coherence.h -- what sessions were promised, and what has to happen before a promise can be broken */
#ifndef XFER_OWNER_COHERENCE_H
#define XFER_OWNER_COHERENCE_H

#include "owner/holder.h"

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
