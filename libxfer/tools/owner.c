/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* owner.c -- what the processes on this node know of an owner */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "ctl.h"

struct search {
	const char *target;
	struct ctl_owner *owner;
};

static void search_sessions(const struct search *search, const char *node, const json_t *status)
{
	struct ctl_owner *found = search->owner;
	json_t *session;
	size_t i;

	json_array_foreach (json_object_get(status, "sessions"), i, session) {
		const char *name = json_string_value(json_object_get(session, "owner"));
		const char *address = json_string_value(json_object_get(session, "address"));
		const char *state = json_string_value(json_object_get(session, "state"));

		if (!name || !address ||
			(strcmp(name, search->target) != 0 && strcmp(address, search->target) != 0))
			continue;
		snprintf(found->name, sizeof(found->name), "%s", name);
		snprintf(found->address, sizeof(found->address), "%s", address);
		snprintf(found->node, sizeof(found->node), "%s", node);
		found->down = found->down || !state || strcmp(state, "up") != 0;
	}
}

static void search_process(void *arg, const char *socket)
{
	const struct search *search = arg;
	struct ctl_owner *owner = search->owner;
	const char *node;
	char *answer;
	json_t *status;

	if (xfer_status(socket, CTL_TIMEOUT_MS, &answer))
		return;
	status = json_loads(answer, 0, NULL);
	node = json_string_value(json_object_get(status, "node"));
	if (!owner->node[0])
		snprintf(owner->node, sizeof(owner->node), "%s", node ? node : "");
	search_sessions(search, node ? node : "", status);
	json_decref(status);
	free(answer);
}

void ctl_find_owner(const struct ctl *ctl, struct ctl_owner *owner)
{
	struct search search = { .target = ctl->target, .owner = owner };

	memset(owner, 0, sizeof(*owner));
	ctl_each_socket(ctl, search_process, &search);
	if (!owner->address[0])
		snprintf(owner->address, sizeof(owner->address), "%s%s",
			*ctl->target == '/' ? "unix:" : "", ctl->target);
}
