/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* conn_send.c -- one connection: sends that fit and that don't, their ends, sending and receiving at once */

#include "support/connection.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"

/* --- sending ----------------------------------------------------------------------------------- */

#define MESSAGES 300
#define SENDERS  3

struct message {
	struct xfer_out out;
	uint8_t bytes[3000];
	uint32_t len;
	_Atomic unsigned sent;
	_Atomic int err;
};

static _Atomic unsigned sent_count;

static void on_sent(struct xfer_out *out, int err)
{
	struct message *message = (struct message *)out;

	message->err = err;
	message->sent++;
	/* The memory is the sender's again. */
	memset(message->bytes, 0xee, sizeof(message->bytes));
	sent_count++;
}

/* In one to eighteen pieces; each begins with sender, number and length, so that a reader can follow. */
static void message_fill(struct message *message, unsigned sender, unsigned number)
{
	uint32_t len = 12 + number * 37 % 2900, pieces = 1 + number % (XFER_IOV_MAX + 2), at = 0;

	memset(message, 0, sizeof(*message));
	message->len = len;
	memcpy(message->bytes, &sender, 4);
	memcpy(message->bytes + 4, &number, 4);
	memcpy(message->bytes + 8, &len, 4);
	for (uint32_t i = 12; i < len; i++)
		message->bytes[i] = (uint8_t)(sender * 50 + number + i);
	message->out.sent = on_sent;
	for (uint32_t i = 0; i < pieces; i++) {
		uint32_t part = i + 1 < pieces ? len / pieces : len - at;

		message->out.iov[i] = (struct iovec){ message->bytes + at, part };
		at += part;
	}
	message->out.iovcnt = (int)pieces;
}

struct sender {
	struct fixture *f;
	unsigned number;
	struct message *messages;
};

static void *send_messages(void *arg)
{
	struct sender *sender = arg;

	for (unsigned i = 0; i < MESSAGES; i++) {
		message_fill(&sender->messages[i], sender->number, i);
		xfer_conn_send(sender->f->conn, &sender->messages[i].out);
	}
	return NULL;
}

static bool recv_all(int fd, uint8_t *bytes, size_t len)
{
	while (len > 0) {
		struct pollfd pollfd = { .fd = fd, .events = POLLIN };
		ssize_t n;

		assert_int_equal(poll(&pollfd, 1, WAIT_MS), 1);
		n = recv(fd, bytes, len, 0);
		if (n <= 0)
			return false;
		bytes += n;
		len -= (size_t)n;
	}
	return true;
}

/* Whole messages, and those of one sender in its order. */
static void read_messages(int fd, unsigned count)
{
	unsigned next[SENDERS] = { 0 }, number, sender;
	uint8_t bytes[3000];
	uint32_t len;

	while (count-- > 0) {
		assert_true(recv_all(fd, bytes, 12));
		memcpy(&sender, bytes, 4);
		memcpy(&number, bytes + 4, 4);
		memcpy(&len, bytes + 8, 4);
		assert_true(sender < SENDERS && len <= sizeof(bytes));
		assert_int_equal(number, next[sender]++);
		assert_true(recv_all(fd, bytes + 12, len - 12));
		for (uint32_t i = 12; i < len; i++)
			assert_int_equal(bytes[i], (uint8_t)(sender * 50 + number + i));
	}
}

static void small_buffer(struct fixture *f)
{
	int bytes = 1;

	/* The kernel makes its minimum of it. */
	assert_int_equal(
		setsockopt(f->shim->io.fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)), 0);
}

static void exchange(struct fixture *f, unsigned senders)
{
	static struct message messages[SENDERS][MESSAGES];
	struct sender args[SENDERS];
	pthread_t threads[SENDERS];
	uint64_t deadline;

	sent_count = 0;
	for (unsigned i = 0; i < senders; i++) {
		args[i] = (struct sender){ f, i, messages[i] };
		assert_int_equal(pthread_create(&threads[i], NULL, send_messages, &args[i]), 0);
	}
	read_messages(f->peer, senders * MESSAGES);
	for (unsigned i = 0; i < senders; i++)
		pthread_join(threads[i], NULL);
	deadline = xfer_now_ns() + WAIT_MS * XFER_NS_PER_MS;
	while (sent_count < senders * MESSAGES && xfer_now_ns() < deadline)
		usleep(200);
	for (unsigned i = 0; i < senders; i++)
		for (unsigned j = 0; j < MESSAGES; j++) {
			assert_int_equal(messages[i][j].sent, 1);
			assert_int_equal(messages[i][j].err, 0);
			assert_true(messages[i][j].out.started);
		}
	assert_int_equal(xfer_conn_unsent_bytes(f->conn), 0);
}

static void test_direct_sends(void **state)
{
	struct fixture f;

	(void)state;
	fixture_start(&f);
	exchange(&f, SENDERS);
	fixture_tear_down(&f);
}

static void test_sends_that_do_not_fit(void **state)
{
	struct fixture f;

	(void)state;
	fixture_start(&f);
	small_buffer(&f);
	exchange(&f, SENDERS);
	fixture_tear_down(&f);
}

