/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* verbs_end.h -- one end of a data path over queue pairs: what verbs*.c share */
#ifndef XFER_TRANSPORT_VERBS_END_H
#define XFER_TRANSPORT_VERBS_END_H

#include <pthread.h>
#include <rdma/rdma_cma.h>
#include <stdatomic.h>
#include <sys/queue.h>

#include "transport/verbs.h"

#define VERBS_DEVICES_MAX 4u /* that the lanes of a path are spread over */
#define VERBS_WHY         256u

#define VERBS_SIGNAL_EACH 64u /* so many writes, at the most, have one completion */
#define VERBS_REPOST      16u /* so many receives are posted at a time */
#define VERBS_RESERVE     16u /* writes whose completion is late although they have arrived */
#define VERBS_INLINE                                                                               \
	256u /* bytes that are copied into a request, so that the device needn't fetch them */

/* Queue pairs: retransmissions. 2^18 * 4 us = 1 s, seven times; a peer without a receive has made a mistake. */
#define VERBS_ACK_TIMEOUT 18u
#define VERBS_RETRIES     7u
#define VERBS_RNR_RETRIES 0u

/* What a lane is in the eyes of this end. */
enum verbs_state {
	VERBS_APART,
	VERBS_CONNECTED, /* the queue pair works; how bytes announce themselves isn't known yet */
	VERBS_OPEN,
};

/* How bytes announce themselves. */
enum verbs_announce {
	VERBS_IMMEDIATE, /* by the write itself */
	VERBS_MESSAGE,   /* by a message of four bytes behind it: devices that have no immediates */
};

/*
 * Drivers without hardware (rxe, siw) have system calls for doorbells, which the kernel refuses to threads that have
 * changed their credentials since the device was opened (EACCES). A thread that hasn't does it then.
 */
enum verbs_errand {
	VERBS_RING = 1, /* requests are in the queue, the driver hasn't been told */
	VERBS_POST = 2, /* what was deferred */
	VERBS_ARM = 4,  /* the completion queue */
};

/* The bytes, and what announces them: one request, or two. */
struct verbs_sending {
	struct ibv_sge bytes, message;
	uint32_t value; /* what the message says */
	struct ibv_send_wr requests[2];
	unsigned count;
};

struct verbs_device {
	struct ibv_context *context;
	struct ibv_pd *pd;
	char name[64];
	bool gone;                     /* it was removed, its users are to let go of it */
	LIST_ENTRY(verbs_device) link; /* of those whose asynchronous events are heard */
	struct xfer_verbs *verbs;
};

struct verbs_lane {
	struct xfer_verbs *verbs;
	uint32_t number;
	struct xfer_lane *thread;
	struct rdma_cm_id *id;
	unsigned device;
	_Atomic enum verbs_state state;
	enum verbs_announce announce; /* before OPEN is entered */
	uint32_t max_inline;
	struct ibv_comp_channel *channel;
	struct ibv_cq *cq;
	struct ibv_qp *qp;
	struct xfer_pollable pollable;
	struct xfer_ticker ticker;
	struct xfer_task watch, unwatch; /* to and from the thread's epoll set */
	bool watched;                    /* is in it */
	struct xfer_task errand;         /* for the thread of verbs_events.c */
	_Atomic unsigned errands;        /* what that is to do: bits of enum verbs_errand */

	pthread_mutex_t send_lock;
	uint32_t posted;            /* requests, in all */
	uint32_t unsignalled;       /* since the last one that will have a completion */
	_Atomic uint32_t completed; /* of those posted, as far as completions tell */
	struct verbs_sending *
		deferred; /* a circle of sq: to be posted by another thread; NULL: this never was so */
	uint32_t first_deferred, ndeferred;

