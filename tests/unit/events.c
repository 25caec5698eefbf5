/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* events.c -- EVENTS: what an owner tells a session of, at both ends */

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <rpc/rpc.h>

#include "clock.h"
#include "control/caller.h"
#include "session.h"
#include "support/raw.h"
#include "support/sessions.h"

/* --- what the session's user hears ------------------------------------------------------------ */

struct heard {
	unsigned count; /* 0: nothing is to be believed any more */
	struct xfer_invalidation list[XFER_EVENTS_MAX];
	unsigned events; /* how many EVENTS had arrived at the owner by then */
	unsigned ended;  /* how many sessions had ended there */
	bool up;         /* the session was */
};

#define HEARD_MAX 64u

static struct {
	pthread_mutex_t lock;
	unsigned n; /* of all; the first ones are kept */
	struct heard heard[HEARD_MAX];
	unsigned slow_us; /* so long the owner gets to hear what it must not hear yet */
} user = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void invalidate(void *arg, const struct xfer_invalidation *invalidations, unsigned count)
{
	struct fixture *f = arg;

	usleep(user.slow_us);
	pthread_mutex_lock(&user.lock);
	if (user.n < HEARD_MAX) {
		struct heard *heard = &user.heard[user.n];

		*heard = (struct heard){
			.count = count, .events = f->owner.events, .ended = f->owner.ended
		};
		for (unsigned i = 0; i < count; i++)
			heard->list[i] = invalidations[i];
		heard->up = f->session && xfer_session_is_up(f->session);
	}
	user.n++;
	pthread_mutex_unlock(&user.lock);
}

/* Nothing is open. */
static void recover(void *arg, struct xfer_session *session, bool in_time)
{
	(void)arg;
	(void)session;
	(void)in_time;
}

static const struct xfer_session_ops ops = { .recover = recover, .invalidate = invalidate };

static unsigned heard_so_far(void)
{
	unsigned n;

	pthread_mutex_lock(&user.lock);
	n = user.n;
	pthread_mutex_unlock(&user.lock);
	return n;
}

/* One without a session: a test makes it, when it has changed the owner. */
static void begin_owner(struct fixture *f, bool tells_nothing)
{
	memset(f, 0, sizeof(*f));
	user.n = 0;
	user.slow_us = 5000;
	f->owner.tells_nothing = tells_nothing;
	memowner_start(&f->owner, "b", NULL);
	f->context = new_context(200);
	xfer_handle_root(1, &f->handle);
}

static void begin_session(struct fixture *f, const struct xfer_session_ops *with)
{
	assert_int_equal(xfer_session_open(f->context,
				 &(struct xfer_session_params){ .owner = "b",
					 .address = f->owner.address,
					 .ops = with,
					 .ops_arg = f },
				 &f->session),
		0);
	assert_true(wait_for(session_up, f->session));
}

static void begin(struct fixture *f)
{
	begin_owner(f, false);
	begin_session(f, &ops);
}

struct awaited {
	_Atomic unsigned *value;
	unsigned least;
};

static bool reached(void *arg)
{
	const struct awaited *awaited = arg;

	return *awaited->value >= awaited->least;
}

static void await_events(struct fixture *f, unsigned least)
{
	struct awaited awaited = { &f->owner.events, least };

	assert_true(wait_for(reached, &awaited));
}

static void break_epoch(struct fixture *f)
{
	struct later later = { f->session, f->session->epoch };

	cut(f->session);
	assert_true(wait_for(later_epoch, &later));
}

static void get_attr(struct fixture *f)
{
	struct xfer_attr attr;

	assert_int_equal(xfer_op_getattr(f->session, &cred, &f->handle, &attr), 0);
}

/* --- the calling end -------------------------------------------------------------------------- */

/* Before anything else nothing is believed, and then the owner hears so. */
static void test_begins_fresh(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	await_events(&f, 1);
	assert_true(f.owner.last_fresh);
	assert_true(f.owner.last_seen == 0);
	assert_int_equal(heard_so_far(), 1);
	assert_int_equal(user.heard[0].count, 0);
	assert_int_equal(user.heard[0].events, 0);
	assert_false(user.heard[0].up);
	tear_down(&f);
}

