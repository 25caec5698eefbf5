/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* proxy.h -- a thread that shakes hands for connections which it never sees: records come, flights go */
#ifndef XFER_TLS_PROXY_H
#define XFER_TLS_PROXY_H

#include <stdatomic.h>
#include <sys/queue.h>

#include "tls/failure.h"
#include "tls/identity.h"
#include "tls/keys.h"
#include "tls/security.h"

struct xfer_tls_proxy;

enum xfer_tls_state {
	XFER_TLS_WANTS_RECORD,
	XFER_TLS_DONE,   /* keys or ssl, and security are there */
	XFER_TLS_FAILED, /* failure is */
};

/*
 * One handshake; zeroed memory but for what is set before the first turn. It is the proxy's from xfer_tls_proxy_turn
 * until `turned`, else its creator's.
 */
struct xfer_tls_handshake {
	struct xfer_tls_identity *identity;
	bool client;
	bool in_kernel;     /* keys are wanted, not an SSL that goes on */
	const char *expect; /* the name that the peer has to have; NULL: any */
	_Atomic bool
		abandoned; /* nobody wants the next turn's outcome: it is left out, the state stays */
	/* The proxy's thread: must not block. */
	void (*turned)(struct xfer_tls_handshake *handshake);

	/* For a turn: one record. None (length 0): a client begins. */
	const uint8_t *record;
	size_t record_len;

	/* After a turn. flight: bytes for the peer, in any state; valid until the next turn. */
	enum xfer_tls_state state;
	const uint8_t *flight;
	size_t flight_len;
	struct xfer_tls_failure failure;
	struct xfer_tls_keys keys;
	struct xfer_tls_security *security; /* a reference */

	SSL *ssl; /* where in_kernel is false whoever goes on with it takes it */
	struct xfer_tls_secrets secrets;
	char rejected[128]; /* the certificate that was not accepted; "": none */
	STAILQ_ENTRY(xfer_tls_handshake) link;
};

/* look: called on the proxy's thread every two seconds. */
int xfer_tls_proxy_create(void (*look)(void *user), void *user, struct xfer_tls_proxy **proxy);
/* No handshake is under way any more. */
void xfer_tls_proxy_destroy(struct xfer_tls_proxy *proxy);

/* Any thread. */
void xfer_tls_proxy_turn(struct xfer_tls_proxy *proxy, struct xfer_tls_handshake *handshake);

/* Frees what it holds and wipes what is secret; the handshake's memory stays its creator's. */
void xfer_tls_handshake_clear(struct xfer_tls_handshake *handshake);

/* For xfer_tls_settings: OpenSSL calls them during a handshake. */
void xfer_tls_handshake_keylog(const SSL *ssl, const char *line);
int xfer_tls_handshake_verify(int ok, X509_STORE_CTX *store);

#endif
