/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* fsal_unstable.c -- a COMMIT after the verifier's change is OK only where nothing can be lost */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "unstable.h"

#define MAX 4u

static struct unstable *unstable;
static const uint8_t one[8] = "verif-1", two[8] = "verif-2";

static struct unstable_key key_of(uint8_t file, uint8_t client)
{
	return (struct unstable_key){ .handle = { .len = 20, .data = { file } },
		.client = { client } };
}

static int setup(void **state)
{
	(void)state;
	unstable = unstable_create(MAX);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unstable_destroy(unstable);
	return 0;
}

static bool put(
	uint8_t file, uint8_t client, uint64_t offset, uint64_t count, const uint8_t *verifier)
{
	struct unstable_key key = key_of(file, client);

	if (!unstable_begin(unstable, &key))
		return false;
	unstable_written(unstable, &key, offset, count, verifier);
	return true;
}

static int commit(uint8_t file, uint8_t client, uint64_t offset, uint64_t count, int err,
	const uint8_t *verifier)
{
	struct unstable_key key = key_of(file, client);
	struct unstable_commit found;

	unstable_commit_begin(unstable, &key, &found);
	return unstable_commit_end(unstable, &key, &found, offset, count, err, verifier);
}

static void test_same_verifier(void **state)
{
	(void)state;
	assert_int_equal(commit(1, 1, 0, 0, 0, one), 0);
	assert_true(put(1, 1, 0, 100, one));
	assert_int_equal(commit(1, 1, 0, 0, 0, one), 0);
	/* All was committed: the change means nothing to this client. */
	assert_int_equal(commit(1, 1, 0, 0, 0, two), 0);
}

static void test_changed_verifier(void **state)
{
	(void)state;
	put(1, 1, 0, 100, one);
	put(1, 2, 0, 100, one);
	put(2, 1, 0, 100, two);
	assert_int_equal(commit(1, 1, 0, 0, 0, two), -EIO);
	assert_int_equal(commit(2, 1, 0, 0, 0, two), 0);
	/* Each client is told; once. */
	assert_int_equal(commit(1, 2, 0, 0, 0, two), -EIO);
	assert_int_equal(commit(1, 1, 0, 0, 0, two), 0);
	put(1, 1, 0, 100, two);
	assert_int_equal(commit(1, 1, 0, 0, 0, two), 0);
}

static void test_more_was_written_since(void **state)
{
	(void)state;
	put(1, 1, 0, 100, one);
	put(1, 1, 100, 100, two);
	assert_int_equal(commit(1, 1, 0, 0, 0, two), -EIO);
}

static void test_stable_and_failed_writes(void **state)
{
	(void)state;
	put(1, 1, 0, 100, NULL);
	assert_int_equal(commit(1, 1, 0, 0, 0, two), 0);
	put(1, 1, 0, 100, one);
	put(1, 1, 0, 100, NULL);
	assert_int_equal(commit(1, 1, 0, 0, 0, two), -EIO);
}

static void test_parts(void **state)
{
	(void)state;
	put(1, 1, 1000, 100, one);
	assert_int_equal(commit(1, 1, 1000, 50, 0, one), 0);
	assert_int_equal(commit(1, 1, 1050, 50, 0, one), 0);
	assert_int_equal(commit(1, 1, 1001, 0, 0, one), 0);
	assert_int_equal(commit(1, 1, 1000, 50, 0, two), -EIO);
	assert_int_equal(commit(1, 1, 1000, 100, 0, two), -EIO);
	assert_int_equal(commit(1, 1, 1000, 100, 0, two), 0);
	put(1, 1, UINT64_MAX - 10, 10, one);
	assert_int_equal(commit(1, 1, UINT64_MAX - 10, 9, 0, one), 0);
	assert_int_equal(commit(1, 1, UINT64_MAX - 10, 0, 0, two), -EIO);
}

static void test_errors(void **state)
{
	(void)state;
	put(1, 1, 0, 100, one);
	assert_int_equal(commit(1, 1, 0, 0, -EAGAIN, NULL), -EAGAIN);
	assert_int_equal(commit(1, 1, 0, 0, -ENOSPC, NULL), -ENOSPC);
	/* The client has been told. */
	assert_int_equal(commit(1, 1, 0, 0, 0, two), 0);
	assert_int_equal(commit(9, 9, 0, 0, -EIO, NULL), -EIO);
}

