/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* dial.h -- a session's way to its owner: connected, and with TLS unless it has to be without */
#ifndef XFER_DIAL_H
#define XFER_DIAL_H

#include "session.h"

/*
 * Connects to the session's owner. Over TCP the owner has to show a certificate with its name, unless the session is said
 * to be insecure: there is no falling back. Blocks: on the session's own thread, for some seconds at most, and no longer
 * than until xfer_dial_interrupt. 0; -errno, with cause and remedy for the log in `why`.
 */
int xfer_dial(struct xfer_session *session, struct xfer_conn_io **io, char *why, size_t why_len);

/* The session ends: what is being connected isn't waited for any more. The session's lock is held. */
void xfer_dial_interrupt(struct xfer_session *session);

#endif
