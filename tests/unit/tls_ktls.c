/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* tls_ktls.c -- the kernel carries what both ends agreed on; where it can't, that is said */

#include <errno.h>
#include <linux/tls.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "counters.h"
#include "log.h"
#include "support/pki.h"
#include "support/tls_ends.h"
#include "tls/ktls.h"
#include "tls/tls.h"

/*
 * On a kernel with TLS each cipher carries so many connections at a time; on others it's shown what is said of that. Runs
 * in guests, too (tests/vm).
 */
#define CONNECTIONS 64
#define BYTES       (256u << 10)

static struct pki *pki;
static bool has_ktls;

static int set_up(void **state)
{
	char why[256];

	(void)state;
	tls_log_keep();
	pki = pki_create("test CA");
	pki_issue_node(pki, "a");
	pki_issue_node(pki, "b");
	has_ktls = xfer_ktls_probe((1u << XFER_TLS_CIPHERS) - 1, why, sizeof(why)) != 0;
	print_message("this kernel has %s\n", has_ktls ? "TLS" : why);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	pki_free(pki);
	xfer_log_set_sink(NULL);
	return 0;
}

static void check_refusal(void)
{
	const struct xfer_tls_params require = { .ktls = XFER_KTLS_REQUIRE };
	const struct xfer_tls_params prefer = { .ktls = XFER_KTLS_PREFER };
	struct xfer_tls *tls = NULL;
	char why[512];

	assert_int_equal(xfer_tls_create(&require, &tls, why, sizeof(why)), -EOPNOTSUPP);
	assert_null(tls);
	assert_non_null(strstr(why, "the kernel can't carry TLS connections"));
	assert_non_null(strstr(why, "modprobe tls"));
	assert_non_null(strstr(why, "Ktls = prefer"));
	assert_int_equal(xfer_tls_create(&prefer, &tls, why, sizeof(why)), 0);
	assert_false(xfer_tls_in_kernel(tls));
	assert_true(tls_log_has("the kernel can't carry TLS connections", "RELAY"));
	xfer_tls_destroy(tls);
}

static void test_require(void **state)
{
	const struct xfer_tls_params params = { .ktls = XFER_KTLS_REQUIRE };
	struct xfer_tls *tls;
	char why[512];

	(void)state;
	if (!has_ktls) {
		check_refusal();
		return;
	}
	assert_int_equal(xfer_tls_create(&params, &tls, why, sizeof(why)), 0);
	assert_true(xfer_tls_in_kernel(tls));
	assert_int_equal(tls->ciphers, (1u << XFER_TLS_CIPHERS) - 1);
	xfer_tls_destroy(tls);
}

/* --- without TLS in the kernel -------------------------------------------------------------------- */

/* What the kernel says comes back as it is. */
static void test_refused_calls(void **state)
{
	struct xfer_tls_keys keys = { .cipher = XFER_TLS_AES_128_GCM };
	const char *step = NULL;
	uint64_t records;
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_true(xfer_ktls_prepare(pair[0]) < 0);
	assert_true(xfer_ktls_install(pair[0], &keys, &step) < 0);
	assert_string_equal(step, "sending");
	assert_true(xfer_ktls_records(pair[0], XFER_TLS_AES_128_GCM, &records) < 0);
	close(pair[0]);
	close(pair[1]);
	assert_int_equal(xfer_ktls_close_notify(-1), -EBADF);
}

/* --- with it ------------------------------------------------------------------------------------ */

struct ends {
	struct tls_end ends[2];
};

static struct xfer_tls *create_with(enum xfer_tls_cipher cipher)
{
	const struct xfer_tls_params params = { .ktls = XFER_KTLS_REQUIRE,
		.handshakes_per_address = 2 * CONNECTIONS,
		.handshake_ms = 60000 };
	struct xfer_tls *tls = tls_make(&params);

	snprintf(tls->identities.settings.ciphersuites, XFER_TLS_CIPHERSUITES, "%s",
		xfer_tls_cipher_types[cipher].name);
	return tls;
}

struct sending {
	pthread_t thread;
	int fd;
	uint8_t seed;
};

static void *send_bytes(void *arg)
{
	struct sending *sending = arg;
	uint8_t *bytes = malloc(BYTES);

	tls_fill(bytes, BYTES, sending->seed);
	assert_int_equal(tls_write_all(sending->fd, bytes, BYTES), 0);
	free(bytes);
	return NULL;
}

