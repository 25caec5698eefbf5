/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* service_name.c -- LOOKUP, MKDIR, UNLINK, RENAME: names in directories */

#include <errno.h>
#include <string.h>

#include "owner/creds.h"
#include "owner/service.h"

#define DEPTH_MAX 4096 /* directories above one another */
#define TRIES     3    /* against others who change the same name */

/* The directory, and the caller's credentials. */
static int open_dir(const struct op *op, const struct xfer_handle *handle, struct object *dir)
{
	int err = object_open(op->volume, handle, dir);

	if (err)
		return err;
	err = creds_assume(&op->cred);
	if (err)
		object_close(dir);
	return err;
}

/* --- LOOKUP ------------------------------------------------------------------------------------ */

/* Whether a directory lies in the volume: it may have been moved out of it behind our back. */
static int check_inside(struct volume *volume, int fd)
{
	struct object at = { .volume = volume, .fd = fd, .root = true }, above;
	struct statx stx;
	uint64_t ino = 0;
	int err = 0;

	creds_daemon();
	for (int depth = 0; depth < DEPTH_MAX && err == 0; depth++) {
		err = volume->store->stat(at.fd, &stx);
		if (err || stx.stx_ino == volume->root_ino)
			break;
		/* The parent of the file system's root is itself. */
		err = depth > 0 && stx.stx_ino == ino ? -ESTALE : 0;
		ino = stx.stx_ino;
		if (err == 0)
			err = object_open_at(volume, at.fd, "..", &above);
		if (err)
			break;
		object_close(&at);
		at = above;
	}
	object_close(&at);
	return err == -EXDEV ? -ESTALE : err;
}

/* ".." never leads out of the volume; the root's is the root. */
static int lookup_parent(const struct op *op, const struct object *dir, struct object *found)
{
	struct object parent;
	int err;

	if (dir->root) {
		*found = *dir;
		return 0;
	}
	err = object_open_at(op->volume, dir->fd, "..", &parent);
	if (err)
		return err;
	err = check_inside(op->volume, parent.fd);
	if (err)
		object_close(&parent);
	else
		*found = parent;
	return err;
}

int service_lookup(const struct op *op)
{
	const struct xfer_name_args *args = &op->request->args.name;
	struct xfer_node_res *res = &op->request->results.node;
	struct object dir, found;
	int err = open_dir(op, &args->dir, &dir);

	if (err)
		return err;
	if (strcmp(args->name, "..") == 0) {
		err = lookup_parent(op, &dir, &found);
	} else {
		err = object_check_name(args->name);
		if (err == 0)
			err = object_open_at(op->volume, dir.fd, args->name, &found);
	}
	if (err == 0) {
		err = object_node(op->volume, found.fd, false, &res->node);
		object_close(&found);
	}
	object_opt_attr(op->volume, dir.fd, false, &res->dir_attr);
	object_close(&dir);
	return err;
}

/* --- MKDIR ------------------------------------------------------------------------------------- */

/* What mkdir's own mode argument can't do; without it the directory is not what was asked for. */
static int complete_directory(const struct op *op, const struct object *dir)
{
	const struct xfer_mkdir_args *args = &op->request->args.mkdir;
	struct xfer_setattr set = args->set;
	struct object made;
	int err = object_open_at(op->volume, dir->fd, args->name, &made);

	if (err)
		return err;
	if ((set.mode & 07000) == 0)
		set.mask &= ~(uint32_t)XFER_SET_MODE;
	err = object_set(op->volume, made.fd, &set);
	if (err == 0)
		err = object_node(op->volume, made.fd, true, &op->request->results.node.node);
	object_close(&made);
	return err;
}

int service_mkdir(const struct op *op)
{
	const struct xfer_mkdir_args *args = &op->request->args.mkdir;
	uint32_t mode = args->set.mask & XFER_SET_MODE ? args->set.mode : 0777;
	struct object dir;
	int err = object_check_name(args->name);

	if (err)
		return err;
	err = open_dir(op, &args->dir, &dir);
	if (err)
		return err;
	err = op->volume->store->mkdir_at(dir.fd, args->name, mode & 07777);
	if (err == 0) {
		err = complete_directory(op, &dir);
		if (err)
			op->volume->store->unlink_at(dir.fd, args->name, AT_REMOVEDIR);
		object_opt_attr(op->volume, dir.fd, true, &op->request->results.node.dir_attr);
	} else {
		object_opt_attr(op->volume, dir.fd, false, &op->request->results.node.dir_attr);
	}
	object_close(&dir);
	return err;
}

