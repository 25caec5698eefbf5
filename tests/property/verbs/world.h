/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* world.h -- both ends of a data path over queue pairs, in one process, and what is between them */
#ifndef TESTS_PROPERTY_VERBS_WORLD_H
#define TESTS_PROPERTY_VERBS_WORLD_H

/*
 * A round is one data path: it begins, its workers carry out operations while chunks come and go, and it ends: when
 * everything is at rest, or in the midst of them. Bytes travel by queue pairs, RPCs by channel.c, which is faster than
 * these, or slower, in any order. Each operation has bytes of its own, so whoever sees another one's bytes is found.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "control/hostpath.h"
#include "datapath.h"
#include "transport/verbs.h"

#include "chance.h"
#include "trace.h"
#include "wire.h"

#define LANES  3
#define INLINE 512u /* bytes: what is no longer doesn't go into slots */
#define SMALL  4096u
#define MEDIUM 16384u
#define LARGE  (1u << 20) /* bytes of the largest slot */
#define GUARD  8u         /* bytes behind what is read, which stay as they are */

/* Queue pairs, without pools. */
struct pair {
	struct xfer_verbs *here, *there; /* the initiator's end, the host's */
	struct xfer_memory *own,
		*mirror; /* the initiator's memory for READ, what the host writes from */
};

/* A data path. */
struct round {
	unsigned number;
	uint32_t epoch;
	struct pair pair;
	struct xfer_datapath *path;
	struct xfer_hostpath *host;
	bool hasty;            /* nobody dawdles, RPCs above all */
	bool breaks;           /* it ends in the midst of operations */
	_Atomic bool held_up;  /* until it has broken */
	_Atomic bool breaking; /* now, or it did */
	_Atomic bool ending;   /* no operation begins any more */
	_Atomic bool late;     /* a WRITE waited for so long that it was given up */
	_Atomic bool path_gone, host_gone;
};

extern struct round r;

/* What there was of everything. */
struct tally {
	_Atomic unsigned long writes, reads, empty_reads, exhausted, too_long, small, waits,
		in_progress, resent, abandoned, chunks, retired, wraps16, wraps32, rounds, breaks;
};
extern struct tally tally;

/* An operation of a worker's. */
struct op {
	struct xfer_placement placed;
	uint64_t seed; /* of its bytes */
	uint32_t length;
	bool write;
	bool forsaken; /* nobody waits for its answer */
	uint8_t *bytes;
	struct worker *worker;
};

enum answer { ANSWER_SLOT, ANSWER_NONE, ANSWER_RESEND };

/* An RPC, and then its answer. */
struct call {
	struct op *op;                /* of the initiator: the host doesn't look at it */
	uint64_t seed;                /* what a file would contain, or is to */
	struct xfer_placement placed; /* the host's */
	struct xfer_slot_ref slot;    /* as the request names it */
	uint64_t found_ns;            /* the request has come */
	bool answered;                /* it is on its way back */
	enum answer answer;
	struct xfer_payload payload;
	uint64_t due_ns;
	struct call *next;
};

/* --- pair.c: queue pairs ------------------------------------------------------------------------ */

/* Threads and a listener. address: at which this host is reached; NULL: the first one that works. */
void pairs_begin(const char *address);
void pairs_end(void);
/* The host's end, with memory for so many bytes to READ from, which isn't expected by anybody yet. */
void pair_host(struct pair *pair, uint64_t read_bytes);
/* The other one, connected. The host's has to be started. */
void pair_connect(struct pair *pair);
/* Memory of the host's for WRITE, and what stands for it at the initiator. */
void pair_share(struct pair *pair, uint64_t bytes, struct xfer_memory **memory,
	struct xfer_memory **mirror);

/* --- direct.c: no pools ------------------------------------------------------------------------- */

/* All sizes around those where a request is made differently, and all sorts of immediates, in both directions. */
void direct(void);

/* --- path.c: a round's beginning and end -------------------------------------------------------- */

void path_begin(unsigned number, bool breaks, const struct xfer_slot_layout *read);
/* It ends in the midst of everything. */
void path_break(void);
/* I3. */
void path_sums(void);
/* Nobody has a slot, and all that was sent has come. */
void path_at_rest(void);
void path_end(void);

/* --- chunks.c ----------------------------------------------------------------------------------- */

/* Generations of chunks to come begin shortly before they wrap around. */
void chunks_age(void);
/* One comes, or goes. */
void chunks_step(void);
/* No operation has a slot: all go. */
void chunks_end(void);
/* They go with the path. */
void chunks_forget(void);

/* --- channel.c ---------------------------------------------------------------------------------- */

void channel_begin(void);
void channel_end(void);
/* The call is delivered: a request to host_call, an answer to initiator_answer; perhaps at once. */
void channel_send(struct call *call);

/* --- host.c ------------------------------------------------------------------------------------- */

void host_call(struct call *call);
void host_resume(struct xfer_placement *placement, enum xfer_join_event event);

/* --- initiator.c -------------------------------------------------------------------------------- */

/* So many operations on all workers' threads. */
void initiator_run(unsigned operations);
void initiator_answer(struct call *call);
void initiator_ready(struct xfer_placement *placement, int err);
/* So many READs, one after the other, of one slot. */
void initiator_spin(unsigned reads);

#endif
