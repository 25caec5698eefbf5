/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* object.h -- a file, directory or anything else in a volume, found by its wire handle */
#ifndef XFER_OWNER_OBJECT_H
#define XFER_OWNER_OBJECT_H

#include "owner/volume.h"

/* An O_PATH descriptor (the root's: an ordinary one) that the holder closes by object_close. */
struct object {
	struct volume *volume;
	int fd;
	bool root; /* fd is the volume's own */
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

uint64_t object_ctime_ns(const struct statx *stx);

/* changed: the caller has just changed the object. */
int object_attr(struct volume *volume, int fd, bool changed, struct xfer_attr *attr);
void object_opt_attr(struct volume *volume, int fd, bool changed, struct xfer_opt_attr *attr);
/* The same with what was read. */
int object_stat_attr(
	struct volume *volume, int fd, bool changed, struct statx *stx, struct xfer_attr *attr);

int object_handle(struct volume *volume, int fd, struct xfer_handle *handle);
/* Handle and attributes. */
int object_node(struct volume *volume, int fd, bool changed, struct xfer_node *node);

/* Applies what `set` asks for, but for the size, with the thread's permissions. */
int object_set(struct volume *volume, int fd, const struct xfer_setattr *set);

#endif
