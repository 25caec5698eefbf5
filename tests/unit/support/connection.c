/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* connection.c -- a connection over a socket that takes and gives as many bytes as a test says */

#include "support/connection.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "control/protocol.h"
#include "xfer/xfer.h"

/* --- the seam: a socket that takes and gives as many bytes as a test says ---------------------- */

/* The first `max` bytes of iov in `cut`; the number of entries. */
static int cut_iov(const struct iovec *iov, int iovcnt, size_t max, struct iovec *cut)
{
	int n = 0;

	for (; n < iovcnt && max > 0; n++) {
		cut[n] = iov[n];
		if (cut[n].iov_len > max)
			cut[n].iov_len = max;
		max -= cut[n].iov_len;
	}
	return n;
}

static ssize_t shim_sendv(struct xfer_conn_io *io, const struct iovec *iov, int iovcnt)
{
	struct shim *shim = (struct shim *)io;
	struct iovec cut[128];

	if (shim->stutter && shim->sends++ % 2)
		return -EAGAIN;
	iovcnt = cut_iov(iov, iovcnt, shim->send_max ? shim->send_max : SIZE_MAX, cut);
	return shim->under->ops->sendv(shim->under, cut, iovcnt);
}

static ssize_t shim_recvv(struct xfer_conn_io *io, const struct iovec *iov, int iovcnt)
{
	struct shim *shim = (struct shim *)io;
	struct iovec cut[128];
	ssize_t n;

	if (shim->recv_err)
		return shim->recv_err;
	iovcnt = cut_iov(iov, iovcnt, shim->recv_max ? shim->recv_max : SIZE_MAX, cut);
	n = shim->under->ops->recvv(shim->under, cut, iovcnt);
	if (n > 0)
		shim->received += (size_t)n;
	return n;
}

static void shim_shutdown(struct xfer_conn_io *io)
{
	struct shim *shim = (struct shim *)io;

	shim->under->ops->shutdown(shim->under);
}

static void shim_free(struct xfer_conn_io *io)
{
	struct shim *shim = (struct shim *)io;

	shim->under->ops->free(shim->under);
	free(shim);
}

static int shim_want_fd(struct xfer_conn_io *io)
{
	struct shim *shim = (struct shim *)io;

	return shim->under->ops->want_fd(shim->under);
}

static int shim_put_fd(struct xfer_conn_io *io, int fd)
{
	struct shim *shim = (struct shim *)io;

	return shim->under->ops->put_fd(shim->under, fd);
}

static int shim_take_fd(struct xfer_conn_io *io)
{
	struct shim *shim = (struct shim *)io;

	return shim->under->ops->take_fd(shim->under);
}

static const struct xfer_conn_io_ops shim_ops = {
	.sendv = shim_sendv,
	.recvv = shim_recvv,
	.want_fd = shim_want_fd,
	.put_fd = shim_put_fd,
	.take_fd = shim_take_fd,
	.shutdown = shim_shutdown,
	.free = shim_free,
};

static struct shim *shim_new(int fd)
{
	struct shim *shim = calloc(1, sizeof(*shim));

	assert_non_null(shim);
	shim->under = xfer_conn_io_socket(fd);
	assert_non_null(shim->under);
	shim->io = (struct xfer_conn_io){ .ops = &shim_ops, .fd = fd };
	return shim;
}

/* --- a connection whose events are written down ------------------------------------------------ */

static void log_add(struct fixture *f, char tag, const uint8_t *bytes, uint32_t len)
{
	pthread_mutex_lock(&f->lock);
	if (f->log_len + len + 8 > f->log_size) {
		f->log_size = 2 * (f->log_len + len + 8);
		f->log = realloc(f->log, f->log_size);
	}
	f->log[f->log_len] = (uint8_t)tag;
	memcpy(f->log + f->log_len + 1, &len, 4);
	memcpy(f->log + f->log_len + 5, bytes, len);
	f->log_len += 5 + len;
	pthread_mutex_unlock(&f->lock);
}

