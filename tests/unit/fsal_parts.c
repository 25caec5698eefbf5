/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* fsal_parts.c -- parts of directories that were listed: promises, change counters, callers, bounds */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "parts.h"
#include "support/failing.h"

#define SECOND (XFER_LEASE_MS * UINT64_C(1000000))

/* --- a directory that is listed ------------------------------------------------------------------- */

enum { DIR_ID = 1, OTHER_DIR_ID, FILE_ID, OBJECTS };
enum { PLACES = 64, CHANGE = 7 };

static uint32_t groups[] = { 5, 6 };
static const struct xfer_cred cred = { .uid = 1, .gid = 2, .ngroups = 2, .groups = groups };

struct fixture {
	struct validity *validity;
	struct attrcache *cache;
	struct parts *parts;
	struct attrcache_entry *objects[OBJECTS]; /* by their ids */
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	fixture->validity = validity_create();
	fixture->cache = attrcache_create(fixture->validity);
	fixture->parts = parts_create(fixture->validity, fixture->cache, PLACES);
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

	parts_destroy(fixture->parts);
	for (int i = DIR_ID; i < OBJECTS; i++)
		attrcache_put(fixture->cache, fixture->objects[i]);
	attrcache_destroy(fixture->cache);
	validity_destroy(fixture->validity);
	free(fixture);
	return 0;
}

/* Entries with the cookies behind `cookie`, by which they are named. */
static struct part *make(struct fixture *fixture, int dir, uint64_t cookie, unsigned count,
	const struct asked *asked)
{
	struct part *part = part_new(fixture->parts, fixture->objects[dir], cookie, &cred, asked);
	char name[24];

	assert_non_null(part);
	for (unsigned i = 1; i <= count; i++) {
		snprintf(name, sizeof(name), "%llu", (unsigned long long)cookie + i);
		assert_true(part_add(part, cookie + i, name, fixture->objects[FILE_ID]));
	}
	return part;
}

static void keep(struct part *part, bool eof, bool promised)
{
	struct xfer_opt_attr dir = { true, { .change = CHANGE, .promised = promised } };

	part_end(part, eof, &dir);
	(void)parts_keep(part);
	part_put(part);
}

static void list(struct fixture *fixture, int dir, uint64_t cookie, unsigned count, bool eof)
{
	struct asked asked = validity_ask(fixture->validity);

	keep(make(fixture, dir, cookie, count, &asked), eof, true);
}

/* How many entries are known behind a cookie; -1: nothing is. */
static int known_to(struct fixture *fixture, int dir, uint64_t cookie,
	const struct xfer_cred *reader, uint64_t change, uint64_t now)
{
	const struct place *place =
		parts_find(fixture->parts, fixture->objects[dir], cookie, reader, change, now);
	struct part *part;
	char name[24];
	int count = 0;

	if (!place)
		return -1;
	part = place->part;
	assert_true(place->cookie == cookie);
	for (place = place_next(place); place; place = place_next(place)) {
		snprintf(name, sizeof(name), "%llu", (unsigned long long)cookie + ++count);
		assert_string_equal(place->name, name);
		assert_ptr_equal(place->object, fixture->objects[FILE_ID]);
	}
	part_put(part);
	return count;
}

static int known(struct fixture *fixture, int dir, uint64_t cookie)
{
	return known_to(fixture, dir, cookie, &cred, CHANGE, validity_now());
}

/* --- what is found ------------------------------------------------------------------------------ */

static void test_goes_on_behind_each_entry(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(known(fixture, DIR_ID, 0), -1);
	list(fixture, DIR_ID, 0, 3, false);
	assert_int_equal(known(fixture, DIR_ID, 0), 3);
	assert_int_equal(known(fixture, DIR_ID, 1), 2);
	assert_int_equal(known(fixture, DIR_ID, 2), 1);
	assert_int_equal(known(fixture, DIR_ID, 4), -1);
	assert_int_equal(known(fixture, OTHER_DIR_ID, 0), -1);
}

