/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* fsal_attrcache.c -- the cache of attributes: promises, order of replies, shared entries, own changes, threads */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attrcache.h"

#define SECOND (XFER_LEASE_MS * UINT64_C(1000000))

struct fixture {
	struct validity *validity;
	struct attrcache *cache;
	struct attrcache_entry *entry;
	uint64_t start; /* times of the tests are later than all that happens by itself */
};

static struct xfer_handle handle_of(uint32_t number)
{
	struct xfer_handle handle = { .len = 24 };

	memcpy(handle.data + 16, &number, sizeof(number));
	return handle;
}

static struct xfer_attr attr_of(uint64_t change, uint64_t size)
{
	return (struct xfer_attr){
		.type = XFER_REG, .change = change, .size = size, .promised = true
	};
}

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	struct xfer_handle handle = handle_of(1);

	assert_non_null(fixture);
	fixture->start = validity_now() + 1000 * SECOND;
	fixture->validity = validity_create();
	assert_non_null(fixture->validity);
	fixture->cache = attrcache_create(fixture->validity);
	assert_non_null(fixture->cache);
	fixture->entry = attrcache_get(fixture->cache, &handle, 1);
	assert_non_null(fixture->entry);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	attrcache_put(fixture->cache, fixture->entry);
	attrcache_destroy(fixture->cache);
	validity_destroy(fixture->validity);
	free(fixture);
	return 0;
}

/* What is asked for now, at a time after the start. */
static struct asked asked_at(struct fixture *fixture, uint64_t after)
{
	struct asked asked = validity_ask(fixture->validity);

	asked.ns = fixture->start + after;
	return asked;
}

/* A reply to what was asked for, and when it came. */
static bool feed_from(struct fixture *fixture, uint64_t change, uint64_t size, bool promised,
	const struct asked *asked, uint64_t came)
{
	struct xfer_attr attr = attr_of(change, size);

	attr.promised = promised;
	return attrcache_feed(fixture->cache, fixture->entry, &attr, asked, fixture->start + came);
}

/* Asked for and answered at once, with a promise. */
static bool feed(struct fixture *fixture, uint64_t change, uint64_t size, uint64_t after)
{
	struct asked asked = asked_at(fixture, after);

	return feed_from(fixture, change, size, true, &asked, after);
}

/* The size that may be believed; UINT64_MAX: there is none, and the result was left alone. begun: after the start. */
static uint64_t size_since(
	struct fixture *fixture, enum attr_use use, uint64_t begun, uint64_t after)
{
	struct xfer_attr attr = attr_of(4711, UINT64_MAX);

	if (attrcache_read(fixture->cache, fixture->entry, use, fixture->start + begun,
		    fixture->start + after, &attr))
		return attr.size;
	assert_int_equal(attr.change, 4711);
	return attr.size;
}

/* The same for who hasn't begun to ask. */
static uint64_t size_for(struct fixture *fixture, enum attr_use use, uint64_t after)
{
	return size_since(fixture, use, after + 1, after);
}

static uint64_t size_at(struct fixture *fixture, uint64_t after)
{
	return size_for(fixture, ATTR_TELL, after);
}

static void test_new_entry_knows_nothing(void **state)
{
	assert_int_equal(size_at(*state, 0), UINT64_MAX);
}

static void test_lease(void **state)
{
	struct asked asked = asked_at(*state, 0);

	/* It counts from the question, not from the answer. */
	assert_true(feed_from(*state, 5, 100, true, &asked, SECOND / 2));
	assert_int_equal(size_at(*state, SECOND / 2), 100);
	assert_int_equal(size_at(*state, SECOND - 1), 100);
	assert_int_equal(size_at(*state, SECOND), UINT64_MAX);
}

static void test_clock_of_another_processor(void **state)
{
	assert_true(feed(*state, 5, 100, 1000));
	assert_int_equal(size_since(*state, ATTR_TELL, 2000, 0), 100);
}

