/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* hostpath.c -- the host's end of a session's data path: what RPCs that name slots find */

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "clock.h"
#include "control/hostpath.h"
#include "core/layout.h"

struct lane {
	pthread_mutex_t lock;
	struct xfer_join *joins[2]; /* by direction */
};

struct xfer_hostpath {
	_Atomic unsigned refs;
	struct xfer_transport *transport;
	uint32_t epoch, nlanes;
	struct xfer_slot_layout layouts[2]; /* by direction */
	void (*gone)(void *arg, struct xfer_transport *transport);
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

enum xfer_join_event xfer_hostpath_find(
	struct xfer_hostpath *path, struct xfer_placement *placement, void *user)
{
	struct xfer_joined joined;
	enum xfer_join_event event;
	struct lane *lane;

	if (placement->slot.lane >= path->nlanes)
		return XFER_JOIN_UNKNOWN_SLOT;
	lane = lock_lane(path, placement->slot.lane);
	event = xfer_join_rpc(lane->joins[placement->direction], &placement->slot.name,
		placement->length, user, xfer_now_ns(), &joined);
	pthread_mutex_unlock(&lane->lock);
	if (event != XFER_JOIN_GO)
		return event;
	placement->address = joined.address;
	if (locate(path, placement) == 0)
		return XFER_JOIN_GO;
	xfer_hostpath_done(path, placement);
	return XFER_JOIN_RESEND;
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

/* --- status ------------------------------------------------------------------------------------- */

static json_t *counts_json(const uint32_t counts[XFER_JOIN_STATES])
{
	return json_pack("{s:i, s:i, s:i, s:i, s:i}", "idle", (int)counts[XFER_JOIN_IDLE],
		"arrived", (int)counts[XFER_JOIN_ARRIVED], "waiting",
		(int)counts[XFER_JOIN_WAITING], "in_use", (int)counts[XFER_JOIN_IN_USE], "given_up",
		(int)counts[XFER_JOIN_GIVEN_UP]);
}

/* Of all lanes together. */
static json_t *direction_json(struct xfer_hostpath *path, enum xfer_pool_direction direction)
{
	uint32_t sum[XFER_JOIN_STATES] = { 0 }, counts[XFER_JOIN_STATES];
	json_t *json;

	for (uint32_t i = 0; i < path->nlanes; i++) {
		struct lane *lane = lock_lane(path, i);

		xfer_join_counts(lane->joins[direction], counts);
		pthread_mutex_unlock(&lane->lock);
		for (unsigned state = 0; state < XFER_JOIN_STATES; state++)
			sum[state] += counts[state];
	}
	json = counts_json(sum);
	json_object_set_new(json, "bytes",
		json_integer(
			(json_int_t)xfer_layout_bytes(&path->layouts[direction], path->nlanes)));
	return json;
}

json_t *xfer_hostpath_status(struct xfer_hostpath *path)
{
	return json_pack("{s:s, s:i, s:o, s:o}", "kind", xfer_path_name(path->transport->ops->path),
		"epoch", (int)path->epoch, "write", direction_json(path, XFER_POOL_WRITE), "read",
		direction_json(path, XFER_POOL_READ));
}

/* --- life --------------------------------------------------------------------------------------- */

static int make_join(struct xfer_hostpath *path, uint32_t lane, enum xfer_pool_direction direction)
{
	const struct xfer_join_config config = {
		/* The request for a READ says everything. */
		.immediates = path->transport->ops->immediates && direction == XFER_POOL_WRITE,
	};
	struct xfer_join **join = &path->lanes[lane].joins[direction];
	const struct xfer_slot_layout *layout = &path->layouts[direction];
	uint16_t withheld;
	int err = xfer_join_create(&config, join);

	for (uint32_t class = 0; err == 0 && class < layout->nclasses; class ++) {
		struct xfer_region region = xfer_layout_region(layout, lane, class);

		err = xfer_join_add_region(*join, &region);
	}
	return err ? err : xfer_join_begin(*join, path->epoch, &withheld, 1);
}

static void path_free(struct xfer_hostpath *path)
{
	for (uint32_t i = 0; i < path->nlanes; i++) {
		xfer_join_destroy(path->lanes[i].joins[XFER_POOL_WRITE]);
		xfer_join_destroy(path->lanes[i].joins[XFER_POOL_READ]);
		pthread_mutex_destroy(&path->lanes[i].lock);
	}
	free(path);
}

int xfer_hostpath_create(const struct xfer_hostpath_params *params, struct xfer_hostpath **result)
{
	struct xfer_hostpath *path =
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
	path->layouts[XFER_POOL_WRITE] = params->write;
	path->layouts[XFER_POOL_READ] = params->read;
	path->gone = params->gone;
	path->arg = params->arg;
	for (uint32_t i = 0; i < path->nlanes; i++)
		pthread_mutex_init(&path->lanes[i].lock, NULL);
	for (uint32_t i = 0; err == 0 && i < path->nlanes; i++) {
		err = make_join(path, i, XFER_POOL_WRITE);
		if (err == 0)
			err = make_join(path, i, XFER_POOL_READ);
	}
	if (err) {
		params->transport->ops->free(params->transport);
		path_free(path);
	} else {
		*result = path;
	}
	return err;
}

void xfer_hostpath_ref(struct xfer_hostpath *path)
{
	atomic_fetch_add(&path->refs, 1);
}

void xfer_hostpath_unref(struct xfer_hostpath *path)
{
	if (!path || atomic_fetch_sub(&path->refs, 1) != 1)
		return;
	path->gone(path->arg, path->transport);
	path_free(path);
}

void xfer_hostpath_end(struct xfer_hostpath *path)
{
	for (uint32_t i = 0; i < path->nlanes; i++) {
		struct lane *lane = lock_lane(path, i);

		xfer_join_end(lane->joins[XFER_POOL_WRITE]);
		xfer_join_end(lane->joins[XFER_POOL_READ]);
		pthread_mutex_unlock(&lane->lock);
	}
}