/* Both directions at a time, on all connections. */
static void exchange(struct ends *all)
{
	static struct sending sendings[CONNECTIONS][2];
	uint8_t *got = malloc(BYTES), *expected = malloc(BYTES);

	for (int i = 0; i < CONNECTIONS; i++)
		for (int j = 0; j < 2; j++) {
			sendings[i][j].fd = all[i].ends[j].fd;
			sendings[i][j].seed = (uint8_t)(2 * i + j);
			assert_int_equal(pthread_create(&sendings[i][j].thread, NULL, send_bytes,
						 &sendings[i][j]),
				0);
		}
	for (int i = 0; i < CONNECTIONS; i++)
		for (int j = 0; j < 2; j++) {
			assert_int_equal(tls_read_all(all[i].ends[!j].fd, got, BYTES), 0);
			tls_fill(expected, BYTES, (uint8_t)(2 * i + j));
			assert_memory_equal(got, expected, BYTES);
		}
	for (int i = 0; i < CONNECTIONS; i++)
		for (int j = 0; j < 2; j++)
			pthread_join(sendings[i][j].thread, NULL);
	free(got);
	free(expected);
}

/* close_notify comes as a record of its own kind, and is followed by the end. */
static void check_goodbye(struct tls_end *from, struct tls_end *to)
{
	uint8_t alert[8];
	char control[CMSG_SPACE(1)] = { 0 };
	struct iovec iov = { alert, sizeof(alert) };
	struct msghdr msg = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control) };
	struct cmsghdr *cmsg;

	xfer_tls_goodbye(from->security, from->fd);
	close(from->fd);
	from->fd = -1;
	while (recvmsg(to->fd, &msg, 0) < 0)
		assert_int_equal(errno, EAGAIN);
	cmsg = CMSG_FIRSTHDR(&msg);
	assert_non_null(cmsg);
	assert_int_equal(cmsg->cmsg_type, TLS_GET_RECORD_TYPE);
	assert_int_equal(*CMSG_DATA(cmsg), 21);
	assert_memory_equal(alert, "\x01\x00", 2);
	assert_int_equal(recv(to->fd, alert, 1, 0), 0);
}

static void check_ends(struct ends *ends, enum xfer_tls_cipher cipher)
{
	uint64_t records = 0;

	for (int j = 0; j < 2; j++) {
		assert_string_equal(xfer_tls_security_cipher(ends->ends[j].security),
			xfer_tls_cipher_types[cipher].name);
		assert_true(xfer_tls_security_in_kernel(ends->ends[j].security));
		assert_int_equal(xfer_ktls_records(ends->ends[j].fd, cipher, &records), 0);
		assert_true(records >= BYTES / 16384);
		assert_int_equal(xfer_tls_used(ends->ends[j].security, ends->ends[j].fd), 0);
	}
	check_goodbye(&ends->ends[0], &ends->ends[1]);
}

static void carry(enum xfer_tls_cipher cipher)
{
	static struct ends all[CONNECTIONS];
	struct xfer_tls *tls = create_with(cipher);
	struct xfer_tls_identity *a, *b;

	a = tls_identity_make(tls, XFER_TLS_NODE, pki_files(pki, "a", pki));
	b = tls_identity_make(tls, XFER_TLS_NODE, pki_files(pki, "b", pki));
	for (int i = 0; i < CONNECTIONS; i++) {
		int pair[2];

		tls_ends_tcp(pair);
		tls_end_start(&all[i].ends[0], tls, a, pair[0], true, "b");
		tls_end_start(&all[i].ends[1], tls, b, pair[1], false, "a");
	}
	for (int i = 0; i < CONNECTIONS; i++)
		for (int j = 0; j < 2; j++)
			if (tls_end_wait(&all[i].ends[j]))
				fail_msg("%s", all[i].ends[j].why);
	exchange(all);
	for (int i = 0; i < CONNECTIONS; i++) {
		check_ends(&all[i], cipher);
		tls_end_finish(&all[i].ends[0]);
		tls_end_finish(&all[i].ends[1]);
	}
	xfer_tls_identity_destroy(a);
	xfer_tls_identity_destroy(b);
	xfer_tls_destroy(tls);
}

static void test_each_cipher(void **state)
{
	uint64_t before = xfer_counters[XFER_CNT_TLS_IN_KERNEL];

	(void)state;
	for (enum xfer_tls_cipher cipher = 0; cipher < XFER_TLS_CIPHERS && has_ktls; cipher++)
		carry(cipher);
	assert_int_equal(xfer_counters[XFER_CNT_TLS_IN_KERNEL] - before,
		has_ktls ? XFER_TLS_CIPHERS * 2 * CONNECTIONS : 0);
	assert_int_equal(xfer_counters[XFER_CNT_TLS_RELAYED], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_require),
		cmocka_unit_test(test_refused_calls),
		cmocka_unit_test(test_each_cipher),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
