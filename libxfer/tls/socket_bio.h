/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* socket_bio.h -- OpenSSL's way to a socket, without the signal that its own way may raise */
#ifndef XFER_TLS_SOCKET_BIO_H
#define XFER_TLS_SOCKET_BIO_H

#include <openssl/bio.h>

/* NULL: no memory. To be freed with BIO_meth_free after all its BIOs. */
BIO_METHOD *xfer_tls_socket_method(void);

/* Non-blocking; stays where it is for as long as the BIO. */
struct xfer_tls_socket {
	int fd;
	unsigned
		reads; /* so often it may be read; then it seems to be empty, until there is a new number here */
};

/* The socket stays the caller's. NULL: no memory. */
BIO *xfer_tls_socket_bio(const BIO_METHOD *method, struct xfer_tls_socket *socket);

#endif
