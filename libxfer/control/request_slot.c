/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* request_slot.c -- the slot of a data path that a request's data is in, or goes to */

#include <errno.h>

#include "control/dispatcher.h"
#include "control/request_slot.h"
#include "counters.h"

/* The bytes that a WRITE brings, or where those of a READ go. */
static void use_slot(struct xfer_request *request, struct xfer_hostpath *path)
{
	const struct xfer_placement *placement = &request->placement;

	request->path = path;
	if (placement->direction == XFER_POOL_READ) {
		request->answer = placement->memory;
		return;
	}
	request->payload[0] = (struct iovec){ placement->memory, placement->length };
	request->payload_count = 1;
	request->payload_length = placement->length;
}

enum xfer_join_event xfer_request_enter_slot(struct xfer_request *request)
{
	const struct xfer_payload *payload = xfer_args_file_data(request->proc, &request->args);
	enum xfer_join_event event = XFER_JOIN_RESEND;
	struct xfer_hostpath *path;

	if (!payload || payload->kind != XFER_PAYLOAD_SLOT)
		return XFER_JOIN_GO;
	request->placement = (struct xfer_placement){
		.direction = request->proc == XFER_PROC_READ ? XFER_POOL_READ : XFER_POOL_WRITE,
		.slot = payload->slot,
		.length = request->proc == XFER_PROC_READ ? request->args.read.count
							  : payload->length,
	};
	path = xfer_peer_path(request->peer);
	if (path)
		event = xfer_hostpath_find(path, &request->placement, request);
	if (event == XFER_JOIN_GO) {
		use_slot(request, path);
		return event;
	}
	xfer_hostpath_unref(path);
	if (event != XFER_JOIN_RESEND) {
		xfer_count(XFER_CNT_PROTOCOL_ERRORS, 1);
		xfer_conn_close(request->dispatcher->conn, -EPROTO, xfer_join_event_name(event));
	}
	return event;
}

void xfer_request_leave_slot(struct xfer_request *request)
{
	if (!request->path)
		return;
	xfer_hostpath_done(request->path, &request->placement);
	xfer_hostpath_unref(request->path);
	request->path = NULL;
}

/* Bytes of a READ that don't get to the caller's slot are asked for once more. */
static void send_slot(struct xfer_request *request)
{
	struct xfer_read_res *res = &request->results.read;

	if (res->payload.kind == XFER_PAYLOAD_SLOT &&
		xfer_hostpath_send(request->path, &request->placement) == 0) {
		res->payload.slot = request->placement.slot;
		return;
	}
	if (res->payload.kind == XFER_PAYLOAD_SLOT)
		res->status = XFER_ST_RESEND_INLINE;
	res->payload = (struct xfer_payload){ 0 };
}

void xfer_request_name_slot(struct xfer_request *request)
{
	if (!request->path)
		return;
	if (request->placement.direction == XFER_POOL_READ)
		send_slot(request);
	else
		request->results.write.released = request->placement.slot;
	xfer_request_leave_slot(request);
}
