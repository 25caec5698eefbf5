/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* hostpath.c -- the host's end of a session's data path: what RPCs that name slots find */

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "clock.h"
#include "control/hostpath.h"
#include "core/layout.h"
#include "counters.h"

#define WAIT_NS (2000 * XFER_NS_PER_MS) /* for the bytes of a WRITE, behind its RPC */

struct lane {
	pthread_mutex_t lock;
	struct xfer_join *joins[2]; /* by direction */
	_Atomic uint64_t
		used_ns; /* when memory of the host's was used last; written under the lock */
};

struct chunk {
	uint32_t id;
	uint32_t nclasses;
	struct xfer_memory *memory;
	LIST_ENTRY(chunk) link;
};

struct xfer_hostpath {
	_Atomic unsigned refs;
	struct xfer_transport *transport;
	uint32_t epoch, nlanes;
	struct xfer_memory *read_memory; /* may be NULL */
	LIST_HEAD(, chunk) chunks;       /* the newest first */
	uint32_t last_chunk;             /* id of it, of all that there were */
	void (*gone)(void *arg, struct xfer_hostpath *path);
	void (*resume)(struct xfer_placement *placement, enum xfer_join_event event);
	void (*lost)(void *arg, const char *why);
	void *arg;
	struct lane lanes[];
};

static struct lane *lock_lane(struct xfer_hostpath *path, uint32_t lane)
{
	pthread_mutex_lock(&path->lanes[lane].lock);
	return &path->lanes[lane];
}

/* --- RPCs --------------------------------------------------------------------------------------- */

/* The sender of a READ's bytes stages them, of a WRITE's they have come. */
static int locate(struct xfer_hostpath *path, struct xfer_placement *placement)
{
	const struct xfer_transport_ops *ops = path->transport->ops;

	if (placement->direction == XFER_POOL_READ)
		return ops->stage(path->transport, placement);
	ops->fetch(path->transport, placement);
	return 0;
}

/* The join's answer; after WAIT the placement isn't the caller's any more. */
static enum xfer_join_event ask_join(struct xfer_hostpath *path, struct xfer_placement *placement)
{
	bool lent = placement->direction == XFER_POOL_WRITE || path->transport->ops->immediates;
	struct lane *lane = lock_lane(path, placement->slot.lane);
	uint64_t now = xfer_now_ns();
	struct xfer_joined joined;
	enum xfer_join_event event;

	event = xfer_join_rpc(lane->joins[placement->direction], &placement->slot.name,
		placement->length, placement, now, &joined);
	if (event == XFER_JOIN_GO) {
		placement->address = joined.address;
		placement->in = joined.memory;
	}
	if (lent)
		atomic_store_explicit(&lane->used_ns, now, memory_order_relaxed);
	pthread_mutex_unlock(&lane->lock);
	return event;
}

static enum xfer_join_event find(struct xfer_hostpath *path, struct xfer_placement *placement)
{
	enum xfer_join_event event = ask_join(path, placement);

	if (event != XFER_JOIN_GO || locate(path, placement) == 0)
		return event;
	xfer_hostpath_done(path, placement);
	return XFER_JOIN_RESEND;
}

/* The bytes announce themselves: what has is told first, and nothing may be heard of those that are missing. */
static enum xfer_join_event meet(struct xfer_hostpath *path, struct xfer_placement *placement)
{
	const struct xfer_transport_ops *ops = path->transport->ops;
	uint32_t lane = placement->slot.lane;
	enum xfer_join_event event;

	/* Of this call: that of an RPC that waits may be gone before it returns. */
	xfer_hostpath_ref(path);
	ops->poll(path->transport, lane);
	event = find(path, placement);
	if (event == XFER_JOIN_WAIT)
		ops->await(path->transport, lane);
	xfer_hostpath_unref(path);
	return event;
}

enum xfer_join_event xfer_hostpath_find(
	struct xfer_hostpath *path, struct xfer_placement *placement)
{
	if (placement->slot.lane >= path->nlanes)
		return XFER_JOIN_UNKNOWN_SLOT;
	if (path->transport->ops->immediates && placement->direction == XFER_POOL_WRITE)
		return meet(path, placement);
	return find(path, placement);
}

int xfer_hostpath_send(struct xfer_hostpath *path, const struct xfer_placement *placement)
{
	return path->transport->ops->send(path->transport, placement);
}

void xfer_hostpath_done(struct xfer_hostpath *path, const struct xfer_placement *placement)
{
	struct lane *lane = lock_lane(path, placement->slot.lane);

	xfer_join_done(lane->joins[placement->direction], &placement->slot.name);
	pthread_mutex_unlock(&lane->lock);
}

