/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* fault_transport.h -- a transport whose calls are late, or fail, as a test says */
#ifndef SUPPORT_FAULT_TRANSPORT_H
#define SUPPORT_FAULT_TRANSPORT_H

#include "transport/transport.h"

/* Of one transport; the test's, changed at any time. */
struct fault_transport {
	_Atomic int stage_err, send_err; /* 0: as the transport below has it */
	_Atomic unsigned send_ms;        /* before the bytes are sent */
};

/* Puts itself in front of a transport, which it frees with itself. */
struct xfer_transport *fault_transport_new(
	struct xfer_transport *under, const struct fault_transport *faults);

#endif
