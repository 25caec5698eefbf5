/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* coherence.c -- what sessions were promised, and what has to happen before a promise can be broken */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "control/dispatcher.h"
#include "control/peer.h"
#include "counters.h"
#include "fault.h"
#include "log.h"
#include "owner/coherence.h"

#define LOG_MS 10000

/* A process whose session has ended without END, or was a predecessor's. */
struct ghost {
	LIST_ENTRY(ghost) link;
	char node[XFER_NODE_MAX + 1];
	uint8_t boot_id[16];
	uint64_t expires_ns;
	bool awaited;
};

struct coherence {
	uint64_t lease_ns; /* that is waited for: longer than the one that is relied on */
	/* Holders and ghosts with something unsettled, and changes that are about to add to them. While it is 0 nobody
	 * has to be waited for. Changed under the lock. */
	_Atomic unsigned unsettled;

	pthread_mutex_t lock; /* the following, and the holders */
	pthread_cond_t settled;
	LIST_HEAD(, holder) holders;
	LIST_HEAD(, ghost) ghosts;
	struct ghost nameless; /* of somebody; expires_ns 0: nobody */
	unsigned next_slot;
};

/* --- what is unsettled: all with the lock held --------------------------------------------------- */

/* After each change of what it has to settle. */
static void count_holder(struct coherence *coherence, struct holder *holder)
{
	bool unsettled = holder_unsettled(holder);

	if (unsettled == holder->counted)
		return;
	holder->counted = unsettled;
	if (unsettled)
		atomic_fetch_add(&coherence->unsettled, 1);
	else
		atomic_fetch_sub(&coherence->unsettled, 1);
}

/* A change had to wait for the end of a lease. */
static void lease_over(const char *node)
{
	unsigned suppressed;
	char cause[XFER_NODE_MAX + 16];

	xfer_count(XFER_CNT_LEASES_WAITED_OUT, 1);
	snprintf(cause, sizeof(cause), "lease of %s", node);
	if (xfer_log_allowed(xfer_log_limit_of(cause), LOG_MS, &suppressed))
		xfer_warn(
			"a change had to wait until the lease of %s%s was over: it doesn't say that "
			"it has heard of it; look whether it is alive and can be reached (%u more "
			"like this were not written)",
			node[0] ? "node " : "somebody who had a session before", node, suppressed);
}

static void expire_holder(struct coherence *coherence, struct holder *holder, uint64_t now)
{
	if (holder_expire(holder, now)) {
		holder->late = true;
		lease_over(xfer_peer_node(holder->peer));
	}
	count_holder(coherence, holder);
}

static void bury_ghost(struct coherence *coherence, struct ghost *ghost)
{
	LIST_REMOVE(ghost, link);
	free(ghost);
	atomic_fetch_sub(&coherence->unsettled, 1);
}

static void expire_ghosts(struct coherence *coherence, uint64_t now)
{
	struct ghost *ghost, *next;

	for (ghost = LIST_FIRST(&coherence->ghosts); ghost; ghost = next) {
		next = LIST_NEXT(ghost, link);
		if (now < ghost->expires_ns)
			continue;
		if (ghost->awaited)
			lease_over(ghost->node);
		bury_ghost(coherence, ghost);
	}
	if (coherence->nameless.expires_ns && now >= coherence->nameless.expires_ns) {
		if (coherence->nameless.awaited)
			lease_over("");
		coherence->nameless = (struct ghost){ 0 };
		atomic_fetch_sub(&coherence->unsettled, 1);
	}
}

/* The end of the lease on all that was promised up to now. */
static uint64_t lease_end(const struct coherence *coherence, const struct holder *holder)
{
	return atomic_load(&holder->heard_ns) + coherence->lease_ns;
}

static void acknowledge(struct coherence *coherence, struct holder *holder, uint64_t number)
{
	holder_acknowledge(holder, number);
	count_holder(coherence, holder);
	pthread_cond_broadcast(&coherence->settled);
}

static void invalidate_all(struct coherence *coherence, struct holder *holder)
{
	holder_invalidate_all(holder, lease_end(coherence, holder));
	count_holder(coherence, holder);
}

