/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* io.c -- a file's data: read, write, commit */

#include <errno.h>

#include "client.h"
#include "cred.h"
#include "errors.h"
#include "gate.h"
#include "io.h"
#include "ownchange.h"
#include "state.h"

/*
 * A read or write under way. Ganesha keeps the object, the buffers and the request alive until `done`, but not
 * op_ctx: what completion needs of it is kept here.
 */
struct transfer {
	struct xfer_io io;
	struct rdx_object *object;
	struct asked asked;       /* of what the answer says */
	uint64_t begun;           /* the client's request */
	struct rdx_change change; /* of a write */
	bool write;
	bool noted; /* its end has to be, under `key` */
	struct unstable_key key;
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

static void note_end(const struct transfer *transfer)
{
	const struct xfer_io *io = &transfer->io;

	if (transfer->noted)
		unstable_written(transfer->object->volume->unstable, &transfer->key, io->offset,
			io->count,
			io->result == 0 && io->committed == XFER_UNSTABLE ? io->verifier : NULL);
}

static void transferred(struct xfer_io *io)
{
	struct transfer *transfer = container_of(io, struct transfer, io);
	struct fsal_io_arg *arg = transfer->arg;

	io->result = rdx_state_used(&transfer->use, io->result);
	note_end(transfer);
	if (transfer->write)
		rdx_object_note(transfer->object, &io->attr, &transfer->asked, transfer->begun);
	else
		rdx_object_feed(transfer->object, &io->attr, &transfer->asked);
	if (io->result == 0) {
		arg->io_amount = io->count;
		if (transfer->write)
			arg->fsal_stable = io->committed != XFER_UNSTABLE;
		else
			arg->end_of_file = io->eof;
	}
	rdx_change_end(&transfer->change);
	call_done(transfer, rdx_status(io->result));
	gsh_free(transfer);
}

/* --- submission ------------------------------------------------------------------------------- */

/* Of a request over NFSv3. */
static struct unstable_key client_key(const struct rdx_object *object)
{
	struct unstable_key key = { .handle = object->handle };

	rdx_client_bytes(op_ctx->caller_addr, key.client);
	return key;
}

/*
 * Ganesha's NFSv3 answers with a verifier of its own, which tells nobody that the owner has lost unstable data: so it
 * is written stable, or noted, so that COMMIT can tell.
 */
static void choose_stability(struct transfer *transfer)
{
	transfer->io.stability = transfer->arg->fsal_stable ? XFER_FILE_SYNC : XFER_UNSTABLE;
	if (transfer->arg->fsal_stable || op_ctx->nfs_vers != NFS_V3)
		return;
	transfer->key = client_key(transfer->object);
	if (rdx_export_v3_unstable(op_ctx->fsal_export))
		transfer->noted =
			unstable_begin(transfer->object->volume->unstable, &transfer->key);
	if (!transfer->noted)
		transfer->io.stability = XFER_FILE_SYNC;
}

static struct transfer *transfer_new(struct rdx_object *object, const struct rdx_op *op,
	fsal_async_cb done, struct fsal_io_arg *arg, void *caller_arg)
{
	struct transfer *transfer =
		gsh_malloc(sizeof(*transfer) + op->cred.ngroups * sizeof(*transfer->groups));

	memset(transfer, 0, sizeof(*transfer));
	transfer->object = object;
	transfer->asked = op->asked;
	transfer->begun = op->begun;
	rdx_change_init(&transfer->change, object->volume);
	transfer->done = done;
	transfer->arg = arg;
	transfer->caller_arg = caller_arg;
	transfer->io.cred = rdx_cred_copy(&op->cred, transfer->groups);
	transfer->io.handle = object->handle;
	transfer->io.offset = arg->offset;
	transfer->io.iov = arg->iov;
	transfer->io.iovcnt = arg->iov_count;
	/* Ganesha has checked the permission, and lets a file's owner read and write it whatever its mode. */
	transfer->io.owner_override = true;
	/* A moment's waiting costs less than waking another thread. */
	transfer->io.attended = true;
	transfer->io.path = object->volume->path;
	transfer->io.require_encryption = rdx_export_require_encryption(op_ctx->fsal_export);
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
	if (write) {
		choose_stability(transfer);
		rdx_change_object(&transfer->change, object, OWN_CONTENT);
	}
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

static int ask_to_commit(
	struct rdx_object *object, const struct rdx_op *op, uint64_t offset, uint64_t count)
{
	struct unstable_key key = { 0 };
	struct unstable_commit noted = { 0 };
	struct xfer_opt_attr attr = { 0 };
	uint8_t verifier[8];
	int err;

	if (op_ctx->nfs_vers == NFS_V3) {
		key = client_key(object);
		unstable_commit_begin(object->volume->unstable, &key, &noted);
	}
	err = xfer_op_commit(
		op->session, &op->cred, &object->handle, 0, offset, count, verifier, &attr);
	rdx_object_feed(object, &attr, &op->asked);
	return unstable_commit_end(
		object->volume->unstable, &key, &noted, offset, count, err, verifier);
}

/* With NFSv4 the verifier reaches the client by get_write_verifier, with NFSv3 its change is an error. */
fsal_status_t rdx_commit2(struct fsal_obj_handle *obj, off_t offset, size_t len)
{
	struct rdx_object *object = rdx_object(obj);
	struct rdx_op op;
	fsal_status_t status = rdx_op_begin(object->volume, &op);
	int err;

	if (FSAL_IS_ERROR(status))
		return status;
	err = ask_to_commit(object, &op, (uint64_t)offset, len);
	rdx_op_end(&op);
	return rdx_status(err);
}
