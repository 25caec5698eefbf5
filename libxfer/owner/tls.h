/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* tls.h -- the owner's TLS: the threads, and the certificate that it shows to nodes */
#ifndef XFER_OWNER_TLS_H
#define XFER_OWNER_TLS_H

#include "owner/config.h"
#include "xfer/tls.h"

struct owner_tls {
	struct xfer_tls *tls; /* NULL: the configuration has none */
	struct xfer_tls_identity *identity;
};

/* As the configuration says. -errno: it was logged, and there is nothing. */
int owner_tls_start(const struct config *config, struct owner_tls *tls);
/* Nobody uses it any more. */
void owner_tls_stop(struct owner_tls *tls);

/* Warns of each node that is known by its address alone. */
void owner_tls_warn(const struct config *config);

#endif
