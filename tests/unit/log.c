/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* log.c -- levels, the sink, and how often the same cause is written */

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "clock.h"
#include "log.h"

#define LONG_MS 3600000u

static char last[2048];
static enum xfer_log_level last_level;
static unsigned lines;

static void sink(enum xfer_log_level level, const char *message)
{
	snprintf(last, sizeof(last), "%s", message);
	last_level = level;
	lines++;
}

static int set_up(void **state)
{
	(void)state;
	xfer_log_set_sink(sink);
	xfer_log_set_level(XFER_LOG_INFO);
	last[0] = '\0';
	lines = 0;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	xfer_log_set_sink(NULL);
	xfer_log_set_level(XFER_LOG_INFO);
	return 0;
}

static void test_levels(void **state)
{
	(void)state;
	for (enum xfer_log_level max = XFER_LOG_ERROR; max <= XFER_LOG_DEBUG; max++) {
		lines = 0;
		xfer_log_set_level(max);
		xfer_error("e");
		xfer_warn("w");
		xfer_info("i");
		xfer_debug("d");
		assert_int_equal(lines, max + 1);
		assert_int_equal(last_level, max);
	}
}

static void test_format(void **state)
{
	char wide[3000];

	(void)state;
	xfer_warn("%s %d", "text", -5);
	assert_string_equal(last, "text -5");
	assert_int_equal(last_level, XFER_LOG_WARN);
	memset(wide, 'x', sizeof(wide) - 1);
	wide[sizeof(wide) - 1] = '\0';
	xfer_info("%s", wide);
	assert_in_range(strlen(last), 1000, 1100);
	assert_int_equal(strspn(last, "x"), strlen(last));
}

static void test_parse(void **state)
{
	static const char *const names[] = { "error", "warn", "info", "debug" };
	enum xfer_log_level level;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(xfer_log_level_parse(names[i], &level), 0);
		assert_int_equal(level, i);
	}
	level = XFER_LOG_WARN;
	assert_int_equal(xfer_log_level_parse("", &level), -EINVAL);
	assert_int_equal(xfer_log_level_parse("Info", &level), -EINVAL);
	assert_int_equal(xfer_log_level_parse("info ", &level), -EINVAL);
	assert_int_equal(level, XFER_LOG_WARN);
}

static void test_limit(void **state)
{
	struct xfer_log_limit limit = { 0 };
	unsigned suppressed = 99;

	(void)state;
	assert_true(xfer_log_allowed(&limit, LONG_MS, &suppressed));
	assert_int_equal(suppressed, 0);
	suppressed = 99;
	for (unsigned i = 0; i < 5; i++)
		assert_false(xfer_log_allowed(&limit, LONG_MS, &suppressed));
	assert_int_equal(suppressed, 99);
	/* The interval is over. */
	limit.next_ns = xfer_now_ns();
	assert_true(xfer_log_allowed(&limit, LONG_MS, &suppressed));
	assert_int_equal(suppressed, 5);
	limit.next_ns = xfer_now_ns();
	assert_true(xfer_log_allowed(&limit, LONG_MS, &suppressed));
	assert_int_equal(suppressed, 0);
	assert_false(xfer_log_allowed(&limit, LONG_MS, &suppressed));
}

static void test_interval(void **state)
{
	struct xfer_log_limit limit = { 0 };
	uint64_t begun = xfer_now_ns();
	unsigned suppressed, refused = 0;

	(void)state;
	assert_true(xfer_log_allowed(&limit, 50, &suppressed));
	while (!xfer_log_allowed(&limit, 50, &suppressed)) {
		refused++;
		usleep(1000);
		assert_true(xfer_now_ns() < begun + 10000 * XFER_NS_PER_MS);
	}
	assert_true(xfer_now_ns() >= begun + 50 * XFER_NS_PER_MS);
	assert_int_equal(suppressed, refused);
}

/* --- several threads: one line per interval, and every other one counted ----------------------- */

#define THREADS 4
#define TIMES   20000

static struct xfer_log_limit shared;
static _Atomic unsigned allowed, told;

static void *hammer(void *arg)
{
	unsigned suppressed;

	(void)arg;
	for (unsigned i = 0; i < TIMES; i++)
		if (xfer_log_allowed(&shared, LONG_MS, &suppressed)) {
			allowed++;
			told += suppressed;
		}
	return NULL;
}

static void test_threads(void **state)
{
	pthread_t threads[THREADS];
	unsigned suppressed;

	(void)state;
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, hammer, NULL), 0);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(allowed, 1);
	shared.next_ns = xfer_now_ns();
	assert_true(xfer_log_allowed(&shared, LONG_MS, &suppressed));
	assert_int_equal(told + suppressed, THREADS * TIMES - 1);
}

static void test_limit_of_cause(void **state)
{
	unsigned suppressed;

	(void)state;
	assert_ptr_equal(xfer_log_limit_of("node a: no"), xfer_log_limit_of("node a: no"));
	assert_ptr_not_equal(xfer_log_limit_of("node a: no"), xfer_log_limit_of("node b: no"));
	assert_non_null(xfer_log_limit_of(""));
	assert_true(xfer_log_allowed(xfer_log_limit_of("node a: no"), LONG_MS, &suppressed));
	assert_false(xfer_log_allowed(xfer_log_limit_of("node a: no"), LONG_MS, &suppressed));
	assert_true(xfer_log_allowed(xfer_log_limit_of("node b: no"), LONG_MS, &suppressed));
}

/* There are more causes than places; a new one is never kept back for one that was there. */
static void test_causes_that_share_a_place(void **state)
{
	unsigned suppressed, places = 0;
	char cause[32];

	(void)state;
	for (unsigned i = 0; i < 2000; i++) {
		snprintf(cause, sizeof(cause), "cause %u", i);
		places += xfer_log_limit_of(cause) == xfer_log_limit_of("cause 0");
		assert_true(xfer_log_allowed(xfer_log_limit_of(cause), LONG_MS, &suppressed));
		assert_false(xfer_log_allowed(xfer_log_limit_of(cause), LONG_MS, &suppressed));
	}
	assert_true(places > 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_levels, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_format, set_up, tear_down),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_interval),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_limit_of_cause),
		cmocka_unit_test(test_causes_that_share_a_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
