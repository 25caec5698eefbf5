/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* verbs_data.c -- queue pairs that carry data: queues that fill, completions, and who is woken by them */

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "clock.h"
#include "counters.h"
#include "support/verbs_ends.h"

#define DEVICE                                                                                     \
	{                                                                                          \
		.name = "mock0", .ports = { { .addresses = { "10.0.0.1", "10.0.0.2" } } }          \
	}

static const struct mock_device device = DEVICE;
static const struct mock_device no_immediates = {
	.name = "mock0",
	.ports = { { .addresses = { "10.0.0.1", "10.0.0.2" } } },
	.no_immediate = EOPNOTSUPP,
};

static struct ends ends;

static struct ends_setup plain(uint32_t slots)
{
	return (struct ends_setup){
		.lanes = 1, .slots = slots, .addresses = { "10.0.0.1" }, .sources = { "10.0.0.2" }
	};
}

static void open_with(const struct mock_device *on, const struct ends_setup *setup)
{
	mock_verbs_begin(on, 1);
	ends_open(&ends, setup);
}

static void open_plain(void)
{
	struct ends_setup setup = plain(4);

	open_with(&device, &setup);
}

static void close_unharmed(void)
{
	assert_string_equal(ends.initiator.why, "");
	assert_string_equal(ends.host.why, "");
	assert_int_equal(mock_verbs_traffic().not_ready, 0);
	ends_close(&ends);
}

static struct verbs_lane *lane_of(const struct ends_end *end)
{
	return &end->verbs->lanes[0];
}

static int send_to_host(uint32_t slot, uint32_t generation, uint32_t length)
{
	return ends_send(&ends, &ends.initiator, 0, slot, generation, length);
}

/* --- queues -------------------------------------------------------------------------------------- */

/* Requests that fill the send queue, each with `requests` of them; nothing is carried out. */
static void fill(unsigned requests)
{
	const struct verbs_lane *lane = lane_of(&ends.initiator);
	uint32_t before = lane->posted - lane->completed, n = 0;
	int err;

	mock_verbs_hold(true);
	while ((err = send_to_host(n, n, 8)) == 0)
		n++;
	assert_int_equal(err, -EAGAIN);
	assert_int_equal(n, (lane->verbs->sq - before) / requests);
	assert_int_equal(send_to_host(n, n, 8), -EAGAIN); /* it stays so, and does no harm */
	assert_int_equal(ends.initiator.losses, 0);
}

static void full_queue_on(const struct mock_device *on, unsigned requests)
{
	struct ends_setup setup = plain(400);

	open_with(on, &setup);
	fill(requests);
	mock_verbs_step(VERBS_SIGNAL_EACH + 10); /* one of these has a completion */
	assert_int_equal(send_to_host(0, 1000, 8), 0);
	while (mock_verbs_step(100) > 0)
		ends_poll(&ends.host, 0);
	mock_verbs_hold(false);
	for (uint32_t i = 0; i < 1000; i++) {
		assert_int_equal(send_to_host(i, 2000 + i, 8), 0);
		ends_poll(&ends.host, 0);
	}
	assert_int_equal(ends_told(&ends.host, ends_ntold(&ends.host) - 1),
		((uint32_t)999 << 16) | (2999 & 0xffff));
	close_unharmed();
}

static void a_full_queue_takes_more_after_completions(void **state)
{
	(void)state;
	full_queue_on(&device, 1);
}

static void a_full_queue_of_messages(void **state)
{
	(void)state;
	full_queue_on(&no_immediates, 2);
}

/* The reserve: as many writes as there are slots fit although no completion was told. */
static void all_slots_fit_whatever_is_unsignalled(void **state)
{
	struct ends_setup setup = plain(8);

	(void)state;
	open_with(&no_immediates, &setup);
	for (uint32_t round = 0; round < 200; round++) {
		mock_verbs_hold(true);
		for (uint32_t i = 0; i < 8; i++)
			assert_int_equal(send_to_host(i, round, 8), 0);
		mock_verbs_hold(false);
		ends_poll(&ends.host, 0);
		assert_int_equal(ends_ntold(&ends.host), (round + 1) * 8);
	}
	close_unharmed();
}

