/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* tls.h -- what all TLS connections of a process share */
#ifndef XFER_TLS_TLS_H
#define XFER_TLS_TLS_H

#include "tls/endpoint.h"
#include "tls/identity.h"
#include "tls/proxy.h"
#include "tls/relay.h"
#include "xfer/tls.h"

struct xfer_tls {
	unsigned ciphers; /* bits, 1 << enum xfer_tls_cipher */
	struct xfer_tls_identities identities;
	struct xfer_tls_proxy *proxy;
	struct xfer_tls_relay *relay; /* NULL: the kernel carries the data */
	struct xfer_tls_endpoints *endpoints;
};

#endif
