/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* lane.c -- the epoll loop: tasks, tickers, descriptors that come and go */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "clock.h"
#include "control/lane.h"
#include "counters.h"
#include "xfer/xfer.h"

#define TICK_MS 10
#define TASKS   1000
#define THREADS 4

static struct xfer_lane *lane;

static int set_up(void **state)
{
	(void)state;
	return xfer_lane_create("test-lane", TICK_MS, &lane);
}

static int tear_down(void **state)
{
	(void)state;
	xfer_lane_destroy(lane);
	return 0;
}

/* --- something done on the lane's thread, and waited for --------------------------------------- */

struct errand {
	struct xfer_task task;
	void (*fn)(void *arg);
	void *arg;
	sem_t done;
};

static void run_errand(struct xfer_task *task)
{
	struct errand *errand = (struct errand *)task;

	errand->fn(errand->arg);
	sem_post(&errand->done);
}

static void on_lane(void (*fn)(void *arg), void *arg)
{
	struct errand errand = { .task.run = run_errand, .fn = fn, .arg = arg };

	sem_init(&errand.done, 0, 0);
	xfer_lane_post(lane, &errand.task);
	while (sem_wait(&errand.done))
		;
	sem_destroy(&errand.done);
}

static void nothing(void *arg)
{
	(void)arg;
}

/* --- tasks ------------------------------------------------------------------------------------- */

struct numbered {
	struct xfer_task task;
	unsigned number, thread;
};

static _Atomic unsigned ran, last_of[THREADS];
static _Atomic bool in_order;

static void run_numbered(struct xfer_task *task)
{
	struct numbered *numbered = (struct numbered *)task;

	if (numbered->number != last_of[numbered->thread] + 1)
		in_order = false;
	last_of[numbered->thread] = numbered->number;
	ran++;
}

static void *post_all(void *arg)
{
	struct numbered *tasks = arg;

	for (unsigned i = 0; i < TASKS; i++)
		xfer_lane_post(lane, &tasks[i].task);
	return NULL;
}

/* Of each thread they run in the order in which it posted them, and none is lost. */
static void test_tasks(void **state)
{
	static struct numbered tasks[THREADS][TASKS];
	pthread_t threads[THREADS];

	(void)state;
	ran = 0;
	in_order = true;
	for (unsigned t = 0; t < THREADS; t++) {
		last_of[t] = 0;
		for (unsigned i = 0; i < TASKS; i++)
			tasks[t][i] = (struct numbered){
				.task.run = run_numbered, .number = i + 1, .thread = t
			};
		assert_int_equal(pthread_create(&threads[t], NULL, post_all, tasks[t]), 0);
	}
	for (unsigned t = 0; t < THREADS; t++)
		pthread_join(threads[t], NULL);
	on_lane(nothing, NULL);
	assert_int_equal(ran, THREADS * TASKS);
	assert_true(in_order);
}

static void post_three(void *arg)
{
	struct numbered *tasks = arg;

	for (unsigned i = 0; i < 3; i++)
		xfer_lane_post(lane, &tasks[i].task);
}

static void test_task_posted_by_a_task(void **state)
{
	struct numbered tasks[3];

	(void)state;
	ran = last_of[0] = 0;
	in_order = true;
	for (unsigned i = 0; i < 3; i++)
		tasks[i] = (struct numbered){ .task.run = run_numbered, .number = i + 1 };
	on_lane(post_three, tasks);
	on_lane(nothing, NULL);
	assert_int_equal(ran, 3);
	assert_true(in_order);
}

static void slow(struct xfer_task *task)
{
	(void)task;
	usleep(20000);
}

/* What was posted before the end runs before it. */
static void test_destroy_runs_tasks(void **state)
{
	struct xfer_task first = { .run = slow };
	struct numbered tasks[10];

	(void)state;
	assert_int_equal(xfer_lane_create("test-lane", TICK_MS, &lane), 0);
	ran = last_of[0] = 0;
	in_order = true;
	xfer_lane_post(lane, &first);
	for (unsigned i = 0; i < 10; i++) {
		tasks[i] = (struct numbered){ .task.run = run_numbered, .number = i + 1 };
		xfer_lane_post(lane, &tasks[i].task);
	}
	xfer_lane_destroy(lane);
	assert_int_equal(ran, 10);
	assert_true(in_order);
}

static void look(void *arg)
{
	bool *seen = arg;

	seen[0] = xfer_on_lane_thread();
	seen[1] = xfer_lane_is_current(lane);
}

static void look_at_other(void *arg)
{
	struct xfer_lane *other = *(struct xfer_lane **)arg;

	if (xfer_lane_is_current(other) || !xfer_on_lane_thread())
		abort();
}

