/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* verbs_failures.c -- whatever fails of queue pairs and devices: a reason is told, once, and nothing is left */

#include <errno.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "log.h"
#include "support/failing.h"
#include "support/verbs_ends.h"

static const struct mock_device devices[] = {
	{ .name = "mock0", .ports = { { .addresses = { "10.0.0.1", "10.0.0.2" } } } },
	{ .name = "mock1", .ports = { { .addresses = { "10.0.1.1", "10.0.1.2" } } } },
};

static struct ends ends;

static struct ends_setup plain(uint32_t lanes)
{
	return (struct ends_setup){ .lanes = lanes,
		.addresses = { "10.0.0.1", "10.0.1.1" },
		.sources = { "10.0.0.2", "10.0.1.2" } };
}

static void open_plain(void)
{
	struct ends_setup setup = plain(1);

	mock_verbs_begin(devices, 2);
	ends_open(&ends, &setup);
}

static void assert_says(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" doesn't say \"%s\"", text, part);
}

static void poll_all(void)
{
	for (uint32_t i = 0; i < ends.setup.lanes; i++) {
		if (ends.initiator.verbs)
			ends_poll(&ends.initiator, i);
		if (ends.host.verbs)
			ends_poll(&ends.host, i);
	}
}

static void await_losses(struct ends_end *end)
{
	ENDS_UNTIL((poll_all(), end->losses > 0));
	assert_int_equal(end->losses, 1);
	assert_true(end->why[0]);
}

/* --- each call in turn --------------------------------------------------------------------------- */

static bool host_has_lost(void *arg)
{
	return ((const struct ends_end *)arg)->losses > 0;
}

static void exchange_some(void)
{
	for (uint32_t i = 0; i < 20; i++) {
		(void)ends_send(&ends, &ends.initiator, i % 2, i, i, 100 * i);
		(void)ends_send(&ends, &ends.host, i % 2, i, i, 100 * i);
		ends_await(&ends.initiator, i % 2);
		ends_await(&ends.host, i % 2);
	}
}

/* All that a path does, as far as it comes. False: a step has failed, and said why. */
static bool live(void)
{
	struct xfer_memory *memory;
	int err;

	ends.why[0] = '\0';
	ends.initiator.waits[0] = ends.host.waits[1] = true;
	err = ends_try_host(&ends);
	if (err == 0) {
		ends.target.given_up = host_has_lost;
		ends.target.arg = &ends.host;
		err = ends_try_connect(&ends);
	}
	if (err) {
		assert_true(err < 0);
		assert_true(ends.why[0]);
		return false;
	}
	exchange_some();
	if (xfer_verbs_offer(ends.host.verbs, 4096, &memory, ends.why, sizeof(ends.why)) == 0)
		xfer_memory_free(memory);
	else
		assert_true(ends.why[0]);
	return ends.initiator.losses + ends.host.losses == 0;
}

static void assert_reasons(const struct ends_end *end)
{
	assert_true(end->losses <= 1);
	assert_true(end->losses == 0 || end->why[0]);
}

/* One life during which the nth call fails; false: there are fewer. */
static bool live_with(unsigned nth, int error)
{
	struct ends_setup setup = plain(2);
	unsigned n;

	mock_verbs_begin(devices, 2);
	ends_begin(&ends, &setup);
	mock_verbs_fail(NULL, nth, error);
	(void)live();
	n = mock_verbs_failed();
	assert_reasons(&ends.initiator);
	assert_reasons(&ends.host);
	ends_drop(&ends);
	/* And then all is as if nothing had been. */
	if (!live())
		fail_msg("after call %u: %s %s %s", nth, ends.why, ends.initiator.why,
			ends.host.why);
	ends_close(&ends);
	return n > 0;
}

static void each_call_fails_with(int error)
{
	unsigned nth = 1;

	while (live_with(nth, error))
		nth++;
	assert_true(nth > 100);
}

