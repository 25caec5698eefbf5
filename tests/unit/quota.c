/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* quota.c -- what a host grants, what it asks back, and that it never is more than there is */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/quota.h"

#define IDLE    UINT64_C(1000)
#define RETURN  UINT64_C(50)
#define CLIENTS 4u

/* 400 in all: 4 times 20 are kept for minimums, 320 are shared. */
static const struct xfer_quota_config config = { .total = 400,
	.cap = 300,
	.minimum = 20,
	.clients_max = CLIENTS,
	.idle_ns = IDLE,
	.return_ns = RETURN };

static struct xfer_quota quota;
static unsigned who;
static uint64_t bytes;

static int set_up(void **state)
{
	(void)state;
	return xfer_quota_init(&quota, &config);
}

static int tear_down(void **state)
{
	(void)state;
	xfer_quota_fini(&quota);
	return 0;
}

static uint64_t grant(unsigned client, uint64_t wanted, uint64_t now)
{
	return xfer_quota_grant(&quota, client, wanted, 1, now);
}

static void test_configurations_that_cannot_be(void **state)
{
	struct xfer_quota_config bad = config;

	(void)state;
	bad.minimum = 101;
	assert_int_equal(xfer_quota_init(&quota, &bad), -EINVAL);
	bad = config;
	bad.cap = 19;
	assert_int_equal(xfer_quota_init(&quota, &bad), -EINVAL);
	bad = config;
	bad.clients_max = 0;
	assert_int_equal(xfer_quota_init(&quota, &bad), -EINVAL);
	bad = config;
	bad.minimum = 100; /* nothing is left to be shared */
	assert_int_equal(xfer_quota_init(&quota, &bad), 0);
	assert_int_equal(xfer_quota_join(&quota, 0), 0);
	assert_int_equal(grant(0, 101, 0), 100);
}

static void test_one_alone(void **state)
{
	(void)state;
	assert_int_equal(xfer_quota_join(&quota, 0), 0);
	assert_int_equal(grant(0, 100, 0), 100);
	assert_int_equal(grant(0, 0, 0), 0);
	assert_int_equal(grant(0, 500, 0), 200); /* its cap */
	assert_int_equal(grant(0, 1, 0), 0);
	assert_int_equal(xfer_quota_granted(&quota, 0), 300);
	assert_false(xfer_quota_reclaim(&quota, 0, &who, &bytes)); /* more than it may have */
	xfer_quota_return(&quota, 0, 1);
	assert_int_equal(grant(0, 5, 0), 1);
}

static void test_units(void **state)
{
	(void)state;
	xfer_quota_join(&quota, 0);
	assert_int_equal(xfer_quota_grant(&quota, 0, 99, 30, 0), 90);
	assert_int_equal(xfer_quota_grant(&quota, 0, 1000, 64, 0), 192);
	assert_int_equal(xfer_quota_grant(&quota, 0, 1000, 64, 0), 0);
	assert_int_equal(xfer_quota_grant(&quota, 0, 29, 30, 0), 0);
}

static void test_places(void **state)
{
	(void)state;
	for (int i = 0; i < (int)CLIENTS; i++)
		assert_int_equal(xfer_quota_join(&quota, 0), i);
	assert_int_equal(xfer_quota_join(&quota, 0), -ENOSPC);
	for (unsigned i = 0; i < CLIENTS; i++)
		assert_int_equal(grant(i, 400, 0), 100); /* all the same */
	assert_int_equal(quota.granted, 400);
	xfer_quota_leave(&quota, 2);
	assert_int_equal(quota.granted, 300);
	assert_int_equal(xfer_quota_join(&quota, 0), 2);
	assert_int_equal(xfer_quota_granted(&quota, 2), 0);
}

static void test_late_ones_get_their_minimum_at_once(void **state)
{
	(void)state;
	xfer_quota_join(&quota, 0);
	assert_int_equal(grant(0, 300, 0), 300);
	for (unsigned i = 1; i < CLIENTS; i++)
		xfer_quota_join(&quota, 0);
	assert_int_equal(grant(1, 50, 0), 50); /* its minimum, and what was left */
	assert_int_equal(grant(2, 50, 0), 30);
	assert_int_equal(grant(3, 50, 0), 20);
	assert_int_equal(quota.granted, 400);
}

