/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* security.c -- the security record of a connection */

#include <stdlib.h>
#include <string.h>

#include "tls/certificate.h"
#include "tls/security.h"

static void security_free(struct xfer_tls_security *security)
{
	X509_free(security->certificate);
	free(security->subject);
	free(security->names);
	free(security->fingerprint);
	free(security);
}

struct xfer_tls_security *xfer_tls_security_create(
	enum xfer_tls_cipher cipher, bool in_kernel, X509 *certificate)
{
	struct xfer_tls_security *security = calloc(1, sizeof(*security));

	if (!security)
		return NULL;
	security->refs = 1;
	security->in_kernel = in_kernel;
	security->cipher = cipher;
	if (certificate) {
		X509_up_ref(certificate);
		security->certificate = certificate;
		security->subject = xfer_tls_certificate_subject(certificate);
		security->names = xfer_tls_certificate_names(certificate);
		security->fingerprint = xfer_tls_certificate_fingerprint(certificate);
	} else {
		security->subject = strdup("");
		security->names = strdup("");
		security->fingerprint = strdup("");
	}
	if (security->subject && security->names && security->fingerprint)
		return security;
	security_free(security);
	return NULL;
}

/* References are all that changes in a record that others may only read. */
void xfer_tls_security_ref(const struct xfer_tls_security *security)
{
	atomic_fetch_add(&((struct xfer_tls_security *)security)->refs, 1);
}

void xfer_tls_security_unref(const struct xfer_tls_security *security)
{
	struct xfer_tls_security *mine = (struct xfer_tls_security *)security;

	if (atomic_fetch_sub(&mine->refs, 1) == 1)
		security_free(mine);
}

bool xfer_tls_security_mutual(const struct xfer_tls_security *security)
{
	return security->certificate != NULL;
}

bool xfer_tls_security_in_kernel(const struct xfer_tls_security *security)
{
	return security->in_kernel;
}

bool xfer_tls_security_has_name(const struct xfer_tls_security *security, const char *name)
{
	return security->certificate && xfer_tls_certificate_has_name(security->certificate, name);
}

const char *xfer_tls_security_cipher(const struct xfer_tls_security *security)
{
	return xfer_tls_cipher_types[security->cipher].name;
}

const char *xfer_tls_security_subject(const struct xfer_tls_security *security)
{
	return security->subject;
}

const char *xfer_tls_security_names(const struct xfer_tls_security *security)
{
	return security->names;
}

const char *xfer_tls_security_fingerprint(const struct xfer_tls_security *security)
{
	return security->fingerprint;
}

unsigned xfer_tls_security_used(const struct xfer_tls_security *security, uint64_t records)
{
	uint64_t max = xfer_tls_cipher_types[security->cipher].records_max;

	return records >= max ? 1000 : (unsigned)((unsigned __int128)records * 1000 / max);
}