static void any_call_that_fails(void **state)
{
	(void)state;
	each_call_fails_with(EIO);
}

static void any_call_that_lacks_memory(void **state)
{
	(void)state;
	each_call_fails_with(ENOMEM);
}

/* The same without mock functions' help: the C library's. */
static bool live_without(enum failing_kind kind, unsigned nth)
{
	struct ends_setup setup = plain(2);
	const char *failed;

	mock_verbs_begin(devices, 2);
	ends_begin(&ends, &setup);
	failing_arm(kind, nth);
	(void)live();
	failed = failing_disarm();
	assert_reasons(&ends.initiator);
	assert_reasons(&ends.host);
	ends_drop(&ends);
	if (!live())
		fail_msg("after %s: %s", failed ? failed : "?", ends.why);
	ends_close(&ends);
	return failed != NULL;
}

/* What ends things can't be helped, but does no harm: nor is anything done twice. */
static void ends_that_fail(void **state)
{
	static const char *const functions[] = { "rdma_disconnect", "ibv_query_qp" };

	(void)state;
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		open_plain();
		mock_verbs_fail(functions[i], 1, EIO);
		mock_verbs_fail(functions[i], 2, EIO);
		ends_close(&ends);
	}
}

/* --- completions --------------------------------------------------------------------------------- */

static const char *advice_of(enum ibv_wc_status status)
{
	switch (status) {
	case IBV_WC_RETRY_EXC_ERR:
		return "the peer or the network between doesn't answer";
	case IBV_WC_RNR_RETRY_EXC_ERR:
		return "the peer has no receive posted";
	case IBV_WC_REM_ACCESS_ERR:
	case IBV_WC_REM_INV_REQ_ERR:
	case IBV_WC_REM_OP_ERR:
		return "the peer's device has refused it";
	case IBV_WC_WR_FLUSH_ERR:
		return "the queue pair has ended";
	default:
		return "a defect of the device, its driver or this program";
	}
}

/* Of what the initiator sends, or of what comes to the host. */
static void completes_with(bool receive, enum ibv_wc_status status)
{
	struct ends_end *by = receive ? &ends.host : &ends.initiator;
	struct ends_end *other = receive ? &ends.initiator : &ends.host;
	char says[VERBS_WHY];

	open_plain();
	poll_all();
	mock_verbs_complete(receive, 1, status);
	assert_int_equal(ends_send(&ends, &ends.initiator, 0, 1, 1, 100), 0);
	ends_poll(by, 0);
	assert_int_equal(by->losses, 1);
	snprintf(says, sizeof(says), "lane 0 on mock0: %s (%s)", ibv_wc_status_str(status),
		advice_of(status));
	assert_string_equal(by->why, says);
	assert_int_equal(ends_ntold(&ends.host), 0);
	assert_int_equal(ends_send(&ends, by, 0, 2, 1, 100), -EAGAIN);
	poll_all(); /* and no more of it */
	assert_int_equal(by->losses, 1);
	ends_free(by);
	await_losses(other);
	ends_close(&ends);
}

static void each_status_of_what_is_sent(void **state)
{
	(void)state;
	for (int i = IBV_WC_LOC_LEN_ERR; i <= IBV_WC_GENERAL_ERR; i++)
		completes_with(false, (enum ibv_wc_status)i);
}

static void each_status_of_what_comes(void **state)
{
	(void)state;
	for (int i = IBV_WC_LOC_LEN_ERR; i <= IBV_WC_GENERAL_ERR; i++)
		completes_with(true, (enum ibv_wc_status)i);
}

