/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* workers.c -- the threads that operations run on, with a cap per volume */

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "owner/workers.h"

TAILQ_HEAD(queue_list, work_queue);

struct work_pool {
	struct work_pool_params params;
	pthread_mutex_t lock; /* the following, and every queue */
	pthread_cond_t wake;
	struct queue_list ready; /* have work and are below their cap */
	unsigned queued;
	unsigned idle;   /* threads asleep that nobody has called yet */
	unsigned called; /* threads asleep that have been called */
	bool stopping;
	unsigned nthreads; /* who grows the pool, and who ends it */
	pthread_t *threads;
};

void work_queue_init(struct work_queue *queue, unsigned cap)
{
	*queue = (struct work_queue){ .cap = cap };
	queue->last = &queue->first;
}

void work_queue_load(
	struct work_pool *pool, struct work_queue *queue, unsigned *queued, unsigned *running)
{
	pthread_mutex_lock(&pool->lock);
	*queued = queue->queued;
	*running = queue->running;
	pthread_mutex_unlock(&pool->lock);
}

/* With the lock held, as all of the following: calls one thread for the work there is. */
static void call_one(struct work_pool *pool)
{
	if (pool->idle == 0 || TAILQ_EMPTY(&pool->ready))
		return;
	pool->idle--;
	pool->called++;
	pthread_cond_signal(&pool->wake);
}

static void list(struct work_pool *pool, struct work_queue *queue)
{
	if (queue->listed || queue->queued == 0 || queue->running >= queue->cap)
		return;
	queue->listed = true;
	TAILQ_INSERT_TAIL(&pool->ready, queue, ready);
}

/* A higher cap takes effect at once, a lower one as work ends. */
void work_queue_set_cap(struct work_pool *pool, struct work_queue *queue, unsigned cap)
{
	pthread_mutex_lock(&pool->lock);
	queue->cap = cap;
	list(pool, queue);
	for (unsigned i = queue->running; i < cap && i < queue->running + queue->queued; i++)
		call_one(pool);
	pthread_mutex_unlock(&pool->lock);
}

int work_submit(struct work_pool *pool, struct work_queue *queue, struct xfer_request *request)
{
	int err = 0;

	request->next = NULL;
	pthread_mutex_lock(&pool->lock);
	if (pool->queued >= pool->params.queued_max) {
		err = -EAGAIN;
	} else {
		*queue->last = request;
		queue->last = &request->next;
		queue->queued++;
		pool->queued++;
		list(pool, queue);
		/* At its cap the volume's own threads will take it. */
		if (queue->listed)
			call_one(pool);
	}
	pthread_mutex_unlock(&pool->lock);
	return err;
}

struct xfer_request *work_take_back(struct work_pool *pool, struct work_queue *queue,
	bool (*match)(const void *arg, const struct xfer_request *request), const void *arg)
{
	struct xfer_request *taken = NULL, **last = &taken, **link, *request;

	pthread_mutex_lock(&pool->lock);
	link = &queue->first;
	while ((request = *link)) {
		if (!match(arg, request)) {
			link = &request->next;
			continue;
		}
		*link = request->next;
		request->next = NULL;
		*last = request;
		last = &request->next;
		queue->queued--;
		pool->queued--;
	}
	queue->last = link;
	if (queue->listed && queue->queued == 0) {
		TAILQ_REMOVE(&pool->ready, queue, ready);
		queue->listed = false;
	}
	pthread_mutex_unlock(&pool->lock);
	return taken;
}

static void sleep_until_called(struct work_pool *pool)
{
	pool->idle++;
	while (pool->called == 0 && !pool->stopping)
		pthread_cond_wait(&pool->wake, &pool->lock);
	if (pool->called > 0)
		pool->called--;
	else
		pool->idle--;
}

/* NULL: there is nothing that may run now. */
static struct xfer_request *take(struct work_pool *pool, struct work_queue **result)
{
	struct work_queue *queue = TAILQ_FIRST(&pool->ready);
	struct xfer_request *request;

	if (!queue)
		return NULL;
	TAILQ_REMOVE(&pool->ready, queue, ready);
	queue->listed = false;
	request = queue->first;
	queue->first = request->next;
	if (!queue->first)
		queue->last = &queue->first;
	queue->queued--;
	pool->queued--;
	queue->running++;
	list(pool, queue);
	*result = queue;
	return request;
}

static void release(struct work_pool *pool, void **held)
{
	if (*held)
		pool->params.release(*held);
	*held = NULL;
}

static void *work(void *arg)
{
	struct work_pool *pool = arg;
	struct xfer_request *request;
	struct work_queue *queue;
	void *held = NULL;

	pthread_mutex_lock(&pool->lock);
	while (!pool->stopping || pool->queued > 0 || held) {
		request = take(pool, &queue);
		if (!request && !held) {
			if (pool->stopping)
				break; /* what is left belongs to volumes whose threads are at it */
			sleep_until_called(pool);
			continue;
		}
		pthread_mutex_unlock(&pool->lock);
		release(pool, &held);
		if (request)
			held = pool->params.run(pool->params.arg, request);
		pthread_mutex_lock(&pool->lock);
		if (request) {
			queue->running--;
			list(pool, queue);
		}
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

void work_pool_destroy(struct work_pool *pool)
{
	if (!pool)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->stopping = true;
	pthread_cond_broadcast(&pool->wake);
	pthread_mutex_unlock(&pool->lock);
	for (unsigned i = 0; i < pool->nthreads; i++)
		pthread_join(pool->threads[i], NULL);
	pthread_cond_destroy(&pool->wake);
	pthread_mutex_destroy(&pool->lock);
	free(pool->threads);
	free(pool);
}

int work_pool_create(const struct work_pool_params *params, struct work_pool **result)
{
	struct work_pool *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return -ENOMEM;
	pool->params = *params;
	TAILQ_INIT(&pool->ready);
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->wake, NULL);
	*result = pool;
	return 0;
}

int work_pool_grow(struct work_pool *pool, unsigned threads)
{
	pthread_t *grown;

	if (threads <= pool->nthreads)
		return 0;
	grown = realloc(pool->threads, threads * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	pool->threads = grown;
	while (pool->nthreads < threads) {
		char name[16];
		int err = pthread_create(&pool->threads[pool->nthreads], NULL, work, pool);

		if (err)
			return -err;
		snprintf(name, sizeof(name), "xfer-work-%u", pool->nthreads % 10000);
		pthread_setname_np(pool->threads[pool->nthreads], name);
		pool->nthreads++;
	}
	return 0;
}
