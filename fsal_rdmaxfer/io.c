/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* io.c -- a file's data: read, write, commit */

#include <errno.h>

#include "errors.h"
#include "gate.h"
#include "io.h"
#include "state.h"

/*
 * A read or write under way. Ganesha keeps the object, the buffers and the request alive until `done`, but not
 * op_ctx: what completion needs of it is kept here.
 */
struct transfer {
	struct xfer_io io;
	struct rdx_object *object;
	bool write;
	struct rdx_use use;
	fsal_async_cb done;
	struct fsal_io_arg *arg;
	void *caller_arg;
	struct gsh_export *ctx_export; /* referenced */
	struct fsal_export *fsal_export;
	uint32_t groups[]; /* of io.cred */
};

/* --- completion ------------------------------------------------------------------------------- */

/* `done` needs an op_ctx; on a lane's thread there is none. */
static void call_done(struct transfer *transfer, fsal_status_t status)
{
	struct fsal_obj_handle *obj = &transfer->object->obj;
	struct req_op_context context;

	if (op_ctx) {
		transfer->done(obj, status, transfer->arg, transfer->caller_arg);
		put_gsh_export(transfer->ctx_export);
		return;
	}
	/* The reference of the submission becomes the context's, which gives it up. */
	init_op_context_simple(&context, transfer->ctx_export, transfer->fsal_export);
	transfer->done(obj, status, transfer->arg, transfer->caller_arg);
	release_op_context();
}

static void submit(struct transfer *transfer)
{
	struct rdx_owner *owner = transfer->object->volume->owner;

	transfer->io.session = rdx_owner_acquire(owner);
	if (!transfer->io.session) {
		transfer->io.result = -EAGAIN;
		transfer->io.done(&transfer->io);
		return;
	}
	if (transfer->write)
		xfer_op_write(&transfer->io);
	else
		xfer_op_read(&transfer->io);
	rdx_owner_release(owner);
}

static void transferred(struct xfer_io *io)
{
	struct transfer *transfer = container_of(io, struct transfer, io);
	struct fsal_io_arg *arg = transfer->arg;

	io->result = rdx_state_used(&transfer->use, io->result);
	rdx_object_feed(transfer->object, &io->attr);
	if (io->result == 0) {
		arg->io_amount = io->count;
		if (transfer->write)
			arg->fsal_stable = io->committed != XFER_UNSTABLE;
		else
			arg->end_of_file = io->eof;
	} else if (transfer->write && !io->attr.valid) {
		attrcache_drop(transfer->object->volume->cache, transfer->object->attrs);
	}
	call_done(transfer, rdx_status(io->result));
	gsh_free(transfer);
}

/* --- submission ------------------------------------------------------------------------------- */

/*
 * Ganesha's NFSv3 answers with a verifier of its own, which tells nobody that the owner has lost unstable data:
 * so it is written stable.
 */
static enum xfer_stability stability(const struct fsal_io_arg *arg)
{
	return arg->fsal_stable || op_ctx->nfs_vers == NFS_V3 ? XFER_FILE_SYNC : XFER_UNSTABLE;
}

static struct transfer *transfer_new(struct rdx_object *object, const struct rdx_op *op,
	fsal_async_cb done, struct fsal_io_arg *arg, void *caller_arg)
{
	size_t groups_size = op->cred.ngroups * sizeof(uint32_t);
	struct transfer *transfer = gsh_malloc(sizeof(*transfer) + groups_size);

	memset(transfer, 0, sizeof(*transfer));
	if (groups_size > 0)
		memcpy(transfer->groups, op->cred.groups, groups_size);
	transfer->object = object;
	transfer->done = done;
	transfer->arg = arg;
	transfer->caller_arg = caller_arg;
	transfer->io.cred = op->cred;
	transfer->io.cred.groups = transfer->groups;
	transfer->io.handle = object->handle;
	transfer->io.offset = arg->offset;
	transfer->io.iov = arg->iov;
	transfer->io.iovcnt = arg->iov_count;
	/* Ganesha has checked the permission, and lets a file's owner read and write it whatever its mode. */
	transfer->io.owner_override = true;
	transfer->io.done = transferred;
	get_gsh_export_ref(op_ctx->ctx_export);
	transfer->ctx_export = op_ctx->ctx_export;
	transfer->fsal_export = op_ctx->fsal_export;
	return transfer;
}

static void start(struct fsal_obj_handle *obj, bool write, bool bypass, fsal_async_cb done,
	struct fsal_io_arg *arg, void *caller_arg)
{
	struct rdx_object *object = rdx_object(obj);
	struct transfer *transfer;
	struct rdx_use use;
	struct rdx_op op;
	fsal_status_t status =
		rdx_state_use(object, arg->state, write ? FSAL_O_WRITE : FSAL_O_READ, bypass, &use);

	if (!FSAL_IS_ERROR(status))
		status = rdx_op_begin_async(object->volume, &op);
	if (FSAL_IS_ERROR(status)) {
		(void)rdx_state_used(&use, 0);
		done(obj, status, arg, caller_arg);
		return;
	}
	transfer = transfer_new(object, &op, done, arg, caller_arg);
	transfer->write = write;
	transfer->use = use;
	transfer->io.open_id = use.open_id;
	/* When a session comes back the lock may be another's, so nothing is kept for that that comes under one. */
	transfer->io.hasty = use.guard != NULL;
	if (write)
		transfer->io.stability = stability(arg);
	arg->io_amount = 0;
	submit(transfer);
	rdx_op_end(&op);
}

void rdx_read2(struct fsal_obj_handle *obj, bool bypass, fsal_async_cb done,
	struct fsal_io_arg *arg, void *caller_arg)
{
	if (rdx_is_read_plus(arg)) {
		done(obj, fsalstat(ERR_FSAL_NOTSUPP, 0), arg, caller_arg);
		return;
	}
	start(obj, false, bypass, done, arg, caller_arg);
}

void rdx_write2(struct fsal_obj_handle *obj, bool bypass, fsal_async_cb done,
	struct fsal_io_arg *arg, void *caller_arg)
{
	start(obj, true, bypass, done, arg, caller_arg);
}

fsal_status_t rdx_io_advise(struct fsal_obj_handle *obj, struct io_hints *hints)
{
	(void)obj;
	(void)hints;
	return fsalstat(ERR_FSAL_NOTSUPP, 0);
}

/* The verifier reaches the client by get_write_verifier. */
fsal_status_t rdx_commit2(struct fsal_obj_handle *obj, off_t offset, size_t len)
{
	struct rdx_object *object = rdx_object(obj);
	struct xfer_opt_attr attr = { 0 };
	uint8_t verifier[8];
	struct rdx_op op;
	fsal_status_t status = rdx_op_begin(object->volume, &op);
	int err;

	if (FSAL_IS_ERROR(status))
		return status;
	err = xfer_op_commit(
		op.session, &op.cred, &object->handle, 0, (uint64_t)offset, len, verifier, &attr);
	rdx_op_end(&op);
	rdx_object_feed(object, &attr);
	return rdx_status(err);
}
