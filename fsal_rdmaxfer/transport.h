/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* transport.h -- what libntirpc has no function for: stopping and continuing a connection's receiving */
#ifndef FSAL_RDMAXFER_TRANSPORT_H
#define FSAL_RDMAXFER_TRANSPORT_H

#include "compat.h"

/*
 * libntirpc waits for a connection by epoll with EPOLLONESHOT: one event, one call of xp_recv, which asks for the next
 * one. So an xp_recv that doesn't ask has the descriptor to itself, until one of these functions is called. All of them
 * need that, and a reference to the transport.
 */

/* Whether libntirpc has read nothing that it hasn't served, and has nothing left to send. */
bool rdx_transport_at_rest(const SVCXPRT *xprt);

/* How many there are to it: libntirpc's own, one of each event and call that is being served, of each answer to be sent. */
int32_t rdx_transport_references(const SVCXPRT *xprt);

/*
 * Receiving goes on by the next event. fd: -1, or a stream that takes the place of the transport's, which is closed then;
 * given away in any case. -errno: the transport has to be destroyed.
 */
int rdx_transport_continue(SVCXPRT *xprt, int fd);

#endif
