/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* service_status.c -- the owner's part of STATUS */

#include <stdio.h>

#include <jansson.h>

#include "owner/service.h"

static json_t *status_volume(struct service *service, const struct served *served)
{
	static const char *const squashes[] = {
		[SQUASH_NONE] = "none", [SQUASH_ROOT] = "root", [SQUASH_ALL] = "all"
	};
	static const char *const coherences[] = {
		[COHERENCE_STRICT] = "strict", [COHERENCE_EVENTUAL] = "eventual"
	};
	struct volume *volume = served->volume;
	unsigned queued, running;
	char id[11];

	snprintf(id, sizeof(id), "0x%08x", volume->maker.volume_id);
	work_queue_load(service->pool, &volume->queue, &queued, &running);
	return json_pack("{s:s, s:s, s:s, s:b, s:b, s:s, s:s, s:I, s:i, s:i, s:i, s:i}", "name",
		served->config->name, "id", id, "path", volume->path, "read_only",
		served->config->read_only, "require_encryption", served->config->require_encryption,
		"coherence", coherences[served->config->coherence], "squash",
		squashes[served->config->squash], "operations",
		(json_int_t)atomic_load(&volume->operations), "queued", (int)queued, "running",
		(int)running, "workers", (int)served->config->workers, "changes_remembered",
		(int)change_table_count(volume->changes));
}

char *service_status(void *arg)
{
	struct service *service = arg;
	struct setup *setup = service_setup(service);
	json_t *volumes = json_array(), *status;
	char *text;

	for (unsigned i = 0; i < setup->nvolumes; i++)
		json_array_append_new(volumes, status_volume(service, &setup->volumes[i]));
	status = json_pack("{s:s, s:s, s:o, s:{s:i, s:i}, s:i, s:o, s:o}", "role", "owner", "node",
		setup->config->node, "volumes", volumes, "opens", "count",
		(int)atomic_load(&service->opens.count), "max", (int)service->opens.max,
		"files_cached", (int)filecache_count(service->cache), "grace",
		recovery_status(service->recovery), "memory", memory_status(&service->memory));
	text = status ? json_dumps(status, JSON_COMPACT) : NULL;
	json_decref(status);
	setup_put(setup);
	return text;
}
