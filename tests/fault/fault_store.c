/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* fault_store.c -- a store that can forget what wasn't synced, as a kernel does that goes down */

#include "fault_store.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "boot.h"
#include "fault.h"
#include "xfer/xfer.h"

#define DIRECTORY "fault"
#define BOOT_FILE "boot"
#define PROCESS   "process" /* there: only a process has ended */
#define IMAGE     "image-"  /* begins the name of one */
#define NEW       ".new"    /* ends it while the image isn't complete */

#define HANDLE_BYTES 64u /* the longest kernel handle that fits a name */
#define LOCKS        64u
#define SLOW_EVERY   16u
#define SLOW_NAMES   4u /* of names, so many */

struct store_ops fault_store;
static int dir = -1;
static bool forget; /* recovery has to */
static unsigned char boot_id[16];
static _Atomic unsigned slow_ms, writes, names;
/* A file's image and what it is the image of change together; by inode number. */
static pthread_mutex_t locks[LOCKS] = { [0 ... LOCKS - 1] = PTHREAD_MUTEX_INITIALIZER };

/* --- images ------------------------------------------------------------------------------------ */

struct image_name {
	char text[32 + 2 * HANDLE_BYTES];
};

/* By file system and kernel handle, which no later file has, even with the same inode number. */
static int name_image(int fd, const struct statx *stx, struct image_name *name)
{
	union kernel_handle handle;
	int mount_id, at;
	int err = store_posix.handle_of(fd, &handle, &mount_id);

	if (err)
		return err;
	if (handle.fh.handle_bytes > HANDLE_BYTES)
		return -EOVERFLOW;
	at = sprintf(name->text, IMAGE "%x:%x-%x-", stx->stx_dev_major, stx->stx_dev_minor,
		(unsigned)handle.fh.handle_type);
	for (unsigned i = 0; i < handle.fh.handle_bytes; i++)
		at += sprintf(name->text + at, "%02x", handle.fh.f_handle[i]);
	return 0;
}

/* From an image's name, behind the file system's part; false: the image isn't complete. */
static bool handle_of_name(const char *name, union kernel_handle *handle)
{
	unsigned type, byte;
	int at = 0;

	if (strstr(name, NEW) || sscanf(name, "%x-%n", &type, &at) != 1)
		return false;
	handle->fh.handle_type = (int)type;
	handle->fh.handle_bytes = 0;
	for (name += at; sscanf(name, "%2x", &byte) == 1; name += 2)
		handle->fh.f_handle[handle->fh.handle_bytes++] = (unsigned char)byte;
	return true;
}

/* Copies what is data, so that holes stay, and the size. */
static int copy(int from, int to, uint64_t size)
{
	off_t at = 0, end;

	if (ftruncate(to, 0) || ftruncate(to, (off_t)size))
		return -errno;
	while ((at = lseek(from, at, SEEK_DATA)) >= 0) {
		end = lseek(from, at, SEEK_HOLE);
		if (end < 0 || lseek(to, at, SEEK_SET) < 0)
			return -errno;
		while (at < end) {
			ssize_t n = sendfile(to, from, &at, (size_t)(end - at));

			if (n <= 0)
				return n < 0 ? -errno : 0;
		}
	}
	return errno == ENXIO ? 0 : -errno;
}

