/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* datapath.c -- the initiator's end of a session's data path: pools of slots on each lane */

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "clock.h"
#include "core/layout.h"
#include "counters.h"
#include "datapath.h"

#define INLINE_BYTES  512u /* up to this length inline is cheaper */
#define QUARANTINE_NS (30000 * XFER_NS_PER_MS)
#define WAIT_NS       (5000 * XFER_NS_PER_MS) /* for the bytes of a READ, behind its answer */

TAILQ_HEAD(placements, xfer_placement);

struct lane {
	pthread_mutex_t lock;
	struct xfer_lmrm *pools[2]; /* by direction */
	struct placements waiting;  /* READs whose immediates are missing, the oldest first */
};

struct chunk {
	uint32_t id;
	bool retiring;
	struct xfer_slot_layout layout;
	struct xfer_memory *memory;
	LIST_ENTRY(chunk) link;
};

struct xfer_datapath {
	_Atomic unsigned refs;
	struct xfer_transport *transport;
	uint32_t epoch, nlanes;
	struct xfer_path_session facts;  /* constant, but for write_bytes */
	_Atomic uint32_t write_bytes;    /* of facts, now */
	_Atomic bool lacked;             /* a WRITE found no slot */
	struct xfer_memory *read_memory; /* may be NULL */
	LIST_HEAD(, chunk) chunks;       /* of the thread that changes them, and the layout */
	struct xfer_slot_layout layout;  /* of WRITE, without what retires */
	_Atomic bool lost;               /* nobody has to be told of that any more */
	struct xfer_datapath *next;      /* of whoever keeps those that are gone */
	void (*gone)(void *arg, struct xfer_datapath *path);
	void (*ready)(struct xfer_placement *placement, int err);
	void (*tell_lost)(void *arg, struct xfer_datapath *path, const char *why);
	void *arg;
	struct lane lanes[];
};

/* --- payload ------------------------------------------------------------------------------------ */

/* Both end with the pieces or with `length`, whichever comes first. */
static void gather(uint8_t *to, const struct iovec *iov, int iovcnt, uint32_t length)
{
	for (int i = 0; i < iovcnt && length > 0; i++) {
		size_t part = iov[i].iov_len < length ? iov[i].iov_len : length;

		xfer_payload_copy(to, iov[i].iov_base, part);
		to += part;
		length -= (uint32_t)part;
	}
}

static void scatter(const uint8_t *from, const struct iovec *iov, int iovcnt, uint32_t length)
{
	for (int i = 0; i < iovcnt && length > 0; i++) {
		size_t part = iov[i].iov_len < length ? iov[i].iov_len : length;

		xfer_payload_copy(iov[i].iov_base, from, part);
		from += part;
		length -= (uint32_t)part;
	}
}

/* --- reserving ---------------------------------------------------------------------------------- */

static struct xfer_lmrm *pool_of(
	const struct xfer_datapath *path, const struct xfer_placement *placement)
{
	return path->lanes[placement->slot.lane].pools[placement->direction];
}

static struct lane *lock_lane(struct xfer_datapath *path, uint32_t lane)
{
	pthread_mutex_lock(&path->lanes[lane].lock);
	return &path->lanes[lane];
}

static enum xfer_path_cause cause_of(int err)
{
	switch (err) {
	case 0:
		return XFER_CAUSE_NONE;
	case -EMSGSIZE:
		return XFER_CAUSE_TOO_LONG;
	case -EAGAIN:
		return XFER_CAUSE_EXHAUSTED;
	default:
		return XFER_CAUSE_NO_PATH;
	}
}

/* A slot for placement->length bytes, of which the host may be told if it is for READ. */
static int reserve(struct xfer_datapath *path, struct xfer_placement *placement)
{
	struct xfer_lmrm *pool = pool_of(path, placement);
	struct lane *lane = lock_lane(path, placement->slot.lane);
	struct xfer_lmrm_slot slot;
	int err = xfer_lmrm_reserve(pool, placement->length, &slot);

	if (err == 0) {
		placement->slot.name = slot.name;
		placement->address = slot.address;
		placement->in = slot.memory;
	}
	if (err == 0 && placement->direction == XFER_POOL_READ)
		err = xfer_lmrm_offered(pool, &slot.name, placement);
	pthread_mutex_unlock(&lane->lock);
	return err;
}

