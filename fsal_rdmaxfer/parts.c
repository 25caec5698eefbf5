/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* parts.c -- parts of directories, as owners' replies listed them, as long as they may be believed */

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "cred.h"
#include "parts.h"
#include "resident.h"

#define CHAINS 65536u

LIST_HEAD(chain, place);

struct part {
	TAILQ_ENTRY(part) age; /* the oldest first, while it is kept */
	struct parts *parts;
	uint32_t refs; /* under the lock; one of them is that of being kept */
	/* Constant after part_end: */
	struct attrcache_entry *dir; /* referenced */
	STAILQ_HEAD(, place) places; /* the first one has no name */
	struct place *last;
	unsigned count; /* of them */
	bool eof, promised;
	uint64_t change; /* the directory's */
	struct asked asked;
	struct xfer_cred cred;
	uint32_t groups[]; /* of cred */
};

struct parts {
	struct validity *validity;
	struct attrcache *cache;
	unsigned max;
	pthread_mutex_t lock; /* all that follows */
	TAILQ_HEAD(, part) ages;
	unsigned count; /* places of the parts that are kept */
	struct chain chains[CHAINS];
};

/* --- a part --------------------------------------------------------------------------------------- */

static struct place *add_place(
	struct part *part, uint64_t cookie, const char *name, struct attrcache_entry *object)
{
	size_t size = strlen(name) + 1;
	struct place *place = malloc(sizeof(*place) + size);

	if (!place)
		return NULL;
	place->part = part;
	place->cookie = cookie;
	place->object = object;
	memcpy(place->name, name, size);
	STAILQ_INSERT_TAIL(&part->places, place, next);
	part->last = place;
	part->count++;
	return place;
}

struct part *part_new(struct parts *parts, struct attrcache_entry *dir, uint64_t cookie,
	const struct xfer_cred *cred, const struct asked *asked)
{
	struct part *part = calloc(1, sizeof(*part) + cred->ngroups * sizeof(*part->groups));

	if (!part)
		return NULL;
	STAILQ_INIT(&part->places);
	if (!add_place(part, cookie, "", NULL)) {
		free(part);
		return NULL;
	}
	attrcache_ref(parts->cache, dir);
	part->parts = parts;
	part->refs = 1;
	part->dir = dir;
	part->asked = *asked;
	part->cred = rdx_cred_copy(cred, part->groups);
	return part;
}

bool part_add(struct part *part, uint64_t cookie, const char *name, struct attrcache_entry *object)
{
	if (!add_place(part, cookie, name, object))
		return false;
	attrcache_ref(part->parts->cache, object);
	return true;
}

void part_end(struct part *part, bool eof, const struct xfer_opt_attr *dir)
{
	part->eof = eof;
	part->promised = dir->valid && dir->attr.promised;
	part->change = dir->attr.change;
}

const struct place *part_begin(const struct part *part)
{
	return STAILQ_FIRST(&part->places);
}

const struct place *part_last(const struct part *part)
{
	return part->last;
}

const struct place *place_next(const struct place *place)
{
	return STAILQ_NEXT(place, next);
}

bool part_is_last(const struct part *part)
{
	return part->eof;
}

static void part_free(struct part *part)
{
	struct attrcache *cache = part->parts->cache;

	while (!STAILQ_EMPTY(&part->places)) {
		struct place *place = STAILQ_FIRST(&part->places);

		STAILQ_REMOVE_HEAD(&part->places, next);
		if (place->object)
			attrcache_put(cache, place->object);
		free(place);
	}
	attrcache_put(cache, part->dir);
	free(part);
}

void part_put(struct part *part)
{
	struct parts *parts = part->parts;
	bool last;

	pthread_mutex_lock(&parts->lock);
	last = --part->refs == 0;
	pthread_mutex_unlock(&parts->lock);
	if (last)
		part_free(part);
}

/* --- what is kept: all with the lock held --------------------------------------------------------- */

static struct chain *chain_of(
	struct parts *parts, const struct attrcache_entry *dir, uint64_t cookie)
{
	return &parts->chains[xfer_hash((uintptr_t)dir, &cookie, sizeof(cookie)) % CHAINS];
}

/* Whoever lists from it still has references of their own. */
static void forget(struct parts *parts, struct part *part)
{
	struct place *place;

	STAILQ_FOREACH (place, &part->places, next)
		LIST_REMOVE(place, link);
	TAILQ_REMOVE(&parts->ages, part, age);
	parts->count -= part->count;
	if (--part->refs == 0)
		part_free(part);
}

static void make_room(struct parts *parts, unsigned count, uint64_t now)
{
	while (!TAILQ_EMPTY(&parts->ages) &&
		(parts->count + count > parts->max ||
			validity_lease_over(&TAILQ_FIRST(&parts->ages)->asked, now)))
		forget(parts, TAILQ_FIRST(&parts->ages));
}

/* Where a part ends before the directory does another one has to go on. */
static bool leads_on(const struct place *place)
{
	return place_next(place) || place->part->eof;
}

static bool holds(struct parts *parts, const struct part *part, uint64_t change, uint64_t now)
{
	return part->change == change &&
	       validity_holds(parts->validity, attrcache_bucket(part->dir), &part->asked, now);
}

/* --- from outside --------------------------------------------------------------------------------- */

bool parts_keep(struct part *part)
{
	struct parts *parts = part->parts;
	struct place *place;

	if (!part->promised || part->count > parts->max)
		return false;
	pthread_mutex_lock(&parts->lock);
	make_room(parts, part->count, part->asked.ns);
	STAILQ_FOREACH (place, &part->places, next)
		LIST_INSERT_HEAD(chain_of(parts, part->dir, place->cookie), place, link);
	TAILQ_INSERT_TAIL(&parts->ages, part, age);
	parts->count += part->count;
	part->refs++;
	pthread_mutex_unlock(&parts->lock);
	return true;
}

const struct place *parts_find(struct parts *parts, const struct attrcache_entry *dir,
	uint64_t cookie, const struct xfer_cred *cred, uint64_t change, uint64_t now)
{
	struct place *place;

	pthread_mutex_lock(&parts->lock);
	LIST_FOREACH (place, chain_of(parts, dir, cookie), link)
		if (place->cookie == cookie && place->part->dir == dir && leads_on(place) &&
			rdx_cred_equal(&place->part->cred, cred) &&
			holds(parts, place->part, change, now))
			break;
	if (place)
		place->part->refs++;
	pthread_mutex_unlock(&parts->lock);
	return place;
}

/* --- life ----------------------------------------------------------------------------------------- */

struct parts *parts_create(struct validity *validity, struct attrcache *cache, unsigned max)
{
	struct parts *parts = resident_calloc(sizeof(*parts));

	if (!parts)
		return NULL;
	parts->validity = validity;
	parts->cache = cache;
	parts->max = max;
	pthread_mutex_init(&parts->lock, NULL);
	TAILQ_INIT(&parts->ages);
	return parts;
}

void parts_destroy(struct parts *parts)
{
	while (!TAILQ_EMPTY(&parts->ages))
		forget(parts, TAILQ_FIRST(&parts->ages));
	pthread_mutex_destroy(&parts->lock);
	free(parts);
}
