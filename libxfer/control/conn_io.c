/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* conn_io.c -- a connection's bytes over a plain stream socket */

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/conn_io.h"
#include "counters.h"

/* A descriptor travels beside the bytes. */
union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int))];
};

struct socket_io {
	struct xfer_conn_io io;
	bool local;          /* a Unix socket */
	_Atomic bool wanted; /* descriptors that come */
	_Atomic int out;     /* to be sent; -1: none */
	_Atomic int in;      /* has come; -1: none */
};

ssize_t xfer_conn_io_sendmsg(struct xfer_conn_io *io, const struct msghdr *msg)
{
	ssize_t n;

	do {
		n = sendmsg(io->fd, msg, MSG_NOSIGNAL);
		xfer_count(XFER_CNT_SEND_CALLS, 1);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	xfer_count(XFER_CNT_SENT_BYTES, (uint64_t)n);
	return n;
}

ssize_t xfer_conn_io_recvmsg(struct xfer_conn_io *io, struct msghdr *msg, int flags)
{
	size_t room = msg->msg_controllen;
	ssize_t n;

	do {
		msg->msg_controllen = room;
		n = recvmsg(io->fd, msg, flags);
		xfer_count(XFER_CNT_RECV_CALLS, 1);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	xfer_count(XFER_CNT_RECEIVED_BYTES, (uint64_t)n);
	return n;
}

static void attach_fd(struct msghdr *msg, union control *control, int fd)
{
	struct cmsghdr *header;

	msg->msg_control = control->bytes;
	msg->msg_controllen = sizeof(control->bytes);
	header = CMSG_FIRSTHDR(msg);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
}

static ssize_t socket_sendv(struct xfer_conn_io *io, const struct iovec *iov, int iovcnt)
{
	struct socket_io *socket_io = (struct socket_io *)io;
	struct msghdr msg = { .msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)iovcnt };
	int fd = atomic_load_explicit(&socket_io->out, memory_order_acquire);
	union control control = { 0 };
	ssize_t n;

	if (fd >= 0)
		attach_fd(&msg, &control, fd);
	n = xfer_conn_io_sendmsg(io, &msg);
	if (n >= 0 && fd >= 0) {
		atomic_store(&socket_io->out, -1);
		close(fd);
	}
	return n;
}

/* Nobody sends more than one: the last one counts, the others are closed. */
static void keep_fd(struct socket_io *socket_io, int fd)
{
	fd = atomic_exchange(&socket_io->in, fd);
	if (fd >= 0)
		close(fd);
}

static void keep_fds(struct socket_io *socket_io, struct msghdr *msg)
{
	for (struct cmsghdr *header = CMSG_FIRSTHDR(msg); header;
		header = CMSG_NXTHDR(msg, header)) {
		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = CMSG_LEN(0); at + sizeof(int) <= header->cmsg_len;
			at += sizeof(int)) {
			int fd;

			memcpy(&fd, (const uint8_t *)header + at, sizeof(fd));
			keep_fd(socket_io, fd);
		}
	}
}

/* Descriptors that nobody wants, or for which there is no room in `control`, are closed by the kernel. */
static ssize_t socket_recvv(struct xfer_conn_io *io, const struct iovec *iov, int iovcnt)
{
	struct socket_io *socket_io = (struct socket_io *)io;
	struct msghdr msg = { .msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)iovcnt };
	bool wanted = atomic_load_explicit(&socket_io->wanted, memory_order_relaxed);
	union control control;
	ssize_t n;

	msg.msg_control = wanted ? control.bytes : NULL;
	msg.msg_controllen = wanted ? sizeof(control.bytes) : 0;
	n = xfer_conn_io_recvmsg(io, &msg, MSG_CMSG_CLOEXEC);
	if (n >= 0 && wanted)
		keep_fds(socket_io, &msg);
	return n;
}

static int socket_want_fd(struct xfer_conn_io *io)
{
	struct socket_io *socket_io = (struct socket_io *)io;

	if (!socket_io->local)
		return -EOPNOTSUPP;
	atomic_store(&socket_io->wanted, true);
	return 0;
}

static int socket_put_fd(struct xfer_conn_io *io, int fd)
{
	struct socket_io *socket_io = (struct socket_io *)io;
	int own, none = -1;

	if (!socket_io->local)
		return -EOPNOTSUPP;
	own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (own < 0)
		return -errno;
	if (!atomic_compare_exchange_strong(&socket_io->out, &none, own)) {
		close(own);
		return -EBUSY;
	}
	return 0;
}

static int socket_take_fd(struct xfer_conn_io *io)
{
	return atomic_exchange(&((struct socket_io *)io)->in, -1);
}

static void socket_shutdown(struct xfer_conn_io *io)
{
	shutdown(io->fd, SHUT_RDWR);
}

static void socket_free(struct xfer_conn_io *io)
{
	struct socket_io *socket_io = (struct socket_io *)io;

	if (socket_io->out >= 0)
		close(socket_io->out);
	if (socket_io->in >= 0)
		close(socket_io->in);
	close(io->fd);
	free(io);
}

static const struct xfer_conn_io_ops socket_ops = {
	.sendv = socket_sendv,
	.recvv = socket_recvv,
	.want_fd = socket_want_fd,
	.put_fd = socket_put_fd,
	.take_fd = socket_take_fd,
	.shutdown = socket_shutdown,
	.free = socket_free,
};

static bool is_local(int fd)
{
	int domain;
	socklen_t len = sizeof(domain);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_UNIX;
}

struct xfer_conn_io *xfer_conn_io_socket(int fd)
{
	struct socket_io *socket_io = malloc(sizeof(*socket_io));

	if (!socket_io)
		return NULL;
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	socket_io->io = (struct xfer_conn_io){ .ops = &socket_ops, .fd = fd };
	socket_io->local = is_local(fd);
	atomic_init(&socket_io->wanted, false);
	atomic_init(&socket_io->out, -1);
	atomic_init(&socket_io->in, -1);
	return &socket_io->io;
}
