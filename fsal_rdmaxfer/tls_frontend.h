/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* tls_frontend.h -- RPC-with-TLS (RFC 9289) on Ganesha's own TCP ports */
#ifndef FSAL_RDMAXFER_TLS_FRONTEND_H
#define FSAL_RDMAXFER_TLS_FRONTEND_H

#include <xfer/tls.h>

#include "compat.h"

struct rdx_tls_frontend_params {
	struct xfer_tls
		*tls; /* NULL: clients are told that there is no TLS; then the rest isn't used */
	struct xfer_tls_identity *identity;
	unsigned handshake_ms;
	/* Clients that were told STARTTLS and haven't begun: at a time, and of one address. */
	unsigned offers_max, offers_per_address;
};

/* From now on AUTH_TLS is answered. Once per process. -errno. */
int rdx_tls_frontend_start(const struct rdx_tls_frontend_params *params);

/* Closes connections whose client was told STARTTLS and doesn't begin, and begins with those that were still busy with calls
 * in cleartext; to be called every 100 ms or so. */
void rdx_tls_frontend_tick(void);

/* No further connection is taken over. Then `tls` can be destroyed. */
void rdx_tls_frontend_close(void);

/* Behind it, when Ganesha's RPC threads have ended: its transports forget this module. */
void rdx_tls_frontend_stop(void);

/*
 * The security record of the connection by which the present request has come; NULL: it came in cleartext, or there is no
 * request. Takes no lock. Valid until the request has been answered.
 */
const struct xfer_tls_security *rdx_tls_security(void);

/* The same of a request that is given. */
const struct xfer_tls_security *rdx_tls_security_of(const struct svc_req *request);

#endif
