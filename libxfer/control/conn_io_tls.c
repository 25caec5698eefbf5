/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* conn_io_tls.c -- a connection's bytes over a stream that TLS protects: the kernel's, or a relay's end */

#include <errno.h>
#include <fcntl.h>
#include <linux/tls.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "address.h"
#include "control/conn_io.h"
#include "xfer/tls.h"

/* RFC 8446, B.1 and B.3. */
#define RECORD_ALERT     21
#define RECORD_HANDSHAKE 22
#define RECORD_DATA      23
#define HANDSHAKE_UPDATE 24
#define CLOSE_NOTIFY     0

/* The type of the record whose bytes came. */
union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(unsigned char))];
};

struct tls_io {
	struct xfer_conn_io io;
	const struct xfer_tls_security *security; /* referenced */
	bool goodbye;                             /* was said; under the connection's send lock */
	bool ended;                               /* close_notify has come; whoever receives */
};

static struct tls_io *tls_io_of(struct xfer_conn_io *io)
{
	return (struct tls_io *)io;
}

/* --- what isn't data -------------------------------------------------------------------------- */

static int fail(struct xfer_conn_io *io, int err, const char *why)
{
	atomic_store_explicit(&io->why, why, memory_order_relaxed);
	return err;
}

/* In the words of who has to do something about it. RFC 8446, section 6. */
static const struct {
	uint8_t number;
	const char *text;
} alerts[] = {
	{ 10, "TLS alert unexpected_message: the peer didn't expect what it got" },
	{ 20, "TLS alert bad_record_mac: the peer got a record that was changed on its way" },
	{ 22, "TLS alert record_overflow: the peer got a record that is too long" },
	{ 40, "TLS alert handshake_failure: the peer has no parameters in common" },
	{ 42, "TLS alert bad_certificate: the peer refuses the certificate of this end" },
	{ 43, "TLS alert unsupported_certificate: the certificate of this end lacks the extended key usage, or is of a kind that the peer doesn't take" },
	{ 44, "TLS alert certificate_revoked: the certificate of this end is revoked" },
	{ 45, "TLS alert certificate_expired: the certificate of this end has expired, or a clock is wrong" },
	{ 46, "TLS alert certificate_unknown: the peer refuses the certificate of this end" },
	{ 48, "TLS alert unknown_ca: the peer doesn't know the CA of this end's certificate" },
	{ 49, "TLS alert access_denied: the peer refuses the name in this end's certificate" },
	{ 50, "TLS alert decode_error: the peer could not read what it got" },
	{ 51, "TLS alert decrypt_error: the peer could not verify what it got" },
	{ 80, "TLS alert internal_error: the peer has failed; see its log" },
	{ 90, "TLS alert user_canceled: the peer has given up" },
	{ 116, "TLS alert certificate_required: this end has shown no certificate" },
};

static const char *alert_text(uint8_t number)
{
	for (size_t i = 0; i < sizeof(alerts) / sizeof(alerts[0]); i++)
		if (alerts[i].number == number)
			return alerts[i].text;
	return "a TLS alert of the peer ended it";
}

/* The nth byte of what was received. */
static uint8_t byte_at(const struct iovec *iov, size_t n)
{
	while (n >= iov->iov_len)
		n -= iov++->iov_len;
	return ((const uint8_t *)iov->iov_base)[n];
}

/* n bytes of a record that isn't data. 0: the peer has said that nothing more comes. */
static ssize_t take_other(struct tls_io *tls, unsigned char type, const struct iovec *iov, size_t n)
{
	struct xfer_conn_io *io = &tls->io;

	if (type == RECORD_ALERT && n >= 2) {
		tls->ended = byte_at(iov, 1) == CLOSE_NOTIFY;
		return tls->ended ? 0 : fail(io, -ECONNABORTED, alert_text(byte_at(iov, 1)));
	}
	if (type == RECORD_HANDSHAKE && n >= 1 && byte_at(iov, 0) == HANDSHAKE_UPDATE)
		return fail(io, -EPROTO,
			"the peer has changed its keys (KeyUpdate), which this end can't follow");
	return fail(io, -EPROTO, "a TLS record of the peer holds neither data nor an alert");
}

/* --- the kernel's ----------------------------------------------------------------------------- */

static const char forged[] = "a TLS record of the peer was changed on its way";

static ssize_t tls_sendv(struct xfer_conn_io *io, const struct iovec *iov, int iovcnt)
{
	struct msghdr msg = { .msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)iovcnt };
	ssize_t n = xfer_conn_io_sendmsg(io, &msg);

	/* What makes the kernel refuse to receive makes it refuse to send as well. */
	return n == -EBADMSG ? fail(io, -EBADMSG, forged) : n;
}

