/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* tls_install.c -- what the kernel is given, and that nothing secret stays behind */

#include <endian.h>
#include <errno.h>
#include <linux/tls.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/crypto.h>

#include "log.h"
#include "support/tls_connection.h"
#include "tls/ktls.h"
#include "tls/tls.h"

/* --- a kernel that takes keys, and carries everything in cleartext ------------------------------- */

#define GIVEN_MAX 64

union crypto_info {
	struct tls_crypto_info head;
	struct tls12_crypto_info_aes_gcm_128 aes_128;
	struct tls12_crypto_info_aes_gcm_256 aes_256;
	struct tls12_crypto_info_chacha20_poly1305 chacha20;
};

/* What came by one call, and from where. */
struct given {
	const void *at;
	socklen_t len;
	int fd, which;
	union crypto_info info;
	bool wiped; /* all of it, later */
};

static struct {
	pthread_mutex_t lock;
	struct given given[GIVEN_MAX];
	unsigned count;
	int ulp_error, tx_error, rx_error; /* errno values; 0: it takes what is given */
	uint64_t sent, received;           /* what it says of records */
} kernel = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void kernel_forget(void)
{
	pthread_mutex_lock(&kernel.lock);
	kernel.count = 0;
	pthread_mutex_unlock(&kernel.lock);
}

static void kernel_take(int fd, int which, const void *value, socklen_t len)
{
	pthread_mutex_lock(&kernel.lock);
	if (kernel.count < GIVEN_MAX) {
		struct given *given = &kernel.given[kernel.count++];

		*given = (struct given){ .at = value, .len = len, .fd = fd, .which = which };
		memcpy(&given->info, value, len);
	}
	pthread_mutex_unlock(&kernel.lock);
}

int __real_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	int error = name == TLS_TX ? kernel.tx_error : kernel.rx_error;

	if (level == SOL_TLS) {
		kernel_take(fd, name, value, len);
	} else if (level == IPPROTO_TCP && name == TCP_ULP) {
		assert_memory_equal(value, "tls", 3);
		error = kernel.ulp_error;
	} else {
		return __real_setsockopt(fd, level, name, value, len);
	}
	errno = error;
	return error ? -1 : 0;
}

/* Keys come along with the number. */
int __real_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	uint64_t records = htobe64(name == TLS_TX ? kernel.sent : kernel.received);

	if (level != SOL_TLS)
		return __real_getsockopt(fd, level, name, value, len);
	memset(value, 0x5a, *len);
	/* The number is the last part of all of them. */
	memcpy((char *)value + *len - sizeof(records), &records, sizeof(records));
	kernel_take(fd, name, value, *len);
	return 0;
}

void __real_OPENSSL_cleanse(void *bytes, size_t len);
void __wrap_OPENSSL_cleanse(void *bytes, size_t len);
void __wrap_OPENSSL_cleanse(void *bytes, size_t len)
{
	pthread_mutex_lock(&kernel.lock);
	for (unsigned i = 0; i < kernel.count; i++)
		if (kernel.given[i].at == bytes && kernel.given[i].len <= len)
			kernel.given[i].wiped = true;
	pthread_mutex_unlock(&kernel.lock);
	__real_OPENSSL_cleanse(bytes, len);
}

/* --- memory that is freed, kept to be looked at --------------------------------------------------- */

#define FREED_MAX 4096

static struct {
	pthread_mutex_t lock;
	bool keeps;
	void *blocks[FREED_MAX];
	unsigned count;
} freed = { .lock = PTHREAD_MUTEX_INITIALIZER };

void __real_free(void *memory);
void __wrap_free(void *memory);
void __wrap_free(void *memory)
{
	bool kept = false;

	pthread_mutex_lock(&freed.lock);
	if (memory && freed.keeps && freed.count < FREED_MAX) {
		freed.blocks[freed.count++] = memory;
		kept = true;
	}
	pthread_mutex_unlock(&freed.lock);
	if (!kept)
		__real_free(memory);
}

static void freed_keep(bool keeps)
{
	pthread_mutex_lock(&freed.lock);
	freed.keeps = keeps;
	pthread_mutex_unlock(&freed.lock);
}

static bool freed_has(const void *bytes, size_t len)
{
	for (unsigned i = 0; i < freed.count; i++)
		if (memmem(freed.blocks[i], malloc_usable_size(freed.blocks[i]), bytes, len))
			return true;
	return false;
}

