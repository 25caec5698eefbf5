/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* resume.c -- sessions that outlive their connections, as a server sees them */

#include <arpa/inet.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>
#include <rpc/rpc.h>

#include "core/replycache.h"
#include "support/raw.h"

#define BOOT_1 1
#define BOOT_2 2

/* --- sessions ---------------------------------------------------------------------------------- */

static uint64_t begin(struct raw *raw)
{
	struct xfer_hello_res res = hello_as(raw->fd, "a", BOOT_1, 0);

	assert_int_equal(res.standing, XFER_STANDING_NEW);
	assert_int_equal(res.epoch, 1);
	return res.session_id;
}

/* Over a new connection; the old one stays as it is. */
static struct xfer_hello_res hello_again(struct raw *raw, int *fd, uint64_t session_id)
{
	*fd = connect_raw(raw);
	return hello_as(*fd, "a", BOOT_1, session_id);
}

/* The connection breaks and the session goes on. */
static void resume(struct raw *raw, uint64_t session_id)
{
	struct xfer_hello_res res;

	close(raw->fd);
	res = hello_again(raw, &raw->fd, session_id);
	assert_int_equal(res.standing, XFER_STANDING_RESUMED);
	assert_true(res.session_id == session_id);
}

static void wait_until(_Atomic unsigned *value, unsigned expected)
{
	for (int i = 0; i < 5000 && *value != expected; i++)
		usleep(1000);
	assert_int_equal(*value, expected);
}

/* --- calls ------------------------------------------------------------------------------------- */

/* A WRITE of nothing. */
static void send_write(int fd, uint32_t xid, uint32_t slot, uint32_t sequence)
{
	send_call(fd, xid, XFER_PROC_WRITE, NULL, slot, sequence);
}

static void send_cancel(int fd, uint32_t slot, uint32_t sequence)
{
	union xfer_args args = { .cancel = { slot, sequence } };

	send_call(fd, 1000, XFER_PROC_CANCEL, &args, 0, 0);
}

static void cancel(int fd, uint32_t slot, uint32_t sequence)
{
	send_cancel(fd, slot, sequence);
	assert_int_equal(expect_reply(fd, 1000), XFER_ST_OK);
}

/* --- epochs ------------------------------------------------------------------------------------ */

static void test_resume(void **state)
{
	struct raw *raw = *state;
	uint64_t id = begin(raw);
	struct xfer_hello_res res;

	for (uint32_t epoch = 2; epoch < 5; epoch++) {
		close(raw->fd);
		res = hello_again(raw, &raw->fd, id);
		assert_int_equal(res.standing, XFER_STANDING_RESUMED);
		assert_true(res.session_id == id);
		assert_int_equal(res.epoch, epoch);
	}
	assert_int_equal(raw->owner.peers_gone, 0);
}

static void test_others_sessions(void **state)
{
	struct raw *raw = *state;
	uint64_t id = begin(raw);
	struct xfer_hello_res res;
	int fd = connect_raw(raw), fd2 = connect_raw(raw), fd3 = connect_raw(raw);

	res = hello_as(fd, "a", BOOT_2, id);
	assert_int_equal(res.standing, XFER_STANDING_NEW);
	assert_true(res.session_id != id);
	res = hello_as(fd2, "c", BOOT_1, id);
	assert_int_equal(res.standing, XFER_STANDING_NEW);
	assert_true(res.session_id != id);
	res = hello_as(fd3, "a", BOOT_1, id + 2);
	assert_int_equal(res.standing, XFER_STANDING_NEW);
	close(fd);
	close(fd2);
	close(fd3);
	expect_alive(raw->fd);
}

static void test_answer_after_it_was_done(void **state)
{
	struct raw *raw = *state;
	uint64_t id = begin(raw);
	uint8_t first[4096], again[4096];
	uint32_t len;

	send_write(raw->fd, 5, 3, 1);
	len = recv_record(raw->fd, first, sizeof(first));
	resume(raw, id);
	for (int i = 0; i < 2; i++) {
		send_write(raw->fd, 5, 3, 1);
		assert_int_equal(recv_record(raw->fd, again, sizeof(again)), len);
		assert_memory_equal(first, again, len);
	}
	assert_int_equal(raw->owner.operations, 1);
	send_write(raw->fd, 6, 3, 2);
	assert_int_equal(expect_reply(raw->fd, 6), XFER_ST_OK);
	assert_int_equal(raw->owner.operations, 2);
}

