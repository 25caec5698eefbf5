/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* ranges.c -- the byte ranges that one owner of locks has, as POSIX says: later ones replace earlier ones */

#include "compat.h"
#include "ranges.h"

static void append(struct ranges *ranges, const struct range *range)
{
	struct range *before = ranges->count > 0 ? &ranges->list[ranges->count - 1] : NULL;

	if (before && before->exclusive == range->exclusive && before->last + 1 == range->first)
		before->last = range->last;
	else
		ranges->list[ranges->count++] = *range;
}

/* The parts of `from` that lie before `range`, or behind it. */
static void append_outside(
	struct ranges *to, const struct ranges *from, const struct range *range, bool behind)
{
	for (unsigned i = 0; i < from->count; i++) {
		struct range part = from->list[i];

		if (behind) {
			if (part.last <= range->last)
				continue;
			if (part.first <= range->last)
				part.first = range->last + 1;
		} else {
			if (part.first >= range->first)
				continue;
			if (part.last >= range->first)
				part.last = range->first - 1;
		}
		append(to, &part);
	}
}

/* A lock that reaches to the last byte that Linux can name reaches to the end. */
static struct range range_of(const struct xfer_lock *lock)
{
	struct range range = { .first = lock->offset, .exclusive = lock->exclusive };

	range.last = lock->offset + lock->length - 1;
	if (lock->length == 0 || range.last >= INT64_MAX)
		range.last = UINT64_MAX;
	return range;
}

static void replace(struct ranges *ranges, const struct range *range, bool set)
{
	/* One may be cut in two, and one is new. */
	struct ranges result = { .list = gsh_calloc(ranges->count + 2, sizeof(*result.list)) };

	append_outside(&result, ranges, range, false);
	if (set)
		append(&result, range);
	append_outside(&result, ranges, range, true);
	ranges_free(ranges);
	*ranges = result;
}

void ranges_set(struct ranges *ranges, const struct xfer_lock *lock)
{
	struct range range = range_of(lock);

	replace(ranges, &range, true);
}

void ranges_clear(struct ranges *ranges, const struct xfer_lock *lock)
{
	struct range range = range_of(lock);

	replace(ranges, &range, false);
}

struct xfer_lock ranges_lock(const struct range *range)
{
	return (struct xfer_lock){
		.exclusive = range->exclusive,
		.offset = range->first,
		.length = range->last == UINT64_MAX ? 0 : range->last - range->first + 1,
	};
}

void ranges_copy(const struct ranges *ranges, struct ranges *copy)
{
	*copy = (struct ranges){ .count = ranges->count };
	if (ranges->count == 0)
		return;
	copy->list = gsh_calloc(ranges->count, sizeof(*copy->list));
	memcpy(copy->list, ranges->list, ranges->count * sizeof(*copy->list));
}

void ranges_free(struct ranges *ranges)
{
	gsh_free(ranges->list);
	*ranges = (struct ranges){ 0 };
}