static enum xfer_path_cause choose(const struct xfer_datapath *path,
	const struct xfer_path_volume *volume, const struct xfer_placement *placement)
{
	const struct xfer_path_op op = { .length = placement->length,
		.write = placement->direction == XFER_POOL_WRITE };
	struct xfer_path_session facts = path->facts;

	facts.write_bytes = atomic_load_explicit(&path->write_bytes, memory_order_relaxed);
	return xfer_path_choose(&op, volume, &facts).cause;
}

/* What more memory would have helped. */
static bool is_lack(enum xfer_path_cause cause)
{
	return cause == XFER_CAUSE_REFUSED || cause == XFER_CAUSE_TOO_LONG ||
	       cause == XFER_CAUSE_EXHAUSTED;
}

static enum xfer_path_cause take_slot(struct xfer_datapath *path,
	const struct xfer_path_volume *volume, const struct xfer_placement *wanted,
	struct xfer_placement *placement)
{
	enum xfer_path_cause cause;

	*placement = *wanted;
	cause = choose(path, volume, placement);
	if (cause == XFER_CAUSE_NONE)
		cause = cause_of(reserve(path, placement));
	if (is_lack(cause) && placement->direction == XFER_POOL_WRITE)
		atomic_store_explicit(&path->lacked, true, memory_order_relaxed);
	return cause;
}

/* The thread that fills a slot has it for itself, so no lock is held meanwhile. */
static int fill(struct xfer_datapath *path, const struct iovec *iov, int iovcnt,
	struct xfer_placement *placement)
{
	const struct xfer_transport_ops *ops = path->transport->ops;
	int err = ops->stage(path->transport, placement);

	if (err)
		return err;
	gather(placement->memory, iov, iovcnt, placement->length);
	return ops->send(path->transport, placement);
}

/* It was filled (err 0), or couldn't be. Afterwards the host may be told of it. */
static int submit(struct xfer_datapath *path, const struct xfer_placement *placement, int err)
{
	struct xfer_lmrm *pool = pool_of(path, placement);
	struct lane *lane = lock_lane(path, placement->slot.lane);

	if (err)
		(void)xfer_lmrm_abort(pool, &placement->slot.name, xfer_now_ns());
	else
		err = xfer_lmrm_filled(pool, &placement->slot.name);
	if (err == 0)
		err = xfer_lmrm_submitted(pool, &placement->slot.name);
	pthread_mutex_unlock(&lane->lock);
	return err;
}

enum xfer_path_cause xfer_datapath_write(struct xfer_datapath *path,
	const struct xfer_path_volume *volume, uint32_t lane, const struct iovec *iov, int iovcnt,
	uint32_t length, struct xfer_placement *placement)
{
	const struct xfer_placement wanted = {
		.direction = XFER_POOL_WRITE, .slot.lane = lane, .length = length
	};
	enum xfer_path_cause cause = take_slot(path, volume, &wanted, placement);

	if (cause != XFER_CAUSE_NONE)
		return cause;
	return cause_of(submit(path, placement, fill(path, iov, iovcnt, placement)));
}

static bool is_its_slot(const struct xfer_placement *placement, const struct xfer_slot_ref *told)
{
	const struct xfer_slot_name *own = &placement->slot.name;

	return told->lane == placement->slot.lane && told->name.epoch == own->epoch &&
	       told->name.slot == own->slot && told->name.generation == own->generation;
}

int xfer_datapath_written(struct xfer_datapath *path, const struct xfer_placement *placement,
	const struct xfer_slot_ref *released)
{
	struct xfer_lmrm *pool = pool_of(path, placement);
	struct lane *lane = lock_lane(path, placement->slot.lane);
	int err;

	err = is_its_slot(placement, released) ? xfer_lmrm_reply(pool, &released->name) : -EPROTO;
	pthread_mutex_unlock(&lane->lock);
	return err == -EPROTO ? err : 0;
}