static void test_answer_while_it_executes(void **state)
{
	struct raw *raw = *state;
	uint64_t id = begin(raw);
	int lost;

	raw->owner.hold = true;
	send_write(raw->fd, 5, 3, 1);
	wait_until(&raw->owner.operations, 1);
	resume(raw, id);
	send_write(raw->fd, 6, 3, 1);
	expect_alive(raw->fd); /* it was looked at */
	lost = raw->fd;
	hello_again(raw, &raw->fd, id);
	send_write(raw->fd, 7, 3, 1);
	expect_closed(lost);
	close(lost);
	expect_silence(raw->fd, 50);
	raw->owner.hold = false;
	assert_int_equal(expect_reply(raw->fd, 7), XFER_ST_OK);
	expect_silence(raw->fd, 50);
	assert_int_equal(raw->owner.operations, 1);
}

/* Errors are answers as any other. */
static void test_error_is_kept(void **state)
{
	struct raw *raw = *state;
	uint64_t id = begin(raw);
	uint32_t status;

	send_call(raw->fd, 5, XFER_PROC_UNLINK, NULL, 3, 1);
	status = expect_reply(raw->fd, 5);
	assert_int_not_equal(status, XFER_ST_OK);
	resume(raw, id);
	send_call(raw->fd, 6, XFER_PROC_UNLINK, NULL, 3, 1);
	assert_int_equal(expect_reply(raw->fd, 6), status);
	assert_int_equal(raw->owner.operations, 1);
}

static void test_reading_is_done_again(void **state)
{
	struct raw *raw = *state;

	begin(raw);
	for (uint32_t i = 1; i <= 3; i++) {
		send_call(raw->fd, i, XFER_PROC_GETATTR, NULL, 3, 1);
		assert_int_equal(expect_reply(raw->fd, i), XFER_ST_OK);
		assert_int_equal(raw->owner.operations, i);
	}
}

/* What is under way on connections of an earlier epoch never begins. */
static void test_late_requests(void **state)
{
	enum { ROUNDS = 50 };
	struct raw *raw = *state;
	uint64_t id = begin(raw);

	for (unsigned i = 0; i < ROUNDS; i++) {
		unsigned before;
		int old = raw->fd;

		hello_again(raw, &raw->fd, id);
		before = raw->owner.operations;
		send_write(old, 1, 3, 2 * i);
		send_call(old, 2, XFER_PROC_GETATTR, NULL, 4, 1);
		send_cancel(old, 3, 2 * i + 1);
		expect_closed(old);
		close(old);
		assert_int_equal(raw->owner.operations, before);
		send_write(raw->fd, 3, 3, 2 * i + 1);
		assert_int_equal(expect_reply(raw->fd, 3), XFER_ST_OK);
	}
}

static void get_token(int fd, struct xfer_token *token)
{
	uint32_t words[12];

	send_call(fd, RAW_XID, XFER_PROC_TOKEN, NULL, 0, 0);
	assert_int_equal(recv_reply(fd, words, 12), 11);
	assert_int_equal(words[6], XFER_ST_OK);
	for (unsigned i = 0; i < 4; i++)
		put_word(token->bytes, i, words[7 + i]);
}

static int attach(struct raw *raw, const struct xfer_token *token, uint32_t expected)
{
	union xfer_args args = { .attach = { .token = *token } };
	int fd = connect_raw(raw);

	send_call(fd, 9, XFER_PROC_ATTACH, &args, 0, 0);
	assert_int_equal(expect_reply(fd, 9), expected);
	return fd;
}

static void test_lanes_belong_to_an_epoch(void **state)
{
	struct raw *raw = *state;
	uint64_t id = begin(raw);
	struct xfer_token token, unused;
	int lane, old;

	get_token(raw->fd, &token);
	get_token(raw->fd, &unused);
	lane = attach(raw, &token, XFER_ST_OK);
	send_write(lane, 5, 3, 1);
	assert_int_equal(expect_reply(lane, 5), XFER_ST_OK);
	old = raw->fd;
	hello_again(raw, &raw->fd, id);
	expect_closed(old);
	expect_closed(lane);
	close(old);
	close(lane);
	close(attach(raw, &unused, XFER_ST_BAD_TOKEN));
	get_token(raw->fd, &token);
	lane = attach(raw, &token, XFER_ST_OK);
	send_write(lane, 6, 3, 1);
	assert_int_equal(expect_reply(lane, 6), XFER_ST_OK);
	assert_int_equal(raw->owner.operations, 1);
	close(lane);
}

