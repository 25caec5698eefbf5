/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* socket_bio.c -- OpenSSL's way to a socket, without the signal that its own way may raise */

#include <errno.h>
#include <sys/socket.h>

#include "tls/socket_bio.h"

static int write_some(BIO *bio, const char *bytes, int len)
{
	const struct xfer_tls_socket *socket = BIO_get_data(bio);
	ssize_t n;

	BIO_clear_retry_flags(bio);
	do
		n = send(socket->fd, bytes, (size_t)len, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		BIO_set_retry_write(bio);
	return (int)n;
}

static int read_some(BIO *bio, char *bytes, int len)
{
	struct xfer_tls_socket *socket = BIO_get_data(bio);
	ssize_t n;

	BIO_clear_retry_flags(bio);
	if (socket->reads == 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	socket->reads--;
	do
		n = recv(socket->fd, bytes, (size_t)len, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		BIO_set_retry_read(bio);
	return (int)n;
}

/* Nothing is kept back, so there is nothing to flush. */
static long control(BIO *bio, int command, long number, void *pointer)
{
	(void)bio;
	(void)number;
	(void)pointer;
	return command == BIO_CTRL_FLUSH ? 1 : 0;
}

BIO_METHOD *xfer_tls_socket_method(void)
{
	BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "xfer socket");

	if (method && BIO_meth_set_write(method, write_some) &&
		BIO_meth_set_read(method, read_some) && BIO_meth_set_ctrl(method, control))
		return method;
	BIO_meth_free(method);
	return NULL;
}

BIO *xfer_tls_socket_bio(const BIO_METHOD *method, struct xfer_tls_socket *socket)
{
	BIO *bio = BIO_new(method);

	if (!bio)
		return NULL;
	BIO_set_data(bio, socket);
	BIO_set_init(bio, 1);
	return bio;
}
