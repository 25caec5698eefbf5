/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* tls_load.c -- what a TLS connection costs: one way through a connection, and handshakes, between two processes */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "xfer/tls.h"

#define CHUNK (1u << 20)

static const char usage[] =
	"usage: tls_load plain|kernel|relay FOLDER MIB HANDSHAKES\n"
	"FOLDER has what make-certs.sh makes for the names client and server. Prints, as JSON, how long it took, and the\n"
	"processor time of both ends.\n";

struct side {
	bool client, plain;
	struct xfer_tls *tls;
	struct xfer_tls_identity *identity;
};

/* A connection, and what is known of it; NULL: plain. */
struct link {
	int fd;
	struct xfer_tls_security *security;
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "tls_load: %s: %s\n", what, why);
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_seconds(int who)
{
	struct rusage used;

	getrusage(who, &used);
	return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
	       (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

/* The threads of TLS are a process's own: after fork. */
static void open_side(struct side *side, const char *mode, const char *folder)
{
	const char *name = side->client ? "client" : "server";
	const struct xfer_tls_params params = {
		.ktls = strcmp(mode, "kernel") == 0 ? XFER_KTLS_REQUIRE : XFER_KTLS_OFF,
		.handshake_ms = 60000,
	};
	char certificate[4096], key[4096], ca[4096], why[512];
	const struct xfer_tls_files files = { .certificate = certificate, .key = key, .ca = ca };

	side->plain = strcmp(mode, "plain") == 0;
	if (side->plain)
		return;
	snprintf(certificate, sizeof(certificate), "%s/%s.pem", folder, name);
	snprintf(key, sizeof(key), "%s/%s.key", folder, name);
	snprintf(ca, sizeof(ca), "%s/ca.pem", folder);
	if (xfer_tls_create(&params, &side->tls, why, sizeof(why)) ||
		xfer_tls_identity_create(
			side->tls, XFER_TLS_NODE, &files, &side->identity, why, sizeof(why)))
		die(name, why);
}

static void close_side(struct side *side)
{
	if (side->plain)
		return;
	xfer_tls_identity_destroy(side->identity);
	xfer_tls_destroy(side->tls);
}

static struct link secure(const struct side *side, int fd)
{
	const struct xfer_tls_start start = { .identity = side->identity,
		.client = side->client,
		.address = { .ss_family = AF_INET } };
	struct link link = { .fd = fd };
	char *why = NULL;

	if (fd < 0)
		die("a connection", strerror(errno));
	if (!side->plain)
		link.fd = xfer_tls_connect(side->tls, fd, &start, &link.security, &why);
	if (link.fd < 0)
		die("a handshake", why ? why : strerror(-link.fd));
	/* Who waits here has nothing else to do. */
	fcntl(link.fd, F_SETFL, fcntl(link.fd, F_GETFL) & ~O_NONBLOCK);
	return link;
}

static void part(struct link *link)
{
	if (link->security) {
		xfer_tls_goodbye(link->security, link->fd);
		xfer_tls_security_unref(link->security);
	}
	close(link->fd);
}

static int listen_here(struct sockaddr_in *address)
{
	socklen_t len = sizeof(*address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*address = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	if (fd < 0 || bind(fd, (struct sockaddr *)address, len) || listen(fd, 64) ||
		getsockname(fd, (struct sockaddr *)address, &len))
		die("listening", strerror(errno));
	return fd;
}

static int connect_there(const struct sockaddr_in *address)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)address, sizeof(*address)))
		die("connecting", strerror(errno));
	return fd;
}

static void move(const struct link *link, size_t bytes, bool out)
{
	char *buffer = calloc(1, CHUNK);
	ssize_t n;

	if (!buffer)
		die("a buffer", strerror(errno));
	while (bytes > 0) {
		size_t want = bytes < CHUNK ? bytes : CHUNK;

		n = out ? send(link->fd, buffer, want, MSG_NOSIGNAL)
			: recv(link->fd, buffer, want, 0);
		if (n <= 0)
			die(out ? "sending" : "receiving", n ? strerror(errno) : "the stream ends");
		bytes -= (size_t)n;
	}
	free(buffer);
}

/* One end of all there is to do: bytes one way, then connections that are made and ended. */
struct work {
	size_t bytes;
	unsigned handshakes;
};

static struct link next_link(
	const struct side *side, int listener, const struct sockaddr_in *address)
{
	return secure(side, side->client ? connect_there(address) : accept(listener, NULL, NULL));
}

/* Returns how long it took, as this end sees it. */
static double work(const struct side *side, const struct work *work, int listener,
	const struct sockaddr_in *address)
{
	double began = now();

	for (unsigned i = 0; i < work->handshakes; i++) {
		struct link link = next_link(side, listener, address);

		move(&link, 1, !side->client);
		part(&link);
	}
	if (work->bytes) {
		struct link link = next_link(side, listener, address);

		began = now();
		move(&link, work->bytes, side->client);
		/* All has arrived. */
		move(&link, 1, !side->client);
		part(&link);
	}
	return now() - began;
}

/* peer: the client's process; 0: this is it. */
static double run_side(pid_t peer, const char *mode, const char *folder, const struct work *todo,
	int listener, const struct sockaddr_in *address)
{
	struct side side = { .client = peer == 0 };
	double seconds;
	int status;

	open_side(&side, mode, folder);
	seconds = work(&side, todo, listener, address);
	/* What it still has to get would go with the relay. */
	if (peer && (waitpid(peer, &status, 0) != peer || status != 0))
		die("the client", "it failed");
	close_side(&side);
	return seconds;
}

int main(int argc, char **argv)
{
	struct work todo = { 0 };
	struct sockaddr_in address;
	double seconds;
	int listener;
	pid_t client;

	if (argc != 5) {
		fputs(usage, stderr);
		return 2;
	}
	todo.bytes = strtoul(argv[3], NULL, 10) << 20;
	todo.handshakes = (unsigned)strtoul(argv[4], NULL, 10);
	listener = listen_here(&address);
	client = fork();
	if (client == 0) {
		run_side(0, argv[1], argv[2], &todo, listener, &address);
		return 0;
	}
	seconds = run_side(client, argv[1], argv[2], &todo, listener, &address);
	printf("{\"bytes\": %zu, \"handshakes\": %u, \"seconds\": %.6f, \"cpu_seconds\": %.6f}\n",
		todo.bytes, todo.handshakes, seconds,
		cpu_seconds(RUSAGE_SELF) + cpu_seconds(RUSAGE_CHILDREN));
	return 0;
}
