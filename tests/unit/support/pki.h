/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* pki.h -- a CA for tests, and certificates of it, in a folder of their own */
#ifndef SUPPORT_PKI_H
#define SUPPORT_PKI_H

#include <stdbool.h>

#include "xfer/tls.h"

struct pki;

/* A new CA of this name, in a new folder: ca.pem. */
struct pki *pki_create(const char *name);
/* The same, but its CA is one that `above` has issued: certificates are written with that one behind them. */
struct pki *pki_create_below(struct pki *above, const char *name);
/* Revokes the CA of one that is below; crl.pem is written again. */
void pki_revoke(struct pki *above, const struct pki *below);
/* Removes the folder. */
void pki_free(struct pki *pki);

/* For both ends of connections. */
#define PKI_EITHER "serverAuth,clientAuth"

struct pki_wish {
	const char *cn;
	const char *names;   /* "DNS:a,IP:10.0.0.1"; NULL: no SAN */
	const char *usage;   /* PKI_EITHER, or one of them; NULL: no EKU */
	int from_s, until_s; /* seconds from now; both 0: an hour around */
	bool revoked;        /* in crl.pem, which is written again */
};

/* Writes NAME.pem and NAME.key, signed by the CA; over what may be there. */
void pki_issue(struct pki *pki, const char *name, const struct pki_wish *wish);
/* For a node of this name, with all that it needs. */
void pki_issue_node(struct pki *pki, const char *name);
/* Writes crl.pem with what was revoked so far; days: until it is out of date, may be negative; 0: it
 * doesn't say, if none before did. */
void pki_write_crl(struct pki *pki, int days);
/* NAME.key once more, encrypted, as TO. */
void pki_encrypt_key(struct pki *pki, const char *name, const char *to);

/* The path of a file in the folder; valid until the same slot of 16 is used again. */
const char *pki_path(const struct pki *pki, const char *file);
/* NAME.pem, NAME.key, ca.pem (may be of another PKI; NULL: none), no CRL. */
struct xfer_tls_files pki_files(const struct pki *pki, const char *name, const struct pki *ca);

#endif