static void test_who_has_most_gives_back(void **state)
{
	(void)state;
	xfer_quota_join(&quota, 0);
	assert_int_equal(grant(0, 300, 0), 300);
	xfer_quota_join(&quota, 0);
	assert_false(xfer_quota_reclaim(&quota, 0, &who, &bytes)); /* nobody wants anything */
	assert_int_equal(grant(1, 150, 0), 60);                    /* 180 is an equal share */
	assert_true(xfer_quota_reclaim(&quota, 0, &who, &bytes));
	assert_int_equal(who, 0);
	assert_int_equal(bytes, 90);                               /* what is missing */
	assert_false(xfer_quota_reclaim(&quota, 0, &who, &bytes)); /* it was asked */
	xfer_quota_return(&quota, 0, 90);
	assert_int_equal(grant(1, 90, 0), 90);
	assert_false(xfer_quota_reclaim(&quota, 0, &who, &bytes));
	assert_int_equal(grant(1, 90, 0), 0); /* its share is 30 more, and the other one's, too */
	assert_true(xfer_quota_reclaim(&quota, 0, &who, &bytes));
	assert_int_equal(who, 0);
	assert_int_equal(bytes, 30);
	xfer_quota_return(&quota, 0, 30);
	assert_int_equal(grant(1, 90, 0), 30);
	assert_int_equal(xfer_quota_granted(&quota, 0), xfer_quota_granted(&quota, 1));
	assert_false(xfer_quota_reclaim(&quota, 0, &who, &bytes));
}

static void test_idle_ones_give_first(void **state)
{
	(void)state;
	xfer_quota_join(&quota, 0);
	xfer_quota_join(&quota, 0);
	xfer_quota_join(&quota, 0);
	assert_int_equal(grant(0, 60, 0), 60);
	assert_int_equal(grant(1, 120, 0), 120);
	assert_int_equal(grant(2, 120, 0), 120);
	xfer_quota_used(&quota, 1, 10);
	/* at IDLE 0 and 2 are idle: 1 may have 300 */
	assert_int_equal(grant(1, 180, IDLE), 80);
	assert_true(xfer_quota_reclaim(&quota, IDLE, &who, &bytes));
	assert_int_equal(who, 2); /* who has more */
	assert_int_equal(bytes, 100);
	assert_false(xfer_quota_reclaim(&quota, IDLE, &who, &bytes));
	xfer_quota_return(&quota, 2, 100);
	assert_int_equal(grant(1, 100, IDLE), 100);
	assert_int_equal(xfer_quota_granted(&quota, 2), 20); /* the minimum stays */
}

static void test_several_are_asked(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		xfer_quota_join(&quota, 0);
	assert_int_equal(grant(0, 100, 0), 100);
	assert_int_equal(grant(1, 110, 0), 110);
	assert_int_equal(grant(2, 30, IDLE), 30);
	assert_int_equal(grant(2, 270, IDLE), 140);
	assert_true(xfer_quota_reclaim(&quota, IDLE, &who, &bytes));
	assert_int_equal(who, 1);
	assert_int_equal(bytes, 90);
	assert_true(xfer_quota_reclaim(&quota, IDLE, &who, &bytes));
	assert_int_equal(who, 0);
	assert_int_equal(bytes, 40);
	assert_false(xfer_quota_reclaim(&quota, IDLE, &who, &bytes));
	xfer_quota_leave(&quota, 1); /* instead of returning it */
	xfer_quota_return(&quota, 0, 100);
	assert_int_equal(grant(2, 130, IDLE), 130);
}

/* Client 0 has 300, and is asked at 10 for 90 that client 1 misses. */
static void ask(void)
{
	xfer_quota_join(&quota, 0);
	assert_int_equal(grant(0, 300, 0), 300);
	xfer_quota_join(&quota, 0);
	assert_int_equal(grant(1, 150, 0), 60);
	assert_false(xfer_quota_overdue(&quota, 10 * RETURN, &who)); /* nobody was asked */
	assert_true(xfer_quota_reclaim(&quota, 10, &who, &bytes));
	assert_int_equal(who, 0);
	assert_int_equal(bytes, 90);
}

static void test_returned_in_time(void **state)
{
	(void)state;
	ask();
	xfer_quota_return(&quota, 0, 40);
	assert_false(xfer_quota_overdue(&quota, 10 + RETURN, &who));
	xfer_quota_return(&quota, 0, 50);
	assert_false(xfer_quota_overdue(&quota, 100 * RETURN, &who));
}

static void test_never_returned(void **state)
{
	(void)state;
	ask();
	assert_false(xfer_quota_overdue(&quota, 10 + RETURN, &who));
	assert_true(xfer_quota_overdue(&quota, 11 + RETURN, &who));
	assert_int_equal(who, 0);
	assert_false(xfer_quota_overdue(&quota, 11 + RETURN, &who)); /* once */
	assert_false(xfer_quota_overdue(&quota, 11 + 2 * RETURN, &who));
	assert_true(xfer_quota_overdue(&quota, 12 + 2 * RETURN, &who)); /* its operations hang */
	xfer_quota_return(&quota, 0, 300); /* its data path has ended */
	assert_false(xfer_quota_overdue(&quota, 100 * RETURN, &who));
	assert_int_equal(grant(1, 90, 0), 90);
	assert_int_equal(grant(0, 50, 0), 50); /* it may come again */
}

