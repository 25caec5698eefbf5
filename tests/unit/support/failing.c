/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* failing.c -- calls of the C library, one of which fails when a test says so */

#include "support/failing.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <dirent.h>
#include <unistd.h>

static _Atomic int armed = FAILING_KINDS; /* a kind; FAILING_KINDS: none */
static _Atomic unsigned countdown;
static const char *_Atomic failed;

void failing_arm(enum failing_kind kind, unsigned nth)
{
	failed = NULL;
	countdown = nth;
	armed = kind;
}

const char *failing_disarm(void)
{
	armed = FAILING_KINDS;
	return failed;
}

static bool fails(enum failing_kind kind, const char *name)
{
	if (armed != (int)kind || atomic_fetch_sub(&countdown, 1) != 1)
		return false;
	failed = name;
	return true;
}

/* `name` fails with `result` and errno `error`. */
#define FAILING(kind, type, name, params, args, result, error)                                     \
	type __real_##name params;                                                                 \
	type __wrap_##name params;                                                                 \
	type __wrap_##name params                                                                  \
	{                                                                                          \
		if (!fails(kind, #name))                                                           \
			return __real_##name args;                                                 \
		errno = error;                                                                     \
		return result;                                                                     \
	}

/* --- memory -------------------------------------------------------------------------------------- */

#define MEMORY(type, name, params, args)                                                           \
	FAILING(FAILING_MEMORY, type, name, params, args, NULL, ENOMEM)

MEMORY(void *, malloc, (size_t size), (size))
MEMORY(void *, calloc, (size_t count, size_t size), (count, size))
MEMORY(void *, realloc, (void *memory, size_t size), (memory, size))
MEMORY(void *, aligned_alloc, (size_t alignment, size_t size), (alignment, size))
MEMORY(char *, strdup, (const char *text), (text))
MEMORY(FILE *, open_memstream, (char **text, size_t *size), (text, size))
MEMORY(FILE *, fdopen, (int fd, const char *mode), (fd, mode))
FAILING(FAILING_MEMORY, void *, mmap,
	(void *at, size_t len, int protection, int flags, int fd, off_t offset),
	(at, len, protection, flags, fd, offset), MAP_FAILED, ENOMEM)

/* --- descriptors and threads --------------------------------------------------------------------- */

#define DESCRIPTORS(name, params, args, error)                                                     \
	FAILING(FAILING_DESCRIPTORS, int, name, params, args, -1, error)

DESCRIPTORS(socket, (int domain, int type, int protocol), (domain, type, protocol), EMFILE)
DESCRIPTORS(
	connect, (int fd, const struct sockaddr *to, socklen_t len), (fd, to, len), ECONNREFUSED)
DESCRIPTORS(accept4, (int fd, struct sockaddr *from, socklen_t *len, int flags),
	(fd, from, len, flags), EMFILE)
DESCRIPTORS(bind, (int fd, const struct sockaddr *to, socklen_t len), (fd, to, len), EACCES)
DESCRIPTORS(listen, (int fd, int backlog), (fd, backlog), EADDRINUSE)
DESCRIPTORS(getsockopt, (int fd, int level, int name, void *value, socklen_t *len),
	(fd, level, name, value, len), ENOBUFS)
DESCRIPTORS(setsockopt, (int fd, int level, int name, const void *value, socklen_t len),
	(fd, level, name, value, len), ENOBUFS)
DESCRIPTORS(poll, (struct pollfd * fds, nfds_t count, int ms), (fds, count, ms), EINTR)
DESCRIPTORS(epoll_create1, (int flags), (flags), EMFILE)
DESCRIPTORS(epoll_wait, (int fd, struct epoll_event *events, int max, int ms),
	(fd, events, max, ms), EINTR)
DESCRIPTORS(socketpair, (int domain, int type, int protocol, int pair[2]),
	(domain, type, protocol, pair), EMFILE)
DESCRIPTORS(memfd_create, (const char *name, unsigned flags), (name, flags), EMFILE)
DESCRIPTORS(eventfd, (unsigned count, int flags), (count, flags), EMFILE)
FAILING(FAILING_DESCRIPTORS, int, pthread_create,
	(pthread_t * thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg),
	(thread, attr, run, arg), EAGAIN, 0)

/* What is in the set can be changed and taken out whatever happens. */
int __real_epoll_ctl(int fd, int op, int of, struct epoll_event *event);
int __wrap_epoll_ctl(int fd, int op, int of, struct epoll_event *event);
int __wrap_epoll_ctl(int fd, int op, int of, struct epoll_event *event)
{
	if (op != EPOLL_CTL_ADD || !fails(FAILING_DESCRIPTORS, "epoll_ctl"))
		return __real_epoll_ctl(fd, op, of, event);
	errno = ENOMEM;
	return -1;
}

/* --- records ------------------------------------------------------------------------------------- */

FAILING(FAILING_RECORDS, ssize_t, sendmsg, (int fd, const struct msghdr *msg, int flags),
	(fd, msg, flags), -1, EPIPE)
FAILING(FAILING_RECORDS, ssize_t, recvmsg, (int fd, struct msghdr *msg, int flags),
	(fd, msg, flags), -1, ECONNRESET)
FAILING(FAILING_RECORDS, ssize_t, send, (int fd, const void *bytes, size_t len, int flags),
	(fd, bytes, len, flags), -1, EPIPE)
FAILING(FAILING_RECORDS, ssize_t, recv, (int fd, void *bytes, size_t len, int flags),
	(fd, bytes, len, flags), -1, ECONNRESET)

/* --- files --------------------------------------------------------------------------------------- */

#define FILES(type, name, params, args, error)                                                     \
	FAILING(FAILING_FILES, type, name, params, args, -1, error)

FAILING(FAILING_FILES, FILE *, fopen, (const char *path, const char *mode), (path, mode), NULL,
	EMFILE)
FILES(int, open_by_handle_at, (int mount, struct file_handle *handle, int flags),
	(mount, handle, flags), ESTALE)
FILES(int, name_to_handle_at,
	(int dir, const char *name, struct file_handle *handle, int *mount, int flags),
	(dir, name, handle, mount, flags), EIO)
FILES(int, stat, (const char *path, struct stat *st), (path, st), EIO)
FILES(int, fstat, (int fd, struct stat *st), (fd, st), EIO)
FILES(int, lstat, (const char *path, struct stat *st), (path, st), EIO)
FILES(int, statx, (int dir, const char *name, int flags, unsigned mask, struct statx *stx),
	(dir, name, flags, mask, stx), EIO)
FILES(int, fstatfs, (int fd, struct statfs *st), (fd, st), EIO)
FILES(int, flock, (int fd, int how), (fd, how), ENOLCK)
FILES(int, fsync, (int fd), (fd), EIO)
FILES(int, chmod, (const char *path, mode_t mode), (path, mode), EPERM)
FILES(int, fchmodat, (int dir, const char *name, mode_t mode, int flags), (dir, name, mode, flags),
	EIO)
FILES(int, fchownat, (int dir, const char *name, uid_t uid, gid_t gid, int flags),
	(dir, name, uid, gid, flags), EIO)
FILES(int, utimensat, (int dir, const char *name, const struct timespec times[2], int flags),
	(dir, name, times, flags), EIO)
FILES(int, ftruncate, (int fd, off_t size), (fd, size), EIO)
FILES(int, fallocate, (int fd, int mode, off_t at, off_t len), (fd, mode, at, len), ENOSPC)
FILES(off_t, lseek, (int fd, off_t at, int whence), (fd, at, whence), EIO)
FILES(int, mkdir, (const char *path, mode_t mode), (path, mode), ENOSPC)
FILES(int, mkdirat, (int dir, const char *name, mode_t mode), (dir, name, mode), ENOSPC)
FILES(int, mknodat, (int dir, const char *name, mode_t mode, dev_t dev), (dir, name, mode, dev),
	ENOSPC)
FILES(int, symlinkat, (const char *target, int dir, const char *name), (target, dir, name), ENOSPC)
FILES(int, linkat, (int dir, const char *name, int to_dir, const char *to, int flags),
	(dir, name, to_dir, to, flags), ENOSPC)
FILES(int, renameat, (int dir, const char *name, int to_dir, const char *to),
	(dir, name, to_dir, to), ENOSPC)
FILES(int, unlink, (const char *path), (path), EIO)
FILES(int, unlinkat, (int dir, const char *name, int flags), (dir, name, flags), EIO)
FILES(ssize_t, readlinkat, (int dir, const char *name, char *target, size_t len),
	(dir, name, target, len), EIO)
FILES(ssize_t, getdents64, (int fd, void *buffer, size_t len), (fd, buffer, len), EIO)
FILES(ssize_t, preadv2, (int fd, const struct iovec *iov, int count, off_t at, int flags),
	(fd, iov, count, at, flags), EIO)
FILES(ssize_t, pwritev2, (int fd, const struct iovec *iov, int count, off_t at, int flags),
	(fd, iov, count, at, flags), EIO)
FILES(int, setxattr, (const char *path, const char *name, const void *value, size_t len, int flags),
	(path, name, value, len, flags), ENOSPC)
FILES(ssize_t, getxattr, (const char *path, const char *name, void *value, size_t len),
	(path, name, value, len), EIO)
FILES(ssize_t, listxattr, (const char *path, char *names, size_t len), (path, names, len), EIO)
FILES(int, removexattr, (const char *path, const char *name), (path, name), EIO)

/* Those that take a mode or not. */
#define OPENING(name, params, args, last)                                                          \
	int __real_##name params;                                                                  \
	int __wrap_##name params;                                                                  \
	int __wrap_##name params                                                                   \
	{                                                                                          \
		va_list ap;                                                                        \
		mode_t mode;                                                                       \
                                                                                                   \
		va_start(ap, last);                                                                \
		mode = va_arg(ap, mode_t);                                                         \
		va_end(ap);                                                                        \
		if (!fails(FAILING_FILES, #name))                                                  \
			return __real_##name args;                                                 \
		errno = EMFILE;                                                                    \
		return -1;                                                                         \
	}

OPENING(open, (const char *path, int flags, ...), (path, flags, mode), flags)
OPENING(openat, (int dir, const char *name, int flags, ...), (dir, name, flags, mode), flags)

/* An eventfd's eight bytes always arrive. */
ssize_t __real_write(int fd, const void *bytes, size_t len);
ssize_t __wrap_write(int fd, const void *bytes, size_t len);
ssize_t __wrap_write(int fd, const void *bytes, size_t len)
{
	if (len == sizeof(uint64_t) || !fails(FAILING_FILES, "write"))
		return __real_write(fd, bytes, len);
	errno = ENOSPC;
	return -1;
}

ssize_t __real_read(int fd, void *bytes, size_t len);
ssize_t __wrap_read(int fd, void *bytes, size_t len);
ssize_t __wrap_read(int fd, void *bytes, size_t len)
{
	if (len == sizeof(uint64_t) || !fails(FAILING_FILES, "read"))
		return __real_read(fd, bytes, len);
	errno = EIO;
	return -1;
}

/* Locks, and copies of descriptors. */
int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, command);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (command == F_OFD_SETLK && fails(FAILING_FILES, "fcntl")) {
		errno = ENOLCK;
		return -1;
	}
	if (command == F_DUPFD_CLOEXEC && fails(FAILING_DESCRIPTORS, "fcntl")) {
		errno = EMFILE;
		return -1;
	}
	return __real_fcntl(fd, command, arg);
}

/* Ids can always be given back: without that the daemon ends, as it should. */
long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
long __wrap_syscall(long number, ...)
{
	long args[4];
	va_list ap;

	va_start(ap, number);
	for (int i = 0; i < 4; i++)
		args[i] = va_arg(ap, long);
	va_end(ap);
	if (number == SYS_setfsuid || number == SYS_setfsgid || !fails(FAILING_FILES, "syscall"))
		return __real_syscall(number, args[0], args[1], args[2], args[3]);
	errno = EPERM;
	return -1;
}
