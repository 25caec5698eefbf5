/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* fsal_heap.c -- payloads in memory that stays: seen by page faults, each case in a process of its own */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "heap.h"

#define PAYLOADS     16u
#define PAYLOAD_SIZE ((size_t)1 << 20)
#define ALL_PAGES    ((long)(PAYLOADS * PAYLOAD_SIZE / 4096))
#define FEW_PAGES    64 /* of anything else that happens meanwhile */

static long faults(void)
{
	struct rusage usage;

	assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
	return usage.ru_minflt;
}

static void use_payloads(void)
{
	void *payloads[PAYLOADS];

	for (unsigned i = 0; i < PAYLOADS; i++) {
		payloads[i] = malloc(PAYLOAD_SIZE);
		assert_non_null(payloads[i]);
		memset(payloads[i], (int)i, PAYLOAD_SIZE);
	}
	for (unsigned i = 0; i < PAYLOADS; i++)
		free(payloads[i]);
}

/* Page faults of payloads, the memory of which was used before. */
static long faults_again(void)
{
	long before;

	use_payloads();
	use_payloads();
	before = faults();
	use_payloads();
	return faults() - before;
}

/* In a new process `tune` is run, then true if the memory stayed. */
static bool memory_stays(void (*tune)(void))
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		long again;

		tune();
		again = faults_again();
		_exit(again < FEW_PAGES ? 0 : again > ALL_PAGES / 2 ? 1 : 2);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_in_range(WEXITSTATUS(status), 0, 1);
	return WEXITSTATUS(status) == 0;
}

static void nothing(void)
{
}

static void tune_as_environment_says(void)
{
	setenv("MALLOC_TRIM_THRESHOLD_", "131072", 1);
	heap_tune();
}

static void test_default_gives_memory_back(void **state)
{
	(void)state;
	assert_false(memory_stays(nothing));
}

static void test_tuned_keeps_it(void **state)
{
	(void)state;
	assert_true(memory_stays(heap_tune));
}

static void test_environment_goes_first(void **state)
{
	(void)state;
	assert_false(memory_stays(tune_as_environment_says));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_default_gives_memory_back),
		cmocka_unit_test(test_tuned_keeps_it),
		cmocka_unit_test(test_environment_goes_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
