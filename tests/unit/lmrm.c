/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* lmrm.c -- every transition of the initiator's slots, and every refusal */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/lmrm.h"

#define SMALL 4096u
#define LARGE 65536u
#define T     UINT64_C(1000)

static struct xfer_lmrm *pool;
static struct xfer_lmrm_slot slot;
static char owner; /* whose address stands for a READ */

/* Allocations that succeed before one fails; negative: none does. */
static int allocations = -1;

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size)
{
	return allocations >= 0 && allocations-- == 0 ? NULL : __real_calloc(n, size);
}

static struct xfer_region region(uint32_t id, uint32_t size, uint32_t slots, uint16_t first)
{
	return (struct xfer_region){ .id = id,
		.slot_size = size,
		.slots = slots,
		.first = first,
		.base = UINT64_C(0x10000000) * id };
}

static void add(uint32_t id, uint32_t size, uint32_t slots, uint16_t first)
{
	struct xfer_region place = region(id, size, slots, first);

	assert_int_equal(xfer_lmrm_add_region(pool, &place), 0);
}

static int create(enum xfer_pool_direction direction, bool immediates)
{
	struct xfer_lmrm_config config = { .direction = direction,
		.immediates = immediates,
		.waiters_max = 3,
		.wait_ns = 10 * T,
		.quarantine_ns = 100 * T };

	return xfer_lmrm_create(&config, &pool);
}

/* Eight small slots, 0 to 7, and four large ones, 8 to 11, in epoch 1. */
static void furnish(void)
{
	add(1, SMALL, 8, 0);
	add(2, LARGE, 4, 8);
	assert_int_equal(xfer_lmrm_welcome(pool, 1, NULL, 0, 0), 0);
}

static int set_up_write(void **state)
{
	(void)state;
	if (create(XFER_POOL_WRITE, false))
		return -1;
	furnish();
	return 0;
}

static int set_up_read(void **state)
{
	(void)state;
	if (create(XFER_POOL_READ, true))
		return -1;
	furnish();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	xfer_lmrm_destroy(pool);
	return 0;
}

static void expect_count(enum xfer_slot_state state, uint32_t expected)
{
	struct xfer_lmrm_counts counts;
	uint32_t sum = 0;

	xfer_lmrm_counts(pool, &counts);
	for (int i = 0; i < XFER_SLOT_STATES; i++)
		sum += counts.state[i];
	assert_int_equal(sum, counts.slots);
	assert_int_equal(counts.state[state], expected);
}

static void expect_state(const struct xfer_slot_name *name, enum xfer_slot_state state)
{
	struct xfer_slot_name last;

	assert_int_equal(xfer_lmrm_look(pool, name->slot, &last), state);
}

static void take(uint32_t length)
{
	assert_int_equal(xfer_lmrm_reserve(pool, length, &slot), 0);
	assert_true(slot.size >= length);
	expect_state(&slot.name, XFER_SLOT_RESERVED);
}

static void submit(void)
{
	assert_int_equal(xfer_lmrm_filled(pool, &slot.name), 0);
	expect_state(&slot.name, XFER_SLOT_FILLED);
	assert_int_equal(xfer_lmrm_submitted(pool, &slot.name), 0);
	expect_state(&slot.name, XFER_SLOT_SUBMITTED);
}

static void test_write_and_its_reply(void **state)
{
	(void)state;
	take(SMALL);
	submit();
	assert_int_equal(xfer_lmrm_reply(pool, &slot.name), 0);
	expect_count(XFER_SLOT_FREE, 12);
	assert_int_equal(xfer_lmrm_reply(pool, &slot.name), -ESTALE);
}

static void test_sizes(void **state)
{
	static const struct {
		uint32_t length, size;
	} cases[] = { { 0, SMALL }, { 1, SMALL }, { SMALL, SMALL }, { SMALL + 1, LARGE },
		{ LARGE, LARGE } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		take(cases[i].length);
		assert_int_equal(slot.size, cases[i].size);
		assert_int_equal(xfer_lmrm_abort(pool, &slot.name, 0), XFER_ABORT_FREE);
	}
	assert_int_equal(xfer_lmrm_reserve(pool, LARGE + 1, &slot), -EMSGSIZE);
	assert_int_equal(xfer_lmrm_reserve(pool, UINT32_MAX, &slot), -EMSGSIZE);
}

