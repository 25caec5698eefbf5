/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* dispatcher.c -- what a server answers to calls that no client of ours would send */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <poll.h>
#include <rpc/rpc.h>

#include "support/raw.h"

/* --- calls that are refused where the record's end is known ----------------------------------- */

static void test_wrong_numbers(void **state)
{
	struct raw *raw = *state;
	uint8_t head[XFER_CALL_HEAD];
	uint32_t len = call_head(head, XFER_PROC_NULL, NULL), words[8];

	put_word(head, 3, XFER_PROGRAM + 1);
	send_head(raw->fd, head, len, true);
	expect_accept_stat(raw->fd, PROG_UNAVAIL);

	len = call_head(head, XFER_PROC_NULL, NULL);
	put_word(head, 4, XFER_VERSION + 1);
	send_head(raw->fd, head, len, true);
	assert_int_equal(recv_reply(raw->fd, words, 8), 8);
	assert_int_equal(words[5], PROG_MISMATCH);
	assert_int_equal(words[6], XFER_VERSION);
	assert_int_equal(words[7], XFER_VERSION);

	len = call_head(head, XFER_PROC_NULL, NULL);
	put_word(head, 5, 999);
	send_head(raw->fd, head, len, true);
	expect_accept_stat(raw->fd, PROC_UNAVAIL);

	len = call_head(head, XFER_PROC_NULL, NULL);
	put_word(head, 2, 3);
	send_head(raw->fd, head, len, true);
	assert_true(recv_reply(raw->fd, words, 8) >= 4);
	assert_int_equal(words[2], MSG_DENIED);
	assert_int_equal(words[3], RPC_MISMATCH);
	expect_alive(raw->fd);
}

static void test_no_session(void **state)
{
	static const uint32_t procs[] = { XFER_PROC_TOKEN, XFER_PROC_GETATTR, XFER_PROC_WRITE,
		XFER_PROC_STATFS };
	struct raw *raw = *state;
	uint8_t head[XFER_CALL_HEAD];
	uint32_t words[8];

	for (unsigned i = 0; i < sizeof(procs) / sizeof(*procs); i++) {
		send_head(raw->fd, head, call_head(head, procs[i], NULL), true);
		assert_true(recv_reply(raw->fd, words, 8) >= 5);
		assert_int_equal(words[2], MSG_DENIED);
		assert_int_equal(words[3], AUTH_ERROR);
		assert_int_equal(words[4], AUTH_TOOWEAK);
	}
	assert_int_equal(raw->owner.operations, 0);
	expect_alive(raw->fd);
}

/* A refused WRITE's payload is taken off the connection, whatever it says its length is. */
static void test_refused_payload_is_skipped(void **state)
{
	struct raw *raw = *state;
	uint8_t head[XFER_CALL_HEAD], payload[4096] = { 0 };
	union xfer_args args = { 0 };
	uint32_t words[8];

	args.write.payload =
		(struct xfer_payload){ .kind = XFER_PAYLOAD_INLINE, .length = sizeof(payload) };
	send_head(raw->fd, head, call_head(head, XFER_PROC_WRITE, &args), false);
	send_head(raw->fd, payload, sizeof(payload), true);
	assert_true(recv_reply(raw->fd, words, 8) >= 5);
	assert_int_equal(words[2], MSG_DENIED);
	expect_alive(raw->fd);
}

static void hello(struct raw *raw, uint32_t expected)
{
	union xfer_args args = { 0 };
	uint8_t head[XFER_CALL_HEAD];
	uint32_t words[8];

	args.hello.limits = xfer_own_limits;
	strcpy(args.hello.node, "a");
	strcpy(args.hello.owner, "b");
	send_head(raw->fd, head, call_head(head, XFER_PROC_HELLO, &args), true);
	assert_true(recv_reply(raw->fd, words, 8) >= 7);
	assert_int_equal(words[5], SUCCESS);
	assert_int_equal(words[6], expected);
}