/* A write that ends while a COMMIT is under way may have come too late for it. */
static void test_write_overtakes_commit(void **state)
{
	struct unstable_key key = key_of(1, 1);
	struct unstable_commit found;

	(void)state;
	put(1, 1, 0, 100, one);
	unstable_commit_begin(unstable, &key, &found);
	put(1, 1, 50, 10, one);
	assert_int_equal(unstable_commit_end(unstable, &key, &found, 0, 0, 0, one), 0);
	assert_int_equal(commit(1, 1, 0, 0, 0, two), -EIO);
	/* Nothing was written before this one began: what comes during it is no loss of its. */
	unstable_commit_begin(unstable, &key, &found);
	put(1, 1, 0, 100, two);
	assert_int_equal(unstable_commit_end(unstable, &key, &found, 0, 0, 0, one), 0);
	assert_int_equal(commit(1, 1, 0, 0, 0, two), 0);
}

static void test_write_under_way_during_commit(void **state)
{
	struct unstable_key key = key_of(1, 1);

	(void)state;
	put(1, 1, 0, 100, one);
	assert_true(unstable_begin(unstable, &key));
	assert_int_equal(commit(1, 1, 0, 0, 0, one), 0);
	unstable_written(unstable, &key, 0, 100, one);
	assert_int_equal(commit(1, 1, 0, 0, 0, two), -EIO);
}

static void test_bounded(void **state)
{
	(void)state;
	for (uint8_t i = 0; i < MAX; i++)
		assert_true(put(i, 1, 0, 1, one));
	assert_false(put(MAX, 1, 0, 1, one)); /* stable, then */
	assert_false(put(0, 2, 0, 1, one));
	assert_true(put(0, 1, 5, 1, one));
	assert_int_equal(commit(0, 1, 0, 0, 0, one), 0);
	assert_true(put(MAX, 1, 0, 1, one));
	assert_int_equal(commit(MAX, 1, 0, 0, 0, two), -EIO);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/*
 * Random writes, losses and COMMITs of some clients and files against a model with one entry per byte: whatever is
 * lost and was acknowledged has to be told to its client by the next COMMIT that covers it.
 */
#define BYTES 8
static void test_random(void **state)
{
	static bool dirty[2][2][BYTES], lost[2][2][BYTES];
	uint8_t verifier[8] = { 0 };

	(void)state;
	srandom(4711);
	memset(dirty, 0, sizeof(dirty));
	memset(lost, 0, sizeof(lost));
	for (int step = 0; step < 200000; step++) {
		uint8_t file = random() % 2, client = random() % 2;
		uint64_t offset = (uint64_t)random() % BYTES,
			 count = 1 + (uint64_t)random() % (BYTES - offset);
		bool bad = false;
		int err;

		if (random() % 10 == 0) {
			verifier[random() % 8]++;
			for (unsigned i = 0; i < 4 * BYTES; i++)
				if ((&dirty[0][0][0])[i])
					(&lost[0][0][0])[i] = true;
			memset(dirty, 0, sizeof(dirty));
		} else if (random() % 2) {
			assert_true(put(file, client, offset, count, verifier));
			/* It replaces what was lost. */
			for (uint64_t i = offset; i < offset + count; i++)
				dirty[file][client][i] = true;
		} else {
			if (random() % 3 == 0)
				offset = count = 0;
			err = commit(file, client, offset, count, 0, verifier);
			for (uint64_t i = offset; i < (count ? offset + count : BYTES); i++) {
				bad |= lost[file][client][i];
				lost[file][client][i] = dirty[file][client][i] = false;
			}
			if (bad)
				assert_int_equal(err, -EIO);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_same_verifier),
		TEST(test_changed_verifier),
		TEST(test_more_was_written_since),
		TEST(test_stable_and_failed_writes),
		TEST(test_parts),
		TEST(test_errors),
		TEST(test_write_overtakes_commit),
		TEST(test_write_under_way_during_commit),
		TEST(test_bounded),
		TEST(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
