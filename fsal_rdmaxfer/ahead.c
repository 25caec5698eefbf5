/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* ahead.c -- parts of directories that are asked for before their client wants them */

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "ahead.h"
#include "cred.h"
#include "now.h"

struct aheads {
	struct attrcache *cache;
	pthread_mutex_t lock; /* all that follows */
	pthread_cond_t came;
	TAILQ_HEAD(, ahead) list; /* what nobody has taken yet, the oldest first */
	unsigned count;           /* of these */
};

/* --- with the lock held --------------------------------------------------------------------------- */

static struct ahead *find(struct aheads *aheads, const struct attrcache_entry *dir, uint64_t cookie,
	const struct xfer_cred *cred)
{
	struct ahead *ahead;

	TAILQ_FOREACH (ahead, &aheads->list, link)
		if (ahead->dir == dir && ahead->listing.cookie == cookie &&
			rdx_cred_equal(&ahead->listing.cred, cred))
			return ahead;
	return NULL;
}

static void put(struct ahead *ahead)
{
	if (--ahead->refs > 0)
		return;
	attrcache_put(ahead->aheads->cache, ahead->dir);
	free(ahead);
}

static void take_out(struct aheads *aheads, struct ahead *ahead)
{
	TAILQ_REMOVE(&aheads->list, ahead, link);
	aheads->count--;
}

/* Nobody wanted it: what is under way goes when it comes. */
static void make_room(struct aheads *aheads, uint64_t now)
{
	struct ahead *oldest;

	while ((oldest = TAILQ_FIRST(&aheads->list)) &&
		(aheads->count == AHEAD_MAX || validity_lease_over(&oldest->asked, now))) {
		take_out(aheads, oldest);
		put(oldest);
	}
}

/* --- from outside --------------------------------------------------------------------------------- */

static struct ahead *ahead_new(struct aheads *aheads, struct attrcache_entry *dir, uint64_t cookie,
	const struct xfer_cred *cred, const struct asked *asked)
{
	struct ahead *ahead = malloc(sizeof(*ahead) + cred->ngroups * sizeof(*ahead->groups));

	if (!ahead)
		return NULL;
	ahead->aheads = aheads;
	ahead->dir = dir;
	ahead->refs = 2;
	ahead->here = false;
	ahead->asked = *asked;
	ahead->listing.cred = rdx_cred_copy(cred, ahead->groups);
	ahead->listing.dir = *attrcache_handle(dir);
	ahead->listing.cookie = cookie;
	attrcache_ref(aheads->cache, dir);
	return ahead;
}

struct ahead *ahead_begin(struct aheads *aheads, struct attrcache_entry *dir, uint64_t cookie,
	const struct xfer_cred *cred, const struct asked *asked)
{
	struct ahead *ahead = NULL;

	pthread_mutex_lock(&aheads->lock);
	make_room(aheads, asked->ns);
	if (!find(aheads, dir, cookie, cred))
		ahead = ahead_new(aheads, dir, cookie, cred, asked);
	if (ahead) {
		TAILQ_INSERT_TAIL(&aheads->list, ahead, link);
		aheads->count++;
	}
	pthread_mutex_unlock(&aheads->lock);
	return ahead;
}

void ahead_came(struct ahead *ahead)
{
	struct aheads *aheads = ahead->aheads;

	pthread_mutex_lock(&aheads->lock);
	ahead->here = true;
	pthread_cond_broadcast(&aheads->came);
	put(ahead);
	pthread_mutex_unlock(&aheads->lock);
}

/* With the lock held, which is given up meanwhile. */
static void wait_for(struct aheads *aheads, const struct ahead *ahead)
{
	uint64_t until = rdx_now_ns() + XFER_LEASE_MS * UINT64_C(1000000);
	struct timespec ts = { .tv_sec = (time_t)(until / 1000000000),
		.tv_nsec = (long)(until % 1000000000) };
	int err = 0;

	while (!ahead->here && err == 0)
		err = pthread_cond_timedwait(&aheads->came, &aheads->lock, &ts);
}

struct ahead *ahead_take(struct aheads *aheads, const struct attrcache_entry *dir, uint64_t cookie,
	const struct xfer_cred *cred)
{
	struct ahead *ahead;

	pthread_mutex_lock(&aheads->lock);
	ahead = find(aheads, dir, cookie, cred);
	if (ahead) {
		take_out(aheads, ahead);
		wait_for(aheads, ahead);
		if (!ahead->here || ahead->listing.result) {
			put(ahead);
			ahead = NULL;
		}
	}
	pthread_mutex_unlock(&aheads->lock);
	return ahead;
}

void ahead_drop(struct ahead *ahead)
{
	struct aheads *aheads = ahead->aheads;

	pthread_mutex_lock(&aheads->lock);
	put(ahead);
	pthread_mutex_unlock(&aheads->lock);
}

/* --- life ----------------------------------------------------------------------------------------- */

struct aheads *aheads_create(struct attrcache *cache)
{
	struct aheads *aheads = calloc(1, sizeof(*aheads));
	pthread_condattr_t monotonic;

	if (!aheads)
		return NULL;
	aheads->cache = cache;
	pthread_mutex_init(&aheads->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&aheads->came, &monotonic);
	pthread_condattr_destroy(&monotonic);
	TAILQ_INIT(&aheads->list);
	return aheads;
}

void aheads_destroy(struct aheads *aheads)
{
	struct ahead *ahead;

	while ((ahead = TAILQ_FIRST(&aheads->list))) {
		take_out(aheads, ahead);
		put(ahead);
	}
	pthread_cond_destroy(&aheads->came);
	pthread_mutex_destroy(&aheads->lock);
	free(aheads);
}