static void test_garbage_arguments(void **state)
{
	struct raw *raw = *state;
	uint8_t head[XFER_CALL_HEAD + 4] = { 0 }, payload[8] = { 0 };
	union xfer_args args = { 0 };
	uint32_t len;

	hello(raw, XFER_ST_OK);
	/* longer than its arguments */
	len = call_head(head, XFER_PROC_GETATTR, NULL);
	put_word(head, len / 4, 0);
	send_head(raw->fd, head, len + 4, true);
	expect_accept_stat(raw->fd, GARBAGE_ARGS);
	/* shorter */
	len = call_head(head, XFER_PROC_GETATTR, NULL);
	send_head(raw->fd, head, len - 4, true);
	expect_accept_stat(raw->fd, GARBAGE_ARGS);
	/* a payload where the procedure has none */
	len = call_head(head, XFER_PROC_GETATTR, NULL);
	send_head(raw->fd, head, len, false);
	send_head(raw->fd, payload, sizeof(payload), true);
	expect_accept_stat(raw->fd, GARBAGE_ARGS);
	/* no payload where one is announced */
	args.write.payload = (struct xfer_payload){ .kind = XFER_PAYLOAD_INLINE, .length = 8 };
	len = call_head(head, XFER_PROC_WRITE, &args);
	send_head(raw->fd, head, len, true);
	expect_accept_stat(raw->fd, GARBAGE_ARGS);
	/* a payload behind a slot */
	args.write.payload = (struct xfer_payload){
		.kind = XFER_PAYLOAD_SLOT, .length = 8, .slot.name.epoch = 1
	};
	len = call_head(head, XFER_PROC_WRITE, &args);
	send_head(raw->fd, head, len, false);
	send_head(raw->fd, payload, sizeof(payload), true);
	expect_accept_stat(raw->fd, GARBAGE_ARGS);
	assert_int_equal(raw->owner.operations, 0);
	expect_alive(raw->fd);
}

/* It isn't kept as an answer: the same call may come inline. */
static void test_slot_without_data_path(void **state)
{
	struct raw *raw = *state;
	uint8_t head[XFER_CALL_HEAD + 4] = { 0 }, payload[8] = { 0 };
	union xfer_args args = { 0 };
	uint32_t words[8];

	hello(raw, XFER_ST_OK);
	args.write.payload = (struct xfer_payload){
		.kind = XFER_PAYLOAD_SLOT, .length = 8, .slot.name.epoch = 1
	};
	send_head(raw->fd, head, call_head(head, XFER_PROC_WRITE, &args), true);
	assert_true(recv_reply(raw->fd, words, 8) >= 7);
	assert_int_equal(words[6], XFER_ST_RESEND_INLINE);
	assert_int_equal(raw->owner.operations, 0);
	args.write.payload.kind = XFER_PAYLOAD_INLINE;
	send_head(raw->fd, head, call_head(head, XFER_PROC_WRITE, &args), false);
	send_head(raw->fd, payload, sizeof(payload), true);
	assert_true(recv_reply(raw->fd, words, 8) >= 7);
	assert_int_equal(words[6], XFER_ST_OK);
	assert_int_equal(raw->owner.operations, 1);
	args = (union xfer_args){
		.read = { .count = 8,
			.payload = { .kind = XFER_PAYLOAD_SLOT, .slot.name.epoch = 1 } }
	};
	send_head(raw->fd, head, call_head(head, XFER_PROC_READ, &args), true);
	assert_true(recv_reply(raw->fd, words, 8) >= 7);
	assert_int_equal(words[6], XFER_ST_RESEND_INLINE);
	expect_alive(raw->fd);
}

static void test_second_hello(void **state)
{
	struct raw *raw = *state;
	uint8_t head[XFER_CALL_HEAD];
	union xfer_args args = { 0 };

	hello(raw, XFER_ST_OK);
	send_head(raw->fd, head, call_head(head, XFER_PROC_HELLO, &args), true);
	expect_accept_stat(raw->fd, GARBAGE_ARGS);
	expect_alive(raw->fd);
}

static void hello_with(struct raw *raw, void (*change)(struct xfer_hello_args *hello))
{
	union xfer_args args = { 0 };
	uint8_t head[XFER_CALL_HEAD];
	uint32_t words[8];

	args.hello.limits = xfer_own_limits;
	change(&args.hello);
	send_head(raw->fd, head, call_head(head, XFER_PROC_HELLO, &args), true);
	assert_true(recv_reply(raw->fd, words, 8) >= 7);
	assert_int_equal(words[6], XFER_ST_VERSION);
}

static void newer_minor(struct xfer_hello_args *args)
{
	args->minor_min = args->minor_max = XFER_MINOR + 1;
}

static void unknown_feature(struct xfer_hello_args *args)
{
	args->features_required = 1ull << 63;
}

