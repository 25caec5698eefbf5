/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* failure.h -- why a handshake failed: cause and remedy in plain words */
#ifndef XFER_TLS_FAILURE_H
#define XFER_TLS_FAILURE_H

#include <stdatomic.h>
#include <stdint.h>

#include <openssl/ssl.h>

enum xfer_tls_cause {
	XFER_TLS_EXPIRED, /* the peer's certificate, to begin with */
	XFER_TLS_NOT_YET_VALID,
	XFER_TLS_WRONG_NAME,
	XFER_TLS_UNKNOWN_CA,
	XFER_TLS_REVOKED,
	XFER_TLS_NO_CERTIFICATE,
	XFER_TLS_WRONG_USAGE,
	XFER_TLS_BAD_CERTIFICATE,
	XFER_TLS_NO_CRL,
	XFER_TLS_OLD_CRL,
	XFER_TLS_OLD_VERSION,
	XFER_TLS_NO_CIPHER,
	XFER_TLS_NO_GROUP,
	XFER_TLS_ALPN,
	XFER_TLS_GARBAGE,
	XFER_TLS_BAD_RECORD,
	XFER_TLS_REFUSED_BY_PEER,
	XFER_TLS_DEADLINE,
	XFER_TLS_PEER_GONE,
	XFER_TLS_KERNEL,
	XFER_TLS_NO_MEMORY,
	XFER_TLS_SHUTDOWN,
	XFER_TLS_OTHER,
	XFER_TLS_CAUSES,
};

struct xfer_tls_failure {
	enum xfer_tls_cause cause;
	char why[320];
};

/* With a text that is the cause's own, to which `detail` is added; NULL: nothing. */
void xfer_tls_fail(struct xfer_tls_failure *failure, enum xfer_tls_cause cause, const char *detail);

/*
 * What OpenSSL says of the call that has just failed on this thread; empties its queue of errors. rejected: the
 * certificate that was not accepted, as a text; NULL: it was not for one.
 */
void xfer_tls_fail_openssl(struct xfer_tls_failure *failure, const SSL *ssl, const char *rejected);

/* -errno for a result; the name for counters. */
int xfer_tls_cause_errno(enum xfer_tls_cause cause);
const char *xfer_tls_cause_name(enum xfer_tls_cause cause);

/* Handshakes that failed, by cause. */
extern _Atomic uint64_t xfer_tls_failures[XFER_TLS_CAUSES];

#endif
