/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* op_lock.c -- LOCK: byte-range locks that belong to an open */

#include "op.h"

int xfer_op_lock(struct xfer_session *session, const struct xfer_cred *cred,
	const struct xfer_handle *handle, uint64_t open_id, enum xfer_lock_op op,
	const struct xfer_lock *lock, bool *granted, struct xfer_lock *conflict)
{
	struct xfer_session_call call;
	int err;

	xfer_session_prepare(&call, session, cred, XFER_PROC_LOCK);
	call.args.lock = (struct xfer_lock_args){
		.handle = *handle, .open_id = open_id, .op = op, .lock = *lock
	};
	err = xfer_session_call(&call);
	if (err == 0) {
		*granted = call.results.lock.granted;
		*conflict = call.results.lock.conflict;
	}
	return err;
}
