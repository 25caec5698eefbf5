/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* memory.h -- the memory that sessions place their data in: how much there is, and who has it */
#ifndef XFER_OWNER_MEMORY_H
#define XFER_OWNER_MEMORY_H

#include <jansson.h>
#include <pthread.h>
#include <sys/queue.h>

#include "control/server.h"
#include "core/path.h"
#include "core/quota.h"

struct grant;
struct xfer_verbs_listener;

/* It takes tens of milliseconds to fill memory and to give it back, so a thread of its own does both. */
struct memory {
	pthread_t thread;
	uint16_t port; /* of rdma_cm, if it is free */
	unsigned poll_us;
	bool (*may_have)(void *arg, const char *node, enum xfer_path path, char *why, size_t len);
	void *may_have_arg;
	struct xfer_verbs_listener *listener; /* the thread's; NULL: none yet */
	pthread_mutex_t lock;                 /* all that follows, and grants */
	pthread_cond_t changed;
	bool ending;
	struct xfer_request *requests, **last; /* SHAREs and GROWs that wait, the oldest first */
	LIST_HEAD(, grant) grants;
	unsigned paths;         /* of grants, those that are being freed included */
	pthread_cond_t drained; /* there is none */
	struct xfer_quota quota;
};

struct memory_params {
	uint64_t total, session;     /* bytes, of all sessions and of one; 0: nothing is shared */
	uint16_t port;               /* where queue pairs are connected; 0: any */
	unsigned poll_us;            /* of struct xfer_verbs_params; 0: XFER_VERBS_POLL_US */
	unsigned idle_ms, return_ms; /* of struct xfer_quota_config; 0: a minute each */
	/* Whether a node may have such a data path, at the moment; else why not. On the thread, with the lock held. NULL:
	 * whichever there is. */
	bool (*may_have)(void *arg, const char *node, enum xfer_path path, char *why, size_t len);
	void *arg;
};

/* Starts the thread. -errno. */
int memory_init(struct memory *memory, const struct memory_params *params);
/* Nobody asks any more: waits until all is given back. While there are lanes' threads, which that needs. */
void memory_drain(struct memory *memory);
/* After that. */
void memory_fini(struct memory *memory);

/* SHARE, GROW or RETIRE: takes the request over. Any thread; doesn't wait. */
void memory_request(struct memory *memory, struct xfer_request *request);
/* The session has lost its connections, or goes on over others: its RETIRE is answered. Any thread; doesn't wait. */
void memory_epoch_ended(struct memory *memory, const struct xfer_peer *peer);

json_t *memory_status(struct memory *memory);

#endif
