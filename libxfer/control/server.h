/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* server.h -- listening for calls, and the sessions that peers have with this process */
#ifndef XFER_CONTROL_SERVER_H
#define XFER_CONTROL_SERVER_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "control/request.h"

struct xfer_tls;
struct xfer_tls_identity;
struct xfer_tls_security;

/* Who is at the other end of a connection, as far as the kernel and TLS know. */
struct xfer_conn_identity {
	bool local; /* a Unix socket: uid and pid are valid, address isn't */
	uid_t uid;
	pid_t pid;
	struct sockaddr_storage address; /* TCP */
	/* What TLS knows of the peer, the connection's for its life; NULL: it comes in cleartext. */
	const struct xfer_tls_security *security;
	char text[80]; /* for logs: "10.0.0.1:847" or "uid 0 pid 1234" */
};

#define XFER_SESSION_KEEP_MS   60000 /* how long a session lives without a connection */
#define XFER_SESSION_CLOSED_MS 10000 /* the same when the peer has closed the last one */

/*
 * What the process behind the server provides. All but peer_gone run on lane threads and must not block. Where it says
 * "may be NULL" there is nothing to do.
 */
struct xfer_service {
	/* Whether the node that says HELLO may have a session: 0, or a wire status with a reason
	 * for both ends' logs. */
	uint32_t (*admit)(void *owner, const struct xfer_hello_args *hello,
		const struct xfer_conn_identity *identity, char *reason, size_t reason_len);
	/* An operation (proc >= XFER_PROC_FIRST_OP) of a session. Takes the request over. */
	void (*dispatch)(void *owner, struct xfer_request *request);
	/* A session has ended, nothing of it is under way any more: drop its opens. Any thread. */
	void (*peer_gone)(void *owner, struct xfer_peer *peer);
	/* The process's part of STATUS: a malloc'ed JSON text. */
	char *(*status)(void *owner);
	/* The write verifier as it is now, for WELCOME. */
	void (*write_verifier)(void *owner, uint8_t verifier[8]);

	/*
	 * A process that may have a session says HELLO. Calls xfer_request_welcome(request) when a successor of this
	 * process would know of it, at once or later, on any thread. May be NULL.
	 */
	void (*remember)(
		void *owner, const struct xfer_hello_args *hello, struct xfer_request *request);
	/* A new session begins; XFER_STANDING_RECOVER if a predecessor had it. The sessions' lock is held. May be NULL. */
	enum xfer_standing (*began)(void *owner, struct xfer_peer *peer);
	/* RECOVERED has come from a session that began so. False: too late, the session ends. May be NULL. */
	bool (*recovered)(void *owner, struct xfer_peer *peer);
	/* A session has ended, but not because this process does; without END, `abandoned` was called before. Requests of
	 * it may be under way. Any thread. May be NULL. */
	void (*ended)(void *owner, struct xfer_peer *peer);

	/*
	 * A request that changes something has lost its connection, but may still be executed; dispatch may not even
	 * have been called for it. A lock is held: it must not be answered from within. Any thread. May be NULL.
	 */
	void (*orphaned)(void *owner, struct xfer_request *request);
	/* Such a request is being answered; it isn't executed any more. Any thread. May be NULL. */
	void (*orphan_gone)(void *owner, struct xfer_request *request);
	/* Answers an operation with -EAGAIN if it has not begun. May be NULL. */
	void (*cancel)(void *owner, struct xfer_peer *peer, const struct xfer_cancel_args *args);

	/* How many files a session has open. May be NULL. */
	unsigned (*opens)(void *owner, struct xfer_peer *peer);
	/* How much it has been told, or has to be told, that it has not acknowledged. May be NULL. */
	unsigned (*unsettled)(void *owner, struct xfer_peer *peer);
	/* A session has lost its last connection, or goes on over others: what is on its way to it is lost. Any thread.
	 * May be NULL. */
	void (*epoch_ended)(void *owner, struct xfer_peer *peer);
	/* A session has ended without END: what has not begun is to be answered, no matter what. Any thread. May be
	 * NULL. */
	void (*abandoned)(void *owner, struct xfer_peer *peer);

	/*
	 * EVENTS of a session. Takes the request over, and answers it when there is something to tell, or when the
	 * epoch has ended: that may happen meanwhile, so xfer_peer_goes_on has to be asked under the lock that
	 * epoch_ended and ended take. NULL: such calls are refused.
	 */
	void (*events)(void *owner, struct xfer_request *request);

	/*
	 * SHARE, GROW or RETIRE of a session. Takes the request over; RETIRE is answered when there is something to give
	 * back, else as EVENTS is. NULL: such calls are refused.
	 */
	void (*memory)(void *owner, struct xfer_request *request);
	/*
	 * The server is being destroyed, and all connections are gone: what is left of their data paths is given up before
	 * this returns, since that needs lanes' threads. May be NULL.
	 */
	void (*deserted)(void *owner);
};

struct xfer_server;

struct xfer_server_params {
	const char *node;
	unsigned lanes; /* I/O threads, shared by all connections */
	const struct xfer_service *service;
	void *owner;      /* first argument of the service's functions */
	unsigned keep_ms; /* 0: XFER_SESSION_KEEP_MS */
	/* With which TLS begins on TCP connections that ask for it; NULL: they are told that there is none. Both outlive
	 * the server. */
	struct xfer_tls *tls;
	struct xfer_tls_identity *tls_identity;
};

int xfer_server_create(const struct xfer_server_params *params, struct xfer_server **server);

/* "HOST:PORT", "[V6]:PORT" or "unix:PATH" (mode 0660; a socket left by a dead process is replaced).
 * -EADDRINUSE: somebody listens there. */
int xfer_server_listen(struct xfer_server *server, const char *address);

/* Closes listeners and connections; returns when no request and no session is left. */
void xfer_server_destroy(struct xfer_server *server);

/* A peer's facts; all but the last one are constant for its life. */
const char *xfer_peer_node(const struct xfer_peer *peer);
uint64_t xfer_peer_session_id(const struct xfer_peer *peer);
const uint8_t *xfer_peer_boot_id(const struct xfer_peer *peer); /* 16 bytes */
/*
 * The request's session has this data path from now on, whose reference is the session's, also on failure. -EAGAIN: the
 * session's epoch is over; -EINVAL: the path's isn't later than the last one's.
 */
int xfer_peer_take_path(const struct xfer_request *request, struct xfer_hostpath *path);
/* The session has this data path no more. True: it had, and its reference is the caller's. */
bool xfer_peer_leave_path(struct xfer_peer *peer, const struct xfer_hostpath *path);
/* The data path, with a reference; NULL: there is none. */
struct xfer_hostpath *xfer_peer_path(struct xfer_peer *peer);
/* Begun with XFER_STANDING_RECOVER, and RECOVERED has not come. */
bool xfer_peer_recovering(const struct xfer_peer *peer);
/* Room for the service's own state about this peer (its opens). */
void xfer_peer_set_private(struct xfer_peer *peer, void *data);
void *xfer_peer_private(const struct xfer_peer *peer);

#endif
