/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* heap_path.c -- a host's data path whose memory nobody else has: slots that are wrong are noticed */

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "control/dispatcher.h"
#include "core/layout.h"
#include "heap_path.h"

#define BYTES_MAX   (1u << 20) /* of a chunk */
#define OWED_MAX    8u
#define WAITING_MAX 4u /* RPCs of a path: fewer, with what is held, than a connection stops at */
#define LATE_NS     (3600000 * XFER_NS_PER_MS)

/* Of one chunk, in a block of its own. */
struct heap {
	struct xfer_memory memory;
	void *block;
};

/* A path's transport. */
struct end {
	struct xfer_transport transport;
	struct xfer_hostpath *path; /* NULL: not yet */
	struct xfer_peer *peer;     /* referenced */
	const struct xfer_transport_events *events;
	void *events_arg;
	_Atomic unsigned waiting; /* at the most */
	_Atomic bool full, cut, lost;
	unsigned nowed; /* under the lock, with the following */
	struct {
		uint32_t lane, immediate;
	} owed[OWED_MAX];
	_Atomic bool gone; /* nobody uses the path any more */
	LIST_ENTRY(end) link;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static LIST_HEAD(, end) ends = LIST_HEAD_INITIALIZER(ends); /* the latest first; under the lock */

/* --- the transport ------------------------------------------------------------------------------- */

static struct end *end_of(struct xfer_transport *transport)
{
	return (struct end *)transport;
}

static void fetch(struct xfer_transport *transport, struct xfer_placement *placement)
{
	const struct xfer_memory *in = placement->in;

	(void)transport;
	FUZZ_CHECK(placement->address >= in->base &&
		   placement->address + placement->length <= in->base + in->bytes);
	placement->memory = (void *)(uintptr_t)placement->address;
}

static int stage(struct xfer_transport *transport, struct xfer_placement *placement)
{
	fetch(transport, placement);
	return end_of(transport)->full ? -EAGAIN : 0;
}

static int place(struct xfer_transport *transport, const struct xfer_placement *placement)
{
	(void)placement;
	return end_of(transport)->cut ? -ENOTCONN : 0;
}

static void end_free(struct xfer_transport *transport)
{
	struct end *end = end_of(transport);

	pthread_mutex_lock(&lock);
	LIST_REMOVE(end, link);
	pthread_mutex_unlock(&lock);
	xfer_peer_unref(end->peer);
	free(end);
}

static void start(
	struct xfer_transport *transport, const struct xfer_transport_events *events, void *arg)
{
	struct end *end = end_of(transport);

	pthread_mutex_lock(&lock);
	end->events = events;
	end->events_arg = arg;
	pthread_mutex_unlock(&lock);
}

static void owe(struct end *end, uint32_t lane, uint32_t immediate)
{
	pthread_mutex_lock(&lock);
	if (end->nowed < OWED_MAX) {
		end->owed[end->nowed].lane = lane;
		end->owed[end->nowed].immediate = immediate;
		end->nowed++;
	}
	pthread_mutex_unlock(&lock);
}

/* The last one of a lane; false: there is none. */
static bool take_owed(struct end *end, uint32_t lane, uint32_t *immediate)
{
	unsigned i;

	pthread_mutex_lock(&lock);
	for (i = end->nowed; i > 0 && end->owed[i - 1].lane != lane; i--)
		;
	if (i > 0) {
		*immediate = end->owed[i - 1].immediate;
		end->owed[i - 1] = end->owed[--end->nowed];
	}
	pthread_mutex_unlock(&lock);
	return i > 0;
}

static void poll_lane(struct xfer_transport *transport, uint32_t lane)
{
	struct end *end = end_of(transport);
	uint32_t immediate;

	while (take_owed(end, lane, &immediate))
		end->events->immediate(end->events_arg, lane, immediate);
}

static void give_up(struct end *end)
{
	end->waiting = 0;
	for (uint32_t i = 0; i < xfer_hostpath_lanes(end->path); i++)
		end->events->tick(end->events_arg, i, xfer_now_ns() + LATE_NS);
}

static void await_lane(struct xfer_transport *transport, uint32_t lane)
{
	struct end *end = end_of(transport);

	poll_lane(transport, lane);
	if (++end->waiting >= WAITING_MAX)
		give_up(end);
}

static const struct xfer_transport_ops memory_ops = {
	.path = XFER_PATH_SHM,
	.stage = stage,
	.send = place,
	.fetch = fetch,
	.free = end_free,
};

static const struct xfer_transport_ops verbs_ops = {
	.path = XFER_PATH_VERBS,
	.immediates = true,
	.stage = stage,
	.send = place,
	.fetch = fetch,
	.free = end_free,
	.start = start,
	.poll = poll_lane,
	.await = await_lane,
};

/* --- memory -------------------------------------------------------------------------------------- */

static void heap_free(struct xfer_memory *memory)
{
	free(((struct heap *)memory)->block);
	free(memory);
}

/* NULL: there can't be that much. */
static struct xfer_memory *make(const struct xfer_slot_layout *layout, uint32_t lanes)
{
	uint64_t bytes = xfer_layout_bytes(layout, lanes);
	struct heap *heap;

