/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* quota.h -- how much memory a host gives to whom, and from whom it asks some back */
#ifndef XFER_CORE_QUOTA_H
#define XFER_CORE_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

/*
 * What is granted never is more than the total (bytes; pinned memory is what it counts). Each client, a session,
 * can have its minimum at any time, because that much is kept for each place, taken or not. What is above that is
 * shared: a client gets no more than its cap, and no more than an equal share among the active ones. Who came early
 * may have more than that, as long as nobody misses it: reclaiming says whom to ask for how much.
 *
 * Pure: no I/O, no clock (nanoseconds, given by the caller, that never go back), no lock: the caller has one.
 * Memory is allocated at the beginning only.
 */

struct xfer_quota_config {
	uint64_t total, cap, minimum; /* bytes; of all, of a client */
	unsigned clients_max;
	uint64_t idle_ns;   /* a client that has used nothing for this long isn't active */
	uint64_t return_ns; /* who is asked has this long to return all of it */
};

struct xfer_quota_client;

struct xfer_quota {
	struct xfer_quota_config config;
	uint64_t granted; /* bytes, to all */
	struct xfer_quota_client *clients;
};

/* -EINVAL: the total doesn't suffice for every place's minimum, or the cap is less than that; -ENOMEM. */
int xfer_quota_init(struct xfer_quota *quota, const struct xfer_quota_config *config);
void xfer_quota_fini(struct xfer_quota *quota);

/* A new client, active from now on: its number, or -ENOSPC. */
int xfer_quota_join(struct xfer_quota *quota, uint64_t now);
/* It is gone, and all that it had was deregistered. */
void xfer_quota_leave(struct xfer_quota *quota, unsigned client);

/*
 * A client asks for memory: how many bytes it gets, a multiple of unit (> 0) and at most `bytes`. 0 is a refusal, a
 * normal answer. What it doesn't get is remembered as its want, until it asks again.
 */
uint64_t xfer_quota_grant(
	struct xfer_quota *quota, unsigned client, uint64_t bytes, uint64_t unit, uint64_t now);
/* So much of it was deregistered, whoever wished that; or could not be registered. At most what it has. */
void xfer_quota_return(struct xfer_quota *quota, unsigned client, uint64_t bytes);
/* The client uses what it has. Cheap: for each operation, or with time. */
void xfer_quota_used(struct xfer_quota *quota, unsigned client, uint64_t now);

/*
 * Somebody wants more than there is: whom to ask for how much back (RETIRE). First who is idle, for all above the
 * minimum; then who has most above the equal share, for what is above. It isn't asked again, for more either, before
 * it has returned that much. It keeps a want of its own no longer. False: nobody. To be called until then, after a grant that fell
 * short and with time.
 */
bool xfer_quota_reclaim(struct xfer_quota *quota, uint64_t now, unsigned *client, uint64_t *bytes);

/*
 * Who was asked, and hasn't returned that much in time. The caller ends that client's data path: what was
 * registered for it isn't needed any more, and is returned when no operation uses it. False: nobody. To be called
 * until then, with time. Who still hasn't returned it after as long again is named again.
 */
bool xfer_quota_overdue(struct xfer_quota *quota, uint64_t now, unsigned *client);

uint64_t xfer_quota_granted(const struct xfer_quota *quota, unsigned client);

#endif
