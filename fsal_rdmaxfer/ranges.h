/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* ranges.h -- the byte ranges that one owner of locks has, as POSIX says: later ones replace earlier ones */
#ifndef FSAL_RDMAXFER_RANGES_H
#define FSAL_RDMAXFER_RANGES_H

#include "xfer/xfer.h"

struct range {
	uint64_t first, last; /* bytes, both included; last UINT64_MAX: to the end of any file */
	bool exclusive;
};

/* In order, apart from each other; neighbours that touch are of different kinds. All zeros: none. */
struct ranges {
	struct range *list;
	unsigned count;
};

/* lock: as of xfer_op_lock, offset and length at most INT64_MAX. No call fails. */
void ranges_set(struct ranges *ranges, const struct xfer_lock *lock);
void ranges_clear(struct ranges *ranges, const struct xfer_lock *lock);

/* A range as it is asked for. */
struct xfer_lock ranges_lock(const struct range *range);

/* copy: uninitialized memory, to be freed by ranges_free. */
void ranges_copy(const struct ranges *ranges, struct ranges *copy);
void ranges_free(struct ranges *ranges);

#endif
