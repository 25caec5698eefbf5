/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* tls_connections.c -- connections of both kinds: nodes and clients shake hands and pass data */

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "counters.h"
#include "log.h"
#include "support/pki.h"
#include "support/tls_ends.h"

#define CONNECTIONS 64
#define MEGABYTE    (1u << 20)

static struct pki *pki;
static struct xfer_tls *tls;
static struct xfer_tls_identity *node_a, *node_b, *public;

static int set_up(void **state)
{
	struct xfer_tls_params params = { .ktls = XFER_KTLS_PREFER,
		.handshakes_per_address = 2 * CONNECTIONS };

	(void)state;
	tls_log_keep();
	pki = pki_create("test CA");
	pki_issue_node(pki, "a");
	pki_issue_node(pki, "b");
	pki_issue(pki, "s", &(struct pki_wish){ .cn = "s", .names = "DNS:s,IP:127.0.0.1" });
	tls = tls_make(&params);
	node_a = tls_identity_make(tls, XFER_TLS_NODE, pki_files(pki, "a", pki));
	node_b = tls_identity_make(tls, XFER_TLS_NODE, pki_files(pki, "b", pki));
	public = tls_identity_make(tls, XFER_TLS_PUBLIC, pki_files(pki, "s", pki));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	xfer_tls_identity_destroy(node_a);
	xfer_tls_identity_destroy(node_b);
	xfer_tls_identity_destroy(public);
	xfer_tls_destroy(tls);
	pki_free(pki);
	xfer_log_set_sink(NULL);
	return 0;
}

/* ends[0]: node a, the client; ends[1]: node b. */
static void start_nodes(struct tls_end ends[2])
{
	int pair[2];

	tls_ends_tcp(pair);
	tls_end_start(&ends[0], tls, node_a, pair[0], true, "b");
	tls_end_start(&ends[1], tls, node_b, pair[1], false, "a");
}

static void connect_nodes(struct tls_end ends[2])
{
	start_nodes(ends);
	for (int i = 0; i < 2; i++)
		if (tls_end_wait(&ends[i]))
			fail_msg("%s", ends[i].why);
}

static void finish(struct tls_end ends[2])
{
	tls_end_finish(&ends[0]);
	tls_end_finish(&ends[1]);
}

static void test_nodes_know_each_other(void **state)
{
	struct tls_end ends[2];

	(void)state;
	connect_nodes(ends);
	assert_true(xfer_tls_security_mutual(ends[0].security));
	assert_true(xfer_tls_security_mutual(ends[1].security));
	assert_true(xfer_tls_security_has_name(ends[0].security, "b"));
	assert_false(xfer_tls_security_has_name(ends[0].security, "a"));
	assert_string_equal(xfer_tls_security_subject(ends[1].security), "CN=a");
	assert_string_equal(xfer_tls_security_names(ends[1].security), "dns:a");
	assert_int_equal(strlen(xfer_tls_security_fingerprint(ends[1].security)), 64);
	assert_string_equal(xfer_tls_security_cipher(ends[1].security), "TLS_AES_128_GCM_SHA256");
	assert_true(tls_log_has("node CN=a [dns:a] SHA256:", "TLS_AES_128_GCM_SHA256"));
	finish(ends);
}

static void *write_megabyte(void *arg)
{
	char *bytes = malloc(MEGABYTE);

	memset(bytes, 'x', MEGABYTE);
	assert_int_equal(tls_write_all(*(int *)arg, bytes, MEGABYTE), 0);
	free(bytes);
	return NULL;
}

static void test_data_both_ways(void **state)
{
	struct tls_end ends[2];
	char *bytes = malloc(MEGABYTE);
	pthread_t threads[2];

	(void)state;
	connect_nodes(ends);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_megabyte, &ends[i].fd), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(tls_read_all(ends[i].fd, bytes, MEGABYTE), 0);
		assert_int_equal(bytes[0], 'x');
		assert_memory_equal(bytes, bytes + 1, MEGABYTE - 1);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(xfer_tls_used(ends[0].security, ends[0].fd), 0);
	finish(ends);
	free(bytes);
}

