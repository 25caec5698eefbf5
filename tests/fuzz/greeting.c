/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* greeting.c -- the first bytes of TCP connections to an owner that has TLS, in pieces */

#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/greeting.h"
#include "control/lane.h"
#include "control/protocol.h"
#include "fuzz.h"
#include "support/tls_ends.h"
#include "tls/starttls.h"

/* An input: how many bytes are sent at a time (0: all), then the bytes. */
#define BYTES_MAX 512u

/* What has become of it. */
static struct {
	sem_t over;
	bool tls; /* a handshake was begun */
	int fd;
} told;

static struct xfer_lane *lane;

/* Instead of TLS's: what follows isn't looked at here. */
int __wrap_xfer_tls_start(struct xfer_tls *tls, int fd, const struct xfer_tls_start *start);
int __wrap_xfer_tls_start(struct xfer_tls *tls, int fd, const struct xfer_tls_start *start)
{
	const struct xfer_tls_result result = { .err = -1, .why = "the fuzzer wants no more" };

	(void)tls;
	told.tls = true;
	close(fd);
	start->done(start->user, &result);
	return 0;
}

static void over(
	void *user, struct xfer_greeting *greeting, int fd, struct xfer_tls_security *security)
{
	(void)user;
	(void)greeting;
	FUZZ_CHECK(security == NULL);
	told.fd = fd;
	sem_post(&told.over);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	fuzz_quiet();
	sem_init(&told.over, 0, 0);
	FUZZ_CHECK(xfer_lane_create("greeting", 1000, &lane) == 0);
	return 0;
}

struct starting {
	struct xfer_task task;
	struct xfer_greeting *greeting;
};

static void start(struct xfer_task *task)
{
	xfer_greeting_start(((struct starting *)task)->greeting);
}

/* The peer has gone by itself if it hasn't to be listened to any more. */
static void send_pieces(int fd, const struct input *bytes, size_t piece)
{
	for (size_t at = 0; at < bytes->size; at += piece) {
		size_t n = bytes->size - at < piece ? bytes->size - at : piece;

		if (send(fd, bytes->data + at, n, MSG_NOSIGNAL) != (ssize_t)n)
			return;
	}
}

/* All of it is still there for whoever serves the connection. */
static void expect_untouched(const struct input *bytes)
{
	uint8_t got[BYTES_MAX + 1];
	size_t have = 0;
	ssize_t n;

	FUZZ_CHECK(fcntl(told.fd, F_SETFL, 0) == 0);
	while ((n = read(told.fd, got + have, sizeof(got) - have)) > 0)
		have += (size_t)n;
	FUZZ_CHECK(have == bytes->size && memcmp(got, bytes->data, have) == 0);
	close(told.fd);
}

static void check(const struct input *bytes, int peer)
{
	uint8_t answer[XFER_STARTTLS_REPLY + 1];
	uint32_t xid = 0;
	bool whole = bytes->size >= XFER_STARTTLS_PROBE;
	bool probe = whole && xfer_starttls_is_probe(bytes->data, bytes->size, XFER_PROGRAM,
				      XFER_VERSION, &xid) == 1;

	FUZZ_CHECK(told.tls == probe);
	FUZZ_CHECK((told.fd >= 0) == (whole && !probe));
	if (told.fd >= 0) {
		expect_untouched(bytes);
	} else if (probe) {
		size_t used;

		FUZZ_CHECK(tls_read_all(peer, answer, XFER_STARTTLS_REPLY) == 0);
		FUZZ_CHECK(xfer_starttls_is_reply(answer, XFER_STARTTLS_REPLY, xid, &used) == 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	size_t piece = input_u8(&input);
	const struct input bytes = input_part(&input, BYTES_MAX);
	const struct xfer_greeting_params params = { .lane = lane, .wait_ms = 60000, .over = over };
	struct xfer_conn_identity identity = { .text = "nobody" };
	struct starting starting = { .task.run = start };
	int pair[2];

	told.tls = false;
	tls_ends_tcp(pair);
	FUZZ_CHECK(xfer_greeting_create(&params, pair[1], &identity, &starting.greeting) == 0);
	xfer_lane_post(lane, &starting.task);
	send_pieces(pair[0], &bytes, piece ? piece : BYTES_MAX);
	shutdown(pair[0], SHUT_WR);
	while (sem_wait(&told.over))
		;
	check(&bytes, pair[0]);
	close(pair[0]);
	return 0;
}
