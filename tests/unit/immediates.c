/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* immediates.c -- both ends of a data path whose bytes announce themselves, without a connection */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/hostpath.h"
#include "core/layout.h"
#include "counters.h"
#include "datapath.h"
#include "support/late_transport.h"
#include "transport/shm.h"

#define EPOCH 7u
#define LANES 2u
#define SMALL 4096u
#define LARGE 65536u
#define TURNS 2000u /* of what may happen in any order */

static const struct xfer_path_volume any_volume;

static const struct xfer_slot_layout layout = { .nclasses = 2,
	.classes = { { SMALL, 2 }, { LARGE, 1 } } };

struct ends {
	struct late_link *link;
	struct xfer_datapath *initiator;
	struct xfer_hostpath *host;
	_Atomic unsigned host_gone, initiator_gone;
	_Atomic unsigned host_lost, initiator_lost; /* how often that was told */
	const char *why;                            /* the last time */
	_Atomic bool ending;
	uint8_t data[LARGE], back[LARGE];
};

/* An RPC at the host, or a call at the initiator, that may have to wait. */
struct waiting {
	struct xfer_placement placement;
	_Atomic unsigned told;
	_Atomic int what; /* an enum xfer_join_event, or err */
};

static void tell(struct xfer_placement *placement, int what)
{
	struct waiting *waiting =
		(struct waiting *)((char *)placement - offsetof(struct waiting, placement));

	waiting->what = what;
	waiting->told++;
}

static void resume(struct xfer_placement *placement, enum xfer_join_event event)
{
	tell(placement, (int)event);
}

static void ready(struct xfer_placement *placement, int err)
{
	tell(placement, err);
}

static void host_gone(void *arg, struct xfer_hostpath *path)
{
	struct ends *ends = arg;

	assert_ptr_equal(path, ends->host);
	ends->host_gone++;
}

static void host_lost(void *arg, const char *why)
{
	struct ends *ends = arg;

	ends->why = why;
	ends->host_lost++;
}

static void initiator_gone(void *arg, struct xfer_datapath *path)
{
	struct ends *ends = arg;

	assert_ptr_equal(path, ends->initiator);
	ends->initiator_gone++;
}

static void initiator_lost(void *arg, struct xfer_datapath *path, const char *why)
{
	struct ends *ends = arg;

	assert_ptr_equal(path, ends->initiator);
	ends->why = why;
	ends->initiator_lost++;
}

static void share(struct xfer_memory **maker, struct xfer_memory **user)
{
	int fd;

	assert_int_equal(xfer_shm_make(xfer_layout_bytes(&layout, LANES), maker, &fd), 0);
	assert_int_equal(xfer_shm_map(fd, xfer_layout_bytes(&layout, LANES), user), 0);
	close(fd);
}

static void grow(struct ends *ends)
{
	struct xfer_memory *ours, *theirs;
	struct xfer_chunk chunk;

	share(&ours, &theirs);
	assert_int_equal(xfer_hostpath_add(ends->host, &layout, ours, &chunk), 0);
	assert_int_equal(xfer_datapath_add(ends->initiator, &chunk, theirs), 0);
}

static int set_up(void **state)
{
	struct ends *ends = calloc(1, sizeof(*ends));
	struct xfer_datapath_params initiator = { .epoch = EPOCH,
		.lanes = LANES,
		.read = layout,
		.gone = initiator_gone,
		.ready = ready,
		.lost = initiator_lost,
		.arg = ends };
	struct xfer_hostpath_params host = { .epoch = EPOCH,
		.lanes = LANES,
		.read = layout,
		.gone = host_gone,
		.resume = resume,
		.lost = host_lost,
		.arg = ends };

	assert_non_null(ends);
	ends->link = late_link_new();
	initiator.transport = late_transport_new(ends->link, LATE_INITIATOR);
	host.transport = late_transport_new(ends->link, LATE_HOST);
	share(&initiator.memory, &host.memory);
	assert_int_equal(xfer_datapath_create(&initiator, &ends->initiator), 0);
	assert_int_equal(xfer_hostpath_create(&host, &ends->host), 0);
	grow(ends);
	for (size_t i = 0; i < sizeof(ends->data); i++)
		ends->data[i] = (uint8_t)(i * 7 + i / 256);
	*state = ends;
	return 0;
}

