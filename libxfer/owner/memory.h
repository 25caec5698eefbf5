/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* memory.h -- the memory that sessions place their data in: how much there is, and who has it */
#ifndef XFER_OWNER_MEMORY_H
#define XFER_OWNER_MEMORY_H

#include <jansson.h>
#include <pthread.h>

#include "control/server.h"
#include "core/quota.h"

struct memory {
	pthread_mutex_t lock; /* quota */
	struct xfer_quota quota;
};

/* Bytes, of all sessions and of one. -ENOMEM. */
int memory_init(struct memory *memory, uint64_t total, uint64_t session);
/* Nobody has any. */
void memory_fini(struct memory *memory);

/* Carries SHARE out and answers it. It takes time to fill memory, so on a worker. */
void memory_share(struct memory *memory, struct xfer_request *request);

json_t *memory_status(struct memory *memory);

#endif