/* One answer of any call: its number is the xid. False: the connection is gone. */
static bool take_answer(int fd, bool *answered, unsigned calls)
{
	uint8_t mark[4], reply[4096];
	uint32_t len, xid;

	if (!recv_bytes(fd, mark, 4))
		return false;
	len = (uint32_t)mark[1] << 16 | mark[2] << 8 | mark[3];
	assert_in_range(len, 28, sizeof(reply));
	if (!recv_bytes(fd, reply, len))
		return false;
	memcpy(&xid, reply, 4);
	xid = ntohl(xid);
	assert_in_range(xid, 0, calls - 1);
	assert_false(answered[xid]);
	answered[xid] = true;
	return true;
}

/* Connections break at any time, and everything is sent again until it is answered: each call is executed once. */
static void test_breaks_at_any_time(void **state)
{
	enum { ROUNDS = 60, CALLS = 16 };
	struct raw *raw = *state;
	uint64_t id = begin(raw);
	unsigned seed = 4711, breaks = 0;

	raw->owner.delay_us = 3000;
	for (uint32_t round = 1; round <= ROUNDS; round++) {
		bool answered[CALLS] = { false };
		unsigned left = CALLS;

		while (left > 0) {
			unsigned wanted = (unsigned)rand_r(&seed) % (left + 1);

			for (uint32_t slot = 0; slot < CALLS; slot++)
				if (!answered[slot])
					send_write(raw->fd, slot, slot, round);
			while (wanted > 0 && take_answer(raw->fd, answered, CALLS)) {
				wanted--;
				left--;
			}
			if (left == 0)
				break;
			breaks++;
			if (rand_r(&seed) % 2) {
				resume(raw, id);
			} else {
				int old = raw->fd;

				hello_again(raw, &raw->fd, id);
				close(old);
			}
		}
		assert_int_equal(raw->owner.operations, round * CALLS);
	}
	assert_true(breaks > ROUNDS);
	assert_int_equal(raw->owner.slot_clashes, 0);
}

/* --- numbers that can't be --------------------------------------------------------------------- */

static void test_wrong_slots(void **state)
{
	struct raw *raw = *state;
	uint32_t calls_max = xfer_own_limits.calls_max;

	begin(raw);
	send_write(raw->fd, RAW_XID, calls_max, 1);
	expect_accept_stat(raw->fd, GARBAGE_ARGS);
	send_call(raw->fd, RAW_XID, XFER_PROC_GETATTR, NULL, UINT32_MAX, 1);
	expect_accept_stat(raw->fd, GARBAGE_ARGS);
	send_write(raw->fd, 5, calls_max - 1, 1);
	assert_int_equal(expect_reply(raw->fd, 5), XFER_ST_OK);
	assert_int_equal(raw->owner.operations, 1);
	send_cancel(raw->fd, calls_max, 1);
	expect_closed(raw->fd);
}

static void test_old_sequence(void **state)
{
	struct raw *raw = *state;
	uint64_t id = begin(raw);

	send_write(raw->fd, 5, 3, 7);
	assert_int_equal(expect_reply(raw->fd, 5), XFER_ST_OK);
	send_write(raw->fd, 6, 3, 6);
	expect_closed(raw->fd);
	/* It costs the connection, not the session. */
	resume(raw, id);
	assert_int_equal(raw->owner.operations, 1);
}

static void test_slot_used_twice_at_a_time(void **state)
{
	struct raw *raw = *state;

	begin(raw);
	raw->owner.hold = true;
	send_write(raw->fd, 5, 3, 7);
	send_write(raw->fd, 6, 3, 8);
	expect_closed(raw->fd);
	assert_int_equal(raw->owner.operations, 1);
	raw->owner.hold = false;
}

static void test_number_of_another_call(void **state)
{
	struct raw *raw = *state;

	begin(raw);
	send_write(raw->fd, 5, 3, 7);
	assert_int_equal(expect_reply(raw->fd, 5), XFER_ST_OK);
	send_call(raw->fd, 6, XFER_PROC_UNLINK, NULL, 3, 7);
	expect_closed(raw->fd);
}