static int tear_down(void **state)
{
	struct ends *ends = *state;

	xfer_datapath_unref(ends->initiator);
	xfer_hostpath_unref(ends->host);
	assert_int_equal(ends->initiator_gone, 1);
	assert_int_equal(ends->host_gone, 1);
	xfer_datapath_free(ends->initiator);
	xfer_hostpath_free(ends->host);
	late_link_free(ends->link);
	free(ends);
	return 0;
}

/* The states' counts of the host's WRITE slots, of all lanes. */
static json_int_t host_slots(struct ends *ends, const char *of)
{
	json_t *status = xfer_hostpath_status(ends->host);
	json_int_t number =
		json_integer_value(json_object_get(json_object_get(status, "write"), of));

	json_decref(status);
	return number;
}

/* --- WRITE -------------------------------------------------------------------------------------- */

static struct xfer_placement write_slot(struct ends *ends, uint32_t lane, uint32_t length)
{
	struct iovec iov = { ends->data, length };
	struct xfer_placement sent;

	assert_int_equal(
		xfer_datapath_write(ends->initiator, &any_volume, lane, &iov, 1, length, &sent),
		XFER_CAUSE_NONE);
	return sent;
}

/* What an RPC that names it finds. */
static enum xfer_join_event arrive(
	struct ends *ends, const struct xfer_placement *sent, struct waiting *found)
{
	found->told = 0;
	found->placement = (struct xfer_placement){
		.direction = sent->direction, .slot = sent->slot, .length = sent->length
	};
	return xfer_hostpath_find(ends->host, &found->placement);
}

/* It has its bytes; the answer names the slot. */
static void finish_write(
	struct ends *ends, const struct xfer_placement *sent, struct waiting *found)
{
	assert_memory_equal(found->placement.memory, ends->data, sent->length);
	xfer_hostpath_done(ends->host, &found->placement);
	assert_int_equal(xfer_datapath_written(ends->initiator, sent, &sent->slot), 0);
}

static void expect_told(const struct waiting *waiting, int what)
{
	assert_int_equal(waiting->told, 1);
	assert_int_equal(waiting->what, what);
}

static void test_bytes_come_first(void **state)
{
	static const enum late_when whens[] = { LATE_AT_ONCE, LATE_AT_POLL };
	struct ends *ends = *state;
	struct xfer_placement sent;
	struct waiting found;

	for (unsigned i = 0; i < 8; i++) {
		late_set(ends->link, LATE_HOST, whens[i % 2]);
		sent = write_slot(ends, i % LANES, LARGE);
		assert_int_equal(arrive(ends, &sent, &found), XFER_JOIN_GO);
		assert_int_equal(found.told, 0);
		finish_write(ends, &sent, &found);
	}
	assert_int_equal(late_awaited(ends->link, LATE_HOST), 0);
	assert_false(xfer_hostpath_used_ns(ends->host) == 0);
}

static void test_bytes_come_while_it_is_waited_for(void **state)
{
	struct ends *ends = *state;
	struct xfer_placement sent;
	struct waiting found;

	late_set(ends->link, LATE_HOST, LATE_AT_AWAIT);
	sent = write_slot(ends, 1, LARGE);
	assert_int_equal(arrive(ends, &sent, &found), XFER_JOIN_WAIT);
	expect_told(&found, XFER_JOIN_GO);
	finish_write(ends, &sent, &found);
	assert_int_equal(late_awaited(ends->link, LATE_HOST), 1);
}

/* An RPC that looks for its own bytes finds those of another. */
static void test_bytes_come_later(void **state)
{
	struct xfer_placement first, second;
	struct waiting one, other;
	struct ends *ends = *state;

	late_set(ends->link, LATE_HOST, LATE_HELD);
	first = write_slot(ends, 0, SMALL);
	second = write_slot(ends, 0, SMALL);
	assert_int_equal(arrive(ends, &first, &one), XFER_JOIN_WAIT);
	assert_int_equal(one.told, 0);
	late_set(ends->link, LATE_HOST, LATE_AT_POLL);
	assert_int_equal(arrive(ends, &second, &other), XFER_JOIN_GO);
	expect_told(&one, XFER_JOIN_GO);
	finish_write(ends, &second, &other);
	finish_write(ends, &first, &one);
	late_set(ends->link, LATE_HOST, LATE_HELD);
	first = write_slot(ends, 0, LARGE);
	assert_int_equal(arrive(ends, &first, &one), XFER_JOIN_WAIT);
	assert_int_equal(late_deliver(ends->link, LATE_HOST), 1);
	expect_told(&one, XFER_JOIN_GO);
	finish_write(ends, &first, &one);
}

