/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* state.h -- what the module keeps per state of Ganesha's: the open at the owner */
#ifndef FSAL_RDMAXFER_STATE_H
#define FSAL_RDMAXFER_STATE_H

#include <stdatomic.h>

#include "object.h"

/*
 * An open as it could be made again: Ganesha offers no way to walk through its states, so what a
 * successor of the owner needs to be told is kept here.
 */
struct rdx_open {
	struct xfer_handle handle;
	fsal_openflags_t flags; /* access and deny; FSAL_O_CLOSED: there is none */
	struct xfer_cred cred;  /* who opened it; the groups are not kept */
	uint64_t open_id;       /* 0: the owner keeps none */
};

struct rdx_shared_open;

struct rdx_state {
	struct state_t state;
	/* Referenced. A lock's state shares that of the open it was made under, and sees it change. */
	struct rdx_shared_open *shared;
	/* Of a lock's state: the open at the owner that its locks belong to; 0: none. */
	_Atomic uint64_t lock_id;
};

struct state_t *rdx_alloc_state(
	struct fsal_export *export, enum state_type type, struct state_t *related);
void rdx_free_state(struct fsal_export *export, struct state_t *state);

/* Whether a state has an open of its own, with a share reservation. */
bool rdx_state_is_open(const struct state_t *state);

/* Records an open; the open id that it replaces and that is to be closed, or 0. */
uint64_t rdx_state_set(struct state_t *state, const struct rdx_open *open);

/* The flags of a state's open. */
fsal_openflags_t rdx_state_flags(struct state_t *state);

/* The open that a lock state's locks belong to, or 0; and another one in its place, which gives the present one. */
uint64_t rdx_state_lock_id(struct state_t *state);
uint64_t rdx_state_set_lock_id(struct state_t *state, uint64_t open_id);

/*
 * The open that an operation of a state uses. *open_id: 0 where none fits, so that the owner opens the file
 * for the operation. Without a state ERR_FSAL_SHARE_DENIED when others deny that access, unless bypass.
 */
fsal_status_t rdx_state_open_id(struct rdx_object *object, struct state_t *state,
	fsal_openflags_t access, bool bypass, uint64_t *open_id);

#endif
