/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* holders.c -- who was promised to be told before the objects of a bucket change */

#include <stdatomic.h>
#include <stdlib.h>

#include "core/holders.h"
#include "xfer/xfer.h"

/* A word, from its lowest bit on: marks of the period, those of the one before, closers, who they are, the period. */
#define BITS_MASK      ((UINT64_C(1) << HOLDERS_SLOTS) - 1)
#define BEFORE_SHIFT   HOLDERS_SLOTS
#define CLOSERS_SHIFT  (2 * HOLDERS_SLOTS)
#define CLOSERS_MASK   UINT64_C(0x1ff)
#define CLOSER_SHIFT   (CLOSERS_SHIFT + 9)
#define CLOSER_MASK    UINT64_C(0x1f)
#define PERIOD_SHIFT   (CLOSER_SHIFT + 5)
#define PERIOD_MASK    UINT64_C(0x3ff)
#define PERIOD_FARTHER (PERIOD_MASK / 2) /* that far ahead, it is in the past */

#define MIXED 31u /* closers of several sessions, or of the shared slot */

_Static_assert(PERIOD_SHIFT + 10 == 64, "a word is full");
_Static_assert(HOLDERS_SLOTS <= MIXED, "closers can be told from one another");

/* Of changes by one slot; alone in its cache line, because others only read it. */
struct changes {
	_Alignas(64) _Atomic uint64_t count;
};

struct holders {
	struct changes changes[HOLDERS_SLOTS];
	_Atomic uint64_t
		*words; /* XFER_BUCKETS of them; the kernel gives zeroed pages as they are used */
};

struct holders *holders_create(void)
{
	struct holders *holders = aligned_alloc(_Alignof(struct holders), sizeof(*holders));

	if (!holders)
		return NULL;
	for (unsigned i = 0; i < HOLDERS_SLOTS; i++)
		atomic_init(&holders->changes[i].count, 0);
	holders->words = calloc(XFER_BUCKETS, sizeof(*holders->words));
	if (!holders->words) {
		free(holders);
		return NULL;
	}
	return holders;
}

void holders_destroy(struct holders *holders)
{
	if (!holders)
		return;
	free(holders->words);
	free(holders);
}

uint64_t holders_changes(const struct holders *holders, unsigned slot)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < HOLDERS_SLOTS; i++)
		if (i != slot || i == HOLDERS_SHARED)
			sum += atomic_load_explicit(
				&holders->changes[i].count, memory_order_acquire);
	return sum;
}

static uint64_t closers_of(uint64_t word)
{
	return word >> CLOSERS_SHIFT & CLOSERS_MASK;
}

static uint64_t closer_of(uint64_t word)
{
	return word >> CLOSER_SHIFT & CLOSER_MASK;
}

/* The slots that have marked it. */
static uint64_t marks_of(uint64_t word)
{
	return (word | word >> BEFORE_SHIFT) & BITS_MASK;
}

/* The word as it is in this period: marks get older. To a thread that is late with its period they stay what they are. */
static uint64_t aged(uint64_t word, uint64_t period)
{
	uint64_t passed = (period - (word >> PERIOD_SHIFT)) & PERIOD_MASK;
	uint64_t marks = word & BITS_MASK;

	if (passed == 0 || (passed > PERIOD_FARTHER && marks_of(word)))
		return word;
	word &= ~(PERIOD_MASK << PERIOD_SHIFT | BITS_MASK << BEFORE_SHIFT | BITS_MASK);
	word |= (period & PERIOD_MASK) << PERIOD_SHIFT;
	return passed == 1 ? word | marks << BEFORE_SHIFT : word;
}

/*
 * All sequentially consistent: a mark that is there already is only looked at, and what the marking thread wrote before
 * has to be seen by whoever takes that mark away.
 */
bool holders_mark(struct holders *holders, uint32_t bucket, unsigned slot, uint64_t period)
{
	_Atomic uint64_t *place = &holders->words[bucket];
	uint64_t word = atomic_load(place), marked;

	do {
		if (closers_of(word) > 0 && closer_of(word) != slot)
			return false;
		marked = aged(word, period) | UINT64_C(1) << slot;
		if (marked == word)
			return true;
	} while (!atomic_compare_exchange_weak(place, &word, marked));
	return true;
}

/* With one closer more. */
static uint64_t closed(uint64_t word, unsigned slot)
{
	uint64_t closer = slot == HOLDERS_SHARED ? MIXED : slot;

	if (closers_of(word) > 0 && closer_of(word) != closer)
		closer = MIXED;
	word &= ~(CLOSER_MASK << CLOSER_SHIFT);
	return (word | closer << CLOSER_SHIFT) + (UINT64_C(1) << CLOSERS_SHIFT);
}

static uint32_t close_bucket(
	struct holders *holders, uint32_t bucket, unsigned slot, uint64_t period, bool take)
{
	_Atomic uint64_t *place = &holders->words[bucket];
	uint64_t own = UINT64_C(1) << slot, word = atomic_load(place), next, held, gone;

	do {
		next = aged(word, period);
		held = slot == HOLDERS_SHARED ? marks_of(next) : marks_of(next) & ~own;
		if (held && !take)
			return (uint32_t)held;
		gone = held & ~own;
		next = closed(next & ~(gone | gone << BEFORE_SHIFT), slot);
	} while (!atomic_compare_exchange_weak(place, &word, next));
	return (uint32_t)held;
}

uint32_t holders_close(struct holders *holders, uint32_t bucket, unsigned slot, uint64_t period)
{
	return close_bucket(holders, bucket, slot, period, false);
}

uint32_t holders_take(struct holders *holders, uint32_t bucket, unsigned slot, uint64_t period)
{
	return close_bucket(holders, bucket, slot, period, true);
}

/* Counted before it is open: who marks it from then on sees that something has changed. */
void holders_open(struct holders *holders, uint32_t bucket, unsigned slot)
{
	_Atomic uint64_t *place = &holders->words[bucket];
	uint64_t word = atomic_load(place), next;

	atomic_fetch_add(&holders->changes[slot].count, 1);
	do {
		next = word - (UINT64_C(1) << CLOSERS_SHIFT);
		if (closers_of(next) == 0)
			next &= ~(CLOSER_MASK << CLOSER_SHIFT);
	} while (!atomic_compare_exchange_weak(place, &word, next));
}