static void one_request_of_many_has_a_completion(void **state)
{
	struct ends_setup setup = plain(300);
	const struct verbs_lane *lane;

	(void)state;
	open_with(&device, &setup);
	lane = lane_of(&ends.initiator);
	ends_poll(&ends.initiator, 0);
	assert_int_equal(lane->completed, 1); /* the probe's, which has one of its own */
	for (uint32_t i = 0; i < 2 * VERBS_SIGNAL_EACH - 1; i++)
		assert_int_equal(send_to_host(i, i, 1), 0);
	ends_poll(&ends.initiator, 0);
	assert_int_equal(lane->completed, 1 + VERBS_SIGNAL_EACH);
	assert_int_equal(send_to_host(0, 0, 1), 0);
	ends_poll(&ends.initiator, 0);
	assert_int_equal(lane->completed, 1 + 2 * VERBS_SIGNAL_EACH);
	close_unharmed();
}

static void receives_are_posted_again_by_the_batch(void **state)
{
	unsigned before;

	(void)state;
	open_plain();
	ends_poll(&ends.host, 0); /* the probe's receive is the first of the batch */
	before = mock_verbs_calls("ibv_post_recv");
	for (uint32_t i = 0; i < VERBS_REPOST - 2; i++) {
		assert_int_equal(send_to_host(i, i, 1), 0);
		ends_poll(&ends.host, 0);
	}
	assert_int_equal(mock_verbs_calls("ibv_post_recv"), before);
	for (uint32_t i = 0; i < 10 * VERBS_REPOST; i++) {
		assert_int_equal(send_to_host(i, i, 1), 0);
		ends_poll(&ends.host, 0);
	}
	assert_int_equal(mock_verbs_calls("ibv_post_recv"), before + 10);
	close_unharmed();
}

/* Whenever nobody has looked: at each remainder of a batch all slots may be on their way. */
static void there_is_a_receive_for_each_slot(void **state)
{
	struct ends_setup setup = plain(8);

	(void)state;
	open_with(&device, &setup);
	for (uint32_t used = 0; used < 3 * VERBS_REPOST; used++) {
		for (uint32_t i = 0; i < setup.slots; i++)
			assert_int_equal(send_to_host(i, used, 1), 0);
		ends_poll(&ends.host, 0);
		assert_int_equal(send_to_host(0, used, 1), 0);
		ends_poll(&ends.host, 0);
	}
	close_unharmed();
}

static void nobody_looks_at_sent_requests(void **state)
{
	(void)state;
	open_plain();
	for (uint32_t i = 0; i < 5000; i++) {
		assert_int_equal(send_to_host(i, i, 300), 0);
		ends_poll(&ends.host, 0);
	}
	assert_int_equal(ends_ntold(&ends.host), 5000);
	assert_true(ends_came(&ends, &ends.host, 0, 4999, 4999, 300));
	close_unharmed();
}

/* Counters of requests are 32 bits, and go round. */
static void requests_without_end(void **state)
{
	(void)state;
	open_plain();
	lane_of(&ends.initiator)->posted = lane_of(&ends.initiator)->completed = UINT32_MAX - 100;
	for (uint32_t i = 0; i < 1000; i++) {
		assert_int_equal(send_to_host(i, i, 300), 0);
		ends_poll(&ends.host, 0);
	}
	assert_true(lane_of(&ends.initiator)->posted < 1000);
	close_unharmed();
}

static void immediates_name_slot_and_generation(void **state)
{
	static const struct {
		uint32_t slot, generation, immediate;
	} names[] = {
		{ 0, 0, 0 },
		{ 0, 1, 1 },
		{ 65535, 0, 0xffff0000 },
		{ 65535, 0xffff, 0xffffffff },
		{ 1, 0x10000, 0x00010000 },
		{ 256, 0x12345, 0x01002345 },
		{ 2, UINT32_MAX, 0x0002ffff },
	};
	static const struct mock_device *const devices[] = { &device, &no_immediates };

	(void)state;
	for (size_t on = 0; on < 2; on++) {
		struct ends_setup setup = plain(4);

		open_with(devices[on], &setup);
		for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
			assert_int_equal(send_to_host(names[i].slot, names[i].generation, 5), 0);
			ends_poll(&ends.host, 0);
			assert_true(ends_told(&ends.host, i) == names[i].immediate);
		}
		close_unharmed();
	}
}

