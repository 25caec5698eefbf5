/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* messages.h -- random valid messages of the control protocol, the same for the same seed */
#ifndef SUPPORT_MESSAGES_H
#define SUPPORT_MESSAGES_H

#include "control/protocol.h"

/* Numbers that a seed determines. */
struct random {
	uint64_t state;
};

struct random random_from(uint64_t seed);
uint64_t random_u64(struct random *random);
/* 0..limit-1 */
uint32_t random_below(struct random *random, uint32_t limit);
/* Often a boundary of the range 0..max. */
uint32_t random_upto(struct random *random, uint32_t max);
void random_bytes(struct random *random, void *bytes, size_t len);

/* XFER_SEED of the environment, else one of the clock's; printed, so that a failure can be repeated. */
uint64_t random_seed(void);

/*
 * Valid values for a procedure. Everything that isn't sent is zero, padding of the structures included, so that
 * two messages can be compared by memcmp.
 */
void message_args(struct random *random, uint32_t proc, union xfer_args *args);
void message_header(struct random *random, struct xfer_request_header *header,
	uint32_t groups[XFER_GROUPS_MAX]);

/* variable: where READDIR's entries and STATUS's text go, MESSAGE_VARIABLE bytes. */
#define MESSAGE_VARIABLE XFER_READDIR_MAX
void message_results(
	struct random *random, uint32_t proc, union xfer_results *results, uint8_t *variable);

/* What the results' decoder needs for READDIR and STATUS: a buffer of `size` bytes. */
void message_results_room(
	uint32_t proc, union xfer_results *results, uint8_t *variable, uint32_t size);

/* One directory entry; zero as above. */
void message_dirent(struct random *random, struct xfer_dirent *entry);

#endif
