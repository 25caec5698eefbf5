/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* device.c -- this host's RDMA devices: which can be used, by which addresses, or why not */

#include "transport/device.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/capability.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <infiniband/verbs.h>
#include <rdma/rdma_cma.h>

#define FOLDER "/dev/infiniband/"

_Static_assert(XFER_DEVICE_NAME_MAX >= IBV_SYSFS_NAME_MAX, "a device's name has room");

/* What helps when a file in FOLDER can't be opened. */
static const char *open_remedy(int err)
{
	switch (err) {
	case EACCES:
		return "let its group (udev's rule, mostly rdma) have this user";
	case EPERM:
		return "permit it in the unit: DeviceAllow= beside DevicePolicy=";
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return "modprobe rdma_ucm and ib_uverbs, and no PrivateDevices= in the unit";
	default:
		return "see the kernel's log";
	}
}

/* 0 or -errno: the libraries open the files themselves, but forget what the kernel says. */
static int try_file(const char *name)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), FOLDER "%s", name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

/* --- ports --------------------------------------------------------------------------------------- */

static const char *state_name(enum ibv_port_state state)
{
	static const char *const names[] = {
		[IBV_PORT_NOP] = "NOP",
		[IBV_PORT_DOWN] = "DOWN",
		[IBV_PORT_INIT] = "INIT",
		[IBV_PORT_ARMED] = "ARMED",
		[IBV_PORT_ACTIVE] = "ACTIVE",
		[IBV_PORT_ACTIVE_DEFER] = "ACTIVE_DEFER",
	};

	return (size_t)state < sizeof(names) / sizeof(names[0]) ? names[state] : "?";
}

static enum xfer_link link_of(const struct ibv_device *device, const struct ibv_port_attr *attr)
{
	if (device->transport_type == IBV_TRANSPORT_IWARP)
		return XFER_LINK_IWARP;
	return attr->link_layer == IBV_LINK_LAYER_ETHERNET ? XFER_LINK_ROCE : XFER_LINK_INFINIBAND;
}

static bool format_gid(const union ibv_gid *gid, char text[INET6_ADDRSTRLEN])
{
	static const union ibv_gid none;

	if (memcmp(gid, &none, sizeof(none)) == 0)
		return false;
	inet_ntop(AF_INET6, gid->raw, text, INET6_ADDRSTRLEN);
	return true;
}

/* The first one that isn't empty. */
static void find_gid(struct xfer_device *port, struct ibv_context *context, int gids)
{
	union ibv_gid gid;

	for (int i = 0; i < gids; i++) {
		if (ibv_query_gid(context, (uint8_t)port->port, i, &gid)) {
			snprintf(port->why, sizeof(port->why),
				"its GID %d can't be read: %s: see the kernel's log", i,
				strerror(errno));
			return;
		}
		if (format_gid(&gid, port->gid))
			return;
	}
}

static void ask_port(struct xfer_device *port, struct ibv_context *context)
{
	struct ibv_port_attr attr;
	int err = ibv_query_port(context, (uint8_t)port->port, &attr);

	if (err) {
		snprintf(port->why, sizeof(port->why),
			"it doesn't tell of its port: %s: see the kernel's log", strerror(err));
		return;
	}
	port->state = state_name(attr.state);
	port->link = link_of(context->device, &attr);
	port->mtu = attr.active_mtu ? 128u << attr.active_mtu : 0;
	find_gid(port, context, attr.gid_tbl_len);
}

static struct xfer_device port_of(const struct ibv_device *device, unsigned number)
{
	struct xfer_device port = { .port = number, .state = "?" };

	snprintf(port.name, sizeof(port.name), "%s", device->name);
	return port;
}

/* How many it has, at most `room`; one that can't be asked counts as one. */
static unsigned ask_device(struct ibv_device *device, struct xfer_device *list, unsigned room)
{
	struct ibv_context *context;
	struct ibv_device_attr attr;
	unsigned n = 0;
	int err, refused;

	if (room == 0)
		return 0;
	list[0] = port_of(device, 0);
	context = ibv_open_device(device);
	if (!context) {
		err = errno;
		refused = try_file(device->dev_name);
		err = refused ? -refused : err;
		snprintf(list[0].why, sizeof(list[0].why), FOLDER "%s can't be opened: %s: %s",
			device->dev_name, strerror(err), open_remedy(err));
		return 1;
	}
	err = ibv_query_device(context, &attr);
	if (err)
		snprintf(list[n++].why, sizeof(list[0].why),
			"it doesn't tell what it is: %s: see the kernel's log", strerror(err));
	for (; !err && n < room && n < attr.phys_port_cnt; n++) {
		list[n] = port_of(device, n + 1);
		ask_port(&list[n], context);
	}
	ibv_close_device(context);
	return n;
}

