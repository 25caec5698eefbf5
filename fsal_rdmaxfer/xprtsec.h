/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* xprtsec.h -- which connections an export may be reached by: none, tls, mtls, as knfsd's option has it */
#ifndef FSAL_RDMAXFER_XPRTSEC_H
#define FSAL_RDMAXFER_XPRTSEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xfer/tls.h"

/* The kinds of connections; a policy has some of these bits. */
enum xprtsec_kind {
	XPRTSEC_NONE = 1, /* cleartext */
	XPRTSEC_TLS = 2,  /* TLS, and the client has shown no certificate */
	XPRTSEC_MTLS = 4, /* TLS, and the client has shown one that was verified */
};
#define XPRTSEC_ANY (XPRTSEC_NONE | XPRTSEC_TLS | XPRTSEC_MTLS)

/* What an export's configuration says. */
struct xprtsec {
	uint32_t kinds;
	bool sideband; /* MOUNT of the root, and NLM, come in cleartext all the same */
	char *names; /* a NUL behind each and one more: of mtls's certificates, one has to be there; NULL: any may */
};

/*
 * names: as configured, with commas between; NULL: none. -EINVAL with a text that says what to correct. The result
 * is given up by xprtsec_fini.
 */
int xprtsec_init(struct xprtsec *policy, uint32_t kinds, bool sideband, const char *names,
	char *why, size_t why_len);
void xprtsec_fini(struct xprtsec *policy);

/* Whether it lets everybody in. */
bool xprtsec_is_open(const struct xprtsec *policy);

/* Why a connection may not be used, or that it may. */
enum xprtsec_verdict {
	XPRTSEC_ADMITTED,
	XPRTSEC_CLEARTEXT,      /* and the policy has no `none` */
	XPRTSEC_NO_CERTIFICATE, /* and no `tls` */
	XPRTSEC_CERTIFICATE,    /* and no `mtls` */
	XPRTSEC_OTHER_NAME,     /* the certificate has none of the names */
};

/* security: of the connection; NULL: cleartext. */
enum xprtsec_verdict xprtsec_judge(
	const struct xprtsec *policy, const struct xfer_tls_security *security);

/* A verdict as a sentence's end, with what would have to be added for it to be another one. */
void xprtsec_explain(enum xprtsec_verdict verdict, const struct xfer_tls_security *security,
	char *text, size_t len);

#endif
