/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* listing.h -- listings of directories: Ganesha's object operation for them */
#ifndef FSAL_RDMAXFER_LISTING_H
#define FSAL_RDMAXFER_LISTING_H

#include "object.h"

fsal_status_t rdx_readdir(struct fsal_obj_handle *dir, fsal_cookie_t *whence, void *dir_state,
	fsal_readdir_cb cb, attrmask_t attrmask, bool *eof);

#endif