static void invalidate(
	struct coherence *coherence, struct holder *holder, uint32_t volume_id, uint32_t bucket)
{
	expire_holder(coherence, holder, xfer_now_ns());
	holder_invalidate(holder, volume_id, bucket, lease_end(coherence, holder));
	count_holder(coherence, holder);
}

/* --- EVENTS ------------------------------------------------------------------------------------ */

/* With the lock held: the EVENTS that waits, if it can be answered now; it is to be finished without the lock. */
static struct xfer_request *take_answer(struct holder *holder)
{
	struct xfer_request *request = holder->waiting;

	if (!request || !holder_tell(holder, &request->results.events))
		return NULL;
	holder->waiting = NULL;
	return request;
}

static void finish(struct xfer_request *request, int err)
{
	if (request)
		xfer_request_finish(request, err);
}

/* With the lock held. 0, or why it can't be served: it doesn't know, or doesn't say, what is believed. */
static int take_events(
	struct coherence *coherence, struct holder *holder, const struct xfer_events_args *args)
{
	if (args->fresh == holder->listening) {
		holder->listening = false;
		invalidate_all(coherence, holder);
		return -EINVAL;
	}
	if (args->fresh) {
		/* In this epoch it was promised nothing yet. */
		holder->told = holder->last;
		acknowledge(coherence, holder, holder->last);
		holder->listening = true;
		holder->late = false;
	} else {
		if (args->seen >= holder->told)
			holder->late = false;
		acknowledge(
			coherence, holder, args->seen < holder->told ? args->seen : holder->told);
	}
	return 0;
}

void coherence_events(
	struct coherence *coherence, struct holder *holder, struct xfer_request *request)
{
	struct xfer_request *older = NULL, *answer = request;
	int err = -EAGAIN;

	pthread_mutex_lock(&coherence->lock);
	/* Who ends an epoch comes here afterwards, so one that goes on now is ended with this request in place. */
	if (!holder->ended && xfer_peer_goes_on(request->peer, request->dispatcher->epoch)) {
		older = holder->waiting;
		holder->waiting = NULL;
		if (older)
			older->results.events.number = holder->told;
		err = take_events(coherence, holder, &request->args.events);
	}
	if (err == 0) {
		holder->waiting = request;
		answer = take_answer(holder);
	}
	pthread_mutex_unlock(&coherence->lock);
	finish(older, 0);
	finish(answer, err);
}

/* --- sessions ---------------------------------------------------------------------------------- */

static bool is_process(const struct ghost *ghost, const struct xfer_peer *peer)
{
	return strcmp(ghost->node, xfer_peer_node(peer)) == 0 &&
	       memcmp(ghost->boot_id, xfer_peer_boot_id(peer), sizeof(ghost->boot_id)) == 0;
}

/* With the lock held. One of its own as long as there are any, else the one that is shared. */
static unsigned choose_slot(struct coherence *coherence)
{
	const struct holder *holder;
	uint32_t taken = 0;

	LIST_FOREACH (holder, &coherence->holders, link)
		taken |= 1u << holder->slot;
	for (unsigned i = 0; i < HOLDERS_SHARED; i++) {
		unsigned slot = (coherence->next_slot + i) % HOLDERS_SHARED;

		if (taken & 1u << slot)
			continue;
		coherence->next_slot = slot + 1;
		return slot;
	}
	return HOLDERS_SHARED;
}

/* With the lock held: the process is there again, so what it believes is this session's. */
static void adopt(struct coherence *coherence, struct holder *holder)
{
	struct ghost *ghost, *next;

	for (ghost = LIST_FIRST(&coherence->ghosts); ghost; ghost = next) {
		next = LIST_NEXT(ghost, link);
		if (!is_process(ghost, holder->peer))
			continue;
		if (holder->all.number == 0)
			invalidate_all(coherence, holder);
		if (holder->all.expires_ns < ghost->expires_ns)
			holder->all.expires_ns = ghost->expires_ns;
		holder->all.awaited |= ghost->awaited;
		bury_ghost(coherence, ghost);
	}
}

