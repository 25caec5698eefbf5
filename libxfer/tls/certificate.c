/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* certificate.c -- what a certificate says of its holder */

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "tls/certificate.h"

/* A certificate with SANs has those names only. */
static unsigned name_flags(X509 *certificate)
{
	return X509_get_ext_by_NID(certificate, NID_subject_alt_name, -1) >= 0
		       ? X509_CHECK_FLAG_NEVER_CHECK_SUBJECT
		       : 0;
}

bool xfer_tls_certificate_has_name(X509 *certificate, const char *name)
{
	unsigned flags = X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | name_flags(certificate);
	bool has = X509_check_ip_asc(certificate, name, 0) == 1 ||
		   X509_check_host(certificate, name, strlen(name), flags, NULL) == 1;

	ERR_clear_error();
	return has;
}

bool xfer_tls_certificate_is_for(X509 *certificate, int usage)
{
	EXTENDED_KEY_USAGE *usages = X509_get_ext_d2i(certificate, NID_ext_key_usage, NULL, NULL);
	bool found = false;

	for (int i = 0; i < sk_ASN1_OBJECT_num(usages); i++)
		if (OBJ_obj2nid(sk_ASN1_OBJECT_value(usages, i)) == usage)
			found = true;
	EXTENDED_KEY_USAGE_free(usages);
	return found;
}

/* What was written to bio, as a text of its own. */
static char *text_of(BIO *bio)
{
	char *bytes;
	long len = BIO_get_mem_data(bio, &bytes);

	return strndup(len > 0 ? bytes : "", (size_t)len);
}

char *xfer_tls_certificate_subject(X509 *certificate)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text;

	if (!bio)
		return NULL;
	X509_NAME_print_ex(
		bio, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253 & ~XN_FLAG_DN_REV);
	text = text_of(bio);
	BIO_free(bio);
	return text;
}

/* Blanks, too: they stand between names. */
static void print_dns(BIO *bio, const ASN1_STRING *name)
{
	const unsigned char *bytes = ASN1_STRING_get0_data(name);

	BIO_puts(bio, "dns:");
	for (int i = 0; i < ASN1_STRING_length(name); i++)
		BIO_printf(bio, isgraph(bytes[i]) ? "%c" : "\\%02X", bytes[i]);
}

static void print_ip(BIO *bio, const ASN1_STRING *address)
{
	int family = ASN1_STRING_length(address) == 4 ? AF_INET : AF_INET6;
	char text[INET6_ADDRSTRLEN];

	if (ASN1_STRING_length(address) != 4 && ASN1_STRING_length(address) != 16)
		BIO_puts(bio, "ip:?");
	else if (inet_ntop(family, ASN1_STRING_get0_data(address), text, sizeof(text)))
		BIO_printf(bio, "ip:%s", text);
}

char *xfer_tls_certificate_names(X509 *certificate)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	BIO *bio = BIO_new(BIO_s_mem());
	char *text;

	for (int i = 0; bio && i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type != GEN_DNS && name->type != GEN_IPADD)
			continue;
		if (BIO_pending(bio))
			BIO_puts(bio, " ");
		if (name->type == GEN_DNS)
			print_dns(bio, name->d.dNSName);
		else
			print_ip(bio, name->d.iPAddress);
	}
	text = bio ? text_of(bio) : NULL;
	GENERAL_NAMES_free(names);
	BIO_free(bio);
	return text;
}

char *xfer_tls_certificate_fingerprint(X509 *certificate)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len;
	char *text;

	if (!X509_digest(certificate, EVP_sha256(), digest, &len))
		return NULL;
	text = malloc(2 * len + 1);
	for (unsigned i = 0; text && i < len; i++)
		sprintf(text + 2 * i, "%02x", digest[i]);
	return text;
}
