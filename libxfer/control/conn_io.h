/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* conn_io.h -- how a connection's bytes travel: the seam for TLS and for fault injection */
#ifndef XFER_CONTROL_CONN_IO_H
#define XFER_CONTROL_CONN_IO_H

#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

struct xfer_conn_io;
struct xfer_tls_security;

/*
 * All return what the system call would, failures as -errno (-EAGAIN: not now). None blocks. sendv
 * is called under the connection's send lock, recvv by one thread at a time, the two at the same time.
 */
struct xfer_conn_io_ops {
	ssize_t (*sendv)(struct xfer_conn_io *io, const struct iovec *iov, int iovcnt);
	ssize_t (*recvv)(struct xfer_conn_io *io, const struct iovec *iov, int iovcnt);
	/* From now on descriptors that come with bytes are taken. Unix sockets only: -EOPNOTSUPP. Any thread. */
	int (*want_fd)(struct xfer_conn_io *io);
	/* A descriptor to be sent with, or before, the next bytes; its own is made of it. Unix sockets only: -EOPNOTSUPP;
	 * -EBUSY: the last one hasn't left. Any thread. */
	int (*put_fd)(struct xfer_conn_io *io, int fd);
	/* The last descriptor that has come, which belongs to the caller from then on; -1: none. Any thread. */
	int (*take_fd)(struct xfer_conn_io *io);
	/* How much of what its keys may carry is used up, in per mille; NULL: it has none. The connection's lane. */
	unsigned (*used)(struct xfer_conn_io *io);
	/* Ends both directions; the peer and our own lane see it. Any thread, under the connection's send lock. */
	void (*shutdown)(struct xfer_conn_io *io);
	/* Closes the descriptor and frees; nothing else is called afterwards. */
	void (*free)(struct xfer_conn_io *io);
};

struct xfer_conn_io {
	const struct xfer_conn_io_ops *ops;
	int fd; /* for epoll */
	/* Static text: what a failure means, where the errno alone doesn't tell. NULL: nothing more is known. */
	const char *_Atomic why;
};

/* A connected stream socket, which becomes non-blocking and belongs to the result. NULL: out of
 * memory. */
struct xfer_conn_io *xfer_conn_io_socket(int fd);

/* The same of a stream that TLS protects, as struct xfer_tls_result has it, with its reference to `security`. It takes no
 * descriptors along, and says close_notify when it is shut down. NULL: out of memory; both stay the caller's. */
struct xfer_conn_io *xfer_conn_io_tls(int fd, const struct xfer_tls_security *security);

/* One system call, counted, and made again where a signal came first. What was moved, or -errno. */
ssize_t xfer_conn_io_sendmsg(struct xfer_conn_io *io, const struct msghdr *msg);
ssize_t xfer_conn_io_recvmsg(struct xfer_conn_io *io, struct msghdr *msg, int flags);

#endif
