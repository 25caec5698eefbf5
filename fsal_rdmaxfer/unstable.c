/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* unstable.c -- what NFSv3 clients have written UNSTABLE and not committed, and under which write verifier */

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/queue.h>

#include "compat.h"
#include "unstable.h"

#define BUCKETS 1024u

struct note {
	struct unstable_key key;
	unsigned under_way;    /* writes */
	uint64_t writes;       /* that have ended and left uncommitted data */
	bool uncommitted;      /* what follows counts */
	uint64_t first, end;   /* all such bytes lie between them; end: UINT64_MAX at most */
	uint8_t verifier[8];   /* of the first of them */
	LIST_ENTRY(note) link; /* its bucket's */
};

struct unstable {
	pthread_mutex_t lock; /* all that follows */
	unsigned max, count;
	LIST_HEAD(, note) buckets[BUCKETS];
};

struct unstable *unstable_create(unsigned max)
{
	struct unstable *unstable = gsh_calloc(1, sizeof(*unstable));

	pthread_mutex_init(&unstable->lock, NULL);
	unstable->max = max;
	return unstable;
}

/* With the lock held. */
static void forget(struct unstable *unstable, struct note *note)
{
	LIST_REMOVE(note, link);
	gsh_free(note);
	unstable->count--;
}

void unstable_destroy(struct unstable *unstable)
{
	struct note *note;

	for (unsigned i = 0; i < BUCKETS; i++)
		while ((note = LIST_FIRST(&unstable->buckets[i])))
			forget(unstable, note);
	pthread_mutex_destroy(&unstable->lock);
	gsh_free(unstable);
}

static bool is_same(const struct unstable_key *a, const struct unstable_key *b)
{
	return xfer_handle_equal(&a->handle, &b->handle) &&
	       memcmp(a->client, b->client, sizeof(a->client)) == 0;
}

/* FNV-1a */
static unsigned bucket_of(const struct unstable_key *key)
{
	uint32_t hash = 2166136261u;

	for (uint32_t i = 0; i < key->handle.len; i++)
		hash = (hash ^ key->handle.data[i]) * 16777619u;
	for (size_t i = 0; i < sizeof(key->client); i++)
		hash = (hash ^ key->client[i]) * 16777619u;
	return hash % BUCKETS;
}

/* With the lock held; NULL: there is none. */
static struct note *find(struct unstable *unstable, const struct unstable_key *key)
{
	struct note *note;

	LIST_FOREACH (note, &unstable->buckets[bucket_of(key)], link)
		if (is_same(&note->key, key))
			break;
	return note;
}

bool unstable_begin(struct unstable *unstable, const struct unstable_key *key)
{
	struct note *note;

	pthread_mutex_lock(&unstable->lock);
	note = find(unstable, key);
	if (!note && unstable->count < unstable->max) {
		note = gsh_calloc(1, sizeof(*note));
		note->key = *key;
		LIST_INSERT_HEAD(&unstable->buckets[bucket_of(key)], note, link);
		unstable->count++;
	}
	if (note)
		note->under_way++;
	pthread_mutex_unlock(&unstable->lock);
	return note != NULL;
}

/* With the lock held. The verifier stays that of the first bytes: when it isn't the present one, they may be lost. */
static void add(struct note *note, uint64_t offset, uint64_t count, const uint8_t verifier[8])
{
	note->writes++;
	if (!note->uncommitted) {
		note->uncommitted = true;
		note->first = offset;
		note->end = offset + count;
		memcpy(note->verifier, verifier, sizeof(note->verifier));
		return;
	}
	if (offset < note->first)
		note->first = offset;
	if (offset + count > note->end)
		note->end = offset + count;
}

void unstable_written(struct unstable *unstable, const struct unstable_key *key, uint64_t offset,
	uint64_t count, const uint8_t verifier[8])
{
	struct note *note;

	pthread_mutex_lock(&unstable->lock);
	note = find(unstable, key);
	note->under_way--;
	if (verifier && count > 0)
		add(note, offset, count, verifier);
	if (!note->uncommitted && note->under_way == 0)
		forget(unstable, note);
	pthread_mutex_unlock(&unstable->lock);
}

void unstable_commit_begin(
	struct unstable *unstable, const struct unstable_key *key, struct unstable_commit *commit)
{
	struct note *note;

	*commit = (struct unstable_commit){ 0 };
	pthread_mutex_lock(&unstable->lock);
	note = find(unstable, key);
	if (note && note->uncommitted) {
		commit->noted = true;
		commit->writes = note->writes;
		memcpy(commit->verifier, note->verifier, sizeof(commit->verifier));
	}
	pthread_mutex_unlock(&unstable->lock);
}

/* With the lock held: nothing that the note says is uncommitted any more, or the client is told that it is lost. */
static void settle(struct unstable *unstable, struct note *note)
{
	note->uncommitted = false;
	if (note->under_way == 0)
		forget(unstable, note);
}

int unstable_commit_end(struct unstable *unstable, const struct unstable_key *key,
	const struct unstable_commit *commit, uint64_t offset, uint64_t count, int err,
	const uint8_t verifier[8])
{
	struct note *note;

	if (!commit->noted || err == -EAGAIN)
		return err;
	if (err == 0 && memcmp(verifier, commit->verifier, sizeof(commit->verifier)) != 0)
		err = -EIO;
	pthread_mutex_lock(&unstable->lock);
	note = find(unstable, key);
	/* Not when a write has ended meanwhile, which this COMMIT may not have met, nor for a part. */
	if (note && note->uncommitted && note->writes == commit->writes && offset <= note->first &&
		(count == 0 || count >= note->end - offset))
		settle(unstable, note);
	pthread_mutex_unlock(&unstable->lock);
	return err;
}
