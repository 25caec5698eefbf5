/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* holders.h -- who was promised to be told before the objects of a bucket change */
#ifndef XFER_CORE_HOLDERS_H
#define XFER_CORE_HOLDERS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * One table for each volume: a word for each bucket (xfer.h), with a bit for each session. Pure: atomics only, no lock,
 * no clock, no memory but the table's.
 *
 * Whoever reads marks the bucket first and reads then: a change that the read doesn't show closes the bucket after the
 * mark, and finds it. Where only reading tells the bucket: holders_changes, read, mark, and if holders_changes is
 * another number now, read again.
 *
 * Whoever changes something closes the bucket, has those told whose bits it got, changes, and opens it again. While it
 * is closed nobody marks it, but for the session that alone has it closed: what it sees of its own change is its own
 * affair.
 *
 * Time comes in periods, which count up. A mark is seen for one full period at least and two at most, then it is gone by
 * itself. What is promised must be void after one.
 */

#define HOLDERS_SLOTS  20
#define HOLDERS_SHARED (HOLDERS_SLOTS - 1) /* the last slot may be that of several sessions */

struct holders;

/* NULL: out of memory. */
struct holders *holders_create(void);
void holders_destroy(struct holders *holders); /* NULL is ignored */

/* How often others than the slot's session have changed something. It counts when a bucket is opened. */
uint64_t holders_changes(const struct holders *holders, unsigned slot);

/* False: somebody else is changing something, nothing can be promised. */
bool holders_mark(struct holders *holders, uint32_t bucket, unsigned slot, uint64_t period);

/*
 * Closes the bucket for a change by the slot's session if nobody else has marked it: 0. Else the slots of those that
 * have, one bit each, and the bucket is as it was.
 */
uint32_t holders_close(struct holders *holders, uint32_t bucket, unsigned slot, uint64_t period);
/*
 * Closes it, whoever has marked it; their marks are gone, they have to be told. But that of the shared slot stays, if
 * the change is by one of its sessions: it may be its own, and nobody tells that one.
 */
uint32_t holders_take(struct holders *holders, uint32_t bucket, unsigned slot, uint64_t period);

/* After either, when the change was carried out, or never will be. At most 511 changes at a time have a bucket closed. */
void holders_open(struct holders *holders, uint32_t bucket, unsigned slot);

#endif
