/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* verbs_doorbell.c -- threads whose doorbells the kernel doesn't hear: another one rings them, in order */

#include <errno.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/verbs_ends.h"

static const struct mock_device device = {
	.name = "mock0",
	.ports = { { .addresses = { "10.0.0.1", "10.0.0.2" } } },
};

static struct ends ends;

static void open_on(const struct mock_device *on, uint32_t lanes)
{
	struct ends_setup setup = {
		.lanes = lanes, .slots = 8, .addresses = { "10.0.0.1" }, .sources = { "10.0.0.2" }
	};

	mock_verbs_begin(on, 1);
	ends_open(&ends, &setup);
}

static void close_unharmed(void)
{
	mock_verbs_forbid(false);
	assert_string_equal(ends.initiator.why, "");
	assert_string_equal(ends.host.why, "");
	assert_int_equal(mock_verbs_traffic().not_ready, 0);
	ends_close(&ends);
}

static int send_forbidden(uint32_t slot, uint32_t generation, uint32_t length)
{
	int err;

	mock_verbs_forbid(true);
	err = ends_send(&ends, &ends.initiator, 0, slot, generation, length);
	mock_verbs_forbid(false);
	return err;
}

/* The host has been told so many. */
static void await_told(unsigned n)
{
	ENDS_UNTIL((ends_poll(&ends.host, 0), ends_ntold(&ends.host) >= n));
	assert_int_equal(ends_ntold(&ends.host), n);
}

/* Something that keeps the thread of verbs_events.c until it may go on. */
struct keeper {
	struct xfer_task task;
	sem_t kept, go;
};

static void keep(struct xfer_task *task)
{
	struct keeper *keeper = (struct keeper *)task;

	sem_post(&keeper->kept);
	sem_wait(&keeper->go);
}

static void keep_events(struct keeper *keeper)
{
	keeper->task.run = keep;
	sem_init(&keeper->kept, 0, 0);
	sem_init(&keeper->go, 0, 0);
	verbs_events_run(&keeper->task);
	sem_wait(&keeper->kept);
}

static void let_events_go(struct keeper *keeper)
{
	sem_post(&keeper->go);
}

/* --- sending ------------------------------------------------------------------------------------- */

static void one_write(void **state)
{
	(void)state;
	open_on(&device, 1);
	assert_int_equal(send_forbidden(1, 7, 5000), 0);
	await_told(1);
	assert_int_equal(ends_told(&ends.host, 0), 1 << 16 | 7);
	assert_true(ends_came(&ends, &ends.host, 0, 1, 7, 5000));
	close_unharmed();
}

/* So is who may: what it posts comes behind what waits. */
static void order_is_kept(const struct mock_device *on, uint32_t length)
{
	open_on(on, 1);
	for (uint32_t i = 0; i < 3000; i++) {
		int err;

		do {
			err = i % 3 ? send_forbidden(i % 8, i, length)
				    : ends_send(&ends, &ends.initiator, 0, i % 8, i, length);
		} while (err == -EAGAIN);
		assert_int_equal(err, 0);
		if (i % 8 == 7)
			await_told(i + 1);
	}
	for (uint32_t i = 0; i < 3000; i++)
		assert_int_equal(ends_told(&ends.host, i), (i % 8) << 16 | i);
	for (uint32_t i = 2992; i < 3000; i++)
		assert_true(ends_came(&ends, &ends.host, 0, i % 8, i, length));
	close_unharmed();
}

static void writes_arrive_in_order(void **state)
{
	(void)state;
	order_is_kept(&device, 300);
}

static void small_writes_arrive_in_order(void **state)
{
	(void)state;
	order_is_kept(&device, 8);
}

static void writes_with_messages_arrive_in_order(void **state)
{
	struct mock_device no_immediates = device;

	(void)state;
	no_immediates.no_immediate = EOPNOTSUPP;
	order_is_kept(&no_immediates, 300);
}