static void no_calls(struct xfer_hello_args *args)
{
	args->limits.calls_max = 0;
}

static void no_heartbeat(struct xfer_hello_args *args)
{
	args->limits.heartbeat_ms = 0;
}

static void test_hello_that_does_not_fit(void **state)
{
	struct raw *raw = *state;

	hello_with(raw, newer_minor);
	hello_with(raw, unknown_feature);
	hello_with(raw, no_calls);
	hello_with(raw, no_heartbeat);
	hello(raw, XFER_ST_OK);
}

/* --- attaching -------------------------------------------------------------------------------- */

static void attach(struct raw *raw, const uint8_t token[16], uint32_t expected)
{
	union xfer_args args = { 0 };
	uint8_t head[XFER_CALL_HEAD];
	uint32_t words[8];
	int fd = connect_raw(raw);

	memcpy(args.attach.token.bytes, token, 16);
	send_head(fd, head, call_head(head, XFER_PROC_ATTACH, &args), true);
	assert_int_equal(recv_reply(fd, words, 8), 7);
	assert_int_equal(words[6], expected);
	close(fd);
}

static void test_token_is_for_one_lane(void **state)
{
	struct raw *raw = *state;
	uint8_t head[XFER_CALL_HEAD], token[16] = { 0 };
	uint32_t words[12];

	hello(raw, XFER_ST_OK);
	attach(raw, token, XFER_ST_BAD_TOKEN);
	send_head(raw->fd, head, call_head(head, XFER_PROC_TOKEN, NULL), true);
	assert_int_equal(recv_reply(raw->fd, words, 12), 11);
	assert_int_equal(words[6], XFER_ST_OK);
	for (unsigned i = 0; i < 4; i++)
		put_word(token, i, words[7 + i]);
	attach(raw, token, XFER_ST_OK);
	attach(raw, token, XFER_ST_BAD_TOKEN);
}

/* --- what ends a connection ------------------------------------------------------------------- */

static void test_not_rpc(void **state)
{
	static const char http[] = "GET / HTTP/1.1\r\nHost: b\r\n\r\n";
	struct raw *raw = *state;
	uint8_t zeros[64] = { 0 };
	int fd;

	send_bytes(raw->fd, http, sizeof(http) - 1);
	expect_closed(raw->fd);
	fd = connect_raw(raw);
	send_head(fd, zeros, 0, true);
	expect_closed(fd);
	close(fd);
	fd = connect_raw(raw);
	put_word(zeros, 1, REPLY);
	send_head(fd, zeros, sizeof(zeros), true);
	expect_closed(fd);
	close(fd);
}

static void test_payload_of_another_length(void **state)
{
	struct raw *raw = *state;
	uint8_t head[XFER_CALL_HEAD], payload[64] = { 0 };
	union xfer_args args = { 0 };

	hello(raw, XFER_ST_OK);
	args.write.payload = (struct xfer_payload){ .kind = XFER_PAYLOAD_INLINE, .length = 8 };
	send_head(raw->fd, head, call_head(head, XFER_PROC_WRITE, &args), false);
	send_head(raw->fd, payload, sizeof(payload), true);
	expect_closed(raw->fd);
	assert_int_equal(raw->owner.operations, 0);
}

/* A connection that ends in the middle of a payload leaves nothing behind. */
static void test_cut_in_payload(void **state)
{
	struct raw *raw = *state;
	uint8_t head[XFER_CALL_HEAD], mark[4], some[100] = { 0 };
	union xfer_args args = { 0 };

	hello(raw, XFER_ST_OK);
	args.write.payload =
		(struct xfer_payload){ .kind = XFER_PAYLOAD_INLINE, .length = XFER_IO_MAX };
	send_head(raw->fd, head, call_head(head, XFER_PROC_WRITE, &args), false);
	xfer_mark_put(mark, XFER_IO_MAX, true);
	send_bytes(raw->fd, mark, 4);
	send_bytes(raw->fd, some, sizeof(some));
	close(raw->fd);
	raw->fd = connect_raw(raw);
	expect_alive(raw->fd);
	assert_int_equal(raw->owner.operations, 0);
}

