/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* ktls.h -- TLS records made and opened by the kernel */
#ifndef XFER_TLS_KTLS_H
#define XFER_TLS_KTLS_H

#include <stddef.h>

#include "tls/keys.h"

/*
 * The ciphers (bits, 1 << enum xfer_tls_cipher) with which bytes went both ways over a connection to ourselves. 0, with
 * a reason: the kernel has none of them. A few milliseconds.
 */
unsigned xfer_ktls_probe(unsigned ciphers, char *why, size_t why_len);

/*
 * Makes a connected socket one that can be given keys; nothing else changes yet. To be called early: once the peer has
 * ended its direction it's too late (-ENOTCONN).
 */
int xfer_ktls_prepare(int fd);

/* Gives a prepared socket its keys. *step: which of the two directions failed. */
int xfer_ktls_install(int fd, const struct xfer_tls_keys *keys, const char **step);

/* Sends a close_notify. -errno of sendmsg(2); never blocks. */
int xfer_ktls_close_notify(int fd);

/* The number of records that the busier direction's key has protected. */
int xfer_ktls_records(int fd, enum xfer_tls_cipher cipher, uint64_t *records);

#endif