static void the_first_refusal_is_of_a_write_with_a_message(void **state)
{
	struct mock_device no_immediates = device;

	(void)state;
	no_immediates.no_immediate = EOPNOTSUPP;
	open_on(&no_immediates, 1);
	assert_int_equal(send_forbidden(1, 7, 5000), 0);
	await_told(1);
	assert_true(ends_came(&ends, &ends.host, 0, 1, 7, 5000));
	assert_int_equal(mock_verbs_traffic().sends, 2); /* the probe, and one: not twice */
	close_unharmed();
}

static void while_nobody_rings_all_slots_may_be_sent(void **state)
{
	struct keeper keeper;

	(void)state;
	open_on(&device, 1);
	keep_events(&keeper);
	for (uint32_t i = 0; i < 8; i++)
		assert_int_equal(send_forbidden(i, i, 600), 0);
	ends_poll(&ends.host, 0);
	assert_int_equal(ends_ntold(&ends.host), 0);
	let_events_go(&keeper);
	await_told(8);
	for (uint32_t i = 0; i < 8; i++) {
		assert_int_equal(ends_told(&ends.host, i), i << 16 | i);
		assert_true(ends_came(&ends, &ends.host, 0, i, i, 600));
	}
	close_unharmed();
}

/* What waits counts as posted. */
static void what_waits_fills_the_queue(void **state)
{
	struct keeper keeper;
	uint32_t n = 0, sq;

	(void)state;
	open_on(&device, 1);
	sq = ends.initiator.verbs->sq;
	keep_events(&keeper);
	mock_verbs_hold(true);
	while (send_forbidden(n % 8, n, 0) == 0 && n < 2 * sq)
		n++;
	assert_int_equal(n, sq);
	assert_int_equal(send_forbidden(0, 0, 0), -EAGAIN);
	assert_int_equal(ends.initiator.losses, 0);
	mock_verbs_hold(false);
	ends_free(&ends.host); /* there are not so many receives */
	let_events_go(&keeper);
	mock_verbs_forbid(false);
	ends_close(&ends);
}

/* All was carried out, and nobody has looked: there is room for the doorbell. */
static void a_queue_that_only_seems_full(void **state)
{
	const struct verbs_lane *lane;
	uint32_t n = 0;

	(void)state;
	open_on(&device, 1);
	lane = &ends.initiator.verbs->lanes[0];
	for (; lane->posted - lane->completed < ends.initiator.verbs->sq - 1; n++) {
		assert_int_equal(ends_send(&ends, &ends.initiator, 0, n % 8, n, 8), 0);
		ends_poll(&ends.host, 0);
	}
	assert_int_equal(send_forbidden(n % 8, n, 600), 0);
	await_told(n + 1);
	close_unharmed();
}

static void lanes_do_not_wait_for_each_other(void **state)
{
	(void)state;
	open_on(&device, 2);
	mock_verbs_forbid(true);
	assert_int_equal(ends_send(&ends, &ends.initiator, 0, 1, 7, 5000), 0);
	assert_int_equal(ends_send(&ends, &ends.initiator, 1, 1, 8, 5000), 0);
	mock_verbs_forbid(false);
	ENDS_UNTIL(
		(ends_poll(&ends.host, 0), ends_poll(&ends.host, 1), ends_ntold(&ends.host) >= 2));
	assert_true(ends_came(&ends, &ends.host, 0, 1, 7, 5000));
	assert_true(ends_came(&ends, &ends.host, 1, 1, 8, 5000));
	close_unharmed();
}

/* Refused to the one thread as well: nobody can. */
static void a_doorbell_that_nobody_may_ring(void **state)
{
	(void)state;
	open_on(&device, 1);
	assert_int_equal(send_forbidden(1, 7, 8), 0);
	await_told(1);
	mock_verbs_fail("ibv_post_send", 1, EACCES);
	assert_int_equal(ends_send(&ends, &ends.initiator, 0, 2, 8, 8), 0);
	ENDS_UNTIL(ends.initiator.losses == 1);
	assert_non_null(strstr(ends.initiator.why, "lane 0: its doorbell can't be rung"));
	assert_int_equal(mock_verbs_failed(), 1);
	mock_verbs_forbid(false);
	ends_close(&ends);
}