/* An image is there as a whole or not at all: the process may be killed at any time. */
static int make_image(int fd, const struct statx *stx, const char *name)
{
	char temporary[sizeof(struct image_name) + sizeof(NEW)];
	int from = store_posix.reopen(fd, O_RDONLY);
	int to, err;

	if (from < 0)
		return from;
	snprintf(temporary, sizeof(temporary), "%s" NEW, name);
	to = openat(dir, temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	err = to < 0 ? -errno : copy(from, to, stx->stx_size);
	if (err == 0 && renameat(dir, temporary, dir, name))
		err = -errno;
	if (to >= 0)
		close(to);
	close(from);
	return err;
}

/* Before an unsynced change. */
static int keep_image(int fd, const struct statx *stx)
{
	struct image_name name;
	int err = name_image(fd, stx, &name);

	if (err || faccessat(dir, name.text, F_OK, 0) == 0)
		return err;
	return make_image(fd, stx, name.text);
}

/* `length` bytes at the front of the pieces are durable. */
static int write_image(
	int fd, const struct statx *stx, const struct iovec *iov, size_t length, uint64_t offset)
{
	struct image_name name;
	int err = name_image(fd, stx, &name), image;

	if (err)
		return err;
	image = openat(dir, name.text, O_WRONLY | O_CLOEXEC);
	if (image < 0)
		return errno == ENOENT ? 0 : -errno;
	for (; length > 0 && err == 0; iov++) {
		size_t piece = iov->iov_len < length ? iov->iov_len : length;

		if (pwrite(image, iov->iov_base, piece, (off_t)offset) != (ssize_t)piece)
			err = -EIO;
		offset += piece;
		length -= piece;
	}
	close(image);
	return err;
}

static int drop_image(int fd, const struct statx *stx)
{
	struct image_name name;
	int err = name_image(fd, stx, &name);

	if (err == 0 && unlinkat(dir, name.text, 0) && errno != ENOENT)
		err = -errno;
	return err;
}

/* --- the calls that differ --------------------------------------------------------------------- */

/* What a call has to know, and hold, of a file. */
struct held {
	struct statx stx;
	pthread_mutex_t *lock;
};

static int hold(int fd, struct held *held)
{
	int err = store_posix.stat(fd, &held->stx);

	if (err)
		return err;
	held->lock = &locks[held->stx.stx_ino % LOCKS];
	pthread_mutex_lock(held->lock);
	/* The size may be another one by now. */
	err = store_posix.stat(fd, &held->stx);
	if (err)
		pthread_mutex_unlock(held->lock);
	return err;
}

/* Images are the daemon's own, whoever the thread acts for. */
static int as_daemon(int (*act)(int fd, const struct statx *stx), int fd, const struct held *held)
{
	int uid = setfsuid(0);
	int err = act(fd, &held->stx);

	setfsuid((uid_t)uid);
	return err;
}

static void be_slow(_Atomic unsigned *count, unsigned every)
{
	unsigned ms = atomic_load(&slow_ms);
	unsigned random;

	/* A lane would delay what has nothing to do with it. */
	if (ms == 0 || xfer_on_lane_thread() || atomic_fetch_add(count, 1) % every)
		return;
	xfer_random(&random, sizeof(random));
	usleep(random % (ms * 1000));
}

static ssize_t unsynced_write(
	int fd, const struct iovec *iov, int iovcnt, uint64_t offset, int flags, struct held *held)
{
	int err = as_daemon(keep_image, fd, held);

	return err ? err : store_posix.write(fd, iov, iovcnt, offset, flags);
}

/* Killed between the two, it is lost, which nobody minds: it wasn't acknowledged. */
static ssize_t stable_write(
	int fd, const struct iovec *iov, int iovcnt, uint64_t offset, int flags, struct held *held)
{
	ssize_t put = store_posix.write(fd, iov, iovcnt, offset, flags);
	int uid = setfsuid(0);
	int err = put > 0 ? write_image(fd, &held->stx, iov, (size_t)put, offset) : 0;

	setfsuid((uid_t)uid);
	return err ? err : put;
}

static ssize_t fault_write(int fd, const struct iovec *iov, int iovcnt, uint64_t offset, int flags)
{
	bool stable = flags & (RWF_SYNC | RWF_DSYNC);
	struct held held;
	ssize_t put;
	int err;

	be_slow(&writes, SLOW_EVERY);
	err = hold(fd, &held);
	if (err)
		return err;
	put = (stable ? stable_write : unsynced_write)(fd, iov, iovcnt, offset, flags, &held);
	pthread_mutex_unlock(held.lock);
	return put;
}

/* Names are slow when it is done: who is cut off then doesn't know. */
static int name_done(int result)
{
	be_slow(&names, SLOW_NAMES);
	return result;
}

static int fault_mkdir_at(int at, const char *name, mode_t mode)
{
	return name_done(store_posix.mkdir_at(at, name, mode));
}

static int fault_unlink_at(int at, const char *name, int flags)
{
	return name_done(store_posix.unlink_at(at, name, flags));
}

static int fault_rename_at(int from, const char *from_name, int to, const char *to_name)
{
	return name_done(store_posix.rename_at(from, from_name, to, to_name));
}

static int fault_truncate(int fd, uint64_t size)
{
	struct held held;
	int err = hold(fd, &held);

	if (err)
		return err;
	err = as_daemon(keep_image, fd, &held);
	if (err == 0)
		err = store_posix.truncate(fd, size);
	pthread_mutex_unlock(held.lock);
	return err;
}

static int fault_allocate(int fd, int mode, int64_t offset, int64_t length)
{
	struct held held;
	int err = hold(fd, &held);

	if (err)
		return err;
	err = as_daemon(keep_image, fd, &held);
	if (err == 0)
		err = store_posix.allocate(fd, mode, offset, length);
	pthread_mutex_unlock(held.lock);
	return err;
}

static int fault_sync(int fd)
{
	struct held held;
	int err = hold(fd, &held);

	if (err)
		return err;
	err = store_posix.sync(fd);
	if (err == 0)
		err = as_daemon(drop_image, fd, &held);
	pthread_mutex_unlock(held.lock);
	return err;
}

/* --- begin and end ----------------------------------------------------------------------------- */

static int put_back(int mount_fd, const char *name, union kernel_handle *handle)
{
	int image = openat(dir, name, O_RDONLY | O_CLOEXEC), path, fd;
	struct stat st;
	int err = image < 0 || fstat(image, &st) ? -errno : 0;

	path = err ? err : store_posix.open_handle(mount_fd, handle);
	fd = path < 0 ? path : store_posix.reopen(path, O_WRONLY);
	if (fd >= 0) {
		err = copy(image, fd, (uint64_t)st.st_size);
		close(fd);
	} else {
		err = fd == -ESTALE ? 0 : fd; /* it was removed */
	}
	if (path >= 0)
		close(path);
	if (image >= 0)
		close(image);
	return err;
}

/* Removes the images whose names begin so, after putting them back on a file system; mount_fd -1: no matter. */
static int empty(const char *prefix, int mount_fd)
{
	DIR *list = fdopendir(openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	struct dirent *entry;
	int err = list ? 0 : -errno;

	while (err == 0 && (entry = readdir(list))) {
		const char *name = entry->d_name;
		union kernel_handle handle;

		if (strncmp(name, prefix, strlen(prefix)) != 0)
			continue;
		if (mount_fd >= 0 && handle_of_name(name + strlen(prefix), &handle))
			err = put_back(mount_fd, name, &handle);
		if (err == 0)
			unlinkat(dir, name, 0);
	}
	if (list)
		closedir(list);
	return err;
}

int fault_store_recover(int mount_fd)
{
	char prefix[32];
	struct statx stx;
	int err = store_posix.stat(mount_fd, &stx);

	if (err || !forget)
		return err;
	snprintf(prefix, sizeof(prefix), IMAGE "%x:%x-", stx.stx_dev_major, stx.stx_dev_minor);
	return empty(prefix, mount_fd);
}

static int write_boot_id(void)
{
	int fd = openat(dir, BOOT_FILE, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int err = fd < 0 || write(fd, boot_id, sizeof(boot_id)) != sizeof(boot_id) ? -EIO : 0;

	if (fd >= 0)
		close(fd);
	return err;
}

/* False: there is none yet. */
static bool read_boot_id(void)
{
	int fd = openat(dir, BOOT_FILE, O_RDONLY | O_CLOEXEC);
	bool there = fd >= 0 && read(fd, boot_id, sizeof(boot_id)) == sizeof(boot_id);

	if (fd >= 0)
		close(fd);
	return there;
}

int fault_store_start(const char *state_dir)
{
	int at = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err = at < 0 || (mkdirat(at, DIRECTORY, 0700) && errno != EEXIST) ? -errno : 0;

	dir = err ? -1 : openat(at, DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (err == 0 && dir < 0)
		err = -errno;
	if (at >= 0)
		close(at);
	if (err)
		return err;
	fault_store = store_posix;
	fault_store.write = fault_write;
	fault_store.truncate = fault_truncate;
	fault_store.mkdir_at = fault_mkdir_at;
	fault_store.unlink_at = fault_unlink_at;
	fault_store.rename_at = fault_rename_at;
	fault_store.allocate = fault_allocate;
	fault_store.sync = fault_sync;
	forget = unlinkat(dir, PROCESS, 0) != 0;
	if (read_boot_id() && (!forget || xfer_mutation(XFER_MUTATION_VERIFIER)))
		return 0;
	xfer_random(boot_id, sizeof(boot_id));
	return write_boot_id();
}

void fault_store_boot_id(unsigned char id[16])
{
	memcpy(id, boot_id, sizeof(boot_id));
}

void fault_store_end(void)
{
	empty(IMAGE, -1);
	close(dir);
	dir = -1;
}

void fault_store_slow(unsigned ms)
{
	atomic_store(&slow_ms, ms);
}
