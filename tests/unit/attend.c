/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* attend.c -- calls whose threads receive the answers themselves */

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "clock.h"
#include "session.h"
#include "support/sessions.h"
#include "xfer/xfer.h"

#define LONG_NS (20000 * XFER_NS_PER_MS)

/* A READ or WRITE, and where its end was told. */
struct told {
	struct wait_io w;
	pthread_t thread;
	bool on_lane;
	_Atomic bool ended;
	struct told *next; /* submitted then */
};

static void note_end(struct xfer_io *io)
{
	struct told *told = (struct told *)io;

	told->thread = pthread_self();
	told->on_lane = xfer_on_lane_thread();
	if (told->next)
		xfer_op_read(&told->next->w.io);
	told->ended = true;
	sem_post(&told->w.done);
}

static void prepare(struct fixture *f, struct told *told, void *data, size_t len)
{
	memset(told, 0, sizeof(*told));
	io_prepare(f, &told->w, 0, data, len);
	told->w.io.done = note_end;
	told->w.io.attended = true;
}

static void assert_told_here(struct told *told)
{
	assert_true(told->ended);
	assert_int_equal(io_wait(&told->w), 0);
	assert_true(pthread_equal(told->thread, pthread_self()));
}

/* By the lane; or here, if the answer came before the submission had returned. */
static void assert_told_by_lane(struct told *told)
{
	assert_int_equal(io_wait(&told->w), 0);
	assert_true(told->on_lane || pthread_equal(told->thread, pthread_self()));
}

static void assert_attendance(struct fixture *f, unsigned vain, unsigned unattended)
{
	pthread_mutex_lock(&f->session->lock);
	assert_int_equal(f->session->vain, vain);
	assert_int_equal(f->session->unattended, unattended);
	pthread_mutex_unlock(&f->session->lock);
}

static void *thread_getattr(void *arg)
{
	struct fixture *f = arg;
	struct xfer_attr attr;

	return (void *)(intptr_t)xfer_op_getattr(f->session, &cred, &f->handle, &attr);
}

static bool arrived(void *arg)
{
	struct memowner *owner = arg;

	return owner->operations == 1;
}

/* A thread whose GETATTR isn't answered, and that receives until it is. */
static pthread_t start_attending(struct fixture *f)
{
	pthread_t thread;

	f->session->attend_ns = LONG_NS;
	f->owner.hold_proc = XFER_PROC_GETATTR;
	assert_int_equal(pthread_create(&thread, NULL, thread_getattr, f), 0);
	assert_true(wait_for(arrived, &f->owner));
	usleep(20000);
	return thread;
}

static intptr_t result_of(pthread_t thread)
{
	void *result;

	assert_int_equal(pthread_join(thread, &result), 0);
	return (intptr_t)result;
}

static void test_own_answer(void **state)
{
	static uint8_t data[100000], back[100000];
	struct fixture f;
	struct told told;

	(void)state;
	set_up(&f);
	f.session->attend_ns = LONG_NS;
	memset(data, 'x', sizeof(data));
	prepare(&f, &told, data, sizeof(data));
	xfer_op_write(&told.w.io);
	assert_told_here(&told);
	prepare(&f, &told, back, sizeof(back));
	xfer_op_read(&told.w.io);
	assert_told_here(&told);
	assert_memory_equal(back, data, sizeof(data));
	tear_down(&f);
}

/* Whoever receives keeps to what is his own: the lane tells the other. */
static void test_answer_for_another(void **state)
{
	struct fixture f;
	struct told told;
	uint8_t data[5000];
	pthread_t thread;

	(void)state;
	set_up(&f);
	thread = start_attending(&f);
	prepare(&f, &told, data, sizeof(data));
	xfer_op_read(&told.w.io); /* isn't alone */
	assert_told_by_lane(&told);
	assert_int_equal(f.owner.operations, 2);
	f.owner.hold_proc = 0;
	assert_int_equal(result_of(thread), 0);
	assert_attendance(&f, 0, 16); /* more of them may come */
	tear_down(&f);
}

/* The answer that came too late comes by the lane, and what follows isn't attended at first. */
static void test_in_vain(void **state)
{
	struct fixture f;
	struct told told;
	uint8_t data[5000];

	(void)state;
	set_up(&f);
	for (unsigned round = 1; round <= 8; round++) {
		unsigned vain = round < 6 ? (1u << round) - 1 : 63;

		f.session->attend_ns = 1;
		f.owner.hold_proc = XFER_PROC_READ;
		prepare(&f, &told, data, sizeof(data));
		xfer_op_read(&told.w.io);
		assert_false(told.ended);
		assert_attendance(&f, vain, vain);
		f.owner.hold_proc = 0;
		assert_told_by_lane(&told);
		f.session->attend_ns = LONG_NS;
		for (unsigned left = vain; left > 0; left--) {
			prepare(&f, &told, data, sizeof(data));
			xfer_op_read(&told.w.io);
			assert_told_by_lane(&told);
			assert_attendance(&f, vain, left - 1);
		}
	}
	for (unsigned i = 0; i < 2; i++) {
		prepare(&f, &told, data, sizeof(data));
		xfer_op_read(&told.w.io);
		assert_told_here(&told);
		assert_attendance(&f, 0, 0);
	}
	tear_down(&f);
}

static void *thread_write(void *arg)
{
	struct told *told = arg;

	xfer_op_write(&told->w.io);
	return NULL;
}

