/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* op_name.c -- LOOKUP, MKDIR, UNLINK, RENAME: names in directories */

#include <errno.h>
#include <string.h>

#include "op.h"

int xfer_op_put_name(char *to, const char *name)
{
	size_t len = strlen(name);

	if (len == 0)
		return -EINVAL;
	if (len > XFER_NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(to, name, len + 1);
	return 0;
}

/* The directory's attributes reach the caller with errors, too. */
static int node_call(
	struct xfer_session_call *call, struct xfer_node *node, struct xfer_opt_attr *dir_attr)
{
	int err = xfer_session_call(call);

	if (err == 0)
		*node = call->results.node.node;
	*dir_attr = call->results.node.dir_attr;
	return err;
}

int xfer_op_lookup(struct xfer_session *session, const struct xfer_cred *cred,
	const struct xfer_handle *dir, const char *name, struct xfer_node *node,
	struct xfer_opt_attr *dir_attr)
{
	struct xfer_session_call call;
	int err;

	xfer_session_prepare(&call, session, cred, XFER_PROC_LOOKUP);
	call.args.name.dir = *dir;
	err = xfer_op_put_name(call.args.name.name, name);
	return err ? err : node_call(&call, node, dir_attr);
}

int xfer_op_mkdir(struct xfer_session *session, const struct xfer_cred *cred,
	const struct xfer_handle *dir, const char *name, const struct xfer_setattr *set,
	struct xfer_node *node, struct xfer_opt_attr *dir_attr)
{
	struct xfer_session_call call;
	int err;

	xfer_session_prepare(&call, session, cred, XFER_PROC_MKDIR);
	call.args.mkdir.dir = *dir;
	call.args.mkdir.set = *set;
	err = xfer_op_put_name(call.args.mkdir.name, name);
	return err ? err : node_call(&call, node, dir_attr);
}

int xfer_op_unlink(struct xfer_session *session, const struct xfer_cred *cred,
	const struct xfer_handle *dir, const char *name, struct xfer_opt_attr *dir_attr,
	struct xfer_opt_attr *object)
{
	struct xfer_session_call call;
	int err;

	xfer_session_prepare(&call, session, cred, XFER_PROC_UNLINK);
	call.args.name.dir = *dir;
	err = xfer_op_put_name(call.args.name.name, name);
	if (err)
		return err;
	err = xfer_session_call(&call);
	*dir_attr = call.results.unlink.dir_attr;
	*object = call.results.unlink.object;
	return err;
}

int xfer_op_rename(struct xfer_session *session, const struct xfer_cred *cred,
	const struct xfer_handle *from_dir, const char *from_name, const struct xfer_handle *to_dir,
	const char *to_name, struct xfer_renamed *renamed)
{
	struct xfer_session_call call;
	int err;

	xfer_session_prepare(&call, session, cred, XFER_PROC_RENAME);
	call.args.rename.from_dir = *from_dir;
	call.args.rename.to_dir = *to_dir;
	err = xfer_op_put_name(call.args.rename.from_name, from_name);
	if (err == 0)
		err = xfer_op_put_name(call.args.rename.to_name, to_name);
	if (err)
		return err;
	err = xfer_session_call(&call);
	renamed->from_dir = call.results.rename.from_dir;
	renamed->to_dir = call.results.rename.to_dir;
	renamed->object = call.results.rename.object;
	return err;
}
