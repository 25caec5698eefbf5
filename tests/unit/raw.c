/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* raw.c -- this host's queue pairs are measured: with what is sent, and with what goes wrong */

#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/mock_verbs.h"
#include "transport/device.h"
#include "transport/verbs_end.h"
#include "xfer/xfer.h"

#define LEN(array) (sizeof(array) / sizeof((array)[0]))

/* --- the host ----------------------------------------------------------------------------------------- */

static const struct mock_device plain = {
	.name = "mock0",
	.ports = { { .addresses = { "10.0.0.1", "fd00::1" } } },
};

/* Its addresses, instead of this machine's. */
static unsigned naddresses;

int __wrap_xfer_device_addresses(
	struct sockaddr_storage *list, unsigned room, char *why, size_t why_len);
int __wrap_xfer_device_addresses(
	struct sockaddr_storage *list, unsigned room, char *why, size_t why_len)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&list[0];
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&list[1];

	assert_true(room >= naddresses);
	snprintf(why, why_len, naddresses ? "" : "no RDMA device");
	memset(list, 0, naddresses * sizeof(list[0]));
	if (naddresses == 0)
		return 0;
	in->sin_family = AF_INET;
	in6->sin6_family = AF_INET6;
	assert_int_equal(inet_pton(AF_INET, "10.0.0.1", &in->sin_addr), 1);
	assert_int_equal(inet_pton(AF_INET6, "fd00::1", &in6->sin6_addr), 1);
	return 2;
}

static unsigned calloc_fails; /* the nth one from now on; 0: none */

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size)
{
	return calloc_fails > 0 && --calloc_fails == 0 ? NULL : __real_calloc(count, size);
}

/* --- what happens when all is connected ---------------------------------------------------------------- */

/* The initiator's end, before it sends. */
static void (*connected)(struct xfer_verbs *initiator, struct xfer_memory *mirror);

void __real_xfer_verbs_aim(struct xfer_memory *memory, uint32_t lane, uint64_t base, uint32_t key);
void __wrap_xfer_verbs_aim(struct xfer_memory *memory, uint32_t lane, uint64_t base, uint32_t key);
void __wrap_xfer_verbs_aim(struct xfer_memory *memory, uint32_t lane, uint64_t base, uint32_t key)
{
	struct xfer_verbs *initiator = ((struct verbs_memory *)memory)->verbs;

	__real_xfer_verbs_aim(memory, lane, base, key);
	if (connected && lane + 1 == initiator->params.lanes)
		connected(initiator, memory);
}

static bool time_is_over;

int __real_pthread_cond_timedwait(
	pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until);
int __wrap_pthread_cond_timedwait(
	pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until);
int __wrap_pthread_cond_timedwait(
	pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until)
{
	return time_is_over ? ETIMEDOUT : __real_pthread_cond_timedwait(cond, mutex, until);
}

/* --- runs --------------------------------------------------------------------------------------------- */

static struct xfer_raw_result result;
static char why[512];

static const struct xfer_raw_params few = {
	.size = 4099, .depth = 4, .lanes = 2, .operations = 50, .poll_us = 1
};

static void set_up(const struct mock_device *device)
{
	naddresses = 2;
	connected = NULL;
	time_is_over = false;
	why[0] = '\0';
	mock_verbs_begin(device, 1);
}

static int run(const struct xfer_raw_params *params)
{
	memset(&result, 0, sizeof(result));
	return xfer_raw_run(params, &result, why, sizeof(why));
}

static void fails(const struct xfer_raw_params *params, int err, const char *reason)
{
	assert_int_equal(run(params), err);
	if (!strstr(why, reason))
		fail_msg("\"%s\" doesn't say \"%s\"", why, reason);
	assert_int_equal(result.operations, 0);
	mock_verbs_end();
}

/* --- what is sent ------------------------------------------------------------------------------------- */

/* Beside what was asked for: a first write of each slot, and of each lane one that shows that it works. */
static void assert_all(const struct xfer_raw_params *params)
{
	uint64_t writes = params->operations + params->depth;
	struct mock_traffic traffic;

	assert_int_equal(run(params), 0);
	traffic = mock_verbs_traffic();
	assert_int_equal(result.operations, params->operations);
	assert_int_equal(result.bytes, params->operations * params->size);
	assert_int_equal(traffic.writes, writes + params->lanes);
	assert_int_equal(traffic.immediates, writes + params->lanes);
	assert_int_equal(traffic.bytes, writes * params->size);
	assert_int_equal(traffic.not_ready, 0);
	assert_int_equal(result.posts, params->operations);
	assert_true(result.completions >= params->operations);
	assert_true(result.seconds > 0 && result.mean_us > 0 && result.max_us >= result.mean_us);
	mock_verbs_end();
}

