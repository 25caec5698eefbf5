/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* state.h -- what the module keeps per state of Ganesha's: what it has open and locked at the owner */
#ifndef FSAL_RDMAXFER_STATE_H
#define FSAL_RDMAXFER_STATE_H

#include "held.h"
#include "object.h"

struct rdx_shared_open;

struct rdx_state {
	struct state_t state;
	/* Referenced. A lock's state shares that of the open it was made under, and sees it change. */
	struct rdx_shared_open *shared;
	/* Of a lock's state: the open at the owner that its locks belong to; NULL: none. Under the lock of `shared`. */
	struct rdx_held *locks;
};

struct state_t *rdx_alloc_state(
	struct fsal_export *export, enum state_type type, struct state_t *related);
void rdx_free_state(struct fsal_export *export, struct state_t *state);

/* Whether a state has an open of its own, with a share reservation. */
bool rdx_state_is_open(const struct state_t *state);

/* The state's open becomes another (NULL: none); flags: access and deny. Gives the record that it replaces, or NULL. */
struct rdx_held *rdx_state_set(
	struct state_t *state, fsal_openflags_t flags, struct rdx_held *held);

/* The flags of a state's open. */
fsal_openflags_t rdx_state_flags(struct state_t *state);

/* The same for what a lock state's locks belong to; whoever holds the object's state lock may use it. */
struct rdx_held *rdx_state_locks(struct state_t *state);
struct rdx_held *rdx_state_set_locks(struct state_t *state, struct rdx_held *locks);

/* What an operation uses of its state. */
struct rdx_use {
	uint64_t open_id; /* 0: none fits; the owner opens the file for the operation */
	/* Referenced: the locks that it comes under; NULL: none. */
	struct rdx_held *guard;
};

/*
 * Without a state ERR_FSAL_SHARE_DENIED when others deny that access, unless bypass. Under a lock's state ERR_FSAL_IO
 * when its locks are lost, so that nothing is done unprotected; ERR_FSAL_DELAY while they are made again.
 */
fsal_status_t rdx_state_use(struct rdx_object *object, struct state_t *state,
	fsal_openflags_t access, bool bypass, struct rdx_use *use);
/* The operation has ended. -EIO: its locks were lost meanwhile; else err. */
int rdx_state_used(struct rdx_use *use, int err);

#endif
