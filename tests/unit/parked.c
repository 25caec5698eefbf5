/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* parked.c -- WRITEs that wait at a server for their bytes, and what may happen to them meanwhile */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "counters.h"
#include "support/late_owner.h"
#include "support/raw.h"
#include "support/sessions.h"

#define BOOT   1
#define LENGTH 4096u
#define CALL   3u /* the call slot of all WRITEs */

/* A session with one slot for WRITE. */
struct parked {
	struct raw raw;
	uint64_t session_id;
	struct xfer_slot_ref slot; /* its next use */
	uint8_t data[LENGTH];
};

static void make_path(struct parked *p)
{
	union xfer_args args = { .share = { .epoch = 1, .lanes = 1 } };

	send_call(p->raw.fd, 1, XFER_PROC_SHARE, &args, 0, 0);
	assert_int_equal(expect_reply(p->raw.fd, 1), XFER_ST_OK);
	args.grow = (struct xfer_grow_args){ .epoch = 1, .layout = { 1, { { LENGTH, 1 } } } };
	send_call(p->raw.fd, 2, XFER_PROC_GROW, &args, 0, 0);
	assert_int_equal(expect_reply(p->raw.fd, 2), XFER_ST_OK);
	p->slot.name = (struct xfer_slot_name){ .epoch = 1,
		.slot = late_owner_path()->chunk.places[0].first,
		.generation = late_owner_path()->chunk.places[0].generation + 1 };
}

static int set_up_parked(void **state)
{
	struct parked *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	late_owner.when[LATE_HOST] = LATE_HELD;
	p->raw.owner.memory = late_owner_memory;
	memowner_start(&p->raw.owner, "b", NULL);
	p->raw.fd = connect_raw(&p->raw);
	p->session_id = hello_as(p->raw.fd, "a", BOOT, 0).session_id;
	make_path(p);
	memset(p->data, 'd', LENGTH);
	*state = p;
	return 0;
}

static int tear_down_parked(void **state)
{
	struct parked *p = *state;

	close(p->raw.fd);
	memowner_stop(&p->raw.owner);
	assert_int_equal(p->raw.owner.slot_clashes, 0);
	late_owner_free();
	free(p);
	return 0;
}

/* A WRITE whose bytes are in the slot, or will be. */
static void send_write(struct parked *p, int fd, uint32_t xid, uint32_t sequence)
{
	union xfer_args args = { 0 };

	xfer_handle_root(1, &args.write.handle);
	args.write.payload = (struct xfer_payload){
		.kind = XFER_PAYLOAD_SLOT, .length = LENGTH, .slot = p->slot
	};
	send_call(fd, xid, XFER_PROC_WRITE, &args, CALL, sequence);
}

static void park(struct parked *p, uint32_t xid, uint32_t sequence)
{
	send_write(p, p->raw.fd, xid, sequence);
	assert_true(wait_for(late_owner_one_parked, NULL));
	assert_int_equal(p->raw.owner.operations, 0);
}

/* The same call with its bytes behind it. */
static void send_inline(struct parked *p, int fd, uint32_t xid, uint32_t sequence)
{
	uint8_t head[XFER_CALL_HEAD];
	union xfer_args args = { 0 };
	uint32_t len;

	xfer_handle_root(1, &args.write.handle);
	args.write.payload = (struct xfer_payload){ .kind = XFER_PAYLOAD_INLINE, .length = LENGTH };
	len = call_head_at(head, XFER_PROC_WRITE, &args, CALL, sequence);
	put_word(head, 0, xid);
	send_head(fd, head, len, false);
	send_head(fd, p->data, LENGTH, true);
}

/* Its bytes are there, and their immediate has come. */
static void bring(struct parked *p)
{
	memcpy(late_owner_path()->slots, p->data, LENGTH);
	late_forge(late_owner_path()->link, LATE_HOST, 0, xfer_immediate(&p->slot.name));
}

static void expire(void)
{
	late_tick(late_owner_path()->link, LATE_HOST, 0, 3000);
}

