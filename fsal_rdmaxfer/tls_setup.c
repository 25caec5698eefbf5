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

/* Of one use, as configured. */
struct files {
	const char *use; /* what the keys' names begin with */
	enum xfer_tls_role role;
	struct xfer_tls_files files;
};

/* Whether the keys that name files belong together. */
static bool complete(const struct files *one)
{
	const struct xfer_tls_files *files = &one->files;

	if (files->certificate && !files->key) {
		LogCrit(COMPONENT_CONFIG,
			"RDMAXFER: %s_Certificate needs %s_Key: add the file with its private key",
			one->use, one->use);
		return false;
	}
	if (!files->certificate && (files->key || files->ca || files->crl)) {
		LogCrit(COMPONENT_CONFIG,
			"RDMAXFER: %s_Key, %s_CA and %s_CRL do nothing without %s_Certificate: add it, or "
			"take them out",
			one->use, one->use, one->use, one->use);
		return false;
	}
	if (files->crl && !files->ca) {
		LogCrit(COMPONENT_CONFIG,
			"RDMAXFER: %s_CRL does nothing without %s_CA: add it, or take %s_CRL out",
			one->use, one->use, one->use);
		return false;
	}
	if (files->certificate && !files->ca && one->role == XFER_TLS_NODE) {
		LogCrit(COMPONENT_CONFIG,
			"RDMAXFER: %s_Certificate needs %s_CA: add the file with the cluster's "
			"authority, by which owners are known",
			one->use, one->use);
		return false;
	}
	return true;
}

static bool create(struct rdx_module *module, xfer_log_fn log)
{
	const struct xfer_tls_params params = {
		.ktls = (enum xfer_ktls)module->ktls,
		.handshake_ms = module->handshake_ms,
		.handshakes_max = module->handshakes_max,
		.handshakes_per_address = module->handshakes_per_address,
		.log = log,
	};
	char why[512];

	if (xfer_tls_create(&params, &module->tls, why, sizeof(why)) == 0)
		return true;
	LogCrit(COMPONENT_CONFIG, "RDMAXFER: no TLS: %s", why);
	return false;
}

/* None, if no certificate is given. */
static bool add_identity(
	struct rdx_module *module, const struct files *one, struct xfer_tls_identity **identity)
{
	char why[512];

	if (!one->files.certificate || xfer_tls_identity_create(module->tls, one->role, &one->files,
					       identity, why, sizeof(why)) == 0)
		return true;
	LogCrit(COMPONENT_CONFIG, "RDMAXFER: %s_Certificate: %s", one->use, why);
	return false;
}

void rdx_tls_drop(struct rdx_module *module)
{
	if (module->tls_identity)
		xfer_tls_identity_destroy(module->tls_identity);
	if (module->node_identity)
		xfer_tls_identity_destroy(module->node_identity);
	if (module->tls)
		xfer_tls_destroy(module->tls);
	module->tls_identity = module->node_identity = NULL;
	module->tls = NULL;
}

bool rdx_tls_setup(struct rdx_module *module, xfer_log_fn log)
{
	const struct files port = { "TLS", XFER_TLS_PUBLIC,
		{ module->tls_certificate, module->tls_key, module->tls_ca, module->tls_crl } };
	const struct files node = { "Node", XFER_TLS_NODE,
		{ module->node_certificate, module->node_key, module->node_ca, module->node_crl } };
	bool any = port.files.certificate || node.files.certificate;

	if (!complete(&port) || !complete(&node) || (any && !create(module, log)))
		return false;
	if (!add_identity(module, &port, &module->tls_identity) ||
		!add_identity(module, &node, &module->node_identity)) {
		rdx_tls_drop(module);
		return false;
	}
	return true;
}

bool rdx_tls_offer(struct rdx_module *module)
{
	const struct rdx_tls_frontend_params params = {
		.tls = module->tls_identity ? module->tls : NULL,
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

void rdx_tls_tick(struct rdx_module *module)
{
	rdx_tls_frontend_tick();
	if (atomic_exchange(&module->tls_reread, false) && module->tls)
		xfer_tls_reload(module->tls);
}

void rdx_tls_teardown(struct rdx_module *module)
{
	rdx_tls_frontend_close();
	rdx_tls_drop(module);
	rdx_tls_frontend_stop();
	session_guard_stop();
	gsh_free(module->tls_certificate);
	gsh_free(module->tls_key);
	gsh_free(module->tls_ca);
	gsh_free(module->tls_crl);
	gsh_free(module->node_certificate);
	gsh_free(module->node_key);
	gsh_free(module->node_ca);
	gsh_free(module->node_crl);
}
