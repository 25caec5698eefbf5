/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* attrcache.c -- the attributes that owners' replies brought, for a second */

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "attrcache.h"

/* MDCACHE holds about 100,000 objects by default: chains of six. */
#define BUCKETS 16384
#define STRIPES 64

struct attrcache_entry {
	struct attrcache_entry *next; /* in the bucket */
	uint32_t bucket;
	/* Under the stripe's lock, like the bucket's chain: */
	uint32_t refs;
	bool valid;
	uint64_t fed; /* nanoseconds */
	struct xfer_attr attr;
	struct xfer_handle handle; /* constant */
};

struct attrcache {
	pthread_mutex_t stripes[STRIPES]; /* bucket i belongs to stripe i % STRIPES */
	struct attrcache_entry *buckets[BUCKETS];
};

/* FNV-1a; a handle's bytes are a MAC and an inode number, nothing that needs more. */
static uint32_t bucket_of(const struct xfer_handle *handle)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (uint32_t i = 0; i < handle->len; i++)
		hash = (hash ^ handle->data[i]) * UINT64_C(0x100000001b3);
	return (uint32_t)(hash >> 32 ^ hash) % BUCKETS;
}

static pthread_mutex_t *stripe_lock(struct attrcache *cache, uint32_t bucket)
{
	pthread_mutex_t *stripe = &cache->stripes[bucket % STRIPES];

	pthread_mutex_lock(stripe);
	return stripe;
}

struct attrcache *attrcache_create(void)
{
	struct attrcache *cache = calloc(1, sizeof(*cache));

	if (cache == NULL)
		return NULL;
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

struct attrcache_entry *attrcache_get(struct attrcache *cache, const struct xfer_handle *handle)
{
	uint32_t bucket = bucket_of(handle);
	pthread_mutex_t *stripe = stripe_lock(cache, bucket);
	struct attrcache_entry *entry = cache->buckets[bucket];

	while (entry != NULL && !xfer_handle_equal(&entry->handle, handle))
		entry = entry->next;
	if (entry == NULL) {
		entry = calloc(1, sizeof(*entry));
		if (entry != NULL) {
			entry->handle = *handle;
			entry->bucket = bucket;
			entry->next = cache->buckets[bucket];
			cache->buckets[bucket] = entry;
		}
	}
	if (entry != NULL)
		entry->refs++;
	pthread_mutex_unlock(stripe);
	return entry;
}

void attrcache_put(struct attrcache *cache, struct attrcache_entry *entry)
{
	pthread_mutex_t *stripe = stripe_lock(cache, entry->bucket);

	if (--entry->refs > 0) {
		pthread_mutex_unlock(stripe);
		return;
	}
	struct attrcache_entry **link = &cache->buckets[entry->bucket];
	while (*link != entry)
		link = &(*link)->next;
	*link = entry->next;
	pthread_mutex_unlock(stripe);
	free(entry);
}

/* A clock read on another processor may be a little behind the one that fed. */
static bool entry_is_fresh(const struct attrcache_entry *entry, uint64_t now)
{
	return entry->valid && (now < entry->fed || now - entry->fed < ATTRCACHE_LIFETIME_NS);
}

bool attrcache_feed(struct attrcache *cache, struct attrcache_entry *entry,
	const struct xfer_attr *attr, uint64_t now)
{
	pthread_mutex_t *stripe = stripe_lock(cache, entry->bucket);
	/* A stale entry gives way to anything: should the owner's counter ever go back (its clock was set
	 * back while it was down), that heals after one lifetime. */
	bool take = !entry_is_fresh(entry, now) || attr->change >= entry->attr.change;

	if (take) {
		entry->attr = *attr;
		entry->fed = now;
		entry->valid = true;
	}
	pthread_mutex_unlock(stripe);
	return take;
}

bool attrcache_read(struct attrcache *cache, struct attrcache_entry *entry, uint64_t now,
	struct xfer_attr *attr)
{
	pthread_mutex_t *stripe = stripe_lock(cache, entry->bucket);
	bool fresh = entry_is_fresh(entry, now);

	if (fresh)
		*attr = entry->attr;
	pthread_mutex_unlock(stripe);
	return fresh;
}

void attrcache_drop(struct attrcache *cache, struct attrcache_entry *entry)
{
	pthread_mutex_t *stripe = stripe_lock(cache, entry->bucket);

	entry->valid = false;
	pthread_mutex_unlock(stripe);
}
