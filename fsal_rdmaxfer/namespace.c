/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* namespace.c -- names in directories: lookup, link, rename, unlink */

#include <errno.h>

#include "admit.h"
#include "attrs.h"
#include "errors.h"
#include "gate.h"
#include "namespace.h"
#include "ownchange.h"

/* --- lookup ------------------------------------------------------------------------------------- */

/*
 * What is known of a name. True: *status is the answer. A name that NFSv3's CREATE asks for and that isn't known need not
 * be asked for: the OPEN that follows finds it, or makes it.
 */
static bool look_in_memory(struct rdx_object *dir, const char *name, struct fsal_obj_handle **obj,
	struct fsal_attrlist *attrs_out, fsal_status_t *status)
{
	struct rdx_volume *volume = dir->volume;
	uint64_t now = validity_now();
	struct attrcache_entry *entry;
	struct xfer_attr attr;
	bool known;

	switch (names_find(volume->names, dir->attrs, name, now, &entry)) {
	case NAMES_NOTHING:
		*status = rdx_status(-ENOENT);
		return true;
	case NAMES_OBJECT:
		known = attrcache_read(
			volume->cache, entry, ATTR_TELL, rdx_request_begun(), now, &attr);
		if (known)
			rdx_object_of_entry(volume, entry, &attr, obj, attrs_out);
		*status = rdx_status(0);
		attrcache_put(volume->cache, entry);
		return known;
	default:
		*status = rdx_status(-ENOENT);
		return rdx_request_is_v3(NFSPROC3_CREATE);
	}
}

/* err: of a LOOKUP that the owner has answered. */
static void learn_name(struct rdx_object *dir, const char *name, int err,
	const struct xfer_opt_attr *dir_attr, const struct asked *asked,
	struct attrcache_entry *object)
{
	if (dir_attr->valid && dir_attr->attr.promised && (err == 0 || err == -ENOENT))
		names_learn(dir->volume->names, dir->attrs, name, object, asked);
}

/* ".." isn't one of the names that a directory's promise covers. */
static bool is_promised_name(const char *name)
{
	return strcmp(name, "..") != 0;
}

fsal_status_t rdx_lookup(struct fsal_obj_handle *dir, const char *name,
	struct fsal_obj_handle **obj, struct fsal_attrlist *attrs_out)
{
	struct rdx_object *object = rdx_object(dir);
	struct xfer_opt_attr dir_attr = { 0 };
	bool promised = is_promised_name(name);
	struct xfer_node node;
	struct rdx_op op;
	fsal_status_t status = rdx_admit();
	int err;

	if (FSAL_IS_ERROR(status))
		return status;
	if (promised && look_in_memory(object, name, obj, attrs_out, &status))
		return status;
	if (!promised && !rdx_request_asks_parent())
		return rdx_status(-ENOENT);
	status = rdx_op_begin(object->volume, &op);
	if (FSAL_IS_ERROR(status))
		return status;
	err = xfer_op_lookup(op.session, &op.cred, &object->handle, name, &node, &dir_attr);
	rdx_op_end(&op);
	rdx_object_feed(object, &dir_attr, &op.asked);
	status = err ? rdx_status(err)
		     : rdx_object_of_node(object->volume, &node, &op.asked, obj, attrs_out);
	if (promised && (err || !FSAL_IS_ERROR(status)))
		learn_name(object, name, err, &dir_attr, &op.asked,
			err ? NULL : rdx_object(*obj)->attrs);
	return status;
}

/* --- changes ------------------------------------------------------------------------------------ */

fsal_status_t rdx_link(
	struct fsal_obj_handle *obj, struct fsal_obj_handle *dir_obj, const char *name)
{
	struct rdx_object *object = rdx_object(obj), *dir = rdx_object(dir_obj);
	struct xfer_opt_attr dir_attr = { 0 }, linked = { 0 };
	struct rdx_change change;
	struct rdx_op op;
	fsal_status_t status;
	int err;

	if (object->volume != dir->volume)
		return rdx_status(-EXDEV);
	status = rdx_op_begin(object->volume, &op);
	if (FSAL_IS_ERROR(status))
		return status;
	rdx_change_init(&change, object->volume);
	rdx_change_name(&change, dir, name);
	rdx_change_object(&change, object, OWN_ATTRS);
	err = xfer_op_link(
		op.session, &op.cred, &object->handle, &dir->handle, name, &dir_attr, &linked);
	rdx_op_end(&op);
	rdx_object_note(dir, &dir_attr, &op.asked, op.begun);
	rdx_object_note(object, &linked, &op.asked, op.begun);
	if (err == 0)
		rdx_change_named(&change, &dir_attr, &op.asked, object->attrs);
	rdx_change_end(&change);
	return rdx_status(err);
}

/*
 * What the owner found under a name. Another client may have given it to something else meanwhile, of which nothing is
 * known here then.
 */
static void note_found(
	struct rdx_object *object, const struct xfer_opt_attr *found, const struct rdx_op *op)
{
	bool other = found->valid && found->attr.fileid != object->obj.fileid;

