/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* filecache.c -- descriptors of files that are read and written without an open */

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "clock.h"
#include "owner/filecache.h"

#define BUCKETS 1024u

struct entry {
	LIST_ENTRY(entry) bucket;
	TAILQ_ENTRY(entry) lru;
	struct file *file; /* with the handle and the access of the key */
	uint64_t ctime_ns, used_ns;
	bool owner_override;
	uint32_t uid, gid, ngroups;
	uint32_t groups[];
};
LIST_HEAD(entry_list, entry);
TAILQ_HEAD(entry_queue, entry);

struct file_cache {
	pthread_mutex_t lock; /* the following */
	pthread_cond_t changed;
	struct entry_list buckets[BUCKETS];
	struct entry_queue lru; /* most recently used first */
	unsigned count, capacity;
	bool stopping;
	pthread_t reaper;
};

static struct entry_list *bucket_of(struct file_cache *cache, const struct xfer_handle *handle)
{
	return &cache->buckets[xfer_hash(0, handle->data, handle->len) % BUCKETS];
}

static bool matches(const struct entry *entry, const struct file_key *key)
{
	const struct xfer_cred *cred = key->cred;

	return xfer_handle_equal(&entry->file->handle, key->handle) &&
	       entry->file->volume == key->volume && entry->file->access == key->access &&
	       entry->owner_override == key->owner_override && entry->uid == cred->uid &&
	       entry->gid == cred->gid && entry->ngroups == cred->ngroups &&
	       (cred->ngroups == 0 ||
		       memcmp(entry->groups, cred->groups, cred->ngroups * sizeof(uint32_t)) == 0);
}

/* With the lock held; the caller puts entry->file and frees the entry without the lock. */
static void unlink_entry(struct file_cache *cache, struct entry *entry)
{
	LIST_REMOVE(entry, bucket);
	TAILQ_REMOVE(&cache->lru, entry, lru);
	cache->count--;
}

/* Closing may take long, so it is done without the lock. */
static void drop(struct entry_queue *entries)
{
	struct entry *entry;

	while ((entry = TAILQ_FIRST(entries))) {
		TAILQ_REMOVE(entries, entry, lru);
		file_put(entry->file);
		free(entry);
	}
}

static struct entry *find(struct file_cache *cache, const struct file_key *key)
{
	struct entry *entry;

	LIST_FOREACH (entry, bucket_of(cache, key->handle), bucket)
		if (matches(entry, key))
			break;
	return entry;
}

struct file *filecache_find(
	struct file_cache *cache, const struct file_key *key, uint64_t *ctime_ns)
{
	struct file *file = NULL;
	struct entry *entry;

	pthread_mutex_lock(&cache->lock);
	entry = find(cache, key);
	if (entry) {
		entry->used_ns = xfer_now_ns();
		TAILQ_REMOVE(&cache->lru, entry, lru);
		TAILQ_INSERT_HEAD(&cache->lru, entry, lru);
		file = file_get(entry->file);
		*ctime_ns = entry->ctime_ns;
	}
	pthread_mutex_unlock(&cache->lock);
	return file;
}

static struct entry *entry_new(const struct file_key *key, struct file *file, uint64_t ctime_ns)
{
	const struct xfer_cred *cred = key->cred;
	size_t size = cred->ngroups * sizeof(uint32_t);
	struct entry *entry = malloc(sizeof(*entry) + size);

	if (!entry)
		return NULL;
	entry->file = file_get(file);
	entry->ctime_ns = ctime_ns;
	entry->used_ns = xfer_now_ns();
	entry->owner_override = key->owner_override;
	entry->uid = cred->uid;
	entry->gid = cred->gid;
	entry->ngroups = cred->ngroups;
	if (size > 0)
		memcpy(entry->groups, cred->groups, size);
	return entry;
}

/* With the lock held. */
static void insert_entry(struct file_cache *cache, struct entry *entry)
{
	LIST_INSERT_HEAD(bucket_of(cache, &entry->file->handle), entry, bucket);
	TAILQ_INSERT_HEAD(&cache->lru, entry, lru);
	cache->count++;
}

void filecache_put(
	struct file_cache *cache, const struct file_key *key, struct file *file, uint64_t ctime_ns)
{
	struct entry_queue dropped = TAILQ_HEAD_INITIALIZER(dropped);
	struct entry *entry = entry_new(key, file, ctime_ns), *old;
	bool was_empty;

