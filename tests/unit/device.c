/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* device.c -- which RDMA devices a host has, by which addresses they are reached, and why not */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>
#include <jansson.h>

#include "support/mock_verbs.h"
#include "transport/device.h"
#include "xfer/xfer.h"

#define LEN(array) (sizeof(array) / sizeof((array)[0]))

/* --- the host: its interfaces, and its files as they are read ---------------------------------------- */

struct interface {
	const char *name, *address; /* address NULL: it has none */
	unsigned flags;
};

static struct {
	const struct interface *interfaces;
	unsigned ninterfaces;
	int getifaddrs_err, cm_err, uverbs_err; /* errno */
	const char *file;                       /* what any file has in it; NULL: it isn't there */
	char path[256];                         /* of the last file */
	struct rlimit limit;
	bool no_memory;
} host;

static struct ifaddrs *new_interface(const struct interface *interface)
{
	struct ifaddrs *made = test_calloc(1, sizeof(*made));
	struct sockaddr_in *in = test_calloc(1, sizeof(struct sockaddr_storage));
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)in;

	made->ifa_name = (char *)interface->name;
	made->ifa_flags = interface->flags;
	if (!interface->address) {
		test_free(in);
		return made;
	}
	in->sin_family = strchr(interface->address, ':') ? AF_INET6 : AF_INET;
	assert_int_equal(inet_pton(in->sin_family, interface->address,
				 in->sin_family == AF_INET ? (void *)&in->sin_addr
							   : (void *)&in6->sin6_addr),
		1);
	made->ifa_addr = (struct sockaddr *)in;
	return made;
}

int __wrap_getifaddrs(struct ifaddrs **list);
int __wrap_getifaddrs(struct ifaddrs **list)
{
	errno = host.getifaddrs_err;
	if (errno)
		return -1;
	*list = NULL;
	for (unsigned i = host.ninterfaces; i-- > 0;) {
		struct ifaddrs *made = new_interface(&host.interfaces[i]);

		made->ifa_next = *list;
		*list = made;
	}
	return 0;
}

void __wrap_freeifaddrs(struct ifaddrs *list);
void __wrap_freeifaddrs(struct ifaddrs *list)
{
	while (list) {
		struct ifaddrs *next = list->ifa_next;

		if (list->ifa_addr)
			test_free(list->ifa_addr);
		test_free(list);
		list = next;
	}
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
	if (strcmp(path, "/dev/infiniband/rdma_cm") == 0)
		errno = host.cm_err;
	else if (strcmp(path, "/dev/infiniband/uverbs0") == 0)
		errno = host.uverbs_err;
	else
		fail_msg("%s is opened", path);
	return errno ? -1 : __real_open("/dev/null", flags);
}

FILE *__wrap_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode)
{
	snprintf(host.path, sizeof(host.path), "%s", path);
	errno = ENOENT;
	return host.file ? fmemopen((char *)host.file, strlen(host.file), mode) : NULL;
}

int __wrap_getrlimit(int resource, struct rlimit *limit);
int __wrap_getrlimit(int resource, struct rlimit *limit)
{
	assert_int_equal(resource, RLIMIT_MEMLOCK);
	*limit = host.limit;
	return 0;
}

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size)
{
	return host.no_memory ? NULL : __real_calloc(count, size);
}

static const struct interface lan[] = {
	{ "lo", "127.0.0.1", IFF_UP | IFF_LOOPBACK },
	{ "tun0", NULL, IFF_UP },
	{ "eth0", "10.0.0.1", IFF_UP },
	{ "eth1", "10.0.1.1", IFF_UP },
	{ "eth1", "fe80::1", IFF_UP },
	{ "eth1", "fd00::1", IFF_UP },
	{ "eth2", "10.0.2.1", 0 },
};

/* rxe0 is at eth1 and eth2, of which only the first one is up. */
static const struct mock_device rxe = {
	.name = "rxe0",
	.ports = { { .addresses = { "10.0.1.1", "fd00::1", "fe80::1", "10.0.2.1" },
		.mtu = IBV_MTU_1024 } },
};

static void set_up(const struct mock_device *devices, unsigned count)
{
	memset(&host, 0, sizeof(host));
	host.interfaces = lan;
	host.ninterfaces = LEN(lan);
	mock_verbs_begin(devices, count);
}

static struct xfer_device ports[8];
static char why[XFER_DEVICE_WHY_MAX];

static int list(void)
{
	why[0] = '\0';
	return xfer_devices_list(ports, LEN(ports), why, sizeof(why));
}