static void all_writes_land(void **state)
{
	static const struct xfer_raw_params cases[] = {
		{ .size = 1, .depth = 1, .lanes = 1, .operations = 1 },
		{ .size = 4099, .depth = 4, .lanes = 2, .operations = 1000 },
		{ .size = 4099, .depth = 5, .lanes = 2, .operations = 1000, .verify = true },
		{ .size = 256, .depth = XFER_RAW_DEPTH_MAX, .lanes = 3, .operations = 10000 },
		{ .size = 100, .depth = 3, .lanes = 16, .operations = 200 },
		{ .size = XFER_IO_MAX, .depth = 2, .lanes = 2, .operations = 9, .verify = true },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		set_up(&plain);
		assert_all(&cases[i]);
		assert_string_equal(result.address, "10.0.0.1");
	}
}

static void for_some_time(void **state)
{
	struct xfer_raw_params params = few;

	(void)state;
	set_up(&plain);
	params.operations = 0;
	params.seconds = 0.01;
	assert_int_equal(run(&params), 0);
	assert_true(result.operations > 0);
	assert_int_equal(result.posts, result.operations);
	mock_verbs_end();
}

static void without_immediates(void **state)
{
	struct mock_device iwarp = plain;

	(void)state;
	iwarp.iwarp = true;
	iwarp.no_immediate = EINVAL;
	set_up(&iwarp);
	assert_int_equal(run(&few), 0);
	assert_int_equal(result.operations, few.operations);
	assert_int_equal(mock_verbs_traffic().sends, few.operations + few.depth + few.lanes);
	mock_verbs_end();
}

static void by_an_address(void **state)
{
	struct xfer_raw_params params = few;

	(void)state;
	set_up(&plain);
	params.address = "fd00::1";
	assert_int_equal(run(&params), 0);
	assert_string_equal(result.address, "fd00::1");
	params.address = "10.0.0.1";
	assert_int_equal(run(&params), 0);
	assert_string_equal(result.address, "10.0.0.1");
	mock_verbs_end();
}

static atomic_bool told;

static void hear(enum xfer_log_level level, const char *message)
{
	if (level == XFER_LOG_INFO && strstr(message, "mock0: "))
		told = true;
}

/* An event that concerns nothing that is used is logged, by a thread for such events. */
static void change_nothing(struct xfer_verbs *initiator, struct xfer_memory *mirror)
{
	(void)initiator;
	(void)mirror;
	mock_verbs_async_event("mock0", IBV_EVENT_CLIENT_REREGISTER);
	while (!told)
		sched_yield();
}

static void to_its_log(void **state)
{
	struct xfer_raw_params params = few;

	(void)state;
	set_up(&plain);
	params.log = hear;
	connected = change_nothing;
	assert_int_equal(run(&params), 0);
	mock_verbs_end();
}

/* --- what can't be ------------------------------------------------------------------------------------ */

static void addresses_that_are_none(void **state)
{
	struct xfer_raw_params params = few;

	(void)state;
	set_up(&plain);
	params.address = "10.0.0.2";
	fails(&params, -EADDRNOTAVAIL, "10.0.0.2 isn't an address of this host");
	set_up(&plain);
	params.address = "localhost";
	fails(&params, -EINVAL, "localhost is no address");
	set_up(&plain);
	naddresses = 0;
	fails(&few, -ENODEV, "no RDMA device");
}

static void parameters_out_of_range(void **state)
{
	struct xfer_raw_params cases[] = { few, few, few, few, few, few, few };

	(void)state;
	cases[0].size = 0;
	cases[1].size = XFER_IO_MAX + 1;
	cases[2].depth = 0;
	cases[3].depth = XFER_RAW_DEPTH_MAX + 1;
	cases[4].lanes = 0;
	cases[5].lanes = 17;
	cases[6].operations = 0;
	for (size_t i = 0; i < LEN(cases); i++) {
		set_up(&plain);
		fails(&cases[i], -EINVAL, "out of range");
	}
}

static void no_memory_to_register(void **state)
{
	struct mock_device poor = plain;

	(void)state;
	poor.memlock = 8192;
	set_up(&poor);
	fails(&few, -ENOMEM, "register");
}

/* Its own two, and those of the lanes' threads. */
static void no_memory(void **state)
{
	(void)state;
	for (unsigned nth = 1; nth <= 4; nth++) {
		set_up(&plain);
		calloc_fails = nth;
		assert_int_equal(run(&few), -ENOMEM);
		assert_int_equal(calloc_fails, 0);
		assert_string_not_equal(why, "");
		mock_verbs_end();
	}
}

/* --- what goes wrong ---------------------------------------------------------------------------------- */