/* Its slot is lost until another epoch, whose end the initiator is told of by its own count. */
static void test_bytes_never_come(void **state)
{
	struct ends *ends = *state;
	uint32_t chunk = xfer_hostpath_newest(ends->host);
	struct xfer_placement sent;
	struct waiting found;

	late_set(ends->link, LATE_HOST, LATE_HELD);
	sent = write_slot(ends, 0, LARGE);
	assert_int_equal(arrive(ends, &sent, &found), XFER_JOIN_WAIT);
	late_tick(ends->link, LATE_HOST, 0, 1000);
	late_tick(ends->link, LATE_HOST, 1, 3000);
	assert_int_equal(found.told, 0);
	late_tick(ends->link, LATE_HOST, 0, 3000);
	expect_told(&found, XFER_JOIN_RESEND);
	assert_int_equal(host_slots(ends, "given_up"), 1);
	assert_true(xfer_datapath_abandon(ends->initiator, &sent));
	/* They come after all: nobody uses them. */
	assert_int_equal(late_deliver(ends->link, LATE_HOST), 1);
	assert_int_equal(found.told, 1);
	assert_int_equal(ends->host_lost, 0);
	assert_int_equal(arrive(ends, &sent, &found), XFER_JOIN_RESEND);
	assert_int_equal(xfer_hostpath_remove(ends->host, chunk), -EBUSY);
}

static void test_path_ends_at_the_host(void **state)
{
	struct xfer_placement sent[2];
	struct waiting found[2], late;
	struct ends *ends = *state;

	late_set(ends->link, LATE_HOST, LATE_HELD);
	for (unsigned i = 0; i < 2; i++) {
		sent[i] = write_slot(ends, i, LARGE);
		assert_int_equal(arrive(ends, &sent[i], &found[i]), XFER_JOIN_WAIT);
	}
	xfer_hostpath_end(ends->host);
	for (unsigned i = 0; i < 2; i++)
		expect_told(&found[i], XFER_JOIN_RESEND);
	assert_int_equal(late_deliver(ends->link, LATE_HOST), 2);
	assert_int_equal(found[0].told, 1);
	assert_int_equal(arrive(ends, &sent[0], &late), XFER_JOIN_RESEND);
	assert_int_equal(ends->host_lost, 0);
}

/* The initiator doesn't know any more what it has sent; the host executes what it has all of. */
static void test_path_is_lost_at_the_initiator(void **state)
{
	struct ends *ends = *state;
	struct xfer_placement sent;
	struct waiting found;

	late_set(ends->link, LATE_HOST, LATE_HELD);
	sent = write_slot(ends, 0, LARGE);
	assert_int_equal(arrive(ends, &sent, &found), XFER_JOIN_WAIT);
	xfer_datapath_lost(ends->initiator);
	late_deliver(ends->link, LATE_HOST);
	expect_told(&found, XFER_JOIN_GO);
	finish_write(ends, &sent, &found);
}

/* --- immediates that can't be ------------------------------------------------------------------- */

static void expect_host_lost(struct ends *ends, unsigned times, const char *why)
{
	assert_int_equal(ends->host_lost, times);
	assert_string_equal(ends->why, why);
}

