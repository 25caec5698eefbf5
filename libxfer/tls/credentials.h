/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* credentials.h -- a set of files, read once: certificate, key, CA and CRL, ready for handshakes */
#ifndef XFER_TLS_CREDENTIALS_H
#define XFER_TLS_CREDENTIALS_H

#include <openssl/ssl.h>

#include "xfer/tls.h"

#define XFER_TLS_CIPHERSUITES 128 /* bytes, for all of ours */

/* What all handshakes of a process have in common. */
struct xfer_tls_settings {
	char ciphersuites[XFER_TLS_CIPHERSUITES]; /* as SSL_CTX_set_ciphersuites wants them */
	SSL_verify_cb verify;
	SSL_CTX_keylog_cb_func keylog; /* NULL: the secrets stay OpenSSL's */
};

/*
 * -errno with cause and remedy: a file is missing, unreadable, empty, broken, the key is encrypted or another
 * certificate's. A certificate that has expired is warned of. Never asks for a password.
 */
int xfer_tls_credentials_load(const struct xfer_tls_settings *settings, enum xfer_tls_role role,
	const struct xfer_tls_files *files, SSL_CTX **credentials, char *why, size_t why_len);

#endif
