/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* replycache.c -- every transition of a session's reply cache, and random ones against a model */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/replycache.h"

#define SLOTS 4u

static struct xfer_replycache cache;
static struct xfer_replayed replayed;
static char sendings[8]; /* whose addresses stand for sendings */

static int set_up(void **state)
{
	(void)state;
	return xfer_replycache_init(&cache, SLOTS);
}

static int tear_down(void **state)
{
	(void)state;
	xfer_replycache_fini(&cache);
	return 0;
}

static enum xfer_replay call(uint32_t sequence, int sending)
{
	return xfer_replycache_call(&cache, 1, sequence, 26, &sendings[sending], &replayed);
}

static void done(const char *answer, int expected)
{
	assert_ptr_equal(
		xfer_replycache_done(&cache, 1, (const uint8_t *)answer, (uint32_t)strlen(answer)),
		&sendings[expected]);
}

static void expect_answer(uint32_t sequence, const char *answer)
{
	assert_int_equal(call(sequence, 0), XFER_REPLAY_DONE);
	assert_int_equal(replayed.length, strlen(answer));
	assert_memory_equal(replayed.answer, answer, replayed.length);
}

static void test_executed_once(void **state)
{
	(void)state;
	assert_int_equal(call(7, 0), XFER_REPLAY_EXECUTE);
	done("seven", 0);
	expect_answer(7, "seven");
	expect_answer(7, "seven");
	assert_int_equal(call(8, 0), XFER_REPLAY_EXECUTE);
	done("eight", 0);
	expect_answer(8, "eight");
	assert_int_equal(call(7, 0), XFER_REPLAY_OLD);
	expect_answer(8, "eight");
	assert_int_equal(
		call(1000, 0), XFER_REPLAY_EXECUTE); /* gaps are calls that change nothing */
}

static void test_newest_sending_is_answered(void **state)
{
	(void)state;
	assert_int_equal(call(7, 0), XFER_REPLAY_EXECUTE);
	assert_int_equal(call(7, 1), XFER_REPLAY_ATTACHED);
	assert_null(replayed.older); /* the first one goes on */
	assert_int_equal(call(7, 2), XFER_REPLAY_ATTACHED);
	assert_ptr_equal(replayed.older, &sendings[1]);
	done("x", 2);
	expect_answer(7, "x");
}

static void test_clash(void **state)
{
	(void)state;
	assert_int_equal(call(7, 0), XFER_REPLAY_EXECUTE);
	assert_int_equal(call(8, 1), XFER_REPLAY_CLASH);
	assert_int_equal(call(6, 1), XFER_REPLAY_OLD);
	assert_int_equal(
		xfer_replycache_call(&cache, 1, 7, 27, &sendings[1], &replayed), XFER_REPLAY_CLASH);
	done("x", 0);
	assert_int_equal(
		xfer_replycache_call(&cache, 1, 7, 27, &sendings[1], &replayed), XFER_REPLAY_CLASH);
	/* other slots are others */
	assert_int_equal(xfer_replycache_call(&cache, 0, 7, 27, &sendings[1], &replayed),
		XFER_REPLAY_EXECUTE);
}

static void test_numbers_wrap_around(void **state)
{
	(void)state;
	assert_int_equal(call(UINT32_MAX, 0), XFER_REPLAY_EXECUTE); /* a first use accepts any */
	done("last", 0);
	assert_int_equal(call(0, 0), XFER_REPLAY_EXECUTE);
	done("zero", 0);
	assert_int_equal(call(UINT32_MAX, 0), XFER_REPLAY_OLD);
	assert_int_equal(call(0x7fffffff, 0), XFER_REPLAY_EXECUTE);
	done("half", 0);
	assert_int_equal(call(0, 0), XFER_REPLAY_OLD);
	expect_answer(0x7fffffff, "half");
}