/* What is told is heard first and acknowledged then, by its number. */
static void test_told(void **state)
{
	const struct xfer_events_res two = {
		.number = 5, .count = 2, .list = { { 7, 8 }, { 9, XFER_BUCKETS - 1 } }
	};
	struct fixture f;

	(void)state;
	begin(&f);
	await_events(&f, 1);
	user.slow_us = 20000;
	assert_true(memowner_tell(&f.owner, &two));
	await_events(&f, 2);
	assert_false(f.owner.last_fresh);
	assert_true(f.owner.last_seen == 5);
	assert_int_equal(heard_so_far(), 2);
	assert_int_equal(user.heard[1].events, 1);
	assert_int_equal(user.heard[1].count, 2);
	assert_memory_equal(user.heard[1].list, two.list, 2 * sizeof(*two.list));
	tear_down(&f);
}

static void test_told_of_everything(void **state)
{
	struct xfer_events_res all = { .number = UINT64_MAX, .all = true, .count = 1 };
	struct xfer_events_res full = { .number = 1, .count = XFER_EVENTS_MAX };
	struct xfer_events_res nothing = { .number = 2 };
	struct fixture f;

	(void)state;
	begin(&f);
	await_events(&f, 1);
	assert_true(memowner_tell(&f.owner, &all));
	await_events(&f, 2);
	assert_true(f.owner.last_seen == UINT64_MAX);
	assert_int_equal(heard_so_far(), 2);
	assert_int_equal(user.heard[1].count, 0);
	for (uint32_t i = 0; i < XFER_EVENTS_MAX; i++)
		full.list[i] = (struct xfer_invalidation){ i, i * 1000 };
	assert_true(memowner_tell(&f.owner, &full));
	await_events(&f, 3);
	assert_true(f.owner.last_seen == 1);
	assert_int_equal(user.heard[2].count, XFER_EVENTS_MAX);
	assert_memory_equal(user.heard[2].list, full.list, sizeof(full.list));
	assert_true(memowner_tell(&f.owner, &nothing));
	await_events(&f, 4);
	assert_true(f.owner.last_seen == 2);
	assert_int_equal(heard_so_far(), 3);
	tear_down(&f);
}

/* The next epoch acknowledges everything, and the session's numbers go on; another session's begin anew. */
static void test_epochs(void **state)
{
	struct xfer_events_res what = { .number = 5, .count = 1 };
	char address[sizeof(((struct memowner *)0)->address)];
	struct fixture f;

	(void)state;
	begin(&f);
	await_events(&f, 1);
	assert_true(memowner_tell(&f.owner, &what));
	await_events(&f, 2);
	break_epoch(&f);
	await_events(&f, 3);
	assert_true(f.owner.last_fresh);
	assert_true(f.owner.last_seen == 5);
	assert_int_equal(heard_so_far(), 3);
	assert_int_equal(user.heard[2].count, 0);
	assert_int_equal(user.heard[2].events, 2);
	assert_false(user.heard[2].up);

	strcpy(address, f.owner.address);
	memowner_stop(&f.owner);
	assert_true(wait_for(session_down, f.session));
	memset(&f.owner, 0, sizeof(f.owner));
	memowner_start(&f.owner, "b", address);
	await_events(&f, 1);
	assert_true(f.owner.last_fresh);
	assert_true(f.owner.last_seen == 0);
	assert_int_equal(heard_so_far(), 4);
	tear_down(&f);
}

/* An owner that doesn't serve it is asked once an epoch, and all else is as ever. */
static void test_refused(void **state)
{
	struct fixture f;
	unsigned heard;

	(void)state;
	begin_owner(&f, true);
	begin_session(&f, &ops);
	for (heard = 2; heard < 7; heard += 2) {
		get_attr(&f);
		while (heard_so_far() < heard)
			usleep(1000);
		usleep(50000);
		assert_int_equal(heard_so_far(), heard);
		break_epoch(&f);
	}
	assert_int_equal(f.owner.events, 0);
	tear_down(&f);
}

/* One that stops telling gets no further question, and nothing is believed any more. */
static void test_stops_telling(void **state)
{
	const struct xfer_events_res stop = { .status = XFER_ST_DELAY, .number = 9 };
	struct fixture f;

	(void)state;
	begin(&f);
	await_events(&f, 1);
	assert_true(memowner_tell(&f.owner, &stop));
	while (heard_so_far() < 2)
		usleep(1000);
	usleep(50000);
	assert_int_equal(user.heard[1].count, 0);
	assert_int_equal(f.owner.events, 1);
	get_attr(&f);
	break_epoch(&f);
	await_events(&f, 2);
	assert_true(f.owner.last_fresh);
	assert_true(f.owner.last_seen == 0);
	tear_down(&f);
}

