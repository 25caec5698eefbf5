/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* tls_nodes.h -- for tests of sessions over TLS: nodes a and b of a cluster, with a CA of its own, in one process */
#ifndef SUPPORT_TLS_NODES_H
#define SUPPORT_TLS_NODES_H

#include "support/pki.h"
#include "support/sessions.h"

/* What is to be different from a good node's certificate. */
struct tls_node {
	struct pki_wish wish;
	bool other_ca; /* it is another CA's */
};

/* The owner is node b; the relay carries, or the kernel if there is one that can. */
struct tls_nodes {
	struct pki *pki, *other; /* the cluster's; another one */
	struct xfer_tls *tls;
	struct xfer_tls_identity *a, *b;
	struct fixture f;
	bool insecure; /* a test's: the session is said to be */
};

/* For tls_nodes_open: it has no TLS. */
enum tls_without { TLS_WITHOUT_NONE, TLS_WITHOUT_OWNER, TLS_WITHOUT_NODE };

/* Certificates; the log is kept (tls_ends.h). NULL: good ones. */
void tls_nodes_begin(struct tls_nodes *nodes, const struct tls_node *a, const struct tls_node *b);
/* The owner listens at TCP, and the session with it is opened; it isn't waited for. */
void tls_nodes_open(struct tls_nodes *nodes, enum tls_without without);
/* A MiB is written and read back; each byte depends on the seed. */
void tls_nodes_exchange(struct tls_nodes *nodes, unsigned seed);
/* Waits until the log has a line with both texts. */
void tls_nodes_expect_logged(const char *text, const char *text2);
/* All of it. */
void tls_nodes_end(struct tls_nodes *nodes);

/* A TCP address of this process that nobody else has. */
const char *tls_nodes_address(void);

#endif
