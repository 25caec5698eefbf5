/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* verbs.c -- both ends of a data path over queue pairs find each other, and have memory in common */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/verbs_ends.h"

#define FIRST                                                                                      \
	{                                                                                          \
		.name = "mock0", .ports = {                                                        \
			{ .addresses = { "10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2" } }          \
		}                                                                                  \
	}

static const struct mock_device one[] = { FIRST };
static const struct mock_device two[] = {
	FIRST,
	{ .name = "mock1", .ports = { { .addresses = { "10.0.1.1", "10.0.1.2" } } } },
};

static struct ends ends;

static struct ends_setup plain(uint32_t lanes)
{
	return (struct ends_setup){
		.lanes = lanes,
		.addresses = { "10.0.0.1" },
		.sources = { "10.0.0.2", "10.0.1.2", "fd00::2" },
	};
}

static void open_on(const struct mock_device *device, const struct ends_setup *setup)
{
	mock_verbs_begin(device, 1);
	ends_open(&ends, setup);
}

static void assert_why(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" doesn't say \"%s\"", text, part);
}

static const char *device_of(const struct ends_end *end, uint32_t lane)
{
	return end->verbs->devices[end->verbs->lanes[lane].device].name;
}

/* --- the ladder ---------------------------------------------------------------------------------- */

static void one_lane(void **state)
{
	struct ends_setup setup = plain(1);

	(void)state;
	open_on(one, &setup);
	assert_int_equal(xfer_verbs_port(ends.listener), ENDS_PORT);
	assert_int_equal(mock_verbs_live().qps, 2);
	assert_int_equal(ends.initiator.verbs->lanes[0].announce, VERBS_IMMEDIATE);
	ends_exchange(&ends);
	ends_close(&ends);
}

static void lanes_of_one_device_share_its_domain(void **state)
{
	struct ends_setup setup = plain(2);

	(void)state;
	open_on(one, &setup);
	assert_int_equal(mock_verbs_live().qps, 4);
	assert_int_equal(mock_verbs_live().pds, 2);
	assert_int_equal(xfer_verbs_key(ends.host.own, 0), xfer_verbs_key(ends.host.own, 1));
	ends_exchange(&ends);
	ends_close(&ends);
}

static void lanes_are_spread_over_addresses(void **state)
{
	struct ends_setup setup = plain(5);

	(void)state;
	setup.addresses[1] = "10.0.1.1";
	mock_verbs_begin(two, 2);
	ends_open(&ends, &setup);
	for (uint32_t i = 0; i < 5; i++) {
		assert_string_equal(device_of(&ends.initiator, i), i % 2 ? "mock1" : "mock0");
		assert_string_equal(device_of(&ends.host, i), i % 2 ? "mock1" : "mock0");
	}
	assert_int_not_equal(xfer_verbs_key(ends.host.own, 0), xfer_verbs_key(ends.host.own, 1));
	ends_exchange(&ends);
	ends_close(&ends);
}

static void more_devices_than_a_path_has(void **state)
{
	static const struct mock_device devices[] = {
		{ .name = "mock0", .ports = { { .addresses = { "10.0.0.1", "10.0.0.2" } } } },
		{ .name = "mock1", .ports = { { .addresses = { "10.0.1.1", "10.0.1.2" } } } },
		{ .name = "mock2", .ports = { { .addresses = { "10.0.2.1", "10.0.2.2" } } } },
		{ .name = "mock3", .ports = { { .addresses = { "10.0.3.1", "10.0.3.2" } } } },
		{ .name = "mock4", .ports = { { .addresses = { "10.0.4.1", "10.0.4.2" } } } },
	};
	struct ends_setup setup = { .lanes = 5,
		.addresses = { "10.0.0.1", "10.0.1.1", "10.0.2.1", "10.0.3.1", "10.0.4.1" },
		.sources = { "10.0.0.2", "10.0.1.2", "10.0.2.2", "10.0.3.2", "10.0.4.2" } };

	(void)state;
	mock_verbs_begin(devices, 5);
	ends_begin(&ends, &setup);
	assert_int_equal(ends_try(&ends), -ENOSPC);
	assert_why(ends.why, "the lanes lead to more than 4 devices");
	ends_close(&ends);
}

static void assert_closed(int fd)
{
	char name[32], path[32] = "";

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	assert_true(readlink(name, path, sizeof(path) - 1) > 0);
	assert_string_equal(path, "/dev/null");
}

