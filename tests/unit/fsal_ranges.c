/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* fsal_ranges.c -- byte ranges of locks: against an array with one entry per byte */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ranges.h"

#define BYTES 48 /* of the model; the last one stands for all that follow */

static const char kinds[] = { 'r', 'w' };

static struct xfer_lock lock_of(uint64_t offset, uint64_t length, bool exclusive)
{
	return (struct xfer_lock){ .exclusive = exclusive, .offset = offset, .length = length };
}

/* '.' free, 'r' shared, 'w' exclusive; one character for each byte. */
static void draw(const struct ranges *ranges, char picture[BYTES + 1])
{
	memset(picture, '.', BYTES);
	picture[BYTES] = '\0';
	for (unsigned i = 0; i < ranges->count; i++) {
		const struct range *range = &ranges->list[i];

		for (uint64_t at = range->first; at <= range->last && at < BYTES; at++)
			picture[at] = kinds[range->exclusive];
	}
}

/* In order, apart, as few as possible. */
static void check_form(const struct ranges *ranges)
{
	for (unsigned i = 0; i < ranges->count; i++) {
		const struct range *range = &ranges->list[i];

		assert_true(range->first <= range->last);
		if (i == 0)
			continue;
		assert_true(range[-1].last < range->first);
		if (range[-1].last + 1 == range->first)
			assert_int_not_equal(range[-1].exclusive, range->exclusive);
	}
}

static void expect(const struct ranges *ranges, const char *wanted)
{
	char picture[BYTES + 1];

	check_form(ranges);
	draw(ranges, picture);
	picture[strlen(wanted)] = '\0';
	assert_string_equal(picture, wanted);
}

static void test_upgrade_splits_and_downgrade_merges(void **state)
{
	struct ranges ranges = { 0 };
	struct xfer_lock whole = lock_of(2, 8, false), middle = lock_of(4, 2, true);

	(void)state;
	ranges_set(&ranges, &whole);
	ranges_set(&ranges, &middle);
	expect(&ranges, "..rrwwrrrr..");
	assert_int_equal(ranges.count, 3);
	middle.exclusive = false;
	ranges_set(&ranges, &middle);
	expect(&ranges, "..rrrrrrrr..");
	assert_int_equal(ranges.count, 1);
	ranges_clear(&ranges, &middle);
	expect(&ranges, "..rr..rrrr..");
	whole.length = 0;
	ranges_clear(&ranges, &whole);
	assert_int_equal(ranges.count, 0);
	ranges_free(&ranges);
}

static void test_to_the_end(void **state)
{
	struct ranges ranges = { 0 };
	struct xfer_lock lock = lock_of(10, 0, true), tail = lock_of(INT64_MAX - 1, 2, false);

	(void)state;
	ranges_set(&ranges, &lock);
	assert_true(ranges.list[0].last == UINT64_MAX);
	assert_int_equal(ranges_lock(&ranges.list[0]).length, 0);
	/* Up to the last byte that there can be is to the end. */
	ranges_set(&ranges, &tail);
	assert_int_equal(ranges.count, 2);
	assert_true(ranges_lock(&ranges.list[0]).length == INT64_MAX - 1 - 10);
	assert_int_equal(ranges_lock(&ranges.list[1]).length, 0);
	lock = lock_of(0, 0, false);
	ranges_clear(&ranges, &lock);
	assert_int_equal(ranges.count, 0);
	ranges_free(&ranges);
}

static void test_copy_is_another(void **state)
{
	struct ranges ranges = { 0 }, copy;
	struct xfer_lock lock = lock_of(1, 3, true);

	(void)state;
	ranges_copy(&ranges, &copy);
	assert_int_equal(copy.count, 0);
	ranges_free(&copy);
	ranges_set(&ranges, &lock);
	ranges_copy(&ranges, &copy);
	ranges_clear(&ranges, &lock);
	expect(&copy, ".www.");
	expect(&ranges, ".....");
	ranges_free(&copy);
	ranges_free(&ranges);
}

/* One operation on both; kind: 0 clear, 1 shared, 2 exclusive. */
static void apply(
	struct ranges *ranges, char model[BYTES + 1], unsigned offset, unsigned length, int kind)
{
	struct xfer_lock lock = lock_of(offset, length, kind == 2);
	unsigned end = length ? offset + length : BYTES;

	for (unsigned i = offset; i < end; i++)
		model[i] = kind == 0 ? '.' : kinds[kind == 2];
	if (kind == 0)
		ranges_clear(ranges, &lock);
	else
		ranges_set(ranges, &lock);
}

static void test_random(void **state)
{
	(void)state;
	srandom(4711);
	for (int round = 0; round < 300; round++) {
		struct ranges ranges = { 0 };
		char model[BYTES + 1], picture[BYTES + 1];

		memset(model, '.', BYTES);
		model[BYTES] = '\0';
		for (int step = 0; step < 200; step++) {
			unsigned offset = (unsigned)random() % (BYTES - 1);
			unsigned room = BYTES - 1 - offset;
			unsigned length = random() % 6 == 0 ? 0 : 1 + (unsigned)random() % room;

			apply(&ranges, model, offset, length, (int)(random() % 3));
			check_form(&ranges);
			draw(&ranges, picture);
			assert_string_equal(picture, model);
		}
		ranges_free(&ranges);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_upgrade_splits_and_downgrade_merges),
		cmocka_unit_test(test_to_the_end),
		cmocka_unit_test(test_copy_is_another),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
