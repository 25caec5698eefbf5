/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* fsal_refusals.c -- a refusal is logged once in a while, whoever comes and however often */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "refusals.h"

#define SECOND UINT64_C(1000000000)

static struct refusals table;

static int setup(void **state)
{
	(void)state;
	table = (struct refusals){ .lock = PTHREAD_MUTEX_INITIALIZER };
	return 0;
}

static struct refusal of(unsigned client, uint16_t export_id, uint16_t verdict)
{
	struct refusal refusal = { .export_id = export_id, .verdict = verdict };

	memcpy(refusal.client, &client, sizeof(client));
	return refusal;
}

static bool tell(unsigned client, uint16_t export_id, uint16_t verdict, uint64_t now)
{
	struct refusal refusal = of(client, export_id, verdict);
	uint64_t untold = 4711;
	bool told = refusals_tell(&table, &refusal, now, &untold);

	assert_int_equal(untold, told ? 0 : 4711);
	return told;
}

static void test_once_a_minute(void **state)
{
	(void)state;
	assert_true(tell(1, 1, 1, SECOND));
	for (unsigned i = 1; i < 60; i++)
		assert_false(tell(1, 1, 1, SECOND + i * SECOND));
	assert_true(tell(1, 1, 1, 61 * SECOND));
	assert_false(tell(1, 1, 1, 62 * SECOND));
}

/* Another client, another export, another reason. */
static void test_others_are_told_apart(void **state)
{
	(void)state;
	assert_true(tell(1, 1, 1, SECOND));
	assert_true(tell(2, 1, 1, SECOND));
	assert_true(tell(1, 2, 1, SECOND));
	assert_true(tell(1, 1, 2, SECOND));
	assert_false(tell(2, 1, 1, SECOND));
	assert_false(tell(1, 1, 2, SECOND));
}

/* There is room for so many; of the rest only the number is said, with the next that is told. */
static void test_a_crowd(void **state)
{
	struct refusal last = of(9999, 1, 1);
	uint64_t untold;
	(void)state;

	for (unsigned i = 0; i < REFUSALS_MAX; i++)
		assert_true(tell(i, 1, 1, SECOND));
	for (unsigned i = REFUSALS_MAX; i < 1000; i++)
		assert_false(tell(i, 1, 1, 2 * SECOND));
	for (unsigned i = 0; i < REFUSALS_MAX; i++)
		assert_false(tell(i, 1, 1, 3 * SECOND));
	assert_true(refusals_tell(&table, &last, 61 * SECOND, &untold));
	assert_int_equal(untold, 1000 - REFUSALS_MAX);
	assert_true(tell(10000, 1, 1, 61 * SECOND));
}

/* Threads read the clock before they get the lock. */
static void test_a_clock_that_is_behind(void **state)
{
	(void)state;
	assert_true(tell(1, 1, 1, 10 * SECOND));
	assert_false(tell(1, 1, 1, 9 * SECOND));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_once_a_minute, setup),
		cmocka_unit_test_setup(test_others_are_told_apart, setup),
		cmocka_unit_test_setup(test_a_crowd, setup),
		cmocka_unit_test_setup(test_a_clock_that_is_behind, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
