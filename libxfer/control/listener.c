/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* listener.c -- a listening socket on a lane */

#include <errno.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "address.h"
#include "clock.h"
#include "control/listener.h"
#include "log.h"

#define BACKLOG      128
#define PER_TURN     16 /* connections accepted before others on the lane get their turn */
#define EXHAUSTED_NS (1000 * XFER_NS_PER_MS) /* without descriptors: try again after so long */
#define PROBE_MS     1000

struct xfer_listener {
	struct xfer_pollable pollable;
	struct xfer_ticker ticker;
	struct xfer_task start, stop;
	struct xfer_lane *lane;
	struct xfer_address address;
	int fd;
	xfer_accept_fn accepted;
	void *user;
	uint64_t resume_ns; /* 0: listening. Lane thread */
	sem_t done;         /* the task that somebody waits for has run */
};

/* --- accepting: the lane's thread ------------------------------------------------------------- */

static int identify(
	int fd, const struct sockaddr_storage *storage, struct xfer_conn_identity *identity)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	memset(identity, 0, sizeof(*identity));
	identity->local = storage->ss_family == AF_UNIX;
	if (!identity->local) {
		identity->address = *storage;
		xfer_address_format(storage, identity->text, sizeof(identity->text));
		return 0;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len))
		return -errno;
	identity->uid = cred.uid;
	identity->pid = cred.pid;
	snprintf(identity->text, sizeof(identity->text), "uid %u pid %d", cred.uid, cred.pid);
	return 0;
}

/* Out of descriptors or memory: listening on would only spin. */
static void suspend(struct xfer_listener *listener, int err)
{
	static struct xfer_log_limit limit;
	unsigned suppressed;

	listener->resume_ns = xfer_now_ns() + EXHAUSTED_NS;
	xfer_lane_modify(listener->lane, listener->fd, 0, &listener->pollable);
	if (xfer_log_allowed(&limit, 10000, &suppressed))
		xfer_error("connections can't be accepted: %s; raise LimitNOFILE if this goes on",
			strerror(-err));
}

static void listener_ready(struct xfer_pollable *pollable, uint32_t events)
{
	struct xfer_listener *listener = (struct xfer_listener *)pollable;

	(void)events;
	for (int i = 0; i < PER_TURN; i++) {
		struct sockaddr_storage storage = { 0 };
		socklen_t len = sizeof(storage);
		struct xfer_conn_identity identity;
		int fd = accept4(listener->fd, (struct sockaddr *)&storage, &len, SOCK_CLOEXEC);

		if (fd < 0 &&
			(errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS))
			suspend(listener, -errno);
		if (fd < 0)
			return; /* EAGAIN, or a peer that has given up */
		if (identify(fd, &storage, &identity)) {
			close(fd);
			continue;
		}
		xfer_socket_tune(fd, identity.local);
		listener->accepted(listener->user, fd, &identity);
	}
}

static void listener_tick(struct xfer_ticker *ticker, uint64_t now_ns)
{
	struct xfer_listener *listener =
		(struct xfer_listener *)((char *)ticker - offsetof(struct xfer_listener, ticker));

	if (listener->resume_ns == 0 || now_ns < listener->resume_ns)
		return;
	listener->resume_ns = 0;
	xfer_lane_modify(listener->lane, listener->fd, EPOLLIN, &listener->pollable);
}

static void listener_start(struct xfer_task *task)
{
	struct xfer_listener *listener =
		(struct xfer_listener *)((char *)task - offsetof(struct xfer_listener, start));

	xfer_lane_add_ticker(listener->lane, &listener->ticker);
	sem_post(&listener->done);
}

static void listener_stop(struct xfer_task *task)
{
	struct xfer_listener *listener =
		(struct xfer_listener *)((char *)task - offsetof(struct xfer_listener, stop));

	xfer_lane_remove(listener->lane, listener->fd, &listener->pollable);
	xfer_lane_remove_ticker(&listener->ticker);
	sem_post(&listener->done);
}

