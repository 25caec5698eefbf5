/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* tls_refusals.c -- handshakes that must fail, and what is said of each */

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "counters.h"
#include "log.h"
#include "support/tls_connection.h"
#include "tls/failure.h"

static struct pki *pki, *strangers, *impostors; /* these have a CA of the same name */
static struct xfer_tls *tls;
static struct xfer_tls_identity *node, *public;

static void issue_all(void)
{
	pki_issue_node(pki, "server");
	pki_issue_node(pki, "good");
	pki_issue(pki, "expired",
		&(struct pki_wish){ .cn = "good",
			.names = "DNS:good",
			.usage = PKI_EITHER,
			.from_s = -7200,
			.until_s = -3600 });
	pki_issue(pki, "early",
		&(struct pki_wish){ .cn = "good",
			.names = "DNS:good",
			.usage = PKI_EITHER,
			.from_s = 3600,
			.until_s = 7200 });
	pki_issue(pki, "other",
		&(struct pki_wish){ .cn = "good", .names = "DNS:other", .usage = PKI_EITHER });
	pki_issue(pki, "revoked",
		&(struct pki_wish){
			.cn = "good", .names = "DNS:good", .usage = PKI_EITHER, .revoked = true });
	pki_issue(pki, "wrongusage",
		&(struct pki_wish){ .cn = "good", .names = "DNS:good", .usage = "serverAuth" });
	pki_issue(pki, "nousage", &(struct pki_wish){ .cn = "good", .names = "DNS:good" });
	pki_issue_node(strangers, "good");
	pki_issue_node(impostors, "good");
}

static int set_up(void **state)
{
	const struct xfer_tls_params params = { .ktls = XFER_KTLS_OFF, .handshake_ms = 300 };
	struct xfer_tls_files files;

	(void)state;
	pki = pki_create("test CA");
	strangers = pki_create("other CA");
	impostors = pki_create("test CA");
	issue_all();
	tls_log_keep();
	tls = tls_make(&params);
	files = pki_files(pki, "server", pki);
	files.crl = pki_path(pki, "crl.pem");
	node = tls_identity_make(tls, XFER_TLS_NODE, files);
	public = tls_identity_make(tls, XFER_TLS_PUBLIC, files);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	xfer_tls_identity_destroy(node);
	xfer_tls_identity_destroy(public);
	xfer_tls_destroy(tls);
	pki_free(pki);
	pki_free(strangers);
	pki_free(impostors);
	xfer_log_set_sink(NULL);
	return 0;
}

/* --- a handshake that fails --------------------------------------------------------------------- */

static void *shake_hands(void *arg)
{
	return (void *)(uintptr_t)tls_peer_handshake(arg);
}

struct expected {
	enum xfer_tls_cause cause;
	int err;
	const char *text;
};

static uint64_t counted(enum xfer_tls_cause cause)
{
	return xfer_tls_failures[cause];
}

/* One line of the log, the counter of its cause, the result. */
static void check(struct tls_end *end, const struct expected *expected, uint64_t before)
{
	assert_int_equal(tls_end_wait(end), expected->err);
	if (!strstr(end->why, expected->text))
		fail_msg("\"%s\" isn't in: %s", expected->text, end->why);
	assert_non_null(strstr(end->why, "; "));
	assert_int_equal(tls_log_count("tls: 127.0.0.1:"), 1);
	assert_true(tls_log_has("failed: ", end->why));
	assert_int_equal(counted(expected->cause), before + 1);
	assert_int_equal(end->fd, -1);
	assert_null(end->security);
}

/* Our server with such a client. */
static void refuse_client(struct xfer_tls_identity *mine, const char *expect,
	const struct tls_peer_wish *wish, const struct expected *expected)
{
	uint64_t before = counted(expected->cause);
	struct tls_connection connection;
	pthread_t thread;

	tls_log_keep();
	tls_connection_open(&connection, tls, mine, expect, wish);
	assert_int_equal(pthread_create(&thread, NULL, shake_hands, &connection.peer), 0);
	check(&connection.end, expected, before);
	pthread_join(thread, NULL);
	tls_connection_close(&connection);
}

