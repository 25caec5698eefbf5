/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* now.h -- the clock that waits and durations are measured by */
#ifndef FSAL_RDMAXFER_NOW_H
#define FSAL_RDMAXFER_NOW_H

#include <stdint.h>
#include <time.h>

/* CLOCK_MONOTONIC in nanoseconds. */
static inline uint64_t rdx_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

#endif
