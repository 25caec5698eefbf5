/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* owner_workers.c -- the worker pool: caps, order, bound, no work lost at the end */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

#include "owner/workers.h"

#define QUEUES 4

static struct work_queue queues[QUEUES];
static _Atomic unsigned running[QUEUES], most[QUEUES], done[QUEUES], released[QUEUES];
static _Atomic unsigned work_us, out_of_order;
static _Atomic bool hold;
static _Atomic unsigned threads_used;
static _Thread_local bool used;

/* xid: the number of the request within its queue. */
static void *run(void *arg, struct xfer_request *request)
{
	struct work_queue *queue = request->user;
	size_t q = (size_t)(queue - queues);
	unsigned now = atomic_fetch_add(&running[q], 1) + 1, seen = atomic_load(&most[q]);

	(void)arg;
	threads_used += !used;
	used = true;
	while (now > seen && !atomic_compare_exchange_weak(&most[q], &seen, now))
		;
	while (atomic_load(&hold))
		usleep(100);
	if (work_us)
		usleep(work_us);
	if (queue->cap == 1 && request->xid != atomic_load(&done[q]))
		out_of_order++;
	atomic_fetch_sub(&running[q], 1);
	atomic_fetch_add(&done[q], 1);
	free(request);
	return queue;
}

/* Only then may the queue go: the pool has counted the request off. */
static void release(void *held)
{
	atomic_fetch_add(&released[(struct work_queue *)held - queues], 1);
}

static struct xfer_request *request_of(struct work_queue *queue, uint32_t xid)
{
	struct xfer_request *request = malloc(sizeof(*request));

	assert_non_null(request);
	request->xid = xid;
	request->user = queue;
	return request;
}

static struct work_pool *start(unsigned threads, unsigned max, const unsigned caps[QUEUES])
{
	struct work_pool_params params = { .queued_max = max, .run = run, .release = release };
	struct work_pool *pool;

	for (int i = 0; i < QUEUES; i++) {
		work_queue_init(&queues[i], caps[i]);
		running[i] = most[i] = done[i] = released[i] = 0;
	}
	out_of_order = 0;
	work_us = 0;
	hold = false;
	threads_used = 0;
	assert_int_equal(work_pool_create(&params, &pool), 0);
	assert_int_equal(work_pool_grow(pool, threads), 0);
	assert_int_equal(work_pool_grow(pool, 1), 0); /* it never shrinks */
	return pool;
}

static void test_caps_and_order(void **state)
{
	static const unsigned caps[QUEUES] = { 1, 2, 3, 8 };
	struct work_pool *pool = start(8, 10000, caps);

	(void)state;
	work_us = 200;
	for (uint32_t i = 0; i < 400; i++)
		for (int q = 0; q < QUEUES; q++)
			assert_int_equal(
				work_submit(pool, &queues[q], request_of(&queues[q], i)), 0);
	work_pool_destroy(pool); /* runs them all */
	for (int q = 0; q < QUEUES; q++) {
		assert_int_equal(done[q], 400);
		assert_int_equal(released[q], 400);
		assert_true(most[q] <= caps[q]);
	}
	assert_int_equal(most[1], 2); /* the cap is made use of */
	assert_int_equal(out_of_order, 0);
}

/* Threads don't take turns: one whose memory is warm does it. A busy machine may keep one or the other from sleeping in
 * time, not all of them. */
static void test_one_after_the_other(void **state)
{
	static const unsigned caps[QUEUES] = { 8, 8, 8, 8 };
	struct work_pool *pool = start(8, 10000, caps);

	(void)state;
	for (uint32_t i = 0; i < 50; i++) {
		assert_int_equal(work_submit(pool, &queues[0], request_of(&queues[0], i)), 0);
		while (done[0] <= i)
			usleep(100);
		usleep(2000);
	}
	work_pool_destroy(pool);
	assert_in_range(threads_used, 1, 7);
}

/* A volume that hangs leaves threads to the others. */
static void test_hanging_queue(void **state)
{
	static const unsigned caps[QUEUES] = { 2, 2, 2, 2 };
	struct work_pool *pool = start(4, 10000, caps);
	unsigned queued, busy;

	(void)state;
	hold = true;
	for (uint32_t i = 0; i < 10; i++)
		assert_int_equal(work_submit(pool, &queues[0], request_of(&queues[0], i)), 0);
	for (int i = 0; i < 1000 && running[0] < 2; i++)
		usleep(1000);
	assert_int_equal(work_submit(pool, &queues[1], request_of(&queues[1], 0)), 0);
	for (int i = 0; i < 1000 && running[1] == 0; i++)
		usleep(1000);
	assert_int_equal(running[1], 1);
	work_queue_load(pool, &queues[0], &queued, &busy);
	assert_int_equal(queued, 8);
	assert_int_equal(busy, 2);
	hold = false;
	work_pool_destroy(pool);
	assert_int_equal(done[0], 10);
}