static void test_host_refuses(void **state)
{
	uint64_t errors = xfer_counters[XFER_CNT_PROTOCOL_ERRORS];
	struct ends *ends = *state;
	struct xfer_placement sent;
	struct waiting found;
	uint32_t immediate;

	late_set(ends->link, LATE_HOST, LATE_HELD);
	late_forge(ends->link, LATE_HOST, 1, 999u << 16);
	expect_host_lost(ends, 1, "a slot that there isn't");
	sent = write_slot(ends, 0, LARGE);
	immediate = xfer_immediate(&sent.slot.name);
	assert_int_equal(arrive(ends, &sent, &found), XFER_JOIN_WAIT);
	late_forge(ends->link, LATE_HOST, 0, immediate + 1);
	expect_host_lost(ends, 2, "RPC and immediate of different generations");
	assert_int_equal(found.told, 0);
	assert_int_equal(late_deliver(ends->link, LATE_HOST), 1);
	expect_told(&found, XFER_JOIN_GO);
	late_forge(ends->link, LATE_HOST, 0, immediate);
	expect_host_lost(ends, 3, "a slot that is in use");
	finish_write(ends, &sent, &found);
	/* Twice, without an RPC. */
	late_forge(ends->link, LATE_HOST, 0, immediate + 1);
	assert_int_equal(ends->host_lost, 3);
	late_forge(ends->link, LATE_HOST, 0, immediate + 1);
	expect_host_lost(ends, 4, "a slot that is in use");
	assert_int_equal(xfer_counters[XFER_CNT_PROTOCOL_ERRORS], errors + 4);
	/* Of an epoch that is over it doesn't matter. */
	xfer_hostpath_end(ends->host);
	late_forge(ends->link, LATE_HOST, 0, immediate + 1);
	assert_int_equal(ends->host_lost, 4);
}

static void test_initiator_refuses(void **state)
{
	uint64_t errors = xfer_counters[XFER_CNT_PROTOCOL_ERRORS];
	struct ends *ends = *state;
	struct xfer_placement asked;
	uint32_t immediate;

	assert_int_equal(xfer_datapath_offer(ends->initiator, &any_volume, 0, LARGE, &asked),
		XFER_CAUSE_NONE);
	immediate = xfer_immediate(&asked.slot.name);
	late_forge(ends->link, LATE_INITIATOR, 0, immediate);
	assert_int_equal(ends->initiator_lost, 0);
	late_forge(ends->link, LATE_INITIATOR, 0, immediate);
	assert_int_equal(ends->initiator_lost, 1);
	assert_string_equal(ends->why, "bytes have come for a slot that was not offered");
	late_forge(ends->link, LATE_INITIATOR, 1, immediate);
	late_forge(ends->link, LATE_INITIATOR, 0, 999u << 16);
	assert_int_equal(xfer_counters[XFER_CNT_PROTOCOL_ERRORS], errors + 3);
	/* Once is enough. */
	assert_int_equal(ends->initiator_lost, 1);
	assert_true(xfer_datapath_is_lost(ends->initiator));
}

/* --- READ --------------------------------------------------------------------------------------- */

/* A READ at the initiator, and what the host's answer says. */
struct read {
	struct waiting call;
	struct xfer_payload payload;
};

static void offer(struct ends *ends, uint32_t lane, uint32_t length, struct read *read)
{
	read->call.told = 0;
	assert_int_equal(xfer_datapath_offer(
				 ends->initiator, &any_volume, lane, length, &read->call.placement),
		XFER_CAUSE_NONE);
}

/* The host's part: so many bytes. */
static void serve(struct ends *ends, struct read *read, uint32_t length)
{
	struct waiting found;

	assert_int_equal(arrive(ends, &read->call.placement, &found), XFER_JOIN_GO);
	memcpy(found.placement.memory, ends->data, length);
	found.placement.length = length;
	assert_int_equal(xfer_hostpath_send(ends->host, &found.placement), 0);
	xfer_hostpath_done(ends->host, &found.placement);
	read->payload = (struct xfer_payload){
		.kind = XFER_PAYLOAD_SLOT, .length = length, .slot = found.placement.slot
	};
}

static int take_answer(struct ends *ends, struct read *read)
{
	struct iovec iov[] = { { ends->back, 100 }, { ends->back + 100, LARGE - 100 } };

	memset(ends->back, 0, sizeof(ends->back));
	return xfer_datapath_read(ends->initiator, &read->call.placement, &read->payload, iov, 2);
}

static void take_late(struct ends *ends, struct read *read)
{
	struct iovec iov[] = { { ends->back, 100 }, { ends->back + 100, LARGE - 100 } };

	memset(ends->back, 0, sizeof(ends->back));
	xfer_datapath_take(ends->initiator, &read->call.placement, iov, 2);
}

