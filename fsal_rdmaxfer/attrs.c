/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* attrs.c -- attributes in Ganesha's form and in libxfer's; reading and setting them */

#include <errno.h>

#include "admit.h"
#include "attrs.h"
#include "errors.h"
#include "gate.h"
#include "ownchange.h"
#include "state.h"

#define FSID_MAJOR 0x58464552 /* "XFER": no other FSAL's file system */

fsal_fsid_t rdx_fsid(const struct rdx_volume *volume)
{
	return (fsal_fsid_t){ .major = FSID_MAJOR, .minor = volume->id };
}

object_file_type_t rdx_type_to_fsal(enum xfer_type type)
{
	static const object_file_type_t types[] = {
		[XFER_REG] = REGULAR_FILE,
		[XFER_DIR] = DIRECTORY,
		[XFER_LNK] = SYMBOLIC_LINK,
		[XFER_BLK] = BLOCK_FILE,
		[XFER_CHR] = CHARACTER_FILE,
		[XFER_FIFO] = FIFO_FILE,
		[XFER_SOCK] = SOCKET_FILE,
	};

	return types[type];
}

static struct timespec to_timespec(struct xfer_time time)
{
	return (struct timespec){ .tv_sec = time.sec, .tv_nsec = time.nsec };
}

void rdx_attrs_to_fsal(
	const struct rdx_volume *volume, const struct xfer_attr *attr, struct fsal_attrlist *out)
{
	out->type = rdx_type_to_fsal(attr->type);
	out->filesize = attr->size;
	out->fsid = rdx_fsid(volume);
	out->fileid = attr->fileid;
	out->mode = attr->mode;
	out->numlinks = attr->nlink;
	out->owner = attr->uid;
	out->group = attr->gid;
	out->rawdev.major = attr->rdev_major;
	out->rawdev.minor = attr->rdev_minor;
	out->atime = to_timespec(attr->atime);
	out->mtime = to_timespec(attr->mtime);
	out->ctime = to_timespec(attr->ctime);
	out->spaceused = attr->used;
	out->change = attr->change;
	out->supported = RDX_SUPPORTED_ATTRS;
	out->valid_mask |= ATTRS_POSIX;
}

static struct xfer_time from_timespec(struct timespec time)
{
	return (struct xfer_time){ .sec = time.tv_sec, .nsec = (uint32_t)time.tv_nsec };
}

int rdx_attrs_from_fsal(const struct fsal_attrlist *in, struct xfer_setattr *set)
{
	static const struct {
		attrmask_t fsal;
		uint32_t xfer;
	} bits[] = {
		{ ATTR_MODE, XFER_SET_MODE },
		{ ATTR_OWNER, XFER_SET_UID },
		{ ATTR_GROUP, XFER_SET_GID },
		{ ATTR_SIZE, XFER_SET_SIZE },
		{ ATTR_ATIME, XFER_SET_ATIME },
		{ ATTR_MTIME, XFER_SET_MTIME },
		{ ATTR_ATIME_SERVER, XFER_SET_ATIME_NOW },
		{ ATTR_MTIME_SERVER, XFER_SET_MTIME_NOW },
	};

	memset(set, 0, sizeof(*set));
	if (!in)
		return 0;
	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
		if (FSAL_TEST_MASK(in->valid_mask, bits[i].fsal))
			set->mask |= bits[i].xfer;
	set->mode = in->mode & 07777;
	set->uid = (uint32_t)in->owner;
	set->gid = (uint32_t)in->group;
	set->size = in->filesize;
	if (set->mask & XFER_SET_ATIME)
		set->atime = from_timespec(in->atime);
	if (set->mask & XFER_SET_MTIME)
		set->mtime = from_timespec(in->mtime);
	return set->atime.nsec < 1000000000 && set->mtime.nsec < 1000000000 ? 0 : -EINVAL;
}

/* The seconds are compared as far as every file system keeps them. */
bool rdx_attrs_bear_verifier(const struct xfer_attr *attr, const uint8_t verifier[8])
{
	uint32_t times[2];

	memcpy(times, verifier, sizeof(times));
	return (uint32_t)attr->atime.sec == times[0] && (uint32_t)attr->mtime.sec == times[1];
}

fsal_status_t rdx_attrs_read(struct rdx_object *object, enum attr_use use, struct xfer_attr *attr)
{
	struct rdx_op op;
	fsal_status_t status = rdx_admit();
	int err;

	if (FSAL_IS_ERROR(status))
		return status;
	if (attrcache_read(object->volume->cache, object->attrs, use, rdx_request_begun(),
		    validity_now(), attr))
		return fsalstat(ERR_FSAL_NO_ERROR, 0);
	status = rdx_op_begin(object->volume, &op);
	if (FSAL_IS_ERROR(status))
		return status;
	err = xfer_op_getattr(op.session, &op.cred, &object->handle, attr);
	rdx_op_end(&op);
	if (err == 0)
		rdx_object_learn(object, attr, &op.asked);
	return rdx_status(err);
}

fsal_status_t rdx_getattrs(struct fsal_obj_handle *obj, struct fsal_attrlist *attrs_out)
{
	struct rdx_object *object = rdx_object(obj);
	enum attr_use use = rdx_request_tells(obj->type) ? ATTR_TELL : ATTR_CHECK;
	struct xfer_attr attr;
	fsal_status_t status = rdx_attrs_read(object, use, &attr);

	if (!FSAL_IS_ERROR(status))
		rdx_attrs_to_fsal(object->volume, &attr, attrs_out);
	else if (attrs_out->request_mask & ATTR_RDATTR_ERR)
		attrs_out->valid_mask = ATTR_RDATTR_ERR;
	return status;
}

fsal_status_t rdx_setattr2(struct fsal_obj_handle *obj, bool bypass, struct state_t *state,
	struct fsal_attrlist *attrs)
{
	struct rdx_object *object = rdx_object(obj);
	struct xfer_opt_attr now = { 0 };
	struct xfer_setattr set;
	struct rdx_change change;
	struct rdx_op op;
	fsal_status_t status;
	struct rdx_use use = { 0 };
	int err;

	err = rdx_attrs_from_fsal(attrs, &set);
	if (err)
		return rdx_status(err);
	if (set.mask & XFER_SET_SIZE) {
		if (obj->type != REGULAR_FILE)
			return fsalstat(ERR_FSAL_INVAL, EINVAL);
		status = rdx_state_use(object, state, FSAL_O_WRITE, bypass, &use);
		if (FSAL_IS_ERROR(status))
			return status;
	}
	status = rdx_op_begin(object->volume, &op);
	if (FSAL_IS_ERROR(status)) {
		(void)rdx_state_used(&use, 0);
		return status;
	}
	rdx_change_init(&change, object->volume);
	rdx_change_object(&change, object, OWN_ATTRS);
	err = xfer_op_setattr(op.session, &op.cred, &object->handle, use.open_id, &set, &now.attr);
	rdx_op_end(&op);
	now.valid = err == 0;
	rdx_object_note(object, &now, &op.asked, op.begun);
	rdx_change_end(&change);
	err = rdx_state_used(&use, err);
	return rdx_status(err);
}