static void freed_drop(void)
{
	for (unsigned i = 0; i < freed.count; i++)
		__real_free(freed.blocks[i]);
	freed.count = 0;
}

/* --- the tests ---------------------------------------------------------------------------------- */

static struct pki *pki;
static struct xfer_tls *tls;
static struct xfer_tls_identity *node;

static int set_up(void **state)
{
	const struct xfer_tls_params params = { .ktls = XFER_KTLS_REQUIRE };

	(void)state;
	tls_log_keep();
	pki = pki_create("test CA");
	pki_issue_node(pki, "a");
	pki_issue_node(pki, "b");
	tls = tls_make(&params);
	node = tls_identity_make(tls, XFER_TLS_NODE, pki_files(pki, "b", pki));
	assert_true(xfer_tls_in_kernel(tls));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	xfer_tls_identity_destroy(node);
	xfer_tls_destroy(tls);
	pki_free(pki);
	xfer_log_set_sink(NULL);
	return 0;
}

static const struct given *given_for(int which)
{
	for (unsigned i = 0; i < kernel.count; i++)
		if (kernel.given[i].which == which)
			return &kernel.given[i];
	fail_msg("the kernel was given nothing for %d", which);
	return NULL;
}

/* As cipher's own structure. */
static void check_info(const struct given *given, enum xfer_tls_cipher cipher,
	const struct xfer_tls_direction *direction)
{
	static const unsigned char zero[8];
	const union crypto_info *info = &given->info;

	assert_int_equal(info->head.version, TLS_1_3_VERSION);
	switch (cipher) {
	case XFER_TLS_AES_128_GCM:
		assert_int_equal(info->head.cipher_type, TLS_CIPHER_AES_GCM_128);
		assert_int_equal(given->len, sizeof(info->aes_128));
		assert_memory_equal(info->aes_128.key, direction->key, 16);
		assert_memory_equal(info->aes_128.salt, direction->iv, 4);
		assert_memory_equal(info->aes_128.iv, direction->iv + 4, 8);
		assert_memory_equal(info->aes_128.rec_seq, zero, 8);
		break;
	case XFER_TLS_AES_256_GCM:
		assert_int_equal(info->head.cipher_type, TLS_CIPHER_AES_GCM_256);
		assert_int_equal(given->len, sizeof(info->aes_256));
		assert_memory_equal(info->aes_256.key, direction->key, 32);
		assert_memory_equal(info->aes_256.salt, direction->iv, 4);
		assert_memory_equal(info->aes_256.iv, direction->iv + 4, 8);
		assert_memory_equal(info->aes_256.rec_seq, zero, 8);
		break;
	default:
		assert_int_equal(info->head.cipher_type, TLS_CIPHER_CHACHA20_POLY1305);
		assert_int_equal(given->len, sizeof(info->chacha20));
		assert_memory_equal(info->chacha20.key, direction->key, 32);
		assert_memory_equal(info->chacha20.iv, direction->iv, 12);
		assert_memory_equal(info->chacha20.rec_seq, zero, 8);
	}
}

/* OpenSSL's client or server at the other end, with this cipher only. Its view of the secrets is the truth. */
static void make(struct tls_connection *connection, bool server, enum xfer_tls_cipher cipher)
{
	const struct tls_peer_wish wish = { .server = server,
		.files = pki_files(pki, "a", pki),
		.ciphersuites = xfer_tls_cipher_types[cipher].name };

	tls_connection_open(connection, tls, node, "a", &wish);
	assert_true(tls_peer_handshake(&connection->peer));
	tls_end_wait(&connection->end);
}

static void check_keys(bool server, enum xfer_tls_cipher cipher)
{
	struct xfer_tls_direction tx, rx;
	struct tls_connection connection;

	kernel_forget();
	make(&connection, server, cipher);
	assert_int_equal(connection.end.err, 0);
	xfer_tls_derive(cipher, connection.peer.client_secret, server ? &tx : &rx);
	xfer_tls_derive(cipher, connection.peer.server_secret, server ? &rx : &tx);
	check_info(given_for(TLS_TX), cipher, &tx);
	check_info(given_for(TLS_RX), cipher, &rx);
	assert_int_equal(given_for(TLS_TX)->fd, connection.end.fd);
	tls_connection_close(&connection);
}