static void expect_bytes(const struct ends *ends, uint32_t length)
{
	assert_memory_equal(ends->back, ends->data, length);
	for (uint32_t i = length; i < LARGE; i++)
		assert_int_equal(ends->back[i], 0);
}

static void test_data_comes_first(void **state)
{
	static const enum late_when whens[] = { LATE_AT_ONCE, LATE_AT_POLL };
	struct ends *ends = *state;
	struct read read;

	assert_int_equal(xfer_hostpath_used_ns(ends->host), 0);
	for (unsigned i = 0; i < 8; i++) {
		late_set(ends->link, LATE_INITIATOR, whens[i % 2]);
		offer(ends, i % LANES, LARGE, &read);
		serve(ends, &read, LARGE - i);
		assert_int_equal(take_answer(ends, &read), 0);
		assert_int_equal(read.call.told, 0);
		expect_bytes(ends, LARGE - i);
	}
	/* The host has staged what it sent. */
	assert_false(xfer_hostpath_used_ns(ends->host) == 0);
}

static void test_answer_comes_first(void **state)
{
	static const enum late_when whens[] = { LATE_AT_AWAIT, LATE_HELD };
	struct ends *ends = *state;
	struct read read;

	for (unsigned i = 0; i < 8; i++) {
		late_set(ends->link, LATE_INITIATOR, whens[i % 2]);
		offer(ends, i % LANES, LARGE, &read);
		serve(ends, &read, LARGE - i);
		assert_int_equal(take_answer(ends, &read), -EINPROGRESS);
		assert_int_equal(read.call.told, whens[i % 2] == LATE_AT_AWAIT);
		late_deliver(ends->link, LATE_INITIATOR);
		expect_told(&read.call, 0);
		take_late(ends, &read);
		expect_bytes(ends, LARGE - i);
	}
	assert_int_equal(late_awaited(ends->link, LATE_INITIATOR), 8);
}

/* What a READ looks for it may find for another one. */
static void test_reads_pass_each_other(void **state)
{
	struct ends *ends = *state;
	struct read one, other;

	late_set(ends->link, LATE_INITIATOR, LATE_HELD);
	offer(ends, 0, SMALL, &one);
	offer(ends, 0, SMALL, &other);
	serve(ends, &one, SMALL);
	serve(ends, &other, 10);
	assert_int_equal(take_answer(ends, &one), -EINPROGRESS);
	late_set(ends->link, LATE_INITIATOR, LATE_AT_POLL);
	assert_int_equal(take_answer(ends, &other), 0);
	expect_bytes(ends, 10);
	expect_told(&one.call, 0);
	take_late(ends, &one);
	expect_bytes(ends, SMALL);
}

/* An answer without bytes needs no immediate. */
static void test_answer_without_data(void **state)
{
	struct ends *ends = *state;
	struct read read;

	late_set(ends->link, LATE_INITIATOR, LATE_HELD);
	for (unsigned i = 0; i < 2; i++) {
		offer(ends, 0, LARGE, &read);
		read.payload = (struct xfer_payload){ .kind = XFER_PAYLOAD_NONE };
		assert_int_equal(take_answer(ends, &read), 0);
	}
	assert_int_equal(late_awaited(ends->link, LATE_INITIATOR), 0);
}

static void test_data_never_comes(void **state)
{
	struct ends *ends = *state;
	struct read read;

	late_set(ends->link, LATE_INITIATOR, LATE_HELD);
	offer(ends, 0, LARGE, &read);
	late_tick(ends->link, LATE_INITIATOR, 0, 60000); /* not answered: it may take its time */
	serve(ends, &read, LARGE);
	assert_int_equal(take_answer(ends, &read), -EINPROGRESS);
	late_tick(ends->link, LATE_INITIATOR, 0, 4000);
	late_tick(ends->link, LATE_INITIATOR, 1, 60000);
	assert_int_equal(ends->initiator_lost, 0);
	late_tick(ends->link, LATE_INITIATOR, 0, 6000);
	late_tick(ends->link, LATE_INITIATOR, 0, 7000);
	assert_int_equal(ends->initiator_lost, 1);
	assert_string_equal(ends->why, "the data of an answer has not come in 5 s");
	assert_int_equal(read.call.told, 0);
	xfer_datapath_lost(ends->initiator);
	expect_told(&read.call, -EAGAIN);
	/* It comes after all. */
	assert_int_equal(late_deliver(ends->link, LATE_INITIATOR), 1);
	assert_int_equal(read.call.told, 1);
}

