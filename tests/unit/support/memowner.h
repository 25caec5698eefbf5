/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* memowner.h -- a server for tests of the engine: one file in memory, answers out of order */
#ifndef SUPPORT_MEMOWNER_H
#define SUPPORT_MEMOWNER_H

#include <pthread.h>
#include <stdatomic.h>

#include "control/server.h"

#define MEMOWNER_SIZE (8u << 20) /* bytes of its file */

struct memowner {
	struct xfer_server *server;
	struct xfer_service service;
	char address[128]; /* where it listens */
	uint8_t *data;

	/* what a test sets before it starts it */
	unsigned keep_ms;     /* 0: as long as ever */
	bool tells_nothing;   /* it doesn't serve EVENTS */
	struct xfer_tls *tls; /* NULL: none */
	struct xfer_tls_identity *tls_identity;
	void (*remember)(
		void *owner, const struct xfer_hello_args *hello, struct xfer_request *request);

	void (*memory)(void *owner, struct xfer_request *request);

	/* what a test sets before it connects */
	uint32_t admit_status;

	_Atomic enum xfer_standing standing; /* of new sessions */

	/* what a test may change at any time */
	_Atomic bool
		cancels; /* what waits is taken back when it is cancelled, else it counts as begun */
	_Atomic bool hold; /* answer nothing of what arrives from now on until it is false again */
	_Atomic unsigned hold_proc; /* the same of one procedure; at most three of them arrive */
	_Atomic unsigned delay_us;  /* upper bound of a random delay before each answer */
	_Atomic unsigned late_us;   /* a delay before each execution */

	/* what a test may look at */
	_Atomic unsigned operations, peers_gone, max_running;
	_Atomic unsigned writes;    /* executed */
	_Atomic unsigned recovered; /* RECOVERED came */
	_Atomic bool too_late;      /* for the next RECOVERED */
	_Atomic uint32_t last_uid, last_ngroups, last_group;
	_Atomic unsigned slot_clashes; /* a call slot was used by two calls at a time */
	_Atomic unsigned events;       /* that arrived */
	_Atomic bool last_fresh;       /* what the last one said */
	_Atomic uint64_t last_seen;
	_Atomic unsigned event_clashes; /* a session asked while it already did */
	_Atomic unsigned ended;         /* sessions, by END or otherwise */

	/* its own */
	pthread_t workers[4];
	pthread_mutex_t data_lock; /* data */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct xfer_request *first, **last;
	struct xfer_request *asking; /* EVENTS that wait, one of each session */
	bool stopping;
	unsigned running;
	_Atomic uint8_t slots[XFER_CALLS_MAX];
};

/* address: NULL: a Unix socket of its own, else as xfer_server_listen. Fails the test when it
 * can't. */
void memowner_start(struct memowner *owner, const char *node, const char *address);
void memowner_stop(struct memowner *owner);

/* Answers an EVENTS with this; false: none waits. Any thread. */
bool memowner_tell(struct memowner *owner, const struct xfer_events_res *what);

#endif
