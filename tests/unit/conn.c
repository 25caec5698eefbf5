/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* conn.c -- one connection: records in pieces of any size, payload to its places, ends */

#include "support/connection.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "control/protocol.h"
#include "counters.h"

/* --- receiving --------------------------------------------------------------------------------- */

/* In two parts, whichever: the first has been looked at before the second is sent. */
static void test_split_at_every_byte(void **state)
{
	struct script *s = script_small();
	struct fixture f;

	(void)state;
	fixture_start(&f);
	for (unsigned pieces = 1; pieces <= 3; pieces++) {
		f.pieces = pieces;
		for (size_t at = 1; at < s->wire_len; at++) {
			size_t before = f.shim->received;

			send_all(f.peer, s->wire, at);
			wait_received(&f, before + at);
			send_all(f.peer, s->wire + at, s->wire_len - at);
			expect_script(&f, s);
		}
	}
	fixture_tear_down(&f);
	free(s);
}

/* In parts of equal size, from single bytes on. */
static void test_small_receives(void **state)
{
	struct script *s = script_small();
	struct fixture f;

	(void)state;
	fixture_start(&f);
	f.pieces = 3;
	for (size_t max = 1; max <= s->wire_len; max++) {
		f.shim->recv_max = max;
		send_all(f.peer, s->wire, s->wire_len);
		expect_script(&f, s);
	}
	fixture_tear_down(&f);
	free(s);
}

/* Heads and payloads longer than the receive memory, and many records in one receive. */
static void test_sizes(void **state)
{
	static const uint32_t sizes[] = { 1, 3, 4, CHUNK - 12, CHUNK - 8, CHUNK, CHUNK + 1, 65537,
		XFER_IO_MAX - 1, XFER_IO_MAX };
	static const size_t maxima[] = { 0, 1000, CHUNK };
	struct script *s = calloc(1, sizeof(*s));
	struct fixture f;

	(void)state;
	fixture_start(&f);
	for (unsigned i = 0; i < 30; i++) {
		f.pieces = 1 + i % XFER_IOV_MAX;
		f.shim->recv_max = maxima[i % 3];
		s->wire_len = s->log_len = s->records = 0;
		for (unsigned j = 0; j < 40; j++)
			script_record(s, 4 + 4 * (j % 9), j % 3 ? 0 : j);
		script_record(s, XFER_HEAD_MAX, 0);
		script_record(s, 8, sizes[i % 10]);
		script_record(s, XFER_HEAD_MAX, sizes[i % 8]);
		script_record(s, 4, 0);
		send_all(f.peer, s->wire, s->wire_len);
		expect_script(&f, s);
	}
	fixture_tear_down(&f);
	free(s);
}

/* Memory that a request refers to isn't received into again. */
static void test_referenced_memory_stays(void **state)
{
	struct script *s = calloc(1, sizeof(*s)), *more = calloc(1, sizeof(*more));
	struct fixture f;

	(void)state;
	fixture_set_up(&f);
	f.keep = true;
	script_record(s, 8, 400);
	send_all(f.peer, s->wire, s->wire_len);
	xfer_conn_start(f.conn);
	expect_script(&f, s);
	assert_int_equal(f.held_len, 400);
	for (unsigned i = 0; i < 100; i++)
		script_record(more, 64, 100);
	for (unsigned i = 0; i < 10; i++) {
		send_all(f.peer, more->wire, more->wire_len);
		expect_script(&f, more);
	}
	assert_memory_equal(f.held_at, s->wire + 4 + 8 + 4, 400);
	fixture_tear_down(&f);
	free(s);
	free(more);
}

/* --- what isn't this protocol ------------------------------------------------------------------ */

static void expect_refused(const uint8_t *bytes, size_t len, unsigned records, int err)
{
	uint64_t errors = xfer_counters[XFER_CNT_PROTOCOL_ERRORS];
	struct fixture f;

	fixture_start(&f);
	send_all(f.peer, bytes, len);
	fixture_wait_end(&f);
	assert_int_equal(f.closed_err, err);
	assert_non_null(f.closed_why);
	assert_int_equal(f.records, records);
	assert_int_equal(xfer_counters[XFER_CNT_PROTOCOL_ERRORS], errors + (err == -EPROTO));
	fixture_free(&f);
}

static void test_bad_heads(void **state)
{
	static const uint32_t lengths[] = { 0, 1, 6, 0x7fffffff, XFER_HEAD_MAX + 4,
		0x47455420 /* "GET " */ };
	uint8_t mark[4];

	(void)state;
	for (unsigned i = 0; i < sizeof(lengths) / sizeof(*lengths); i++)
		for (int last = 0; last < 2; last++) {
			xfer_mark_put(mark, lengths[i], last);
			expect_refused(mark, 4, 0, -EPROTO);
		}
}

