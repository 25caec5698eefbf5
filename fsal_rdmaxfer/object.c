/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* object.c -- a file system object as Ganesha holds it: its life, its handle, its operations */

#include <errno.h>

#include "admit.h"
#include "attrs.h"
#include "create.h"
#include "errors.h"
#include "file.h"
#include "io.h"
#include "listing.h"
#include "lock.h"
#include "namespace.h"
#include "space.h"
#include "xattr.h"

/* attrs: its reference becomes the object's. */
static struct rdx_object *object_new(struct rdx_volume *volume, struct attrcache_entry *attrs,
	object_file_type_t type, uint64_t fileid)
{
	struct rdx_object *object = gsh_calloc(1, sizeof(*object));

	rdx_volume_ref(volume);
	object->volume = volume;
	object->handle = *attrcache_handle(attrs);
	object->attrs = attrs;
	fsal_obj_handle_init(&object->obj, op_ctx->fsal_export, type);
	object->obj.obj_ops = &rdx_module.obj_ops;
	object->obj.fsid = rdx_fsid(volume);
	object->obj.fileid = fileid;
	return object;
}

struct rdx_object *rdx_object_new(struct rdx_volume *volume, const struct xfer_handle *handle,
	object_file_type_t type, const struct xfer_attr *attr)
{
	uint64_t fileid = attr ? attr->fileid : XFER_ROOT_FILEID;
	struct attrcache_entry *attrs = attrcache_get(volume->cache, handle, fileid);

	return attrs ? object_new(volume, attrs, type, fileid) : NULL;
}

fsal_status_t rdx_object_of_node(struct rdx_volume *volume, const struct xfer_node *node,
	const struct asked *asked, struct fsal_obj_handle **obj, struct fsal_attrlist *attrs_out)
{
	struct rdx_object *object = rdx_object_new(
		volume, &node->handle, rdx_type_to_fsal(node->attr.type), &node->attr);
	struct xfer_attr attr = node->attr;

	if (!object)
		return rdx_status(-ENOMEM);
	rdx_object_learn(object, &attr, asked);
	if (attrs_out)
		rdx_attrs_to_fsal(volume, &attr, attrs_out);
	*obj = &object->obj;
	return fsalstat(ERR_FSAL_NO_ERROR, 0);
}

void rdx_object_of_entry(struct rdx_volume *volume, struct attrcache_entry *entry,
	const struct xfer_attr *attr, struct fsal_obj_handle **obj, struct fsal_attrlist *attrs_out)
{
	attrcache_ref(volume->cache, entry);
	*obj = &object_new(volume, entry, rdx_type_to_fsal(attr->type), attr->fileid)->obj;
	if (attrs_out)
		rdx_attrs_to_fsal(volume, attr, attrs_out);
}

/* Any thread, lane threads included: nothing here asks the owner. */
void rdx_object_release(struct fsal_obj_handle *obj)
{
	struct rdx_object *object = rdx_object(obj);
	struct rdx_volume *volume = object->volume;

	fsal_obj_handle_fini(obj);
	attrcache_put(volume->cache, object->attrs);
	gsh_free(object);
	rdx_volume_put(volume);
}

void rdx_object_feed(
	struct rdx_object *object, const struct xfer_opt_attr *attr, const struct asked *asked)
{
	if (attr->valid)
		(void)attrcache_feed(
			object->volume->cache, object->attrs, &attr->attr, asked, validity_now());
}

void rdx_object_note(struct rdx_object *object, const struct xfer_opt_attr *attr,
	const struct asked *asked, uint64_t begun)
{
	if (attr->valid)
		rdx_object_feed(object, attr, asked);
	else
		attrcache_drop(object->volume->cache, object->attrs, begun);
}

void rdx_object_learn(struct rdx_object *object, struct xfer_attr *attr, const struct asked *asked)
{
	struct attrcache *cache = object->volume->cache;

	if (!attrcache_feed(cache, object->attrs, attr, asked, validity_now()))
		(void)attrcache_latest(cache, object->attrs, attr);
}

/* MDCACHE has an object for this handle already: what the new one holds goes over to it. */
static fsal_status_t merge(struct fsal_obj_handle *original, struct fsal_obj_handle *duplicate)
{
	struct rdx_object *to = rdx_object(original), *from = rdx_object(duplicate);
	fsal_status_t status = merge_share(original, &to->share, &from->share);

	if (!FSAL_IS_ERROR(status))
		(void)atomic_add_int32_t(&to->stateless, from->stateless);
	return status;
}

static fsal_status_t handle_to_wire(
	const struct fsal_obj_handle *obj, fsal_digesttype_t type, struct gsh_buffdesc *buffer)
{
	const struct rdx_object *object = container_of(obj, const struct rdx_object, obj);
	fsal_status_t status = rdx_admit_handle();

	if (FSAL_IS_ERROR(status))
		return status;
	if (type != FSAL_DIGEST_NFSV3 && type != FSAL_DIGEST_NFSV4)
		return fsalstat(ERR_FSAL_SERVERFAULT, 0);
	if (buffer->len < object->handle.len)
		return fsalstat(ERR_FSAL_TOOSMALL, 0);
	memcpy(buffer->addr, object->handle.data, object->handle.len);
	buffer->len = object->handle.len;
	return fsalstat(ERR_FSAL_NO_ERROR, 0);
}

static void handle_to_key(struct fsal_obj_handle *obj, struct gsh_buffdesc *buffer)
{
	struct rdx_object *object = rdx_object(obj);

	buffer->addr = object->handle.data;
	buffer->len = object->handle.len;
}

/*
 * What is not in this table is answered by Ganesha's default_methods.c. That is ERR_FSAL_NOTSUPP for:
 *
 *   lease_op2                               delegations
 *   io_advise2                              never called: IO_ADVISE asks io_advise
 *   layoutget, layoutreturn, layoutcommit   pNFS
 *
 * test_access, is_referral and handle_cmp are right as they are there.
 */
void rdx_obj_ops_init(struct fsal_obj_ops *ops)
{
	fsal_default_obj_ops_init(ops);
	ops->release = rdx_object_release;
	ops->merge = merge;
	ops->handle_to_wire = handle_to_wire;
	ops->handle_to_key = handle_to_key;
	ops->lookup = rdx_lookup;
	ops->readdir = rdx_readdir;
	ops->mkdir = rdx_mkdir;
	ops->mknode = rdx_mknode;
	ops->symlink = rdx_symlink;
	ops->readlink = rdx_readlink;
	ops->link = rdx_link;
	ops->rename = rdx_rename;
	ops->unlink = rdx_unlink;
	ops->getattrs = rdx_getattrs;
	ops->setattr2 = rdx_setattr2;
	ops->open2 = rdx_open2;
	ops->reopen2 = rdx_reopen2;
	ops->status2 = rdx_status2;
	ops->check_verifier = rdx_check_verifier;
	ops->close = rdx_close;
	ops->close2 = rdx_close2;
	ops->read2 = rdx_read2;
	ops->write2 = rdx_write2;
	ops->commit2 = rdx_commit2;
	ops->io_advise = rdx_io_advise;
	ops->seek2 = rdx_seek2;
	ops->fallocate = rdx_fallocate;
	ops->lock_op2 = rdx_lock_op2;
	ops->getxattrs = rdx_getxattrs;
	ops->setxattrs = rdx_setxattrs;
	ops->removexattrs = rdx_removexattrs;
	ops->listxattrs = rdx_listxattrs;
}
