/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* create.h -- making directories, symbolic links and special files: Ganesha's object operations for it */
#ifndef FSAL_RDMAXFER_CREATE_H
#define FSAL_RDMAXFER_CREATE_H

#include "object.h"

fsal_status_t rdx_mkdir(struct fsal_obj_handle *dir, const char *name,
	struct fsal_attrlist *attrs_in, struct fsal_obj_handle **obj,
	struct fsal_attrlist *attrs_out);
fsal_status_t rdx_mknode(struct fsal_obj_handle *dir, const char *name, object_file_type_t type,
	struct fsal_attrlist *attrs_in, struct fsal_obj_handle **obj,
	struct fsal_attrlist *attrs_out);
fsal_status_t rdx_symlink(struct fsal_obj_handle *dir, const char *name, const char *target,
	struct fsal_attrlist *attrs_in, struct fsal_obj_handle **obj,
	struct fsal_attrlist *attrs_out);

/* content: malloc'ed, with a NUL that counts. */
fsal_status_t rdx_readlink(struct fsal_obj_handle *obj, struct gsh_buffdesc *content, bool refresh);

#endif