static void test_many_at_a_time(void **state)
{
	static struct tls_end ends[CONNECTIONS][2];
	char text[8];

	(void)state;
	for (int i = 0; i < CONNECTIONS; i++)
		start_nodes(ends[i]);
	for (int i = 0; i < CONNECTIONS; i++) {
		assert_int_equal(tls_end_wait(&ends[i][0]), 0);
		assert_int_equal(tls_end_wait(&ends[i][1]), 0);
		assert_int_equal(tls_write_all(ends[i][0].fd, "question", 8), 0);
	}
	for (int i = 0; i < CONNECTIONS; i++) {
		assert_int_equal(tls_read_all(ends[i][1].fd, text, 8), 0);
		assert_memory_equal(text, "question", 8);
		assert_int_equal(tls_write_all(ends[i][1].fd, "answered", 8), 0);
		assert_int_equal(tls_read_all(ends[i][0].fd, text, 8), 0);
		assert_memory_equal(text, "answered", 8);
	}
	for (int i = 0; i < CONNECTIONS; i++)
		finish(ends[i]);
}

static void test_half_close(void **state)
{
	struct tls_end ends[2];
	char text[4];

	(void)state;
	connect_nodes(ends);
	assert_int_equal(tls_write_all(ends[0].fd, "last", 4), 0);
	xfer_tls_goodbye(ends[0].security, ends[0].fd);
	shutdown(ends[0].fd, SHUT_WR);
	assert_int_equal(tls_read_all(ends[1].fd, text, 4), 0);
	assert_true(tls_at_end(ends[1].fd));
	/* The other direction goes on. */
	assert_int_equal(tls_write_all(ends[1].fd, "more", 4), 0);
	assert_int_equal(tls_read_all(ends[0].fd, text, 4), 0);
	assert_memory_equal(text, "more", 4);
	finish(ends);
}

/* Keys are in this process's memory. */
static void test_undumpable(void **state)
{
	struct rlimit limit;

	(void)state;
	assert_int_equal(prctl(PR_GET_DUMPABLE), 0);
	assert_int_equal(getrlimit(RLIMIT_CORE, &limit), 0);
	assert_int_equal(limit.rlim_cur, 1);
	assert_int_equal(limit.rlim_max, 1);
}

/* --- for threads that may wait ------------------------------------------------------------------ */

struct waiting {
	pthread_t thread;
	struct xfer_tls_start start;
	struct xfer_tls_security *security;
	char *why;
	int fd; /* the socket; then what xfer_tls_connect says */
};

static void *connect_waiting(void *arg)
{
	struct waiting *waiting = arg;

	waiting->fd = xfer_tls_connect(
		tls, waiting->fd, &waiting->start, &waiting->security, &waiting->why);
	return NULL;
}

static void wait_both(struct waiting ends[2], const char *expect)
{
	int pair[2];

	tls_ends_tcp(pair);
	for (int i = 0; i < 2; i++) {
		ends[i] = (struct waiting){ .fd = pair[i] };
		ends[i].start.identity = i ? node_b : node_a;
		ends[i].start.client = i == 0;
		ends[i].start.expect = i ? NULL : expect;
		ends[i].start.address.ss_family = AF_INET;
		assert_int_equal(
			pthread_create(&ends[i].thread, NULL, connect_waiting, &ends[i]), 0);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(ends[i].thread, NULL);
}

static void test_connect(void **state)
{
	struct waiting ends[2];
	char text[4];

	(void)state;
	wait_both(ends, "b");
	for (int i = 0; i < 2; i++) {
		assert_true(ends[i].fd >= 0);
		assert_true(xfer_tls_security_mutual(ends[i].security));
	}
	assert_int_equal(tls_write_all(ends[0].fd, "text", 4), 0);
	assert_int_equal(tls_read_all(ends[1].fd, text, 4), 0);
	for (int i = 0; i < 2; i++) {
		close(ends[i].fd);
		xfer_tls_security_unref(ends[i].security);
	}
}

static void test_connect_refused(void **state)
{
	struct waiting ends[2];

	(void)state;
	wait_both(ends, "c");
	assert_int_equal(ends[0].fd, -EACCES);
	assert_non_null(strstr(ends[0].why, "another name"));
	assert_int_equal(ends[1].fd, -EACCES);
	assert_non_null(strstr(ends[1].why, "the peer refused"));
	assert_null(ends[0].security);
	free(ends[0].why);
	free(ends[1].why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nodes_know_each_other),
		cmocka_unit_test(test_data_both_ways),
		cmocka_unit_test(test_many_at_a_time),
		cmocka_unit_test(test_half_close),
		cmocka_unit_test(test_undumpable),
		cmocka_unit_test(test_connect),
		cmocka_unit_test(test_connect_refused),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
