/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* create.c -- making directories, symbolic links and special files; reading symbolic links */

#include <errno.h>

#include "attrs.h"
#include "create.h"
#include "errors.h"
#include "gate.h"
#include "ownchange.h"

static fsal_status_t create(struct fsal_obj_handle *dir, const char *name, struct xfer_new *make,
	const struct fsal_attrlist *attrs_in, struct fsal_obj_handle **obj,
	struct fsal_attrlist *attrs_out)
{
	struct rdx_object *object = rdx_object(dir);
	struct xfer_opt_attr dir_attr = { 0 };
	struct rdx_change change;
	struct xfer_node node;
	struct rdx_op op;
	int err = rdx_attrs_from_fsal(attrs_in, &make->set);
	fsal_status_t status = err ? rdx_status(err) : rdx_op_begin(object->volume, &op);

	if (FSAL_IS_ERROR(status))
		return status;
	rdx_change_init(&change, object->volume);
	rdx_change_name(&change, object, name);
	err = xfer_op_create(op.session, &op.cred, &object->handle, name, make, &node, &dir_attr);
	rdx_op_end(&op);
	rdx_object_note(object, &dir_attr, &op.asked, op.begun);
	status = err ? rdx_status(err)
		     : rdx_object_of_node(object->volume, &node, &op.asked, obj, attrs_out);
	if (!FSAL_IS_ERROR(status))
		rdx_change_named(&change, &dir_attr, &op.asked, rdx_object(*obj)->attrs);
	rdx_change_end(&change);
	return status;
}

fsal_status_t rdx_mkdir(struct fsal_obj_handle *dir, const char *name,
	struct fsal_attrlist *attrs_in, struct fsal_obj_handle **obj,
	struct fsal_attrlist *attrs_out)
{
	struct xfer_new make = { .type = XFER_DIR };

	return create(dir, name, &make, attrs_in, obj, attrs_out);
}

static enum xfer_type to_special(object_file_type_t type)
{
	switch (type) {
	case BLOCK_FILE:
		return XFER_BLK;
	case CHARACTER_FILE:
		return XFER_CHR;
	case FIFO_FILE:
		return XFER_FIFO;
	case SOCKET_FILE:
		return XFER_SOCK;
	default:
		return XFER_REG;
	}
}

fsal_status_t rdx_mknode(struct fsal_obj_handle *dir, const char *name, object_file_type_t type,
	struct fsal_attrlist *attrs_in, struct fsal_obj_handle **obj,
	struct fsal_attrlist *attrs_out)
{
	struct xfer_new make = { .type = to_special(type) };

	if (make.type == XFER_REG)
		return fsalstat(ERR_FSAL_BADTYPE, 0);
	if (make.type == XFER_BLK || make.type == XFER_CHR) {
		make.rdev_major = (uint32_t)attrs_in->rawdev.major;
		make.rdev_minor = (uint32_t)attrs_in->rawdev.minor;
	}
	return create(dir, name, &make, attrs_in, obj, attrs_out);
}

fsal_status_t rdx_symlink(struct fsal_obj_handle *dir, const char *name, const char *target,
	struct fsal_attrlist *attrs_in, struct fsal_obj_handle **obj,
	struct fsal_attrlist *attrs_out)
{
	struct xfer_new make = { .type = XFER_LNK, .target = target };

	return create(dir, name, &make, attrs_in, obj, attrs_out);
}

/* Asked of the owner each time: reading changes the link's atime, and nobody tells when it was replaced. */
fsal_status_t rdx_readlink(struct fsal_obj_handle *obj, struct gsh_buffdesc *content, bool refresh)
{
	struct rdx_object *object = rdx_object(obj);
	struct xfer_opt_attr attr = { 0 };
	char target[XFER_TARGET_MAX + 1];
	struct rdx_op op;
	fsal_status_t status = rdx_op_begin(object->volume, &op);
	int err;

	(void)refresh;
	if (FSAL_IS_ERROR(status))
		return status;
	err = xfer_op_readlink(op.session, &op.cred, &object->handle, target, &attr);
	rdx_op_end(&op);
	rdx_object_feed(object, &attr, &op.asked);
	if (err)
		return rdx_status(err);
	content->len = strlen(target) + 1;
	content->addr = gsh_memdup(target, content->len);
	return status;
}
