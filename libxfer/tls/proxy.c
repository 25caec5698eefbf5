/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* proxy.c -- a thread that shakes hands for connections which it never sees */

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>

#include "clock.h"
#include "tls/certificate.h"
#include "tls/proxy.h"

#define LOOK_NS (2000 * XFER_NS_PER_MS)

struct xfer_tls_proxy {
	pthread_t thread;
	void (*look)(void *user);
	void *user;

	pthread_mutex_t lock; /* the rest */
	pthread_cond_t cond;
	STAILQ_HEAD(, xfer_tls_handshake) queue;
	bool stopping;
};

/* --- what OpenSSL asks -------------------------------------------------------------------------- */

void xfer_tls_handshake_keylog(const SSL *ssl, const char *line)
{
	struct xfer_tls_handshake *handshake = SSL_get_app_data(ssl);

	if (handshake)
		xfer_tls_secrets_take(&handshake->secrets, line);
}

/* What we ask of the peer's certificate beside what OpenSSL does. */
static int check_peer(const struct xfer_tls_handshake *handshake, X509 *certificate)
{
	if (xfer_tls_identity_role(handshake->identity) == XFER_TLS_NODE &&
		!xfer_tls_certificate_is_for(
			certificate, handshake->client ? NID_server_auth : NID_client_auth))
		return X509_V_ERR_INVALID_PURPOSE;
	if (handshake->expect && !xfer_tls_certificate_has_name(certificate, handshake->expect))
		return X509_V_ERR_HOSTNAME_MISMATCH;
	return X509_V_OK;
}

static void remember_rejected(
	struct xfer_tls_handshake *handshake, X509 *certificate, bool in_chain)
{
	char *subject = xfer_tls_certificate_subject(certificate);
	char *names = xfer_tls_certificate_names(certificate);

	snprintf(handshake->rejected, sizeof(handshake->rejected), "%s%.60s [%.40s]",
		in_chain ? "in its chain: " : "", subject ? subject : "?", names ? names : "?");
	free(subject);
	free(names);
}

/*
 * An authority that is revoked is refused, with all that it has issued; but nobody has to have a list for each of them, and
 * there is none of whoever has issued what is believed anyway.
 */
static bool lacks_list_only(X509_STORE_CTX *store)
{
	return X509_STORE_CTX_get_error(store) == X509_V_ERR_UNABLE_TO_GET_CRL &&
	       X509_STORE_CTX_get_error_depth(store) > 0;
}

/* Called for every certificate of a chain; the peer's own comes last. */
int xfer_tls_handshake_verify(int ok, X509_STORE_CTX *store)
{
	const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct xfer_tls_handshake *handshake = SSL_get_app_data(ssl);
	X509 *certificate = X509_STORE_CTX_get_current_cert(store);
	bool in_chain = X509_STORE_CTX_get_error_depth(store) > 0;
	int error = ok && !in_chain ? check_peer(handshake, certificate) : X509_V_OK;

	if (!ok && lacks_list_only(store)) {
		X509_STORE_CTX_set_error(store, X509_V_OK);
		return 1;
	}
	if (ok && error == X509_V_OK)
		return 1;
	if (ok)
		X509_STORE_CTX_set_error(store, error);
	if (certificate)
		remember_rejected(handshake, certificate, in_chain);
	return 0;
}

/* --- one turn ----------------------------------------------------------------------------------- */

static void fail(struct xfer_tls_handshake *handshake, enum xfer_tls_cause cause)
{
	handshake->state = XFER_TLS_FAILED;
	xfer_tls_fail(&handshake->failure, cause, NULL);
	ERR_clear_error();
}

static bool begin(struct xfer_tls_handshake *handshake)
{
	SSL_CTX *credentials = xfer_tls_identity_credentials(handshake->identity);
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());

	handshake->ssl = in && out ? SSL_new(credentials) : NULL;
	SSL_CTX_free(credentials);
	if (!handshake->ssl) {
		BIO_free(in);
		BIO_free(out);
		return false;
	}
	SSL_set_bio(handshake->ssl, in, out);
	SSL_set_app_data(handshake->ssl, handshake);
	if (handshake->client)
		SSL_set_connect_state(handshake->ssl);
	else
		SSL_set_accept_state(handshake->ssl);
	return true;
}

/* The peer's certificate, if it was verified. */
static X509 *verified_certificate(const SSL *ssl)
{
	bool verified = SSL_get_verify_mode(ssl) & SSL_VERIFY_PEER;

	return verified ? SSL_get0_peer_certificate(ssl) : NULL;
}

static void finish(struct xfer_tls_handshake *handshake)
{
	enum xfer_tls_cipher cipher = xfer_tls_cipher_of(
		SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(handshake->ssl)));

	if (cipher == XFER_TLS_CIPHERS) {
		fail(handshake, XFER_TLS_NO_CIPHER);
		return;
	}
	handshake->security = xfer_tls_security_create(
		cipher, handshake->in_kernel, verified_certificate(handshake->ssl));
	if (!handshake->security)
		fail(handshake, XFER_TLS_NO_MEMORY);
	else if (handshake->in_kernel && xfer_tls_keys_make(&handshake->keys, cipher,
						 handshake->client, &handshake->secrets))
		fail(handshake, XFER_TLS_OTHER);
	else
		handshake->state = XFER_TLS_DONE;
}