static void each_status_of_a_probe(void **state)
{
	(void)state;
	for (int i = IBV_WC_LOC_LEN_ERR; i <= IBV_WC_GENERAL_ERR; i++) {
		struct ends_setup setup = plain(1);

		mock_verbs_begin(devices, 2);
		ends_begin(&ends, &setup);
		mock_verbs_complete(false, 1, (enum ibv_wc_status)i);
		assert_int_equal(ends_try(&ends), -EIO);
		assert_says(ends.why, "lane 0 on mock0 is connected, but carries nothing: ");
		assert_says(ends.why, ibv_wc_status_str((enum ibv_wc_status)i));
		ends_close(&ends);
	}
}

static void a_device_that_takes_no_writes(void **state)
{
	struct ends_setup setup = plain(1);

	(void)state;
	mock_verbs_begin(devices, 2);
	ends_begin(&ends, &setup);
	mock_verbs_fail("ibv_post_send", 1, EOPNOTSUPP);
	mock_verbs_fail("ibv_post_send", 2, EINVAL);
	assert_int_equal(ends_try(&ends), -EINVAL);
	assert_says(ends.why, "lane 0 on mock0 is connected, but takes no writes: Invalid arg");
	ends_close(&ends);
}

static void a_write_that_cannot_be_posted(void **state)
{
	(void)state;
	open_plain();
	mock_verbs_fail("ibv_post_send", 1, EIO);
	assert_int_equal(ends_send(&ends, &ends.initiator, 0, 1, 1, 100), -ENOTCONN);
	assert_int_equal(ends.initiator.losses, 1);
	assert_says(ends.initiator.why, "lane 0 on mock0: a write can't be posted: Input/output");
	ends_close(&ends);
}

static void receives_that_cannot_be_posted_again(void **state)
{
	(void)state;
	open_plain();
	mock_verbs_fail("ibv_post_recv", 1, EIO);
	for (uint32_t i = 0; i < VERBS_REPOST; i++) {
		assert_int_equal(ends_send(&ends, &ends.initiator, 0, i, i, 10), 0);
		ends_poll(&ends.host, 0);
	}
	assert_int_equal(ends_ntold(&ends.host), VERBS_REPOST); /* all that came */
	assert_int_equal(ends.host.losses, 1);
	ends_close(&ends);
}

/* A message of the peer's that isn't four bytes long. */
static void a_message_that_is_none(void **state)
{
	static const uint32_t lengths[] = { 0, 3, 5 };

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		uint64_t bytes = 0;
		struct ibv_sge sge = { (uintptr_t)&bytes, lengths[i], 0 };
		struct ibv_send_wr *bad, wr = { .sg_list = &sge,
			.num_sge = 1,
			.opcode = IBV_WR_SEND,
			.send_flags = IBV_SEND_INLINE };

		open_plain();
		poll_all();
		assert_int_equal(ibv_post_send(ends.initiator.verbs->lanes[0].qp, &wr, &bad), 0);
		await_losses(&ends.host);
		assert_int_equal(ends_ntold(&ends.host), 0);
		ends_close(&ends);
	}
}

/* The requests that another thread is to post have no room. */
static void a_doorbell_for_which_there_is_no_memory(void **state)
{
	int err;

	(void)state;
	open_plain();
	mock_verbs_forbid(true);
	failing_arm(FAILING_MEMORY, 1);
	err = ends_send(&ends, &ends.initiator, 0, 1, 1, 100);
	assert_string_equal(failing_disarm(), "calloc");
	mock_verbs_forbid(false);
	assert_int_equal(err, -ENOTCONN);
	assert_int_equal(ends.initiator.losses, 1);
	assert_says(ends.initiator.why, "a write can't be posted: Cannot allocate memory");
	ends_close(&ends);
}