/* Each slot once, and where its region says. */
static void test_first_and_last(void **state)
{
	unsigned seen = 0;

	(void)state;
	for (int i = 0; i < 12; i++) {
		take(i < 8 ? 1 : LARGE);
		seen |= 1u << slot.name.slot;
		if (slot.name.slot < 8)
			assert_int_equal(slot.address, 0x10000000 + slot.name.slot * SMALL);
		else
			assert_int_equal(slot.address, 0x20000000 + (slot.name.slot - 8u) * LARGE);
	}
	assert_int_equal(seen, 0xfff);
	assert_int_equal(xfer_lmrm_reserve(pool, 1, &slot), -EAGAIN);
	assert_int_equal(xfer_lmrm_reserve(pool, LARGE, &slot), -EAGAIN);
	assert_int_equal(xfer_lmrm_held(pool), 12);
}

static void test_larger_class_lends_half(void **state)
{
	(void)state;
	for (int i = 0; i < 8; i++)
		take(1);
	take(1);
	assert_int_equal(slot.size, LARGE);
	take(1);
	assert_int_equal(slot.size, LARGE);
	assert_int_equal(xfer_lmrm_reserve(pool, 1, &slot), -EAGAIN);
	take(LARGE);
}

static void test_larger_class_lends_nothing_that_is_waited_for(void **state)
{
	struct xfer_lmrm_waiter waiter;
	struct xfer_lmrm_slot large[4];

	(void)state;
	for (int i = 0; i < 4; i++) {
		take(LARGE);
		large[i] = slot;
	}
	for (int i = 0; i < 8; i++)
		take(1);
	assert_int_equal(xfer_lmrm_wait(pool, &waiter, LARGE, 0), 0);
	for (int i = 0; i < 4; i++)
		xfer_lmrm_abort(pool, &large[i].name, 0);
	assert_int_equal(xfer_lmrm_reserve(pool, 1, &slot), -EAGAIN);
	assert_ptr_equal(xfer_lmrm_served(pool, 0), &waiter);
	take(1);
}

static void test_timeout_frees_nothing(void **state)
{
	struct xfer_slot_name name;

	(void)state;
	take(1);
	submit();
	name = slot.name;
	assert_int_equal(xfer_lmrm_quarantine(pool, &name, 5), 0);
	expect_state(&name, XFER_SLOT_QUARANTINED);
	assert_int_equal(xfer_lmrm_quarantine(pool, &name, 5), -ESTALE);
	for (int i = 0; i < 7; i++) {
		take(1);
		assert_int_not_equal(slot.name.slot, name.slot);
	}
	assert_int_equal(xfer_lmrm_reply(pool, &name), 0); /* late */
	take(1);
	assert_int_equal(slot.name.slot, name.slot);
	assert_int_equal(slot.name.generation, name.generation + 1);
}

static void test_stale_reply(void **state)
{
	struct xfer_slot_name old, other;

	(void)state;
	take(1);
	submit();
	old = slot.name;
	xfer_lmrm_reply(pool, &old);
	take(1);
	assert_int_equal(slot.name.slot, old.slot);
	submit();
	assert_int_equal(xfer_lmrm_reply(pool, &old), -ESTALE);
	other = slot.name;
	other.epoch++;
	assert_int_equal(xfer_lmrm_reply(pool, &other), -ESTALE);
	other = slot.name;
	other.slot = 12;
	assert_int_equal(xfer_lmrm_reply(pool, &other), -ESTALE);
	other.slot = UINT16_MAX;
	assert_int_equal(xfer_lmrm_reply(pool, &other), -ESTALE);
	expect_state(&slot.name, XFER_SLOT_SUBMITTED);
}

static void test_reply_to_what_was_not_sent(void **state)
{
	(void)state;
	take(1);
	assert_int_equal(xfer_lmrm_reply(pool, &slot.name), -EPROTO);
	xfer_lmrm_filled(pool, &slot.name);
	assert_int_equal(xfer_lmrm_reply(pool, &slot.name), -EPROTO);
	expect_state(&slot.name, XFER_SLOT_FILLED);
}

static void test_abort(void **state)
{
	(void)state;
	take(1);
	assert_int_equal(xfer_lmrm_abort(pool, &slot.name, 0), XFER_ABORT_FREE);
	expect_count(XFER_SLOT_FREE, 12);
	take(1);
	xfer_lmrm_filled(pool, &slot.name);
	assert_int_equal(xfer_lmrm_abort(pool, &slot.name, 0), XFER_ABORT_CANCEL);
	expect_state(&slot.name, XFER_SLOT_QUARANTINED);
	assert_int_equal(xfer_lmrm_reply(pool, &slot.name), 0); /* the CANCEL's */
	expect_count(XFER_SLOT_FREE, 12);
}

