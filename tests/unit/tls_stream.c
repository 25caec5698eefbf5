/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* tls_stream.c -- however the bytes of a handshake are split, nothing is lost before or behind it, whoever carries */

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "log.h"
#include "support/tls_ends.h"
#include "support/tls_peer.h"

#define FLIGHT_MAX 65536

static struct pki *pki;
static struct xfer_tls *tls;
static struct xfer_tls_identity *node;

static int set_up(void **state)
{
	const struct xfer_tls_params params = { .ktls = XFER_KTLS_PREFER };

	(void)state;
	tls_log_keep();
	pki = pki_create("test CA");
	pki_issue_node(pki, "a");
	pki_issue_node(pki, "b");
	tls = tls_make(&params);
	node = tls_identity_make(tls, XFER_TLS_NODE, pki_files(pki, "b", pki));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	xfer_tls_identity_destroy(node);
	xfer_tls_destroy(tls);
	pki_free(pki);
	xfer_log_set_sink(NULL);
	return 0;
}

/* How a flight's bytes are cut: so many at a time; 0: by chance; SIZE_MAX: not at all. */
struct cut {
	size_t size;
	unsigned seed;
};

static size_t piece(struct cut *cut, size_t left)
{
	size_t size = cut->size ? cut->size : 1 + (size_t)rand_r(&cut->seed) % 700;

	return size < left ? size : left;
}

/* Waits until the other end has taken what was sent, so that it really sees the pieces. */
static void send_cut(int fd, const unsigned char *bytes, size_t len, struct cut *cut)
{
	int queued;

	while (len > 0) {
		size_t n = piece(cut, len);

		assert_int_equal(tls_write_all(fd, bytes, n), 0);
		bytes += n;
		len -= n;
		for (int i = 0; i < 10 && ioctl(fd, TIOCOUTQ, &queued) == 0 && queued > 0; i++)
			usleep(10);
	}
}

/*
 * The peer's handshake, by hand: what it says goes out in pieces; `behind`, encrypted, with the last of it. What comes
 * is given to it as it arrives.
 */
static void shake_hands(struct tls_peer *peer, int fd, struct cut *cut, const char *behind)
{
	unsigned char bytes[FLIGHT_MAX];
	bool done;

	do {
		int n;

		done = tls_peer_handshake(peer);
		if (done && behind)
			assert_true(tls_peer_write(peer, behind, strlen(behind)));
		n = BIO_read(SSL_get_wbio(peer->ssl), bytes, sizeof(bytes));
		if (n > 0)
			send_cut(fd, bytes, (size_t)n, cut);
		if (done)
			break;
		n = (int)recv(fd, bytes, piece(cut, sizeof(bytes)), 0);
		assert_true(n > 0);
		assert_int_equal(BIO_write(SSL_get_rbio(peer->ssl), bytes, n), n);
	} while (!done);
}

/* Over its memory. */
static void expect_text(struct tls_peer *peer, int fd, const char *text)
{
	unsigned char bytes[FLIGHT_MAX];
	char got[64] = { 0 };
	size_t n = 0;

	while (SSL_read_ex(peer->ssl, got, strlen(text), &n) != 1) {
		ssize_t came = recv(fd, bytes, sizeof(bytes), 0);

		assert_true(came > 0);
		BIO_write(SSL_get_rbio(peer->ssl), bytes, (int)came);
	}
	assert_int_equal(n, strlen(text));
	assert_string_equal(got, text);
}

static void converse(bool server, struct cut cut, const char *behind)
{
	const struct tls_peer_wish wish = { .server = server, .files = pki_files(pki, "a", pki) };
	int pair[2], on = 1;
	struct tls_peer peer;
	struct tls_end end;
	char got[40000];

	tls_ends_tcp(pair);
	setsockopt(pair[0], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	tls_peer_open_memory(&peer, &wish);
	tls_end_start(&end, tls, node, pair[1], server, "a");
	shake_hands(&peer, pair[0], &cut, behind);
	if (tls_end_wait(&end))
		fail_msg("%s", end.why);
	if (behind) {
		assert_int_equal(tls_read_all(end.fd, got, strlen(behind)), 0);
		assert_memory_equal(got, behind, strlen(behind));
	}
	assert_int_equal(tls_write_all(end.fd, "answer", 6), 0);
	expect_text(&peer, pair[0], "answer");
	tls_end_finish(&end);
	tls_peer_close(&peer);
	close(pair[0]);
}

static void test_pieces_of_a_size(void **state)
{
	static const size_t sizes[] = { 1, 2, 3, 4, 5, 6, 7, 64, 517, 1000, SIZE_MAX };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		converse(false, (struct cut){ .size = sizes[i] }, "early words");
		converse(true, (struct cut){ .size = sizes[i] }, "early words");
	}
}

static void test_pieces_by_chance(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 60; seed++) {
		converse(false, (struct cut){ .seed = seed }, seed % 2 ? "early" : NULL);
		converse(true, (struct cut){ .seed = seed }, seed % 2 ? "early" : NULL);
	}
}

/*
 * The endpoint takes records, and nothing behind the last: what follows has to be in the socket, where the kernel would
 * look for it. Here the end of the handshake and three records come in one piece.
 */
static void test_much_behind(void **state)
{
	static char much[40000];

	(void)state;
	memset(much, 'm', sizeof(much) - 1);
	converse(false, (struct cut){ .size = SIZE_MAX }, much);
	converse(true, (struct cut){ .size = SIZE_MAX }, much);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces_of_a_size),
		cmocka_unit_test(test_pieces_by_chance),
		cmocka_unit_test(test_much_behind),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