/* Behind the last entry of a part the next one goes on, if it is known; behind that of the directory nothing does. */
static void test_one_part_after_the_other(void **state)
{
	struct fixture *fixture = *state;

	list(fixture, DIR_ID, 0, 3, false);
	assert_int_equal(known(fixture, DIR_ID, 3), -1);
	list(fixture, DIR_ID, 3, 2, true);
	assert_int_equal(known(fixture, DIR_ID, 3), 2);
	assert_int_equal(known(fixture, DIR_ID, 5), 0);
}

static void test_empty_directory(void **state)
{
	struct fixture *fixture = *state;

	list(fixture, DIR_ID, 0, 0, true);
	assert_int_equal(known(fixture, DIR_ID, 0), 0);
}

/* --- as long as it may be believed -------------------------------------------------------------- */

static void test_not_promised(void **state)
{
	struct fixture *fixture = *state;
	struct asked asked = validity_ask(fixture->validity);

	keep(make(fixture, DIR_ID, 0, 3, &asked), true, false);
	assert_int_equal(known(fixture, DIR_ID, 0), -1);
}

static void test_lease(void **state)
{
	struct fixture *fixture = *state;
	struct asked asked = validity_ask(fixture->validity);

	keep(make(fixture, DIR_ID, 0, 3, &asked), true, true);
	assert_int_equal(known_to(fixture, DIR_ID, 0, &cred, CHANGE, asked.ns + SECOND - 1), 3);
	assert_int_equal(known_to(fixture, DIR_ID, 0, &cred, CHANGE, asked.ns + SECOND), -1);
}

static void test_invalidation(void **state)
{
	struct fixture *fixture = *state;

	list(fixture, DIR_ID, 0, 3, true);
	list(fixture, OTHER_DIR_ID, 0, 3, true);
	validity_invalidate(fixture->validity, attrcache_bucket(fixture->objects[DIR_ID]));
	assert_int_equal(known(fixture, DIR_ID, 0), -1);
	assert_int_equal(known(fixture, OTHER_DIR_ID, 0), 3);
	list(fixture, DIR_ID, 0, 3, true);
	assert_int_equal(known(fixture, DIR_ID, 0), 3);
	validity_invalidate_all(fixture->validity);
	assert_int_equal(known(fixture, DIR_ID, 0), -1);
	assert_int_equal(known(fixture, OTHER_DIR_ID, 0), -1);
}

/* The reply comes when what it says has been ended already. */
static void test_invalidation_overtakes(void **state)
{
	struct fixture *fixture = *state;
	struct asked asked = validity_ask(fixture->validity);
	struct part *part = make(fixture, DIR_ID, 0, 3, &asked);

	validity_invalidate(fixture->validity, attrcache_bucket(fixture->objects[DIR_ID]));
	keep(part, true, true);
	assert_int_equal(known(fixture, DIR_ID, 0), -1);
}

static void test_directory_has_changed(void **state)
{
	struct fixture *fixture = *state;
	uint64_t now = validity_now();

	list(fixture, DIR_ID, 0, 3, true);
	assert_int_equal(known_to(fixture, DIR_ID, 0, &cred, CHANGE + 1, now), -1);
	assert_int_equal(known_to(fixture, DIR_ID, 0, &cred, CHANGE - 1, now), -1);
	assert_int_equal(known_to(fixture, DIR_ID, 0, &cred, CHANGE, now), 3);
}

static void test_only_for_whom_it_was_listed(void **state)
{
	struct fixture *fixture = *state;
	uint32_t others[] = { 5, 7 };
	struct xfer_cred readers[] = { cred, cred, cred, cred, cred };
	uint64_t now = validity_now();

	readers[0].uid++;
	readers[1].gid++;
	readers[2].ngroups--;
	readers[3].groups = others;
	readers[4].ngroups = 0;
	list(fixture, DIR_ID, 0, 3, true);
	for (unsigned i = 0; i < sizeof(readers) / sizeof(*readers); i++)
		assert_int_equal(known_to(fixture, DIR_ID, 0, &readers[i], CHANGE, now), -1);
	assert_int_equal(known_to(fixture, DIR_ID, 0, &cred, CHANGE, now), 3);
}

