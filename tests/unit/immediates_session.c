/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* immediates_session.c -- sessions with a data path whose bytes announce themselves, from READ and WRITE to their ends */

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
#include "counters.h"
#include "session.h"
#include "support/late_owner.h"
#include "support/sessions.h"
#include "xfer/xfer.h"

#define LENGTH  65536u
#define LONG_NS (20000 * XFER_NS_PER_MS)

static struct fixture f;
static uint8_t data[LENGTH], back[LENGTH];
static _Atomic bool stillborn; /* the next data path is lost before anybody knows of it */

int __real_xfer_datapath_create(
	const struct xfer_datapath_params *params, struct xfer_datapath **path);
int __wrap_xfer_datapath_create(
	const struct xfer_datapath_params *params, struct xfer_datapath **path);

/* The session knows of one transport only. */
int __wrap_xfer_datapath_create(
	const struct xfer_datapath_params *params, struct xfer_datapath **path)
{
	struct late_link *link = late_owner_path()->link;
	struct xfer_datapath_params late = *params;
	int err;

	late.transport = late_transport_new(link, LATE_INITIATOR);
	err = __real_xfer_datapath_create(&late, path);
	if (atomic_exchange(&stillborn, false))
		late_lose(link, LATE_INITIATOR, "it is stillborn");
	return err;
}

/* --- conditions --------------------------------------------------------------------------------- */

/* Slots of the first lane for LENGTH bytes, in both directions. */
static bool has_slots(void *unused)
{
	json_t *status = xfer_session_status(f.session), *size;
	json_t *sizes = json_object_get(json_object_get(status, "path"), "sizes");
	unsigned found = 0;
	size_t i;

	(void)unused;
	json_array_foreach (sizes, i, size) {
		json_t *states = json_object_get(size, "states");

		found += json_integer_value(json_object_get(size, "lane")) == 0 &&
			 json_integer_value(json_object_get(size, "slot_size")) >= LENGTH &&
			 json_integer_value(json_object_get(states, "free")) > 0;
	}
	json_decref(status);
	return found == 2;
}

/* The initiator looks for what is missing. */
static bool read_waits(void *unused)
{
	(void)unused;
	return late_awaited(late_owner_path()->link, LATE_INITIATOR) > 0;
}

static bool second_path(void *unused)
{
	(void)unused;
	return late_owner.npaths == 2 && has_slots(NULL);
}

/* --- a session ---------------------------------------------------------------------------------- */

static void begin(enum late_when at_host, enum late_when at_initiator)
{
	struct xfer_context_params params = {
		.node = "a", .lanes = 1, .heartbeat_ms = 200, .small_slots = 1, .large_slots = 1
	};

	late_owner.when[LATE_HOST] = at_host;
	late_owner.when[LATE_INITIATOR] = at_initiator;
	memset(&f, 0, sizeof(f));
	f.owner.memory = late_owner_memory;
	memowner_start(&f.owner, "b", NULL);
	assert_int_equal(xfer_context_create(&params, &f.context), 0);
	xfer_handle_root(1, &f.handle);
	assert_int_equal(
		xfer_session_open(f.context,
			&(struct xfer_session_params){ .owner = "b", .address = f.owner.address },
			&f.session),
		0);
	assert_true(wait_for(has_slots, NULL));
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 + i / 256);
	memcpy(f.owner.data, data, LENGTH);
	memset(back, 0, sizeof(back));
}

static void end(void)
{
	xfer_session_close(f.session);
	xfer_context_destroy(f.context);
	late_owner_settle();
	memowner_stop(&f.owner);
	assert_int_equal(f.owner.slot_clashes, 0);
	late_owner_free();
}

static struct late_link *link_now(void)
{
	return late_owner_path()->link;
}

static void start_write(struct wait_io *w)
{
	io_prepare(&f, w, LENGTH, data, LENGTH);
	xfer_op_write(&w->io);
}

/* Executed once, and there. */
static void expect_written(struct wait_io *w)
{
	assert_int_equal(io_wait(w), 0);
	assert_int_equal(w->io.count, LENGTH);
	assert_int_equal(f.owner.writes, 1);
	assert_memory_equal(f.owner.data + LENGTH, data, LENGTH);
}

