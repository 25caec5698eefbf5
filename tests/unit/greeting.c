/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* greeting.c -- the first bytes of TCP connections to an owner that has TLS: probes, calls, garbage, nothing */

#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/ssl.h>
#include <rpc/rpc.h>

#include "clock.h"
#include "control/greeting.h"
#include "support/raw.h"
#include "support/tls_ends.h"
#include "support/tls_nodes.h"
#include "tls/starttls.h"

#define CROWD 300 /* more than may be without a session */

/* The owner only. */
static struct tls_nodes nodes;
static struct memowner *const owner = &nodes.f.owner;

static int begin(void **state)
{
	(void)state;
	tls_nodes_begin(&nodes, NULL, NULL);
	owner->tls = nodes.tls;
	owner->tls_identity = nodes.b;
	memowner_start(owner, "b", tls_nodes_address());
	return 0;
}

static int end(void **state)
{
	(void)state;
	memowner_stop(owner);
	tls_nodes_end(&nodes);
	return 0;
}

static int come(void)
{
	return connect_raw_to(owner->address);
}

static void send_probe(int fd, uint32_t xid)
{
	uint8_t probe[XFER_STARTTLS_PROBE];

	xfer_starttls_probe(probe, xid, XFER_PROGRAM, XFER_VERSION);
	send_bytes(fd, probe, sizeof(probe));
}

static void expect_starttls(int fd, uint32_t xid)
{
	uint8_t answer[XFER_STARTTLS_REPLY];
	size_t used;

	assert_true(recv_bytes(fd, answer, sizeof(answer)));
	assert_int_equal(xfer_starttls_is_reply(answer, sizeof(answer), xid, &used), 1);
	assert_int_equal(used, sizeof(answer));
}

/* Comes, and is told that there is TLS. */
static int come_with_probe(void)
{
	int fd = come();

	send_probe(fd, 7);
	expect_starttls(fd, 7);
	return fd;
}

/* --- who begins with what --------------------------------------------------------------------- */

/* In two parts, whichever: nothing is said before all of it is there. */
static void test_split_probe(void **state)
{
	uint8_t probe[XFER_STARTTLS_PROBE];

	(void)state;
	for (size_t at = 1; at < sizeof(probe); at++) {
		int fd = come();

		xfer_starttls_probe(probe, (uint32_t)at, XFER_PROGRAM, XFER_VERSION);
		send_bytes(fd, probe, at);
		if (at % 11 == 0)
			expect_silence(fd, 20);
		send_bytes(fd, probe + at, sizeof(probe) - at);
		expect_starttls(fd, (uint32_t)at);
		close(fd);
	}
}

/* What isn't a probe is served as ever, from its first byte on, in two parts or all at once with what follows. */
static void test_cleartext(void **state)
{
	uint8_t head[4 + XFER_CALL_HEAD];
	uint32_t len;
	int fd;

	(void)state;
	for (size_t at = 1; at < XFER_STARTTLS_PROBE; at += 6) {
		fd = come();
		len = call_head(head + 4, XFER_PROC_NULL, NULL);
		xfer_mark_put(head, len, true);
		send_bytes(fd, head, at);
		send_bytes(fd, head + at, 4 + len - at);
		expect_accept_stat(fd, SUCCESS);
		expect_alive(fd);
		close(fd);
	}
	fd = come();
	(void)hello_as(fd, "a", 1, 0);
	close(fd);
	assert_int_equal(tls_log_count("tls: 127.0.0.1"), 0);
}

/* On a connection that has begun in cleartext there is no TLS any more, and a strange credential isn't a probe. */
static void test_later_probes(void **state)
{
	uint8_t head[XFER_CALL_HEAD], answer[XFER_STARTTLS_REPLY];
	uint32_t words[8];
	size_t used;
	int fd = come();

	(void)state;
	expect_alive(fd);
	send_probe(fd, 8);
	assert_true(recv_bytes(fd, answer, XFER_STARTTLS_REFUSAL));
	assert_int_equal(
		xfer_starttls_is_reply(answer, XFER_STARTTLS_REFUSAL, 8, &used), -EOPNOTSUPP);
	(void)call_head(head, XFER_PROC_PING, NULL);
	put_word(head, 6, 7);
	send_head(fd, head, 40, true);
	assert_int_equal(recv_reply(fd, words, 8), 5);
	assert_int_equal(words[2], MSG_DENIED);
	assert_int_equal(words[3], AUTH_ERROR);
	assert_int_equal(words[4], AUTH_BADCRED);
	(void)call_head(head, XFER_PROC_NULL, NULL);
	put_word(head, 6, 7);
	put_word(head, 8, 1);
	send_head(fd, head, 40, true);
	assert_int_equal(recv_reply(fd, words, 8), 5);
	assert_int_equal(words[4], AUTH_BADVERF);
	expect_alive(fd);
	close(fd);
}

