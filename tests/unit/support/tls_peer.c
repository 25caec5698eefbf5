/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* tls_peer.c -- the other end of a connection, by OpenSSL itself */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>

#include "support/tls_peer.h"

static void must(bool done, const char *what)
{
	if (done)
		return;
	fprintf(stderr, "tls_peer: %s failed\n", what);
	ERR_print_errors_fp(stderr);
	abort();
}

static void keep_secret(unsigned char *secret, const char *line)
{
	const char *hex = strrchr(line, ' ') + 1;

	for (size_t i = 0; i < 48 && hex[2 * i]; i++)
		sscanf(hex + 2 * i, "%2hhx", &secret[i]);
}

static void keylog(const SSL *ssl, const char *line)
{
	struct tls_peer *peer = SSL_get_app_data(ssl);

	if (strncmp(line, "CLIENT_TRAFFIC_SECRET_0 ", 24) == 0)
		keep_secret(peer->client_secret, line);
	else if (strncmp(line, "SERVER_TRAFFIC_SECRET_0 ", 24) == 0)
		keep_secret(peer->server_secret, line);
}

static void set_files(SSL_CTX *ctx, const struct xfer_tls_files *files)
{
	if (files->certificate)
		must(SSL_CTX_use_certificate_chain_file(ctx, files->certificate) == 1 &&
				SSL_CTX_use_PrivateKey_file(ctx, files->key, SSL_FILETYPE_PEM) == 1,
			"SSL_CTX_use_certificate_chain_file");
	if (!files->ca)
		return;
	must(SSL_CTX_load_verify_file(ctx, files->ca) == 1, "SSL_CTX_load_verify_file");
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
}

static void open_ssl(struct tls_peer *peer, const struct tls_peer_wish *wish)
{
	unsigned char alpn[64];

	memset(peer, 0, sizeof(*peer));
	peer->fd = -1;
	peer->ctx = SSL_CTX_new(wish->server ? TLS_server_method() : TLS_client_method());
	must(peer->ctx != NULL, "SSL_CTX_new");
	set_files(peer->ctx, &wish->files);
	SSL_CTX_set_num_tickets(peer->ctx, 0);
	SSL_CTX_set_keylog_callback(peer->ctx, keylog);
	if (wish->ciphersuites)
		must(SSL_CTX_set_ciphersuites(peer->ctx, wish->ciphersuites) == 1,
			"SSL_CTX_set_ciphersuites");
	if (wish->groups)
		must(SSL_CTX_set1_groups_list(peer->ctx, wish->groups) == 1,
			"SSL_CTX_set1_groups_list");
	if (wish->max_version)
		SSL_CTX_set_max_proto_version(peer->ctx, wish->max_version);
	if (wish->alpn) {
		alpn[0] = (unsigned char)strlen(wish->alpn);
		memcpy(alpn + 1, wish->alpn, alpn[0]);
		SSL_CTX_set_alpn_protos(peer->ctx, alpn, 1u + alpn[0]);
	}
	peer->ssl = SSL_new(peer->ctx);
	must(peer->ssl != NULL, "SSL_new");
	SSL_set_app_data(peer->ssl, peer);
	if (wish->server)
		SSL_set_accept_state(peer->ssl);
	else
		SSL_set_connect_state(peer->ssl);
}

void tls_peer_open(struct tls_peer *peer, int fd, const struct tls_peer_wish *wish)
{
	/* OpenSSL writes to sockets as it likes. */
	signal(SIGPIPE, SIG_IGN);
	open_ssl(peer, wish);
	peer->fd = fd;
	must(SSL_set_fd(peer->ssl, fd) == 1, "SSL_set_fd");
}

void tls_peer_open_memory(struct tls_peer *peer, const struct tls_peer_wish *wish)
{
	open_ssl(peer, wish);
	SSL_set_bio(peer->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
}

void tls_peer_close(struct tls_peer *peer)
{
	SSL_free(peer->ssl);
	SSL_CTX_free(peer->ctx);
	if (peer->fd >= 0)
		close(peer->fd);
}

bool tls_peer_handshake(struct tls_peer *peer)
{
	ERR_clear_error();
	return SSL_do_handshake(peer->ssl) == 1;
}

bool tls_peer_write(struct tls_peer *peer, const void *bytes, size_t len)
{
	size_t n;

	return SSL_write_ex(peer->ssl, bytes, len, &n) == 1;
}

bool tls_peer_read(struct tls_peer *peer, void *bytes, size_t len)
{
	char *next = bytes;
	size_t n;

	for (; len > 0; next += n, len -= n)
		if (SSL_read_ex(peer->ssl, next, len, &n) != 1)
			return false;
	return true;
}

bool tls_peer_told_end(struct tls_peer *peer)
{
	char byte;
	int result = SSL_read(peer->ssl, &byte, 1);

	return SSL_get_error(peer->ssl, result) == SSL_ERROR_ZERO_RETURN;
}
