/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* relay.h -- records made and opened by OpenSSL, behind a socket pair, where the kernel can't */
#ifndef XFER_TLS_RELAY_H
#define XFER_TLS_RELAY_H

#include <openssl/ssl.h>

#include "tls/security.h"

struct xfer_tls_relay;

int xfer_tls_relay_create(struct xfer_tls_relay **relay);
/* Ends its connections. */
void xfer_tls_relay_destroy(struct xfer_tls_relay *relay);

/*
 * Goes on with a connection after its handshake; *plain is the end for the connection's user. ssl and fd belong to the
 * relay then; on failure they stay the caller's. address: the peer's, for the log. The relay has a reference to
 * the security record, in which it counts. Any
 * thread but its own.
 */
int xfer_tls_relay_start(struct xfer_tls_relay *relay, SSL *ssl, int fd,
	const struct sockaddr_storage *address, struct xfer_tls_security *security, int *plain);

/* Connections at the moment. */
unsigned xfer_tls_relay_connections(const struct xfer_tls_relay *relay);

#endif