/* Its driver waits for all its users, also for those that aren't connected yet. */
static void a_device_is_removed_meanwhile(void **state)
{
	struct ends_setup setup = plain(2);
	struct ibv_context *context;
	int fd = open("/dev/zero", O_RDWR);

	(void)state;
	mock_verbs_begin(one, 1);
	ends_begin(&ends, &setup);
	mock_verbs_replace(RDMA_CM_EVENT_ESTABLISHED, 1, RDMA_CM_EVENT_DEVICE_REMOVAL, 0);
	assert_int_equal(ends_try(&ends), -ECONNREFUSED);
	assert_why(ends.why, "RDMA_CM_EVENT_DEVICE_REMOVAL");
	context = ends.initiator.verbs->devices[0].context;
	context->cmd_fd = fd;
	ends_drop(&ends);
	assert_closed(fd);
	assert_closed(context->async_fd);
	close(fd);
	ends_close(&ends);
}

static void ipv6(void **state)
{
	struct ends_setup setup = plain(2);

	(void)state;
	setup.addresses[0] = "fd00::1";
	setup.sources[0] = "fd00::2";
	setup.sources[1] = NULL;
	open_on(one, &setup);
	ends_exchange(&ends);
	ends_close(&ends);
}

static void a_port_that_is_taken(void **state)
{
	struct ends_setup setup = plain(1);
	struct xfer_verbs_listener *first;
	char why[VERBS_WHY];

	(void)state;
	mock_verbs_begin(one, 1);
	assert_int_equal(xfer_verbs_listen(ENDS_PORT, &first, why, sizeof(why)), 0);
	ends_open(&ends, &setup);
	assert_int_not_equal(xfer_verbs_port(ends.listener), ENDS_PORT);
	assert_int_not_equal(xfer_verbs_port(ends.listener), 0);
	ends_exchange(&ends);
	xfer_verbs_listener_destroy(first);
	ends_close(&ends);
}

static void a_host_without_ipv6(void **state)
{
	struct ends_setup setup = plain(1);

	(void)state;
	mock_verbs_begin(one, 1);
	mock_verbs_fail("rdma_bind_addr", 1, EAFNOSUPPORT);
	ends_open(&ends, &setup);
	assert_int_equal(mock_verbs_failed(), 1);
	assert_int_equal(xfer_verbs_port(ends.listener), ENDS_PORT);
	ends_exchange(&ends);
	ends_close(&ends);
}

static void addresses_that_lead_nowhere_are_passed_over(void **state)
{
	struct ends_setup setup = plain(3);

	(void)state;
	setup.addresses[0] = "192.168.7.7";
	setup.addresses[1] = "fd00:7::7";
	setup.addresses[2] = "10.0.0.1";
	open_on(one, &setup);
	ends_exchange(&ends);
	ends_close(&ends);
}

static void no_address_leads_anywhere(void **state)
{
	struct ends_setup setup = plain(1);

	(void)state;
	setup.addresses[0] = "10.0.0.7";
	setup.addresses[1] = "fd00:7::7";
	mock_verbs_begin(one, 1);
	ends_begin(&ends, &setup);
	assert_true(ends_try(&ends) < 0);
	assert_why(ends.why, "the way to fd00:7::7: ");
	ends_close(&ends);
}

static void no_address_is_named(void **state)
{
	struct ends_setup setup = plain(1);

	(void)state;
	setup.addresses[0] = NULL;
	mock_verbs_begin(one, 1);
	ends_begin(&ends, &setup);
	assert_int_equal(ends_try(&ends), -ENODEV);
	assert_why(ends.why, "names no address");
	ends_close(&ends);
}

static bool is_given_up(void *arg)
{
	_Atomic unsigned *asked = arg;

	(*asked)++;
	return true;
}

static void what_nobody_wants_any_more(void **state)
{
	struct ends_setup setup = plain(1);
	_Atomic unsigned asked = 0;

	(void)state;
	setup.addresses[1] = "fd00::1";
	mock_verbs_begin(one, 1);
	ends_begin(&ends, &setup);
	assert_int_equal(ends_try_host(&ends), 0);
	ends.target.given_up = is_given_up;
	ends.target.arg = &asked;
	assert_int_equal(ends_try_connect(&ends), -ECANCELED);
	assert_int_equal(asked, 1); /* no further address */
	assert_why(ends.why, "it isn't wanted any more");
	ends_close(&ends);
}