static void test_sends_in_small_parts(void **state)
{
	static const size_t maxima[] = { 1, 7, 100, 4000 };
	struct fixture f;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		fixture_start(&f);
		f.shim->send_max = maxima[i];
		f.shim->stutter = maxima[i] > 1;
		exchange(&f, maxima[i] > 1 ? SENDERS : 1);
		fixture_tear_down(&f);
	}
}

/* Nobody reads: what doesn't fit waits, is counted, and fails when the connection ends. */
static void test_unsent_at_the_end(void **state)
{
	static struct message messages[MESSAGES];
	unsigned failed = 0, total = 0;
	size_t unsent = 0;
	struct fixture f;

	(void)state;
	fixture_start(&f);
	small_buffer(&f);
	sent_count = 0;
	for (unsigned i = 0; i < MESSAGES; i++) {
		message_fill(&messages[i], 0, i);
		total += messages[i].len;
		xfer_conn_send(f.conn, &messages[i].out);
	}
	unsent = xfer_conn_unsent_bytes(f.conn);
	assert_in_range(unsent, total / 2, total);
	xfer_conn_close(f.conn, -ETIMEDOUT, "enough");
	fixture_wait_end(&f);
	for (unsigned i = 0; i < MESSAGES; i++) {
		assert_int_equal(messages[i].sent, 1);
		assert_true(messages[i].err == 0 || messages[i].err == -ENOTCONN);
		failed += messages[i].err != 0;
		/* One part of the queue has left, the rest hasn't begun. */
		if (messages[i].err == 0)
			assert_true(messages[i].out.started);
	}
	assert_true(failed > MESSAGES / 2);
	assert_false(messages[MESSAGES - 1].out.started);
	fixture_free(&f);
}

static void test_send_after_the_end(void **state)
{
	struct message message;
	struct fixture f;

	(void)state;
	fixture_start(&f);
	xfer_conn_close(f.conn, -ETIMEDOUT, "enough");
	message_fill(&message, 0, 1);
	xfer_conn_send(f.conn, &message.out);
	assert_int_equal(message.sent, 1);
	assert_int_equal(message.err, -ENOTCONN);
	assert_false(message.out.started);
	fixture_wait_end(&f);
	message_fill(&message, 0, 1);
	xfer_conn_send(f.conn, &message.out);
	assert_int_equal(message.sent, 1);
	assert_int_equal(message.err, -ENOTCONN);
	fixture_free(&f);
}

/* Its own address family tells by EPIPE that the reader is gone. */
static void test_sending_fails(void **state)
{
	struct message message;
	struct fixture f;

	(void)state;
	fixture_set_up(&f);
	close(f.peer);
	f.peer = dup(STDERR_FILENO); /* for free_fixture */
	message_fill(&message, 0, 1);
	xfer_conn_send(f.conn, &message.out);
	assert_int_equal(message.sent, 1);
	assert_int_equal(message.err, -EPIPE);
	xfer_conn_start(f.conn);
	fixture_wait_end(&f);
	assert_int_equal(f.closed_err, -EPIPE);
	fixture_free(&f);
}

/* --- everything at once ------------------------------------------------------------------------ */

static void *close_soon(void *arg)
{
	struct fixture *f = arg;

	usleep((useconds_t)(xfer_now_ns() % 3000));
	xfer_conn_close(f->conn, -ESHUTDOWN, "from another thread");
	return NULL;
}

static void *drain(void *arg)
{
	uint8_t bytes[4096];

	while (recv(*(int *)arg, bytes, sizeof(bytes), 0) > 0)
		;
	return NULL;
}

/* Sends, receives and pauses are under way when the connection ends; each message is accounted for once. */
static void test_close_meanwhile(void **state)
{
	static struct message messages[2][MESSAGES];
	struct script *s = script_small();

	(void)state;
	for (unsigned round = 0; round < 60; round++) {
		struct sender args[2];
		pthread_t threads[4];
		struct fixture f;

		fixture_start(&f);
		if (round % 2)
			small_buffer(&f);
		for (unsigned i = 0; i < 2; i++) {
			args[i] = (struct sender){ &f, i, messages[i] };
			pthread_create(&threads[i], NULL, send_messages, &args[i]);
		}
		pthread_create(&threads[2], NULL, drain, &f.peer);
		pthread_create(&threads[3], NULL, close_soon, &f);
		while (send(f.peer, s->wire, s->wire_len, MSG_NOSIGNAL) > 0)
			xfer_conn_pause(f.conn, round % 3 == 0);
		for (unsigned i = 0; i < 4; i++)
			pthread_join(threads[i], NULL);
		fixture_wait_end(&f);
		assert_int_equal(f.closed_err, -ESHUTDOWN);
		for (unsigned i = 0; i < 2; i++)
			for (unsigned j = 0; j < MESSAGES; j++)
				assert_int_equal(messages[i][j].sent, 1);
		fixture_free(&f);
	}
	free(s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_direct_sends),
		cmocka_unit_test(test_sends_that_do_not_fit),
		cmocka_unit_test(test_sends_in_small_parts),
		cmocka_unit_test(test_unsent_at_the_end),
		cmocka_unit_test(test_send_after_the_end),
		cmocka_unit_test(test_sending_fails),
		cmocka_unit_test(test_close_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
