/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* op_attr.c -- GETATTR, SETATTR, READLINK, STATFS: what an object is, a volume's numbers */

#include <errno.h>

#include "op.h"

/* An answer of these two without attributes is none. */
static int attr_call(struct xfer_session_call *call, struct xfer_attr *attr)
{
	int err = xfer_session_call(call);

	if (err == 0 && !call->results.attr.attr.valid)
		err = -EIO;
	if (err == 0)
		*attr = call->results.attr.attr.attr;
	return err;
}

int xfer_op_getattr(struct xfer_session *session, const struct xfer_cred *cred,
	const struct xfer_handle *handle, struct xfer_attr *attr)
{
	struct xfer_session_call call;

	xfer_session_prepare(&call, session, cred, XFER_PROC_GETATTR);
	call.args.handle.handle = *handle;
	return attr_call(&call, attr);
}

int xfer_op_setattr(struct xfer_session *session, const struct xfer_cred *cred,
	const struct xfer_handle *handle, uint64_t open_id, const struct xfer_setattr *set,
	struct xfer_attr *attr)
{
	struct xfer_session_call call;

	xfer_session_prepare(&call, session, cred, XFER_PROC_SETATTR);
	call.args.setattr.handle = *handle;
	call.args.setattr.open_id = open_id;
	call.args.setattr.set = *set;
	return attr_call(&call, attr);
}

int xfer_op_fetch(struct xfer_session_call *call, void *buffer, uint32_t room, uint32_t *len)
{
	struct iovec iov = { buffer, room };
	int err;

	xfer_session_put_payload(call, &iov);
	err = xfer_session_call(call);
	if (err == 0)
		*len = call->results.bytes.payload.length;
	return err;
}

int xfer_op_readlink(struct xfer_session *session, const struct xfer_cred *cred,
	const struct xfer_handle *handle, char target[XFER_TARGET_MAX + 1],
	struct xfer_opt_attr *attr)
{
	struct xfer_session_call call;
	uint32_t len;
	int err;

	xfer_session_prepare(&call, session, cred, XFER_PROC_READLINK);
	call.args.handle.handle = *handle;
	err = xfer_op_fetch(&call, target, XFER_TARGET_MAX, &len);
	if (err == 0)
		target[len] = '\0';
	*attr = call.results.bytes.attr;
	return err;
}

int xfer_op_statfs(struct xfer_session *session, const struct xfer_cred *cred,
	const struct xfer_handle *handle, struct xfer_statfs *statfs)
{
	struct xfer_session_call call;
	int err;

	xfer_session_prepare(&call, session, cred, XFER_PROC_STATFS);
	call.args.handle.handle = *handle;
	err = xfer_session_call(&call);
	if (err == 0)
		*statfs = call.results.statfs.statfs;
	return err;
}