void coherence_add(struct coherence *coherence, struct holder *holder, const struct xfer_peer *peer)
{
	pthread_mutex_lock(&coherence->lock);
	holder->peer = peer;
	holder->epoch = peer->epoch;
	holder->slot = choose_slot(coherence);
	LIST_INSERT_HEAD(&coherence->holders, holder, link);
	adopt(coherence, holder);
	pthread_mutex_unlock(&coherence->lock);
}

/* Only now is its slot free: its requests have closed buckets with it. */
void coherence_remove(struct coherence *coherence, struct holder *holder)
{
	pthread_mutex_lock(&coherence->lock);
	LIST_REMOVE(holder, link);
	acknowledge(coherence, holder, holder->last);
	pthread_mutex_unlock(&coherence->lock);
}

void coherence_epoch_ended(struct coherence *coherence, struct holder *holder)
{
	struct xfer_request *request;
	int err = 0;

	pthread_mutex_lock(&coherence->lock);
	if (holder->epoch != holder->peer->epoch) {
		holder->epoch = holder->peer->epoch;
		holder->listening = false;
	}
	if (!holder->ended)
		invalidate_all(coherence, holder);
	/* It may be of the next epoch already, if this thread is late. */
	request = take_answer(holder);
	if (request && !xfer_peer_goes_on(holder->peer, request->dispatcher->epoch))
		err = -EAGAIN;
	pthread_mutex_unlock(&coherence->lock);
	finish(request, err);
}

void coherence_lost(struct coherence *coherence, struct holder *holder)
{
	pthread_mutex_lock(&coherence->lock);
	holder->lost = true;
	pthread_mutex_unlock(&coherence->lock);
}

/* With the lock held. */
static struct ghost *ghost_new(
	struct coherence *coherence, const char *node, const uint8_t boot_id[16])
{
	struct ghost *ghost = calloc(1, sizeof(*ghost));

	if (!ghost)
		return NULL;
	snprintf(ghost->node, sizeof(ghost->node), "%s", node);
	memcpy(ghost->boot_id, boot_id, sizeof(ghost->boot_id));
	LIST_INSERT_HEAD(&coherence->ghosts, ghost, link);
	atomic_fetch_add(&coherence->unsettled, 1);
	return ghost;
}

/* With the lock held. */
static void await_nameless(struct coherence *coherence, uint64_t until_ns)
{
	if (coherence->nameless.expires_ns == 0)
		atomic_fetch_add(&coherence->unsettled, 1);
	if (coherence->nameless.expires_ns < until_ns)
		coherence->nameless.expires_ns = until_ns;
}

/* With the lock held: who was lost is remembered until its lease is over. */
static void leave_ghost(struct coherence *coherence, const struct holder *holder, uint64_t now)
{
	uint64_t until = lease_end(coherence, holder);
	struct ghost *ghost;

	/* What an owner before this one promised counts, too. */
	if (holder->all.expires_ns > until)
		until = holder->all.expires_ns;
	if (until <= now)
		return;
	ghost = ghost_new(coherence, xfer_peer_node(holder->peer), xfer_peer_boot_id(holder->peer));
	if (!ghost) {
		await_nameless(coherence, until);
		return;
	}
	ghost->expires_ns = until;
	ghost->awaited = holder->all.awaited;
}

void coherence_ended(struct coherence *coherence, struct holder *holder)
{
	uint64_t now = xfer_now_ns();
	struct xfer_request *request;

	pthread_mutex_lock(&coherence->lock);
	holder->ended = true;
	holder->listening = false;
	expire_ghosts(coherence, now);
	expire_holder(coherence, holder, now);
	if (holder->lost)
		leave_ghost(coherence, holder, now);
	acknowledge(coherence, holder, holder->last);
	request = holder->waiting;
	holder->waiting = NULL;
	pthread_mutex_unlock(&coherence->lock);
	finish(request, -EAGAIN);
}

static void push(struct xfer_request **list, struct xfer_request *request)
{
	if (!request)
		return;
	request->next = *list;
	*list = request;
}

static void finish_all(struct xfer_request *requests)
{
	struct xfer_request *next;

	for (; requests; requests = next) {
		next = requests->next;
		xfer_request_finish(requests, 0);
	}
}

