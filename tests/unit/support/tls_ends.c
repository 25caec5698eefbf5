/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* tls_ends.c -- both ends of TLS connections in one process, over loopback */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "clock.h"
#include "log.h"
#include "support/tls_ends.h"

static void must(bool done, const char *what)
{
	if (done)
		return;
	perror(what);
	abort();
}

struct xfer_tls *tls_make(const struct xfer_tls_params *params)
{
	struct xfer_tls *tls = NULL;
	char why[512];

	if (xfer_tls_create(params, &tls, why, sizeof(why)))
		fail_msg("%s", why);
	return tls;
}

struct xfer_tls_identity *tls_identity_make(
	struct xfer_tls *tls, enum xfer_tls_role role, struct xfer_tls_files files)
{
	struct xfer_tls_identity *identity = NULL;
	char why[512];

	if (xfer_tls_identity_create(tls, role, &files, &identity, why, sizeof(why)))
		fail_msg("%s", why);
	return identity;
}

void tls_ends_tcp(int pair[2])
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	must(bind(listener, (struct sockaddr *)&sin, sizeof(sin)) == 0 &&
			listen(listener, 1) == 0 &&
			getsockname(listener, (struct sockaddr *)&sin, &len) == 0,
		"listen");
	pair[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(connect(pair[0], (struct sockaddr *)&sin, sizeof(sin)) == 0, "connect");
	pair[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	must(pair[1] >= 0, "accept4");
	close(listener);
}

static void end_done(void *user, const struct xfer_tls_result *result)
{
	struct tls_end *end = user;

	pthread_mutex_lock(&end->lock);
	end->err = result->err;
	end->fd = result->err ? -1 : result->fd;
	end->security = result->err ? NULL : result->security;
	snprintf(end->why, sizeof(end->why), "%s", result->err ? result->why : "");
	end->done = true;
	pthread_cond_signal(&end->cond);
	pthread_mutex_unlock(&end->lock);
}

void tls_end_start(struct tls_end *end, struct xfer_tls *tls, struct xfer_tls_identity *identity,
	int fd, bool client, const char *expect)
{
	struct xfer_tls_start start = { .identity = identity,
		.client = client,
		.expect = expect,
		.done = end_done,
		.user = end };
	socklen_t len = sizeof(start.address);
	int err;

	memset(end, 0, sizeof(*end));
	pthread_mutex_init(&end->lock, NULL);
	xfer_cond_init(&end->cond);
	end->fd = -1;
	getpeername(fd, (struct sockaddr *)&start.address, &len);
	err = xfer_tls_start(tls, fd, &start);
	if (err == 0)
		return;
	end->err = err;
	end->done = true;
}

int tls_end_wait(struct tls_end *end)
{
	pthread_mutex_lock(&end->lock);
	while (!end->done)
		pthread_cond_wait(&end->cond, &end->lock);
	pthread_mutex_unlock(&end->lock);
	return end->err;
}

void tls_end_finish(struct tls_end *end)
{
	tls_end_wait(end);
	if (end->fd >= 0) {
		xfer_tls_goodbye(end->security, end->fd);
		close(end->fd);
	}
	if (end->security)
		xfer_tls_security_unref(end->security);
	pthread_cond_destroy(&end->cond);
	pthread_mutex_destroy(&end->lock);
}

static void wait_for(int fd, short events)
{
	struct pollfd pollfd = { .fd = fd, .events = events };

	poll(&pollfd, 1, -1);
}

void tls_fill(uint8_t *bytes, size_t len, uint8_t seed)
{
	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(seed + i + i / 251);
}

int tls_write_all(int fd, const void *bytes, size_t len)
{
	const char *next = bytes;

	while (len > 0) {
		ssize_t n = send(fd, next, len, MSG_NOSIGNAL);

		if (n > 0) {
			next += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN) {
			wait_for(fd, POLLOUT);
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

int tls_read_all(int fd, void *bytes, size_t len)
{
	char *next = bytes;

	while (len > 0) {
		ssize_t n = recv(fd, next, len, 0);

		if (n == 0)
			return -ENODATA;
		if (n > 0) {
			next += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN) {
			wait_for(fd, POLLIN);
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

bool tls_at_end(int fd)
{
	char byte;

	return tls_read_all(fd, &byte, 1) != 0;
}

/* --- the log ------------------------------------------------------------------------------------ */

#define LINES 4096

static pthread_mutex_t lines_lock = PTHREAD_MUTEX_INITIALIZER;
static char lines[LINES][512];
static unsigned nlines;

static void keep(enum xfer_log_level level, const char *message)
{
	(void)level;
	pthread_mutex_lock(&lines_lock);
	if (nlines < LINES)
		snprintf(lines[nlines++], sizeof(lines[0]), "%s", message);
	pthread_mutex_unlock(&lines_lock);
}

void tls_log_keep(void)
{
	pthread_mutex_lock(&lines_lock);
	nlines = 0;
	pthread_mutex_unlock(&lines_lock);
	xfer_log_set_sink(keep);
}

bool tls_log_has(const char *text, const char *text2)
{
	bool found = false;

	pthread_mutex_lock(&lines_lock);
	for (unsigned i = 0; i < nlines && !found; i++)
		found = strstr(lines[i], text) && strstr(lines[i], text2);
	pthread_mutex_unlock(&lines_lock);
	return found;
}

unsigned tls_log_count(const char *text)
{
	unsigned count = 0;

	pthread_mutex_lock(&lines_lock);
	for (unsigned i = 0; i < nlines; i++)
		count += strstr(lines[i], text) != NULL;
	pthread_mutex_unlock(&lines_lock);
	return count;
}

void tls_log_print(void)
{
	pthread_mutex_lock(&lines_lock);
	for (unsigned i = 0; i < nlines; i++)
		fprintf(stderr, "%s\n", lines[i]);
	pthread_mutex_unlock(&lines_lock);
}
