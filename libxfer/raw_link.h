/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* raw_link.h -- both ends of a data path over queue pairs in this process, connected to each other */
#ifndef XFER_RAW_LINK_H
#define XFER_RAW_LINK_H

#include "transport/verbs.h"

struct xfer_raw_end {
	struct xfer_lane *threads[XFER_LANES_MAX];
	struct xfer_transport *transport;
	struct xfer_memory *memory; /* the host's: is written into; the initiator's: its mirror */
};

struct xfer_raw_link {
	unsigned lanes;
	struct xfer_verbs_listener *listener;
	struct xfer_raw_end initiator, host;
	char address[INET6_ADDRSTRLEN]; /* by which they are connected */
};

struct xfer_raw_link_params {
	const char *address; /* NULL: this host's first one by which RDMA works */
	unsigned lanes;
	uint32_t writes; /* of each lane, under way at the most at a time */
	uint64_t bytes;  /* of memory */
	unsigned poll_us;
	const struct xfer_transport_events *initiator, *host;
	void *arg; /* theirs */
};

/* May take some seconds. -errno: why says it, and nothing is open. */
int xfer_raw_link_open(struct xfer_raw_link *link, const struct xfer_raw_link_params *params,
	char *why, size_t why_len);
/* Afterwards nothing is told any more. */
void xfer_raw_link_close(struct xfer_raw_link *link);

#endif