static void a_process_without_rdma_cm(void **state)
{
	const struct xfer_verbs_params params = { .lanes = 1 };
	struct xfer_verbs_listener *listener;
	struct xfer_verbs *verbs;
	char why[VERBS_WHY];

	(void)state;
	mock_verbs_begin(devices, 2);
	mock_verbs_fail("rdma_create_event_channel", 1, ENOENT);
	mock_verbs_fail("rdma_create_event_channel", 2, EACCES);
	assert_int_equal(xfer_verbs_create(&params, &verbs, why, sizeof(why)), -ENOENT);
	assert_says(why, "rdma_cm can't be used: No such file or directory (is the module rdma_ucm "
			 "loaded, and /dev/infiniband/rdma_cm readable?)");
	assert_int_equal(xfer_verbs_listen(0, &listener, why, sizeof(why)), -EACCES);
	assert_says(why, "rdma_cm can't be used: Permission denied");
	mock_verbs_end();
}

/* --- events of devices --------------------------------------------------------------------------- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* the following */
static unsigned infos;
static char logged[512]; /* the last of them */

static void sink(enum xfer_log_level level, const char *message)
{
	if (level != XFER_LOG_INFO)
		return;
	pthread_mutex_lock(&lock);
	infos++;
	strncpy(logged, message, sizeof(logged) - 1);
	pthread_mutex_unlock(&lock);
}

static unsigned ninfos(void)
{
	unsigned n;

	pthread_mutex_lock(&lock);
	n = infos;
	pthread_mutex_unlock(&lock);
	return n;
}

enum concerns { NOBODY, LANES, DEVICE };

static enum concerns concerns_of(enum ibv_event_type type)
{
	switch (type) {
	case IBV_EVENT_QP_FATAL:
	case IBV_EVENT_QP_REQ_ERR:
	case IBV_EVENT_QP_ACCESS_ERR:
	case IBV_EVENT_PATH_MIG_ERR:
	case IBV_EVENT_CQ_ERR:
		return LANES;
	case IBV_EVENT_DEVICE_FATAL:
	case IBV_EVENT_PORT_ERR:
		return DEVICE;
	default:
		return NOBODY;
	}
}

/* Both ends have the device, whose event it is. */
static void lost_by(enum ibv_event_type type, enum concerns concerns)
{
	char says[VERBS_WHY];

	await_losses(&ends.initiator);
	await_losses(&ends.host);
	snprintf(says, sizeof(says), "%smock0: %s", concerns == LANES ? "lane 0 on " : "",
		ibv_event_type_str(type));
	assert_string_equal(ends.initiator.why, says);
	assert_string_equal(ends.host.why, says);
}

static void each_event_of_a_device(void **state)
{
	(void)state;
	for (int i = IBV_EVENT_CQ_ERR; i <= IBV_EVENT_GID_CHANGE; i++) {
		enum ibv_event_type type = (enum ibv_event_type)i;
		unsigned before = ninfos();

		open_plain();
		mock_verbs_async_event("mock0", type);
		if (concerns_of(type) != NOBODY) {
			lost_by(type, concerns_of(type));
		} else {
			ENDS_UNTIL(ninfos() > before);
			pthread_mutex_lock(&lock);
			assert_says(logged, ibv_event_type_str(type));
			pthread_mutex_unlock(&lock);
			assert_int_equal(ends.initiator.losses + ends.host.losses, 0);
			ends_exchange(&ends);
		}
		ends_close(&ends);
	}
}

static void events_of_a_device_that_no_lane_is_on(void **state)
{
	(void)state;
	open_plain();
	mock_verbs_async_event("mock1", IBV_EVENT_DEVICE_FATAL);
	mock_verbs_cm_event("mock1", RDMA_CM_EVENT_DEVICE_REMOVAL, 0);
	ends_exchange(&ends);
	assert_int_equal(ends.initiator.losses + ends.host.losses, 0);
	ends_close(&ends);
}

static void events_of_one_of_two_devices(void **state)
{
	struct ends_setup setup = plain(2);

	(void)state;
	mock_verbs_begin(devices, 2);
	ends_open(&ends, &setup);
	mock_verbs_async_event("mock1", IBV_EVENT_PORT_ERR);
	await_losses(&ends.initiator);
	assert_says(ends.initiator.why, "mock1: ");
	ends_close(&ends);
}

