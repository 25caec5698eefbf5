/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* identity.h -- certificates with what belongs to them, read again when their files change */
#ifndef XFER_TLS_IDENTITY_H
#define XFER_TLS_IDENTITY_H

#include <pthread.h>
#include <sys/queue.h>

#include <jansson.h>

#include "tls/credentials.h"

/* Those of a process. */
struct xfer_tls_identities {
	pthread_mutex_t loading; /* held while files are read, and while the list is changed */
	pthread_mutex_t lock;    /* the list */
	LIST_HEAD(, xfer_tls_identity) list;
	struct xfer_tls_settings settings;
};

void xfer_tls_identities_init(
	struct xfer_tls_identities *identities, const struct xfer_tls_settings *settings);
/* All have been destroyed. */
void xfer_tls_identities_fini(struct xfer_tls_identities *identities);

int xfer_tls_identities_add(struct xfer_tls_identities *identities, enum xfer_tls_role role,
	const struct xfer_tls_files *files, struct xfer_tls_identity **identity, char *why,
	size_t why_len);

/* Reads again: those whose files have changed, or all. A broken new set is logged once; the old one stays. */
void xfer_tls_identities_look(struct xfer_tls_identities *identities, bool all);

json_t *xfer_tls_identities_status(struct xfer_tls_identities *identities);

void xfer_tls_identity_ref(struct xfer_tls_identity *identity);
void xfer_tls_identity_unref(struct xfer_tls_identity *identity);
enum xfer_tls_role xfer_tls_identity_role(const struct xfer_tls_identity *identity);
/* What a handshake that begins now uses. A reference for the caller. */
SSL_CTX *xfer_tls_identity_credentials(struct xfer_tls_identity *identity);

#endif