	if (other)
		validity_invalidate(object->volume->validity, xfer_bucket(found->attr.fileid));
	if (other || !found->valid)
		attrcache_drop(object->volume->cache, object->attrs, op->begun);
	else
		rdx_object_feed(object, found, &op->asked);
}

/* The same of a name that was taken away. Without a name an object is gone, unless somebody has it open. */
static void note_removed(
	struct rdx_object *object, const struct xfer_opt_attr *removed, const struct rdx_op *op)
{
	bool last = removed->valid && (removed->attr.type == XFER_DIR || removed->attr.nlink == 0);

	if (last && removed->attr.fileid == object->obj.fileid)
		attrcache_gone(object->volume->cache, object->attrs);
	else
		note_found(object, removed, op);
}

/* What is about to lose its name to another object. */
struct loser {
	enum names_answer known;
	struct attrcache_entry *entry; /* referenced; NAMES_OBJECT only */
};

static void begin_replacing(
	struct rdx_change *change, struct rdx_object *dir, const char *name, struct loser *loser)
{
	struct rdx_volume *volume = dir->volume;

	loser->known = names_find(volume->names, dir->attrs, name, validity_now(), &loser->entry);
	if (loser->known == NAMES_OBJECT)
		rdx_change_entry(change, loser->entry, OWN_ATTRS);
	else if (loser->known == NAMES_UNKNOWN)
		rdx_change_any(change, OWN_ATTRS);
}

/*
 * replaced: of an answer. It may be something else than what was known here: another client may have made it while the
 * request was on its way.
 */
static void note_replaced(struct rdx_volume *volume, const struct loser *loser,
	const struct xfer_opt_attr *replaced, const struct asked *asked)
{
	uint32_t bucket = replaced->valid ? xfer_bucket(replaced->attr.fileid) : VALIDITY_ANY;
	bool known = loser->known == NAMES_OBJECT;
	bool same = known && bucket == attrcache_bucket(loser->entry);

	if (replaced->valid && !same)
		validity_invalidate(volume->validity, bucket);
	else if (loser->known == NAMES_UNKNOWN)
		validity_invalidate_all(volume->validity);
	if (!known)
		return;
	if (same && replaced->attr.type != XFER_DIR && replaced->attr.nlink > 0)
		(void)attrcache_feed(
			volume->cache, loser->entry, &replaced->attr, asked, validity_now());
	else
		attrcache_gone(volume->cache, loser->entry);
	attrcache_put(volume->cache, loser->entry);
}

/* Of the names nothing is kept: two links of one object stay as they are. */
fsal_status_t rdx_rename(struct fsal_obj_handle *obj, struct fsal_obj_handle *from_dir,
	const char *from_name, struct fsal_obj_handle *to_dir, const char *to_name)
{
	struct rdx_object *from = rdx_object(from_dir), *to = rdx_object(to_dir);
	struct xfer_renamed renamed = { 0 };
	struct rdx_change change;
	struct loser loser;
	struct rdx_op op;
	fsal_status_t status;
	int err;

	if (from->volume != to->volume)
		return rdx_status(-EXDEV);
	status = rdx_op_begin(from->volume, &op);
	if (FSAL_IS_ERROR(status))
		return status;
	rdx_change_init(&change, from->volume);
	begin_replacing(&change, to, to_name, &loser);
	rdx_change_name(&change, from, from_name);
	rdx_change_name(&change, to, to_name);
	rdx_change_object(&change, rdx_object(obj), OWN_ATTRS);
	err = xfer_op_rename(
		op.session, &op.cred, &from->handle, from_name, &to->handle, to_name, &renamed);
	rdx_op_end(&op);
	rdx_object_note(from, &renamed.from_dir, &op.asked, op.begun);
	rdx_object_note(to, &renamed.to_dir, &op.asked, op.begun);
	note_found(rdx_object(obj), &renamed.object, &op);
	note_replaced(from->volume, &loser, &renamed.replaced, &op.asked);
	rdx_change_end(&change);
	return rdx_status(err);
}

fsal_status_t rdx_unlink(struct fsal_obj_handle *dir, struct fsal_obj_handle *obj, const char *name)
{
	struct rdx_object *object = rdx_object(dir);
	struct xfer_opt_attr dir_attr = { 0 }, removed = { 0 };
	struct rdx_change change;
	struct rdx_op op;
	fsal_status_t status = rdx_op_begin(object->volume, &op);
	int err;

	if (FSAL_IS_ERROR(status))
		return status;
	rdx_change_init(&change, object->volume);
	rdx_change_name(&change, object, name);
	rdx_change_object(&change, rdx_object(obj), OWN_ATTRS);
	err = xfer_op_unlink(op.session, &op.cred, &object->handle, name, &dir_attr, &removed);
	rdx_op_end(&op);
	rdx_object_note(object, &dir_attr, &op.asked, op.begun);
	note_removed(rdx_object(obj), &removed, &op);
	if (err == 0)
		rdx_change_named(&change, &dir_attr, &op.asked, NULL);
	rdx_change_end(&change);
	return rdx_status(err);
}
