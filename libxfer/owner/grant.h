/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* grant.h -- one data path's part of the memory, and what differs between shared memory and queue pairs */
#ifndef XFER_OWNER_GRANT_H
#define XFER_OWNER_GRANT_H

#include "owner/memory.h"

#define GRANT_WHY 256u

struct xfer_verbs;

/* What a data path is made of. Each on the thread of memory.c, which it may take some time; -errno: why says it. */
struct grant_sort {
	/* SHARE: transport, READ slots and their memory, in params. */
	int (*open)(struct grant *grant, struct xfer_request *request,
		struct xfer_hostpath_params *params, char *why);
	/* The path is made: what else SHARE's answer says. */
	void (*offer)(struct grant *grant, struct xfer_request *request,
		const struct xfer_hostpath_params *params);
	/* GROW: memory for a chunk, which the answer will name. */
	int (*lend)(struct grant *grant, struct xfer_request *request, uint64_t bytes,
		struct xfer_memory **memory, char *why);
	/* What the answer says of it beside its places. */
	void (*describe)(
		const struct xfer_memory *memory, uint32_t lanes, struct xfer_chunk *chunk);
	/* From time to time: why there is to be an end of it; NULL: there isn't. */
	const char *(*trouble)(struct grant *grant);
};

extern const struct grant_sort grant_shm, grant_verbs;

/* One data path's part of the memory. Its chunks come and go on the thread only. */
struct grant {
	struct memory *memory;
	unsigned client;
	const struct grant_sort *sort;
	struct xfer_hostpath *path;
	struct xfer_verbs *verbs; /* of a path of queue pairs, whose it is */
	struct xfer_peer *peer;   /* there as long as it has the path */
	char node[XFER_NODE_MAX + 1];
	LIST_ENTRY(grant) link;

	/* under the lock */
	bool gone;                    /* nothing uses the path any more: it is to be freed */
	bool taken;                   /* the path isn't the session's any more */
	uint64_t owed;                /* bytes that are to be returned */
	uint32_t retiring;            /* the chunk that the session was asked for; 0: none */
	bool returned;                /* it says that it uses it no more */
	uint64_t used_ns;             /* of what the quota was told */
	struct xfer_request *waiting; /* RETIRE */
	char lost[GRANT_WHY +
		  32]; /* what has become of the path, which is to be ended; empty: nothing */
};

/*
 * What of a layout the quota has room for, so many bytes, which it counts from then on; 0: nothing. less: if there isn't
 * enough for all of it, a half, a quarter... may be, and the layout is that then.
 */
uint64_t grant_claim(
	struct grant *grant, uint32_t lanes, struct xfer_slot_layout *layout, bool less);
/* They aren't used after all. */
void grant_return(struct grant *grant, uint64_t bytes);
/* Memory for what was claimed: it counts until it is freed. */
void grant_count(struct grant *grant, struct xfer_memory *memory);

#endif