/* It is sent again in the next epoch, and executed once. */
static void test_connection_ends(void **state)
{
	struct fixture f;
	struct later later;
	struct told told;
	uint8_t data[5000] = { 0 };
	pthread_t thread;

	(void)state;
	set_up(&f);
	f.session->attend_ns = LONG_NS;
	f.owner.hold_proc = XFER_PROC_WRITE;
	prepare(&f, &told, data, sizeof(data));
	assert_int_equal(pthread_create(&thread, NULL, thread_write, &told), 0);
	assert_true(wait_for(arrived, &f.owner));
	usleep(20000);
	later = (struct later){ f.session, f.session->epoch };
	cut(f.session);
	assert_int_equal(result_of(thread), 0);
	assert_true(wait_for(later_epoch, &later));
	assert_false(told.ended);
	f.owner.hold_proc = 0;
	assert_int_equal(io_wait(&told.w), 0);
	assert_int_equal(f.owner.writes, 1);
	tear_down(&f);
}

/* What another one has received, and the lane hasn't told yet, is told before the epoch ends. */
static void test_connection_ends_with_answers_for_others(void **state)
{
	enum { CALLS = 50 };
	struct fixture f;
	struct told told[CALLS];
	uint8_t data[CALLS];

	(void)state;
	for (unsigned round = 0; round < 20; round++) {
		pthread_t thread;
		intptr_t result;

		set_up(&f);
		thread = start_attending(&f);
		for (unsigned i = 0; i < CALLS; i++) {
			prepare(&f, &told[i], data + i, 1);
			xfer_op_read(&told[i].w.io);
		}
		cut(f.session);
		f.owner.hold_proc = 0;
		for (unsigned i = 0; i < CALLS; i++)
			assert_int_equal(io_wait(&told[i].w), 0);
		result = result_of(thread);
		assert_true(result == 0 || result == -EAGAIN);
		tear_down(&f);
	}
}

/* --- calls that end on the threads that submit them ---------------------------------------------- */

void __real_xfer_conn_send(struct xfer_conn *conn, struct xfer_out *out);
void __wrap_xfer_conn_send(struct xfer_conn *conn, struct xfer_out *out);

static _Thread_local bool is_late; /* learns that its bytes have left when `late` is over */
static _Thread_local void (*sent)(struct xfer_out *out, int err);
static _Atomic bool late;

static void sent_late(struct xfer_out *out, int err)
{
	while (late)
		usleep(1000);
	sent(out, err);
}

void __wrap_xfer_conn_send(struct xfer_conn *conn, struct xfer_out *out)
{
	if (is_late) {
		sent = out->sent;
		out->sent = sent_late;
	}
	__real_xfer_conn_send(conn, out);
}

static void *submit_late(void *arg)
{
	struct told *told = arg;

	is_late = true;
	xfer_op_read(&told->w.io);
	return NULL;
}

static bool all_answered(void *arg)
{
	struct fixture *f = arg;
	unsigned pending = 0;

	for (unsigned i = 0; i < f->session->nlanes; i++)
		pending += xfer_caller_pending(f->session->lanes[i]);
	return f->owner.operations == XFER_PAYLOAD_OUT_MAX / XFER_IO_MAX / 2 && pending == 0;
}

/* What waits for room goes when they make some, though hardly any, or no call ends on a lane. */
static void test_room_made_by_others(void **state)
{
	enum { CALLS = XFER_PAYLOAD_OUT_MAX / XFER_IO_MAX / 2 };
	uint8_t *data = malloc((size_t)(CALLS + 1) * XFER_IO_MAX);
	pthread_t threads[CALLS];
	struct told told[CALLS], waiting;
	struct fixture f;

	(void)state;
	set_up(&f);
	late = true;
	for (unsigned i = 0; i < CALLS; i++) {
		prepare(&f, &told[i], data + (size_t)i * XFER_IO_MAX, XFER_IO_MAX);
		told[i].w.io.attended = false;
		assert_int_equal(pthread_create(&threads[i], NULL, submit_late, &told[i]), 0);
	}
	assert_true(wait_for(all_answered, &f));
	usleep(20000); /* the lanes have nothing more to do with them */
	prepare(&f, &waiting, data + (size_t)CALLS * XFER_IO_MAX, XFER_IO_MAX);
	xfer_op_read(&waiting.w.io);
	assert_false(waiting.ended);
	late = false;
	for (unsigned i = 0; i < CALLS; i++) {
		assert_int_equal(io_wait(&told[i].w), 0);
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	}
	assert_told_by_lane(&waiting);
	free(data);
	tear_down(&f);
}

/* A lane doesn't wait: the call is submitted as any other. */
static void test_submitted_by_a_lane(void **state)
{
	struct fixture f;
	struct told first, next;
	uint8_t data[100], more[100];

	(void)state;
	set_up(&f);
	f.session->attend_ns = LONG_NS;
	prepare(&f, &first, data, sizeof(data));
	prepare(&f, &next, more, sizeof(more));
	first.w.io.attended = false;
	first.next = &next;
	xfer_op_read(&first.w.io);
	assert_told_by_lane(&first);
	assert_told_by_lane(&next);
	tear_down(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_answer),
		cmocka_unit_test(test_answer_for_another),
		cmocka_unit_test(test_in_vain),
		cmocka_unit_test(test_connection_ends),
		cmocka_unit_test(test_connection_ends_with_answers_for_others),
		cmocka_unit_test(test_room_made_by_others),
		cmocka_unit_test(test_submitted_by_a_lane),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
