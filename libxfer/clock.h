/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* clock.h -- the one clock: CLOCK_MONOTONIC in nanoseconds */
#ifndef XFER_CLOCK_H
#define XFER_CLOCK_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

#define XFER_NS_PER_MS 1000000ull

static inline uint64_t xfer_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

static inline struct timespec xfer_timespec(uint64_t ns)
{
	return (struct timespec){ .tv_sec = (time_t)(ns / 1000000000ull),
		.tv_nsec = (long)(ns % 1000000000ull) };
}

/* A condition whose timed waits go by this clock. */
static inline void xfer_cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

#endif
