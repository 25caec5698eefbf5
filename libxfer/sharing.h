/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* sharing.h -- the memory that a session shares with its owner: SHARE, GROW and RETIRE, the calling end */
#ifndef XFER_SHARING_H
#define XFER_SHARING_H

#include "control/caller.h"
#include "datapath.h"

struct xfer_session;
struct xfer_verbs;

/* A call that the session's own thread doesn't wait for, but is told of. */
struct xfer_asking {
	struct xfer_session *session;
	struct xfer_call call;
	union xfer_args args;
	union xfer_results results;
	bool pending; /* the thread has not taken the answer */

	/* under the session's lock, until the thread has seen `answered` */
	bool answered;
	int err; /* of the call */
	int fd;  /* that came along; -1: none */
};

enum xfer_sharing_state {
	XFER_SHARING_OFF,   /* nothing is shared in this epoch of the session */
	XFER_SHARING_APART, /* SHARE is to be said, or was */
	XFER_SHARING_JOINED,
};

#define XFER_SHARING_WHY 256u

/*
 * What differs between memory that both ends have mapped and queue pairs. Each may fail with -errno, and says why. The
 * session's thread, which it may take some seconds.
 */
struct xfer_sharing_sort {
	/* What SHARE says beside epoch, lanes and layout for READ; a descriptor that goes along is put. */
	int (*offer)(struct xfer_session *session, struct xfer_share_args *args, char *why);
	/* SHARE's answer: what the data path consists of, in params. */
	int (*join)(struct xfer_session *session, struct xfer_datapath_params *params, char *why);
	/* A chunk that the owner has granted, of so many bytes. */
	int (*borrow)(struct xfer_session *session, const struct xfer_chunk *chunk, uint64_t bytes,
		struct xfer_memory **memory, char *why);
	/* SHARE has come to nothing. */
	void (*drop)(struct xfer_session *session);
	unsigned again_ms; /* after a failure it is tried anew; 0: not in this epoch */
};

extern const struct xfer_sharing_sort xfer_sharing_shm, xfer_sharing_verbs;

/*
 * The session's own thread has all of it. Its answers come on lanes, which wake it: nothing here is on the path of an
 * operation.
 */
struct xfer_sharing {
	enum xfer_sharing_state state;
	const struct xfer_sharing_sort *sort; /* but when OFF */
	struct xfer_slot_layout wanted;       /* of each lane, in each direction */
	struct xfer_datapath *path;           /* JOINED; referenced */
	struct xfer_memory *memory;           /* shm: of a SHARE under way, for READ */
	struct xfer_verbs *verbs;             /* verbs: the path's; JOINED */
	bool had;                             /* a data path, at any time */
	unsigned failures;                    /* in a row, of what takes the owner's time */
	char why[XFER_SHARING_WHY]; /* there is no data path, as was logged last; empty: there is */
	uint64_t complained_ns;     /* when */
	struct xfer_asking grow;    /* SHARE, too */
	struct xfer_asking retire;
	uint32_t retiring; /* the chunk that is being drained; 0: none */
	uint64_t next_ns;  /* not before that is anything asked for */
	unsigned tries;    /* how often GROW is said yet, even if no WRITE misses a slot */

	/* under the session's lock */
	bool news;                   /* there is something to do */
	char lost[XFER_SHARING_WHY]; /* why the path was lost; empty: nothing to say */
	unsigned paths;              /* that were made, and aren't freed */
	struct xfer_datapath *gone;  /* of those: nobody uses them any more */
};

/* An epoch of the session has begun. */
void xfer_sharing_begin(struct xfer_session *session);
/* Does what there is to do; when it is to be called again, unless there is news before (UINT64_MAX: not). */
uint64_t xfer_sharing_work(struct xfer_session *session);
/* The epoch's connections have ended. Operations that wait for their data are told. */
void xfer_sharing_end(struct xfer_session *session);
/* After that, when no operation flies: waits until nobody uses a data path, and frees them all. */
void xfer_sharing_finish(struct xfer_session *session);

/* This data path is of no use any more, if it is the session's: there is to be another one. Any thread. */
void xfer_sharing_renew(struct xfer_session *session, const struct xfer_datapath *path);

#endif