static void all_paths_of_a_device_are_lost(void **state)
{
	static struct ends other;
	struct ends_setup setup = plain(1);

	(void)state;
	open_plain();
	ends_open(&other, &setup);
	mock_verbs_async_event("mock0", IBV_EVENT_DEVICE_FATAL);
	await_losses(&ends.initiator);
	await_losses(&ends.host);
	ENDS_UNTIL(other.initiator.losses == 1 && other.host.losses == 1);
	ends_stop(&other);
	ends_close(&ends);
}

/* --- events of connections ----------------------------------------------------------------------- */

/* What it says of a lane that is connected; NULL: nothing. */
static const char *said_of(enum rdma_cm_event_type type)
{
	switch (type) {
	case RDMA_CM_EVENT_DISCONNECTED:
		return "the peer has ended the connection";
	case RDMA_CM_EVENT_DEVICE_REMOVAL:
		return "the device was removed";
	case RDMA_CM_EVENT_ADDR_CHANGE:
		return "its address has moved to another device";
	case RDMA_CM_EVENT_CONNECT_ERROR:
	case RDMA_CM_EVENT_UNREACHABLE:
	case RDMA_CM_EVENT_REJECTED:
		return "the connection wasn't completed";
	default:
		return NULL;
	}
}

static void each_event_of_a_connected_lane(void **state)
{
	(void)state;
	for (int i = RDMA_CM_EVENT_ADDR_RESOLVED; i <= RDMA_CM_EVENT_TIMEWAIT_EXIT; i++) {
		enum rdma_cm_event_type type = (enum rdma_cm_event_type)i;
		char says[VERBS_WHY];

		if (type == RDMA_CM_EVENT_CONNECT_REQUEST)
			continue; /* not of a lane */
		open_plain();
		mock_verbs_cm_event("mock0", type, 0);
		if (said_of(type)) {
			snprintf(says, sizeof(says), "lane 0 on mock0: %s", said_of(type));
			await_losses(&ends.initiator);
			await_losses(&ends.host);
			assert_string_equal(ends.initiator.why, says);
			assert_string_equal(ends.host.why, says);
		} else {
			ends_exchange(&ends);
			assert_int_equal(ends.initiator.losses + ends.host.losses, 0);
		}
		ends_close(&ends);
	}
}

/* Instead of what each rung waits for: any other event. */
static void rung_ends_with(enum rdma_cm_event_type rung, enum rdma_cm_event_type by, int status)
{
	struct ends_setup setup = plain(1);
	int err;

	setup.addresses[1] = NULL;
	mock_verbs_begin(devices, 2);
	ends_begin(&ends, &setup);
	mock_verbs_replace(rung, 1, by, status);
	err = ends_try(&ends);
	assert_int_equal(err, status < 0 ? status : -ECONNREFUSED);
	assert_says(
		ends.why, by == RDMA_CM_EVENT_REJECTED ? "the owner refuses" : rdma_event_str(by));
	if (by != RDMA_CM_EVENT_REJECTED)
		assert_says(ends.why, status < 0 ? strerror(-status) : "no reason is given");
	ends_close(&ends);
}

static void each_event_on_each_rung(void **state)
{
	static const enum rdma_cm_event_type rungs[] = { RDMA_CM_EVENT_ADDR_RESOLVED,
		RDMA_CM_EVENT_ROUTE_RESOLVED, RDMA_CM_EVENT_ESTABLISHED };

	(void)state;
	for (size_t rung = 0; rung < sizeof(rungs) / sizeof(rungs[0]); rung++)
		for (int i = RDMA_CM_EVENT_ADDR_RESOLVED; i <= RDMA_CM_EVENT_TIMEWAIT_EXIT; i++) {
			if (i == (int)rungs[rung] || i == RDMA_CM_EVENT_CONNECT_REQUEST)
				continue;
			rung_ends_with(rungs[rung], (enum rdma_cm_event_type)i, -EHOSTUNREACH);
			rung_ends_with(rungs[rung], (enum rdma_cm_event_type)i, 0);
			rung_ends_with(rungs[rung], (enum rdma_cm_event_type)i, 28);
		}
}

