/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* memory_io.c -- a connection's bytes come from memory, in pieces that follow from a number */

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "control/conn.h"
#include "control/rpc.h"
#include "memory_io.h"
#include "support/messages.h"

#define WAIT_S   20
#define SENT_MAX (1u << 20) /* bytes of answers that are kept for the check */

struct memory_io {
	struct xfer_conn_io
		seam; /* its fd is an eventfd: readable while there is something to receive */
	pthread_mutex_t lock;
	pthread_cond_t progress;
	unsigned refs;        /* ours and the connection's */
	bool ended;           /* the peer has closed */
	bool shut;            /* the connection was shut down */
	bool freed;           /* by the connection */
	bool whole;           /* not in pieces */
	struct random random; /* of pieces */
	uint8_t *bytes;       /* to be received: from `at` to `len` */
	size_t len, at;
	uint8_t *sent; /* SENT_MAX bytes */
	size_t sent_len;
};

/* --- the seam ------------------------------------------------------------------------------------ */

static size_t piece(struct memory_io *io, size_t max)
{
	size_t n = io->whole
			   ? max
			   : 1 + random_below(&io->random, random_below(&io->random, 2) ? 8 : 5000);

	return n < max ? n : max;
}

static ssize_t memory_sendv(struct xfer_conn_io *seam, const struct iovec *iov, int iovcnt)
{
	struct memory_io *io = (struct memory_io *)seam;
	ssize_t sent = 0;

	pthread_mutex_lock(&io->lock);
	if (io->shut)
		sent = -EPIPE;
	else if (!io->whole && random_below(&io->random, 4) == 0)
		sent = -EAGAIN;
	for (int i = 0; i < iovcnt && sent >= 0; i++) {
		size_t n = piece(io, iov[i].iov_len);
		size_t kept = n < SENT_MAX - io->sent_len ? n : SENT_MAX - io->sent_len;

		if (kept > 0)
			memcpy(io->sent + io->sent_len, iov[i].iov_base, kept);
		io->sent_len += kept;
		sent += (ssize_t)n;
		if (n < iov[i].iov_len)
			break;
	}
	pthread_mutex_unlock(&io->lock);
	return sent;
}

/* With the lock held. */
static void set_readable(struct memory_io *io, bool readable)
{
	uint64_t count = 1;

	if (readable)
		FUZZ_CHECK(write(io->seam.fd, &count, sizeof(count)) == sizeof(count));
	else
		(void)!read(io->seam.fd, &count, sizeof(count));
}

static ssize_t memory_recvv(struct xfer_conn_io *seam, const struct iovec *iov, int iovcnt)
{
	struct memory_io *io = (struct memory_io *)seam;
	ssize_t received = 0;

	pthread_mutex_lock(&io->lock);
	for (int i = 0; i < iovcnt && io->at < io->len; i++) {
		size_t left = io->len - io->at;
		size_t n = piece(io, left < iov[i].iov_len ? left : iov[i].iov_len);

		memcpy(iov[i].iov_base, io->bytes + io->at, n);
		io->at += n;
		received += (ssize_t)n;
		if (n < iov[i].iov_len)
			break;
	}
	if (received == 0 && !io->ended && !io->shut) {
		set_readable(io, false);
		received = -EAGAIN;
		pthread_cond_broadcast(&io->progress);
	}
	pthread_mutex_unlock(&io->lock);
	return received;
}

static void memory_shutdown(struct xfer_conn_io *seam)
{
	struct memory_io *io = (struct memory_io *)seam;

	pthread_mutex_lock(&io->lock);
	io->shut = true;
	set_readable(io, true);
	pthread_cond_broadcast(&io->progress);
	pthread_mutex_unlock(&io->lock);
}

static void memory_free(struct xfer_conn_io *seam)
{
	struct memory_io *io = (struct memory_io *)seam;

	pthread_mutex_lock(&io->lock);
	FUZZ_CHECK(!io->freed);
	io->freed = true;
	pthread_cond_broadcast(&io->progress);
	pthread_mutex_unlock(&io->lock);
	memory_io_put(io);
}

static int memory_want_fd(struct xfer_conn_io *seam)
{
	(void)seam;
	return 0;
}

static int memory_put_fd(struct xfer_conn_io *seam, int fd)
{
	(void)seam;
	(void)fd;
	return -EOPNOTSUPP;
}