	pthread_mutex_t poll_lock; /* before send_lock */
	struct ibv_mr *inbox_mr;
	uint32_t *inbox;             /* of each receive: the message of four bytes */
	uint64_t used[VERBS_REPOST]; /* receives that were consumed, and aren't posted again */
	unsigned nused;
	unsigned unacked; /* events of the completion channel */
	bool probed;      /* the first announcement has come; the host's end */

	_Atomic uint64_t nposted, nimmediates, ncompletions, nwakeups; /* for STATUS */
};

struct verbs_memory {
	struct xfer_memory memory;
	struct xfer_verbs *verbs; /* referenced */
	bool offered;             /* for the peer to write into */
	size_t mapped;            /* bytes */
	bool huge;
	struct ibv_mr *mrs[VERBS_DEVICES_MAX];
	struct {
		uint64_t base;
		uint32_t key;
	} remote[XFER_LANES_MAX];
	LIST_ENTRY(verbs_memory) link;
};

struct xfer_verbs {
	struct xfer_transport transport;
	_Atomic unsigned refs; /* the transport's, and one for each memory */
	struct xfer_verbs_params params;
	uint32_t sq, rq; /* depths of a queue pair's queues */

	pthread_mutex_t lost_lock; /* the following; the last one to be taken */
	pthread_cond_t told;
	const struct xfer_transport_events *events;
	void *events_arg;
	_Atomic bool lost;      /* with the lock it is changed */
	char reason[VERBS_WHY]; /* lost */
	bool telling;           /* of that, without the lock */

	pthread_mutex_t watch_lock; /* the following; not held for long, lane threads take it */
	pthread_cond_t changed;
	bool closing;     /* no lane may be watched any more */
	unsigned watched; /* lanes in their threads' epoll sets */
	unsigned errands; /* that were not run yet */

	/* devices, memories, lanes' making; held while memory is registered, so not for lane threads */
	pthread_mutex_t lock;
	unsigned ndevices;
	struct verbs_device devices[VERBS_DEVICES_MAX];
	LIST_HEAD(, verbs_memory) memories;
	struct rdma_event_channel
		*ladder;         /* of ids that could not be connected; NULL: there are none */
	_Atomic uint64_t pinned; /* bytes */
	_Atomic uint64_t huge;   /* of that, in huge pages */
	_Atomic uint64_t registrations;

	/* at the host, under the listener's lock */
	struct xfer_verbs_listener *listener; /* NULL: nobody is expected */
	LIST_ENTRY(xfer_verbs) link;
	struct xfer_token tokens[XFER_LANES_MAX];
	uint32_t missing; /* bits: lanes whose token was not used */
	uint64_t expires_ns;
	uint32_t nsources;
	struct xfer_rdma_address sources[XFER_RDMA_ADDRESSES_MAX];
	struct verbs_memory *read;
	_Atomic uint32_t nconnected;

	struct verbs_lane lanes[];
};

/* What travels with a request to connect, all in network order. */
struct verbs_hello {
	uint32_t magic;
	uint16_t version;
	uint16_t lane;
	uint8_t token[16];
	uint64_t read_base; /* the initiator's memory, on this lane */
	uint32_t read_key;
	uint32_t mtu; /* bytes of payload in the packets that it will send */
} __attribute__((packed));
#define VERBS_MAGIC   0x58464552u
#define VERBS_VERSION 1u

_Static_assert(sizeof(struct verbs_hello) <= 56, "InfiniBand's private data has room for it");

/* What becomes of a request; a refusal is told with it. */
enum verbs_refusal {
	VERBS_REFUSED_OTHER,
	VERBS_REFUSED_VERSION,
	VERBS_REFUSED_TOKEN,
	VERBS_REFUSED_SOURCE,
	VERBS_REFUSED_RESOURCES,
	VERBS_REFUSED_MTU,
	VERBS_ADMITTED,
};

static inline struct xfer_verbs *verbs_of(struct xfer_transport *transport)
{
	return (struct xfer_verbs *)transport;
}

__attribute__((format(printf, 3, 4))) void verbs_explain(
	char *why, size_t why_len, const char *format, ...);