/* --- READ --------------------------------------------------------------------------------------- */

enum xfer_path_cause xfer_datapath_offer(struct xfer_datapath *path,
	const struct xfer_path_volume *volume, uint32_t lane, uint32_t length,
	struct xfer_placement *placement)
{
	const struct xfer_placement wanted = {
		.direction = XFER_POOL_READ, .slot.lane = lane, .length = length
	};

	return take_slot(path, volume, &wanted, placement);
}

void xfer_datapath_take(struct xfer_datapath *path, struct xfer_placement *placement,
	const struct iovec *iov, int iovcnt)
{
	struct lane *lane;

	path->transport->ops->fetch(path->transport, placement);
	scatter(placement->memory, iov, iovcnt, placement->length);
	lane = lock_lane(path, placement->slot.lane);
	xfer_lmrm_release(lane->pools[XFER_POOL_READ], &placement->slot.name);
	pthread_mutex_unlock(&lane->lock);
}

/* An enum xfer_read_event, or -errno; after WAITS the placement isn't the caller's any more. */
static int note_answer(
	struct xfer_datapath *path, struct xfer_placement *placement, bool placed, uint32_t length)
{
	struct lane *lane = lock_lane(path, placement->slot.lane);
	int event = xfer_lmrm_read_reply(
		lane->pools[XFER_POOL_READ], &placement->slot.name, placed, length);

	placement->length = length;
	if (event == XFER_READ_WAITS) {
		placement->since_ns = xfer_now_ns();
		TAILQ_INSERT_TAIL(&lane->waiting, placement, link);
	}
	pthread_mutex_unlock(&lane->lock);
	return event;
}

/* The bytes announce themselves: what has is told first, and nothing may be heard of those that are missing. */
static int meet(
	struct xfer_datapath *path, struct xfer_placement *placement, bool placed, uint32_t length)
{
	const struct xfer_transport_ops *ops = path->transport->ops;
	uint32_t lane = placement->slot.lane;
	int event;

	/* Of this call: that of a READ that waits may be gone before it returns. */
	xfer_datapath_ref(path);
	ops->poll(path->transport, lane);
	event = note_answer(path, placement, placed, length);
	if (event == XFER_READ_WAITS)
		ops->await(path->transport, lane);
	xfer_datapath_unref(path);
	return event;
}

int xfer_datapath_read(struct xfer_datapath *path, struct xfer_placement *placement,
	const struct xfer_payload *payload, const struct iovec *iov, int iovcnt)
{
	bool placed = payload->kind == XFER_PAYLOAD_SLOT && is_its_slot(placement, &payload->slot);
	uint32_t length = placed ? payload->length : 0;
	int event;

	if (payload->kind == XFER_PAYLOAD_SLOT && !placed)
		return -EPROTO;
	if (path->transport->ops->immediates)
		event = meet(path, placement, placed, length);
	else
		event = note_answer(path, placement, placed, length);
	if (event == XFER_READ_WAITS)
		return -EINPROGRESS;
	if (event == -EPROTO)
		return event;
	/* The path was lost in between. */
	if (event != XFER_READ_READY)
		return placed ? -EAGAIN : 0;
	xfer_datapath_take(path, placement, iov, iovcnt);
	return 0;
}

bool xfer_datapath_abandon(struct xfer_datapath *path, const struct xfer_placement *placement)
{
	struct lane *lane = lock_lane(path, placement->slot.lane);
	struct xfer_lmrm *pool = pool_of(path, placement);
	uint64_t now = xfer_now_ns();
	bool wants;

	wants = xfer_lmrm_quarantine(pool, &placement->slot.name, now) == 0 &&
		xfer_lmrm_wants_epoch(pool, now);
	pthread_mutex_unlock(&lane->lock);
	return wants;
}

/* --- immediates --------------------------------------------------------------------------------- */

static void tell_lost(struct xfer_datapath *path, const char *why)
{
	if (!atomic_exchange(&path->lost, true))
		path->tell_lost(path->arg, path, why);
}