static void test_invalidation(void **state)
{
	struct fixture *fixture = *state;

	assert_true(feed(fixture, 5, 100, 0));
	validity_invalidate(fixture->validity, xfer_bucket(2));
	assert_int_equal(size_at(fixture, 1), 100);
	validity_invalidate(fixture->validity, xfer_bucket(1));
	assert_int_equal(size_at(fixture, 1), UINT64_MAX);
	assert_true(feed(fixture, 6, 200, 2));
	assert_int_equal(size_at(fixture, 3), 200);
	validity_invalidate_all(fixture->validity);
	assert_int_equal(size_at(fixture, 3), UINT64_MAX);
}

/* A reply that was on its way when the invalidation came. */
static void test_asked_before_the_invalidation(void **state)
{
	struct fixture *fixture = *state;
	struct asked before = asked_at(fixture, 0);

	validity_invalidate(fixture->validity, xfer_bucket(1));
	assert_true(feed_from(fixture, 5, 100, true, &before, 1));
	assert_int_equal(size_at(fixture, 2), UINT64_MAX);
}

/* The old ones aren't true any more, the new ones are for those who had begun before they were asked for. */
static void test_without_a_promise(void **state)
{
	struct fixture *fixture = *state;
	struct asked asked = asked_at(fixture, 10);
	struct xfer_attr attr;

	assert_true(feed(fixture, 5, 100, 0));
	assert_true(feed_from(fixture, 6, 200, false, &asked, 12));
	assert_int_equal(size_at(fixture, 13), UINT64_MAX);
	assert_int_equal(size_since(fixture, ATTR_TELL, 10, 13), 200);
	assert_int_equal(size_since(fixture, ATTR_TELL, 11, 13), UINT64_MAX);
	assert_true(attrcache_latest(fixture->cache, fixture->entry, &attr));
	assert_int_equal(attr.size, 200);
}

/* A reply that was promised, and is older than one that was not. */
static void test_overtaken_by_one_without_a_promise(void **state)
{
	struct fixture *fixture = *state;
	struct asked early = asked_at(fixture, 0), late = asked_at(fixture, 5);

	assert_true(feed_from(fixture, 6, 200, false, &late, 10));
	assert_false(feed_from(fixture, 5, 100, true, &early, 11));
	assert_int_equal(size_at(fixture, 12), UINT64_MAX);
}

/* What is promised already stays so. */
static void test_same_without_a_promise(void **state)
{
	struct fixture *fixture = *state;
	struct asked asked = asked_at(fixture, 1);

	assert_true(feed(fixture, 5, 100, 0));
	assert_true(feed_from(fixture, 5, 100, false, &asked, 1));
	assert_int_equal(size_at(fixture, 2), 100);
}

static void test_own_change_under_way(void **state)
{
	struct fixture *fixture = *state;
	uint32_t bucket = xfer_bucket(1);

	assert_true(feed(fixture, 5, 100, 0));
	validity_change_begin(fixture->validity, bucket, OWN_CONTENT);
	assert_int_equal(size_for(fixture, ATTR_CHECK, 1), 100);
	assert_int_equal(size_for(fixture, ATTR_TELL, 1), UINT64_MAX);
	validity_change_begin(fixture->validity, bucket, OWN_ATTRS);
	assert_int_equal(size_for(fixture, ATTR_CHECK, 1), UINT64_MAX);
	/* Who had begun before that was asked for may be told. */
	assert_true(feed(fixture, 6, 200, 2));
	assert_int_equal(size_since(fixture, ATTR_TELL, 2, 3), 200);
	assert_int_equal(size_for(fixture, ATTR_TELL, 3), UINT64_MAX);
	validity_change_end(fixture->validity, bucket, OWN_ATTRS);
	validity_change_end(fixture->validity, bucket, OWN_CONTENT);
	assert_int_equal(size_at(fixture, 3), 200);
	validity_change_begin(fixture->validity, VALIDITY_ANY, OWN_CONTENT);
	assert_int_equal(size_at(fixture, 3), UINT64_MAX);
	validity_change_end(fixture->validity, VALIDITY_ANY, OWN_CONTENT);
	assert_int_equal(size_at(fixture, 3), 200);
}