static void test_path_is_lost_before_the_answer(void **state)
{
	struct ends *ends = *state;
	struct read read;

	offer(ends, 0, LARGE, &read);
	serve(ends, &read, LARGE);
	xfer_datapath_lost(ends->initiator);
	assert_int_equal(take_answer(ends, &read), -EAGAIN);
	assert_int_equal(read.call.told, 0);
	late_lose(ends->link, LATE_INITIATOR, "nobody wants to know any more");
	assert_int_equal(ends->initiator_lost, 0);
}

/* Whoever was told that the bytes are there keeps them, rule 5. */
static void test_path_is_lost_before_data_is_taken(void **state)
{
	struct ends *ends = *state;
	struct read read;

	late_set(ends->link, LATE_INITIATOR, LATE_HELD);
	offer(ends, 0, LARGE, &read);
	serve(ends, &read, LARGE);
	assert_int_equal(take_answer(ends, &read), -EINPROGRESS);
	late_deliver(ends->link, LATE_INITIATOR);
	xfer_datapath_lost(ends->initiator);
	expect_told(&read.call, 0);
	take_late(ends, &read);
	expect_bytes(ends, LARGE);
}

static void test_host_fails(void **state)
{
	struct ends *ends = *state;
	struct waiting found;
	struct read read;

	late_fail(ends->link, LATE_HOST, -EAGAIN, 0);
	offer(ends, 0, LARGE, &read);
	assert_int_equal(arrive(ends, &read.call.placement, &found), XFER_JOIN_RESEND);
	late_fail(ends->link, LATE_HOST, 0, -ENOTCONN);
	offer(ends, 1, LARGE, &read);
	assert_int_equal(arrive(ends, &read.call.placement, &found), XFER_JOIN_GO);
	assert_int_equal(xfer_hostpath_send(ends->host, &found.placement), -ENOTCONN);
	xfer_hostpath_done(ends->host, &found.placement);
	assert_int_equal(late_owed(ends->link, LATE_INITIATOR), 0);
}

/* --- the transport ------------------------------------------------------------------------------ */

static void test_transport_is_lost(void **state)
{
	struct ends *ends = *state;

	late_lose(ends->link, LATE_HOST, "the cable is out");
	expect_host_lost(ends, 1, "the cable is out");
	assert_false(xfer_datapath_is_lost(ends->initiator));
	late_lose(ends->link, LATE_INITIATOR, "the port is down");
	assert_int_equal(ends->initiator_lost, 1);
	assert_string_equal(ends->why, "the port is down");
	assert_true(xfer_datapath_is_lost(ends->initiator));
}

static void test_status(void **state)
{
	struct ends *ends = *state;
	json_t *host = xfer_hostpath_status(ends->host),
	       *initiator = xfer_datapath_status(ends->initiator);

	assert_string_equal(json_string_value(json_object_get(host, "kind")), "verbs");
	assert_non_null(json_object_get(host, "awaited"));
	assert_non_null(json_object_get(initiator, "awaited"));
	json_decref(host);
	json_decref(initiator);
}

/* --- in any order ------------------------------------------------------------------------------- */

static void *deliver_on(void *arg)
{
	struct ends *ends = arg;

	while (!ends->ending) {
		late_deliver(ends->link, LATE_HOST);
		late_deliver(ends->link, LATE_INITIATOR);
		late_tick(ends->link, LATE_HOST, 0, 0);
		late_tick(ends->link, LATE_INITIATOR, 0, 0);
	}
	return NULL;
}

static void await_told(const struct waiting *waiting)
{
	while (waiting->told == 0)
		usleep(10);
	assert_int_equal(waiting->told, 1);
}