static void test_keys(void **state)
{
	(void)state;
	for (enum xfer_tls_cipher cipher = 0; cipher < XFER_TLS_CIPHERS; cipher++) {
		check_keys(false, cipher);
		check_keys(true, cipher);
	}
}

static void check_forgotten(const void *bytes, size_t len)
{
	void *planted = malloc(len);

	assert_false(freed_has(bytes, len));
	/* It would be found. */
	memcpy(planted, bytes, len);
	freed_keep(true);
	__wrap_free(planted);
	freed_keep(false);
	assert_true(freed_has(bytes, len));
	memset(planted, 0, len);
}

/* And the key that it makes. */
static void check_secret_forgotten(const unsigned char *secret, enum xfer_tls_cipher cipher)
{
	struct xfer_tls_direction direction;

	xfer_tls_derive(cipher, secret, &direction);
	check_forgotten(secret, XFER_TLS_SECRET_MAX);
	check_forgotten(direction.key, sizeof(direction.key));
}

/*
 * What was freed while a connection came and went has none of the secrets. The endpoint's thread has freed its memory
 * when it has begun with another one.
 */
static void check_nothing_stays(
	const unsigned char *const secrets[], unsigned count, enum xfer_tls_cipher cipher)
{
	struct tls_connection next;

	make(&next, false, cipher);
	freed_keep(false);
	assert_true(freed.count > 0 && freed.count < FREED_MAX);
	for (unsigned i = 0; i < count; i++)
		check_secret_forgotten(secrets[i], cipher);
	freed_drop();
	tls_connection_close(&next);
}

static void test_nothing_stays(void **state)
{
	const enum xfer_tls_cipher cipher = XFER_TLS_AES_256_GCM;
	struct tls_connection connection;
	const unsigned char *secrets[] = { connection.peer.client_secret,
		connection.peer.server_secret };

	(void)state;
	freed_keep(true);
	make(&connection, false, cipher);
	check_nothing_stays(secrets, 2, cipher);
	tls_connection_close(&connection);
}

/* --- handshakes that fail when there are secrets ------------------------------------------------- */

/* The peer's records go through memory: it sends what the test wants. */
static void begin(
	struct tls_connection *connection, bool server, enum xfer_tls_cipher cipher, int pair[2])
{
	const struct tls_peer_wish wish = { .server = server,
		.files = pki_files(pki, "a", pki),
		.ciphersuites = xfer_tls_cipher_types[cipher].name };

	tls_ends_tcp(pair);
	tls_peer_open_memory(&connection->peer, &wish);
	connection->peer.fd = pair[0];
	tls_end_start(&connection->end, tls, node, pair[1], server, "a");
}

static void peer_sends(struct tls_peer *peer)
{
	BIO *from = SSL_get_wbio(peer->ssl);
	char *bytes;
	long len = BIO_get_mem_data(from, &bytes);

	assert_int_equal(tls_write_all(peer->fd, bytes, (size_t)len), 0);
	(void)BIO_reset(from);
}

static void peer_receives(struct tls_peer *peer)
{
	char bytes[16384];
	ssize_t n = recv(peer->fd, bytes, sizeof(bytes), 0);

	assert_true(n > 0);
	assert_int_equal(BIO_write(SSL_get_rbio(peer->ssl), bytes, (int)n), n);
}

/* The client goes when only its Finished is missing: there are secrets, and no keys. */
static void test_no_secrets_stay(void **state)
{
	const enum xfer_tls_cipher cipher = XFER_TLS_AES_256_GCM;
	struct tls_connection connection;
	const unsigned char *secrets[] = { connection.peer.client_secret,
		connection.peer.server_secret };
	int pair[2];

	(void)state;
	freed_keep(true);
	begin(&connection, false, cipher, pair);
	assert_false(tls_peer_handshake(&connection.peer));
	peer_sends(&connection.peer);
	do
		peer_receives(&connection.peer);
	while (!tls_peer_handshake(&connection.peer));
	tls_peer_close(&connection.peer);
	assert_int_equal(tls_end_wait(&connection.end), -ECONNRESET);
	check_nothing_stays(secrets, 2, cipher);
	tls_end_finish(&connection.end);
}

