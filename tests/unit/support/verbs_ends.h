/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* verbs_ends.h -- both ends of a data path over queue pairs of mock devices, in one process */
#ifndef SUPPORT_VERBS_ENDS_H
#define SUPPORT_VERBS_ENDS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "support/mock_verbs.h"
#include "transport/verbs_end.h"

#define ENDS_LANES 8
#define ENDS_TOLD  (1 << 14)
#define ENDS_PORT  20491
#define ENDS_SLOT  8192 /* bytes; slot n of a lane is the nth of its part of the memory */

struct ends_setup {
	uint32_t lanes;
	uint32_t slots;                       /* of each lane and direction */
	unsigned poll_us, tick_ms;            /* 0: no tick */
	bool no_read;                         /* the initiator has no memory for READ */
	struct xfer_verbs_listener *listener; /* another one's; NULL: one of its own */
	/* Of the host, as the initiator is told them; of the initiator, as the host is. */
	const char *addresses[XFER_RDMA_ADDRESSES_MAX], *sources[XFER_RDMA_ADDRESSES_MAX];
};

/* One end, and what it was told. */
struct ends_end {
	struct xfer_verbs *verbs; /* NULL: not created, or freed */
	struct xfer_lane *threads[ENDS_LANES];
	struct xfer_memory *own, *mirror; /* what the peer writes into; the mirror of the peer's */

	_Atomic bool freed;          /* free has returned */
	_Atomic unsigned after_free; /* told then */
	_Atomic unsigned ticks, losses;
	_Atomic bool waits[ENDS_LANES];
	/* Called when it is asked whether somebody waits; NULL: nothing. */
	void (*asked)(void *arg);
	void *asked_arg;

	/* The same when it is told that it is lost, before it takes note of that. */
	void (*losing)(void *arg);
	void *losing_arg;

	pthread_mutex_t lock; /* the following */
	char why[VERBS_WHY];  /* of the first loss */
	unsigned ntold;
	struct {
		uint32_t lane, immediate;
		bool on_thread; /* the lane's */
	} told[ENDS_TOLD];
};

struct ends {
	struct ends_setup setup;
	struct ends_end initiator, host;
	struct xfer_verbs_listener *listener;
	struct xfer_verbs_target target;
	char why[VERBS_WHY]; /* of the step that has failed */
};

/* Lane threads, nothing more. */
void ends_begin(struct ends *ends, const struct ends_setup *setup);
/* Each step of a path's beginning at both ends. 0, or -errno of the first one that fails: ends->why. */
int ends_try(struct ends *ends);
/* All of it, which works. */
void ends_open(struct ends *ends, const struct ends_setup *setup);
/* What ends_try does at the host, and then at the initiator. */
int ends_try_host(struct ends *ends);
int ends_try_connect(struct ends *ends);
/* The same without `start` at the initiator. */
int ends_try_lanes(struct ends *ends);
void ends_start(struct ends_end *end);
/* An end that there is goes, with its memory. */
void ends_free(struct ends_end *end);
/* Both, and the listener: ends_try may come again. */
void ends_drop(struct ends *ends);
/* The threads as well; nothing was told too late. */
void ends_stop(struct ends *ends);
/* And mock_verbs_end. */
void ends_close(struct ends *ends);

/* --- bytes --------------------------------------------------------------------------------------- */

/* The slot of an end's mirror, and where it comes to at the other end. */
struct xfer_placement ends_placement(
	const struct ends *ends, const struct ends_end *from, uint32_t lane, uint32_t slot);
uint8_t *ends_slot(
	const struct ends *ends, const struct ends_end *at, uint32_t lane, uint32_t slot);
/* Stages, fills with what depends on `generation`, and sends. */
int ends_send(struct ends *ends, struct ends_end *from, uint32_t lane, uint32_t slot,
	uint32_t generation, uint32_t length);
/* The bytes of that are in the slot at the end, and none behind them. */
bool ends_came(const struct ends *ends, const struct ends_end *at, uint32_t lane, uint32_t slot,
	uint32_t generation, uint32_t length);
void ends_poll(struct ends_end *end, uint32_t lane);
void ends_await(struct ends_end *end, uint32_t lane);
/* The number of immediates so far; the nth, which was told. */
unsigned ends_ntold(struct ends_end *end);
uint32_t ends_told(struct ends_end *end, unsigned n);
/* Both ends send and are sent on each lane: data and immediates are right. */
void ends_exchange(struct ends *ends);

/* Waits for what another thread does; fails the test when it hasn't within a long time. */
#define ENDS_UNTIL(condition)                                                                      \
	do {                                                                                       \
		for (unsigned tries = 0; !(condition); tries++) {                                  \
			if (tries == 100000)                                                       \
				fail_msg("never: %s", #condition);                                 \
			usleep(200);                                                               \
		}                                                                                  \
	} while (0)

#endif