static int memory_take_fd(struct xfer_conn_io *seam)
{
	(void)seam;
	return -1;
}

static const struct xfer_conn_io_ops memory_ops = {
	.sendv = memory_sendv,
	.recvv = memory_recvv,
	.want_fd = memory_want_fd,
	.put_fd = memory_put_fd,
	.take_fd = memory_take_fd,
	.shutdown = memory_shutdown,
	.free = memory_free,
};

/* --- the peer's side ----------------------------------------------------------------------------- */

struct memory_io *memory_io_new(uint8_t pieces)
{
	struct memory_io *io = calloc(1, sizeof(*io));

	FUZZ_CHECK(io != NULL);
	io->seam.ops = &memory_ops;
	io->seam.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	FUZZ_CHECK(io->seam.fd >= 0);
	pthread_mutex_init(&io->lock, NULL);
	pthread_cond_init(&io->progress, NULL);
	io->refs = 2;
	io->whole = pieces == 0;
	io->random = random_from(pieces);
	io->sent = malloc(SENT_MAX);
	FUZZ_CHECK(io->sent != NULL);
	return io;
}

void memory_io_put(struct memory_io *io)
{
	unsigned refs;

	pthread_mutex_lock(&io->lock);
	refs = --io->refs;
	pthread_mutex_unlock(&io->lock);
	if (refs > 0)
		return;
	close(io->seam.fd);
	pthread_cond_destroy(&io->progress);
	pthread_mutex_destroy(&io->lock);
	free(io->bytes);
	free(io->sent);
	free(io);
}

struct xfer_conn_io *memory_io_seam(struct memory_io *io)
{
	return &io->seam;
}

void memory_io_feed(struct memory_io *io, const uint8_t *bytes, size_t len)
{
	if (len == 0)
		return;
	pthread_mutex_lock(&io->lock);
	io->bytes = realloc(io->bytes, io->len + len);
	FUZZ_CHECK(io->bytes != NULL);
	memcpy(io->bytes + io->len, bytes, len);
	io->len += len;
	set_readable(io, true);
	pthread_mutex_unlock(&io->lock);
}

void memory_io_feed_record(struct memory_io *io, const struct input *head, uint32_t payload_length)
{
	static const uint8_t zeros[UINT16_MAX + 4];
	uint32_t padded = (payload_length + 3) & ~3u;
	uint8_t mark[4];

	xfer_mark_put(mark, (uint32_t)head->size, payload_length == 0);
	memory_io_feed(io, mark, sizeof(mark));
	memory_io_feed(io, head->data, head->size);
	if (payload_length == 0)
		return;
	xfer_mark_put(mark, padded, true);
	memory_io_feed(io, mark, sizeof(mark));
	memory_io_feed(io, zeros, padded);
}

void memory_io_end(struct memory_io *io)
{
	pthread_mutex_lock(&io->lock);
	io->ended = true;
	set_readable(io, true);
	pthread_mutex_unlock(&io->lock);
}

static bool received(const struct memory_io *io)
{
	return io->at == io->len;
}

static bool never(const struct memory_io *io)
{
	(void)io;
	return false;
}

static void wait_for(struct memory_io *io, bool (*reached)(const struct memory_io *io))
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WAIT_S;
	pthread_mutex_lock(&io->lock);
	while (!reached(io) && !io->shut && !io->freed)
		FUZZ_CHECK(pthread_cond_timedwait(&io->progress, &io->lock, &until) == 0);
	pthread_mutex_unlock(&io->lock);
}

void memory_io_wait(struct memory_io *io)
{
	wait_for(io, received);
}

void memory_io_wait_end(struct memory_io *io)
{
	wait_for(io, never);
}

static uint32_t mark_at(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
	       bytes[3];
}

/* The end may lie within a record. */
void memory_io_check_sent(struct memory_io *io)
{
	bool head = true;
	size_t at = 0;

	while (io->sent_len - at >= 4) {
		uint32_t mark = mark_at(io->sent + at), len = mark & ~XFER_MARK_LAST;

		FUZZ_CHECK(head ? len >= 20 && len <= XFER_HEAD_MAX && len % 4 == 0
				: (mark & XFER_MARK_LAST) && len > 0 && len <= XFER_IO_MAX);
		head = mark & XFER_MARK_LAST;
		if (len > io->sent_len - at - 4)
			break;
		at += 4 + len;
	}
}
