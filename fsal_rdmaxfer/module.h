/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* module.h -- the module: its configuration, owners and volumes */
#ifndef FSAL_RDMAXFER_MODULE_H
#define FSAL_RDMAXFER_MODULE_H

#include <xfer/tls.h>

#include "compat.h"
#include "owner.h"

struct rdx_module {
	struct fsal_module fsal;
	struct fsal_obj_ops obj_ops;

	/* the RDMAXFER block */
	char *node_name, *owners_text, *run_dir;
	uint32_t path;                     /* of enum xfer_path_wish */
	uint32_t small_slots, large_slots; /* of 16 KiB, of 1 MiB, per owner and direction */
	uint32_t poll_us;
	uint32_t waiting_memory; /* MiB, per owner */
	uint32_t lanes;          /* connections per session */
	uint32_t heartbeat_ms;
	char *tls_certificate, *tls_key, *tls_ca, *tls_crl;     /* files; NULL: not given */
	char *node_certificate, *node_key, *node_ca, *node_crl; /* the same, for owners */
	uint32_t ktls;                                          /* of enum xfer_ktls */
	uint32_t handshake_ms, handshakes_max, handshakes_per_address;
	uint32_t dir_chunk; /* of the MDCACHE block */

	struct xfer_context *context;
	struct xfer_tls *tls;                    /* NULL: nothing of it is configured */
	struct xfer_tls_identity *tls_identity;  /* shown to NFS clients; NULL: none */
	struct xfer_tls_identity *node_identity; /* shown to owners; NULL: none */
	_Atomic bool tls_reread;                 /* SIGHUP: the ticker reads TLS's files again */
	struct rdx_owners owners;
	uint32_t inside_max; /* Ganesha's threads that may wait for one owner */

	pthread_t ticker;
	bool ticking; /* the thread is there */
	bool ready;   /* init_config has succeeded */
	_Atomic bool stopping;

	pthread_mutex_t lock; /* volumes, exports */
	struct glist_head volumes, exports;
};

extern struct rdx_module rdx_module;

/* Values of Path, of enum xfer_path_wish: of the RDMAXFER block and of exports. */
extern struct config_item_list rdx_paths[];

/* Values of Ktls, of enum xfer_ktls. */
extern struct config_item_list rdx_ktls[];

/* What the dynamic linker calls when the module comes and goes. */
void rdx_load(void);
void rdx_unload(void);

void rdx_export_ops_init(struct export_ops *ops);
void rdx_obj_ops_init(struct fsal_obj_ops *ops);

fsal_status_t rdx_create_export(struct fsal_module *module, void *parse_node,
	struct config_error_type *err_type, const struct fsal_up_vector *up_ops);
fsal_status_t rdx_update_export(struct fsal_module *module, void *parse_node,
	struct config_error_type *err_type, struct fsal_export *original,
	struct fsal_module *updated_super);

/* Who may use it. */
struct admission *rdx_export_admission(struct fsal_export *export);

/* Whether its files' data must not leave this node unencrypted. */
bool rdx_export_require_encryption(struct fsal_export *export);

/* Whether NFSv3 clients may write unstable there. */
bool rdx_export_v3_unstable(struct fsal_export *export);

#endif