/* More completions than one look takes: all are told, in order. */
static void many_at_a_time(void **state)
{
	struct ends_setup setup = plain(200);

	(void)state;
	open_with(&device, &setup);
	for (uint32_t i = 0; i < 200; i++)
		assert_int_equal(send_to_host(i, i, 5), 0);
	ends_poll(&ends.host, 0);
	assert_int_equal(ends_ntold(&ends.host), 200);
	for (uint32_t i = 0; i < 200; i++)
		assert_true(ends_told(&ends.host, i) == (i << 16 | i));
	close_unharmed();
}

/* --- before and after ---------------------------------------------------------------------------- */

/* The host's end is open when the initiator's first announcement has come; whoever wants to send looks for that. */
static void the_host_is_open_when_it_has_been_probed(void **state)
{
	(void)state;
	open_plain();
	assert_int_equal(ends_send(&ends, &ends.host, 0, 1, 1, 100), 0);
	assert_int_equal(lane_of(&ends.host)->state, VERBS_OPEN);
	assert_int_equal(ends_ntold(&ends.host), 0); /* the probe is nobody's */
	close_unharmed();
}

static void lanes_that_are_not_connected(void **state)
{
	struct ends_setup setup = plain(4);

	(void)state;
	mock_verbs_begin(&device, 1);
	ends_begin(&ends, &setup);
	assert_int_equal(ends_try_host(&ends), 0);
	ends_poll(&ends.host, 0);
	ends.host.waits[0] = true;
	ends_await(&ends.host, 0);
	assert_int_equal(ends_send(&ends, &ends.host, 0, 1, 1, 100), -EAGAIN);
	assert_int_equal(mock_verbs_calls("ibv_req_notify_cq"), 0);
	assert_int_equal(mock_verbs_calls("ibv_poll_cq"), 0);
	close_unharmed();
}

static void nothing_is_sent_over_a_lost_path(void **state)
{
	struct xfer_placement placement;
	struct xfer_transport *transport;

	(void)state;
	open_plain();
	transport = xfer_verbs_transport(ends.initiator.verbs);
	placement = ends_placement(&ends, &ends.initiator, 0, 1);
	placement.length = 8;
	assert_int_equal(transport->ops->stage(transport, &placement), 0);
	verbs_lose(ends.initiator.verbs, "a test's %s", "reason");
	assert_int_equal(transport->ops->send(transport, &placement), -ENOTCONN);
	assert_int_equal(transport->ops->stage(transport, &placement), -EAGAIN);
	assert_string_equal(ends.initiator.why, "a test's reason");
	ends_close(&ends);
}

static void what_status_says(void **state)
{
	struct ends_setup setup = plain(4);
	struct xfer_transport *transport;
	json_t *status, *pair;

	(void)state;
	open_with(&no_immediates, &setup);
	transport = xfer_verbs_transport(ends.initiator.verbs);
	assert_int_equal(send_to_host(0, 0, 1), 0);
	status = transport->ops->status(transport);
	assert_int_equal(json_integer_value(json_object_get(status, "registrations")), 2);
	assert_true(
		json_integer_value(json_object_get(status, "registered_bytes")) >= 8 * ENDS_SLOT);
	assert_non_null(json_object_get(json_object_get(status, "devices"), "mock0"));
	pair = json_array_get(json_object_get(status, "queue_pairs"), 0);
	assert_string_equal(json_string_value(json_object_get(pair, "device")), "mock0");
	assert_string_equal(json_string_value(json_object_get(pair, "gid")), "::ffff:10.0.0.2");
	assert_string_equal(json_string_value(json_object_get(pair, "state")), "RTS");
	assert_int_equal(json_integer_value(json_object_get(pair, "port")), 1);
	assert_int_equal(json_integer_value(json_object_get(pair, "mtu")), 4096);
	assert_int_equal(json_integer_value(json_object_get(pair, "posted")), 1);
	assert_true(json_is_false(json_object_get(pair, "immediates_work")));
	json_decref(status);
	close_unharmed();
}

/* The kernel's folder of what a device counts; "": there is none. */
static char counters[64];

static const char *in_folder(const char *path, char *redirected, size_t room)
{
	static const char folder[] = "/sys/class/infiniband/mock0/ports/1/hw_counters";

	if (!counters[0] || strncmp(path, folder, sizeof(folder) - 1) != 0)
		return path;
	snprintf(redirected, room, "%s%s", counters, path + sizeof(folder) - 1);
	return redirected;
}