static void a_host_is_whole_when_all_lanes_are_there(void **state)
{
	struct ends_setup setup = plain(2);
	bool late = true;

	(void)state;
	mock_verbs_begin(one, 1);
	ends_begin(&ends, &setup);
	assert_int_equal(ends_try_host(&ends), 0);
	assert_false(xfer_verbs_is_whole(ends.host.verbs, &late));
	assert_false(late);
	ends.host.verbs->expires_ns = 0;
	assert_false(xfer_verbs_is_whole(ends.host.verbs, &late));
	assert_true(late);
	ends.host.verbs->expires_ns = UINT64_MAX;
	assert_int_equal(ends_try_connect(&ends), 0);
	ends.host.verbs->expires_ns = 0;
	assert_true(xfer_verbs_is_whole(ends.host.verbs, &late));
	assert_false(late);
	ends_close(&ends);
}

static void several_paths_of_one_listener(void **state)
{
	static struct ends other;
	struct ends_setup setup = plain(2);

	(void)state;
	open_on(one, &setup);
	setup.listener = ends.listener;
	ends_open(&other, &setup);
	ends_exchange(&other);
	ends_free(&ends.initiator);
	ends_exchange(&other);
	assert_int_equal(other.host.losses + other.initiator.losses, 0);
	ends_stop(&other);
	ends_close(&ends);
}

/* --- memory -------------------------------------------------------------------------------------- */

static void the_host_learns_where_memory_for_read_is(void **state)
{
	struct ends_setup setup = plain(2);
	const struct verbs_memory *mirror;

	(void)state;
	setup.addresses[1] = "10.0.1.1";
	mock_verbs_begin(two, 2);
	ends_open(&ends, &setup);
	mirror = (const struct verbs_memory *)ends.host.mirror;
	for (uint32_t i = 0; i < 2; i++) {
		assert_true(mirror->remote[i].base == ends.initiator.own->base);
		assert_int_equal(mirror->remote[i].key, xfer_verbs_key(ends.initiator.own, i));
	}
	assert_int_not_equal(mirror->remote[0].key, mirror->remote[1].key);
	ends_close(&ends);
}

static void no_memory_for_read(void **state)
{
	struct ends_setup setup = plain(2);

	(void)state;
	setup.no_read = true;
	open_on(one, &setup);
	assert_null(ends.initiator.own);
	assert_int_equal(mock_verbs_live().mrs, 2 + 4); /* of the ends, of the lanes' receives */
	ends_exchange(&ends);
	ends_close(&ends);
}

static void memory_comes_and_goes_while_lanes_are_connected(void **state)
{
	struct ends_setup setup = plain(2);
	struct xfer_memory *first;

	(void)state;
	setup.addresses[1] = "10.0.1.1";
	mock_verbs_begin(two, 2);
	ends_open(&ends, &setup);
	first = ends.host.own;
	assert_int_equal(xfer_verbs_offer(ends.host.verbs, first->bytes, &ends.host.own, ends.why,
				 sizeof(ends.why)),
		0);
	for (uint32_t i = 0; i < 2; i++)
		xfer_verbs_aim(ends.initiator.mirror, i, ends.host.own->base,
			xfer_verbs_key(ends.host.own, i));
	xfer_memory_free(first);
	ends_exchange(&ends);
	ends_close(&ends);
}

static void memory_that_nobody_offers_is_not_written(void **state)
{
	struct ends_setup setup = plain(1);
	const struct verbs_memory *mirror;

	(void)state;
	open_on(one, &setup);
	mirror = (const struct verbs_memory *)ends.host.mirror;
	xfer_verbs_aim(ends.initiator.mirror, 0, mirror->memory.base, mirror->mrs[0]->rkey);
	assert_int_equal(ends_send(&ends, &ends.initiator, 0, 0, 1, 100), 0);
	ends_poll(&ends.initiator, 0);
	ENDS_UNTIL(ends.initiator.losses == 1);
	assert_why(ends.initiator.why, "the peer's device has refused it");
	ENDS_UNTIL(ends.host.losses == 1);
	assert_int_equal(*(const uint8_t *)(uintptr_t)mirror->memory.base, 0);
	ends_close(&ends);
}

