/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* join.c -- every way in which an RPC and its immediate meet, or don't, and every violation */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/join.h"

#define SIZE 4096u
#define T    UINT64_C(1000)

static struct xfer_join *join;
static struct xfer_joined joined;
static uint16_t withheld[8];
static char users[4]; /* whose addresses stand for RPCs */

/* Allocations that succeed before one fails; negative: none does. */
static int allocations = -1;

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size)
{
	return allocations >= 0 && allocations-- == 0 ? NULL : __real_calloc(n, size);
}

static void add_from(uint32_t id, uint32_t slots, int first, uint32_t generation)
{
	struct xfer_region place = {
		.id = id, .slot_size = SIZE, .slots = slots, .base = UINT64_C(0x1000000) * id
	};

	assert_int_equal(xfer_join_add_region(join, &place), 0);
	assert_int_equal(place.first, first);
	assert_int_equal(place.generation, generation);
}

static void add(uint32_t id, uint32_t slots, int first)
{
	add_from(id, slots, first, 0);
}

static int create(bool immediates)
{
	struct xfer_join_config config = { .immediates = immediates, .wait_ns = T };

	return xfer_join_create(&config, &join);
}

static int set_up(void **state)
{
	(void)state;
	if (create(true))
		return -1;
	add(1, 4, 0);
	return xfer_join_begin(join, 1, withheld, 8);
}

static int set_up_shm(void **state)
{
	(void)state;
	if (create(false))
		return -1;
	add(1, 4, 0);
	return xfer_join_begin(join, 1, withheld, 8);
}

static int tear_down(void **state)
{
	(void)state;
	xfer_join_end(join);
	while (xfer_join_expired(join, 0, &joined))
		;
	xfer_join_destroy(join);
	return 0;
}

static struct xfer_slot_name name_of(uint32_t epoch, uint16_t slot, uint32_t generation)
{
	return (struct xfer_slot_name){ .epoch = epoch, .generation = generation, .slot = slot };
}

static enum xfer_join_event rpc_of(uint32_t epoch, uint16_t slot, uint32_t generation)
{
	struct xfer_slot_name name = name_of(epoch, slot, generation);

	return xfer_join_rpc(join, &name, SIZE, &users[slot % 4], 0, &joined);
}

static enum xfer_join_event rpc(uint16_t slot, uint32_t generation)
{
	return rpc_of(1, slot, generation);
}

static enum xfer_join_event immediate(uint16_t slot, uint32_t generation)
{
	struct xfer_slot_name name = name_of(1, slot, generation);

	return xfer_join_immediate(join, name.epoch, xfer_immediate(&name), &joined);
}

static void expect_state(uint16_t slot, enum xfer_join_state state)
{
	uint32_t counts[XFER_JOIN_STATES], sum = 0;

	assert_int_equal(xfer_join_look(join, slot), state);
	xfer_join_counts(join, counts);
	for (int i = 0; i < XFER_JOIN_STATES; i++)
		sum += counts[i];
	assert_int_equal(sum, 4);
	assert_true(counts[state] > 0);
}

static void done(uint32_t epoch, uint16_t slot, uint32_t generation)
{
	struct xfer_slot_name name = name_of(epoch, slot, generation);

	xfer_join_done(join, &name);
	expect_state(slot, XFER_JOIN_IDLE);
}

static void expect_joined(uint16_t slot, uint32_t generation)
{
	assert_int_equal(joined.name.epoch, 1);
	assert_int_equal(joined.name.slot, slot);
	assert_int_equal(joined.name.generation, generation);
	assert_int_equal(joined.address, 0x1000000 + slot * SIZE);
	assert_int_equal(joined.size, SIZE);
	assert_ptr_equal(joined.user, &users[slot]);
	expect_state(slot, XFER_JOIN_IN_USE);
}