uint32_t xfer_hostpath_epoch(const struct xfer_hostpath *path)
{
	return path->epoch;
}

uint32_t xfer_hostpath_lanes(const struct xfer_hostpath *path)
{
	return path->nlanes;
}

uint64_t xfer_hostpath_used_ns(const struct xfer_hostpath *path)
{
	uint64_t latest = 0;

	for (uint32_t i = 0; i < path->nlanes; i++) {
		uint64_t used = atomic_load_explicit(&path->lanes[i].used_ns, memory_order_relaxed);

		latest = used > latest ? used : latest;
	}
	return latest;
}

/* --- immediates --------------------------------------------------------------------------------- */

static void go(struct xfer_hostpath *path, const struct xfer_joined *joined)
{
	struct xfer_placement *placement = joined->user;

	placement->address = joined->address;
	placement->in = joined->memory;
	path->transport->ops->fetch(path->transport, placement);
	path->resume(placement, XFER_JOIN_GO);
}

/* Of struct xfer_transport_events, as the next ones. */
static void immediate_came(void *arg, uint32_t number, uint32_t immediate)
{
	struct xfer_hostpath *path = arg;
	struct lane *lane = lock_lane(path, number);
	struct xfer_joined joined;
	enum xfer_join_event event =
		xfer_join_immediate(lane->joins[XFER_POOL_WRITE], path->epoch, immediate, &joined);

	pthread_mutex_unlock(&lane->lock);
	if (event == XFER_JOIN_GO)
		go(path, &joined);
	if (!xfer_join_violation(event))
		return;
	xfer_count(XFER_CNT_PROTOCOL_ERRORS, 1);
	path->lost(path->arg, xfer_join_event_name(event));
}

/* Those of a lane that have waited for too long, or whose path has ended. */
static void give_up(struct xfer_hostpath *path, uint32_t number, uint64_t now)
{
	struct xfer_joined joined;
	bool expired;

	do {
		struct lane *lane = lock_lane(path, number);

		expired = xfer_join_expired(lane->joins[XFER_POOL_WRITE], now, &joined);
		pthread_mutex_unlock(&lane->lock);
		if (expired)
			path->resume(joined.user, XFER_JOIN_RESEND);
	} while (expired);
}

static bool lane_waits(void *arg, uint32_t number)
{
	struct lane *lane = lock_lane(arg, number);
	bool waits = xfer_join_waits(lane->joins[XFER_POOL_WRITE]);

	pthread_mutex_unlock(&lane->lock);
	return waits;
}

static void lane_ticked(void *arg, uint32_t lane, uint64_t now)
{
	give_up(arg, lane, now);
}

static void transport_lost(void *arg, const char *why)
{
	struct xfer_hostpath *path = arg;

	path->lost(path->arg, why);
}

static const struct xfer_transport_events transport_events = {
	.immediate = immediate_came,
	.waits = lane_waits,
	.tick = lane_ticked,
	.lost = transport_lost,
};

/* --- regions ------------------------------------------------------------------------------------ */

/* Those of a chunk on one lane. */
static int add_regions(struct lane *lane, enum xfer_pool_direction direction,
	const struct xfer_region *regions, uint32_t number, struct xfer_place *places)
{
	int err = 0;

	pthread_mutex_lock(&lane->lock);
	for (uint32_t i = 0; err == 0 && i < number; i++) {
		struct xfer_region region = regions[i];

		err = xfer_join_add_region(lane->joins[direction], &region);
		places[i] = (struct xfer_place){ region.first, region.generation };
	}
	pthread_mutex_unlock(&lane->lock);
	return err;
}

/* On all lanes. */
static int lay_out(struct xfer_hostpath *path, enum xfer_pool_direction direction,
	struct xfer_chunk *chunk, struct xfer_memory *memory)
{
	const struct xfer_slot_layout *layout = &chunk->layout;
	struct xfer_region regions[XFER_SLOT_CLASSES_MAX];
	int err = 0;

	chunk->nplaces = 0;
	for (uint32_t lane = 0; err == 0 && lane < path->nlanes; lane++) {
		for (uint32_t i = 0; i < layout->nclasses; i++) {
			regions[i] = xfer_layout_region(layout, chunk->id, lane, i, memory->base);
			regions[i].memory = memory;
		}
		err = add_regions(&path->lanes[lane], direction, regions, layout->nclasses,
			&chunk->places[chunk->nplaces]);
		chunk->nplaces += layout->nclasses;
	}
	return err;
}

