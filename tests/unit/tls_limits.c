/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* tls_limits.c -- too many handshakes at a time, and those that never start */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "counters.h"
#include "log.h"
#include "support/tls_connection.h"
#include "tls/limits.h"

#define THOUSAND 1000

static struct pki *pki;

static int set_up(void **state)
{
	struct rlimit files = { 4096, 4096 };

	(void)state;
	setrlimit(RLIMIT_NOFILE, &files);
	tls_log_keep();
	pki = pki_create("test CA");
	pki_issue(pki, "s", &(struct pki_wish){ .cn = "s", .names = "DNS:s" });
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	pki_free(pki);
	xfer_log_set_sink(NULL);
	return 0;
}

/* --- the counting itself ------------------------------------------------------------------------ */

static struct xfer_tls_place place_of(const char *address, uint16_t port)
{
	struct xfer_tls_place place = { 0 };
	struct sockaddr_in *sin = (struct sockaddr_in *)&place.address;
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)&place.address;

	if (inet_pton(AF_INET, address, &sin->sin_addr) == 1) {
		sin->sin_family = AF_INET;
		sin->sin_port = htons(port);
		return place;
	}
	assert_int_equal(inet_pton(AF_INET6, address, &sin6->sin6_addr), 1);
	sin6->sin6_family = AF_INET6;
	sin6->sin6_port = htons(port);
	return place;
}

static void test_places(void **state)
{
	struct xfer_tls_place a1 = place_of("10.0.0.1", 1), a2 = place_of("10.0.0.1", 2);
	struct xfer_tls_place a3 = place_of("10.0.0.1", 3), b = place_of("10.0.0.2", 1);
	struct xfer_tls_place c1 = place_of("fe80::1", 1), c2 = place_of("fe80::1", 2);
	struct xfer_tls_limits limits;
	const char *which = NULL;

	(void)state;
	xfer_tls_limits_init(&limits, 4, 2);
	assert_int_equal(xfer_tls_limits_enter(&limits, &a1, &which), 0);
	assert_int_equal(xfer_tls_limits_enter(&limits, &a2, &which), 0);
	assert_int_equal(xfer_tls_limits_enter(&limits, &a3, &which), -EUSERS);
	assert_string_equal(which, "from one address");
	assert_int_equal(xfer_tls_limits_enter(&limits, &b, &which), 0);
	assert_int_equal(xfer_tls_limits_enter(&limits, &c1, &which), 0);
	assert_int_equal(xfer_tls_limits_enter(&limits, &c2, &which), -EUSERS);
	assert_string_equal(which, "in all");
	xfer_tls_limits_leave(&limits, &a1);
	assert_int_equal(xfer_tls_limits_taken(&limits), 3);
	assert_int_equal(xfer_tls_limits_enter(&limits, &c2, &which), 0);
	xfer_tls_limits_leave(&limits, &c1);
	assert_int_equal(xfer_tls_limits_enter(&limits, &a3, &which), 0);
	xfer_tls_limits_leave(&limits, &a2);
	xfer_tls_limits_leave(&limits, &a3);
	xfer_tls_limits_leave(&limits, &b);
	xfer_tls_limits_leave(&limits, &c2);
	assert_int_equal(xfer_tls_limits_taken(&limits), 0);
	xfer_tls_limits_fini(&limits);
}

/* --- with connections --------------------------------------------------------------------------- */

struct server {
	struct xfer_tls *tls;
	struct xfer_tls_identity *identity;
};

static void server_start(struct server *server, const struct xfer_tls_params *params)
{
	server->tls = tls_make(params);
	server->identity =
		tls_identity_make(server->tls, XFER_TLS_PUBLIC, pki_files(pki, "s", NULL));
}

static void server_stop(struct server *server)
{
	xfer_tls_identity_destroy(server->identity);
	xfer_tls_destroy(server->tls);
}

/* A connection whose peer says nothing. */
struct silent {
	int peer;
	struct tls_end end;
};

static void silent_start(struct silent *silent, struct server *server)
{
	int pair[2];

	tls_ends_tcp(pair);
	silent->peer = pair[0];
	tls_end_start(&silent->end, server->tls, server->identity, pair[1], false, NULL);
}

static int silent_end(struct silent *silent)
{
	int err = tls_end_wait(&silent->end);

	tls_end_finish(&silent->end);
	close(silent->peer);
	return err;
}

static void refuse(unsigned max, unsigned per_address, enum xfer_counter counter, const char *text)
{
	const struct xfer_tls_params params = {
		.ktls = XFER_KTLS_OFF, .handshakes_max = max, .handshakes_per_address = per_address
	};
	uint64_t before = xfer_counters[counter];
	struct server server;
	struct silent silent[4];

	tls_log_keep();
	server_start(&server, &params);
	for (int i = 0; i < 4; i++)
		silent_start(&silent[i], &server);
	assert_true(silent[3].end.done);
	assert_int_equal(silent[3].end.err, -EUSERS);
	/* Closed at once. */
	assert_true(tls_at_end(silent[3].peer));
	assert_int_equal(xfer_counters[counter], before + 1);
	silent_end(&silent[3]);
	/* One that ends makes room. */
	close(silent[0].peer);
	silent[0].peer = -1;
	assert_int_equal(silent_end(&silent[0]), -ECONNRESET);
	silent_start(&silent[3], &server);
	assert_false(silent[3].end.done);
	/* The end of TLS is the end of those that are under way. */
	server_stop(&server);
	for (int i = 1; i < 4; i++)
		assert_int_equal(silent_end(&silent[i]), -ECANCELED);
	if (text)
		assert_true(tls_log_has("refused: too many handshakes are under way", text));
}

static void test_in_all(void **state)
{
	(void)state;
	refuse(3, 100, XFER_CNT_TLS_TOO_MANY, "in all");
}

/* Its line is kept back: there was one a moment ago. */
static void test_of_one_address(void **state)
{
	(void)state;
	refuse(100, 3, XFER_CNT_TLS_TOO_MANY_OF_ADDRESS, NULL);
}

/* A thousand that never start end at their deadline; who comes meanwhile is served. */
static void test_thousand(void **state)
{
	const struct xfer_tls_params params = {
		.ktls = XFER_KTLS_OFF, .handshake_ms = 3000, .handshakes_per_address = 2 * THOUSAND
	};
	struct silent *silent = calloc(THOUSAND, sizeof(*silent));
	struct tls_connection connection;
	struct server server;

	(void)state;
	tls_log_keep();
	server_start(&server, &params);
	for (int i = 0; i < THOUSAND; i++)
		silent_start(&silent[i], &server);
	tls_connection_make(
		&connection, server.tls, server.identity, NULL, &(struct tls_peer_wish){ 0 });
	tls_connection_close(&connection);
	for (int i = 0; i < THOUSAND; i++)
		assert_int_equal(silent_end(&silent[i]), -ETIMEDOUT);
	assert_int_equal(tls_log_count("failed: not done in time"), THOUSAND);
	server_stop(&server);
	free(silent);
}

static void test_params(void **state)
{
	static const unsigned wrong[] = { 1, 99, 60001 };
	struct xfer_tls *tls = NULL;
	char why[512];

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		const struct xfer_tls_params params = { .handshake_ms = wrong[i] };

		assert_int_equal(xfer_tls_create(&params, &tls, why, sizeof(why)), -EINVAL);
		assert_non_null(strstr(why, "100 to 60000 ms"));
		assert_null(tls);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_in_all),
		cmocka_unit_test(test_of_one_address),
		cmocka_unit_test(test_thousand),
		cmocka_unit_test(test_params),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
