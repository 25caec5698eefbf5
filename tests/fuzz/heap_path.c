/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* heap_path.c -- a host's data path whose memory nobody else has: slots that are wrong are noticed */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/layout.h"
#include "fuzz.h"
#include "heap_path.h"

#define BYTES_MAX (1u << 20) /* of a chunk */

/* Of one chunk, in a block of its own. */
struct heap {
	struct xfer_memory memory;
	void *block;
};

static int locate(struct xfer_transport *transport, struct xfer_placement *placement)
{
	(void)transport;
	placement->memory = (void *)(uintptr_t)placement->address;
	return 0;
}

static void fetch(struct xfer_transport *transport, struct xfer_placement *placement)
{
	locate(transport, placement);
}

static int place(struct xfer_transport *transport, const struct xfer_placement *placement)
{
	(void)transport;
	(void)placement;
	return 0;
}

static void no_state(struct xfer_transport *transport)
{
	(void)transport;
}

static const struct xfer_transport_ops heap_ops = {
	.path = XFER_PATH_SHM,
	.stage = locate,
	.send = place,
	.fetch = fetch,
	.free = no_state,
};

static struct xfer_transport heap_transport = { &heap_ops };

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

static void gone(void *arg, struct xfer_hostpath *path)
{
	(void)arg;
	xfer_hostpath_free(path);
}

static int share(struct xfer_request *request)
{
	const struct xfer_share_args *args = &request->args.share;
	struct xfer_hostpath_params params = { .transport = &heap_transport,
		.epoch = args->epoch,
		.lanes = args->lanes,
		.read = args->read,
		.gone = gone };
	struct xfer_hostpath *path;

	if (args->epoch == 0 || args->lanes > XFER_LANES_MAX)
		return -EINVAL;
	if (args->read.nclasses > 0) {
		params.memory = make(&args->read, args->lanes);
		if (!params.memory)
			return -EINVAL;
	}
	FUZZ_CHECK(xfer_hostpath_create(&params, &path) == 0);
	return xfer_peer_take_path(request, path);
}

static int grow(struct xfer_request *request, struct xfer_hostpath *path)
{
	const struct xfer_slot_layout *layout = &request->args.grow.layout;
	struct xfer_memory *memory = make(layout, xfer_hostpath_lanes(path));

	if (!memory)
		return -ENOSPC;
	return xfer_hostpath_add(path, layout, memory, &request->results.grow.chunk);
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
