/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* request_slot.c -- the slot of a data path that a request's data is in, or goes to */

#include <errno.h>
#include <stddef.h>

#include "control/dispatcher.h"
#include "control/request_slot.h"
#include "counters.h"

/* The bytes that a WRITE brings, or where those of a READ go. */
static void use_slot(struct xfer_request *request)
{
	const struct xfer_placement *placement = &request->placement;

	if (placement->direction == XFER_POOL_READ) {
		request->answer = placement->memory;
		return;
	}
	request->payload[0] = (struct iovec){ placement->memory, placement->length };
	request->payload_count = 1;
	request->payload_length = placement->length;
}

/* It uses no slot. */
static void leave_path(struct xfer_request *request)
{
	xfer_hostpath_unref(request->path);
	request->path = NULL;
}

enum xfer_join_event xfer_request_enter_slot(struct xfer_request *request)
{
	const struct xfer_payload *payload = xfer_args_file_data(request->proc, &request->args);
	enum xfer_join_event event = XFER_JOIN_RESEND;

	if (!payload || payload->kind != XFER_PAYLOAD_SLOT)
		return XFER_JOIN_GO;
	request->placement = (struct xfer_placement){
		.direction = request->proc == XFER_PROC_READ ? XFER_POOL_READ : XFER_POOL_WRITE,
		.slot = payload->slot,
		.length = request->proc == XFER_PROC_READ ? request->args.read.count
							  : payload->length,
	};
	/* Complete: it may be resumed before this returns. */
	request->path = xfer_peer_path(request->peer);
	if (request->path)
		event = xfer_hostpath_find(request->path, &request->placement);
	if (event == XFER_JOIN_WAIT)
		return event;
	if (event == XFER_JOIN_GO) {
		use_slot(request);
		return event;
	}
	leave_path(request);
	if (event != XFER_JOIN_RESEND) {
		xfer_count(XFER_CNT_PROTOCOL_ERRORS, 1);
		xfer_conn_close(request->dispatcher->conn, -EPROTO, xfer_join_event_name(event));
	}
	return event;
}

struct xfer_request *xfer_request_unpark(
	struct xfer_placement *placement, enum xfer_join_event event)
{
	struct xfer_request *request =
		(struct xfer_request *)((char *)placement -
					offsetof(struct xfer_request, placement));

	if (event == XFER_JOIN_GO)
		use_slot(request);
	else
		leave_path(request);
	return request;
}

void xfer_request_leave_slot(struct xfer_request *request)
{
	if (!request->path)
		return;
	xfer_hostpath_done(request->path, &request->placement);
	leave_path(request);
}

/* Bytes of a READ that don't get to the caller's slot are asked for once more. */
static void send_slot(struct xfer_request *request)
{
	struct xfer_read_res *res = &request->results.read;

	request->placement.length = res->payload.length;
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
