/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* holders.c -- who was promised what: marks, closed buckets, periods, and many threads at it */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/holders.h"
#include "xfer/xfer.h"

#define BUCKET 17u

static struct holders *holders;

static int setup(void **state)
{
	(void)state;
	holders = holders_create();
	return holders ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	holders_destroy(holders);
	return 0;
}

static void test_marks_are_found(void **state)
{
	(void)state;
	assert_true(holders_mark(holders, BUCKET, 3, 100));
	assert_true(holders_mark(holders, BUCKET, 3, 100));
	assert_true(holders_mark(holders, BUCKET, 5, 100));
	assert_true(holders_mark(holders, BUCKET + 1, 6, 100));
	/* Nothing happens before those are told. */
	assert_int_equal(holders_close(holders, BUCKET, 3, 100), 1 << 5);
	assert_true(holders_mark(holders, BUCKET, 7, 100));
	assert_int_equal(holders_take(holders, BUCKET, 3, 100), 1 << 5 | 1 << 7);
	holders_open(holders, BUCKET, 3);
	/* Each is told once. */
	assert_int_equal(holders_close(holders, BUCKET, 3, 100), 0);
	holders_open(holders, BUCKET, 3);
	/* Its own mark has stayed. */
	assert_int_equal(holders_close(holders, BUCKET, 4, 100), 1 << 3);
}

static void test_closed_is_refused(void **state)
{
	(void)state;
	assert_int_equal(holders_close(holders, BUCKET, 1, 0), 0);
	assert_false(holders_mark(holders, BUCKET, 2, 0));
	assert_true(holders_mark(holders, BUCKET, 1, 0)); /* its own change */
	assert_int_equal(holders_close(holders, BUCKET, 1, 0), 0);
	assert_true(holders_mark(holders, BUCKET, 1, 0));
	/* Of two sessions neither may, not even when one of them is ready. */
	assert_int_equal(holders_take(holders, BUCKET, 2, 0), 1 << 1);
	assert_false(holders_mark(holders, BUCKET, 1, 0));
	assert_false(holders_mark(holders, BUCKET, 2, 0));
	holders_open(holders, BUCKET, 2);
	assert_false(holders_mark(holders, BUCKET, 1, 0));
	holders_open(holders, BUCKET, 1);
	holders_open(holders, BUCKET, 1);
	assert_true(holders_mark(holders, BUCKET, 2, 0));
	assert_true(holders_mark(holders, BUCKET + 1, 2, 0));
}

static void test_slot_zero(void **state)
{
	(void)state;
	assert_int_equal(holders_close(holders, BUCKET, 0, 9), 0);
	assert_true(holders_mark(holders, BUCKET, 0, 9));
	assert_false(holders_mark(holders, BUCKET, 1, 9));
	holders_open(holders, BUCKET, 0);
	assert_int_equal(holders_close(holders, BUCKET, 1, 9), 1);
}

/* A mark lives through the period behind its own, and no longer. */
static void test_periods(void **state)
{
	const uint64_t periods[] = { 0, 1, 1022, 1023, 1024, 5000000 };

	(void)state;
	for (unsigned i = 0; i < sizeof(periods) / sizeof(*periods); i++) {
		uint64_t now = periods[i];
		uint32_t bucket = 100 + i;

		assert_true(holders_mark(holders, bucket, 2, now));
		assert_int_equal(holders_close(holders, bucket, 1, now + 1), 1 << 2);
		assert_int_equal(holders_close(holders, bucket, 1, now + 2), 0);
		holders_open(holders, bucket, 1);
		/* Renewed, it begins again. */
		assert_true(holders_mark(holders, bucket, 2, now + 2));
		assert_true(holders_mark(holders, bucket, 2, now + 3));
		assert_int_equal(holders_close(holders, bucket, 1, now + 4), 1 << 2);
		assert_int_equal(holders_take(holders, bucket, 1, now + 4), 1 << 2);
		assert_int_equal(holders_close(holders, bucket, 1, now + 4), 0);
	}
}

/* A thread that looked at the clock long ago loses nobody's mark, and sees those of later periods. */
static void test_late_thread(void **state)
{
	(void)state;
	assert_true(holders_mark(holders, BUCKET, 2, 50));
	assert_true(holders_mark(holders, BUCKET, 3, 45));
	assert_int_equal(holders_close(holders, BUCKET, 1, 44), 1 << 2 | 1 << 3);
	assert_int_equal(holders_close(holders, BUCKET, 1, 51), 1 << 2 | 1 << 3);
	assert_int_equal(holders_close(holders, BUCKET, 1, 52), 0);
}

