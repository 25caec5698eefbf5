/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* store.c -- a volume's POSIX file system behind the ops table */
#include "owner/store.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

/* /proc/self/fd: the thread group's own entries may be opened by each thread, whatever its fsuid. */
static int proc_fd = -1;

int store_posix_prepare(void)
{
	if (proc_fd >= 0)
		return 0;
	int fd = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	proc_fd = fd;
	return 0;
}

static int result(int ret)
{
	return ret < 0 ? -errno : ret;
}

struct fd_name {
	char text[16];
};

static struct fd_name name_of(int fd)
{
	struct fd_name name;
	snprintf(name.text, sizeof(name.text), "%d", fd);
	return name;
}

static int posix_handle_of(int fd, union kernel_handle *handle, int *mount_id)
{
	handle->fh.handle_bytes = MAX_HANDLE_SZ;
	return result(name_to_handle_at(fd, "", &handle->fh, mount_id, AT_EMPTY_PATH));
}

static int posix_open_handle(int mount_fd, union kernel_handle *handle)
{
	return result(open_by_handle_at(mount_fd, &handle->fh, O_PATH | O_NOFOLLOW | O_CLOEXEC));
}

static int posix_open_at(int dir, const char *name, int flags, mode_t mode)
{
	return result(openat(dir, name, flags | O_NOFOLLOW | O_CLOEXEC, mode));
}

static int posix_reopen(int fd, int flags)
{
	return result(openat(proc_fd, name_of(fd).text, flags | O_CLOEXEC));
}

static int posix_close(int fd)
{
	return result(close(fd));
}

static int posix_stat(int fd, struct statx *stx)
{
	return result(statx(fd, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_STATX_SYNC_AS_STAT,
		STATX_BASIC_STATS | STATX_MNT_ID, stx));
}

static int posix_statfs(int fd, struct statfs *statfs)
{
	return result(fstatfs(fd, statfs));
}

static int posix_access(int fd, int mode)
{
	/* glibc's faccessat() emulates AT_EACCESS from the mode bits; the kernel knows ACLs. */
	return result((int)syscall(SYS_faccessat2, fd, "", mode, AT_EMPTY_PATH | AT_EACCESS));
}

static int posix_chmod(int fd, mode_t mode)
{
	return result(fchmodat(proc_fd, name_of(fd).text, mode, 0));
}

static int posix_chown(int fd, uid_t uid, gid_t gid)
{
	return result(fchownat(fd, "", uid, gid, AT_EMPTY_PATH));
}

static int posix_utimes(int fd, const struct timespec times[2])
{
	return result(utimensat(fd, "", times, AT_EMPTY_PATH));
}

static int posix_truncate(int fd, uint64_t size)
{
	return result(ftruncate(fd, (off_t)size));
}

static int posix_mkdir_at(int dir, const char *name, mode_t mode)
{
	return result(mkdirat(dir, name, mode));
}

static int posix_unlink_at(int dir, const char *name, int flags)
{
	return result(unlinkat(dir, name, flags));
}

static int posix_rename_at(int from, const char *from_name, int to, const char *to_name)
{
	return result(renameat(from, from_name, to, to_name));
}

static int posix_seek_dir(int fd, uint64_t offset)
{
	return lseek(fd, (off_t)offset, SEEK_SET) < 0 ? -errno : 0;
}

static ssize_t posix_list(int fd, void *buffer, size_t length)
{
	ssize_t got = getdents64(fd, buffer, length);
	return got < 0 ? -errno : got;
}

static ssize_t posix_read(int fd, void *buffer, size_t length, uint64_t offset, int flags)
{
	struct iovec iov = { .iov_base = buffer, .iov_len = length };
	ssize_t got = preadv2(fd, &iov, 1, (off_t)offset, flags);
	return got < 0 ? -errno : got;
}

static ssize_t posix_write(int fd, const struct iovec *iov, int iovcnt, uint64_t offset, int flags)
{
	ssize_t put = pwritev2(fd, iov, iovcnt, (off_t)offset, flags);
	return put < 0 ? -errno : put;
}

static int posix_sync(int fd)
{
	return result(fsync(fd));
}

const struct store_ops store_posix = {
	.handle_of = posix_handle_of,
	.open_handle = posix_open_handle,
	.open_at = posix_open_at,
	.reopen = posix_reopen,
	.close = posix_close,
	.stat = posix_stat,
	.statfs = posix_statfs,
	.access = posix_access,
	.chmod = posix_chmod,
	.chown = posix_chown,
	.utimes = posix_utimes,
	.truncate = posix_truncate,
	.mkdir_at = posix_mkdir_at,
	.unlink_at = posix_unlink_at,
	.rename_at = posix_rename_at,
	.seek_dir = posix_seek_dir,
	.list = posix_list,
	.read = posix_read,
	.write = posix_write,
	.sync = posix_sync,
};