static void refuse_certificate(
	const char *name, const struct pki *from, const struct expected *expected)
{
	struct tls_peer_wish wish = { 0 };

	if (name)
		wish.files = pki_files(from, name, NULL);
	refuse_client(node, "good", &wish, expected);
}

static void test_bad_certificates(void **state)
{
	(void)state;
	refuse_certificate(
		"expired", pki, &(struct expected){ XFER_TLS_EXPIRED, -EACCES, "expired" });
	refuse_certificate("early", pki,
		&(struct expected){ XFER_TLS_NOT_YET_VALID, -EACCES, "not valid yet" });
	refuse_certificate("other", pki,
		&(struct expected){ XFER_TLS_WRONG_NAME, -EACCES,
			"another name; give it one with the name as SAN (CN=good [dns:other])" });
	refuse_certificate("good", strangers,
		&(struct expected){ XFER_TLS_UNKNOWN_CA, -EACCES, "unknown CA" });
	refuse_certificate("good", impostors,
		&(struct expected){ XFER_TLS_UNKNOWN_CA, -EACCES, "unknown CA" });
	refuse_certificate(
		"revoked", pki, &(struct expected){ XFER_TLS_REVOKED, -EACCES, "revoked" });
	refuse_certificate("wrongusage", pki,
		&(struct expected){ XFER_TLS_WRONG_USAGE, -EACCES, "extended key usage" });
	refuse_certificate("nousage", pki,
		&(struct expected){ XFER_TLS_WRONG_USAGE, -EACCES, "extended key usage" });
	refuse_certificate(NULL, pki,
		&(struct expected){ XFER_TLS_NO_CERTIFICATE, -EACCES, "no certificate" });
}

/* Clients of any kind may do without, but what they show has to be good; its use doesn't matter. */
static void test_public(void **state)
{
	static const struct expected expired = { XFER_TLS_EXPIRED, -EACCES, "expired" };
	static const char *const fine[] = { NULL, "good", "wrongusage", "nousage", "other" };
	struct tls_peer_wish wish = { .files = pki_files(pki, "expired", NULL) };

	(void)state;
	refuse_client(public, NULL, &wish, &expired);
	for (size_t i = 0; i < sizeof(fine) / sizeof(*fine); i++) {
		struct tls_connection connection;

		wish.files = fine[i] ? pki_files(pki, fine[i], NULL) : (struct xfer_tls_files){ 0 };
		tls_connection_make(&connection, tls, public, NULL, &wish);
		assert_int_equal(
			xfer_tls_security_mutual(connection.end.security), fine[i] != NULL);
		tls_connection_close(&connection);
	}
	assert_true(tls_log_has("nfs no certificate TLS_", "relay"));
}

static void test_bad_hellos(void **state)
{
	const struct xfer_tls_files good = pki_files(pki, "good", NULL);

	(void)state;
	refuse_client(public, NULL, &(struct tls_peer_wish){ .max_version = TLS1_2_VERSION },
		&(struct expected){
			XFER_TLS_OLD_VERSION, -EPROTO, "before 1.3; allow TLS 1.3 there" });
	refuse_client(node, NULL,
		&(struct tls_peer_wish){ .files = good, .max_version = TLS1_2_VERSION },
		&(struct expected){ XFER_TLS_OLD_VERSION, -EPROTO, "before 1.3" });
	refuse_client(public, NULL,
		&(struct tls_peer_wish){ .ciphersuites = "TLS_AES_128_CCM_SHA256" },
		&(struct expected){ XFER_TLS_NO_CIPHER, -EPROTO, "no cipher in common" });
	/* Nobody makes the proxy calculate with such numbers. */
	refuse_client(public, NULL, &(struct tls_peer_wish){ .groups = "ffdhe8192:ffdhe2048" },
		&(struct expected){ XFER_TLS_NO_GROUP, -EPROTO, "" });
	refuse_client(public, NULL, &(struct tls_peer_wish){ .alpn = "http/1.1" },
		&(struct expected){ XFER_TLS_ALPN, -EPROTO, "sunrpc" });
}

