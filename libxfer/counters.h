/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* counters.h -- what the process did, counted where it happens */
#ifndef XFER_COUNTERS_H
#define XFER_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/uio.h>

#include "core/path.h"

enum xfer_counter {
	XFER_CNT_CALLS_SENT,
	XFER_CNT_REPLIES_RECEIVED,
	XFER_CNT_CALLS_RECEIVED,
	XFER_CNT_REPLIES_SENT,
	XFER_CNT_READS,
	XFER_CNT_READ_BYTES,
	XFER_CNT_WRITES,
	XFER_CNT_WRITE_BYTES,
	XFER_CNT_PAYLOAD_COPIES, /* calls of xfer_payload_copy */
	XFER_CNT_PAYLOAD_COPIED_BYTES,
	XFER_CNT_REPLIES_KEPT,     /* each a lock and a copy of some hundred bytes */
	XFER_CNT_REPLIES_REPEATED, /* that were kept, for calls that came again */
	XFER_CNT_SEND_CALLS,       /* system calls */
	XFER_CNT_RECV_CALLS,
	XFER_CNT_SENT_BYTES, /* over connections */
	XFER_CNT_RECEIVED_BYTES,
	XFER_CNT_WAKEUPS,         /* returns of an epoll_wait that may sleep, with events */
	XFER_CNT_PROTOCOL_ERRORS, /* connections closed, and data paths ended, for what the peer sent */
	XFER_CNT_INVALIDATIONS,     /* queued for sessions that had been promised something */
	XFER_CNT_CHANGES_WAITED,    /* changes that had to wait for others to acknowledge */
	XFER_CNT_LEASES_WAITED_OUT, /* who didn't acknowledge what a change waited for */
	XFER_CNT_SLOT_READS,        /* whose data came in a slot, at their caller */
	XFER_CNT_SLOT_WRITES,       /* the same, out */
	XFER_CNT_CHUNKS_GRANTED,    /* of memory for data paths, at their owner */
	XFER_CNT_CHUNKS_RETIRED,    /* given back because the owner asked for it */
	XFER_CNT_PATHS_TAKEN, /* data paths of sessions that were ended: they didn't give back, or were lost */
	XFER_CNT_POSTS,          /* writes to queue pairs, each with one doorbell */
	XFER_CNT_IMMEDIATES,     /* that came over queue pairs */
	XFER_CNT_COMPLETIONS,    /* that were looked at */
	XFER_CNT_QUEUE_WAKEUPS,  /* by a completion queue that was armed */
	XFER_CNT_REGISTRATIONS,  /* of memory with devices */
	XFER_CNT_TLS_HANDSHAKES, /* that succeeded */
	XFER_CNT_TLS_FAILURES,   /* handshakes that failed; by cause: tls/failure.h */
	XFER_CNT_TLS_IN_KERNEL,  /* connections that the kernel carries, from the first on */
	XFER_CNT_TLS_RELAYED,    /* the same, the relay */
	XFER_CNT_TLS_TOO_MANY,   /* handshakes that were refused, because too many were under way */
	XFER_CNT_TLS_TOO_MANY_OF_ADDRESS, /* the same, from that address */
	XFER_CNT_TLS_RELOADS,             /* of certificates with what belongs to them */
	XFER_CNT_TLS_RELOADS_FAILED,
	XFER_CNT_TLS_RELAY_SENT_BYTES, /* of plain text */
	XFER_CNT_TLS_RELAY_RECEIVED_BYTES,
	XFER_CNT_TLS_USED_UP, /* connections that were closed, because of what their keys had protected */
	/* NFS clients that were not told to begin TLS, but cut off: too many were, and hadn't begun; the same, of that address. */
	XFER_CNT_TLS_OFFERS_TOO_MANY,
	XFER_CNT_TLS_OFFERS_TOO_MANY_OF_ADDRESS,
	XFER_CNT_TLS_OFFERS_NOT_BEGUN, /* NFS clients that were told to, and no handshake began */
	XFER_CNT_XPRTSEC_REFUSED, /* accesses to exports that the client's kind of connection isn't for */
	XFER_CNT_XPRTSEC_STRANGERS, /* calls in a session of NFSv4.1 that is another's */
	XFER_CNT_COUNT,
};

extern _Atomic uint64_t xfer_counters[XFER_CNT_COUNT];

static inline void xfer_count(enum xfer_counter counter, uint64_t n)
{
	atomic_fetch_add_explicit(&xfer_counters[counter], n, memory_order_relaxed);
}

/* READs and WRITEs whose data went inline, by cause; at their caller. */
extern _Atomic uint64_t xfer_inline_counters[XFER_CAUSES];

static inline void xfer_count_inline(enum xfer_path_cause cause)
{
	atomic_fetch_add_explicit(&xfer_inline_counters[cause], 1, memory_order_relaxed);
}

/* Calls by procedure, sent or received; index: enum xfer_proc. */
#define XFER_RPC_COUNTERS 64
extern _Atomic uint64_t xfer_rpc_counters[XFER_RPC_COUNTERS];

static inline void xfer_count_rpc(uint32_t proc)
{
	atomic_fetch_add_explicit(&xfer_rpc_counters[proc], 1, memory_order_relaxed);
}

const char *xfer_counter_name(enum xfer_counter counter);

/* The only way in which payload bytes are copied in user space: copies and counts. */
void xfer_payload_copy(void *to, const void *from, size_t length);

#endif