static void test_path_lost_and_welcome(void **state)
{
	struct xfer_slot_name submitted, filled;

	(void)state;
	take(1);
	submit();
	submitted = slot.name;
	take(1);
	xfer_lmrm_filled(pool, &slot.name);
	filled = slot.name;
	xfer_lmrm_path_lost(pool);
	xfer_lmrm_path_lost(pool);
	expect_count(XFER_SLOT_LIMBO, 12);
	assert_int_equal(xfer_lmrm_held(pool), 0);
	assert_int_equal(xfer_lmrm_reserve(pool, 1, &slot), -ENOTCONN);
	assert_int_equal(xfer_lmrm_submitted(pool, &filled), -ESTALE);
	assert_int_equal(xfer_lmrm_reply(pool, &submitted), -ESTALE);
	assert_int_equal(xfer_lmrm_quarantine(pool, &submitted, 0), -ESTALE);
	expect_count(XFER_SLOT_LIMBO, 12);
	assert_int_equal(xfer_lmrm_welcome(pool, 0, NULL, 0, 0), -EINVAL);
	assert_int_equal(xfer_lmrm_welcome(pool, 1, NULL, 0, 0), -EINVAL);
	assert_int_equal(xfer_lmrm_welcome(pool, 2, NULL, 0, 0), 0);
	assert_int_equal(xfer_lmrm_welcome(pool, 3, NULL, 0, 0), -EINVAL);
	expect_count(XFER_SLOT_FREE, 12);
	assert_int_equal(xfer_lmrm_abort(pool, &filled, 0), -ESTALE);
	assert_int_equal(xfer_lmrm_filled(pool, &filled), -ESTALE);
	take(1);
	assert_int_equal(slot.name.epoch, 2);
}

/* Who still writes into a slot keeps it from being reused. */
static void test_held_in_limbo(void **state)
{
	struct xfer_slot_name first, second;

	(void)state;
	take(1);
	first = slot.name;
	take(1);
	second = slot.name;
	xfer_lmrm_path_lost(pool);
	assert_int_equal(xfer_lmrm_held(pool), 2);
	assert_int_equal(xfer_lmrm_filled(pool, &first), -ESTALE); /* before WELCOME */
	expect_state(&first, XFER_SLOT_LIMBO);
	xfer_lmrm_welcome(pool, 2, NULL, 0, 0);
	expect_state(&first, XFER_SLOT_FREE);
	expect_state(&second, XFER_SLOT_LIMBO);
	assert_int_equal(xfer_lmrm_held(pool), 1);
	assert_int_equal(xfer_lmrm_abort(pool, &second, 0), -ESTALE); /* and after it */
	expect_count(XFER_SLOT_FREE, 12);
}

static void test_withheld(void **state)
{
	struct xfer_slot_name names[3];
	uint16_t withheld[4];

	(void)state;
	for (int i = 0; i < 3; i++) {
		take(1);
		submit();
		names[i] = slot.name;
		withheld[i] = slot.name.slot;
	}
	withheld[3] = 999; /* there is no such slot */
	xfer_lmrm_path_lost(pool);
	assert_int_equal(xfer_lmrm_reply(pool, &names[0]), -ESTALE); /* overtakes WELCOME */
	xfer_lmrm_welcome(pool, 2, withheld, 4, 50 * T);
	expect_state(&names[0], XFER_SLOT_FREE);
	expect_state(&names[1], XFER_SLOT_LIMBO);
	assert_int_equal(xfer_lmrm_reply(pool, &names[1]), -ESTALE); /* the operation has ended */
	expect_state(&names[1], XFER_SLOT_FREE);
	assert_false(xfer_lmrm_wants_epoch(pool, 150 * T));
	assert_true(xfer_lmrm_wants_epoch(pool, 150 * T + 1));
	xfer_lmrm_path_lost(pool);
	xfer_lmrm_welcome(pool, 3, NULL, 0, 0); /* or a later epoch doesn't withhold it */
	expect_count(XFER_SLOT_FREE, 12);
	/* a reply is only good for the use that it names */
	do
		take(1);
	while (slot.name.slot != names[0].slot);
	submit();
	xfer_lmrm_path_lost(pool);
	assert_int_equal(xfer_lmrm_reply(pool, &names[0]), -ESTALE);
	xfer_lmrm_welcome(pool, 4, withheld, 1, 0);
	expect_state(&slot.name, XFER_SLOT_LIMBO);
}

