/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* op_xattr.c -- GETXATTR, SETXATTR, REMOVEXATTR, LISTXATTR: extended attributes (RFC 8276) */

#include <errno.h>

#include "op.h"

/* What the owner tells of the object reaches the caller with errors, too. */
static int attr_call(struct xfer_session_call *call, struct xfer_opt_attr *attr)
{
	int err = xfer_session_call(call);

	*attr = call->results.attr.attr;
	return err;
}

int xfer_op_getxattr(struct xfer_session *session, const struct xfer_cred *cred,
	const struct xfer_handle *handle, const char *name, uint8_t value[XFER_XATTR_MAX],
	uint32_t *len)
{
	struct xfer_session_call call;
	int err;

	xfer_session_prepare(&call, session, cred, XFER_PROC_GETXATTR);
	call.args.xattr.handle = *handle;
	err = xfer_op_put_name(call.args.xattr.name, name);
	return err ? err : xfer_op_fetch(&call, value, XFER_XATTR_MAX, len);
}

int xfer_op_setxattr(struct xfer_session *session, const struct xfer_cred *cred,
	const struct xfer_handle *handle, const char *name, enum xfer_setxattr how,
	const void *value, uint32_t len, struct xfer_opt_attr *attr)
{
	struct iovec iov = { (void *)value, len };
	struct xfer_session_call call;
	int err;

	if (len > XFER_XATTR_MAX)
		return -E2BIG;
	xfer_session_prepare(&call, session, cred, XFER_PROC_SETXATTR);
	call.args.setxattr.handle = *handle;
	call.args.setxattr.how = how;
	call.args.setxattr.payload =
		(struct xfer_payload){ .kind = XFER_PAYLOAD_INLINE, .length = len };
	xfer_session_put_payload(&call, &iov);
	err = xfer_op_put_name(call.args.setxattr.name, name);
	return err ? err : attr_call(&call, attr);
}

int xfer_op_removexattr(struct xfer_session *session, const struct xfer_cred *cred,
	const struct xfer_handle *handle, const char *name, struct xfer_opt_attr *attr)
{
	struct xfer_session_call call;
	int err;

	xfer_session_prepare(&call, session, cred, XFER_PROC_REMOVEXATTR);
	call.args.xattr.handle = *handle;
	err = xfer_op_put_name(call.args.xattr.name, name);
	return err ? err : attr_call(&call, attr);
}

int xfer_op_listxattr(struct xfer_session *session, const struct xfer_cred *cred,
	const struct xfer_handle *handle, char names[XFER_XATTR_MAX], uint32_t *len)
{
	struct xfer_session_call call;

	xfer_session_prepare(&call, session, cred, XFER_PROC_LISTXATTR);
	call.args.handle.handle = *handle;
	return xfer_op_fetch(&call, names, XFER_XATTR_MAX, len);
}
