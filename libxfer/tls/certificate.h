/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* certificate.h -- what a certificate says of its holder */
#ifndef XFER_TLS_CERTIFICATE_H
#define XFER_TLS_CERTIFICATE_H

#include <stdbool.h>

#include <openssl/x509.h>

/* As in xfer_tls_security_has_name. */
bool xfer_tls_certificate_has_name(X509 *certificate, const char *name);

/* Whether it has the extended key usage NID_server_auth or NID_client_auth; without the extension it has none. */
bool xfer_tls_certificate_is_for(X509 *certificate, int usage);

/* Texts that the caller frees; NULL: no memory. "CN=client,O=lab"; "dns:a dns:b ip:10.0.0.1" or ""; SHA-256 in hex.
 * Whatever isn't printable ASCII is escaped: they go into logs. */
char *xfer_tls_certificate_subject(X509 *certificate);
char *xfer_tls_certificate_names(X509 *certificate);
char *xfer_tls_certificate_fingerprint(X509 *certificate);

#endif
