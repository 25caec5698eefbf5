/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* op_lock.c -- LOCK: byte-range locks that belong to an open */

#include <errno.h>
#include <stdlib.h>

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

struct unlock {
	struct xfer_session_call call;
	void (*done)(void *arg, int err);
	void *arg;
};

static void unlock_done(struct xfer_session_call *call, int err)
{
	struct unlock *unlock = (struct unlock *)call; /* its first member */

	unlock->done(unlock->arg, err);
	free(unlock);
}

void xfer_op_unlock(struct xfer_session *session, const struct xfer_handle *handle,
	uint64_t open_id, const struct xfer_lock *lock, void (*done)(void *arg, int err), void *arg)
{
	static const struct xfer_cred nobody; /* a lock's end needs no permission */
	struct unlock *unlock = malloc(sizeof(*unlock));

	if (!unlock) {
		done(arg, -EAGAIN);
		return;
	}
	xfer_session_prepare(&unlock->call, session, &nobody, XFER_PROC_LOCK);
	unlock->call.args.lock = (struct xfer_lock_args){
		.handle = *handle, .open_id = open_id, .op = XFER_LOCK_CLEAR, .lock = *lock
	};
	unlock->call.patient = true;
	unlock->call.done = unlock_done;
	unlock->done = done;
	unlock->arg = arg;
	xfer_session_submit(&unlock->call);
}
