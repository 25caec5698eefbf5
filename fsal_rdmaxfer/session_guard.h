/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* session_guard.h -- keeps strangers from having a session's replies repeated */
#ifndef FSAL_RDMAXFER_SESSION_GUARD_H
#define FSAL_RDMAXFER_SESSION_GUARD_H

#include "compat.h"
#include "xfer/tls.h"

/*
 * Ganesha repeats the last reply of a session's slot (NFSv4.1) to whoever asks for it in that session, before any FSAL is
 * called. So a session in which something was told that isn't for everybody, in a reply that is kept, is from then on for those
 * alone who come as its client did: with a certificate of the same names, by TLS without one, or in cleartext. Calls of
 * others in it are refused: AUTH_TOOWEAK.
 */

/* From now on. xprt: a TCP connection that calls of NFS come by. Once is enough. */
void session_guard_start(SVCXPRT *xprt);
/* When Ganesha's RPC threads have ended. */
void session_guard_stop(void);

/* The present request is about to be told something; security: of its connection. */
void session_guard_bind(const struct xfer_tls_security *security);

/* The session in which a COMPOUND is, if it is in one; its arguments can be decoded again. */
bool session_guard_peek(XDR *arguments, uint8_t id[NFS4_SESSIONID_SIZE]);

#endif