static void test_cancel(void **state)
{
	(void)state;
	assert_int_equal(xfer_replycache_cancel(&cache, 1, 7), XFER_CANCEL_NOTED);
	assert_int_equal(xfer_replycache_cancel(&cache, 1, 7), XFER_CANCEL_NOTED);
	assert_int_equal(xfer_replycache_cancel(&cache, 1, 6), XFER_CANCEL_DONE);
	assert_int_equal(call(6, 0), XFER_REPLAY_OLD);
	assert_int_equal(call(7, 0), XFER_REPLAY_CANCELLED);
	assert_int_equal(xfer_replycache_cancel(&cache, 1, 7), XFER_CANCEL_EXECUTING);
	assert_int_equal(xfer_replycache_cancel(&cache, 1, 8), XFER_CANCEL_CLASH);
	done("delay", 0);
	expect_answer(7, "delay");
	assert_int_equal(xfer_replycache_cancel(&cache, 1, 7), XFER_CANCEL_DONE);
	expect_answer(7, "delay");
	/* of something that is never sent, or that changes nothing */
	assert_int_equal(xfer_replycache_cancel(&cache, 1, 8), XFER_CANCEL_NOTED);
	assert_int_equal(call(9, 0), XFER_REPLAY_EXECUTE);
	assert_int_equal(xfer_replycache_cancel(&cache, 1, 9), XFER_CANCEL_EXECUTING);
	done("nine", 0);
	expect_answer(9, "nine");
}

static void test_forget(void **state)
{
	(void)state;
	assert_int_equal(call(7, 0), XFER_REPLAY_EXECUTE);
	assert_int_equal(call(7, 1), XFER_REPLAY_ATTACHED);
	assert_ptr_equal(xfer_replycache_forget(&cache, 1), &sendings[1]);
	assert_int_equal(call(6, 2), XFER_REPLAY_OLD);
	assert_int_equal(call(7, 2), XFER_REPLAY_EXECUTE);
	done("seven", 2);
	expect_answer(7, "seven");
	/* taken back before it is sent again */
	assert_int_equal(call(8, 0), XFER_REPLAY_EXECUTE);
	assert_ptr_equal(xfer_replycache_forget(&cache, 1), &sendings[0]);
	assert_int_equal(xfer_replycache_cancel(&cache, 1, 8), XFER_CANCEL_NOTED);
	assert_int_equal(call(8, 1), XFER_REPLAY_CANCELLED);
	/* never sent again */
	xfer_replycache_forget(&cache, 1);
	assert_int_equal(xfer_replycache_cancel(&cache, 1, 7), XFER_CANCEL_DONE);
	assert_int_equal(call(9, 1), XFER_REPLAY_EXECUTE);
	done("nine", 1);
}

static void test_answer_that_is_too_long(void **state)
{
	static uint8_t answer[XFER_REPLY_ROOM + 1];

	(void)state;
	assert_int_equal(call(1, 0), XFER_REPLAY_EXECUTE);
	xfer_replycache_done(&cache, 1, answer, XFER_REPLY_ROOM + 1);
	assert_int_equal(call(1, 0), XFER_REPLAY_LOST);
	assert_int_equal(call(2, 0), XFER_REPLAY_EXECUTE);
	xfer_replycache_done(&cache, 1, answer, XFER_REPLY_ROOM);
	assert_int_equal(call(2, 0), XFER_REPLAY_DONE);
	assert_int_equal(replayed.length, XFER_REPLY_ROOM);
	assert_int_equal(call(3, 0), XFER_REPLAY_EXECUTE);
	xfer_replycache_done(&cache, 1, NULL, 0);
	assert_int_equal(call(3, 0), XFER_REPLAY_LOST);
}

static void count_one(void *arg, void *sending)
{
	unsigned *counts = arg;

	counts[(char *)sending - sendings]++;
}

