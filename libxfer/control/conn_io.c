/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* conn_io.c -- a connection's bytes over a plain stream socket */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/conn_io.h"
#include "counters.h"

static ssize_t socket_sendv(struct xfer_conn_io *io, const struct iovec *iov, int iovcnt)
{
	struct msghdr msg = { .msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)iovcnt };
	ssize_t n;

	do {
		n = sendmsg(io->fd, &msg, MSG_NOSIGNAL);
		xfer_count(XFER_CNT_SEND_CALLS, 1);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static ssize_t socket_recvv(struct xfer_conn_io *io, const struct iovec *iov, int iovcnt)
{
	struct msghdr msg = { .msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)iovcnt };
	ssize_t n;

	do {
		n = recvmsg(io->fd, &msg, MSG_CMSG_CLOEXEC);
		xfer_count(XFER_CNT_RECV_CALLS, 1);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static void socket_shutdown(struct xfer_conn_io *io)
{
	shutdown(io->fd, SHUT_RDWR);
}

static void socket_free(struct xfer_conn_io *io)
{
	close(io->fd);
	free(io);
}

static const struct xfer_conn_io_ops socket_ops = {
	.sendv = socket_sendv,
	.recvv = socket_recvv,
	.shutdown = socket_shutdown,
	.free = socket_free,
};

struct xfer_conn_io *xfer_conn_io_socket(int fd)
{
	struct xfer_conn_io *io = malloc(sizeof(*io));

	if (!io)
		return NULL;
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	*io = (struct xfer_conn_io){ .ops = &socket_ops, .fd = fd };
	return io;
}