static void test_overtaken_reply_is_refused(void **state)
{
	struct asked early = asked_at(*state, 0), late = asked_at(*state, 15);

	assert_true(feed(*state, 5, 100, 10));
	assert_false(feed_from(*state, 4, 90, true, &early, 20));
	assert_int_equal(size_at(*state, 20), 100);
	/* Also when what it would replace isn't believed any more. */
	assert_false(feed_from(*state, 4, 90, true, &early, SECOND + 20));
	assert_int_equal(size_at(*state, SECOND + 20), UINT64_MAX);
	/* But what is there is at least as new, for who had begun when it was asked for. */
	assert_true(feed_from(*state, 5, 100, false, &late, SECOND + 21));
	assert_int_equal(size_since(*state, ATTR_TELL, 15, SECOND + 22), 100);
}

static void test_same_counter_renews(void **state)
{
	struct asked early = asked_at(*state, 0);

	assert_true(feed(*state, 5, 100, 10));
	assert_true(feed(*state, 5, 100, SECOND / 2));
	assert_true(feed_from(*state, 5, 100, true, &early, SECOND / 2 + 1));
	assert_int_equal(size_at(*state, SECOND), 100);
	assert_int_equal(size_at(*state, SECOND + SECOND / 2), UINT64_MAX);
}

static void test_newer_reply_replaces(void **state)
{
	assert_true(feed(*state, 5, 100, 0));
	assert_true(feed(*state, 6, 200, 1));
	assert_int_equal(size_at(*state, 2), 200);
}

/* An owner that has lost count: what is asked for afterwards is believed. */
static void test_counter_that_went_back(void **state)
{
	assert_true(feed(*state, 500, 100, 0));
	assert_true(feed(*state, 4, 90, 1));
	assert_int_equal(size_at(*state, 2), 90);
}

static void test_drop(void **state)
{
	struct fixture *fixture = *state;
	struct asked early = { 0, 1 };

	assert_true(feed(fixture, 5, 100, 10));
	attrcache_drop(fixture->cache, fixture->entry, fixture->start + 10);
	assert_int_equal(size_at(fixture, 10), UINT64_MAX);
	/* Not by who may have changed them itself, but by others that had begun. */
	assert_int_equal(size_since(fixture, ATTR_TELL, 10, 11), UINT64_MAX);
	assert_int_equal(size_since(fixture, ATTR_TELL, 9, 11), 100);
	/* A reply that was under way may not know what happened. */
	assert_true(feed_from(fixture, 6, 60, true, &early, 11));
	assert_int_equal(size_at(fixture, 11), UINT64_MAX);
	assert_true(feed(fixture, 7, 70, 12));
	assert_int_equal(size_at(fixture, 12), 70);
	assert_int_equal(size_since(fixture, ATTR_TELL, 10, 13), 70);
}

/* Who has changed the object, or not, isn't told what somebody else had asked for before. */
static void test_drop_outlasts_early_replies(void **state)
{
	struct fixture *fixture = *state;
	struct asked early = { 0, 5 };
	struct xfer_attr attr;

	assert_true(feed_from(fixture, 5, 100, true, &early, 0));
	attrcache_drop(fixture->cache, fixture->entry, 3);
	assert_true(feed_from(fixture, 5, 100, true, &early, 1));
	assert_false(attrcache_read(
		fixture->cache, fixture->entry, ATTR_TELL, 3, fixture->start + 2, &attr));
	assert_true(feed(fixture, 6, 60, 2));
	assert_true(attrcache_read(
		fixture->cache, fixture->entry, ATTR_TELL, 3, fixture->start + 2, &attr));
	assert_int_equal(attr.size, 60);
}

