/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* session_loss.c -- sessions whose connections, or whose owners, go away */

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
#include <jansson.h>
#include <semaphore.h>
#include <sys/un.h>

#include "address.h"
#include "clock.h"
#include "counters.h"
#include "log.h"
#include "session.h"
#include "support/sessions.h"
#include "xfer/xfer.h"

static bool one_arrived(void *arg)
{
	return ((struct memowner *)arg)->operations == 1;
}

static bool two_arrived(void *arg)
{
	return ((struct memowner *)arg)->operations == 2;
}

static void *stop_owner(void *arg)
{
	memowner_stop(arg);
	return NULL;
}

/* The owner ends with a WRITE and a READ under way, and one with the same address comes. */
static void test_owner_restart(void **state)
{
	struct fixture f;
	struct memowner next;
	struct wait_io write, read;
	struct xfer_attr attr;
	uint8_t data[10] = { 0 }, more[10];
	pthread_t stopper;

	(void)state;
	set_up(&f);
	f.owner.hold = true;
	io_prepare(&f, &write, 0, data, sizeof(data));
	io_prepare(&f, &read, 0, more, sizeof(more));
	xfer_op_write(&write.io);
	xfer_op_read(&read.io);
	assert_true(wait_for(two_arrived, &f.owner));
	f.owner.delay_us = 1;
	/* The answers come after the connections have ended. */
	pthread_create(&stopper, NULL, stop_owner, &f.owner);
	pthread_join(stopper, NULL);
	assert_true(wait_for(session_down, f.session));
	assert_int_equal(xfer_op_getattr(f.session, &cred, &f.handle, &attr), -EAGAIN);
	assert_int_equal(f.owner.peers_gone, 1);

	memset(&next, 0, sizeof(next));
	memowner_start(&next, "b", f.owner.address);
	/* It doesn't know of the session: nobody can tell what became of the WRITE. */
	assert_in_set((unsigned)-io_wait(&write), ((unsigned long[]){ EREMOTEIO, 0 }), 2);
	assert_int_equal(io_wait(&read), 0);
	assert_true(wait_for(session_up, f.session));
	assert_int_equal(xfer_op_getattr(f.session, &cred, &f.handle, &attr), 0);
	xfer_session_close(f.session);
	xfer_context_destroy(f.context);
	memowner_stop(&next);
}

struct breaker {
	struct fixture *f;
	_Atomic bool stop;
	_Atomic unsigned ended, failed;
};

static void *submit_always(void *arg)
{
	struct breaker *breaker = arg;
	struct xfer_attr attr;
	uint8_t data[5000] = { 0 };
	struct wait_io w[4];

	while (!breaker->stop) {
		for (unsigned i = 0; i < 4; i++) {
			io_prepare(breaker->f, &w[i], i * 5000, data, sizeof(data));
			w[i].io.attended = i % 2;
			xfer_op_write(&w[i].io);
		}
		(void)xfer_op_getattr(breaker->f->session, &cred, &breaker->f->handle, &attr);
		for (unsigned i = 0; i < 4; i++)
			(void)io_wait(&w[i]); /* whatever becomes of it, it ends */
		breaker->ended += 4;
	}
	return NULL;
}