	if (!entry)
		return;
	pthread_mutex_lock(&cache->lock);
	was_empty = cache->count == 0;
	old = find(cache, key);
	if (!old && cache->count >= cache->capacity)
		old = TAILQ_LAST(&cache->lru, entry_queue);
	if (old) {
		unlink_entry(cache, old);
		TAILQ_INSERT_HEAD(&dropped, old, lru);
	}
	insert_entry(cache, entry);
	/* Only who sleeps without an end has to be woken: each WRITE comes here, its file's ctime is new. */
	if (was_empty)
		pthread_cond_signal(&cache->changed);
	pthread_mutex_unlock(&cache->lock);
	drop(&dropped);
}

void filecache_forget(struct file_cache *cache, const struct xfer_handle *handle)
{
	struct entry_queue dropped = TAILQ_HEAD_INITIALIZER(dropped);
	struct entry *entry, *next;

	pthread_mutex_lock(&cache->lock);
	for (entry = LIST_FIRST(bucket_of(cache, handle)); entry; entry = next) {
		next = LIST_NEXT(entry, bucket);
		if (!xfer_handle_equal(&entry->file->handle, handle))
			continue;
		unlink_entry(cache, entry);
		TAILQ_INSERT_HEAD(&dropped, entry, lru);
	}
	pthread_mutex_unlock(&cache->lock);
	drop(&dropped);
}

void filecache_forget_volume(struct file_cache *cache, const struct volume *volume)
{
	struct entry_queue dropped = TAILQ_HEAD_INITIALIZER(dropped);
	struct entry *entry, *next;

	pthread_mutex_lock(&cache->lock);
	for (entry = TAILQ_FIRST(&cache->lru); entry; entry = next) {
		next = TAILQ_NEXT(entry, lru);
		if (entry->file->volume != volume)
			continue;
		unlink_entry(cache, entry);
		TAILQ_INSERT_HEAD(&dropped, entry, lru);
	}
	pthread_mutex_unlock(&cache->lock);
	drop(&dropped);
}

unsigned filecache_count(struct file_cache *cache)
{
	unsigned count;

	pthread_mutex_lock(&cache->lock);
	count = cache->count;
	pthread_mutex_unlock(&cache->lock);
	return count;
}

/* --- idle entries ------------------------------------------------------------------------------ */

/* With the lock held: until there may be an idle entry, or the end. */
static void wait_idle(struct file_cache *cache)
{
	struct timespec until =
		xfer_timespec(xfer_now_ns() + FILECACHE_IDLE_MS / 2 * XFER_NS_PER_MS);

	if (cache->count == 0)
		pthread_cond_wait(&cache->changed, &cache->lock);
	else
		pthread_cond_timedwait(&cache->changed, &cache->lock, &until);
}

static void *reap(void *arg)
{
	struct file_cache *cache = arg;
	struct entry_queue dropped = TAILQ_HEAD_INITIALIZER(dropped);

	pthread_mutex_lock(&cache->lock);
	while (!cache->stopping) {
		uint64_t now = xfer_now_ns();
		struct entry *entry;

		while ((entry = TAILQ_LAST(&cache->lru, entry_queue)) &&
			now > entry->used_ns + FILECACHE_IDLE_MS * XFER_NS_PER_MS) {
			unlink_entry(cache, entry);
			TAILQ_INSERT_HEAD(&dropped, entry, lru);
		}
		if (TAILQ_EMPTY(&dropped)) {
			wait_idle(cache);
			continue;
		}
		pthread_mutex_unlock(&cache->lock);
		drop(&dropped);
		pthread_mutex_lock(&cache->lock);
	}
	pthread_mutex_unlock(&cache->lock);
	return NULL;
}

int filecache_create(unsigned capacity, struct file_cache **result)
{
	struct file_cache *cache = calloc(1, sizeof(*cache));
	int err;

	if (!cache)
		return -ENOMEM;
	cache->capacity = capacity;
	TAILQ_INIT(&cache->lru);
	pthread_mutex_init(&cache->lock, NULL);
	xfer_cond_init(&cache->changed);
	err = pthread_create(&cache->reaper, NULL, reap, cache);
	if (err) {
		free(cache);
		return -err;
	}
	pthread_setname_np(cache->reaper, "xfer-files");
	*result = cache;
	return 0;
}

void filecache_destroy(struct file_cache *cache)
{
	if (!cache)
		return;
	pthread_mutex_lock(&cache->lock);
	cache->stopping = true;
	pthread_cond_signal(&cache->changed);
	pthread_mutex_unlock(&cache->lock);
	pthread_join(cache->reaper, NULL);
	drop(&cache->lru);
	pthread_cond_destroy(&cache->changed);
	pthread_mutex_destroy(&cache->lock);
	free(cache);
}
