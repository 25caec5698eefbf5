/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* fault_transport.c -- a transport whose calls are late, or fail, as a test says */

#include "support/fault_transport.h"

#include <stdlib.h>
#include <unistd.h>

struct faulty {
	struct xfer_transport transport;
	struct xfer_transport_ops ops;
	struct xfer_transport *under;
	const struct fault_transport *faults;
};

static int stage(struct xfer_transport *transport, struct xfer_placement *placement)
{
	struct faulty *faulty = (struct faulty *)transport;
	int err = faulty->faults->stage_err;

	return err ? err : faulty->under->ops->stage(faulty->under, placement);
}

static int place(struct xfer_transport *transport, const struct xfer_placement *placement)
{
	struct faulty *faulty = (struct faulty *)transport;
	int err = faulty->faults->send_err;

	usleep(faulty->faults->send_ms * 1000);
	return err ? err : faulty->under->ops->send(faulty->under, placement);
}

static void fetch(struct xfer_transport *transport, struct xfer_placement *placement)
{
	struct faulty *faulty = (struct faulty *)transport;

	faulty->under->ops->fetch(faulty->under, placement);
}

static void faulty_free(struct xfer_transport *transport)
{
	struct faulty *faulty = (struct faulty *)transport;

	faulty->under->ops->free(faulty->under);
	free(faulty);
}

struct xfer_transport *fault_transport_new(
	struct xfer_transport *under, const struct fault_transport *faults)
{
	struct faulty *faulty = malloc(sizeof(*faulty));

	if (!faulty)
		return NULL;
	faulty->ops = *under->ops;
	faulty->ops.stage = stage;
	faulty->ops.send = place;
	faulty->ops.fetch = fetch;
	faulty->ops.free = faulty_free;
	faulty->transport.ops = &faulty->ops;
	faulty->under = under;
	faulty->faults = faults;
	return &faulty->transport;
}
