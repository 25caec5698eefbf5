/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* tls_identity.c -- certificates with what belongs to them: broken ones, new ones */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "counters.h"
#include "log.h"
#include "support/tls_connection.h"
#include "tls/tls.h"

static struct pki *pki, *strangers;
static struct xfer_tls *tls;

static void issue(const char *name, const char *cn, bool revoked)
{
	pki_issue(pki, name,
		&(struct pki_wish){
			.cn = cn, .names = "DNS:s", .usage = PKI_EITHER, .revoked = revoked });
}

static int set_up(void **state)
{
	const struct xfer_tls_params params = { .ktls = XFER_KTLS_OFF };

	(void)state;
	tls_log_keep();
	pki = pki_create("test CA");
	strangers = pki_create("other CA");
	issue("s", "first", false);
	issue("other", "other", false);
	pki_write_crl(pki, 1);
	tls = tls_make(&params);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	xfer_tls_destroy(tls);
	pki_free(pki);
	pki_free(strangers);
	xfer_log_set_sink(NULL);
	return 0;
}

/* With this list of those who are revoked; NULL: none. */
static struct xfer_tls_identity *make(const char *name, const char *crl)
{
	struct xfer_tls_files files = pki_files(pki, name, pki);

	files.crl = crl;
	return tls_identity_make(tls, XFER_TLS_NODE, files);
}

/* --- files that can't be used ------------------------------------------------------------------- */

/* In the folder. */
static const char *write_file(const char *name, const char *text)
{
	const char *path = pki_path(pki, name);
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	return path;
}

/* The first `part` hundredths of a file. */
static const char *write_part(const char *name, const char *of, unsigned part)
{
	char text[8192] = { 0 };
	FILE *file = fopen(pki_path(pki, of), "re");
	size_t len;

	assert_non_null(file);
	len = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[len * part / 100] = '\0';
	return write_file(name, text);
}

static void refuse_as(enum xfer_tls_role role, const struct xfer_tls_files *files, int err,
	const char *named, const char *cause)
{
	struct xfer_tls_identity *identity = NULL;
	char why[512] = "";

	assert_int_equal(
		xfer_tls_identity_create(tls, role, files, &identity, why, sizeof(why)), err);
	assert_null(identity);
	if (!strstr(why, named) || !strstr(why, cause))
		fail_msg("\"%s\" and \"%s\" aren't in: %s", named, cause, why);
}

static void refuse(
	const struct xfer_tls_files *files, int err, const char *named, const char *cause)
{
	refuse_as(XFER_TLS_NODE, files, err, named, cause);
}

static void test_missing(void **state)
{
	struct xfer_tls_files files = pki_files(pki, "s", pki);

	(void)state;
	files.certificate = "/nonexistent/cert.pem";
	refuse(&files, -ENOENT, "/nonexistent/cert.pem", "create it, or correct the path");
	files = pki_files(pki, "s", pki);
	files.key = "/nonexistent/cert.key";
	refuse(&files, -ENOENT, "/nonexistent/cert.key", "create it");
	files = pki_files(pki, "s", pki);
	files.ca = "/nonexistent/ca.pem";
	refuse(&files, -ENOENT, "/nonexistent/ca.pem", "create it");
	files = pki_files(pki, "s", pki);
	files.crl = "/nonexistent/crl.pem";
	refuse(&files, -ENOENT, "/nonexistent/crl.pem", "create it");
}

static void test_not_configured(void **state)
{
	struct xfer_tls_files files = pki_files(pki, "s", pki);

	(void)state;
	files.certificate = NULL;
	refuse(&files, -EINVAL, "no file is configured", "certificate");
	files = pki_files(pki, "s", pki);
	files.key = NULL;
	refuse(&files, -EINVAL, "no file is configured", "key");
	files = pki_files(pki, "s", NULL);
	refuse(&files, -EINVAL, "no file is configured", "CA");
	files.crl = pki_path(pki, "crl.pem");
	refuse_as(XFER_TLS_PUBLIC, &files, -EINVAL, "revocation list", "no CA");
}

