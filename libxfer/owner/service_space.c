/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* service_space.c -- SEEK, ALLOCATE: a file's holes and reserved space */

#include <errno.h>
#include <linux/falloc.h>
#include <unistd.h>

#include "owner/creds.h"
#include "owner/service.h"

/* RFC 7862, section 15.11: an offset that isn't in the file is an error, the lack of data behind it isn't. */
static int seek_in(const struct op *op, int fd)
{
	const struct xfer_seek_args *args = &op->request->args.seek;
	struct xfer_found *found = &op->request->results.seek.found;
	struct statx stx;
	int64_t at;
	int err = op->volume->store->stat(fd, &stx);

	if (err)
		return err;
	if (args->offset >= stx.stx_size)
		return -ENXIO;
	at = op->volume->store->seek(fd, (int64_t)args->offset, args->hole ? SEEK_HOLE : SEEK_DATA);
	if (at == -ENXIO) {
		*found = (struct xfer_found){ .offset = args->offset, .none = true, .eof = true };
		return 0;
	}
	if (at < 0)
		return (int)at;
	*found = (struct xfer_found){ .offset = (uint64_t)at, .eof = (uint64_t)at >= stx.stx_size };
	return 0;
}

/* A descriptor's position is nobody's: seeking in one that others use at the same time does no harm. */
int service_seek(const struct op *op)
{
	const struct xfer_seek_args *args = &op->request->args.seek;
	struct op_file file;
	int err = op_file_get_any(op, &args->handle, args->open_id, &file);

	if (err)
		return err;
	err = seek_in(op, file.file->fd);
	file_put(file.file);
	return err;
}

int service_allocate(const struct op *op)
{
	const struct xfer_allocate_args *args = &op->request->args.allocate;
	int mode = args->punch ? FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE : 0;
	struct coherence_change change;
	struct op_file file;
	int err;

	if (args->length == 0)
		return -EINVAL;
	if (args->length > INT64_MAX || args->offset > INT64_MAX - args->length)
		return -EFBIG;
	err = op_file_get(op, &args->handle, args->open_id, XFER_OPEN_WRITE, true, &file);
	if (err)
		return err;
	op_change_begin(op, &change, &file.file->fileid, 1);
	/* As the caller: its quota counts. */
	err = creds_assume(&op->cred);
	if (err == 0)
		err = op->volume->store->allocate(
			file.file->fd, mode, (int64_t)args->offset, (int64_t)args->length);
	op_file_opt_attr(op, file.file, err == 0, &op->request->results.attr.attr);
	op_change_end(op, &change);
	file_put(file.file);
	return err;
}
