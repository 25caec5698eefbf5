/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* lmrm.c -- the initiator's side of a lane's slots: who may use which, and when one is free again */

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "core/lmrm.h"

struct slot {
	enum xfer_slot_state state;
	uint16_t number;
	bool held; /* LIMBO: somebody at this end still uses it, and will say when that is over */
	bool owed; /* LIMBO: the host hasn't given it back */
	bool answered; /* LIMBO: the last use's reply came since the loss; WELCOME may not know yet */
	bool replied, arrived;              /* READ, since it was offered */
	uint32_t epoch, generation, length; /* of its last use */
	uint64_t since;                     /* QUARANTINED */
	void *user;                         /* OFFERED */
	struct region *region;
	TAILQ_ENTRY(slot) link; /* FREE and not retiring: its class's; QUARANTINED: the pool's */
};

TAILQ_HEAD(slot_list, slot);

struct xfer_lmrm_class {
	uint32_t slot_size;
	unsigned regions;
	uint32_t live, free; /* slots; those of retiring regions don't count */
	struct slot_list list;
	TAILQ_HEAD(, xfer_lmrm_waiter) waiters;
};

struct region {
	struct xfer_region place;
	struct xfer_lmrm_class *class;
	bool retiring;
	uint32_t count[XFER_SLOT_STATES];
	struct slot slots[];
};

struct xfer_lmrm {
	struct xfer_lmrm_config config;
	uint32_t epoch;    /* the last one */
	bool lost;         /* and it is over */
	uint64_t welcomed; /* when it began */
	unsigned nregions, nwaiters;
	struct region *regions[XFER_REGIONS_MAX];
	struct xfer_lmrm_class classes[XFER_LMRM_CLASSES_MAX];
	struct slot_list quarantine; /* the oldest first */
};

int xfer_lmrm_create(const struct xfer_lmrm_config *config, struct xfer_lmrm **pool_out)
{
	struct xfer_lmrm *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return -ENOMEM;
	pool->config = *config;
	pool->lost = true;
	TAILQ_INIT(&pool->quarantine);
	for (unsigned i = 0; i < XFER_LMRM_CLASSES_MAX; i++) {
		TAILQ_INIT(&pool->classes[i].list);
		TAILQ_INIT(&pool->classes[i].waiters);
	}
	*pool_out = pool;
	return 0;
}

void xfer_lmrm_destroy(struct xfer_lmrm *pool)
{
	if (!pool)
		return;
	assert(pool->nwaiters == 0);
	for (unsigned i = 0; i < pool->nregions; i++)
		free(pool->regions[i]);
	free(pool);
}

/* --- states ----------------------------------------------------------------------------------- */

/* The only place where a state changes: lists and counts follow. */
static void enter(struct xfer_lmrm *pool, struct slot *slot, enum xfer_slot_state state)
{
	struct region *region = slot->region;
	struct xfer_lmrm_class *class = region->class;

	if (slot->state == XFER_SLOT_FREE && !region->retiring) {
		TAILQ_REMOVE(&class->list, slot, link);
		class->free--;
	}
	if (slot->state == XFER_SLOT_QUARANTINED)
		TAILQ_REMOVE(&pool->quarantine, slot, link);
	region->count[slot->state]--;
	slot->state = state;
	region->count[state]++;
	if (state == XFER_SLOT_QUARANTINED)
		TAILQ_INSERT_TAIL(&pool->quarantine, slot, link);
	if (state == XFER_SLOT_FREE && !region->retiring) {
		TAILQ_INSERT_HEAD(&class->list, slot, link); /* what was used last is warm */
		class->free++;
	}
}

static void quarantine(struct xfer_lmrm *pool, struct slot *slot, uint64_t now)
{
	slot->since = now;
	enter(pool, slot, XFER_SLOT_QUARANTINED);
}

/* In LIMBO: free if both ends are done with it. */
static void settle(struct xfer_lmrm *pool, struct slot *slot)
{
	if (!slot->held && !slot->owed)
		enter(pool, slot, XFER_SLOT_FREE);
}