/* When everything is known of it. */
static void judge(struct xfer_device *port)
{
	const char *remedy = NULL;

	if (port->why[0])
		return;
	if (strcmp(port->state, "ACTIVE") != 0)
		remedy = port->link == XFER_LINK_INFINIBAND
				 ? "check its cable and the subnet manager"
				 : "check its cable, and set its network device up";
	if (remedy)
		snprintf(port->why, sizeof(port->why), "its port is %s: %s", port->state, remedy);
	else if (!port->gid[0])
		snprintf(port->why, sizeof(port->why),
			"its GID table is empty: give an address to the network device that "
			"`rdma link show %s/%u` names",
			port->name, port->port);
	else if (port->naddresses == 0)
		snprintf(port->why, sizeof(port->why),
			"no address of this host leads to it: give one to the network device that "
			"`rdma link show %s/%u` names, and set that up",
			port->name, port->port);
	else
		port->usable = true;
}

/* --- addresses ----------------------------------------------------------------------------------- */

/* Peers can be told of it. */
static bool is_candidate(const struct ifaddrs *interface)
{
	const struct sockaddr *address = interface->ifa_addr;

	if (!address || !(interface->ifa_flags & IFF_UP) || interface->ifa_flags & IFF_LOOPBACK)
		return false;
	if (address->sa_family == AF_INET6)
		return !IN6_IS_ADDR_LINKLOCAL(&((const struct sockaddr_in6 *)address)->sin6_addr);
	return address->sa_family == AF_INET;
}

/* The interface's address leads to the port that the id is bound to. */
static void add_address(struct xfer_device *list, unsigned count, const struct ifaddrs *interface,
	const struct rdma_cm_id *id)
{
	bool v6 = interface->ifa_addr->sa_family == AF_INET6;
	struct xfer_device_address *to;
	unsigned i = 0;

	while (i < count && (strcmp(list[i].name, id->verbs->device->name) != 0 ||
				    list[i].port != id->port_num))
		i++;
	if (i == count || list[i].naddresses == XFER_DEVICE_ADDRESSES)
		return;
	if (list[i].naddresses == 0)
		format_gid(&id->route.addr.addr.ibaddr.sgid, list[i].gid);
	to = &list[i].addresses[list[i].naddresses++];
	memcpy(&to->address, interface->ifa_addr,
		v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
	snprintf(to->netdev, sizeof(to->netdev), "%s", interface->ifa_name);
}

/* rdma_cm knows the way from an address to a port, whatever the link is. */
static int try_address(struct rdma_event_channel *channel, struct xfer_device *list, unsigned count,
	const struct ifaddrs *interface)
{
	struct rdma_cm_id *id;
	int err = 0;

	if (rdma_create_id(channel, &id, NULL, RDMA_PS_TCP))
		return -errno;
	if (rdma_bind_addr(id, interface->ifa_addr))
		err = -errno;
	else if (id->verbs)
		add_address(list, count, interface, id);
	rdma_destroy_id(id);
	/* Another sort of interface; an address that is just coming or going. */
	return err == -ENODEV || err == -EADDRNOTAVAIL ? 0 : err;
}

static int find_addresses(struct rdma_event_channel *channel, struct xfer_device *list,
	unsigned count, char *why, size_t why_len)
{
	struct ifaddrs *interfaces, *interface;
	int err = 0;

	if (getifaddrs(&interfaces)) {
		err = -errno;
		snprintf(why, why_len, "this host's addresses can't be listed: %s: see its limits",
			strerror(-err));
		return err;
	}
	for (interface = interfaces; interface && !err; interface = interface->ifa_next) {
		if (!is_candidate(interface))
			continue;
		err = try_address(channel, list, count, interface);
		if (err)
			snprintf(why, why_len,
				"rdma_cm can't be asked for an address of %s: %s: see the kernel's log",
				interface->ifa_name, strerror(-err));
	}
	freeifaddrs(interfaces);
	return err;
}

/* librdmacm doesn't say what it misses. */
static int open_channel(struct rdma_event_channel **channel, char *why, size_t why_len)
{
	int err = try_file("rdma_cm");

	if (err) {
		snprintf(why, why_len, FOLDER "rdma_cm can't be opened: %s: %s", strerror(-err),
			open_remedy(-err));
		return err;
	}
	*channel = rdma_create_event_channel();
	if (*channel)
		return 0;
	err = errno == EPERM ? -EPROTO : -errno;
	snprintf(why, why_len, "librdmacm can't use " FOLDER "rdma_cm: %s: %s", strerror(-err),
		err == -EPROTO ? "the kernel's version of it is another one, update librdmacm"
			       : "see the kernel's log");
	return err;
}

/* --- what others ask ------------------------------------------------------------------------------ */

static int list_ports(struct ibv_device **devices, int ndevices, struct xfer_device *list,
	unsigned room, char *why, size_t why_len)
{
	struct rdma_event_channel *channel;
	unsigned count = 0;
	int err = open_channel(&channel, why, why_len);

	if (err)
		return err;
	for (int i = 0; i < ndevices; i++)
		count += ask_device(devices[i], list + count, room - count);
	err = find_addresses(channel, list, count, why, why_len);
	rdma_destroy_event_channel(channel);
	for (unsigned i = 0; i < count; i++)
		judge(&list[i]);
	return err ? err : (int)count;
}

int xfer_devices_list(struct xfer_device *list, unsigned room, char *why, size_t why_len)
{
	int ndevices = 0, n, err;
	struct ibv_device **devices = ibv_get_device_list(&ndevices);

	/* ENOSYS: there is no ib_uverbs, which comes with the first device. */
	err = devices || errno == ENOSYS ? 0 : -errno;
	if (err)
		snprintf(why, why_len, "RDMA devices can't be listed: %s: see the kernel's log",
			strerror(-err));
	else if (ndevices == 0)
		snprintf(why, why_len,
			"no RDMA device: `rdma link` shows them; load the device's driver and "
			"ib_uverbs, or for soft-RoCE `rdma link add rxe0 type rxe netdev IF`");
	n = ndevices > 0 ? list_ports(devices, ndevices, list, room, why, why_len) : err;
	if (devices)
		ibv_free_device_list(devices);
	return n;
}

int xfer_device_addresses(struct sockaddr_storage *list, unsigned room, char *why, size_t why_len)
{
	struct xfer_device *ports = calloc(XFER_DEVICES_MAX, sizeof(*ports));
	unsigned found = 0;
	int n;

	if (!ports) {
		snprintf(why, why_len, "no memory to list RDMA devices");
		return -ENOMEM;
	}
	n = xfer_devices_list(ports, XFER_DEVICES_MAX, why, why_len);
	/* One of each port, then another one of each: who takes one after the other is spread over the ports. */
	for (unsigned j = 0; j < XFER_DEVICE_ADDRESSES; j++)
		for (int i = 0; i < n; i++)
			if (found < room && ports[i].usable && j < ports[i].naddresses)
				list[found++] = ports[i].addresses[j].address;
	if (n > 0 && found == 0)
		snprintf(why, why_len, "RDMA device %s: %s", ports[0].name, ports[0].why);
	free(ports);
	return n > 0 ? (int)found : n;
}

int xfer_device_init(char *why, size_t why_len)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static bool done;
	int err = 0;

	pthread_mutex_lock(&lock);
	if (!done) {
		/* Else only the small page at a huge page's beginning would be kept. */
		setenv("RDMAV_HUGEPAGES_SAFE", "1", 0);
		err = ibv_fork_init();
		done = err == 0;
	}
	pthread_mutex_unlock(&lock);
	if (err)
		snprintf(why, why_len,
			"libibverbs can't keep child processes from registered memory: %s: %s",
			strerror(err),
			err == ENOSYS ? "the kernel must know madvise(MADV_DONTFORK)"
				      : "nothing may be registered before");
	return -err;
}