/* Of struct xfer_transport_events, as the next ones. */
static void immediate_came(void *arg, uint32_t number, uint32_t immediate)
{
	struct xfer_datapath *path = arg;
	struct lane *lane = lock_lane(path, number);
	void *user;
	int event = xfer_lmrm_immediate(lane->pools[XFER_POOL_READ], path->epoch, immediate, &user);
	struct xfer_placement *placement = event == XFER_READ_READY ? user : NULL;

	if (placement)
		TAILQ_REMOVE(&lane->waiting, placement, link);
	pthread_mutex_unlock(&lane->lock);
	if (placement)
		path->ready(placement, 0);
	if (event != -EPROTO)
		return;
	xfer_count(XFER_CNT_PROTOCOL_ERRORS, 1);
	tell_lost(path, "bytes have come for a slot that was not offered");
}

static bool lane_waits(void *arg, uint32_t number)
{
	struct lane *lane = lock_lane(arg, number);
	bool waits = !TAILQ_EMPTY(&lane->waiting);

	pthread_mutex_unlock(&lane->lock);
	return waits;
}

static void lane_ticked(void *arg, uint32_t number, uint64_t now)
{
	struct xfer_datapath *path = arg;
	struct lane *lane = lock_lane(path, number);
	const struct xfer_placement *oldest = TAILQ_FIRST(&lane->waiting);
	bool late = oldest && now > oldest->since_ns + WAIT_NS;

	pthread_mutex_unlock(&lane->lock);
	if (late)
		tell_lost(path, "the data of an answer has not come in 5 s");
}

static void transport_lost(void *arg, const char *why)
{
	tell_lost(arg, why);
}

static const struct xfer_transport_events transport_events = {
	.immediate = immediate_came,
	.waits = lane_waits,
	.tick = lane_ticked,
	.lost = transport_lost,
};

/* The path is lost: none is added any more. */
static void fail_waiting(struct xfer_datapath *path, uint32_t number)
{
	struct xfer_placement *placement;

	do {
		struct lane *lane = lock_lane(path, number);

		placement = TAILQ_FIRST(&lane->waiting);
		if (placement)
			TAILQ_REMOVE(&lane->waiting, placement, link);
		pthread_mutex_unlock(&lane->lock);
		if (placement)
			path->ready(placement, -EAGAIN);
	} while (placement);
}

/* --- chunks ------------------------------------------------------------------------------------- */

static struct chunk *find_chunk(const struct xfer_datapath *path, uint32_t id)
{
	struct chunk *chunk;

	LIST_FOREACH (chunk, &path->chunks, link)
		if (chunk->id == id)
			return chunk;
	return NULL;
}

/* After each change of chunks. */
static void sum_up(struct xfer_datapath *path)
{
	const struct chunk *chunk;

	path->layout.nclasses = 0;
	LIST_FOREACH (chunk, &path->chunks, link)
		if (!chunk->retiring)
			(void)xfer_layout_add(&path->layout, &chunk->layout);
	atomic_store_explicit(
		&path->write_bytes, xfer_layout_largest(&path->layout), memory_order_relaxed);
}

/* Those of a chunk on one lane. */
static int add_regions(struct xfer_datapath *path, uint32_t number,
	enum xfer_pool_direction direction, const struct xfer_region *regions, uint32_t nregions)
{
	struct lane *lane = lock_lane(path, number);
	int err = 0;

	for (uint32_t i = 0; err == 0 && i < nregions; i++)
		err = xfer_lmrm_add_region(lane->pools[direction], &regions[i]);
	pthread_mutex_unlock(&lane->lock);
	return err;
}

/* Whether it can be, with all its places, in memory of this size. */
static bool fits(const struct xfer_datapath *path, const struct xfer_chunk *chunk, uint64_t bytes)
{
	struct xfer_slot_layout sum = path->layout;

	return chunk->id != 0 && bytes > 0 &&
	       xfer_layout_bytes(&chunk->layout, path->nlanes) == bytes &&
	       chunk->nplaces == path->nlanes * chunk->layout.nclasses &&
	       xfer_layout_add(&sum, &chunk->layout) == 0;
}

