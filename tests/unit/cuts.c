/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* cuts.c -- a connection that is cut at each byte of an exchange, or stalls: how often operations are carried out */

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "clock.h"
#include "log.h"
#include "session.h"
#include "support/fault_io.h"
#include "support/memowner.h"
#include "xfer/xfer.h"

#define PROCESSES 8 /* share the cuts */
#define BYTES     10u

static const struct xfer_cred cred;

struct fixture {
	struct memowner owner;
	struct xfer_context *context;
	struct xfer_session *session;
	struct xfer_handle handle;
};

static void await_session(struct fixture *f)
{
	uint64_t deadline = xfer_now_ns() + 20000 * XFER_NS_PER_MS;

	while (!xfer_session_is_up(f->session)) {
		assert_true(xfer_now_ns() < deadline);
		usleep(500);
	}
}

static void set_up(struct fixture *f, unsigned heartbeat_ms)
{
	struct xfer_context_params params = {
		.node = "a",
		.lanes = 1,
		.heartbeat_ms = heartbeat_ms,
		.path = XFER_WISH_INLINE, /* nothing else is said meanwhile */
	};

	memset(f, 0, sizeof(*f));
	fault_io_plan(&(struct fault_plan){ .kind = FAULT_NONE });
	memowner_start(&f->owner, "b", NULL);
	assert_int_equal(xfer_context_create(&params, &f->context), 0);
	xfer_handle_root(1, &f->handle);
	assert_int_equal(
		xfer_session_open(f->context,
			&(struct xfer_session_params){ .owner = "b", .address = f->owner.address },
			&f->session),
		0);
	await_session(f);
}

/* The owner has seen by then all that was sent. */
static void tear_down(struct fixture *f)
{
	uint64_t deadline = xfer_now_ns() + 20000 * XFER_NS_PER_MS;

	await_session(f); /* else the owner would wait for it to come back */
	xfer_session_close(f->session);
	while (f->owner.peers_gone == 0) {
		assert_true(xfer_now_ns() < deadline);
		usleep(500);
	}
	xfer_context_destroy(f->context);
	memowner_stop(&f->owner);
}

/* --- operations -------------------------------------------------------------------------------- */

struct wait_io {
	struct xfer_io io;
	sem_t done;
};

static void post(struct xfer_io *io)
{
	sem_post(&((struct wait_io *)io)->done);
}

static int run_io(struct fixture *f, bool write, uint8_t *data)
{
	struct iovec iov = { data, BYTES };
	struct wait_io w = { .io = {
				     .session = f->session,
				     .cred = cred,
				     .handle = f->handle,
				     .iov = &iov,
				     .iovcnt = 1,
				     .done = post,
			     } };

	sem_init(&w.done, 0, 0);
	(write ? xfer_op_write : xfer_op_read)(&w.io);
	while (sem_wait(&w.done))
		;
	sem_destroy(&w.done);
	return w.io.result;
}

static int run_write(struct fixture *f)
{
	uint8_t data[BYTES];

	memset(data, 'n', BYTES);
	return run_io(f, true, data);
}

static int run_read(struct fixture *f)
{
	uint8_t data[BYTES];

	return run_io(f, false, data);
}

static int run_getattr(struct fixture *f)
{
	struct xfer_attr attr;

	return xfer_op_getattr(f->session, &cred, &f->handle, &attr);
}

static const struct operation {
	const char *name;
	int (*run)(struct fixture *f);
	bool waits;   /* for the session's next epoch, where it is sent again */
	bool changes; /* so it is carried out once */
} operations[] = {
	{ "WRITE", run_write, true, true },
	{ "READ", run_read, true, false },
	{ "GETATTR", run_getattr, false, false },
};

/* --- the rule of xfer.h ------------------------------------------------------------------------ */

struct cut {
	enum fault_direction direction;
	uint64_t at;             /* bytes that pass before */
	uint64_t request, reply; /* bytes of the whole exchange */
};

static bool arrived(const struct cut *cut)
{
	return cut->direction == FAULT_RECEIVE || cut->at == cut->request;
}

static bool answered(const struct cut *cut)
{
	return cut->direction == FAULT_RECEIVE && cut->at == cut->reply;
}

/* A thread doesn't wait for what changes nothing. */
static int expected_result(const struct operation *operation, const struct cut *cut)
{
	return operation->waits || answered(cut) ? 0 : -EAGAIN;
}

/* How often the owner carries the operation out. */
static unsigned expected_operations(const struct operation *operation, const struct cut *cut)
{
	unsigned first = arrived(cut);

	if (!operation->waits || answered(cut))
		return first;
	return operation->changes ? 1 : first + 1;
}

