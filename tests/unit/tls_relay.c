/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* tls_relay.c -- connections that this process carries: ends, jams, keys, and what peers do wrong */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "counters.h"
#include "log.h"
#include "support/tls_connection.h"
#include "tls/relay.h"
#include "tls/socket_bio.h"
#include "tls/tls.h"

#define MUCH (8u << 20) /* bytes: more than all buffers on the way together */
#define LATE (1u << 20) /* they have room for this */

static struct pki *pki;
static struct xfer_tls *tls;
static struct xfer_tls_identity *public;

static int set_up(void **state)
{
	const struct xfer_tls_params params = { .ktls = XFER_KTLS_OFF };

	(void)state;
	tls_log_keep();
	pki = pki_create("test CA");
	pki_issue(pki, "s", &(struct pki_wish){ .cn = "s", .names = "DNS:s" });
	tls = tls_make(&params);
	public = tls_identity_make(tls, XFER_TLS_PUBLIC, pki_files(pki, "s", NULL));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	xfer_tls_identity_destroy(public);
	xfer_tls_destroy(tls);
	pki_free(pki);
	xfer_log_set_sink(NULL);
	return 0;
}

/* With a client; at our end there is what comes out of the relay. The log's lines are those from now on. */
static void make(struct tls_connection *connection)
{
	tls_log_keep();
	tls_connection_make(connection, tls, public, NULL, &(struct tls_peer_wish){ 0 });
}

/* Until the relay has none any more. */
static void wait_for_none(void)
{
	while (xfer_tls_relay_connections(tls->relay) > 0)
		usleep(1000);
}

static void expect_passage(struct tls_connection *connection)
{
	char text[8];

	assert_true(tls_peer_write(&connection->peer, "question", 8));
	assert_int_equal(tls_read_all(connection->end.fd, text, 8), 0);
	assert_int_equal(tls_write_all(connection->end.fd, "answered", 8), 0);
	assert_true(tls_peer_read(&connection->peer, text, 8));
}

/* --- ends --------------------------------------------------------------------------------------- */

static void test_peer_ends_first(void **state)
{
	struct tls_connection connection;
	char text[8];

	(void)state;
	make(&connection);
	assert_true(tls_peer_write(&connection.peer, "question", 8));
	assert_int_equal(SSL_shutdown(connection.peer.ssl), 0);
	shutdown(connection.peer.fd, SHUT_WR);
	assert_int_equal(tls_read_all(connection.end.fd, text, 8), 0);
	assert_int_equal(tls_read_all(connection.end.fd, text, 1), -ENODATA);
	/* Our direction goes on. */
	assert_int_equal(tls_write_all(connection.end.fd, "answered", 8), 0);
	assert_true(tls_peer_read(&connection.peer, text, 8));
	assert_memory_equal(text, "answered", 8);
	/* And ends. */
	shutdown(connection.end.fd, SHUT_WR);
	assert_true(tls_peer_told_end(&connection.peer));
	wait_for_none();
	tls_connection_close(&connection);
}

static void test_user_ends_first(void **state)
{
	struct tls_connection connection;
	char text[8];

	(void)state;
	make(&connection);
	assert_int_equal(tls_write_all(connection.end.fd, "the last", 8), 0);
	shutdown(connection.end.fd, SHUT_WR);
	assert_true(tls_peer_read(&connection.peer, text, 8));
	assert_true(tls_peer_told_end(&connection.peer));
	/* FIN, too. */
	assert_int_equal(recv(connection.peer.fd, text, 1, 0), 0);
	assert_true(tls_peer_write(&connection.peer, "one more", 8));
	assert_int_equal(tls_read_all(connection.end.fd, text, 8), 0);
	assert_memory_equal(text, "one more", 8);
	SSL_shutdown(connection.peer.ssl);
	assert_int_equal(tls_read_all(connection.end.fd, text, 1), -ENODATA);
	wait_for_none();
	tls_connection_close(&connection);
}

