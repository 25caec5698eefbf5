/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* server.c -- a serving process whose connections get damaged records */

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "address.h"
#include "bufpool.h"
#include "control/rpc.h"
#include "control/server.h"
#include "fuzz.h"

#define PAYLOAD_MAX 20000u

static struct xfer_server *server;
static char directory[] = "/tmp/rdmaxfer-fuzz.XXXXXX";
static char address[64];
static _Atomic unsigned long checksum;

/* --- a service that answers everything at once --------------------------------------------------- */

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
static void take_write(struct xfer_request *request)
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
	FUZZ_CHECK(request->args.write.payload.kind != XFER_PAYLOAD_SLOT);
	checksum += sum;
	request->results.write.count = request->payload_length;
	xfer_request_finish(request, 0);
}

static void dispatch(void *owner, struct xfer_request *request)
{
	(void)owner;
	FUZZ_CHECK(request->peer != NULL);
	FUZZ_CHECK(request->proc >= XFER_PROC_FIRST_OP && request->proc < XFER_PROC_COUNT);
	FUZZ_CHECK(request->header.ngroups <= XFER_GROUPS_MAX);
	if (request->proc == XFER_PROC_READ)
		answer_read(request);
	else if (request->proc == XFER_PROC_WRITE)
		take_write(request);
	else
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

static void peer_gone(void *owner, struct xfer_peer *peer)
{
	(void)owner;
	(void)peer;
}

static char *status(void *owner)
{
	(void)owner;
	return strdup("{\"role\":\"fuzz\"}");
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
	.status = status,
	.write_verifier = write_verifier,
	.events = events,
};

static void prepare(void)
{
	FUZZ_CHECK(mkdtemp(directory) != NULL);
	snprintf(address, sizeof(address), "unix:%s/socket", directory);
}

static void clean(void)
{
	unlink(address + strlen("unix:"));
	rmdir(directory);
}

static void start(void)
{
	/* Each round leaves a session or two behind. */
	struct xfer_server_params params = {
		.node = "b", .lanes = 2, .service = &service, .keep_ms = 200
	};

	FUZZ_CHECK(xfer_server_create(&params, &server) == 0);
	FUZZ_CHECK(xfer_server_listen(server, address) == 0);
}

static void stop(void)
{
	xfer_server_destroy(server);
}

/* --- what is sent -------------------------------------------------------------------------------- */

static void add_call(struct bytes *stream, struct random *random, uint32_t proc, bool damage)
{
	static uint32_t groups[XFER_GROUPS_MAX];
	struct xfer_request_header header;
	struct bytes head = { 0 };
	struct xfer_payload *payload;
	union xfer_args args;
	uint32_t inline_length = 0;
	int len;

	message_args(random, proc, &args);
	message_header(random, &header, groups);
	payload = xfer_args_payload(proc, &args);
	if (payload)
		payload->length %= PAYLOAD_MAX;
	if (payload && payload->kind == XFER_PAYLOAD_INLINE)
		inline_length = payload->length;
	/* A payload that isn't announced, or not sent, or shorter or longer. */
	if (random_below(random, 10) == 0)
		inline_length = random_upto(random, PAYLOAD_MAX);
	if (proc == XFER_PROC_READ)
		args.read.count %= PAYLOAD_MAX;
	if (proc == XFER_PROC_HELLO && !damage) {
		args.hello.minor_min = 0;
		args.hello.features_required = 0;
		args.hello.limits = xfer_own_limits;
	}
	bytes_add(&head, NULL, 16384);
	len = xfer_rpc_encode_call(head.data, 16384, (uint32_t)random_u64(random), proc,
		proc >= XFER_PROC_FIRST_OP ? &header : NULL, &args);
	FUZZ_CHECK(len > 0);
	head.len = (size_t)len;
	if (damage)
		bytes_damage(&head, random);
	bytes_add_record(stream, head.data, (uint32_t)head.len & ~3u, inline_length);
	bytes_free(&head);
}

static uint32_t any_proc(struct random *random)
{
	uint32_t proc = random_below(random, XFER_PROC_COUNT);

	return xfer_proc_info(proc) ? proc : XFER_PROC_WRITE;
}

static int connect_server(void)
{
	struct xfer_address parsed;
	struct timeval patience = { .tv_sec = 20 };
	int fd, err;

	FUZZ_CHECK(xfer_address_parse(address, &parsed) == 0);
	while ((err = xfer_address_connect(&parsed, 5000, &fd)) == -EAGAIN)
		usleep(1000);
	FUZZ_CHECK(err == 0);
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	return fd;
}

/* Whatever was sent, others are served. */
static void check_alive(void)
{
	struct bytes stream = { 0 };
	union xfer_args args = { 0 };
	uint8_t head[XFER_CALL_HEAD], answer[28];
	int fd = connect_server(), len;
	struct random random = random_from(1);

	len = xfer_rpc_encode_call(head, sizeof(head), 7, XFER_PROC_NULL, NULL, &args);
	bytes_add_record(&stream, head, (uint32_t)len, 0);
	FUZZ_CHECK(fuzz_send(fd, &stream, &random));
	FUZZ_CHECK(recv(fd, answer, sizeof(answer), MSG_WAITALL) == sizeof(answer));
	bytes_free(&stream);
	close(fd);
}

static void run(struct random *random)
{
	struct bytes stream = { 0 };
	uint32_t calls = 1 + random_below(random, 8);
	int fd = connect_server();

	if (random_below(random, 4))
		add_call(&stream, random, XFER_PROC_HELLO, false);
	while (calls-- > 0)
		add_call(&stream, random, any_proc(random), random_below(random, 3) == 0);
	if (random_below(random, 4) == 0)
		bytes_damage(&stream, random);
	if (fuzz_send(fd, &stream, random))
		shutdown(fd, SHUT_WR);
	FUZZ_CHECK(fuzz_drain(fd, 20));
	close(fd);
	bytes_free(&stream);
	check_alive();
}

const struct fuzz_target fuzz_server = {
	.name = "server",
	.prepare = prepare,
	.clean = clean,
	.start = start,
	.stop = stop,
	.run = run,
};
