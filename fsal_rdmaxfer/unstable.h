/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* unstable.h -- what NFSv3 clients have written UNSTABLE and not committed, and under which write verifier */
#ifndef FSAL_RDMAXFER_UNSTABLE_H
#define FSAL_RDMAXFER_UNSTABLE_H

#include "xfer/xfer.h"

/*
 * Ganesha answers NFSv3 with a write verifier of its own process: clients don't see when the owner's changes, which means
 * that uncommitted data may be lost. So it is noted here, per file and client, and their COMMIT fails then. What can't be
 * noted for want of room is written stable. Any thread may call everything.
 */
struct unstable;

/* max: files times clients that are noted at a time. */
struct unstable *unstable_create(unsigned max);
void unstable_destroy(struct unstable *unstable);

struct unstable_key {
	struct xfer_handle handle;
	uint8_t client[16]; /* its address */
};

/* A write begins: whether it may be UNSTABLE. True: unstable_written has to follow. */
bool unstable_begin(struct unstable *unstable, const struct unstable_key *key);

/* It has ended; verifier: under which count bytes are uncommitted now; NULL: none are. */
void unstable_written(struct unstable *unstable, const struct unstable_key *key, uint64_t offset,
	uint64_t count, const uint8_t verifier[8]);

/* What a COMMIT finds when it begins. */
struct unstable_commit {
	bool noted;
	uint8_t verifier[8]; /* of the first bytes that are uncommitted */
	uint64_t writes;     /* so far */
};
void unstable_commit_begin(
	struct unstable *unstable, const struct unstable_key *key, struct unstable_commit *commit);

/*
 * It has ended with err at the owner, and (0) with a verifier; count 0: to the end. Gives err, or -EIO: data that the
 * client has written may be lost.
 */
int unstable_commit_end(struct unstable *unstable, const struct unstable_key *key,
	const struct unstable_commit *commit, uint64_t offset, uint64_t count, int err,
	const uint8_t verifier[8]);

#endif
