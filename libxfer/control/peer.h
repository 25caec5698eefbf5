/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* peer.h -- the serving end of a session: one initiator, its connections and tokens */
#ifndef XFER_CONTROL_PEER_H
#define XFER_CONTROL_PEER_H

#include <pthread.h>
#include <sys/queue.h>

#include "control/server.h"

struct xfer_dispatcher;

#define PEER_TOKENS 16 /* lanes that may be attaching at a time */

struct xfer_peer {
	_Atomic unsigned refs; /* one per connection and per request */
	struct xfer_peers *peers;
	char node[XFER_NODE_MAX + 1];
	uint8_t boot_id[16];
	uint64_t session_id;
	_Atomic uint32_t epoch;
	struct xfer_limits limits; /* agreed when the session began; constant */
	void *data;                /* the service's */
	_Atomic uint64_t operations;
	_Atomic uint64_t charged; /* bytes of memory that its requests use now */
	_Atomic unsigned connections;
	struct {
		struct xfer_token token;
		uint64_t expires_ns; /* 0: none */
	} tokens[PEER_TOKENS];       /* under peers->lock */
	LIST_ENTRY(xfer_peer) link;  /* under peers->lock */
};

/* All sessions of a server. */
struct xfer_peers {
	pthread_mutex_t lock;
	LIST_HEAD(, xfer_peer) list;
	const struct xfer_service *service;
	void *owner;
	char node[XFER_NODE_MAX + 1];
	uint8_t boot_id[16];
	uint8_t kernel_boot_id[16];
};

int xfer_peers_init(struct xfer_peers *peers, const struct xfer_server_params *params);
void xfer_peers_fini(struct xfer_peers *peers);

/*
 * Answers HELLO: fills res, and gives the session (with a reference) when its status is OK, else
 * NULL.
 */
struct xfer_peer *xfer_peers_hello(struct xfer_peers *peers, const struct xfer_hello_args *hello,
	const struct xfer_conn_identity *identity, struct xfer_hello_res *res);

/* Issues a single-use token; -EAGAIN: too many are under way. */
int xfer_peer_issue_token(struct xfer_peer *peer, struct xfer_token *token);

/* The session whose token this is (with a reference); the token is used up. NULL: none. */
struct xfer_peer *xfer_peers_redeem(struct xfer_peers *peers, const struct xfer_token *token);

void xfer_peer_ref(struct xfer_peer *peer);
void xfer_peer_unref(struct xfer_peer *peer);

#endif
