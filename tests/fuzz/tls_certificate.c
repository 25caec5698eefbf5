/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* tls_certificate.c -- what is read from peers' certificates, before anybody has verified them */

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "fuzz.h"
#include "tls/certificate.h"
#include "tls/security.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

/* It goes into a line of the log. */
static void check_text(const char *text)
{
	FUZZ_CHECK(text != NULL);
	for (; *text; text++)
		FUZZ_CHECK(*text >= ' ' && *text <= '~');
}

static void check_record(X509 *certificate)
{
	struct xfer_tls_security *security =
		xfer_tls_security_create(XFER_TLS_AES_128_GCM, false, certificate);

	FUZZ_CHECK(security != NULL);
	check_text(xfer_tls_security_subject(security));
	check_text(xfer_tls_security_names(security));
	check_text(xfer_tls_security_fingerprint(security));
	FUZZ_CHECK(strlen(xfer_tls_security_fingerprint(security)) == 64);
	FUZZ_CHECK(xfer_tls_security_mutual(security));
	xfer_tls_security_has_name(security, "a.example.org");
	xfer_tls_security_has_name(security, "10.0.0.1");
	xfer_tls_security_unref(security);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *next = data;
	X509 *certificate = d2i_X509(NULL, &next, (long)size);

	if (certificate) {
		check_record(certificate);
		xfer_tls_certificate_is_for(certificate, NID_server_auth);
	}
	X509_free(certificate);
	ERR_clear_error();
	return 0;
}