/* What is finished is released although nothing follows, and a higher cap takes effect at once. */
static void test_release_and_new_cap(void **state)
{
	static const unsigned caps[QUEUES] = { 1, 1, 1, 1 };
	struct work_pool *pool = start(4, 10000, caps);

	(void)state;
	assert_int_equal(work_submit(pool, &queues[1], request_of(&queues[1], 0)), 0);
	for (int i = 0; i < 1000 && released[1] == 0; i++)
		usleep(1000);
	assert_int_equal(released[1], 1);
	hold = true;
	for (uint32_t i = 0; i < 10; i++)
		assert_int_equal(work_submit(pool, &queues[0], request_of(&queues[0], i)), 0);
	for (int i = 0; i < 1000 && running[0] == 0; i++)
		usleep(1000);
	usleep(20000);
	assert_int_equal(running[0], 1);
	work_queue_set_cap(pool, &queues[0], 3);
	for (int i = 0; i < 1000 && running[0] < 3; i++)
		usleep(1000);
	assert_int_equal(running[0], 3);
	hold = false;
	work_pool_destroy(pool);
	assert_int_equal(done[0], 10);
	assert_int_equal(released[0], 10);
}

static void test_bound(void **state)
{
	static const unsigned caps[QUEUES] = { 1, 1, 1, 1 };
	struct work_pool *pool = start(1, 3, caps);
	struct xfer_request *request = request_of(&queues[1], 9);

	(void)state;
	hold = true;
	assert_int_equal(work_submit(pool, &queues[0], request_of(&queues[0], 0)), 0);
	for (int i = 0; i < 1000 && running[0] == 0; i++)
		usleep(1000);
	for (uint32_t i = 1; i < 4; i++)
		assert_int_equal(work_submit(pool, &queues[0], request_of(&queues[0], i)), 0);
	assert_int_equal(work_submit(pool, &queues[1], request), -EAGAIN);
	free(request); /* it stayed ours */
	hold = false;
	work_pool_destroy(pool);
	assert_int_equal(done[0], 4);
	assert_int_equal(done[1], 0);
}

static bool is_odd(const void *arg, const struct xfer_request *request)
{
	(void)arg;
	return request->xid % 2 == 1;
}

static bool is_any(const void *arg, const struct xfer_request *request)
{
	(void)arg;
	(void)request;
	return true;
}

/* The list's length; its numbers grow. */
static unsigned free_all(struct xfer_request *requests)
{
	unsigned count = 0;

	while (requests) {
		struct xfer_request *next = requests->next;

		assert_true(!next || next->xid > requests->xid);
		free(requests);
		requests = next;
		count++;
	}
	return count;
}

static void test_take_back(void **state)
{
	static const unsigned caps[QUEUES] = { 1, 1, 1, 1 };
	struct work_pool *pool = start(2, 10, caps);
	unsigned queued, busy;

	(void)state;
	hold = true;
	for (uint32_t i = 0; i < 10; i++) {
		assert_int_equal(work_submit(pool, &queues[0], request_of(&queues[0], i)), 0);
		for (int j = 0; j < 1000 && running[0] == 0; j++)
			usleep(1000);
	}
	assert_int_equal(free_all(work_take_back(pool, &queues[1], is_any, NULL)), 0);
	assert_int_equal(free_all(work_take_back(pool, &queues[0], is_odd, NULL)), 5);
	work_queue_load(pool, &queues[0], &queued, &busy);
	assert_int_equal(queued, 4);
	assert_int_equal(busy, 1); /* what has begun stays */
	/* There is room for as many again, and they come behind. */
	for (uint32_t i = 10; i < 16; i++)
		assert_int_equal(work_submit(pool, &queues[0], request_of(&queues[0], i)), 0);
	assert_int_equal(free_all(work_take_back(pool, &queues[0], is_any, NULL)), 10);
	assert_int_equal(work_submit(pool, &queues[0], request_of(&queues[0], 1)), 0);
	hold = false;
	for (int i = 0; i < 1000 && done[0] < 2; i++)
		usleep(1000);
	work_pool_destroy(pool);
	assert_int_equal(done[0], 2);
	assert_int_equal(out_of_order, 0);
}

static struct work_pool *shared;

static void *submit(void *arg)
{
	struct work_queue *queue = arg;

	for (uint32_t i = 0; i < 5000; i++) {
		struct xfer_request *request = request_of(queue, i);

		while (work_submit(shared, queue, request))
			usleep(50);
		if (i % 100 == 0)
			usleep(200); /* lets the threads fall asleep */
	}
	return NULL;
}

/* Whoever sleeps is called: nothing may be left lying. */
static void test_no_lost_wakeup(void **state)
{
	static const unsigned caps[QUEUES] = { 1, 2, 3, 4 };
	pthread_t threads[QUEUES];

	(void)state;
	shared = start(3, 64, caps);
	for (int q = 0; q < QUEUES; q++)
		assert_int_equal(pthread_create(&threads[q], NULL, submit, &queues[q]), 0);
	for (int q = 0; q < QUEUES; q++)
		pthread_join(threads[q], NULL);
	for (int q = 0; q < QUEUES; q++)
		for (int i = 0; i < 2000 && done[q] < 5000; i++)
			usleep(1000);
	for (int q = 0; q < QUEUES; q++)
		assert_int_equal(done[q], 5000);
	assert_int_equal(out_of_order, 0);
	work_pool_destroy(shared);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_caps_and_order),
		cmocka_unit_test(test_one_after_the_other),
		cmocka_unit_test(test_hanging_queue),
		cmocka_unit_test(test_release_and_new_cap),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_take_back),
		cmocka_unit_test(test_no_lost_wakeup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
