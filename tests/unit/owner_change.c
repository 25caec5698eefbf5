/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* owner_change.c -- change counters: a new value after each change, the old one without */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <pthread.h>
#include <time.h>

#include "owner/change.h"

/* A file system of the imagination: the descriptor is the inode number. */
static _Atomic uint64_t ctimes[4096]; /* ns */

static int fake_stat(int fd, struct statx *stx)
{
	uint64_t ctime = ctimes[fd];

	*stx = (struct statx){ .stx_ino = (uint64_t)fd,
		.stx_ctime = { .tv_sec = (int64_t)(ctime / 1000000000u),
			.tv_nsec = (uint32_t)(ctime % 1000000000u) } };
	return 0;
}

static const struct store_ops fake = { .stat = fake_stat };

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static uint64_t value_of(struct change_table *table, int ino, bool changed)
{
	struct statx stx;
	uint64_t value;

	assert_int_equal(change_stat(table, &fake, ino, changed, &stx, &value), 0);
	assert_int_equal(stx.stx_ino, ino);
	return value;
}

/* Many changes within one tick of the clock. */
static void test_same_ctime(void **state)
{
	struct change_table *table = change_table_create(16);
	uint64_t last, next;

	(void)state;
	ctimes[1] = now();
	last = value_of(table, 1, false);
	assert_int_equal(value_of(table, 1, false), last);
	for (int i = 0; i < 100; i++) {
		next = value_of(table, 1, true);
		assert_true(next > last);
		assert_int_equal(value_of(table, 1, false), next);
		last = next;
	}
	/* A later ctime, although smaller than the value, still gives a greater one. */
	ctimes[1] += 5;
	assert_true(value_of(table, 1, false) > last);
	change_table_destroy(table);
}

static void test_old_objects_need_no_entry(void **state)
{
	struct change_table *table = change_table_create(16);

	(void)state;
	for (int ino = 0; ino < 1000; ino++) {
		ctimes[ino] = 1000000000ull * (uint64_t)(ino + 1);
		assert_int_equal(value_of(table, ino, false), ctimes[ino]);
	}
	assert_int_equal(change_table_count(table), 0);
	change_table_destroy(table);
}

/* Beyond the capacity fresh entries stay, for a second. */
static void test_bounded(void **state)
{
	struct change_table *table = change_table_create(64);
	uint64_t start = now();

	(void)state;
	for (int ino = 0; ino < 4000; ino++) {
		ctimes[ino] = start;
		value_of(table, ino, true);
	}
	assert_int_equal(change_table_count(table), 4000);
	usleep(1100 * 1000);
	for (int ino = 4000; ino < 4096; ino++) {
		ctimes[ino] = now();
		value_of(table, ino, true);
	}
	assert_true(change_table_count(table) <= 64 + 96);
	change_table_destroy(table);
}

static struct change_table *shared;

static void *bump(void *arg)
{
	uint64_t last = 0;

	(void)arg;
	for (int i = 0; i < 20000; i++) {
		uint64_t value = value_of(shared, 7, i % 2);

		assert_true(value >= last);
		last = value;
	}
	return NULL;
}

static void test_threads(void **state)
{
	pthread_t threads[4];

	(void)state;
	shared = change_table_create(16);
	ctimes[7] = now();
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, bump, NULL), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	/* Each of the 40,000 changes had a value of its own. */
	assert_true(value_of(shared, 7, false) >= ctimes[7] + 39999);
	change_table_destroy(shared);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_ctime),
		cmocka_unit_test(test_old_objects_need_no_entry),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
