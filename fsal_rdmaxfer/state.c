/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* state.c -- what the module keeps per state of Ganesha's: what it has open and locked at the owner */

#include <errno.h>

#include "errors.h"
#include "state.h"

struct rdx_shared_open {
	pthread_mutex_t lock; /* all that follows, and the locks of the states that share it */
	uint32_t refs;
	fsal_openflags_t flags; /* access and deny; FSAL_O_CLOSED: there is none */
	struct rdx_held *held;  /* NULL: the owner keeps none */
};

static struct rdx_shared_open *shared_of(struct state_t *state)
{
	return container_of(state, struct rdx_state, state)->shared;
}

static struct rdx_shared_open *shared_new(void)
{
	struct rdx_shared_open *shared = gsh_calloc(1, sizeof(*shared));

	PTHREAD_MUTEX_init(&shared->lock, NULL);
	shared->refs = 1;
	return shared;
}

static struct rdx_shared_open *shared_ref(struct rdx_shared_open *shared)
{
	PTHREAD_MUTEX_lock(&shared->lock);
	shared->refs++;
	PTHREAD_MUTEX_unlock(&shared->lock);
	return shared;
}

static void shared_unref(struct rdx_shared_open *shared)
{
	bool last;

	PTHREAD_MUTEX_lock(&shared->lock);
	last = --shared->refs == 0;
	PTHREAD_MUTEX_unlock(&shared->lock);
	if (!last)
		return;
	PTHREAD_MUTEX_destroy(&shared->lock);
	gsh_free(shared);
}

struct state_t *rdx_alloc_state(
	struct fsal_export *export, enum state_type type, struct state_t *related)
{
	struct rdx_state *own = gsh_calloc(1, sizeof(*own));

	own->shared =
		type == STATE_TYPE_LOCK && related ? shared_ref(shared_of(related)) : shared_new();
	return init_state(&own->state, export, type, related);
}

void rdx_free_state(struct fsal_export *export, struct state_t *state)
{
	struct rdx_state *own = container_of(state, struct rdx_state, state);

	(void)export;
	shared_unref(own->shared);
	gsh_free(own);
}

bool rdx_state_is_open(const struct state_t *state)
{
	return state->state_type == STATE_TYPE_SHARE || state->state_type == STATE_TYPE_NLM_SHARE ||
	       state->state_type == STATE_TYPE_9P_FID;
}

struct rdx_held *rdx_state_set(struct state_t *state, fsal_openflags_t flags, struct rdx_held *held)
{
	struct rdx_shared_open *shared = shared_of(state);
	struct rdx_held *replaced;

	PTHREAD_MUTEX_lock(&shared->lock);
	replaced = shared->held;
	shared->held = held;
	shared->flags = flags;
	PTHREAD_MUTEX_unlock(&shared->lock);
	return replaced;
}

fsal_openflags_t rdx_state_flags(struct state_t *state)
{
	struct rdx_shared_open *shared = shared_of(state);
	fsal_openflags_t flags;

	PTHREAD_MUTEX_lock(&shared->lock);
	flags = shared->flags;
	PTHREAD_MUTEX_unlock(&shared->lock);
	return flags;
}

struct rdx_held *rdx_state_locks(struct state_t *state)
{
	struct rdx_shared_open *shared = shared_of(state);
	struct rdx_held *locks;

	PTHREAD_MUTEX_lock(&shared->lock);
	locks = container_of(state, struct rdx_state, state)->locks;
	PTHREAD_MUTEX_unlock(&shared->lock);
	return locks;
}

struct rdx_held *rdx_state_set_locks(struct state_t *state, struct rdx_held *locks)
{
	struct rdx_state *own = container_of(state, struct rdx_state, state);
	struct rdx_held *replaced;

	PTHREAD_MUTEX_lock(&own->shared->lock);
	replaced = own->locks;
	own->locks = locks;
	PTHREAD_MUTEX_unlock(&own->shared->lock);
	return replaced;
}

/* --- using them --------------------------------------------------------------------------------- */

static void fill_use(struct state_t *state, fsal_openflags_t access, struct rdx_use *use)
{
	struct rdx_state *own = container_of(state, struct rdx_state, state);
	struct rdx_shared_open *shared = own->shared;

	PTHREAD_MUTEX_lock(&shared->lock);
	if (shared->held && (shared->flags & access) == access)
		use->open_id = rdx_held_open_id(shared->held);
	if (own->locks) {
		use->guard = own->locks;
		rdx_held_ref(use->guard);
	}
	PTHREAD_MUTEX_unlock(&shared->lock);
}

/* Without a lock in force there is nothing to guard. */
static fsal_status_t check_guard(struct rdx_use *use)
{
	enum rdx_guard guard = use->guard ? rdx_held_guard(use->guard) : RDX_GUARD_NONE;

	if (guard == RDX_GUARD_HELD)
		return fsalstat(ERR_FSAL_NO_ERROR, 0);
	if (use->guard)
		rdx_held_unref(use->guard);
	use->guard = NULL;
	return rdx_status(guard == RDX_GUARD_NONE ? 0 : guard == RDX_GUARD_LATER ? -EAGAIN : -EIO);
}

fsal_status_t rdx_state_use(struct rdx_object *object, struct state_t *state,
	fsal_openflags_t access, bool bypass, struct rdx_use *use)
{
	fsal_status_t status;

	*use = (struct rdx_use){ 0 };
	if (state) {
		fill_use(state, access, use);
		return check_guard(use);
	}
	PTHREAD_RWLOCK_rdlock(&object->obj.obj_lock);
	status = check_share_conflict(&object->share, access, bypass);
	PTHREAD_RWLOCK_unlock(&object->obj.obj_lock);
	return status;
}

int rdx_state_used(struct rdx_use *use, int err)
{
	if (!use->guard)
		return err;
	if (rdx_held_guard(use->guard) == RDX_GUARD_LOST)
		err = -EIO;
	rdx_held_unref(use->guard);
	use->guard = NULL;
	return err;
}