/* An address whose way ends so is passed over. */
static void an_address_that_fails_is_passed_over(void **state)
{
	struct ends_setup setup = plain(1);

	(void)state;
	mock_verbs_begin(devices, 2);
	ends_begin(&ends, &setup);
	mock_verbs_replace(RDMA_CM_EVENT_ROUTE_RESOLVED, 1, RDMA_CM_EVENT_ROUTE_ERROR, -ETIMEDOUT);
	assert_int_equal(ends_try(&ends), 0);
	assert_string_equal(ends.initiator.verbs->devices[0].name, "mock1");
	ends_exchange(&ends);
	ends_close(&ends);
}

static _Atomic unsigned asked;

static bool given_up_after_some(void *arg)
{
	(void)arg;
	return ++asked > 3;
}

static void an_event_that_never_comes(void **state)
{
	struct ends_setup setup = plain(1);

	(void)state;
	mock_verbs_begin(devices, 2);
	ends_begin(&ends, &setup);
	assert_int_equal(ends_try_host(&ends), 0);
	mock_verbs_replace(RDMA_CM_EVENT_ROUTE_RESOLVED, 1, MOCK_NEVER, 0);
	asked = 0;
	ends.target.given_up = given_up_after_some;
	assert_int_equal(ends_try_connect(&ends), -ECANCELED);
	ends_close(&ends);
}

static void an_event_that_nobody_gives_up(void **state)
{
	struct ends_setup setup = plain(1);

	(void)state;
	mock_verbs_begin(devices, 2);
	ends_begin(&ends, &setup);
	mock_verbs_replace(RDMA_CM_EVENT_ESTABLISHED, 1, MOCK_NEVER, 0);
	assert_int_equal(ends_try(&ends), -ETIMEDOUT);
	assert_says(ends.why, "lane 0 can't be connected: Connection timed out");
	ends_close(&ends);
}

/* --- its loss is told ---------------------------------------------------------------------------- */

/* What was lost before `start`. */
static void whoever_starts_later_is_told(void **state)
{
	struct ends_setup setup = plain(1);

	(void)state;
	mock_verbs_begin(devices, 2);
	ends_begin(&ends, &setup);
	assert_int_equal(ends_try_host(&ends), 0);
	assert_int_equal(ends_try_lanes(&ends), 0);
	verbs_lose(ends.initiator.verbs, "before anybody is told");
	verbs_lose(ends.initiator.verbs, "once more");
	assert_int_equal(ends.initiator.losses, 0);
	ends_start(&ends.initiator);
	assert_int_equal(ends.initiator.losses, 1);
	assert_string_equal(ends.initiator.why, "before anybody is told");
	verbs_lose(ends.initiator.verbs, "and later");
	assert_int_equal(ends.initiator.losses, 1);
	ends_close(&ends);
}

struct stop {
	sem_t stopped, go;
};

static void stop_here(void *arg)
{
	struct stop *stop = arg;

	sem_post(&stop->stopped);
	sem_wait(&stop->go);
}

static void *free_initiator(void *arg)
{
	ends_free(&ends.initiator);
	return arg;
}

struct loser {
	struct ends_end *end;
	pthread_t thread;
	_Atomic bool *go;
};

static void *lose(void *arg)
{
	const struct loser *loser = arg;

	while (!*loser->go)
		;
	verbs_lose(loser->end->verbs, "by a thread");
	return NULL;
}