static void test_unreadable(void **state)
{
	struct xfer_tls_files files = pki_files(pki, "s", pki);

	(void)state;
	assert_int_equal(chmod(files.key, 0600), 0);
	/* Somebody else, for this thread's view of files. The folder may be looked into. */
	assert_int_equal(chmod(pki_path(pki, ""), 0755), 0);
	setfsuid(65534);
	refuse(&files, -EACCES, files.key, "let this process read it");
	setfsuid(0);
}

static void test_broken(void **state)
{
	struct xfer_tls_files files = pki_files(pki, "s", pki);

	(void)state;
	files.certificate = write_file("empty", "");
	refuse(&files, -EINVAL, "empty", "there is no certificate in it");
	files.certificate = write_part("half", "s.pem", 50);
	refuse(&files, -EINVAL, "half", "certificate");
	files.certificate = pki_path(pki, "");
	refuse(&files, -EINVAL, pki_path(pki, ""), "certificate");
	files = pki_files(pki, "s", pki);
	files.key = pki_path(pki, "empty");
	refuse(&files, -EINVAL, "empty", "there is no private key in it");
	files.key = write_part("half", "s.key", 50);
	refuse(&files, -EINVAL, "half", "private key");
	files = pki_files(pki, "s", pki);
	files.ca = pki_path(pki, "empty");
	refuse(&files, -EINVAL, "empty", "nobody could be verified");
	files.ca = write_part("half", "ca.pem", 50);
	refuse(&files, -EINVAL, "half", "CA");
	files = pki_files(pki, "s", pki);
	files.crl = pki_path(pki, "empty");
	refuse(&files, -EINVAL, "empty", "there is no revocation list in it");
	files.crl = write_part("half", "crl.pem", 50);
	refuse(&files, -EINVAL, "half", "revocation list");
}

static void test_wrong_key(void **state)
{
	struct xfer_tls_files files = pki_files(pki, "s", pki);

	(void)state;
	files.key = pki_path(pki, "other.key");
	refuse(&files, -EINVAL, "other.key", "doesn't belong to the certificate");
	pki_encrypt_key(pki, "s", "locked.key");
	files.key = pki_path(pki, "locked.key");
	refuse(&files, -EINVAL, "locked.key", "encrypted");
	refuse(&files, -EINVAL, "locked.key", "openssl pkey -in");
}

static void test_expired(void **state)
{
	(void)state;
	pki_issue(pki, "old",
		&(struct pki_wish){ .cn = "old",
			.names = "DNS:s",
			.usage = PKI_EITHER,
			.from_s = -7200,
			.until_s = -3600 });
	pki_issue(pki, "new",
		&(struct pki_wish){ .cn = "new",
			.names = "DNS:s",
			.usage = "serverAuth",
			.from_s = 3600,
			.until_s = 7200 });
	xfer_tls_identity_destroy(make("old", NULL));
	assert_true(tls_log_has("old.pem", "has expired"));
	xfer_tls_identity_destroy(make("new", NULL));
	assert_true(tls_log_has("new.pem", "not valid yet"));
	assert_true(tls_log_has("new.pem", "clientAuth"));
}

/* --- new files ---------------------------------------------------------------------------------- */

static void test_key_for_everybody(void **state)
{
	const char *key = pki_path(pki, "s.key");

	(void)state;
	issue("s", "first", false);
	assert_int_equal(chmod(key, 0640), 0);
	tls_log_keep();
	xfer_tls_identity_destroy(make("s", NULL));
	assert_false(tls_log_has("s.key", ""));
	assert_int_equal(chmod(key, 0644), 0);
	xfer_tls_identity_destroy(make("s", NULL));
	assert_true(tls_log_has(
		"s.key: everybody on this host can read or change the key", "chmod o="));
}