/* An answer to a WRITE: its status, and whether it gives the slot back. */
static void expect_answer(struct parked *p, int fd, uint32_t xid, uint32_t status, bool names_slot)
{
	union xfer_results results = { 0 };
	uint8_t reply[4096];
	uint32_t len = recv_record(fd, reply, sizeof(reply)), got;

	assert_true(xfer_rpc_is_reply(reply, len, &got));
	assert_int_equal(got, xid);
	assert_int_equal(xfer_rpc_decode_reply(reply, len, XFER_PROC_WRITE, &results), 0);
	assert_int_equal(results.write.status, status);
	assert_int_equal(results.write.released.name.epoch, names_slot ? 1 : 0);
	if (names_slot)
		assert_int_equal(results.write.released.name.generation, p->slot.name.generation);
}

static void expect_executed_once(const struct parked *p)
{
	assert_int_equal(p->raw.owner.operations, 1);
	assert_memory_equal(p->raw.owner.data, p->data, LENGTH);
}

/* One more connection of the session. */
static int attach(struct parked *p)
{
	union xfer_results results = { 0 };
	union xfer_args args = { 0 };
	uint8_t reply[4096];
	uint32_t len;
	int fd = connect_raw(&p->raw);

	send_call(p->raw.fd, 3, XFER_PROC_TOKEN, NULL, 0, 0);
	len = recv_record(p->raw.fd, reply, sizeof(reply));
	assert_int_equal(xfer_rpc_decode_reply(reply, len, XFER_PROC_TOKEN, &results), 0);
	args.attach.token = results.token.token;
	send_call(fd, 4, XFER_PROC_ATTACH, &args, 0, 0);
	assert_int_equal(expect_reply(fd, 4), XFER_ST_OK);
	return fd;
}

static bool path_gone(void *unused)
{
	(void)unused;
	return late_owner_path()->gone;
}

/* --- tests -------------------------------------------------------------------------------------- */

static void test_bytes_come(void **state)
{
	struct parked *p = *state;

	for (uint32_t sequence = 1; sequence < 4; sequence++, p->slot.name.generation++) {
		send_write(p, p->raw.fd, 5, sequence);
		assert_true(wait_for(late_owner_one_parked, NULL));
		assert_int_equal(p->raw.owner.operations, sequence - 1);
		bring(p);
		expect_answer(p, p->raw.fd, 5, XFER_ST_OK, true);
		assert_int_equal(p->raw.owner.operations, sequence);
	}
	assert_memory_equal(p->raw.owner.data, p->data, LENGTH);
}

/* The reply cache forgets it, so that it is executed when it comes again, and then once. */
static void test_bytes_never_come(void **state)
{
	struct parked *p = *state;

	park(p, 5, 1);
	expire();
	expect_answer(p, p->raw.fd, 5, XFER_ST_RESEND_INLINE, false);
	bring(p);
	assert_int_equal(p->raw.owner.operations, 0);
	for (unsigned i = 0; i < 2; i++) {
		send_inline(p, p->raw.fd, 6, 1);
		expect_answer(p, p->raw.fd, 6, XFER_ST_OK, false);
		expect_executed_once(p);
	}
}

/* It isn't carried out, and is answered when the slot can be named, rule 7. */
static void test_cancelled_before_it_comes(void **state)
{
	union xfer_args args = { .cancel = { CALL, 1 } };
	struct parked *p = *state;

	send_call(p->raw.fd, 7, XFER_PROC_CANCEL, &args, 0, 0);
	assert_int_equal(expect_reply(p->raw.fd, 7), XFER_ST_OK);
	park(p, 5, 1);
	expect_alive(p->raw.fd);
	bring(p);
	expect_answer(p, p->raw.fd, 5, XFER_ST_DELAY, true);
	assert_int_equal(p->raw.owner.operations, 0);
	/* So another call may use the slot. */
	p->slot.name.generation++;
	bring(p);
	send_write(p, p->raw.fd, 6, 2);
	expect_answer(p, p->raw.fd, 6, XFER_ST_OK, true);
	expect_executed_once(p);
}

static void test_cancelled_and_bytes_never_come(void **state)
{
	union xfer_args args = { .cancel = { CALL, 1 } };
	struct parked *p = *state;

	send_call(p->raw.fd, 7, XFER_PROC_CANCEL, &args, 0, 0);
	assert_int_equal(expect_reply(p->raw.fd, 7), XFER_ST_OK);
	park(p, 5, 1);
	expire();
	expect_answer(p, p->raw.fd, 5, XFER_ST_DELAY, false);
	assert_int_equal(p->raw.owner.operations, 0);
}