/* One byte short is as good as nothing, and what is returned later than that doesn't postpone anything. */
static void test_partly_returned(void **state)
{
	(void)state;
	ask();
	xfer_quota_return(&quota, 0, 89);
	assert_true(xfer_quota_overdue(&quota, 11 + RETURN, &who));
	xfer_quota_return(&quota, 0, 1);
	assert_false(xfer_quota_overdue(&quota, 100 * RETURN, &who));
}

/* A client has one deadline: it isn't asked for more before it has returned the first. */
static void test_asked_again(void **state)
{
	(void)state;
	ask();
	xfer_quota_join(&quota, 0);
	assert_int_equal(grant(2, 120, 20), 20); /* an equal share is less now */
	assert_false(xfer_quota_reclaim(&quota, 20, &who, &bytes));
	xfer_quota_return(&quota, 0, 90);
	assert_true(xfer_quota_reclaim(&quota, 10 + RETURN, &who, &bytes));
	assert_int_equal(who, 0);
	assert_false(xfer_quota_overdue(&quota, 11 + RETURN, &who));
	assert_true(xfer_quota_overdue(&quota, 11 + 2 * RETURN, &who));
}

static void test_several_are_overdue(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		xfer_quota_join(&quota, 0);
	assert_int_equal(grant(0, 100, 0), 100);
	assert_int_equal(grant(1, 110, 0), 110);
	assert_int_equal(grant(2, 300, IDLE), 170);
	assert_true(xfer_quota_reclaim(&quota, IDLE, &who, &bytes));
	assert_true(xfer_quota_reclaim(&quota, IDLE, &who, &bytes));
	assert_true(xfer_quota_overdue(&quota, IDLE + RETURN + 1, &who));
	assert_int_equal(who, 0);
	assert_true(xfer_quota_overdue(&quota, IDLE + RETURN + 1, &who));
	assert_int_equal(who, 1);
	assert_false(xfer_quota_overdue(&quota, IDLE + RETURN + 1, &who));
	xfer_quota_leave(&quota, 0);
	xfer_quota_leave(&quota, 1);
	assert_int_equal(xfer_quota_join(&quota, IDLE), 0); /* another one */
	assert_false(xfer_quota_overdue(&quota, 100 * RETURN + IDLE, &who));
}

/* Whatever is asked for, returned and reclaimed: never more than there is, and the minimum is always to be had. */
static void test_random(void **state)
{
	unsigned seed = 4711;
	uint64_t now = 0;

	(void)state;
	for (unsigned i = 0; i < CLIENTS; i++)
		xfer_quota_join(&quota, 0);
	for (int i = 0; i < 100000; i++) {
		unsigned client = (unsigned)rand_r(&seed) % CLIENTS;
		uint64_t has = xfer_quota_granted(&quota, client);
		uint64_t want = (uint64_t)rand_r(&seed) % 200, got, sum = 0;

		now += (uint64_t)rand_r(&seed) % 300;
		if (rand_r(&seed) % 2) {
			got = grant(client, want, now);
			assert_true(got <= want && has + got <= config.cap);
			assert_true(got == want || has + got >= config.minimum);
		} else if (has > 0) {
			xfer_quota_return(&quota, client, want % has + 1);
		}
		while (xfer_quota_reclaim(&quota, now, &who, &bytes)) {
			assert_true(bytes > 0);
			assert_true(xfer_quota_granted(&quota, who) >= bytes + config.minimum);
			if (rand_r(&seed) % 2)
				xfer_quota_return(&quota, who, bytes);
		}
		for (unsigned j = 0; j < CLIENTS; j++)
			sum += xfer_quota_granted(&quota, j);
		assert_int_equal(sum, quota.granted);
		assert_true(sum <= config.total);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_configurations_that_cannot_be, tear_down),
		TEST(test_one_alone),
		TEST(test_units),
		TEST(test_places),
		TEST(test_late_ones_get_their_minimum_at_once),
		TEST(test_who_has_most_gives_back),
		TEST(test_idle_ones_give_first),
		TEST(test_several_are_asked),
		TEST(test_returned_in_time),
		TEST(test_never_returned),
		TEST(test_partly_returned),
		TEST(test_asked_again),
		TEST(test_several_are_overdue),
		TEST(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
