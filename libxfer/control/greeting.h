/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* greeting.h -- a TCP connection that has just come: in cleartext, or with TLS? */
#ifndef XFER_CONTROL_GREETING_H
#define XFER_CONTROL_GREETING_H

#include "control/strangers.h"
#include "xfer/tls.h"

/*
 * Its first bytes tell; they are looked at, and stay where they are unless they are a probe (tls/starttls.h). That one is
 * answered, and the handshake follows, on threads of TLS's. Nothing of it is a connection of the protocol yet.
 */
struct xfer_greeting;

struct xfer_greeting_params {
	struct xfer_lane *lane; /* looks at the first bytes */
	struct xfer_tls *tls;
	struct xfer_tls_identity *tls_identity;
	unsigned wait_ms; /* for the first bytes */
	/*
	 * The greeting is over, once. fd: the stream of what follows, which belongs to the callee, with its reference to
	 * `security` (NULL: in cleartext); -1: it has ended. The lane's thread or one of TLS's: must not wait. Afterwards
	 * the greeting isn't there any more.
	 */
	void (*over)(void *user, struct xfer_greeting *greeting, int fd,
		struct xfer_tls_security *security);
	void *user;
};

/* fd: of a connected TCP socket, belongs to the greeting, also on failure. Doesn't begin yet. */
int xfer_greeting_create(const struct xfer_greeting_params *params, int fd,
	const struct xfer_conn_identity *identity, struct xfer_greeting **greeting);
/* From now on it may be over at any time. The lane's thread. */
void xfer_greeting_start(struct xfer_greeting *greeting);

/* As one of the strangers: turning it out ends it, whatever it waits for. */
struct xfer_stranger *xfer_greeting_stranger(struct xfer_greeting *greeting);

#endif
