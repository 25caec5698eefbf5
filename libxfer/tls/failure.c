/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* failure.c -- why a handshake failed: cause and remedy in plain words */

#include <errno.h>
#include <stdio.h>

#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include "tls/failure.h"

_Atomic uint64_t xfer_tls_failures[XFER_TLS_CAUSES];

static const struct {
	const char *name, *text;
	int err;
} causes[XFER_TLS_CAUSES] = {
	[XFER_TLS_EXPIRED] = { "expired", "the peer's certificate has expired; renew it", -EACCES },
	[XFER_TLS_NOT_YET_VALID] = { "not_yet_valid",
		"the peer's certificate is not valid yet; look at both clocks", -EACCES },
	[XFER_TLS_WRONG_NAME] = { "wrong_name",
		"the peer's certificate is for another name; give it one with the name as SAN",
		-EACCES },
	[XFER_TLS_UNKNOWN_CA] = { "unknown_ca",
		"the peer's certificate is from an unknown CA; add that CA to the CA file here, or give the peer one of the known CA",
		-EACCES },
	[XFER_TLS_REVOKED] = { "revoked", "the peer's certificate was revoked; give it a new one",
		-EACCES },
	[XFER_TLS_NO_CERTIFICATE] = { "no_certificate",
		"the peer has shown no certificate; configure one there", -EACCES },
	[XFER_TLS_WRONG_USAGE] = { "wrong_usage",
		"the peer's certificate is not for this use; give it one with the extended key usage serverAuth and clientAuth",
		-EACCES },
	[XFER_TLS_BAD_CERTIFICATE] = { "bad_certificate",
		"the peer's certificate is not acceptable; give it another one", -EACCES },
	[XFER_TLS_NO_CRL] = { "no_crl",
		"there is no revocation list of the CA of the peer's certificate; add it to the CRL file",
		-EACCES },
	[XFER_TLS_OLD_CRL] = { "old_crl",
		"the revocation list is out of date; put a new one into the CRL file", -EACCES },
	[XFER_TLS_OLD_VERSION] = { "old_version",
		"the peer offers only versions of TLS before 1.3; allow TLS 1.3 there", -EPROTO },
	[XFER_TLS_NO_CIPHER] = { "no_cipher",
		"no cipher in common; allow TLS_AES_128_GCM_SHA256 at the peer", -EPROTO },
	[XFER_TLS_NO_GROUP] = { "no_group",
		"no key exchange or signature algorithm in common; allow more of them at the peer",
		-EPROTO },
	[XFER_TLS_ALPN] = { "alpn",
		"the peer asks for another protocol than \"sunrpc\" (ALPN); it isn't an RPC client, or it is configured wrongly",
		-EPROTO },
	[XFER_TLS_GARBAGE] = { "garbage",
		"what came is not TLS; the peer may have gone on in cleartext", -EPROTO },
	[XFER_TLS_BAD_RECORD] = { "bad_record",
		"a record is broken or forged; look at what is between here and the peer",
		-EPROTO },
	[XFER_TLS_REFUSED_BY_PEER] = { "refused_by_peer", "the peer refused", -EACCES },
	[XFER_TLS_DEADLINE] = { "deadline",
		"not done in time; the peer has stalled or the network is slow", -ETIMEDOUT },
	[XFER_TLS_PEER_GONE] = { "peer_gone",
		"the peer has closed the connection; its log may say why", -ECONNRESET },
	[XFER_TLS_KERNEL] = { "kernel",
		"the kernel did not take the keys; look at its log, or set Ktls = off",
		-EOPNOTSUPP },
	[XFER_TLS_NO_MEMORY] = { "no_memory",
		"no memory or no descriptor; look at the limits of this process", -ENOMEM },
	[XFER_TLS_SHUTDOWN] = { "shutdown", "TLS is being shut down here; connect again later",
		-ECANCELED },
	[XFER_TLS_OTHER] = { "other", "OpenSSL failed; look at the peer's side, too", -EPROTO },
};

void xfer_tls_fail(struct xfer_tls_failure *failure, enum xfer_tls_cause cause, const char *detail)
{
	failure->cause = cause;
	snprintf(failure->why, sizeof(failure->why), "%s%s%s%s", causes[cause].text,
		detail ? " (" : "", detail ? detail : "", detail ? ")" : "");
}

int xfer_tls_cause_errno(enum xfer_tls_cause cause)
{
	return causes[cause].err;
}

const char *xfer_tls_cause_name(enum xfer_tls_cause cause)
{
	return causes[cause].name;
}

static enum xfer_tls_cause of_verification(long result)
{
	switch (result) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return XFER_TLS_EXPIRED;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return XFER_TLS_NOT_YET_VALID;
	case X509_V_ERR_HOSTNAME_MISMATCH:
		return XFER_TLS_WRONG_NAME;
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_CERT_SIGNATURE_FAILURE:
		return XFER_TLS_UNKNOWN_CA;
	case X509_V_ERR_CERT_REVOKED:
		return XFER_TLS_REVOKED;
	case X509_V_ERR_INVALID_PURPOSE:
		return XFER_TLS_WRONG_USAGE;
	case X509_V_ERR_UNABLE_TO_GET_CRL:
		return XFER_TLS_NO_CRL;
	case X509_V_ERR_CRL_HAS_EXPIRED:
	case X509_V_ERR_CRL_NOT_YET_VALID:
		return XFER_TLS_OLD_CRL;
	default:
		return XFER_TLS_BAD_CERTIFICATE;
	}
}

