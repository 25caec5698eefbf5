/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* owner.h -- the owner nodes that the configuration names, and this process's session with each */
#ifndef FSAL_RDMAXFER_OWNER_H
#define FSAL_RDMAXFER_OWNER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "gsh_list.h"
#include "held.h"

struct rdx_owners;

struct rdx_owner {
	struct glist_head link; /* in struct rdx_owners */
	struct rdx_owners *owners;
	char *name, *address;
	bool insecure;                        /* TCP in cleartext */
	struct rdx_holdings *holdings;        /* what is open and locked there */
	struct xfer_session *_Atomic session; /* NULL: not opened yet, or closed */
	_Atomic uint32_t
		users; /* between acquire and release; the session is there as long as there are any */
	int32_t inside; /* atomic: threads of Ganesha inside a synchronous call */

	pthread_mutex_t lock; /* what follows; held while the session is opened or closed */
	uint32_t exports;     /* that use it */
	bool closed;          /* for good */
};

/* The list of the Owners parameter. */
struct rdx_owners {
	struct glist_head list;
	xfer_log_fn log;
	/* What struct xfer_session_ops.invalidate asks for. NULL: nothing is kept. */
	void (*invalidate)(const struct rdx_owner *owner,
		const struct xfer_invalidation *invalidations, unsigned count);
};

/*
 * Reads "NAME=ADDRESS,NAME=ADDRESS insecure...". -EINVAL: *reason is a text for the log, which the caller
 * frees with gsh_free.
 */
int rdx_owners_parse(struct rdx_owners *owners, const char *text, char **reason);

/*
 * Whether each of them may be talked to: by TCP only with a certificate for this node, unless it is said to be insecure,
 * which is warned of. false: the log says what to do.
 */
bool rdx_owners_check(const struct rdx_owners *owners, bool certificate);

/* Whether what travels between this node and the owner can be read by others. */
bool rdx_owner_in_cleartext(const struct rdx_owner *owner);

/* Closes all sessions and frees. Not from a lane thread. */
void rdx_owners_destroy(struct rdx_owners *owners);

/* NULL: the configuration doesn't name it. */
struct rdx_owner *rdx_owners_find(struct rdx_owners *owners, const char *name);

/* An export comes: the session is opened with the first, so an owner that no export uses gets no connection. */
int rdx_owner_enlist(struct rdx_owner *owner, struct xfer_context *context);

/*
 * An export goes: the session is closed with the last, so that nothing of it waits for an owner that may never come
 * back. Not from a lane thread; may take a few seconds.
 */
void rdx_owner_delist(struct rdx_owner *owner);

/* Closes all sessions for good, at the same time: what is under way gets 2 s, then it fails. Not from a lane thread. */
void rdx_owners_close(struct rdx_owners *owners);

/* To be called a few times a second, by a thread that may wait. */
void rdx_owners_tick(struct rdx_owners *owners);

/* The session, to be used until the release, or NULL. Any thread; never waits. */
struct xfer_session *rdx_owner_acquire(struct rdx_owner *owner);
void rdx_owner_release(struct rdx_owner *owner);

#endif
