/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* service_name.c -- LOOKUP, LINK, UNLINK, RENAME: names in directories */

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "owner/creds.h"
#include "owner/service.h"

#define DEPTH_MAX 4096 /* directories above one another */
#define TRIES     3    /* against others who change the same name */

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
	int err = op_open_dir(op, &args->dir, &dir);

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

/* --- LINK -------------------------------------------------------------------------------------- */

/*
 * As the daemon, once it is known that the caller may write the directory: a name for somebody else's file needs
 * no right to the file in NFS, while the kernel may ask for one (fs.protected_hardlinks).
 */
static int link_into(const struct op *op, const struct object *object, const struct object *dir)
{
	const struct xfer_link_args *args = &op->request->args.link;
	int err = op->volume->store->access(dir->fd, W_OK | X_OK);

	if (err)
		return err;
	creds_daemon();
	return op->volume->store->link_at(object->fd, dir->fd, args->name);
}

int service_link(const struct op *op)
{
	const struct xfer_link_args *args = &op->request->args.link;
	struct xfer_link_res *res = &op->request->results.link;
	struct object object, dir;
	uint32_t dir_volume;
	int err = object_check_new_name(args->name);

	if (err)
		return err;
	if (!xfer_handle_volume(&args->dir, &dir_volume))
		return HANDLE_BAD;
	if (dir_volume != op->volume->maker.volume_id)
		return -EXDEV;
	err = object_open(op->volume, &args->handle, &object);
	if (err)
		return err;
	err = op_open_dir(op, &args->dir, &dir);
	if (err == 0) {
		err = link_into(op, &object, &dir);
		object_opt_attr(op->volume, dir.fd, err == 0, &res->dir_attr);
		object_opt_attr(op->volume, object.fd, err == 0, &res->object);
		object_close(&dir);
	}
	object_close(&object);
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
	struct xfer_link_res *res = &op->request->results.link;
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
	struct xfer_link_res *res = &op->request->results.link;
	struct object dir;
	/* As rmdir() says it. */
	int err = strcmp(args->name, "..") == 0 ? -ENOTEMPTY : object_check_name(args->name);

	if (err)
		return err;
	err = op_open_dir(op, &args->dir, &dir);
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
	err = op_open_dir(op, &args->from_dir, &from);
	if (err == 0) {
		err = rename_within(op, &from, &to);
		object_opt_attr(op->volume, from.fd, err == 0, &res->from_dir);
		object_opt_attr(op->volume, to.fd, err == 0, &res->to_dir);
		object_close(&from);
	}
	object_close(&to);
	return err;
}