static struct slot *slot_of(const struct xfer_lmrm *pool, uint16_t number)
{
	for (unsigned i = 0; i < pool->nregions; i++) {
		struct region *region = pool->regions[i];

		if (xfer_region_has(&region->place, number))
			return &region->slots[number - region->place.first];
	}
	return NULL;
}

/* The slot, if this is the name of its use, and that isn't over. */
static struct slot *find(const struct xfer_lmrm *pool, const struct xfer_slot_name *name)
{
	struct slot *slot = slot_of(pool, name->slot);

	if (!slot || slot->state == XFER_SLOT_FREE || slot->generation != name->generation ||
		slot->epoch != name->epoch)
		return NULL;
	return slot;
}

/*
 * The slot, if the caller who reserved it still has it. If the data path was lost meanwhile, the caller lets go of
 * it with this call: NULL.
 */
static struct slot *find_own(struct xfer_lmrm *pool, const struct xfer_slot_name *name)
{
	struct slot *slot = find(pool, name);

	if (!slot || slot->state != XFER_SLOT_LIMBO)
		return slot;
	slot->held = false;
	settle(pool, slot);
	return NULL;
}

/* --- regions ---------------------------------------------------------------------------------- */

static struct xfer_lmrm_class *class_for(struct xfer_lmrm *pool, uint32_t slot_size)
{
	struct xfer_lmrm_class *unused = NULL;

	for (unsigned i = 0; i < XFER_LMRM_CLASSES_MAX; i++) {
		struct xfer_lmrm_class *class = &pool->classes[i];

		if (class->regions == 0 && TAILQ_EMPTY(&class->waiters))
			unused = class;
		else if (class->slot_size == slot_size)
			return class;
	}
	if (unused)
		unused->slot_size = slot_size;
	return unused;
}

static void init_slots(struct xfer_lmrm *pool, struct region *region)
{
	region->count[XFER_SLOT_LIMBO] = region->place.slots;
	for (uint32_t i = region->place.slots; i-- > 0;) {
		struct slot *slot = &region->slots[i];

		slot->state = XFER_SLOT_LIMBO;
		slot->number = (uint16_t)(region->place.first + i);
		slot->generation = region->place.generation;
		slot->region = region;
		slot->owed = pool->lost;
		settle(pool, slot);
	}
}

int xfer_lmrm_add_region(struct xfer_lmrm *pool, const struct xfer_region *place)
{
	struct xfer_lmrm_class *class;
	struct region *region;

	if (!xfer_region_valid(place))
		return -EINVAL;
	for (unsigned i = 0; i < pool->nregions; i++)
		if (pool->regions[i]->place.id == place->id ||
			xfer_regions_overlap(&pool->regions[i]->place, place))
			return -EEXIST;
	class = class_for(pool, place->slot_size);
	if (pool->nregions == XFER_REGIONS_MAX || !class)
		return -ENOSPC;
	region = calloc(1, sizeof(*region) + place->slots * sizeof(region->slots[0]));
	if (!region)
		return -ENOMEM;
	region->place = *place;
	region->class = class;
	class->regions++;
	class->live += place->slots;
	pool->regions[pool->nregions++] = region;
	init_slots(pool, region);
	return 0;
}

/* Its index, or that behind the last. */
static unsigned region_index(const struct xfer_lmrm *pool, uint32_t id)
{
	unsigned i = 0;

	while (i < pool->nregions && pool->regions[i]->place.id != id)
		i++;
	return i;
}

int xfer_lmrm_retire(struct xfer_lmrm *pool, uint32_t id)
{
	unsigned index = region_index(pool, id);
	struct region *region;

	if (index == pool->nregions)
		return -ENOENT;
	region = pool->regions[index];
	if (region->retiring)
		return 0;
	for (uint32_t i = 0; i < region->place.slots; i++)
		if (region->slots[i].state == XFER_SLOT_FREE)
			TAILQ_REMOVE(&region->class->list, &region->slots[i], link);
	region->class->free -= region->count[XFER_SLOT_FREE];
	region->class->live -= region->place.slots;
	region->retiring = true;
	return 0;
}

bool xfer_lmrm_drained(const struct xfer_lmrm *pool, uint32_t id)
{
	unsigned index = region_index(pool, id);
	const struct region *region = index < pool->nregions ? pool->regions[index] : NULL;

	return region && region->retiring && region->count[XFER_SLOT_FREE] == region->place.slots;
}

