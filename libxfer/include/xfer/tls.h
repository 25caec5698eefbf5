/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* tls.h -- TLS 1.3 for connected sockets: a proxy thread shakes hands, the kernel or a relay carries the data */
#ifndef XFER_TLS_H
#define XFER_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "xfer/xfer.h"

/* The threads and limits that all TLS connections of a process share. */
struct xfer_tls;

/* Who carries the records. */
enum xfer_ktls {
	XFER_KTLS_PREFER,  /* the kernel where it can, else the relay, which is logged loudly */
	XFER_KTLS_REQUIRE, /* the kernel; where it can't, nothing starts */
	XFER_KTLS_OFF,     /* the relay */
};

struct xfer_tls_params {
	enum xfer_ktls ktls;
	unsigned handshake_ms;           /* a handshake may take so long; 100 to 60000, 0: 5000 */
	unsigned handshakes_max;         /* under way at a time; 0: 1024 */
	unsigned handshakes_per_address; /* the same from one address; 0: 64 */
	xfer_log_fn log; /* as the context's, which may come later; NULL: it stays as it is */
};

/*
 * Starts the threads and finds out which ciphers can be used: those of OpenSSL that the kernel, if it is to carry them,
 * has as well. The process writes no core files any more (PR_SET_DUMPABLE, RLIMIT_CORE). -errno with a text that names
 * cause and remedy.
 */
int xfer_tls_create(
	const struct xfer_tls_params *params, struct xfer_tls **tls, char *why, size_t why_len);
/* Ends handshakes under way (their `done` is called) and relayed connections. Identities go before. */
void xfer_tls_destroy(struct xfer_tls *tls);
/* Whether connections are carried by the kernel; decided once, by xfer_tls_create. */
bool xfer_tls_in_kernel(const struct xfer_tls *tls);

/* --- certificates ----------------------------------------------------------------------------- */

/* A certificate with what belongs to it, read again when a file changes. Connections keep what they began with. */
struct xfer_tls_identity;

enum xfer_tls_role {
	/* Serves clients of any kind: a certificate is asked for if there is a CA, and may be missing; no EKU is needed. */
	XFER_TLS_PUBLIC,
	/* A node of the cluster, in both directions: the peer has a certificate of the CA, with the EKU of its direction
	 * (serverAuth, clientAuth). */
	XFER_TLS_NODE,
};

struct xfer_tls_files {
	const char *certificate; /* PEM: the certificate, then the chain */
	const char *key;         /* PEM, not encrypted */
	const char *ca; /* PEM, one or several; PUBLIC: NULL: no client's certificate is accepted */
	const char *crl; /* PEM; NULL: none */
};

int xfer_tls_identity_create(struct xfer_tls *tls, enum xfer_tls_role role,
	const struct xfer_tls_files *files, struct xfer_tls_identity **identity, char *why,
	size_t why_len);
void xfer_tls_identity_destroy(struct xfer_tls_identity *identity);
/* SIGHUP: reads all files of all identities again, now. Any thread. A broken new set is logged; the old one stays. */
void xfer_tls_reload(struct xfer_tls *tls);

/* --- what is known of a peer ------------------------------------------------------------------ */

/* The security record of a connection; constant, but for what it counts. */
struct xfer_tls_security;

void xfer_tls_security_ref(const struct xfer_tls_security *security);
void xfer_tls_security_unref(const struct xfer_tls_security *security);
/* The peer has shown a certificate, and it was verified. */
bool xfer_tls_security_mutual(const struct xfer_tls_security *security);
bool xfer_tls_security_in_kernel(const struct xfer_tls_security *security);
/* Whether the peer's certificate has this name or IP address as a SAN (without SANs: as its CN); a pattern in the
 * certificate ("*.example.org") counts as in RFC 6125. */
bool xfer_tls_security_has_name(const struct xfer_tls_security *security, const char *name);
/* For logs and STATUS: "TLS_AES_256_GCM_SHA384"; "CN=client" or ""; "dns:a dns:b ip:10.0.0.1" or ""; SHA-256 in hex or "". */
const char *xfer_tls_security_cipher(const struct xfer_tls_security *security);
const char *xfer_tls_security_subject(const struct xfer_tls_security *security);
const char *xfer_tls_security_names(const struct xfer_tls_security *security);
const char *xfer_tls_security_fingerprint(const struct xfer_tls_security *security);

/* --- connections ------------------------------------------------------------------------------ */

struct xfer_tls_result {
	int err;         /* 0, or -errno: the connection is closed */
	const char *why; /* with err: valid during the call */
	/*
	 * The stream that carries plain bytes, non-blocking: what was given, if the kernel carries it, else one end of a
	 * socket pair. Belongs to the callee.
	 */
	int fd;
	struct xfer_tls_security *security; /* a reference for the callee */
};

struct xfer_tls_start {
	struct xfer_tls_identity *identity;
	bool client;        /* this end begins */
	const char *expect; /* the name that the peer's certificate has to have; NULL: any */
	struct sockaddr_storage address; /* the peer's: for limits and logs */
	/* Called once, on the TLS I/O thread: must not block. One audit line has been logged before. */
	void (*done)(void *user, const struct xfer_tls_result *result);
	void *user;
};

/*
 * Begins a handshake on a connected TCP socket from which nothing of it has been read. fd belongs to TLS from then on.
 * ALPN: "sunrpc" is offered, or selected if it is offered; other protocols are refused, none is accepted.
 * -EUSERS: too many are under way (the counter and the log say which limit); -ENOMEM. Then fd is closed, done isn't called.
 */
int xfer_tls_start(struct xfer_tls *tls, int fd, const struct xfer_tls_start *start);

/* The same for a thread that may wait: the result's fd, or -errno with *why, which the caller frees. */
int xfer_tls_connect(struct xfer_tls *tls, int fd, const struct xfer_tls_start *start,
	struct xfer_tls_security **security, char **why);

/*
 * How much of what a connection's keys may carry is used up, in per mille of RFC 8446's limit (section 5.5), of the
 * direction that has more. Two system calls where the kernel carries it. At 1000 it has to be closed; the relay does that
 * itself.
 */
unsigned xfer_tls_used(const struct xfer_tls_security *security, int fd);

/* Says close_notify, if that is still possible; to be called before the descriptor is closed. Never blocks. */
void xfer_tls_goodbye(const struct xfer_tls_security *security, int fd);

/* What only the user sees of its connections, and xfer_tls_status and STATUS tell. */
enum xfer_tls_event {
	XFER_TLS_USED_UP, /* one that the kernel carries was closed, because of what its keys had protected */
	XFER_TLS_OFFERS_TOO_MANY, /* a client was cut off, since too many were told to begin and hadn't */
	XFER_TLS_OFFERS_TOO_MANY_OF_ADDRESS, /* the same, too many of its address */
	XFER_TLS_OFFERS_NOT_BEGUN,           /* a client was told to begin, and no handshake did */
	XFER_TLS_XPRTSEC_REFUSED,   /* an access that the client's kind of connection isn't for */
	XFER_TLS_XPRTSEC_STRANGERS, /* a call in another client's session */
};

/* One more of them. Any thread. */
void xfer_tls_count(enum xfer_tls_event event);

/* What TLS has done, a JSON object as text that the caller frees: counters, ciphers, kernel or relay, certificates. */
char *xfer_tls_status(struct xfer_tls *tls);

#endif
