/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* join.c -- the host's side of a lane's slots: an RPC and the bytes that it names meet */

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "core/join.h"

struct slot {
	enum xfer_join_state state;
	uint32_t generation; /* of the last RPC that was accepted, else its region's */
	uint32_t epoch;      /* of that RPC */
	uint32_t immediate;  /* ARRIVED */
	bool end_of_epoch;   /* WAITING: in vain */
	bool late;           /* GIVEN_UP: its immediate came after all */
	uint64_t deadline;   /* WAITING */
	void *user;          /* WAITING */
	struct region *region;
	TAILQ_ENTRY(slot) link; /* WAITING */
};

struct region {
	struct xfer_region place;
	uint32_t count[XFER_JOIN_STATES];
	struct slot slots[];
};

struct xfer_join {
	struct xfer_join_config config;
	uint32_t epoch;      /* the last one */
	bool ended;          /* and it is over */
	uint32_t generation; /* the latest of regions that are gone */
	unsigned nregions;
	struct region *regions[XFER_REGIONS_MAX];
	TAILQ_HEAD(, slot) waiting; /* the oldest first */
};

int xfer_join_create(const struct xfer_join_config *config, struct xfer_join **join_out)
{
	struct xfer_join *join = calloc(1, sizeof(*join));

	if (!join)
		return -ENOMEM;
	join->config = *config;
	join->ended = true;
	TAILQ_INIT(&join->waiting);
	*join_out = join;
	return 0;
}

void xfer_join_destroy(struct xfer_join *join)
{
	if (!join)
		return;
	assert(TAILQ_EMPTY(&join->waiting) && xfer_join_in_use(join) == 0);
	for (unsigned i = 0; i < join->nregions; i++)
		free(join->regions[i]);
	free(join);
}

/* The only place where a state changes: list and counts follow. */
static void enter(struct xfer_join *join, struct slot *slot, enum xfer_join_state state)
{
	if (slot->state == XFER_JOIN_WAITING)
		TAILQ_REMOVE(&join->waiting, slot, link);
	slot->region->count[slot->state]--;
	slot->state = state;
	slot->region->count[state]++;
	if (state == XFER_JOIN_WAITING)
		TAILQ_INSERT_TAIL(&join->waiting, slot, link);
}

static struct slot *slot_of(const struct xfer_join *join, uint16_t number)
{
	for (unsigned i = 0; i < join->nregions; i++) {
		struct region *region = join->regions[i];

		if (xfer_region_has(&region->place, number))
			return &region->slots[number - region->place.first];
	}
	return NULL;
}

/* --- regions ---------------------------------------------------------------------------------- */

/* A region that has numbers of this one's; NULL: it has its place. */
static const struct xfer_region *in_the_way(
	const struct xfer_join *join, const struct xfer_region *place)
{
	for (unsigned i = 0; i < join->nregions; i++)
		if (xfer_regions_overlap(&join->regions[i]->place, place))
			return &join->regions[i]->place;
	return NULL;
}

/* Behind each region that is in the way there may be room. */
static int choose_first(const struct xfer_join *join, struct xfer_region *place)
{
	const struct xfer_region *other;

	place->first = 0;
	while ((other = in_the_way(join, place))) {
		if (other->first + other->slots + place->slots > XFER_SLOT_NUMBERS)
			return -ENOSPC;
		place->first = (uint16_t)(other->first + other->slots);
	}
	return 0;
}

int xfer_join_add_region(struct xfer_join *join, struct xfer_region *place)
{
	struct region *region;

	place->first = 0;
	if (!xfer_region_valid(place))
		return -EINVAL;
	for (unsigned i = 0; i < join->nregions; i++)
		if (join->regions[i]->place.id == place->id)
			return -EEXIST;
	if (join->nregions == XFER_REGIONS_MAX || choose_first(join, place) < 0)
		return -ENOSPC;
	region = calloc(1, sizeof(*region) + place->slots * sizeof(region->slots[0]));
	if (!region)
		return -ENOMEM;
	place->generation = join->generation;
	region->place = *place;
	region->count[XFER_JOIN_IDLE] = place->slots;
	for (uint32_t i = 0; i < place->slots; i++) {
		region->slots[i].region = region;
		region->slots[i].generation = place->generation;
	}
	join->regions[join->nregions++] = region;
	return 0;
}

/*
 * Another region may get its numbers: late copies of what was sent for its slots must be known by their
 * generations. Only this end remembers: after 2^31 uses of a slot two memories could have different opinions of
 * what is the latest.
 */
static void remember_generations(struct xfer_join *join, const struct region *region)
{
	for (uint32_t i = 0; i < region->place.slots; i++)
		if (xfer_serial_order(region->slots[i].generation, join->generation) > 0)
			join->generation = region->slots[i].generation;
}

