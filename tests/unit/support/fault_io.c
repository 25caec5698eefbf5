/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* fault_io.c -- connections that are cut, stalled or delayed at a chosen byte or call */

#include "support/fault_io.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "clock.h"
#include "xfer/xfer.h"

struct xfer_conn_io *__real_xfer_conn_io_socket(int fd);
struct xfer_conn_io *__wrap_xfer_conn_io_socket(int fd);

struct faulty {
	struct xfer_conn_io io;
	struct xfer_conn_io *under;
	bool cut;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* the following */
static struct fault_plan plan;
static struct fault_passed passed;
static uint64_t until_ns; /* of FAULT_DELAY, once it has begun */

void fault_io_plan(const struct fault_plan *next)
{
	pthread_mutex_lock(&lock);
	plan = *next;
	passed = (struct fault_passed){ 0 };
	until_ns = 0;
	pthread_mutex_unlock(&lock);
}

struct fault_passed fault_io_passed(void)
{
	struct fault_passed copy;

	pthread_mutex_lock(&lock);
	copy = passed;
	pthread_mutex_unlock(&lock);
	return copy;
}

/* --- with the lock held ------------------------------------------------------------------------ */

static bool is_due(enum fault_direction direction)
{
	return plan.kind != FAULT_NONE && plan.direction == direction &&
	       (plan.calls ? passed.calls : passed.bytes)[direction] >= plan.at;
}

/* It happens; *result: what the call returns. False: it is over, and the call goes on. */
static bool strike(struct faulty *faulty, ssize_t *result)
{
	passed.happened = true;
	*result = -EAGAIN;
	switch (plan.kind) {
	case FAULT_CUT:
		plan.kind = FAULT_NONE; /* the next connection may live */
		faulty->cut = true;     /* what has arrived before can't be received any more */
		faulty->under->ops->shutdown(faulty->under);
		*result = -ECONNRESET;
		return true;
	case FAULT_DELAY:
		if (until_ns == 0)
			until_ns = xfer_now_ns() + plan.ms * XFER_NS_PER_MS;
		return xfer_now_ns() < until_ns;
	default:
		return true;
	}
}

/* The front of the pieces, up to where the plan says. */
static int shorten(
	enum fault_direction direction, const struct iovec *iov, int count, struct iovec *part)
{
	uint64_t room = UINT64_MAX;
	int n = 0;

	if (plan.kind != FAULT_NONE && plan.direction == direction && !plan.calls &&
		plan.at > passed.bytes[direction])
		room = plan.at - passed.bytes[direction];
	for (; n < count && room > 0; n++) {
		part[n] = iov[n];
		if (part[n].iov_len > room)
			part[n].iov_len = room;
		room -= part[n].iov_len;
	}
	return n;
}

/* --- the table --------------------------------------------------------------------------------- */

static ssize_t pass(
	struct faulty *faulty, enum fault_direction direction, const struct iovec *iov, int count)
{
	struct xfer_conn_io *under = faulty->under;
	struct iovec part[XFER_IOV_MAX + 3];
	ssize_t result;

	pthread_mutex_lock(&lock);
	if (faulty->cut) {
		result = -ECONNRESET;
	} else if (!is_due(direction) || !strike(faulty, &result)) {
		count = shorten(direction, iov, count, part);
		result = (direction == FAULT_SEND ? under->ops->sendv : under->ops->recvv)(
			under, part, count);
		if (result > 0) {
			ssize_t ignored;

			passed.bytes[direction] += (uint64_t)result;
			passed.calls[direction]++;
			/* At once: a cut behind the last byte of a message is before any answer. */
			if (plan.kind == FAULT_CUT && is_due(direction))
				strike(faulty, &ignored);
		}
	}
	pthread_mutex_unlock(&lock);
	return result;
}

static ssize_t faulty_sendv(struct xfer_conn_io *io, const struct iovec *iov, int iovcnt)
{
	return pass((struct faulty *)io, FAULT_SEND, iov, iovcnt);
}

static ssize_t faulty_recvv(struct xfer_conn_io *io, const struct iovec *iov, int iovcnt)
{
	return pass((struct faulty *)io, FAULT_RECEIVE, iov, iovcnt);
}

static int faulty_want_fd(struct xfer_conn_io *io)
{
	struct faulty *faulty = (struct faulty *)io;

	return faulty->under->ops->want_fd(faulty->under);
}

static int faulty_put_fd(struct xfer_conn_io *io, int fd)
{
	struct faulty *faulty = (struct faulty *)io;

	return faulty->under->ops->put_fd(faulty->under, fd);
}

static int faulty_take_fd(struct xfer_conn_io *io)
{
	struct faulty *faulty = (struct faulty *)io;

	return faulty->under->ops->take_fd(faulty->under);
}

static void faulty_shutdown(struct xfer_conn_io *io)
{
	struct faulty *faulty = (struct faulty *)io;

	faulty->under->ops->shutdown(faulty->under);
}

static void faulty_free(struct xfer_conn_io *io)
{
	struct faulty *faulty = (struct faulty *)io;

	faulty->under->ops->free(faulty->under);
	free(faulty);
}

static const struct xfer_conn_io_ops faulty_ops = {
	.sendv = faulty_sendv,
	.recvv = faulty_recvv,
	.want_fd = faulty_want_fd,
	.put_fd = faulty_put_fd,
	.take_fd = faulty_take_fd,
	.shutdown = faulty_shutdown,
	.free = faulty_free,
};

/* A Unix socket that was accepted has its listener's name. */
static bool was_accepted(int fd)
{
	struct sockaddr_storage own;
	socklen_t length = sizeof(own);

	return getsockname(fd, (struct sockaddr *)&own, &length) == 0 &&
	       length > sizeof(own.ss_family);
}

struct xfer_conn_io *__wrap_xfer_conn_io_socket(int fd)
{
	struct xfer_conn_io *under = __real_xfer_conn_io_socket(fd);
	struct faulty *faulty;

	if (!under || was_accepted(fd))
		return under;
	faulty = malloc(sizeof(*faulty));
	if (!faulty) {
		under->ops->free(under);
		return NULL;
	}
	*faulty = (struct faulty){ .io = { .ops = &faulty_ops, .fd = under->fd }, .under = under };
	return &faulty->io;
}