static void test_generations_wrap_around(void **state)
{
	static const uint32_t expected[] = { UINT32_MAX, 0, 1 };
	struct xfer_region place = region(1, SMALL, 1, 0);

	(void)state;
	assert_int_equal(create(XFER_POOL_WRITE, false), 0);
	place.generation = UINT32_MAX - 1;
	assert_int_equal(xfer_lmrm_add_region(pool, &place), 0);
	xfer_lmrm_welcome(pool, UINT32_MAX, NULL, 0, 0);
	for (int i = 0; i < 3; i++) {
		take(1);
		assert_int_equal(slot.name.generation, expected[i]);
		submit();
		assert_int_equal(xfer_lmrm_reply(pool, &slot.name), 0);
	}
	xfer_lmrm_path_lost(pool);
	assert_int_equal(xfer_lmrm_welcome(pool, 1, NULL, 0, 0), 0); /* epochs do, too */
}

static void test_quarantine_cap(void **state)
{
	struct xfer_slot_name first;

	(void)state;
	assert_false(xfer_lmrm_wants_epoch(pool, 0));
	take(LARGE);
	first = slot.name;
	submit();
	xfer_lmrm_quarantine(pool, &first, 10);
	assert_false(xfer_lmrm_wants_epoch(pool, 10 + 100 * T)); /* a quarter of the large ones */
	assert_true(xfer_lmrm_wants_epoch(pool, 11 + 100 * T));
	take(LARGE);
	submit();
	xfer_lmrm_quarantine(pool, &slot.name, 20);
	assert_true(xfer_lmrm_wants_epoch(pool, 20)); /* more than that */
	xfer_lmrm_reply(pool, &first);
	assert_false(xfer_lmrm_wants_epoch(pool, 20 + 100 * T));
	assert_true(xfer_lmrm_wants_epoch(pool, 21 + 100 * T));
	xfer_lmrm_path_lost(pool);
	assert_true(xfer_lmrm_wants_epoch(pool, 20));
}

/* Whatever the peer says about its memory: no slot's address is below that of the first one. */
static void test_addresses_that_wrap_around(void **state)
{
	struct xfer_region place = region(3, UINT32_MAX, 2, 20);

	(void)state;
	place.base = UINT64_MAX - 2 * (uint64_t)UINT32_MAX + 2;
	assert_int_equal(xfer_lmrm_add_region(pool, &place), -EINVAL);
	place.base--; /* the last byte that there is */
	assert_int_equal(xfer_lmrm_add_region(pool, &place), 0);
}

static void test_regions_that_cannot_be(void **state)
{
	struct xfer_region bad[] = { region(3, 0, 1, 20), region(3, 1, 0, 20),
		region(3, 1, 65537, 0), region(3, 1, 2, 65535) };
	struct xfer_region taken[] = { region(1, 1, 1, 20), region(3, 1, 1, 0), region(3, 1, 1, 11),
		region(3, 1, 13, 7) };
	struct xfer_region other = region(9, 3, 1, 300);

	(void)state;
	for (int i = 0; i < 4; i++) {
		assert_int_equal(xfer_lmrm_add_region(pool, &bad[i]), -EINVAL);
		assert_int_equal(xfer_lmrm_add_region(pool, &taken[i]), -EEXIST);
	}
	add(3, 1, 1, 65535); /* the last number that there is */
	add(4, 2, 1, 12);
	assert_int_equal(xfer_lmrm_add_region(pool, &other), -ENOSPC); /* a fifth size */
	for (uint32_t i = 5; i <= XFER_REGIONS_MAX; i++)
		add(i, 2, 1, (uint16_t)(i + 20));
	other = region(99, 2, 1, 300);
	assert_int_equal(xfer_lmrm_add_region(pool, &other), -ENOSPC);
}

static void test_grow(void **state)
{
	struct xfer_lmrm_counts counts;
	struct xfer_region place;

	(void)state;
	for (int i = 0; i < 4; i++)
		take(LARGE);
	assert_int_equal(xfer_lmrm_reserve(pool, LARGE, &slot), -EAGAIN);
	add(3, LARGE, 2, 12);
	take(LARGE);
	assert_int_equal(slot.region, 3);
	expect_count(XFER_SLOT_FREE, 9);
	xfer_lmrm_path_lost(pool);
	add(4, SMALL, 2, 20); /* not before WELCOME */
	assert_true(xfer_lmrm_region(pool, 3, &place, &counts));
	assert_int_equal(place.id, 4);
	assert_int_equal(counts.state[XFER_SLOT_LIMBO], 2);
	assert_false(xfer_lmrm_region(pool, 4, &place, &counts));
	xfer_lmrm_welcome(pool, 2, NULL, 0, 0);
	expect_count(XFER_SLOT_FREE, 11); /* all but those held */
}