int xfer_join_remove_region(struct xfer_join *join, uint32_t id)
{
	struct region *region;
	unsigned i = 0;

	while (i < join->nregions && join->regions[i]->place.id != id)
		i++;
	if (i == join->nregions)
		return -ENOENT;
	region = join->regions[i];
	if (region->count[XFER_JOIN_IDLE] < region->place.slots)
		return -EBUSY;
	remember_generations(join, region);
	join->regions[i] = join->regions[--join->nregions];
	free(region);
	return 0;
}

bool xfer_join_region(const struct xfer_join *join, unsigned index, struct xfer_region *place)
{
	if (index >= join->nregions)
		return false;
	*place = join->regions[index]->place;
	return true;
}

/* --- RPC and immediate ------------------------------------------------------------------------ */

static enum xfer_join_event go(struct xfer_join *join, struct slot *slot, uint16_t number,
	void *user, struct xfer_joined *joined)
{
	enter(join, slot, XFER_JOIN_IN_USE);
	joined->name = (struct xfer_slot_name){
		.epoch = slot->epoch, .generation = slot->generation, .slot = number
	};
	joined->address = xfer_region_address(&slot->region->place, number);
	joined->memory = slot->region->place.memory;
	joined->size = slot->region->place.slot_size;
	joined->user = user;
	return XFER_JOIN_GO;
}

/*
 * Whether the epoch is over. One that hasn't begun is neither over nor current. Before the first one, only those of
 * a join that is gone have begun.
 */
static bool is_over(const struct xfer_join *join, uint32_t epoch)
{
	int32_t order = xfer_serial_order(epoch, join->epoch);

	return join->epoch == 0 || order < 0 || (order == 0 && join->ended);
}

/* What there is to say against an RPC of the current epoch, in the state that its slot is in; WAIT: nothing. */
static enum xfer_join_event objection(
	const struct slot *slot, const struct xfer_slot_name *name, uint32_t length)
{
	int32_t order = xfer_serial_order(name->generation, slot->generation);

	if (slot->state == XFER_JOIN_GIVEN_UP && order == 0)
		return XFER_JOIN_RESEND;
	if (order <= 0)
		return XFER_JOIN_STALE;
	if (length > slot->region->place.slot_size)
		return XFER_JOIN_TOO_LONG;
	if (slot->state != XFER_JOIN_IDLE && slot->state != XFER_JOIN_ARRIVED)
		return XFER_JOIN_BUSY;
	if (slot->state == XFER_JOIN_ARRIVED &&
		!xfer_immediate_names(slot->immediate, name->generation))
		return XFER_JOIN_MISMATCH;
	return XFER_JOIN_WAIT;
}

enum xfer_join_event xfer_join_rpc(struct xfer_join *join, const struct xfer_slot_name *name,
	uint32_t length, void *user, uint64_t now, struct xfer_joined *joined)
{
	struct slot *slot = slot_of(join, name->slot);
	enum xfer_join_event event;

	assert(user);
	if (is_over(join, name->epoch))
		return XFER_JOIN_RESEND;
	if (name->epoch != join->epoch)
		return XFER_JOIN_BAD_EPOCH;
	if (!slot)
		return XFER_JOIN_UNKNOWN_SLOT;
	event = objection(slot, name, length);
	if (event != XFER_JOIN_WAIT)
		return event;
	slot->generation = name->generation;
	slot->epoch = name->epoch;
	if (!join->config.immediates || slot->state == XFER_JOIN_ARRIVED)
		return go(join, slot, name->slot, user, joined);
	slot->user = user;
	slot->deadline = now + join->config.wait_ns;
	slot->end_of_epoch = false;
	enter(join, slot, XFER_JOIN_WAITING);
	return XFER_JOIN_WAIT;
}

/* Of an RPC that was given up: it comes once, as any other. */
static enum xfer_join_event late_immediate(struct slot *slot, uint32_t immediate)
{
	if (slot->late)
		return XFER_JOIN_BUSY;
	if (!xfer_immediate_names(immediate, slot->generation))
		return XFER_JOIN_MISMATCH;
	slot->late = true;
	return XFER_JOIN_IGNORED;
}

enum xfer_join_event xfer_join_immediate(
	struct xfer_join *join, uint32_t epoch, uint32_t immediate, struct xfer_joined *joined)
{
	uint16_t number = xfer_immediate_slot(immediate);
	struct slot *slot = slot_of(join, number);