/* Memory is freed after the transport, whoever is last. */
static void memory_outlives_the_transport(void **state)
{
	struct ends_setup setup = plain(1);
	struct xfer_transport *transport;

	(void)state;
	open_on(one, &setup);
	ends_exchange(&ends);
	transport = xfer_verbs_transport(ends.host.verbs);
	transport->ops->free(transport);
	ends.host.freed = true;
	ends.host.verbs = NULL;
	ENDS_UNTIL(ends.initiator.losses == 1); /* the connection hasn't */
	assert_why(ends.initiator.why, "lane 0 on mock0: the peer has ended the connection");
	assert_true(ends_slot(&ends, &ends.host, 0, 1)[0] != 0);
	xfer_memory_free(ends.host.mirror);
	xfer_memory_free(ends.host.own);
	ends_close(&ends);
}

/* Whether the limit of locked memory is in the way is for device.c to say. */
static bool limited;
static uint64_t need;

bool __wrap_xfer_device_memlock(uint64_t bytes, char *why, size_t why_len);
bool __wrap_xfer_device_memlock(uint64_t bytes, char *why, size_t why_len)
{
	need = bytes;
	if (limited)
		verbs_explain(why, why_len, "raise the limit");
	return !limited;
}

static void cannot_pin(uint64_t memlock, bool by_limit, const char *says)
{
	struct mock_device small = one[0];
	struct ends_setup setup = plain(1);

	limited = by_limit;
	need = 0;
	small.memlock = memlock;
	mock_verbs_begin(&small, 1);
	ends_begin(&ends, &setup);
	assert_int_equal(ends_try(&ends), -ENOMEM);
	assert_why(ends.why, says);
	ends_close(&ends);
}

static void memory_that_may_not_be_pinned(void **state)
{
	(void)state;
	cannot_pin(4096, false, "can't be registered with mock0: Cannot allocate memory");
	cannot_pin(4096, true, "raise the limit");
	assert_true(need >= 4 * ENDS_SLOT); /* the whole of it */
}

/* The first thing that is registered with no memory for READ is what receives need. */
static void receives_that_may_not_be_pinned(void **state)
{
	struct mock_device small = one[0];
	struct ends_setup setup = plain(1);

	(void)state;
	limited = true;
	small.memlock = 16;
	setup.no_read = true;
	mock_verbs_begin(&small, 1);
	ends_begin(&ends, &setup);
	assert_int_equal(ends_try(&ends), -ENOMEM);
	assert_why(ends.why,
		"mock0 gives no memory for receives: Cannot allocate memory; raise the limit");
	ends_close(&ends);
}

static void memory_there_is_not(void **state)
{
	struct ends_setup setup = plain(1);
	struct xfer_memory *memory;

	(void)state;
	open_on(one, &setup);
	assert_int_equal(xfer_verbs_offer(ends.host.verbs, UINT64_C(1) << 60, &memory, ends.why,
				 sizeof(ends.why)),
		-ENOMEM);
	assert_why(ends.why, "1099511627776 MiB of memory can't be had");
	ends_exchange(&ends);
	ends_close(&ends);
}

static int node = -1;

int __wrap_xfer_device_numa_node(const char *name);
int __wrap_xfer_device_numa_node(const char *name)
{
	assert_string_equal(name, "mock0");
	return node;
}

/* As near to the device as can be had, wherever that is: no node is an error. */
static void memory_near_a_device(void **state)
{
	static const int nodes[] = { 0, 1, 63, 64, 1000 };

	(void)state;
	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
		struct ends_setup setup = plain(1);

		node = nodes[i];
		open_on(one, &setup);
		ends_exchange(&ends);
		ends_close(&ends);
	}
	node = -1;
}

/* --- addresses ----------------------------------------------------------------------------------- */

/* What there is is for device.c to say. */
static const char *const *there;

int __wrap_xfer_device_addresses(
	struct sockaddr_storage *list, unsigned room, char *why, size_t why_len);
int __wrap_xfer_device_addresses(
	struct sockaddr_storage *list, unsigned room, char *why, size_t why_len)
{
	unsigned n = 0;

	if (!there) {
		verbs_explain(why, why_len, "a test's reason");
		return -ENOENT;
	}
	for (; n < room && there[n]; n++) {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&list[n];
		struct sockaddr_in *in = (struct sockaddr_in *)&list[n];

		memset(&list[n], 0, sizeof(list[n]));
		in->sin_family = AF_INET;
		if (inet_pton(AF_INET, there[n], &in->sin_addr) == 1)
			continue;
		in6->sin6_family = AF_INET6;
		inet_pton(AF_INET6, there[n], &in6->sin6_addr);
	}
	return (int)n;
}

