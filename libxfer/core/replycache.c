/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* replycache.c -- what became of each call of a session, so that none is executed twice */

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/replycache.h"

enum slot_state { UNUSED, EXECUTING, DONE, CANCELLED, FORGOTTEN };

struct xfer_reply_slot {
	enum slot_state state;
	uint32_t sequence, kind;
	void *first,
		*newest; /* EXECUTING: the sending that is carried out, the one that is answered */
	uint8_t *answer; /* XFER_REPLY_ROOM bytes, from the slot's first call on */
	uint32_t length; /* DONE; 0: the answer could not be kept */
};

int xfer_replycache_init(struct xfer_replycache *cache, uint32_t nslots)
{
	cache->slots = calloc(nslots, sizeof(*cache->slots));
	if (!cache->slots)
		return -ENOMEM;
	cache->nslots = nslots;
	cache->bytes = nslots * sizeof(*cache->slots);
	return 0;
}

void xfer_replycache_fini(struct xfer_replycache *cache)
{
	for (uint32_t i = 0; i < cache->nslots; i++)
		free(cache->slots[i].answer);
	free(cache->slots);
}

/* Negative: a comes before b. */
static int32_t order(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b);
}

/* The same call again. */
static enum xfer_replay again(
	struct xfer_reply_slot *slot, void *sending, struct xfer_replayed *replayed)
{
	if (slot->state == EXECUTING) {
		replayed->older = slot->newest == slot->first ? NULL : slot->newest;
		slot->newest = sending;
		return XFER_REPLAY_ATTACHED;
	}
	replayed->answer = slot->answer;
	replayed->length = slot->length;
	return slot->length ? XFER_REPLAY_DONE : XFER_REPLAY_LOST;
}

enum xfer_replay xfer_replycache_call(struct xfer_replycache *cache, uint32_t number,
	uint32_t sequence, uint32_t kind, void *sending, struct xfer_replayed *replayed)
{
	struct xfer_reply_slot *slot = &cache->slots[number];
	int32_t after = slot->state == UNUSED ? 1 : order(sequence, slot->sequence);
	bool cancelled = after == 0 && slot->state == CANCELLED;

	if (after < 0)
		return XFER_REPLAY_OLD;
	if (after == 0 && !cancelled && slot->state != FORGOTTEN)
		return kind == slot->kind ? again(slot, sending, replayed) : XFER_REPLAY_CLASH;
	if (slot->state == EXECUTING)
		return XFER_REPLAY_CLASH;
	if (!slot->answer) {
		slot->answer = malloc(XFER_REPLY_ROOM);
		if (!slot->answer)
			return XFER_REPLAY_NO_MEMORY;
		cache->bytes += XFER_REPLY_ROOM;
	}
	slot->state = EXECUTING;
	slot->sequence = sequence;
	slot->kind = kind;
	slot->first = slot->newest = sending;
	return cancelled ? XFER_REPLAY_CANCELLED : XFER_REPLAY_EXECUTE;
}

void *xfer_replycache_done(
	struct xfer_replycache *cache, uint32_t number, const uint8_t *answer, uint32_t length)
{
	struct xfer_reply_slot *slot = &cache->slots[number];

	assert(slot->state == EXECUTING);
	slot->state = DONE;
	slot->length = length <= XFER_REPLY_ROOM ? length : 0;
	if (slot->length)
		memcpy(slot->answer, answer, slot->length);
	return slot->newest;
}

void *xfer_replycache_forget(struct xfer_replycache *cache, uint32_t number)
{
	struct xfer_reply_slot *slot = &cache->slots[number];

	assert(slot->state == EXECUTING);
	slot->state = FORGOTTEN;
	return slot->newest;
}

/* Whether a call with the slot's sequence may come yet, as far as this cache knows. */
static bool is_open(const struct xfer_reply_slot *slot)
{
	return slot->state == CANCELLED || slot->state == FORGOTTEN;
}

enum xfer_cancelled xfer_replycache_cancel(
	struct xfer_replycache *cache, uint32_t number, uint32_t sequence)
{
	struct xfer_reply_slot *slot = &cache->slots[number];
	int32_t after = slot->state == UNUSED ? 1 : order(sequence, slot->sequence);

	if (after <= 0 && !is_open(slot))
		return after == 0 && slot->state == EXECUTING ? XFER_CANCEL_EXECUTING
							      : XFER_CANCEL_DONE;
	if (after < 0)
		return XFER_CANCEL_DONE;
	if (slot->state == EXECUTING)
		return XFER_CANCEL_CLASH;
	slot->state = CANCELLED;
	slot->sequence = sequence;
	return XFER_CANCEL_NOTED;
}

void xfer_replycache_each(
	struct xfer_replycache *cache, void (*fn)(void *arg, void *sending), void *arg)
{
	for (uint32_t i = 0; i < cache->nslots; i++)
		if (cache->slots[i].state == EXECUTING)
			fn(arg, cache->slots[i].first);
}
