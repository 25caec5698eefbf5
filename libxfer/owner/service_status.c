/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* service_status.c -- the owner's part of STATUS */

#include <stdio.h>

#include <jansson.h>

#include "owner/service.h"

static json_t *status_volume(struct service *service, struct volume *volume)
{
	unsigned queued, running;
	char id[11];

	snprintf(id, sizeof(id), "0x%08x", volume->maker.volume_id);
	work_queue_load(service->pool, &volume->queue, &queued, &running);
	return json_pack("{s:s, s:s, s:s, s:I, s:i, s:i, s:i, s:i}", "name", volume->config->name,
		"id", id, "path", volume->config->path, "operations",
		(json_int_t)atomic_load(&volume->operations), "queued", (int)queued, "running",
		(int)running, "workers", (int)volume->config->workers, "changes_remembered",
		(int)change_table_count(volume->changes));
}

char *service_status(void *arg)
{
	struct service *service = arg;
	json_t *volumes = json_array(), *status;
	char *text;

	for (unsigned i = 0; i < service->nvolumes; i++)
		json_array_append_new(volumes, status_volume(service, service->volumes[i]));
	status = json_pack("{s:s, s:s, s:o, s:{s:i, s:i}, s:i}", "role", "owner", "node",
		service->config->node, "volumes", volumes, "opens", "count",
		(int)atomic_load(&service->opens.count), "max", (int)service->opens.max,
		"files_cached", (int)filecache_count(service->cache));
	text = status ? json_dumps(status, JSON_COMPACT) : NULL;
	json_decref(status);
	return text;
}