static void freeing_waits_for_who_is_being_told(void **state)
{
	_Atomic bool go = true;
	struct loser loser = { &ends.initiator, 0, &go };
	struct stop stop;
	pthread_t thread;

	(void)state;
	open_plain();
	sem_init(&stop.stopped, 0, 0);
	sem_init(&stop.go, 0, 0);
	ends.initiator.losing = stop_here;
	ends.initiator.losing_arg = &stop;
	assert_int_equal(pthread_create(&loser.thread, NULL, lose, &loser), 0);
	sem_wait(&stop.stopped);
	assert_int_equal(pthread_create(&thread, NULL, free_initiator, NULL), 0);
	usleep(10000); /* it would have been freed by now, mostly */
	assert_false(ends.initiator.freed);
	sem_post(&stop.go);
	pthread_join(thread, NULL);
	pthread_join(loser.thread, NULL);
	assert_int_equal(ends.initiator.losses, 1);
	ends_close(&ends);
}

static void many_lose_it_at_once(void **state)
{
	(void)state;
	for (int round = 0; round < 20; round++) {
		struct loser losers[4];
		_Atomic bool go = false;

		open_plain();
		for (int i = 0; i < 4; i++) {
			losers[i].end = &ends.initiator;
			losers[i].go = &go;
			assert_int_equal(
				pthread_create(&losers[i].thread, NULL, lose, &losers[i]), 0);
		}
		go = true;
		for (int i = 0; i < 4; i++)
			pthread_join(losers[i].thread, NULL);
		assert_int_equal(ends.initiator.losses, 1);
		ends_close(&ends);
	}
}

/* Freed while events of all sorts are on their way: what is told then is told before that returns. */
static void freed_while_things_happen(void **state)
{
	(void)state;
	for (int round = 0; round < 60; round++) {
		struct ends_setup setup = plain(2);

		setup.tick_ms = 1;
		mock_verbs_begin(devices, 2);
		ends_open(&ends, &setup);
		ends.host.waits[0] = ends.initiator.waits[0] = true;
		ends_await(&ends.host, 0);
		ends_await(&ends.initiator, 0);
		(void)ends_send(&ends, &ends.initiator, 0, 1, 1, 100);
		(void)ends_send(&ends, &ends.host, 0, 1, 1, 100);
		mock_verbs_async_event("mock0", IBV_EVENT_COMM_EST);
		mock_verbs_async_event("mock0", round % 2 ? IBV_EVENT_QP_FATAL : IBV_EVENT_CQ_ERR);
		mock_verbs_async_event("mock1", IBV_EVENT_DEVICE_FATAL);
		mock_verbs_cm_event("mock0", RDMA_CM_EVENT_DEVICE_REMOVAL, 0);
		ends_free(round % 3 ? &ends.initiator : &ends.host);
		ends_close(&ends);
		assert_true(ends.initiator.losses <= 1 && ends.host.losses <= 1);
	}
}

struct load {
	struct ends_end *from, *to;
	pthread_t thread;
};

/* Until it is lost. */
static void *send_on(void *arg)
{
	const struct load *load = arg;

	for (uint32_t i = 0; load->from->losses == 0; i++) {
		(void)ends_send(&ends, load->from, i % 2, i, i, 600);
		if (load->to->losses == 0)
			ends_await(load->to, i % 2);
	}
	return NULL;
}

static void a_device_is_removed_under_load(void **state)
{
	(void)state;
	for (int round = 0; round < 20; round++) {
		struct load loads[] = { { &ends.initiator, &ends.host, 0 },
			{ &ends.host, &ends.initiator, 0 } };
		struct ends_setup setup = plain(2);

		setup.tick_ms = 1;
		mock_verbs_begin(devices, 2);
		ends_open(&ends, &setup);
		ends.host.waits[0] = ends.initiator.waits[1] = true;
		for (int i = 0; i < 2; i++)
			pthread_create(&loads[i].thread, NULL, send_on, &loads[i]);
		usleep(2000);
		mock_verbs_cm_event("mock0", RDMA_CM_EVENT_DEVICE_REMOVAL, 0);
		mock_verbs_async_event("mock0", IBV_EVENT_DEVICE_FATAL);
		for (int i = 0; i < 2; i++)
			pthread_join(loads[i].thread, NULL);
		assert_int_equal(ends.initiator.losses, 1);
		assert_int_equal(ends.host.losses, 1);
		ends_close(&ends);
	}
}