static void test_immediate_first(void **state)
{
	(void)state;
	for (uint16_t slot = 0; slot < 4; slot++) { /* the first and the last one, too */
		assert_int_equal(immediate(slot, 7), XFER_JOIN_WAIT);
		expect_state(slot, XFER_JOIN_ARRIVED);
		assert_int_equal(rpc(slot, 7), XFER_JOIN_GO);
		expect_joined(slot, 7);
	}
	assert_int_equal(xfer_join_in_use(join), 4);
	for (uint16_t slot = 0; slot < 4; slot++)
		done(1, slot, 7);
}

static void test_rpc_first(void **state)
{
	(void)state;
	assert_int_equal(rpc(3, 7), XFER_JOIN_WAIT);
	expect_state(3, XFER_JOIN_WAITING);
	assert_int_equal(immediate(3, 7), XFER_JOIN_GO);
	expect_joined(3, 7);
	done(1, 3, 7);
}

static void test_without_immediates(void **state)
{
	(void)state;
	assert_int_equal(rpc(0, 1), XFER_JOIN_GO);
	expect_joined(0, 1);
	assert_int_equal(rpc(0, 2), XFER_JOIN_BUSY);
	done(1, 0, 1);
	assert_int_equal(rpc(0, 1), XFER_JOIN_STALE);
	assert_int_equal(rpc(0, 2), XFER_JOIN_GO);
	done(1, 0, 2);
}

static void test_lengths(void **state)
{
	static const uint32_t lengths[] = { 0, 1, SIZE };
	struct xfer_slot_name name = name_of(1, 0, 0);

	(void)state;
	for (int i = 0; i < 3; i++) {
		name.generation++;
		assert_int_equal(
			xfer_join_rpc(join, &name, lengths[i], users, 0, &joined), XFER_JOIN_GO);
		xfer_join_done(join, &name);
	}
	name.generation++;
	assert_int_equal(
		xfer_join_rpc(join, &name, SIZE + 1, users, 0, &joined), XFER_JOIN_TOO_LONG);
	assert_int_equal(xfer_join_rpc(join, &name, SIZE, users, 0, &joined), XFER_JOIN_GO);
	xfer_join_done(join, &name);
}

static void test_violations(void **state)
{
	(void)state;
	assert_int_equal(rpc(4, 1), XFER_JOIN_UNKNOWN_SLOT);
	assert_int_equal(rpc(UINT16_MAX, 1), XFER_JOIN_UNKNOWN_SLOT);
	assert_int_equal(immediate(4, 1), XFER_JOIN_UNKNOWN_SLOT);
	assert_int_equal(rpc_of(2, 0, 1), XFER_JOIN_BAD_EPOCH);
	assert_int_equal(xfer_join_immediate(join, 2, 0, &joined), XFER_JOIN_BAD_EPOCH);
	/* a second name while one waits, in either order */
	assert_int_equal(rpc(0, 5), XFER_JOIN_WAIT);
	assert_int_equal(rpc(0, 6), XFER_JOIN_BUSY);
	assert_int_equal(immediate(0, 6), XFER_JOIN_MISMATCH);
	expect_state(0, XFER_JOIN_WAITING);
	assert_int_equal(immediate(1, 5), XFER_JOIN_WAIT);
	assert_int_equal(immediate(1, 6), XFER_JOIN_BUSY);
	assert_int_equal(rpc(1, 6), XFER_JOIN_MISMATCH);
	expect_state(1, XFER_JOIN_ARRIVED);
	/* and while it is in use */
	assert_int_equal(immediate(0, 5), XFER_JOIN_GO);
	assert_int_equal(immediate(0, 5), XFER_JOIN_BUSY);
	assert_int_equal(rpc(0, 6), XFER_JOIN_BUSY);
	assert_int_equal(rpc(0, 5), XFER_JOIN_STALE); /* the same again */
	done(1, 0, 5);
	assert_int_equal(rpc(0, 5), XFER_JOIN_STALE);
	assert_int_equal(rpc(0, 4), XFER_JOIN_STALE);
	for (int i = XFER_JOIN_GO; i <= XFER_JOIN_MISMATCH; i++) {
		assert_int_equal(xfer_join_violation((enum xfer_join_event)i), i > XFER_JOIN_STALE);
		assert_non_null(xfer_join_event_name((enum xfer_join_event)i));
	}
}

