/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* datapath.h -- the initiator's end of a session's data path: pools of slots on each lane */
#ifndef XFER_DATAPATH_H
#define XFER_DATAPATH_H

#include <jansson.h>
#include <sys/uio.h>

#include "control/protocol.h"
#include "transport/transport.h"

/*
 * One epoch of it. Whoever has a slot has a reference, too: the memory stays until nobody uses it any more, whatever
 * became of the path; then whoever made it frees it. Any thread, lane threads included; nothing blocks but for a lane's lock, which is held for
 * bookkeeping only.
 */
struct xfer_datapath;

struct xfer_datapath_params {
	struct xfer_transport *transport; /* the path's from then on, also on failure */
	uint32_t epoch, lanes;
	struct xfer_slot_layout read;
	struct xfer_memory
		*memory; /* the READ slots'; the path's, as above; NULL: there are none */
	enum xfer_path_wish wish;
	/*
	 * No reference is left: it is to be freed. On whichever thread gave up the last one, lanes included; without locks.
	 * Not called on failure.
	 */
	void (*gone)(void *arg, struct xfer_datapath *path);

	/* With immediates only; any thread that polls, or loses the path; without locks. */

	/* A READ that was EINPROGRESS. 0: its bytes are there, to be taken; -EAGAIN: they won't come, it has no slot. */
	void (*ready)(struct xfer_placement *placement, int err);
	/* It is of no use any more, for this reason, and to be given up. Once; not after xfer_datapath_lost. */
	void (*lost)(void *arg, struct xfer_datapath *path, const char *why);

	void *arg; /* of `gone` and `lost` */
};

/* With one reference, and without slots for WRITE. -ENOMEM; -EINVAL: the layout can't be. */
int xfer_datapath_create(const struct xfer_datapath_params *params, struct xfer_datapath **path);
void xfer_datapath_ref(struct xfer_datapath *path);
void xfer_datapath_unref(struct xfer_datapath *path); /* NULL is ignored */
/* After `gone`. It takes time, so it isn't for lane threads; nor for within `ready` or `lost`. */
void xfer_datapath_free(struct xfer_datapath *path);
/* Room for whoever keeps those that are gone until they are freed. */
struct xfer_datapath **xfer_datapath_next(struct xfer_datapath *path);
/* Its connections have ended: nobody gets a slot any more, and READs that wait for their bytes are told. */
void xfer_datapath_lost(struct xfer_datapath *path);
/* `lost` was called, or will be in a moment; or xfer_datapath_lost was. */
bool xfer_datapath_is_lost(const struct xfer_datapath *path);

uint32_t xfer_datapath_epoch(const struct xfer_datapath *path);
enum xfer_path xfer_datapath_kind(const struct xfer_datapath *path);

/*
 * Chunks for WRITE: one thread at a time. The memory is the path's from then on, also on failure, after which the path
 * is to be given up. -EINVAL: it can't be; -EEXIST: something is there already; -ENOSPC: there are too many; -ENOMEM.
 */
int xfer_datapath_add(
	struct xfer_datapath *path, const struct xfer_chunk *chunk, struct xfer_memory *memory);
/* No slot of it is taken any more. -ENOENT. */
int xfer_datapath_retire(struct xfer_datapath *path, uint32_t id);
/* After that: its memory is freed, which takes time. -EBUSY: some slots of it aren't free yet; -ENOENT. */
int xfer_datapath_remove(struct xfer_datapath *path, uint32_t id);
/* Of each lane, those of retiring chunks aside. The same thread. */
const struct xfer_slot_layout *xfer_datapath_layout(const struct xfer_datapath *path);
/* A WRITE has found no slot since this was asked last. */
bool xfer_datapath_lacked(struct xfer_datapath *path);

/*
 * NONE: the payload, iov's `length` bytes, is in a slot of the host's, which may be told of it: *placement. Else: why it
 * has to go inline. volume: what it belongs to.
 */
enum xfer_path_cause xfer_datapath_write(struct xfer_datapath *path,
	const struct xfer_path_volume *volume, uint32_t lane, const struct iovec *iov, int iovcnt,
	uint32_t length, struct xfer_placement *placement);
/* The host's answer. released: the slot that it names, which is free again. -EPROTO: it can't be; the path is to be
 * ended. */
int xfer_datapath_written(struct xfer_datapath *path, const struct xfer_placement *placement,
	const struct xfer_slot_ref *released);

/* NONE: a slot for `length` bytes, which the host may be told of. */
enum xfer_path_cause xfer_datapath_offer(struct xfer_datapath *path,
	const struct xfer_path_volume *volume, uint32_t lane, uint32_t length,
	struct xfer_placement *placement);
/*
 * The host's answer: it has put bytes into the slot, or hasn't; they are copied to iov. -EAGAIN: to be asked again;
 * -EPROTO: as above. -EINPROGRESS (with immediates only): they are still on their way; the placement, and whatever it is
 * part of, is `ready`'s, which may have been called already. What has come for other READs is told first, so `ready`
 * may be called for them from within.
 */
int xfer_datapath_read(struct xfer_datapath *path, struct xfer_placement *placement,
	const struct xfer_payload *payload, const struct iovec *iov, int iovcnt);
/* After `ready`, 0: copies the bytes, and gives the slot back. */
void xfer_datapath_take(struct xfer_datapath *path, struct xfer_placement *placement,
	const struct iovec *iov, int iovcnt);

/* The answer says nothing of the slot: the host may still use it. True: too many are lost that way, or for too long; only
 * another epoch brings them back. */
bool xfer_datapath_abandon(struct xfer_datapath *path, const struct xfer_placement *placement);

/* Regions, and slots by state. */
json_t *xfer_datapath_status(struct xfer_datapath *path);

#endif