	assert(join->config.immediates);
	if (is_over(join, epoch))
		return XFER_JOIN_IGNORED;
	if (epoch != join->epoch)
		return XFER_JOIN_BAD_EPOCH;
	if (!slot)
		return XFER_JOIN_UNKNOWN_SLOT;
	switch (slot->state) {
	case XFER_JOIN_IDLE:
		slot->immediate = immediate;
		enter(join, slot, XFER_JOIN_ARRIVED);
		return XFER_JOIN_WAIT;
	case XFER_JOIN_WAITING:
		if (!xfer_immediate_names(immediate, slot->generation))
			return XFER_JOIN_MISMATCH;
		return go(join, slot, number, slot->user, joined);
	case XFER_JOIN_GIVEN_UP:
		return late_immediate(slot, immediate);
	default:
		return XFER_JOIN_BUSY;
	}
}

bool xfer_join_live(const struct xfer_join *join, const struct xfer_slot_name *name)
{
	return !join->ended && name->epoch == join->epoch;
}

void xfer_join_done(struct xfer_join *join, const struct xfer_slot_name *name)
{
	struct slot *slot = slot_of(join, name->slot);

	assert(slot && slot->state == XFER_JOIN_IN_USE && slot->generation == name->generation &&
		slot->epoch == name->epoch);
	enter(join, slot, XFER_JOIN_IDLE);
}

bool xfer_join_expired(struct xfer_join *join, uint64_t now, struct xfer_joined *joined)
{
	struct slot *slot = TAILQ_FIRST(&join->waiting);

	if (!slot || (!slot->end_of_epoch && now < slot->deadline))
		return false;
	joined->name = (struct xfer_slot_name){ .epoch = slot->epoch,
		.generation = slot->generation,
		.slot = (uint16_t)(slot->region->place.first + (slot - slot->region->slots)) };
	joined->user = slot->user;
	slot->late = false;
	enter(join, slot, XFER_JOIN_GIVEN_UP);
	return true;
}

bool xfer_join_waits(const struct xfer_join *join)
{
	return !TAILQ_EMPTY(&join->waiting);
}

/* --- epochs ----------------------------------------------------------------------------------- */

void xfer_join_end(struct xfer_join *join)
{
	struct slot *slot;

	if (join->ended)
		return;
	join->ended = true;
	TAILQ_FOREACH (slot, &join->waiting, link)
		slot->end_of_epoch = true;
}

uint32_t xfer_join_in_use(const struct xfer_join *join)
{
	uint32_t in_use = 0;

	for (unsigned i = 0; i < join->nregions; i++)
		in_use += join->regions[i]->count[XFER_JOIN_IN_USE];
	return in_use;
}

int xfer_join_begin(struct xfer_join *join, uint32_t epoch, uint16_t *withheld, uint32_t room)
{
	uint32_t in_use = xfer_join_in_use(join), n = 0;

	if (!join->ended || epoch == 0 || !TAILQ_EMPTY(&join->waiting) ||
		(join->epoch && xfer_serial_order(epoch, join->epoch) <= 0))
		return -EINVAL;
	if (in_use > room)
		return -ENOBUFS;
	for (unsigned i = 0; i < join->nregions; i++) {
		struct region *region = join->regions[i];

		for (uint32_t j = 0; j < region->place.slots; j++) {
			if (region->slots[j].state == XFER_JOIN_IN_USE)
				withheld[n++] = (uint16_t)(region->place.first + j);
			else
				enter(join, &region->slots[j], XFER_JOIN_IDLE);
		}
	}
	join->epoch = epoch;
	join->ended = false;
	return (int)n;
}

/* --- what there is ---------------------------------------------------------------------------- */

void xfer_join_counts(const struct xfer_join *join, uint32_t counts[XFER_JOIN_STATES])
{
	for (unsigned j = 0; j < XFER_JOIN_STATES; j++) {
		counts[j] = 0;
		for (unsigned i = 0; i < join->nregions; i++)
			counts[j] += join->regions[i]->count[j];
	}
}

int xfer_join_look(const struct xfer_join *join, uint16_t number)
{
	const struct slot *slot = slot_of(join, number);

	return slot ? (int)slot->state : -ENOENT;
}

const char *xfer_join_event_name(enum xfer_join_event event)
{
	static const char *const names[] = {
		[XFER_JOIN_GO] = "go",
		[XFER_JOIN_WAIT] = "wait",
		[XFER_JOIN_RESEND] = "resend inline",
		[XFER_JOIN_IGNORED] = "ignored",
		[XFER_JOIN_STALE] = "a slot's name that was used before",
		[XFER_JOIN_UNKNOWN_SLOT] = "a slot that there isn't",
		[XFER_JOIN_BAD_EPOCH] = "an epoch that hasn't begun",
		[XFER_JOIN_TOO_LONG] = "more bytes than the slot has",
		[XFER_JOIN_BUSY] = "a slot that is in use",
		[XFER_JOIN_MISMATCH] = "RPC and immediate of different generations",
	};

	return names[event];
}
