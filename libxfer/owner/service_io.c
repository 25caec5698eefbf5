/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* service_io.c -- READ, WRITE, COMMIT: a file's data */

#include <errno.h>
#include <string.h>

#include "bufpool.h"
#include "counters.h"
#include "owner/creds.h"
#include "owner/service.h"

static const struct xfer_payload no_payload;

/* Acknowledged data may be gone. The count of that is kept in a file of the daemon's. */
static void data_lost(const struct op *op)
{
	creds_daemon();
	verifier_lost(&op->service->verifier);
}

static int range_check(uint64_t offset, uint64_t length)
{
	return length > XFER_IO_MAX || offset > INT64_MAX - length ? -EINVAL : 0;
}

/* --- READ -------------------------------------------------------------------------------------- */

/* A slot of the caller's, or a buffer, made once; reading may go on in it on another thread. False: out of memory. */
static bool prepare_answer(struct xfer_request *request)
{
	enum xfer_payload_kind kind = request->args.read.payload.kind;

	if (kind == XFER_PAYLOAD_INLINE && !op_answer_buffer(request, request->args.read.count))
		return false;
	request->results.read.payload.kind = kind;
	return true;
}

/* Attributes after the read, and whether it reached the end. *ctime_ns: the file's now. */
static int complete_read(const struct op *op, const struct file *file, uint64_t *ctime_ns)
{
	const struct xfer_read_args *args = &op->request->args.read;
	struct xfer_read_res *res = &op->request->results.read;
	struct statx stx;
	int err = op_file_attr(op, file, false, &stx, &res->attr.attr);

	if (err)
		return err;
	res->attr.valid = true;
	res->eof = args->offset + res->payload.length >= stx.stx_size;
	*ctime_ns = object_ctime_ns(&stx);
	return 0;
}

static void count_read(const struct xfer_request *request)
{
	xfer_count(XFER_CNT_READS, 1);
	xfer_count(XFER_CNT_READ_BYTES, request->results.read.payload.length);
}

/* Reads what is in memory; false: not all of it is. */
static bool read_cached(const struct op *op, const struct file *file)
{
	const struct xfer_read_args *args = &op->request->args.read;
	struct xfer_payload *payload = &op->request->results.read.payload;
	ssize_t got;

	if (args->count == 0)
		return true;
	got = op->volume->store->read(file->fd, op->request->answer, args->count, args->offset,
		op->volume->in_memory ? 0 : RWF_NOWAIT);
	if (got == -EOPNOTSUPP)
		atomic_store(&op->volume->no_nowait_read, true);
	if (got < 0)
		return false;
	payload->length = (uint32_t)got;
	return true;
}

bool service_read_now(const struct op *op)
{
	const struct xfer_read_args *args = &op->request->args.read;
	struct xfer_read_res *res = &op->request->results.read;
	uint64_t ctime_ns;
	struct op_file file;
	bool done;

	if (atomic_load_explicit(&op->volume->no_nowait_read, memory_order_relaxed) ||
		args->payload.kind == XFER_PAYLOAD_NONE || range_check(args->offset, args->count))
		return false;
	if (!op_file_find(op, &args->handle, args->open_id, XFER_OPEN_READ,
		    args->flags & XFER_IO_OWNER_OVERRIDE, &file))
		return false;
	done = prepare_answer(op->request) && read_cached(op, file.file) &&
	       complete_read(op, file.file, &ctime_ns) == 0;
	/* Short of the end, the rest is not in memory. */
	if (done && res->payload.length < args->count && !res->eof)
		done = false;
	/* Changed since the caller's permission was checked: somebody has to look. */
	if (done && !file.checked && ctime_ns != file.ctime_ns)
		done = false;
	if (done)
		count_read(op->request);
	file_put(file.file);
	return done;
}

/* All that is still missing, or up to the end of the file. */
static int read_all(const struct op *op, const struct file *file)
{
	const struct xfer_read_args *args = &op->request->args.read;
	struct xfer_payload *payload = &op->request->results.read.payload;

	while (payload->length < args->count) {
		ssize_t got = op->volume->store->read(file->fd,
			(uint8_t *)op->request->answer + payload->length,
			args->count - payload->length, args->offset + payload->length, 0);

		if (got < 0)
			return (int)got;
		if (got == 0)
			break;
		payload->length += (uint32_t)got;
	}
	return 0;
}

int service_read(const struct op *op)
{
	const struct xfer_read_args *args = &op->request->args.read;
	struct xfer_read_res *res = &op->request->results.read;
	struct op_file file;
	uint64_t ctime_ns;
	int err = range_check(args->offset, args->count);

	if (err || args->payload.kind == XFER_PAYLOAD_NONE)
		return -EINVAL;
	err = op_file_get(op, &args->handle, args->open_id, XFER_OPEN_READ,
		args->flags & XFER_IO_OWNER_OVERRIDE, &file);
	if (err) {
		res->payload = no_payload;
		return err;
	}
	/* What the lane has read stays: the permission holds now, so the data may be given. */
	err = prepare_answer(op->request) ? read_all(op, file.file) : -EAGAIN;
	if (err == 0)
		err = complete_read(op, file.file, &ctime_ns);
	if (err)
		res->payload = no_payload;
	else
		count_read(op->request);
	file_put(file.file);
	return err;
}

