/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* lock.c -- byte-range locks: at the owner, each lock state with an open of its own */

/*
 * Ganesha keeps the locks of its own clients apart; the owner's kernel does so for all points of contact and for
 * its own programs. Its locks belong to a descriptor, so each lock state has one there, opened for its first lock
 * and closed with the state. Ganesha calls with the object's state lock held: one call per file at a time.
 */

#include <errno.h>

#include "admit.h"
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
	if (err == -EAGAIN || err == -EBADFD)
		return fsalstat(ERR_FSAL_IN_GRACE, EAGAIN);
	if (err == -EACCES)
		return fsalstat(ERR_FSAL_PERM, EACCES);
	return rdx_status(err);
}

/* --- the open that the locks belong to ---------------------------------------------------------- */

static int open_with(const struct request *request, uint32_t flags, struct rdx_held **locks)
{
	struct xfer_open open = {
		.handle = request->object->handle,
		.flags = flags | XFER_OPEN_KEEP | XFER_OPEN_OWNER_OVERRIDE,
	};
	struct xfer_opened opened;
	uint64_t round;
	struct rdx_op op;
	int err;

	if (FSAL_IS_ERROR(rdx_op_begin(request->object->volume, &op)))
		return -EAGAIN;
	round = rdx_holdings_round(op.owner->holdings);
	err = xfer_op_open(op.session, &op.cred, &open, &opened);
	if (err == 0)
		*locks = rdx_held_new(op.owner->holdings, op.session, &open.handle, flags, &op.cred,
			round, opened.open_id);
	rdx_op_end(&op);
	return err;
}

/* Once and for both kinds of lock if the caller may; a lock that its access doesn't allow has been refused. */
static int open_for_locks(const struct request *request, struct rdx_held **locks)
{
	int err = open_with(request, XFER_OPEN_READ | XFER_OPEN_WRITE, locks);

	if (err == -EACCES || err == -EROFS)
		err = open_with(
			request, request->lock.exclusive ? XFER_OPEN_WRITE : XFER_OPEN_READ, locks);
	return err;
}

static int ensure_open(const struct request *request)
{
	struct rdx_held *locks = rdx_state_locks(request->state);
	int err;

	if (locks)
		return 0;
	err = open_for_locks(request, &locks);
	if (err == 0)
		(void)rdx_state_set_locks(request->state, locks);
	return err;
}

/* --- operations --------------------------------------------------------------------------------- */

/* Ganesha has forgotten the lock already, and would not come back: so it isn't put off. */
static void clear(struct request *request)
{
	struct rdx_held *locks = request->state ? rdx_state_locks(request->state) : NULL;
	struct rdx_owner *owner = request->object->volume->owner;
	struct xfer_session *session;
	struct rdx_op op;

	request->granted = true;
	if (!locks)
		return;
	if (!FSAL_IS_ERROR(rdx_op_begin(request->object->volume, &op))) {
		rdx_held_unlock(locks, op.session, &request->lock, true);
		rdx_op_end(&op);
		return;
	}
	/* Nobody waits then. */
	session = rdx_owner_acquire(owner);
	rdx_held_unlock(locks, session, &request->lock, false);
	if (session)
		rdx_owner_release(owner);
}

static int test_with(struct request *request, uint64_t open_id)
{
	struct rdx_object *object = request->object;
	struct rdx_op op;
	int err;

	if (FSAL_IS_ERROR(rdx_op_begin(object->volume, &op)))
		return -EAGAIN;
	err = xfer_op_lock(op.session, &op.cred, &object->handle, open_id, XFER_LOCK_TEST,
		&request->lock, &request->granted, &request->conflict);
	rdx_op_end(&op);
	return err;
}

/* By the state's open, so that its own locks aren't in its way. */
static int test(struct request *request)
{
	struct rdx_held *locks = request->state ? rdx_state_locks(request->state) : NULL;
	uint64_t asked = locks ? rdx_held_open_id(locks) : 0, now;
	int err = test_with(request, asked);

	if (err != -EBADFD)
		return err;
	/* Opened again meanwhile, or closed by the owner, with the locks. */
	now = rdx_held_open_id(locks);
	return test_with(request, now == asked ? 0 : now);
}

static int set(struct request *request)
{
	struct rdx_op op;
	int err = ensure_open(request);

	if (err)
		return err;
	if (FSAL_IS_ERROR(rdx_op_begin(request->object->volume, &op)))
		return -EAGAIN;
	err = rdx_held_lock(rdx_state_locks(request->state), op.session, &op.cred, &request->lock,
		&request->granted, &request->conflict);
	rdx_op_end(&op);
	return err;
}

/* -EBADFD: the owner has closed the open, but no lock is lost with it. */
static int set_anew(struct request *request)
{
	rdx_lock_close(&request->object->obj, request->state);
	return set(request);
}

static int perform(struct request *request)
{
	int err = 0;

	switch (request->op) {
	case XFER_LOCK_CLEAR:
		clear(request);
		break;
	case XFER_LOCK_TEST:
		err = test(request);
		break;
	case XFER_LOCK_SET:
		err = set(request);
		if (err == -EBADFD)
			err = set_anew(request);
		break;
	}
	return err;
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
	if (request.op != XFER_LOCK_CLEAR && FSAL_IS_ERROR(rdx_admit()))
		return failed(-EACCES);
	if (!state && request.op != XFER_LOCK_TEST)
		return rdx_status(-EINVAL);
	/* Linux's ranges are signed. */
	if (param->lock_length > INT64_MAX)
		return fsalstat(ERR_FSAL_BAD_RANGE, 0);
	err = perform(&request);
	if (err)
		return failed(err);
	tell(&request, conflict);
	return request.granted ? rdx_status(0) : fsalstat(ERR_FSAL_DELAY, EAGAIN);
}

void rdx_lock_close(struct fsal_obj_handle *obj, struct state_t *state)
{
	rdx_give_up(rdx_object(obj), rdx_state_set_locks(state, NULL));
}
