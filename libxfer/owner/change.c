/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* change.c -- change counters: a value per object that differs after each change */
#include "owner/change.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "clock.h"

#define SHARDS     16
#define BUCKETS    1024 /* per shard */
#define SETTLED_NS 1000000000ull
#define TRIES      3

struct entry {
	LIST_ENTRY(entry) bucket;
	TAILQ_ENTRY(entry) lru;
	uint64_t ino;
	uint64_t ctime; /* ns, as last seen */
	uint64_t value;
	uint64_t stamp;   /* of the table's clock, when the value was made */
	uint64_t made_ns; /* CLOCK_MONOTONIC, when the value was made */
};
LIST_HEAD(entry_list, entry);
TAILQ_HEAD(entry_queue, entry);

struct shard {
	pthread_mutex_t lock;
	struct entry_list buckets[BUCKETS];
	struct entry_queue lru; /* most recently used first */
	unsigned count;
};

struct change_table {
	_Atomic uint64_t clock; /* counts values made */
	unsigned shard_capacity;
	struct shard shards[SHARDS];
};

static uint64_t realtime_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

static uint64_t ctime_ns(const struct statx *stx)
{
	return (uint64_t)stx->stx_ctime.tv_sec * 1000000000ull + stx->stx_ctime.tv_nsec;
}

struct change_table *change_table_create(unsigned capacity)
{
	struct change_table *table = calloc(1, sizeof(*table));
	if (table == NULL)
		return NULL;
	table->shard_capacity = (capacity + SHARDS - 1) / SHARDS;
	for (int i = 0; i < SHARDS; i++) {
		pthread_mutex_init(&table->shards[i].lock, NULL);
		TAILQ_INIT(&table->shards[i].lru);
	}
	return table;
}

static void entry_drop(struct shard *shard, struct entry *entry)
{
	LIST_REMOVE(entry, bucket);
	TAILQ_REMOVE(&shard->lru, entry, lru);
	shard->count--;
	free(entry);
}

void change_table_destroy(struct change_table *table)
{
	if (table == NULL)
		return;
	for (int i = 0; i < SHARDS; i++) {
		struct shard *shard = &table->shards[i];
		while (!TAILQ_EMPTY(&shard->lru))
			entry_drop(shard, TAILQ_FIRST(&shard->lru));
		pthread_mutex_destroy(&shard->lock);
	}
	free(table);
}

static uint64_t ino_hash(uint64_t ino)
{
	return (ino * 0x9e3779b97f4a7c15ull) >> 32;
}

static struct shard *shard_of(struct change_table *table, uint64_t ino)
{
	return &table->shards[ino_hash(ino) % SHARDS];
}

static struct entry_list *bucket_of(struct shard *shard, uint64_t ino)
{
	return &shard->buckets[ino_hash(ino) / SHARDS % BUCKETS];
}

static struct entry *entry_find(struct shard *shard, uint64_t ino)
{
	struct entry *entry;
	LIST_FOREACH (entry, bucket_of(shard, ino), bucket) {
		if (entry->ino == ino)
			return entry;
	}
	return NULL;
}

static void entry_set(
	struct change_table *table, struct entry *entry, uint64_t ctime, uint64_t value)
{
	entry->ctime = ctime;
	entry->value = value;
	entry->stamp = atomic_fetch_add(&table->clock, 1) + 1;
	entry->made_ns = xfer_now_ns();
}

/* An entry was used within the second in which it was made, so behind an unsettled tail all are. */
static void shard_trim(struct change_table *table, struct shard *shard)
{
	uint64_t now = xfer_now_ns();

	while (shard->count > table->shard_capacity) {
		struct entry *oldest = TAILQ_LAST(&shard->lru, entry_queue);
		if (now - oldest->made_ns <= SETTLED_NS)
			break;
		entry_drop(shard, oldest);
	}
}

static int entry_add(struct change_table *table, struct shard *shard, uint64_t ino, uint64_t ctime)
{
	struct entry *entry = malloc(sizeof(*entry));
	if (entry == NULL)
		return -ENOMEM;
	entry->ino = ino;
	entry_set(table, entry, ctime, ctime);
	LIST_INSERT_HEAD(bucket_of(shard, ino), entry, bucket);
	TAILQ_INSERT_HEAD(&shard->lru, entry, lru);
	shard->count++;
	shard_trim(table, shard);
	return 0;
}

/* Under the shard's lock, with attributes read no earlier than at time `since` of the table's clock.
 * -EAGAIN: a value was made since, the attributes may be older than it. */
static int value_of(struct change_table *table, struct shard *shard, const struct statx *stx,
	bool changed, uint64_t since, uint64_t *value)
{
	uint64_t ctime = ctime_ns(stx);
	struct entry *entry = entry_find(shard, stx->stx_ino);

	if (entry == NULL) {
		uint64_t now = realtime_ns();
		if (ctime + SETTLED_NS > now || changed) {
			int err = entry_add(table, shard, stx->stx_ino, ctime);
			if (err < 0)
				return err;
		}
		*value = ctime;
		return 0;
	}
	if (entry->stamp > since)
		return -EAGAIN;
	if (changed || ctime != entry->ctime)
		entry_set(table, entry, ctime, ctime > entry->value ? ctime : entry->value + 1);
	TAILQ_REMOVE(&shard->lru, entry, lru);
	TAILQ_INSERT_HEAD(&shard->lru, entry, lru);
	*value = entry->value;
	return 0;
}

/* The last resort under constant change: nobody can make a value while we read. */
static int stat_locked(struct change_table *table, const struct store_ops *store, int fd,
	bool changed, struct shard *shard, struct statx *stx, uint64_t *value)
{
	pthread_mutex_lock(&shard->lock);
	int err = store->stat(fd, stx);
	if (err == 0)
		err = value_of(table, shard, stx, changed, UINT64_MAX, value);
	pthread_mutex_unlock(&shard->lock);
	return err;
}

int change_stat(struct change_table *table, const struct store_ops *store, int fd, bool changed,
	struct statx *stx, uint64_t *value)
{
	struct statx now;
	struct shard *shard = NULL;

	for (int i = 0; i < TRIES; i++) {
		uint64_t since = atomic_load(&table->clock);
		int err = store->stat(fd, &now);
		if (err < 0)
			return err;
		shard = shard_of(table, now.stx_ino);
		pthread_mutex_lock(&shard->lock);
		err = value_of(table, shard, &now, changed, since, value);
		pthread_mutex_unlock(&shard->lock);
		if (err == 0)
			*stx = now;
		if (err != -EAGAIN)
			return err;
	}
	return stat_locked(table, store, fd, changed, shard, stx, value);
}

unsigned change_table_count(struct change_table *table)
{
	unsigned count = 0;
	for (int i = 0; i < SHARDS; i++) {
		pthread_mutex_lock(&table->shards[i].lock);
		count += table->shards[i].count;
		pthread_mutex_unlock(&table->shards[i].lock);
	}
	return count;
}