static void start_read(struct wait_io *w)
{
	io_prepare(&f, w, 0, back, LENGTH);
	xfer_op_read(&w->io);
}

static void expect_read(struct wait_io *w)
{
	assert_int_equal(io_wait(w), 0);
	assert_int_equal(w->io.count, LENGTH);
	assert_memory_equal(back, data, LENGTH);
}

/* How many payloads went inline because their data path had failed them. */
static uint64_t resent(void)
{
	return xfer_inline_counters[XFER_CAUSE_RESENT];
}

/* --- WRITE -------------------------------------------------------------------------------------- */

static void test_write_data_first(void **state)
{
	uint64_t before = resent();
	struct wait_io w;

	(void)state;
	begin(LATE_AT_POLL, LATE_AT_POLL);
	start_write(&w);
	expect_written(&w);
	assert_int_equal(resent(), before);
	assert_int_equal(late_awaited(link_now(), LATE_HOST), 0);
	end();
}

/* What must not travel unencrypted has no place there, in either direction. */
static void test_require_encryption(void **state)
{
	uint64_t before = xfer_inline_counters[XFER_CAUSE_ENCRYPTION];
	uint64_t writes = xfer_counters[XFER_CNT_SLOT_WRITES];
	uint64_t reads = xfer_counters[XFER_CNT_SLOT_READS];
	struct wait_io w;

	(void)state;
	begin(LATE_AT_POLL, LATE_AT_POLL);
	io_prepare(&f, &w, LENGTH, data, LENGTH);
	w.io.require_encryption = true;
	xfer_op_write(&w.io);
	expect_written(&w);
	io_prepare(&f, &w, 0, back, LENGTH);
	w.io.require_encryption = true;
	xfer_op_read(&w.io);
	expect_read(&w);
	assert_int_equal(xfer_inline_counters[XFER_CAUSE_ENCRYPTION], before + 2);
	assert_int_equal(xfer_counters[XFER_CNT_SLOT_WRITES], writes);
	assert_int_equal(xfer_counters[XFER_CNT_SLOT_READS], reads);
	end();
}

/* It is parked; this thread brings its bytes. */
static void test_write_data_later(void **state)
{
	uint64_t before = resent();
	struct wait_io w;

	(void)state;
	begin(LATE_HELD, LATE_AT_POLL);
	start_write(&w);
	assert_true(wait_for(late_owner_one_parked, NULL));
	assert_int_equal(f.owner.operations, 0);
	assert_int_equal(late_deliver(link_now(), LATE_HOST), 1);
	expect_written(&w);
	assert_int_equal(resent(), before);
	/* The slot is free again. */
	assert_true(has_slots(NULL));
	end();
}

static void test_write_data_never(void **state)
{
	uint64_t before = resent();
	struct late_path *path;
	struct wait_io w;

	(void)state;
	begin(LATE_HELD, LATE_AT_POLL);
	path = late_owner_path();
	start_write(&w);
	assert_true(wait_for(late_owner_one_parked, NULL));
	late_tick(path->link, LATE_HOST, 0, 3000);
	expect_written(&w);
	assert_int_equal(resent(), before + 1);
	/* They come when nobody wants them any more. */
	late_deliver(path->link, LATE_HOST);
	assert_int_equal(path->lost, 0);
	/* Its slot is lost, which is too many: there is another path. */
	late_owner.when[LATE_HOST] = LATE_AT_POLL;
	assert_true(wait_for(second_path, NULL));
	start_write(&w);
	assert_int_equal(io_wait(&w), 0);
	assert_int_equal(resent(), before + 1);
	end();
}

static void test_write_path_lost_at_the_host(void **state)
{
	uint64_t before = resent();
	struct late_path *path;
	struct wait_io w;

	(void)state;
	begin(LATE_HELD, LATE_AT_POLL);
	path = late_owner_path();
	start_write(&w);
	assert_true(wait_for(late_owner_one_parked, NULL));
	late_lose(path->link, LATE_HOST, "the cable is out");
	assert_int_equal(path->lost, 1);
	assert_int_equal(f.owner.operations, 0);
	late_owner_end_path(path);
	expect_written(&w);
	assert_int_equal(resent(), before + 1);
	assert_true(wait_for(second_path, NULL));
	end();
}

