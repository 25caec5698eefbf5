/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* tls.c -- the owner's TLS: the threads, and the certificate that it shows to nodes */

#include "owner/tls.h"

static int create_identity(
	const struct config_tls *config, struct owner_tls *tls, char *why, size_t why_len)
{
	const struct xfer_tls_files files = {
		.certificate = config->certificate,
		.key = config->key,
		.ca = config->ca,
		.crl = config->crl[0] ? config->crl : NULL,
	};

	return xfer_tls_identity_create(
		tls->tls, XFER_TLS_NODE, &files, &tls->identity, why, why_len);
}

int owner_tls_start(const struct config *config, struct owner_tls *tls)
{
	const struct xfer_tls_params params = { .ktls = config->tls.ktls,
		.handshake_ms = config->tls.handshake_ms };
	char why[512];
	int err;

	*tls = (struct owner_tls){ 0 };
	if (!config->tls.line)
		return 0;
	err = xfer_tls_create(&params, &tls->tls, why, sizeof(why));
	if (err == 0) {
		err = create_identity(&config->tls, tls, why, sizeof(why));
		if (err)
			xfer_tls_destroy(tls->tls);
	}
	if (err) {
		xfer_error("tls: %s", why);
		*tls = (struct owner_tls){ 0 };
	}
	return err;
}

void owner_tls_stop(struct owner_tls *tls)
{
	if (!tls->tls)
		return;
	xfer_tls_identity_destroy(tls->identity);
	xfer_tls_destroy(tls->tls);
}

void owner_tls_warn(const struct config *config)
{
	for (unsigned i = 0; i < config->nnodes; i++)
		if (config->nodes[i].insecure)
			xfer_warn(
				"node %s is insecure: it is known by its address %s alone, and what it "
				"sends and gets can be read and changed on the way; certificates (tls) "
				"end that",
				config->nodes[i].name, config->nodes[i].address);
}
