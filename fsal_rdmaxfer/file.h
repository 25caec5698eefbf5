/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* file.h -- opening and closing files: Ganesha's object operations for it */
#ifndef FSAL_RDMAXFER_FILE_H
#define FSAL_RDMAXFER_FILE_H

#include "held.h"
#include "object.h"

fsal_status_t rdx_open2(struct fsal_obj_handle *obj, struct state_t *state, fsal_openflags_t flags,
	enum fsal_create_mode mode, const char *name, struct fsal_attrlist *attrs_in,
	fsal_verifier_t verifier, struct fsal_obj_handle **new_obj, struct fsal_attrlist *attrs_out,
	bool *caller_perm_check);
fsal_status_t rdx_reopen2(
	struct fsal_obj_handle *obj, struct state_t *state, fsal_openflags_t flags);
fsal_openflags_t rdx_status2(struct fsal_obj_handle *obj, struct state_t *state);
bool rdx_check_verifier(struct fsal_obj_handle *obj, fsal_verifier_t verifier);
fsal_status_t rdx_close(struct fsal_obj_handle *obj);
fsal_status_t rdx_close2(struct fsal_obj_handle *obj, struct state_t *state);

/* Gives up an open there; 0: none. Never fails and never blocks. */
void rdx_close_at_owner(struct rdx_object *object, uint64_t open_id);

/*
 * The record of an open that the owner has granted to the thread's caller; flags, round: as of rdx_held_new. NULL: the
 * session has ended.
 */
struct rdx_held *rdx_hold(
	struct rdx_object *object, uint32_t flags, uint64_t round, uint64_t open_id);

/* Ends a record and its open; NULL: there is none. Never fails and never blocks. */
void rdx_give_up(struct rdx_object *object, struct rdx_held *held);

#endif