/* --- CANCEL ------------------------------------------------------------------------------------ */

static void test_cancel(void **state)
{
	struct raw *raw = *state;
	uint64_t id = begin(raw);

	/* before it arrives */
	cancel(raw->fd, 3, 1);
	send_write(raw->fd, 5, 3, 1);
	assert_int_equal(expect_reply(raw->fd, 5), XFER_ST_DELAY);
	assert_int_equal(raw->owner.operations, 0);
	resume(raw, id);
	send_write(raw->fd, 6, 3, 1);
	assert_int_equal(expect_reply(raw->fd, 6), XFER_ST_DELAY);
	assert_int_equal(raw->owner.operations, 0);
	/* when it is done */
	send_write(raw->fd, 7, 3, 2);
	assert_int_equal(expect_reply(raw->fd, 7), XFER_ST_OK);
	cancel(raw->fd, 3, 2);
	send_write(raw->fd, 8, 3, 2);
	assert_int_equal(expect_reply(raw->fd, 8), XFER_ST_OK);
	assert_int_equal(raw->owner.operations, 1);
	/* while it executes */
	raw->owner.hold = true;
	send_write(raw->fd, 9, 3, 3);
	wait_until(&raw->owner.operations, 2);
	cancel(raw->fd, 3, 3);
	expect_silence(raw->fd, 50);
	raw->owner.hold = false;
	assert_int_equal(expect_reply(raw->fd, 9), XFER_ST_OK);
	/* across epochs */
	cancel(raw->fd, 4, 1);
	resume(raw, id);
	send_write(raw->fd, 10, 4, 1);
	assert_int_equal(expect_reply(raw->fd, 10), XFER_ST_DELAY);
	assert_int_equal(raw->owner.operations, 2);
}

static void test_cancel_of_the_next_one(void **state)
{
	struct raw *raw = *state;

	begin(raw);
	raw->owner.hold = true;
	send_write(raw->fd, 5, 3, 7);
	send_cancel(raw->fd, 3, 8);
	expect_closed(raw->fd);
	raw->owner.hold = false;
}

/* --- the end of sessions ----------------------------------------------------------------------- */

static int set_up_short(void **state)
{
	struct raw *raw = calloc(1, sizeof(*raw));

	raw->owner.keep_ms = 300;
	memowner_start(&raw->owner, "b", NULL);
	raw->fd = connect_raw(raw);
	*state = raw;
	return 0;
}

static void test_kept_for_a_while(void **state)
{
	struct raw *raw = *state;
	uint64_t id = begin(raw);

	close(raw->fd);
	usleep(100000);
	resume(raw, id); /* closes what nobody has any more */
	usleep(500000);
	assert_int_equal(raw->owner.peers_gone, 0); /* it is connected */
	close(raw->fd);
	wait_until(&raw->owner.peers_gone, 1);
	assert_int_equal(hello_again(raw, &raw->fd, id).standing, XFER_STANDING_NEW);
}

static void test_kept_until_requests_have_ended(void **state)
{
	struct raw *raw = *state;
	uint64_t id = begin(raw);

	raw->owner.hold = true;
	send_write(raw->fd, 5, 3, 1);
	wait_until(&raw->owner.operations, 1);
	close(raw->fd);
	usleep(600000);
	assert_int_equal(raw->owner.peers_gone, 0);
	assert_int_equal(hello_again(raw, &raw->fd, id).standing, XFER_STANDING_NEW);
	raw->owner.hold = false;
	wait_until(&raw->owner.peers_gone, 1);
}

static void test_end(void **state)
{
	struct raw *raw = *state;
	uint64_t id = begin(raw);

	raw->owner.hold = true;
	send_write(raw->fd, 5, 3, 1);
	wait_until(&raw->owner.operations, 1);
	send_call(raw->fd, 6, XFER_PROC_END, NULL, 0, 0);
	assert_int_equal(expect_reply(raw->fd, 6), XFER_ST_OK);
	send_write(raw->fd, 7, 4, 1); /* too late */
	send_call(raw->fd, 8, XFER_PROC_END, NULL, 0, 0);
	assert_int_equal(expect_reply(raw->fd, 8), XFER_ST_OK);
	close(raw->fd);
	assert_int_equal(hello_again(raw, &raw->fd, id).standing, XFER_STANDING_NEW);
	assert_int_equal(raw->owner.peers_gone, 0);
	raw->owner.hold = false;
	wait_until(&raw->owner.peers_gone, 1);
	assert_int_equal(raw->owner.operations, 1);
}

