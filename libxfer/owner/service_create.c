/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* service_create.c -- CREATE: directories, symbolic links, special files */

#include <errno.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "owner/creds.h"
#include "owner/service.h"

static const mode_t kinds[] = {
	[XFER_BLK] = S_IFBLK, [XFER_CHR] = S_IFCHR, [XFER_FIFO] = S_IFIFO, [XFER_SOCK] = S_IFSOCK
};

/* A symbolic link's target, out of the request's payload. */
static int symlink_at(const struct op *op, const struct object *dir)
{
	const struct xfer_request *request = op->request;
	char target[XFER_TARGET_MAX + 1];
	size_t len = 0;

	if (request->payload_length == 0)
		return -EINVAL;
	if (request->payload_length > XFER_TARGET_MAX)
		return -ENAMETOOLONG;
	for (int i = 0; i < request->payload_count; i++) {
		memcpy(target + len, request->payload[i].iov_base, request->payload[i].iov_len);
		len += request->payload[i].iov_len;
	}
	target[len] = '\0';
	if (strlen(target) != len)
		return -EINVAL;
	return op->volume->store->symlink_at(target, dir->fd, request->args.create.name);
}

/* Without the bits that mkdir and mknod don't take. The thread has the caller's credentials. */
static int make(const struct op *op, const struct object *dir)
{
	const struct xfer_create_args *args = &op->request->args.create;
	const struct store_ops *store = op->volume->store;
	mode_t mode = args->set.mask & XFER_SET_MODE ? args->set.mode & 07777 : 0777;

	switch (args->type) {
	case XFER_DIR:
		return store->mkdir_at(dir->fd, args->name, mode);
	case XFER_LNK:
		return symlink_at(op, dir);
	case XFER_BLK:
	case XFER_CHR:
	case XFER_FIFO:
	case XFER_SOCK:
		return store->mknod_at(dir->fd, args->name, mode | kinds[args->type],
			makedev(args->rdev_major, args->rdev_minor));
	default:
		return -EINVAL;
	}
}

/* Makes it and opens it; nobody else takes the name for something else in between. */
static int make_and_open(const struct op *op, const struct object *dir, struct object *made)
{
	const struct xfer_create_args *args = &op->request->args.create;
	struct names *names = &op->volume->names;
	int err;

	names_lock(names, dir->fileid, dir->fileid);
	err = make(op, dir);
	if (err == 0) {
		err = object_open_at(op->volume, dir->fd, args->name, made);
		if (err)
			op->volume->store->unlink_at(
				dir->fd, args->name, args->type == XFER_DIR ? AT_REMOVEDIR : 0);
	}
	names_unlock(names, dir->fileid, dir->fileid);
	return err;
}

/* What the calls' own mode argument can't do; without it the object is not what was asked for. Others may have seen it
 * as it is. */
static int complete(const struct op *op, const struct object *made)
{
	const struct xfer_create_args *args = &op->request->args.create;
	struct xfer_setattr set = args->set;
	struct coherence_change change;
	int err;

	if (args->type == XFER_LNK || (set.mode & 07000) == 0)
		set.mask &= ~(uint32_t)XFER_SET_MODE;
	op_change_begin(op, &change, &made->fileid, set.mask ? 1 : 0);
	err = object_set(op->volume, made->fd, &set);
	if (err == 0)
		err = op_node(op, made, true, &op->request->results.node.node);
	op_change_end(op, &change);
	return err;
}

/* *changed: also when what was made had to be taken back. */
static int make_in(const struct op *op, const struct object *dir, bool *changed)
{
	struct object made;
	int err = make_and_open(op, dir, &made);

	*changed = err == 0;
	if (err)
		return err;
	err = complete(op, &made);
	if (err)
		op_take_back(op, dir, op->request->args.create.name, made.fileid,
			op->request->args.create.type == XFER_DIR ? AT_REMOVEDIR : 0);
	object_close(&made);
	return err;
}

int service_create(const struct op *op)
{
	const struct xfer_create_args *args = &op->request->args.create;
	struct coherence_change change;
	struct object dir;
	bool changed;
	int err = object_check_new_name(args->name);

	if (err)
		return err;
	err = op_open_dir(op, &args->dir, &dir);
	if (err)
		return err;
	err = object_learn_fileid(&dir);
	if (err == 0) {
		op_change_begin(op, &change, &dir.fileid, 1);
		err = make_in(op, &dir, &changed);
		op_opt_attr(op, &dir, changed, &op->request->results.node.dir_attr);
		op_change_end(op, &change);
	}
	object_close(&dir);
	return err;
}
