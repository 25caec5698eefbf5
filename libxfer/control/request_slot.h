/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* request_slot.h -- the slot of a data path that a request's data is in, or goes to */
#ifndef XFER_CONTROL_REQUEST_SLOT_H
#define XFER_CONTROL_REQUEST_SLOT_H

#include "control/request.h"

/*
 * Any thread; a request belongs to one at a time. What an operation's slot, if it names one, is for it: GO (it uses the
 * slot from then on), WAIT (it is parked, and not the caller's any more: xfer_request_resume goes on with it), RESEND, or
 * (any other) a breach, which ends the connection.
 */
enum xfer_join_event xfer_request_enter_slot(struct xfer_request *request);
/* One that was parked isn't any more: GO or RESEND. */
struct xfer_request *xfer_request_unpark(
	struct xfer_placement *placement, enum xfer_join_event event);
/* The answer names the slot: a READ's if there are bytes in it, a WRITE's because it is free again. */
void xfer_request_name_slot(struct xfer_request *request);
/* Its slot is free again, if it has one. */
void xfer_request_leave_slot(struct xfer_request *request);

#endif