static void test_generations_wrap_around(void **state)
{
	(void)state;
	assert_int_equal(rpc(0, 0), XFER_JOIN_STALE); /* it comes before the first use */
	assert_int_equal(rpc(0, UINT32_MAX), XFER_JOIN_STALE);
	assert_int_equal(rpc(0, 0x7fffffff), XFER_JOIN_GO);
	done(1, 0, 0x7fffffff);
	assert_int_equal(rpc(0, UINT32_MAX - 1), XFER_JOIN_GO);
	done(1, 0, UINT32_MAX - 1);
	assert_int_equal(rpc(0, UINT32_MAX), XFER_JOIN_GO);
	done(1, 0, UINT32_MAX);
	assert_int_equal(rpc(0, 0), XFER_JOIN_GO);
	done(1, 0, 0);
	assert_int_equal(rpc(0, UINT32_MAX), XFER_JOIN_STALE);
	assert_int_equal(rpc(0, 0x80000000), XFER_JOIN_STALE);
	assert_int_equal(rpc(0, 0x7fffffff), XFER_JOIN_GO);
	done(1, 0, 0x7fffffff);
}

static void test_low_half_of_a_generation(void **state)
{
	(void)state;
	assert_int_equal(immediate(0, 0x1ffff), XFER_JOIN_WAIT);
	assert_int_equal(rpc(0, 0x20000), XFER_JOIN_MISMATCH);
	assert_int_equal(rpc(0, 0x1ffff), XFER_JOIN_GO);
	done(1, 0, 0x1ffff);
	assert_int_equal(immediate(0, 0x20000), XFER_JOIN_WAIT);
	assert_int_equal(rpc(0, 0x20000), XFER_JOIN_GO);
	done(1, 0, 0x20000);
}

static void test_deadline(void **state)
{
	struct xfer_slot_name name = name_of(1, 1, 8);

	(void)state;
	assert_int_equal(rpc(0, 7), XFER_JOIN_WAIT);
	assert_int_equal(xfer_join_rpc(join, &name, 1, &users[1], 10, &joined), XFER_JOIN_WAIT);
	assert_false(xfer_join_expired(join, T - 1, &joined));
	assert_true(xfer_join_expired(join, T, &joined));
	assert_int_equal(joined.name.slot, 0);
	assert_int_equal(joined.name.generation, 7);
	assert_ptr_equal(joined.user, &users[0]);
	assert_false(xfer_join_expired(join, T, &joined));
	/* out of use for the rest of the epoch, whatever comes */
	expect_state(0, XFER_JOIN_GIVEN_UP);
	assert_int_equal(rpc(0, 7), XFER_JOIN_RESEND);
	assert_int_equal(immediate(0, 8), XFER_JOIN_MISMATCH);
	assert_int_equal(immediate(0, 7), XFER_JOIN_IGNORED);
	assert_int_equal(immediate(0, 7), XFER_JOIN_BUSY); /* it comes once */
	assert_int_equal(rpc(0, 8), XFER_JOIN_BUSY);
	assert_int_equal(rpc(0, 6), XFER_JOIN_STALE);
	xfer_join_end(join);
	assert_true(xfer_join_expired(join, T, &joined));
	assert_int_equal(xfer_join_begin(join, 2, withheld, 8), 0);
	assert_int_equal(rpc_of(2, 0, 8), XFER_JOIN_WAIT);
}

