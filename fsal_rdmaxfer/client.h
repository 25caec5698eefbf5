/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* client.h -- a client's address */
#ifndef FSAL_RDMAXFER_CLIENT_H
#define FSAL_RDMAXFER_CLIENT_H

#include "compat.h"

/* IPv4's are in the first four bytes, unless it came by a socket of IPv6. NULL: all are zero. */
void rdx_client_bytes(const sockaddr_t *address, uint8_t bytes[16]);

/* As the client sees itself, with its port: IPv4's without the prefix that it has on a socket of IPv6. */
sockaddr_t rdx_client_address(const sockaddr_t *address);

/* The same as text, without the port. */
void rdx_client_text(const sockaddr_t *address, char *text, size_t len);

#endif
