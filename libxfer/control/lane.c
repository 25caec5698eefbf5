/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* lane.c -- an I/O thread: one epoll loop for the connections that live on it */

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "clock.h"
#include "control/lane.h"
#include "counters.h"
#include "vain.h"
#include "xfer/xfer.h"

#define EVENTS_PER_WAIT 64

struct xfer_lane {
	pthread_t thread;
	int epoll_fd, event_fd;
	unsigned tick_ms;

	pthread_mutex_t lock; /* tasks, stopping */
	STAILQ_HEAD(, xfer_task) tasks;
	bool stopping;

	/* the lane's thread only */
	LIST_HEAD(, xfer_ticker) tickers;
	struct xfer_ticker *next_ticker; /* of the round under way */
	struct epoll_event events[EVENTS_PER_WAIT];
	int nevents;
	uint64_t next_tick_ns;
	uint64_t linger_ns;       /* after this turn; 0: not at all */
	uint64_t linger_until_ns; /* it doesn't sleep before; 0: it doesn't linger */
	unsigned vain;            /* of xfer_vain_next */
	unsigned unlingered;      /* so many turns are still to come without it */
};

static _Thread_local struct xfer_lane *current;

bool xfer_on_lane_thread(void)
{
	return current != NULL;
}

bool xfer_lane_is_current(const struct xfer_lane *lane)
{
	return current == lane;
}

void xfer_lane_linger(unsigned us)
{
	if (current)
		current->linger_ns = us * UINT64_C(1000);
}

static void wake(struct xfer_lane *lane)
{
	uint64_t one = 1;
	ssize_t n;

	do
		n = write(lane->event_fd, &one, sizeof(one));
	while (n < 0 && errno == EINTR);
}

void xfer_lane_post(struct xfer_lane *lane, struct xfer_task *task)
{
	bool first;

	pthread_mutex_lock(&lane->lock);
	first = STAILQ_EMPTY(&lane->tasks);
	STAILQ_INSERT_TAIL(&lane->tasks, task, link);
	pthread_mutex_unlock(&lane->lock);
	if (first)
		wake(lane);
}

static void run_tasks(struct xfer_lane *lane)
{
	STAILQ_HEAD(, xfer_task) tasks = STAILQ_HEAD_INITIALIZER(tasks);
	struct xfer_task *task;

	pthread_mutex_lock(&lane->lock);
	STAILQ_CONCAT(&tasks, &lane->tasks);
	pthread_mutex_unlock(&lane->lock);
	while ((task = STAILQ_FIRST(&tasks))) {
		STAILQ_REMOVE_HEAD(&tasks, link);
		task->run(task);
	}
}

static void run_tickers(struct xfer_lane *lane)
{
	uint64_t now = xfer_now_ns();
	struct xfer_ticker *ticker;

	if (now < lane->next_tick_ns)
		return;
	lane->next_tick_ns = now + lane->tick_ms * XFER_NS_PER_MS;
	for (ticker = LIST_FIRST(&lane->tickers); ticker; ticker = lane->next_ticker) {
		lane->next_ticker = LIST_NEXT(ticker, link);
		ticker->tick(ticker, now);
	}
}

/* Rounds up, so that a wait never ends just before its time. */
static int wait_ms(const struct xfer_lane *lane)
{
	uint64_t now = xfer_now_ns();

	if (LIST_EMPTY(&lane->tickers))
		return -1;
	return now >= lane->next_tick_ns ? 0 : (int)((lane->next_tick_ns - now) / 1000000 + 1);
}

static bool should_stop(struct xfer_lane *lane)
{
	bool stop;

	pthread_mutex_lock(&lane->lock);
	stop = lane->stopping && STAILQ_EMPTY(&lane->tasks);
	pthread_mutex_unlock(&lane->lock);
	return stop;
}

static void drain_eventfd(struct xfer_lane *lane)
{
	uint64_t ignored;

	while (read(lane->event_fd, &ignored, sizeof(ignored)) < 0 && errno == EINTR)
		;
}

/* How many came before the time was over; everybody else has the processor first. */
static int linger(struct xfer_lane *lane)
{
	int n = 0;
	bool late;

	while (n == 0 && xfer_now_ns() < lane->linger_until_ns) {
		sched_yield();
		n = epoll_wait(lane->epoll_fd, lane->events, EVENTS_PER_WAIT, 0);
	}
	/* Who had to leave the processor for long would have been woken sooner. */
	late = xfer_now_ns() >= lane->linger_until_ns;
	lane->vain = xfer_vain_next(lane->vain, n == 0 || late);
	lane->unlingered = lane->vain;
	return n;
}