/* A client of this certificate connects; what the server's certificate is called, or NULL: it was refused. */
static const char *connect_from(
	const struct pki *from, const char *name, struct xfer_tls_identity *identity)
{
	const struct tls_peer_wish wish = { .files = pki_files(from, name, NULL) };
	static char cn[64];
	struct tls_connection connection;
	int err;

	tls_connection_open(&connection, tls, identity, NULL, &wish);
	tls_peer_handshake(&connection.peer);
	err = tls_end_wait(&connection.end);
	if (err == 0)
		X509_NAME_get_text_by_NID(
			X509_get_subject_name(SSL_get0_peer_certificate(connection.peer.ssl)),
			NID_commonName, cn, sizeof(cn));
	tls_connection_close(&connection);
	return err ? NULL : cn;
}

static const char *connect_as(const char *name, struct xfer_tls_identity *identity)
{
	return connect_from(pki, name, identity);
}

static void test_reload(void **state)
{
	uint64_t before = xfer_counters[XFER_CNT_TLS_RELOADS];
	struct xfer_tls_identity *identity;
	const struct tls_peer_wish wish = { .files = pki_files(pki, "other", NULL) };
	struct tls_connection connection;
	char text[4];

	(void)state;
	issue("r", "first", false);
	identity = make("r", NULL);
	tls_connection_make(&connection, tls, identity, NULL, &wish);
	assert_string_equal(connect_as("other", identity), "first");
	issue("r", "second", false);
	xfer_tls_reload(tls);
	assert_string_equal(connect_as("other", identity), "second");
	assert_true(xfer_counters[XFER_CNT_TLS_RELOADS] > before);
	assert_true(tls_log_has("r.pem", "was read again"));
	/* Old connections go on. */
	assert_true(tls_peer_write(&connection.peer, "more", 4));
	assert_int_equal(tls_read_all(connection.end.fd, text, 4), 0);
	tls_connection_close(&connection);
	xfer_tls_identity_destroy(identity);
}

/* Nobody asks for it: the files are looked at. */
static void test_change_is_seen(void **state)
{
	struct xfer_tls_identity *identity;
	const char *name;

	(void)state;
	issue("r", "first", false);
	identity = make("r", NULL);
	issue("r", "second", false);
	while (strcmp(name = connect_as("other", identity), "second") != 0) {
		assert_string_equal(name, "first");
		usleep(50000);
	}
	xfer_tls_identity_destroy(identity);
}

static void look_twice(void)
{
	for (int i = 0; i < 2; i++)
		xfer_tls_identities_look(&tls->identities, false);
}

/* The old set stays, and that is said once for each attempt to bring a new one. */
static void check_broken(struct xfer_tls_identity *identity, const char *cause)
{
	uint64_t before = xfer_counters[XFER_CNT_TLS_RELOADS_FAILED];

	look_twice();
	if (!tls_log_has("the certificate in use stays", cause))
		fail_msg("not logged: %s", cause);
	assert_int_equal(tls_log_count("the certificate in use stays"), 1);
	assert_true(xfer_counters[XFER_CNT_TLS_RELOADS_FAILED] >= before);
	assert_string_equal(connect_as("other", identity), "first");
	tls_log_keep();
}

static void test_broken_new_set(void **state)
{
	struct xfer_tls_identity *identity;
	char *status;

	(void)state;
	issue("r", "first", false);
	pki_write_crl(pki, 1);
	write_part("r_crl.pem", "crl.pem", 100);
	identity = make("r", pki_path(pki, "r_crl.pem"));
	tls_log_keep();
	/* The key of another certificate; then half a certificate; then none; then half a revocation list. */
	write_part("r.key", "other.key", 100);
	check_broken(identity, "doesn't belong");
	write_part("r.pem", "s.pem", 60);
	check_broken(identity, "certificate");
	unlink(pki_path(pki, "r.pem"));
	check_broken(identity, "No such file");
	status = xfer_tls_status(tls);
	assert_non_null(strstr(status, "\"newer_files_broken\":true"));
	free(status);
	/* All is well again. */
	issue("r", "second", false);
	xfer_tls_identities_look(&tls->identities, false);
	assert_string_equal(connect_as("other", identity), "second");
	status = xfer_tls_status(tls);
	assert_non_null(strstr(status, "\"newer_files_broken\":false"));
	free(status);
	xfer_tls_identity_destroy(identity);
}

