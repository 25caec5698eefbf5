/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* tls_proxy.c -- turns of a handshake by the proxy alone: what each of them has to say, and what fails */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "clock.h"
#include "log.h"
#include "support/tls_ends.h"
#include "support/tls_peer.h"
#include "tls/proxy.h"
#include "tls/record.h"

/* --- the proxy's memory for records --------------------------------------------------------------- */

/* Of the proxy's thread; peers have the others. */
static bool no_room;

int __real_BIO_write(BIO *bio, const void *bytes, int len);
int __wrap_BIO_write(BIO *bio, const void *bytes, int len);

int __wrap_BIO_write(BIO *bio, const void *bytes, int len)
{
	return no_room ? -1 : __real_BIO_write(bio, bytes, len);
}

/* --- turns ---------------------------------------------------------------------------------------- */

static struct pki *pki;
static struct xfer_tls_identities identities;
static struct xfer_tls_identity *identity;
static struct xfer_tls_proxy *proxy;

static struct {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool done;
} turn = { .lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER };

static void turned(struct xfer_tls_handshake *handshake)
{
	(void)handshake;
	pthread_mutex_lock(&turn.lock);
	turn.done = true;
	pthread_cond_signal(&turn.cond);
	pthread_mutex_unlock(&turn.lock);
}

static void take_turn(struct xfer_tls_handshake *handshake, const uint8_t *record, size_t len)
{
	handshake->record = record;
	handshake->record_len = len;
	turn.done = false;
	xfer_tls_proxy_turn(proxy, handshake);
	pthread_mutex_lock(&turn.lock);
	while (!turn.done)
		pthread_cond_wait(&turn.cond, &turn.lock);
	pthread_mutex_unlock(&turn.lock);
}

static void look(void *user)
{
	(void)user;
}

static int set_up(void **state)
{
	const struct xfer_tls_settings settings = { .ciphersuites = "TLS_AES_128_GCM_SHA256",
		.verify = xfer_tls_handshake_verify };
	struct xfer_tls_files files;
	char why[512];

	(void)state;
	tls_log_keep();
	pki = pki_create("test CA");
	pki_issue(pki, "s", &(struct pki_wish){ .cn = "s", .names = "DNS:s" });
	files = pki_files(pki, "s", NULL);
	xfer_tls_identities_init(&identities, &settings);
	if (xfer_tls_identities_add(
		    &identities, XFER_TLS_PUBLIC, &files, &identity, why, sizeof(why)))
		fail_msg("%s", why);
	return xfer_tls_proxy_create(look, NULL, &proxy);
}

static int tear_down(void **state)
{
	(void)state;
	xfer_tls_proxy_destroy(proxy);
	xfer_tls_identity_destroy(identity);
	xfer_tls_identities_fini(&identities);
	pki_free(pki);
	xfer_log_set_sink(NULL);
	return 0;
}

/* Takes a turn for each record that the peer has to say. */
static void pass_on(struct tls_peer *peer, struct xfer_tls_handshake *handshake)
{
	uint8_t record[XFER_TLS_RECORD_MAX];
	size_t len;

	while (BIO_read(SSL_get_wbio(peer->ssl), record, XFER_TLS_HEADER) == XFER_TLS_HEADER) {
		len = xfer_tls_record_length(record, false) - XFER_TLS_HEADER;
		assert_int_equal(
			BIO_read(SSL_get_wbio(peer->ssl), record + XFER_TLS_HEADER, (int)len), len);
		take_turn(handshake, record, XFER_TLS_HEADER + len);
	}
}

static void begin(struct tls_peer *peer, struct xfer_tls_handshake *handshake)
{
	const struct tls_peer_wish wish = { .files.ca = NULL };

	*handshake = (struct xfer_tls_handshake){ .identity = identity, .turned = turned };
	tls_peer_open_memory(peer, &wish);
	assert_false(tls_peer_handshake(peer));
	pass_on(peer, handshake);
	assert_int_equal(handshake->state, XFER_TLS_WANTS_RECORD);
	assert_true(handshake->flight_len > 0);
}

static void test_flights(void **state)
{
	struct xfer_tls_handshake handshake;
	struct tls_peer peer;
	int len;

	(void)state;
	begin(&peer, &handshake);
	len = (int)handshake.flight_len;
	assert_int_equal(BIO_write(SSL_get_rbio(peer.ssl), handshake.flight, len), len);
	assert_true(tls_peer_handshake(&peer));
	pass_on(&peer, &handshake);
	assert_int_equal(handshake.state, XFER_TLS_DONE);
	/* No tickets. */
	assert_int_equal(handshake.flight_len, 0);
	xfer_tls_handshake_clear(&handshake);
	tls_peer_close(&peer);
}

/* What was said already isn't said once more. */
static void test_no_room(void **state)
{
	static const uint8_t record[] = { 22, 3, 3, 0, 1, 0 };
	struct xfer_tls_handshake handshake;
	struct tls_peer peer;

	(void)state;
	begin(&peer, &handshake);
	no_room = true;
	take_turn(&handshake, record, sizeof(record));
	no_room = false;
	assert_int_equal(handshake.state, XFER_TLS_FAILED);
	assert_int_equal(handshake.failure.cause, XFER_TLS_NO_MEMORY);
	assert_int_equal(handshake.flight_len, 0);
	xfer_tls_handshake_clear(&handshake);
	tls_peer_close(&peer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flights),
		cmocka_unit_test(test_no_room),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