static void write_turn(struct ends *ends)
{
	struct xfer_placement sent = write_slot(ends, 0, LARGE);
	struct waiting found;

	if (arrive(ends, &sent, &found) == XFER_JOIN_WAIT) {
		await_told(&found);
		assert_int_equal(found.what, XFER_JOIN_GO);
	}
	finish_write(ends, &sent, &found);
}

static void read_turn(struct ends *ends)
{
	struct read read;
	int err;

	offer(ends, 0, LARGE, &read);
	serve(ends, &read, LARGE);
	err = take_answer(ends, &read);
	if (err == -EINPROGRESS) {
		await_told(&read.call);
		assert_int_equal(read.call.what, 0);
		take_late(ends, &read);
		err = 0;
	}
	assert_int_equal(err, 0);
	expect_bytes(ends, LARGE);
}

/* A lane of a size's only slot: each turn needs the one before to have given it back. */
static void test_another_thread_delivers(void **state)
{
	struct ends *ends = *state;
	pthread_t thread;

	late_set(ends->link, LATE_HOST, LATE_HELD);
	late_set(ends->link, LATE_INITIATOR, LATE_HELD);
	assert_int_equal(pthread_create(&thread, NULL, deliver_on, ends), 0);
	for (unsigned i = 0; i < TURNS; i++) {
		write_turn(ends);
		read_turn(ends);
	}
	ends->ending = true;
	pthread_join(thread, NULL);
	assert_int_equal(ends->host_lost + ends->initiator_lost, 0);
}

static void *end_both(void *arg)
{
	struct ends *ends = arg;

	xfer_datapath_lost(ends->initiator);
	xfer_hostpath_end(ends->host);
	return NULL;
}

/* What waits while both ends lose the path, and what it waits for comes: each is told, once. */
static void race_turn(struct ends *ends)
{
	struct xfer_placement sent = write_slot(ends, 0, LARGE);
	enum xfer_join_event event;
	struct waiting found;
	pthread_t ender;
	struct read read;
	int err;

	offer(ends, 0, LARGE, &read);
	serve(ends, &read, LARGE);
	assert_int_equal(pthread_create(&ender, NULL, end_both, ends), 0);
	event = arrive(ends, &sent, &found);
	if (event == XFER_JOIN_WAIT)
		await_told(&found);
	else
		found.what = (int)event;
	err = take_answer(ends, &read);
	if (err == -EINPROGRESS) {
		await_told(&read.call);
		err = read.call.what;
	}
	if (err == 0 && read.call.told)
		take_late(ends, &read);
	if (err == 0)
		expect_bytes(ends, LARGE);
	else
		assert_int_equal(err, -EAGAIN);
	if (found.what == XFER_JOIN_GO)
		xfer_hostpath_done(ends->host, &found.placement);
	pthread_join(ender, NULL);
}

static void test_everything_at_a_time(void **state)
{
	for (unsigned i = 0; i < TURNS / 10; i++) {
		struct ends *ends = *state;
		pthread_t thread;

		late_set(ends->link, LATE_HOST, LATE_HELD);
		late_set(ends->link, LATE_INITIATOR, LATE_HELD);
		assert_int_equal(pthread_create(&thread, NULL, deliver_on, ends), 0);
		race_turn(ends);
		ends->ending = true;
		pthread_join(thread, NULL);
		assert_int_equal(ends->host_lost + ends->initiator_lost, 0);
		assert_int_equal(tear_down(state), 0);
		assert_int_equal(set_up(state), 0);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_bytes_come_first),
		TEST(test_bytes_come_while_it_is_waited_for),
		TEST(test_bytes_come_later),
		TEST(test_bytes_never_come),
		TEST(test_path_ends_at_the_host),
		TEST(test_path_is_lost_at_the_initiator),
		TEST(test_host_refuses),
		TEST(test_initiator_refuses),
		TEST(test_data_comes_first),
		TEST(test_answer_comes_first),
		TEST(test_reads_pass_each_other),
		TEST(test_answer_without_data),
		TEST(test_data_never_comes),
		TEST(test_path_is_lost_before_the_answer),
		TEST(test_path_is_lost_before_data_is_taken),
		TEST(test_host_fails),
		TEST(test_transport_is_lost),
		TEST(test_status),
		TEST(test_another_thread_delivers),
		TEST(test_everything_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