/* The user closes both directions at once; what it had sent still arrives. */
static void test_user_closes(void **state)
{
	struct tls_connection connection;
	char text[8];

	(void)state;
	make(&connection);
	assert_int_equal(tls_write_all(connection.end.fd, "the last", 8), 0);
	tls_end_finish(&connection.end);
	assert_true(tls_peer_read(&connection.peer, text, 8));
	assert_memory_equal(text, "the last", 8);
	assert_true(tls_peer_told_end(&connection.peer));
	wait_for_none();
	tls_peer_close(&connection.peer);
}

/* Without close_notify: the user gets what came before, and sees an end; nothing is kept. */
static void test_peer_is_cut_off(void **state)
{
	struct tls_connection connection;
	char text[8];

	(void)state;
	make(&connection);
	assert_true(tls_peer_write(&connection.peer, "question", 8));
	tls_peer_close(&connection.peer);
	assert_int_equal(tls_read_all(connection.end.fd, text, 8), 0);
	assert_true(tls_at_end(connection.end.fd));
	wait_for_none();
	tls_end_finish(&connection.end);
	assert_int_equal(tls_log_count("ended:"), 0);
}

/* Closes it with a reset. */
static void reset(struct tls_peer *peer)
{
	const struct linger at_once = { .l_onoff = 1 };

	setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	tls_peer_close(peer);
}

static void test_peer_resets(void **state)
{
	struct tls_connection connection;

	(void)state;
	make(&connection);
	reset(&connection.peer);
	assert_true(tls_at_end(connection.end.fd));
	wait_for_none();
	tls_end_finish(&connection.end);
}

/* Who writes to somebody that is gone hears of it, but not by a signal. */
static void test_no_signal(void **state)
{
	struct tls_connection connection;

	(void)state;
	make(&connection);
	signal(SIGPIPE, SIG_DFL);
	reset(&connection.peer);
	while (tls_write_all(connection.end.fd, "more", 4) == 0)
		;
	wait_for_none();
	tls_end_finish(&connection.end);
	/* The other way round: who reads no more is told of. */
	make(&connection);
	signal(SIGPIPE, SIG_DFL);
	shutdown(connection.end.fd, SHUT_RD);
	assert_true(tls_peer_write(&connection.peer, "question", 8));
	assert_int_equal(tls_write_all(connection.end.fd, "answered", 8), 0);
	shutdown(connection.end.fd, SHUT_WR);
	wait_for_none();
	tls_connection_close(&connection);
}

/* --- what peers do wrong ------------------------------------------------------------------------ */

static const unsigned char forged[5 + 32] = { 0x17, 3, 3, 0, 32, 'x' };

static void test_forged_record(void **state)
{
	struct tls_connection connection, other;
	char byte = 0;

	(void)state;
	make(&other);
	make(&connection);
	assert_int_equal(tls_write_all(connection.peer.fd, forged, sizeof(forged)), 0);
	assert_true(tls_at_end(connection.end.fd));
	assert_true(tls_log_has("tls: 127.0.0.1:", "ended: a record is broken or forged"));
	tls_connection_close(&connection);
	/* It costs that peer only. */
	assert_true(tls_peer_write(&other.peer, "b", 1));
	assert_int_equal(tls_read_all(other.end.fd, &byte, 1), 0);
	assert_int_equal(byte, 'b');
	tls_connection_close(&other);
	wait_for_none();
}

static void test_plaintext(void **state)
{
	static const char call[] = "\x80\x00\x00\x28\x00\x00\x00\x01\x00\x00\x00\x00";
	struct tls_connection connection;

	(void)state;
	make(&connection);
	assert_int_equal(tls_write_all(connection.peer.fd, call, sizeof(call)), 0);
	assert_true(tls_at_end(connection.end.fd));
	assert_true(tls_log_has("tls: 127.0.0.1:", "what came is not TLS"));
	tls_connection_close(&connection);
	wait_for_none();
}

#define ONLY_KEYS "it does nothing but change its keys"

/* Whether the end is all that comes, within 20 s. */
static bool ends_soon(int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };

	return poll(&pollfd, 1, 20000) == 1 && tls_at_end(fd);
}