int xfer_lmrm_remove_region(struct xfer_lmrm *pool, uint32_t id)
{
	unsigned index = region_index(pool, id);
	struct region *region;

	if (index == pool->nregions)
		return -ENOENT;
	if (!xfer_lmrm_drained(pool, id))
		return -EBUSY;
	region = pool->regions[index];
	region->class->regions--;
	pool->regions[index] = pool->regions[--pool->nregions];
	free(region);
	return 0;
}

/* --- the data path ---------------------------------------------------------------------------- */

void xfer_lmrm_path_lost(struct xfer_lmrm *pool)
{
	if (pool->lost)
		return;
	pool->lost = true;
	for (unsigned i = 0; i < pool->nregions; i++) {
		struct region *region = pool->regions[i];

		for (uint32_t j = 0; j < region->place.slots; j++) {
			struct slot *slot = &region->slots[j];

			if (slot->state != XFER_SLOT_LIMBO)
				slot->held = slot->state == XFER_SLOT_RESERVED ||
					     slot->state == XFER_SLOT_DELIVERED;
			slot->owed = true;
			slot->answered = false;
			enter(pool, slot, XFER_SLOT_LIMBO);
		}
	}
}

int xfer_lmrm_welcome(struct xfer_lmrm *pool, uint32_t epoch, const uint16_t *withheld,
	unsigned nwithheld, uint64_t now)
{
	if (!pool->lost || epoch == 0 ||
		(pool->epoch && xfer_serial_order(epoch, pool->epoch) <= 0))
		return -EINVAL;
	pool->lost = false;
	pool->epoch = epoch;
	pool->welcomed = now;
	for (unsigned i = 0; i < pool->nregions; i++)
		for (uint32_t j = 0; j < pool->regions[i]->place.slots; j++)
			pool->regions[i]->slots[j].owed = false;
	for (unsigned i = 0; i < nwithheld; i++) {
		struct slot *slot = slot_of(pool, withheld[i]);

		if (slot)
			slot->owed = !slot->answered;
	}
	for (unsigned i = 0; i < pool->nregions; i++)
		for (uint32_t j = 0; j < pool->regions[i]->place.slots; j++)
			settle(pool, &pool->regions[i]->slots[j]);
	return 0;
}

static bool some_withheld(const struct xfer_lmrm *pool)
{
	for (unsigned i = 0; i < pool->nregions; i++) {
		const struct region *region = pool->regions[i];

		if (region->count[XFER_SLOT_LIMBO] == 0)
			continue;
		for (uint32_t j = 0; j < region->place.slots; j++)
			if (region->slots[j].state == XFER_SLOT_LIMBO && region->slots[j].owed)
				return true;
	}
	return false;
}

/* An operation whose slot is withheld may hang for long: its epochs follow each other slowly. */
bool xfer_lmrm_wants_epoch(const struct xfer_lmrm *pool, uint64_t now)
{
	const struct slot *oldest = TAILQ_FIRST(&pool->quarantine);

	if (pool->lost)
		return true;
	if (oldest && now - oldest->since > pool->config.quarantine_ns)
		return true;
	if (now - pool->welcomed > pool->config.quarantine_ns && some_withheld(pool))
		return true;
	for (unsigned i = 0; i < XFER_LMRM_CLASSES_MAX; i++) {
		const struct xfer_lmrm_class *class = &pool->classes[i];
		uint64_t slots = 0, quarantined = 0;

		for (unsigned j = 0; j < pool->nregions; j++) {
			const struct region *region = pool->regions[j];

			if (region->class == class) {
				slots += region->place.slots;
				quarantined += region->count[XFER_SLOT_QUARANTINED];
			}
		}
		if (quarantined * 4 > slots)
			return true;
	}
	return false;
}

unsigned xfer_lmrm_held(const struct xfer_lmrm *pool)
{
	unsigned held = 0;

	for (unsigned i = 0; i < pool->nregions; i++)
		for (uint32_t j = 0; j < pool->regions[i]->place.slots; j++) {
			const struct slot *slot = &pool->regions[i]->slots[j];

			held += slot->state == XFER_SLOT_RESERVED ||
				slot->state == XFER_SLOT_DELIVERED ||
				(slot->state == XFER_SLOT_LIMBO && slot->held);
		}
	return held;
}