static void test_which_thread(void **state)
{
	bool seen[2] = { false, false };
	struct xfer_lane *other;

	(void)state;
	assert_false(xfer_on_lane_thread());
	assert_false(xfer_lane_is_current(lane));
	on_lane(look, seen);
	assert_true(seen[0] && seen[1]);
	assert_int_equal(xfer_lane_create("other", TICK_MS, &other), 0);
	on_lane(look_at_other, &other);
	xfer_lane_destroy(other);
}

/* --- sleeping ---------------------------------------------------------------------------------- */

static void linger(void *us)
{
	xfer_lane_linger(*(const unsigned *)us);
}

/* How often the lane had to be woken for ten errands, so far apart, after a first one; it lingers after each. */
static uint64_t wakeups(unsigned apart_us, unsigned linger_us)
{
	uint64_t before;

	on_lane(linger, &linger_us);
	before = atomic_load(&xfer_counters[XFER_CNT_WAKEUPS]);
	for (int i = 0; i < 10; i++) {
		usleep(apart_us);
		on_lane(linger, &linger_us);
	}
	return atomic_load(&xfer_counters[XFER_CNT_WAKEUPS]) - before;
}

static void test_sleeps_between(void **state)
{
	(void)state;
	assert_int_equal(wakeups(0, 0), 10);
}

/* It ends at once, too: tear_down waits for that. */
static void test_lingers(void **state)
{
	(void)state;
	assert_int_equal(wakeups(0, 3600u * 1000000u), 0);
}

/* What comes later than it lingers finds it asleep. */
static void test_lingers_in_vain(void **state)
{
	(void)state;
	assert_int_equal(wakeups(5000, 1), 10);
}

/* Only after the turn that it was for, and only the lane itself. */
static void test_lingers_once(void **state)
{
	uint64_t before;
	unsigned us = 1000;

	(void)state;
	on_lane(linger, &us);
	xfer_lane_linger(3600u * 1000000u);
	usleep(50000);
	on_lane(nothing, NULL);
	before = atomic_load(&xfer_counters[XFER_CNT_WAKEUPS]);
	on_lane(nothing, NULL);
	assert_int_equal(atomic_load(&xfer_counters[XFER_CNT_WAKEUPS]) - before, 1);
}

/* --- tickers ----------------------------------------------------------------------------------- */

struct counter {
	struct xfer_ticker ticker;
	_Atomic unsigned count;
	_Atomic uint64_t first_ns, last_ns;
	struct counter *removes; /* with its first tick; itself or another */
	struct counter *adds;
};

static void count_tick(struct xfer_ticker *ticker, uint64_t now_ns)
{
	struct counter *counter = (struct counter *)ticker;

	if (counter->count++ == 0) {
		counter->first_ns = now_ns;
		if (counter->adds)
			xfer_lane_add_ticker(lane, &counter->adds->ticker);
		if (counter->removes)
			xfer_lane_remove_ticker(&counter->removes->ticker);
	}
	counter->last_ns = now_ns;
}

static void add(void *arg)
{
	struct counter *counter = arg;

	counter->ticker.tick = count_tick;
	xfer_lane_add_ticker(lane, &counter->ticker);
}

static void drop(void *arg)
{
	xfer_lane_remove_ticker(&((struct counter *)arg)->ticker);
}

static void wait_for_ticks(struct counter *counter, unsigned count)
{
	uint64_t deadline = xfer_now_ns() + 10000 * XFER_NS_PER_MS;

	while (counter->count < count) {
		assert_true(xfer_now_ns() < deadline);
		usleep(1000);
	}
}

static void test_ticks_after_lingering(void **state)
{
	struct counter counter = { .count = 0 };
	unsigned us = 1000;

	(void)state;
	on_lane(add, &counter);
	on_lane(linger, &us);
	wait_for_ticks(&counter, 3);
	on_lane(drop, &counter);
}

static void test_ticks(void **state)
{
	struct counter counter = { .count = 0 };
	unsigned count;

	(void)state;
	on_lane(add, &counter);
	/* What wakes the lane meanwhile makes no ticks. */
	while (counter.count < 5)
		on_lane(nothing, NULL);
	on_lane(drop, &counter);
	count = counter.count;
	/* Never more often than asked for; the first may come at once. */
	assert_true(counter.last_ns - counter.first_ns >=
		    (uint64_t)(count - 1) * TICK_MS * XFER_NS_PER_MS * 9 / 10);
	usleep(3 * TICK_MS * 1000);
	assert_int_equal(counter.count, count);
}

/* Tickers are called in the reverse order of their adding: the first of the three is added last. */
static void add_three(void *arg)
{
	struct counter *counters = arg;

	for (int i = 2; i >= 0; i--)
		add(&counters[i]);
}

