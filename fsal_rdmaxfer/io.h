/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* io.h -- a file's data: Ganesha's object operations for it */
#ifndef FSAL_RDMAXFER_IO_H
#define FSAL_RDMAXFER_IO_H

#include "object.h"

/* Both return before they are done; `done` is called on a lane's thread, or on this one. */
void rdx_read2(struct fsal_obj_handle *obj, bool bypass, fsal_async_cb done,
	struct fsal_io_arg *arg, void *caller_arg);
void rdx_write2(struct fsal_obj_handle *obj, bool bypass, fsal_async_cb done,
	struct fsal_io_arg *arg, void *caller_arg);
/* Hints are declined: Ganesha 4.3 would keep them where an open's state has its list of locks, and crash at CLOSE. */
fsal_status_t rdx_io_advise(struct fsal_obj_handle *obj, struct io_hints *hints);
fsal_status_t rdx_commit2(struct fsal_obj_handle *obj, off_t offset, size_t len);

#endif
