/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* setup.h -- what is served at a time: a configuration and its volumes */
#ifndef XFER_OWNER_SETUP_H
#define XFER_OWNER_SETUP_H

#include "owner/volume.h"

/*
 * A setup never changes; reloading the configuration makes another one, which shares the volumes that stay. Each
 * request keeps the setup it began with, and so the rights it was admitted with and its volume, to its end.
 */
struct setup {
	_Atomic unsigned refs;
	struct config *config; /* owned */
	unsigned nvolumes;
	struct served {
		struct setup *setup;
		struct volume *volume;              /* referenced */
		const struct config_volume *config; /* of `config` */
	} volumes[];
};

struct setup_params {
	const struct store_ops *store;
	unsigned lock_ms;                               /* how long to wait for a volume's lock */
	void (*gone)(void *arg, struct volume *volume); /* see volume.h */
	void *arg;
};

/*
 * Opens the volumes of a configuration, but for those that `current` (NULL: none) has already under the same
 * name, id and path. 0: the configuration belongs to the setup. -errno: it was logged, nothing has changed;
 * -EWOULDBLOCK: a volume's lock is held. Waits, so not on a lane.
 */
int setup_create(const struct setup *current, struct config *config,
	const struct setup_params *params, struct setup **setup);

struct setup *setup_get(struct setup *setup);
/* Any thread. */
void setup_put(struct setup *setup);

/* NULL: none. */
struct served *setup_find(struct setup *setup, uint32_t volume_id);

#endif