static void test_ticker_removes_others(void **state)
{
	struct counter counters[3] = { 0 }, added = { .ticker.tick = count_tick };

	(void)state;
	counters[0].removes = &counters[1]; /* the next in the round */
	counters[2].removes = &counters[2]; /* itself */
	counters[2].adds = &added;
	on_lane(add_three, counters);
	wait_for_ticks(&added, 2);
	wait_for_ticks(&counters[0], 3);
	on_lane(drop, &counters[0]);
	on_lane(drop, &added);
	assert_int_equal(counters[1].count, 0);
	assert_int_equal(counters[2].count, 1);
}

/* --- descriptors ------------------------------------------------------------------------------- */

struct source {
	struct xfer_pollable pollable;
	int fd;
	_Atomic unsigned calls;
	_Atomic uint32_t events;
	struct source *removes;
};

static void source_ready(struct xfer_pollable *pollable, uint32_t events)
{
	struct source *source = (struct source *)pollable;
	uint64_t ignored;

	source->events = events;
	source->calls++;
	if (read(source->fd, &ignored, sizeof(ignored)) < 0 && errno != EAGAIN)
		abort();
	if (source->removes)
		xfer_lane_remove(lane, source->removes->fd, &source->removes->pollable);
}

static void source_open(struct source *source)
{
	memset(source, 0, sizeof(*source));
	source->pollable.ready = source_ready;
	source->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	assert_true(source->fd >= 0);
}

static void source_fire(struct source *source)
{
	uint64_t one = 1;

	assert_int_equal(write(source->fd, &one, sizeof(one)), sizeof(one));
}

static void source_remove(void *arg)
{
	struct source *source = arg;

	xfer_lane_remove(lane, source->fd, &source->pollable);
}

static void wait_for_calls(struct source *source, unsigned calls)
{
	uint64_t deadline = xfer_now_ns() + 10000 * XFER_NS_PER_MS;

	while (source->calls < calls) {
		assert_true(xfer_now_ns() < deadline);
		usleep(500);
	}
}

static void wait_for_either(struct source *sources)
{
	uint64_t deadline = xfer_now_ns() + 10000 * XFER_NS_PER_MS;

	while (sources[0].calls + sources[1].calls == 0) {
		assert_true(xfer_now_ns() < deadline);
		usleep(500);
	}
}

static void test_ready(void **state)
{
	struct source source;

	(void)state;
	source_open(&source);
	assert_int_equal(xfer_lane_add(lane, source.fd, EPOLLIN, &source.pollable), 0);
	source_fire(&source);
	wait_for_calls(&source, 1);
	assert_int_equal(source.events, EPOLLIN);

	assert_int_equal(xfer_lane_modify(lane, source.fd, 0, &source.pollable), 0);
	source_fire(&source);
	usleep(20000);
	on_lane(nothing, NULL);
	assert_int_equal(source.calls, 1);
	assert_int_equal(xfer_lane_modify(lane, source.fd, EPOLLIN, &source.pollable), 0);
	wait_for_calls(&source, 2);

	on_lane(source_remove, &source);
	source_fire(&source);
	usleep(20000);
	on_lane(nothing, NULL);
	assert_int_equal(source.calls, 2);
	close(source.fd);
}

static void fire_both(void *arg)
{
	struct source *sources = arg;

	source_fire(&sources[0]);
	source_fire(&sources[1]);
}

/* Both have events in one round; whichever comes first takes the other out, which is not called any more. */
static void test_removed_with_events_fetched(void **state)
{
	struct source sources[2];

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		for (unsigned s = 0; s < 2; s++)
			source_open(&sources[s]);
		sources[0].removes = &sources[1];
		sources[1].removes = &sources[0];
		for (unsigned s = 0; s < 2; s++)
			assert_int_equal(
				xfer_lane_add(lane, sources[s].fd, EPOLLIN, &sources[s].pollable),
				0);
		on_lane(fire_both, sources);
		wait_for_either(sources);
		on_lane(nothing, NULL);
		assert_int_equal(sources[0].calls + sources[1].calls, 1);
		for (unsigned s = 0; s < 2; s++) {
			on_lane(source_remove, &sources[s]);
			close(sources[s].fd);
		}
	}
}

static void test_what_cannot_be_watched(void **state)
{
	struct source source;
	int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	(void)state;
	source_open(&source);
	assert_int_equal(xfer_lane_add(lane, -1, EPOLLIN, &source.pollable), -EBADF);
	assert_int_equal(xfer_lane_add(lane, file, EPOLLIN, &source.pollable), -EPERM);
	assert_int_equal(xfer_lane_modify(lane, source.fd, EPOLLIN, &source.pollable), -ENOENT);
	close(file);
	close(source.fd);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_tasks, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_task_posted_by_a_task, set_up, tear_down),
		cmocka_unit_test(test_destroy_runs_tasks),
		cmocka_unit_test_setup_teardown(test_which_thread, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_sleeps_between, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_lingers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_lingers_in_vain, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_lingers_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_ticks, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_ticks_after_lingering, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_ticker_removes_others, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_ready, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_removed_with_events_fetched, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_cannot_be_watched, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
