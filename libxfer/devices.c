/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* devices.c -- what this host's RDMA devices are good for, for tools */

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#include <jansson.h>

#include "transport/device.h"
#include "xfer/xfer.h"

static json_t *describe_address(const struct xfer_device_address *address)
{
	const struct sockaddr *sa = (const struct sockaddr *)&address->address;
	const void *number = sa->sa_family == AF_INET
				     ? (const void *)&((const struct sockaddr_in *)sa)->sin_addr
				     : (const void *)&((const struct sockaddr_in6 *)sa)->sin6_addr;
	char text[INET6_ADDRSTRLEN];

	inet_ntop(sa->sa_family, number, text, sizeof(text));
	return json_pack("{s:s, s:s}", "address", text, "netdev", address->netdev);
}

static json_t *describe_port(const struct xfer_device *port)
{
	json_t *addresses = json_array();

	for (unsigned i = 0; i < port->naddresses; i++)
		json_array_append_new(addresses, describe_address(&port->addresses[i]));
	return json_pack("{s:s, s:i, s:s, s:s, s:s, s:i, s:i, s:o, s:b, s:s}", "name", port->name,
		"port", (int)port->port, "state", port->state, "link", xfer_link_name(port->link),
		"gid", port->gid, "mtu", (int)port->mtu, "numa_node",
		xfer_device_numa_node(port->name), "addresses", addresses, "usable", port->usable,
		"reason", port->why);
}

static json_t *describe_memlock(void)
{
	struct xfer_memlock memlock = xfer_device_pinnable();
	json_t *limit =
		memlock.limit > INT64_MAX ? json_null() : json_integer((json_int_t)memlock.limit);

	return json_pack("{s:o, s:I}", "limit", limit, "pinned", (json_int_t)memlock.pinned);
}

int xfer_devices(char **json)
{
	struct xfer_device *ports = calloc(XFER_DEVICES_MAX, sizeof(*ports));
	char why[XFER_DEVICE_WHY_MAX] = "";
	json_t *devices, *all;
	int n;

	if (!ports)
		return -ENOMEM;
	devices = json_array();
	n = xfer_devices_list(ports, XFER_DEVICES_MAX, why, sizeof(why));
	for (int i = 0; i < n; i++)
		json_array_append_new(devices, describe_port(&ports[i]));
	free(ports);
	all = json_pack("{s:o, s:s, s:o}", "devices", devices, "reason", why, "memlock",
		describe_memlock());
	*json = all ? json_dumps(all, 0) : NULL;
	json_decref(all);
	return *json ? 0 : -ENOMEM;
}
