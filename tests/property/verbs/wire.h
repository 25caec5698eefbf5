/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* wire.h -- what carries queue pairs: a device of this host's, or the mock of one */
#ifndef TESTS_PROPERTY_VERBS_WIRE_H
#define TESTS_PROPERTY_VERBS_WIRE_H

#include <stdint.h>

#include "control/protocol.h"
#include "transport/transport.h"

extern const char wire_program[]; /* the executable's name */

void wire_begin(void);
/* All that was made is gone. */
void wire_end(void);
/* By which it is reached. Their number. */
uint32_t wire_addresses(struct xfer_rdma_address list[XFER_RDMA_ADDRESSES_MAX]);
/* What a path is to use instead of this transport, so that it can be held up. */
struct xfer_transport *wire_transport(struct xfer_transport *under);
/* Holds up what is sent, lets some of it pass, or all. */
void wire_jolt(void);
/* Nothing is held up any more. */
void wire_calm(void);
/* Nothing was done that isn't allowed. */
void wire_check(void);

#endif