/* --- verbs.c ------------------------------------------------------------------------------------ */

void verbs_ref(struct xfer_verbs *verbs);
void verbs_unref(struct xfer_verbs *verbs);
/* Nothing goes over it any more. Any thread, no lock held but verbs->lock's readers'. */
__attribute__((format(printf, 2, 3))) void verbs_lose(
	struct xfer_verbs *verbs, const char *format, ...);
/* Of struct xfer_pollable and xfer_ticker, for a lane's thread. */
void verbs_lane_ready(struct xfer_pollable *pollable, uint32_t what);
void verbs_lane_tick(struct xfer_ticker *ticker, uint64_t now_ns);
/* Tells what has come. */
void verbs_poll_lane(struct verbs_lane *lane);
/* The initiator's end: how bytes announce themselves on this lane. -errno: why says it. */
int verbs_probe(struct verbs_lane *lane, char *why, size_t why_len);

/* --- verbs_lane.c: queue pairs ------------------------------------------------------------------ */

/* verbs->lock is held: the protection domain of this device, with what memory there is registered. */
int verbs_use_device(struct verbs_lane *lane, char *why, size_t why_len);
/* Completion queue, queue pair and receives of a lane whose id is bound to a device. */
int verbs_make_queues(struct verbs_lane *lane, char *why, size_t why_len);
/* It is connected, and there is somebody to be told: its thread hears of completions. */
void verbs_watch(struct verbs_lane *lane);
/* Bytes of payload in a packet, as the port of the id's device has it; 0: unknown. */
uint32_t verbs_mtu(const struct rdma_cm_id *id);
/* A queue pair whose id isn't connected yet: lost packets are sent again for so long. */
void verbs_be_patient(struct rdma_cm_id *id);
/* Its queue pair, if there is one, and all that belongs to it. The id stays. */
void verbs_end_lane(struct verbs_lane *lane);
/* All lanes: nothing lands, and nobody hears of it, any more. Waits for their threads. */
void verbs_end_lanes(struct xfer_verbs *verbs);
/* So many receives of a lane, by their numbers, are posted. */
int verbs_post_receives(struct verbs_lane *lane, const uint64_t *numbers, unsigned count);

/* --- verbs_address.c ---------------------------------------------------------------------------- */

void verbs_to_sockaddr(
	const struct xfer_rdma_address *address, uint16_t port, struct sockaddr_storage *out);
void verbs_from_sockaddr(const struct sockaddr *from, struct xfer_rdma_address *address);

/* --- verbs_status.c ----------------------------------------------------------------------------- */

/* Of struct xfer_transport_ops. */
json_t *verbs_status(struct xfer_transport *transport);

/* --- verbs_memory.c ----------------------------------------------------------------------------- */

/* verbs->lock is held: all memories, with a device that is new. */
int verbs_register_all(struct xfer_verbs *verbs, unsigned device, char *why, size_t why_len);

/* --- verbs_events.c: one thread of the process hears of connections and devices ------------------ */

/* It runs from the first user to the last. */
int verbs_events_get(char *why, size_t why_len);
void verbs_events_put(void);
struct rdma_event_channel *verbs_events_channel(void);
/* On its thread, which never has anybody else's credentials. Any thread. */
void verbs_events_run(struct xfer_task *errand);
bool verbs_events_is_current(void);
/* From now on what happens to the device is heard, for its path. */
int verbs_events_add(struct verbs_device *device);
void verbs_events_remove(struct verbs_device *device);
/* It was removed: its users have been told, or are being. */
void verbs_events_gone(const struct ibv_context *context);

/* --- verbs_listen.c ----------------------------------------------------------------------------- */

/* On the thread of verbs_events.c. */
void verbs_requested(struct rdma_cm_event *event);
/* Nobody is expected any more. */
void verbs_unexpect(struct xfer_verbs *verbs);

#endif
