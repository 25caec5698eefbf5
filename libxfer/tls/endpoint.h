/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* endpoint.h -- the I/O thread that owns sockets while the proxy shakes their hands */
#ifndef XFER_TLS_ENDPOINT_H
#define XFER_TLS_ENDPOINT_H

#include "tls/limits.h"
#include "tls/proxy.h"
#include "tls/relay.h"

struct xfer_tls_endpoints;

struct xfer_tls_endpoints_params {
	struct xfer_tls_proxy *proxy;
	struct xfer_tls_relay *relay; /* NULL: the kernel carries the data */
	unsigned handshake_ms;
	unsigned handshakes_max, handshakes_per_address;
};

int xfer_tls_endpoints_create(
	const struct xfer_tls_endpoints_params *params, struct xfer_tls_endpoints **endpoints);
/* Ends handshakes under way, and returns when the `done` of each was called. Nothing may be started any more. */
void xfer_tls_endpoints_stop(struct xfer_tls_endpoints *endpoints);
/* After that, and after the proxy's end: its thread may still be about to wake this one. */
void xfer_tls_endpoints_destroy(struct xfer_tls_endpoints *endpoints);

/* As xfer_tls_start. */
int xfer_tls_endpoints_start(
	struct xfer_tls_endpoints *endpoints, int fd, const struct xfer_tls_start *start);
/* Handshakes under way. */
unsigned xfer_tls_endpoints_busy(struct xfer_tls_endpoints *endpoints);

#endif
