/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* echo.c -- plain TCP over loopback, for comparison: as many connections, requests and payload */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

/* What comes before a WRITE's payload, asks for a READ's, and answers a WRITE. */
struct head {
	uint8_t bytes[100];
};

/* A connection, and the process at its other end. */
struct channel {
	struct echo *echo;
	int fd;
	pid_t server;
	pthread_t thread;
	unsigned window; /* requests under way */
	unsigned number;
	int err;
};

struct echo {
	bool write;
	uint32_t size;
	struct region *region;
	struct measurement *measurement;
	uint64_t until_ns;
	_Atomic bool stopping;
	_Atomic unsigned running;
	unsigned nchannels;
	struct channel channels[BENCH_LANES_MAX];
};

static int send_all(int fd, const void *data, size_t length)
{
	const uint8_t *from = data;

	while (length > 0) {
		ssize_t sent = send(fd, from, length, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return -errno;
		from += sent;
		length -= (size_t)sent;
	}
	return 0;
}

static int receive_all(int fd, void *data, size_t length)
{
	uint8_t *to = data;

	while (length > 0) {
		ssize_t got = recv(fd, to, length, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got ? -errno : -ECONNRESET;
		to += got;
		length -= (size_t)got;
	}
	return 0;
}

/* --- the server: a process, so that its time isn't this one's ------------------------------------ */

/* Other threads may hold locks here, of malloc for one: only system calls. */
_Noreturn static void serve(const struct echo *echo, int fd)
{
	uint8_t *payload = mmap(NULL, echo->size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	struct head head;
	int err = payload == MAP_FAILED ? -errno : 0;

	while (err == 0) {
		err = receive_all(fd, &head, sizeof(head));
		if (err == 0 && echo->write)
			err = receive_all(fd, payload, echo->size);
		if (err == 0)
			err = send_all(fd, echo->write ? head.bytes : payload,
				echo->write ? sizeof(head) : echo->size);
	}
	_exit(0);
}

/* ^C is for its parent to see; it ends with the parent or the connection, which nobody else may hold. */
_Noreturn static void become_server(const struct echo *echo, int fd, pid_t parent)
{
	static const int ignored[] = { SIGINT, SIGTERM, SIGHUP };

	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	close_range((unsigned)fd + 1, ~0u, 0);
	close_range(3, (unsigned)fd - 1, 0);
	serve(echo, fd);
}

/* --- connections --------------------------------------------------------------------------------- */

/* Both ends of a TCP connection. */
static int make_pair(int ends[2])
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1, err = 0;

	ends[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ends[1] = -1;
	if (listener < 0 || ends[0] < 0 || bind(listener, (struct sockaddr *)&sin, len) ||
		listen(listener, 1) || getsockname(listener, (struct sockaddr *)&sin, &len) ||
		connect(ends[0], (struct sockaddr *)&sin, len) ||
		(ends[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) < 0)
		err = -errno;
	if (listener >= 0)
		close(listener);
	if (err && ends[0] >= 0)
		close(ends[0]);
	for (int i = 0; i < 2 && !err; i++)
		setsockopt(ends[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return err;
}

static int open_channel(struct channel *channel)
{
	pid_t parent = getpid();
	int ends[2], err = make_pair(ends);

	if (err)
		return err;
	channel->fd = ends[0];
	channel->server = fork();
	if (channel->server == 0)
		become_server(channel->echo, ends[1], parent);
	err = channel->server < 0 ? -errno : 0;
	close(ends[1]);
	if (err)
		close(ends[0]);
	return err;
}

static void close_channel(struct channel *channel)
{
	close(channel->fd);
	while (waitpid(channel->server, NULL, 0) < 0 && errno == EINTR)
		;
}

/* --- the client: a thread for each connection ---------------------------------------------------- */

static bool over(const struct echo *echo)
{
	return echo->stopping || xfer_now_ns() >= echo->until_ns;
}

/* Where the payload of a channel's number-th request is: no two channels have a block in common. */
static uint8_t *payload_of(const struct channel *channel, uint64_t number)
{
	const struct echo *echo = channel->echo;
	uint64_t blocks = echo->region->size / echo->size;
	uint64_t own = (blocks - channel->number + echo->nchannels - 1) / echo->nchannels;
	uint64_t block = channel->number + number % own * echo->nchannels;

	return echo->region->data + block * echo->size;
}

static int ask(const struct channel *channel, uint64_t number)
{
	const struct echo *echo = channel->echo;
	struct head head = { .bytes = "" };
	int err = send_all(channel->fd, &head, sizeof(head));

	if (err == 0 && echo->write)
		err = send_all(channel->fd, payload_of(channel, number), echo->size);
	return err;
}

static int hear(const struct channel *channel, uint64_t number)
{
	const struct echo *echo = channel->echo;
	struct head head;

	if (echo->write)
		return receive_all(channel->fd, &head, sizeof(head));
	return receive_all(channel->fd, payload_of(channel, number), echo->size);
}

static void *run_channel(void *arg)
{
	struct channel *channel = arg;
	struct echo *echo = channel->echo;
	uint64_t begun[BENCH_DEPTH_MAX], asked = 0, heard = 0;
	int err = 0;

	while (err == 0 && (heard < asked || !over(echo))) {
		while (err == 0 && asked - heard < channel->window && !over(echo)) {
			begun[asked % channel->window] = xfer_now_ns();
			err = ask(channel, asked++);
		}
		if (err == 0 && heard < asked)
			err = hear(channel, heard);
		if (err == 0 && heard < asked)
			measurement_add(echo->measurement, echo->size,
				xfer_now_ns() - begun[heard++ % channel->window]);
	}
	channel->err = err;
	echo->running--;
	return NULL;
}

static int run_channels(struct echo *echo, struct progress *progress)
{
	unsigned started = 0;
	int err = 0;

	echo->running = echo->nchannels;
	for (; started < echo->nchannels && err == 0; started += err == 0)
		err = -pthread_create(&echo->channels[started].thread, NULL, run_channel,
			&echo->channels[started]);
	echo->running -= echo->nchannels - started;
	while (echo->running > 0) {
		if (interrupted() || err)
			echo->stopping = true;
		progress_show(progress, echo->measurement);
		usleep(BENCH_TICK_US);
	}
	for (unsigned i = 0; i < started; i++) {
		pthread_join(echo->channels[i].thread, NULL);
		err = err ? err : echo->channels[i].err;
	}
	return err;
}

/* --- a measurement ------------------------------------------------------------------------------- */

static int open_channels(struct echo *echo, const struct ctl_bench_options *options, unsigned n)
{
	int err = 0;

	for (unsigned i = 0; i < n && err == 0; i++) {
		echo->channels[i] = (struct channel){ .echo = echo,
			.number = i,
			.window = options->depth / n + (i < options->depth % n) };
		err = open_channel(&echo->channels[i]);
		echo->nchannels += err == 0;
	}
	return err;
}

int echo_run(const struct ctl_bench_options *options, bool write, struct region *region,
	struct measurement *measurement, struct progress *progress)
{
	struct echo echo = {
		.write = write, .size = options->size, .region = region, .measurement = measurement
	};
	int err = open_channels(
		&echo, options, options->lanes < options->depth ? options->lanes : options->depth);

	if (err == 0)
		err = measurement_begin(measurement);
	if (err == 0) {
		progress_begin(
			progress, write ? "TCP, as WRITE" : "TCP, as READ", options->seconds);
		echo.until_ns = xfer_now_ns() + (uint64_t)(options->seconds * 1e9);
		err = run_channels(&echo, progress);
		measurement_end(measurement);
	}
	for (unsigned i = 0; i < echo.nchannels; i++)
		close_channel(&echo.channels[i]);
	return interrupted() ? -EINTR : err;
}
