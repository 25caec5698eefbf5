/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* verbs_status.c -- what STATUS says of queue pairs and their devices */

#include <arpa/inet.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "transport/verbs_end.h"

/* Where the device may not be asked (see enum verbs_errand), what its completions say. */
static const char *pair_state(struct verbs_lane *lane)
{
	static const char *const names[] = { [IBV_QPS_RESET] = "RESET",
		[IBV_QPS_INIT] = "INIT",
		[IBV_QPS_RTR] = "RTR",
		[IBV_QPS_RTS] = "RTS",
		[IBV_QPS_SQD] = "SQD",
		[IBV_QPS_SQE] = "SQE",
		[IBV_QPS_ERR] = "ERR" };
	struct ibv_qp_init_attr init;
	struct ibv_qp_attr attr;

	if (ibv_query_qp(lane->qp, &attr, IBV_QP_STATE, &init) || attr.qp_state > IBV_QPS_ERR)
		return atomic_load(&lane->verbs->lost) ? "ERR" : "RTS";
	return names[attr.qp_state];
}

/* What the device counts on this port: retransmissions, missing receives and the like, by its driver's names. */
static json_t *hardware_counters(const char *device, unsigned port)
{
	json_t *counters = json_object();
	struct dirent *entry;
	char path[512];
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/class/infiniband/%s/ports/%u/hw_counters", device, port);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		unsigned long long value;
		FILE *file;

		if (entry->d_name[0] == '.' || strcmp(entry->d_name, "lifespan") == 0)
			continue;
		snprintf(path, sizeof(path), "/sys/class/infiniband/%s/ports/%u/hw_counters/%.200s",
			device, port, entry->d_name);
		file = fopen(path, "re");
		if (!file)
			continue;
		if (fscanf(file, "%llu", &value) == 1)
			json_object_set_new(
				counters, entry->d_name, json_integer((json_int_t)value));
		fclose(file);
	}
	if (dir)
		closedir(dir);
	return counters;
}

/* Not known before the lane is open. */
static bool has_immediates(const struct verbs_lane *lane)
{
	return atomic_load(&lane->state) == VERBS_OPEN && lane->announce == VERBS_IMMEDIATE;
}

/* The lane has a queue pair, as long as the path has whoever asks. */
static json_t *lane_json(struct verbs_lane *lane)
{
	const struct rdma_route *route = &lane->id->route;
	char gid[INET6_ADDRSTRLEN] = "";

	inet_ntop(AF_INET6, route->addr.addr.ibaddr.sgid.raw, gid, sizeof(gid));
	return json_pack("{s:i, s:s, s:i, s:s, s:i, s:s, s:b, s:I, s:I, s:I, s:I}", "lane",
		(int)lane->number, "device", lane->verbs->devices[lane->device].name, "port",
		(int)lane->id->port_num, "gid", gid, "mtu", (int)verbs_mtu(lane->id), "state",
		pair_state(lane), "immediates_work", has_immediates(lane), "posted",
		(json_int_t)lane->nposted, "immediates", (json_int_t)lane->nimmediates,
		"completions", (json_int_t)lane->ncompletions, "wakeups",
		(json_int_t)lane->nwakeups);
}

static bool has_pair(const struct verbs_lane *lane)
{
	return atomic_load(&lane->state) >= VERBS_CONNECTED;
}

static json_t *devices_json(struct xfer_verbs *verbs)
{
	json_t *devices = json_object();

	for (uint32_t i = 0; i < verbs->params.lanes; i++) {
		const struct verbs_lane *lane = &verbs->lanes[i];
		const char *name;

		if (!has_pair(lane))
			continue;
		name = verbs->devices[lane->device].name;
		if (!json_object_get(devices, name))
			json_object_set_new(
				devices, name, hardware_counters(name, lane->id->port_num));
	}
	return devices;
}

json_t *verbs_status(struct xfer_transport *transport)
{
	struct xfer_verbs *verbs = verbs_of(transport);
	json_t *pairs = json_array();

	for (uint32_t i = 0; i < verbs->params.lanes; i++)
		if (has_pair(&verbs->lanes[i]))
			json_array_append_new(pairs, lane_json(&verbs->lanes[i]));
	return json_pack("{s:o, s:o, s:I, s:I, s:I}", "queue_pairs", pairs, "devices",
		devices_json(verbs), "registered_bytes", (json_int_t)verbs->pinned, "huge_bytes",
		(json_int_t)verbs->huge, "registrations", (json_int_t)verbs->registrations);
}