static void count_record(struct fixture *f)
{
	pthread_mutex_lock(&f->lock);
	f->records++;
	pthread_mutex_unlock(&f->lock);
}

static uint32_t word_at(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
	       bytes[3];
}

static int on_head(struct xfer_conn *conn, const uint8_t *head, uint32_t len, bool more,
	struct xfer_sink *sink, const char **why)
{
	struct fixture *f = xfer_conn_user(conn);

	if (memcmp(head, "stop", 4) == 0) {
		*why = "a head that is refused";
		return -EILSEQ;
	}
	/* libntirpc decodes from aligned memory only. */
	assert_int_equal((uintptr_t)head % 4, 0);
	log_add(f, 'H', head, len);
	f->on_lane = xfer_on_lane_thread();
	if (!more)
		count_record(f);
	else if (f->discard)
		sink->discard = true;
	else
		sink->length = f->payload_len = word_at(head);
	return 0;
}

static int on_place(struct xfer_conn *conn, struct xfer_rbuf *rbuf, uint8_t *data, uint32_t arrived,
	uint32_t remaining, struct iovec *iov)
{
	struct fixture *f = xfer_conn_user(conn);
	uint32_t part = remaining / f->pieces, at = arrived;
	int n = 0;

	f->payload = malloc(f->payload_len + 1);
	memcpy(f->payload, data, arrived);
	if (f->keep && !f->held) {
		xfer_rbuf_ref(rbuf);
		f->held = rbuf;
		f->held_at = data;
		f->held_len = arrived;
	}
	while (remaining > 0) {
		uint32_t length = (unsigned)n + 1 < f->pieces && part > 0 ? part : remaining;

		iov[n++] = (struct iovec){ f->payload + at, length };
		at += length;
		remaining -= length;
	}
	return n;
}

static int on_complete(struct xfer_conn *conn)
{
	struct fixture *f = xfer_conn_user(conn);

	log_add(f, 'P', f->payload, f->payload_len);
	free(f->payload);
	f->payload = NULL;
	count_record(f);
	return 0;
}

static void on_closed(struct xfer_conn *conn, int err, const char *why)
{
	struct fixture *f = xfer_conn_user(conn);

	free(f->payload);
	f->payload = NULL;
	pthread_mutex_lock(&f->lock);
	f->closed++;
	f->closed_err = err;
	f->closed_why = why;
	pthread_mutex_unlock(&f->lock);
	sem_post(&f->ended);
}

static void on_tick(struct xfer_conn *conn, uint64_t now_ns)
{
	struct fixture *f = xfer_conn_user(conn);

	(void)now_ns;
	pthread_mutex_lock(&f->lock);
	f->ticks++;
	pthread_mutex_unlock(&f->lock);
}

static const struct xfer_conn_ops ops = {
	.head = on_head,
	.place = on_place,
	.complete = on_complete,
	.closed = on_closed,
	.tick = on_tick,
};

void fixture_set_up(struct fixture *f)
{
	struct xfer_conn_params params = {
		.ops = &ops, .user = f, .recv_chunk = CHUNK, .name = "peer"
	};
	int fds[2];

	memset(f, 0, sizeof(*f));
	f->pieces = 1;
	pthread_mutex_init(&f->lock, NULL);
	sem_init(&f->ended, 0, 0);
	assert_int_equal(xfer_lane_create("test-lane", 10, &f->lane), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	f->peer = fds[1];
	f->shim = shim_new(fds[0]);
	params.lane = f->lane;
	params.io = &f->shim->io;
	assert_int_equal(xfer_conn_create(&params, &f->conn), 0);
}

void fixture_start(struct fixture *f)
{
	fixture_set_up(f);
	xfer_conn_start(f->conn);
}

void fixture_wait_end(struct fixture *f)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WAIT_MS / 1000;
	assert_int_equal(sem_timedwait(&f->ended, &until), 0);
	assert_int_equal(f->closed, 1);
}