static void turn(struct xfer_tls_handshake *handshake)
{
	int done, len = (int)handshake->record_len;
	char *flight;

	/* Whatever fails: what the turn before this one had to say has been said. */
	handshake->flight_len = 0;
	ERR_clear_error();
	if (!handshake->ssl && !begin(handshake)) {
		fail(handshake, XFER_TLS_NO_MEMORY);
		return;
	}
	(void)BIO_reset(SSL_get_wbio(handshake->ssl));
	if (len && BIO_write(SSL_get_rbio(handshake->ssl), handshake->record, len) != len) {
		fail(handshake, XFER_TLS_NO_MEMORY);
		return;
	}
	done = SSL_do_handshake(handshake->ssl);
	if (done == 1) {
		finish(handshake);
	} else if (SSL_get_error(handshake->ssl, done) == SSL_ERROR_WANT_READ) {
		handshake->state = XFER_TLS_WANTS_RECORD;
	} else {
		handshake->state = XFER_TLS_FAILED;
		xfer_tls_fail_openssl(&handshake->failure, handshake->ssl,
			handshake->rejected[0] ? handshake->rejected : NULL);
	}
	handshake->flight_len = (size_t)BIO_get_mem_data(SSL_get_wbio(handshake->ssl), &flight);
	handshake->flight = (const uint8_t *)flight;
}

void xfer_tls_handshake_clear(struct xfer_tls_handshake *handshake)
{
	SSL_free(handshake->ssl);
	handshake->ssl = NULL;
	if (handshake->security)
		xfer_tls_security_unref(handshake->security);
	handshake->security = NULL;
	OPENSSL_cleanse(&handshake->secrets, sizeof(handshake->secrets));
	xfer_tls_keys_wipe(&handshake->keys);
}

/* --- the thread --------------------------------------------------------------------------------- */

static void *proxy_main(void *arg)
{
	struct xfer_tls_proxy *proxy = arg;
	uint64_t next_look = xfer_now_ns() + LOOK_NS;

	pthread_mutex_lock(&proxy->lock);
	while (!proxy->stopping) {
		struct xfer_tls_handshake *handshake = STAILQ_FIRST(&proxy->queue);
		struct timespec until = xfer_timespec(next_look);

		if (handshake) {
			STAILQ_REMOVE_HEAD(&proxy->queue, link);
		} else if (xfer_now_ns() < next_look) {
			pthread_cond_timedwait(&proxy->cond, &proxy->lock, &until);
			continue;
		}
		pthread_mutex_unlock(&proxy->lock);
		if (handshake) {
			if (!atomic_load(&handshake->abandoned))
				turn(handshake);
			handshake->turned(handshake);
		}
		if (xfer_now_ns() >= next_look) {
			proxy->look(proxy->user);
			next_look = xfer_now_ns() + LOOK_NS;
		}
		pthread_mutex_lock(&proxy->lock);
	}
	pthread_mutex_unlock(&proxy->lock);
	return NULL;
}

static void proxy_free(struct xfer_tls_proxy *proxy)
{
	pthread_cond_destroy(&proxy->cond);
	pthread_mutex_destroy(&proxy->lock);
	free(proxy);
}

int xfer_tls_proxy_create(void (*look)(void *user), void *user, struct xfer_tls_proxy **result)
{
	struct xfer_tls_proxy *proxy = calloc(1, sizeof(*proxy));
	int err;

	if (!proxy)
		return -ENOMEM;
	proxy->look = look;
	proxy->user = user;
	STAILQ_INIT(&proxy->queue);
	pthread_mutex_init(&proxy->lock, NULL);
	xfer_cond_init(&proxy->cond);
	err = -pthread_create(&proxy->thread, NULL, proxy_main, proxy);
	if (err) {
		proxy_free(proxy);
		return err;
	}
	pthread_setname_np(proxy->thread, "xfer-tls-proxy");
	*result = proxy;
	return 0;
}

void xfer_tls_proxy_destroy(struct xfer_tls_proxy *proxy)
{
	pthread_mutex_lock(&proxy->lock);
	proxy->stopping = true;
	pthread_cond_signal(&proxy->cond);
	pthread_mutex_unlock(&proxy->lock);
	pthread_join(proxy->thread, NULL);
	proxy_free(proxy);
}

void xfer_tls_proxy_turn(struct xfer_tls_proxy *proxy, struct xfer_tls_handshake *handshake)
{
	pthread_mutex_lock(&proxy->lock);
	STAILQ_INSERT_TAIL(&proxy->queue, handshake, link);
	pthread_cond_signal(&proxy->cond);
	pthread_mutex_unlock(&proxy->lock);
}
