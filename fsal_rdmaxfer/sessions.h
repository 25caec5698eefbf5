/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* sessions.h -- whom sessions of NFSv4.1 belong to that have seen what isn't for everybody */
#ifndef FSAL_RDMAXFER_SESSIONS_H
#define FSAL_RDMAXFER_SESSIONS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define SESSION_ID_SIZE 16
#define SESSIONS_SETS   4096 /* a power of two */
#define SESSIONS_WAYS   8    /* sessions of one set */

struct session_entry {
	uint8_t id[SESSION_ID_SIZE];
	uint64_t owner;
	uint64_t seen; /* CLOCK_BOOTTIME, ns; 0: there is none */
};

/* Of a fixed size. Any thread. */
struct sessions {
	atomic_bool used;     /* one was bound */
	pthread_mutex_t lock; /* entries */
	uint64_t life;        /* ns without a request after which a session is gone */
	struct session_entry entries[SESSIONS_SETS][SESSIONS_WAYS];
};

/* It belongs to this owner from now on, unless it belongs to somebody already. False: it can't be remembered. */
bool sessions_bind(
	struct sessions *sessions, const uint8_t id[SESSION_ID_SIZE], uint64_t owner, uint64_t now);

/* Whether a request in this session may come from this owner: it is his, or nobody's. */
bool sessions_admit(
	struct sessions *sessions, const uint8_t id[SESSION_ID_SIZE], uint64_t owner, uint64_t now);

#endif