/* The head says 5 bytes: 8 with padding. */
static void test_bad_payload_marks(void **state)
{
	static const uint32_t lengths[] = { 0, 4, 5, 12, XFER_IO_MAX, 0x7fffffff };
	struct script *s = calloc(1, sizeof(*s));
	uint8_t bytes[16];

	(void)state;
	script_record(s, 4, 5);
	memcpy(bytes, s->wire, 8);
	for (unsigned i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		xfer_mark_put(bytes + 8, lengths[i], true);
		expect_refused(bytes, 12, 0, -EPROTO);
	}
	xfer_mark_put(bytes + 8, 8, false); /* a third fragment */
	expect_refused(bytes, 12, 0, -EPROTO);
	free(s);
}

static void test_refused_head(void **state)
{
	struct script *s = script_small();

	(void)state;
	script_fragment(s, (const uint8_t *)"stop", 4, true);
	script_record(s, 8, 0);
	expect_refused(s->wire, s->wire_len, 4, -EILSEQ);
	free(s);
}

/* Taken off whatever its length, which only the mark tells. */
static void test_discarded_payload(void **state)
{
	static const uint32_t lengths[] = { 0, 1, 4, 7, CHUNK, 100001 };
	static const size_t maxima[] = { 0, 1, 3 };
	struct script *s = calloc(1, sizeof(*s));
	uint8_t *bytes = calloc(1, 100001);
	struct fixture f;

	(void)state;
	fixture_start(&f);
	for (unsigned i = 0; i < 18; i++) {
		f.shim->recv_max = maxima[i % 3] * (lengths[i / 3] > CHUNK ? 1000 : 1);
		s->wire_len = s->log_len = s->records = 0;
		f.discard = true;
		script_fragment(s, bytes, 8, false);
		script_log(s, 'H', bytes, 8);
		script_fragment(s, bytes, lengths[i / 3], true);
		script_record(s, 12, 0);
		send_all(f.peer, s->wire, s->wire_len);
		expect_script(&f, s);
	}
	fixture_tear_down(&f);
	free(bytes);
	free(s);
}

static void test_discarded_payload_has_a_limit(void **state)
{
	struct fixture f;
	uint8_t bytes[12] = { 0 };

	(void)state;
	fixture_set_up(&f);
	f.discard = true;
	xfer_conn_start(f.conn);
	xfer_mark_put(bytes, 4, false);
	xfer_mark_put(bytes + 8, XFER_RECORD_MAX + 1, true);
	send_all(f.peer, bytes, sizeof(bytes));
	fixture_wait_end(&f);
	assert_int_equal(f.closed_err, -EPROTO);
	fixture_free(&f);
}

/* --- ends -------------------------------------------------------------------------------------- */

/* At whichever byte; what was complete before has arrived. */
static void test_peer_closes(void **state)
{
	struct script *s = script_small();

	(void)state;
	for (size_t at = 0; at <= s->wire_len; at += 5) {
		struct fixture f;

		fixture_start(&f);
		send_all(f.peer, s->wire, at);
		shutdown(f.peer, SHUT_WR);
		fixture_wait_end(&f);
		assert_int_equal(f.closed_err, -ECONNRESET);
		fixture_free(&f);
	}
	free(s);
}

static void test_receiving_fails(void **state)
{
	struct fixture f;

	(void)state;
	fixture_start(&f);
	f.shim->recv_err = -EBADMSG;
	send_all(f.peer, (const uint8_t *)"x", 1);
	fixture_wait_end(&f);
	assert_int_equal(f.closed_err, -EBADMSG);
	fixture_free(&f);
}

static void test_first_cause_wins(void **state)
{
	struct fixture f;

	(void)state;
	fixture_set_up(&f);
	xfer_conn_close(f.conn, -ETIMEDOUT, "first");
	xfer_conn_close(f.conn, -EIO, "second");
	xfer_conn_start(f.conn);
	fixture_wait_end(&f);
	assert_int_equal(f.closed_err, -ETIMEDOUT);
	assert_string_equal(f.closed_why, "first");
	fixture_free(&f);
}

static void test_pause(void **state)
{
	struct script *s = script_small();
	struct fixture f;

	(void)state;
	fixture_start(&f);
	send_all(f.peer, s->wire, s->wire_len);
	expect_script(&f, s);
	xfer_conn_pause(f.conn, true);
	usleep(20000); /* a receive that had begun before is over */
	send_all(f.peer, s->wire, s->wire_len);
	usleep(50000);
	assert_int_equal(records_of(&f), 0);
	xfer_conn_pause(f.conn, false);
	expect_script(&f, s);
	/* The end of a paused connection is seen. */
	xfer_conn_pause(f.conn, true);
	fixture_tear_down(&f);
	free(s);
}

