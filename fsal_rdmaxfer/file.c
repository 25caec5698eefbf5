/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* file.c -- opening and closing files */

#include <errno.h>

#include "attrs.h"
#include "errors.h"
#include "file.h"
#include "gate.h"
#include "lock.h"
#include "ownchange.h"
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
	       (flags & FSAL_O_TRUNC ? XFER_OPEN_TRUNC : 0) |
	       (flags & FSAL_O_RECLAIM ? XFER_OPEN_OWNER_OVERRIDE : 0) |
	       (keep ? XFER_OPEN_KEEP : 0);
}

/* An OPEN under way, and what comes of it. */
struct opening {
	struct rdx_change change;
	struct asked asked;
	struct xfer_opened opened;
	uint64_t round; /* as rdx_held_new wants it */
};

static bool cuts(const struct xfer_open *open)
{
	return open->flags & XFER_OPEN_TRUNC || open->set.mask & XFER_SET_SIZE;
}

/* What it may change. By its name a file may be cut that is known, but not by this name. */
static void begin_change(
	struct opening *opening, const struct rdx_object *object, const struct xfer_open *open)
{
	rdx_change_init(&opening->change, object->volume);
	if (open->name && open->create != XFER_NO_CREATE)
		rdx_change_name(&opening->change, object, open->name);
	if (cuts(open) && open->name)
		rdx_change_any(&opening->change, OWN_CONTENT);
	else if (cuts(open))
		rdx_change_object(&opening->change, object, OWN_CONTENT);
}

/* Whether an OPEN that ended so has left all files as they were. */
static bool left_alone(int err)
{
	return err == 0 || err == -EAGAIN || err == -ENOENT || err == -EEXIST || err == -EACCES ||
	       err == -EISDIR;
}

/* One OPEN; what it says of the directory is noted. After success rdx_change_end has to follow. */
static fsal_status_t ask_owner(
	struct rdx_object *object, const struct xfer_open *open, struct opening *opening)
{
	struct rdx_op op;
	fsal_status_t status = rdx_op_begin(object->volume, &op);
	int err;

	if (FSAL_IS_ERROR(status))
		return status;
	opening->opened.dir_attr.valid = false;
	opening->round = rdx_holdings_round(op.owner->holdings);
	opening->asked = op.asked;
	begin_change(opening, object, open);
	err = xfer_op_open(op.session, &op.cred, open, &opening->opened);
	rdx_op_end(&op);
	if (open->name && cuts(open) && !left_alone(err))
		validity_invalidate_all(object->volume->validity);
	if (open->name)
		rdx_object_note(object, &opening->opened.dir_attr, &op.asked, op.begun);
	else if (err)
		attrcache_drop(object->volume->cache, object->attrs, op.begun);
	if (err)
		rdx_change_end(&opening->change);
	return rdx_status(err);
}

void rdx_close_at_owner(struct rdx_object *object, uint64_t open_id)
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

void rdx_give_up(struct rdx_object *object, struct rdx_held *held)
{
	if (held)
		rdx_close_at_owner(object, rdx_held_end(held));
}

struct rdx_held *rdx_hold(
	struct rdx_object *object, uint32_t flags, uint64_t round, uint64_t open_id)
{
	struct rdx_op op;
	struct rdx_held *held;

	/* A session that is gone has taken the open with it. */
	if (FSAL_IS_ERROR(rdx_op_begin_async(object->volume, &op)))
		return NULL;
	held = rdx_held_new(
		op.owner->holdings, op.session, &object->handle, flags, &op.cred, round, open_id);
	rdx_op_end(&op);
	return held;
}

/* Records an open in its state; what it replaces is closed. */
static void record(struct rdx_object *object, struct state_t *state, fsal_openflags_t flags,
	uint64_t round, uint64_t open_id)
{
	fsal_openflags_t kept = flags & (FSAL_O_RDWR | FSAL_O_DENY_READ | FSAL_O_DENY_WRITE |
						FSAL_O_DENY_WRITE_MAND);
	struct rdx_held *held = rdx_hold(object, to_flags(flags, false), round, open_id);

	rdx_give_up(object, rdx_state_set(state, kept, held));
}

/* --- opening ---------------------------------------------------------------------------------- */

/*
 * Ganesha counts an open without a state as a descriptor of the object's until close() says that it is
 * closed. There is none, but what isn't given back makes Ganesha refuse all opens in the end.
 */
static void count_stateless(struct rdx_object *object)
{
	(void)atomic_inc_int32_t(&object->stateless);
}

static bool is_exclusive(enum fsal_create_mode mode)
{
	return mode == FSAL_EXCLUSIVE || mode == FSAL_EXCLUSIVE_41;
}

static fsal_status_t ask_for_file(struct rdx_object *object, const struct xfer_open *open,
	enum fsal_create_mode mode, struct opening *opening)
{
	const struct xfer_opened *opened = &opening->opened;
	fsal_status_t status = ask_owner(object, open, opening);

	if (FSAL_IS_ERROR(status))
		return status;
	rdx_object_feed(object, &(struct xfer_opt_attr){ .valid = true, .attr = opened->node.attr },
		&opening->asked);
	rdx_change_end(&opening->change);
	if (!is_exclusive(mode) || rdx_attrs_bear_verifier(&opened->node.attr, open->verifier))
		return status;
	rdx_close_at_owner(object, opened->open_id);
	return rdx_status(-EEXIST);
}

/* The file is there: MDCACHE has found it by its name, or the client names it by its handle. */
static fsal_status_t open_by_handle(struct rdx_object *object, struct state_t *state,
	fsal_openflags_t flags, struct xfer_open *open, enum fsal_create_mode mode,
	struct fsal_attrlist *attrs_out)
{
	struct opening opening;
	fsal_status_t status;

