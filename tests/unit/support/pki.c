/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* pki.c -- a CA for tests, and certificates of it, in a folder of their own */

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "support/pki.h"

struct pki {
	char folder[64];
	EVP_PKEY *key;
	X509 *ca;
	X509_CRL *crl;
	bool below; /* another PKI's */
	long serial;
};

/* Tests can do nothing without it. */
static void must(bool done, const char *what)
{
	if (done)
		return;
	fprintf(stderr, "pki: %s failed\n", what);
	abort();
}

const char *pki_path(const struct pki *pki, const char *file)
{
	static _Thread_local char paths[16][256];
	static _Thread_local unsigned next;
	char *path = paths[next++ % 16];

	snprintf(path, sizeof(paths[0]), "%s/%s", pki->folder, file);
	return path;
}

static FILE *create(const struct pki *pki, const char *name, const char *suffix)
{
	char file[128];
	FILE *stream;

	snprintf(file, sizeof(file), "%s%s", name, suffix);
	stream = fopen(pki_path(pki, file), "we");
	must(stream != NULL, "fopen");
	return stream;
}

static void extend(struct pki *pki, X509 *certificate, int nid, const char *value)
{
	X509_EXTENSION *extension;
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, pki->ca ? pki->ca : certificate, certificate, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	must(extension && X509_add_ext(certificate, extension, -1), "X509_add_ext");
	X509_EXTENSION_free(extension);
}

/* Unsigned yet. */
static X509 *draft(struct pki *pki, EVP_PKEY *key, const struct pki_wish *wish)
{
	X509 *certificate = X509_new();
	X509_NAME *name = X509_get_subject_name(certificate);
	bool dated = wish->from_s || wish->until_s;

	X509_set_version(certificate, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++pki->serial);
	X509_gmtime_adj(X509_getm_notBefore(certificate), dated ? wish->from_s : -3600);
	X509_gmtime_adj(X509_getm_notAfter(certificate), dated ? wish->until_s : 3600);
	must(X509_NAME_add_entry_by_txt(
		     name, "CN", MBSTRING_UTF8, (const unsigned char *)wish->cn, -1, -1, 0) &&
			X509_set_pubkey(certificate, key),
		"X509_set_pubkey");
	X509_set_issuer_name(certificate, pki->ca ? X509_get_subject_name(pki->ca) : name);
	return certificate;
}

void pki_write_crl(struct pki *pki, int days)
{
	ASN1_TIME *now = X509_gmtime_adj(NULL, days < 0 ? (days - 1) * 86400L : -3600);
	ASN1_TIME *next = X509_gmtime_adj(NULL, days * 86400L);
	FILE *file = create(pki, "crl", ".pem");

	X509_CRL_set_version(pki->crl, X509_CRL_VERSION_2);
	X509_CRL_set_issuer_name(pki->crl, X509_get_subject_name(pki->ca));
	X509_CRL_set1_lastUpdate(pki->crl, now);
	if (days)
		X509_CRL_set1_nextUpdate(pki->crl, next);
	must(X509_CRL_sign(pki->crl, pki->key, EVP_sha256()) > 0, "X509_CRL_sign");
	must(PEM_write_X509_CRL(file, pki->crl), "PEM_write_X509_CRL");
	fclose(file);
	ASN1_TIME_free(now);
	ASN1_TIME_free(next);
}

static void add_to_crl(struct pki *pki, const X509 *certificate)
{
	X509_REVOKED *revoked = X509_REVOKED_new();
	ASN1_TIME *now = X509_gmtime_adj(NULL, -60);

	X509_REVOKED_set_serialNumber(revoked, (ASN1_INTEGER *)X509_get0_serialNumber(certificate));
	X509_REVOKED_set_revocationDate(revoked, now);
	must(X509_CRL_add0_revoked(pki->crl, revoked), "X509_CRL_add0_revoked");
	ASN1_TIME_free(now);
	pki_write_crl(pki, 1);
}

