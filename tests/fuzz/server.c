/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* server.c -- a serving process and connections to it, one after the other: steps as in fuzz.h */

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "boot.h"
#include "bufpool.h"
#include "clock.h"
#include "control/dispatcher.h"
#include "fuzz.h"
#include "heap_path.h"
#include "log.h"
#include "memory_io.h"
#include "seeds.h"

#define CONNECTIONS_MAX 6u
#define HELD_MAX        4u /* fewer than what a connection stops at */
#define WAIT_S          20

static struct xfer_lane *lane;
static struct xfer_peers peers;
static _Atomic unsigned long checksum;
static _Atomic uint8_t randoms; /* how often random bytes were asked for, in this round */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gone = PTHREAD_COND_INITIALIZER;
static unsigned living; /* dispatchers; under the lock */
static bool passed;     /* the lane has done what it was at; under the lock */

static struct xfer_request
	*held[HELD_MAX]; /* not answered before the round's end; under the lock */
static unsigned nheld;

/* In place of libxfer's (see CMakeLists.txt): inputs can know session ids and tokens. */
void __wrap_xfer_random(void *bytes, size_t len);
void __wrap_xfer_random(void *bytes, size_t len)
{
	memset(bytes, SEED_RANDOM(randoms++), len);
}

/* --- a service that answers most things at once -------------------------------------------------- */

static uint32_t admit(void *owner, const struct xfer_hello_args *hello,
	const struct xfer_conn_identity *identity, char *reason, size_t reason_len)
{
	(void)owner;
	(void)identity;
	if (strcmp(hello->node, "refused") != 0)
		return XFER_ST_OK;
	snprintf(reason, reason_len, "refused");
	return XFER_ST_NOT_ALLOWED;
}

static void release(void *arg, void *answer)
{
	xfer_bufpool_put(answer, (size_t)(uintptr_t)arg);
}

static void answer_read(struct xfer_request *request)
{
	uint32_t count = request->args.read.count;

	if (count == 0 || count > XFER_IO_MAX) {
		xfer_request_finish(request, -EINVAL);
		return;
	}
	if (request->args.read.payload.kind == XFER_PAYLOAD_SLOT) {
		memset(request->answer, 0, count);
		request->results.read.payload =
			(struct xfer_payload){ .kind = XFER_PAYLOAD_SLOT, .length = count };
		xfer_request_finish(request, 0);
		return;
	}
	request->answer = xfer_bufpool_get(count);
	FUZZ_CHECK(request->answer != NULL);
	memset(request->answer, 0, count);
	request->release = release;
	request->release_arg = (void *)(uintptr_t)count;
	request->results.read.payload =
		(struct xfer_payload){ .kind = XFER_PAYLOAD_INLINE, .length = count };
	xfer_request_finish(request, 0);
}

/* Looks at every byte, so that one that isn't there is noticed. */
static void take_payload(const struct xfer_request *request)
{
	unsigned long sum = 0;
	size_t length = 0;

	for (int i = 0; i < request->payload_count; i++) {
		const uint8_t *bytes = request->payload[i].iov_base;

		for (size_t j = 0; j < request->payload[i].iov_len; j++)
			sum += bytes[j];
		length += request->payload[i].iov_len;
	}
	FUZZ_CHECK(length == request->payload_length && length <= XFER_IO_MAX);
	checksum += sum;
}

/* False: there are enough. */
static bool hold(struct xfer_request *request)
{
	bool room;

	pthread_mutex_lock(&lock);
	room = nheld < HELD_MAX;
	if (room)
		held[nheld++] = request;
	pthread_mutex_unlock(&lock);
	return room;
}

/* On the lane's thread, or on that of heap_path_tell. */
static void dispatch(void *owner, struct xfer_request *request)
{
	(void)owner;
	FUZZ_CHECK(request->peer != NULL);
	FUZZ_CHECK(request->proc >= XFER_PROC_FIRST_OP && request->proc < XFER_PROC_COUNT);
	FUZZ_CHECK(request->header.ngroups <= XFER_GROUPS_MAX);
	take_payload(request);
	if (request->proc == XFER_PROC_READ)
		answer_read(request);
	else if (request->header.gid % 4 != 0 || !hold(request))
		xfer_request_finish(request, -ENOENT);
}

static void lane_passed(struct xfer_task *task)
{
	(void)task;
	pthread_mutex_lock(&lock);
	passed = true;
	pthread_cond_broadcast(&gone);
	pthread_mutex_unlock(&lock);
}

/* A connection that the lane itself has ended may be in the middle of what it had received. */
static void wait_lane(void)
{
	struct xfer_task task = { .run = lane_passed };

	passed = false;
	xfer_lane_post(lane, &task);
	pthread_mutex_lock(&lock);
	while (!passed)
		pthread_cond_wait(&gone, &lock);
	pthread_mutex_unlock(&lock);
}

static struct xfer_request *take_held(void)
{
	struct xfer_request *request;

	pthread_mutex_lock(&lock);
	request = nheld > 0 ? held[--nheld] : NULL;
	pthread_mutex_unlock(&lock);
	return request;
}

/* Their connections may have ended, and the same calls may have come over others. */
static void answer_held(void)
{
	struct xfer_request *request;

	while ((request = take_held()))
		xfer_request_finish(request, -ENOENT);
}

