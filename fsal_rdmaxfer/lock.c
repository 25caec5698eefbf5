/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* lock.c -- byte-range locks: at the owner, each lock state with an open of its own */

/*
 * Ganesha keeps the locks of its own clients apart; the owner's kernel does so for all points of contact and for
 * its own programs. Its locks belong to a descriptor, so each lock state has one there, opened for its first lock
 * and closed with the state. Ganesha calls with the object's state lock held: one call per file at a time.
 */

#include <errno.h>

#include "errors.h"
#include "file.h"
#include "gate.h"
#include "lock.h"
#include "state.h"

/* What is asked of the owner. */
struct request {
	struct rdx_object *object;
	struct state_t *state; /* NULL: a test by a client that has none */
	enum xfer_lock_op op;
	struct xfer_lock lock;
	bool granted;
	struct xfer_lock conflict;
};

/*
 * Ganesha takes ERR_FSAL_DELAY and ERR_FSAL_ACCESS for a lock in the way, which would be a lie here. What can't be
 * asked now is like what can't be granted yet after a restart: clients ask again.
 */
static fsal_status_t failed(int err)
{
	if (err == -EAGAIN)
		return fsalstat(ERR_FSAL_IN_GRACE, EAGAIN);
	if (err == -EACCES)
		return fsalstat(ERR_FSAL_PERM, EACCES);
	return rdx_status(err);
}

/* --- the open that the locks belong to ---------------------------------------------------------- */

static int open_with(const struct request *request, uint32_t flags, uint64_t *open_id)
{
	struct xfer_open open = {
		.handle = request->object->handle,
		.flags = flags | XFER_OPEN_KEEP | XFER_OPEN_OWNER_OVERRIDE,
	};
	struct xfer_opened opened;
	struct rdx_op op;
	int err;

	if (FSAL_IS_ERROR(rdx_op_begin(request->object->volume, &op)))
		return -EAGAIN;
	err = xfer_op_open(op.session, &op.cred, &open, &opened);
	rdx_op_end(&op);
	if (err == 0)
		*open_id = opened.open_id;
	return err;
}

/* Once and for both kinds of lock if the caller may; a lock that its access doesn't allow has been refused. */
static int open_for_locks(const struct request *request, uint64_t *open_id)
{
	int err = open_with(request, XFER_OPEN_READ | XFER_OPEN_WRITE, open_id);

	if (err == -EACCES || err == -EROFS)
		err = open_with(request, request->lock.exclusive ? XFER_OPEN_WRITE : XFER_OPEN_READ,
			open_id);
	return err;
}

static int ensure_open(const struct request *request, uint64_t *open_id)
{
	int err;

	*open_id = rdx_state_lock_id(request->state);
	if (*open_id)
		return 0;
	err = open_for_locks(request, open_id);
	if (err == 0)
		(void)rdx_state_set_lock_id(request->state, *open_id);
	return err;
}

/* --- operations --------------------------------------------------------------------------------- */

static int ask_owner(struct request *request, uint64_t open_id)
{
	struct rdx_object *object = request->object;
	struct rdx_op op;
	int err;

	if (FSAL_IS_ERROR(rdx_op_begin(object->volume, &op)))
		return -EAGAIN;
	err = xfer_op_lock(op.session, &op.cred, &object->handle, open_id, request->op,
		&request->lock, &request->granted, &request->conflict);
	rdx_op_end(&op);
	return err;
}

/*
 * Ganesha has forgotten the lock already, and would not come back: so clearing may not be put off. Where it didn't
 * reach the owner the session is gone, and its opens with their locks.
 */
static int clear(struct request *request, uint64_t open_id)
{
	struct rdx_object *object = request->object;
	struct rdx_op op;
	int err = -EAGAIN;

	if (!FSAL_IS_ERROR(rdx_op_begin_release(object->volume, &op))) {
		err = xfer_op_lock(op.session, &op.cred, &object->handle, open_id, request->op,
			&request->lock, &request->granted, &request->conflict);
		rdx_op_end(&op);
	}
	if (err == -EAGAIN || err == -EREMOTEIO || err == -EBADFD) {
		(void)rdx_state_set_lock_id(request->state, 0);
		request->granted = true;
		err = 0;
	}
	return err;
}

/* -EBADFD: the open is gone with an owner that was started again, and its locks are gone with it. */
static int perform(struct request *request)
{
	uint64_t open_id = request->state ? rdx_state_lock_id(request->state) : 0;
	int err = 0;

	if (request->op == XFER_LOCK_CLEAR) {
		request->granted = true;
		return open_id ? clear(request, open_id) : 0;
	}
	if (request->op == XFER_LOCK_SET)
		err = ensure_open(request, &open_id);
	return err ? err : ask_owner(request, open_id);
}

static int perform_again(struct request *request)
{
	(void)rdx_state_set_lock_id(request->state, 0);
	return perform(request);
}

static void tell(const struct request *request, fsal_lock_param_t *conflict)
{
	const struct xfer_lock *lock = &request->conflict;

	if (!conflict)
		return;
	conflict->lock_type = request->granted  ? FSAL_NO_LOCK
			      : lock->exclusive ? FSAL_LOCK_W
						: FSAL_LOCK_R;
	conflict->lock_start = request->granted ? 0 : lock->offset;
	conflict->lock_length = request->granted ? 0 : lock->length;
}

static bool to_op(fsal_lock_op_t lock_op, enum xfer_lock_op *op)
{
	switch (lock_op) {
	case FSAL_OP_LOCKT:
		*op = XFER_LOCK_TEST;
		return true;
	case FSAL_OP_LOCK:
		*op = XFER_LOCK_SET;
		return true;
	case FSAL_OP_UNLOCK:
		*op = XFER_LOCK_CLEAR;
		return true;
	default:
		return false;
	}
}

fsal_status_t rdx_lock_op2(struct fsal_obj_handle *obj, struct state_t *state, void *lock_owner,
	fsal_lock_op_t lock_op, fsal_lock_param_t *param, fsal_lock_param_t *conflict)
{
	struct request request = {
		.object = rdx_object(obj),
		.state = state,
		.lock = { .exclusive = param->lock_type == FSAL_LOCK_W,
			.offset = param->lock_start,
			.length = param->lock_length },
	};
	int err;

	(void)lock_owner;
	if (!to_op(lock_op, &request.op))
		return fsalstat(ERR_FSAL_NOTSUPP, 0);
	if (!state && request.op != XFER_LOCK_TEST)
		return rdx_status(-EINVAL);
	/* Linux's ranges are signed. */
	if (param->lock_length > INT64_MAX)
		return fsalstat(ERR_FSAL_BAD_RANGE, 0);
	err = perform(&request);
	if (err == -EBADFD && state)
		err = perform_again(&request);
	if (err)
		return failed(err);
	tell(&request, conflict);
	return request.granted ? rdx_status(0) : fsalstat(ERR_FSAL_DELAY, EAGAIN);
}

void rdx_lock_close(struct fsal_obj_handle *obj, struct state_t *state)
{
	rdx_close_at_owner(rdx_object(obj), rdx_state_set_lock_id(state, 0));
}
