/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* space.h -- holes and reserved space: Ganesha's object operations for them */
#ifndef FSAL_RDMAXFER_SPACE_H
#define FSAL_RDMAXFER_SPACE_H

#include "object.h"

fsal_status_t rdx_seek2(struct fsal_obj_handle *obj, struct state_t *state, struct io_info *info);
fsal_status_t rdx_fallocate(struct fsal_obj_handle *obj, struct state_t *state, uint64_t offset,
	uint64_t length, bool allocate);

#endif