static void test_end_of_an_epoch(void **state)
{
	struct xfer_slot_name in_use = name_of(1, 2, 1);

	(void)state;
	immediate(0, 1);
	rpc(1, 1);
	rpc(2, 1);
	immediate(2, 1);
	assert_true(xfer_join_live(join, &in_use));
	xfer_join_end(join);
	xfer_join_end(join);
	assert_false(xfer_join_live(join, &in_use));
	assert_int_equal(rpc(0, 1), XFER_JOIN_RESEND);
	assert_int_equal(immediate(1, 1), XFER_JOIN_IGNORED);
	assert_int_equal(xfer_join_begin(join, 2, withheld, 8), -EINVAL); /* one isn't answered */
	assert_true(xfer_join_expired(join, 0, &joined));
	assert_ptr_equal(joined.user, &users[1]);
	assert_false(xfer_join_expired(join, 10 * T, &joined));
	assert_int_equal(xfer_join_begin(join, 0, withheld, 8), -EINVAL);
	assert_int_equal(xfer_join_begin(join, 1, withheld, 8), -EINVAL);
	assert_int_equal(xfer_join_begin(join, 2, withheld, 0), -ENOBUFS);
	assert_int_equal(xfer_join_begin(join, 2, withheld, 8), 1);
	assert_int_equal(withheld[0], 2);
	assert_int_equal(xfer_join_begin(join, 3, withheld, 8), -EINVAL);
	assert_int_equal(xfer_join_in_use(join), 1);
	expect_state(0, XFER_JOIN_IDLE);
	assert_int_equal(rpc(3, 1), XFER_JOIN_RESEND); /* late, of the first epoch */
	assert_int_equal(immediate(3, 1), XFER_JOIN_IGNORED);
	assert_int_equal(rpc_of(2, 2, 2), XFER_JOIN_BUSY); /* withheld */
	done(1, 2, 1);
	assert_int_equal(rpc_of(2, 2, 2), XFER_JOIN_WAIT);
	assert_int_equal(rpc_of(2, 1, 1), XFER_JOIN_STALE); /* generations go on */
}

/* What is late was sent for a join that is gone: not the initiator's fault. */
static void test_before_the_first_epoch(void **state)
{
	(void)state;
	xfer_join_destroy(join);
	assert_int_equal(create(true), 0);
	add(1, 4, 0);
	assert_int_equal(rpc_of(7, 0, 1), XFER_JOIN_RESEND);
	assert_int_equal(xfer_join_immediate(join, 7, 1, &joined), XFER_JOIN_IGNORED);
	assert_int_equal(xfer_join_begin(join, 8, withheld, 8), 0);
	assert_int_equal(rpc_of(7, 0, 1), XFER_JOIN_RESEND);
	assert_int_equal(rpc_of(9, 0, 1), XFER_JOIN_BAD_EPOCH);
	assert_int_equal(rpc_of(8, 0, 1), XFER_JOIN_WAIT);
}

static void test_operation_that_ends_between_epochs(void **state)
{
	(void)state;
	assert_int_equal(rpc(0, 1), XFER_JOIN_GO);
	xfer_join_end(join);
	done(1, 0, 1);
	assert_int_equal(xfer_join_begin(join, 2, withheld, 8), 0);
}

static void test_regions(void **state)
{
	struct xfer_region place = { .id = 2, .slot_size = SIZE, .slots = 65533 };

	(void)state;
	assert_int_equal(xfer_join_add_region(join, &place), -ENOSPC);
	place.slots = 0;
	assert_int_equal(xfer_join_add_region(join, &place), -EINVAL);
	place.slots = 1;
	place.slot_size = 0;
	assert_int_equal(xfer_join_add_region(join, &place), -EINVAL);
	place.slot_size = 1;
	place.id = 1;
	assert_int_equal(xfer_join_add_region(join, &place), -EEXIST);
	add(2, 3, 4);
	add(3, 10, 7);
	assert_int_equal(xfer_join_remove_region(join, 2), 0);
	assert_int_equal(xfer_join_remove_region(join, 2), -ENOENT);
	add(4, 4, 17);
	add(5, 2, 4); /* the hole */
	add(6, 65515, 21);
	assert_int_equal(rpc(65535, 1), XFER_JOIN_GO);
	xfer_join_done(join, &joined.name);
	add(7, 1, 6);
	for (unsigned i = 0; i < 6; i++)
		assert_true(xfer_join_region(join, i, &place));
	assert_false(xfer_join_region(join, 6, &place));
}