static void addresses_of_this_host(void **state)
{
	static const char *const texts[] = { "10.0.0.1", "fd00::1", NULL };
	struct xfer_rdma_address list[XFER_RDMA_ADDRESSES_MAX];
	struct sockaddr_storage back;
	char why[VERBS_WHY] = "", text[INET6_ADDRSTRLEN];

	(void)state;
	there = texts;
	assert_int_equal(xfer_verbs_addresses(list, why, sizeof(why)), 2);
	assert_string_equal(why, "");
	for (int i = 0; i < 2; i++)
		assert_string_equal(xfer_verbs_address_text(&list[i], text), texts[i]);
	verbs_to_sockaddr(&list[0], 7, &back);
	assert_int_equal(back.ss_family, AF_INET);
	assert_int_equal(ntohs(((struct sockaddr_in *)&back)->sin_port), 7);
	assert_int_equal(ntohl(((struct sockaddr_in *)&back)->sin_addr.s_addr), 0x0a000001);
	verbs_to_sockaddr(&list[1], 8, &back);
	assert_int_equal(back.ss_family, AF_INET6);
	assert_int_equal(ntohs(((struct sockaddr_in6 *)&back)->sin6_port), 8);
	assert_memory_equal(&((struct sockaddr_in6 *)&back)->sin6_addr, list[1].bytes, 16);
	there = NULL;
	assert_int_equal(xfer_verbs_addresses(list, why, sizeof(why)), -ENOENT);
	assert_string_equal(why, "a test's reason");
}

/* --- bytes --------------------------------------------------------------------------------------- */

static void sizes_there(struct ends_end *from, struct ends_end *to)
{
	static const uint32_t sizes[] = { 0, 1, 4, 5, 255, 256, 257, 4095, 4096, 4097, ENDS_SLOT };

	for (uint32_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		memset(ends_slot(&ends, to, 0, 2), 0, ENDS_SLOT);
		assert_int_equal(ends_send(&ends, from, 0, 2, i, sizes[i]), 0);
		ends_poll(to, 0);
		assert_int_equal(ends_ntold(to), i + 1);
		assert_int_equal(ends_told(to, i), 2 << 16 | i);
		assert_true(ends_came(&ends, to, 0, 2, i, sizes[i]));
		assert_true(ends_came(&ends, to, 0, 1, 0, 0)); /* nor in its neighbours */
		assert_true(ends_came(&ends, to, 0, 3, 0, 0));
	}
}

static void sizes_on(const struct mock_device *device, enum verbs_announce announce)
{
	struct ends_setup setup = plain(1);

	open_on(device, &setup);
	assert_int_equal(ends.initiator.verbs->lanes[0].announce, announce);
	sizes_there(&ends.initiator, &ends.host);
	assert_int_equal(ends.host.verbs->lanes[0].announce, announce);
	sizes_there(&ends.host, &ends.initiator);
	ends_close(&ends);
}

static void all_sizes(void **state)
{
	(void)state;
	sizes_on(one, VERBS_IMMEDIATE);
}

static void devices_without_immediates_announce_by_messages(void **state)
{
	struct mock_device device = one[0];

	(void)state;
	device.no_immediate = EOPNOTSUPP;
	sizes_on(&device, VERBS_MESSAGE);
	device.iwarp = true;
	device.no_immediate = EINVAL;
	sizes_on(&device, VERBS_MESSAGE);
}

static void messages_take_a_request_each(void **state)
{
	struct mock_device device = one[0];
	struct ends_setup setup = plain(1);
	struct mock_traffic before;

	(void)state;
	device.no_immediate = EOPNOTSUPP;
	open_on(&device, &setup);
	before = mock_verbs_traffic();
	assert_int_equal(ends_send(&ends, &ends.initiator, 0, 0, 1, 100), 0);
	assert_int_equal(mock_verbs_traffic().writes, before.writes + 1);
	assert_int_equal(mock_verbs_traffic().sends, before.sends + 1);
	assert_int_equal(mock_verbs_traffic().immediates, 0);
	ends_close(&ends);
}

/* What is in the request is copied; what isn't is fetched when the device comes to it. */
static bool is_copied(uint32_t length)
{
	struct xfer_placement placement = ends_placement(&ends, &ends.initiator, 0, 0);
	bool copied;

	memset(ends_slot(&ends, &ends.host, 0, 0), 0, ENDS_SLOT);
	mock_verbs_hold(true);
	assert_int_equal(ends_send(&ends, &ends.initiator, 0, 0, 1, length), 0);
	memset((void *)(uintptr_t)placement.address, 0, length);
	mock_verbs_hold(false);
	copied = ends_came(&ends, &ends.host, 0, 0, 1, length);
	assert_true(copied || ends_came(&ends, &ends.host, 0, 0, 1, 0));
	return copied;
}

