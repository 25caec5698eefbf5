/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* context.h -- what all sessions of a process share */
#ifndef XFER_CONTEXT_H
#define XFER_CONTEXT_H

#include <pthread.h>
#include <sys/queue.h>

#include "control/lane.h"
#include "control/server.h"

struct xfer_session;

struct xfer_context {
	char node[XFER_NODE_MAX + 1];
	char role[32];
	uint8_t boot_id[16]; /* of this process */
	uint8_t kernel_boot_id[16];
	unsigned heartbeat_ms;
	enum xfer_path_wish path;
	uint32_t small_slots, large_slots;
	unsigned poll_us;
	uint64_t waiting_max; /* bytes, of each session */
	struct xfer_tls *tls; /* NULL: none, and so no identity */
	struct xfer_tls_identity *tls_identity;
	unsigned nlanes; /* connections per session, and threads for them */
	struct xfer_lane *lanes[XFER_LANES_MAX];
	struct xfer_server *status; /* NULL: none */

	pthread_mutex_t lock;
	LIST_HEAD(, xfer_session) sessions; /* under the lock */
};

/* For xfer_session_open and xfer_session_close. */
void xfer_context_add(struct xfer_context *context, struct xfer_session *session);
void xfer_context_remove(struct xfer_context *context, struct xfer_session *session);

#endif