static void assert_why(const char *said, const char *part)
{
	if (!strstr(said, part))
		fail_msg("\"%s\" doesn't say \"%s\"", said, part);
	assert_true(strlen(said) + 1 < XFER_DEVICE_WHY_MAX); /* nothing is cut off */
}

/* --- what there is ----------------------------------------------------------------------------------- */

static void a_port_and_its_addresses(void **state)
{
	char text[INET6_ADDRSTRLEN];

	(void)state;
	set_up(&rxe, 1);
	assert_int_equal(list(), 1);
	assert_string_equal(ports[0].why, "");
	assert_true(ports[0].usable);
	assert_string_equal(ports[0].name, "rxe0");
	assert_int_equal(ports[0].port, 1);
	assert_string_equal(ports[0].state, "ACTIVE");
	assert_string_equal(xfer_link_name(ports[0].link), "RoCE");
	assert_int_equal(ports[0].mtu, 1024);
	assert_string_equal(ports[0].gid, "::ffff:10.0.1.1");
	assert_int_equal(ports[0].naddresses, 2);
	for (unsigned i = 0; i < 2; i++)
		assert_string_equal(ports[0].addresses[i].netdev, "eth1");
	inet_ntop(AF_INET, &((struct sockaddr_in *)&ports[0].addresses[0].address)->sin_addr, text,
		sizeof(text));
	assert_string_equal(text, "10.0.1.1");
	inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&ports[0].addresses[1].address)->sin6_addr,
		text, sizeof(text));
	assert_string_equal(text, "fd00::1");
	mock_verbs_end();
}

static void several_devices_and_ports(void **state)
{
	static const struct mock_device devices[] = {
		{ .name = "mlx5_0",
			.nports = 2,
			.ports = { { .state = IBV_PORT_DOWN },
				{ .addresses = { "10.0.0.1" },
					.link_layer = IBV_LINK_LAYER_INFINIBAND } } },
		{ .name = "siw0", .iwarp = true, .ports = { { .addresses = { "10.0.1.1" } } } },
	};

	(void)state;
	set_up(devices, LEN(devices));
	assert_int_equal(list(), 3);
	assert_false(ports[0].usable);
	assert_why(
		ports[0].why, "its port is DOWN: check its cable, and set its network device up");
	assert_true(ports[1].usable);
	assert_int_equal(ports[1].port, 2);
	assert_string_equal(xfer_link_name(ports[1].link), "InfiniBand");
	assert_string_equal(ports[1].addresses[0].netdev, "eth0");
	assert_true(ports[2].usable);
	assert_string_equal(xfer_link_name(ports[2].link), "iWARP");
	assert_int_equal(ports[2].mtu, 4096);
	mock_verbs_end();
}

static void no_more_than_there_is_room_for(void **state)
{
	static const struct mock_device devices[] = {
		{ .name = "a", .nports = 2 },
		{ .name = "b", .ports = { { .addresses = { "10.0.1.1" } } } },
	};

	(void)state;
	set_up(devices, LEN(devices));
	assert_int_equal(xfer_devices_list(ports, 1, why, sizeof(why)), 1);
	assert_int_equal(xfer_devices_list(ports, 2, why, sizeof(why)), 2);
	assert_string_equal(ports[1].name, "a");
	mock_verbs_end();
}

static void more_addresses_than_are_told(void **state)
{
	struct interface many[XFER_DEVICE_ADDRESSES + 1];

	(void)state;
	set_up(&rxe, 1);
	for (unsigned i = 0; i < LEN(many); i++)
		many[i] = (struct interface){ "eth1", "10.0.1.1", IFF_UP };
	host.interfaces = many;
	host.ninterfaces = LEN(many);
	assert_int_equal(list(), 1);
	assert_int_equal(ports[0].naddresses, XFER_DEVICE_ADDRESSES);
	mock_verbs_end();
}

static void addresses_of_usable_ports(void **state)
{
	struct sockaddr_storage addresses[4];

	(void)state;
	set_up(&rxe, 1);
	assert_int_equal(xfer_device_addresses(addresses, 4, why, sizeof(why)), 2);
	assert_int_equal(addresses[0].ss_family, AF_INET);
	assert_int_equal(addresses[1].ss_family, AF_INET6);
	assert_int_equal(xfer_device_addresses(addresses, 1, why, sizeof(why)), 1);
	mock_verbs_end();
}