static void test_too_many_regions(void **state)
{
	struct xfer_region place = { .id = 99, .slot_size = SIZE, .slots = 1 };

	(void)state;
	for (uint32_t i = 2; i <= XFER_REGIONS_MAX; i++)
		add(i, 1, (int)i + 2);
	assert_int_equal(xfer_join_add_region(join, &place), -ENOSPC);
}

static void test_region_in_use(void **state)
{
	(void)state;
	immediate(0, 1);
	assert_int_equal(xfer_join_remove_region(join, 1), -EBUSY);
	rpc(0, 1);
	assert_int_equal(xfer_join_remove_region(join, 1), -EBUSY);
	done(1, 0, 1);
	rpc(1, 1);
	assert_int_equal(xfer_join_remove_region(join, 1), -EBUSY);
	assert_true(xfer_join_expired(join, T, &joined));
	assert_int_equal(xfer_join_remove_region(join, 1), -EBUSY);
	xfer_join_end(join); /* the initiator's slot is in limbo: not drained either */
	assert_int_equal(xfer_join_remove_region(join, 1), -EBUSY);
	assert_int_equal(xfer_join_begin(join, 2, withheld, 8), 0);
	assert_int_equal(xfer_join_remove_region(join, 1), 0);
}

/* The initiator said so before it knew that the data path is lost. */
static void test_drained_region_without_a_path(void **state)
{
	(void)state;
	rpc(0, 1);
	immediate(0, 1);
	done(1, 0, 1);
	xfer_join_end(join);
	assert_int_equal(xfer_join_remove_region(join, 1), 0);
	assert_int_equal(rpc(0, 1), XFER_JOIN_RESEND); /* late copies */
	assert_int_equal(immediate(0, 1), XFER_JOIN_IGNORED);
}

/* All memory comes back, whatever the initiator does, when the last operation is done. */
static void test_all_regions_without_a_path(void **state)
{
	(void)state;
	add(2, 1, 4);
	immediate(0, 1); /* its RPC never comes */
	rpc(1, 1);       /* its bytes never do */
	rpc(4, 1);
	immediate(4, 1);
	xfer_join_end(join);
	assert_int_equal(xfer_join_remove_region(join, 1), -EBUSY);
	assert_true(xfer_join_expired(join, 0, &joined));
	assert_false(xfer_join_expired(join, 0, &joined));
	assert_int_equal(xfer_join_in_use(join), 1);
	xfer_join_done(join, &(struct xfer_slot_name){ .epoch = 1, .generation = 1, .slot = 4 });
	assert_int_equal(xfer_join_in_use(join), 0);
}

/* Late copies of what was sent for a region that is gone must not find another one's slots. */
static void test_numbers_of_a_region_that_is_gone(void **state)
{
	(void)state;
	rpc(2, 40);
	done(1, 2, 40);
	assert_int_equal(xfer_join_remove_region(join, 1), 0);
	add_from(2, 4, 0, 40);
	assert_int_equal(rpc(2, 40), XFER_JOIN_STALE);
	assert_int_equal(rpc(2, 39), XFER_JOIN_STALE);
	assert_int_equal(rpc(2, 41), XFER_JOIN_GO);
	xfer_join_done(join, &joined.name);
}

/* One slot was used so often that its generations seem to come before the others', or far behind. */
static void test_numbers_of_a_hot_slot(void **state)
{
	struct xfer_region place = { .slot_size = SIZE, .slots = 4 };
	uint32_t last;

	(void)state;
	for (uint32_t id = 1; id < 8; id++) {
		last = place.generation;
		for (uint32_t i = 0; i < id; i++) {
			last += 0x7ffffff0;
			assert_int_equal(rpc(3, last), XFER_JOIN_GO);
			done(1, 3, last);
		}
		assert_int_equal(xfer_join_remove_region(join, id), 0);
		place.id = id + 1;
		assert_int_equal(xfer_join_add_region(join, &place), 0);
		assert_int_equal(rpc(3, last), XFER_JOIN_STALE);
		for (uint16_t slot = 0; slot < 4; slot++) {
			assert_int_equal(rpc(slot, place.generation + 1), XFER_JOIN_GO);
			done(1, slot, place.generation + 1);
		}
		place.generation++;
	}
}

