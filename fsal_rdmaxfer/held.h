/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* held.h -- what this process has open and locked at an owner, so that it can be had again */
#ifndef FSAL_RDMAXFER_HELD_H
#define FSAL_RDMAXFER_HELD_H

#include "xfer/xfer.h"

/*
 * An owner that forgets a session (its process is another one, or the session was away for too long) forgets its
 * opens and locks; Ganesha has no way to walk through its states. So each open at the owner, with the locks that
 * belong to it, has a record here, in the holdings of its owner.
 *
 * Recovery runs on the session's own thread while Ganesha's use the records. They don't wait for each other: what a
 * record says is changed under the lock of the holdings, and nothing is asked of the owner under it. Each recovery
 * begins a new *round*; what the owner has answered in an earlier round counts for nothing. So
 * - who opens or locks records the answer only if no recovery has begun since he asked, and asks again otherwise;
 * - an unlock is taken off the record before the owner is asked; recovery looks once more at what it has made
 *   again, and begins anew with a record that has changed meanwhile;
 * - a record that has ended meanwhile stays ended: recovery closes the open that it got for it.
 */
struct rdx_holdings;
struct rdx_held;

/* owner: its name, for the log; copied. */
struct rdx_holdings *rdx_holdings_create(const char *owner, xfer_log_fn log);
/* No record may be left. */
void rdx_holdings_destroy(struct rdx_holdings *holdings);

/* Makes everything again: for struct xfer_session_ops. */
void rdx_holdings_recover(struct rdx_holdings *holdings, struct xfer_session *session);

/* The session was closed: nothing is held any more. */
void rdx_holdings_forget(struct rdx_holdings *holdings);

/* Asks again for unlocks that the owner has put off. Any thread that may wait; a few times a second. */
void rdx_holdings_tick(struct rdx_holdings *holdings, struct xfer_session *session);

/* The present round: to be asked for before an open. */
uint64_t rdx_holdings_round(struct rdx_holdings *holdings);

/*
 * The record of an open that the owner has granted. flags: XFER_OPEN_READ, _WRITE. open_id was asked for in `round`;
 * 0: the owner keeps none. session: where it was; the file may be opened once more. Not on a lane thread.
 */
struct rdx_held *rdx_held_new(struct rdx_holdings *holdings, struct xfer_session *session,
	const struct xfer_handle *handle, uint32_t flags, const struct xfer_cred *cred,
	uint64_t round, uint64_t open_id);

/* The record ends, with the reference. Gives the open id that is to be closed now, or 0. Any thread, never waits. */
uint64_t rdx_held_end(struct rdx_held *held);

/* A further reference, under which the record can be asked, but isn't kept from ending. */
void rdx_held_ref(struct rdx_held *held);
void rdx_held_unref(struct rdx_held *held);

/* Under which the owner knows it; 0: it doesn't, or not any more. */
uint64_t rdx_held_open_id(struct rdx_held *held);

/* What protects an operation that comes under a lock's state. */
enum rdx_guard {
	RDX_GUARD_NONE, /* it has no locks */
	RDX_GUARD_HELD,
	RDX_GUARD_LATER, /* its locks are being made again */
	RDX_GUARD_LOST,  /* they could not be */
};
enum rdx_guard rdx_held_guard(struct rdx_held *held);

/*
 * As xfer_op_lock, setting. -EIO: locks of this record are lost, and others may have had them since: nothing is
 * granted under it until all of them have been unlocked. -EBADFD: the owner doesn't know the open: end the record and make
 * another. Not on a lane thread; one at a time for each record.
 */
int rdx_held_lock(struct rdx_held *held, struct xfer_session *session, const struct xfer_cred *cred,
	const struct xfer_lock *lock, bool *granted, struct xfer_lock *conflict);

/*
 * Never fails. session: NULL: there is none. The owner hears of it in the end, and no lock under this record is granted
 * before that. wait: for its answer, for a second at most, and not while the session is down.
 */
void rdx_held_unlock(struct rdx_held *held, struct xfer_session *session,
	const struct xfer_lock *lock, bool wait);

#endif
