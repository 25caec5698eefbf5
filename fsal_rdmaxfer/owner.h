/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* owner.h -- the owner nodes that the configuration names, and this process's session with each */
#ifndef FSAL_RDMAXFER_OWNER_H
#define FSAL_RDMAXFER_OWNER_H

#include <pthread.h>
#include <stdbool.h>

#include "gsh_list.h"
#include "xfer/xfer.h"

struct rdx_owner {
	struct glist_head link; /* in struct rdx_owners */
	char *name, *address;
	/* Held for reading while somebody uses the session; a completion callback that runs on the same
	 * thread may take it once more, so it must prefer readers (glibc's default). */
	pthread_rwlock_t lock;
	struct xfer_session *session; /* NULL: not opened yet, or closed for good */
	bool closed;
	int32_t inside; /* atomic: threads of Ganesha inside a synchronous call */
};

/* The list of the Owners parameter. */
struct rdx_owners {
	struct glist_head list;
};

/*
 * Reads "NAME=ADDRESS,NAME=ADDRESS...". -EINVAL: *reason is a text for the log, which the caller
 * frees with gsh_free.
 */
int rdx_owners_parse(struct rdx_owners *owners, const char *text, char **reason);

/* Closes all sessions and frees. Not from a lane thread. */
void rdx_owners_destroy(struct rdx_owners *owners);

/* NULL: the configuration doesn't name it. */
struct rdx_owner *rdx_owners_find(struct rdx_owners *owners, const char *name);

/* Opens the session unless it is open: an owner that no export uses gets no connection. */
int rdx_owner_open(struct rdx_owner *owner, struct xfer_context *context);

/* Closes the session for good: what is outstanding fails. Not from a lane thread. */
void rdx_owner_close(struct rdx_owner *owner);

/* The session, to be used until the release, or NULL. Any thread; never waits for an operation. */
struct xfer_session *rdx_owner_acquire(struct rdx_owner *owner);
void rdx_owner_release(struct rdx_owner *owner);

#endif
