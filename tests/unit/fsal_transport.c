/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* fsal_transport.c -- libntirpc's transports stopped and continued: found in epoll, and with another stream under the number */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "transport.h"

/* A transport as libntirpc has it when its xp_recv doesn't ask for another event. */
struct stopped {
	struct rdx_ntirpc_connection connection;
	int epoll, peer;
};

static void make_pair(int fds[2])
{
	assert_return_code(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), errno);
}

static struct stopped *stopped_create(void)
{
	struct stopped *stopped = calloc(1, sizeof(*stopped));
	struct epoll_event event = { .events = EPOLLIN | EPOLLONESHOT };
	int fds[2];

	assert_non_null(stopped);
	make_pair(fds);
	stopped->epoll = epoll_create1(EPOLL_CLOEXEC);
	stopped->peer = fds[1];
	stopped->connection.xprt.xp_fd = event.data.fd = fds[0];
	stopped->connection.xprt.xp_fd_send = -1;
	TAILQ_INIT(&stopped->connection.ioq.ioq_uv.uvqh.qh);
	assert_return_code(epoll_ctl(stopped->epoll, EPOLL_CTL_ADD, fds[0], &event), errno);
	assert_int_equal(write(stopped->peer, "x", 1), 1);
	assert_int_equal(epoll_wait(stopped->epoll, &event, 1, 0), 1);
	return stopped;
}

static void stopped_free(struct stopped *stopped)
{
	close(stopped->connection.xprt.xp_fd);
	close(stopped->peer);
	close(stopped->epoll);
	free(stopped);
}

/* The descriptor of the event that is there; -1: none. */
static int event_of(struct stopped *stopped)
{
	struct epoll_event event;

	return epoll_wait(stopped->epoll, &event, 1, 0) == 1 ? event.data.fd : -1;
}

static void test_at_rest(void **state)
{
	struct stopped *stopped = stopped_create();
	struct rdx_ntirpc_connection *connection = &stopped->connection;
	struct poolq_entry record;
	(void)state;

	assert_true(rdx_transport_at_rest(&connection->xprt));
	TAILQ_INSERT_TAIL(&connection->ioq.ioq_uv.uvqh.qh, &record, q);
	assert_false(rdx_transport_at_rest(&connection->xprt));
	TAILQ_REMOVE(&connection->ioq.ioq_uv.uvqh.qh, &record, q);
	assert_true(rdx_transport_at_rest(&connection->xprt));
	connection->xprt.xp_fd_send = 7;
	assert_false(rdx_transport_at_rest(&connection->xprt));
	stopped_free(stopped);
}

/* Another libntirpc would have something else there. */
static void test_not_at_rest_where_the_layout_is_another(void **state)
{
	struct stopped *stopped = stopped_create();
	(void)state;

	stopped->connection.ioq.ioq_uv.uvqh.qh.tqh_last = NULL;
	assert_false(rdx_transport_at_rest(&stopped->connection.xprt));
	stopped_free(stopped);
}

static void test_continues_with_its_own_descriptor(void **state)
{
	(void)state;

	for (int round = 0; round < 3; round++) {
		struct stopped *stopped = stopped_create(), *other = stopped_create();
		SVCXPRT *xprt = &stopped->connection.xprt;

		assert_int_equal(event_of(stopped), -1);
		assert_int_equal(rdx_transport_continue(xprt, -1), 0);
		assert_true(xprt->xp_flags & SVC_XPRT_FLAG_ADDED_RECV);
		assert_int_equal(event_of(stopped), xprt->xp_fd);
		assert_int_equal(event_of(stopped), -1);
		assert_int_equal(event_of(other), -1);
		assert_false(fcntl(xprt->xp_fd, F_GETFL) & O_NONBLOCK);
		stopped_free(other);
		stopped_free(stopped);
	}
}