/* Whoever takes one after the other is spread over the ports. */
static void addresses_of_ports_in_turn(void **state)
{
	static const struct mock_device devices[] = {
		{ .name = "a", .ports = { { .addresses = { "10.0.1.1", "fd00::1" } } } },
		{ .name = "b", .ports = { { .addresses = { "10.0.0.1" } } } },
	};
	struct sockaddr_storage addresses[4];
	struct sockaddr_in *second = (struct sockaddr_in *)&addresses[1];

	(void)state;
	set_up(devices, LEN(devices));
	assert_int_equal(xfer_device_addresses(addresses, 4, why, sizeof(why)), 3);
	assert_int_equal(second->sin_family, AF_INET);
	assert_int_equal(ntohl(second->sin_addr.s_addr), 0x0a000001);
	assert_int_equal(addresses[2].ss_family, AF_INET6);
	mock_verbs_end();
}

/* What tools are told. */
static void all_of_it_as_json(void **state)
{
	json_t *all, *port;
	char *text;

	(void)state;
	set_up(&rxe, 1);
	host.limit.rlim_cur = 64 << 10;
	assert_int_equal(xfer_devices(&text), 0);
	all = json_loads(text, 0, NULL);
	free(text);
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(all, "memlock"), "limit")),
		64 << 10);
	port = json_array_get(json_object_get(all, "devices"), 0);
	assert_string_equal(json_string_value(json_object_get(port, "name")), "rxe0");
	assert_true(json_is_true(json_object_get(port, "usable")));
	port = json_array_get(json_object_get(port, "addresses"), 1);
	assert_string_equal(json_string_value(json_object_get(port, "address")), "fd00::1");
	assert_string_equal(json_string_value(json_object_get(port, "netdev")), "eth1");
	json_decref(all);

	host.cm_err = EACCES;
	host.limit.rlim_cur = RLIM_INFINITY;
	assert_int_equal(xfer_devices(&text), 0);
	all = json_loads(text, 0, NULL);
	free(text);
	assert_int_equal(json_array_size(json_object_get(all, "devices")), 0);
	assert_why(json_string_value(json_object_get(all, "reason")), "Permission denied");
	assert_true(json_is_null(json_object_get(json_object_get(all, "memlock"), "limit")));
	json_decref(all);
	host.no_memory = true;
	assert_int_equal(xfer_devices(&text), -ENOMEM);
	host.no_memory = false;
	mock_verbs_end();
}

/* --- why a port can't be used ------------------------------------------------------------------------ */

static void ports_without_what_they_need(void **state)
{
	static const struct {
		struct mock_port port;
		const char *says;
	} cases[] = {
		{ { .state = IBV_PORT_INIT, .link_layer = IBV_LINK_LAYER_INFINIBAND },
			"its port is INIT: check its cable and the subnet manager" },
		{ { .state = (enum ibv_port_state)77 }, "its port is ?" },
		{ { .addresses = { "10.0.1.1" }, .no_gids = true }, "its GID table is empty" },
		{ { .addresses = { "10.9.9.9" } }, "no address of this host leads to it" },
	};
	struct sockaddr_storage address;

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		const struct mock_device device = { .name = "rxe0", .ports = { cases[i].port } };

		set_up(&device, 1);
		if (cases[i].port.no_gids)
			host.ninterfaces = 0;
		assert_int_equal(list(), 1);
		assert_false(ports[0].usable);
		assert_why(ports[0].why, cases[i].says);
		assert_int_equal(xfer_device_addresses(&address, 1, why, sizeof(why)), 0);
		assert_why(why, "RDMA device rxe0: ");
		assert_why(why, cases[i].says);
		mock_verbs_end();
	}
}

