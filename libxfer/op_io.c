/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* op_io.c -- READ, WRITE, COMMIT: a file's data */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "counters.h"
#include "op.h"

/* A READ or WRITE under way. */
struct io_call {
	struct xfer_session_call call;
	struct xfer_io *io;
};

/* Bytes that iov holds, or -EINVAL. */
static int64_t io_length(const struct xfer_io *io)
{
	uint64_t length = 0;

	if (io->iovcnt < 1 || io->iovcnt > XFER_IOV_MAX)
		return -EINVAL;
	for (int i = 0; i < io->iovcnt; i++)
		length += io->iov[i].iov_len;
	if (length > XFER_IO_MAX || io->offset > INT64_MAX - length)
		return -EINVAL;
	return (int64_t)length;
}

static void finish(struct io_call *io_call, int err)
{
	struct xfer_io *io = io_call->io;

	free(io_call);
	io->result = err;
	io->done(io);
}

static void read_done(struct xfer_session_call *call, int err)
{
	struct io_call *io_call = (struct io_call *)call;
	const struct xfer_read_res *res = &call->results.read;
	struct xfer_io *io = io_call->io;

	io->attr = res->attr;
	if (err == 0) {
		io->count = res->payload.length;
		io->eof = res->eof;
		xfer_count(XFER_CNT_READS, 1);
		xfer_count(XFER_CNT_READ_BYTES, io->count);
	}
	finish(io_call, err);
}

static void write_done(struct xfer_session_call *call, int err)
{
	struct io_call *io_call = (struct io_call *)call;
	const struct xfer_write_res *res = &call->results.write;
	struct xfer_io *io = io_call->io;

	io->attr = res->attr;
	if (err == 0 && res->count > call->call.payload_length)
		err = -EIO;
	if (err == 0) {
		io->count = res->count;
		io->committed = res->committed;
		memcpy(io->verifier, res->verifier, sizeof(io->verifier));
		/* What was written under an old verifier may be lost already: it is asked for once more. */
		if (!xfer_session_saw_verifier(io->session, res->verifier) &&
			io->committed == XFER_UNSTABLE)
			err = -EAGAIN;
		xfer_count(XFER_CNT_WRITES, 1);
		xfer_count(XFER_CNT_WRITE_BYTES, io->count);
	}
	finish(io_call, err);
}

/* A call with what READ and WRITE have in common; NULL: io was finished with an error. */
static struct io_call *begin(struct xfer_io *io, uint32_t proc)
{
	int64_t length = io_length(io);
	struct io_call *io_call = length < 0 ? NULL : malloc(sizeof(*io_call));

	io->count = 0;
	io->eof = false;
	io->attr.valid = false;
	if (!io_call) {
		io->result = length < 0 ? (int)length : -ENOMEM;
		io->done(io);
		return NULL;
	}
	io_call->io = io;
	xfer_session_prepare(&io_call->call, io->session, &io->cred, proc);
	io_call->call.hasty = io->hasty;
	io_call->call.volume.wish = io->path;
	io_call->call.volume.require_encryption = io->require_encryption;
	io_call->call.call.payload = io->iov;
	io_call->call.call.payload_count = io->iovcnt;
	io_call->call.call.payload_length = (uint32_t)length;
	return io_call;
}

/* Completions, on lane threads, may submit as well. */
static void submit(struct io_call *io_call)
{
	if (io_call->io->attended && !xfer_on_lane_thread())
		xfer_session_attend(&io_call->call);
	else
		xfer_session_submit(&io_call->call);
}

void xfer_op_read(struct xfer_io *io)
{
	struct io_call *io_call = begin(io, XFER_PROC_READ);

	if (!io_call)
		return;
	io_call->call.args.read = (struct xfer_read_args){
		.handle = io->handle,
		.open_id = io->open_id,
		.offset = io->offset,
		.count = io_call->call.call.payload_length,
		.flags = io->owner_override ? XFER_IO_OWNER_OVERRIDE : 0,
	};
	io_call->call.done = read_done;
	submit(io_call);
}

void xfer_op_write(struct xfer_io *io)
{
	struct io_call *io_call = begin(io, XFER_PROC_WRITE);

	if (!io_call)
		return;
	io_call->call.args.write = (struct xfer_write_args){
		.handle = io->handle,
		.open_id = io->open_id,
		.offset = io->offset,
		.flags = io->owner_override ? XFER_IO_OWNER_OVERRIDE : 0,
		.stability = io->stability,
	};
	io_call->call.done = write_done;
	submit(io_call);
}

int xfer_op_commit(struct xfer_session *session, const struct xfer_cred *cred,
	const struct xfer_handle *handle, uint64_t open_id, uint64_t offset, uint64_t count,
	uint8_t verifier[8], struct xfer_opt_attr *attr)
{
	struct xfer_session_call call;
	int err;

	xfer_session_prepare(&call, session, cred, XFER_PROC_COMMIT);
	call.args.commit = (struct xfer_commit_args){
		.handle = *handle, .open_id = open_id, .offset = offset, .count = count
	};
	err = xfer_session_call(&call);
	if (err == 0) {
		memcpy(verifier, call.results.commit.verifier, 8);
		(void)xfer_session_saw_verifier(session, verifier);
	}
	*attr = call.results.commit.attr;
	return err;
}
