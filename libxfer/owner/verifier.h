/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* verifier.h -- the write verifier: differs when unstable data may have been lost */
#ifndef XFER_OWNER_VERIFIER_H
#define XFER_OWNER_VERIFIER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Unstable data lies in the kernel's page cache, which outlives the daemon: so the verifier is made of the
 * kernel's boot id, and of a count of writeback errors, which are the other way to lose data. The count is kept
 * in STATE_DIR, or a restart of the daemon would bring an old verifier back. Any thread.
 */
struct verifier {
	pthread_mutex_t lock; /* the following three; nothing is waited for with it held */
	uint8_t boot_id[16];
	uint64_t errors;
	uint8_t bytes[8];
	pthread_mutex_t store_lock; /* the file, and the following */
	uint64_t stored;            /* the count that is in the file */
	int dir;                    /* STATE_DIR */
};

/* -errno: the state directory or /proc can't be read; what was wrong is logged. */
int verifier_init(struct verifier *verifier, const char *state_dir);
void verifier_fini(struct verifier *verifier);

void verifier_get(struct verifier *verifier, uint8_t bytes[8]);
/* Whether a failed write or sync means that data may be lost which was acknowledged before. */
bool verifier_is_loss(int err);
/* The verifier is another one from now on, at once; waits until the count is in the file, so not on a lane. */
void verifier_lost(struct verifier *verifier);

#endif
