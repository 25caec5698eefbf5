/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* verbs_events.c -- what happens to connections and devices, heard by one thread of the process */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "log.h"
#include "transport/verbs_end.h"

/*
 * Devices are opened by librdmacm, once in a process, so their asynchronous events are the process's, too. A path's use
 * of a device is in the list as long as the device can't be closed.
 */
static struct {
	pthread_mutex_t life; /* users, and the thread's beginning and end */
	unsigned users;
	pthread_t thread;
	int epoll_fd, wake_fd;
	struct rdma_event_channel *channel;

	pthread_mutex_t errands_lock; /* the following */
	STAILQ_HEAD(, xfer_task) errands;
	bool stopping;

	pthread_mutex_t lock; /* devices: while an event of one is under way it stays */
	LIST_HEAD(, verbs_device) devices;
} events = { .life = PTHREAD_MUTEX_INITIALIZER,
	.errands_lock = PTHREAD_MUTEX_INITIALIZER,
	.lock = PTHREAD_MUTEX_INITIALIZER };

static _Thread_local bool is_current;

bool verbs_events_is_current(void)
{
	return is_current;
}

/* --- devices: the lock is held ------------------------------------------------------------------- */

static struct verbs_device *user_of(const struct ibv_context *context)
{
	struct verbs_device *device;

	LIST_FOREACH (device, &events.devices, link)
		if (device->context == context)
			return device;
	return NULL;
}

static void lose_all(const struct ibv_context *context, const char *what)
{
	struct verbs_device *device;

	LIST_FOREACH (device, &events.devices, link)
		if (device->context == context)
			verbs_lose(device->verbs, "%s: %s", device->name, what);
}

static void lose_lane(struct verbs_lane *lane, const char *what)
{
	verbs_lose(lane->verbs, "lane %u on %s: %s", lane->number,
		lane->verbs->devices[lane->device].name, what);
}

static void happened(struct ibv_context *context, const struct ibv_async_event *event)
{
	const char *what = ibv_event_type_str(event->event_type);

	switch (event->event_type) {
	case IBV_EVENT_QP_FATAL:
	case IBV_EVENT_QP_REQ_ERR:
	case IBV_EVENT_QP_ACCESS_ERR:
	case IBV_EVENT_PATH_MIG_ERR:
		lose_lane(event->element.qp->qp_context, what);
		break;
	case IBV_EVENT_CQ_ERR:
		lose_lane(event->element.cq->cq_context, what);
		break;
	case IBV_EVENT_DEVICE_FATAL:
	case IBV_EVENT_PORT_ERR:
		lose_all(context, what);
		break;
	default:
		/* Others concern nothing that is used, or come before what does, or are good news. */
		xfer_info("%s: %s", ibv_get_device_name(context->device), what);
	}
}

/* All that there are; the descriptor doesn't block. That of a device that is gone is ready for ever. */
static void hear_device(struct ibv_context *context)
{
	struct ibv_async_event event;

	while (ibv_get_async_event(context, &event) == 0) {
		happened(context, &event);
		ibv_ack_async_event(&event);
	}
	if (errno == EAGAIN || errno == EINTR)
		return;
	epoll_ctl(events.epoll_fd, EPOLL_CTL_DEL, context->async_fd, NULL);
	lose_all(context, "its events can't be heard any more");
}

int verbs_events_add(struct verbs_device *device)
{
	struct ibv_context *context = device->context;
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = context };
	int err = 0;

	pthread_mutex_lock(&events.lock);
	/* Another user may be in the list and have failed here. */
	if (fcntl(context->async_fd, F_SETFL, O_NONBLOCK) ||
		(epoll_ctl(events.epoll_fd, EPOLL_CTL_ADD, context->async_fd, &event) &&
			errno != EEXIST))
		err = -errno;
	LIST_INSERT_HEAD(&events.devices, device, link);
	pthread_mutex_unlock(&events.lock);
	return err;
}

/*
 * librdmacm keeps a device open until another one comes, and one whose driver can't be parted from its users (rxe, siw)
 * isn't gone before it is closed. So its files are closed under librdmacm, which closes what takes their place.
 */
static void let_go(const struct ibv_context *context)
{
	int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (nothing < 0)
		return;
	(void)dup3(nothing, context->async_fd, O_CLOEXEC);
	(void)dup3(nothing, context->cmd_fd, O_CLOEXEC);
	close(nothing);
}

void verbs_events_gone(const struct ibv_context *context)
{
	struct verbs_device *device;

	pthread_mutex_lock(&events.lock);
	LIST_FOREACH (device, &events.devices, link)
		device->gone |= device->context == context;
	pthread_mutex_unlock(&events.lock);
}

void verbs_events_remove(struct verbs_device *device)
{
	struct ibv_context *context = device->context;

	pthread_mutex_lock(&events.lock);
	LIST_REMOVE(device, link);
	if (!user_of(context)) {
		epoll_ctl(events.epoll_fd, EPOLL_CTL_DEL, context->async_fd, NULL);
		if (device->gone)
			let_go(context);
	}
	pthread_mutex_unlock(&events.lock);
}

/* --- connections -------------------------------------------------------------------------------- */