static void test_gone(void **state)
{
	struct fixture *fixture = *state;

	assert_true(feed(fixture, 5, 100, 10));
	attrcache_gone(fixture->cache, fixture->entry);
	assert_int_equal(size_at(fixture, 10), UINT64_MAX);
	assert_int_equal(size_since(fixture, ATTR_TELL, 10, 11), 100);
}

static void test_one_entry_per_handle(void **state)
{
	struct fixture *fixture = *state;
	struct xfer_handle same = handle_of(1), other = handle_of(2), longer = handle_of(1);
	struct attrcache_entry *second = attrcache_get(fixture->cache, &same, 1);
	struct attrcache_entry *third = attrcache_get(fixture->cache, &other, 2);

	longer.len++;
	struct attrcache_entry *fourth = attrcache_get(fixture->cache, &longer, 1);

	assert_ptr_equal(second, fixture->entry);
	assert_ptr_not_equal(third, fixture->entry);
	assert_ptr_not_equal(fourth, fixture->entry);
	assert_true(feed(fixture, 5, 100, 0));
	attrcache_put(fixture->cache, fourth);
	attrcache_put(fixture->cache, third);
	attrcache_put(fixture->cache, second);
	attrcache_ref(fixture->cache, fixture->entry);
	attrcache_put(fixture->cache, fixture->entry);
	assert_int_equal(size_at(fixture, 0), 100);
	assert_int_equal(attrcache_bucket(fixture->entry), xfer_bucket(1));
	assert_true(xfer_handle_equal(attrcache_handle(fixture->entry), &same));
}

/* Nothing is known then, and what was asked for before it had come isn't believed: what came may be newer. */
static void test_last_reference_forgets(void **state)
{
	struct fixture *fixture = *state;
	struct xfer_handle handle = handle_of(9);
	struct asked asked = asked_at(fixture, 0), before = asked_at(fixture, 10),
		     after = asked_at(fixture, 11);
	struct xfer_attr attr = attr_of(5, 100);
	struct attrcache_entry *entry = attrcache_get(fixture->cache, &handle, 9);

	assert_true(attrcache_feed(fixture->cache, entry, &attr, &asked, fixture->start + 10));
	attrcache_put(fixture->cache, entry);
	entry = attrcache_get(fixture->cache, &handle, 9);
	assert_false(attrcache_latest(fixture->cache, entry, &attr));
	assert_true(attrcache_feed(fixture->cache, entry, &attr, &before, fixture->start + 12));
	assert_false(
		attrcache_read(fixture->cache, entry, ATTR_TELL, 0, fixture->start + 12, &attr));
	assert_true(attrcache_feed(fixture->cache, entry, &attr, &after, fixture->start + 12));
	assert_true(
		attrcache_read(fixture->cache, entry, ATTR_TELL, 0, fixture->start + 12, &attr));
	attrcache_put(fixture->cache, entry);
}

/* The end of a promise isn't forgotten either. */
static void test_last_reference_keeps_the_end(void **state)
{
	struct fixture *fixture = *state;
	struct xfer_handle handle = handle_of(9);
	struct asked early = { 0, validity_now() };
	struct xfer_attr attr = attr_of(5, 100);
	struct attrcache_entry *entry = attrcache_get(fixture->cache, &handle, 9);

	attrcache_gone(fixture->cache, entry);
	attrcache_put(fixture->cache, entry);
	entry = attrcache_get(fixture->cache, &handle, 9);
	assert_true(attrcache_feed(fixture->cache, entry, &attr, &early, early.ns));
	assert_false(attrcache_read(fixture->cache, entry, ATTR_TELL, 0, early.ns, &attr));
	attrcache_put(fixture->cache, entry);
}

