/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* file.h -- an open descriptor that several operations may be using */
#ifndef XFER_OWNER_FILE_H
#define XFER_OWNER_FILE_H

#include <stdatomic.h>

#include "owner/volume.h"
#include "xfer/xfer.h"

/* Constant but for the references. The descriptor is closed with the last of them, on whichever thread. */
struct file {
	_Atomic unsigned refs;
	const struct store_ops *store;
	int fd;
	const struct volume *volume; /* whose it is; to be compared only */
	uint32_t access; /* of XFER_OPEN_READ and XFER_OPEN_WRITE: what it may be used for */
	uint64_t fileid; /* of the file */
	struct xfer_handle handle;
};

/* Takes the descriptor over, also on failure. NULL: out of memory. */
struct file *file_new(const struct volume *volume, int fd, uint32_t access,
	const struct xfer_handle *handle, uint64_t fileid);
struct file *file_get(struct file *file);
void file_put(struct file *file); /* NULL is ignored */

#endif