static _Atomic bool flooding;

/* New keys, as fast as it can; each a record that is nothing for the user. */
static void *flood(void *arg)
{
	struct tls_peer *peer = arg;

	while (flooding && SSL_key_update(peer->ssl, SSL_KEY_UPDATE_NOT_REQUESTED) == 1 &&
		SSL_do_handshake(peer->ssl) == 1)
		;
	return NULL;
}

/* Others of the same thread have their turns, and who floods is cut off. */
static void test_flood_of_keys(void **state)
{
	struct tls_connection connections[4];
	pthread_t threads[2];
	unsigned ended = 0;
	char byte;

	(void)state;
	for (int i = 0; i < 4; i++)
		make(&connections[i]);
	flooding = true;
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, flood, &connections[i].peer), 0);
	for (int i = 0; i < 100; i++) {
		struct tls_connection *connection = &connections[2 + i % 2];

		assert_true(tls_peer_write(&connection->peer, "b", 1));
		assert_int_equal(tls_read_all(connection->end.fd, &byte, 1), 0);
	}
	for (int i = 0; i < 2; i++)
		ended += ends_soon(connections[i].end.fd);
	flooding = false;
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < 4; i++)
		tls_connection_close(&connections[i]);
	wait_for_none();
	assert_int_equal(ended, 2);
	assert_int_equal(tls_log_count(ONLY_KEYS), 2);
}

/* --- much, both ways, and slowly ---------------------------------------------------------------- */

static void *peer_writes(void *arg)
{
	struct tls_peer *peer = arg;
	uint8_t *bytes = malloc(MUCH);
	bool done;

	tls_fill(bytes, MUCH, 1);
	done = tls_peer_write(peer, bytes, MUCH);
	free(bytes);
	return (void *)(uintptr_t)done;
}

static void *user_writes(void *arg)
{
	uint8_t *bytes = malloc(MUCH);
	int err;

	tls_fill(bytes, MUCH, 2);
	err = tls_write_all(*(int *)arg, bytes, MUCH);
	free(bytes);
	return (void *)(uintptr_t)(err == 0);
}

static void expect(const uint8_t *got, uint8_t seed)
{
	uint8_t *expected = malloc(MUCH);

	tls_fill(expected, MUCH, seed);
	assert_memory_equal(got, expected, MUCH);
	free(expected);
}

/* A reader that doesn't read makes the writer wait, and costs nobody else anything. */
static void test_jam(void **state)
{
	struct tls_connection jammed, other;
	uint8_t *got = malloc(MUCH);
	pthread_t thread;
	void *done;
	char byte;

	(void)state;
	make(&jammed);
	make(&other);
	/* From the peer. */
	assert_int_equal(pthread_create(&thread, NULL, peer_writes, &jammed.peer), 0);
	usleep(100000);
	assert_true(tls_peer_write(&other.peer, "b", 1));
	assert_int_equal(tls_read_all(other.end.fd, &byte, 1), 0);
	assert_int_equal(tls_read_all(jammed.end.fd, got, MUCH), 0);
	pthread_join(thread, &done);
	assert_true(done);
	expect(got, 1);
	/* To it. */
	assert_int_equal(pthread_create(&thread, NULL, user_writes, &jammed.end.fd), 0);
	usleep(100000);
	assert_int_equal(tls_write_all(other.end.fd, "b", 1), 0);
	assert_true(tls_peer_read(&other.peer, &byte, 1));
	assert_true(tls_peer_read(&jammed.peer, got, MUCH));
	pthread_join(thread, &done);
	assert_true(done);
	expect(got, 2);
	tls_connection_close(&jammed);
	tls_connection_close(&other);
	wait_for_none();
	free(got);
}

static void *user_reads(void *arg)
{
	uint8_t *got = malloc(MUCH);

	if (tls_read_all(*(int *)arg, got, MUCH)) {
		free(got);
		return NULL;
	}
	return got;
}