static void test_garbage(void **state)
{
	uint8_t garbage[256];
	int fd;

	(void)state;
	for (unsigned i = 0; i < 64; i++) {
		fd = come();
		memset(garbage, (int)(i * 4 + 1), sizeof(garbage));
		send_bytes(fd, garbage, XFER_STARTTLS_PROBE + i);
		shutdown(fd, SHUT_WR);
		expect_closed(fd);
		close(fd);
	}
	/* Too little to be anything. */
	fd = come();
	send_bytes(fd, garbage, 43);
	shutdown(fd, SHUT_WR);
	expect_closed(fd);
	close(fd);
}

/* --- who doesn't go on ------------------------------------------------------------------------ */

static void test_cleartext_after_starttls(void **state)
{
	uint8_t head[XFER_CALL_HEAD];
	int fd = come_with_probe();

	(void)state;
	send_head(fd, head, call_head(head, XFER_PROC_NULL, NULL), true);
	tls_nodes_expect_logged("tls: 127.0.0.1", "is not TLS");
	close(fd);
}

static void test_gone_after_starttls(void **state)
{
	(void)state;
	close(come_with_probe());
	tls_nodes_expect_logged("tls: 127.0.0.1", "failed");
}

/*
 * Those who keep connections open without saying anything, or without shaking hands, make room for those who come; and
 * nobody has to wait for them when the owner ends.
 */
static void test_crowd(void **state)
{
	static int crowd[CROWD];
	struct xfer_context *context;
	const struct xfer_context_params params = {
		.node = "a", .heartbeat_ms = 200, .tls = nodes.tls, .tls_identity = nodes.a
	};
	const struct xfer_session_params session = { .owner = "b", .address = owner->address };

	(void)state;
	for (unsigned i = 0; i < CROWD; i++) {
		crowd[i] = come();
		if (i % 8 == 0)
			send_probe(crowd[i], i);
	}
	/* They are accepted in their order, so one that came first has gone when a later one is served. */
	expect_closed(crowd[1]);
	assert_int_equal(xfer_context_create(&params, &context), 0);
	assert_int_equal(xfer_session_open(context, &session, &nodes.f.session), 0);
	assert_true(wait_for(session_up, nodes.f.session));
	xfer_session_close(nodes.f.session);
	nodes.f.session = NULL;
	xfer_context_destroy(context);
	memowner_stop(owner);
	for (unsigned i = 0; i < CROWD; i++)
		close(crowd[i]);
	memowner_start(owner, "b", tls_nodes_address());
}

/* --- TLS that isn't good enough --------------------------------------------------------------- */

/* A client of OpenSSL's, without a certificate. What it gets instead of data. */
static void shake_hands(int version)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl;
	char byte;
	int fd = come_with_probe();

	SSL_CTX_set_max_proto_version(ctx, version);
	ssl = SSL_new(ctx);
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	SSL_set_fd(ssl, fd);
	SSL_set_mode(ssl, SSL_MODE_AUTO_RETRY);
	if (SSL_connect(ssl) == 1)
		assert_true(SSL_read(ssl, &byte, 1) <= 0);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	close(fd);
}

static void test_weak_clients(void **state)
{
	(void)state;
	shake_hands(TLS1_3_VERSION);
	tls_nodes_expect_logged("tls: 127.0.0.1", "has shown no certificate");
	shake_hands(TLS1_2_VERSION);
	tls_nodes_expect_logged("tls: 127.0.0.1", "before 1.3");
	assert_int_equal(owner->operations, 0);
}

/* --- alone ------------------------------------------------------------------------------------ */

static struct {
	sem_t over;
	int fd;
} told;

static void over(
	void *user, struct xfer_greeting *greeting, int fd, struct xfer_tls_security *security)
{
	assert_ptr_equal(user, &told);
	assert_non_null(xfer_greeting_stranger(greeting));
	assert_null(security);
	told.fd = fd;
	sem_post(&told.over);
}

struct starting {
	struct xfer_task task;
	struct xfer_greeting *greeting;
};

static void start(struct xfer_task *task)
{
	xfer_greeting_start(((struct starting *)task)->greeting);
}

/* Who says nothing is given up. */
static void test_silence(void **state)
{
	struct xfer_greeting_params params = { .tls = nodes.tls,
		.tls_identity = nodes.b,
		.wait_ms = 50,
		.over = over,
		.user = &told };
	struct xfer_conn_identity identity = { .text = "nobody" };
	struct starting starting = { .task.run = start };
	int pair[2];

	(void)state;
	sem_init(&told.over, 0, 0);
	assert_int_equal(xfer_lane_create("greeting", 20, &params.lane), 0);
	tls_ends_tcp(pair);
	assert_int_equal(xfer_greeting_create(&params, pair[1], &identity, &starting.greeting), 0);
	xfer_lane_post(params.lane, &starting.task);
	while (sem_wait(&told.over))
		;
	assert_int_equal(told.fd, -1);
	expect_closed(pair[0]);
	close(pair[0]);
	xfer_lane_destroy(params.lane);
	sem_destroy(&told.over);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_split_probe),
		TEST(test_cleartext),
		TEST(test_later_probes),
		TEST(test_garbage),
		TEST(test_cleartext_after_starttls),
		TEST(test_gone_after_starttls),
		TEST(test_crowd),
		TEST(test_weak_clients),
		TEST(test_silence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