/* --- receiving in the lane's place ------------------------------------------------------------ */

struct poller {
	struct fixture *f;
	_Atomic bool wanted;
	pthread_t thread;
};

static void *poll_conn(void *arg)
{
	struct poller *poller = arg;

	xfer_conn_poll(poller->f->conn, &poller->wanted, xfer_now_ns() + WAIT_MS * XFER_NS_PER_MS);
	assert_false(xfer_conn_is_polling());
	return NULL;
}

static void start_poller(struct poller *poller, struct fixture *f)
{
	*poller = (struct poller){ .f = f, .wanted = true };
	assert_int_equal(pthread_create(&poller->thread, NULL, poll_conn, poller), 0);
	usleep(20000);
}

static void expect_by(struct fixture *f, const struct script *s, bool lane)
{
	expect_script(f, s);
	pthread_mutex_lock(&f->lock);
	assert_int_equal(f->on_lane, lane);
	pthread_mutex_unlock(&f->lock);
}

/* Either goes on where the other has stopped, in the middle of a record, too. */
static void test_poll(void **state)
{
	struct script *s = script_small();
	struct fixture f;

	(void)state;
	fixture_start(&f);
	for (size_t at = 1; at < s->wire_len; at += 7) {
		size_t before = f.shim->received;
		struct poller poller;

		send_all(f.peer, s->wire, at);
		wait_received(&f, before + at);
		start_poller(&poller, &f);
		send_all(f.peer, s->wire + at, s->wire_len - at);
		expect_by(&f, s, false);
		send_all(f.peer, s->wire, at);
		wait_received(&f, before + s->wire_len + at);
		poller.wanted = false;
		pthread_join(poller.thread, NULL);
		send_all(f.peer, s->wire + at, s->wire_len - at);
		expect_by(&f, s, true);
	}
	fixture_tear_down(&f);
	free(s);
}

/* It is the lane that tells of the end. */
static void test_peer_closes_while_polled(void **state)
{
	struct poller poller;
	struct fixture f;

	(void)state;
	fixture_start(&f);
	start_poller(&poller, &f);
	shutdown(f.peer, SHUT_RDWR);
	fixture_wait_end(&f);
	pthread_join(poller.thread, NULL);
	assert_true(poller.wanted);
	assert_int_equal(f.closed_err, -ECONNRESET);
	assert_int_equal(f.closed, 1);
	fixture_free(&f);
}

/* Not before it has begun; not after the deadline; one at a time. */
static void test_poll_without_receiving(void **state)
{
	const _Atomic bool wanted = true;
	struct poller poller;
	struct fixture f;

	(void)state;
	fixture_set_up(&f);
	xfer_conn_poll(f.conn, &wanted, UINT64_MAX);
	xfer_conn_start(f.conn);
	xfer_conn_poll(f.conn, &wanted, xfer_now_ns());
	start_poller(&poller, &f);
	xfer_conn_poll(f.conn, &wanted, xfer_now_ns() + XFER_NS_PER_MS);
	poller.wanted = false;
	pthread_join(poller.thread, NULL);
	fixture_tear_down(&f);
}

static void test_ticks(void **state)
{
	struct fixture f;
	uint64_t deadline = xfer_now_ns() + WAIT_MS * XFER_NS_PER_MS;
	unsigned ticks = 0;

	(void)state;
	fixture_start(&f);
	while (ticks < 3) {
		assert_true(xfer_now_ns() < deadline);
		usleep(1000);
		pthread_mutex_lock(&f.lock);
		ticks = f.ticks;
		pthread_mutex_unlock(&f.lock);
	}
	fixture_tear_down(&f);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split_at_every_byte),
		cmocka_unit_test(test_small_receives),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_referenced_memory_stays),
		cmocka_unit_test(test_bad_heads),
		cmocka_unit_test(test_bad_payload_marks),
		cmocka_unit_test(test_refused_head),
		cmocka_unit_test(test_discarded_payload),
		cmocka_unit_test(test_discarded_payload_has_a_limit),
		cmocka_unit_test(test_peer_closes),
		cmocka_unit_test(test_receiving_fails),
		cmocka_unit_test(test_first_cause_wins),
		cmocka_unit_test(test_pause),
		cmocka_unit_test(test_poll),
		cmocka_unit_test(test_peer_closes_while_polled),
		cmocka_unit_test(test_poll_without_receiving),
		cmocka_unit_test(test_ticks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