/* So many entries that chains have several: taking out of their beginning, middle and end. */
static void test_many_entries(void **state)
{
	enum { COUNT = 50000 };
	struct fixture *fixture = *state;
	struct asked asked = asked_at(fixture, 0);
	struct attrcache_entry **entries = calloc(COUNT, sizeof(*entries));
	struct xfer_attr attr;

	assert_non_null(entries);
	for (uint32_t i = 0; i < COUNT; i++) {
		struct xfer_handle handle = handle_of(1000 + i);

		entries[i] = attrcache_get(fixture->cache, &handle, 1000 + i);
		attr = attr_of(1, i);
		assert_true(
			attrcache_feed(fixture->cache, entries[i], &attr, &asked, fixture->start));
	}
	for (uint32_t i = 0; i < COUNT; i += 2)
		attrcache_put(fixture->cache, entries[i]);
	for (uint32_t i = 1; i < COUNT; i += 2) {
		struct xfer_handle handle = handle_of(1000 + i);

		assert_ptr_equal(attrcache_get(fixture->cache, &handle, 1000 + i), entries[i]);
		attrcache_put(fixture->cache, entries[i]);
		assert_true(attrcache_read(
			fixture->cache, entries[i], ATTR_TELL, 0, fixture->start, &attr));
		assert_int_equal(attr.size, i);
		attrcache_put(fixture->cache, entries[i]);
	}
	free(entries);
}

struct feeder {
	struct attrcache *cache;
	struct asked asked;
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
		struct attrcache_entry *entry = attrcache_get(feeder->cache, &handle, 77);

		attr = attr_of(change, change);
		(void)attrcache_feed(feeder->cache, entry, &attr, &feeder->asked, feeder->asked.ns);
		if (!attrcache_read(feeder->cache, entry, ATTR_TELL, 0, feeder->asked.ns, &attr) ||
			attr.change < change || attr.change < last || attr.size != attr.change)
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
	struct attrcache_entry *entry = attrcache_get(fixture->cache, &handle, 77);
	struct xfer_attr attr;
	pthread_t threads[FEEDERS];
	void *wrong;

	for (unsigned i = 0; i < FEEDERS; i++) {
		feeders[i] = (struct feeder){
			.cache = fixture->cache, .asked = asked_at(fixture, 0), .first = i + 1
		};
		assert_int_equal(pthread_create(&threads[i], NULL, feed_upwards, &feeders[i]), 0);
	}
	for (unsigned i = 0; i < FEEDERS; i++) {
		assert_int_equal(pthread_join(threads[i], &wrong), 0);
		assert_null(wrong);
	}
	assert_true(attrcache_read(fixture->cache, entry, ATTR_TELL, 0, fixture->start, &attr));
	assert_int_equal(attr.change, FEEDERS * ROUNDS);
	attrcache_put(fixture->cache, entry);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_new_entry_knows_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lease, setup, teardown),
		cmocka_unit_test_setup_teardown(test_clock_of_another_processor, setup, teardown),
		cmocka_unit_test_setup_teardown(test_invalidation, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_asked_before_the_invalidation, setup, teardown),
		cmocka_unit_test_setup_teardown(test_without_a_promise, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_overtaken_by_one_without_a_promise, setup, teardown),
		cmocka_unit_test_setup_teardown(test_same_without_a_promise, setup, teardown),
		cmocka_unit_test_setup_teardown(test_own_change_under_way, setup, teardown),
		cmocka_unit_test_setup_teardown(test_overtaken_reply_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_same_counter_renews, setup, teardown),
		cmocka_unit_test_setup_teardown(test_newer_reply_replaces, setup, teardown),
		cmocka_unit_test_setup_teardown(test_counter_that_went_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_drop, setup, teardown),
		cmocka_unit_test_setup_teardown(test_drop_outlasts_early_replies, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_entry_per_handle, setup, teardown),
		cmocka_unit_test_setup_teardown(test_last_reference_forgets, setup, teardown),
		cmocka_unit_test_setup_teardown(test_last_reference_keeps_the_end, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_entries, setup, teardown),
		cmocka_unit_test_setup_teardown(test_threads, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