static void test_another_process_of_the_node(void **state)
{
	struct raw *raw = *state;
	uint64_t id = begin(raw);
	struct xfer_hello_res second;
	int fd = connect_raw(raw), other = connect_raw(raw);

	/* The old one still has a connection: it goes when that ends. */
	second = hello_as(fd, "a", BOOT_2, 0);
	assert_int_equal(second.standing, XFER_STANDING_NEW);
	usleep(50000);
	assert_int_equal(raw->owner.peers_gone, 0);
	hello_as(other, "c", BOOT_1, 0);
	close(raw->fd);
	wait_until(&raw->owner.peers_gone, 1);
	/* It has none: it goes at once. */
	close(fd);
	usleep(50000);
	assert_int_equal(raw->owner.peers_gone, 1);
	assert_int_equal(hello_again(raw, &raw->fd, id).standing, XFER_STANDING_NEW);
	wait_until(&raw->owner.peers_gone, 2);
	close(other);
}

static void test_server_ends(void **state)
{
	struct raw *raw = *state;

	begin(raw);
	close(raw->fd);
	raw->fd = connect_raw(raw);
	usleep(20000);
	assert_int_equal(raw->owner.peers_gone, 0);
	memowner_stop(&raw->owner);
	assert_int_equal(raw->owner.peers_gone, 1);
	memset(&raw->owner, 0, sizeof(raw->owner));
	memowner_start(&raw->owner, "b", NULL);
}

/* --- HELLO in two steps ------------------------------------------------------------------------ */

static struct xfer_request *_Atomic greeting;

static void remember_later(
	void *owner, const struct xfer_hello_args *hello, struct xfer_request *request)
{
	(void)owner;
	(void)hello;
	greeting = request;
}

static int set_up_slow(void **state)
{
	struct raw *raw = calloc(1, sizeof(*raw));

	raw->owner.remember = remember_later;
	greeting = NULL;
	memowner_start(&raw->owner, "b", NULL);
	raw->fd = connect_raw(raw);
	*state = raw;
	return 0;
}

static void send_hello(int fd)
{
	union xfer_args args = { .hello = {
					 .limits = xfer_own_limits, .node = "a", .owner = "b" } };

	send_call(fd, RAW_XID, XFER_PROC_HELLO, &args, 0, 0);
	for (int i = 0; i < 5000 && !greeting; i++)
		usleep(1000);
	assert_non_null(greeting);
}

static void test_hello_that_takes_its_time(void **state)
{
	struct raw *raw = *state;

	send_hello(raw->fd);
	send_call(raw->fd, RAW_XID, XFER_PROC_HELLO, NULL, 0, 0);
	expect_accept_stat(raw->fd, GARBAGE_ARGS);
	send_call(raw->fd, RAW_XID, XFER_PROC_ATTACH, NULL, 0, 0);
	expect_accept_stat(raw->fd, GARBAGE_ARGS);
	expect_alive(raw->fd);
	xfer_request_welcome(greeting);
	assert_int_equal(expect_reply(raw->fd, RAW_XID), XFER_ST_OK);
	send_write(raw->fd, 5, 3, 1);
	assert_int_equal(expect_reply(raw->fd, 5), XFER_ST_OK);
}

static void test_gone_before_welcome(void **state)
{
	struct raw *raw = *state;

	send_hello(raw->fd);
	close(raw->fd);
	raw->fd = connect_raw(raw);
	usleep(50000);
	xfer_request_welcome(greeting);
	usleep(50000);
	expect_alive(raw->fd);
	memowner_stop(&raw->owner);
	assert_int_equal(raw->owner.peers_gone, 0); /* no session began */
	memset(&raw->owner, 0, sizeof(raw->owner));
	memowner_start(&raw->owner, "b", NULL);
}