/* --- UNLINK ------------------------------------------------------------------------------------ */

/* What is left of an object whose name went away; a file may still be open somewhere. */
static void left_over(const struct op *op, const struct object *object, struct xfer_opt_attr *attr)
{
	struct xfer_handle handle;

	object_opt_attr(op->volume, object->fd, true, attr);
	if (!attr->valid || attr->attr.type == XFER_DIR) {
		attr->valid = false;
		return;
	}
	if (attr->attr.nlink == 0 && object_handle(op->volume, object->fd, &handle) == 0)
		filecache_forget(op->service->cache, &handle);
}

/* -EAGAIN: the name was another object's in between. */
static int unlink_once(const struct op *op, const struct object *dir)
{
	const struct xfer_name_args *args = &op->request->args.name;
	struct xfer_unlink_res *res = &op->request->results.unlink;
	struct object object;
	struct statx stx;
	int err = object_open_at(op->volume, dir->fd, args->name, &object);

	if (err)
		return err;
	err = op->volume->store->stat(object.fd, &stx);
	if (err == 0)
		err = op->volume->store->unlink_at(
			dir->fd, args->name, S_ISDIR(stx.stx_mode) ? AT_REMOVEDIR : 0);
	if (err == 0)
		left_over(op, &object, &res->object);
	object_close(&object);
	return err == -EISDIR || err == -ENOTDIR ? -EAGAIN : err;
}

int service_unlink(const struct op *op)
{
	const struct xfer_name_args *args = &op->request->args.name;
	struct xfer_unlink_res *res = &op->request->results.unlink;
	struct object dir;
	int err = object_check_name(args->name);

	if (err)
		return err;
	err = open_dir(op, &args->dir, &dir);
	if (err)
		return err;
	err = -EAGAIN;
	for (int i = 0; i < TRIES && err == -EAGAIN; i++)
		err = unlink_once(op, &dir);
	object_opt_attr(op->volume, dir.fd, err == 0, &res->dir_attr);
	object_close(&dir);
	return err;
}

/* --- RENAME ------------------------------------------------------------------------------------ */

static int rename_within(const struct op *op, const struct object *from, const struct object *to)
{
	const struct xfer_rename_args *args = &op->request->args.rename;
	struct xfer_rename_res *res = &op->request->results.rename;
	struct xfer_opt_attr replaced_attr;
	struct object object, replaced;
	bool replaces;
	int err = object_open_at(op->volume, from->fd, args->from_name, &object);

	if (err)
		return err;
	replaces = object_open_at(op->volume, to->fd, args->to_name, &replaced) == 0;
	err = op->volume->store->rename_at(from->fd, args->from_name, to->fd, args->to_name);
	if (err == 0)
		object_opt_attr(op->volume, object.fd, true, &res->object);
	if (err == 0 && replaces)
		left_over(op, &replaced, &replaced_attr);
	if (replaces)
		object_close(&replaced);
	object_close(&object);
	return err;
}

int service_rename(const struct op *op)
{
	const struct xfer_rename_args *args = &op->request->args.rename;
	struct xfer_rename_res *res = &op->request->results.rename;
	struct object from, to;
	uint32_t to_volume;
	int err = object_check_name(args->from_name);

	if (err == 0)
		err = object_check_name(args->to_name);
	if (err)
		return err;
	if (!xfer_handle_volume(&args->to_dir, &to_volume))
		return HANDLE_BAD;
	if (to_volume != op->volume->maker.volume_id)
		return -EXDEV;
	err = object_open(op->volume, &args->to_dir, &to);
	if (err)
		return err;
	err = open_dir(op, &args->from_dir, &from);
	if (err == 0) {
		err = rename_within(op, &from, &to);
		object_opt_attr(op->volume, from.fd, err == 0, &res->from_dir);
		object_opt_attr(op->volume, to.fd, err == 0, &res->to_dir);
		object_close(&from);
	}
	object_close(&to);
	return err;
}
