/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* validity.h -- until when what an owner's reply said may be believed */
#ifndef FSAL_RDMAXFER_VALIDITY_H
#define FSAL_RDMAXFER_VALIDITY_H

/*
 * A fact (attributes of an object, a name in a directory) that came with the owner's promise holds
 *
 *   - until the owner says that it doesn't any more (an invalidation of its bucket), and
 *   - for XFER_LEASE_MS at most, counted from when it was asked for: an owner that can't reach this process waits as
 *     long before it changes anything.
 *
 * A reply may be overtaken by the invalidation of what it says. So each fact carries when it was asked for: what was
 * asked for before an invalidation came isn't believed after it, whenever its reply comes.
 *
 * The owner doesn't tell a session of the session's own changes. Between the moment when such a change is sent and the
 * moment when its answer is here others may have seen its effect already, so what was true before must not be told
 * meanwhile: these changes are counted here.
 *
 * One per volume. Any function may be called from any thread, lane threads included; none blocks.
 */

#include <stdbool.h>
#include <stdint.h>

#include "xfer/xfer.h"

/* When something was asked for. Zero: never, so nothing holds that has it. */
struct asked {
	uint64_t seq; /* of the volume: counts what ended facts */
	uint64_t ns;  /* of validity_now */
};

struct validity;

/* NULL: no memory */
struct validity *validity_create(void);
void validity_destroy(struct validity *validity);

/* Nanoseconds of a clock that goes on while the machine sleeps, as leases do. */
uint64_t validity_now(void);

/* To be called before a request is sent. */
struct asked validity_ask(struct validity *validity);

/* Whether the lease is over of what was asked for then. */
bool validity_lease_over(const struct asked *asked, uint64_t now);

bool validity_holds(
	struct validity *validity, uint32_t bucket, const struct asked *asked, uint64_t now);

void validity_invalidate(struct validity *validity, uint32_t bucket);
void validity_invalidate_all(struct validity *validity);

/* A number that is greater than those of all that was asked for before. */
uint64_t validity_next(struct validity *validity);

/* What this process is about to change of an object. */
enum own_change {
	OWN_CONTENT, /* a file's data, a directory's names; size and times with them */
	OWN_ATTRS,   /* attributes themselves, or names that lead to it */
	OWN_CHANGES,
};
#define VALIDITY_ANY XFER_BUCKETS /* instead of a bucket: nobody knows yet of which object */
void validity_change_begin(struct validity *validity, uint32_t bucket, enum own_change change);
void validity_change_end(struct validity *validity, uint32_t bucket, enum own_change change);
bool validity_is_changing(struct validity *validity, uint32_t bucket, enum own_change change);

#endif
