/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* address.c -- where a process listens: "HOST[:PORT]", "[V6][:PORT]" or "unix:PATH" */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "address.h"
#include "xfer/xfer.h"

#define LOCAL_SEND_BUFFER (2 << 20) /* bytes: a record with a full payload goes out in one call */

/* Of at most five digits, whatever their value: it is kept as a text. */
static bool valid_port(const char *text)
{
	size_t len = strlen(text);
	unsigned long port = strtoul(text, NULL, 10);

	return len <= 5 && strspn(text, "0123456789") == len && port > 0 && port < 65536;
}

static int parse_local(const char *path, struct xfer_address *address)
{
	address->local = true;
	if (path[0] != '/' || strlen(path) >= sizeof(address->path))
		return -EINVAL;
	snprintf(address->path, sizeof(address->path), "%s", path);
	return 0;
}

int xfer_address_parse(const char *text, struct xfer_address *address)
{
	struct xfer_address parsed = { 0 };
	const char *host = text, *end, *port;
	int err;

	if (strncmp(text, "unix:", 5) == 0) {
		err = parse_local(text + 5, &parsed);
		if (err == 0)
			*address = parsed;
		return err;
	}
	if (text[0] == '[') {
		host = text + 1;
		end = strchr(host, ']');
		if (!end || (end[1] != '\0' && end[1] != ':'))
			return -EINVAL;
		port = end[1] == ':' ? end + 2 : NULL;
	} else {
		end = strchrnul(text, ':');
		port = *end ? end + 1 : NULL;
	}
	if (end == host || (size_t)(end - host) >= sizeof(parsed.host) ||
		(port && !valid_port(port)))
		return -EINVAL;
	memcpy(parsed.host, host, (size_t)(end - host));
	if (port)
		snprintf(parsed.port, sizeof(parsed.port), "%s", port);
	else
		snprintf(parsed.port, sizeof(parsed.port), "%d", XFER_DEFAULT_PORT);
	*address = parsed;
	return 0;
}

static void resolve_local(
	const struct xfer_address *address, struct sockaddr_storage *storage, socklen_t *len)
{
	struct sockaddr_un *sun = (struct sockaddr_un *)storage;

	memset(storage, 0, sizeof(*storage));
	sun->sun_family = AF_UNIX;
	strcpy(sun->sun_path, address->path);
	*len = sizeof(*sun);
}

int xfer_address_resolve(
	const struct xfer_address *address, struct sockaddr_storage *storage, socklen_t *len)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found;
	int err;

	if (address->local) {
		resolve_local(address, storage, len);
		return 0;
	}
	err = getaddrinfo(address->host, address->port, &hints, &found);
	if (err)
		return err == EAI_MEMORY ? -ENOMEM : -EHOSTUNREACH;
	memcpy(storage, found->ai_addr, found->ai_addrlen);
	*len = found->ai_addrlen;
	freeaddrinfo(found);
	return 0;
}

void xfer_address_format(const struct sockaddr_storage *storage, char *text, size_t len)
{
	const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)storage;
	const struct sockaddr_in *sin = (const struct sockaddr_in *)storage;
	char number[INET6_ADDRSTRLEN] = "?";

	if (storage->ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &sin6->sin6_addr, number, sizeof(number));
		snprintf(text, len, "[%s]:%u", number, ntohs(sin6->sin6_port));
	} else {
		inet_ntop(AF_INET, &sin->sin_addr, number, sizeof(number));
		snprintf(text, len, "%s:%u", number, ntohs(sin->sin_port));
	}
}

void xfer_socket_tune(int fd, bool local)
{
	int on = 1, bytes = LOCAL_SEND_BUFFER;

	if (!local)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	else if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)))
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

const void *xfer_address_host(const struct sockaddr_storage *storage, size_t *len)
{
	if (storage->ss_family == AF_INET6) {
		*len = sizeof(struct in6_addr);
		return &((const struct sockaddr_in6 *)storage)->sin6_addr;
	}
	*len = sizeof(struct in_addr);
	return &((const struct sockaddr_in *)storage)->sin_addr;
}

bool xfer_address_same_host(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	size_t a_len, b_len;
	const void *a_host = xfer_address_host(a, &a_len), *b_host = xfer_address_host(b, &b_len);

	return a_len == b_len && memcmp(a_host, b_host, a_len) == 0;
}

/* 0, or why a connection that was begun did not come about. */
static int finish_connect(int fd, unsigned timeout_ms)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLOUT };
	socklen_t len = sizeof(int);
	int err = 0, n;

	do
		n = poll(&pollfd, 1, (int)timeout_ms);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n == 0 ? -ETIMEDOUT : -errno;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len))
		return -errno;
	return -err;
}

/* One after the other waits for room in the listener's backlog: who only asked again and again might never get any. */
static int connect_local(
	int fd, const struct sockaddr_storage *storage, socklen_t len, unsigned timeout_ms)
{
	struct timeval limit = { .tv_sec = timeout_ms / 1000,
		.tv_usec = timeout_ms % 1000 * 1000 + 1 }; /* 0 would be for ever */
	int err = 0;

	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)))
		return -errno;
	while (err == 0 && connect(fd, (const struct sockaddr *)storage, len))
		err = errno == EAGAIN ? -ETIMEDOUT : errno == EINTR ? 0 : -errno;
	if (err == 0 && fcntl(fd, F_SETFL, O_NONBLOCK))
		err = -errno;
	return err;
}

static int connect_tcp(
	int fd, const struct sockaddr_storage *storage, socklen_t len, unsigned timeout_ms)
{
	if (fcntl(fd, F_SETFL, O_NONBLOCK))
		return -errno;
	if (connect(fd, (const struct sockaddr *)storage, len) == 0)
		return 0;
	return errno == EINPROGRESS ? finish_connect(fd, timeout_ms) : -errno;
}

int xfer_address_connect(const struct xfer_address *address, unsigned timeout_ms, int *result)
{
	struct sockaddr_storage storage;
	socklen_t len;
	int err = xfer_address_resolve(address, &storage, &len), fd;

	if (err)
		return err;
	fd = socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	xfer_socket_tune(fd, address->local);
	err = address->local ? connect_local(fd, &storage, len, timeout_ms)
			     : connect_tcp(fd, &storage, len, timeout_ms);
	if (err) {
		close(fd);
		return err;
	}
	*result = fd;
	return 0;
}