static void test_each(void **state)
{
	unsigned counts[8] = { 0 };
	size_t empty = cache.bytes;

	(void)state;
	xfer_replycache_each(&cache, count_one, counts);
	assert_int_equal(counts[0], 0);
	xfer_replycache_call(&cache, 0, 1, 1, &sendings[0], &replayed);
	xfer_replycache_call(&cache, 2, 1, 1, &sendings[1], &replayed);
	xfer_replycache_call(&cache, 2, 1, 1, &sendings[2], &replayed);
	xfer_replycache_call(&cache, 3, 1, 1, &sendings[3], &replayed);
	xfer_replycache_done(&cache, 3, NULL, 0);
	xfer_replycache_each(&cache, count_one, counts);
	assert_int_equal(counts[0], 1);
	assert_int_equal(counts[1], 1); /* the one that is carried out */
	assert_int_equal(counts[2], 0);
	assert_int_equal(counts[3], 0);
	assert_int_equal(cache.bytes, empty + 3 * XFER_REPLY_ROOM);
}

/* --- a point of contact whose messages are lost, repeated and delayed ---------------------------- */

/* What is known of the slot's newest call. */
struct model {
	uint32_t sequence;
	bool used, running, cancelled, answered;
	uint8_t answer;
	int newest;
};

static void random_call(struct model *model, uint32_t sequence, int sending)
{
	int32_t after = model->used ? (int32_t)(sequence - model->sequence) : 1;
	enum xfer_replay expected = after < 0                              ? XFER_REPLAY_OLD
				    : after > 0 && model->running          ? XFER_REPLAY_CLASH
				    : after > 0                            ? XFER_REPLAY_EXECUTE
				    : model->running                       ? XFER_REPLAY_ATTACHED
				    : model->cancelled && !model->answered ? XFER_REPLAY_CANCELLED
									   : XFER_REPLAY_DONE;

	assert_int_equal(call(sequence, sending), expected);
	if (expected == XFER_REPLAY_DONE)
		assert_int_equal(*replayed.answer, model->answer);
	if (expected == XFER_REPLAY_EXECUTE || expected == XFER_REPLAY_CANCELLED) {
		model->running = model->used = true;
		model->cancelled = expected == XFER_REPLAY_CANCELLED;
		model->answered = false;
		model->sequence = sequence;
	}
	if (model->running && after >= 0 && expected != XFER_REPLAY_CLASH)
		model->newest = sending;
}

static void random_cancel(struct model *model, uint32_t sequence)
{
	int32_t after = model->used ? (int32_t)(sequence - model->sequence) : 1;
	bool waiting = model->used && model->cancelled && !model->running && !model->answered;
	enum xfer_cancelled expected = after < 0                     ? XFER_CANCEL_DONE
				       : after > 0 && model->running ? XFER_CANCEL_CLASH
				       : after > 0 || waiting        ? XFER_CANCEL_NOTED
				       : model->running              ? XFER_CANCEL_EXECUTING
								     : XFER_CANCEL_DONE;

	assert_int_equal(xfer_replycache_cancel(&cache, 1, sequence), expected);
	if (expected == XFER_CANCEL_NOTED) {
		model->used = model->cancelled = true;
		model->answered = model->running = false;
		model->sequence = sequence;
	}
}

static void random_done(struct model *model, uint8_t answer)
{
	if (!model->running)
		return;
	assert_ptr_equal(xfer_replycache_done(&cache, 1, &answer, 1), &sendings[model->newest]);
	model->running = false;
	model->answered = true;
	model->answer = answer;
}

static void test_random(void **state)
{
	struct model model = { 0 };
	uint32_t base = UINT32_MAX - 500; /* it wraps around on the way */
	unsigned seed = 4711;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		uint32_t sequence = base + (uint32_t)rand_r(&seed) % 4 - 1;

		switch (rand_r(&seed) % 4) {
		case 0:
		case 1:
			random_call(&model, sequence, rand_r(&seed) % 8);
			break;
		case 2:
			random_cancel(&model, sequence);
			break;
		default:
			random_done(&model, (uint8_t)i);
			break;
		}
		base += rand_r(&seed) % 16 == 0;
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_executed_once),
		TEST(test_newest_sending_is_answered),
		TEST(test_clash),
		TEST(test_numbers_wrap_around),
		TEST(test_cancel),
		TEST(test_forget),
		TEST(test_answer_that_is_too_long),
		TEST(test_each),
		TEST(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
