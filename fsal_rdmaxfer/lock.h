/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* lock.h -- byte-range locks: Ganesha's object operation for them */
#ifndef FSAL_RDMAXFER_LOCK_H
#define FSAL_RDMAXFER_LOCK_H

#include "object.h"

fsal_status_t rdx_lock_op2(struct fsal_obj_handle *obj, struct state_t *state, void *lock_owner,
	fsal_lock_op_t lock_op, fsal_lock_param_t *request, fsal_lock_param_t *conflict);

/* The end of a lock's state: the owner gives up what it still holds. Never blocks. */
void rdx_lock_close(struct fsal_obj_handle *obj, struct state_t *state);

#endif
