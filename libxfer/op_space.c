/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* op_space.c -- SEEK, ALLOCATE: a file's holes and reserved space */

#include "op.h"

int xfer_op_seek(struct xfer_session *session, const struct xfer_cred *cred,
	const struct xfer_handle *handle, uint64_t open_id, uint64_t offset, bool hole,
	struct xfer_found *found)
{
	struct xfer_session_call call;
	int err;

	xfer_session_prepare(&call, session, cred, XFER_PROC_SEEK);
	call.args.seek = (struct xfer_seek_args){
		.handle = *handle, .open_id = open_id, .offset = offset, .hole = hole
	};
	err = xfer_session_call(&call);
	if (err == 0)
		*found = call.results.seek.found;
	return err;
}

int xfer_op_allocate(struct xfer_session *session, const struct xfer_cred *cred,
	const struct xfer_handle *handle, uint64_t open_id, uint64_t offset, uint64_t length,
	bool punch, struct xfer_opt_attr *attr)
{
	struct xfer_session_call call;
	int err;

	xfer_session_prepare(&call, session, cred, XFER_PROC_ALLOCATE);
	call.args.allocate = (struct xfer_allocate_args){ .handle = *handle,
		.open_id = open_id,
		.offset = offset,
		.length = length,
		.punch = punch };
	err = xfer_session_call(&call);
	*attr = call.results.attr.attr;
	return err;
}