static void test_status(void **state)
{
	struct raw *raw = *state;
	union xfer_results results = { 0 };
	static char text[65536];
	uint8_t reply[8192];
	uint32_t len;
	json_t *status, *session;

	begin(raw);
	close(raw->fd);
	raw->fd = connect_raw(raw);
	for (int i = 0; i < 100; i++) {
		send_call(raw->fd, 1, XFER_PROC_STATUS, NULL, 0, 0);
		len = recv_record(raw->fd, reply, sizeof(reply));
		results.text.text = text;
		results.text.text_len = sizeof(text);
		assert_int_equal(xfer_rpc_decode_reply(reply, len, XFER_PROC_STATUS, &results), 0);
		status = json_loadb(text, results.text.text_len, 0, NULL);
		session = json_array_get(json_object_get(status, "sessions"), 0);
		assert_string_equal(json_string_value(json_object_get(session, "peer")), "a");
		if (strcmp(json_string_value(json_object_get(session, "state")), "away") == 0 &&
			json_integer_value(json_object_get(session, "since_ms")) >= 20)
			break;
		json_decref(status);
		status = NULL;
		usleep(20000);
	}
	assert_non_null(status);
	assert_int_equal(json_integer_value(json_object_get(session, "epoch")), 1);
	assert_int_equal(json_array_size(json_object_get(session, "lanes")), 0);
	json_decref(status);
}

/* --- what is kept ------------------------------------------------------------------------------ */

static void fill(struct xfer_opt_attr *attr)
{
	attr->valid = true;
	attr->attr.type = XFER_REG;
}

/* The longest answer of everything that changes something has room. */
static void test_answers_fit(void **state)
{
	uint8_t reply[4096];

	(void)state;
	for (uint32_t proc = XFER_PROC_FIRST_OP; proc < XFER_PROC_COUNT; proc++) {
		union xfer_results results;
		struct xfer_opt_attr attr = { 0 };
		int len;

		if (!xfer_proc_info(proc) || !xfer_proc_info(proc)->changes)
			continue;
		fill(&attr);
		memset(&results, 0, sizeof(results));
		if (proc == XFER_PROC_RENAME) {
			results.rename.from_dir = results.rename.to_dir = attr;
			results.rename.object = results.rename.replaced = attr;
		} else if (proc == XFER_PROC_OPEN) {
			results.open.node.handle.len = XFER_HANDLE_MAX;
			results.open.node.attr = attr.attr;
			results.open.dir_attr = attr;
		} else if (proc == XFER_PROC_CREATE) {
			results.node.node.handle.len = XFER_HANDLE_MAX;
			results.node.node.attr = attr.attr;
			results.node.dir_attr = attr;
		} else if (proc == XFER_PROC_LINK || proc == XFER_PROC_UNLINK) {
			results.link.dir_attr = results.link.object = attr;
		} else if (proc != XFER_PROC_CLOSE && proc != XFER_PROC_LOCK) {
			results.attr.attr = attr; /* WRITE begins with them, too */
		}
		len = xfer_rpc_encode_reply(reply, sizeof(reply), 1, proc, &results);
		assert_in_range(len, 28, 4 + XFER_REPLY_ROOM);
		assert_null(xfer_results_payload(proc, &results));
	}
}

#define TEST(name)  cmocka_unit_test_setup_teardown(name, raw_set_up, raw_tear_down)
#define SLOW(name)  cmocka_unit_test_setup_teardown(name, set_up_slow, raw_tear_down)
#define SHORT(name) cmocka_unit_test_setup_teardown(name, set_up_short, raw_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_resume),
		TEST(test_others_sessions),
		TEST(test_answer_after_it_was_done),
		TEST(test_answer_while_it_executes),
		TEST(test_error_is_kept),
		TEST(test_reading_is_done_again),
		TEST(test_late_requests),
		TEST(test_lanes_belong_to_an_epoch),
		TEST(test_breaks_at_any_time),
		TEST(test_wrong_slots),
		TEST(test_old_sequence),
		TEST(test_slot_used_twice_at_a_time),
		TEST(test_number_of_another_call),
		TEST(test_cancel),
		TEST(test_cancel_of_the_next_one),
		SHORT(test_kept_for_a_while),
		SHORT(test_kept_until_requests_have_ended),
		TEST(test_end),
		TEST(test_another_process_of_the_node),
		TEST(test_server_ends),
		SLOW(test_hello_that_takes_its_time),
		SLOW(test_gone_before_welcome),
		TEST(test_status),
		cmocka_unit_test(test_answers_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
