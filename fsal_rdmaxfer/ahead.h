/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* ahead.h -- parts of directories that are asked for before their client wants them */
#ifndef FSAL_RDMAXFER_AHEAD_H
#define FSAL_RDMAXFER_AHEAD_H

/*
 * A listing is a chain of requests, each of which begins where the last one's answer has ended. While Ganesha passes one
 * part on, the owner reads the next one, so that both work at the same time.
 *
 * What came stays a reply as it came (lane threads don't unpack it) until its client wants it, or others need the room.
 *
 * One per volume, of bounded size. Any function may be called from any thread; only ahead_take blocks.
 */

#include <sys/queue.h>

#include "attrcache.h"

#define AHEAD_MAX 16 /* of a volume, 64 KiB each */

struct aheads;

/* A part that was asked for. */
struct ahead {
	TAILQ_ENTRY(ahead) link; /* ahead.c's, as what follows */
	struct aheads *aheads;
	struct attrcache_entry *dir; /* referenced */
	uint32_t refs;               /* of the request, and of whoever is to have it */
	bool here;
	struct asked asked;
	void *user; /* the caller's, as are listing.done and listing.session */
	struct xfer_listing listing;
	uint32_t groups[]; /* of listing.cred */
};

/* NULL: no memory. cache: the volume's; it has to outlive it. */
struct aheads *aheads_create(struct attrcache *cache);
/* Nothing may be under way. */
void aheads_destroy(struct aheads *aheads);

/*
 * What is to be asked for behind a cookie, for `cred`; ahead_came follows. NULL: it was asked for already, or there is no
 * room or memory.
 */
struct ahead *ahead_begin(struct aheads *aheads, struct attrcache_entry *dir, uint64_t cookie,
	const struct xfer_cred *cred, const struct asked *asked);
/* The reply is here, or there won't be any. */
void ahead_came(struct ahead *ahead);

/*
 * Waits for the reply, as long as it could be believed. NULL: nothing was asked for, or nothing came. What is returned
 * ends with ahead_drop.
 */
struct ahead *ahead_take(struct aheads *aheads, const struct attrcache_entry *dir, uint64_t cookie,
	const struct xfer_cred *cred);
void ahead_drop(struct ahead *ahead);

#endif
