/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* fsal_attrcache.c -- the cache of attributes: lifetime, order of replies, shared entries, threads */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attrcache.h"

#define SECOND ATTRCACHE_LIFETIME_NS
#define START  (UINT64_C(7000) * SECOND)

struct fixture {
	struct attrcache *cache;
	struct attrcache_entry *entry;
};

static struct xfer_handle handle_of(uint32_t number)
{
	struct xfer_handle handle = { .len = 24 };

	memcpy(handle.data + 16, &number, sizeof(number));
	return handle;
}

static struct xfer_attr attr_of(uint64_t change, uint64_t size)
{
	return (struct xfer_attr){ .type = XFER_REG, .change = change, .size = size };
}

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	struct xfer_handle handle = handle_of(1);

	assert_non_null(fixture);
	fixture->cache = attrcache_create();
	assert_non_null(fixture->cache);
	fixture->entry = attrcache_get(fixture->cache, &handle);
	assert_non_null(fixture->entry);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	attrcache_put(fixture->cache, fixture->entry);
	attrcache_destroy(fixture->cache);
	free(fixture);
	return 0;
}

static bool feed(struct fixture *fixture, uint64_t change, uint64_t size, uint64_t now)
{
	struct xfer_attr attr = attr_of(change, size);

	return attrcache_feed(fixture->cache, fixture->entry, &attr, now);
}

/* The size that is cached; UINT64_MAX: there is none, and the result was left alone. */
static uint64_t size_at(struct fixture *fixture, uint64_t now)
{
	struct xfer_attr attr = attr_of(4711, UINT64_MAX);

	if (attrcache_read(fixture->cache, fixture->entry, now, &attr))
		return attr.size;
	assert_int_equal(attr.change, 4711);
	return attr.size;
}

static void test_new_entry_knows_nothing(void **state)
{
	assert_int_equal(size_at(*state, START), UINT64_MAX);
}

static void test_lives_one_second(void **state)
{
	assert_true(feed(*state, 5, 100, START));
	assert_int_equal(size_at(*state, START), 100);
	assert_int_equal(size_at(*state, START + SECOND - 1), 100);
	assert_int_equal(size_at(*state, START + SECOND), UINT64_MAX);
}

static void test_clock_of_another_processor(void **state)
{
	assert_true(feed(*state, 5, 100, START));
	assert_int_equal(size_at(*state, START - 1000), 100);
}

static void test_overtaken_reply_is_refused(void **state)
{
	assert_true(feed(*state, 5, 100, START));
	assert_false(feed(*state, 4, 90, START + 1));
	assert_int_equal(size_at(*state, START + 2), 100);
	/* It doesn't lengthen the life of what is there. */
	assert_int_equal(size_at(*state, START + SECOND), UINT64_MAX);
}

static void test_same_counter_renews(void **state)
{
	assert_true(feed(*state, 5, 100, START));
	assert_true(feed(*state, 5, 100, START + SECOND / 2));
	assert_int_equal(size_at(*state, START + SECOND), 100);
	assert_int_equal(size_at(*state, START + SECOND + SECOND / 2), UINT64_MAX);
}

static void test_newer_reply_replaces(void **state)
{
	assert_true(feed(*state, 5, 100, START));
	assert_true(feed(*state, 6, 200, START + 1));
	assert_int_equal(size_at(*state, START + 2), 200);
}

static void test_counter_that_went_back_heals(void **state)
{
	assert_true(feed(*state, 500, 100, START));
	assert_false(feed(*state, 4, 90, START + SECOND - 1));
	assert_true(feed(*state, 4, 90, START + SECOND));
	assert_int_equal(size_at(*state, START + SECOND), 90);
}

static void test_drop(void **state)
{
	struct fixture *fixture = *state;

	assert_true(feed(fixture, 5, 100, START));
	attrcache_drop(fixture->cache, fixture->entry);
	assert_int_equal(size_at(fixture, START), UINT64_MAX);
	/* Nothing fresh is there, so nothing is newer. */
	assert_true(feed(fixture, 3, 70, START + 1));
	assert_int_equal(size_at(fixture, START + 1), 70);
}

static void test_one_entry_per_handle(void **state)
{
	struct fixture *fixture = *state;
	struct xfer_handle same = handle_of(1), other = handle_of(2), longer = handle_of(1);
	struct attrcache_entry *second = attrcache_get(fixture->cache, &same);
	struct attrcache_entry *third = attrcache_get(fixture->cache, &other);

	longer.len++;
	struct attrcache_entry *fourth = attrcache_get(fixture->cache, &longer);

	assert_ptr_equal(second, fixture->entry);
	assert_ptr_not_equal(third, fixture->entry);
	assert_ptr_not_equal(fourth, fixture->entry);
	assert_true(feed(fixture, 5, 100, START));
	attrcache_put(fixture->cache, fourth);
	attrcache_put(fixture->cache, third);
	attrcache_put(fixture->cache, second);
	assert_int_equal(size_at(fixture, START), 100);
}

