/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* op.h -- what the operations' files share */
#ifndef XFER_OP_H
#define XFER_OP_H

#include "session.h"

/* Puts a name into arguments with room for XFER_NAME_MAX + 1 bytes: -EINVAL: empty, -ENAMETOOLONG.
 */
int xfer_op_put_name(char *to, const char *name);

/* Calls, and puts the answer's payload into `buffer`, which has `room` bytes. *len: what came. */
int xfer_op_fetch(struct xfer_session_call *call, void *buffer, uint32_t room, uint32_t *len);

#endif
