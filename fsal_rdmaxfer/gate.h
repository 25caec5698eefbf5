/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* gate.h -- the one way into the owner: who asks, whether it may go now, over which session */
#ifndef FSAL_RDMAXFER_GATE_H
#define FSAL_RDMAXFER_GATE_H

#include "volume.h"

/* An operation that has passed the gate. */
struct rdx_op {
	struct rdx_volume *volume;
	struct rdx_owner *owner;
	struct xfer_session *session; /* held until op_end */
	struct xfer_cred cred;        /* of op_ctx; its groups are op_ctx's */
	struct asked asked;           /* of what its reply says */
	uint64_t begun;               /* the client's request; 0: there is none */
	bool waits;                   /* it is counted among those inside */
};

/*
 * Lets a synchronous operation in. ERR_FSAL_ACCESS: its client may not have anything of the export (admit.h).
 * ERR_FSAL_DELAY, nothing having left this node: the session is down,
 * this is a lane's thread, or a quarter of Ganesha's threads wait for this owner already, or half as many for this
 * volume, so that a slow one never stops the others.
 */
fsal_status_t rdx_op_begin(struct rdx_volume *volume, struct rdx_op *op);

/* The same for one that doesn't wait: reads, writes and listings ahead. */
fsal_status_t rdx_op_begin_async(struct rdx_volume *volume, struct rdx_op *op);

void rdx_op_end(struct rdx_op *op);

/* On whose behalf this thread works; the groups are op_ctx's. */
struct xfer_cred rdx_request_cred(void);

/* When the client's request came here first that this thread works on; 0: it doesn't work on one. */
uint64_t rdx_request_begun(void);

#endif
