/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* peer.h -- the serving end of a session: one initiator, its epochs, calls and tokens */
#ifndef XFER_CONTROL_PEER_H
#define XFER_CONTROL_PEER_H

#include <pthread.h>
#include <sys/queue.h>

#include "control/server.h"
#include "core/replycache.h"

struct xfer_dispatcher;

#define PEER_TOKENS 16 /* lanes that may be attaching at a time */

struct xfer_peer {
	_Atomic unsigned refs; /* one per connection, and one as long as the session lives */
	struct xfer_peers *peers;
	char node[XFER_NODE_MAX + 1];
	uint8_t boot_id[16];
	uint64_t session_id;
	struct xfer_limits limits; /* agreed when the session began; constant */
	void *data;                /* the service's */
	_Atomic bool recovering; /* begun with XFER_STANDING_RECOVER, RECOVERED has not come yet */
	_Atomic uint64_t operations;
	_Atomic uint64_t
		charged; /* bytes of memory that its requests use now, and what is kept of earlier ones */

	/* under peers->lock */
	uint64_t number;      /* sessions that began later have greater ones */
	unsigned connections; /* of any epoch, as long as they are not closed */
	bool by_certificate;  /* the epoch's first connection has shown one of the node's */
	uint64_t since_ns;    /* when the first connection came, or the last one ended */
	uint64_t keep_ns;     /* without any: how long the session lives */
	struct xfer_token_slot {
		struct xfer_token token;
		uint64_t expires_ns; /* 0: none */
	} tokens[PEER_TOKENS];       /* of the current epoch */
	LIST_ENTRY(xfer_peer) link;

	/* Changed with both locks, so that one is enough for reading. */
	_Atomic uint32_t epoch;
	_Atomic bool ended; /* nothing new of it is carried out */

	pthread_mutex_t calls_lock; /* the following, and requests' `orphan` */
	struct xfer_replycache calls;
	struct xfer_hostpath *path;                /* the data path, referenced; NULL: none */
	uint32_t path_epoch;                       /* of the last one */
	struct xfer_lane *threads[XFER_LANES_MAX]; /* of its connections, by their numbers */
};

/* All sessions of a server. */
struct xfer_peers {
	pthread_mutex_t lock;
	LIST_HEAD(xfer_peer_list, xfer_peer) list; /* those that live */
	uint64_t count;                            /* of all that ever began */
	uint64_t
		keep_ns; /* a session lives so long without a connection, if its peer fell silent */
	const struct xfer_service *service;
	void *owner;
	char node[XFER_NODE_MAX + 1];
	uint8_t boot_id[16];
	uint8_t kernel_boot_id[16];
};

int xfer_peers_init(struct xfer_peers *peers, const struct xfer_server_params *params);
void xfer_peers_fini(struct xfer_peers *peers);

/* Ends sessions that have been without a connection for too long. */
void xfer_peers_tick(struct xfer_peers *peers, uint64_t now_ns);

/* Whether whoever says HELLO may have a session: res gets the status, and the reason if not. */
bool xfer_peers_admit(struct xfer_peers *peers, const struct xfer_hello_args *hello,
	const struct xfer_conn_identity *identity, struct xfer_hello_res *res);
/*
 * A connection of somebody who was admitted: goes on with its session, or begins one. Fills res, and gives the session
 * (with a reference) when its status is OK, else NULL. The connection belongs to the epoch in res.
 */
struct xfer_peer *xfer_peers_hello(struct xfer_peers *peers, const struct xfer_hello_args *hello,
	const struct xfer_conn_identity *identity, struct xfer_hello_res *res);

/* Issues a single-use token; -EAGAIN: too many are under way, or the epoch is over. */
int xfer_peer_issue_token(struct xfer_peer *peer, uint32_t epoch, struct xfer_token *token);

/*
 * The session whose token this is (with a reference), for one more connection; the token is used up. NULL: none. If the
 * session is one by certificate the connection has to be, too: a token alone may have been stolen. It is logged.
 */
struct xfer_peer *xfer_peers_redeem(struct xfer_peers *peers, const struct xfer_token *token,
	const struct xfer_conn_identity *identity, uint32_t *epoch);

/* A connection has ended: what it had under way is an orphan. closed: by the peer. The reference stays. */
void xfer_peer_disconnected(
	struct xfer_peer *peer, const struct xfer_dispatcher *dispatcher, bool closed);

/* Whether what comes over a connection of this epoch still counts. It stays true while one of the locks is held. */
bool xfer_peer_goes_on(const struct xfer_peer *peer, uint32_t epoch);

/* END: nothing of the session is needed any more. */
void xfer_peer_end(struct xfer_peer *peer);

/*
 * A call that changes something has arrived over a connection of this epoch. False: the epoch is over, it is to be
 * dropped. DONE: the answer without its xid was copied to `answer`, which has room for XFER_REPLY_ROOM bytes.
 */
bool xfer_peer_call(struct xfer_peer *peer, uint32_t epoch, struct xfer_request *request,
	uint8_t *answer, enum xfer_replay *replay, struct xfer_replayed *replayed);
/* It was carried out. Gives the request that is to be answered: this one, or a later sending of it. */
struct xfer_request *xfer_peer_done(
	struct xfer_peer *peer, struct xfer_request *request, const uint8_t *answer, uint32_t len);
/* It isn't carried out after all, and may come again. Gives the request that is to be told, as above. */
struct xfer_request *xfer_peer_forget(struct xfer_peer *peer, struct xfer_request *request);

/* CANCEL. False: the epoch is over. */
bool xfer_peer_cancel(struct xfer_peer *peer, uint32_t epoch, const struct xfer_cancel_args *args,
	enum xfer_cancelled *cancelled);

/* Whether TLS says that the peer is this node. */
bool xfer_peer_has_certificate(const struct xfer_conn_identity *identity, const char *node);

/* The connection with this number is served by this thread. */
void xfer_peer_put_thread(struct xfer_peer *peer, uint32_t number, struct xfer_lane *thread);
/* Of so many connections; one that there isn't (yet) has the first one's. */
void xfer_peer_threads(
	struct xfer_peer *peer, uint32_t lanes, struct xfer_lane *threads[XFER_LANES_MAX]);

void xfer_peer_ref(struct xfer_peer *peer);
void xfer_peer_unref(struct xfer_peer *peer);

#endif
