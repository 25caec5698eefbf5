/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* store.c -- a volume's POSIX file system behind the ops table */
#include "owner/store.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
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

static int posix_symlink_at(const char *target, int dir, const char *name)
{
	return result(symlinkat(target, dir, name));
}

static int posix_mknod_at(int dir, const char *name, mode_t mode, dev_t dev)
{
	return result(mknodat(dir, name, mode, dev));
}

static int posix_link_at(int fd, int dir, const char *name)
{
	return result(linkat(fd, "", dir, name, AT_EMPTY_PATH));
}

static ssize_t posix_readlink(int fd, char *target, size_t length)
{
	ssize_t got = readlinkat(fd, "", target, length);
	return got < 0 ? -errno : got;
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

static int64_t posix_seek(int fd, int64_t offset, int whence)
{
	off_t found = lseek(fd, offset, whence);
	return found < 0 ? -errno : found;
}

static int posix_allocate(int fd, int mode, int64_t offset, int64_t length)
{
	return result(fallocate(fd, mode, offset, length));
}

static int posix_lock(int fd, int command, struct flock *lock)
{
	return result(fcntl(fd, command, lock));
}

/* There are no calls for O_PATH descriptors but by way of /proc. */
struct fd_path {
	char text[32];
};

static struct fd_path path_of(int fd)
{
	struct fd_path path;
	snprintf(path.text, sizeof(path.text), "/proc/self/fd/%d", fd);
	return path;
}

static ssize_t posix_get_xattr(int fd, const char *name, void *value, size_t length)
{
	ssize_t got = getxattr(path_of(fd).text, name, value, length);
	return got < 0 ? -errno : got;
}

static int posix_set_xattr(int fd, const char *name, const void *value, size_t length, int flags)
{
	return result(setxattr(path_of(fd).text, name, value, length, flags));
}

static int posix_remove_xattr(int fd, const char *name)
{
	return result(removexattr(path_of(fd).text, name));
}

static ssize_t posix_list_xattr(int fd, char *names, size_t length)
{
	ssize_t got = listxattr(path_of(fd).text, names, length);
	return got < 0 ? -errno : got;
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
	.symlink_at = posix_symlink_at,
	.mknod_at = posix_mknod_at,
	.link_at = posix_link_at,
	.readlink = posix_readlink,
	.unlink_at = posix_unlink_at,
	.rename_at = posix_rename_at,
	.seek_dir = posix_seek_dir,
	.list = posix_list,
	.read = posix_read,
	.write = posix_write,
	.sync = posix_sync,
	.seek = posix_seek,
	.allocate = posix_allocate,
	.lock = posix_lock,
	.get_xattr = posix_get_xattr,
	.set_xattr = posix_set_xattr,
	.remove_xattr = posix_remove_xattr,
	.list_xattr = posix_list_xattr,
};
