/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* setup.c -- what is served at a time: a configuration and its volumes */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "owner/setup.h"

struct setup *setup_get(struct setup *setup)
{
	atomic_fetch_add(&setup->refs, 1);
	return setup;
}

void setup_put(struct setup *setup)
{
	if (!setup || atomic_fetch_sub(&setup->refs, 1) != 1)
		return;
	for (unsigned i = 0; i < setup->nvolumes; i++)
		volume_put(setup->volumes[i].volume);
	config_free(setup->config);
	free(setup);
}

struct served *setup_find(struct setup *setup, uint32_t volume_id)
{
	for (unsigned i = 0; i < setup->nvolumes; i++)
		if (setup->volumes[i].volume->maker.volume_id == volume_id)
			return &setup->volumes[i];
	return NULL;
}

static int open_volume(const struct config *config, const struct config_volume *entry,
	const struct setup_params *params, struct volume **volume)
{
	struct volume_params volume_params = {
		.config = entry,
		.store = params->store,
		.state_dir = config->state_dir,
		.lock_ms = params->lock_ms,
		.gone = params->gone,
		.arg = params->arg,
	};
	char message[512] = "";
	int err = volume_open(&volume_params, volume, message, sizeof(message));

	if (err)
		xfer_error("volume %s: %s", entry->name, message);
	else
		xfer_info("volume %s (id 0x%08x) is %s", entry->name, entry->id, entry->path);
	return err;
}

/* With a reference; NULL: it isn't there yet. */
static struct volume *kept_volume(const struct setup *current, const struct config_volume *entry)
{
	for (unsigned i = 0; current && i < current->nvolumes; i++) {
		const struct config_volume *other = current->volumes[i].config;

		if (other->id == entry->id && strcmp(other->name, entry->name) == 0 &&
			strcmp(other->path, entry->path) == 0)
			return volume_get(current->volumes[i].volume);
	}
	return NULL;
}

int setup_create(const struct setup *current, struct config *config,
	const struct setup_params *params, struct setup **result)
{
	struct setup *setup =
		calloc(1, sizeof(*setup) + config->nvolumes * sizeof(setup->volumes[0]));
	int err = 0;

	if (!setup)
		return -ENOMEM;
	atomic_init(&setup->refs, 1);
	while (setup->nvolumes < config->nvolumes && err == 0) {
		struct served *served = &setup->volumes[setup->nvolumes];

		served->setup = setup;
		served->config = &config->volumes[setup->nvolumes];
		served->volume = kept_volume(current, served->config);
		if (!served->volume)
			err = open_volume(config, served->config, params, &served->volume);
		setup->nvolumes += err == 0;
	}
	if (err) {
		setup_put(setup);
		return err;
	}
	setup->config = config;
	*result = setup;
	return 0;
}