static void test_empty_new_ca(void **state)
{
	struct xfer_tls_files files = pki_files(pki, "s", NULL);
	struct xfer_tls_identity *identity;

	(void)state;
	issue("s", "first", false);
	files.ca = write_part("r_ca.pem", "ca.pem", 100);
	identity = tls_identity_make(tls, XFER_TLS_NODE, files);
	tls_log_keep();
	write_file("r_ca.pem", "");
	check_broken(identity, "nobody could be verified");
	xfer_tls_identity_destroy(identity);
}

/* Who is revoked while the server runs is refused from the next connection on. */
static void test_new_crl(void **state)
{
	struct xfer_tls_identity *identity;

	(void)state;
	issue("s", "first", false);
	issue("c", "client", false);
	pki_write_crl(pki, 1);
	identity = make("s", pki_path(pki, "crl.pem"));
	assert_non_null(connect_as("c", identity));
	issue("c", "client", true);
	xfer_tls_reload(tls);
	assert_null(connect_as("c", identity));
	assert_non_null(connect_as("other", identity));
	/* A list that is out of date accepts nobody. */
	pki_write_crl(pki, -1);
	xfer_tls_reload(tls);
	assert_true(tls_log_has("crl.pem", "out of date"));
	assert_null(connect_as("other", identity));
	assert_true(tls_log_has("failed: ", "the revocation list is out of date"));
	pki_write_crl(pki, 1);
	xfer_tls_identity_destroy(identity);
}

/* One that doesn't say when the next one comes is never out of date. */
static void test_crl_without_date(void **state)
{
	struct pki *fresh = pki_create("fresh CA"), *usual = pki;
	struct xfer_tls_identity *identity;

	(void)state;
	pki = fresh;
	issue("s", "first", false);
	issue("c", "client", false);
	pki_write_crl(pki, 0);
	identity = make("s", pki_path(pki, "crl.pem"));
	assert_non_null(connect_as("c", identity));
	xfer_tls_identity_destroy(identity);
	pki_free(pki);
	pki = usual;
}

/* A file of the folder that has one file's text, then another's; NULL: none. */
static const char *join(const char *name, const char *first, const char *second)
{
	const char *const from[] = { first, second };
	char text[8192] = { 0 };
	size_t len = 0;

	for (int i = 0; i < 2 && from[i]; i++) {
		FILE *file = fopen(from[i], "re");

		assert_non_null(file);
		len += fread(text + len, 1, sizeof(text) - 1 - len, file);
		fclose(file);
	}
	return write_file(name, text);
}

/* Who is revoked may be an authority: then all that it has issued is refused. It needs no list of its own issuer's. */
static void test_revoked_authority(void **state)
{
	struct pki *below = pki_create_below(pki, "authority");
	struct xfer_tls_identity *identity;

	(void)state;
	issue("s", "first", false);
	pki_issue_node(below, "c");
	pki_write_crl(below, 1);
	pki_write_crl(pki, 1);
	identity = make("s", join("lists", pki_path(below, "crl.pem"), NULL));
	assert_non_null(connect_from(below, "c", identity));
	join("lists", pki_path(below, "crl.pem"), pki_path(pki, "crl.pem"));
	xfer_tls_reload(tls);
	assert_non_null(connect_from(below, "c", identity));
	pki_revoke(pki, below);
	join("lists", pki_path(below, "crl.pem"), pki_path(pki, "crl.pem"));
	xfer_tls_reload(tls);
	assert_null(connect_from(below, "c", identity));
	assert_true(tls_log_has("revoked", "in its chain: CN=authority"));
	assert_non_null(connect_as("other", identity));
	xfer_tls_identity_destroy(identity);
	pki_free(below);
}

