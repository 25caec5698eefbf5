/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* socket_bio.h -- OpenSSL's way to a socket, without the signal that its own way may raise */
#ifndef XFER_TLS_SOCKET_BIO_H
#define XFER_TLS_SOCKET_BIO_H

#include <openssl/bio.h>

/* NULL: no memory. To be freed with BIO_meth_free after all its BIOs. */
BIO_METHOD *xfer_tls_socket_method(void);

/* For a non-blocking socket, which stays the caller's. NULL: no memory. */
BIO *xfer_tls_socket_bio(const BIO_METHOD *method, int fd);

#endif
