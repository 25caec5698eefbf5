/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* xattr.h -- extended attributes (RFC 8276): Ganesha's object operations for them */
#ifndef FSAL_RDMAXFER_XATTR_H
#define FSAL_RDMAXFER_XATTR_H

#include "object.h"

fsal_status_t rdx_getxattrs(struct fsal_obj_handle *obj, xattrkey4 *name, xattrvalue4 *value);
fsal_status_t rdx_setxattrs(
	struct fsal_obj_handle *obj, setxattr_option4 option, xattrkey4 *name, xattrvalue4 *value);
fsal_status_t rdx_removexattrs(struct fsal_obj_handle *obj, xattrkey4 *name);
fsal_status_t rdx_listxattrs(struct fsal_obj_handle *obj, count4 max_bytes, nfs_cookie4 *cookie,
	bool_t *eof, xattrlist4 *names);

#endif