static enum xfer_tls_cause of_error(unsigned long error)
{
	int reason = ERR_GET_REASON(error);

	if (reason == ERR_R_MALLOC_FAILURE)
		return XFER_TLS_NO_MEMORY;
	if (ERR_GET_LIB(error) != ERR_LIB_SSL)
		return XFER_TLS_OTHER;
	switch (reason) {
	case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
		return XFER_TLS_NO_CERTIFICATE;
	case SSL_R_UNSUPPORTED_PROTOCOL:
	case SSL_R_VERSION_TOO_LOW:
	case SSL_R_NO_PROTOCOLS_AVAILABLE:
		return XFER_TLS_OLD_VERSION;
	case SSL_R_NO_SHARED_CIPHER:
		return XFER_TLS_NO_CIPHER;
	case SSL_R_NO_SHARED_GROUPS:
	case SSL_R_NO_SUITABLE_KEY_SHARE:
	case SSL_R_NO_SUITABLE_GROUPS:
	case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
	case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
	case SSL_R_MISSING_SUPPORTED_GROUPS_EXTENSION:
		return XFER_TLS_NO_GROUP;
	case SSL_R_NO_APPLICATION_PROTOCOL:
		return XFER_TLS_ALPN;
	case SSL_R_WRONG_VERSION_NUMBER:
	case SSL_R_HTTP_REQUEST:
	case SSL_R_HTTPS_PROXY_REQUEST:
	case SSL_R_BAD_RECORD_TYPE:
		return XFER_TLS_GARBAGE;
	case SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC:
	case SSL_R_DIGEST_CHECK_FAILED:
	case SSL_R_BAD_SIGNATURE:
	case SSL_R_LENGTH_MISMATCH:
	case SSL_R_UNEXPECTED_MESSAGE:
		return XFER_TLS_BAD_RECORD;
	default:
		/* OpenSSL counts the peer's alerts from there. */
		return reason > SSL_AD_REASON_OFFSET ? XFER_TLS_REFUSED_BY_PEER : XFER_TLS_OTHER;
	}
}

/* What to do about an alert of the peer's; it is what the peer thinks of us. */
static const char *alert_remedy(int alert)
{
	switch (alert) {
	case SSL_AD_UNKNOWN_CA:
		return "unknown CA; its CA file lacks the CA of the certificate here";
	case SSL_AD_CERTIFICATE_EXPIRED:
		return "certificate expired; renew the one here, or look at its clock";
	case SSL_AD_CERTIFICATE_REVOKED:
		return "certificate revoked; the one here has to be replaced";
	case SSL_AD_CERTIFICATE_REQUIRED:
		return "certificate required; configure one here";
	case SSL_AD_BAD_CERTIFICATE:
		return "bad certificate; the one here lacks the name by which the peer knows this end, or is not acceptable to it";
	case SSL_AD_UNSUPPORTED_CERTIFICATE:
		return "unsupported certificate; the one here lacks the extended key usage serverAuth or clientAuth";
	case SSL_AD_PROTOCOL_VERSION:
		return "protocol version; it has no TLS 1.3";
	case SSL_AD_HANDSHAKE_FAILURE:
		return "handshake failure; no cipher or signature algorithm in common";
	case SSL_AD_NO_APPLICATION_PROTOCOL:
		return "no application protocol; it does not speak \"sunrpc\" (ALPN)";
	default:
		return SSL_alert_desc_string_long(alert);
	}
}

/* The first error of the protocol: those of the libraries below come before it and have codes of their own. */
static unsigned long error_of_ssl(void)
{
	unsigned long error = ERR_get_error(), last = error;

	while (error && ERR_GET_LIB(error) != ERR_LIB_SSL) {
		last = error;
		error = ERR_get_error();
	}
	ERR_clear_error();
	return error ? error : last;
}

void xfer_tls_fail_openssl(struct xfer_tls_failure *failure, const SSL *ssl, const char *rejected)
{
	unsigned long error = error_of_ssl();
	int reason = ERR_GET_REASON(error);
	long verified = SSL_get_verify_result(ssl);
	enum xfer_tls_cause cause = of_error(error);
	const char *detail = NULL;

	if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
		cause = of_verification(verified);
		detail = rejected;
	} else if (cause == XFER_TLS_REFUSED_BY_PEER) {
		detail = alert_remedy(reason - SSL_AD_REASON_OFFSET);
	} else if (cause == XFER_TLS_OTHER || cause == XFER_TLS_BAD_RECORD) {
		detail = ERR_reason_error_string(error);
	}
	xfer_tls_fail(failure, cause, detail);
}