static void test_write_path_lost_at_the_initiator(void **state)
{
	uint64_t before = resent();
	struct wait_io w;

	(void)state;
	begin(LATE_HELD, LATE_AT_POLL);
	start_write(&w);
	assert_true(wait_for(late_owner_one_parked, NULL));
	late_lose(link_now(), LATE_INITIATOR, "the port is down");
	late_deliver(link_now(), LATE_HOST);
	expect_written(&w);
	assert_int_equal(resent(), before);
	assert_true(wait_for(second_path, NULL));
	end();
}

/* It is sent again over another connection; its first sending is told by the end of the path. */
static void test_write_connection_lost(void **state)
{
	struct later later;
	struct wait_io w;

	(void)state;
	begin(LATE_HELD, LATE_AT_POLL);
	later = (struct later){ f.session, f.session->epoch };
	start_write(&w);
	assert_true(wait_for(late_owner_one_parked, NULL));
	cut(f.session);
	expect_written(&w);
	assert_true(wait_for(later_epoch, &later));
	assert_true(wait_for(second_path, NULL));
	end();
}

static void *call_write(void *arg)
{
	struct xfer_session_call *call = arg;

	return (void *)(intptr_t)xfer_session_call(call);
}

static bool was_cancelled(void *before)
{
	return xfer_rpc_counters[XFER_PROC_CANCEL] > *(uint64_t *)before + 1;
}

/* CANCEL comes too late for a WRITE that waits for its bytes: it goes on to. */
static void test_write_cancelled(void **state)
{
	uint64_t before = xfer_rpc_counters[XFER_PROC_CANCEL];
	static struct xfer_session_call call;
	struct iovec iov = { data, LENGTH };
	pthread_t thread;
	void *err;

	(void)state;
	begin(LATE_HELD, LATE_AT_POLL);
	f.session->cancel_ms = 20;
	f.owner.cancels = true;
	xfer_session_prepare(&call, f.session, &cred, XFER_PROC_WRITE);
	call.args.write = (struct xfer_write_args){ .handle = f.handle, .offset = LENGTH };
	xfer_session_put_payload(&call, &iov);
	assert_int_equal(pthread_create(&thread, NULL, call_write, &call), 0);
	/* Sent and received, or sent twice. */
	assert_true(wait_for(was_cancelled, &before));
	assert_true(wait_for(late_owner_one_parked, NULL));
	assert_int_equal(f.owner.operations, 0);
	late_deliver(link_now(), LATE_HOST);
	pthread_join(thread, &err);
	assert_int_equal((intptr_t)err, 0);
	assert_int_equal(f.owner.writes, 1);
	assert_memory_equal(f.owner.data + LENGTH, data, LENGTH);
	end();
}

/* --- READ --------------------------------------------------------------------------------------- */

static void test_read_data_first(void **state)
{
	static const enum late_when whens[] = { LATE_AT_ONCE, LATE_AT_POLL, LATE_AT_AWAIT };
	uint64_t before = resent();
	struct wait_io w;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		begin(LATE_AT_POLL, whens[i]);
		for (unsigned turn = 0; turn < 3; turn++) {
			start_read(&w);
			expect_read(&w);
		}
		assert_int_equal(late_awaited(link_now(), LATE_INITIATOR), i == 2 ? 3 : 0);
		end();
	}
	assert_int_equal(resent(), before);
}

/* A READ, and where its end was told. */
struct told {
	struct wait_io w;
	pthread_t thread;
	bool on_lane;
};

static void note_end(struct xfer_io *io)
{
	struct told *told = (struct told *)io;

	told->thread = pthread_self();
	told->on_lane = xfer_on_lane_thread();
	sem_post(&told->w.done);
}

