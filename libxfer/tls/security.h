/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* security.h -- the security record of a connection: what is known of its peer and of its keys' use */
#ifndef XFER_TLS_SECURITY_H
#define XFER_TLS_SECURITY_H

#include <stdatomic.h>

#include <openssl/x509.h>

#include "tls/keys.h"
#include "xfer/tls.h"

struct xfer_tls_security {
	_Atomic unsigned refs;
	bool in_kernel;
	enum xfer_tls_cipher cipher;
	X509 *certificate; /* the peer's, verified; NULL: it has shown none */
	char *subject, *names, *fingerprint;
	/* The relay's: records that the keys in use have protected, by direction. */
	_Atomic uint64_t sent, received;
};

/* With one reference. The certificate stays the caller's. NULL: no memory. */
struct xfer_tls_security *xfer_tls_security_create(
	enum xfer_tls_cipher cipher, bool in_kernel, X509 *certificate);

/* How much of what a key may protect so many records are, in per mille, at most 1000. */
unsigned xfer_tls_security_used(const struct xfer_tls_security *security, uint64_t records);

#endif
