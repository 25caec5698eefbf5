/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* refusals.c -- which refusals were logged lately, so that none is logged again and again */

#include <string.h>

#include "refusals.h"

static bool is_recent(uint64_t told, uint64_t now)
{
	return told != 0 && (now < told || now - told < REFUSALS_AGAIN);
}

static bool is_same(const struct refusal *a, const struct refusal *b)
{
	return a->export_id == b->export_id && a->verdict == b->verdict &&
	       memcmp(a->client, b->client, sizeof(a->client)) == 0;
}

/* The entry to be used for it; -1: it was told lately, or there is no room, which is counted. */
static int find_room(struct refusals *refusals, const struct refusal *refusal, uint64_t now)
{
	int room = -1;

	for (int i = 0; i < REFUSALS_MAX; i++) {
		bool recent = is_recent(refusals->entries[i].told, now);

		if (recent && is_same(&refusals->entries[i].refusal, refusal))
			return -1;
		if (!recent)
			room = i;
	}
	if (room < 0)
		refusals->untold++;
	return room;
}

bool refusals_tell(
	struct refusals *refusals, const struct refusal *refusal, uint64_t now, uint64_t *untold)
{
	int room;

	pthread_mutex_lock(&refusals->lock);
	room = find_room(refusals, refusal, now);
	if (room >= 0) {
		refusals->entries[room].refusal = *refusal;
		refusals->entries[room].told = now;
		*untold = refusals->untold;
		refusals->untold = 0;
	}
	pthread_mutex_unlock(&refusals->lock);
	return room >= 0;
}
