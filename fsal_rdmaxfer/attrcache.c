/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* attrcache.c -- the attributes that owners' replies brought, as long as they may be believed */

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "attrcache.h"
#include "resident.h"

/* MDCACHE holds about 100,000 objects by default: chains of one. */
#define CHAINS  131072
#define STRIPES 64

struct attrcache_entry {
	struct attrcache_entry *next; /* in the chain */
	uint32_t chain;
	uint32_t bucket; /* of the object, as owners name it */
	/* Under the stripe's lock, like the chain: */
	uint32_t refs;
	bool known;    /* attr, and all that follows */
	bool promised; /* since `asked` */
	struct asked asked;
	uint64_t
		current; /* when they were asked for last, or something was that they are newer than */
	uint64_t fed;    /* when they came */
	uint64_t floor;  /* what was asked for before that isn't believed */
	uint64_t unsure; /* the request that began then has changed them, or not */
	struct xfer_attr attr;
	struct xfer_handle handle; /* constant */
};

struct chain {
	struct attrcache_entry *first;
	uint64_t
		forgotten; /* of entries that went: what was asked for before may be older than they knew */
};

struct attrcache {
	struct validity *validity;
	pthread_mutex_t stripes[STRIPES]; /* chain i belongs to stripe i % STRIPES */
	struct chain chains[CHAINS];
};

static uint32_t chain_of(const struct xfer_handle *handle)
{
	return (uint32_t)xfer_hash(0, handle->data, handle->len) % CHAINS;
}

static pthread_mutex_t *stripe_lock(struct attrcache *cache, uint32_t chain)
{
	pthread_mutex_t *stripe = &cache->stripes[chain % STRIPES];

	pthread_mutex_lock(stripe);
	return stripe;
}

struct attrcache *attrcache_create(struct validity *validity)
{
	struct attrcache *cache = resident_calloc(sizeof(*cache));

	if (cache == NULL)
		return NULL;
	cache->validity = validity;
	for (int i = 0; i < STRIPES; i++)
		pthread_mutex_init(&cache->stripes[i], NULL);
	return cache;
}

void attrcache_destroy(struct attrcache *cache)
{
	for (int i = 0; i < STRIPES; i++)
		pthread_mutex_destroy(&cache->stripes[i]);
	free(cache);
}

struct attrcache_entry *attrcache_get(
	struct attrcache *cache, const struct xfer_handle *handle, uint64_t fileid)
{
	uint32_t chain = chain_of(handle);
	pthread_mutex_t *stripe = stripe_lock(cache, chain);
	struct attrcache_entry *entry = cache->chains[chain].first;

	while (entry != NULL && !xfer_handle_equal(&entry->handle, handle))
		entry = entry->next;
	if (entry == NULL) {
		entry = calloc(1, sizeof(*entry));
		if (entry != NULL) {
			entry->handle = *handle;
			entry->chain = chain;
			entry->floor = cache->chains[chain].forgotten;
			entry->bucket = xfer_bucket(fileid);
			entry->next = cache->chains[chain].first;
			cache->chains[chain].first = entry;
		}
	}
	if (entry != NULL)
		entry->refs++;
	pthread_mutex_unlock(stripe);
	return entry;
}

void attrcache_ref(struct attrcache *cache, struct attrcache_entry *entry)
{
	pthread_mutex_t *stripe = stripe_lock(cache, entry->chain);

	entry->refs++;
	pthread_mutex_unlock(stripe);
}

/* What is asked for later is newer than all that the entry knows. */
static uint64_t knows_until(const struct attrcache_entry *entry)
{
	return entry->known && entry->fed > entry->floor ? entry->fed : entry->floor;
}

