/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* state.c -- what the module keeps per state of Ganesha's: the open at the owner */

#include "state.h"

struct rdx_shared_open {
	pthread_mutex_t lock; /* all that follows */
	uint32_t refs;
	struct rdx_open open;
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

uint64_t rdx_state_set(struct state_t *state, const struct rdx_open *open)
{
	struct rdx_shared_open *shared = shared_of(state);
	uint64_t replaced;

	PTHREAD_MUTEX_lock(&shared->lock);
	replaced = shared->open.open_id;
	shared->open = *open;
	PTHREAD_MUTEX_unlock(&shared->lock);
	return replaced;
}

fsal_openflags_t rdx_state_flags(struct state_t *state)
{
	struct rdx_shared_open *shared = shared_of(state);
	fsal_openflags_t flags;

	PTHREAD_MUTEX_lock(&shared->lock);
	flags = shared->open.flags;
	PTHREAD_MUTEX_unlock(&shared->lock);
	return flags;
}

uint64_t rdx_state_lock_id(struct state_t *state)
{
	return atomic_load(&container_of(state, struct rdx_state, state)->lock_id);
}

uint64_t rdx_state_set_lock_id(struct state_t *state, uint64_t open_id)
{
	return atomic_exchange(&container_of(state, struct rdx_state, state)->lock_id, open_id);
}

static uint64_t usable_open_id(struct state_t *state, fsal_openflags_t access)
{
	struct rdx_shared_open *shared = shared_of(state);
	uint64_t open_id = 0;

	PTHREAD_MUTEX_lock(&shared->lock);
	if ((shared->open.flags & access) == access)
		open_id = shared->open.open_id;
	PTHREAD_MUTEX_unlock(&shared->lock);
	return open_id;
}

fsal_status_t rdx_state_open_id(struct rdx_object *object, struct state_t *state,
	fsal_openflags_t access, bool bypass, uint64_t *open_id)
{
	fsal_status_t status = fsalstat(ERR_FSAL_NO_ERROR, 0);

	*open_id = 0;
	if (!state) {
		PTHREAD_RWLOCK_rdlock(&object->obj.obj_lock);
		status = check_share_conflict(&object->share, access, bypass);
		PTHREAD_RWLOCK_unlock(&object->obj.obj_lock);
		return status;
	}
	*open_id = usable_open_id(state, access);
	return status;
}
