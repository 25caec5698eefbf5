/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* keys.h -- the security parameters of a TLS 1.3 connection: cipher, keys, sequence numbers */
#ifndef XFER_TLS_KEYS_H
#define XFER_TLS_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In the order in which servers prefer them. */
enum xfer_tls_cipher {
	XFER_TLS_AES_128_GCM,
	XFER_TLS_AES_256_GCM,
	XFER_TLS_CHACHA20_POLY1305,
	XFER_TLS_CIPHERS,
};

struct xfer_tls_cipher_type {
	const char *name;
	uint16_t id; /* RFC 8446, B.4 */
	uint8_t key_len;
	uint8_t secret_len; /* of the traffic secret: the digest's */
	const char *digest;
	uint64_t records_max; /* that one key may protect: RFC 8446, section 5.5 */
};

extern const struct xfer_tls_cipher_type xfer_tls_cipher_types[XFER_TLS_CIPHERS];

/* XFER_TLS_CIPHERS: none that we use. */
enum xfer_tls_cipher xfer_tls_cipher_of(uint16_t id);

#define XFER_TLS_KEY_MAX    32
#define XFER_TLS_IV_LEN     12
#define XFER_TLS_SECRET_MAX 48

struct xfer_tls_direction {
	uint8_t key[XFER_TLS_KEY_MAX];
	uint8_t iv[XFER_TLS_IV_LEN];
	uint64_t sequence; /* of the next record */
};

/* Secret, all of it: whoever has a copy wipes it. */
struct xfer_tls_keys {
	enum xfer_tls_cipher cipher;
	struct xfer_tls_direction tx, rx;
};

/* The application traffic secrets; those that are there have their bit set. */
struct xfer_tls_secrets {
	uint8_t client[XFER_TLS_SECRET_MAX], server[XFER_TLS_SECRET_MAX];
	bool has_client, has_server;
};

/*
 * Takes one line of a key log, "LABEL CLIENT_RANDOM SECRET" in hex; what isn't one of the two traffic secrets is
 * passed over.
 */
void xfer_tls_secrets_take(struct xfer_tls_secrets *secrets, const char *line);

/* Key and IV of a direction from its traffic secret (RFC 8446, section 7.3), sequence 0. -EIO: OpenSSL can't. */
int xfer_tls_derive(
	enum xfer_tls_cipher cipher, const uint8_t *secret, struct xfer_tls_direction *direction);

/* Both directions, and wipes the secrets in any case. -EPROTO: one is missing. */
int xfer_tls_keys_make(struct xfer_tls_keys *keys, enum xfer_tls_cipher cipher, bool client,
	struct xfer_tls_secrets *secrets);

void xfer_tls_keys_wipe(struct xfer_tls_keys *keys);

#endif
