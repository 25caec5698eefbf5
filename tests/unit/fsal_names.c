/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* fsal_names.c -- the cache of names: promises, own changes, bounds, threads */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "names.h"

#define SECOND (XFER_LEASE_MS * UINT64_C(1000000))

enum { DIR_ID = 1, OTHER_DIR_ID, FILE_ID, OTHER_FILE_ID, OBJECTS };
enum { NAMES = 64 * 4 };

struct fixture {
	struct validity *validity;
	struct attrcache *cache;
	struct names *names;
	struct attrcache_entry *objects[OBJECTS]; /* by their ids */
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	fixture->validity = validity_create();
	fixture->cache = attrcache_create(fixture->validity);
	fixture->names = names_create(fixture->validity, fixture->cache, NAMES);
	for (uint8_t i = DIR_ID; i < OBJECTS; i++) {
		struct xfer_handle handle = { .len = 8, .data = { i } };

		fixture->objects[i] = attrcache_get(fixture->cache, &handle, i);
		assert_non_null(fixture->objects[i]);
	}
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	names_destroy(fixture->names);
	for (int i = DIR_ID; i < OBJECTS; i++)
		attrcache_put(fixture->cache, fixture->objects[i]);
	attrcache_destroy(fixture->cache);
	validity_destroy(fixture->validity);
	free(fixture);
	return 0;
}

/* The id of what has the name; 0: nothing; -1: not known. */
static int find_at(struct fixture *fixture, int dir, const char *name, uint64_t now)
{
	struct attrcache_entry *object = NULL;

	switch (names_find(fixture->names, fixture->objects[dir], name, now, &object)) {
	case NAMES_UNKNOWN:
		return -1;
	case NAMES_NOTHING:
		return 0;
	default:
		attrcache_put(fixture->cache, object);
		return attrcache_handle(object)->data[0];
	}
}

static int find(struct fixture *fixture, int dir, const char *name)
{
	return find_at(fixture, dir, name, validity_now());
}

/* id 0: nothing */
static void learn_from(
	struct fixture *fixture, int dir, const char *name, int id, const struct asked *asked)
{
	names_learn(fixture->names, fixture->objects[dir], name, id ? fixture->objects[id] : NULL,
		asked);
}

static void learn(struct fixture *fixture, int dir, const char *name, int id)
{
	struct asked asked = validity_ask(fixture->validity);

	learn_from(fixture, dir, name, id, &asked);
}

/* --- what is learned ---------------------------------------------------------------------------- */

static void test_learns(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(find(fixture, DIR_ID, "a"), -1);
	learn(fixture, DIR_ID, "a", FILE_ID);
	learn(fixture, DIR_ID, "b", 0);
	learn(fixture, OTHER_DIR_ID, "a", OTHER_FILE_ID);
	assert_int_equal(find(fixture, DIR_ID, "a"), FILE_ID);
	assert_int_equal(find(fixture, DIR_ID, "b"), 0);
	assert_int_equal(find(fixture, DIR_ID, "aa"), -1);
	assert_int_equal(find(fixture, OTHER_DIR_ID, "a"), OTHER_FILE_ID);
	learn(fixture, DIR_ID, "a", 0);
	assert_int_equal(find(fixture, DIR_ID, "a"), 0);
}

static void test_lease(void **state)
{
	struct fixture *fixture = *state;
	struct asked asked = validity_ask(fixture->validity);

	learn_from(fixture, DIR_ID, "a", FILE_ID, &asked);
	assert_int_equal(find_at(fixture, DIR_ID, "a", asked.ns + SECOND - 1), FILE_ID);
	assert_int_equal(find_at(fixture, DIR_ID, "a", asked.ns + SECOND), -1);
}