/* The thread that finds the data may hold locks: a lane goes on with the READ. */
static void test_read_data_later(void **state)
{
	struct told told;

	(void)state;
	begin(LATE_AT_POLL, LATE_HELD);
	io_prepare(&f, &told.w, 0, back, LENGTH);
	told.w.io.done = note_end;
	xfer_op_read(&told.w.io);
	assert_true(wait_for(read_waits, NULL));
	assert_int_equal(late_deliver(link_now(), LATE_INITIATOR), 1);
	expect_read(&told.w);
	assert_true(told.on_lane);
	assert_true(wait_for(has_slots, NULL));
	end();
}

/* Who attends his own READ finds the data himself, too. */
static void test_read_attended(void **state)
{
	struct told told;

	(void)state;
	begin(LATE_AT_POLL, LATE_AT_AWAIT);
	f.session->attend_ns = LONG_NS;
	io_prepare(&f, &told.w, 0, back, LENGTH);
	told.w.io.done = note_end;
	told.w.io.attended = true;
	xfer_op_read(&told.w.io);
	expect_read(&told.w);
	assert_true(pthread_equal(told.thread, pthread_self()));
	assert_int_equal(late_awaited(link_now(), LATE_INITIATOR), 1);
	end();
}

/* What it waits for is lost: the path is given up, and the READ asks once more. */
static void test_read_data_never(void **state)
{
	uint64_t before = resent();
	struct wait_io w;

	(void)state;
	begin(LATE_AT_POLL, LATE_HELD);
	start_read(&w);
	assert_true(wait_for(read_waits, NULL));
	late_drop(link_now(), LATE_INITIATOR);
	late_tick(link_now(), LATE_INITIATOR, 0, 6000);
	expect_read(&w);
	assert_int_equal(resent(), before + 1);
	assert_true(wait_for(second_path, NULL));
	end();
}

static void test_read_path_lost(void **state)
{
	uint64_t before = resent();
	struct wait_io w;

	(void)state;
	begin(LATE_AT_POLL, LATE_HELD);
	start_read(&w);
	assert_true(wait_for(read_waits, NULL));
	late_lose(link_now(), LATE_INITIATOR, "the port is down");
	expect_read(&w);
	assert_int_equal(resent(), before + 1);
	assert_true(wait_for(second_path, NULL));
	end();
}

/* Its answer has come, and nothing else can any more. */
static void test_read_connection_lost(void **state)
{
	struct later later;
	struct wait_io w;

	(void)state;
	begin(LATE_AT_POLL, LATE_HELD);
	later = (struct later){ f.session, f.session->epoch };
	start_read(&w);
	assert_true(wait_for(read_waits, NULL));
	cut(f.session);
	expect_read(&w);
	assert_true(wait_for(later_epoch, &later));
	end();
}

/* The owner can't send what it has read. */
static void test_read_send_fails(void **state)
{
	uint64_t before = resent();
	struct wait_io w;

	(void)state;
	begin(LATE_AT_POLL, LATE_AT_POLL);
	late_fail(link_now(), LATE_HOST, 0, -ENOTCONN);
	start_read(&w);
	expect_read(&w);
	assert_int_equal(resent(), before + 1);
	end();
}

/* A short READ: as many bytes are sent as there are. */
static void test_read_at_the_end(void **state)
{
	struct wait_io w;

	(void)state;
	begin(LATE_AT_POLL, LATE_AT_POLL);
	memset(f.owner.data + MEMOWNER_SIZE - 1000, 'e', 1000);
	io_prepare(&f, &w, MEMOWNER_SIZE - 1000, back, LENGTH);
	xfer_op_read(&w.io);
	assert_int_equal(io_wait(&w), 0);
	assert_int_equal(w.io.count, 1000);
	assert_true(w.io.eof);
	assert_memory_equal(back, f.owner.data + MEMOWNER_SIZE - 1000, 1000);
	assert_int_equal(back[1000], 0);
	end();
}

/* --- paths -------------------------------------------------------------------------------------- */

static void test_path_lost_at_birth(void **state)
{
	struct wait_io w;

	(void)state;
	stillborn = true;
	begin(LATE_AT_POLL, LATE_AT_POLL);
	assert_int_equal(late_owner.npaths, 2);
	start_write(&w);
	expect_written(&w);
	start_read(&w);
	expect_read(&w);
	end();
}