int xfer_hostpath_add(struct xfer_hostpath *path, const struct xfer_slot_layout *layout,
	struct xfer_memory *memory, struct xfer_chunk *chunk)
{
	uint64_t bytes = xfer_layout_bytes(layout, path->nlanes);
	struct chunk *own = bytes == memory->bytes ? malloc(sizeof(*own)) : NULL;
	int err;

	if (!own) {
		err = bytes == memory->bytes ? -ENOMEM : -EINVAL;
		xfer_memory_free(memory);
		return err;
	}
	*own = (struct chunk){
		.id = ++path->last_chunk, .nclasses = layout->nclasses, .memory = memory
	};
	LIST_INSERT_HEAD(&path->chunks, own, link);
	chunk->id = own->id;
	chunk->layout = *layout;
	err = lay_out(path, XFER_POOL_WRITE, chunk, memory);
	/* What of it is there already may be in use, if the peer has guessed it: then the memory stays. */
	if (err)
		(void)xfer_hostpath_remove(path, own->id);
	return err;
}

/* -EBUSY: not all of them. */
static int remove_regions(struct lane *lane, const struct chunk *chunk)
{
	int err = 0;

	pthread_mutex_lock(&lane->lock);
	for (uint32_t i = 0; err == 0 && i < chunk->nclasses; i++) {
		err = xfer_join_remove_region(
			lane->joins[XFER_POOL_WRITE], xfer_layout_region_id(chunk->id, i));
		if (err == -ENOENT)
			err = 0;
	}
	pthread_mutex_unlock(&lane->lock);
	return err;
}

int xfer_hostpath_remove(struct xfer_hostpath *path, uint32_t id)
{
	struct chunk *chunk;
	int err = 0;

	LIST_FOREACH (chunk, &path->chunks, link)
		if (chunk->id == id)
			break;
	if (!chunk)
		return -ENOENT;
	for (uint32_t i = 0; err == 0 && i < path->nlanes; i++)
		err = remove_regions(&path->lanes[i], chunk);
	if (err)
		return err;
	LIST_REMOVE(chunk, link);
	xfer_memory_free(chunk->memory);
	free(chunk);
	return 0;
}

uint32_t xfer_hostpath_newest(const struct xfer_hostpath *path)
{
	const struct chunk *chunk = LIST_FIRST(&path->chunks);

	return chunk ? chunk->id : 0;
}

/* --- status ------------------------------------------------------------------------------------- */

static json_t *counts_json(const uint32_t counts[XFER_JOIN_STATES])
{
	return json_pack("{s:i, s:i, s:i, s:i, s:i}", "idle", (int)counts[XFER_JOIN_IDLE],
		"arrived", (int)counts[XFER_JOIN_ARRIVED], "waiting",
		(int)counts[XFER_JOIN_WAITING], "in_use", (int)counts[XFER_JOIN_IN_USE], "given_up",
		(int)counts[XFER_JOIN_GIVEN_UP]);
}

static uint64_t bytes_of(const struct xfer_join *join)
{
	struct xfer_region region;
	uint64_t bytes = 0;

	for (unsigned i = 0; xfer_join_region(join, i, &region); i++)
		bytes += (uint64_t)region.slots * region.slot_size;
	return bytes;
}

/* Of all lanes together. */
static json_t *direction_json(struct xfer_hostpath *path, enum xfer_pool_direction direction)
{
	uint32_t sum[XFER_JOIN_STATES] = { 0 }, counts[XFER_JOIN_STATES];
	uint64_t bytes = 0;
	json_t *json;

	for (uint32_t i = 0; i < path->nlanes; i++) {
		struct lane *lane = lock_lane(path, i);

		xfer_join_counts(lane->joins[direction], counts);
		bytes += bytes_of(lane->joins[direction]);
		pthread_mutex_unlock(&lane->lock);
		for (unsigned state = 0; state < XFER_JOIN_STATES; state++)
			sum[state] += counts[state];
	}
	json = counts_json(sum);
	json_object_set_new(json, "bytes", json_integer((json_int_t)bytes));
	return json;
}

json_t *xfer_hostpath_status(struct xfer_hostpath *path)
{
	const struct xfer_transport_ops *ops = path->transport->ops;
	json_t *status = json_pack("{s:s, s:i, s:o, s:o}", "kind", xfer_path_name(ops->path),
		"epoch", (int)path->epoch, "write", direction_json(path, XFER_POOL_WRITE), "read",
		direction_json(path, XFER_POOL_READ));

	if (ops->status) {
		json_t *transport = ops->status(path->transport);

		json_object_update(status, transport);
		json_decref(transport);
	}
	return status;
}

/* --- life --------------------------------------------------------------------------------------- */

