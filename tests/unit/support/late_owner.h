/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* late_owner.h -- what a memowner answers to SHARE, GROW and RETIRE: data paths whose bytes come when a test says */
#ifndef SUPPORT_LATE_OWNER_H
#define SUPPORT_LATE_OWNER_H

#include "control/hostpath.h"
#include "support/late_transport.h"

#define LATE_PATHS 8u

/* One data path, with memory for a slot of each size that is asked for. */
struct late_path {
	struct late_link *link;
	struct xfer_hostpath *host;
	struct xfer_peer *peer;
	struct xfer_chunk chunk; /* the last one */
	_Atomic bool gone;
	_Atomic unsigned lost;
};

/* There is one in a process. */
struct late_owner {
	pthread_mutex_t lock;
	struct late_path paths[LATE_PATHS];
	_Atomic unsigned npaths;
	_Atomic enum late_when when[2]; /* of paths to come, by side */
	struct xfer_request *retire;    /* that waits */
};
extern struct late_owner late_owner;

/* Of struct memowner. */
void late_owner_memory(void *owner, struct xfer_request *request);
/* The path that was made last. */
struct late_path *late_owner_path(void);
/* How many of its requests wait for their bytes. A condition: one does. */
unsigned late_owner_parked(void);
bool late_owner_one_parked(void *unused);
/* As an owner does with a path that is lost. */
void late_owner_end_path(struct late_path *path);
/* No connection is left: what waits is answered. Afterwards the owner is to be stopped. */
void late_owner_settle(void);
/* The owner has stopped: nothing is used any more. */
void late_owner_free(void);

#endif