static void test_retire(void **state)
{
	struct xfer_region again = region(3, LARGE, 4, 8);
	struct xfer_slot_name old;

	(void)state;
	take(LARGE);
	submit();
	old = slot.name;
	assert_int_equal(xfer_lmrm_retire(pool, 7), -ENOENT);
	assert_int_equal(xfer_lmrm_remove_region(pool, 7), -ENOENT);
	assert_int_equal(xfer_lmrm_remove_region(pool, 2), -EBUSY);
	assert_int_equal(xfer_lmrm_retire(pool, 2), 0);
	assert_int_equal(xfer_lmrm_retire(pool, 2), 0);
	assert_int_equal(xfer_lmrm_reserve(pool, LARGE, &slot), -EMSGSIZE);
	assert_false(xfer_lmrm_drained(pool, 2));
	assert_int_equal(xfer_lmrm_remove_region(pool, 2), -EBUSY);
	assert_int_equal(xfer_lmrm_reply(pool, &old), 0);
	assert_true(xfer_lmrm_drained(pool, 2));
	assert_int_equal(xfer_lmrm_reserve(pool, LARGE, &slot), -EMSGSIZE);
	assert_int_equal(xfer_lmrm_remove_region(pool, 2), 0);
	assert_int_equal(xfer_lmrm_reply(pool, &old), -ESTALE);
	expect_count(XFER_SLOT_FREE, 8);
	again.generation = old.generation; /* the same numbers: names go on */
	assert_int_equal(xfer_lmrm_add_region(pool, &again), 0);
	take(LARGE);
	assert_int_equal(slot.name.generation, old.generation + 1);
	assert_int_equal(xfer_lmrm_reply(pool, &old), -ESTALE);
	assert_false(xfer_lmrm_drained(pool, 3));
}

/* What is in limbo isn't drained: the next epoch frees it, or the pool goes as a whole. */
static void test_retire_without_a_path(void **state)
{
	uint16_t withheld = 8;

	(void)state;
	xfer_lmrm_path_lost(pool);
	assert_int_equal(xfer_lmrm_retire(pool, 1), 0);
	assert_int_equal(xfer_lmrm_retire(pool, 2), 0);
	assert_false(xfer_lmrm_drained(pool, 2));
	assert_int_equal(xfer_lmrm_remove_region(pool, 2), -EBUSY);
	xfer_lmrm_welcome(pool, 2, &withheld, 1, 0);
	assert_int_equal(xfer_lmrm_reserve(pool, 1, &slot), -EMSGSIZE);
	assert_int_equal(xfer_lmrm_remove_region(pool, 1), 0);
	assert_int_equal(xfer_lmrm_remove_region(pool, 2), -EBUSY); /* the host isn't done */
	assert_int_equal(xfer_lmrm_held(pool), 0);
}

/* Whatever this end has seen of the numbers before: only the host knows what is the latest. */
static void test_host_says_where_generations_begin(void **state)
{
	struct xfer_region place = region(2, LARGE, 1, 8);

	(void)state;
	for (uint32_t i = 0; i < 8; i++) {
		assert_int_equal(xfer_lmrm_retire(pool, 2), 0);
		assert_int_equal(xfer_lmrm_remove_region(pool, 2), 0);
		place.generation = UINT32_C(0x7fffffff) * i;
		assert_int_equal(xfer_lmrm_add_region(pool, &place), 0);
		take(LARGE);
		assert_int_equal(slot.name.generation, place.generation + 1);
		assert_int_equal(xfer_lmrm_abort(pool, &slot.name, 0), XFER_ABORT_FREE);
	}
}

/* --- waiters ------------------------------------------------------------------------------------ */

static void take_all(uint32_t length, struct xfer_lmrm_slot *slots, int n)
{
	for (int i = 0; i < n; i++) {
		take(length);
		slots[i] = slot;
	}
}