static void devices_that_do_not_answer(void **state)
{
	static const struct {
		const char *function;
		int error;
		const char *says;
	} cases[] = {
		{ "ibv_open_device", EACCES,
			"uverbs0 can't be opened: Permission denied: let its" },
		{ "ibv_open_device", EPERM, "DeviceAllow=" },
		{ "ibv_open_device", ENOENT, "PrivateDevices=" },
		{ "ibv_open_device", EMFILE, "see the kernel's log" },
		{ "ibv_query_device", EIO, "doesn't tell what it is: Input/output error" },
		{ "ibv_query_port", EIO, "doesn't tell of its port: Input/output error" },
		{ "ibv_query_gid", EIO, "its GID 0 can't be read: Input/output error" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		set_up(&rxe, 1);
		mock_verbs_fail(cases[i].function, 1, cases[i].error);
		assert_int_equal(list(), 1);
		assert_false(ports[0].usable);
		assert_why(ports[0].why, cases[i].says);
		assert_int_equal(mock_verbs_failed(), 1);
		mock_verbs_end();
	}
}

/* Libibverbs may look for the file elsewhere then, and have another reason at last. */
static void a_device_that_is_not_permitted(void **state)
{
	(void)state;
	set_up(&rxe, 1);
	mock_verbs_fail("ibv_open_device", 1, ENOENT);
	host.uverbs_err = EACCES;
	assert_int_equal(list(), 1);
	assert_why(ports[0].why,
		"/dev/infiniband/uverbs0 can't be opened: Permission denied: let its group");
	mock_verbs_end();
}

/* --- why there are none ------------------------------------------------------------------------------ */

static void no_device(void **state)
{
	struct sockaddr_storage address;

	(void)state;
	set_up(NULL, 0);
	assert_int_equal(list(), 0);
	assert_why(why, "no RDMA device");
	assert_why(why, "`rdma link add rxe0 type rxe netdev IF`");
	why[0] = '\0';
	mock_verbs_fail("ibv_get_device_list", 1, ENOSYS);
	assert_int_equal(xfer_device_addresses(&address, 1, why, sizeof(why)), 0);
	assert_why(why, "no RDMA device");
	mock_verbs_end();
}

static void devices_that_cannot_be_listed(void **state)
{
	static const struct {
		const char *function;
		int error, gives;
		const char *says;
	} cases[] = {
		{ "ibv_get_device_list", ENOMEM, -ENOMEM, "devices can't be listed: Cannot alloc" },
		{ "rdma_create_event_channel", EPERM, -EPROTO, "update librdmacm" },
		{ "rdma_create_event_channel", EMFILE, -EMFILE, "Too many open files" },
		{ "rdma_create_id", ENOMEM, -ENOMEM,
			"rdma_cm can't be asked for an address of eth0" },
		{ "rdma_bind_addr", EIO, -EIO, "rdma_cm can't be asked for an address of eth0" },
	};
	struct sockaddr_storage address;

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		set_up(&rxe, 1);
		mock_verbs_fail(cases[i].function, 1, cases[i].error);
		assert_int_equal(list(), cases[i].gives);
		assert_why(why, cases[i].says);
		mock_verbs_fail(cases[i].function, 1, cases[i].error);
		assert_int_equal(
			xfer_device_addresses(&address, 1, why, sizeof(why)), cases[i].gives);
		assert_int_equal(mock_verbs_failed(), 2);
		mock_verbs_end();
	}
}

/* Whichever call fails, and however: nothing is left, and what can't be used has a reason. */
static void any_call_that_fails(void **state)
{
	unsigned nth = 0;
	int n;

	(void)state;
	do {
		set_up(&rxe, 1);
		mock_verbs_fail(NULL, ++nth, EIO);
		n = list();
		assert_true(n == 1 || why[0]);
		assert_true(n < 1 || ports[0].usable || ports[0].why[0]);
		n = (int)mock_verbs_failed();
		mock_verbs_end();
	} while (n > 0);
	assert_true(nth > 10);
}

static void addresses_that_come_and_go(void **state)
{
	(void)state;
	set_up(&rxe, 1);
	mock_verbs_fail("rdma_bind_addr", 2, EADDRNOTAVAIL); /* eth1's first one */
	assert_int_equal(list(), 1);
	assert_true(ports[0].usable);
	assert_int_equal(ports[0].naddresses, 1);
	assert_string_equal(ports[0].gid, "fd00::1");
	mock_verbs_end();
}