/* --- reserving -------------------------------------------------------------------------------- */

/* The class with the smallest slots of at least `size` bytes. */
static struct xfer_lmrm_class *smallest(struct xfer_lmrm *pool, uint64_t size)
{
	struct xfer_lmrm_class *found = NULL;

	for (unsigned i = 0; i < XFER_LMRM_CLASSES_MAX; i++) {
		struct xfer_lmrm_class *class = &pool->classes[i];

		if (class->live > 0 && class->slot_size >= size &&
			(!found || class->slot_size < found->slot_size))
			found = class;
	}
	return found;
}

/*
 * A free slot of the class, else of a larger one, as long as more than half of that one is free and nobody waits
 * for it: short payloads can go inline at little cost, long ones can't.
 */
static struct slot *pick(struct xfer_lmrm *pool, struct xfer_lmrm_class *class)
{
	uint64_t size = class->slot_size;

	if (class->free > 0)
		return TAILQ_FIRST(&class->list);
	while ((class = smallest(pool, size + 1))) {
		if (TAILQ_EMPTY(&class->waiters) && class->free > class->live / 2)
			return TAILQ_FIRST(&class->list);
		size = class->slot_size;
	}
	return NULL;
}

static void reserve(
	struct xfer_lmrm *pool, struct slot *slot, uint32_t length, struct xfer_lmrm_slot *out)
{
	slot->generation++;
	slot->epoch = pool->epoch;
	slot->length = length;
	slot->replied = slot->arrived = false;
	enter(pool, slot, XFER_SLOT_RESERVED);
	out->name = (struct xfer_slot_name){
		.epoch = slot->epoch, .generation = slot->generation, .slot = slot->number
	};
	out->region = slot->region->place.id;
	out->size = slot->region->place.slot_size;
	out->address = xfer_region_address(&slot->region->place, slot->number);
	out->memory = slot->region->place.memory;
}

int xfer_lmrm_reserve(struct xfer_lmrm *pool, uint32_t length, struct xfer_lmrm_slot *out)
{
	struct xfer_lmrm_class *class = smallest(pool, length);
	struct slot *slot;

	if (pool->lost)
		return -ENOTCONN;
	if (!class)
		return -EMSGSIZE;
	slot = TAILQ_EMPTY(&class->waiters) ? pick(pool, class) : NULL;
	if (!slot)
		return -EAGAIN;
	reserve(pool, slot, length, out);
	return 0;
}

int xfer_lmrm_wait(
	struct xfer_lmrm *pool, struct xfer_lmrm_waiter *waiter, uint32_t length, uint64_t now)
{
	struct xfer_lmrm_class *class = smallest(pool, length);

	if (pool->lost)
		return -ENOTCONN;
	if (!class)
		return -EMSGSIZE;
	if (pool->nwaiters >= pool->config.waiters_max)
		return -ENOBUFS;
	waiter->length = length;
	waiter->deadline = now + pool->config.wait_ns;
	waiter->class = class;
	TAILQ_INSERT_TAIL(&class->waiters, waiter, link);
	pool->nwaiters++;
	return 0;
}

void xfer_lmrm_unwait(struct xfer_lmrm *pool, struct xfer_lmrm_waiter *waiter)
{
	TAILQ_REMOVE(&waiter->class->waiters, waiter, link);
	pool->nwaiters--;
}

/* Whether the first one of a class needn't wait any more. */
static bool serve(struct xfer_lmrm *pool, struct xfer_lmrm_waiter *waiter, uint64_t now)
{
	struct slot *slot = pool->lost ? NULL : pick(pool, waiter->class);

	if (slot)
		reserve(pool, slot, waiter->length, &waiter->slot);
	else if (!pool->lost && now < waiter->deadline)
		return false;
	waiter->result = slot ? 0 : pool->lost ? -ENOTCONN : -ETIMEDOUT;
	xfer_lmrm_unwait(pool, waiter);
	return true;
}