static void test_invalidation(void **state)
{
	struct fixture *fixture = *state;
	struct asked before = validity_ask(fixture->validity);

	learn(fixture, DIR_ID, "a", FILE_ID);
	learn(fixture, OTHER_DIR_ID, "a", FILE_ID);
	validity_invalidate(fixture->validity, xfer_bucket(DIR_ID));
	assert_int_equal(find(fixture, DIR_ID, "a"), -1);
	assert_int_equal(find(fixture, OTHER_DIR_ID, "a"), FILE_ID);
	/* It was on its way. */
	learn_from(fixture, DIR_ID, "a", FILE_ID, &before);
	assert_int_equal(find(fixture, DIR_ID, "a"), -1);
	learn(fixture, DIR_ID, "a", FILE_ID);
	assert_int_equal(find(fixture, DIR_ID, "a"), FILE_ID);
}

/* The longest name that there is. */
static void test_long_name(void **state)
{
	struct fixture *fixture = *state;
	char name[XFER_NAME_MAX + 1];

	memset(name, 'n', XFER_NAME_MAX);
	name[XFER_NAME_MAX] = '\0';
	learn(fixture, DIR_ID, name, FILE_ID);
	assert_int_equal(find(fixture, DIR_ID, name), FILE_ID);
	name[XFER_NAME_MAX - 1] = '\0';
	assert_int_equal(find(fixture, DIR_ID, name), -1);
}

static void test_bounded(void **state)
{
	struct fixture *fixture = *state;
	unsigned known = 0;
	char name[16];

	for (int i = 0; i < 10 * NAMES; i++) {
		snprintf(name, sizeof(name), "%d", i);
		learn(fixture, DIR_ID, name, FILE_ID);
		assert_int_equal(find(fixture, DIR_ID, name), FILE_ID);
	}
	for (int i = 0; i < 10 * NAMES; i++) {
		snprintf(name, sizeof(name), "%d", i);
		known += find(fixture, DIR_ID, name) == FILE_ID;
	}
	assert_in_range(known, NAMES / 2, NAMES);
}

static unsigned known_at(struct fixture *fixture, uint64_t now)
{
	unsigned known = 0;
	char name[16];

	for (int i = 0; i < NAMES; i++) {
		snprintf(name, sizeof(name), "%d", i);
		known += find_at(fixture, DIR_ID, name, now) == FILE_ID;
	}
	return known;
}

/* What is too old to be believed makes room for others, in the part of the cache where they go. */
static void test_old_ones_go(void **state)
{
	struct fixture *fixture = *state;
	struct asked early = validity_ask(fixture->validity), late = early;
	char name[16];

	for (int i = 0; i < NAMES / 2; i++) {
		snprintf(name, sizeof(name), "%d", i);
		learn_from(fixture, DIR_ID, name, FILE_ID, &early);
	}
	assert_in_range(known_at(fixture, early.ns), NAMES / 4, NAMES / 2);
	late.ns += SECOND;
	for (int i = 0; i < 10 * NAMES; i++) {
		snprintf(name, sizeof(name), "late%d", i);
		learn_from(fixture, DIR_ID, name, FILE_ID, &late);
	}
	assert_int_equal(known_at(fixture, early.ns), 0);
}

/* --- own changes -------------------------------------------------------------------------------- */

struct own {
	struct names_change change;
	struct asked asked;
};

static void begin(struct fixture *fixture, struct own *own, const char *name)
{
	own->asked = validity_ask(fixture->validity);
	names_change_begin(fixture->names, fixture->objects[DIR_ID], name, &own->change);
}

static void end(struct fixture *fixture, struct own *own, int id)
{
	names_change_end(
		fixture->names, &own->change, &own->asked, id ? fixture->objects[id] : NULL);
}

static void test_own_change(void **state)
{
	struct fixture *fixture = *state;
	struct own own;

	learn(fixture, DIR_ID, "a", 0);
	begin(fixture, &own, "a");
	assert_int_equal(find(fixture, DIR_ID, "a"), -1);
	/* A reply may not know of it, whenever it comes. */
	learn(fixture, DIR_ID, "a", 0);
	assert_int_equal(find(fixture, DIR_ID, "a"), -1);
	end(fixture, &own, FILE_ID);
	assert_int_equal(find(fixture, DIR_ID, "a"), FILE_ID);
}

