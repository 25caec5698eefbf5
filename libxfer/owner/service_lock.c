/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* service_lock.c -- LOCK: byte-range locks on opens */

#include <errno.h>

#include "owner/creds.h"
#include "owner/service.h"

/*
 * Locks are those of open file descriptions (fcntl, F_OFD_SETLK): each open here has a description of its own, so
 * that the locks of two opens conflict whichever node they came from, with each other and with those of programs
 * on the owner itself. Closing the descriptor, which the end of the session does, too, gives them up.
 */

/* The open that the lock belongs to. */
static int find_open(const struct op *op, struct file **file)
{
	const struct xfer_lock_args *args = &op->request->args.lock;
	struct file *found = opens_find(&op->peer->opens, args->open_id);

	if (found && found->volume == op->volume &&
		xfer_handle_equal(&found->handle, &args->handle)) {
		*file = found;
		return 0;
	}
	file_put(found);
	return -(int)XFER_ST_BAD_OPEN;
}

/* A description that has no locks, to test with. */
static int open_for_test(const struct op *op, struct file **file)
{
	const struct xfer_handle *handle = &op->request->args.lock.handle;
	struct object object;
	struct statx stx;
	int err = object_open(op->volume, handle, &object), fd;

	if (err)
		return err;
	err = op->volume->store->stat(object.fd, &stx);
	if (err == 0 && !S_ISREG(stx.stx_mode))
		err = S_ISDIR(stx.stx_mode) ? -EISDIR : -EINVAL;
	fd = err ? err : op_reopen(op, object.fd, XFER_OPEN_READ);
	object_close(&object);
	if (fd < 0)
		return fd;
	*file = file_new(op->volume, fd, XFER_OPEN_READ, handle, object_fileid(op->volume, &stx));
	return *file ? 0 : -EAGAIN;
}

static int check_range(const struct xfer_lock *lock)
{
	/* Linux counts in signed numbers; a lock up to the last byte that it can name reaches to the end. */
	return lock->offset > INT64_MAX || lock->length > INT64_MAX - lock->offset ? -EOVERFLOW : 0;
}

static void tell_conflict(const struct flock *flock, struct xfer_lock_res *res)
{
	res->granted = flock->l_type == F_UNLCK;
	if (!res->granted)
		res->conflict = (struct xfer_lock){ .exclusive = flock->l_type == F_WRLCK,
			.offset = (uint64_t)flock->l_start,
			.length = (uint64_t)flock->l_len };
}

static int apply(const struct op *op, const struct file *file)
{
	const struct xfer_lock_args *args = &op->request->args.lock;
	struct xfer_lock_res *res = &op->request->results.lock;
	struct flock flock = {
		.l_type = args->lock.exclusive ? F_WRLCK : F_RDLCK,
		.l_whence = SEEK_SET,
		.l_start = (off_t)args->lock.offset,
		.l_len = (off_t)args->lock.length,
	}, wanted = flock;
	int err = 0;

	if (args->op == XFER_LOCK_CLEAR)
		flock.l_type = F_UNLCK;
	if (args->op != XFER_LOCK_TEST) {
		err = op->volume->store->lock(file->fd, F_OFD_SETLK, &flock);
		if (err == 0)
			res->granted = true;
		if (err != -EAGAIN && err != -EACCES)
			return err == -EBADF ? -EPERM : err; /* not opened for this kind of lock */
	}
	/* In the way; or it was, a moment ago: then any lock is as good an answer as none. */
	err = op->volume->store->lock(file->fd, F_OFD_GETLK, &wanted);
	if (err)
		return err;
	tell_conflict(&wanted, res);
	if (args->op == XFER_LOCK_SET && res->granted) {
		res->granted = false;
		res->conflict = args->lock;
	}
	return 0;
}

int service_lock(const struct op *op)
{
	const struct xfer_lock_args *args = &op->request->args.lock;
	struct file *file;
	int err = check_range(&args->lock);

	if (err)
		return err;
	if (args->op == XFER_LOCK_TEST && args->open_id == 0)
		err = open_for_test(op, &file);
	else
		err = find_open(op, &file);
	if (err)
		return err;
	creds_daemon();
	err = apply(op, file);
	file_put(file);
	return err;
}