/* As the host has placed them. */
static int lay_out_chunk(
	struct xfer_datapath *path, const struct xfer_chunk *chunk, struct xfer_memory *memory)
{
	const struct xfer_slot_layout *layout = &chunk->layout;
	const struct xfer_place *place = chunk->places;
	struct xfer_region regions[XFER_SLOT_CLASSES_MAX];
	int err = 0;

	for (uint32_t lane = 0; err == 0 && lane < path->nlanes; lane++) {
		for (uint32_t i = 0; i < layout->nclasses; i++, place++) {
			regions[i] = xfer_layout_region(layout, chunk->id, lane, i, memory->base);
			regions[i].memory = memory;
			regions[i].first = place->first;
			regions[i].generation = place->generation;
		}
		err = add_regions(path, lane, XFER_POOL_WRITE, regions, layout->nclasses);
	}
	return err;
}

int xfer_datapath_add(
	struct xfer_datapath *path, const struct xfer_chunk *chunk, struct xfer_memory *memory)
{
	struct chunk *own = NULL;
	int err = -EINVAL;

	if (fits(path, chunk, memory->bytes)) {
		own = malloc(sizeof(*own));
		err = -ENOMEM;
	}
	if (!own) {
		xfer_memory_free(memory);
		return err;
	}
	*own = (struct chunk){ .id = chunk->id, .layout = chunk->layout, .memory = memory };
	LIST_INSERT_HEAD(&path->chunks, own, link);
	err = lay_out_chunk(path, chunk, memory);
	if (err == 0)
		sum_up(path);
	return err;
}

int xfer_datapath_retire(struct xfer_datapath *path, uint32_t id)
{
	struct chunk *chunk = find_chunk(path, id);

	if (!chunk)
		return -ENOENT;
	chunk->retiring = true;
	for (uint32_t i = 0; i < path->nlanes; i++) {
		struct lane *lane = lock_lane(path, i);

		for (uint32_t class = 0; class < chunk->layout.nclasses; class ++)
			(void)xfer_lmrm_retire(
				lane->pools[XFER_POOL_WRITE], xfer_layout_region_id(id, class));
		pthread_mutex_unlock(&lane->lock);
	}
	sum_up(path);
	return 0;
}

/* What of it is drained on one lane; true: nothing is left there. */
static bool remove_regions(
	struct xfer_datapath *path, uint32_t number, uint32_t id, uint32_t nclasses)
{
	struct lane *lane = lock_lane(path, number);
	bool removed = true;

	for (uint32_t class = 0; class < nclasses; class ++)
		if (xfer_lmrm_remove_region(lane->pools[XFER_POOL_WRITE],
			    xfer_layout_region_id(id, class)) == -EBUSY)
			removed = false;
	pthread_mutex_unlock(&lane->lock);
	return removed;
}

static void chunk_free(struct chunk *chunk)
{
	LIST_REMOVE(chunk, link);
	xfer_memory_free(chunk->memory);
	free(chunk);
}

int xfer_datapath_remove(struct xfer_datapath *path, uint32_t id)
{
	struct chunk *chunk = find_chunk(path, id);
	bool removed = true;

	if (!chunk)
		return -ENOENT;
	for (uint32_t i = 0; i < path->nlanes; i++)
		removed &= remove_regions(path, i, id, chunk->layout.nclasses);
	if (!removed)
		return -EBUSY;
	chunk_free(chunk);
	return 0;
}

const struct xfer_slot_layout *xfer_datapath_layout(const struct xfer_datapath *path)
{
	return &path->layout;
}

bool xfer_datapath_lacked(struct xfer_datapath *path)
{
	return atomic_exchange_explicit(&path->lacked, false, memory_order_relaxed);
}

/* --- status ------------------------------------------------------------------------------------- */

static json_t *counts_json(const struct xfer_lmrm_counts *counts)
{
	json_t *json = json_object();

	for (unsigned i = 0; i < XFER_SLOT_STATES; i++)
		json_object_set_new(
			json, xfer_slot_state_name(i), json_integer((json_int_t)counts->state[i]));
	return json;
}