/* --- cuts -------------------------------------------------------------------------------------- */

static struct cut measure(const struct operation *operation)
{
	struct fixture f;
	struct fault_passed passed;

	set_up(&f, 60000);
	fault_io_plan(&(struct fault_plan){ .kind = FAULT_NONE });
	assert_int_equal(operation->run(&f), 0);
	passed = fault_io_passed();
	tear_down(&f);
	assert_true(passed.bytes[FAULT_SEND] > 0 && passed.bytes[FAULT_RECEIVE] > 0);
	return (struct cut){ .request = passed.bytes[FAULT_SEND],
		.reply = passed.bytes[FAULT_RECEIVE] };
}

static bool check_cut(const struct operation *operation, const struct cut *cut)
{
	struct fault_plan plan = { .kind = FAULT_CUT, .direction = cut->direction, .at = cut->at };
	struct fixture f;
	unsigned carried_out;
	int got;

	set_up(&f, 60000);
	fault_io_plan(&plan);
	got = operation->run(&f);
	tear_down(&f);
	carried_out = f.owner.operations;
	if (got == expected_result(operation, cut) &&
		carried_out == expected_operations(operation, cut))
		return true;
	print_error("%s cut at byte %llu of what is %s: %d instead of %d, carried out %u times\n",
		operation->name, (unsigned long long)cut->at,
		cut->direction == FAULT_SEND ? "sent" : "received", got,
		expected_result(operation, cut), carried_out);
	return false;
}

/* All cuts of an exchange but those that are another process's. */
static bool check_cuts(const struct operation *operation, unsigned mine)
{
	struct cut cut = measure(operation);
	bool good = true;

	for (cut.direction = FAULT_SEND; cut.direction <= FAULT_RECEIVE; cut.direction++) {
		uint64_t last = cut.direction == FAULT_SEND ? cut.request : cut.reply;

		for (cut.at = mine; cut.at <= last; cut.at += PROCESSES)
			good = check_cut(operation, &cut) && good;
	}
	return good;
}

static void cut_everywhere(const struct operation *operation)
{
	pid_t pids[PROCESSES];

	for (unsigned i = 0; i < PROCESSES; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			_exit(!check_cuts(operation, i));
		}
	}
	for (unsigned i = 0; i < PROCESSES; i++) {
		int status;

		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
}

static void test_write(void **state)
{
	(void)state;
	cut_everywhere(&operations[0]);
}

static void test_read(void **state)
{
	(void)state;
	cut_everywhere(&operations[1]);
}

static void test_getattr(void **state)
{
	(void)state;
	cut_everywhere(&operations[2]);
}

/* --- stalls and delays ------------------------------------------------------------------------- */

static void test_a_call_that_is_delayed(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f, 60000);
	for (enum fault_direction direction = FAULT_SEND; direction <= FAULT_RECEIVE; direction++) {
		struct fault_plan plan = {
			.kind = FAULT_DELAY, .direction = direction, .calls = true, .ms = 30
		};
		uint64_t began = xfer_now_ns();

		fault_io_plan(&plan);
		assert_int_equal(run_write(&f), 0);
		assert_true(xfer_now_ns() - began >= plan.ms * XFER_NS_PER_MS);
	}
	assert_int_equal(f.owner.operations, 2);
	tear_down(&f);
}

/* The stall is over when the heartbeat has ended the connection. */
static void *end_stall(void *arg)
{
	struct fixture *f = arg;

	while (xfer_session_is_up(f->session))
		usleep(500);
	fault_io_plan(&(struct fault_plan){ .kind = FAULT_NONE });
	return NULL;
}

/* In the middle of a message. */
static void test_a_connection_that_stalls(void **state)
{
	struct fixture f;
	pthread_t thread;

	(void)state;
	for (unsigned i = 0; i < sizeof(operations) / sizeof(*operations); i++) {
		struct cut cut = { .direction = FAULT_SEND, .at = 50, .request = 51 };

		set_up(&f, 100);
		fault_io_plan(&(struct fault_plan){
			.kind = FAULT_STALL, .direction = cut.direction, .at = cut.at });
		pthread_create(&thread, NULL, end_stall, &f);
		assert_int_equal(operations[i].run(&f), expected_result(&operations[i], &cut));
		pthread_join(thread, NULL);
		assert_int_equal(f.owner.operations, expected_operations(&operations[i], &cut));
		tear_down(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_getattr),
		cmocka_unit_test(test_a_call_that_is_delayed),
		cmocka_unit_test(test_a_connection_that_stalls),
	};

	/* Each cut would be reported, at both ends. */
	xfer_log_set_level(XFER_LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