/* It takes long, and lane threads go on meanwhile. */
static void nobody_waits_for_a_registration(void **state)
{
	struct xfer_transport *transport;

	(void)state;
	open_on(&device, 1);
	transport = xfer_verbs_transport(ends.initiator.verbs);
	pthread_mutex_lock(&ends.initiator.verbs->lock); /* as who registers has it */
	assert_int_equal(send_forbidden(1, 7, 5000), 0);
	await_told(1);
	json_decref(transport->ops->status(transport));
	pthread_mutex_unlock(&ends.initiator.verbs->lock);
	close_unharmed();
}

/* --- devices that are gone ------------------------------------------------------------------------ */

/* Whatever else the thread of verbs_events.c has to do, it has its turn meanwhile. */
static void let_events_turn(void)
{
	static struct keeper keepers[8]; /* the thread is done with one in its own time */

	for (unsigned i = 0; i < 8; i++) {
		keep_events(&keepers[i]);
		let_events_go(&keepers[i]);
	}
}

/* Its descriptor is ready, and brings nothing: that keeps no thread busy. */
static void a_device_that_is_not_heard(void **state)
{
	(void)state;
	open_on(&device, 1);
	for (unsigned nth = 1; nth <= 4; nth++)
		mock_verbs_fail("ibv_get_async_event", nth, EIO);
	mock_verbs_async_event("mock0", IBV_EVENT_PORT_ACTIVE);
	ENDS_UNTIL(ends.initiator.losses == 1 && ends.host.losses == 1);
	assert_non_null(strstr(ends.host.why, "mock0: its events can't be heard any more"));
	let_events_turn();
	assert_int_equal(mock_verbs_failed(), 1);
	ends_close(&ends);
}

static void completions_that_are_not_heard(void **state)
{
	(void)state;
	open_on(&device, 1);
	mock_verbs_fail("ibv_get_cq_event", 1, EIO);
	ends.host.waits[0] = true;
	ends_await(&ends.host, 0);
	assert_int_equal(ends_send(&ends, &ends.initiator, 0, 1, 7, 100), 0);
	ENDS_UNTIL(ends.host.losses == 1);
	assert_non_null(strstr(ends.host.why, "lane 0: its completions can't be heard any more"));
	ends.host.waits[0] = false;
	assert_int_equal(mock_verbs_failed(), 1);
	ends_close(&ends);
}

static void *free_initiator(void *arg)
{
	ends_free(&ends.initiator);
	return arg;
}

static void free_waits_for_what_is_to_be_rung(void **state)
{
	struct keeper keeper;
	pthread_t thread;

	(void)state;
	open_on(&device, 1);
	keep_events(&keeper);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(send_forbidden(i, i, 600), 0);
	assert_int_equal(pthread_create(&thread, NULL, free_initiator, NULL), 0);
	usleep(10000); /* it would have been freed by now, mostly */
	assert_false(ends.initiator.freed);
	let_events_go(&keeper);
	pthread_join(thread, NULL);
	await_told(4);
	mock_verbs_forbid(false);
	ends_close(&ends);
}

/* --- arming -------------------------------------------------------------------------------------- */

static void await_forbidden(void)
{
	mock_verbs_forbid(true);
	ends_await(&ends.host, 0);
	mock_verbs_forbid(false);
}

static unsigned armed(void)
{
	return mock_verbs_calls("ibv_req_notify_cq");
}

static void another_thread_arms(void **state)
{
	(void)state;
	open_on(&device, 1);
	ends.host.waits[0] = true;
	await_forbidden();
	ENDS_UNTIL(armed() == 2); /* refused, and then not */
	ends.host.waits[0] = false;
	assert_int_equal(ends_send(&ends, &ends.initiator, 0, 1, 7, 8), 0);
	ENDS_UNTIL(ends_ntold(&ends.host) == 1);
	assert_string_equal(ends.host.why, "");
	close_unharmed();
}