/* Who sends more than the server will hold is not read from until there is room. */
static void test_too_much_under_way(void **state)
{
	enum { CALLS = 100 };
	struct raw *raw = *state;
	uint8_t head[XFER_CALL_HEAD], mark[4], *payload = calloc(1, XFER_IO_MAX);
	union xfer_args args = { 0 };
	struct pollfd pollfd = { .fd = raw->fd, .events = POLLOUT };
	unsigned sent = 0;

	hello(raw, XFER_ST_OK);
	raw->owner.hold = true;
	args.write.payload =
		(struct xfer_payload){ .kind = XFER_PAYLOAD_INLINE, .length = XFER_IO_MAX };
	xfer_mark_put(mark, XFER_IO_MAX, true);
	fcntl(raw->fd, F_SETFL, 0);
	for (; sent < CALLS && poll(&pollfd, 1, 500) == 1; sent++) {
		send_head(
			raw->fd, head, call_head_at(head, XFER_PROC_WRITE, &args, sent, 1), false);
		send_bytes(raw->fd, mark, 4);
		if (sent >= 32) /* the kernel's buffers hold what the server doesn't read */
			fcntl(raw->fd, F_SETFL, O_NONBLOCK);
		if (send(raw->fd, payload, XFER_IO_MAX, MSG_NOSIGNAL) != XFER_IO_MAX)
			break;
	}
	usleep(200000);
	assert_in_range(raw->owner.operations, 31, 33);
	assert_in_range(sent, 32, 40);
	raw->owner.hold = false;
	free(payload);
}

/* A few bytes that ask for much memory: what was received with them waits, too, and is served when there is room. */
static void test_too_much_asked(void **state)
{
	enum { CALLS = 200, SERVED = XFER_CHARGE_MAX / XFER_IO_MAX };
	struct raw *raw = *state;
	uint8_t head[XFER_CALL_HEAD], *bytes = malloc(CALLS * sizeof(head));
	union xfer_args args = { .read = { .offset = MEMOWNER_SIZE, .count = XFER_IO_MAX } };
	uint32_t words[64], len;
	size_t at = 0;

	hello(raw, XFER_ST_OK);
	raw->owner.hold = true;
	for (unsigned i = 0; i < CALLS; i++) {
		len = call_head_at(head, XFER_PROC_READ, &args, i, 1);
		xfer_mark_put(bytes + at, len, true);
		memcpy(bytes + at + 4, head, len);
		at += 4 + len;
	}
	assert_true(at < 65536); /* comes by one receive */
	send_bytes(raw->fd, bytes, at);
	usleep(200000);
	assert_in_range(raw->owner.operations, SERVED - 1, SERVED + 1);
	raw->owner.hold = false;
	for (unsigned i = 0; i < CALLS; i++)
		assert_true(recv_reply(raw->fd, words, 64) > 0);
	assert_int_equal(raw->owner.operations, CALLS);
	free(bytes);
}

static bool has_ended(int fd, int ms)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };

	return poll(&pollfd, 1, ms) == 1;
}

/* Who comes last is served, whoever keeps how many connections open; the oldest ones make room. */
static void test_too_many_strangers(void **state)
{
	enum { STRANGERS = 300, MAX = 256 };
	struct raw *raw = *state;
	int fds[STRANGERS], ended = 0;
	struct xfer_hello_res welcome;

	for (int i = 0; i < STRANGERS; i++)
		fds[i] = connect_raw(raw);
	expect_alive(fds[STRANGERS - 1]);
	for (int i = 0; i <= STRANGERS - MAX - 1; i++)
		ended += has_ended(fds[i], 1000);
	assert_int_equal(ended, STRANGERS - MAX);
	assert_false(has_ended(fds[STRANGERS - MAX], 0));
	welcome = hello_as(fds[STRANGERS - MAX], "a", 1, 0);
	assert_int_equal(welcome.epoch, 1);
	/* It counts no longer, so there is room for one more. */
	assert_false(has_ended(fds[STRANGERS - MAX + 1], 0));
	for (int i = 0; i < STRANGERS; i++)
		close(fds[i]);
	expect_closed(raw->fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, raw_set_up, raw_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_wrong_numbers),
		TEST(test_no_session),
		TEST(test_refused_payload_is_skipped),
		TEST(test_garbage_arguments),
		TEST(test_slot_without_data_path),
		TEST(test_second_hello),
		TEST(test_hello_that_does_not_fit),
		TEST(test_token_is_for_one_lane),
		TEST(test_not_rpc),
		TEST(test_payload_of_another_length),
		TEST(test_cut_in_payload),
		TEST(test_too_much_under_way),
		TEST(test_too_much_asked),
		TEST(test_too_many_strangers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
