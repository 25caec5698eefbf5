/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* gate.c -- the one way into the owner: who asks, whether it may go now, over which session */

#include <errno.h>

#include "admit.h"
#include "errors.h"
#include "gate.h"

/* Ganesha leaves fsal_private to the FSAL, and sets it to NULL for each request. */
uint64_t rdx_request_begun(void)
{
	if (!rdx_request())
		return 0;
	if (!op_ctx->fsal_private)
		op_ctx->fsal_private = (void *)(uintptr_t)validity_now();
	return (uintptr_t)op_ctx->fsal_private;
}

struct xfer_cred rdx_request_cred(void)
{
	const struct user_cred *creds = &op_ctx->creds;

	return (struct xfer_cred){
		.uid = creds->caller_uid,
		.gid = creds->caller_gid,
		.ngroups = creds->caller_glen,
		.groups = creds->caller_garray,
	};
}

fsal_status_t rdx_op_begin_async(struct rdx_volume *volume, struct rdx_op *op)
{
	fsal_status_t status = rdx_admit();

	if (FSAL_IS_ERROR(status))
		return status;
	op->volume = volume;
	op->owner = volume->owner;
	op->waits = false;
	op->begun = rdx_request_begun();
	op->asked = validity_ask(volume->validity);
	op->cred = rdx_request_cred();
	op->session = rdx_owner_acquire(volume->owner);
	return rdx_status(op->session ? 0 : -EAGAIN);
}

/* Counts the operation in; false: there are too many already. */
static bool enter(struct rdx_op *op)
{
	int32_t max = (int32_t)rdx_module.inside_max;
	int32_t owners = atomic_inc_int32_t(&op->owner->inside);
	int32_t volumes = atomic_inc_int32_t(&op->volume->inside);

	op->waits = true;
	return owners <= max && volumes <= (max + 1) / 2;
}

fsal_status_t rdx_op_begin(struct rdx_volume *volume, struct rdx_op *op)
{
	fsal_status_t status;

	if (xfer_on_lane_thread())
		return rdx_status(-EAGAIN);
	status = rdx_op_begin_async(volume, op);
	if (FSAL_IS_ERROR(status))
		return status;
	if (!enter(op) || !xfer_session_is_up(op->session)) {
		rdx_op_end(op);
		return rdx_status(-EAGAIN);
	}
	return status;
}

void rdx_op_end(struct rdx_op *op)
{
	if (op->waits) {
		(void)atomic_dec_int32_t(&op->volume->inside);
		(void)atomic_dec_int32_t(&op->owner->inside);
	}
	rdx_owner_release(op->owner);
}