static void test_asked_before_or_during_own_change(void **state)
{
	struct fixture *fixture = *state;
	struct asked before = validity_ask(fixture->validity), during;
	struct own own;

	begin(fixture, &own, "a");
	during = validity_ask(fixture->validity);
	end(fixture, &own, FILE_ID);
	learn_from(fixture, DIR_ID, "a", 0, &before);
	assert_int_equal(find(fixture, DIR_ID, "a"), FILE_ID);
	learn_from(fixture, DIR_ID, "a", 0, &during);
	assert_int_equal(find(fixture, DIR_ID, "a"), FILE_ID);
}

static void test_own_change_without_a_promise(void **state)
{
	struct fixture *fixture = *state;
	struct own own;

	learn(fixture, DIR_ID, "a", 0);
	begin(fixture, &own, "a");
	names_change_end(fixture->names, &own.change, NULL, NULL);
	assert_int_equal(find(fixture, DIR_ID, "a"), -1);
}

/* Nobody knows which of the two was first. */
static void test_own_changes_that_overlap(void **state)
{
	struct fixture *fixture = *state;
	struct own first, second;

	begin(fixture, &first, "a");
	begin(fixture, &second, "a");
	end(fixture, &second, 0);
	assert_int_equal(find(fixture, DIR_ID, "a"), -1);
	end(fixture, &first, FILE_ID);
	assert_int_equal(find(fixture, DIR_ID, "a"), -1);

	begin(fixture, &first, "a");
	begin(fixture, &second, "a");
	end(fixture, &first, FILE_ID);
	assert_int_equal(find(fixture, DIR_ID, "a"), -1);
	end(fixture, &second, 0);
	assert_int_equal(find(fixture, DIR_ID, "a"), -1);

	begin(fixture, &first, "a");
	end(fixture, &first, FILE_ID);
	assert_int_equal(find(fixture, DIR_ID, "a"), FILE_ID);
}

/* Somebody else's change, told while an own one is under way. */
static void test_invalidation_during_own_change(void **state)
{
	struct fixture *fixture = *state;
	struct own own;

	begin(fixture, &own, "a");
	validity_invalidate(fixture->validity, xfer_bucket(DIR_ID));
	end(fixture, &own, FILE_ID);
	assert_int_equal(find(fixture, DIR_ID, "a"), -1);
}

/* --- threads ------------------------------------------------------------------------------------ */

enum { THREADS = 4, ROUNDS = 20000 };

struct racer {
	struct fixture *fixture;
	char name[8];
	unsigned wrong;
};

/* Makes and removes a name of its own, others' beside it. */
static void *race(void *arg)
{
	struct racer *racer = arg;
	struct fixture *fixture = racer->fixture;
	struct own own;

	for (int i = 0; i < ROUNDS; i++) {
		int wanted = i % 2 ? FILE_ID : 0, found;

		begin(fixture, &own, racer->name);
		end(fixture, &own, wanted);
		found = find(fixture, DIR_ID, racer->name);
		racer->wrong += found != wanted && found != -1;
		learn(fixture, DIR_ID, "common", FILE_ID);
		found = find(fixture, DIR_ID, "common");
		racer->wrong += found != FILE_ID && found != -1;
		if (i % 64 == 0)
			validity_invalidate(fixture->validity, xfer_bucket(DIR_ID));
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct racer racers[THREADS];
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++) {
		racers[i] = (struct racer){ .fixture = *state };
		snprintf(racers[i].name, sizeof(racers[i].name), "own%d", i);
		assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(racers[i].wrong, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_learns, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lease, setup, teardown),
		cmocka_unit_test_setup_teardown(test_invalidation, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_name, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_old_ones_go, setup, teardown),
		cmocka_unit_test_setup_teardown(test_own_change, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_asked_before_or_during_own_change, setup, teardown),
		cmocka_unit_test_setup_teardown(test_own_change_without_a_promise, setup, teardown),
		cmocka_unit_test_setup_teardown(test_own_changes_that_overlap, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_invalidation_during_own_change, setup, teardown),
		cmocka_unit_test_setup_teardown(test_threads, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