void coherence_doubt_all(struct coherence *coherence)
{
	struct xfer_request *answers = NULL;
	struct holder *holder;

	pthread_mutex_lock(&coherence->lock);
	LIST_FOREACH (holder, &coherence->holders, link) {
		if (holder->ended)
			continue;
		invalidate_all(coherence, holder);
		push(&answers, take_answer(holder));
	}
	pthread_mutex_unlock(&coherence->lock);
	finish_all(answers);
}

unsigned coherence_unsettled(struct coherence *coherence, struct holder *holder)
{
	unsigned count;

	pthread_mutex_lock(&coherence->lock);
	expire_holder(coherence, holder, xfer_now_ns());
	count = holder->count + (holder->all.number > 0);
	pthread_mutex_unlock(&coherence->lock);
	return count;
}

/* --- promises ---------------------------------------------------------------------------------- */

static uint64_t period_of(const struct coherence *coherence)
{
	return xfer_now_ns() / coherence->lease_ns;
}

/*
 * Heard before the mark: who takes the mark sees how long it has to be waited for. One that is late has not been heard to
 * drop what it was told of: with new promises it could make every change wait for a lease.
 */
bool coherence_promise(struct coherence *coherence, struct holder *holder, struct holders *holders,
	uint32_t bucket, uint64_t arrived_ns)
{
	if (!holder->listening || holder->late)
		return false;
	holder_hear(holder, arrived_ns);
	return holders_mark(holders, bucket, holder->slot, period_of(coherence));
}

/* --- changes ----------------------------------------------------------------------------------- */

static void open_buckets(
	const struct holder *holder, const struct coherence_change *change, unsigned count)
{
	while (count > 0)
		holders_open(change->holders, change->buckets[--count], holder->slot);
}

/* How many were closed: nobody has to be told of these. */
static unsigned close_free(
	const struct holder *holder, const struct coherence_change *change, uint64_t period)
{
	unsigned i = 0;

	while (i < change->count &&
		holders_close(change->holders, change->buckets[i], holder->slot, period) == 0)
		i++;
	return i;
}

/* With the lock held. */
static void invalidate_slots(struct coherence *coherence, const struct holder *own, uint32_t slots,
	uint32_t volume_id, uint32_t bucket)
{
	struct holder *holder;

	/* One that doesn't listen was promised nothing since everything was ended for it. */
	LIST_FOREACH (holder, &coherence->holders, link)
		if (holder != own && holder->listening && slots & 1u << holder->slot)
			invalidate(coherence, holder, volume_id, bucket);
}

/*
 * Closes what somebody else has been promised, and tells those. What is unsettled counts before a bucket is closed: who
 * finds nobody's mark because it was taken here finds that.
 */
static void close_held(struct coherence *coherence, const struct holder *own,
	const struct coherence_change *change, unsigned from, uint64_t period)
{
	struct xfer_request *answers = NULL;
	struct holder *holder;

	pthread_mutex_lock(&coherence->lock);
	atomic_fetch_add(&coherence->unsettled, 1);
	for (unsigned i = from; i < change->count; i++) {
		uint32_t slots =
			holders_take(change->holders, change->buckets[i], own->slot, period);

		invalidate_slots(coherence, own, slots, change->volume_id, change->buckets[i]);
	}
	atomic_fetch_sub(&coherence->unsettled, 1);
	LIST_FOREACH (holder, &coherence->holders, link)
		push(&answers, take_answer(holder));
	pthread_mutex_unlock(&coherence->lock);
	finish_all(answers);
}

/* The earlier of the two, 0 being never. */
static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a == 0 || b < a ? b : a;
}

/* With the lock held: when somebody's part in it is over next, unless that is told before. 0: nobody has one. */
static uint64_t next_end(struct coherence *coherence, const struct holder *own,
	const struct coherence_change *change, uint64_t now)
{
	struct holder *holder;
	struct ghost *ghost;
	uint64_t until = 0, one;

	expire_ghosts(coherence, now);
	LIST_FOREACH (holder, &coherence->holders, link) {
		expire_holder(coherence, holder, now);
		one = holder == own ? 0 : holder_until(holder, change, now);
		if (one)
			until = earlier(until, one);
	}
	LIST_FOREACH (ghost, &coherence->ghosts, link) {
		if (is_process(ghost, own->peer))
			continue;
		ghost->awaited = true;
		until = earlier(until, ghost->expires_ns);
	}
	if (coherence->nameless.expires_ns) {
		coherence->nameless.awaited = true;
		until = earlier(until, coherence->nameless.expires_ns);
	}
	return until;
}

