/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* address.h -- where a process listens: "HOST[:PORT]", "[V6][:PORT]" or "unix:PATH" */
#ifndef XFER_ADDRESS_H
#define XFER_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

struct xfer_address {
	bool local;     /* a Unix socket: path */
	char path[108]; /* as sockaddr_un has room for */
	char host[256]; /* a name or a number */
	char port[8];
};

/* -EINVAL: none of the three forms, or too long. */
int xfer_address_parse(const char *text, struct xfer_address *address);

/*
 * The socket address; asks the resolver for names, which may take seconds. -EHOSTUNREACH: the name
 * can't be resolved.
 */
int xfer_address_resolve(
	const struct xfer_address *address, struct sockaddr_storage *storage, socklen_t *len);

/* Text of a socket's TCP address: "10.0.0.1:847", "[fe80::1]:847". */
void xfer_address_format(const struct sockaddr_storage *storage, char *text, size_t len);

/* A socket's TCP address without its port: the number's bytes, of which there are *len. */
const void *xfer_address_host(const struct sockaddr_storage *storage, size_t *len);
bool xfer_address_same_host(const struct sockaddr_storage *a, const struct sockaddr_storage *b);

/*
 * Connects to it within timeout_ms and gives a descriptor (TCP_NODELAY, close-on-exec). -ETIMEDOUT,
 * and what connect(2) says. Blocks.
 */
int xfer_address_connect(const struct xfer_address *address, unsigned timeout_ms, int *fd);

/* Options that every connection of ours has: no delay, room to send a large record to a local peer.
 */
void xfer_socket_tune(int fd, bool local);

#endif