/* Our own Finished can't be sent: there are keys. The peer would know the client's secret only after that. */
static void test_no_keys_stay(void **state)
{
	const enum xfer_tls_cipher cipher = XFER_TLS_AES_256_GCM;
	struct tls_connection connection;
	const unsigned char *secret = connection.peer.server_secret;
	int pair[2];

	(void)state;
	freed_keep(true);
	begin(&connection, true, cipher, pair);
	do
		peer_receives(&connection.peer);
	while (!tls_peer_handshake(&connection.peer) &&
		BIO_pending(SSL_get_wbio(connection.peer.ssl)) == 0);
	shutdown(pair[1], SHUT_WR);
	peer_sends(&connection.peer);
	assert_int_equal(tls_end_wait(&connection.end), -ECONNRESET);
	check_nothing_stays(&secret, 1, cipher);
	tls_connection_close(&connection);
}

/* --- what the kernel is asked ------------------------------------------------------------------- */

static void test_buffers_are_wiped(void **state)
{
	struct tls_connection connection;

	(void)state;
	kernel_forget();
	make(&connection, false, XFER_TLS_AES_128_GCM);
	xfer_tls_used(connection.end.security, connection.end.fd);
	assert_int_equal(kernel.count, 4);
	for (unsigned i = 0; i < kernel.count; i++)
		assert_true(kernel.given[i].wiped);
	tls_connection_close(&connection);
}

static void test_used(void **state)
{
	struct tls_connection connection;

	(void)state;
	make(&connection, false, XFER_TLS_AES_128_GCM);
	kernel.sent = 0;
	kernel.received = 0;
	assert_int_equal(xfer_tls_used(connection.end.security, connection.end.fd), 0);
	kernel.sent = 11863283; /* half of 2^24.5 */
	assert_int_equal(xfer_tls_used(connection.end.security, connection.end.fd), 500);
	kernel.received = 21354000;
	assert_int_equal(xfer_tls_used(connection.end.security, connection.end.fd), 900);
	kernel.sent = 23726567;
	assert_int_equal(xfer_tls_used(connection.end.security, connection.end.fd), 1000);
	kernel.sent = UINT64_MAX;
	assert_int_equal(xfer_tls_used(connection.end.security, connection.end.fd), 1000);
	kernel.sent = 0;
	tls_connection_close(&connection);
	/* There sequence numbers are used up before keys are. */
	make(&connection, false, XFER_TLS_CHACHA20_POLY1305);
	kernel.sent = 23726567;
	assert_int_equal(xfer_tls_used(connection.end.security, connection.end.fd), 0);
	kernel.sent = kernel.received = 0;
	tls_connection_close(&connection);
}

/* The kernel refuses; the connection is closed, and it's said at which step. */
static void check_refusal(int *error, int value, int err, const char *text)
{
	struct tls_connection connection;

	tls_log_keep();
	*error = value;
	make(&connection, false, XFER_TLS_AES_128_GCM);
	*error = 0;
	assert_int_equal(connection.end.err, err);
	if (!strstr(connection.end.why, text))
		fail_msg("\"%s\" isn't in: %s", text, connection.end.why);
	assert_true(tls_log_has("failed: ", text));
	tls_connection_close(&connection);
}

static void test_refusals(void **state)
{
	(void)state;
	check_refusal(&kernel.tx_error, ENOENT, -EOPNOTSUPP, "sending: No such file or directory");
	check_refusal(&kernel.rx_error, ENOMEM, -EOPNOTSUPP, "receiving: Cannot allocate memory");
}

/* Before there is anything to shake hands about. */
static void test_no_ulp(void **state)
{
	static const struct {
		int error, err;
	} cases[] = { { ENOTCONN, -ECONNRESET }, { ENOENT, -EOPNOTSUPP } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct tls_end end;
		int pair[2];

		tls_ends_tcp(pair);
		kernel.ulp_error = cases[i].error;
		tls_end_start(&end, tls, node, pair[1], false, NULL);
		assert_int_equal(tls_end_wait(&end), cases[i].err);
		kernel.ulp_error = 0;
		assert_true(tls_at_end(pair[0]));
		tls_end_finish(&end);
		close(pair[0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_nothing_stays),
		cmocka_unit_test(test_no_secrets_stay),
		cmocka_unit_test(test_no_keys_stay),
		cmocka_unit_test(test_buffers_are_wiped),
		cmocka_unit_test(test_used),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_no_ulp),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