/* --- bounds ------------------------------------------------------------------------------------- */

static void test_oldest_goes_first(void **state)
{
	struct fixture *fixture = *state;

	for (uint64_t i = 0; i < 5; i++)
		list(fixture, DIR_ID, i * 1000, PLACES / 4 - 1, true);
	assert_int_equal(known(fixture, DIR_ID, 0), -1);
	for (uint64_t i = 1; i < 5; i++)
		assert_int_equal(known(fixture, DIR_ID, i * 1000), PLACES / 4 - 1);
	list(fixture, DIR_ID, 9000, PLACES, true);
	assert_int_equal(known(fixture, DIR_ID, 9000), -1);
	assert_int_equal(known(fixture, DIR_ID, 4000), PLACES / 4 - 1);
}

/* Who is in the middle of a part may go on. */
static void test_read_while_it_is_forgotten(void **state)
{
	struct fixture *fixture = *state;
	const struct place *place;
	struct part *part;

	list(fixture, DIR_ID, 0, 3, true);
	place = parts_find(
		fixture->parts, fixture->objects[DIR_ID], 1, &cred, CHANGE, validity_now());
	assert_non_null(place);
	part = place->part;
	list(fixture, DIR_ID, 1000, PLACES - 1, true);
	assert_int_equal(known(fixture, DIR_ID, 0), -1);
	assert_string_equal(place_next(place)->name, "2");
	assert_true(part_is_last(part));
	part_put(part);
}

/* A part that can't be had is none; an entry that can't leaves those before it. */
static void test_no_memory(void **state)
{
	struct fixture *fixture = *state;
	struct attrcache_entry *dir = fixture->objects[DIR_ID];
	struct asked asked = validity_ask(fixture->validity);
	struct part *part;

	for (unsigned nth = 1; nth <= 2; nth++) {
		failing_arm(FAILING_MEMORY, nth);
		assert_null(part_new(fixture->parts, dir, 0, &cred, &asked));
		assert_non_null(failing_disarm());
	}
	part = make(fixture, DIR_ID, 0, 3, &asked);
	failing_arm(FAILING_MEMORY, 1);
	assert_false(part_add(part, 4, "4", fixture->objects[FILE_ID]));
	failing_arm(FAILING_MEMORY, 1);
	assert_null(parts_create(fixture->validity, fixture->cache, PLACES));
	assert_non_null(failing_disarm());
	keep(part, true, true);
	assert_int_equal(known(fixture, DIR_ID, 0), 3);
}

enum { THREADS = 4, ROUNDS = 5000 };

static void *list_often(void *arg)
{
	struct fixture *fixture = arg;

	for (unsigned i = 0; i < ROUNDS; i++) {
		list(fixture, DIR_ID, i % 4 * 10, 9, true);
		(void)known(fixture, DIR_ID, i % 4 * 10 + 3);
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct fixture *fixture = *state;
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, list_often, fixture), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (uint64_t i = 0; i < 4; i++)
		assert_int_equal(known(fixture, DIR_ID, i * 10), 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_goes_on_behind_each_entry, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_part_after_the_other, setup, teardown),
		cmocka_unit_test_setup_teardown(test_empty_directory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_promised, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lease, setup, teardown),
		cmocka_unit_test_setup_teardown(test_invalidation, setup, teardown),
		cmocka_unit_test_setup_teardown(test_invalidation_overtakes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_directory_has_changed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_only_for_whom_it_was_listed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_oldest_goes_first, setup, teardown),
		cmocka_unit_test_setup_teardown(test_read_while_it_is_forgotten, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_threads, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
