/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* space.c -- holes and reserved space: SEEK, ALLOCATE, DEALLOCATE */

#include <errno.h>

#include "errors.h"
#include "gate.h"
#include "ownchange.h"
#include "space.h"
#include "state.h"

fsal_status_t rdx_seek2(struct fsal_obj_handle *obj, struct state_t *state, struct io_info *info)
{
	struct rdx_object *object = rdx_object(obj);
	uint64_t offset = info->io_content.hole.di_offset;
	struct rdx_use use;
	bool hole = info->io_content.what == NFS4_CONTENT_HOLE;
	struct xfer_found found;
	struct rdx_op op;
	fsal_status_t status;
	int err;

	if (!hole && info->io_content.what != NFS4_CONTENT_DATA)
		return fsalstat(ERR_FSAL_UNION_NOTSUPP, 0);
	status = rdx_state_use(object, state, FSAL_O_ANY, true, &use);
	if (FSAL_IS_ERROR(status))
		return status;
	status = rdx_op_begin(object->volume, &op);
	if (FSAL_IS_ERROR(status)) {
		(void)rdx_state_used(&use, 0);
		return status;
	}
	err = xfer_op_seek(
		op.session, &op.cred, &object->handle, use.open_id, offset, hole, &found);
	rdx_op_end(&op);
	err = rdx_state_used(&use, err);
	if (err == 0) {
		info->io_eof = found.eof;
		info->io_content.hole.di_offset = found.offset;
	}
	return rdx_status(err);
}

fsal_status_t rdx_fallocate(struct fsal_obj_handle *obj, struct state_t *state, uint64_t offset,
	uint64_t length, bool allocate)
{
	struct rdx_object *object = rdx_object(obj);
	struct xfer_opt_attr attr = { 0 };
	struct rdx_change change;
	struct rdx_use use;
	struct rdx_op op;
	fsal_status_t status = rdx_state_use(object, state, FSAL_O_WRITE, false, &use);
	int err;

	if (FSAL_IS_ERROR(status))
		return status;
	status = rdx_op_begin(object->volume, &op);
	if (FSAL_IS_ERROR(status)) {
		(void)rdx_state_used(&use, 0);
		return status;
	}
	rdx_change_init(&change, object->volume);
	rdx_change_object(&change, object, OWN_CONTENT);
	err = xfer_op_allocate(op.session, &op.cred, &object->handle, use.open_id, offset, length,
		!allocate, &attr);
	rdx_op_end(&op);
	rdx_object_note(object, &attr, &op.asked, op.begun);
	rdx_change_end(&change);
	err = rdx_state_used(&use, err);
	return rdx_status(err);
}