static void test_first_come_first_served(void **state)
{
	struct xfer_lmrm_waiter waiters[4];
	struct xfer_lmrm_slot large[4];

	(void)state;
	take_all(LARGE, large, 4);
	for (int i = 0; i < 3; i++)
		assert_int_equal(xfer_lmrm_wait(pool, &waiters[i], LARGE, (uint64_t)i), 0);
	assert_int_equal(xfer_lmrm_wait(pool, &waiters[3], LARGE, 3), -ENOBUFS);
	assert_int_equal(xfer_lmrm_wait(pool, &waiters[3], LARGE + 1, 3), -EMSGSIZE);
	assert_int_equal(xfer_lmrm_waiters(pool), 3);
	assert_null(xfer_lmrm_served(pool, 3));
	take(1); /* another class isn't concerned */
	xfer_lmrm_abort(pool, &large[2].name, 3);
	assert_int_equal(xfer_lmrm_reserve(pool, LARGE, &slot), -EAGAIN); /* no overtaking */
	assert_ptr_equal(xfer_lmrm_served(pool, 3), &waiters[0]);
	assert_int_equal(waiters[0].result, 0);
	assert_int_equal(waiters[0].slot.name.slot, large[2].name.slot);
	assert_null(xfer_lmrm_served(pool, 3));
	xfer_lmrm_unwait(pool, &waiters[1]);
	xfer_lmrm_abort(pool, &large[0].name, 3);
	assert_ptr_equal(xfer_lmrm_served(pool, 3), &waiters[2]);
	assert_int_equal(xfer_lmrm_waiters(pool), 0);
}

static void test_waiting_ends(void **state)
{
	struct xfer_lmrm_waiter first, second, third;
	struct xfer_lmrm_slot large[4];

	(void)state;
	take_all(LARGE, large, 4);
	xfer_lmrm_wait(pool, &first, LARGE, 0);
	xfer_lmrm_wait(pool, &second, LARGE, T);
	assert_null(xfer_lmrm_served(pool, 10 * T - 1));
	assert_ptr_equal(xfer_lmrm_served(pool, 10 * T), &first);
	assert_int_equal(first.result, -ETIMEDOUT);
	assert_null(xfer_lmrm_served(pool, 10 * T));
	xfer_lmrm_path_lost(pool);
	assert_ptr_equal(xfer_lmrm_served(pool, 10 * T), &second);
	assert_int_equal(second.result, -ENOTCONN);
	assert_int_equal(xfer_lmrm_wait(pool, &third, LARGE, 0), -ENOTCONN);
}

/* --- READ --------------------------------------------------------------------------------------- */

static void offer(uint32_t length)
{
	take(length);
	assert_int_equal(xfer_lmrm_offered(pool, &slot.name, &owner), 0);
	expect_state(&slot.name, XFER_SLOT_OFFERED);
}

static int immediate(void)
{
	void *user = NULL;
	int event = xfer_lmrm_immediate(pool, slot.name.epoch, xfer_immediate(&slot.name), &user);

	if (event == XFER_READ_READY)
		assert_ptr_equal(user, &owner);
	return event;
}

static void test_reply_then_immediate(void **state)
{
	(void)state;
	offer(100);
	assert_int_equal(xfer_lmrm_read_reply(pool, &slot.name, true, 100), XFER_READ_WAITS);
	assert_int_equal(xfer_lmrm_read_reply(pool, &slot.name, true, 100), -EPROTO);
	assert_int_equal(immediate(), XFER_READ_READY);
	expect_state(&slot.name, XFER_SLOT_DELIVERED);
	assert_int_equal(immediate(), -EPROTO);
	assert_int_equal(xfer_lmrm_read_reply(pool, &slot.name, true, 100), -EPROTO);
	assert_int_equal(xfer_lmrm_quarantine(pool, &slot.name, 0), -ESTALE);
	xfer_lmrm_release(pool, &slot.name);
	expect_count(XFER_SLOT_FREE, 12);
	xfer_lmrm_release(pool, &slot.name);
}

static void test_immediate_then_reply(void **state)
{
	(void)state;
	offer(100);
	assert_int_equal(immediate(), XFER_READ_WAITS);
	assert_int_equal(immediate(), -EPROTO);
	assert_int_equal(xfer_lmrm_read_reply(pool, &slot.name, false, 0), -EPROTO);
	assert_int_equal(xfer_lmrm_read_reply(pool, &slot.name, true, 101), -EPROTO);
	assert_int_equal(xfer_lmrm_read_reply(pool, &slot.name, true, 0), XFER_READ_READY);
}

