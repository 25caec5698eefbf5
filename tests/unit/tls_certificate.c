/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* tls_certificate.c -- which names certificates have, what they are for, and how they are written in the log */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/pem.h>

#include "support/pki.h"
#include "tls/certificate.h"
#include "tls/security.h"

static struct pki *pki;

static int set_up(void **state)
{
	(void)state;
	pki = pki_create("test CA");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	pki_free(pki);
	return 0;
}

static X509 *issue(const struct pki_wish *wish)
{
	X509 *certificate;
	FILE *file;

	pki_issue(pki, "c", wish);
	file = fopen(pki_path(pki, "c.pem"), "re");
	assert_non_null(file);
	certificate = PEM_read_X509(file, NULL, NULL, NULL);
	fclose(file);
	assert_non_null(certificate);
	return certificate;
}

static void check_names(
	const struct pki_wish *wish, const char *const *has, const char *const *has_not)
{
	X509 *certificate = issue(wish);

	for (; *has; has++)
		if (!xfer_tls_certificate_has_name(certificate, *has))
			fail_msg("%s lacks %s", wish->names ? wish->names : wish->cn, *has);
	for (; *has_not; has_not++)
		if (xfer_tls_certificate_has_name(certificate, *has_not))
			fail_msg("%s has %s", wish->names ? wish->names : wish->cn, *has_not);
	X509_free(certificate);
}

#define NAMES(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void test_names(void **state)
{
	(void)state;
	/* The CN counts only where there is no SAN, of whatever kind. */
	check_names(
		&(struct pki_wish){ .cn = "a" }, NAMES("a", "A"), NAMES("b", "", "a.b", "CN=a"));
	check_names(&(struct pki_wish){ .cn = "a", .names = "DNS:b" }, NAMES("b"), NAMES("a"));
	check_names(&(struct pki_wish){ .cn = "a", .names = "IP:10.0.0.1" }, NAMES("10.0.0.1"),
		NAMES("a", "10.0.0.10"));
	check_names(&(struct pki_wish){ .cn = "a", .names = "email:a@example.org" },
		NAMES("a@example.org") + 1, NAMES("a", "a@example.org"));
	check_names(&(struct pki_wish){ .cn = "x", .names = "DNS:a,DNS:b.example.org,IP:fe80::1" },
		NAMES("a", "b.example.org", "B.Example.Org", "fe80::1", "FE80:0:0::1"),
		NAMES("x", "example.org", "c"));
	/* An address that is written as a name is a name, and the other way round. */
	check_names(&(struct pki_wish){ .cn = "x", .names = "DNS:10.0.0.1" }, NAMES("x") + 1,
		NAMES("10.0.0.2"));
}

static void test_patterns(void **state)
{
	const struct pki_wish wish = { .cn = "x", .names = "DNS:*.example.org,DNS:f*.example.com" };

	(void)state;
	check_names(&wish, NAMES("a.example.org"),
		NAMES("example.org", "a.b.example.org", "foo.example.com", "*.example.com"));
}

static void test_usage(void **state)
{
	static const struct {
		const char *usage;
		bool server, client;
	} cases[] = {
		{ NULL, false, false },
		{ "serverAuth", true, false },
		{ "clientAuth", false, true },
		{ "serverAuth,clientAuth", true, true },
		{ "codeSigning", false, false },
		{ "anyExtendedKeyUsage", false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		X509 *certificate = issue(&(struct pki_wish){ .cn = "a", .usage = cases[i].usage });

		assert_int_equal(
			xfer_tls_certificate_is_for(certificate, NID_server_auth), cases[i].server);
		assert_int_equal(
			xfer_tls_certificate_is_for(certificate, NID_client_auth), cases[i].client);
		X509_free(certificate);
	}
}

/* Nothing that a certificate says can begin a line of its own, or look like another name. */
static void test_texts(void **state)
{
	X509 *certificate = issue(&(struct pki_wish){ .cn = "a\nb, \xc3\xa4",
		.names = "DNS:a b,DNS:c,IP:10.0.0.1,IP:fe80::1,email:d@e" });
	char *subject = xfer_tls_certificate_subject(certificate);
	char *names = xfer_tls_certificate_names(certificate);

	(void)state;
	assert_string_equal(subject, "CN=a\\0Ab\\, \\C3\\A4");
	assert_string_equal(names, "dns:a\\20b dns:c ip:10.0.0.1 ip:fe80::1");
	free(subject);
	free(names);
	X509_free(certificate);
}

static void test_record(void **state)
{
	X509 *certificate = issue(&(struct pki_wish){ .cn = "a" });
	struct xfer_tls_security *with =
		xfer_tls_security_create(XFER_TLS_AES_256_GCM, true, certificate);
	struct xfer_tls_security *without =
		xfer_tls_security_create(XFER_TLS_CHACHA20_POLY1305, false, NULL);

	(void)state;
	X509_free(certificate);
	xfer_tls_security_ref(with);
	xfer_tls_security_unref(with);
	assert_true(xfer_tls_security_mutual(with));
	assert_true(xfer_tls_security_in_kernel(with));
	assert_string_equal(xfer_tls_security_subject(with), "CN=a");
	assert_string_equal(xfer_tls_security_names(with), "");
	assert_true(xfer_tls_security_has_name(with, "a"));
	assert_string_equal(xfer_tls_security_cipher(with), "TLS_AES_256_GCM_SHA384");
	assert_false(xfer_tls_security_mutual(without));
	assert_false(xfer_tls_security_in_kernel(without));
	assert_string_equal(xfer_tls_security_subject(without), "");
	assert_string_equal(xfer_tls_security_names(without), "");
	assert_string_equal(xfer_tls_security_fingerprint(without), "");
	assert_false(xfer_tls_security_has_name(without, "a"));
	assert_false(xfer_tls_security_has_name(without, ""));
	xfer_tls_security_unref(with);
	xfer_tls_security_unref(without);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_usage),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_record),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