static void test_last_reference_forgets(void **state)
{
	struct fixture *fixture = *state;
	struct xfer_handle handle = handle_of(9);
	struct xfer_attr attr = attr_of(5, 100);
	struct attrcache_entry *entry = attrcache_get(fixture->cache, &handle);

	assert_true(attrcache_feed(fixture->cache, entry, &attr, START));
	attrcache_put(fixture->cache, entry);
	entry = attrcache_get(fixture->cache, &handle);
	assert_false(attrcache_read(fixture->cache, entry, START, &attr));
	attrcache_put(fixture->cache, entry);
}

/* More entries than buckets: chains, and taking out of their beginning, middle and end. */
static void test_many_entries(void **state)
{
	enum { COUNT = 50000 };
	struct fixture *fixture = *state;
	struct attrcache_entry **entries = calloc(COUNT, sizeof(*entries));
	struct xfer_attr attr;

	assert_non_null(entries);
	for (uint32_t i = 0; i < COUNT; i++) {
		struct xfer_handle handle = handle_of(1000 + i);

		entries[i] = attrcache_get(fixture->cache, &handle);
		attr = attr_of(1, i);
		assert_true(attrcache_feed(fixture->cache, entries[i], &attr, START));
	}
	for (uint32_t i = 0; i < COUNT; i += 2)
		attrcache_put(fixture->cache, entries[i]);
	for (uint32_t i = 1; i < COUNT; i += 2) {
		struct xfer_handle handle = handle_of(1000 + i);

		assert_ptr_equal(attrcache_get(fixture->cache, &handle), entries[i]);
		attrcache_put(fixture->cache, entries[i]);
		assert_true(attrcache_read(fixture->cache, entries[i], START, &attr));
		assert_int_equal(attr.size, i);
		attrcache_put(fixture->cache, entries[i]);
	}
	free(entries);
}

struct feeder {
	struct attrcache *cache;
	uint64_t first;
};

enum { FEEDERS = 4, ROUNDS = 20000 };

/* Each feeder feeds its own numbers, upwards; what is read never gets older. */
static void *feed_upwards(void *arg)
{
	struct feeder *feeder = arg;
	struct xfer_handle handle = handle_of(77);
	struct xfer_attr attr;
	uint64_t last = 0;

	for (uint64_t i = 0; i < ROUNDS; i++) {
		uint64_t change = feeder->first + i * FEEDERS;
		struct attrcache_entry *entry = attrcache_get(feeder->cache, &handle);

		attr = attr_of(change, change);
		(void)attrcache_feed(feeder->cache, entry, &attr, START);
		if (!attrcache_read(feeder->cache, entry, START, &attr) || attr.change < change ||
			attr.change < last || attr.size != attr.change)
			return entry; /* older ones were read */
		last = attr.change;
		attrcache_put(feeder->cache, entry);
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct fixture *fixture = *state;
	struct feeder feeders[FEEDERS];
	struct xfer_handle handle = handle_of(77);
	struct attrcache_entry *entry = attrcache_get(fixture->cache, &handle);
	struct xfer_attr attr;
	pthread_t threads[FEEDERS];
	void *wrong;

	for (unsigned i = 0; i < FEEDERS; i++) {
		feeders[i] = (struct feeder){ .cache = fixture->cache, .first = i + 1 };
		assert_int_equal(pthread_create(&threads[i], NULL, feed_upwards, &feeders[i]), 0);
	}
	for (unsigned i = 0; i < FEEDERS; i++) {
		assert_int_equal(pthread_join(threads[i], &wrong), 0);
		assert_null(wrong);
	}
	assert_true(attrcache_read(fixture->cache, entry, START, &attr));
	assert_int_equal(attr.change, FEEDERS * ROUNDS);
	attrcache_put(fixture->cache, entry);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_new_entry_knows_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lives_one_second, setup, teardown),
		cmocka_unit_test_setup_teardown(test_clock_of_another_processor, setup, teardown),
		cmocka_unit_test_setup_teardown(test_overtaken_reply_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_same_counter_renews, setup, teardown),
		cmocka_unit_test_setup_teardown(test_newer_reply_replaces, setup, teardown),
		cmocka_unit_test_setup_teardown(test_counter_that_went_back_heals, setup, teardown),
		cmocka_unit_test_setup_teardown(test_drop, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_entry_per_handle, setup, teardown),
		cmocka_unit_test_setup_teardown(test_last_reference_forgets, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_entries, setup, teardown),
		cmocka_unit_test_setup_teardown(test_threads, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
