/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* greeting.c -- a TCP connection that has just come: in cleartext, or with TLS? */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "clock.h"
#include "control/greeting.h"
#include "control/lane.h"
#include "control/protocol.h"
#include "log.h"
#include "tls/starttls.h"

#define ENDED (EPOLLRDHUP | EPOLLHUP | EPOLLERR)

struct xfer_greeting {
	struct xfer_pollable pollable;
	struct xfer_ticker ticker;
	struct xfer_stranger stranger;
	struct xfer_greeting_params params;
	struct xfer_conn_identity identity;
	uint64_t deadline_ns;
	int fd;   /* the greeting's until it is over, or the handshake's */
	int hold; /* the same socket: by it the connection is ended, whoever has fd */
};

/* --- its end ---------------------------------------------------------------------------------- */

static void greeting_free(struct xfer_greeting *greeting)
{
	close(greeting->hold);
	free(greeting);
}

static void finish(struct xfer_greeting *greeting, int fd, struct xfer_tls_security *security)
{
	greeting->params.over(greeting->params.user, greeting, fd, security);
	greeting_free(greeting);
}

/* Of struct xfer_stranger. Whoever waits for bytes sees the end. */
static void turn_out(struct xfer_stranger *stranger, int err, const char *why)
{
	struct xfer_greeting *greeting =
		(struct xfer_greeting *)((char *)stranger -
					 offsetof(struct xfer_greeting, stranger));

	(void)err;
	xfer_debug("connection of %s is ended: %s", greeting->identity.text, why);
	shutdown(greeting->hold, SHUT_RDWR);
}

struct xfer_stranger *xfer_greeting_stranger(struct xfer_greeting *greeting)
{
	return &greeting->stranger;
}

/* --- the first bytes: the lane's thread ------------------------------------------------------- */

/* Wakes its lane when that many bytes are there, or the end is: fewer would be told again and again. */
static void set_low_water(int fd, int bytes)
{
	setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof(bytes));
}

static void leave_lane(struct xfer_greeting *greeting)
{
	xfer_lane_remove(greeting->params.lane, greeting->fd, &greeting->pollable);
	xfer_lane_remove_ticker(&greeting->ticker);
	set_low_water(greeting->fd, 1);
}

static void give_up(struct xfer_greeting *greeting, const char *why)
{
	xfer_debug("connection of %s ended: %s", greeting->identity.text, why);
	close(greeting->fd);
	finish(greeting, -1, NULL);
}

/* On TLS's I/O thread; the log has what went wrong. */
static void shaken(void *user, const struct xfer_tls_result *result)
{
	finish(user, result->err ? -1 : result->fd, result->err ? NULL : result->security);
}

/* False: it isn't taken off, or not sent, in one piece, so the connection is of no use. */
static bool answer_probe(int fd, uint32_t xid)
{
	uint8_t probe[XFER_STARTTLS_PROBE], answer[XFER_STARTTLS_REPLY];

	(void)xfer_starttls_reply(answer, xid, true);
	return recv(fd, probe, sizeof(probe), MSG_DONTWAIT) == (ssize_t)sizeof(probe) &&
	       send(fd, answer, sizeof(answer), MSG_DONTWAIT | MSG_NOSIGNAL) ==
		       (ssize_t)sizeof(answer);
}

static void start_tls(struct xfer_greeting *greeting, uint32_t xid)
{
	const struct xfer_tls_start start = {
		.identity = greeting->params.tls_identity,
		.address = greeting->identity.address,
		.done = shaken,
		.user = greeting,
	};

	if (!answer_probe(greeting->fd, xid))
		give_up(greeting, "the peer doesn't wait for the answer to its probe");
	else if (xfer_tls_start(greeting->params.tls, greeting->fd, &start))
		finish(greeting, -1, NULL);
}

static void greeting_ready(struct xfer_pollable *pollable, uint32_t events)
{
	struct xfer_greeting *greeting = (struct xfer_greeting *)pollable;
	uint8_t first[XFER_STARTTLS_PROBE];
	ssize_t n = recv(greeting->fd, first, sizeof(first), MSG_PEEK | MSG_DONTWAIT);
	uint32_t xid;

	if (n < (ssize_t)sizeof(first) && !(events & ENDED))
		return; /* told too early */
	leave_lane(greeting);
	if (n < (ssize_t)sizeof(first))
		give_up(greeting, "it has ended before its first call");
	else if (xfer_starttls_is_probe(first, sizeof(first), XFER_PROGRAM, XFER_VERSION, &xid) ==
		 1)
		start_tls(greeting, xid);
	else
		finish(greeting, greeting->fd, NULL);
}

static void greeting_tick(struct xfer_ticker *ticker, uint64_t now_ns)
{
	struct xfer_greeting *greeting =
		(struct xfer_greeting *)((char *)ticker - offsetof(struct xfer_greeting, ticker));

	if (now_ns < greeting->deadline_ns)
		return;
	leave_lane(greeting);
	give_up(greeting, "nothing was called in time");
}

/* --- life ------------------------------------------------------------------------------------- */

int xfer_greeting_create(const struct xfer_greeting_params *params, int fd,
	const struct xfer_conn_identity *identity, struct xfer_greeting **result)
{
	struct xfer_greeting *greeting = calloc(1, sizeof(*greeting));
	int err;

	if (!greeting) {
		close(fd);
		return -ENOMEM;
	}
	greeting->hold = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (greeting->hold < 0) {
		err = -errno;
		close(fd);
		free(greeting);
		return err;
	}
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	set_low_water(fd, XFER_STARTTLS_PROBE);
	greeting->pollable.ready = greeting_ready;
	greeting->ticker.tick = greeting_tick;
	greeting->params = *params;
	greeting->identity = *identity;
	greeting->stranger.identity = &greeting->identity;
	greeting->stranger.turn_out = turn_out;
	greeting->fd = fd;
	greeting->deadline_ns = xfer_now_ns() + params->wait_ms * XFER_NS_PER_MS;
	*result = greeting;
	return 0;
}

void xfer_greeting_start(struct xfer_greeting *greeting)
{
	xfer_lane_add_ticker(greeting->params.lane, &greeting->ticker);
	if (xfer_lane_add(greeting->params.lane, greeting->fd, EPOLLIN | EPOLLRDHUP,
		    &greeting->pollable) == 0)
		return;
	xfer_lane_remove_ticker(&greeting->ticker);
	give_up(greeting, "it can't be watched");
}
