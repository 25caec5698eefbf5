/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* audit.h -- one line for each handshake: who, how, or why not */
#ifndef XFER_TLS_AUDIT_H
#define XFER_TLS_AUDIT_H

#include "tls/failure.h"
#include "tls/security.h"

/* Logs and counts. */
void xfer_tls_audit_done(const struct sockaddr_storage *address, enum xfer_tls_role role,
	const struct xfer_tls_security *security);
void xfer_tls_audit_failed(
	const struct sockaddr_storage *address, const struct xfer_tls_failure *failure);

/* Limited in their number: whoever comes too often is to be seen, not to fill the log. */
void xfer_tls_audit_refused(const struct sockaddr_storage *address, const char *which);

#endif
