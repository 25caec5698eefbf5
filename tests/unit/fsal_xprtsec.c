/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* fsal_xprtsec.c -- what an export's Xprtsec lets in, and what it says to whom it doesn't */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "xprtsec.h"

/* --- connections, instead of those of libxfer ---------------------------------------------------- */

struct xfer_tls_security {
	bool mutual;
	const char *name;
};

bool xfer_tls_security_mutual(const struct xfer_tls_security *security)
{
	return security->mutual;
}

bool xfer_tls_security_has_name(const struct xfer_tls_security *security, const char *name)
{
	return security->mutual && strcmp(security->name, name) == 0;
}

const char *xfer_tls_security_names(const struct xfer_tls_security *security)
{
	return security->name;
}

const char *xfer_tls_security_subject(const struct xfer_tls_security *security)
{
	return security->mutual ? "CN=the subject" : "";
}

static const struct xfer_tls_security anonymous = { .name = "" };
static const struct xfer_tls_security a = { .mutual = true, .name = "a.example.org" };
static const struct xfer_tls_security nameless = { .mutual = true, .name = "" };
static const struct xfer_tls_security b = { .mutual = true, .name = "10.0.0.7" };

static void make(struct xprtsec *policy, uint32_t kinds, const char *names)
{
	char why[256] = "";

	if (xprtsec_init(policy, kinds, false, names, why, sizeof(why)))
		fail_msg("%s", why);
}

/* --- tests -------------------------------------------------------------------------------------- */

/* Each kind of connection is let in by its own word, and by no other. */
static void test_kinds(void **state)
{
	static const struct {
		const struct xfer_tls_security *security;
		uint32_t kind;
		enum xprtsec_verdict refused;
	} connections[] = {
		{ NULL, XPRTSEC_NONE, XPRTSEC_CLEARTEXT },
		{ &anonymous, XPRTSEC_TLS, XPRTSEC_NO_CERTIFICATE },
		{ &a, XPRTSEC_MTLS, XPRTSEC_CERTIFICATE },
	};
	(void)state;

	for (uint32_t kinds = 1; kinds <= XPRTSEC_ANY; kinds++) {
		struct xprtsec policy;

		make(&policy, kinds, NULL);
		for (size_t i = 0; i < 3; i++)
			assert_int_equal(xprtsec_judge(&policy, connections[i].security),
				kinds & connections[i].kind ? XPRTSEC_ADMITTED
							    : connections[i].refused);
		assert_int_equal(xprtsec_is_open(&policy), kinds == XPRTSEC_ANY);
		xprtsec_fini(&policy);
	}
}

/* A policy that was never made lets nobody in. */
static void test_nothing(void **state)
{
	static const struct xprtsec policy;
	(void)state;

	assert_int_equal(xprtsec_judge(&policy, NULL), XPRTSEC_CLEARTEXT);
	assert_int_equal(xprtsec_judge(&policy, &a), XPRTSEC_CERTIFICATE);
	assert_false(xprtsec_is_open(&policy));
}

static void test_names(void **state)
{
	struct xprtsec policy;
	(void)state;

	make(&policy, XPRTSEC_ANY, "x,  10.0.0.7 ,fe80::1");
	assert_int_equal(xprtsec_judge(&policy, &b), XPRTSEC_ADMITTED);
	assert_int_equal(xprtsec_judge(&policy, &a), XPRTSEC_OTHER_NAME);
	/* Names are those of certificates: who shows none isn't asked for one. */
	assert_int_equal(xprtsec_judge(&policy, &anonymous), XPRTSEC_ADMITTED);
	assert_int_equal(xprtsec_judge(&policy, NULL), XPRTSEC_ADMITTED);
	assert_false(xprtsec_is_open(&policy));
	xprtsec_fini(&policy);
	make(&policy, XPRTSEC_MTLS, "a.example.org");
	assert_int_equal(xprtsec_judge(&policy, &a), XPRTSEC_ADMITTED);
	assert_int_equal(xprtsec_judge(&policy, &b), XPRTSEC_OTHER_NAME);
	xprtsec_fini(&policy);
}

static void refuse(uint32_t kinds, const char *names, const char *text)
{
	char why[256] = "";
	struct xprtsec policy;

	assert_int_equal(xprtsec_init(&policy, kinds, false, names, why, sizeof(why)), -EINVAL);
	if (!strstr(why, text))
		fail_msg("\"%s\" doesn't say \"%s\"", why, text);
	assert_null(policy.names);
}

static void test_bad_configuration(void **state)
{
	char long_name[300];
	(void)state;

	memset(long_name, 'a', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	refuse(0, NULL, "write  Xprtsec = none, tls, mtls");
	refuse(XPRTSEC_TLS, "a", "add  mtls");
	refuse(XPRTSEC_MTLS, "", "\"\" is no host name");
	refuse(XPRTSEC_MTLS, "a,,b", "\"\" is no host name");
	refuse(XPRTSEC_MTLS, "a,", "\"\" is no host name");
	refuse(XPRTSEC_MTLS, "a b", "\"a b\" is no host name");
	refuse(XPRTSEC_MTLS, "a, *.example.org", "\"*.example.org\" is no host name");
	/* OpenSSL would take it for all names that end so. */
	refuse(XPRTSEC_MTLS, ".example.org", "\".example.org\" is no host name");
	refuse(XPRTSEC_MTLS, "DNS/a", "\"DNS/a\" is no host name");
	refuse(XPRTSEC_MTLS, long_name, "is no host name");
}

/* Each refusal names the word that would have to be added. */
static void test_explanations(void **state)
{
	static const struct {
		enum xprtsec_verdict verdict;
		const struct xfer_tls_security *security;
		const char *word, *also;
	} all[] = {
		{ XPRTSEC_CLEARTEXT, NULL, "add  none ", "cleartext" },
		{ XPRTSEC_NO_CERTIFICATE, &anonymous, "add  tls ", "without a certificate" },
		{ XPRTSEC_CERTIFICATE, &a, "add  mtls ", "a.example.org" },
		{ XPRTSEC_OTHER_NAME, &b, "Xprtsec_Names", "10.0.0.7" },
		{ XPRTSEC_OTHER_NAME, &nameless, "Xprtsec_Names", "CN=the subject" },
	};
	(void)state;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		char text[512];

		xprtsec_explain(all[i].verdict, all[i].security, text, sizeof(text));
		assert_non_null(strstr(text, all[i].word));
		assert_non_null(strstr(text, all[i].also));
	}
}

/* However long a certificate's names are. */
static void test_explanations_are_cut(void **state)
{
	char names[4096], text[128];
	struct xfer_tls_security wordy = { .mutual = true, .name = names };
	(void)state;

	memset(names, 'n', sizeof(names) - 1);
	names[sizeof(names) - 1] = '\0';
	xprtsec_explain(XPRTSEC_OTHER_NAME, &wordy, text, sizeof(text));
	assert_int_equal(strlen(text), sizeof(text) - 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_bad_configuration),
		cmocka_unit_test(test_explanations),
		cmocka_unit_test(test_explanations_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
