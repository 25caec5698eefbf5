/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* verbs.h -- a data path over RDMA queue pairs: one for each lane, remote writes only */
#ifndef XFER_TRANSPORT_VERBS_H
#define XFER_TRANSPORT_VERBS_H

#include <netinet/in.h>

#include "control/lane.h"
#include "control/protocol.h"
#include "transport/transport.h"

/*
 * One end of one epoch of a data path. Its protection domains are its own, so that a key which was given to a peer opens
 * nothing of another one's. What the peer writes into is registered for remote write, what is written from has a mirror
 * of the peer's memory: the slot's place in it is the slot's user's until the slot is free again, so nothing has to
 * be allocated, nor a completion be waited for, to write.
 *
 * Threads: what connects and frees takes time and is not for lane threads; the rest is struct xfer_transport_ops.
 */
struct xfer_verbs;

struct xfer_verbs_params {
	uint32_t lanes;
	struct xfer_lane *threads[XFER_LANES_MAX]; /* of each lane: completions wake them */
	/* Of each lane: so many slots this end writes to, and is written to, at the most at a time. */
	uint32_t sends, receives;
	unsigned
		poll_us; /* somebody waits: look for so long before the completion queue is armed */
};

/* Nothing is connected yet. -ENOMEM, or what keeps verbs from being used at all: why says it. */
int xfer_verbs_create(const struct xfer_verbs_params *params, struct xfer_verbs **verbs, char *why,
	size_t why_len);
/* The same thing, for a path, which frees it. */
struct xfer_transport *xfer_verbs_transport(struct xfer_verbs *verbs);

/* --- memory: to be freed after the transport, or when nothing is written to it any more ----------- */

/* For the peer to write into. -ENOMEM: why says it, and what to do. */
int xfer_verbs_offer(struct xfer_verbs *verbs, uint64_t bytes, struct xfer_memory **memory,
	char *why, size_t why_len);
/* The key by which it is written on a lane. */
uint32_t xfer_verbs_key(const struct xfer_memory *memory, uint32_t lane);
/* To be written from, into the peer's memory, which is said lane by lane. */
int xfer_verbs_mirror(struct xfer_verbs *verbs, uint64_t bytes, struct xfer_memory **memory,
	char *why, size_t why_len);
void xfer_verbs_aim(struct xfer_memory *memory, uint32_t lane, uint64_t base, uint32_t key);

/* --- connecting, at the initiator --------------------------------------------------------------- */

struct xfer_verbs_target {
	uint16_t port;
	uint32_t naddresses;
	struct xfer_rdma_address
		addresses[XFER_RDMA_ADDRESSES_MAX]; /* lanes are spread over them */
	struct xfer_token tokens[XFER_LANES_MAX];
	uint64_t read_bytes; /* of memory for READ, 0: none */
	/* Asked now and then: true: it isn't wanted any more. */
	bool (*given_up)(void *arg);
	void *arg;
};

/*
 * Connects all lanes, and finds out whether immediates work. *read: what the host writes into, the caller's; NULL: none.
 * -errno: why says it; the transport is to be freed. May take some seconds.
 */
int xfer_verbs_connect(struct xfer_verbs *verbs, const struct xfer_verbs_target *target,
	struct xfer_memory **read, char *why, size_t why_len);

/* --- being connected to, at the host ------------------------------------------------------------ */

struct xfer_verbs_listener;

/* Of a process; port: wished for, another one is taken where it isn't free. -errno: why says it. */
int xfer_verbs_listen(
	uint16_t port, struct xfer_verbs_listener **listener, char *why, size_t why_len);
/* No path expects anybody any more. NULL is ignored. */
void xfer_verbs_listener_destroy(struct xfer_verbs_listener *listener);
uint16_t xfer_verbs_port(const struct xfer_verbs_listener *listener);

/*
 * From now on each lane may be connected once, with its token, from one of these addresses. read: the mirror of the
 * initiator's memory, of which that says where it is; NULL: none. Until the transport is freed.
 */
void xfer_verbs_expect(struct xfer_verbs_listener *listener, struct xfer_verbs *verbs,
	const struct xfer_rdma_address *sources, uint32_t nsources, struct xfer_memory *read,
	struct xfer_token tokens[XFER_LANES_MAX]);
/* Whether all lanes were connected; *late: some were not, and their time is over. */
bool xfer_verbs_is_whole(const struct xfer_verbs *verbs, bool *late);

/* --- addresses ---------------------------------------------------------------------------------- */

/* This host's by which RDMA works. Their number; 0 or -errno: why says it. */
int xfer_verbs_addresses(
	struct xfer_rdma_address list[XFER_RDMA_ADDRESSES_MAX], char *why, size_t why_len);

const char *xfer_verbs_address_text(
	const struct xfer_rdma_address *address, char text[INET6_ADDRSTRLEN]);

#define XFER_VERBS_POLL_US 10u /* the default */

#endif
