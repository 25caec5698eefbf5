/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* tls_ciphers.c -- what OpenSSL's configuration forbids isn't offered */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "log.h"
#include "tls/tls.h"

/* As a system's policy, or FIPS, would. */
static void configure(const char *ciphersuites)
{
	char path[] = "/tmp/xfer-openssl.XXXXXX";
	int fd = mkstemp(path);
	FILE *file = fdopen(fd, "w");

	fprintf(file,
		"openssl_conf = init\n[init]\nssl_conf = ssl\n[ssl]\nsystem_default = policy\n[policy]\n"
		"Ciphersuites = %s\n",
		ciphersuites);
	fclose(file);
	setenv("OPENSSL_CONF", path, 1);
	OPENSSL_init_ssl(0, NULL);
	unlink(path);
}

/* OpenSSL reads its configuration once, so each has a process. Whether this is it. */
static bool in_child(void)
{
	pid_t child = fork();
	int status = -1;

	assert_true(child >= 0);
	if (child == 0)
		return true;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	return false;
}

static void quiet(enum xfer_log_level level, const char *line)
{
	(void)level;
	(void)line;
}

/* The child's exit code: 0, all is as expected. */
static int check(const char *ciphersuites, unsigned ciphers)
{
	const struct xfer_tls_params params = { .ktls = XFER_KTLS_OFF };
	struct xfer_tls *tls = NULL;
	char why[512] = "";
	int err;

	xfer_log_set_sink(quiet);
	configure(ciphersuites);
	err = xfer_tls_create(&params, &tls, why, sizeof(why));
	if (ciphers == 0)
		return err == -EOPNOTSUPP && strstr(why, "openssl.cnf") ? 0 : 1;
	if (err || tls->ciphers != ciphers)
		return 1;
	xfer_tls_destroy(tls);
	return 0;
}

static void test_policies(void **state)
{
	static const struct {
		const char *ciphersuites;
		unsigned ciphers;
	} cases[] = {
		{ "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256",
			1u << XFER_TLS_AES_128_GCM | 1u << XFER_TLS_AES_256_GCM },
		{ "TLS_CHACHA20_POLY1305_SHA256", 1u << XFER_TLS_CHACHA20_POLY1305 },
		{ "TLS_AES_128_CCM_SHA256", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (in_child())
			_exit(check(cases[i].ciphersuites, cases[i].ciphers));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_policies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