/* Connections break at any point of a submission: each call ends, the session comes up again each time. */
static void test_submitting_while_connections_break(void **state)
{
	struct fixture f;
	struct breaker breaker = { .f = &f };
	pthread_t threads[3];

	(void)state;
	set_up(&f);
	for (unsigned i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, submit_always, &breaker);
	for (unsigned i = 0; i < 10; i++) {
		char address[sizeof(f.owner.address)];

		usleep(5000 + i * 1000);
		strcpy(address, f.owner.address);
		memowner_stop(&f.owner);
		memset(&f.owner, 0, sizeof(f.owner));
		memowner_start(&f.owner, "b", address);
		assert_true(wait_for(session_up, f.session));
	}
	breaker.stop = true;
	for (unsigned i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	assert_true(breaker.ended > 0);
	tear_down(&f);
}

/* Changing operations that are cut off have an unknown fate, the others may be asked again. */
static void test_fate_of_cut_off_calls(void **state)
{
	struct fixture f;
	struct wait_io write, read;
	uint8_t data[10] = { 0 }, more[10];

	(void)state;
	set_up(&f);
	f.owner.hold = true;
	io_prepare(&f, &write, 0, data, sizeof(data));
	io_prepare(&f, &read, 0, more, sizeof(more));
	xfer_op_write(&write.io);
	xfer_op_read(&read.io);
	assert_true(wait_for(two_arrived, &f.owner));
	xfer_session_close(f.session);
	assert_int_equal(io_wait(&write), -EREMOTEIO);
	assert_int_equal(io_wait(&read), -EAGAIN);
	xfer_context_destroy(f.context);
	memowner_stop(&f.owner);
}

/* A process that accepts and says nothing is found out by its silence. */
static void test_silent_owner(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct xfer_context *context = new_context(100);
	struct xfer_session *session;
	struct xfer_attr attr;
	struct xfer_handle handle;
	char text[128];
	char *json;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	uint64_t begun;

	(void)state;
	snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/silent-%d", getpid());
	snprintf(text, sizeof(text), "unix:%s", address.sun_path);
	unlink(address.sun_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 5), 0);
	xfer_handle_root(1, &handle);
	assert_int_equal(
		xfer_session_open(context,
			&(struct xfer_session_params){ .owner = "b", .address = text }, &session),
		0);
	usleep(50000);
	assert_int_equal(xfer_op_getattr(session, &cred, &handle, &attr), -EAGAIN);
	begun = xfer_now_ns();
	assert_int_equal(xfer_status(text, 500, &json), -ETIMEDOUT);
	assert_in_range(xfer_now_ns() - begun, 400 * XFER_NS_PER_MS, 5000 * XFER_NS_PER_MS);
	xfer_session_close(session);
	xfer_context_destroy(context);
	close(fd);
	unlink(address.sun_path);
}

/* --- sessions outlive connections ------------------------------------------------------------- */

/* What is under way when a connection ends is executed once, and its answer arrives. */
static void test_calls_outlive_connections(void **state)
{
	struct fixture f;
	struct wait_io write, read;
	struct later later;
	uint8_t data[10] = "once", more[10];

	(void)state;
	set_up(&f);
	later.session = f.session;
	f.owner.hold = true;
	io_prepare(&f, &write, 0, data, sizeof(data));
	io_prepare(&f, &read, 100, more, sizeof(more));
	xfer_op_write(&write.io);
	xfer_op_read(&read.io);
	assert_true(wait_for(two_arrived, &f.owner));
	for (unsigned i = 0; i < 3; i++) {
		later.epoch = f.session->epoch;
		cut(f.session);
		assert_true(wait_for(later_epoch, &later));
	}
	f.owner.hold = false;
	assert_int_equal(io_wait(&write), 0);
	assert_int_equal(io_wait(&read), 0);
	assert_memory_equal(f.owner.data, data, sizeof(data));
	assert_int_equal(f.owner.writes, 1);
	assert_int_equal(f.owner.peers_gone, 0);
	tear_down(&f);
}

static void *write_always(void *arg)
{
	struct breaker *breaker = arg;
	uint8_t data[5000] = { 0 };
	struct wait_io w[4];

	while (!breaker->stop) {
		for (unsigned i = 0; i < 4; i++) {
			io_prepare(breaker->f, &w[i], i * 5000, data, sizeof(data));
			w[i].io.attended = i % 2;
			xfer_op_write(&w[i].io);
		}
		for (unsigned i = 0; i < 4; i++)
			breaker->failed += io_wait(&w[i]) != 0;
		breaker->ended += 4;
	}
	return NULL;
}

