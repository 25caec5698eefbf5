/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* tls_keys.c -- the keys that follow from traffic secrets */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "tls/keys.h"

/* RFC 8448, section 3: client_application_traffic_secret_0, its key and IV; then the server's. */
static const char client_secret[] =
	"9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5";
static const char client_key[] = "17422dda596ed5d9acd890e3c63f5051";
static const char client_iv[] = "5b78923dee08579033e523d9";
static const char server_secret[] =
	"a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643";
static const char server_key[] = "9f02283b6c9c07efc26bb9f2ac92e356";
static const char server_iv[] = "cf782b88dd83549aadf1e984";

static void check_hex(const uint8_t *bytes, size_t len, const char *expected)
{
	char hex[2 * XFER_TLS_KEY_MAX + 1];

	for (size_t i = 0; i < len; i++)
		sprintf(hex + 2 * i, "%02x", bytes[i]);
	assert_string_equal(hex, expected);
}

static void take(struct xfer_tls_secrets *secrets, const char *label, const char *secret)
{
	char line[512];

	snprintf(line, sizeof(line), "%s %064d %s", label, 7, secret);
	xfer_tls_secrets_take(secrets, line);
}

static void test_vectors(void **state)
{
	struct xfer_tls_secrets secrets = { 0 };
	struct xfer_tls_keys keys;

	(void)state;
	take(&secrets, "CLIENT_TRAFFIC_SECRET_0", client_secret);
	take(&secrets, "SERVER_TRAFFIC_SECRET_0", server_secret);
	assert_int_equal(xfer_tls_keys_make(&keys, XFER_TLS_AES_128_GCM, true, &secrets), 0);
	check_hex(keys.tx.key, 16, client_key);
	check_hex(keys.tx.iv, 12, client_iv);
	check_hex(keys.rx.key, 16, server_key);
	check_hex(keys.rx.iv, 12, server_iv);
	assert_int_equal(keys.tx.sequence, 0);
	assert_int_equal(keys.rx.sequence, 0);
}

/* A server sends with what a client receives with. */
static void test_server(void **state)
{
	struct xfer_tls_secrets secrets = { 0 };
	struct xfer_tls_keys keys;

	(void)state;
	take(&secrets, "CLIENT_TRAFFIC_SECRET_0", client_secret);
	take(&secrets, "SERVER_TRAFFIC_SECRET_0", server_secret);
	assert_int_equal(xfer_tls_keys_make(&keys, XFER_TLS_AES_128_GCM, false, &secrets), 0);
	check_hex(keys.tx.key, 16, server_key);
	check_hex(keys.rx.key, 16, client_key);
}

/* RFC 8446, section 7.1, by hand: one block of HKDF-Expand is enough. */
static void expand_label(const struct xfer_tls_cipher_type *type, const uint8_t *secret,
	const char *label, uint8_t len, uint8_t out[EVP_MAX_MD_SIZE])
{
	uint8_t info[64] = { 0, len, (uint8_t)(6 + strlen(label)) };
	size_t used = 3;
	unsigned out_len;

	used += (size_t)sprintf((char *)info + used, "tls13 %s", label);
	info[used++] = 0; /* no context */
	info[used++] = 1; /* the first block */
	assert_non_null(HMAC(EVP_get_digestbyname(type->digest), secret, type->secret_len, info,
		used, out, &out_len));
}

static void test_each_cipher(void **state)
{
	uint8_t secret[XFER_TLS_SECRET_MAX], expected[EVP_MAX_MD_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(secret); i++)
		secret[i] = (uint8_t)(3 * i + 1);
	for (enum xfer_tls_cipher cipher = 0; cipher < XFER_TLS_CIPHERS; cipher++) {
		const struct xfer_tls_cipher_type *type = &xfer_tls_cipher_types[cipher];
		struct xfer_tls_direction direction;

		assert_int_equal(xfer_tls_derive(cipher, secret, &direction), 0);
		expand_label(type, secret, "key", type->key_len, expected);
		assert_memory_equal(direction.key, expected, type->key_len);
		expand_label(type, secret, "iv", XFER_TLS_IV_LEN, expected);
		assert_memory_equal(direction.iv, expected, XFER_TLS_IV_LEN);
		assert_int_equal(xfer_tls_cipher_of(type->id), cipher);
	}
	assert_int_equal(xfer_tls_cipher_of(0x1304), XFER_TLS_CIPHERS);
}

static void test_other_lines(void **state)
{
	static const char *const lines[] = { "", "CLIENT_TRAFFIC_SECRET_0", "# comment",
		"CLIENT_TRAFFIC_SECRET_0 00", "CLIENT_TRAFFIC_SECRET_0 00 ",
		"CLIENT_TRAFFIC_SECRET_0 00 0", "CLIENT_TRAFFIC_SECRET_0 00 0g",
		"CLIENT_TRAFFIC_SECRET_1 00 00", "SERVER_HANDSHAKE_TRAFFIC_SECRET 00 00" };
	struct xfer_tls_secrets secrets = { 0 };
	struct xfer_tls_keys keys;
	char longer[2 * XFER_TLS_SECRET_MAX + 3];

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		xfer_tls_secrets_take(&secrets, lines[i]);
	memset(longer, '0', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	take(&secrets, "CLIENT_TRAFFIC_SECRET_0", longer);
	assert_false(secrets.has_client);
	assert_false(secrets.has_server);
	take(&secrets, "SERVER_TRAFFIC_SECRET_0", server_secret);
	assert_int_equal(xfer_tls_keys_make(&keys, XFER_TLS_AES_128_GCM, false, &secrets), -EPROTO);
}

static void test_wiping(void **state)
{
	static const struct xfer_tls_secrets no_secrets;
	static const struct xfer_tls_keys no_keys;
	struct xfer_tls_secrets secrets = { 0 };
	struct xfer_tls_keys keys;

	(void)state;
	take(&secrets, "CLIENT_TRAFFIC_SECRET_0", client_secret);
	take(&secrets, "SERVER_TRAFFIC_SECRET_0", server_secret);
	assert_int_equal(xfer_tls_keys_make(&keys, XFER_TLS_AES_128_GCM, true, &secrets), 0);
	assert_memory_equal(&secrets, &no_secrets, sizeof(secrets));
	xfer_tls_keys_wipe(&keys);
	assert_memory_equal(&keys, &no_keys, sizeof(keys));
	/* One secret only: no keys, and it's wiped all the same. */
	take(&secrets, "CLIENT_TRAFFIC_SECRET_0", client_secret);
	assert_int_equal(xfer_tls_keys_make(&keys, XFER_TLS_AES_128_GCM, true, &secrets), -EPROTO);
	assert_memory_equal(&secrets, &no_secrets, sizeof(secrets));
	assert_memory_equal(&keys, &no_keys, sizeof(keys));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_server),
		cmocka_unit_test(test_each_cipher),
		cmocka_unit_test(test_other_lines),
		cmocka_unit_test(test_wiping),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