/* All that was promised of these buckets was so before they were closed: no lease on it is longer than from now on. */
static void wait_settled(struct coherence *coherence, const struct holder *own,
	const struct coherence_change *change)
{
	uint64_t now = xfer_now_ns(), deadline = now + coherence->lease_ns + HOLDER_STEP_NS, until;
	struct timespec ts;
	bool waited = false;

	pthread_mutex_lock(&coherence->lock);
	/* Also asked when it is too late to wait: that a lease was waited out has to be known then. */
	while ((until = next_end(coherence, own, change, now)) != 0 && now < deadline) {
		if (!waited)
			xfer_count(XFER_CNT_CHANGES_WAITED, 1);
		waited = true;
		ts = xfer_timespec(earlier(deadline, until));
		pthread_cond_timedwait(&coherence->settled, &coherence->lock, &ts);
		now = xfer_now_ns();
	}
	pthread_mutex_unlock(&coherence->lock);
}

void coherence_begin(
	struct coherence *coherence, struct holder *holder, const struct coherence_change *change)
{
	uint64_t period = period_of(coherence);
	unsigned closed = close_free(holder, change, period);

	if (change->count == 0)
		return;
	if (xfer_mutation(XFER_MUTATION_INVALIDATION)) {
		for (; closed < change->count; closed++)
			holders_take(
				change->holders, change->buckets[closed], holder->slot, period);
		return;
	}
	if (closed < change->count)
		close_held(coherence, holder, change, closed, period);
	if (change->strict && atomic_load(&coherence->unsettled) > 0)
		wait_settled(coherence, holder, change);
}

bool coherence_begin_now(
	struct coherence *coherence, struct holder *holder, const struct coherence_change *change)
{
	unsigned closed = close_free(holder, change, period_of(coherence));

	if (closed == change->count &&
		(!change->strict || atomic_load(&coherence->unsettled) == 0 ||
			xfer_mutation(XFER_MUTATION_INVALIDATION)))
		return true;
	open_buckets(holder, change, closed);
	return false;
}

void coherence_end(struct holder *holder, const struct coherence_change *change)
{
	open_buckets(holder, change, change->count);
}

/* --- life -------------------------------------------------------------------------------------- */

int coherence_create(unsigned lease_ms, struct coherence **result)
{
	struct coherence *coherence = calloc(1, sizeof(*coherence));

	if (!coherence)
		return -ENOMEM;
	/* Clocks of two nodes may go at different rates. */
	coherence->lease_ns = (lease_ms ? lease_ms : XFER_LEASE_MS) * XFER_NS_PER_MS / 10 * 11;
	pthread_mutex_init(&coherence->lock, NULL);
	xfer_cond_init(&coherence->settled);
	LIST_INIT(&coherence->holders);
	LIST_INIT(&coherence->ghosts);
	*result = coherence;
	return 0;
}

void coherence_destroy(struct coherence *coherence)
{
	if (!coherence)
		return;
	while (!LIST_EMPTY(&coherence->ghosts))
		bury_ghost(coherence, LIST_FIRST(&coherence->ghosts));
	pthread_cond_destroy(&coherence->settled);
	pthread_mutex_destroy(&coherence->lock);
	free(coherence);
}

int coherence_add_ghost(struct coherence *coherence, const char *node, const uint8_t boot_id[16])
{
	uint64_t until = xfer_now_ns() + coherence->lease_ns;
	struct ghost *ghost;

	pthread_mutex_lock(&coherence->lock);
	if (node) {
		ghost = ghost_new(coherence, node, boot_id);
		if (ghost)
			ghost->expires_ns = until;
	} else {
		ghost = &coherence->nameless;
		await_nameless(coherence, until);
	}
	pthread_mutex_unlock(&coherence->lock);
	return ghost ? 0 : -ENOMEM;
}
