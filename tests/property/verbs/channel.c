/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* channel.c -- RPCs and their answers: faster than the bytes that they name, slower, and in any order */

#include <string.h>

#include "clock.h"
#include "world.h"

#define CARRIERS 3
#define SLOW_NS  (1 * XFER_NS_PER_MS)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed;
static struct call *waiting; /* in no order */
static unsigned nwaiting;
static bool stopping;
static pthread_t carriers[CARRIERS];

/* The lock is held: any of those whose time has come; NULL: none. */
static struct call *take_any(uint64_t now)
{
	unsigned skip = nwaiting ? rnd(nwaiting) : 0;
	struct call **found = NULL, *call;

	for (struct call **at = &waiting; *at; at = &(*at)->next)
		if ((*at)->due_ns <= now && (!found || skip > 0)) {
			found = at;
			skip -= skip > 0;
		}
	if (!found)
		return NULL;
	call = *found;
	*found = call->next;
	nwaiting--;
	return call;
}

static void deliver(struct call *call)
{
	if (call->answered)
		initiator_answer(call);
	else
		host_call(call);
}

static void wait_a_moment(void)
{
	struct timespec until = xfer_timespec(xfer_now_ns() + XFER_NS_PER_MS / 4);

	if (waiting)
		pthread_cond_timedwait(&changed, &lock, &until);
	else
		pthread_cond_wait(&changed, &lock);
}

static void *carry(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&lock);
	while (!stopping) {
		struct call *call = take_any(xfer_now_ns());

		if (!call) {
			wait_a_moment();
			continue;
		}
		pthread_mutex_unlock(&lock);
		deliver(call);
		pthread_mutex_lock(&lock);
	}
	pthread_mutex_unlock(&lock);
	return NULL;
}

void channel_send(struct call *call)
{
	unsigned haste = r.hasty ? 0 : rnd(4);

	if (haste == 0) {
		deliver(call);
		return;
	}
	call->due_ns = xfer_now_ns() + (haste == 1 ? rnd(SLOW_NS) : 0);
	pthread_mutex_lock(&lock);
	call->next = waiting;
	waiting = call;
	nwaiting++;
	pthread_cond_signal(&changed);
	pthread_mutex_unlock(&lock);
}

void channel_begin(void)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&changed, &attr);
	pthread_condattr_destroy(&attr);
	for (int i = 0; i < CARRIERS; i++)
		CHECK(pthread_create(&carriers[i], NULL, carry, NULL) == 0, "no thread");
}

void channel_end(void)
{
	pthread_mutex_lock(&lock);
	CHECK(nwaiting == 0, "there are messages left");
	stopping = true;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	for (int i = 0; i < CARRIERS; i++)
		pthread_join(carriers[i], NULL);
	pthread_cond_destroy(&changed);
}