/* The owner sends what it can't mean: its path is given up, and nothing else. */
static void test_owner_is_confused(void **state)
{
	struct wait_io w;
	uint32_t epoch;

	(void)state;
	begin(LATE_AT_POLL, LATE_AT_POLL);
	epoch = f.session->epoch;
	late_forge(link_now(), LATE_INITIATOR, 0, 999u << 16);
	assert_true(wait_for(second_path, NULL));
	start_read(&w);
	expect_read(&w);
	assert_int_equal(f.session->epoch, epoch);
	end();
}

/* --- all together ------------------------------------------------------------------------------- */

#define WRITERS 4u
#define ROUNDS  200u

static void *work(void *arg)
{
	unsigned number = (unsigned)(uintptr_t)arg;
	uint8_t out[LENGTH], in[LENGTH];
	struct wait_io w;

	for (unsigned i = 0; i < ROUNDS; i++) {
		memset(out, (int)(number * ROUNDS + i), LENGTH);
		io_prepare(&f, &w, (2 + number) * (uint64_t)LENGTH, out, LENGTH);
		w.io.attended = i % 2;
		xfer_op_write(&w.io);
		assert_int_equal(io_wait(&w), 0);
		io_prepare(&f, &w, (2 + number) * (uint64_t)LENGTH, in, LENGTH);
		w.io.attended = i % 2;
		xfer_op_read(&w.io);
		assert_int_equal(io_wait(&w), 0);
		assert_memory_equal(in, out, LENGTH);
	}
	return NULL;
}

static _Atomic bool ending;

static void *deliver_on(void *arg)
{
	struct late_link *link = arg;

	while (!ending) {
		late_deliver(link, LATE_HOST);
		late_deliver(link, LATE_INITIATOR);
		late_tick(link, LATE_HOST, 0, 0);
		late_tick(link, LATE_INITIATOR, 0, 0);
	}
	return NULL;
}

static void run_together(void (*meanwhile)(void))
{
	pthread_t threads[WRITERS], deliverer;

	begin(LATE_HELD, LATE_HELD);
	ending = false;
	assert_int_equal(pthread_create(&deliverer, NULL, deliver_on, link_now()), 0);
	for (uintptr_t i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, (void *)i), 0);
	if (meanwhile)
		meanwhile();
	for (unsigned i = 0; i < WRITERS; i++)
		pthread_join(threads[i], NULL);
	ending = true;
	pthread_join(deliverer, NULL);
	end();
}

static void test_all_together(void **state)
{
	(void)state;
	run_together(NULL);
}

static void lose_it(void)
{
	usleep(5000);
	late_lose(link_now(), LATE_INITIATOR, "the test says so");
	late_owner.when[LATE_HOST] = late_owner.when[LATE_INITIATOR] = LATE_AT_AWAIT;
}

static void test_all_together_path_lost(void **state)
{
	(void)state;
	run_together(lose_it);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_write_data_first),
		cmocka_unit_test(test_require_encryption),
		cmocka_unit_test(test_write_data_later),
		cmocka_unit_test(test_write_data_never),
		cmocka_unit_test(test_write_path_lost_at_the_host),
		cmocka_unit_test(test_write_path_lost_at_the_initiator),
		cmocka_unit_test(test_write_connection_lost),
		cmocka_unit_test(test_write_cancelled),
		cmocka_unit_test(test_read_data_first),
		cmocka_unit_test(test_read_data_later),
		cmocka_unit_test(test_read_attended),
		cmocka_unit_test(test_read_data_never),
		cmocka_unit_test(test_read_path_lost),
		cmocka_unit_test(test_read_connection_lost),
		cmocka_unit_test(test_read_send_fails),
		cmocka_unit_test(test_read_at_the_end),
		cmocka_unit_test(test_path_lost_at_birth),
		cmocka_unit_test(test_owner_is_confused),
		cmocka_unit_test(test_all_together),
		cmocka_unit_test(test_all_together_path_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
