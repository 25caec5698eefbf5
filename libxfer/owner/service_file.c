/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* service_file.c -- from a handle or an open id to a descriptor that the caller may use */

#include <errno.h>
#include <unistd.h>

#include "bufpool.h"
#include "owner/creds.h"
#include "owner/service.h"

static struct file_key key_of(
	const struct op *op, const struct xfer_handle *handle, uint32_t access, bool owner_override)
{
	return (struct file_key){ .volume = op->volume,
		.handle = handle,
		.cred = &op->cred,
		.access = access,
		.owner_override = owner_override };
}

/* An id that isn't known (of an earlier owner process) is no error: the handle leads there, too. */
static struct file *find_open(
	const struct op *op, const struct xfer_handle *handle, uint64_t open_id, uint32_t access)
{
	struct file *file = open_id ? opens_find(&op->peer->opens, open_id) : NULL;

	if (file && file->volume == op->volume && xfer_handle_equal(&file->handle, handle) &&
		(file->access & access) == access)
		return file;
	file_put(file);
	return NULL;
}

bool op_file_find(const struct op *op, const struct xfer_handle *handle, uint64_t open_id,
	uint32_t access, bool owner_override, struct op_file *result)
{
	struct file_key key = key_of(op, handle, access, owner_override);
	struct op_file found = { .file = find_open(op, handle, open_id, access), .checked = true };

	if (!found.file) {
		found.checked = false;
		found.file = filecache_find(op->service->cache, &key, &found.ctime_ns);
	}
	if (!found.file)
		return false;
	*result = found;
	return true;
}

/* POSIX checks at open() only; NFS asks at each READ and WRITE, so the owner of a file that it made read-only
 * has to be let through while it still writes. A file that may be executed may be read: it has to be. */
int op_may_access(
	const struct op *op, int fd, const struct statx *stx, uint32_t access, bool owner_override)
{
	const struct store_ops *store = op->volume->store;
	int mode = (access & XFER_OPEN_READ ? R_OK : 0) | (access & XFER_OPEN_WRITE ? W_OK : 0);
	int err = creds_assume(&op->cred);

	if (err)
		return err;
	err = store->access(fd, mode);
	if (err == -EACCES && owner_override && stx->stx_uid == op->cred.uid)
		err = 0;
	if (err == -EACCES && owner_override && mode == R_OK)
		err = store->access(fd, X_OK);
	return err;
}

int op_reopen(const struct op *op, int fd, uint32_t access)
{
	int flags = access == (XFER_OPEN_READ | XFER_OPEN_WRITE) ? O_RDWR
		    : access == XFER_OPEN_WRITE                  ? O_WRONLY
								 : O_RDONLY;

	creds_daemon();
	return op->volume->store->reopen(fd, flags | O_NOCTTY | O_NONBLOCK);
}

static int not_regular(const struct statx *stx)
{
	if (S_ISREG(stx->stx_mode))
		return 0;
	return S_ISDIR(stx->stx_mode) ? -EISDIR : -EINVAL;
}

/* The attributes are read before the permission is checked: a change between the two moves the ctime. */
static int open_anonymous(const struct op *op, const struct xfer_handle *handle, uint32_t access,
	bool owner_override, struct op_file *result)
{
	struct file_key key = key_of(op, handle, access, owner_override);
	struct object object;
	struct statx stx;
	int err = object_open(op->volume, handle, &object), fd;

	if (err)
		return err;
	err = op->volume->store->stat(object.fd, &stx);
	if (err == 0)
		err = not_regular(&stx);
	if (err == 0)
		err = op_may_access(op, object.fd, &stx, access, owner_override);
	fd = err ? err : op_reopen(op, object.fd, access);
	object_close(&object);
	if (fd < 0)
		return fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM ? -EAGAIN : fd;
	*result = (struct op_file){
		.file = file_new(op->volume, fd, access, handle, object_fileid(op->volume, &stx)),
		.checked = true,
		.ctime_ns = object_ctime_ns(&stx),
	};
	if (!result->file)
		return -EAGAIN;
	filecache_put(op->service->cache, &key, result->file, result->ctime_ns);
	return 0;
}

int op_file_recheck(const struct op *op, uint32_t access, bool owner_override, struct op_file *file)
{
	struct file_key key = key_of(op, &file->file->handle, access, owner_override);
	struct statx stx;
	int err;

	if (file->checked)
		return 0;
	err = op->volume->store->stat(file->file->fd, &stx);
	if (err)
		return err;
	if (object_ctime_ns(&stx) != file->ctime_ns) {
		err = op_may_access(op, file->file->fd, &stx, access, owner_override);
		if (err)
			return err;
		file->ctime_ns = object_ctime_ns(&stx);
		filecache_put(op->service->cache, &key, file->file, file->ctime_ns);
	}
	file->checked = true;
	return 0;
}

int op_file_get(const struct op *op, const struct xfer_handle *handle, uint64_t open_id,
	uint32_t access, bool owner_override, struct op_file *result)
{
	struct op_file file;
	int err;

	if (!op_file_find(op, handle, open_id, access, owner_override, &file))
		return open_anonymous(op, handle, access, owner_override, result);
	err = op_file_recheck(op, access, owner_override, &file);
	if (err)
		file_put(file.file);
	else
		*result = file;
	return err;
}

int op_file_get_any(const struct op *op, const struct xfer_handle *handle, uint64_t open_id,
	struct op_file *file)
{
	int err;

	if (open_id && op_file_find(op, handle, open_id, 0, true, file))
		return 0;
	err = op_file_get(op, handle, 0, XFER_OPEN_WRITE, true, file);
	if (err == -EACCES || err == -EROFS)
		err = op_file_get(op, handle, 0, XFER_OPEN_READ, true, file);
	return err;
}

int op_open_dir(const struct op *op, const struct xfer_handle *handle, struct object *dir)
{
	int err = object_open(op->volume, handle, dir);

	if (err)
		return err;
	err = creds_assume(&op->cred);
	if (err)
		object_close(dir);
	return err;
}

/* arg: the buffer's size. */
static void release_buffer(void *arg, void *buffer)
{
	xfer_bufpool_put(buffer, (size_t)(uintptr_t)arg);
}

void *op_answer_buffer(struct xfer_request *request, size_t size)
{
	if (request->answer)
		return request->answer;
	if (size == 0)
		size = 1;
	request->answer = xfer_bufpool_get(size);
	request->release = release_buffer;
	request->release_arg = (void *)(uintptr_t)size;
	return request->answer;
}
