/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* shm.h -- a data path over memory that both ends have mapped */
#ifndef XFER_TRANSPORT_SHM_H
#define XFER_TRANSPORT_SHM_H

#include "transport/transport.h"

/*
 * Each end makes the memory that is placed in at its end: the host that of WRITE, the initiator that of READ. It is
 * preallocated, and sealed: its maker against shrinking and growing, then the other end against holes. So no access ends in
 * SIGBUS, and nobody makes a peer allocate. An epoch has memory of its own. Addresses are pointers of this process.
 */

/* *fd is for the other end, and the caller's. -ENOMEM, or what memfd_create and the like give: it was logged with its
 * cause. */
int xfer_shm_make(uint64_t bytes, struct xfer_memory **memory, int *fd);
/*
 * Maps what a peer has made; fd stays the caller's. -EINVAL: it isn't sealed or can't be, has another size than
 * `bytes`, is sparse, or isn't memory at all; -ENOMEM.
 */
int xfer_shm_map(int fd, uint64_t bytes, struct xfer_memory **memory);

/* Of all data paths: it has no state. */
extern struct xfer_transport xfer_shm_transport;

#endif
