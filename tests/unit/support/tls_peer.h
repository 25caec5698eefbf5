/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* tls_peer.h -- the other end of a connection, by OpenSSL itself: well-behaved or not */
#ifndef SUPPORT_TLS_PEER_H
#define SUPPORT_TLS_PEER_H

#include <openssl/ssl.h>

#include "support/pki.h"

/* What it wants; zeros: an ordinary client without a certificate that believes everybody. */
struct tls_peer_wish {
	bool server;
	struct xfer_tls_files files; /* certificate, key: NULL: none; ca: verifies by it */
	const char *ciphersuites;    /* NULL: OpenSSL's */
	const char *groups;          /* the same */
	int max_version;             /* 0: the newest */
	const char *alpn;            /* one protocol */
};

struct tls_peer {
	SSL_CTX *ctx;
	SSL *ssl;
	int fd;
	/* The two traffic secrets, as its key log has them. */
	unsigned char client_secret[48], server_secret[48];
};

/* fd, blocking, becomes its. */
void tls_peer_open(struct tls_peer *peer, int fd, const struct tls_peer_wish *wish);
/* Without a socket: over two memory BIOs. */
void tls_peer_open_memory(struct tls_peer *peer, const struct tls_peer_wish *wish);
void tls_peer_close(struct tls_peer *peer);

/* Shakes hands, blocking. Whether it went well, as far as this end knows. */
bool tls_peer_handshake(struct tls_peer *peer);
/* All of it. */
bool tls_peer_write(struct tls_peer *peer, const void *bytes, size_t len);
bool tls_peer_read(struct tls_peer *peer, void *bytes, size_t len);
/* Whether the next thing that comes is close_notify. */
bool tls_peer_told_end(struct tls_peer *peer);

#endif
