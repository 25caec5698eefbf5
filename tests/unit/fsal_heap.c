/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* fsal_heap.c -- payloads in memory that stays: seen by page faults, each case in a process of its own */

#include <malloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "heap.h"

#define PAYLOADS     16u
#define THREADS      6u
#define PAYLOAD_SIZE ((size_t)1 << 20)
#define FEW_PAGES    64 /* of anything else that happens meanwhile */

static long faults(void)
{
	struct rusage usage;

	if (getrusage(RUSAGE_SELF, &usage))
		abort();
	return usage.ru_minflt;
}

static void use_payloads(void)
{
	void *payloads[PAYLOADS];

	for (unsigned i = 0; i < PAYLOADS; i++) {
		payloads[i] = malloc(PAYLOAD_SIZE);
		if (!payloads[i])
			abort(); /* it is a child that runs this */
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

/* What `measure` returns, in a new process in which `tune` was run. */
static int in_process(void (*tune)(void), int (*measure)(void))
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		tune();
		_exit(measure());
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int measure_faults(void)
{
	long all_pages = (long)(PAYLOADS * PAYLOAD_SIZE) / sysconf(_SC_PAGESIZE);
	long again = faults_again();

	return again < FEW_PAGES ? 0 : again > all_pages / 2 ? 1 : 2;
}

static bool memory_stays(void (*tune)(void))
{
	int result = in_process(tune, measure_faults);

	assert_in_range(result, 0, 1);
	return result == 0;
}

/* Each has memory when the next one wants some. */
static void *use_some(void *arg)
{
	void *volatile some = malloc(100);

	pthread_barrier_wait(arg);
	free(some);
	return NULL;
}

/* Which malloc has made for THREADS threads that are there at a time. */
static int count_arenas(void)
{
	pthread_barrier_t all_have;
	pthread_t threads[THREADS];
	char *text, *at;
	size_t length;
	FILE *info = open_memstream(&text, &length);
	int arenas = 0;

	pthread_barrier_init(&all_have, NULL, THREADS);
	for (unsigned i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, use_some, &all_have))
			abort();
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	if (!info || malloc_info(0, info) || fclose(info))
		abort();
	for (at = text; (at = strstr(at, "<heap nr=")); at++)
		arenas++;
	return arenas;
}

static void nothing(void)
{
}

static void tune_as_environment_says(void)
{
	setenv("MALLOC_TRIM_THRESHOLD_", "131072", 1);
	setenv("MALLOC_TOP_PAD_", "131072", 1);
	heap_tune();
}

static void tune_as_tunables_say(void)
{
	setenv("GLIBC_TUNABLES", "glibc.malloc.arena_max=7", 1);
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

static void test_few_arenas(void **state)
{
	(void)state;
	assert_true(in_process(nothing, count_arenas) > HEAP_ARENAS);
	assert_int_equal(in_process(heap_tune, count_arenas), HEAP_ARENAS);
}

static void test_environment_goes_first(void **state)
{
	(void)state;
	assert_false(memory_stays(tune_as_environment_says));
	assert_true(in_process(tune_as_tunables_say, count_arenas) > HEAP_ARENAS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_default_gives_memory_back),
		cmocka_unit_test(test_tuned_keeps_it),
		cmocka_unit_test(test_few_arenas),
		cmocka_unit_test(test_environment_goes_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
