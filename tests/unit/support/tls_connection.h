/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* tls_connection.h -- a connection over loopback: OpenSSL's end of it, and ours */
#ifndef SUPPORT_TLS_CONNECTION_H
#define SUPPORT_TLS_CONNECTION_H

#include "support/tls_ends.h"
#include "support/tls_peer.h"

struct tls_connection {
	struct tls_peer peer;
	struct tls_end end;
};

/* Our end shakes hands, and is the client if the peer is to be a server; the peer, as wished, hasn't begun. */
void tls_connection_open(struct tls_connection *connection, struct xfer_tls *tls,
	struct xfer_tls_identity *identity, const char *expect, const struct tls_peer_wish *wish);
/* Both have shaken hands; the test fails if either isn't content. */
void tls_connection_make(struct tls_connection *connection, struct xfer_tls *tls,
	struct xfer_tls_identity *identity, const char *expect, const struct tls_peer_wish *wish);
/* Closes our end first, which is waited for. */
void tls_connection_close(struct tls_connection *connection);

#endif
