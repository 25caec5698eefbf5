/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* transport.c -- what libntirpc has no function for: stopping and continuing a connection's receiving */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "transport.h"

bool rdx_transport_at_rest(const SVCXPRT *xprt)
{
	const struct rdx_ntirpc_connection *connection =
		container_of(xprt, const struct rdx_ntirpc_connection, xprt);
	const struct poolq_head_s *queue = &connection->ioq.ioq_uv.uvqh.qh;

	/* An empty queue's end points at its own beginning: where it doesn't, this is no such queue either. */
	return !queue->tqh_first && queue->tqh_last == &queue->tqh_first && xprt->xp_fd_send < 0;
}

int32_t rdx_transport_references(const SVCXPRT *xprt)
{
	return __atomic_load_n(&xprt->xp_refcnt, __ATOMIC_ACQUIRE);
}

/* --- libntirpc's epoll descriptors ------------------------------------------------------------ */

#define CHANNELS_MAX 16

/* Those that connections were found in. libntirpc makes a handful of them and keeps them to its end. */
static struct {
	pthread_mutex_t lock;
	int fds[CHANNELS_MAX];
	unsigned count;
} channels = { .lock = PTHREAD_MUTEX_INITIALIZER };

static bool is_epoll(const char *fd)
{
	char path[sizeof("/proc/self/fd/") + NAME_MAX], target[32];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/self/fd/%s", fd);
	length = readlink(path, target, sizeof(target));
	return length == (ssize_t)strlen("anon_inode:[eventpoll]") &&
	       memcmp(target, "anon_inode:[eventpoll]", (size_t)length) == 0;
}

/* Looks among all of the process's; -ENOENT: fd is in none. */
static int search(int operation, int fd, struct epoll_event *event)
{
	DIR *dir = opendir("/proc/self/fd");
	const struct dirent *entry;
	int found = -ENOENT;

	if (!dir)
		return -errno;
	while (found < 0 && (entry = readdir(dir))) {
		int channel = atoi(entry->d_name);

		if (is_epoll(entry->d_name) && epoll_ctl(channel, operation, fd, event) == 0)
			found = channel;
	}
	closedir(dir);
	if (found >= 0 && channels.count < CHANNELS_MAX)
		channels.fds[channels.count++] = found;
	return found;
}

/* Does it in the one epoll descriptor that has fd, and returns that one. Others refuse: ENOENT. */
static int control(int operation, int fd, struct epoll_event *event)
{
	int found = -ENOENT;

	pthread_mutex_lock(&channels.lock);
	for (unsigned i = 0; i < channels.count && found < 0; i++)
		if (epoll_ctl(channels.fds[i], operation, fd, event) == 0)
			found = channels.fds[i];
	if (found < 0)
		found = search(operation, fd, event);
	pthread_mutex_unlock(&channels.lock);
	return found;
}

/* --- continuing ------------------------------------------------------------------------------- */

/* libntirpc reads a record's four bytes of length in one call, which has to wait for all of them. */
static void make_blocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags >= 0)
		(void)fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
}

/* The old one has to leave epoll first: it may live on under another number, and would go on being reported by this. */
static int replace(SVCXPRT *xprt, int fd, struct epoll_event *event)
{
	int channel = control(EPOLL_CTL_DEL, xprt->xp_fd, event);

	if (channel < 0)
		return channel;
	if (dup3(fd, xprt->xp_fd, O_CLOEXEC) < 0)
		return -errno;
	return epoll_ctl(channel, EPOLL_CTL_ADD, xprt->xp_fd, event) == 0 ? 0 : -errno;
}

int rdx_transport_continue(SVCXPRT *xprt, int fd)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLONESHOT, .data.fd = xprt->xp_fd };
	int err;

	make_blocking(fd < 0 ? xprt->xp_fd : fd);
	/* First: the event may come at once, and libntirpc believes none that it isn't waiting for. */
	atomic_set_uint16_t_bits(&xprt->xp_flags, SVC_XPRT_FLAG_ADDED_RECV);
	if (fd < 0) {
		err = control(EPOLL_CTL_MOD, xprt->xp_fd, &event);
		return err < 0 ? err : 0;
	}
	err = replace(xprt, fd, &event);
	close(fd);
	return err;
}
