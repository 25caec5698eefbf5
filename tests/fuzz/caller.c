/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* caller.c -- a calling end whose calls get damaged answers */

#include <errno.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "control/caller.h"
#include "fuzz.h"

#define CALLS_MAX   8u
#define PAYLOAD_MAX 20000u

/* A call whose answer's memory is just as large as it says. */
struct asked {
	struct xfer_call call;
	union xfer_args args;
	union xfer_results results;
	struct xfer_request_header header;
	uint32_t groups[XFER_GROUPS_MAX];
	uint8_t *variable, *payload;
	struct iovec iov[2];
	_Atomic unsigned done;
};

static struct xfer_lane *lane;
static sem_t ended; /* each call's end, and the connection's */

static void call_done(struct xfer_call *call, int err)
{
	struct asked *asked = call->user;

	if (err == 0 && call->proc == XFER_PROC_READ &&
		asked->results.read.payload.kind == XFER_PAYLOAD_INLINE)
		FUZZ_CHECK(asked->results.read.payload.length <= call->payload_length);
	asked->done++;
	sem_post(&ended);
}

static void closed(void *user, struct xfer_caller *caller, int err, const char *why)
{
	(void)user;
	(void)caller;
	FUZZ_CHECK(err < 0 && why != NULL);
	sem_post(&ended);
}

static const struct xfer_caller_ops ops = { .closed = closed };

static void start(void)
{
	sem_init(&ended, 0, 0);
	FUZZ_CHECK(xfer_lane_create("fuzz-lane", 1000, &lane) == 0);
}

static void stop(void)
{
	xfer_lane_destroy(lane);
	sem_destroy(&ended);
}

static void wait_ended(unsigned count)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 20;
	while (count-- > 0)
		FUZZ_CHECK(sem_timedwait(&ended, &until) == 0);
}

/* --- calls --------------------------------------------------------------------------------------- */

static void ask(struct xfer_caller *caller, struct random *random, struct asked *asked)
{
	uint32_t proc = random_below(random, XFER_PROC_COUNT), length;

	memset(asked, 0, sizeof(*asked));
	if (!xfer_proc_info(proc))
		proc = XFER_PROC_READ;
	message_args(random, proc, &asked->args);
	message_header(random, &asked->header, asked->groups);
	length = random_below(random, PAYLOAD_MAX);
	asked->variable = malloc(length + 1);
	asked->payload = calloc(1, length + 1);
	message_results_room(proc, &asked->results, asked->variable, length);
	asked->iov[0] = (struct iovec){ asked->payload, length / 3 };
	asked->iov[1] = (struct iovec){ asked->payload + length / 3, length - length / 3 };
	if (proc == XFER_PROC_WRITE)
		asked->args.write.payload =
			(struct xfer_payload){ .kind = XFER_PAYLOAD_INLINE, .length = length };
	asked->call = (struct xfer_call){
		.proc = proc,
		.header = proc >= XFER_PROC_FIRST_OP ? &asked->header : NULL,
		.args = &asked->args,
		.results = &asked->results,
		.payload = asked->iov,
		.payload_count = 2,
		.payload_length = length,
		.done = call_done,
		.user = asked,
	};
	xfer_caller_submit(caller, &asked->call);
}

/* --- answers ------------------------------------------------------------------------------------- */

static void add_answer(
	struct bytes *stream, struct random *random, const struct asked *asked, bool damage)
{
	static uint8_t variable[MESSAGE_VARIABLE];
	struct xfer_payload *payload;
	struct bytes head = { 0 };
	union xfer_results results;
	uint32_t inline_length = 0;
	int len;

	message_results(random, asked->call.proc, &results, variable);
	payload = xfer_results_payload(asked->call.proc, &results);
	if (payload && random_below(random, 8))
		payload->length %= asked->call.payload_length + 1;
	else if (payload)
		payload->length = asked->call.payload_length + 1 + random_below(random, 100);
	if (payload && payload->kind == XFER_PAYLOAD_INLINE)
		inline_length = payload->length;
	bytes_add(&head, NULL, XFER_HEAD_MAX);
	if (random_below(random, 10))
		len = xfer_rpc_encode_reply(
			head.data, XFER_HEAD_MAX, asked->call.xid, asked->call.proc, &results);
	else
		len = xfer_rpc_encode_refusal(head.data, XFER_HEAD_MAX, asked->call.xid,
			random_below(random, XFER_RPC_NO_SESSION + 1));
	FUZZ_CHECK(len > 0);
	head.len = (size_t)len;
	if (damage)
		bytes_damage(&head, random);
	bytes_add_record(stream, head.data, (uint32_t)head.len & ~3u, inline_length);
	bytes_free(&head);
}

static void run(struct random *random)
{
	static struct asked asked[CALLS_MAX];
	uint32_t calls = 1 + random_below(random, CALLS_MAX);
	int fds[2], size = 1 << 20;
	struct bytes stream = { 0 };
	struct xfer_caller *caller;

	FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	FUZZ_CHECK(xfer_caller_create(lane, xfer_conn_io_socket(fds[0]), "fuzz", 60000, &ops, NULL,
			   &caller) == 0);
	for (uint32_t i = 0; i < calls; i++)
		ask(caller, random, &asked[i]);
	for (uint32_t i = 0; i < calls; i++)
		add_answer(&stream, random, &asked[random_below(random, 8) ? i : 0],
			random_below(random, 3) == 0);
	if (random_below(random, 4) == 0)
		bytes_damage(&stream, random);
	if (fuzz_send(fds[1], &stream, random))
		shutdown(fds[1], SHUT_WR);
	FUZZ_CHECK(fuzz_drain(fds[1], 20));
	wait_ended(calls + 1);
	FUZZ_CHECK(xfer_caller_pending(caller) == 0);
	for (uint32_t i = 0; i < calls; i++) {
		FUZZ_CHECK(asked[i].done == 1);
		free(asked[i].variable);
		free(asked[i].payload);
	}
	xfer_caller_unref(caller);
	close(fds[1]);
	bytes_free(&stream);
}

const struct fuzz_target fuzz_caller = {
	.name = "caller", .start = start, .run = run, .stop = stop
};