DIR *__real_opendir(const char *path);
DIR *__wrap_opendir(const char *path);
DIR *__wrap_opendir(const char *path)
{
	char redirected[512];

	return __real_opendir(in_folder(path, redirected, sizeof(redirected)));
}

FILE *__real_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode)
{
	char redirected[512];

	return __real_fopen(in_folder(path, redirected, sizeof(redirected)), mode);
}

static void put(const char *name, const char *text)
{
	char path[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", counters, name);
	if (!text) {
		assert_int_equal(unlink(path), 0);
		return;
	}
	file = __real_fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void what_status_says_of_the_devices_counters(void **state)
{
	static const char *const names[] = { "out_of_sequence", "lifespan", "words", ".hidden" };
	struct xfer_transport *transport;
	json_t *status, *device_json;

	(void)state;
	strcpy(counters, "/tmp/verbs_data.XXXXXX");
	assert_non_null(mkdtemp(counters));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		put(names[i], i == 2 ? "none\n" : "17\n");
	open_plain();
	transport = xfer_verbs_transport(ends.initiator.verbs);
	status = transport->ops->status(transport);
	device_json = json_object_get(json_object_get(status, "devices"), "mock0");
	assert_int_equal(json_object_size(device_json), 1);
	assert_int_equal(json_integer_value(json_object_get(device_json, "out_of_sequence")), 17);
	json_decref(status);
	close_unharmed();
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		put(names[i], NULL);
	assert_int_equal(rmdir(counters), 0);
	counters[0] = '\0';
}

/* What a device doesn't say is left out, or told by what is known. */
static void what_status_says_of_devices_that_fail(void **state)
{
	struct xfer_transport *transport;
	json_t *status, *pair;

	(void)state;
	open_plain();
	transport = xfer_verbs_transport(ends.initiator.verbs);
	verbs_lose(ends.initiator.verbs, "a test's reason");
	mock_verbs_fail("ibv_query_qp", 1, EACCES);
	mock_verbs_fail("ibv_query_port", 1, EIO);
	status = transport->ops->status(transport);
	assert_int_equal(mock_verbs_failed(), 2);
	pair = json_array_get(json_object_get(status, "queue_pairs"), 0);
	assert_string_equal(json_string_value(json_object_get(pair, "state")), "ERR");
	assert_int_equal(json_integer_value(json_object_get(pair, "mtu")), 0);
	json_decref(status);
	ends_close(&ends);
}

static void status_before_lanes_are_connected(void **state)
{
	struct ends_setup setup = plain(4);
	struct xfer_transport *transport;
	json_t *status;

	(void)state;
	mock_verbs_begin(&device, 1);
	ends_begin(&ends, &setup);
	assert_int_equal(ends_try_host(&ends), 0);
	transport = xfer_verbs_transport(ends.host.verbs);
	status = transport->ops->status(transport);
	assert_int_equal(json_array_size(json_object_get(status, "queue_pairs")), 0);
	json_decref(status);
	close_unharmed();
}

static void *ask_status(void *arg)
{
	struct xfer_transport *transport = xfer_verbs_transport(ends.host.verbs);
	const _Atomic bool *done = arg;

	while (!*done)
		json_decref(transport->ops->status(transport));
	return NULL;
}

static void status_while_lanes_are_connected(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++) {
		struct ends_setup setup = plain(4);
		_Atomic bool done = false;
		pthread_t thread;

		mock_verbs_begin(&no_immediates, 1);
		ends_begin(&ends, &setup);
		assert_int_equal(ends_try_host(&ends), 0);
		assert_int_equal(pthread_create(&thread, NULL, ask_status, &done), 0);
		assert_int_equal(ends_try_connect(&ends), 0);
		ends_exchange(&ends);
		done = true;
		pthread_join(thread, NULL);
		close_unharmed();
	}
}

/* --- awaiting ------------------------------------------------------------------------------------ */

static unsigned armed(void)
{
	return mock_verbs_calls("ibv_req_notify_cq");
}

static void nobody_waits_so_nothing_is_armed(void **state)
{
	(void)state;
	open_plain();
	ends_await(&ends.host, 0);
	assert_int_equal(armed(), 0);
	assert_int_equal(send_to_host(1, 1, 8), 0);
	ends_await(&ends.host, 0); /* finds it, though */
	assert_int_equal(ends_ntold(&ends.host), 1);
	assert_int_equal(armed(), 0);
	close_unharmed();
}

static void an_event_wakes_the_lanes_thread(void **state)
{
	(void)state;
	open_plain();
	ends.host.waits[0] = true;
	ends_await(&ends.host, 0);
	assert_int_equal(armed(), 1);
	assert_int_equal(send_to_host(1, 7, 8), 0);
	ENDS_UNTIL(ends_ntold(&ends.host) == 1);
	assert_true(ends.host.told[0].on_thread);
	ENDS_UNTIL(armed() == 2); /* somebody waits still */
	ends.host.waits[0] = false;
	assert_int_equal(send_to_host(2, 8, 8), 0);
	ENDS_UNTIL(ends_ntold(&ends.host) == 2);
	ENDS_UNTIL(lane_of(&ends.host)->nwakeups == 2);
	assert_int_equal(send_to_host(3, 9, 8), 0);
	assert_int_equal(armed(), 2); /* nobody does */
	close_unharmed();
}

struct spin {
	unsigned asked, sends_at; /* the question at which something is sent */
	int err;                  /* of that */
};

static void send_when_asked(void *arg)
{
	struct spin *spin = arg;

	if (++spin->asked == spin->sends_at)
		spin->err = send_to_host(1, 7, 8);
	else if (spin->asked > spin->sends_at && ends_ntold(&ends.host) > 0)
		ends.host.waits[0] = false;
}

static void awaiting_looks_for_a_while_first(void **state)
{
	struct ends_setup setup = plain(4);
	struct spin spin = { .sends_at = 20 };

	(void)state;
	setup.poll_us = 60 * 1000 * 1000; /* as long as it takes */
	open_with(&device, &setup);
	ends.host.waits[0] = true;
	ends.host.asked = send_when_asked;
	ends.host.asked_arg = &spin;
	ends_await(&ends.host, 0);
	assert_int_equal(ends_ntold(&ends.host), 1);
	assert_true(spin.asked > 20);
	assert_int_equal(armed(), 0);
	close_unharmed();
}

static void awaiting_looks_for_as_long_as_it_may(void **state)
{
	struct ends_setup setup = plain(4);
	uint64_t before;

	(void)state;
	setup.poll_us = 20000;
	open_with(&device, &setup);
	ends.host.waits[0] = true;
	before = xfer_now_ns();
	ends_await(&ends.host, 0);
	assert_true(xfer_now_ns() - before >= 20 * XFER_NS_PER_MS);
	assert_int_equal(armed(), 1);
	close_unharmed();
}

/* The last question before the queue is armed: what is sent then would wake nobody. */
static void no_wake_up_is_lost_before_arming(void **state)
{
	struct spin spin = { .sends_at = 2 };

	(void)state;
	open_plain();
	ends.host.waits[0] = true;
	ends.host.asked = send_when_asked;
	ends.host.asked_arg = &spin;
	ends_await(&ends.host, 0);
	assert_int_equal(armed(), 1);
	assert_int_equal(ends_ntold(&ends.host), 1);
	assert_false(ends.host.told[0].on_thread);
	close_unharmed();
}

static void the_same_on_the_lanes_thread(void **state)
{
	struct spin spin = { .sends_at = 1 };

	(void)state;
	open_plain();
	ends.host.waits[0] = true;
	ends_await(&ends.host, 0);
	assert_int_equal(send_to_host(3, 3, 8), 0);
	ENDS_UNTIL(armed() == 2);
	/* The thread looks, asks, and then arms once more. */
	ends.host.asked = send_when_asked;
	ends.host.asked_arg = &spin;
	pthread_mutex_lock(&ends.host.lock);
	ends.host.ntold = 0;
	pthread_mutex_unlock(&ends.host.lock);
	assert_int_equal(send_to_host(2, 2, 8), 0);
	ENDS_UNTIL(ends_ntold(&ends.host) == 2);
	assert_int_equal(ends_told(&ends.host, 0), 2 << 16 | 2);
	assert_int_equal(ends_told(&ends.host, 1), 1 << 16 | 7);
	close_unharmed();
}

static void a_queue_that_cannot_be_armed(void **state)
{
	(void)state;
	open_plain();
	ends.host.waits[0] = true;
	mock_verbs_fail("ibv_req_notify_cq", 1, EIO);
	ends_await(&ends.host, 0);
	assert_int_equal(ends.host.losses, 1);
	assert_non_null(strstr(ends.host.why, "lane 0: its completion queue can't be armed"));
	ends_close(&ends);
}

static void a_queue_that_cannot_be_read(void **state)
{
	(void)state;
	open_plain();
	mock_verbs_fail("ibv_poll_cq", 1, EIO);
	ends_poll(&ends.host, 0);
	assert_int_equal(ends.host.losses, 1);
	assert_non_null(strstr(ends.host.why, "lane 0: its completion queue can't be read"));
	ends_close(&ends);
}

static void ticks_find_what_nobody_looks_at(void **state)
{
	struct ends_setup setup = plain(4);

	(void)state;
	setup.tick_ms = 1;
	open_with(&device, &setup);
	assert_int_equal(send_to_host(1, 7, 8), 0);
	ENDS_UNTIL(ends_ntold(&ends.host) == 1);
	assert_true(ends.host.told[0].on_thread);
	assert_int_equal(armed(), 0);
	ENDS_UNTIL(ends.host.ticks > 2 && ends.initiator.ticks > 2);
	close_unharmed();
}

/* Both directions, with threads that wait and are woken. */
struct sender {
	struct ends_end *from, *to;
	pthread_t thread;
};

#define MANY 2000u

static void *send_many(void *arg)
{
	const struct sender *sender = arg;

	for (uint32_t i = 0; i < MANY; i++) {
		while (ends_send(&ends, sender->from, 0, i % 4, i, 600) == -EAGAIN)
			;
		while (ends_ntold(sender->to) <= i)
			ends_await(sender->to, 0);
	}
	return NULL;
}

static void both_directions_at_once(void **state)
{
	struct sender senders[] = { { &ends.initiator, &ends.host, 0 },
		{ &ends.host, &ends.initiator, 0 } };

	(void)state;
	open_plain();
	ends.initiator.waits[0] = ends.host.waits[0] = true;
	for (int i = 0; i < 2; i++)
		pthread_create(&senders[i].thread, NULL, send_many, &senders[i]);
	for (int i = 0; i < 2; i++)
		pthread_join(senders[i].thread, NULL);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(ends_ntold(senders[i].to), MANY);
		assert_true(ends_came(&ends, senders[i].to, 0, (MANY - 1) % 4, MANY - 1, 600));
	}
	close_unharmed();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_queue_takes_more_after_completions),
		cmocka_unit_test(a_full_queue_of_messages),
		cmocka_unit_test(all_slots_fit_whatever_is_unsignalled),
		cmocka_unit_test(one_request_of_many_has_a_completion),
		cmocka_unit_test(receives_are_posted_again_by_the_batch),
		cmocka_unit_test(there_is_a_receive_for_each_slot),
		cmocka_unit_test(nobody_looks_at_sent_requests),
		cmocka_unit_test(requests_without_end),
		cmocka_unit_test(immediates_name_slot_and_generation),
		cmocka_unit_test(many_at_a_time),
		cmocka_unit_test(the_host_is_open_when_it_has_been_probed),
		cmocka_unit_test(lanes_that_are_not_connected),
		cmocka_unit_test(nothing_is_sent_over_a_lost_path),
		cmocka_unit_test(what_status_says),
		cmocka_unit_test(what_status_says_of_the_devices_counters),
		cmocka_unit_test(what_status_says_of_devices_that_fail),
		cmocka_unit_test(status_before_lanes_are_connected),
		cmocka_unit_test(status_while_lanes_are_connected),
		cmocka_unit_test(nobody_waits_so_nothing_is_armed),
		cmocka_unit_test(an_event_wakes_the_lanes_thread),
		cmocka_unit_test(awaiting_looks_for_a_while_first),
		cmocka_unit_test(awaiting_looks_for_as_long_as_it_may),
		cmocka_unit_test(no_wake_up_is_lost_before_arming),
		cmocka_unit_test(the_same_on_the_lanes_thread),
		cmocka_unit_test(a_queue_that_cannot_be_armed),
		cmocka_unit_test(a_queue_that_cannot_be_read),
		cmocka_unit_test(ticks_find_what_nobody_looks_at),
		cmocka_unit_test(both_directions_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
