/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* datapath.c -- the initiator's end of a session's data path: pools of slots on each lane */

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "clock.h"
#include "core/layout.h"
#include "counters.h"
#include "datapath.h"

#define INLINE_BYTES  512u /* up to this length inline is cheaper */
#define QUARANTINE_NS (30000 * XFER_NS_PER_MS)

struct lane {
	pthread_mutex_t lock;
	struct xfer_lmrm *pools[2]; /* by direction */
};

struct xfer_datapath {
	_Atomic unsigned refs;
	struct xfer_transport *transport;
	uint32_t epoch, nlanes;
	struct xfer_path_session facts;
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
	}
	if (err == 0 && placement->direction == XFER_POOL_READ)
		err = xfer_lmrm_offered(pool, &slot.name, placement);
	pthread_mutex_unlock(&lane->lock);
	return err;
}

static enum xfer_path_cause choose(
	const struct xfer_datapath *path, const struct xfer_placement *placement)
{
	const struct xfer_path_op op = { .length = placement->length,
		.write = placement->direction == XFER_POOL_WRITE };
	const struct xfer_path_volume volume = { 0 };

	return xfer_path_choose(&op, &volume, &path->facts).cause;
}

static enum xfer_path_cause take_slot(struct xfer_datapath *path,
	const struct xfer_placement *wanted, struct xfer_placement *placement)
{
	enum xfer_path_cause cause;

	*placement = *wanted;
	cause = choose(path, placement);
	return cause == XFER_CAUSE_NONE ? cause_of(reserve(path, placement)) : cause;
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

enum xfer_path_cause xfer_datapath_write(struct xfer_datapath *path, uint32_t lane,
	const struct iovec *iov, int iovcnt, uint32_t length, struct xfer_placement *placement)
{
	const struct xfer_placement wanted = {
		.direction = XFER_POOL_WRITE, .slot.lane = lane, .length = length
	};
	enum xfer_path_cause cause = take_slot(path, &wanted, placement);

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

enum xfer_path_cause xfer_datapath_offer(struct xfer_datapath *path, uint32_t lane, uint32_t length,
	struct xfer_placement *placement)
{
	const struct xfer_placement wanted = {
		.direction = XFER_POOL_READ, .slot.lane = lane, .length = length
	};

	return take_slot(path, &wanted, placement);
}

int xfer_datapath_read(struct xfer_datapath *path, struct xfer_placement *placement,
	const struct xfer_payload *payload, const struct iovec *iov, int iovcnt)
{
	struct xfer_lmrm *pool = pool_of(path, placement);
	bool placed = payload->kind == XFER_PAYLOAD_SLOT && is_its_slot(placement, &payload->slot);
	struct lane *lane;
	int event;

	if (payload->kind == XFER_PAYLOAD_SLOT && !placed)
		return -EPROTO;
	lane = lock_lane(path, placement->slot.lane);
	event = xfer_lmrm_read_reply(
		pool, &placement->slot.name, placed, placed ? payload->length : 0);
	pthread_mutex_unlock(&lane->lock);
	if (event == -EPROTO)
		return event;
	/* The path was lost in between. */
	if (event != XFER_READ_READY)
		return placed ? -EAGAIN : 0;
	path->transport->ops->fetch(path->transport, placement);
	scatter(placement->memory, iov, iovcnt, payload->length);
	pthread_mutex_lock(&lane->lock);
	xfer_lmrm_release(pool, &placement->slot.name);
	pthread_mutex_unlock(&lane->lock);
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

/* --- status ------------------------------------------------------------------------------------- */

static json_t *counts_json(const struct xfer_lmrm_counts *counts)
{
	json_t *json = json_object();

	for (unsigned i = 0; i < XFER_SLOT_STATES; i++)
		json_object_set_new(
			json, xfer_slot_state_name(i), json_integer((json_int_t)counts->state[i]));
	return json;
}

/* With the lane's lock held. */
static void add_regions(
	json_t *regions, uint32_t lane, const char *direction, const struct xfer_lmrm *pool)
{
	struct xfer_lmrm_counts counts;
	struct xfer_region region;

	for (unsigned i = 0; xfer_lmrm_region(pool, i, &region, &counts); i++)
		json_array_append_new(
			regions, json_pack("{s:i, s:s, s:i, s:I, s:i, s:o}", "lane", (int)lane,
					 "direction", direction, "id", (int)region.id, "slot_size",
					 (json_int_t)region.slot_size, "slots", (int)region.slots,
					 "states", counts_json(&counts)));
}

json_t *xfer_datapath_status(struct xfer_datapath *path)
{
	json_t *regions = json_array();

	for (uint32_t i = 0; i < path->nlanes; i++) {
		struct lane *lane = lock_lane(path, i);

		add_regions(regions, i, "write", lane->pools[XFER_POOL_WRITE]);
		add_regions(regions, i, "read", lane->pools[XFER_POOL_READ]);
		pthread_mutex_unlock(&lane->lock);
	}
	return json_pack("{s:s, s:i, s:o}", "kind", xfer_path_name(path->facts.there), "epoch",
		(int)path->epoch, "regions", regions);
}

/* --- life --------------------------------------------------------------------------------------- */

static int make_pool(struct xfer_datapath *path, uint32_t lane, enum xfer_pool_direction direction,
	const struct xfer_slot_layout *layout)
{
	const struct xfer_lmrm_config config = {
		.direction = direction,
		.immediates = path->transport->ops->immediates,
		.quarantine_ns = QUARANTINE_NS,
	};
	struct xfer_lmrm **pool = &path->lanes[lane].pools[direction];
	int err = xfer_lmrm_create(&config, pool);

	for (uint32_t class = 0; err == 0 && class < layout->nclasses; class ++) {
		struct xfer_region region = xfer_layout_region(layout, lane, class);

		err = xfer_lmrm_add_region(*pool, &region);
	}
	return err ? err : xfer_lmrm_welcome(*pool, path->epoch, NULL, 0, xfer_now_ns());
}

static void path_free(struct xfer_datapath *path)
{
	for (uint32_t i = 0; i < path->nlanes; i++) {
		xfer_lmrm_destroy(path->lanes[i].pools[XFER_POOL_WRITE]);
		xfer_lmrm_destroy(path->lanes[i].pools[XFER_POOL_READ]);
		pthread_mutex_destroy(&path->lanes[i].lock);
	}
	path->transport->ops->free(path->transport);
	free(path);
}

int xfer_datapath_create(const struct xfer_datapath_params *params, struct xfer_datapath **result)
{
	struct xfer_datapath *path =
		calloc(1, sizeof(*path) + params->lanes * sizeof(path->lanes[0]));
	int err = 0;

	if (!path) {
		params->transport->ops->free(params->transport);
		return -ENOMEM;
	}
	atomic_init(&path->refs, 1);
	path->transport = params->transport;
	path->epoch = params->epoch;
	path->nlanes = params->lanes;
	path->facts = (struct xfer_path_session){
		.wish = params->wish,
		.there = params->transport->ops->path,
		.inline_bytes = INLINE_BYTES,
		.write_bytes = xfer_layout_largest(&params->write),
		.read_bytes = xfer_layout_largest(&params->read),
	};
	for (uint32_t i = 0; i < path->nlanes; i++)
		pthread_mutex_init(&path->lanes[i].lock, NULL);
	for (uint32_t i = 0; err == 0 && i < path->nlanes; i++) {
		err = make_pool(path, i, XFER_POOL_WRITE, &params->write);
		if (err == 0)
			err = make_pool(path, i, XFER_POOL_READ, &params->read);
	}
	if (err)
		path_free(path);
	else
		*result = path;
	return err;
}

void xfer_datapath_ref(struct xfer_datapath *path)
{
	atomic_fetch_add(&path->refs, 1);
}

void xfer_datapath_unref(struct xfer_datapath *path)
{
	if (path && atomic_fetch_sub(&path->refs, 1) == 1)
		path_free(path);
}

void xfer_datapath_lost(struct xfer_datapath *path)
{
	for (uint32_t i = 0; i < path->nlanes; i++) {
		struct lane *lane = lock_lane(path, i);

		xfer_lmrm_path_lost(lane->pools[XFER_POOL_WRITE]);
		xfer_lmrm_path_lost(lane->pools[XFER_POOL_READ]);
		pthread_mutex_unlock(&lane->lock);
	}
}