static void wait_done(struct xfer_listener *listener)
{
	while (sem_wait(&listener->done) < 0 && errno == EINTR)
		;
}

/* --- listening -------------------------------------------------------------------------------- */

/* Whether the socket at this path belongs to nobody any more; then it is removed. */
static bool removed_stale(const struct xfer_address *address)
{
	struct stat st;
	int fd, err;

	if (lstat(address->path, &st) || !S_ISSOCK(st.st_mode))
		return false;
	err = xfer_address_connect(address, PROBE_MS, &fd);
	if (err == 0)
		close(fd);
	/* Any other failure says nothing: one that is busy, for example, has a full backlog. */
	return err == -ECONNREFUSED && unlink(address->path) == 0;
}

static int bind_local(
	int fd, const struct sockaddr *storage, socklen_t len, const struct xfer_address *address)
{
	if (bind(fd, storage, len) &&
		(errno != EADDRINUSE || !removed_stale(address) || bind(fd, storage, len)))
		return -errno;
	return chmod(address->path, 0660) ? -errno : 0;
}

static int bind_tcp(int fd, const struct sockaddr *storage, socklen_t len)
{
	int on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	return bind(fd, storage, len) ? -errno : 0;
}

static int open_socket(const struct xfer_address *address, int *result)
{
	struct sockaddr_storage storage;
	socklen_t len;
	int err = xfer_address_resolve(address, &storage, &len), fd;

	if (err)
		return err;
	fd = socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	err = address->local ? bind_local(fd, (struct sockaddr *)&storage, len, address)
			     : bind_tcp(fd, (struct sockaddr *)&storage, len);
	if (err == 0 && listen(fd, BACKLOG))
		err = -errno;
	if (err) {
		close(fd);
		return err;
	}
	*result = fd;
	return 0;
}

static const char *remedy(int err, bool local)
{
	switch (-err) {
	case EADDRINUSE:
		return "another process listens there: stop it, or configure another address";
	case EINVAL:
		return "use \"HOST:PORT\", \"[V6]:PORT\" or \"unix:/PATH\"";
	case EADDRNOTAVAIL:
		return "this node doesn't have the address";
	case EHOSTUNREACH:
		return "the name can't be resolved: use a number or fix the resolver";
	case ENOENT:
		return "the socket's directory doesn't exist: create it";
	case EACCES:
		return local ? "the socket's directory can't be written to"
			     : "ports below 1024 need CAP_NET_BIND_SERVICE";
	default:
		return "check the address";
	}
}

int xfer_listener_create(struct xfer_lane *lane, const char *text, xfer_accept_fn accepted,
	void *user, struct xfer_listener **result)
{
	struct xfer_listener *listener = calloc(1, sizeof(*listener));
	int err;

	if (!listener)
		return -ENOMEM;
	listener->pollable.ready = listener_ready;
	listener->ticker.tick = listener_tick;
	listener->start.run = listener_start;
	listener->stop.run = listener_stop;
	listener->lane = lane;
	listener->accepted = accepted;
	listener->user = user;
	sem_init(&listener->done, 0, 0);
	err = xfer_address_parse(text, &listener->address);
	if (err == 0)
		err = open_socket(&listener->address, &listener->fd);
	if (err) {
		xfer_error("can't listen at %s: %s; %s", text, strerror(-err),
			remedy(err, listener->address.local));
		free(listener);
		return err;
	}
	xfer_lane_post(lane, &listener->start);
	wait_done(listener);
	err = xfer_lane_add(lane, listener->fd, EPOLLIN, &listener->pollable);
	if (err)
		xfer_listener_destroy(listener);
	else
		*result = listener;
	return err;
}

void xfer_listener_destroy(struct xfer_listener *listener)
{
	xfer_lane_post(listener->lane, &listener->stop);
	wait_done(listener);
	if (listener->address.local)
		unlink(listener->address.path);
	close(listener->fd);
	sem_destroy(&listener->done);
	free(listener);
}