struct xfer_lmrm_waiter *xfer_lmrm_served(struct xfer_lmrm *pool, uint64_t now)
{
	for (unsigned i = 0; i < XFER_LMRM_CLASSES_MAX; i++) {
		struct xfer_lmrm_waiter *waiter = TAILQ_FIRST(&pool->classes[i].waiters);

		if (waiter && serve(pool, waiter, now))
			return waiter;
	}
	return NULL;
}

/* --- WRITE ------------------------------------------------------------------------------------ */

int xfer_lmrm_filled(struct xfer_lmrm *pool, const struct xfer_slot_name *name)
{
	struct slot *slot = find_own(pool, name);

	if (!slot)
		return -ESTALE;
	assert(pool->config.direction == XFER_POOL_WRITE && slot->state == XFER_SLOT_RESERVED);
	enter(pool, slot, XFER_SLOT_FILLED);
	return 0;
}

int xfer_lmrm_submitted(struct xfer_lmrm *pool, const struct xfer_slot_name *name)
{
	struct slot *slot = find_own(pool, name);

	if (!slot)
		return -ESTALE;
	assert(slot->state == XFER_SLOT_FILLED);
	enter(pool, slot, XFER_SLOT_SUBMITTED);
	return 0;
}

/* In LIMBO: the host has done with this use of the slot; what else was on its way, WELCOME has stopped or will. */
static void answered(struct xfer_lmrm *pool, struct slot *slot)
{
	slot->answered = true;
	if (pool->lost)
		return;
	slot->owed = false;
	settle(pool, slot);
}

int xfer_lmrm_reply(struct xfer_lmrm *pool, const struct xfer_slot_name *name)
{
	struct slot *slot = find(pool, name);

	assert(pool->config.direction == XFER_POOL_WRITE);
	if (!slot)
		return -ESTALE;
	switch (slot->state) {
	case XFER_SLOT_LIMBO:
		answered(pool, slot);
		return -ESTALE;
	case XFER_SLOT_SUBMITTED:
	case XFER_SLOT_QUARANTINED:
		enter(pool, slot, XFER_SLOT_FREE);
		return 0;
	default:
		return -EPROTO;
	}
}

/* --- READ ------------------------------------------------------------------------------------- */

int xfer_lmrm_offered(struct xfer_lmrm *pool, const struct xfer_slot_name *name, void *user)
{
	struct slot *slot = find_own(pool, name);

	if (!slot)
		return -ESTALE;
	assert(pool->config.direction == XFER_POOL_READ && slot->state == XFER_SLOT_RESERVED);
	slot->user = user;
	enter(pool, slot, XFER_SLOT_OFFERED);
	return 0;
}

static bool expects_bytes(const struct slot *slot)
{
	return slot->state == XFER_SLOT_OFFERED || slot->state == XFER_SLOT_QUARANTINED;
}

/* Reply or immediate has come. */
static int join(struct xfer_lmrm *pool, struct slot *slot)
{
	if (!slot->replied || (pool->config.immediates && !slot->arrived))
		return XFER_READ_WAITS;
	if (slot->state == XFER_SLOT_QUARANTINED) {
		enter(pool, slot, XFER_SLOT_FREE);
		return XFER_READ_LATE;
	}
	enter(pool, slot, XFER_SLOT_DELIVERED);
	return XFER_READ_READY;
}

int xfer_lmrm_read_reply(
	struct xfer_lmrm *pool, const struct xfer_slot_name *name, bool placed, uint32_t length)
{
	struct slot *slot = find(pool, name);
	bool late;

	assert(pool->config.direction == XFER_POOL_READ);
	if (!slot)
		return -ESTALE;
	if (slot->state == XFER_SLOT_LIMBO) {
		answered(pool, slot);
		return -ESTALE;
	}
	if (!expects_bytes(slot) || slot->replied || (placed && length > slot->length) ||
		(!placed && slot->arrived))
		return -EPROTO;
	if (placed) {
		slot->replied = true;
		return join(pool, slot);
	}
	late = slot->state == XFER_SLOT_QUARANTINED;
	enter(pool, slot, XFER_SLOT_FREE);
	return late ? XFER_READ_LATE : XFER_READ_NOTHING;
}

