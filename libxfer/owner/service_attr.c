/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* service_attr.c -- GETATTR, SETATTR, READLINK, STATFS */

#include <errno.h>

#include "owner/creds.h"
#include "owner/service.h"

int service_getattr(const struct op *op)
{
	struct xfer_attr_res *res = &op->request->results.attr;
	struct object object;
	int err = object_open(op->volume, &op->request->args.handle.handle, &object);

	if (err)
		return err;
	err = op_attr(op, &object, false, &res->attr.attr);
	res->attr.valid = err == 0;
	object_close(&object);
	return err;
}

/* The owner of a file may cut it whatever its mode says: it may still have it open for writing. */
static int truncate_object(const struct op *op, const struct object *object, uint64_t size)
{
	struct statx stx;
	int err = op->volume->store->stat(object->fd, &stx), fd;

	if (err)
		return err;
	if (!S_ISREG(stx.stx_mode))
		return S_ISDIR(stx.stx_mode) ? -EISDIR : -EINVAL;
	err = op_may_access(op, object->fd, &stx, XFER_OPEN_WRITE, true);
	if (err)
		return err;
	fd = op_reopen(op, object->fd, XFER_OPEN_WRITE);
	if (fd < 0)
		return fd;
	err = creds_assume(&op->cred);
	if (err == 0)
		err = op->volume->store->truncate(fd, size);
	op->volume->store->close(fd);
	return err;
}

static int set_size(const struct op *op, const struct object *object)
{
	const struct xfer_setattr_args *args = &op->request->args.setattr;
	struct file *file = args->open_id ? opens_find(&op->peer->opens, args->open_id) : NULL;
	int err;

	if (args->set.size > INT64_MAX) {
		err = -EFBIG;
	} else if (file && file->volume == op->volume &&
		   xfer_handle_equal(&file->handle, &args->handle) &&
		   file->access & XFER_OPEN_WRITE) {
		err = creds_assume(&op->cred);
		if (err == 0)
			err = op->volume->store->truncate(file->fd, args->set.size);
	} else {
		err = truncate_object(op, object, args->set.size);
	}
	file_put(file);
	return err;
}

int service_setattr(const struct op *op)
{
	const struct xfer_setattr_args *args = &op->request->args.setattr;
	struct coherence_change change;
	struct object object;
	int err = object_open(op->volume, &args->handle, &object);

	if (err)
		return err;
	err = object_learn_fileid(&object);
	if (err) {
		object_close(&object);
		return err;
	}
	op_change_begin(op, &change, &object.fileid, 1);
	if (args->set.mask & XFER_SET_SIZE)
		err = set_size(op, &object);
	if (err == 0)
		err = creds_assume(&op->cred);
	if (err == 0)
		err = object_set(op->volume, object.fd, &args->set);
	/* Also after an error: a part may have been done. */
	op_opt_attr(op, &object, true, &op->request->results.attr.attr);
	op_change_end(op, &change);
	object_close(&object);
	return err;
}

/* Whoever has found the link may read it. */
int service_readlink(const struct op *op)
{
	struct xfer_bytes_res *res = &op->request->results.bytes;
	struct object object;
	ssize_t got;
	int err = object_open(op->volume, &op->request->args.handle.handle, &object);

	if (err)
		return err;
	err = op_attr(op, &object, false, &res->attr.attr);
	res->attr.valid = err == 0;
	if (err == 0 && res->attr.attr.type != XFER_LNK)
		err = -EINVAL;
	if (err == 0 && !op_answer_buffer(op->request, XFER_TARGET_MAX))
		err = -EAGAIN;
	if (err == 0) {
		got = op->volume->store->readlink(object.fd, op->request->answer, XFER_TARGET_MAX);
		err = got < 0 ? (int)got : 0;
	}
	if (err == 0)
		res->payload = (struct xfer_payload){ .kind = XFER_PAYLOAD_INLINE,
			.length = (uint32_t)got };
	object_close(&object);
	return err;
}

int service_statfs(const struct op *op)
{
	struct xfer_statfs *res = &op->request->results.statfs.statfs;
	struct object object;
	struct statfs stat;
	int err = object_open(op->volume, &op->request->args.handle.handle, &object);

	if (err)
		return err;
	err = op->volume->store->statfs(object.fd, &stat);
	object_close(&object);
	if (err)
		return err;
	*res = (struct xfer_statfs){
		.total_bytes = stat.f_blocks * (uint64_t)stat.f_bsize,
		.free_bytes = stat.f_bfree * (uint64_t)stat.f_bsize,
		.avail_bytes = stat.f_bavail * (uint64_t)stat.f_bsize,
		.total_files = stat.f_files,
		.free_files = stat.f_ffree,
		.avail_files = stat.f_ffree,
	};
	return 0;
}
