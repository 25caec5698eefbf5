/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* config.h -- what rdmaxferd.conf says */
#ifndef XFER_OWNER_CONFIG_H
#define XFER_OWNER_CONFIG_H

#include <stdbool.h>
#include <sys/types.h>

#include "log.h"
#include "xfer/tls.h"

#define CONFIG_LISTEN_MAX  16
#define CONFIG_NODES_MAX   256
#define CONFIG_VOLUMES_MAX 256
#define CONFIG_UIDS_MAX    16

/* A node that may have a session. */
struct config_node {
	unsigned line; /* where its entry stands in the file */
	char name[XFER_NODE_MAX + 1];
	char address
		[64];   /* of a TCP peer, as a number; empty: any, or it comes over a Unix socket */
	bool insecure;  /* the address alone authenticates it, and no certificate */
	unsigned nuids; /* of a Unix-socket peer */
	uid_t uids[CONFIG_UIDS_MAX];
	enum xfer_path_wish path; /* which data path it may have */
};

/* Whose rights a node's callers have at most, whatever the node has mapped already. */
enum config_squash {
	SQUASH_NONE,
	SQUASH_ROOT, /* root becomes the anonymous user, root's group the anonymous group */
	SQUASH_ALL,  /* everybody does */
};

/* Whether a change waits until nobody believes any more what it ends. */
enum config_coherence {
	COHERENCE_STRICT,
	COHERENCE_EVENTUAL, /* it doesn't: others hear of it soon */
};

/* A node that may use a volume. */
struct config_volume_node {
	char name[XFER_NODE_MAX + 1];
	bool read_only;
};

struct config_volume {
	unsigned line;
	char name[XFER_NODE_MAX + 1];
	char path[4096];
	uint32_t id;
	unsigned workers; /* threads that work for it at a time */
	bool read_only;
	bool require_encryption; /* nothing of it travels between nodes without */
	enum config_coherence coherence;
	enum config_squash squash;
	uid_t anon_uid;
	gid_t anon_gid;
	unsigned nnodes;
	struct config_volume_node *nodes; /* who may use it */
};

/* With which nodes come by TCP. */
struct config_tls {
	unsigned line;                                          /* 0: there is none */
	char certificate[4096], key[4096], ca[4096], crl[4096]; /* crl: empty: none */
	enum xfer_ktls ktls;
	unsigned handshake_ms; /* 0: TLS's default */
};

struct config {
	char node[XFER_NODE_MAX + 1];
	char state_dir[4096], run_dir[4096];
	enum xfer_log_level log_level;
	unsigned workers;      /* of a volume that doesn't say */
	unsigned session_keep; /* seconds that a session lives without a connection */
	unsigned
		grace; /* seconds that a restarted process waits for those who had sessions, at most */
	unsigned memory;         /* MiB that sessions may place data in, of all of them */
	unsigned session_memory; /* the same of one */
	unsigned rdma_poll_us;   /* who waits for RDMA looks for so long before it sleeps */
	struct config_tls tls;
	unsigned nlisten;
	char listen[CONFIG_LISTEN_MAX + 1][256]; /* the socket in run_dir is always among them */
	unsigned nnodes;
	struct config_node *nodes;
	unsigned nvolumes;
	struct config_volume *volumes;
};

#define CONFIG_DEFAULT_FILE "/etc/rdmaxfer/rdmaxferd.conf"

/* Reads and checks a file. -EINVAL: it is wrong, and the log says where, what and what to do. */
int config_load(const char *file, struct config **config);
void config_free(struct config *config); /* NULL is ignored */

/* The entry of a node; NULL: none. */
const struct config_node *config_node_find(const struct config *config, const char *name);
/* What a node may do on a volume; NULL: nothing. */
const struct config_volume_node *config_volume_node_find(
	const struct config_volume *volume, const char *name);

#endif