	open->create = XFER_NO_CREATE;
	/* A file that turns out to be somebody else's must not have been cut. Who made it has made it empty. */
	if (is_exclusive(mode))
		open->flags &= ~(uint32_t)XFER_OPEN_TRUNC;
	if (state) {
		status = share_take(object, FSAL_O_CLOSED, flags);
		if (FSAL_IS_ERROR(status))
			return status;
	}
	status = ask_for_file(object, open, mode, &opening);
	if (FSAL_IS_ERROR(status)) {
		if (state)
			share_change(object, flags, FSAL_O_CLOSED);
		return status;
	}
	if (state)
		record(object, state, flags, opening.round, opening.opened.open_id);
	else
		count_stateless(object);
	if (attrs_out)
		rdx_attrs_to_fsal(object->volume, &opening.opened.node.attr, attrs_out);
	return status;
}

static fsal_status_t open_by_name(struct rdx_object *dir, struct state_t *state,
	fsal_openflags_t flags, const struct xfer_open *open, struct fsal_obj_handle **new_obj,
	struct fsal_attrlist *attrs_out)
{
	struct opening opening;
	const struct xfer_opened *opened = &opening.opened;
	struct rdx_object *object;
	fsal_status_t status = ask_owner(dir, open, &opening);

	if (FSAL_IS_ERROR(status))
		return status;
	status = rdx_object_of_node(dir->volume, &opened->node, &opening.asked, new_obj, attrs_out);
	if (FSAL_IS_ERROR(status)) {
		rdx_change_end(&opening.change);
		rdx_close_at_owner(dir, opened->open_id);
		return status;
	}
	object = rdx_object(*new_obj);
	if (opening.change.nnames > 0)
		rdx_change_named(&opening.change, &opened->dir_attr, &opening.asked, object->attrs);
	rdx_change_end(&opening.change);
	if (!state) {
		count_stateless(object);
		return status;
	}
	/* The object is new, so nobody can deny; MDCACHE merges the share into the one it has. */
	share_change(object, FSAL_O_CLOSED, flags);
	record(object, state, flags, opening.round, opened->open_id);
	return status;
}

/*
 * Who creates is checked at the owner, with the caller's own ids. Who merely opens is let in there if the
 * file is his or he may execute it, which includes reading it; Ganesha then checks as for any other FSAL.
 */
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

	if (mode == FSAL_NO_CREATE || (!name && mode >= FSAL_EXCLUSIVE))
		open.flags |= XFER_OPEN_OWNER_OVERRIDE;
	*caller_perm_check = open.flags & XFER_OPEN_OWNER_OVERRIDE;
	if (rdx_attrs_from_fsal(attrs_in, &open.set))
		return rdx_status(-EINVAL);
	if (open.create == XFER_EXCLUSIVE)
		memcpy(open.verifier, verifier, sizeof(open.verifier));
	if (name)
		return open_by_name(object, state, flags, &open, new_obj, attrs_out);
	return open_by_handle(object, state, flags, &open, mode, attrs_out);
}

/* Ganesha has checked the permission, as far as it does that here. */
fsal_status_t rdx_reopen2(
	struct fsal_obj_handle *obj, struct state_t *state, fsal_openflags_t flags)
{
	struct rdx_object *object = rdx_object(obj);
	fsal_openflags_t old = rdx_state_flags(state);
	struct xfer_open open = {
		.handle = object->handle,
		.flags = to_flags(flags, true) | XFER_OPEN_OWNER_OVERRIDE,
	};
	struct opening opening;
	fsal_status_t status = share_take(object, old, flags);

	if (FSAL_IS_ERROR(status))
		return status;
	status = ask_for_file(object, &open, FSAL_NO_CREATE, &opening);
	if (FSAL_IS_ERROR(status)) {
		share_change(object, flags, old);
		return status;
	}
	record(object, state, flags, opening.round, opening.opened.open_id);
	return status;
}

fsal_openflags_t rdx_status2(struct fsal_obj_handle *obj, struct state_t *state)
{
	(void)obj;
	return rdx_state_flags(state);
}

/* Whether an exclusive creation made this file. */
bool rdx_check_verifier(struct fsal_obj_handle *obj, fsal_verifier_t verifier)
{
	struct xfer_attr attr;

	return !FSAL_IS_ERROR(rdx_attrs_read(rdx_object(obj), ATTR_TELL, &attr)) &&
	       rdx_attrs_bear_verifier(&attr, (const uint8_t *)verifier);
}

/* --- closing ---------------------------------------------------------------------------------- */

/* Ends the opens without a state: Ganesha takes one off its count for an answer that isn't NOT_OPENED. */
fsal_status_t rdx_close(struct fsal_obj_handle *obj)
{
	int32_t count = __atomic_exchange_n(&rdx_object(obj)->stateless, 0, __ATOMIC_ACQ_REL);

	if (count == 0)
		return fsalstat(ERR_FSAL_NOT_OPENED, 0);
	(void)atomic_sub_size_t(&open_fd_count, (size_t)count - 1);
	return fsalstat(ERR_FSAL_NO_ERROR, 0);
}

/* Never fails and never blocks: it may run on a lane's thread. */
fsal_status_t rdx_close2(struct fsal_obj_handle *obj, struct state_t *state)
{
	struct rdx_object *object = rdx_object(obj);

	if (!rdx_state_is_open(state)) {
		rdx_lock_close(obj, state);
		return fsalstat(ERR_FSAL_NO_ERROR, 0);
	}
	share_change(object, rdx_state_flags(state), FSAL_O_CLOSED);
	rdx_give_up(object, rdx_state_set(state, FSAL_O_CLOSED, NULL));
	return fsalstat(ERR_FSAL_NO_ERROR, 0);
}
