/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* file.c -- an open descriptor that several operations may be using */

#include <stdlib.h>

#include "owner/file.h"

struct file *file_new(const struct volume *volume, int fd, uint32_t access,
	const struct xfer_handle *handle, uint64_t fileid)
{
	struct file *file = malloc(sizeof(*file));

	if (!file) {
		volume->store->close(fd);
		return NULL;
	}
	atomic_init(&file->refs, 1);
	file->store = volume->store;
	file->volume = volume;
	file->fd = fd;
	file->access = access;
	file->fileid = fileid;
	file->handle = *handle;
	return file;
}

struct file *file_get(struct file *file)
{
	atomic_fetch_add(&file->refs, 1);
	return file;
}

void file_put(struct file *file)
{
	if (!file || atomic_fetch_sub(&file->refs, 1) != 1)
		return;
	file->store->close(file->fd);
	free(file);
}