	if (bytes == 0 || bytes > BYTES_MAX)
		return NULL;
	heap = malloc(sizeof(*heap));
	FUZZ_CHECK(heap != NULL);
	heap->block = calloc(1, bytes);
	FUZZ_CHECK(heap->block != NULL);
	heap->memory = (struct xfer_memory){
		.base = (uintptr_t)heap->block, .bytes = bytes, .free = heap_free
	};
	return &heap->memory;
}

/* --- requests ------------------------------------------------------------------------------------ */

static void gone(void *arg, struct xfer_hostpath *path)
{
	struct end *end = arg;

	(void)path;
	end->gone = true;
}

static void lost(void *arg, const char *why)
{
	struct end *end = arg;

	FUZZ_CHECK(strlen(why) > 0);
	end->lost = true;
}

static struct end *end_new(struct xfer_peer *peer, enum xfer_share_kind kind)
{
	struct end *end = calloc(1, sizeof(*end));

	FUZZ_CHECK(end != NULL);
	end->transport.ops = kind == XFER_SHARE_VERBS ? &verbs_ops : &memory_ops;
	end->peer = peer;
	xfer_peer_ref(peer);
	pthread_mutex_lock(&lock);
	LIST_INSERT_HEAD(&ends, end, link);
	pthread_mutex_unlock(&lock);
	return end;
}

static bool can_be(const struct xfer_share_args *args)
{
	if (args->epoch == 0 || args->lanes == 0 || args->lanes > XFER_LANES_MAX)
		return false;
	return args->kind != XFER_SHARE_VERBS ||
	       (args->nsources > 0 && args->read.nclasses > 0 &&
		       xfer_layout_bytes(&args->write, args->lanes) > 0);
}

/* As of queue pairs that connect themselves. */
static void offer(struct xfer_request *request)
{
	const struct xfer_share_args *args = &request->args.share;
	struct xfer_share_res *res = &request->results.share;

	if (args->kind != XFER_SHARE_VERBS)
		return;
	res->read = args->read;
	res->port = 1;
	res->naddresses = 1;
	res->ntokens = args->lanes;
}

static int share(struct xfer_request *request)
{
	const struct xfer_share_args *args = &request->args.share;
	struct xfer_hostpath_params params = { .epoch = args->epoch,
		.lanes = args->lanes,
		.read = args->read,
		.gone = gone,
		.resume = xfer_request_resume,
		.lost = lost };
	struct end *end;

	if (!can_be(args))
		return -EINVAL;
	if (args->read.nclasses > 0) {
		params.memory = make(&args->read, args->lanes);
		if (!params.memory)
			return -EINVAL;
	}
	end = end_new(request->peer, args->kind);
	params.transport = &end->transport;
	params.arg = end;
	FUZZ_CHECK(xfer_hostpath_create(&params, &end->path) == 0);
	offer(request);
	return xfer_peer_take_path(request, end->path);
}

/* What it is written by, over queue pairs. */
static void describe(
	struct xfer_hostpath *path, const struct xfer_memory *memory, struct xfer_chunk *chunk)
{
	struct end *end = xfer_hostpath_arg(path);