/* The kernel says it beside the bytes; where it doesn't they are data. */
static unsigned char record_type(struct msghdr *msg)
{
	struct cmsghdr *header = CMSG_FIRSTHDR(msg);

	if (!header || header->cmsg_level != SOL_TLS || header->cmsg_type != TLS_GET_RECORD_TYPE)
		return RECORD_DATA;
	return *CMSG_DATA(header);
}

static ssize_t receive_failed(struct xfer_conn_io *io, int err)
{
	switch (-err) {
	case EBADMSG:
		return fail(io, err, forged);
	case EMSGSIZE:
		return fail(io, err, "a TLS record of the peer is longer than records are");
	case EINVAL:
		return fail(io, err, "what the peer has sent is no record of TLS 1.3");
	default:
		return err;
	}
}

/* A record that isn't data comes alone, so its bytes may lie where data would: nothing comes behind it. */
static ssize_t ktls_recvv(struct xfer_conn_io *io, const struct iovec *iov, int iovcnt)
{
	union control control;
	struct msghdr msg = {
		.msg_iov = (struct iovec *)iov,
		.msg_iovlen = (size_t)iovcnt,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t n = xfer_conn_io_recvmsg(io, &msg, 0);
	unsigned char type;

	if (n < 0)
		return receive_failed(io, (int)n);
	type = record_type(&msg);
	if (type != RECORD_DATA)
		return take_other(tls_io_of(io), type, iov, (size_t)n);
	if (n == 0 && !tls_io_of(io)->ended)
		return fail(io, -ECONNRESET,
			"the connection has ended without TLS's close_notify: it was cut, or the "
			"peer's process was killed");
	return n;
}

/* --- what both have in common ------------------------------------------------------------------ */

static int no_fd(struct xfer_conn_io *io)
{
	(void)io;
	return -EOPNOTSUPP;
}

static int put_no_fd(struct xfer_conn_io *io, int fd)
{
	(void)io;
	(void)fd;
	return -EOPNOTSUPP;
}

static int take_no_fd(struct xfer_conn_io *io)
{
	(void)io;
	return -1;
}

static void say_goodbye(struct tls_io *tls)
{
	if (!tls->goodbye)
		xfer_tls_goodbye(tls->security, tls->io.fd);
	tls->goodbye = true;
}

static void tls_shutdown(struct xfer_conn_io *io)
{
	say_goodbye(tls_io_of(io));
	shutdown(io->fd, SHUT_RDWR);
}

static unsigned tls_used(struct xfer_conn_io *io)
{
	return xfer_tls_used(tls_io_of(io)->security, io->fd);
}

static void tls_free(struct xfer_conn_io *io)
{
	say_goodbye(tls_io_of(io));
	close(io->fd);
	xfer_tls_security_unref(tls_io_of(io)->security);
	free(io);
}

static const struct xfer_conn_io_ops ktls_ops = {
	.sendv = tls_sendv,
	.recvv = ktls_recvv,
	.want_fd = no_fd,
	.put_fd = put_no_fd,
	.take_fd = take_no_fd,
	.used = tls_used,
	.shutdown = tls_shutdown,
	.free = tls_free,
};

/* --- a relay's end ----------------------------------------------------------------------------- */

/* The relay's log says how the connection ended. */
static ssize_t relayed_recvv(struct xfer_conn_io *io, const struct iovec *iov, int iovcnt)
{
	struct msghdr msg = { .msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)iovcnt };

	return xfer_conn_io_recvmsg(io, &msg, 0);
}

/* It is a socket pair, over which descriptors could come and go; but what comes is the peer's. */
static const struct xfer_conn_io_ops relayed_ops = {
	.sendv = tls_sendv,
	.recvv = relayed_recvv,
	.want_fd = no_fd,
	.put_fd = put_no_fd,
	.take_fd = take_no_fd,
	.used = tls_used,
	.shutdown = tls_shutdown,
	.free = tls_free,
};

struct xfer_conn_io *xfer_conn_io_tls(int fd, const struct xfer_tls_security *security)
{
	struct tls_io *tls = calloc(1, sizeof(*tls));
	bool relayed;

	if (!tls)
		return NULL;
	relayed = !xfer_tls_security_in_kernel(security);
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	if (relayed)
		xfer_socket_tune(fd, true);
	tls->io.ops = relayed ? &relayed_ops : &ktls_ops;
	tls->io.fd = fd;
	tls->security = security;
	return &tls->io;
}