/* Whatever call fails: there is a reason, or no harm, and nothing is left. */
static void any_call_fails(void **state)
{
	unsigned nth = 0, failed = 0, nerrors = 0;

	(void)state;
	do {
		int err;

		set_up(&plain);
		mock_verbs_fail(NULL, ++nth, EIO);
		err = run(&few);
		failed = mock_verbs_failed();
		if (err)
			assert_true(*why && result.operations == 0);
		else
			assert_int_equal(result.operations, few.operations);
		nerrors += err != 0;
		mock_verbs_end();
	} while (failed > 0);
	assert_true(nerrors > 30);
}

static void a_write_fails(void **state)
{
	(void)state;
	/* From the first behind those that show that lanes work. */
	for (unsigned nth = few.lanes + 1; nth < few.operations; nth += 7) {
		set_up(&plain);
		mock_verbs_complete(false, nth, IBV_WC_RETRY_EXC_ERR);
		assert_int_equal(run(&few), -EIO);
		assert_non_null(strstr(why, "lane"));
		mock_verbs_end();
		set_up(&plain);
		mock_verbs_complete(true, nth, IBV_WC_LOC_PROT_ERR);
		assert_int_equal(run(&few), -EIO);
		assert_non_null(strstr(why, "lane"));
		mock_verbs_end();
	}
}

static void nothing_lands(struct xfer_verbs *initiator, struct xfer_memory *mirror)
{
	(void)initiator;
	(void)mirror;
	mock_verbs_hold(true);
	time_is_over = true;
}

static void nothing_comes(void **state)
{
	(void)state;
	set_up(&plain);
	connected = nothing_lands;
	fails(&few, -EIO, "nothing has come for 10 s, of 4 writes");
}

/* Lane 0's slot lands in that of lane 1. */
static void misplace(struct xfer_verbs *initiator, struct xfer_memory *mirror)
{
	struct verbs_memory *memory = (struct verbs_memory *)mirror;

	(void)initiator;
	__real_xfer_verbs_aim(mirror, 0, memory->remote[0].base + few.size, memory->remote[0].key);
}

static void other_bytes_land(void **state)
{
	struct xfer_raw_params params = few;

	(void)state;
	set_up(&plain);
	params.depth = 2;
	connected = misplace;
	fails(&params, -EIO, "slot 0 are others than were written");
}

static struct xfer_slot_name stray;

static void send_stray(struct xfer_verbs *initiator, struct xfer_memory *mirror)
{
	struct xfer_placement placement = { .slot = { .lane = 0, .name = stray },
		.address = mirror->base,
		.in = mirror,
		.length = 1 };

	assert_int_equal(initiator->transport.ops->send(&initiator->transport, &placement), 0);
}

static void a_stray_immediate(void **state)
{
	static const struct xfer_slot_name strays[] = {
		{ .slot = 0, .generation = 9 }, /* not this one's time */
		{ .slot = 1, .generation = 1 }, /* another lane's */
		{ .slot = 4, .generation = 1 }, /* there is none */
		{ .slot = UINT16_MAX, .generation = UINT16_MAX },
	};

	(void)state;
	for (size_t i = 0; i < LEN(strays); i++) {
		set_up(&plain);
		stray = strays[i];
		connected = send_stray;
		fails(&few, -EIO, "lane 0: an immediate has come that nobody has sent");
	}
}

static struct xfer_transport_ops crowded_ops;
static int (*send_really)(struct xfer_transport *transport, const struct xfer_placement *placement);
static unsigned nfull;

/* Each third time there is no room. */
static int send_crowded(struct xfer_transport *transport, const struct xfer_placement *placement)
{
	return ++nfull % 3 == 0 ? -EAGAIN : send_really(transport, placement);
}

static void crowd(struct xfer_verbs *initiator, struct xfer_memory *mirror)
{
	(void)mirror;
	crowded_ops = *initiator->transport.ops;
	send_really = crowded_ops.send;
	crowded_ops.send = send_crowded;
	initiator->transport.ops = &crowded_ops;
}

static void a_full_queue(void **state)
{
	(void)state;
	set_up(&plain);
	nfull = 0;
	connected = crowd;
	assert_all(&few);
	assert_true(nfull > few.operations);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_writes_land),
		cmocka_unit_test(for_some_time),
		cmocka_unit_test(without_immediates),
		cmocka_unit_test(by_an_address),
		cmocka_unit_test(to_its_log),
		cmocka_unit_test(addresses_that_are_none),
		cmocka_unit_test(parameters_out_of_range),
		cmocka_unit_test(no_memory_to_register),
		cmocka_unit_test(no_memory),
		cmocka_unit_test(any_call_fails),
		cmocka_unit_test(a_write_fails),
		cmocka_unit_test(nothing_comes),
		cmocka_unit_test(other_bytes_land),
		cmocka_unit_test(a_stray_immediate),
		cmocka_unit_test(a_full_queue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
