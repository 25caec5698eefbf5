/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* memory.h -- the memory that sessions place their data in: how much there is, and who has it */
#ifndef XFER_OWNER_MEMORY_H
#define XFER_OWNER_MEMORY_H

#include <jansson.h>
#include <pthread.h>

#include "control/server.h"
#include "core/quota.h"

struct grant;

/* It takes tens of milliseconds to fill memory and to give it back, so a thread of its own does both. */
struct memory {
	pthread_t thread;
	pthread_mutex_t lock; /* all that follows */
	pthread_cond_t changed;
	bool ending;
	struct xfer_request *requests, **last; /* SHAREs that wait, the oldest first */
	struct grant *gone;                    /* what is to be given back */
	struct xfer_quota quota;
};

/* Bytes, of all sessions and of one (0: nothing is shared). Starts the thread. -errno. */
int memory_init(struct memory *memory, uint64_t total, uint64_t session);
/* Nobody has any, or asks. Waits until all is given back. */
void memory_fini(struct memory *memory);

/* SHARE: takes the request over. Any thread; doesn't wait. */
void memory_share(struct memory *memory, struct xfer_request *request);

json_t *memory_status(struct memory *memory);

#endif
