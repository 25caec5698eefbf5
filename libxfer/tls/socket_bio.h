/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* socket_bio.h -- OpenSSL's way to a socket, without the signal that its own way may raise */
#ifndef XFER_TLS_SOCKET_BIO_H
#define XFER_TLS_SOCKET_BIO_H

#include <openssl/bio.h>

/* NULL: no memory. To be freed with BIO_meth_free after all its BIOs. */
BIO_METHOD *xfer_tls_socket_method(void);

/* A non-blocking socket. */
struct xfer_tls_socket {
	int fd;
	unsigned receptions; /* that may still be made; afterwards nothing has come */
};

/* The socket stays the caller's, and there as long as the BIO is. NULL: no memory. */
BIO *xfer_tls_socket_bio(const BIO_METHOD *method, struct xfer_tls_socket *socket);

#endif