/* One that waits goes on to. */
static void test_cancelled_while_it_waits(void **state)
{
	union xfer_args args = { .cancel = { CALL, 1 } };
	struct parked *p = *state;

	p->raw.owner.cancels = true;
	park(p, 5, 1);
	send_call(p->raw.fd, 7, XFER_PROC_CANCEL, &args, 0, 0);
	assert_int_equal(expect_reply(p->raw.fd, 7), XFER_ST_OK);
	assert_int_equal(late_owner_parked(), 1);
	bring(p);
	expect_answer(p, p->raw.fd, 5, XFER_ST_OK, true);
	expect_executed_once(p);
}

/* With the last connection the path ends, and nothing waits any more. */
static void test_connection_ends(void **state)
{
	struct parked *p = *state;

	park(p, 5, 1);
	close(p->raw.fd);
	assert_true(wait_for(path_gone, NULL));
	assert_int_equal(p->raw.owner.operations, 0);
	bring(p);
	p->raw.fd = connect_raw(&p->raw);
	assert_int_equal(
		hello_as(p->raw.fd, "a", BOOT, p->session_id).standing, XFER_STANDING_RESUMED);
	send_inline(p, p->raw.fd, 6, 1);
	expect_answer(p, p->raw.fd, 6, XFER_ST_OK, false);
	expect_executed_once(p);
}

static bool one_write(void *owner)
{
	return ((struct memowner *)owner)->writes == 1;
}

/* With another connection it goes on, and is executed for whoever asks once more. */
static void test_one_connection_of_two_ends(void **state)
{
	struct parked *p = *state;
	int other = attach(p);

	park(p, 5, 1);
	close(p->raw.fd);
	p->raw.fd = other;
	expect_alive(other);
	bring(p);
	assert_true(wait_for(one_write, &p->raw.owner));
	send_write(p, other, 6, 1);
	expect_answer(p, other, 6, XFER_ST_OK, true);
	expect_executed_once(p);
}

/* A later sending of the call is answered in the first one's place. */
static void test_sent_again_meanwhile(void **state)
{
	struct parked *p = *state;
	int other = attach(p);

	park(p, 5, 1);
	send_write(p, other, 6, 1);
	expect_alive(other);
	bring(p);
	expect_answer(p, other, 6, XFER_ST_OK, true);
	expect_executed_once(p);
	expect_alive(p->raw.fd);
	close(other);
}

static void test_sent_again_and_bytes_never_come(void **state)
{
	struct parked *p = *state;
	int other = attach(p);

	park(p, 5, 1);
	send_write(p, other, 6, 1);
	expect_alive(other);
	expire();
	expect_answer(p, other, 6, XFER_ST_RESEND_INLINE, false);
	expect_alive(p->raw.fd);
	assert_int_equal(p->raw.owner.operations, 0);
	close(other);
}

/* Nothing of it is carried out any more. */
static void test_session_ends(void **state)
{
	struct parked *p = *state;

	park(p, 5, 1);
	send_call(p->raw.fd, 8, XFER_PROC_END, NULL, 0, 0);
	expect_answer(p, p->raw.fd, 5, XFER_ST_DELAY, false);
	assert_int_equal(expect_reply(p->raw.fd, 8), XFER_ST_OK);
	assert_true(wait_for(path_gone, NULL));
	bring(p);
	assert_int_equal(p->raw.owner.operations, 0);
}

static void test_owner_takes_the_path(void **state)
{
	struct parked *p = *state;

	park(p, 5, 1);
	late_owner_end_path(late_owner_path());
	expect_answer(p, p->raw.fd, 5, XFER_ST_RESEND_INLINE, false);
	assert_true(wait_for(path_gone, NULL));
	send_inline(p, p->raw.fd, 6, 1);
	expect_answer(p, p->raw.fd, 6, XFER_ST_OK, false);
	expect_executed_once(p);
}

/* The server ends: tear_down_parked waits for that. */
static void test_server_ends(void **state)
{
	struct parked *p = *state;

	park(p, 5, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_parked, tear_down_parked)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_bytes_come),
		TEST(test_bytes_never_come),
		TEST(test_cancelled_before_it_comes),
		TEST(test_cancelled_and_bytes_never_come),
		TEST(test_cancelled_while_it_waits),
		TEST(test_connection_ends),
		TEST(test_one_connection_of_two_ends),
		TEST(test_sent_again_meanwhile),
		TEST(test_sent_again_and_bytes_never_come),
		TEST(test_session_ends),
		TEST(test_owner_takes_the_path),
		TEST(test_server_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
