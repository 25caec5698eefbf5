/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* file.c -- opening and closing files */

#include <errno.h>

#include "attrs.h"
#include "errors.h"
#include "file.h"
#include "gate.h"
#include "state.h"

/* --- share reservations: among the clients of this server ------------------------------------- */

static fsal_status_t share_take(
	struct rdx_object *object, fsal_openflags_t old, fsal_openflags_t new)
{
	fsal_status_t status;

	PTHREAD_RWLOCK_wrlock(&object->obj.obj_lock);
	status = check_share_conflict(&object->share, new, false);
	if (!FSAL_IS_ERROR(status))
		update_share_counters(&object->share, old, new);
	PTHREAD_RWLOCK_unlock(&object->obj.obj_lock);
	return status;
}

static void share_change(struct rdx_object *object, fsal_openflags_t old, fsal_openflags_t new)
{
	PTHREAD_RWLOCK_wrlock(&object->obj.obj_lock);
	update_share_counters(&object->share, old, new);
	PTHREAD_RWLOCK_unlock(&object->obj.obj_lock);
}

/* --- at the owner ----------------------------------------------------------------------------- */

static enum xfer_create to_create(enum fsal_create_mode mode)
{
	switch (mode) {
	case FSAL_NO_CREATE:
		return XFER_NO_CREATE;
	case FSAL_UNCHECKED:
		return XFER_UNCHECKED;
	case FSAL_GUARDED:
		return XFER_GUARDED;
	default:
		return XFER_EXCLUSIVE;
	}
}

static uint32_t to_flags(fsal_openflags_t flags, bool keep)
{
	return (flags & FSAL_O_READ ? XFER_OPEN_READ : 0) |
	       (flags & FSAL_O_WRITE ? XFER_OPEN_WRITE : 0) |
	       (flags & FSAL_O_TRUNC ? XFER_OPEN_TRUNC : 0) | (keep ? XFER_OPEN_KEEP : 0);
}

/* One OPEN; what it says of the directory goes into the cache. */
static fsal_status_t ask_owner(
	struct rdx_object *object, const struct xfer_open *open, struct xfer_opened *opened)
{
	struct rdx_op op;
	fsal_status_t status = rdx_op_begin(object->volume, &op);
	int err;

	if (FSAL_IS_ERROR(status))
		return status;
	opened->dir_attr.valid = false;
	err = xfer_op_open(op.session, &op.cred, open, opened);
	rdx_op_end(&op);
	if (open->name)
		rdx_object_feed(object, &opened->dir_attr);
	return rdx_status(err);
}

static void close_at_owner(struct rdx_object *object, uint64_t open_id)
{
	struct rdx_owner *owner = object->volume->owner;
	struct xfer_session *session;

	if (open_id == 0)
		return;
	session = rdx_owner_acquire(owner);
	if (!session)
		return; /* closed with the session */
	xfer_op_close(session, &object->handle, open_id);
	rdx_owner_release(owner);
}

/* Records an open in its state; what it replaces is closed. */
static void record(
	struct rdx_object *object, struct state_t *state, fsal_openflags_t flags, uint64_t open_id)
{
	struct rdx_open open = {
		.handle = object->handle,
		.flags = flags & (FSAL_O_RDWR | FSAL_O_DENY_READ | FSAL_O_DENY_WRITE |
					 FSAL_O_DENY_WRITE_MAND),
		.cred = { .uid = op_ctx->creds.caller_uid, .gid = op_ctx->creds.caller_gid },
		.open_id = open_id,
	};

	close_at_owner(object, rdx_state_set(state, &open));
}

/* --- opening ---------------------------------------------------------------------------------- */

static fsal_status_t open_by_handle(struct rdx_object *object, struct state_t *state,
	fsal_openflags_t flags, const struct xfer_open *open, struct fsal_attrlist *attrs_out)
{
	struct xfer_opened opened;
	fsal_status_t status;

	if (state) {
		status = share_take(object, FSAL_O_CLOSED, flags);
		if (FSAL_IS_ERROR(status))
			return status;
	}
	status = ask_owner(object, open, &opened);
	if (FSAL_IS_ERROR(status)) {
		if (state)
			share_change(object, flags, FSAL_O_CLOSED);
		return status;
	}
	rdx_object_feed(object, &(struct xfer_opt_attr){ .valid = true, .attr = opened.node.attr });
	if (state)
		record(object, state, flags, opened.open_id);
	if (attrs_out)
		rdx_attrs_to_fsal(object->volume, &opened.node.attr, attrs_out);
	return status;
}

