/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* mock_verbs.h -- RDMA devices of a test: libibverbs and librdmacm within one process */
#ifndef SUPPORT_MOCK_VERBS_H
#define SUPPORT_MOCK_VERBS_H

/*
 * For tests that are linked with --wrap of verbs_calls (CMakeLists.txt): what the objects of this project call of
 * libibverbs and librdmacm goes here. Listeners and who connects to them are in this process; queue pairs carry out what
 * is posted at once, by memcpy, where keys, bounds and access rights permit it. Completions and events come at
 * descriptors that can be polled. Any thread. What is against the rules isn't carried out, and told by mock_verbs_end.
 */

#include <stdbool.h>
#include <stdint.h>

#include <infiniband/verbs.h>
#include <rdma/rdma_cma.h>

#define MOCK_PORTS     2
#define MOCK_ADDRESSES 4
#define MOCK_GIDS      8 /* entries of a port's table */

/* Zeros: an active RoCE port with an MTU of 4096 and without addresses. */
struct mock_port {
	const char *addresses
		[MOCK_ADDRESSES]; /* numbers, by which rdma_cm reaches it; each has a GID */
	enum ibv_port_state state;
	uint8_t link_layer;
	enum ibv_mtu mtu;
	bool no_gids;
};

/* Zeros: no limit but those that the constants of mock_fabric.h set. */
struct mock_device {
	const char *name;
	unsigned nports; /* 0: one */
	struct mock_port ports[MOCK_PORTS];
	bool iwarp;
	int no_immediate; /* errno of posting an RDMA_WRITE_WITH_IMM; 0: there are immediates */
	bool needs_sge;   /* receives without memory are refused: EINVAL */
	bool keeps_completions; /* of queue pairs that are destroyed, as rxe does */
	uint64_t memlock;       /* bytes that may be registered */
	int max_qp, max_cq, max_mr, max_qp_wr, max_cqe, max_sge;
	uint32_t max_inline; /* bytes; larger ones are refused, not cut */
};

/* The devices from now on; they are copied, their texts aren't. In each test first. */
void mock_verbs_begin(const struct mock_device *devices, unsigned count);
/*
 * Fails the test if anything that was made is still there, or anything was done that isn't allowed: an overrun queue, an
 * object destroyed before what needs it, events that weren't acknowledged. On the test's own thread, last.
 */
void mock_verbs_end(void);
/* The first violation so far, which is then forgotten; NULL: none. */
const char *mock_verbs_violation(void);

/* --- what fails ----------------------------------------------------------------------------------- */

/*
 * The nth call from now on (1: the next one) of a function fails with this errno; NULL: of any one that can fail but for
 * those that end something.
 */
void mock_verbs_fail(const char *function, unsigned nth, int error);
/* Takes all of these back. How many of them have failed. */
unsigned mock_verbs_failed(void);
/* Calls of a function since the beginning. */
unsigned mock_verbs_calls(const char *function);

/*
 * From now on the calling thread may not ring doorbells, as one that has changed its credentials may not those of devices
 * without hardware: what it posts is in the queue, until somebody else's next post, and it arms nothing: EACCES.
 */
void mock_verbs_forbid(bool forbidden);

/* The nth send request, or receive that is used, from now on completes so; its queue pair then is in error. */
void mock_verbs_complete(bool receive, unsigned nth, enum ibv_wc_status status);

#define MOCK_NEVER ((enum rdma_cm_event_type) - 1)
/* Instead of the nth event of a type comes another one, with this status, or none: MOCK_NEVER. */
void mock_verbs_replace(
	enum rdma_cm_event_type type, unsigned nth, enum rdma_cm_event_type by, int status);

/* An event for each id that is at the device. */
void mock_verbs_cm_event(const char *device, enum rdma_cm_event_type type, int status);
/* An event for each context of the device; one of queue pairs or completion queues: for each of these. */
void mock_verbs_async_event(const char *device, enum ibv_event_type type);

/* --- when things happen ---------------------------------------------------------------------------- */

/* From now on what is posted isn't carried out; false: it is, and what has waited as well. */
void mock_verbs_hold(bool hold);
/* Carries out at most so many of the requests that wait, those of the oldest queue pair first. How many. */
unsigned mock_verbs_step(unsigned count);

/* --- what there is --------------------------------------------------------------------------------- */

struct mock_live {
	unsigned lists, contexts, pds, mrs, comp_channels, cqs, qps; /* of libibverbs */
	unsigned cm_channels, ids;                                   /* of librdmacm */
	uint64_t registered;                                         /* bytes */
};
struct mock_live mock_verbs_live(void);

/* Since the beginning. */
struct mock_traffic {
	uint64_t writes, immediates, sends, bytes;
	uint64_t not_ready; /* found no receive */
};
struct mock_traffic mock_verbs_traffic(void);

#endif
