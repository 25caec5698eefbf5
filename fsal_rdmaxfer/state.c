/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* state.c -- what the module keeps per state of Ganesha's: the open at the owner */

#include "state.h"

static struct rdx_state *rdx_state(struct state_t *state)
{
	return container_of(state, struct rdx_state, state);
}

/* A lock's reads and writes go through the open that it was made under. */
static void borrow(struct rdx_state *own, struct rdx_state *related)
{
	PTHREAD_MUTEX_lock(&related->lock);
	own->open = related->open;
	PTHREAD_MUTEX_unlock(&related->lock);
	own->borrowed = true;
}

struct state_t *rdx_alloc_state(
	struct fsal_export *export, enum state_type type, struct state_t *related)
{
	struct rdx_state *own = gsh_calloc(1, sizeof(*own));

	PTHREAD_MUTEX_init(&own->lock, NULL);
	if (type == STATE_TYPE_LOCK && related)
		borrow(own, rdx_state(related));
	return init_state(&own->state, export, type, related);
}

void rdx_free_state(struct fsal_export *export, struct state_t *state)
{
	struct rdx_state *own = rdx_state(state);

	(void)export;
	PTHREAD_MUTEX_destroy(&own->lock);
	gsh_free(own);
}

uint64_t rdx_state_set(struct state_t *state, const struct rdx_open *open)
{
	struct rdx_state *own = rdx_state(state);
	uint64_t replaced;

	PTHREAD_MUTEX_lock(&own->lock);
	replaced = own->borrowed ? 0 : own->open.open_id;
	own->open = *open;
	own->borrowed = false;
	PTHREAD_MUTEX_unlock(&own->lock);
	return replaced;
}

fsal_openflags_t rdx_state_flags(struct state_t *state)
{
	struct rdx_state *own = rdx_state(state);
	fsal_openflags_t flags;

	PTHREAD_MUTEX_lock(&own->lock);
	flags = own->open.flags;
	PTHREAD_MUTEX_unlock(&own->lock);
	return flags;
}

static uint64_t usable_open_id(struct state_t *state, fsal_openflags_t access)
{
	struct rdx_state *own = rdx_state(state);
	uint64_t open_id = 0;

	PTHREAD_MUTEX_lock(&own->lock);
	if ((own->open.flags & access) == access)
		open_id = own->open.open_id;
	PTHREAD_MUTEX_unlock(&own->lock);
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
