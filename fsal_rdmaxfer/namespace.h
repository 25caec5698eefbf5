/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* namespace.h -- names in directories: Ganesha's object operations for them */
#ifndef FSAL_RDMAXFER_NAMESPACE_H
#define FSAL_RDMAXFER_NAMESPACE_H

#include "object.h"

fsal_status_t rdx_lookup(struct fsal_obj_handle *dir, const char *name,
	struct fsal_obj_handle **obj, struct fsal_attrlist *attrs_out);
fsal_status_t rdx_link(struct fsal_obj_handle *obj, struct fsal_obj_handle *dir, const char *name);
fsal_status_t rdx_rename(struct fsal_obj_handle *obj, struct fsal_obj_handle *from_dir,
	const char *from_name, struct fsal_obj_handle *to_dir, const char *to_name);
fsal_status_t rdx_unlink(
	struct fsal_obj_handle *dir, struct fsal_obj_handle *obj, const char *name);

#endif
