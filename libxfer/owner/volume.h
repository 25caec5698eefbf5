/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* volume.h -- one volume: a directory that is served, its lock, its key */
#ifndef XFER_OWNER_VOLUME_H
#define XFER_OWNER_VOLUME_H

#include <stdatomic.h>

#include "core/holders.h"
#include "owner/change.h"
#include "owner/config.h"
#include "owner/handle.h"
#include "owner/names.h"
#include "owner/store.h"
#include "owner/workers.h"

/* Constant while it is served, but for what says otherwise. */
struct volume {
	_Atomic unsigned refs;
	char path[4096]; /* for messages */
	const struct store_ops *store;
	int root_fd; /* the open directory; carries the lock and tells the mount for handles */
	uint64_t root_ino;
	int mount_id;
	struct handle_maker maker;
	struct change_table *changes;
	struct holders *holders; /* who was promised what of it */
	struct names names;
	struct work_queue queue;     /* the pool's */
	bool in_memory;              /* its file system has no disk to wait for */
	_Atomic bool no_nowait_read; /* it can't say what would have to wait */
	_Atomic uint64_t operations; /* since the start */
	void (*gone)(void *arg, struct volume *volume);
	void *arg;
};

struct volume_params {
	const struct config_volume *config;
	const struct store_ops *store;
	const char *state_dir;
	unsigned lock_ms; /* how long to wait for the lock */
	/* NULL, or called with the last reference, before the lock is given up. Any thread. */
	void (*gone)(void *arg, struct volume *volume);
	void *arg;
};

/*
 * -errno: `message` names cause and remedy; -EWOULDBLOCK: another process serves it. Waits for the lock, so not
 * on a lane thread.
 */
int volume_open(const struct volume_params *params, struct volume **volume, char *message,
	size_t message_len);
struct volume *volume_get(struct volume *volume);
/* With the last reference the lock is given up. Any thread. */
void volume_put(struct volume *volume);

/* --- parts of volume_open, for tests ----------------------------------------------------------- */

/* The exclusive lock on the directory behind `fd`. -EWOULDBLOCK: message names the holder. */
int volume_lock(int fd, const char *path, unsigned timeout_ms, char *message, size_t message_len);

/* The volume's MAC key in STATE_DIR/volumes/NAME, made when it isn't there yet. With the lock held. */
int volume_key_load(const char *state_dir, const char *name, uint8_t key[HANDLE_KEY_SIZE],
	char *message, size_t message_len);

#endif