/* Of any number at a time, whatever was seen. */
static void events(void *owner, struct xfer_request *request)
{
	struct xfer_events_res *res = &request->results.events;

	(void)owner;
	FUZZ_CHECK(request->peer != NULL && request->proc == XFER_PROC_EVENTS);
	res->number = request->args.events.seen + 1;
	res->all = request->args.events.fresh;
	res->count = (uint32_t)(request->args.events.seen % (XFER_EVENTS_MAX + 1));
	xfer_request_finish(request, 0);
}

static void memory(void *owner, struct xfer_request *request)
{
	(void)owner;
	FUZZ_CHECK(request->fd == -1);
	xfer_request_finish(request, heap_path_request(request));
}

static void peer_gone(void *owner, struct xfer_peer *peer)
{
	(void)owner;
	(void)peer;
}

static void write_verifier(void *owner, uint8_t verifier[8])
{
	(void)owner;
	memset(verifier, 'v', 8);
}

static const struct xfer_service service = {
	.admit = admit,
	.dispatch = dispatch,
	.peer_gone = peer_gone,
	.write_verifier = write_verifier,
	.events = events,
	.memory = memory,
};

/* --- its server ---------------------------------------------------------------------------------- */

static char *server_status(void *server)
{
	(void)server;
	return strdup("{\"role\":\"fuzz\"}");
}

static void server_joined(void *server, struct xfer_dispatcher *dispatcher)
{
	(void)server;
	FUZZ_CHECK(dispatcher->peer != NULL);
}

static void server_gone(void *server, struct xfer_dispatcher *dispatcher)
{
	(void)server;
	if (dispatcher->peer)
		xfer_peer_unref(dispatcher->peer);
	pthread_mutex_lock(&lock);
	living--;
	pthread_cond_broadcast(&gone);
	pthread_mutex_unlock(&lock);
}

static const struct xfer_dispatcher_ops ops = {
	.status = server_status,
	.joined = server_joined,
	.gone = server_gone,
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const struct xfer_server_params params = { .node = "b", .service = &service };

	(void)argc;
	(void)argv;
	fuzz_quiet();
	FUZZ_CHECK(xfer_peers_init(&peers, &params) == 0);
	FUZZ_CHECK(xfer_lane_create("fuzz-lane", 1000, &lane) == 0);
	return 0;
}

/* --- a round ------------------------------------------------------------------------------------- */

static void connect_io(struct memory_io *io)
{
	const struct xfer_conn_identity identity = { .local = true, .text = "fuzz" };
	const struct xfer_dispatcher_params params = {
		.lane = lane,
		.io = memory_io_seam(io),
		.identity = &identity,
		.peers = &peers,
		.ops = &ops,
	};
	struct xfer_dispatcher *dispatcher;

	pthread_mutex_lock(&lock);
	living++;
	pthread_mutex_unlock(&lock);
	FUZZ_CHECK(xfer_dispatcher_create(&params, &dispatcher) == 0);
	xfer_dispatcher_start(dispatcher);
}

static void wait_gone(void)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WAIT_S;
	pthread_mutex_lock(&lock);
	while (living > 0)
		FUZZ_CHECK(pthread_cond_timedwait(&gone, &lock, &until) == 0);
	pthread_mutex_unlock(&lock);
}

/* With what the latest connection has sent so far behind it. */
static void path_step(struct memory_io *io, struct input *input)
{
	enum path_event event = input_u8(input) % PATH_EVENTS;
	uint32_t number = input_u8(input);
	struct xfer_slot_name name = { .slot = input_u16(input) };

	name.generation = input_u16(input);
	memory_io_wait(io);
	wait_lane();
	heap_path_tell(event, number, xfer_immediate(&name));
}

/* One step on the latest connection; false: it is followed by another one. */
static bool step(struct memory_io *io, struct input *input)
{
	uint8_t what = input_u8(input) % STEPS;
	struct input bytes;
	uint16_t length, payload;

	if (what == STEP_NEXT)
		return false;
	if (what == STEP_END) {
		memory_io_end(io);
		return true;
	}
	if (what == STEP_PATH) {
		path_step(io, input);
		return true;
	}
	length = input_u16(input);
	payload = what == STEP_RECORD ? input_u16(input) : 0;
	bytes = input_part(input, length);
	if (what == STEP_RECORD)
		memory_io_feed_record(io, &bytes, payload);
	else
		memory_io_feed(io, bytes.data, bytes.size);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct memory_io *ios[CONNECTIONS_MAX];
	struct input input = { data, size };
	unsigned count = 0;

	randoms = 0;
	do {
		struct memory_io *io = memory_io_new(input_u8(&input));

		connect_io(io);
		ios[count++] = io;
		while (input.size > 0 && step(io, &input))
			;
		memory_io_wait(io);
	} while (input.size > 0 && count < CONNECTIONS_MAX);
	for (unsigned i = 0; i < count; i++)
		memory_io_end(ios[i]);
	for (unsigned i = 0; i < count; i++)
		memory_io_wait_end(ios[i]);
	wait_lane();
	heap_paths_late();
	answer_held();
	wait_gone();
	for (unsigned i = 0; i < count; i++) {
		memory_io_check_sent(ios[i]);
		memory_io_put(ios[i]);
	}
	/* No session is left for the next round. */
	xfer_peers_tick(&peers, UINT64_MAX / 2);
	FUZZ_CHECK(LIST_EMPTY(&peers.list));
	heap_paths_free();
	return 0;
}