/* All regions with slots of one size. Returns how many there are. */
static unsigned sum_size(
	const struct xfer_lmrm *pool, uint32_t slot_size, struct xfer_lmrm_counts *sum)
{
	struct xfer_lmrm_counts counts;
	struct xfer_region region;
	unsigned regions = 0;

	*sum = (struct xfer_lmrm_counts){ 0 };
	for (unsigned i = 0; xfer_lmrm_region(pool, i, &region, &counts); i++) {
		if (region.slot_size != slot_size)
			continue;
		regions++;
		sum->slots += counts.slots;
		for (unsigned state = 0; state < XFER_SLOT_STATES; state++)
			sum->state[state] += counts.state[state];
	}
	return regions;
}

/* Whether an earlier region has slots of this one's size. */
static bool was_seen(const struct xfer_lmrm *pool, unsigned index, uint32_t slot_size)
{
	struct xfer_lmrm_counts counts;
	struct xfer_region region;

	for (unsigned i = 0; i < index && xfer_lmrm_region(pool, i, &region, &counts); i++)
		if (region.slot_size == slot_size)
			return true;
	return false;
}

/* Sizes of slots. With the lane's lock held. */
static void add_sizes(
	json_t *sizes, uint32_t lane, const char *direction, const struct xfer_lmrm *pool)
{
	struct xfer_lmrm_counts counts;
	struct xfer_region region;
	unsigned regions;

	for (unsigned i = 0; xfer_lmrm_region(pool, i, &region, &counts); i++) {
		if (was_seen(pool, i, region.slot_size))
			continue;
		regions = sum_size(pool, region.slot_size, &counts);
		json_array_append_new(
			sizes, json_pack("{s:i, s:s, s:I, s:i, s:i, s:o}", "lane", (int)lane,
				       "direction", direction, "slot_size",
				       (json_int_t)region.slot_size, "regions", (int)regions,
				       "slots", (int)counts.slots, "states", counts_json(&counts)));
	}
}

json_t *xfer_datapath_status(struct xfer_datapath *path)
{
	const struct xfer_transport_ops *ops = path->transport->ops;
	json_t *sizes = json_array(), *status;

	for (uint32_t i = 0; i < path->nlanes; i++) {
		struct lane *lane = lock_lane(path, i);

		add_sizes(sizes, i, "write", lane->pools[XFER_POOL_WRITE]);
		add_sizes(sizes, i, "read", lane->pools[XFER_POOL_READ]);
		pthread_mutex_unlock(&lane->lock);
	}
	status = json_pack("{s:s, s:i, s:o}", "kind", xfer_path_name(path->facts.there), "epoch",
		(int)path->epoch, "sizes", sizes);
	if (ops->status) {
		json_t *transport = ops->status(path->transport);

		json_object_update(status, transport);
		json_decref(transport);
	}
	return status;
}

/* --- life --------------------------------------------------------------------------------------- */

static int make_pool(struct xfer_datapath *path, uint32_t lane, enum xfer_pool_direction direction)
{
	const struct xfer_lmrm_config config = {
		.direction = direction,
		.immediates = path->transport->ops->immediates,
		.quarantine_ns = QUARANTINE_NS,
	};
	struct xfer_lmrm **pool = &path->lanes[lane].pools[direction];
	int err = xfer_lmrm_create(&config, pool);

	return err ? err : xfer_lmrm_welcome(*pool, path->epoch, NULL, 0, xfer_now_ns());
}

static int make_pools(struct xfer_datapath *path)
{
	int err = 0;

	for (uint32_t i = 0; err == 0 && i < path->nlanes; i++) {
		err = make_pool(path, i, XFER_POOL_WRITE);
		if (err == 0)
			err = make_pool(path, i, XFER_POOL_READ);
	}
	return err;
}