static void test_alpn(void **state)
{
	static const char *const offers[] = { "sunrpc", NULL };

	(void)state;
	for (int i = 0; i < 2; i++) {
		const struct tls_peer_wish wish = { .alpn = offers[i] };
		struct tls_connection connection;
		const unsigned char *chosen;
		unsigned len;

		tls_connection_make(&connection, tls, public, NULL, &wish);
		SSL_get0_alpn_selected(connection.peer.ssl, &chosen, &len);
		assert_int_equal(len, offers[i] ? strlen(offers[i]) : 0);
		tls_connection_close(&connection);
	}
}

/* The client refuses our certificate, and says so. */
static void test_refused_by_peer(void **state)
{
	struct tls_peer_wish wish = { .files = { .ca = pki_path(strangers, "ca.pem") } };

	(void)state;
	refuse_client(public, NULL, &wish,
		&(struct expected){ XFER_TLS_REFUSED_BY_PEER, -EACCES,
			"unknown CA; its CA file lacks the CA of the certificate here" });
}

/* Our client with a server whose certificate isn't right. */
static void test_bad_servers(void **state)
{
	static const struct {
		const char *name;
		struct expected expected;
	} cases[] = {
		{ "expired", { XFER_TLS_EXPIRED, -EACCES, "expired" } },
		{ "other", { XFER_TLS_WRONG_NAME, -EACCES, "another name" } },
		{ "revoked", { XFER_TLS_REVOKED, -EACCES, "revoked" } },
		{ "nousage", { XFER_TLS_WRONG_USAGE, -EACCES, "extended key usage" } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct tls_peer_wish wish = { .server = true,
			.files = pki_files(pki, cases[i].name, pki) };
		uint64_t before = counted(cases[i].expected.cause);
		struct tls_connection connection;

		tls_log_keep();
		tls_connection_open(&connection, tls, node, "good", &wish);
		assert_false(tls_peer_handshake(&connection.peer));
		check(&connection.end, &cases[i].expected, before);
		tls_connection_close(&connection);
	}
}

/* --- what isn't a handshake --------------------------------------------------------------------- */

/* Sends these bytes and, if told so, the end. */
static void refuse_bytes(
	const void *bytes, size_t len, bool with_end, const struct expected *expected)
{
	uint64_t before = counted(expected->cause);
	struct tls_end end;
	int pair[2];

	tls_log_keep();
	tls_ends_tcp(pair);
	tls_end_start(&end, tls, public, pair[1], false, NULL);
	assert_int_equal(tls_write_all(pair[0], bytes, len), 0);
	if (with_end)
		shutdown(pair[0], SHUT_WR);
	check(&end, expected, before);
	/* The connection is closed. */
	assert_true(tls_at_end(pair[0]));
	tls_end_finish(&end);
	close(pair[0]);
}

static void test_garbage(void **state)
{
	static const struct expected garbage = { XFER_TLS_GARBAGE, -EPROTO,
		"not TLS; the peer may have gone on in cleartext" };
	static const char call[] = "\x80\x00\x00\x28\x00\x00\x00\x01";
	static const char http[] = "GET / HTTP/1.1\r\n\r\n";
	static const char empty[] = "\x16\x03\x01\x00\x00";
	static const char huge[] = "\x16\x03\x01\xff\xff";
	static const char data[] = "\x17\x03\x03\x00\x10";

	(void)state;
	refuse_bytes(call, 8, false, &garbage);
	refuse_bytes(http, sizeof(http) - 1, false, &garbage);
	refuse_bytes(empty, 5, false, &garbage);
	refuse_bytes(huge, 5, false, &garbage);
	refuse_bytes(data, 5, false, &garbage);
}

/* A record that begins as one, with nonsense in it. */
static void test_broken_hello(void **state)
{
	unsigned char record[5 + 64] = { 0x16, 3, 1, 0, 64, 1, 0, 0, 60 };
	uint64_t before = xfer_counters[XFER_CNT_TLS_FAILURES];
	struct tls_end end;
	int pair[2];

	(void)state;
	tls_log_keep();
	tls_ends_tcp(pair);
	tls_end_start(&end, tls, public, pair[1], false, NULL);
	assert_int_equal(tls_write_all(pair[0], record, sizeof(record)), 0);
	assert_true(tls_end_wait(&end) < 0);
	assert_int_equal(tls_log_count("tls: 127.0.0.1:"), 1);
	assert_int_equal(xfer_counters[XFER_CNT_TLS_FAILURES], before + 1);
	tls_end_finish(&end);
	close(pair[0]);
}

static void test_peer_gone(void **state)
{
	static const struct expected gone = { XFER_TLS_PEER_GONE, -ECONNRESET,
		"closed the connection" };

	(void)state;
	refuse_bytes("", 0, true, &gone);
	refuse_bytes("\x16\x03", 2, true, &gone);
	refuse_bytes("\x16\x03\x01\x01\x00\x01", 6, true, &gone);
}

static void test_deadline(void **state)
{
	static const struct expected late = { XFER_TLS_DEADLINE, -ETIMEDOUT, "not done in time" };

	(void)state;
	refuse_bytes("", 0, false, &late);
	refuse_bytes("\x16\x03\x01\x01\x00\x01", 6, false, &late);
}

/* A server that accepts and says nothing. */
static void test_deadline_of_client(void **state)
{
	uint64_t before = counted(XFER_TLS_DEADLINE);
	static const struct expected late = { XFER_TLS_DEADLINE, -ETIMEDOUT, "not done in time" };
	struct tls_end end;
	int pair[2];

	(void)state;
	tls_log_keep();
	tls_ends_tcp(pair);
	tls_end_start(&end, tls, node, pair[0], true, "good");
	check(&end, &late, before);
	tls_end_finish(&end);
	close(pair[1]);
}

/* Somebody on the way changes the client's last flight. */
static void test_forged_finished(void **state)
{
	static const struct expected broken = { XFER_TLS_BAD_RECORD, -EPROTO, "broken or forged" };
	const struct tls_peer_wish wish = { 0 };
	uint64_t before = counted(XFER_TLS_BAD_RECORD);
	unsigned char bytes[32768];
	struct tls_peer peer;
	struct tls_end end;
	int pair[2], n;

	(void)state;
	tls_log_keep();
	tls_ends_tcp(pair);
	tls_peer_open_memory(&peer, &wish);
	tls_end_start(&end, tls, public, pair[1], false, NULL);
	while (!tls_peer_handshake(&peer)) {
		n = BIO_read(SSL_get_wbio(peer.ssl), bytes, sizeof(bytes));
		if (n > 0)
			assert_int_equal(tls_write_all(pair[0], bytes, (size_t)n), 0);
		n = (int)recv(pair[0], bytes, sizeof(bytes), 0);
		assert_true(n > 0);
		BIO_write(SSL_get_rbio(peer.ssl), bytes, n);
	}
	n = BIO_read(SSL_get_wbio(peer.ssl), bytes, sizeof(bytes));
	bytes[n - 1] ^= 1;
	assert_int_equal(tls_write_all(pair[0], bytes, (size_t)n), 0);
	check(&end, &broken, before);
	tls_end_finish(&end);
	tls_peer_close(&peer);
	close(pair[0]);
}

/* The whole matter costs nobody else anything. */
static void test_good_one_afterwards(void **state)
{
	const struct tls_peer_wish wish = { .files = pki_files(pki, "good", pki) };
	struct tls_connection connection;

	(void)state;
	tls_connection_make(&connection, tls, node, "good", &wish);
	tls_connection_close(&connection);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_certificates),
		cmocka_unit_test(test_public),
		cmocka_unit_test(test_bad_hellos),
		cmocka_unit_test(test_alpn),
		cmocka_unit_test(test_refused_by_peer),
		cmocka_unit_test(test_bad_servers),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_broken_hello),
		cmocka_unit_test(test_peer_gone),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_deadline_of_client),
		cmocka_unit_test(test_forged_finished),
		cmocka_unit_test(test_good_one_afterwards),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
