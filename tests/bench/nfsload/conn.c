/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* conn.c -- one TCP connection with record marking and any number of calls outstanding */
#include "conn.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "wire.h"

#define IN_SIZE       (32 * 1024)
#define IOV_COUNT     48
#define LAST_FRAGMENT 0x80000000u

struct conn {
	int fd;
	const char *peer;
	uint32_t serial;
	unsigned outstanding;
	struct call *calls[CONN_MAX_CALLS];
	struct call *send_first;
	struct call *send_last;
	/* Received and not yet looked at: in[in_start, in_end). */
	uint8_t in[IN_SIZE];
	size_t in_start;
	size_t in_end;
	/* The record under way: its call once the xid is known, what is left of its fragment. */
	struct call *receiving;
	size_t fragment_left;
	bool fragment_last;
};

static int connect_to(const char *host, unsigned port)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found;
	char service[16];
	int fd, rc;

	snprintf(service, sizeof(service), "%u", port);
	rc = getaddrinfo(host, service, &hints, &found);
	if (rc)
		errx(1, "%s is no address: %s", host, gai_strerror(rc));
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, found->ai_addr, found->ai_addrlen))
		err(1, "can't connect to %s port %u (is the server up and the port right?)", host,
			port);
	freeaddrinfo(found);
	return fd;
}

struct conn *conn_open(const char *host, unsigned port)
{
	struct conn *conn = calloc(1, sizeof(*conn));
	int one = 1;

	if (!conn)
		err(1, "no memory for a connection");
	conn->fd = connect_to(host, port);
	conn->peer = host;
	conn->serial = (uint32_t)getpid() << 4;
	setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (fcntl(conn->fd, F_SETFL, O_NONBLOCK))
		err(1, "can't make the socket non-blocking");
	return conn;
}

void conn_close(struct conn *conn)
{
	close(conn->fd);
	free(conn);
}

void conn_add_call(struct conn *conn, struct call *call, size_t reply_size)
{
	uint32_t index = 0;

	while (index < CONN_MAX_CALLS && conn->calls[index])
		index++;
	if (index == CONN_MAX_CALLS)
		errx(1, "a connection takes at most %d calls at a time", CONN_MAX_CALLS);
	call->index = index;
	call->reply_size = reply_size;
	call->reply = malloc(reply_size);
	if (!call->reply)
		err(1, "no memory for a reply of %zu bytes", reply_size);
	conn->calls[index] = call;
}

void conn_drop_call(struct conn *conn, struct call *call)
{
	conn->calls[call->index] = NULL;
	free(call->reply);
}

uint32_t conn_next_xid(struct conn *conn, const struct call *call)
{
	return ++conn->serial * CONN_MAX_CALLS + call->index;
}

/* The pieces of a call behind its first skip bytes. */
static int call_pieces(const struct call *call, size_t skip, struct iovec *iov)
{
	static const uint8_t zeros[4];
	const struct iovec all[3] = {
		{ (void *)call->head, call->head_len },
		{ (void *)call->payload, call->payload_len },
		{ (void *)zeros, wire_padded(call->payload_len) - call->payload_len },
	};
	int count = 0;

	for (int i = 0; i < 3; i++) {
		if (skip >= all[i].iov_len) {
			skip -= all[i].iov_len;
			continue;
		}
		iov[count].iov_base = (uint8_t *)all[i].iov_base + skip;
		iov[count++].iov_len = all[i].iov_len - skip;
		skip = 0;
	}
	return count;
}

static size_t call_length(const struct call *call)
{
	return call->head_len + wire_padded(call->payload_len);
}

/* Take what was sent off the queue. */
static void queue_advance(struct conn *conn, size_t bytes)
{
	while (bytes) {
		struct call *call = conn->send_first;
		size_t left = call_length(call) - call->sent;

		if (bytes < left) {
			call->sent += bytes;
			return;
		}
		bytes -= left;
		conn->send_first = call->next;
	}
}

static void queue_send(struct conn *conn)
{
	while (conn->send_first) {
		struct iovec iov[IOV_COUNT];
		int count = 0;
		ssize_t sent;

		for (struct call *call = conn->send_first; call && count + 3 <= IOV_COUNT;
			call = call->next)
			count += call_pieces(call, call->sent, iov + count);
		sent = writev(conn->fd, iov, count);
		if (sent < 0 && errno == EAGAIN)
			return;
		if (sent < 0 && errno != EINTR)
			err(1, "sending to %s failed", conn->peer);
		if (sent > 0)
			queue_advance(conn, (size_t)sent);
	}
}