void pki_issue(struct pki *pki, const char *name, const struct pki_wish *wish)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = draft(pki, key, wish);
	FILE *file = create(pki, name, ".pem");

	if (wish->names)
		extend(pki, certificate, NID_subject_alt_name, wish->names);
	if (wish->usage)
		extend(pki, certificate, NID_ext_key_usage, wish->usage);
	must(X509_sign(certificate, pki->key, EVP_sha256()) > 0, "X509_sign");
	must(PEM_write_X509(file, certificate), "PEM_write_X509");
	must(!pki->below || PEM_write_X509(file, pki->ca), "PEM_write_X509");
	fclose(file);
	file = create(pki, name, ".key");
	must(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), "PEM_write_PrivateKey");
	fclose(file);
	if (wish->revoked)
		add_to_crl(pki, certificate);
	X509_free(certificate);
	EVP_PKEY_free(key);
}

void pki_issue_node(struct pki *pki, const char *name)
{
	char names[64];

	snprintf(names, sizeof(names), "DNS:%s", name);
	pki_issue(pki, name, &(struct pki_wish){ .cn = name, .names = names, .usage = PKI_EITHER });
}

void pki_encrypt_key(struct pki *pki, const char *name, const char *to)
{
	char file_name[128];
	FILE *file;
	EVP_PKEY *key;

	snprintf(file_name, sizeof(file_name), "%s.key", name);
	file = fopen(pki_path(pki, file_name), "re");
	must(file != NULL, "fopen");
	key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
	fclose(file);
	file = create(pki, to, "");
	must(key && PEM_write_PrivateKey(file, key, EVP_aes_128_cbc(),
			    (const unsigned char *)"secret", 6, NULL, NULL),
		"PEM_write_PrivateKey");
	fclose(file);
	EVP_PKEY_free(key);
}

void pki_revoke(struct pki *above, const struct pki *below)
{
	add_to_crl(above, below->ca);
}

struct pki *pki_create_below(struct pki *above, const char *name)
{
	const struct pki_wish wish = { .cn = name };
	struct pki *pki = calloc(1, sizeof(*pki)), *issuer = above ? above : pki;
	X509 *ca;
	FILE *file;

	must(pki != NULL, "calloc");
	strcpy(pki->folder, "/tmp/xfer-pki.XXXXXX");
	must(mkdtemp(pki->folder) != NULL, "mkdtemp");
	pki->key = EVP_EC_gen("P-256");
	pki->crl = X509_CRL_new();
	must(pki->key && pki->crl, "EVP_EC_gen");
	pki->below = above != NULL;
	ca = draft(issuer, pki->key, &wish);
	extend(issuer, ca, NID_basic_constraints, "critical,CA:TRUE");
	extend(issuer, ca, NID_key_usage, "critical,keyCertSign,cRLSign");
	must(X509_sign(ca, issuer->key, EVP_sha256()) > 0, "X509_sign");
	pki->ca = ca;
	file = create(pki, "ca", ".pem");
	must(PEM_write_X509(file, ca), "PEM_write_X509");
	fclose(file);
	return pki;
}

struct pki *pki_create(const char *name)
{
	return pki_create_below(NULL, name);
}

void pki_free(struct pki *pki)
{
	DIR *folder = opendir(pki->folder);
	struct dirent *entry;

	must(folder != NULL, "opendir");
	while ((entry = readdir(folder)))
		if (entry->d_name[0] != '.')
			unlink(pki_path(pki, entry->d_name));
	closedir(folder);
	rmdir(pki->folder);
	X509_CRL_free(pki->crl);
	X509_free(pki->ca);
	EVP_PKEY_free(pki->key);
	free(pki);
}

struct xfer_tls_files pki_files(const struct pki *pki, const char *name, const struct pki *ca)
{
	char certificate[128], key[128];

	snprintf(certificate, sizeof(certificate), "%s.pem", name);
	snprintf(key, sizeof(key), "%s.key", name);
	return (struct xfer_tls_files){ .certificate = pki_path(pki, certificate),
		.key = pki_path(pki, key),
		.ca = ca ? pki_path(ca, "ca.pem") : NULL };
}