static void test_continues_with_another_stream(void **state)
{
	struct stopped *stopped = stopped_create();
	SVCXPRT *xprt = &stopped->connection.xprt;
	int number = xprt->xp_fd, old = dup(number), fds[2];
	char byte = 0;
	(void)state;

	make_pair(fds);
	assert_int_equal(rdx_transport_continue(xprt, fds[0]), 0);
	assert_int_equal(fcntl(fds[0], F_GETFD), -1);
	assert_int_equal(xprt->xp_fd, number);
	assert_false(fcntl(number, F_GETFL) & O_NONBLOCK);

	/* What the old one still has to read is nothing to libntirpc. */
	assert_int_equal(event_of(stopped), -1);
	assert_int_equal(write(stopped->peer, "y", 1), 1);
	assert_int_equal(event_of(stopped), -1);
	assert_int_equal(write(fds[1], "z", 1), 1);
	assert_int_equal(event_of(stopped), number);
	assert_int_equal(read(number, &byte, 1), 1);
	assert_int_equal(byte, 'z');
	close(old);
	close(fds[1]);
	stopped_free(stopped);
}

static void test_one_that_nobody_waits_for_cannot_continue(void **state)
{
	struct stopped *stopped = stopped_create();
	SVCXPRT *xprt = &stopped->connection.xprt;
	int fds[2];
	(void)state;

	assert_return_code(epoll_ctl(stopped->epoll, EPOLL_CTL_DEL, xprt->xp_fd, NULL), errno);
	assert_int_equal(rdx_transport_continue(xprt, -1), -ENOENT);
	make_pair(fds);
	assert_int_equal(rdx_transport_continue(xprt, fds[0]), -ENOENT);
	assert_int_equal(fcntl(fds[0], F_GETFD), -1);
	close(fds[1]);
	stopped_free(stopped);
}

/* Where the other stream can't take its place. */
static void test_streams_that_cannot_be_waited_for(void **state)
{
	struct stopped *stopped = stopped_create();
	SVCXPRT *xprt = &stopped->connection.xprt;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	(void)state;

	assert_return_code(null, errno);
	assert_int_equal(
		rdx_transport_continue(xprt, null), -EPERM); /* epoll takes none of these */
	assert_int_equal(fcntl(null, F_GETFD), -1);
	stopped_free(stopped);

	stopped = stopped_create();
	assert_int_equal(rdx_transport_continue(&stopped->connection.xprt, null), -EBADF);
	stopped_free(stopped);
}

/* Without a free descriptor those of epoll can't be looked for; this one has a number that none had before. */
static void test_without_descriptors(void **state)
{
	struct stopped *stopped = stopped_create();
	int low = stopped->epoll, err;
	struct rlimit before, none;
	(void)state;

	stopped->epoll = fcntl(low, F_DUPFD_CLOEXEC, 500);
	assert_return_code(stopped->epoll, errno);
	close(low);
	assert_return_code(getrlimit(RLIMIT_NOFILE, &before), errno);
	none = before;
	none.rlim_cur = 1;
	assert_return_code(setrlimit(RLIMIT_NOFILE, &none), errno);
	err = rdx_transport_continue(&stopped->connection.xprt, -1);
	assert_return_code(setrlimit(RLIMIT_NOFILE, &before), errno);
	assert_int_equal(err, -EMFILE);
	assert_int_equal(rdx_transport_continue(&stopped->connection.xprt, -1), 0);
	assert_int_equal(event_of(stopped), stopped->connection.xprt.xp_fd);
	stopped_free(stopped);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_at_rest),
		cmocka_unit_test(test_not_at_rest_where_the_layout_is_another),
		cmocka_unit_test(test_continues_with_its_own_descriptor),
		cmocka_unit_test(test_continues_with_another_stream),
		cmocka_unit_test(test_one_that_nobody_waits_for_cannot_continue),
		cmocka_unit_test(test_streams_that_cannot_be_waited_for),
		cmocka_unit_test(test_without_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
