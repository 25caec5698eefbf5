/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* workers.c -- the threads that operations run on, with a cap per volume */

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

#include "owner/workers.h"

TAILQ_HEAD(queue_list, work_queue);

struct worker {
	struct work_pool *pool;
	pthread_t thread;
	sem_t called;
	SLIST_ENTRY(worker) link; /* the pool's */
	SLIST_ENTRY(worker) idle; /* asleep, and not called yet */
};
SLIST_HEAD(worker_list, worker);

struct work_pool {
	struct work_pool_params params;
	pthread_mutex_t lock;    /* the following, and every queue */
	struct queue_list ready; /* have work and are below their cap */
	unsigned queued;
	struct worker_list idle; /* the last that fell asleep first */
	bool stopping;
	/* Who grows the pool, and who ends it. */
	struct worker_list workers;
	unsigned nworkers;
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

/*
 * With the lock held: who is to be called for the work there is, the last that fell asleep, since its stack and its
 * credentials are those of the work before. NULL: nobody.
 */
static struct worker *next_worker(struct work_pool *pool)
{
	struct worker *worker = SLIST_FIRST(&pool->idle);

	if (!worker || TAILQ_EMPTY(&pool->ready))
		return NULL;
	SLIST_REMOVE_HEAD(&pool->idle, idle);
	return worker;
}

/* With the lock or, better, without. */
static void call(struct worker *worker)
{
	if (worker)
		sem_post(&worker->called);
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
		call(next_worker(pool));
	pthread_mutex_unlock(&pool->lock);
}

int work_submit(struct work_pool *pool, struct work_queue *queue, struct xfer_request *request)
{
	struct worker *worker = NULL;
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
			worker = next_worker(pool);
	}
	pthread_mutex_unlock(&pool->lock);
	call(worker);
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

static void sleep_until_called(struct worker *worker)
{
	struct work_pool *pool = worker->pool;

	SLIST_INSERT_HEAD(&pool->idle, worker, idle);
	pthread_mutex_unlock(&pool->lock);
	while (sem_wait(&worker->called))
		; /* a signal */
	pthread_mutex_lock(&pool->lock);
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
	struct worker *worker = arg;
	struct work_pool *pool = worker->pool;
	struct xfer_request *request;
	struct work_queue *queue;
	void *held = NULL;

	pthread_mutex_lock(&pool->lock);
	while (!pool->stopping || pool->queued > 0 || held) {
		request = take(pool, &queue);
		if (!request && !held) {
			if (pool->stopping)
				break; /* what is left belongs to volumes whose threads are at it */
			sleep_until_called(worker);
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
	struct worker *worker;

	if (!pool)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->stopping = true;
	SLIST_FOREACH (worker, &pool->idle, idle)
		call(worker);
	SLIST_INIT(&pool->idle);
	pthread_mutex_unlock(&pool->lock);
	while ((worker = SLIST_FIRST(&pool->workers))) {
		SLIST_REMOVE_HEAD(&pool->workers, link);
		pthread_join(worker->thread, NULL);
		sem_destroy(&worker->called);
		free(worker);
	}
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

int work_pool_create(const struct work_pool_params *params, struct work_pool **result)
{
	struct work_pool *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return -ENOMEM;
	pool->params = *params;
	TAILQ_INIT(&pool->ready);
	SLIST_INIT(&pool->idle);
	SLIST_INIT(&pool->workers);
	pthread_mutex_init(&pool->lock, NULL);
	*result = pool;
	return 0;
}

static int add_worker(struct work_pool *pool)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	char name[16];
	int err;

	if (!worker)
		return -ENOMEM;
	worker->pool = pool;
	sem_init(&worker->called, 0, 0);
	err = pthread_create(&worker->thread, NULL, work, worker);
	if (err) {
		sem_destroy(&worker->called);
		free(worker);
		return -err;
	}
	snprintf(name, sizeof(name), "xfer-work-%u", pool->nworkers++ % 10000);
	pthread_setname_np(worker->thread, name);
	SLIST_INSERT_HEAD(&pool->workers, worker, link);
	return 0;
}

int work_pool_grow(struct work_pool *pool, unsigned threads)
{
	int err = 0;

	while (err == 0 && pool->nworkers < threads)
		err = add_worker(pool);
	return err;
}
