/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* object.h -- a file, directory or anything else in a volume, found by its wire handle */
#ifndef XFER_OWNER_OBJECT_H
#define XFER_OWNER_OBJECT_H

#include "owner/volume.h"

/* An O_PATH descriptor (the root's: an ordinary one) that the holder closes by object_close. */
struct object {
	struct volume *volume;
	int fd;
	bool root;       /* fd is the volume's own */
	uint64_t fileid; /* 0: not known */
	bool dir;        /* of an object that was opened by its name */
};

/* As the daemon, whose credentials the thread has afterwards. HANDLE_BAD, -ESTALE: the object is gone;
 * -EAGAIN: out of descriptors or memory for now. */
int object_open(struct volume *volume, const struct xfer_handle *handle, struct object *object);
void object_close(struct object *object);

/* An entry of a directory, with the thread's permissions. -EXDEV: something else is mounted there. */
int object_open_at(struct volume *volume, int dir, const char *name, struct object *object);

/* Whether a name is one that can be in a directory: 0, -EINVAL or -ENAMETOOLONG. */
int object_check_name(const char *name);
/* The same for a name that is to be made: "." and ".." are there already, -EEXIST. */
int object_check_new_name(const char *name);

/* The inode number as clients see it. */
uint64_t object_fileid(const struct volume *volume, const struct statx *stx);
/* Finds it out, if it isn't known: of an object that was opened by its handle. */
int object_learn_fileid(struct object *object);
/* A directory that was removed, but lives on as long as the kernel needs it: files that were in it may be open. */
bool object_is_removed_dir(const struct statx *stx);

uint64_t object_ctime_ns(const struct statx *stx);

/* stx: what was read. changed: the caller has just changed the object. Promises nothing: service.h has what does. */
int object_stat_attr(
	struct volume *volume, int fd, bool changed, struct statx *stx, struct xfer_attr *attr);

int object_handle(struct volume *volume, int fd, struct xfer_handle *handle);
/* Applies what `set` asks for, but for the size, with the thread's permissions. */
int object_set(struct volume *volume, int fd, const struct xfer_setattr *set);

#endif