static void test_out_of_memory(void **state)
{
	struct xfer_region place = { .id = 2, .slot_size = SIZE, .slots = 1 };

	(void)state;
	allocations = 0;
	assert_int_equal(xfer_join_add_region(join, &place), -ENOMEM);
	assert_int_equal(xfer_join_add_region(join, &place), 0);
	assert_int_equal(place.first, 4);
	xfer_join_destroy(join);
	xfer_join_destroy(NULL);
	allocations = 0;
	assert_int_equal(create(true), -ENOMEM);
	assert_int_equal(create(true), 0);
}

/* A peer that says anything: what isn't accepted changes nothing, and its slots are all that it can reach. */
static void test_garbage(void **state)
{
	struct xfer_slot_name hang[4]; /* what executes, by slot */
	uint32_t epoch = 1, refused = 0;
	unsigned seed = 4711;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		struct xfer_slot_name name = name_of(epoch - 1 + (uint32_t)rand_r(&seed) % 3,
			(uint16_t)(rand_r(&seed) % 6),
			(uint32_t)rand_r(&seed) % 8 + (uint32_t)i / 64);
		uint32_t length = (uint32_t)rand_r(&seed) % (SIZE + 500);
		int before = xfer_join_look(join, name.slot);
		enum xfer_join_event event =
			rand_r(&seed) % 2
				? xfer_join_immediate(
					  join, name.epoch, xfer_immediate(&name), &joined)
				: xfer_join_rpc(join, &name, length, users, (uint64_t)i, &joined);

		if (event != XFER_JOIN_GO && event != XFER_JOIN_WAIT) {
			assert_int_equal(xfer_join_look(join, name.slot), before);
			refused++;
		}
		if (event == XFER_JOIN_GO) {
			assert_true(joined.name.slot < 4 && joined.name.epoch == epoch);
			assert_int_equal(joined.address, 0x1000000 + joined.name.slot * SIZE);
			hang[joined.name.slot] = joined.name;
		}
		if (before == XFER_JOIN_IN_USE && rand_r(&seed) % 8 == 0)
			xfer_join_done(join, &hang[name.slot]);
		while (xfer_join_expired(join, (uint64_t)i, &joined))
			;
		if (rand_r(&seed) % 500 == 0) {
			xfer_join_end(join);
			while (xfer_join_expired(join, (uint64_t)i, &joined))
				;
			assert_true(xfer_join_begin(join, ++epoch, withheld, 8) >= 0);
		}
	}
	assert_in_range(refused, 1000, 199000);
	for (uint16_t slot = 0; slot < 4; slot++)
		if (xfer_join_look(join, slot) == XFER_JOIN_IN_USE)
			xfer_join_done(join, &hang[slot]);
}

#define TEST(name)     cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define SHM_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_shm, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_immediate_first),
		TEST(test_rpc_first),
		SHM_TEST(test_without_immediates),
		SHM_TEST(test_lengths),
		TEST(test_violations),
		SHM_TEST(test_generations_wrap_around),
		TEST(test_low_half_of_a_generation),
		TEST(test_deadline),
		TEST(test_end_of_an_epoch),
		TEST(test_before_the_first_epoch),
		SHM_TEST(test_operation_that_ends_between_epochs),
		SHM_TEST(test_regions),
		TEST(test_too_many_regions),
		TEST(test_region_in_use),
		TEST(test_drained_region_without_a_path),
		TEST(test_all_regions_without_a_path),
		SHM_TEST(test_numbers_of_a_region_that_is_gone),
		SHM_TEST(test_numbers_of_a_hot_slot),
		TEST(test_garbage),
		TEST(test_out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
