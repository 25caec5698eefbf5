/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* workers.h -- the threads that operations run on, with a cap per volume */
#ifndef XFER_OWNER_WORKERS_H
#define XFER_OWNER_WORKERS_H

#include <sys/queue.h>

#include "control/request.h"

/*
 * Requests of a volume begin in the order in which they came; at most `cap` of them run at a time, so that a
 * volume whose disk hangs leaves the other volumes' threads alone. Volumes with work take turns.
 */
struct work_pool;

/* A volume's place in the pool; all of it under the pool's lock. */
struct work_queue {
	TAILQ_ENTRY(work_queue) ready;
	bool listed; /* among the pool's ready ones */
	struct xfer_request *first, **last;
	unsigned queued, running, cap;
};

struct work_pool_params {
	unsigned queued_max; /* requests waiting, of all volumes */
	/* On a worker: carries the request out and replies. What it returns is passed to `release`, unless NULL. */
	void *(*run)(void *arg, struct xfer_request *request);
	/* On a worker: the pool no longer uses the queue of the request that was run; it may go with `held`. */
	void (*release)(void *held);
	void *arg;
};

void work_queue_init(struct work_queue *queue, unsigned cap);
void work_queue_set_cap(struct work_pool *pool, struct work_queue *queue, unsigned cap);
/* A snapshot, for status. Any thread. */
void work_queue_load(
	struct work_pool *pool, struct work_queue *queue, unsigned *queued, unsigned *running);

int work_pool_create(const struct work_pool_params *params, struct work_pool **pool);
/* So many threads in all, if there are fewer: with the sum of the caps, no volume can take another's. -errno: there
 * are not so many. One caller at a time. */
int work_pool_grow(struct work_pool *pool, unsigned threads);
/* Runs what is queued, then ends the threads. Nothing may be submitted any more. */
void work_pool_destroy(struct work_pool *pool);

/*
 * Takes those that have not begun and that `match` names out of a queue, in their order, linked by `next`. match is
 * called with the pool's lock held. Any thread; never waits.
 */
struct xfer_request *work_take_back(struct work_pool *pool, struct work_queue *queue,
	bool (*match)(const void *arg, const struct xfer_request *request), const void *arg);

/* Any thread; never waits. -EAGAIN: too much is waiting, the request stays the caller's. */
int work_submit(struct work_pool *pool, struct work_queue *queue, struct xfer_request *request);

#endif
