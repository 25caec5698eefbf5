/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* devices.c -- rdmaxferctl devices: which RDMA devices can be used, or why not */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "ctl.h"

static const char *text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static long long number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static void print_addresses(const json_t *port)
{
	json_t *address;
	size_t i;

	json_array_foreach (json_object_get(port, "addresses"), i, address)
		printf("%s %s (%s)", i ? "," : "", text(address, "address"),
			text(address, "netdev"));
}

static void print_port(const json_t *port)
{
	printf("%s", text(port, "name"));
	if (number(port, "port") > 0)
		printf(" port %lld", number(port, "port"));
	if (json_is_true(json_object_get(port, "usable"))) {
		printf(": usable, by");
		print_addresses(port);
		printf("\n");
	} else {
		printf(": not usable: %s\n", text(port, "reason"));
	}
	printf("    %s, %s", text(port, "link"), text(port, "state"));
	if (number(port, "mtu") > 0)
		printf(", MTU %lld", number(port, "mtu"));
	if (*text(port, "gid"))
		printf(", GID %s", text(port, "gid"));
	if (number(port, "numa_node") >= 0)
		printf(", NUMA node %lld", number(port, "numa_node"));
	printf("\n");
}

/* What a daemon may pin is its unit's affair. */
static void print_memlock(const json_t *memlock)
{
	if (json_is_null(json_object_get(memlock, "limit")))
		printf("memory that this user may pin: without a limit\n");
	else
		printf("memory that this user may pin: %lld KiB, to be raised by LimitMEMLOCK= in a "
		       "unit or memlock in /etc/security/limits.conf\n",
			number(memlock, "limit") >> 10);
}

static void print_all(const json_t *all)
{
	json_t *port;
	size_t i;

	json_array_foreach (json_object_get(all, "devices"), i, port)
		print_port(port);
	if (json_array_size(json_object_get(all, "devices")) == 0)
		printf("%s\n", text(all, "reason"));
	print_memlock(json_object_get(all, "memlock"));
}

static unsigned count_usable(const json_t *all)
{
	unsigned usable = 0;
	json_t *port;
	size_t i;

	json_array_foreach (json_object_get(all, "devices"), i, port)
		usable += json_is_true(json_object_get(port, "usable"));
	return usable;
}

int ctl_devices(const struct ctl *ctl)
{
	char *answer;
	json_t *all;
	unsigned usable;
	int err;

	if (ctl->target) {
		fprintf(stderr, "rdmaxferctl: devices takes no argument: it is about this host\n");
		return CTL_USAGE;
	}
	err = xfer_devices(&answer);
	if (err) {
		fprintf(stderr, "rdmaxferctl: RDMA devices can't be listed: %s\n", strerror(-err));
		return CTL_FAILED;
	}
	all = json_loads(answer, 0, NULL);
	free(answer);
	usable = count_usable(all);
	if (ctl->json) {
		json_dumpf(all, stdout, JSON_INDENT(2));
		printf("\n");
	} else {
		print_all(all);
	}
	json_decref(all);
	return usable ? CTL_OK : CTL_FAILED;
}