static void test_nothing_in_the_slot(void **state)
{
	(void)state;
	offer(0);
	assert_int_equal(xfer_lmrm_read_reply(pool, &slot.name, false, 0), XFER_READ_NOTHING);
	assert_int_equal(xfer_lmrm_read_reply(pool, &slot.name, false, 0), -ESTALE);
	assert_int_equal(immediate(), -EPROTO);
	expect_count(XFER_SLOT_FREE, 12);
	take(1);
	assert_int_equal(xfer_lmrm_read_reply(pool, &slot.name, true, 0), -EPROTO); /* not told */
}

static void test_read_timeout(void **state)
{
	(void)state;
	offer(1);
	immediate();
	assert_int_equal(xfer_lmrm_quarantine(pool, &slot.name, 0), 0);
	assert_int_equal(xfer_lmrm_read_reply(pool, &slot.name, true, 1), XFER_READ_LATE);
	offer(1);
	xfer_lmrm_quarantine(pool, &slot.name, 0);
	assert_int_equal(xfer_lmrm_read_reply(pool, &slot.name, true, 1), XFER_READ_WAITS);
	expect_state(&slot.name, XFER_SLOT_QUARANTINED);
	assert_int_equal(immediate(), XFER_READ_LATE);
	offer(1);
	xfer_lmrm_quarantine(pool, &slot.name, 0);
	assert_int_equal(xfer_lmrm_read_reply(pool, &slot.name, false, 0), XFER_READ_LATE);
	expect_count(XFER_SLOT_FREE, 12);
}

static void test_immediates_of_others(void **state)
{
	struct xfer_slot_name name;
	void *user;

	(void)state;
	offer(1);
	name = slot.name;
	assert_int_equal(xfer_lmrm_immediate(pool, 2, xfer_immediate(&name), &user), -EPROTO);
	name.generation += 1;
	assert_int_equal(xfer_lmrm_immediate(pool, 1, xfer_immediate(&name), &user), -EPROTO);
	name.generation += 65535; /* only its low half travels */
	name.slot = 12;
	assert_int_equal(xfer_lmrm_immediate(pool, 1, xfer_immediate(&name), &user), -EPROTO);
	name.slot = slot.name.slot;
	assert_int_equal(
		xfer_lmrm_immediate(pool, 1, xfer_immediate(&name), &user), XFER_READ_WAITS);
	xfer_lmrm_path_lost(pool);
	assert_int_equal(immediate(), -ESTALE);
	assert_int_equal(xfer_lmrm_read_reply(pool, &slot.name, true, 1), -ESTALE);
	xfer_lmrm_welcome(pool, 2, NULL, 0, 0);
	assert_int_equal(immediate(), -ESTALE);
	expect_count(XFER_SLOT_FREE, 12);
}

/* Bytes that are being used stay what they are, whatever becomes of the data path. */
static void test_delivered_across_epochs(void **state)
{
	(void)state;
	offer(1);
	immediate();
	xfer_lmrm_read_reply(pool, &slot.name, true, 1);
	xfer_lmrm_path_lost(pool);
	assert_int_equal(xfer_lmrm_held(pool), 1);
	xfer_lmrm_welcome(pool, 2, NULL, 0, 0);
	expect_count(XFER_SLOT_FREE, 11);
	xfer_lmrm_release(pool, &slot.name);
	expect_count(XFER_SLOT_FREE, 12);
}

/* What is late was sent for a pool that is gone: not the host's fault. */
static void test_immediate_before_the_first_epoch(void **state)
{
	(void)state;
	offer(1);
	xfer_lmrm_destroy(pool);
	assert_int_equal(create(XFER_POOL_READ, true), 0);
	assert_int_equal(immediate(), -ESTALE);
	assert_int_equal(xfer_lmrm_read_reply(pool, &slot.name, true, 1), -ESTALE);
	furnish();
}

static void test_read_without_immediates(void **state)
{
	(void)state;
	assert_int_equal(create(XFER_POOL_READ, false), 0);
	furnish();
	offer(SMALL);
	assert_int_equal(xfer_lmrm_read_reply(pool, &slot.name, true, SMALL + 1), -EPROTO);
	assert_int_equal(xfer_lmrm_read_reply(pool, &slot.name, true, SMALL), XFER_READ_READY);
	xfer_lmrm_release(pool, &slot.name);
	take(1);
	xfer_lmrm_path_lost(pool);
	assert_int_equal(xfer_lmrm_offered(pool, &slot.name, &owner), -ESTALE);
}