/* It is asked for those who don't want to know, too: nobody has to wait for them. */
static void test_nobody_listens(void **state)
{
	static const struct xfer_session_ops deaf = { .recover = recover };
	struct xfer_events_res what = { .number = 5, .count = 1 };
	struct fixture f;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		begin_owner(&f, false);
		begin_session(&f, i ? &deaf : NULL);
		await_events(&f, 1);
		assert_true(memowner_tell(&f.owner, &what));
		await_events(&f, 2);
		assert_true(f.owner.last_seen == 5);
		what.all = true;
		assert_true(memowner_tell(&f.owner, &what));
		await_events(&f, 3);
		tear_down(&f);
	}
}

/* It is nobody's operation: it takes no lane from others, and the session's end doesn't wait for it. */
static void test_end(void **state)
{
	struct fixture f;
	uint64_t begun;

	(void)state;
	begin(&f);
	await_events(&f, 1);
	get_attr(&f);
	assert_int_equal(xfer_caller_pending(f.session->lanes[0]), 0);
	assert_int_equal(f.session->operations, 1);
	begun = xfer_now_ns();
	xfer_session_close(f.session);
	assert_true(xfer_now_ns() - begun < 900 * XFER_NS_PER_MS);
	/* Nothing is believed when the owner hears of the end; it may refuse EVENTS then, which says so once more. */
	assert_int_equal(f.owner.ended, 1);
	assert_in_range(heard_so_far(), 2, 3);
	assert_int_equal(user.heard[1].count, 0);
	assert_int_equal(user.heard[1].ended, 0);
	xfer_context_destroy(f.context);
	memowner_stop(&f.owner);
}

static struct {
	pthread_mutex_t lock; /* the lane that serves EVENTS stands still as long as it is held */
	void (*events)(void *owner, struct xfer_request *request);
} stalled = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void stall(void *owner, struct xfer_request *request)
{
	pthread_mutex_lock(&stalled.lock);
	pthread_mutex_unlock(&stalled.lock);
	stalled.events(owner, request);
}

/* A peer that says nothing is dead, whatever it was asked. */
static void test_silent_peer(void **state)
{
	struct fixture f;

	(void)state;
	begin_owner(&f, false);
	stalled.events = f.owner.service.events;
	f.owner.service.events = stall;
	pthread_mutex_lock(&stalled.lock);
	begin_session(&f, &ops);
	assert_true(wait_for(session_down, f.session));
	pthread_mutex_unlock(&stalled.lock);
	assert_true(wait_for(session_up, f.session));
	get_attr(&f);
	tear_down(&f);
}

/* --- all at once ------------------------------------------------------------------------------ */

struct teller {
	struct memowner *owner;
	_Atomic bool stop;
	_Atomic unsigned told;
};

/* As fast as it is asked. */
static void *tell_always(void *arg)
{
	struct teller *teller = arg;
	struct xfer_events_res what = { .count = 1 };

	while (!teller->stop) {
		what.number = teller->told + 1;
		if (memowner_tell(teller->owner, &what))
			teller->told++;
	}
	return NULL;
}

static void *ask_always(void *arg)
{
	struct teller *teller = arg;
	struct fixture *f =
		(struct fixture *)((char *)teller->owner - offsetof(struct fixture, owner));
	struct xfer_attr attr;

	while (!teller->stop)
		(void)xfer_op_getattr(f->session, &cred, &f->handle, &attr);
	return NULL;
}

