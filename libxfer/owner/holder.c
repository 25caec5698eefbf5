/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* holder.c -- a session that was promised something: what it has to be told, and has not acknowledged */

#include "counters.h"
#include "owner/holder.h"

/* Rounded up, so that it is rarely written. */
void holder_hear(struct holder *holder, uint64_t arrived_ns)
{
	uint64_t until = arrived_ns / HOLDER_STEP_NS * HOLDER_STEP_NS + HOLDER_STEP_NS;
	uint64_t heard = atomic_load(&holder->heard_ns);

	while (heard < until && !atomic_compare_exchange_weak(&holder->heard_ns, &heard, until))
		;
}

static struct invalidation *queued(struct holder *holder, unsigned i)
{
	return &holder->queue[(holder->first + i) % HOLDER_QUEUE_MAX];
}

static void drop_first(struct holder *holder)
{
	holder->first = (holder->first + 1) % HOLDER_QUEUE_MAX;
	holder->count--;
}

bool holder_unsettled(const struct holder *holder)
{
	return holder->count > 0 || holder->all.number > 0;
}

/* What a predecessor of the owner promised may be believed for longer than what this one did. */
void holder_invalidate_all(struct holder *holder, uint64_t expires_ns)
{
	if (holder->all.number > 0 && holder->all.expires_ns > expires_ns)
		expires_ns = holder->all.expires_ns;
	holder->count = 0;
	holder->all = (struct invalidation){
		.number = ++holder->last, .expires_ns = expires_ns, .awaited = holder->all.awaited
	};
	xfer_count(XFER_CNT_INVALIDATIONS, 1);
}

/* One that isn't told yet will do. */
static struct invalidation *find_untold(struct holder *holder, uint32_t volume_id, uint32_t bucket)
{
	for (unsigned i = holder->count; i > 0 && queued(holder, i - 1)->number > holder->told;
		i--) {
		struct invalidation *entry = queued(holder, i - 1);

		if (entry->volume_id == volume_id && entry->bucket == bucket)
			return entry;
	}
	return NULL;
}

void holder_invalidate(
	struct holder *holder, uint32_t volume_id, uint32_t bucket, uint64_t expires_ns)
{
	struct invalidation *entry = find_untold(holder, volume_id, bucket);

	if (entry) {
		entry->expires_ns = expires_ns;
		return;
	}
	if (holder->count == HOLDER_QUEUE_MAX) {
		holder_invalidate_all(holder, expires_ns);
		return;
	}
	*queued(holder, holder->count++) = (struct invalidation){ .number = ++holder->last,
		.expires_ns = expires_ns,
		.volume_id = volume_id,
		.bucket = bucket };
	xfer_count(XFER_CNT_INVALIDATIONS, 1);
}

bool holder_tell(struct holder *holder, struct xfer_events_res *res)
{
	if (holder->all.number > holder->told) {
		*res = (struct xfer_events_res){ .number = holder->last, .all = true };
	} else {
		res->number = holder->told;
		for (unsigned i = 0; i < holder->count && res->count < XFER_EVENTS_MAX; i++) {
			const struct invalidation *entry = queued(holder, i);

			if (entry->number <= holder->told)
				continue;
			res->number = entry->number;
			res->list[res->count++] =
				(struct xfer_invalidation){ entry->volume_id, entry->bucket };
		}
		if (res->count == 0)
			return false;
	}
	holder->told = res->number;
	return true;
}

void holder_acknowledge(struct holder *holder, uint64_t number)
{
	if (holder->all.number <= number)
		holder->all = (struct invalidation){ 0 };
	while (holder->count > 0 && queued(holder, 0)->number <= number)
		drop_first(holder);
}

bool holder_expire(struct holder *holder, uint64_t now_ns)
{
	bool awaited = false;

	if (holder->all.number > 0 && now_ns >= holder->all.expires_ns) {
		awaited = holder->all.awaited;
		holder->all = (struct invalidation){ 0 };
	}
	while (holder->count > 0 && now_ns >= queued(holder, 0)->expires_ns) {
		awaited |= queued(holder, 0)->awaited;
		drop_first(holder);
	}
	return awaited;
}

static bool covers(const struct invalidation *entry, const struct coherence_change *change)
{
	if (entry->volume_id != change->volume_id)
		return false;
	for (unsigned i = 0; i < change->count; i++)
		if (entry->bucket == change->buckets[i])
			return true;
	return false;
}

uint64_t holder_until(struct holder *holder, const struct coherence_change *change, uint64_t now_ns)
{
	uint64_t until = 0;

	if (holder->all.number > 0) {
		holder->all.awaited = true;
		until = holder->all.expires_ns;
	}
	for (unsigned i = 0; i < holder->count; i++) {
		struct invalidation *entry = queued(holder, i);

		/* One that has expired may be behind one that has not. */
		if (now_ns >= entry->expires_ns || !covers(entry, change))
			continue;
		entry->awaited = true;
		if (until == 0 || entry->expires_ns < until)
			until = entry->expires_ns;
	}
	return until;
}
