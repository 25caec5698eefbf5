/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* service_name.c -- LOOKUP, LINK, UNLINK, RENAME: names in directories */

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "owner/creds.h"
#include "owner/service.h"

#define DEPTH_MAX 4096 /* directories above one another */
#define TRIES     8    /* against others who change the same name */

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
	/* First: what is promised of the directory is true of the name that is looked for then. */
	op_opt_attr(op, &dir, false, &res->dir_attr);
	if (strcmp(args->name, "..") == 0) {
		err = lookup_parent(op, &dir, &found);
	} else {
		err = object_check_name(args->name);
		if (err == 0)
			err = object_open_at(op->volume, dir.fd, args->name, &found);
	}
	if (err == 0) {
		err = op_node(op, &found, false, &res->node);
		object_close(&found);
	}
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
	names_lock(&op->volume->names, dir->fileid, dir->fileid);
	err = op->volume->store->link_at(object->fd, dir->fd, args->name);
	names_unlock(&op->volume->names, dir->fileid, dir->fileid);
	return err;
}

static int link_objects(const struct op *op, struct object *object, struct object *dir)
{
	struct xfer_link_res *res = &op->request->results.link;
	struct coherence_change change;
	int err = object_learn_fileid(object);

	if (err == 0)
		err = object_learn_fileid(dir);
	if (err)
		return err;
	op_change_begin(op, &change, (const uint64_t[]){ dir->fileid, object->fileid }, 2);
	err = link_into(op, object, dir);
	op_opt_attr(op, dir, err == 0, &res->dir_attr);
	op_opt_attr(op, object, err == 0, &res->object);
	op_change_end(op, &change);
	return err;
}

int service_link(const struct op *op)
{
	const struct xfer_link_args *args = &op->request->args.link;
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
		err = link_objects(op, &object, &dir);
		object_close(&dir);
	}
	object_close(&object);
	return err;
}

/* --- UNLINK ------------------------------------------------------------------------------------ */

/* An object whose name went away, as it is now; a file may have further names, or be open somewhere. */
static void left_over(const struct op *op, const struct object *object, struct xfer_opt_attr *attr)
{
	struct xfer_handle handle;

	op_opt_attr(op, object, true, attr);
	if (attr->valid && attr->attr.type == XFER_REG && attr->attr.nlink == 0 &&
		object_handle(op->volume, object->fd, &handle) == 0)
		filecache_forget(op->service->cache, &handle);
}

/* Looks a name up before it is taken away. None: fileid 0. -errno otherwise. */
static int look(
	const struct op *op, const struct object *dir, const char *name, struct object *object)
{
	int err = object_open_at(op->volume, dir->fd, name, object);

	if (err == -ENOENT)
		*object = (struct object){ .fd = -1 };
	return err == -ENOENT ? 0 : err;
}

static void forget(struct object *object)
{
	if (object->fileid)
		object_close(object);
}

/* With the names locked: whether this is still the object of that name; `seen`: before that was looked up. */
static bool still_named(const struct op *op, const struct object *dir, uint64_t seen,
	const char *name, const struct object *object)
{
	struct object now;
	bool same;

	if (names_seen(&op->volume->names, dir->fileid) == seen)
		return true;
	if (look(op, dir, name, &now))
		return false;
	same = now.fileid == object->fileid;
	forget(&now);
	return same;
}

/* -EAGAIN: the name is another object's by now. */
static int take_name(const struct op *op, const struct object *dir, uint64_t seen,
	const struct object *object, int flags)
{
	const struct xfer_name_args *args = &op->request->args.name;
	struct names *names = &op->volume->names;
	int err = -EAGAIN;

	names_lock(names, dir->fileid, dir->fileid);
	if (still_named(op, dir, seen, args->name, object))
		err = op->volume->store->unlink_at(dir->fd, args->name, flags);
	names_unlock(names, dir->fileid, dir->fileid);
	/* Programs on this node change names, too. */
	return err == -EISDIR || err == -ENOTDIR ? -EAGAIN : err;
}

/* -EAGAIN: the name was another object's in between. */
static int unlink_once(const struct op *op, const struct object *dir)
{
	const struct xfer_name_args *args = &op->request->args.name;
	struct xfer_link_res *res = &op->request->results.link;
	uint64_t seen = names_seen(&op->volume->names, dir->fileid);
	struct coherence_change change;
	struct object object;
	int err = object_open_at(op->volume, dir->fd, args->name, &object);

	if (err)
		return err;
	op_change_begin(op, &change, (const uint64_t[]){ dir->fileid, object.fileid }, 2);
	err = take_name(op, dir, seen, &object, object.dir ? AT_REMOVEDIR : 0);
	if (err == 0) {
		left_over(op, &object, &res->object);
		op_opt_attr(op, dir, true, &res->dir_attr);
	}
	op_change_end(op, &change);
	object_close(&object);
	return err;
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
	err = object_learn_fileid(&dir);
	if (err == 0)
		err = -EAGAIN;
	for (int i = 0; i < TRIES && err == -EAGAIN; i++)
		err = unlink_once(op, &dir);
	if (err)
		op_opt_attr(op, &dir, false, &res->dir_attr);
	object_close(&dir);
	return err;
}

