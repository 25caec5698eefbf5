/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* connect.h -- what makes a session's connections, and makes them again when they break */
#ifndef XFER_CONNECT_H
#define XFER_CONNECT_H

/* The session's thread; arg: its struct xfer_session. Ends when the session is closing. */
void *xfer_connect_main(void *arg);

#endif
