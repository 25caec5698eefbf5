/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* object.c -- a file, directory or anything else in a volume, found by its wire handle */

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "owner/creds.h"
#include "owner/object.h"

static const enum xfer_type types[16] = {
	[S_IFREG >> 12] = XFER_REG,
	[S_IFDIR >> 12] = XFER_DIR,
	[S_IFLNK >> 12] = XFER_LNK,
	[S_IFBLK >> 12] = XFER_BLK,
	[S_IFCHR >> 12] = XFER_CHR,
	[S_IFIFO >> 12] = XFER_FIFO,
	[S_IFSOCK >> 12] = XFER_SOCK,
};

/* Nothing has been done yet when an object can't be opened, so the caller may ask again. */
static int refused(int err)
{
	switch (err) {
	case -EMFILE:
	case -ENFILE:
	case -ENOMEM:
		return -EAGAIN;
	default:
		return err;
	}
}

int object_open(struct volume *volume, const struct xfer_handle *handle, struct object *object)
{
	union kernel_handle kernel;
	bool root;
	int err = handle_decode(&volume->maker, handle, &root, &kernel), fd;

	if (err)
		return err;
	creds_daemon();
	fd = root ? volume->root_fd : volume->store->open_handle(volume->root_fd, &kernel);
	if (fd < 0)
		return refused(fd);
	*object = (struct object){
		.volume = volume, .fd = fd, .root = root, .fileid = root ? XFER_ROOT_FILEID : 0
	};
	return 0;
}

void object_close(struct object *object)
{
	if (!object->root)
		object->volume->store->close(object->fd);
}

int object_open_at(struct volume *volume, int dir, const char *name, struct object *object)
{
	int fd = volume->store->open_at(dir, name, O_PATH, 0);
	struct statx stx;
	int err;

	if (fd < 0)
		return refused(fd);
	err = volume->store->stat(fd, &stx);
	if (err == 0 && (int)stx.stx_mnt_id != volume->mount_id)
		err = -EXDEV;
	if (err) {
		volume->store->close(fd);
		return err;
	}
	*object = (struct object){
		.volume = volume,
		.fd = fd,
		.fileid = object_fileid(volume, &stx),
		.dir = S_ISDIR(stx.stx_mode),
	};
	return 0;
}

uint64_t object_fileid(const struct volume *volume, const struct statx *stx)
{
	return stx->stx_ino == volume->root_ino ? XFER_ROOT_FILEID : stx->stx_ino;
}

int object_learn_fileid(struct object *object)
{
	struct statx stx;
	int err;

	if (object->fileid)
		return 0;
	err = object->volume->store->stat(object->fd, &stx);
	if (err == 0 && object_is_removed_dir(&stx))
		err = -ESTALE;
	if (err == 0)
		object->fileid = object_fileid(object->volume, &stx);
	return err;
}

bool object_is_removed_dir(const struct statx *stx)
{
	return S_ISDIR(stx->stx_mode) && stx->stx_nlink == 0;
}

static bool is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

int object_check_name(const char *name)
{
	if (name[0] == '\0' || strchr(name, '/') || is_dots(name))
		return -EINVAL;
	return strlen(name) > XFER_NAME_MAX ? -ENAMETOOLONG : 0;
}

int object_check_new_name(const char *name)
{
	return is_dots(name) ? -EEXIST : object_check_name(name);
}

uint64_t object_ctime_ns(const struct statx *stx)
{
	return (uint64_t)stx->stx_ctime.tv_sec * 1000000000ull + stx->stx_ctime.tv_nsec;
}

static struct xfer_time to_time(const struct statx_timestamp *stamp)
{
	return (struct xfer_time){ .sec = stamp->tv_sec, .nsec = stamp->tv_nsec };
}

int object_stat_attr(
	struct volume *volume, int fd, bool changed, struct statx *stx, struct xfer_attr *attr)
{
	uint64_t change;
	int err = change_stat(volume->changes, volume->store, fd, changed, stx, &change);

	if (err)
		return err;
	*attr = (struct xfer_attr){
		.type = types[(stx->stx_mode & S_IFMT) >> 12],
		.mode = stx->stx_mode & 07777,
		.nlink = stx->stx_nlink,
		.uid = stx->stx_uid,
		.gid = stx->stx_gid,
		.rdev_major = stx->stx_rdev_major,
		.rdev_minor = stx->stx_rdev_minor,
		.size = stx->stx_size,
		.used = stx->stx_blocks * 512,
		.fileid = object_fileid(volume, stx),
		.change = change,
		.atime = to_time(&stx->stx_atime),
		.mtime = to_time(&stx->stx_mtime),
		.ctime = to_time(&stx->stx_ctime),
	};
	return 0;
}

int object_handle(struct volume *volume, int fd, struct xfer_handle *handle)
{
	union kernel_handle kernel;
	int mount_id;
	int err = volume->store->handle_of(fd, &kernel, &mount_id);

	return err ? err : handle_encode(&volume->maker, &kernel, handle);
}

/* --- setting attributes ------------------------------------------------------------------------ */

static struct timespec time_of(
	uint32_t mask, uint32_t given, uint32_t now, const struct xfer_time *time)
{
	if (mask & now)
		return (struct timespec){ .tv_nsec = UTIME_NOW };
	if (mask & given)
		return (struct timespec){ .tv_sec = (time_t)time->sec, .tv_nsec = time->nsec };
	return (struct timespec){ .tv_nsec = UTIME_OMIT };
}

/* A symbolic link has no mode of its own: what is asked for it goes nowhere, as with FSAL_VFS. */
static int set_mode(struct volume *volume, int fd, mode_t mode)
{
	struct statx stx;
	int err = volume->store->stat(fd, &stx);

	if (err || S_ISLNK(stx.stx_mode))
		return err;
	return volume->store->chmod(fd, mode);
}

/*
 * Who may write a file may set its times to now, each by itself, too: the kernel lets only the owner do that with
 * one of them. Leaves the thread with the daemon's credentials then.
 */
static int set_times(struct volume *volume, int fd, const struct xfer_setattr *set)
{
	struct timespec stamps[2] = {
		time_of(set->mask, XFER_SET_ATIME, XFER_SET_ATIME_NOW, &set->atime),
		time_of(set->mask, XFER_SET_MTIME, XFER_SET_MTIME_NOW, &set->mtime),
	};
	int err = volume->store->utimes(fd, stamps);

	if (err != -EPERM || set->mask & (XFER_SET_ATIME | XFER_SET_MTIME) ||
		volume->store->access(fd, W_OK))
		return err;
	creds_daemon();
	return volume->store->utimes(fd, stamps);
}

/* The owner before the mode: a change of owner clears the set-id bits. */
int object_set(struct volume *volume, int fd, const struct xfer_setattr *set)
{
	const uint32_t times =
		XFER_SET_ATIME | XFER_SET_MTIME | XFER_SET_ATIME_NOW | XFER_SET_MTIME_NOW;
	int err = 0;

	if (set->mask & (XFER_SET_UID | XFER_SET_GID))
		err = volume->store->chown(fd, set->mask & XFER_SET_UID ? set->uid : (uid_t)-1,
			set->mask & XFER_SET_GID ? set->gid : (gid_t)-1);
	if (err == 0 && set->mask & XFER_SET_MODE)
		err = set_mode(volume, fd, set->mode & 07777);
	return err == 0 && set->mask & times ? set_times(volume, fd, set) : err;
}