void fixture_free(struct fixture *f)
{
	close(f->peer);
	xfer_conn_unref(f->conn);
	xfer_lane_destroy(f->lane);
	assert_int_equal(f->closed, 1);
	xfer_rbuf_unref(f->held);
	free(f->log);
	sem_destroy(&f->ended);
	pthread_mutex_destroy(&f->lock);
}

void fixture_tear_down(struct fixture *f)
{
	xfer_conn_close(f->conn, -ESHUTDOWN, "the test is over");
	fixture_wait_end(f);
	assert_int_equal(f->closed_err, -ESHUTDOWN);
	fixture_free(f);
}

unsigned records_of(struct fixture *f)
{
	unsigned records;

	pthread_mutex_lock(&f->lock);
	records = f->records;
	pthread_mutex_unlock(&f->lock);
	return records;
}

static void wait_records(struct fixture *f, unsigned records)
{
	uint64_t deadline = xfer_now_ns() + WAIT_MS * XFER_NS_PER_MS;

	while (records_of(f) < records) {
		assert_true(xfer_now_ns() < deadline);
		usleep(200);
	}
	assert_int_equal(records_of(f), records);
}

void wait_received(struct fixture *f, size_t bytes)
{
	uint64_t deadline = xfer_now_ns() + WAIT_MS * XFER_NS_PER_MS;

	while (f->shim->received < bytes) {
		assert_true(xfer_now_ns() < deadline);
		usleep(50);
	}
}

/* --- bytes to receive, and what has to come of them -------------------------------------------- */

void script_log(struct script *s, char tag, const uint8_t *bytes, uint32_t len)
{
	s->log[s->log_len] = (uint8_t)tag;
	memcpy(s->log + s->log_len + 1, &len, 4);
	memcpy(s->log + s->log_len + 5, bytes, len);
	s->log_len += 5 + len;
}

void script_fragment(struct script *s, const uint8_t *bytes, uint32_t len, bool last)
{
	xfer_mark_put(s->wire + s->wire_len, len, last);
	memcpy(s->wire + s->wire_len + 4, bytes, len);
	s->wire_len += 4 + len;
}

/* A record; payload_len 0: only its head. */
void script_record(struct script *s, uint32_t head_len, uint32_t payload_len)
{
	uint32_t padded = (payload_len + 3) & ~3u;
	uint8_t *bytes = malloc(head_len + padded);

	for (uint32_t i = 0; i < head_len + padded; i++)
		bytes[i] = (uint8_t)(i * 7 + s->records * 31 + (i >> 8));
	bytes[0] = (uint8_t)(payload_len >> 24);
	bytes[1] = (uint8_t)(payload_len >> 16);
	bytes[2] = (uint8_t)(payload_len >> 8);
	bytes[3] = (uint8_t)payload_len;
	script_fragment(s, bytes, head_len, payload_len == 0);
	script_log(s, 'H', bytes, head_len);
	if (payload_len > 0) {
		script_fragment(s, bytes + head_len, padded, true);
		script_log(s, 'P', bytes + head_len, payload_len);
	}
	s->records++;
	free(bytes);
}

struct script *script_small(void)
{
	struct script *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	script_record(s, 8, 0);
	script_record(s, 12, 5);
	script_record(s, 4, 8);
	script_record(s, 4, 0);
	return s;
}

void send_all(int fd, const uint8_t *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);

		assert_true(n > 0);
		bytes += n;
		len -= (size_t)n;
	}
}

void expect_script(struct fixture *f, const struct script *s)
{
	wait_records(f, s->records);
	pthread_mutex_lock(&f->lock);
	assert_int_equal(f->log_len, s->log_len);
	assert_memory_equal(f->log, s->log, s->log_len);
	f->log_len = 0;
	f->records = 0;
	pthread_mutex_unlock(&f->lock);
}