/* Both ways at a time: two connections of the relay, joined by a thread that reads and one that writes at each end. */
static void test_both_ways(void **state)
{
	struct tls_end ends[2];
	pthread_t readers[2], writers[2];
	int pair[2];

	(void)state;
	tls_ends_tcp(pair);
	tls_end_start(&ends[0], tls, public, pair[0], true, NULL);
	tls_end_start(&ends[1], tls, public, pair[1], false, NULL);
	for (int i = 0; i < 2; i++)
		assert_int_equal(tls_end_wait(&ends[i]), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pthread_create(&writers[i], NULL, user_writes, &ends[i].fd), 0);
		assert_int_equal(pthread_create(&readers[i], NULL, user_reads, &ends[i].fd), 0);
	}
	for (int i = 0; i < 2; i++) {
		void *done, *got;

		pthread_join(writers[i], &done);
		pthread_join(readers[i], &got);
		assert_true(done);
		assert_non_null(got);
		expect(got, 2);
		free(got);
	}
	tls_end_finish(&ends[0]);
	tls_end_finish(&ends[1]);
	wait_for_none();
}

/* The user goes while its bytes are stuck: they go out nevertheless. */
static void test_closed_in_a_jam(void **state)
{
	struct tls_connection connection;
	uint8_t *bytes = malloc(MUCH), *got = malloc(MUCH);
	size_t len = 0;
	ssize_t n;

	(void)state;
	tls_fill(bytes, MUCH, 3);
	make(&connection);
	while ((n = send(connection.end.fd, bytes + len, MUCH - len, MSG_NOSIGNAL)) > 0)
		len += (size_t)n;
	assert_true(len > 0);
	tls_end_finish(&connection.end);
	assert_true(tls_peer_read(&connection.peer, got, len));
	assert_memory_equal(got, bytes, len);
	assert_true(tls_peer_told_end(&connection.peer));
	tls_peer_close(&connection.peer);
	wait_for_none();
	free(bytes);
	free(got);
}

/* However much came before a peer was cut off, or was found to forge, its user gets it. */
static void test_much_before_the_end(void **state)
{
	uint8_t *got = malloc(MUCH);

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct tls_connection connection;
		pthread_t thread;
		void *done;

		make(&connection);
		assert_int_equal(pthread_create(&thread, NULL, peer_writes, &connection.peer), 0);
		assert_int_equal(tls_read_all(connection.end.fd, got, MUCH - LATE), 0);
		pthread_join(thread, &done);
		assert_true(done);
		if (i == 0)
			assert_int_equal(
				tls_write_all(connection.peer.fd, forged, sizeof(forged)), 0);
		tls_peer_close(&connection.peer);
		assert_int_equal(tls_read_all(connection.end.fd, got + MUCH - LATE, LATE), 0);
		expect(got, 1);
		assert_true(tls_at_end(connection.end.fd));
		tls_end_finish(&connection.end);
		wait_for_none();
	}
	free(got);
}

/* --- keys --------------------------------------------------------------------------------------- */