/* It came after the refusal, and before the queue was armed by the other thread: that one finds it. */
static void no_wake_up_is_lost_until_it_does(void **state)
{
	struct keeper keeper;

	(void)state;
	open_on(&device, 1);
	ends.host.waits[0] = true;
	keep_events(&keeper);
	await_forbidden();
	assert_int_equal(ends_send(&ends, &ends.initiator, 0, 1, 7, 8), 0);
	assert_int_equal(ends_ntold(&ends.host), 0);
	let_events_go(&keeper);
	ENDS_UNTIL(ends_ntold(&ends.host) == 1);
	assert_false(ends.host.told[0].on_thread);
	close_unharmed();
}

static void a_queue_that_nobody_may_arm(void **state)
{
	(void)state;
	open_on(&device, 1);
	ends.host.waits[0] = true;
	mock_verbs_fail("ibv_req_notify_cq", 2, EACCES);
	await_forbidden();
	ENDS_UNTIL(ends.host.losses == 1);
	assert_non_null(strstr(ends.host.why, "its completion queue can't be armed"));
	ends_close(&ends);
}

/* --- all of it ----------------------------------------------------------------------------------- */

struct sender {
	struct ends_end *from, *to;
	bool forbidden;
	pthread_t thread;
};

#define MANY 1500u

static void *send_many(void *arg)
{
	const struct sender *sender = arg;

	mock_verbs_forbid(sender->forbidden);
	for (uint32_t i = 0; i < MANY; i++) {
		while (ends_send(&ends, sender->from, 0, i % 8, i, 600) == -EAGAIN)
			;
		while (ends_ntold(sender->to) <= i)
			ends_await(sender->to, 0);
	}
	return NULL;
}

static void both_directions_at_once(void **state)
{
	struct sender senders[] = { { &ends.initiator, &ends.host, true, 0 },
		{ &ends.host, &ends.initiator, true, 0 } };

	(void)state;
	open_on(&device, 1);
	ends.initiator.waits[0] = ends.host.waits[0] = true;
	for (int i = 0; i < 2; i++)
		pthread_create(&senders[i].thread, NULL, send_many, &senders[i]);
	for (int i = 0; i < 2; i++)
		pthread_join(senders[i].thread, NULL);
	for (int i = 0; i < 2; i++) {
		for (uint32_t n = 0; n < MANY; n++)
			assert_int_equal(ends_told(senders[i].to, n), (n % 8) << 16 | n);
		assert_true(ends_came(&ends, senders[i].to, 0, (MANY - 1) % 8, MANY - 1, 600));
	}
	close_unharmed();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_write),
		cmocka_unit_test(writes_arrive_in_order),
		cmocka_unit_test(small_writes_arrive_in_order),
		cmocka_unit_test(writes_with_messages_arrive_in_order),
		cmocka_unit_test(the_first_refusal_is_of_a_write_with_a_message),
		cmocka_unit_test(while_nobody_rings_all_slots_may_be_sent),
		cmocka_unit_test(what_waits_fills_the_queue),
		cmocka_unit_test(a_queue_that_only_seems_full),
		cmocka_unit_test(lanes_do_not_wait_for_each_other),
		cmocka_unit_test(a_doorbell_that_nobody_may_ring),
		cmocka_unit_test(nobody_waits_for_a_registration),
		cmocka_unit_test(a_device_that_is_not_heard),
		cmocka_unit_test(completions_that_are_not_heard),
		cmocka_unit_test(free_waits_for_what_is_to_be_rung),
		cmocka_unit_test(another_thread_arms),
		cmocka_unit_test(no_wake_up_is_lost_until_it_does),
		cmocka_unit_test(a_queue_that_nobody_may_arm),
		cmocka_unit_test(both_directions_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