int xfer_lmrm_immediate(struct xfer_lmrm *pool, uint32_t epoch, uint32_t immediate, void **user)
{
	struct slot *slot = slot_of(pool, xfer_immediate_slot(immediate));

	assert(pool->config.direction == XFER_POOL_READ && pool->config.immediates);
	if (pool->epoch == 0 || xfer_serial_order(epoch, pool->epoch) < 0 ||
		(pool->lost && epoch == pool->epoch))
		return -ESTALE;
	if (epoch != pool->epoch || !slot || !expects_bytes(slot) || slot->arrived ||
		!xfer_immediate_names(immediate, slot->generation))
		return -EPROTO;
	slot->arrived = true;
	*user = slot->user;
	return join(pool, slot);
}

void xfer_lmrm_release(struct xfer_lmrm *pool, const struct xfer_slot_name *name)
{
	struct slot *slot = find_own(pool, name);

	if (!slot)
		return;
	assert(slot->state == XFER_SLOT_DELIVERED);
	enter(pool, slot, XFER_SLOT_FREE);
}

/* --- both ------------------------------------------------------------------------------------- */

int xfer_lmrm_quarantine(struct xfer_lmrm *pool, const struct xfer_slot_name *name, uint64_t now)
{
	struct slot *slot = find(pool, name);

	if (!slot || (slot->state != XFER_SLOT_SUBMITTED && slot->state != XFER_SLOT_OFFERED))
		return -ESTALE;
	quarantine(pool, slot, now);
	return 0;
}

int xfer_lmrm_abort(struct xfer_lmrm *pool, const struct xfer_slot_name *name, uint64_t now)
{
	struct slot *slot = find_own(pool, name);

	if (!slot)
		return -ESTALE;
	assert(slot->state == XFER_SLOT_RESERVED || slot->state == XFER_SLOT_FILLED);
	if (slot->state == XFER_SLOT_RESERVED) {
		enter(pool, slot, XFER_SLOT_FREE);
		return XFER_ABORT_FREE;
	}
	quarantine(pool, slot, now);
	return XFER_ABORT_CANCEL;
}

/* --- what there is ---------------------------------------------------------------------------- */

unsigned xfer_lmrm_waiters(const struct xfer_lmrm *pool)
{
	return pool->nwaiters;
}

bool xfer_lmrm_region(const struct xfer_lmrm *pool, unsigned index, struct xfer_region *place,
	struct xfer_lmrm_counts *counts)
{
	const struct region *region;

	if (index >= pool->nregions)
		return false;
	region = pool->regions[index];
	*place = region->place;
	counts->slots = region->place.slots;
	for (unsigned i = 0; i < XFER_SLOT_STATES; i++)
		counts->state[i] = region->count[i];
	return true;
}

void xfer_lmrm_counts(const struct xfer_lmrm *pool, struct xfer_lmrm_counts *counts)
{
	*counts = (struct xfer_lmrm_counts){ 0 };
	for (unsigned i = 0; i < pool->nregions; i++) {
		counts->slots += pool->regions[i]->place.slots;
		for (unsigned j = 0; j < XFER_SLOT_STATES; j++)
			counts->state[j] += pool->regions[i]->count[j];
	}
}

int xfer_lmrm_look(const struct xfer_lmrm *pool, uint16_t number, struct xfer_slot_name *name)
{
	const struct slot *slot = slot_of(pool, number);

	if (!slot)
		return -ENOENT;
	*name = (struct xfer_slot_name){
		.epoch = slot->epoch, .generation = slot->generation, .slot = number
	};
	return (int)slot->state;
}

const char *xfer_slot_state_name(enum xfer_slot_state state)
{
	static const char *const names[XFER_SLOT_STATES] = {
		[XFER_SLOT_FREE] = "free",
		[XFER_SLOT_RESERVED] = "reserved",
		[XFER_SLOT_FILLED] = "filled",
		[XFER_SLOT_SUBMITTED] = "submitted",
		[XFER_SLOT_OFFERED] = "offered",
		[XFER_SLOT_DELIVERED] = "delivered",
		[XFER_SLOT_QUARANTINED] = "quarantined",
		[XFER_SLOT_LIMBO] = "limbo",
	};

	return names[state];
}