/* Much is told while connections break: one EVENTS at a time (tear_down looks), and none is left. */
static void test_told_while_connections_break(void **state)
{
	struct fixture f;
	struct teller teller = { .owner = &f.owner };
	pthread_t threads[2];

	(void)state;
	begin(&f);
	user.slow_us = 0;
	pthread_create(&threads[0], NULL, tell_always, &teller);
	pthread_create(&threads[1], NULL, ask_always, &teller);
	for (unsigned i = 0; i < 20; i++) {
		usleep(3000 + i * 700);
		break_epoch(&f);
	}
	xfer_session_end(f.session);
	teller.stop = true;
	for (unsigned i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	assert_true(teller.told > 0);
	assert_true(heard_so_far() > 21);
	tear_down(&f);
}

/* --- the serving end -------------------------------------------------------------------------- */

static void send_events(int fd, uint32_t xid, bool fresh, uint64_t seen)
{
	union xfer_args args = { .events = { .fresh = fresh, .seen = seen } };

	send_call(fd, xid, XFER_PROC_EVENTS, &args, 0, 0);
}

static void await_raw(struct raw *raw, unsigned least)
{
	struct awaited awaited = { &raw->owner.events, least };

	assert_true(wait_for(reached, &awaited));
}

static void test_needs_a_session(void **state)
{
	struct raw *raw = *state;
	uint8_t head[XFER_CALL_HEAD];
	uint32_t words[8];

	send_head(raw->fd, head, call_head(head, XFER_PROC_EVENTS, NULL), true);
	assert_true(recv_reply(raw->fd, words, 8) >= 5);
	assert_int_equal(words[2], MSG_DENIED);
	assert_int_equal(words[3], AUTH_ERROR);
	expect_alive(raw->fd);
	assert_int_equal(raw->owner.events, 0);
}

/* It waits beside what else is called, and is answered with what there is to tell. */
static void test_waits(void **state)
{
	const struct xfer_events_res what = { .number = 3, .count = 1, .list = { { 7, 8 } } };
	struct raw *raw = *state;
	union xfer_results results = { 0 };
	uint8_t reply[4096];
	uint32_t len;

	hello_as(raw->fd, "a", 1, 0);
	send_events(raw->fd, 10, true, 2);
	send_call(raw->fd, 11, XFER_PROC_GETATTR, NULL, 0, 1);
	assert_int_equal(expect_reply(raw->fd, 11), XFER_ST_OK);
	await_raw(raw, 1);
	expect_silence(raw->fd, 50);
	assert_true(raw->owner.last_fresh);
	assert_true(raw->owner.last_seen == 2);
	assert_true(memowner_tell(&raw->owner, &what));
	len = recv_record(raw->fd, reply, sizeof(reply));
	assert_int_equal(xfer_rpc_decode_reply(reply, len, XFER_PROC_EVENTS, &results), 0);
	assert_memory_equal(&results.events.list[0], &what.list[0], sizeof(what.list[0]));
	assert_true(results.events.number == 3);
	assert_int_equal(results.events.count, 1);
	assert_int_equal(raw->owner.operations, 1);
}

/* While one waits there is still room for all calls that were agreed on, and for a heartbeat. */
static void test_leaves_room(void **state)
{
	struct raw *raw = *state;
	uint32_t calls;

	calls = hello_as(raw->fd, "a", 1, 0).limits.calls_max;
	send_events(raw->fd, 1, true, 0);
	await_raw(raw, 1);
	raw->owner.hold = true;
	for (uint32_t i = 0; i < calls; i++)
		send_call(raw->fd, 1000 + i, XFER_PROC_GETATTR, NULL, i, 1);
	expect_silence(raw->fd, 50);
	expect_alive(raw->fd);
	raw->owner.hold = false;
	for (uint32_t i = 0; i < calls; i++) {
		uint32_t words[8];

		assert_true(recv_reply(raw->fd, words, 8) >= 7);
	}
}

static int set_up_refusing(void **state)
{
	struct raw *raw = calloc(1, sizeof(*raw));

	raw->owner.tells_nothing = true;
	memowner_start(&raw->owner, "b", NULL);
	raw->fd = connect_raw(raw);
	*state = raw;
	return 0;
}

static void test_not_served(void **state)
{
	struct raw *raw = *state;

	hello_as(raw->fd, "a", 1, 0);
	send_events(raw->fd, 10, true, 0);
	assert_int_equal(expect_reply(raw->fd, 10), EOPNOTSUPP);
	expect_alive(raw->fd);
}

/* What comes after END, or over connections of an earlier epoch, isn't handed on. */
static void test_epoch_is_over(void **state)
{
	struct raw *raw = *state;
	uint64_t id = hello_as(raw->fd, "a", 1, 0).session_id;
	int fd = connect_raw(raw);

	send_events(raw->fd, 10, true, 0);
	await_raw(raw, 1);
	hello_as(fd, "a", 1, id);
	send_events(raw->fd, 11, false, 0);
	send_events(fd, 12, true, 0);
	await_raw(raw, 2);
	send_call(fd, 13, XFER_PROC_END, NULL, 0, 0);
	send_events(fd, 14, false, 0);
	usleep(50000);
	assert_int_equal(raw->owner.events, 2);
	assert_int_equal(raw->owner.event_clashes, 0);
	close(fd);
}

#define RAW(name) cmocka_unit_test_setup_teardown(name, raw_set_up, raw_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_begins_fresh),
		cmocka_unit_test(test_told),
		cmocka_unit_test(test_told_of_everything),
		cmocka_unit_test(test_epochs),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_stops_telling),
		cmocka_unit_test(test_nobody_listens),
		cmocka_unit_test(test_end),
		cmocka_unit_test(test_silent_peer),
		cmocka_unit_test(test_told_while_connections_break),
		RAW(test_needs_a_session),
		RAW(test_waits),
		RAW(test_leaves_room),
		cmocka_unit_test_setup_teardown(test_not_served, set_up_refusing, raw_tear_down),
		RAW(test_epoch_is_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
