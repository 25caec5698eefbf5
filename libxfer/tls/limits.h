/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* limits.h -- how many handshakes may be under way, in all and from one address */
#ifndef XFER_TLS_LIMITS_H
#define XFER_TLS_LIMITS_H

#include <pthread.h>
#include <sys/queue.h>
#include <sys/socket.h>

#define XFER_TLS_BUCKETS 256

/* A handshake that is under way. */
struct xfer_tls_place {
	struct sockaddr_storage address; /* set before; its port doesn't count */
	LIST_ENTRY(xfer_tls_place) link;
};

struct xfer_tls_limits {
	unsigned max, per_address;
	pthread_mutex_t lock; /* the rest */
	unsigned taken;
	LIST_HEAD(, xfer_tls_place) buckets[XFER_TLS_BUCKETS]; /* by a hash of the address */
};

void xfer_tls_limits_init(struct xfer_tls_limits *limits, unsigned max, unsigned per_address);
void xfer_tls_limits_fini(struct xfer_tls_limits *limits);

/* Any thread. -EUSERS, counted, with *which limit: "in all" or "from one address". */
int xfer_tls_limits_enter(
	struct xfer_tls_limits *limits, struct xfer_tls_place *place, const char **which);
void xfer_tls_limits_leave(struct xfer_tls_limits *limits, struct xfer_tls_place *place);
unsigned xfer_tls_limits_taken(struct xfer_tls_limits *limits);

#endif