static int make_join(struct xfer_hostpath *path, uint32_t lane, enum xfer_pool_direction direction)
{
	const struct xfer_join_config config = {
		/* The request for a READ says everything. */
		.immediates = path->transport->ops->immediates && direction == XFER_POOL_WRITE,
		.wait_ns = WAIT_NS,
	};
	struct xfer_join **join = &path->lanes[lane].joins[direction];
	uint16_t withheld;
	int err = xfer_join_create(&config, join);

	return err ? err : xfer_join_begin(*join, path->epoch, &withheld, 1);
}

static int make_joins(struct xfer_hostpath *path)
{
	int err = 0;

	for (uint32_t i = 0; err == 0 && i < path->nlanes; i++) {
		err = make_join(path, i, XFER_POOL_WRITE);
		if (err == 0)
			err = make_join(path, i, XFER_POOL_READ);
	}
	return err;
}

/* The peer has laid its memory out by itself, so it knows the places. */
static int add_read_slots(struct xfer_hostpath *path, const struct xfer_slot_layout *layout)
{
	struct xfer_chunk chunk = { .layout = *layout };

	if (!path->read_memory)
		return layout->nclasses > 0 ? -EINVAL : 0;
	if (xfer_layout_bytes(layout, path->nlanes) != path->read_memory->bytes)
		return -EINVAL;
	return lay_out(path, XFER_POOL_READ, &chunk, path->read_memory);
}

void xfer_hostpath_free(struct xfer_hostpath *path)
{
	struct chunk *chunk;

	path->transport->ops->free(path->transport);
	for (uint32_t i = 0; i < path->nlanes; i++) {
		xfer_join_destroy(path->lanes[i].joins[XFER_POOL_WRITE]);
		xfer_join_destroy(path->lanes[i].joins[XFER_POOL_READ]);
		pthread_mutex_destroy(&path->lanes[i].lock);
	}
	while ((chunk = LIST_FIRST(&path->chunks))) {
		LIST_REMOVE(chunk, link);
		xfer_memory_free(chunk->memory);
		free(chunk);
	}
	xfer_memory_free(path->read_memory);
	free(path);
}

/* NULL: out of memory, or too many lanes. */
static struct xfer_hostpath *path_new(const struct xfer_hostpath_params *params)
{
	struct xfer_hostpath *path = NULL;

	if (params->lanes <= XFER_LANES_MAX)
		path = calloc(1, sizeof(*path) + params->lanes * sizeof(path->lanes[0]));
	if (!path)
		return NULL;
	atomic_init(&path->refs, 1);
	path->transport = params->transport;
	path->epoch = params->epoch;
	path->nlanes = params->lanes;
	path->read_memory = params->memory;
	LIST_INIT(&path->chunks);
	path->gone = params->gone;
	path->resume = params->resume;
	path->lost = params->lost;
	path->arg = params->arg;
	for (uint32_t i = 0; i < path->nlanes; i++)
		pthread_mutex_init(&path->lanes[i].lock, NULL);
	return path;
}

int xfer_hostpath_create(const struct xfer_hostpath_params *params, struct xfer_hostpath **result)
{
	struct xfer_hostpath *path = path_new(params);
	int err;

	if (!path) {
		params->transport->ops->free(params->transport);
		xfer_memory_free(params->memory);
		return params->lanes <= XFER_LANES_MAX ? -ENOMEM : -EINVAL;
	}
	err = make_joins(path);
	if (err == 0)
		err = add_read_slots(path, &params->read);
	if (err) {
		xfer_hostpath_free(path);
		return err;
	}
	*result = path;
	if (path->transport->ops->start)
		path->transport->ops->start(path->transport, &transport_events, path);
	return 0;
}

void *xfer_hostpath_arg(const struct xfer_hostpath *path)
{
	return path->arg;
}

void xfer_hostpath_ref(struct xfer_hostpath *path)
{
	atomic_fetch_add(&path->refs, 1);
}

void xfer_hostpath_unref(struct xfer_hostpath *path)
{
	if (path && atomic_fetch_sub(&path->refs, 1) == 1)
		path->gone(path->arg, path);
}

void xfer_hostpath_end(struct xfer_hostpath *path)
{
	for (uint32_t i = 0; i < path->nlanes; i++) {
		struct lane *lane = lock_lane(path, i);

		xfer_join_end(lane->joins[XFER_POOL_WRITE]);
		xfer_join_end(lane->joins[XFER_POOL_READ]);
		pthread_mutex_unlock(&lane->lock);
	}
	for (uint32_t i = 0; i < path->nlanes; i++)
		give_up(path, i, xfer_now_ns());
}