/* A list of another CA says nothing of this one's certificates: nobody is accepted by mistake. */
static void test_crl_of_others(void **state)
{
	struct xfer_tls_identity *identity;

	(void)state;
	issue("s", "first", false);
	pki_write_crl(strangers, 1);
	identity = make("s", pki_path(strangers, "crl.pem"));
	assert_null(connect_as("other", identity));
	assert_true(tls_log_has("failed: ", "there is no revocation list of the CA"));
	xfer_tls_identity_destroy(identity);
}

static void test_status(void **state)
{
	struct xfer_tls_identity *identity;
	char *text;
	json_t *status, *certificate;

	(void)state;
	issue("s", "first", false);
	identity = make("s", NULL);
	text = xfer_tls_status(tls);
	assert_non_null(text);
	status = json_loads(text, 0, NULL);
	assert_non_null(status);
	assert_string_equal(json_string_value(json_object_get(status, "carrier")), "relay");
	assert_int_equal(json_array_size(json_object_get(status, "ciphers")), XFER_TLS_CIPHERS);
	certificate = json_array_get(json_object_get(status, "certificates"), 0);
	assert_string_equal(json_string_value(json_object_get(certificate, "subject")), "CN=first");
	assert_string_equal(json_string_value(json_object_get(certificate, "names")), "dns:s");
	assert_int_equal(
		strlen(json_string_value(json_object_get(certificate, "fingerprint"))), 64);
	assert_int_equal(strlen(json_string_value(json_object_get(certificate, "expires"))),
		strlen("2026-11-29T18:42:00Z"));
	assert_true(json_is_integer(
		json_object_get(json_object_get(status, "counters"), "tls_handshakes")));
	assert_int_equal(json_object_size(json_object_get(status, "counters")),
		XFER_CNT_COUNT - XFER_CNT_TLS_HANDSHAKES);
	json_decref(status);
	free(text);
	xfer_tls_identity_destroy(identity);
}

static void test_what_users_count(void **state)
{
	static const char *const names[] = {
		[XFER_TLS_USED_UP] = "tls_used_up",
		[XFER_TLS_OFFERS_TOO_MANY] = "tls_offers_too_many",
		[XFER_TLS_OFFERS_TOO_MANY_OF_ADDRESS] = "tls_offers_too_many_of_address",
		[XFER_TLS_OFFERS_NOT_BEGUN] = "tls_offers_not_begun",
		[XFER_TLS_XPRTSEC_REFUSED] = "xprtsec_refused",
		[XFER_TLS_XPRTSEC_STRANGERS] = "xprtsec_strangers",
	};
	char *text, counted[64];

	(void)state;
	for (unsigned event = 0; event <= XFER_TLS_XPRTSEC_STRANGERS; event++)
		for (unsigned i = 0; i <= event; i++)
			xfer_tls_count(event);
	text = xfer_tls_status(tls);
	for (unsigned event = 0; event <= XFER_TLS_XPRTSEC_STRANGERS; event++) {
		snprintf(counted, sizeof(counted), "\"%s\":%u", names[event], event + 1);
		assert_non_null(strstr(text, counted));
	}
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_not_configured),
		cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_key_for_everybody),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_wrong_key),
		cmocka_unit_test(test_expired),
		cmocka_unit_test(test_reload),
		cmocka_unit_test(test_change_is_seen),
		cmocka_unit_test(test_broken_new_set),
		cmocka_unit_test(test_empty_new_ca),
		cmocka_unit_test(test_new_crl),
		cmocka_unit_test(test_crl_without_date),
		cmocka_unit_test(test_revoked_authority),
		cmocka_unit_test(test_crl_of_others),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_what_users_count),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
