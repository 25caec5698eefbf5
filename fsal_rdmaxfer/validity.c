/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* validity.c -- until when what an owner's reply said may be believed */

#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "resident.h"
#include "validity.h"

#define LEASE_NS (XFER_LEASE_MS * UINT64_C(1000000))

/* Of all objects in a bucket. */
struct cell {
	_Atomic uint64_t ended; /* the number of the last invalidation */
	_Atomic uint32_t changing[OWN_CHANGES];
};

struct validity {
	_Atomic uint64_t seq;
	_Atomic uint64_t all_ended;
	struct cell cells[XFER_BUCKETS + 1]; /* the last one: VALIDITY_ANY */
};

struct validity *validity_create(void)
{
	return resident_calloc(sizeof(struct validity));
}

void validity_destroy(struct validity *validity)
{
	free(validity);
}

uint64_t validity_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

struct asked validity_ask(struct validity *validity)
{
	return (struct asked){ .seq = atomic_load(&validity->seq), .ns = validity_now() };
}

uint64_t validity_next(struct validity *validity)
{
	return atomic_fetch_add(&validity->seq, 1) + 1;
}

/* A clock read on another processor may be a little behind the one that asked. */
bool validity_lease_over(const struct asked *asked, uint64_t now)
{
	return asked->ns == 0 || (now > asked->ns && now - asked->ns >= LEASE_NS);
}

bool validity_holds(
	struct validity *validity, uint32_t bucket, const struct asked *asked, uint64_t now)
{
	if (validity_lease_over(asked, now))
		return false;
	return atomic_load(&validity->cells[bucket].ended) <= asked->seq &&
	       atomic_load(&validity->all_ended) <= asked->seq;
}

static void raise_to(_Atomic uint64_t *number, uint64_t to)
{
	uint64_t now = atomic_load(number);

	while (now < to && !atomic_compare_exchange_weak(number, &now, to))
		;
}

/* What is asked for from now on has the new number, and is asked of an owner that has said this already. */
void validity_invalidate(struct validity *validity, uint32_t bucket)
{
	raise_to(&validity->cells[bucket].ended, validity_next(validity));
}

void validity_invalidate_all(struct validity *validity)
{
	raise_to(&validity->all_ended, validity_next(validity));
}

void validity_change_begin(struct validity *validity, uint32_t bucket, enum own_change change)
{
	atomic_fetch_add(&validity->cells[bucket].changing[change], 1);
}

void validity_change_end(struct validity *validity, uint32_t bucket, enum own_change change)
{
	atomic_fetch_sub(&validity->cells[bucket].changing[change], 1);
}

bool validity_is_changing(struct validity *validity, uint32_t bucket, enum own_change change)
{
	return atomic_load(&validity->cells[bucket].changing[change]) > 0 ||
	       atomic_load(&validity->cells[VALIDITY_ANY].changing[change]) > 0;
}