/* Whose mark it is isn't known: each change of one of its sessions finds it, and leaves it. */
static void test_shared_slot(void **state)
{
	(void)state;
	assert_true(holders_mark(holders, BUCKET, HOLDERS_SHARED, 7));
	assert_int_equal(holders_close(holders, BUCKET, HOLDERS_SHARED, 7), 1u << HOLDERS_SHARED);
	assert_int_equal(holders_take(holders, BUCKET, HOLDERS_SHARED, 7), 1u << HOLDERS_SHARED);
	assert_false(holders_mark(holders, BUCKET, HOLDERS_SHARED, 7));
	holders_open(holders, BUCKET, HOLDERS_SHARED);
	assert_int_equal(holders_take(holders, BUCKET, 1, 7), 1u << HOLDERS_SHARED);
	holders_open(holders, BUCKET, 1);
	assert_int_equal(holders_close(holders, BUCKET, HOLDERS_SHARED, 7), 0);
	holders_open(holders, BUCKET, HOLDERS_SHARED);
	assert_true(holders_changes(holders, HOLDERS_SHARED) == 3);
	assert_true(holders_changes(holders, 1) == 2);
	assert_true(holders_changes(holders, 2) == 3);
}

static void test_many_closers(void **state)
{
	(void)state;
	for (int i = 0; i < 511; i++)
		assert_int_equal(holders_close(holders, BUCKET, 4, 1000), 0);
	assert_true(holders_mark(holders, BUCKET, 4, 1000));
	assert_false(holders_mark(holders, BUCKET, 5, 1000));
	for (int i = 0; i < 511; i++)
		holders_open(holders, BUCKET, 4);
	assert_true(holders_mark(holders, BUCKET, 5, 1001));
	assert_int_equal(holders_close(holders, BUCKET, 6, 1001), 1 << 4 | 1 << 5);
}

/* --- threads ----------------------------------------------------------------------------------- */

/*
 * A value behind a bucket, changed only while that is closed and after those who had marked it were told. Who has
 * marked it and was not told since must find that it still is what it was.
 */
#define SESSIONS 4
#define ROUNDS   20000

static struct {
	_Atomic uint64_t value, told[SESSIONS], period, kept, refused;
	bool reads_first; /* the bucket is known only afterwards */
} shared;

/* As a promise; false: there is none. */
static bool read_promised(unsigned slot, uint64_t *value)
{
	uint64_t before = holders_changes(holders, slot);
	bool promised;

	if (shared.reads_first)
		*value = shared.value;
	promised = holders_mark(holders, BUCKET, slot, shared.period);
	if (!shared.reads_first || holders_changes(holders, slot) != before)
		*value = shared.value;
	return promised;
}

/* Two threads of each session, so that marks of one are found by the other. */
static void *read_values(void *arg)
{
	unsigned slot = (unsigned)(uintptr_t)arg % SESSIONS;

	for (int i = 0; i < ROUNDS; i++) {
		uint64_t told = shared.told[slot], value = 0, now;

		if (!read_promised(slot, &value)) {
			shared.refused++;
			continue;
		}
		now = shared.value;
		if (shared.told[slot] == told && now != value)
			abort();
		shared.kept += now == value;
	}
	return NULL;
}

/* On behalf of a session that reads nothing. */
static void *change_values(void *arg)
{
	unsigned slot = SESSIONS + (unsigned)(uintptr_t)arg;

	for (int i = 0; i < ROUNDS; i++) {
		uint32_t told = holders_close(holders, BUCKET, slot, shared.period);

		if (told)
			told = holders_take(holders, BUCKET, slot, shared.period);
		for (unsigned other = 0; other < SESSIONS; other++)
			if (told & 1u << other)
				shared.told[other]++;
		shared.value++;
		holders_open(holders, BUCKET, slot);
	}
	return NULL;
}

static void run_threads(unsigned changers)
{
	pthread_t threads[2 * SESSIONS + 2];
	unsigned count = 0;

	for (; count < 2 * SESSIONS; count++)
		assert_int_equal(pthread_create(&threads[count], NULL, read_values,
					 (void *)(uintptr_t)count),
			0);
	for (unsigned i = 0; i < changers; i++)
		assert_int_equal(pthread_create(&threads[count++], NULL, change_values,
					 (void *)(uintptr_t)i),
			0);
	while (count > 0)
		pthread_join(threads[--count], NULL);
	assert_true(shared.value == changers * ROUNDS);
	assert_int_equal(holders_changes(holders, 0), changers * ROUNDS);
}

static void test_no_mark_is_missed(void **state)
{
	(void)state;
	shared.reads_first = false;
	shared.value = 0;
	run_threads(1);
	assert_true(shared.kept > 0);
}

static void test_no_mark_is_missed_behind_reading(void **state)
{
	(void)state;
	shared.reads_first = true;
	shared.value = 0;
	run_threads(1);
	assert_true(shared.kept > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_marks_are_found, setup, teardown),
		cmocka_unit_test_setup_teardown(test_closed_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slot_zero, setup, teardown),
		cmocka_unit_test_setup_teardown(test_periods, setup, teardown),
		cmocka_unit_test_setup_teardown(test_late_thread, setup, teardown),
		cmocka_unit_test_setup_teardown(test_shared_slot, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_closers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_mark_is_missed, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_no_mark_is_missed_behind_reading, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
