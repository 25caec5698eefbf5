/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* refusals.h -- which refusals were logged lately, so that none is logged again and again */
#ifndef FSAL_RDMAXFER_REFUSALS_H
#define FSAL_RDMAXFER_REFUSALS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define REFUSALS_MAX   64                    /* that are logged within one period */
#define REFUSALS_AGAIN UINT64_C(60000000000) /* the period, ns */

/* Who was refused what, and why. */
struct refusal {
	uint8_t client[16]; /* its address, without the port */
	uint16_t export_id;
	uint16_t verdict; /* of enum xprtsec_verdict */
};

/* Of a fixed size, whoever comes. Any thread. */
struct refusals {
	pthread_mutex_t lock; /* all that follows */
	struct {
		struct refusal refusal;
		uint64_t told; /* when; 0: there is none */
	} entries[REFUSALS_MAX];
	uint64_t untold; /* since the last one that was told: for want of room */
};

/*
 * Whether this one is to be logged: it wasn't within the period, and there is room to remember it. *untold: how many
 * others were kept silent for want of that meanwhile. now: CLOCK_BOOTTIME, ns, not 0.
 */
bool refusals_tell(
	struct refusals *refusals, const struct refusal *refusal, uint64_t now, uint64_t *untold);

#endif
