/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* lane.h -- an I/O thread: one epoll loop for the connections that live on it */
#ifndef XFER_CONTROL_LANE_H
#define XFER_CONTROL_LANE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct xfer_lane;

/* Something with a descriptor in a lane's epoll set. */
struct xfer_pollable {
	void (*ready)(struct xfer_pollable *pollable, uint32_t events);
};

/* Something that wants to be called from time to time; lane thread only. */
struct xfer_ticker {
	void (*tick)(struct xfer_ticker *ticker, uint64_t now_ns);
	LIST_ENTRY(xfer_ticker) link;
};

/* Work handed to a lane's thread. The memory is the poster's until run is called. */
struct xfer_task {
	void (*run)(struct xfer_task *task);
	STAILQ_ENTRY(xfer_task) link;
};

/* Starts the thread. tick_ms: how often tickers are called. */
int xfer_lane_create(const char *name, unsigned tick_ms, struct xfer_lane **lane);

/* Stops and joins the thread. Nothing may be registered or posted any more. Not from the lane
 * itself. */
void xfer_lane_destroy(struct xfer_lane *lane);

/*
 * On a lane's thread: it has done what makes somebody send more, so it looks for that, for so long after this turn,
 * before it sleeps, as far as nobody else wants the processor. What comes by then needs no wake-up; where nothing does it
 * lingers less often. Tickers wait for the end of that. On other threads: nothing.
 */
void xfer_lane_linger(unsigned us);

/* Any thread. -errno of epoll_ctl. */
int xfer_lane_add(struct xfer_lane *lane, int fd, uint32_t events, struct xfer_pollable *pollable);
int xfer_lane_modify(
	struct xfer_lane *lane, int fd, uint32_t events, struct xfer_pollable *pollable);

/* Lane thread only: afterwards `ready` is not called again, not even for events already fetched. */
void xfer_lane_remove(struct xfer_lane *lane, int fd, struct xfer_pollable *pollable);

/* Any thread. Tasks run in the order in which they were posted. */
void xfer_lane_post(struct xfer_lane *lane, struct xfer_task *task);

/* Lane thread only. */
void xfer_lane_add_ticker(struct xfer_lane *lane, struct xfer_ticker *ticker);
void xfer_lane_remove_ticker(struct xfer_ticker *ticker);

/* Whether the caller runs on this lane's thread. */
bool xfer_lane_is_current(const struct xfer_lane *lane);

#endif