static void small_payloads_go_within_requests(void **state)
{
	struct ends_setup setup = plain(1);

	(void)state;
	open_on(one, &setup);
	assert_int_equal(ends.initiator.verbs->lanes[0].max_inline, VERBS_INLINE);
	assert_true(is_copied(1));
	assert_true(is_copied(VERBS_INLINE));
	assert_false(is_copied(VERBS_INLINE + 1));
	ends_close(&ends);
}

static void devices_with_little_room_in_requests(void **state)
{
	struct mock_device device = one[0];
	struct ends_setup setup = plain(1);

	(void)state;
	device.max_inline = 16;
	open_on(&device, &setup);
	assert_true(is_copied(4));
	assert_false(is_copied(5));
	ends_close(&ends);
}

static void devices_without_room_in_requests(void **state)
{
	struct mock_device device = one[0];
	struct ends_setup setup = plain(1);

	(void)state;
	device.max_inline = 3;
	mock_verbs_begin(&device, 1);
	ends_begin(&ends, &setup);
	assert_int_equal(ends_try(&ends), -EINVAL);
	assert_why(ends.why, "mock0 gives no queue pair: Invalid argument");
	ends_close(&ends);
}

static void devices_with_short_queues(void **state)
{
	static const struct {
		int max_qp_wr, max_cqe;
	} limits[] = { { 100, 0 }, { 0, 100 } };

	(void)state;
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct mock_device device = one[0];
		struct ends_setup setup = plain(1);

		device.max_qp_wr = limits[i].max_qp_wr;
		device.max_cqe = limits[i].max_cqe;
		mock_verbs_begin(&device, 1);
		ends_begin(&ends, &setup);
		assert_int_equal(ends_try(&ends), -ENOSPC);
		assert_why(ends.why, "lower Small_Slots and Large_Slots, or raise Lanes");
		ends_close(&ends);
	}
}

static void devices_that_want_memory_for_receives(void **state)
{
	struct mock_device device = one[0];

	(void)state;
	device.needs_sge = true;
	sizes_on(&device, VERBS_IMMEDIATE);
}

static void devices_that_keep_completions(void **state)
{
	struct mock_device device = one[0];

	(void)state;
	device.keeps_completions = true;
	sizes_on(&device, VERBS_IMMEDIATE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_lane),
		cmocka_unit_test(lanes_of_one_device_share_its_domain),
		cmocka_unit_test(lanes_are_spread_over_addresses),
		cmocka_unit_test(more_devices_than_a_path_has),
		cmocka_unit_test(a_device_is_removed_meanwhile),
		cmocka_unit_test(ipv6),
		cmocka_unit_test(a_port_that_is_taken),
		cmocka_unit_test(a_host_without_ipv6),
		cmocka_unit_test(addresses_that_lead_nowhere_are_passed_over),
		cmocka_unit_test(no_address_leads_anywhere),
		cmocka_unit_test(no_address_is_named),
		cmocka_unit_test(what_nobody_wants_any_more),
		cmocka_unit_test(a_host_is_whole_when_all_lanes_are_there),
		cmocka_unit_test(several_paths_of_one_listener),
		cmocka_unit_test(the_host_learns_where_memory_for_read_is),
		cmocka_unit_test(no_memory_for_read),
		cmocka_unit_test(memory_comes_and_goes_while_lanes_are_connected),
		cmocka_unit_test(memory_that_nobody_offers_is_not_written),
		cmocka_unit_test(memory_outlives_the_transport),
		cmocka_unit_test(memory_that_may_not_be_pinned),
		cmocka_unit_test(receives_that_may_not_be_pinned),
		cmocka_unit_test(memory_there_is_not),
		cmocka_unit_test(memory_near_a_device),
		cmocka_unit_test(addresses_of_this_host),
		cmocka_unit_test(all_sizes),
		cmocka_unit_test(devices_without_immediates_announce_by_messages),
		cmocka_unit_test(messages_take_a_request_each),
		cmocka_unit_test(small_payloads_go_within_requests),
		cmocka_unit_test(devices_with_little_room_in_requests),
		cmocka_unit_test(devices_without_room_in_requests),
		cmocka_unit_test(devices_with_short_queues),
		cmocka_unit_test(devices_that_want_memory_for_receives),
		cmocka_unit_test(devices_that_keep_completions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