/* --- the C library ------------------------------------------------------------------------------- */

static void each_fails(enum failing_kind kind)
{
	unsigned nth = 1;

	while (live_without(kind, nth))
		nth++;
	assert_true(nth > 4);
}

static void any_allocation_that_fails(void **state)
{
	(void)state;
	each_fails(FAILING_MEMORY);
}

static void any_descriptor_that_there_is_not(void **state)
{
	(void)state;
	each_fails(FAILING_DESCRIPTORS);
}

/* Who could not watch a device, and isn't freed yet, doesn't keep others from hearing of it. */
static void whoever_hears_nothing_keeps_nobody_from_it(void **state)
{
	struct verbs_device deaf = { 0 };
	char why[VERBS_WHY];
	int fd;

	(void)state;
	open_plain();
	deaf.context = ends.initiator.verbs->devices[0].context;
	ends_drop(&ends); /* the device stays open, and nobody watches it */
	assert_int_equal(verbs_events_get(why, sizeof(why)), 0);
	fd = deaf.context->async_fd;
	deaf.context->async_fd = -1;
	assert_int_equal(verbs_events_add(&deaf), -EBADF);
	deaf.context->async_fd = fd;
	assert_int_equal(ends_try(&ends), 0);
	mock_verbs_async_event("mock0", IBV_EVENT_COMM_EST);
	mock_verbs_async_event("mock0", IBV_EVENT_QP_FATAL);
	await_losses(&ends.initiator);
	await_losses(&ends.host);
	ends_drop(&ends);
	verbs_events_remove(&deaf);
	verbs_events_put();
	ends_close(&ends);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_call_that_fails),
		cmocka_unit_test(any_call_that_lacks_memory),
		cmocka_unit_test(ends_that_fail),
		cmocka_unit_test(each_status_of_what_is_sent),
		cmocka_unit_test(each_status_of_what_comes),
		cmocka_unit_test(each_status_of_a_probe),
		cmocka_unit_test(a_device_that_takes_no_writes),
		cmocka_unit_test(a_write_that_cannot_be_posted),
		cmocka_unit_test(receives_that_cannot_be_posted_again),
		cmocka_unit_test(a_message_that_is_none),
		cmocka_unit_test(a_doorbell_for_which_there_is_no_memory),
		cmocka_unit_test(a_process_without_rdma_cm),
		cmocka_unit_test(each_event_of_a_device),
		cmocka_unit_test(events_of_a_device_that_no_lane_is_on),
		cmocka_unit_test(events_of_one_of_two_devices),
		cmocka_unit_test(all_paths_of_a_device_are_lost),
		cmocka_unit_test(each_event_of_a_connected_lane),
		cmocka_unit_test(each_event_on_each_rung),
		cmocka_unit_test(an_address_that_fails_is_passed_over),
		cmocka_unit_test(an_event_that_never_comes),
		cmocka_unit_test(an_event_that_nobody_gives_up),
		cmocka_unit_test(whoever_starts_later_is_told),
		cmocka_unit_test(freeing_waits_for_who_is_being_told),
		cmocka_unit_test(many_lose_it_at_once),
		cmocka_unit_test(freed_while_things_happen),
		cmocka_unit_test(a_device_is_removed_under_load),
		cmocka_unit_test(any_allocation_that_fails),
		cmocka_unit_test(any_descriptor_that_there_is_not),
		cmocka_unit_test(whoever_hears_nothing_keeps_nobody_from_it),
	};

	xfer_log_set_sink(sink);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