/* --- WRITE ------------------------------------------------------------------------------------- */

static const int write_flags[] = {
	[XFER_UNSTABLE] = 0, [XFER_DATA_SYNC] = RWF_DSYNC, [XFER_FILE_SYNC] = RWF_SYNC
};

/* Takes `length` bytes off the front of the pieces; *first: those that are left. */
static void advance(struct iovec **first, int *count, size_t length)
{
	while (*count > 0 && length >= (*first)->iov_len) {
		length -= (*first)->iov_len;
		(*first)++;
		(*count)--;
	}
	if (*count > 0) {
		(*first)->iov_base = (uint8_t *)(*first)->iov_base + length;
		(*first)->iov_len -= length;
	}
}

/* Straight from where the payload was received. An error behind the first bytes shows in their number. */
static int write_all(const struct op *op, const struct file *file)
{
	const struct xfer_write_args *args = &op->request->args.write;
	struct xfer_write_res *res = &op->request->results.write;
	struct iovec *iov = op->request->payload;
	int count = op->request->payload_count;

	while (res->count < op->request->payload_length) {
		ssize_t put = op->volume->store->write(file->fd, iov, count,
			args->offset + res->count, write_flags[args->stability]);

		if (put <= 0)
			return res->count ? 0 : put < 0 ? (int)put : -EIO;
		res->count += (uint32_t)put;
		advance(&iov, &count, (size_t)put);
	}
	return 0;
}

static void complete_write(const struct op *op, const struct file *file, int err)
{
	struct xfer_write_res *res = &op->request->results.write;

	/* The data of earlier, unstable writes may be what couldn't be written. */
	if (err == -EIO)
		data_lost(op);
	op_file_opt_attr(op, file, res->count > 0, &res->attr);
	if (err)
		return;
	res->committed = op->request->args.write.stability;
	verifier_get(&op->service->verifier, res->verifier);
	xfer_count(XFER_CNT_WRITES, 1);
	xfer_count(XFER_CNT_WRITE_BYTES, res->count);
}

/* Bytes written; a part of them only is a short write, which its caller continues. False: none. */
static bool write_some(const struct op *op, const struct file *file)
{
	const struct xfer_request *request = op->request;
	const struct xfer_write_args *args = &request->args.write;
	ssize_t put = op->volume->store->write(file->fd, request->payload, request->payload_count,
		args->offset, write_flags[args->stability]);

	if (put <= 0)
		return false;
	op->request->results.write.count = (uint32_t)put;
	return true;
}

/* False: it wasn't written, or not without waiting. */
static bool write_cached(const struct op *op, const struct file *file)
{
	struct coherence_change change;
	bool done;

	if (!op_change_begin_now(op, &change, &file->fileid, 1))
		return false;
	done = creds_assume(&op->cred) == 0 && write_some(op, file);
	if (done)
		complete_write(op, file, 0);
	op_change_end(op, &change);
	return done;
}

bool service_write_now(const struct op *op)
{
	const struct xfer_write_args *args = &op->request->args.write;
	struct op_file file;
	bool done;

	/* Elsewhere even RWF_NOWAIT waits, while a file system is frozen. */
	if (!op->volume->in_memory)
		return false;
	if (op->request->payload_length == 0 ||
		range_check(args->offset, op->request->payload_length))
		return false;
	if (!op_file_find(op, &args->handle, args->open_id, XFER_OPEN_WRITE,
		    args->flags & XFER_IO_OWNER_OVERRIDE, &file))
		return false;
	done = op_file_recheck(op, XFER_OPEN_WRITE, args->flags & XFER_IO_OWNER_OVERRIDE, &file) ==
		       0 &&
	       write_cached(op, file.file);
	file_put(file.file);
	return done;
}

int service_write(const struct op *op)
{
	const struct xfer_write_args *args = &op->request->args.write;
	struct coherence_change change;
	struct op_file file;
	int err = range_check(args->offset, op->request->payload_length);

	if (err)
		return op->request->payload_length > XFER_IO_MAX ? err : -EFBIG;
	err = op_file_get(op, &args->handle, args->open_id, XFER_OPEN_WRITE,
		args->flags & XFER_IO_OWNER_OVERRIDE, &file);
	if (err)
		return err;
	op_change_begin(op, &change, &file.file->fileid, 1);
	/* As the caller: its quota counts, and the set-id bits have to go. */
	err = creds_assume(&op->cred);
	if (err == 0)
		err = write_all(op, file.file);
	complete_write(op, file.file, err);
	op_change_end(op, &change);
	file_put(file.file);
	return err;
}

/* --- COMMIT ------------------------------------------------------------------------------------ */

int service_commit(const struct op *op)
{
	const struct xfer_commit_args *args = &op->request->args.commit;
	struct xfer_commit_res *res = &op->request->results.commit;
	struct op_file file;
	/* Syncing gives nothing away. */
	int err = op_file_get_any(op, &args->handle, args->open_id, &file);

	if (err)
		return err;
	err = op->volume->store->sync(file.file->fd);
	if (verifier_is_loss(err))
		data_lost(op);
	verifier_get(&op->service->verifier, res->verifier);
	op_file_opt_attr(op, file.file, false, &res->attr);
	file_put(file.file);
	return err;
}