static void no_rdma_cm(void **state)
{
	static const struct {
		int error;
		const char *says;
	} cases[] = {
		{ ENOENT,
			"/dev/infiniband/rdma_cm can't be opened: No such file or directory: modprobe rdma_ucm" },
		{ EACCES, "Permission denied: let its group" },
		{ EPERM, "DeviceAllow=" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		set_up(&rxe, 1);
		host.cm_err = cases[i].error;
		assert_int_equal(list(), -cases[i].error);
		assert_why(why, cases[i].says);
		mock_verbs_end();
	}
}

static void what_the_host_lacks(void **state)
{
	struct sockaddr_storage address;

	(void)state;
	set_up(&rxe, 1);
	host.getifaddrs_err = ENOBUFS;
	assert_int_equal(list(), -ENOBUFS);
	assert_why(why, "this host's addresses can't be listed: No buffer space");
	host.no_memory = true;
	assert_int_equal(xfer_device_addresses(&address, 1, why, sizeof(why)), -ENOMEM);
	assert_why(why, "no memory");
	host.no_memory = false;
	mock_verbs_end();
}

/* --- a process that may register memory -------------------------------------------------------------- */

static void forks_are_provided_for_once(void **state)
{
	(void)state;
	set_up(NULL, 0);
	unsetenv("RDMAV_HUGEPAGES_SAFE");
	mock_verbs_fail("ibv_fork_init", 1, ENOSYS);
	assert_int_equal(xfer_device_init(why, sizeof(why)), -ENOSYS);
	assert_why(why, "the kernel must know madvise(MADV_DONTFORK)");
	mock_verbs_fail("ibv_fork_init", 1, EINVAL);
	assert_int_equal(xfer_device_init(why, sizeof(why)), -EINVAL);
	assert_why(why, "nothing may be registered before");
	assert_int_equal(xfer_device_init(why, sizeof(why)), 0);
	assert_int_equal(xfer_device_init(why, sizeof(why)), 0);
	assert_int_equal(mock_verbs_calls("ibv_fork_init"), 3);
	assert_string_equal(getenv("RDMAV_HUGEPAGES_SAFE"), "1");
	mock_verbs_end();
}

static void memory_that_may_be_pinned(void **state)
{
	(void)state;
	set_up(NULL, 0);
	host.limit.rlim_cur = 64 << 10;
	host.file = "Name:\tx\nVmPin:\t      16 kB\nCapEff:\t0000000000000000\n";
	assert_int_equal(xfer_device_pinnable().limit, 64 << 10);
	assert_int_equal(xfer_device_pinnable().pinned, 16 << 10);
	assert_true(xfer_device_memlock(48 << 10, why, sizeof(why)));
	assert_false(xfer_device_memlock((48 << 10) + 1, why, sizeof(why)));
	assert_why(
		why, "49153 bytes more can't be pinned: RLIMIT_MEMLOCK is 65536 bytes, 16384 are");
	assert_why(why, "LimitMEMLOCK=65K (or infinity) into the unit");
	assert_why(why, "\"* - memlock 65\" into /etc/security/limits.conf");
	assert_false(xfer_device_memlock(UINT64_MAX, why, sizeof(why)));
	assert_true(strlen(why) + 1 < sizeof(why));
	host.file = "VmPin:\t      65 kB\n";
	assert_false(xfer_device_memlock(0, why, sizeof(why)));
	assert_string_equal(host.path, "/proc/self/status");
	mock_verbs_end();
}

static void memory_without_a_limit(void **state)
{
	(void)state;
	set_up(NULL, 0);
	host.limit.rlim_cur = 64 << 10;
	host.file = "CapEff:\t0000000000004000\nVmPin:\t 128 kB\n"; /* CAP_IPC_LOCK */
	assert_true(xfer_device_memlock(1 << 30, why, sizeof(why)));
	host.file = "CapEff:\t000001ffffffbfff\n"; /* all others */
	assert_false(xfer_device_memlock(1 << 30, why, sizeof(why)));
	host.file = NULL;
	assert_false(xfer_device_memlock(1 << 30, why, sizeof(why)));
	host.limit.rlim_cur = RLIM_INFINITY;
	assert_true(xfer_device_memlock(1 << 30, why, sizeof(why)));
	mock_verbs_end();
}

static void numa_nodes(void **state)
{
	(void)state;
	set_up(NULL, 0);
	assert_int_equal(xfer_device_numa_node("mlx5_0"), -1);
	assert_string_equal(host.path, "/sys/class/infiniband/mlx5_0/device/numa_node");
	host.file = "3\n";
	assert_int_equal(xfer_device_numa_node("mlx5_0"), 3);
	host.file = "-1\n";
	assert_int_equal(xfer_device_numa_node("mlx5_0"), -1);
	host.file = "none\n";
	assert_int_equal(xfer_device_numa_node("mlx5_0"), -1);
	mock_verbs_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_port_and_its_addresses),
		cmocka_unit_test(several_devices_and_ports),
		cmocka_unit_test(no_more_than_there_is_room_for),
		cmocka_unit_test(more_addresses_than_are_told),
		cmocka_unit_test(addresses_of_usable_ports),
		cmocka_unit_test(addresses_of_ports_in_turn),
		cmocka_unit_test(all_of_it_as_json),
		cmocka_unit_test(ports_without_what_they_need),
		cmocka_unit_test(devices_that_do_not_answer),
		cmocka_unit_test(a_device_that_is_not_permitted),
		cmocka_unit_test(no_device),
		cmocka_unit_test(devices_that_cannot_be_listed),
		cmocka_unit_test(any_call_that_fails),
		cmocka_unit_test(addresses_that_come_and_go),
		cmocka_unit_test(no_rdma_cm),
		cmocka_unit_test(what_the_host_lacks),
		cmocka_unit_test(forks_are_provided_for_once),
		cmocka_unit_test(memory_that_may_be_pinned),
		cmocka_unit_test(memory_without_a_limit),
		cmocka_unit_test(numa_nodes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