/* A host that says anything reaches what it was told of, and nothing else. */
static void test_garbage(void **state)
{
	unsigned seed = 4711;
	void *user;

	(void)state;
	for (int i = 0; i < 8; i++)
		if (i % 2)
			offer(1);
		else
			take(1);
	for (int i = 0; i < 100000; i++) {
		struct xfer_slot_name last, name = { .epoch = (uint32_t)rand_r(&seed) % 3,
			.generation = (uint32_t)rand_r(&seed) % 4,
			.slot = (uint16_t)(rand_r(&seed) % 14) };
		int before = xfer_lmrm_look(pool, name.slot, &last), event;

		if (rand_r(&seed) % 2)
			event = xfer_lmrm_immediate(pool, name.epoch, xfer_immediate(&name), &user);
		else
			event = xfer_lmrm_read_reply(
				pool, &name, rand_r(&seed) % 4, (uint32_t)rand_r(&seed) % 3);
		if (event < 0) {
			assert_int_equal(xfer_lmrm_look(pool, name.slot, &last), before);
			continue;
		}
		assert_int_equal(before, XFER_SLOT_OFFERED);
		assert_int_equal(name.generation, last.generation);
		if (event == XFER_READ_READY)
			xfer_lmrm_release(pool, &name);
	}
	expect_count(XFER_SLOT_RESERVED, 4);
	expect_count(XFER_SLOT_OFFERED, 0);
}

static void test_out_of_memory(void **state)
{
	struct xfer_region place = region(3, SMALL, 8, 12);

	(void)state;
	xfer_lmrm_destroy(pool);
	xfer_lmrm_destroy(NULL);
	allocations = 0;
	assert_int_equal(create(XFER_POOL_WRITE, false), -ENOMEM);
	assert_int_equal(create(XFER_POOL_WRITE, false), 0);
	furnish();
	allocations = 0;
	assert_int_equal(xfer_lmrm_add_region(pool, &place), -ENOMEM);
	expect_count(XFER_SLOT_FREE, 12);
	assert_int_equal(xfer_lmrm_add_region(pool, &place), 0);
	expect_count(XFER_SLOT_FREE, 20);
}

static void test_names_of_states(void **state)
{
	(void)state;
	for (int i = 0; i < XFER_SLOT_STATES; i++)
		assert_non_null(xfer_slot_state_name((enum xfer_slot_state)i));
	assert_int_equal(xfer_lmrm_look(pool, 12, &slot.name), -ENOENT);
}

#define WRITE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_write, tear_down)
#define READ_TEST(name)  cmocka_unit_test_setup_teardown(name, set_up_read, tear_down)
#define BARE_TEST(name)  cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WRITE_TEST(test_write_and_its_reply),
		WRITE_TEST(test_sizes),
		WRITE_TEST(test_first_and_last),
		WRITE_TEST(test_larger_class_lends_half),
		WRITE_TEST(test_larger_class_lends_nothing_that_is_waited_for),
		WRITE_TEST(test_timeout_frees_nothing),
		WRITE_TEST(test_stale_reply),
		WRITE_TEST(test_reply_to_what_was_not_sent),
		WRITE_TEST(test_abort),
		WRITE_TEST(test_path_lost_and_welcome),
		WRITE_TEST(test_held_in_limbo),
		WRITE_TEST(test_withheld),
		BARE_TEST(test_generations_wrap_around),
		WRITE_TEST(test_quarantine_cap),
		WRITE_TEST(test_addresses_that_wrap_around),
		WRITE_TEST(test_regions_that_cannot_be),
		WRITE_TEST(test_grow),
		WRITE_TEST(test_retire),
		WRITE_TEST(test_retire_without_a_path),
		WRITE_TEST(test_host_says_where_generations_begin),
		WRITE_TEST(test_first_come_first_served),
		WRITE_TEST(test_waiting_ends),
		READ_TEST(test_reply_then_immediate),
		READ_TEST(test_immediate_then_reply),
		READ_TEST(test_nothing_in_the_slot),
		READ_TEST(test_read_timeout),
		READ_TEST(test_immediates_of_others),
		READ_TEST(test_delivered_across_epochs),
		READ_TEST(test_immediate_before_the_first_epoch),
		BARE_TEST(test_read_without_immediates),
		READ_TEST(test_garbage),
		WRITE_TEST(test_out_of_memory),
		WRITE_TEST(test_names_of_states),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
