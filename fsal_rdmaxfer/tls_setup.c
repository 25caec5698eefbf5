/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* tls_setup.c -- the process's TLS, as the RDMAXFER block wants it */

#include <stdatomic.h>
#include <string.h>

#include "session_guard.h"
#include "tls_frontend.h"
#include "tls_setup.h"

struct config_item_list rdx_ktls[] = {
	CONFIG_LIST_TOK("prefer", XFER_KTLS_PREFER),
	CONFIG_LIST_TOK("require", XFER_KTLS_REQUIRE),
	CONFIG_LIST_TOK("off", XFER_KTLS_OFF),
	CONFIG_LIST_EOL,
};

/* Whether the keys that name files belong together. */
static bool complete(const struct rdx_module *module)
{
	if (module->tls_certificate && !module->tls_key) {
		LogCrit(COMPONENT_CONFIG,
			"RDMAXFER: TLS_Certificate needs TLS_Key: add the file with its private key");
		return false;
	}
	if (!module->tls_certificate && (module->tls_key || module->tls_ca || module->tls_crl)) {
		LogCrit(COMPONENT_CONFIG,
			"RDMAXFER: TLS_Key, TLS_CA and TLS_CRL do nothing without TLS_Certificate: add it, or "
			"take them out");
		return false;
	}
	if (module->tls_crl && !module->tls_ca) {
		LogCrit(COMPONENT_CONFIG,
			"RDMAXFER: TLS_CRL does nothing without TLS_CA: add it, or take TLS_CRL out");
		return false;
	}
	return true;
}

static int create(struct rdx_module *module, xfer_log_fn log, char *why, size_t why_len)
{
	const struct xfer_tls_params params = {
		.ktls = (enum xfer_ktls)module->ktls,
		.handshake_ms = module->handshake_ms,
		.handshakes_max = module->handshakes_max,
		.handshakes_per_address = module->handshakes_per_address,
		.log = log,
	};
	const struct xfer_tls_files files = {
		.certificate = module->tls_certificate,
		.key = module->tls_key,
		.ca = module->tls_ca,
		.crl = module->tls_crl,
	};
	int err = xfer_tls_create(&params, &module->tls, why, why_len);

	if (err)
		return err;
	err = xfer_tls_identity_create(
		module->tls, XFER_TLS_PUBLIC, &files, &module->tls_identity, why, why_len);
	if (err) {
		xfer_tls_destroy(module->tls);
		module->tls = NULL;
	}
	return err;
}

static bool start_frontend(struct rdx_module *module)
{
	const struct rdx_tls_frontend_params params = {
		.tls = module->tls,
		.identity = module->tls_identity,
		.handshake_ms = module->handshake_ms,
		.offers_max = module->handshakes_max,
		.offers_per_address = module->handshakes_per_address,
	};
	int err = rdx_tls_frontend_start(&params);

	if (err)
		LogCrit(COMPONENT_FSAL,
			"RDMAXFER: AUTH_TLS can't be answered (%s): another module does already?",
			strerror(-err));
	return err == 0;
}

bool rdx_tls_setup(struct rdx_module *module, xfer_log_fn log)
{
	char why[512];

	if (!complete(module))
		return false;
	if (module->tls_certificate && create(module, log, why, sizeof(why))) {
		LogCrit(COMPONENT_CONFIG, "RDMAXFER: no TLS for NFS clients: %s", why);
		return false;
	}
	return start_frontend(module);
}

void rdx_tls_tick(struct rdx_module *module)
{
	rdx_tls_frontend_tick();
	if (atomic_exchange(&module->tls_reread, false) && module->tls)
		xfer_tls_reload(module->tls);
}

void rdx_tls_teardown(struct rdx_module *module)
{
	rdx_tls_frontend_close();
	if (module->tls_identity)
		xfer_tls_identity_destroy(module->tls_identity);
	if (module->tls)
		xfer_tls_destroy(module->tls);
	rdx_tls_frontend_stop();
	session_guard_stop();
	gsh_free(module->tls_certificate);
	gsh_free(module->tls_key);
	gsh_free(module->tls_ca);
	gsh_free(module->tls_crl);
}