/* The host finds the same places by itself. */
static int add_read_slots(struct xfer_datapath *path, const struct xfer_slot_layout *layout)
{
	struct xfer_region regions[XFER_SLOT_CLASSES_MAX];
	int err = 0;

	if (!path->read_memory)
		return layout->nclasses > 0 ? -EINVAL : 0;
	if (xfer_layout_bytes(layout, path->nlanes) != path->read_memory->bytes)
		return -EINVAL;
	for (uint32_t lane = 0; err == 0 && lane < path->nlanes; lane++) {
		for (uint32_t i = 0; i < layout->nclasses; i++) {
			regions[i] =
				xfer_layout_region(layout, 0, lane, i, path->read_memory->base);
			regions[i].memory = path->read_memory;
		}
		err = add_regions(path, lane, XFER_POOL_READ, regions, layout->nclasses);
	}
	return err;
}

void xfer_datapath_free(struct xfer_datapath *path)
{
	path->transport->ops->free(path->transport);
	for (uint32_t i = 0; i < path->nlanes; i++) {
		xfer_lmrm_destroy(path->lanes[i].pools[XFER_POOL_WRITE]);
		xfer_lmrm_destroy(path->lanes[i].pools[XFER_POOL_READ]);
		pthread_mutex_destroy(&path->lanes[i].lock);
	}
	while (!LIST_EMPTY(&path->chunks))
		chunk_free(LIST_FIRST(&path->chunks));
	xfer_memory_free(path->read_memory);
	free(path);
}

/* NULL: out of memory. */
static struct xfer_datapath *path_new(const struct xfer_datapath_params *params)
{
	struct xfer_datapath *path =
		calloc(1, sizeof(*path) + params->lanes * sizeof(path->lanes[0]));

	if (!path)
		return NULL;
	atomic_init(&path->refs, 1);
	path->transport = params->transport;
	path->epoch = params->epoch;
	path->nlanes = params->lanes;
	path->read_memory = params->memory;
	LIST_INIT(&path->chunks);
	path->facts = (struct xfer_path_session){
		.wish = params->wish,
		.there = params->transport->ops->path,
		.inline_bytes = INLINE_BYTES,
		.read_bytes = xfer_layout_largest(&params->read),
	};
	path->gone = params->gone;
	path->ready = params->ready;
	path->tell_lost = params->lost;
	path->arg = params->arg;
	for (uint32_t i = 0; i < path->nlanes; i++) {
		pthread_mutex_init(&path->lanes[i].lock, NULL);
		TAILQ_INIT(&path->lanes[i].waiting);
	}
	return path;
}

int xfer_datapath_create(const struct xfer_datapath_params *params, struct xfer_datapath **result)
{
	struct xfer_datapath *path = path_new(params);
	int err;

	if (!path) {
		params->transport->ops->free(params->transport);
		xfer_memory_free(params->memory);
		return -ENOMEM;
	}
	err = make_pools(path);
	if (err == 0)
		err = add_read_slots(path, &params->read);
	if (err) {
		xfer_datapath_free(path);
		return err;
	}
	*result = path;
	if (path->transport->ops->start)
		path->transport->ops->start(path->transport, &transport_events, path);
	return 0;
}

uint32_t xfer_datapath_epoch(const struct xfer_datapath *path)
{
	return path->epoch;
}

enum xfer_path xfer_datapath_kind(const struct xfer_datapath *path)
{
	return path->facts.there;
}

void xfer_datapath_ref(struct xfer_datapath *path)
{
	atomic_fetch_add(&path->refs, 1);
}

void xfer_datapath_unref(struct xfer_datapath *path)
{
	if (path && atomic_fetch_sub(&path->refs, 1) == 1)
		path->gone(path->arg, path);
}

struct xfer_datapath **xfer_datapath_next(struct xfer_datapath *path)
{
	return &path->next;
}

bool xfer_datapath_is_lost(const struct xfer_datapath *path)
{
	return atomic_load(&path->lost);
}

void xfer_datapath_lost(struct xfer_datapath *path)
{
	atomic_store(&path->lost, true);
	for (uint32_t i = 0; i < path->nlanes; i++) {
		struct lane *lane = lock_lane(path, i);

		xfer_lmrm_path_lost(lane->pools[XFER_POOL_WRITE]);
		xfer_lmrm_path_lost(lane->pools[XFER_POOL_READ]);
		pthread_mutex_unlock(&lane->lock);
	}
	for (uint32_t i = 0; i < path->nlanes; i++)
		fail_waiting(path, i);
}
