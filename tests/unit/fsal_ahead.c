/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* fsal_ahead.c -- parts that are asked for ahead: who gets them, when they come, bounds */

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ahead.h"
#include "support/failing.h"

#define SECOND (XFER_LEASE_MS * UINT64_C(1000000))

/* --- what is asked for ------------------------------------------------------------------------------ */

static uint32_t groups[] = { 5, 6 };
static const struct xfer_cred cred = { .uid = 1, .gid = 2, .ngroups = 2, .groups = groups };

struct fixture {
	struct validity *validity;
	struct attrcache *cache;
	struct aheads *aheads;
	struct attrcache_entry *dir, *other;
};

static struct attrcache_entry *entry_of(struct fixture *fixture, uint8_t id)
{
	struct xfer_handle handle = { .len = 8, .data = { id } };

	return attrcache_get(fixture->cache, &handle, id);
}

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	fixture->validity = validity_create();
	fixture->cache = attrcache_create(fixture->validity);
	fixture->aheads = aheads_create(fixture->cache);
	fixture->dir = entry_of(fixture, 1);
	fixture->other = entry_of(fixture, 2);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	aheads_destroy(fixture->aheads);
	attrcache_put(fixture->cache, fixture->dir);
	attrcache_put(fixture->cache, fixture->other);
	attrcache_destroy(fixture->cache);
	validity_destroy(fixture->validity);
	free(fixture);
	return 0;
}

static struct ahead *begin_at(struct fixture *fixture, uint64_t cookie, uint64_t ns)
{
	struct asked asked = { validity_ask(fixture->validity).seq, ns };

	return ahead_begin(fixture->aheads, fixture->dir, cookie, &cred, &asked);
}

static struct ahead *begin(struct fixture *fixture, uint64_t cookie)
{
	return begin_at(fixture, cookie, validity_now());
}

static void come(struct ahead *ahead, int result)
{
	ahead->listing.result = result;
	ahead_came(ahead);
}

static struct ahead *take(struct fixture *fixture, uint64_t cookie)
{
	return ahead_take(fixture->aheads, fixture->dir, cookie, &cred);
}

/* --- who gets it -------------------------------------------------------------------------------- */

static void test_taken_once(void **state)
{
	struct fixture *fixture = *state;
	struct ahead *ahead = begin(fixture, 7);

	assert_non_null(ahead);
	assert_true(xfer_handle_equal(&ahead->listing.dir, attrcache_handle(fixture->dir)));
	assert_int_equal(ahead->listing.cookie, 7);
	assert_int_equal(ahead->listing.cred.groups[1], 6);
	assert_ptr_not_equal(ahead->listing.cred.groups, groups);
	assert_null(begin(fixture, 7));
	come(ahead, 0);
	assert_null(begin(fixture, 7));
	assert_ptr_equal(take(fixture, 7), ahead);
	ahead_drop(ahead);
	assert_null(take(fixture, 7));
	ahead = begin(fixture, 7);
	assert_non_null(ahead);
	come(ahead, 0);
}

static void test_only_for_who_asked(void **state)
{
	struct fixture *fixture = *state;
	uint32_t others[] = { 5, 7 };
	struct xfer_cred reader = cred;

	reader.groups = others;
	come(begin(fixture, 7), 0);
	assert_null(take(fixture, 8));
	assert_null(ahead_take(fixture->aheads, fixture->other, 7, &cred));
	assert_null(ahead_take(fixture->aheads, fixture->dir, 7, &reader));
	reader = cred;
	reader.uid++;
	assert_null(ahead_take(fixture->aheads, fixture->dir, 7, &reader));
	ahead_drop(take(fixture, 7));
}

static void test_failed(void **state)
{
	struct fixture *fixture = *state;

	come(begin(fixture, 7), -EAGAIN);
	assert_null(take(fixture, 7));
}

/* --- when it comes ------------------------------------------------------------------------------ */

static void *come_from_elsewhere(void *ahead)
{
	come(ahead, 0);
	return NULL;
}

static void test_waits(void **state)
{
	struct fixture *fixture = *state;

	for (uint64_t i = 0; i < 500; i++) {
		struct ahead *ahead = begin(fixture, i);
		pthread_t thread;

		assert_int_equal(pthread_create(&thread, NULL, come_from_elsewhere, ahead), 0);
		assert_ptr_equal(take(fixture, i), ahead);
		assert_int_equal(ahead->listing.result, 0);
		ahead_drop(ahead);
		pthread_join(thread, NULL);
	}
}

/* Who waits asks for itself when nothing comes; what comes then goes. */
static void test_waits_no_longer_than_it_could_be_believed(void **state)
{
	struct fixture *fixture = *state;
	struct ahead *ahead = begin(fixture, 7);

	assert_null(take(fixture, 7));
	come(ahead, 0);
	assert_null(take(fixture, 7));
}

/* --- bounds ------------------------------------------------------------------------------------- */

static void test_oldest_goes_first(void **state)
{
	struct fixture *fixture = *state;
	struct ahead *aheads[AHEAD_MAX + 1];

	for (uint64_t i = 0; i <= AHEAD_MAX; i++) {
		aheads[i] = begin(fixture, i);
		assert_non_null(aheads[i]);
	}
	for (uint64_t i = 0; i <= AHEAD_MAX; i++)
		come(aheads[i], 0);
	assert_null(take(fixture, 0));
	for (uint64_t i = 1; i <= AHEAD_MAX; i++)
		ahead_drop(take(fixture, i));
}

static void test_too_old_goes(void **state)
{
	struct fixture *fixture = *state;
	uint64_t now = validity_now();

	come(begin_at(fixture, 1, now), 0);
	come(begin_at(fixture, 2, now + SECOND - 1), 0);
	come(begin_at(fixture, 3, now + SECOND), 0);
	assert_null(take(fixture, 1));
	ahead_drop(take(fixture, 2));
	ahead_drop(take(fixture, 3));
}

static void test_no_memory(void **state)
{
	struct fixture *fixture = *state;

	failing_arm(FAILING_MEMORY, 1);
	assert_null(begin(fixture, 7));
	failing_arm(FAILING_MEMORY, 1);
	assert_null(aheads_create(fixture->cache));
	assert_non_null(failing_disarm());
	assert_null(take(fixture, 7));
	come(begin(fixture, 7), 0);
	ahead_drop(take(fixture, 7));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_taken_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_only_for_who_asked, setup, teardown),
		cmocka_unit_test_setup_teardown(test_failed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_waits, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_waits_no_longer_than_it_could_be_believed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_oldest_goes_first, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_old_goes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_memory, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
