/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* shm.h -- a data path over memory that both ends have mapped */
#ifndef XFER_TRANSPORT_SHM_H
#define XFER_TRANSPORT_SHM_H

#include "transport/transport.h"

/*
 * Each end makes the memory that is placed in at its end: the host that of WRITE, the initiator that of READ. It is
 * preallocated, and sealed: its maker against shrinking and growing, then the other end against holes. So no access ends in
 * SIGBUS, and nobody makes a peer allocate. An epoch has memory of its own.
 */
struct xfer_shm_memory {
	void *base;
	uint64_t bytes; /* 0: none */
	int fd;         /* -1: not kept */
};

/* -ENOMEM, or what memfd_create and the like give: it was logged with its cause. */
int xfer_shm_make(uint64_t bytes, struct xfer_shm_memory *memory);
/*
 * Maps what a peer has made; fd stays the caller's. -EINVAL: it isn't sealed or can't be, has another size than
 * `bytes`, is sparse, or isn't memory at all; -ENOMEM.
 */
int xfer_shm_map(int fd, uint64_t bytes, struct xfer_shm_memory *memory);
void xfer_shm_unmap(struct xfer_shm_memory *memory); /* none: ignored */
void xfer_shm_close(struct xfer_shm_memory
		*memory); /* its descriptor, which nobody needs once it was passed on */

/* Takes both over, also when it fails. -ENOMEM. */
int xfer_shm_create(struct xfer_shm_memory *write, struct xfer_shm_memory *read,
	struct xfer_transport **transport);

#endif