/* --- memory that is pinned ------------------------------------------------------------------------ */

struct xfer_memlock xfer_device_pinnable(void)
{
	struct xfer_memlock memlock = { .limit = 0 };
	FILE *file = fopen("/proc/self/status", "re");
	unsigned long long value;
	struct rlimit limit;
	char line[256];

	if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0)
		memlock.limit = limit.rlim_cur;
	while (file && fgets(line, sizeof(line), file)) {
		/* What mlock holds counts against the limit, too, but apart (VmLck). */
		if (sscanf(line, "VmPin: %llu kB", &value) == 1)
			memlock.pinned = value << 10;
		else if (sscanf(line, "CapEff: %llx", &value) == 1 && value >> CAP_IPC_LOCK & 1)
			memlock.limit = UINT64_MAX;
	}
	if (file)
		fclose(file);
	return memlock;
}

bool xfer_device_memlock(uint64_t need, char *why, size_t why_len)
{
	struct xfer_memlock memlock = xfer_device_pinnable();
	unsigned long long kib;

	if (memlock.limit == UINT64_MAX ||
		(memlock.pinned <= memlock.limit && need <= memlock.limit - memlock.pinned))
		return true;
	kib = (memlock.pinned >> 10) + (need >> 10) + (need % 1024 != 0);
	snprintf(why, why_len,
		"%llu bytes more can't be pinned: RLIMIT_MEMLOCK is %llu bytes, %llu are pinned; put "
		"LimitMEMLOCK=%lluK (or infinity) into the unit, or \"* - memlock %llu\" into "
		"/etc/security/limits.conf",
		(unsigned long long)need, (unsigned long long)memlock.limit,
		(unsigned long long)memlock.pinned, kib, kib);
	return false;
}

int xfer_device_numa_node(const char *device)
{
	char path[128];
	int node = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/sys/class/infiniband/%s/device/numa_node", device);
	file = fopen(path, "re");
	if (!file)
		return -1;
	if (fscanf(file, "%d", &node) != 1)
		node = -1;
	fclose(file);
	return node;
}

const char *xfer_link_name(enum xfer_link link)
{
	static const char *const names[] = {
		[XFER_LINK_UNKNOWN] = "?",
		[XFER_LINK_ROCE] = "RoCE",
		[XFER_LINK_INFINIBAND] = "InfiniBand",
		[XFER_LINK_IWARP] = "iWARP",
	};

	return names[link];
}
