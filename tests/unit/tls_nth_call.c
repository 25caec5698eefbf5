/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* tls_nth_call.c -- each call that TLS makes fails once: whoever waits hears of it, and nothing is left behind */

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>
#include <openssl/crypto.h>

#include "counters.h"
#include "log.h"
#include "support/failing.h"
#include "support/process.h"
#include "support/tls_ends.h"
#include "support/pki.h"

#define RUN_SECONDS 20

static struct pki *pki;

/* --- OpenSSL's memory --------------------------------------------------------------------------- */

void *__wrap_malloc(size_t size);
void *__real_malloc(size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__real_realloc(void *memory, size_t size);

static _Atomic bool with_openssl;

static void *openssl_malloc(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return with_openssl ? __wrap_malloc(size) : __real_malloc(size);
}

static void *openssl_realloc(void *memory, size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return with_openssl ? __wrap_realloc(memory, size) : __real_realloc(memory, size);
}

static void openssl_free(void *memory, const char *file, int line)
{
	(void)file;
	(void)line;
	free(memory);
}

/* --- a run -------------------------------------------------------------------------------------- */

/* What a run has; NULL: it didn't come so far. */
static struct {
	struct xfer_tls *tls;
	struct xfer_tls_identity *identities[2];
	int pair[2];
} s;

static bool start(void)
{
	const struct xfer_tls_params params = { .ktls = XFER_KTLS_OFF };
	char why[512] = "";

	if (xfer_tls_create(&params, &s.tls, why, sizeof(why)) == 0)
		return true;
	assert_string_not_equal(why, "");
	return false;
}

static bool make_identity(int i)
{
	struct xfer_tls_files files = pki_files(pki, i ? "b" : "a", pki);
	char why[512] = "";

	files.crl = pki_path(pki, "crl.pem");
	if (xfer_tls_identity_create(
		    s.tls, XFER_TLS_NODE, &files, &s.identities[i], why, sizeof(why)) == 0)
		return true;
	assert_string_not_equal(why, "");
	return false;
}

/* Either end may hear of it, or both; who hears nothing has a connection, which may have ended. */
static void converse(void)
{
	struct tls_end ends[2];
	char text[8];

	tls_end_start(&ends[0], s.tls, s.identities[0], s.pair[0], true, "b");
	tls_end_start(&ends[1], s.tls, s.identities[1], s.pair[1], false, "a");
	s.pair[0] = s.pair[1] = -1;
	for (int i = 0; i < 2; i++) {
		if (tls_end_wait(&ends[i]) == 0)
			continue;
		assert_null(ends[i].security);
		assert_int_equal(ends[i].fd, -1);
	}
	for (int i = 0; i < 2; i++)
		if (ends[i].fd >= 0 && tls_write_all(ends[i].fd, "question", 8) == 0 &&
			ends[!i].fd >= 0 && tls_read_all(ends[!i].fd, text, 8) == 0)
			assert_memory_equal(text, "question", 8);
	tls_end_finish(&ends[0]);
	tls_end_finish(&ends[1]);
}

static void run_all(void)
{
	char *status;

	if (!start())
		return;
	if (make_identity(0) && make_identity(1)) {
		xfer_tls_reload(s.tls);
		converse();
		status = xfer_tls_status(s.tls);
		free(status);
	}
	for (int i = 0; i < 2; i++)
		if (s.identities[i])
			xfer_tls_identity_destroy(s.identities[i]);
	xfer_tls_destroy(s.tls);
}

/* What failed; NULL: there are not so many calls. */
static const char *run(enum failing_kind kind, unsigned nth)
{
	unsigned descriptors = process_descriptors(), threads = process_threads();
	const char *call;

	memset(&s, 0, sizeof(s));
	tls_log_keep();
	tls_ends_tcp(s.pair);
	alarm(RUN_SECONDS);
	failing_arm(kind, nth);
	run_all();
	call = failing_disarm();
	/* A thread that was joined may be seen for another moment. */
	while (process_threads() != threads)
		usleep(100);
	alarm(0);
	for (int i = 0; i < 2; i++)
		if (s.pair[i] >= 0)
			close(s.pair[i]);
	assert_int_equal(process_descriptors(), descriptors);
	return call;
}

static int set_up(void **state)
{
	(void)state;
	tls_log_keep();
	pki = pki_create("test CA");
	pki_issue_node(pki, "a");
	pki_issue_node(pki, "b");
	pki_write_crl(pki, 1);
	/* Libraries begin with what they keep, threads among it. */
	tls_ends_tcp(s.pair);
	run_all();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	pki_free(pki);
	xfer_log_set_sink(NULL);
	return 0;
}

/* sparse: where there are thousands of calls, some of them. */
static void run_kind(enum failing_kind kind, bool sparse)
{
	unsigned nth = 1;

	while (run(kind, nth))
		nth += sparse ? 1 + nth / 16 : 1;
	/* Some were found. */
	assert_true(nth > 5);
}

static void test_memory(void **state)
{
	(void)state;
	run_kind(FAILING_MEMORY, false);
}

static void test_openssl_memory(void **state)
{
	(void)state;
	with_openssl = true;
	run_kind(FAILING_MEMORY, true);
	with_openssl = false;
}

static void test_descriptors(void **state)
{
	(void)state;
	run_kind(FAILING_DESCRIPTORS, false);
}

static void test_records(void **state)
{
	(void)state;
	run_kind(FAILING_RECORDS, false);
}

static void test_files(void **state)
{
	(void)state;
	run_kind(FAILING_FILES, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_openssl_memory),
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_files),
	};

	process_abort_on_alarm();
	json_set_alloc_funcs(__wrap_malloc, free);
	assert_int_equal(
		CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free), 1);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
