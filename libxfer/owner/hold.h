/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* hold.h -- operations that wait for what connections left behind on the same objects */
#ifndef XFER_OWNER_HOLD_H
#define XFER_OWNER_HOLD_H

#include <pthread.h>
#include <stdatomic.h>

#include "control/request.h"

/*
 * An operation whose connection has ended is an orphan: it may be executed at any time, late. Whoever sent it sends it
 * again, gets the answer of that one execution, and then goes on; but others may come first, or somebody who doesn't
 * know of it. So an operation that changes something begins when no orphan that came before it has an object in common
 * with it. There are nearly never any, and as long as there are none this costs one load. Any thread.
 */
struct hold {
	_Atomic unsigned count; /* of orphans; changed under the lock */
	pthread_mutex_t lock;   /* the following, and the requests' `orphan_link` and `turn` */
	LIST_HEAD(, xfer_request) orphans;
	struct xfer_request *held; /* by `next`, in their order */
	uint64_t turn;             /* the last one that was given */
};

void hold_init(struct hold *hold);
void hold_fini(struct hold *hold);

/* The connection of a request that changes something has ended; it may wait, execute, or not be known yet. */
void hold_orphan(struct hold *hold, struct xfer_request *request);
/* The orphan has been executed, or never will be. What waited for it and for no other: by `next`, in its order. */
struct xfer_request *hold_orphan_gone(struct hold *hold, struct xfer_request *request);

/* An operation that changes something is to begin. True: it waits, and comes back by hold_orphan_gone. */
bool hold_enter(struct hold *hold, struct xfer_request *request);
/* Those that wait and that `match` names, by `next`. */
struct xfer_request *hold_take_back(struct hold *hold,
	bool (*match)(const void *arg, const struct xfer_request *request), const void *arg);

#endif
