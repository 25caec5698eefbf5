/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* caller.c -- a calling end and the answers that it gets: the size of pieces (a byte), steps as in fuzz.h */

#include <errno.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/caller.h"
#include "fuzz.h"
#include "memory_io.h"
#include "support/messages.h"

#define CALLS_MAX 8u
#define WAIT_S    20

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
	const struct xfer_payload *payload =
		err ? NULL : xfer_results_payload(call->proc, call->results);

	if (payload && payload->kind == XFER_PAYLOAD_INLINE)
		FUZZ_CHECK(payload->length <= call->payload_length);
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

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	fuzz_quiet();
	sem_init(&ended, 0, 0);
	FUZZ_CHECK(xfer_lane_create("fuzz-lane", 1000, &lane) == 0);
	return 0;
}

static void wait_ended(unsigned count)
{
	struct timespec until;
	int err;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WAIT_S;
	while (count-- > 0) {
		/* libFuzzer's clock interrupts. */
		do
			err = sem_timedwait(&ended, &until);
		while (err && errno == EINTR);
		FUZZ_CHECK(err == 0);
	}
}

/* A call with arguments of its procedure's own, and so much room for what comes. */
static void ask(struct xfer_caller *caller, uint32_t proc, uint32_t room, struct asked *asked)
{
	struct random random = random_from(proc);
	struct xfer_payload *payload;

	memset(asked, 0, sizeof(*asked));
	if (!xfer_proc_info(proc))
		proc = XFER_PROC_READ;
	message_args(&random, proc, &asked->args);
	message_header(&random, &asked->header, asked->groups);
	asked->variable = malloc(room + 1);
	asked->payload = calloc(1, room + 1);
	FUZZ_CHECK(asked->variable && asked->payload);
	message_results_room(proc, &asked->results, asked->variable, room);
	asked->iov[0] = (struct iovec){ asked->payload, room / 3 };
	asked->iov[1] = (struct iovec){ asked->payload + room / 3, room - room / 3 };
	payload = xfer_args_payload(proc, &asked->args);
	if (payload)
		*payload = (struct xfer_payload){ .kind = XFER_PAYLOAD_INLINE, .length = room };
	asked->call = (struct xfer_call){
		.proc = proc,
		.header = proc >= XFER_PROC_FIRST_OP ? &asked->header : NULL,
		.args = &asked->args,
		.results = &asked->results,
		.payload = asked->iov,
		.payload_count = 2,
		.payload_length = room,
		.done = call_done,
		.user = asked,
	};
	xfer_caller_submit(caller, &asked->call);
}

/* --- a round ------------------------------------------------------------------------------------- */

struct round {
	struct xfer_caller *caller;
	struct memory_io *io;
	struct asked asked[CALLS_MAX];
	unsigned calls;
};

static void step(struct round *round, struct input *input)
{
	uint8_t what = input_u8(input) % STEPS, proc;
	uint16_t length, payload;
	struct input bytes;

	if (what == STEP_NEXT) {
		proc = input_u8(input) % XFER_PROC_COUNT;
		length = input_u16(input);
		if (round->calls < CALLS_MAX)
			ask(round->caller, proc, length, &round->asked[round->calls++]);
		return;
	}
	if (what == STEP_END || what == STEP_PATH)
		return;
	length = input_u16(input);
	payload = what == STEP_RECORD ? input_u16(input) : 0;
	bytes = input_part(input, length);
	if (what == STEP_RECORD)
		memory_io_feed_record(round->io, &bytes, payload);
	else
		memory_io_feed(round->io, bytes.data, bytes.size);
	memory_io_wait(round->io);
}

static void finish(struct round *round)
{
	memory_io_end(round->io);
	wait_ended(round->calls + 1);
	FUZZ_CHECK(xfer_caller_pending(round->caller) == 0);
	for (unsigned i = 0; i < round->calls; i++) {
		FUZZ_CHECK(round->asked[i].done == 1);
		free(round->asked[i].variable);
		free(round->asked[i].payload);
	}
	xfer_caller_unref(round->caller);
	memory_io_check_sent(round->io);
	memory_io_put(round->io);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct round round;
	struct input input = { data, size };

	round.calls = 0;
	round.io = memory_io_new(input_u8(&input));
	FUZZ_CHECK(xfer_caller_create(lane, memory_io_seam(round.io), "fuzz", 60000, &ops, NULL,
			   &round.caller) == 0);
	while (input.size > 0)
		step(&round, &input);
	finish(&round);
	return 0;
}
