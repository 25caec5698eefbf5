/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* store.h -- the system calls that touch a volume, as one table that tests can replace */
#ifndef XFER_OWNER_STORE_H
#define XFER_OWNER_STORE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

/* Room for a kernel handle of any file system. */
union kernel_handle {
	struct file_handle fh;
	unsigned char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
};

/*
 * Each returns a value >= 0 or -errno. `fd` may be an O_PATH descriptor except where "open" is said.
 * Every descriptor that is made is close-on-exec. Permissions are those of the calling thread (creds.h).
 * Any thread.
 */
struct store_ops {
	int (*handle_of)(int fd, union kernel_handle *handle, int *mount_id);
	/* An O_PATH descriptor; needs the daemon's own credentials. */
	int (*open_handle)(int mount_fd, union kernel_handle *handle);
	/* Never follows a symbolic link in the last place. */
	int (*open_at)(int dir, const char *name, int flags, mode_t mode);
	/* Opens the object behind `fd` once more, with other flags. */
	int (*reopen)(int fd, int flags);
	int (*close)(int fd);
	int (*stat)(int fd, struct statx *stx);
	int (*statfs)(int fd, struct statfs *statfs);
	/* Whether the calling thread's fsuid may access it: R_OK, W_OK, X_OK. */
	int (*access)(int fd, int mode);
	int (*chmod)(int fd, mode_t mode);
	int (*chown)(int fd, uid_t uid, gid_t gid);
	int (*utimes)(int fd, const struct timespec times[2]);
	int (*truncate)(int fd, uint64_t size); /* open for writing */
	int (*mkdir_at)(int dir, const char *name, mode_t mode);
	int (*symlink_at)(const char *target, int dir, const char *name);
	int (*mknod_at)(
		int dir, const char *name, mode_t mode, dev_t dev); /* mode: with the type */
	/* One more name for the object behind `fd`; needs the daemon's own credentials. */
	int (*link_at)(int fd, int dir, const char *name);
	ssize_t (*readlink)(int fd, char *target, size_t length);
	int (*unlink_at)(int dir, const char *name, int flags);
	int (*rename_at)(int from, const char *from_name, int to, const char *to_name);
	int (*seek_dir)(int fd, uint64_t offset);             /* open */
	ssize_t (*list)(int fd, void *buffer, size_t length); /* open; struct dirent64 */
	ssize_t (*read)(int fd, void *buffer, size_t length, uint64_t offset, int flags); /* open */
	ssize_t (*write)(
		int fd, const struct iovec *iov, int iovcnt, uint64_t offset, int flags); /* open */
	int (*sync)(int fd);                                                              /* open */
	int64_t (*seek)(int fd, int64_t offset, int whence); /* open; SEEK_HOLE, SEEK_DATA */
	int (*allocate)(int fd, int mode, int64_t offset, int64_t length); /* open for writing */
	/* An open-file-description lock: F_OFD_SETLK, F_OFD_GETLK. Open. */
	int (*lock)(int fd, int command, struct flock *lock);
	ssize_t (*get_xattr)(int fd, const char *name, void *value, size_t length);
	int (*set_xattr)(int fd, const char *name, const void *value, size_t length, int flags);
	int (*remove_xattr)(int fd, const char *name);
	ssize_t (*list_xattr)(int fd, char *names, size_t length);
};

extern const struct store_ops store_posix;

/* Opens /proc/self/fd, which reopening goes through; once, before any other call. -errno: no /proc. */
int store_posix_prepare(void);

#endif
