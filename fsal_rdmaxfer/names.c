/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* names.c -- the names that owners' replies told of, as long as they may be believed */

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "names.h"
#include "resident.h"

#define CHAINS  65536u
#define STRIPES 64u

struct name {
	LIST_ENTRY(name) link;          /* the chain's */
	TAILQ_ENTRY(name) age;          /* the stripe's, the oldest first */
	struct attrcache_entry *dir;    /* referenced */
	struct attrcache_entry *object; /* referenced; NULL: nothing has this name */
	struct asked asked;             /* for the directory's promise */
	uint64_t since;                 /* for own changes of this chain: a number of validity's */
	uint8_t length;                 /* of text */
	char text[];
};

struct chain {
	LIST_HEAD(, name) names;
	uint64_t changed;  /* the number of the last beginning or end of an own change */
	uint32_t changing; /* own changes under way */
};

struct stripe {
	pthread_mutex_t lock; /* the chains i with i % STRIPES, and the following */
	TAILQ_HEAD(, name) ages;
	unsigned count;
};

struct names {
	struct validity *validity;
	struct attrcache *cache;
	unsigned stripe_max;
	struct stripe stripes[STRIPES];
	struct chain chains[CHAINS];
};

static uint32_t chain_number(const struct attrcache_entry *dir, const char *text)
{
	return (uint32_t)xfer_hash((uintptr_t)dir, text, strlen(text)) % CHAINS;
}

static struct stripe *lock_stripe(struct names *names, uint32_t number)
{
	struct stripe *stripe = &names->stripes[number % STRIPES];

	pthread_mutex_lock(&stripe->lock);
	return stripe;
}

/* --- under a stripe's lock ---------------------------------------------------------------------- */

static struct name *find(
	const struct chain *chain, const struct attrcache_entry *dir, const char *text)
{
	size_t length = strlen(text);
	struct name *name;

	LIST_FOREACH (name, &chain->names, link)
		if (name->dir == dir && name->length == length &&
			memcmp(name->text, text, length) == 0)
			return name;
	return NULL;
}

static void forget(struct names *names, struct stripe *stripe, struct name *name)
{
	LIST_REMOVE(name, link);
	TAILQ_REMOVE(&stripe->ages, name, age);
	stripe->count--;
	attrcache_put(names->cache, name->dir);
	if (name->object)
		attrcache_put(names->cache, name->object);
	free(name);
}

static void forget_name(struct names *names, struct stripe *stripe, const struct chain *chain,
	const struct attrcache_entry *dir, const char *text)
{
	struct name *name = find(chain, dir, text);

	if (name)
		forget(names, stripe, name);
}

/* Of all that is kept the oldest goes first: what nobody believes any more, and one more if there is no room. */
static void make_room(struct names *names, struct stripe *stripe, uint64_t now)
{
	while (stripe->count > 0 &&
		(stripe->count >= names->stripe_max ||
			validity_lease_over(&TAILQ_FIRST(&stripe->ages)->asked, now)))
		forget(names, stripe, TAILQ_FIRST(&stripe->ages));
}

/* Without memory it isn't kept. */
static void keep(struct names *names, struct stripe *stripe, struct chain *chain,
	struct attrcache_entry *dir, const char *text, struct attrcache_entry *object,
	const struct asked *asked, uint64_t since)
{
	size_t length = strlen(text);
	struct name *name = malloc(sizeof(*name) + length);

	forget_name(names, stripe, chain, dir, text);
	if (!name)
		return;
	make_room(names, stripe, asked->ns);
	attrcache_ref(names->cache, dir);
	if (object)
		attrcache_ref(names->cache, object);
	name->dir = dir;
	name->object = object;
	name->asked = *asked;
	name->since = since;
	name->length = (uint8_t)length;
	memcpy(name->text, text, length);
	LIST_INSERT_HEAD(&chain->names, name, link);
	TAILQ_INSERT_TAIL(&stripe->ages, name, age);
	stripe->count++;
}

/* --- from outside ------------------------------------------------------------------------------- */

enum names_answer names_find(struct names *names, struct attrcache_entry *dir, const char *text,
	uint64_t now, struct attrcache_entry **object)
{
	uint32_t number = chain_number(dir, text);
	struct stripe *stripe = lock_stripe(names, number);
	struct chain *chain = &names->chains[number];
	struct name *name = chain->changing == 0 ? find(chain, dir, text) : NULL;
	enum names_answer answer = NAMES_UNKNOWN;

	if (name && name->since >= chain->changed &&
		validity_holds(names->validity, attrcache_bucket(dir), &name->asked, now))
		answer = name->object ? NAMES_OBJECT : NAMES_NOTHING;
	if (answer == NAMES_OBJECT) {
		attrcache_ref(names->cache, name->object);
		*object = name->object;
	}
	pthread_mutex_unlock(&stripe->lock);
	return answer;
}

void names_learn(struct names *names, struct attrcache_entry *dir, const char *text,
	struct attrcache_entry *object, const struct asked *asked)
{
	uint32_t number = chain_number(dir, text);
	struct stripe *stripe = lock_stripe(names, number);
	struct chain *chain = &names->chains[number];

	if (chain->changing == 0 && asked->seq >= chain->changed)
		keep(names, stripe, chain, dir, text, object, asked, asked->seq);
	pthread_mutex_unlock(&stripe->lock);
}

void names_change_begin(struct names *names, struct attrcache_entry *dir, const char *text,
	struct names_change *change)
{
	uint32_t number = chain_number(dir, text);
	struct stripe *stripe = lock_stripe(names, number);
	struct chain *chain = &names->chains[number];

	*change = (struct names_change){ .dir = dir, .name = text };
	change->begun = chain->changed = validity_next(names->validity);
	chain->changing++;
	forget_name(names, stripe, chain, dir, text);
	pthread_mutex_unlock(&stripe->lock);
}

void names_change_end(struct names *names, struct names_change *change, const struct asked *asked,
	struct attrcache_entry *object)
{
	uint32_t number = chain_number(change->dir, change->name);
	struct stripe *stripe = lock_stripe(names, number);
	struct chain *chain = &names->chains[number];
	bool alone = --chain->changing == 0 && chain->changed == change->begun;

	chain->changed = validity_next(names->validity);
	if (alone && asked)
		keep(names, stripe, chain, change->dir, change->name, object, asked,
			chain->changed);
	pthread_mutex_unlock(&stripe->lock);
}

/* --- life ----------------------------------------------------------------------------------------- */

struct names *names_create(struct validity *validity, struct attrcache *cache, unsigned max)
{
	struct names *names = resident_calloc(sizeof(*names));

	if (!names)
		return NULL;
	names->validity = validity;
	names->cache = cache;
	names->stripe_max = max / STRIPES > 0 ? max / STRIPES : 1;
	for (unsigned i = 0; i < STRIPES; i++) {
		pthread_mutex_init(&names->stripes[i].lock, NULL);
		TAILQ_INIT(&names->stripes[i].ages);
	}
	return names;
}

void names_destroy(struct names *names)
{
	for (unsigned i = 0; i < STRIPES; i++) {
		struct stripe *stripe = &names->stripes[i];

		while (!TAILQ_EMPTY(&stripe->ages))
			forget(names, stripe, TAILQ_FIRST(&stripe->ages));
		pthread_mutex_destroy(&stripe->lock);
	}
	free(names);
}