/* How many. */
static int await_events(struct xfer_lane *lane)
{
	int n = lane->linger_until_ns ? linger(lane) : 0;

	if (n == 0) {
		n = epoll_wait(lane->epoll_fd, lane->events, EVENTS_PER_WAIT, wait_ms(lane));
		if (n > 0)
			xfer_count(XFER_CNT_WAKEUPS, 1);
	}
	return n > 0 ? n : 0;
}

/* After a turn. */
static uint64_t linger_until(struct xfer_lane *lane)
{
	uint64_t linger_ns = lane->linger_ns;

	lane->linger_ns = 0;
	if (linger_ns == 0)
		return 0;
	if (lane->unlingered > 0) {
		lane->unlingered--;
		return 0;
	}
	return xfer_now_ns() + linger_ns;
}

static void *lane_main(void *arg)
{
	struct xfer_lane *lane = arg;

	current = lane;
	while (!should_stop(lane)) {
		lane->nevents = await_events(lane);
		for (int i = 0; i < lane->nevents; i++) {
			struct xfer_pollable *pollable = lane->events[i].data.ptr;

			if (pollable == (void *)lane) {
				drain_eventfd(lane);
				run_tasks(lane);
			} else if (pollable) {
				pollable->ready(pollable, lane->events[i].events);
			}
		}
		lane->nevents = 0;
		run_tickers(lane);
		lane->linger_until_ns = linger_until(lane);
	}
	return NULL;
}

int xfer_lane_add(struct xfer_lane *lane, int fd, uint32_t events, struct xfer_pollable *pollable)
{
	struct epoll_event event = { .events = events, .data.ptr = pollable };

	return epoll_ctl(lane->epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

int xfer_lane_modify(
	struct xfer_lane *lane, int fd, uint32_t events, struct xfer_pollable *pollable)
{
	struct epoll_event event = { .events = events, .data.ptr = pollable };

	return epoll_ctl(lane->epoll_fd, EPOLL_CTL_MOD, fd, &event) ? -errno : 0;
}

void xfer_lane_remove(struct xfer_lane *lane, int fd, struct xfer_pollable *pollable)
{
	epoll_ctl(lane->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	for (int i = 0; i < lane->nevents; i++)
		if (lane->events[i].data.ptr == pollable)
			lane->events[i].data.ptr = NULL;
}

void xfer_lane_add_ticker(struct xfer_lane *lane, struct xfer_ticker *ticker)
{
	LIST_INSERT_HEAD(&lane->tickers, ticker, link);
}

void xfer_lane_remove_ticker(struct xfer_ticker *ticker)
{
	if (current->next_ticker == ticker)
		current->next_ticker = LIST_NEXT(ticker, link);
	LIST_REMOVE(ticker, link);
}

static void lane_free(struct xfer_lane *lane)
{
	if (lane->event_fd >= 0)
		close(lane->event_fd);
	if (lane->epoll_fd >= 0)
		close(lane->epoll_fd);
	pthread_mutex_destroy(&lane->lock);
	free(lane);
}

int xfer_lane_create(const char *name, unsigned tick_ms, struct xfer_lane **result)
{
	struct xfer_lane *lane = calloc(1, sizeof(*lane));
	int err;

	if (!lane)
		return -ENOMEM;
	lane->tick_ms = tick_ms;
	STAILQ_INIT(&lane->tasks);
	LIST_INIT(&lane->tickers);
	pthread_mutex_init(&lane->lock, NULL);
	lane->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	lane->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (lane->epoll_fd < 0 || lane->event_fd < 0) {
		err = -errno;
		goto err_free;
	}
	err = xfer_lane_add(lane, lane->event_fd, EPOLLIN, (struct xfer_pollable *)lane);
	if (err)
		goto err_free;
	err = -pthread_create(&lane->thread, NULL, lane_main, lane);
	if (err)
		goto err_free;
	pthread_setname_np(lane->thread, name);
	*result = lane;
	return 0;

err_free:
	lane_free(lane);
	return err;
}

void xfer_lane_destroy(struct xfer_lane *lane)
{
	pthread_mutex_lock(&lane->lock);
	lane->stopping = true;
	pthread_mutex_unlock(&lane->lock);
	wake(lane);
	pthread_join(lane->thread, NULL);
	lane_free(lane);
}
