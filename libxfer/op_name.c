/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* op_name.c -- LOOKUP, CREATE, LINK, UNLINK, RENAME: names in directories */

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
	err = *name ? xfer_op_put_name(call.args.name.name, name) : -ENOENT;
	return err ? err : node_call(&call, node, dir_attr);
}

/* The target travels as payload: it lives until the call has ended. */
static int put_target(struct xfer_session_call *call, const char *target, struct iovec *iov)
{
	size_t len = target ? strlen(target) : 0;

	if (len == 0)
		return -EINVAL;
	if (len > XFER_TARGET_MAX)
		return -ENAMETOOLONG;
	*iov = (struct iovec){ (char *)target, len };
	xfer_session_put_payload(call, iov);
	call->args.create.payload =
		(struct xfer_payload){ .kind = XFER_PAYLOAD_INLINE, .length = (uint32_t)len };
	return 0;
}

int xfer_op_create(struct xfer_session *session, const struct xfer_cred *cred,
	const struct xfer_handle *dir, const char *name, const struct xfer_new *make,
	struct xfer_node *node, struct xfer_opt_attr *dir_attr)
{
	struct xfer_session_call call;
	struct xfer_create_args *args = &call.args.create;
	struct iovec target;
	int err;

	xfer_session_prepare(&call, session, cred, XFER_PROC_CREATE);
	args->dir = *dir;
	args->type = make->type;
	args->rdev_major = make->rdev_major;
	args->rdev_minor = make->rdev_minor;
	args->set = make->set;
	err = xfer_op_put_name(args->name, name);
	if (err == 0 && make->type == XFER_LNK)
		err = put_target(&call, make->target, &target);
	return err ? err : node_call(&call, node, dir_attr);
}

static int link_call(struct xfer_session_call *call, struct xfer_opt_attr *dir_attr,
	struct xfer_opt_attr *object)
{
	int err = xfer_session_call(call);

	*dir_attr = call->results.link.dir_attr;
	*object = call->results.link.object;
	return err;
}

int xfer_op_link(struct xfer_session *session, const struct xfer_cred *cred,
	const struct xfer_handle *handle, const struct xfer_handle *dir, const char *name,
	struct xfer_opt_attr *dir_attr, struct xfer_opt_attr *object)
{
	struct xfer_session_call call;
	int err;

	xfer_session_prepare(&call, session, cred, XFER_PROC_LINK);
	call.args.link.handle = *handle;
	call.args.link.dir = *dir;
	err = xfer_op_put_name(call.args.link.name, name);
	return err ? err : link_call(&call, dir_attr, object);
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
	return err ? err : link_call(&call, dir_attr, object);
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
	renamed->replaced = call.results.rename.replaced;
	return err;
}