void op_take_back(
	const struct op *op, const struct object *dir, const char *name, uint64_t fileid, int flags)
{
	struct names *names = &op->volume->names;
	struct object now;

	names_lock(names, dir->fileid, dir->fileid);
	if (object_open_at(op->volume, dir->fd, name, &now) == 0) {
		if (now.fileid == fileid)
			op->volume->store->unlink_at(dir->fd, name, flags);
		object_close(&now);
	}
	names_unlock(names, dir->fileid, dir->fileid);
}

/* --- RENAME ------------------------------------------------------------------------------------ */

/* A RENAME that knows what it is about. */
struct renaming {
	const struct op *op;
	struct object from, to;         /* directories */
	struct object object, replaced; /* replaced.fileid 0: nothing */
	uint64_t seen_from, seen_to;
};

/* -EAGAIN: a name is another object's by now. */
static int move_name(const struct renaming *renaming)
{
	const struct op *op = renaming->op;
	const struct xfer_rename_args *args = &op->request->args.rename;
	const struct object *from = &renaming->from, *to = &renaming->to;
	struct names *names = &op->volume->names;
	int err = -EAGAIN;

	names_lock(names, from->fileid, to->fileid);
	if (still_named(op, from, renaming->seen_from, args->from_name, &renaming->object) &&
		still_named(op, to, renaming->seen_to, args->to_name, &renaming->replaced))
		err = op->volume->store->rename_at(
			from->fd, args->from_name, to->fd, args->to_name);
	names_unlock(names, from->fileid, to->fileid);
	return err;
}

/* With both objects known. */
static int rename_objects(struct renaming *renaming)
{
	const struct op *op = renaming->op;
	struct xfer_rename_res *res = &op->request->results.rename;
	const uint64_t fileids[] = { renaming->from.fileid, renaming->to.fileid,
		renaming->object.fileid, renaming->replaced.fileid };
	struct coherence_change change;
	int err;

	op_change_begin(op, &change, fileids, renaming->replaced.fileid ? 4 : 3);
	err = move_name(renaming);
	if (err == 0) {
		op_opt_attr(op, &renaming->object, true, &res->object);
		if (renaming->replaced.fileid)
			left_over(op, &renaming->replaced, &res->replaced);
		op_opt_attr(op, &renaming->from, true, &res->from_dir);
		op_opt_attr(op, &renaming->to, true, &res->to_dir);
	}
	op_change_end(op, &change);
	return err;
}

static int rename_once(struct renaming *renaming)
{
	const struct op *op = renaming->op;
	const struct xfer_rename_args *args = &op->request->args.rename;
	int err;

	renaming->seen_from = names_seen(&op->volume->names, renaming->from.fileid);
	renaming->seen_to = names_seen(&op->volume->names, renaming->to.fileid);
	err = object_open_at(op->volume, renaming->from.fd, args->from_name, &renaming->object);
	if (err)
		return err;
	err = look(op, &renaming->to, args->to_name, &renaming->replaced);
	if (err == 0) {
		err = rename_objects(renaming);
		forget(&renaming->replaced);
	}
	object_close(&renaming->object);
	return err;
}

static int rename_within(struct renaming *renaming)
{
	const struct xfer_rename_args *args = &renaming->op->request->args.rename;
	int err = object_learn_fileid(&renaming->from);

	if (err == 0 && xfer_handle_equal(&args->from_dir, &args->to_dir))
		renaming->to.fileid = renaming->from.fileid;
	if (err == 0)
		err = object_learn_fileid(&renaming->to);
	if (err == 0)
		err = -EAGAIN;
	for (int i = 0; i < TRIES && err == -EAGAIN; i++)
		err = rename_once(renaming);
	return err;
}

int service_rename(const struct op *op)
{
	const struct xfer_rename_args *args = &op->request->args.rename;
	struct xfer_rename_res *res = &op->request->results.rename;
	struct renaming renaming = { .op = op };
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
	err = object_open(op->volume, &args->to_dir, &renaming.to);
	if (err)
		return err;
	err = op_open_dir(op, &args->from_dir, &renaming.from);
	if (err == 0) {
		err = rename_within(&renaming);
		if (err) {
			op_opt_attr(op, &renaming.from, false, &res->from_dir);
			op_opt_attr(op, &renaming.to, false, &res->to_dir);
		}
		object_close(&renaming.from);
	}
	object_close(&renaming.to);
	return err;
}