void attrcache_put(struct attrcache *cache, struct attrcache_entry *entry)
{
	pthread_mutex_t *stripe = stripe_lock(cache, entry->chain);
	struct chain *chain = &cache->chains[entry->chain];

	if (--entry->refs > 0) {
		pthread_mutex_unlock(stripe);
		return;
	}
	struct attrcache_entry **link = &chain->first;
	while (*link != entry)
		link = &(*link)->next;
	*link = entry->next;
	if (knows_until(entry) > chain->forgotten)
		chain->forgotten = knows_until(entry);
	pthread_mutex_unlock(stripe);
	free(entry);
}

const struct xfer_handle *attrcache_handle(const struct attrcache_entry *entry)
{
	return &entry->handle;
}

uint32_t attrcache_bucket(const struct attrcache_entry *entry)
{
	return entry->bucket;
}

/* Whether a reply says what was, not what is. */
static bool is_overtaken(const struct attrcache_entry *entry, const struct xfer_attr *attr,
	const struct asked *asked)
{
	return entry->known && attr->change < entry->attr.change && asked->ns <= entry->fed;
}

/* Whether it says what is known already, and is promised for longer. */
static bool is_known(const struct attrcache_entry *entry, const struct xfer_attr *attr,
	const struct asked *asked, bool promised)
{
	return entry->known && entry->promised && attr->change == entry->attr.change &&
	       (!promised || asked->ns < entry->asked.ns);
}

bool attrcache_feed(struct attrcache *cache, struct attrcache_entry *entry,
	const struct xfer_attr *attr, const struct asked *asked, uint64_t now)
{
	pthread_mutex_t *stripe = stripe_lock(cache, entry->chain);
	bool promised = attr->promised && asked->ns > entry->floor;
	bool take = !is_overtaken(entry, attr, asked);

	if (take && !is_known(entry, attr, asked, promised)) {
		entry->attr = *attr;
		entry->promised = promised;
		entry->asked = *asked;
		entry->fed = now;
		if (asked->ns > entry->floor)
			entry->unsure = 0;
		entry->known = true;
	}
	if (entry->current < asked->ns)
		entry->current = asked->ns;
	pthread_mutex_unlock(stripe);
	return take;
}

static bool is_changing(
	const struct attrcache *cache, const struct attrcache_entry *entry, enum attr_use use)
{
	return validity_is_changing(cache->validity, entry->bucket, OWN_ATTRS) ||
	       (use == ATTR_TELL &&
		       validity_is_changing(cache->validity, entry->bucket, OWN_CONTENT));
}

bool attrcache_read(struct attrcache *cache, struct attrcache_entry *entry, enum attr_use use,
	uint64_t begun, uint64_t now, struct xfer_attr *attr)
{
	pthread_mutex_t *stripe = stripe_lock(cache, entry->chain);
	bool good = entry->known && begun != 0 && begun != entry->unsure && entry->current >= begun;

	if (entry->known && entry->promised && !good)
		good = validity_holds(cache->validity, entry->bucket, &entry->asked, now) &&
		       !is_changing(cache, entry, use);
	if (good)
		*attr = entry->attr;
	pthread_mutex_unlock(stripe);
	return good;
}

bool attrcache_latest(
	struct attrcache *cache, struct attrcache_entry *entry, struct xfer_attr *attr)
{
	pthread_mutex_t *stripe = stripe_lock(cache, entry->chain);
	bool known = entry->known;

	if (known)
		*attr = entry->attr;
	pthread_mutex_unlock(stripe);
	return known;
}

/* With the stripe's lock: a reply that is still on its way may know what happened, or not. */
static void end_promise(struct attrcache_entry *entry)
{
	entry->promised = false;
	entry->floor = validity_now();
}

void attrcache_drop(struct attrcache *cache, struct attrcache_entry *entry, uint64_t begun)
{
	pthread_mutex_t *stripe = stripe_lock(cache, entry->chain);

	end_promise(entry);
	entry->unsure = begun;
	pthread_mutex_unlock(stripe);
}

void attrcache_gone(struct attrcache *cache, struct attrcache_entry *entry)
{
	pthread_mutex_t *stripe = stripe_lock(cache, entry->chain);

	end_promise(entry);
	pthread_mutex_unlock(stripe);
}
