/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* service_xattr.c -- GETXATTR, SETXATTR, LISTXATTR, REMOVEXATTR: extended attributes of users (RFC 8276) */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "owner/creds.h"
#include "owner/service.h"

/* Others are the kernel's and the security modules' business. */
static bool is_users(const char *name)
{
	return strncmp(name, "user.", 5) == 0 && name[5] != '\0';
}

/* The object, and the caller's credentials: the kernel checks the permission. */
static int open_object(const struct op *op, const struct xfer_handle *handle, struct object *object)
{
	int err = object_open(op->volume, handle, object);

	if (err)
		return err;
	err = creds_assume(&op->cred);
	if (err)
		object_close(object);
	return err;
}

/* The same, and the change has begun. */
static int open_to_change(const struct op *op, const struct xfer_handle *handle,
	struct object *object, struct coherence_change *change)
{
	int err = open_object(op, handle, object);

	if (err)
		return err;
	err = object_learn_fileid(object);
	if (err)
		object_close(object);
	else
		op_change_begin(op, change, &object->fileid, 1);
	return err;
}

static struct xfer_payload payload_of(size_t length)
{
	return (struct xfer_payload){ .kind = XFER_PAYLOAD_INLINE, .length = (uint32_t)length };
}

int service_getxattr(const struct op *op)
{
	const struct xfer_xattr_args *args = &op->request->args.xattr;
	struct object object;
	ssize_t got;
	int err;

	if (!is_users(args->name))
		return -ENODATA;
	err = open_object(op, &args->handle, &object);
	if (err)
		return err;
	got = op_answer_buffer(op->request, XFER_XATTR_MAX)
		      ? op->volume->store->get_xattr(
				object.fd, args->name, op->request->answer, XFER_XATTR_MAX)
		      : -EAGAIN;
	object_close(&object);
	if (got < 0)
		return (int)got;
	op->request->results.bytes.payload = payload_of((size_t)got);
	return 0;
}

/* Moves the names of users' attributes to the front; the bytes that they take. */
static size_t keep_users(char *names, size_t length)
{
	size_t kept = 0;

	for (size_t at = 0; at < length;) {
		size_t size = strlen(names + at) + 1;

		if (is_users(names + at)) {
			memmove(names + kept, names + at, size);
			kept += size;
		}
		at += size;
	}
	return kept;
}

int service_listxattr(const struct op *op)
{
	struct object object;
	ssize_t got;
	int err = open_object(op, &op->request->args.handle.handle, &object);

	if (err)
		return err;
	got = op_answer_buffer(op->request, XFER_XATTR_MAX)
		      ? op->volume->store->list_xattr(
				object.fd, op->request->answer, XFER_XATTR_MAX)
		      : -EAGAIN;
	object_close(&object);
	if (got < 0)
		return (int)got;
	op->request->results.bytes.payload =
		payload_of(keep_users(op->request->answer, (size_t)got));
	return 0;
}

static const int set_flags[] = { [XFER_XATTR_EITHER] = 0,
	[XFER_XATTR_CREATE] = XATTR_CREATE,
	[XFER_XATTR_REPLACE] = XATTR_REPLACE };

/* The value in one piece; it lies in at most two. */
static int set_value(const struct op *op, const struct object *object)
{
	const struct xfer_setxattr_args *args = &op->request->args.setxattr;
	const struct xfer_request *request = op->request;
	uint8_t *value = malloc(request->payload_length + 1);
	size_t len = 0;
	int err;

	if (!value)
		return -EAGAIN;
	for (int i = 0; i < request->payload_count; i++) {
		memcpy(value + len, request->payload[i].iov_base, request->payload[i].iov_len);
		len += request->payload[i].iov_len;
	}
	err = op->volume->store->set_xattr(
		object->fd, args->name, value, len, set_flags[args->how]);
	free(value);
	/* Too large for this file system: it says that there is no space. */
	return err == -ERANGE ? -E2BIG : err;
}

int service_setxattr(const struct op *op)
{
	const struct xfer_setxattr_args *args = &op->request->args.setxattr;
	struct coherence_change change;
	struct object object;
	int err;

	if (!is_users(args->name))
		return -EINVAL;
	if (op->request->payload_length > XFER_XATTR_MAX)
		return -E2BIG;
	err = open_to_change(op, &args->handle, &object, &change);
	if (err)
		return err;
	err = set_value(op, &object);
	op_opt_attr(op, &object, err == 0, &op->request->results.attr.attr);
	op_change_end(op, &change);
	object_close(&object);
	return err;
}

int service_removexattr(const struct op *op)
{
	const struct xfer_xattr_args *args = &op->request->args.xattr;
	struct coherence_change change;
	struct object object;
	int err;

	if (!is_users(args->name))
		return -ENODATA;
	err = open_to_change(op, &args->handle, &object, &change);
	if (err)
		return err;
	err = op->volume->store->remove_xattr(object.fd, args->name);
	op_opt_attr(op, &object, err == 0, &op->request->results.attr.attr);
	op_change_end(op, &change);
	object_close(&object);
	return err;
}