static fsal_status_t open_by_name(struct rdx_object *dir, struct state_t *state,
	fsal_openflags_t flags, const struct xfer_open *open, struct fsal_obj_handle **new_obj,
	struct fsal_attrlist *attrs_out)
{
	struct xfer_opened opened;
	fsal_status_t status = ask_owner(dir, open, &opened);

	if (FSAL_IS_ERROR(status))
		return status;
	status = rdx_object_of_node(dir->volume, &opened.node, new_obj, attrs_out);
	if (FSAL_IS_ERROR(status)) {
		close_at_owner(dir, opened.open_id);
		return status;
	}
	/* The object is new, so nobody can deny; MDCACHE merges the share into the one it has. */
	if (state) {
		share_change(rdx_object(*new_obj), FSAL_O_CLOSED, flags);
		record(rdx_object(*new_obj), state, flags, opened.open_id);
	}
	return status;
}

/* Permissions are checked at the owner, with the caller's own ids: MDCACHE need not do it again. */
fsal_status_t rdx_open2(struct fsal_obj_handle *obj, struct state_t *state, fsal_openflags_t flags,
	enum fsal_create_mode mode, const char *name, struct fsal_attrlist *attrs_in,
	fsal_verifier_t verifier, struct fsal_obj_handle **new_obj, struct fsal_attrlist *attrs_out,
	bool *caller_perm_check)
{
	struct rdx_object *object = rdx_object(obj);
	struct xfer_open open = {
		.handle = object->handle,
		.name = name,
		.flags = to_flags(flags, state != NULL),
		.create = to_create(mode),
	};

	*caller_perm_check = false;
	rdx_attrs_from_fsal(attrs_in, &open.set);
	if (open.create == XFER_EXCLUSIVE)
		memcpy(open.verifier, verifier, sizeof(open.verifier));
	if (name)
		return open_by_name(object, state, flags, &open, new_obj, attrs_out);
	return open_by_handle(object, state, flags, &open, attrs_out);
}

fsal_status_t rdx_reopen2(
	struct fsal_obj_handle *obj, struct state_t *state, fsal_openflags_t flags)
{
	struct rdx_object *object = rdx_object(obj);
	fsal_openflags_t old = rdx_state_flags(state);
	struct xfer_open open = { .handle = object->handle, .flags = to_flags(flags, true) };
	struct xfer_opened opened;
	fsal_status_t status = share_take(object, old, flags);

	if (FSAL_IS_ERROR(status))
		return status;
	status = ask_owner(object, &open, &opened);
	if (FSAL_IS_ERROR(status)) {
		share_change(object, flags, old);
		return status;
	}
	rdx_object_feed(object, &(struct xfer_opt_attr){ .valid = true, .attr = opened.node.attr });
	record(object, state, flags, opened.open_id);
	return status;
}

fsal_openflags_t rdx_status2(struct fsal_obj_handle *obj, struct state_t *state)
{
	(void)obj;
	return rdx_state_flags(state);
}

/* --- closing ---------------------------------------------------------------------------------- */

/* Objects hold no open of their own. */
fsal_status_t rdx_close(struct fsal_obj_handle *obj)
{
	(void)obj;
	return fsalstat(ERR_FSAL_NOT_OPENED, 0);
}

/* Never fails and never blocks: it may run on a lane's thread. */
fsal_status_t rdx_close2(struct fsal_obj_handle *obj, struct state_t *state)
{
	static const struct rdx_open closed = { .flags = FSAL_O_CLOSED };
	struct rdx_object *object = rdx_object(obj);

	if (state->state_type == STATE_TYPE_SHARE || state->state_type == STATE_TYPE_NLM_SHARE ||
		state->state_type == STATE_TYPE_9P_FID)
		share_change(object, rdx_state_flags(state), FSAL_O_CLOSED);
	close_at_owner(object, rdx_state_set(state, &closed));
	return fsalstat(ERR_FSAL_NO_ERROR, 0);
}