	if (!end->transport.ops->immediates)
		return;
	chunk->base = memory->base;
	chunk->nkeys = xfer_hostpath_lanes(path);
}

static int grow(struct xfer_request *request, struct xfer_hostpath *path)
{
	const struct xfer_slot_layout *layout = &request->args.grow.layout;
	struct xfer_memory *memory = make(layout, xfer_hostpath_lanes(path));
	int err;

	if (!memory)
		return -ENOSPC;
	err = xfer_hostpath_add(path, layout, memory, &request->results.grow.chunk);
	if (err == 0)
		describe(path, memory, &request->results.grow.chunk);
	return err;
}

static int retire(struct xfer_request *request, struct xfer_hostpath *path)
{
	uint32_t returned = request->args.retire.returned;
	int err = returned ? xfer_hostpath_remove(path, returned) : 0;

	if (err == -EBUSY)
		xfer_hostpath_end(path);
	request->results.retire.chunk = xfer_hostpath_newest(path);
	return err;
}

int heap_path_request(struct xfer_request *request)
{
	struct xfer_hostpath *path;
	int err;

	if (request->proc == XFER_PROC_SHARE)
		return share(request);
	path = xfer_peer_path(request->peer);
	if (!path)
		return -ENOTCONN;
	err = request->proc == XFER_PROC_GROW ? grow(request, path) : retire(request, path);
	xfer_hostpath_unref(path);
	return err;
}

/* --- what happens to a path ---------------------------------------------------------------------- */

/* The latest of queue pairs that is used still, with a reference; NULL: there is none. */
static struct end *latest(void)
{
	struct end *end;

	pthread_mutex_lock(&lock);
	LIST_FOREACH (end, &ends, link)
		if (end->events && !end->gone)
			break;
	if (end)
		xfer_hostpath_ref(end->path);
	pthread_mutex_unlock(&lock);
	return end;
}

/* As its owner ends it, not from within what has told that. */
static void end_lost(struct end *end)
{
	if (!end->lost || !xfer_peer_leave_path(end->peer, end->path))
		return;
	xfer_hostpath_end(end->path);
	xfer_hostpath_unref(end->path);
}

static void tell(struct end *end, enum path_event event, uint32_t lane, uint32_t immediate)
{
	const struct xfer_transport_events *events = end->events;

	/* Who polls asks. */
	(void)events->waits(end->events_arg, lane);
	if (event == PATH_IMMEDIATE)
		events->immediate(end->events_arg, lane, immediate);
	else if (event == PATH_LATE)
		events->tick(end->events_arg, lane, xfer_now_ns() + LATE_NS);
	else if (event == PATH_FULL)
		end->full = true;
	else if (event == PATH_CUT)
		end->cut = true;
	else if (event == PATH_OWED)
		owe(end, lane, immediate);
	else
		events->lost(end->events_arg, "its queue pair has failed");
}

void heap_path_tell(enum path_event event, uint32_t lane, uint32_t immediate)
{
	struct end *end = latest();

	if (!end)
		return;
	tell(end, event, lane % xfer_hostpath_lanes(end->path), immediate);
	end_lost(end);
	xfer_hostpath_unref(end->path);
}

static bool is_current(const struct end *end)
{
	struct xfer_hostpath *path = xfer_peer_path(end->peer);
	bool current = path == end->path;

	xfer_hostpath_unref(path);
	return current;
}

void heap_paths_late(void)
{
	struct end *end;

	LIST_FOREACH (end, &ends, link)
		if (end->events && is_current(end))
			give_up(end);
}

void heap_paths_free(void)
{
	struct end *end;

	while ((end = LIST_FIRST(&ends))) {
		FUZZ_CHECK(end->gone);
		xfer_hostpath_free(end->path);
	}
}
