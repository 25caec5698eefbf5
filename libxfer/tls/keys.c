/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* keys.c -- the security parameters of a TLS 1.3 connection, and how they are derived */

#include <errno.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "tls/keys.h"

/* 2^24.5 records of full size; ChaCha20's sequence numbers are used up first. */
#define GCM_RECORDS_MAX    UINT64_C(23726566)
#define CHACHA_RECORDS_MAX UINT64_MAX

const struct xfer_tls_cipher_type xfer_tls_cipher_types[XFER_TLS_CIPHERS] = {
	[XFER_TLS_AES_128_GCM] = { "TLS_AES_128_GCM_SHA256", 0x1301, 16, 32, "SHA256",
		GCM_RECORDS_MAX },
	[XFER_TLS_AES_256_GCM] = { "TLS_AES_256_GCM_SHA384", 0x1302, 32, 48, "SHA384",
		GCM_RECORDS_MAX },
	[XFER_TLS_CHACHA20_POLY1305] = { "TLS_CHACHA20_POLY1305_SHA256", 0x1303, 32, 32, "SHA256",
		CHACHA_RECORDS_MAX },
};

enum xfer_tls_cipher xfer_tls_cipher_of(uint16_t id)
{
	enum xfer_tls_cipher cipher = 0;

	while (cipher < XFER_TLS_CIPHERS && xfer_tls_cipher_types[cipher].id != id)
		cipher++;
	return cipher;
}

static bool take_hex(const char *hex, uint8_t secret[XFER_TLS_SECRET_MAX])
{
	size_t len = 0;
	int taken;

	/* It is called amid a handshake, whose errors are OpenSSL's own. */
	ERR_set_mark();
	taken = OPENSSL_hexstr2buf_ex(secret, XFER_TLS_SECRET_MAX, &len, hex, '\0');
	ERR_pop_to_mark();
	return taken == 1 && len > 0;
}

/* Where the secret begins in a line with this label; NULL: it has another one. */
static const char *secret_of(const char *line, const char *label)
{
	size_t len = strlen(label);
	const char *random_end;

	if (strncmp(line, label, len) || line[len] != ' ')
		return NULL;
	random_end = strchr(line + len + 1, ' ');
	return random_end ? random_end + 1 : NULL;
}

void xfer_tls_secrets_take(struct xfer_tls_secrets *secrets, const char *line)
{
	const char *client = secret_of(line, "CLIENT_TRAFFIC_SECRET_0");
	const char *server = secret_of(line, "SERVER_TRAFFIC_SECRET_0");

	if (client)
		secrets->has_client = take_hex(client, secrets->client);
	else if (server)
		secrets->has_server = take_hex(server, secrets->server);
}

/* HKDF-Expand-Label(secret, label, "", len) */
static int expand_label(const struct xfer_tls_cipher_type *type, const uint8_t *secret,
	const char *label, uint8_t *out, size_t len)
{
	int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)type->digest, 0),
		OSSL_PARAM_construct_octet_string(
			OSSL_KDF_PARAM_KEY, (void *)secret, type->secret_len),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PREFIX, (void *)"tls13 ", 6),
		OSSL_PARAM_construct_octet_string(
			OSSL_KDF_PARAM_LABEL, (void *)label, strlen(label)),
		OSSL_PARAM_construct_end(),
	};
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_TLS1_3_KDF, NULL);
	EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	int done = ctx ? EVP_KDF_derive(ctx, out, len, params) : 0;

	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	if (done > 0)
		return 0;
	ERR_clear_error();
	return -EIO;
}

int xfer_tls_derive(
	enum xfer_tls_cipher cipher, const uint8_t *secret, struct xfer_tls_direction *direction)
{
	const struct xfer_tls_cipher_type *type = &xfer_tls_cipher_types[cipher];
	int err = expand_label(type, secret, "key", direction->key, type->key_len);

	if (err == 0)
		err = expand_label(type, secret, "iv", direction->iv, XFER_TLS_IV_LEN);
	direction->sequence = 0;
	return err;
}

int xfer_tls_keys_make(struct xfer_tls_keys *keys, enum xfer_tls_cipher cipher, bool client,
	struct xfer_tls_secrets *secrets)
{
	int err = secrets->has_client && secrets->has_server ? 0 : -EPROTO;

	keys->cipher = cipher;
	if (err == 0)
		err = xfer_tls_derive(
			cipher, client ? secrets->client : secrets->server, &keys->tx);
	if (err == 0)
		err = xfer_tls_derive(
			cipher, client ? secrets->server : secrets->client, &keys->rx);
	OPENSSL_cleanse(secrets, sizeof(*secrets));
	if (err)
		xfer_tls_keys_wipe(keys);
	return err;
}

void xfer_tls_keys_wipe(struct xfer_tls_keys *keys)
{
	OPENSSL_cleanse(keys, sizeof(*keys));
}