/* Of a lane that was connected, or is being: what has happened to it. NULL: nothing of interest. */
static const char *what_happened(enum rdma_cm_event_type type)
{
	switch (type) {
	case RDMA_CM_EVENT_DISCONNECTED:
		return "the peer has ended the connection";
	case RDMA_CM_EVENT_DEVICE_REMOVAL:
		return "the device was removed";
	case RDMA_CM_EVENT_ADDR_CHANGE:
		return "its address has moved to another device";
	case RDMA_CM_EVENT_CONNECT_ERROR:
	case RDMA_CM_EVENT_UNREACHABLE:
	case RDMA_CM_EVENT_REJECTED:
		return "the connection wasn't completed";
	default:
		return NULL;
	}
}

static void handle(struct rdma_cm_event *event)
{
	struct verbs_lane *lane = event->id->context;
	const char *what;

	if (event->event == RDMA_CM_EVENT_CONNECT_REQUEST) {
		verbs_requested(event);
		return;
	}
	what = what_happened(event->event);
	if (event->event == RDMA_CM_EVENT_DEVICE_REMOVAL)
		verbs_events_gone(event->id->verbs);
	if (lane && what)
		lose_lane(lane, what);
	else
		xfer_debug("rdma_cm: %s", rdma_event_str(event->event));
}

/* One of them: who knocks and knocks keeps nobody from errands, nor devices from being heard. */
static void hear_connections(void)
{
	struct rdma_cm_event *event;

	if (rdma_get_cm_event(events.channel, &event))
		return;
	handle(event);
	rdma_ack_cm_event(event);
}

/* --- errands ------------------------------------------------------------------------------------ */

static void wake(void)
{
	uint64_t one = 1;

	while (write(events.wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

void verbs_events_run(struct xfer_task *errand)
{
	pthread_mutex_lock(&events.errands_lock);
	STAILQ_INSERT_TAIL(&events.errands, errand, link);
	pthread_mutex_unlock(&events.errands_lock);
	wake();
}

/* False: the thread is to end. */
static bool run_errands(void)
{
	struct xfer_task *errand;
	uint64_t ignored;
	bool stopping;

	while (read(events.wake_fd, &ignored, sizeof(ignored)) < 0 && errno == EINTR)
		;
	do {
		pthread_mutex_lock(&events.errands_lock);
		errand = STAILQ_FIRST(&events.errands);
		if (errand)
			STAILQ_REMOVE_HEAD(&events.errands, link);
		stopping = events.stopping;
		pthread_mutex_unlock(&events.errands_lock);
		if (errand)
			errand->run(errand);
	} while (errand);
	return !stopping;
}

/* --- the thread --------------------------------------------------------------------------------- */

static void hear(void *from)
{
	if (from == events.channel) {
		hear_connections();
		return;
	}
	pthread_mutex_lock(&events.lock);
	if (user_of(from))
		hear_device(from);
	pthread_mutex_unlock(&events.lock);
}

static void *events_main(void *arg)
{
	struct epoll_event event;

	(void)arg;
	is_current = true;
	pthread_setname_np(pthread_self(), "xfer-rdma");
	for (;;) {
		if (epoll_wait(events.epoll_fd, &event, 1, -1) != 1)
			continue;
		if (event.data.ptr)
			hear(event.data.ptr);
		else if (!run_errands())
			return NULL;
	}
}

static int watch(int fd, void *what)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = what };

	return epoll_ctl(events.epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static void close_all(void)
{
	if (events.channel)
		rdma_destroy_event_channel(events.channel);
	if (events.wake_fd >= 0)
		close(events.wake_fd);
	if (events.epoll_fd >= 0)
		close(events.epoll_fd);
}

static int open_all(void)
{
	int err;

	events.channel = rdma_create_event_channel();
	if (!events.channel)
		return -errno;
	if (events.epoll_fd < 0 || events.wake_fd < 0 ||
		fcntl(events.channel->fd, F_SETFL, O_NONBLOCK))
		return -errno;
	err = watch(events.wake_fd, NULL);
	return err ? err : watch(events.channel->fd, events.channel);
}

static int start(void)
{
	int err;

	events.channel = NULL;
	events.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	events.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	events.stopping = false;
	STAILQ_INIT(&events.errands);
	err = open_all();
	if (err == 0)
		err = -pthread_create(&events.thread, NULL, events_main, NULL);
	if (err)
		close_all();
	return err;
}

int verbs_events_get(char *why, size_t why_len)
{
	int err = 0;

	pthread_mutex_lock(&events.life);
	if (events.users == 0)
		err = start();
	events.users += err == 0;
	pthread_mutex_unlock(&events.life);
	if (err)
		verbs_explain(why, why_len,
			"rdma_cm can't be used: %s (is the module rdma_ucm loaded, and "
			"/dev/infiniband/rdma_cm readable?)",
			strerror(-err));
	return err;
}

void verbs_events_put(void)
{
	pthread_mutex_lock(&events.life);
	if (--events.users == 0) {
		pthread_mutex_lock(&events.errands_lock);
		events.stopping = true;
		pthread_mutex_unlock(&events.errands_lock);
		wake();
		pthread_join(events.thread, NULL);
		close_all();
	}
	pthread_mutex_unlock(&events.life);
}

struct rdma_event_channel *verbs_events_channel(void)
{
	return events.channel;
}