/* However often connections end: nothing fails, nothing is executed twice. */
static void test_exactly_once(void **state)
{
	struct fixture f;
	struct breaker breaker = { .f = &f };
	pthread_t threads[3];

	(void)state;
	set_up(&f);
	f.owner.delay_us = 300;
	for (unsigned i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, write_always, &breaker);
	for (unsigned i = 0; i < 20; i++) {
		struct later later = { f.session, f.session->epoch };

		usleep(5000 + i * 700);
		cut(f.session);
		assert_true(wait_for(later_epoch, &later));
	}
	breaker.stop = true;
	for (unsigned i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	assert_true(breaker.ended > 0);
	assert_int_equal(breaker.failed, 0);
	assert_int_equal(f.owner.writes, breaker.ended);
	tear_down(&f);
}

/* A READ that is asked for while there is no session waits for it, but not for ever, and so many only. */
static void test_parked_calls(void **state)
{
	enum { CALLS = XFER_SESSION_PARKED + 10 };
	struct fixture f;
	struct wait_io *w = calloc(CALLS, sizeof(*w));
	char address[sizeof(f.owner.address)];
	static uint8_t data[CALLS];
	unsigned refused = 0, late = 0;

	(void)state;
	set_up(&f);
	strcpy(address, f.owner.address);
	memowner_stop(&f.owner);
	assert_true(wait_for(session_down, f.session));
	for (unsigned i = 0; i < CALLS; i++) {
		io_prepare(&f, &w[i], i, &data[i], 1);
		xfer_op_read(&w[i].io);
	}
	for (unsigned i = XFER_SESSION_PARKED; i < CALLS; i++)
		refused += io_wait(&w[i]) == -EAGAIN;
	assert_int_equal(refused, 10);
	memset(&f.owner, 0, sizeof(f.owner));
	memowner_start(&f.owner, "b", address);
	for (unsigned i = 0; i < XFER_SESSION_PARKED; i++)
		assert_int_equal(io_wait(&w[i]), 0);
	memowner_stop(&f.owner);
	assert_true(wait_for(session_down, f.session));
	f.session->parked_ms = 200;
	for (unsigned i = 0; i < 5; i++) {
		io_prepare(&f, &w[i], i, &data[i], 1);
		xfer_op_read(&w[i].io);
	}
	for (unsigned i = 0; i < 5; i++)
		late += io_wait(&w[i]) == -EAGAIN;
	assert_int_equal(late, 5);
	memset(&f.owner, 0, sizeof(f.owner));
	memowner_start(&f.owner, "b", address);
	free(w);
	tear_down(&f);
}

/* --- an owner's successor --------------------------------------------------------------------- */

static struct {
	_Atomic unsigned calls, in_time;
	_Atomic int inside, outside; /* what GETATTR says to this thread and to another one */
	bool cut;                    /* the first time */
	_Atomic int after_cut;
} recovery;

static void *ask_outside(void *arg)
{
	struct fixture *f = arg;
	struct xfer_attr attr;

	recovery.outside = xfer_op_getattr(f->session, &cred, &f->handle, &attr);
	return NULL;
}

static void *cut_later(void *arg)
{
	usleep(50000);
	cut(arg);
	return NULL;
}

static void recover(void *arg, struct xfer_session *session, bool in_time)
{
	struct fixture *f = arg;
	struct xfer_attr attr;
	pthread_t other;

	if (recovery.cut) {
		struct xfer_opt_attr dir_attr, object;

		f->owner.hold = true;
		pthread_create(&other, NULL, cut_later, session);
		recovery.after_cut =
			xfer_op_unlink(session, &cred, &f->handle, "name", &dir_attr, &object);
		pthread_join(other, NULL);
		f->owner.hold = false;
		recovery.cut = false;
		recovery.calls++;
		return;
	}
	recovery.inside = xfer_op_getattr(session, &cred, &f->handle, &attr);
	pthread_create(&other, NULL, ask_outside, f);
	pthread_join(other, NULL);
	recovery.in_time += in_time;
	recovery.calls++;
}

static const struct xfer_session_ops recovering = { .recover = recover };

/* A WRITE is under way when the owner goes, and its successor with this standing comes. */
static void lose_owner(struct fixture *f, struct wait_io *write, uint8_t *data, size_t len)
{
	memset(&recovery, 0, sizeof(recovery));
	session_ops = &recovering;
	set_up(f);
	session_ops = NULL;
	assert_int_equal(recovery.calls, 0); /* there was nothing before */
	f->owner.hold = true;
	io_prepare(f, write, 0, data, len);
	xfer_op_write(&write->io);
	assert_true(wait_for(one_arrived, &f->owner));
	f->owner.late_us = 100000; /* the answer comes when the connections have ended */
	memowner_stop(&f->owner);
	assert_true(wait_for(session_down, f->session));
}

static void succeed(struct fixture *f, enum xfer_standing standing, bool too_late)
{
	char address[sizeof(f->owner.address)];

	strcpy(address, f->owner.address);
	memset(&f->owner, 0, sizeof(f->owner));
	f->owner.standing = standing;
	f->owner.too_late = too_late;
	memowner_start(&f->owner, "b", address);
}

/* First what is open is made again, while nobody else may go; what was under way is sent again; then RECOVERED. */
static void test_recovery(void **state)
{
	struct fixture f;
	struct wait_io write;
	uint8_t data[10] = "again";

	(void)state;
	lose_owner(&f, &write, data, sizeof(data));
	succeed(&f, XFER_STANDING_RECOVER, false);
	assert_int_equal(io_wait(&write), 0);
	assert_true(wait_for(session_up, f.session));
	assert_int_equal(f.owner.writes, 1);
	assert_memory_equal(f.owner.data, data, sizeof(data));
	assert_int_equal(f.owner.recovered, 1);
	assert_int_equal(recovery.calls, 1);
	assert_int_equal(recovery.in_time, 1);
	assert_int_equal(recovery.inside, 0);
	assert_int_equal(recovery.outside, -EAGAIN);
	tear_down(&f);
}

/* The connection ends while opens are made again: that operation ends, too, and everything is made once more. */
static void test_interrupted_recovery(void **state)
{
	struct fixture f;
	struct wait_io write;
	uint8_t data[10] = "again";
	uint64_t first;

	(void)state;
	lose_owner(&f, &write, data, sizeof(data));
	first = f.session->session_id;
	recovery.cut = true;
	succeed(&f, XFER_STANDING_RECOVER, false);
	assert_int_equal(io_wait(&write), 0);
	assert_true(wait_for(session_up, f.session));
	assert_int_equal(recovery.after_cut, -EAGAIN);
	assert_int_equal(recovery.calls, 2);
	assert_int_equal(recovery.in_time, 1);
	assert_int_equal(recovery.inside, 0);
	assert_int_equal(f.owner.recovered, 1);
	assert_int_equal(f.owner.peers_gone, 1); /* the session that was given up */
	assert_true(f.session->session_id != first);
	tear_down(&f);
}

/* To one that knows nothing of it, nothing is sent again. */
static void test_recovery_of_what_is_unknown(void **state)
{
	struct fixture f;
	struct wait_io write;
	uint8_t data[10] = "again";

	(void)state;
	lose_owner(&f, &write, data, sizeof(data));
	succeed(&f, XFER_STANDING_NEW, false);
	assert_int_equal(io_wait(&write), -EREMOTEIO);
	assert_true(wait_for(session_up, f.session));
	assert_int_equal(f.owner.writes, 0);
	assert_int_equal(f.owner.recovered, 0);
	assert_int_equal(recovery.calls, 1);
	assert_int_equal(recovery.in_time, 0);
	tear_down(&f);
}

static bool recovered_twice(void *arg)
{
	(void)arg;
	return recovery.calls == 2;
}

/* RECOVERED comes too late: once more, as a new session. */
static void test_recovery_too_late(void **state)
{
	struct fixture f;
	struct wait_io write;
	uint8_t data[10] = "again";

	(void)state;
	lose_owner(&f, &write, data, sizeof(data));
	succeed(&f, XFER_STANDING_RECOVER, true);
	assert_int_equal(io_wait(&write), 0);
	while (f.owner.recovered == 0)
		usleep(1000);
	f.owner.standing = XFER_STANDING_NEW;
	assert_true(wait_for(recovered_twice, NULL));
	assert_int_equal(recovery.in_time, 1);
	assert_true(wait_for(session_up, f.session));
	tear_down(&f);
}

/* --- CANCEL ----------------------------------------------------------------------------------- */

/* A thread whose operation the owner doesn't begin gets it back; nothing is executed. */
static void test_cancel(void **state)
{
	struct xfer_opt_attr dir_attr, object;
	struct fixture f;

	(void)state;
	set_up(&f);
	f.session->cancel_ms = 100;
	f.owner.cancels = true;
	f.owner.hold = true;
	assert_int_equal(
		xfer_op_unlink(f.session, &cred, &f.handle, "name", &dir_attr, &object), -EAGAIN);
	f.owner.hold = false;
	assert_int_equal(f.owner.running, 0);
	assert_int_equal(xfer_op_unlink(f.session, &cred, &f.handle, "name", &dir_attr, &object),
		-EOPNOTSUPP);
	tear_down(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_owner_restart),
		cmocka_unit_test(test_submitting_while_connections_break),
		cmocka_unit_test(test_fate_of_cut_off_calls),
		cmocka_unit_test(test_silent_owner),
		cmocka_unit_test(test_calls_outlive_connections),
		cmocka_unit_test(test_exactly_once),
		cmocka_unit_test(test_parked_calls),
		cmocka_unit_test(test_recovery),
		cmocka_unit_test(test_interrupted_recovery),
		cmocka_unit_test(test_recovery_of_what_is_unknown),
		cmocka_unit_test(test_recovery_too_late),
		cmocka_unit_test(test_cancel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
