/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* listener.h -- a listening socket on a lane */
#ifndef XFER_CONTROL_LISTENER_H
#define XFER_CONTROL_LISTENER_H

#include "control/lane.h"
#include "control/server.h"

struct xfer_listener;

/* A peer has connected; the descriptor is the callee's. Lane thread. */
typedef void (*xfer_accept_fn)(void *user, int fd, const struct xfer_conn_identity *identity);

/* Listens at `address` (as xfer_server_listen). Fails with an error that was logged with its
 * remedy. */
int xfer_listener_create(struct xfer_lane *lane, const char *address, xfer_accept_fn accepted,
	void *user, struct xfer_listener **listener);

/* Ends it and removes a Unix socket's path; waits for the lane. Not from a lane thread. */
void xfer_listener_destroy(struct xfer_listener *listener);

#endif
