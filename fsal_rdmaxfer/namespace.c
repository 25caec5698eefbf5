/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* namespace.c -- names in directories: lookup, listing, link, rename, unlink */

#include "attrs.h"
#include "errors.h"
#include "gate.h"
#include "namespace.h"

fsal_status_t rdx_lookup(struct fsal_obj_handle *dir, const char *name,
	struct fsal_obj_handle **obj, struct fsal_attrlist *attrs_out)
{
	struct rdx_object *object = rdx_object(dir);
	struct xfer_opt_attr dir_attr = { 0 };
	struct xfer_node node;
	struct rdx_op op;
	fsal_status_t status = rdx_op_begin(object->volume, &op);
	int err;

	if (FSAL_IS_ERROR(status))
		return status;
	err = xfer_op_lookup(op.session, &op.cred, &object->handle, name, &node, &dir_attr);
	rdx_op_end(&op);
	rdx_object_feed(object, &dir_attr);
	return err ? rdx_status(err) : rdx_object_of_node(object->volume, &node, obj, attrs_out);
}

fsal_status_t rdx_link(
	struct fsal_obj_handle *obj, struct fsal_obj_handle *dir_obj, const char *name)
{
	struct rdx_object *object = rdx_object(obj), *dir = rdx_object(dir_obj);
	struct xfer_opt_attr dir_attr = { 0 }, linked = { 0 };
	struct rdx_op op;
	fsal_status_t status;
	int err;

	if (object->volume != dir->volume)
		return rdx_status(-EXDEV);
	status = rdx_op_begin(object->volume, &op);
	if (FSAL_IS_ERROR(status))
		return status;
	err = xfer_op_link(
		op.session, &op.cred, &object->handle, &dir->handle, name, &dir_attr, &linked);
	rdx_op_end(&op);
	rdx_object_feed(dir, &dir_attr);
	rdx_object_feed(object, &linked);
	return rdx_status(err);
}

/* What the owner found under a name, which another client may have given to something else meanwhile. */
static void feed_found(struct rdx_object *object, const struct xfer_opt_attr *found)
{
	if (found->valid && found->attr.fileid == object->obj.fileid)
		rdx_object_feed(object, found);
	else
		attrcache_drop(object->volume->cache, object->attrs);
}

fsal_status_t rdx_rename(struct fsal_obj_handle *obj, struct fsal_obj_handle *from_dir,
	const char *from_name, struct fsal_obj_handle *to_dir, const char *to_name)
{
	struct rdx_object *from = rdx_object(from_dir), *to = rdx_object(to_dir);
	struct xfer_renamed renamed = { 0 };
	struct rdx_op op;
	fsal_status_t status;
	int err;

	if (from->volume != to->volume)
		return rdx_status(-EXDEV);
	status = rdx_op_begin(from->volume, &op);
	if (FSAL_IS_ERROR(status))
		return status;
	err = xfer_op_rename(
		op.session, &op.cred, &from->handle, from_name, &to->handle, to_name, &renamed);
	rdx_op_end(&op);
	rdx_object_feed(from, &renamed.from_dir);
	rdx_object_feed(to, &renamed.to_dir);
	feed_found(rdx_object(obj), &renamed.object);
	return rdx_status(err);
}

fsal_status_t rdx_unlink(struct fsal_obj_handle *dir, struct fsal_obj_handle *obj, const char *name)
{
	struct rdx_object *object = rdx_object(dir);
	struct xfer_opt_attr dir_attr = { 0 }, removed = { 0 };
	struct rdx_op op;
	fsal_status_t status = rdx_op_begin(object->volume, &op);
	int err;

	if (FSAL_IS_ERROR(status))
		return status;
	err = xfer_op_unlink(op.session, &op.cred, &object->handle, name, &dir_attr, &removed);
	rdx_op_end(&op);
	rdx_object_feed(object, &dir_attr);
	feed_found(rdx_object(obj), &removed);
	return rdx_status(err);
}

/* --- listing ---------------------------------------------------------------------------------- */

#define LIST_BYTES (32u << 10) /* about one chunk of MDCACHE's, 128 entries, at a time */

/* A listing on its way to MDCACHE. */
struct listing {
	struct rdx_volume *volume;
	fsal_readdir_cb cb;
	void *dir_state;
	attrmask_t attrmask;
	fsal_cookie_t cookie; /* of the last entry */
	bool enough;          /* MDCACHE has a chunk, or all that its client asked for */
	fsal_status_t status;
};

static bool list_entry(void *arg, const struct xfer_dirent *entry)
{
	struct listing *listing = arg;
	struct fsal_obj_handle *obj;
	struct fsal_attrlist attrs;
	enum fsal_dir_result result;

	fsal_prepare_attrs(&attrs, listing->attrmask);
	listing->status = rdx_object_of_node(listing->volume, &entry->node, &obj, &attrs);
	if (FSAL_IS_ERROR(listing->status))
		return false;
	result = listing->cb(entry->name, obj, &attrs, listing->dir_state, entry->cookie);
	fsal_release_attrs(&attrs);
	listing->cookie = entry->cookie;
	/* It may be given more after a full chunk, to read ahead; no FSAL of Ganesha's own does that, nor does this one. */
	listing->enough = result != DIR_CONTINUE;
	return !listing->enough;
}

/* The next part; one request. */
static fsal_status_t list_part(struct rdx_object *object, struct listing *listing, bool *eof)
{
	struct xfer_opt_attr dir_attr = { 0 };
	struct rdx_op op;
	fsal_status_t status = rdx_op_begin(object->volume, &op);
	int err;

	if (FSAL_IS_ERROR(status))
		return status;
	err = xfer_op_readdir(op.session, &op.cred, &object->handle, listing->cookie, LIST_BYTES,
		list_entry, listing, eof, &dir_attr);
	rdx_op_end(&op);
	rdx_object_feed(object, &dir_attr);
	return err ? rdx_status(err) : listing->status;
}

fsal_status_t rdx_readdir(struct fsal_obj_handle *dir, fsal_cookie_t *whence, void *dir_state,
	fsal_readdir_cb cb, attrmask_t attrmask, bool *eof)
{
	struct listing listing = {
		.volume = rdx_object(dir)->volume,
		.cb = cb,
		.dir_state = dir_state,
		.attrmask = attrmask,
		.cookie = whence ? *whence : 0,
	};
	fsal_status_t status;

	*eof = false;
	do
		status = list_part(rdx_object(dir), &listing, eof);
	while (!FSAL_IS_ERROR(status) && !*eof && !listing.enough);
	return status;
}