/* OpenSSL's client changes its key, and asks for another of ours. */
static void test_key_update(void **state)
{
	struct tls_connection connection;

	(void)state;
	make(&connection);
	for (int i = 0; i < 3; i++) {
		expect_passage(&connection);
		assert_int_equal(SSL_key_update(connection.peer.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
	}
	tls_connection_close(&connection);
	wait_for_none();
}

#define RECORDS_MAX 23726566 /* 2^24.5: of one AES-GCM key */

/* Every record counts; new keys begin at nothing. */
static void test_used(void **state)
{
	struct tls_connection connection;
	char text[8];

	(void)state;
	make(&connection);
	for (unsigned i = 0; i < 1000; i++) {
		assert_true(tls_peer_write(&connection.peer, "question", 8));
		assert_int_equal(tls_read_all(connection.end.fd, text, 8), 0);
		assert_int_equal(connection.end.security->received, i + 1);
	}
	assert_int_equal(connection.end.security->sent, 0);
	connection.end.security->sent = RECORDS_MAX / 4 + 1;
	assert_int_equal(xfer_tls_used(connection.end.security, connection.end.fd), 250);
	connection.end.security->received = RECORDS_MAX / 2;
	assert_int_equal(xfer_tls_used(connection.end.security, connection.end.fd), 500);
	assert_int_equal(SSL_key_update(connection.peer.ssl, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
	assert_true(tls_peer_write(&connection.peer, "question", 8));
	assert_int_equal(tls_read_all(connection.end.fd, text, 8), 0);
	assert_int_equal(xfer_tls_used(connection.end.security, connection.end.fd), 250);
	tls_connection_close(&connection);
	wait_for_none();
}

static void test_used_up(void **state)
{
	uint64_t before = xfer_counters[XFER_CNT_TLS_USED_UP];
	struct tls_connection connection;
	unsigned sent = 0;
	char byte;

	(void)state;
	make(&connection);
	connection.end.security->sent = RECORDS_MAX - 2000;
	while (tls_write_all(connection.end.fd, "b", 1) == 0 &&
		tls_peer_read(&connection.peer, &byte, 1))
		sent++;
	assert_int_equal(sent, 2000);
	assert_true(tls_at_end(connection.end.fd));
	assert_int_equal(xfer_counters[XFER_CNT_TLS_USED_UP], before + 1);
	assert_true(tls_log_has("tls: 127.0.0.1:", "as many records as they may"));
	tls_connection_close(&connection);
	wait_for_none();
}

/* --- neighbours ------------------------------------------------------------------------------- */

/* One record of the client's, by hand: the key's first. */
static void send_record(struct tls_peer *peer, uint8_t type, const uint8_t *bytes, int len)
{
	struct xfer_tls_direction direction;
	uint8_t record[64] = { 23, 3, 3, 0, (uint8_t)(len + 1 + 16) }, plain[32];
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n;

	memcpy(plain, bytes, (size_t)len);
	plain[len] = type;
	assert_int_equal(xfer_tls_derive(XFER_TLS_AES_128_GCM, peer->client_secret, &direction), 0);
	assert_true(EVP_EncryptInit_ex(ctx, EVP_aes_128_gcm(), NULL, direction.key, direction.iv));
	assert_true(EVP_EncryptUpdate(ctx, NULL, &n, record, 5));
	assert_true(EVP_EncryptUpdate(ctx, record + 5, &n, plain, len + 1));
	assert_true(EVP_EncryptFinal_ex(ctx, record + 5 + n, &n));
	assert_true(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, 16, record + 5 + len + 1));
	EVP_CIPHER_CTX_free(ctx);
	assert_int_equal(tls_write_all(peer->fd, record, 5 + (size_t)len + 1 + 16), 0);
}

/* A connection that ends amid a message of the handshake's has no goodbye; those of the same thread go on. */
static void test_end_in_a_message(void **state)
{
	static const uint8_t begun[] = { 24, 0, 0, 1 }; /* a KeyUpdate but for its last byte */
	struct tls_connection connection, others[2];

	(void)state;
	for (int i = 0; i < 2; i++)
		make(&others[i]);
	make(&connection);
	send_record(&connection.peer, 22, begun, sizeof(begun));
	while (connection.end.security->received < 1)
		usleep(1000);
	connection.end.security->sent = RECORDS_MAX;
	assert_int_equal(tls_write_all(connection.end.fd, "b", 1), 0);
	assert_true(tls_at_end(connection.end.fd));
	for (int i = 0; i < 2; i++) {
		expect_passage(&others[i]);
		tls_connection_close(&others[i]);
	}
	tls_connection_close(&connection);
	wait_for_none();
}

/* However much there is, OpenSSL is given only so much of it before others have their turn. */
static void test_receptions(void **state)
{
	struct xfer_tls_socket socket = { .reads = 2 };
	BIO_METHOD *method = xfer_tls_socket_method();
	BIO *bio = xfer_tls_socket_bio(method, &socket);
	char byte;
	int pair[2];

	(void)state;
	tls_ends_tcp(pair);
	socket.fd = pair[1];
	assert_int_equal(tls_write_all(pair[0], "abc", 3), 0);
	assert_int_equal(BIO_read(bio, &byte, 1), 1);
	assert_int_equal(BIO_read(bio, &byte, 1), 1);
	assert_int_equal(BIO_read(bio, &byte, 1), -1);
	assert_true(BIO_should_read(bio));
	socket.reads = 1;
	assert_int_equal(BIO_read(bio, &byte, 1), 1);
	assert_int_equal(byte, 'c');
	BIO_free(bio);
	BIO_meth_free(method);
	close(pair[0]);
	close(pair[1]);
}

static void update_keys(struct tls_peer *peer, unsigned times)
{
	for (unsigned i = 0; i < times; i++)
		assert_true(SSL_key_update(peer->ssl, SSL_KEY_UPDATE_NOT_REQUESTED) == 1 &&
			    SSL_do_handshake(peer->ssl) == 1);
}

/* Who changes keys as often as it may, and then says something, may do so again; who goes on and on is cut off. */
static void test_many_updates(void **state)
{
	struct tls_connection connection;

	(void)state;
	make(&connection);
	for (int i = 0; i < 2; i++) {
		update_keys(&connection.peer, 32);
		expect_passage(&connection);
	}
	assert_false(tls_log_has("tls: 127.0.0.1:", ONLY_KEYS));
	update_keys(&connection.peer, 33);
	assert_true(ends_soon(connection.end.fd));
	assert_true(tls_log_has("tls: 127.0.0.1:", ONLY_KEYS));
	tls_connection_close(&connection);
	wait_for_none();
}

/* --- the end of all ----------------------------------------------------------------------------- */

/* Connections that are still there when TLS ends end with it; their peers are told. */
static void test_destroy(void **state)
{
	struct tls_connection connection;

	make(&connection);
	xfer_tls_identity_destroy(public);
	xfer_tls_destroy(tls);
	pki_free(pki);
	assert_true(tls_at_end(connection.end.fd));
	assert_true(tls_peer_told_end(&connection.peer));
	tls_connection_close(&connection);
	set_up(state);
}

/* The same in the middle of much that flows. */
static void test_destroy_busy(void **state)
{
	struct tls_connection connections[4];
	pthread_t writers[4], readers[4];

	for (int i = 0; i < 4; i++) {
		make(&connections[i]);
		assert_int_equal(
			pthread_create(&writers[i], NULL, peer_writes, &connections[i].peer), 0);
		assert_int_equal(
			pthread_create(&readers[i], NULL, user_reads, &connections[i].end.fd), 0);
	}
	usleep(2000);
	xfer_tls_identity_destroy(public);
	xfer_tls_destroy(tls);
	pki_free(pki);
	for (int i = 0; i < 4; i++) {
		void *got;

		pthread_join(writers[i], NULL);
		pthread_join(readers[i], &got);
		free(got);
		tls_connection_close(&connections[i]);
	}
	set_up(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_peer_ends_first),
		cmocka_unit_test(test_user_ends_first),
		cmocka_unit_test(test_user_closes),
		cmocka_unit_test(test_peer_is_cut_off),
		cmocka_unit_test(test_peer_resets),
		cmocka_unit_test(test_no_signal),
		cmocka_unit_test(test_forged_record),
		cmocka_unit_test(test_plaintext),
		cmocka_unit_test(test_flood_of_keys),
		cmocka_unit_test(test_jam),
		cmocka_unit_test(test_both_ways),
		cmocka_unit_test(test_closed_in_a_jam),
		cmocka_unit_test(test_much_before_the_end),
		cmocka_unit_test(test_key_update),
		cmocka_unit_test(test_used),
		cmocka_unit_test(test_used_up),
		cmocka_unit_test(test_end_in_a_message),
		cmocka_unit_test(test_receptions),
		cmocka_unit_test(test_many_updates),
		cmocka_unit_test(test_destroy),
		cmocka_unit_test(test_destroy_busy),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
