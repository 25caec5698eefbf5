/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* heap_path.c -- a host's data path whose memory nobody else has: slots that are wrong are noticed */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/layout.h"
#include "fuzz.h"
#include "heap_path.h"

#define BYTES_MAX (1u << 20) /* of a direction */

struct heap {
	struct xfer_transport transport;
	uint8_t *memory[2]; /* by direction, in blocks of their own */
	uint64_t bytes[2];
};

static int locate(struct xfer_transport *transport, struct xfer_placement *placement)
{
	struct heap *heap = (struct heap *)transport;

	FUZZ_CHECK(placement->address + placement->length <= heap->bytes[placement->direction]);
	placement->memory = heap->memory[placement->direction] + placement->address;
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

static void heap_free(struct xfer_transport *transport)
{
	struct heap *heap = (struct heap *)transport;

	free(heap->memory[0]);
	free(heap->memory[1]);
	free(heap);
}

static const struct xfer_transport_ops heap_ops = {
	.path = XFER_PATH_SHM,
	.stage = locate,
	.send = place,
	.fetch = fetch,
	.free = heap_free,
};

static bool make(struct heap *heap, enum xfer_pool_direction direction,
	const struct xfer_slot_layout *layout, uint32_t lanes)
{
	uint64_t bytes = xfer_layout_bytes(layout, lanes);

	if (layout->nclasses > 0 && (bytes == 0 || bytes > BYTES_MAX))
		return false;
	heap->bytes[direction] = bytes;
	heap->memory[direction] = calloc(1, bytes ? bytes : 1);
	FUZZ_CHECK(heap->memory[direction] != NULL);
	return true;
}

static void gone(void *arg, struct xfer_transport *transport)
{
	(void)arg;
	heap_free(transport);
}

int heap_path_share(struct xfer_request *request)
{
	const struct xfer_share_args *args = &request->args.share;
	struct heap *heap = calloc(1, sizeof(*heap));
	struct xfer_hostpath_params params = { .epoch = args->epoch,
		.lanes = args->lanes,
		.write = args->write,
		.read = args->read,
		.gone = gone };
	struct xfer_hostpath *path;

	FUZZ_CHECK(heap != NULL);
	heap->transport.ops = &heap_ops;
	if (args->epoch == 0 || args->lanes > 16 ||
		!make(heap, XFER_POOL_WRITE, &args->write, args->lanes) ||
		!make(heap, XFER_POOL_READ, &args->read, args->lanes)) {
		heap_free(&heap->transport);
		return -EINVAL;
	}
	params.transport = &heap->transport;
	FUZZ_CHECK(xfer_hostpath_create(&params, &path) == 0);
	request->results.share.write = args->write;
	return xfer_peer_take_path(request, path);
}
