/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* ctl_bench.c -- what a bench counts, and the content by which it verifies */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bench.h"

#define SIZE 4099 /* no whole number of words */
#define MANY 1000000

/* Of 100 operations that took 1 to 100 us, in any order. */
static void test_latencies(void **state)
{
	struct measurement m;

	(void)state;
	assert_int_equal(measurement_begin(&m), 0);
	for (unsigned i = 0; i < 100; i++)
		measurement_add(&m, 1 << 20, (i * 37 % 100 + 1) * 1000);
	measurement_end(&m);
	assert_int_equal(m.operations, 100);
	assert_int_equal(m.bytes, 100 << 20);
	assert_float_equal(measurement_mean_us(&m), 50.5, 0.001);
	assert_float_equal(measurement_quantile_us(&m, 0.5), 51, 0.001);
	assert_float_equal(measurement_quantile_us(&m, 0.99), 100, 0.001);
	assert_float_equal(measurement_quantile_us(&m, 1), 100, 0.001);
	assert_float_equal(
		measurement_mib_s(&m), measurement_operations_s(&m), measurement_mib_s(&m) / 1e6);
	measurement_destroy(&m);
}

/* More than there is room for: all are counted, and those that are kept stand for the others. */
static void test_many(void **state)
{
	struct measurement m;

	(void)state;
	assert_int_equal(measurement_begin(&m), 0);
	for (uint64_t i = 0; i < MANY; i++)
		measurement_add(&m, 1, i * 1000);
	measurement_end(&m);
	assert_int_equal(m.operations, MANY);
	assert_true(m.kept > 1000 && m.kept < MANY / 4);
	assert_float_equal(measurement_mean_us(&m), (MANY - 1) / 2.0, 0.001);
	assert_float_equal(measurement_quantile_us(&m, 0.5), MANY * 0.5, MANY / 1e4);
	assert_float_equal(measurement_quantile_us(&m, 0.99), MANY * 0.99, MANY / 1e4);
	measurement_destroy(&m);
}

static void test_nothing(void **state)
{
	struct measurement m;

	(void)state;
	assert_int_equal(measurement_begin(&m), 0);
	measurement_end(&m);
	assert_float_equal(measurement_mib_s(&m), 0, 0);
	assert_float_equal(measurement_mean_us(&m), 0, 0);
	assert_float_equal(measurement_quantile_us(&m, 0.99), 0, 0);
	assert_float_equal(measurement_cpu_s_gib(&m), 0, 0);
	measurement_destroy(&m);
}

/* Each byte counts, the last one, too. */
static void test_region(void **state)
{
	struct region region;

	(void)state;
	assert_int_equal(region_create(&region, SIZE), 0);
	region_fill(&region, 1);
	assert_int_equal(region_check(&region, 1), SIZE);
	assert_true(region_check(&region, 2) < 8);
	assert_memory_not_equal(region.data, region.data + 2048, 2048);
	for (size_t i = 0; i < SIZE; i += SIZE - 1) {
		region.data[i] ^= 1;
		assert_int_equal(region_check(&region, 1), i);
		region.data[i] ^= 1;
	}
	region_destroy(&region);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_latencies),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_region),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
