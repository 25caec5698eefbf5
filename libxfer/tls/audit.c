/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* audit.c -- one line for each handshake: who, how, or why not */

#include "address.h"
#include "counters.h"
#include "log.h"
#include "tls/audit.h"

#define ADDRESS_LEN       64
#define REFUSALS_APART_MS 5000

void xfer_tls_audit_done(const struct sockaddr_storage *address, enum xfer_tls_role role,
	const struct xfer_tls_security *security)
{
	const char *service = role == XFER_TLS_NODE ? "node" : "nfs";
	const char *carrier = security->in_kernel ? "kernel" : "relay";
	const char *cipher = xfer_tls_security_cipher(security);
	char text[ADDRESS_LEN];

	xfer_address_format(address, text, sizeof(text));
	xfer_count(XFER_CNT_TLS_HANDSHAKES, 1);
	xfer_count(security->in_kernel ? XFER_CNT_TLS_IN_KERNEL : XFER_CNT_TLS_RELAYED, 1);
	if (security->certificate)
		xfer_info("tls: %s %s %.200s [%.400s] SHA256:%s %s %s", text, service,
			security->subject, security->names, security->fingerprint, cipher, carrier);
	else
		xfer_info("tls: %s %s no certificate %s %s", text, service, cipher, carrier);
}

void xfer_tls_audit_failed(
	const struct sockaddr_storage *address, const struct xfer_tls_failure *failure)
{
	char text[ADDRESS_LEN];

	xfer_address_format(address, text, sizeof(text));
	xfer_count(XFER_CNT_TLS_FAILURES, 1);
	atomic_fetch_add_explicit(&xfer_tls_failures[failure->cause], 1, memory_order_relaxed);
	xfer_warn("tls: %s failed: %s", text, failure->why);
}

void xfer_tls_audit_refused(const struct sockaddr_storage *address, const char *which)
{
	static struct xfer_log_limit limit;
	unsigned suppressed;
	char text[ADDRESS_LEN];

	if (!xfer_log_allowed(&limit, REFUSALS_APART_MS, &suppressed))
		return;
	xfer_address_format(address, text, sizeof(text));
	xfer_warn(
		"tls: %s refused: too many handshakes are under way %s (%u more of such lines were left out)",
		text, which, suppressed);
}