void conn_submit(struct conn *conn, struct call *call)
{
	uint32_t mark = htobe32(LAST_FRAGMENT | (uint32_t)(call_length(call) - 4));
	bool idle = !conn->send_first;

	memcpy(call->head, &mark, sizeof(mark));
	call->sent = 0;
	call->reply_len = 0;
	call->next = NULL;
	call->outstanding = true;
	conn->outstanding++;
	if (idle)
		conn->send_first = call;
	else
		conn->send_last->next = call;
	conn->send_last = call;
	if (idle)
		queue_send(conn);
}

static size_t in_have(const struct conn *conn)
{
	return conn->in_end - conn->in_start;
}

static uint32_t in_word(struct conn *conn)
{
	uint32_t big;

	memcpy(&big, conn->in + conn->in_start, sizeof(big));
	conn->in_start += sizeof(big);
	return be32toh(big);
}

/* The record mark, and of a record's first fragment the xid; false if more has to come first. */
static bool record_begin(struct conn *conn)
{
	uint32_t mark, xid;

	if (in_have(conn) < (conn->receiving ? 4u : 8u))
		return false;
	mark = in_word(conn);
	conn->fragment_last = mark & LAST_FRAGMENT;
	conn->fragment_left = mark & ~LAST_FRAGMENT;
	if (!conn->receiving) {
		xid = in_word(conn);
		conn->receiving = conn->calls[xid % CONN_MAX_CALLS];
		if (!conn->receiving || !conn->receiving->outstanding || conn->fragment_left < 4)
			errx(1, "%s sent a reply that nobody waits for (xid %#x)", conn->peer, xid);
		conn->fragment_left -= 4;
	}
	if (conn->fragment_left > conn->receiving->reply_size - conn->receiving->reply_len)
		errx(1, "%s sent a reply of more than %zu bytes", conn->peer,
			conn->receiving->reply_size);
	return true;
}

static void record_end(struct conn *conn)
{
	struct call *call = conn->receiving;

	conn->receiving = NULL;
	call->outstanding = false;
	conn->outstanding--;
	if (call->done)
		call->done(call);
}

/* Deal with all that is in the buffer. */
static void in_consume(struct conn *conn)
{
	for (;;) {
		size_t len;

		if (!conn->fragment_left && !record_begin(conn))
			break;
		len = in_have(conn) < conn->fragment_left ? in_have(conn) : conn->fragment_left;
		memcpy(conn->receiving->reply + conn->receiving->reply_len,
			conn->in + conn->in_start, len);
		conn->receiving->reply_len += len;
		conn->in_start += len;
		conn->fragment_left -= len;
		if (conn->fragment_left)
			break;
		if (conn->fragment_last)
			record_end(conn);
	}
	memmove(conn->in, conn->in + conn->in_start, in_have(conn));
	conn->in_end = in_have(conn);
	conn->in_start = 0;
}

/* One read: the rest of the fragment straight to where it belongs, what follows into the buffer. */
static void in_receive(struct conn *conn)
{
	struct call *call = conn->receiving;
	size_t direct = conn->fragment_left;
	struct iovec iov[2] = {
		{ direct ? call->reply + call->reply_len : NULL, direct },
		{ conn->in + conn->in_end, IN_SIZE - conn->in_end },
	};
	ssize_t got = readv(conn->fd, iov + !direct, 1 + !!direct);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0)
		errx(1, "%s closed the connection: %s", conn->peer,
			got ? strerror(errno) : "end of stream");
	if (direct) {
		size_t len = (size_t)got < direct ? (size_t)got : direct;

		call->reply_len += len;
		conn->fragment_left -= len;
		got -= (ssize_t)len;
		if (!conn->fragment_left && conn->fragment_last)
			record_end(conn);
	}
	conn->in_end += (size_t)got;
	in_consume(conn);
}

void conn_wait(struct conn *const *conns, unsigned count, int timeout_ms)
{
	struct pollfd fds[count];
	int ready;

	for (unsigned i = 0; i < count; i++) {
		fds[i].fd = conns[i]->fd;
		fds[i].events = POLLIN | (conns[i]->send_first ? POLLOUT : 0);
	}
	ready = poll(fds, count, timeout_ms);
	if (ready < 0 && errno != EINTR)
		err(1, "poll failed");
	for (unsigned i = 0; ready > 0 && i < count; i++) {
		if (fds[i].revents & POLLOUT)
			queue_send(conns[i]);
		if (fds[i].revents & ~POLLOUT)
			in_receive(conns[i]);
	}
	if (ready == 0 && timeout_ms >= CONN_REPLY_SECONDS * 1000)
		errx(1, "%s has not answered for %d s", conns[0]->peer, CONN_REPLY_SECONDS);
}

void conn_call(struct conn *conn, struct call *call)
{
	conn_submit(conn, call);
	while (call->outstanding)
		conn_wait(&conn, 1, CONN_REPLY_SECONDS * 1000);
}
