/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* endpoint.c -- the I/O thread that owns sockets while the proxy shakes their hands */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "clock.h"
#include "control/lane.h"
#include "tls/audit.h"
#include "tls/endpoint.h"
#include "tls/ktls.h"
#include "tls/record.h"

#define TICK_MS 50 /* a deadline may be missed by so much */

enum phase {
	RECEIVING, /* one record, and not a byte more: what follows may be for the kernel */
	AT_PROXY,
	SENDING, /* the proxy's flight */
};

struct endpoint {
	struct xfer_pollable pollable;
	struct xfer_task task; /* its beginning, then each return from the proxy */
	struct xfer_tls_handshake handshake;
	struct xfer_tls_place place;
	struct xfer_tls_endpoints *owner;
	TAILQ_ENTRY(endpoint) link;
	void (*done)(void *user, const struct xfer_tls_result *result);
	void *user;
	char *expect;

	/* the lane's thread only */
	int fd;
	enum phase phase;
	uint64_t deadline_ns;
	bool doomed; /* its end was decided while the proxy had it, for this cause */
	enum xfer_tls_cause doom;
	bool first;  /* no record has come yet */
	size_t sent; /* of the flight */
	size_t have, want;
	uint8_t record[XFER_TLS_RECORD_MAX];
};

struct xfer_tls_endpoints {
	struct xfer_tls_endpoints_params params;
	struct xfer_lane *lane;
	struct xfer_tls_limits limits;
	struct xfer_ticker ticker;

	/* the lane's thread only */
	TAILQ_HEAD(, endpoint) list; /* by their deadlines */

	struct xfer_task start, stop;
	bool stopping;        /* the lane's thread only */
	pthread_mutex_t lock; /* stopped */
	pthread_cond_t cond;
	bool stopped; /* the last one is gone */
};

static void tell_stopped(struct xfer_tls_endpoints *endpoints)
{
	xfer_lane_remove_ticker(&endpoints->ticker);
	pthread_mutex_lock(&endpoints->lock);
	endpoints->stopped = true;
	pthread_cond_signal(&endpoints->cond);
	pthread_mutex_unlock(&endpoints->lock);
}

static void endpoint_free(struct endpoint *endpoint)
{
	xfer_tls_handshake_clear(&endpoint->handshake);
	xfer_tls_identity_unref(endpoint->handshake.identity);
	free(endpoint->expect);
	free(endpoint);
}

/* What a peer still sends would turn the close into a reset, which may overtake the alert. */
static void drain(struct endpoint *endpoint)
{
	shutdown(endpoint->fd, SHUT_WR);
	for (int i = 0; i < 8; i++)
		if (recv(endpoint->fd, endpoint->record, sizeof(endpoint->record), MSG_DONTWAIT) <=
			0)
			return;
}

static void finish(struct endpoint *endpoint, const struct xfer_tls_result *result)
{
	struct xfer_tls_endpoints *endpoints = endpoint->owner;

	TAILQ_REMOVE(&endpoints->list, endpoint, link);
	xfer_tls_limits_leave(&endpoints->limits, &endpoint->place);
	endpoint->done(endpoint->user, result);
	endpoint_free(endpoint);
	if (endpoints->stopping && TAILQ_EMPTY(&endpoints->list))
		tell_stopped(endpoints);
}

/* For handshake.failure. */
static void end(struct endpoint *endpoint)
{
	const struct xfer_tls_failure *failure = &endpoint->handshake.failure;
	struct xfer_tls_result result = {
		.err = xfer_tls_cause_errno(failure->cause),
		.why = failure->why,
		.fd = -1,
	};

	xfer_lane_remove(endpoint->owner->lane, endpoint->fd, &endpoint->pollable);
	drain(endpoint);
	close(endpoint->fd);
	xfer_tls_audit_failed(&endpoint->place.address, failure);
	finish(endpoint, &result);
}

/* A failure that the proxy has found is kept. */
static void fail(struct endpoint *endpoint, enum xfer_tls_cause cause, const char *detail)
{
	if (endpoint->handshake.state != XFER_TLS_FAILED)
		xfer_tls_fail(&endpoint->handshake.failure, cause, detail);
	end(endpoint);
}

/* While the proxy has it, it can't go; its end is decided, though. */
static void doom(struct endpoint *endpoint, enum xfer_tls_cause cause)
{
	if (endpoint->phase != AT_PROXY)
		fail(endpoint, cause, NULL);
	else if (!endpoint->doomed) {
		atomic_store(&endpoint->handshake.abandoned, true);
		endpoint->doomed = true;
		endpoint->doom = cause;
	}
}

static void await(struct endpoint *endpoint, uint32_t events)
{
	int err = xfer_lane_modify(
		endpoint->owner->lane, endpoint->fd, events | EPOLLONESHOT, &endpoint->pollable);

	if (err)
		fail(endpoint, XFER_TLS_NO_MEMORY, strerror(-err));
}

static void to_proxy(struct endpoint *endpoint, size_t record_len)
{
	endpoint->phase = AT_PROXY;
	endpoint->handshake.record = endpoint->record;
	endpoint->handshake.record_len = record_len;
	xfer_tls_proxy_turn(endpoint->owner->params.proxy, &endpoint->handshake);
}

/* After the header or all of a record. Whether there is more to receive. */
static bool received(struct endpoint *endpoint)
{
	if (endpoint->have > XFER_TLS_HEADER) {
		endpoint->first = false;
		to_proxy(endpoint, endpoint->have);
		return false;
	}
	endpoint->want = xfer_tls_record_length(endpoint->record, endpoint->first);
	if (endpoint->want)
		return true;
	fail(endpoint, XFER_TLS_GARBAGE, NULL);
	return false;
}

static void receive(struct endpoint *endpoint)
{
	ssize_t n;

	for (;;) {
		n = recv(endpoint->fd, endpoint->record + endpoint->have,
			endpoint->want - endpoint->have, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			await(endpoint, EPOLLIN);
			return;
		}
		if (n <= 0) {
			fail(endpoint, XFER_TLS_PEER_GONE, n < 0 ? strerror(errno) : NULL);
			return;
		}
		endpoint->have += (size_t)n;
		if (endpoint->have == endpoint->want && !received(endpoint))
			return;
	}
}

static void receive_record(struct endpoint *endpoint)
{
	endpoint->phase = RECEIVING;
	endpoint->have = 0;
	endpoint->want = XFER_TLS_HEADER;
	receive(endpoint);
}

/* *fd: what carries plain bytes from now on. The socket is its, or was closed. */
static bool hand_over(struct endpoint *endpoint, int *fd)
{
	struct xfer_tls_handshake *handshake = &endpoint->handshake;
	const char *step;
	char detail[96];
	int err;

	if (handshake->in_kernel) {
		err = xfer_ktls_install(endpoint->fd, &handshake->keys, &step);
		xfer_tls_keys_wipe(&handshake->keys);
		*fd = endpoint->fd;
	} else {
		err = xfer_tls_relay_start(endpoint->owner->params.relay, handshake->ssl,
			endpoint->fd, &endpoint->place.address, handshake->security, fd);
		step = "relay";
		if (err == 0)
			handshake->ssl = NULL;
	}
	if (err == 0)
		return true;
	snprintf(detail, sizeof(detail), "%s: %s", step, strerror(-err));
	xfer_tls_fail(&handshake->failure,
		handshake->in_kernel ? XFER_TLS_KERNEL : XFER_TLS_NO_MEMORY, detail);
	return false;
}

static void complete(struct endpoint *endpoint)
{
	struct xfer_tls_handshake *handshake = &endpoint->handshake;
	struct xfer_tls_result result = { .security = handshake->security };

	/* The relay, or whoever gets the socket, watches it from now on. */
	xfer_lane_remove(endpoint->owner->lane, endpoint->fd, &endpoint->pollable);
	if (!hand_over(endpoint, &result.fd)) {
		end(endpoint);
		return;
	}
	xfer_tls_audit_done(&endpoint->place.address, xfer_tls_identity_role(handshake->identity),
		handshake->security);
	handshake->security = NULL;
	finish(endpoint, &result);
}

static void flight_sent(struct endpoint *endpoint)
{
	switch (endpoint->handshake.state) {
	case XFER_TLS_WANTS_RECORD:
		receive_record(endpoint);
		break;
	case XFER_TLS_DONE:
		complete(endpoint);
		break;
	case XFER_TLS_FAILED:
		end(endpoint);
	}
}

static void send_flight(struct endpoint *endpoint)
{
	struct xfer_tls_handshake *handshake = &endpoint->handshake;

	while (endpoint->sent < handshake->flight_len) {
		ssize_t n = send(endpoint->fd, handshake->flight + endpoint->sent,
			handshake->flight_len - endpoint->sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			await(endpoint, EPOLLOUT);
			return;
		}
		if (n < 0) {
			fail(endpoint, XFER_TLS_PEER_GONE, strerror(errno));
			return;
		}
		endpoint->sent += (size_t)n;
	}
	flight_sent(endpoint);
}

static void back_from_proxy(struct xfer_task *task)
{
	struct endpoint *endpoint =
		(struct endpoint *)((char *)task - offsetof(struct endpoint, task));

	endpoint->phase = SENDING;
	endpoint->sent = 0;
	if (endpoint->doomed)
		fail(endpoint, endpoint->doom, NULL);
	else
		send_flight(endpoint);
}

/* The proxy's thread. */
static void turned(struct xfer_tls_handshake *handshake)
{
	struct endpoint *endpoint =
		(struct endpoint *)((char *)handshake - offsetof(struct endpoint, handshake));

	endpoint->task.run = back_from_proxy;
	xfer_lane_post(endpoint->owner->lane, &endpoint->task);
}

static void ready(struct xfer_pollable *pollable, uint32_t events)
{
	struct endpoint *endpoint = (struct endpoint *)pollable;

	(void)events;
	if (endpoint->phase == RECEIVING)
		receive(endpoint);
	else if (endpoint->phase == SENDING)
		send_flight(endpoint);
}

/* --- beginning ---------------------------------------------------------------------------------- */

/* -errno of what failed. Early, as xfer_ktls_prepare wants it. */
static int prepare(struct endpoint *endpoint)
{
	int flags = fcntl(endpoint->fd, F_GETFL);
	int err = endpoint->handshake.in_kernel ? xfer_ktls_prepare(endpoint->fd) : 0;

	if (err)
		return err;
	if (flags < 0 || fcntl(endpoint->fd, F_SETFL, flags | O_NONBLOCK))
		return -errno;
	return xfer_lane_add(
		endpoint->owner->lane, endpoint->fd, EPOLLONESHOT, &endpoint->pollable);
}

static void begin(struct xfer_task *task)
{
	struct endpoint *endpoint =
		(struct endpoint *)((char *)task - offsetof(struct endpoint, task));
	int err = prepare(endpoint);

	endpoint->deadline_ns =
		xfer_now_ns() + endpoint->owner->params.handshake_ms * XFER_NS_PER_MS;
	TAILQ_INSERT_TAIL(&endpoint->owner->list, endpoint, link);
	if (err == -ENOTCONN)
		fail(endpoint, XFER_TLS_PEER_GONE, NULL);
	else if (err)
		fail(endpoint, XFER_TLS_KERNEL, strerror(-err));
	else if (endpoint->handshake.client)
		to_proxy(endpoint, 0);
	else
		receive_record(endpoint);
}

static struct endpoint *endpoint_create(
	struct xfer_tls_endpoints *endpoints, int fd, const struct xfer_tls_start *start)
{
	struct endpoint *endpoint = calloc(1, sizeof(*endpoint));

	if (endpoint && start->expect)
		endpoint->expect = strdup(start->expect);
	if (!endpoint || (start->expect && !endpoint->expect)) {
		free(endpoint);
		return NULL;
	}
	xfer_tls_identity_ref(start->identity);
	endpoint->handshake = (struct xfer_tls_handshake){ .identity = start->identity,
		.client = start->client,
		.in_kernel = endpoints->params.relay == NULL,
		.expect = endpoint->expect,
		.turned = turned };
	endpoint->pollable.ready = ready;
	endpoint->task.run = begin;
	endpoint->place.address = start->address;
	endpoint->owner = endpoints;
	endpoint->done = start->done;
	endpoint->user = start->user;
	endpoint->fd = fd;
	endpoint->first = true;
	return endpoint;
}

int xfer_tls_endpoints_start(
	struct xfer_tls_endpoints *endpoints, int fd, const struct xfer_tls_start *start)
{
	struct endpoint *endpoint = endpoint_create(endpoints, fd, start);
	const char *which;
	int err = -ENOMEM;

	if (endpoint)
		err = xfer_tls_limits_enter(&endpoints->limits, &endpoint->place, &which);
	if (err == 0) {
		xfer_lane_post(endpoints->lane, &endpoint->task);
		return 0;
	}
	if (endpoint) {
		xfer_tls_audit_refused(&start->address, which);
		endpoint_free(endpoint);
	}
	close(fd);
	return err;
}

unsigned xfer_tls_endpoints_busy(struct xfer_tls_endpoints *endpoints)
{
	return xfer_tls_limits_taken(&endpoints->limits);
}

/* --- the thread --------------------------------------------------------------------------------- */

static void tick(struct xfer_ticker *ticker, uint64_t now_ns)
{
	struct xfer_tls_endpoints *endpoints =
		(struct xfer_tls_endpoints *)((char *)ticker -
					      offsetof(struct xfer_tls_endpoints, ticker));
	struct endpoint *endpoint = TAILQ_FIRST(&endpoints->list), *next;

	for (; endpoint; endpoint = next) {
		next = TAILQ_NEXT(endpoint, link);
		if (endpoint->doomed)
			continue;
		if (endpoint->deadline_ns > now_ns)
			return;
		doom(endpoint, XFER_TLS_DEADLINE);
	}
}

static void add_ticker(struct xfer_task *task)
{
	struct xfer_tls_endpoints *endpoints =
		(struct xfer_tls_endpoints *)((char *)task -
					      offsetof(struct xfer_tls_endpoints, start));

	xfer_lane_add_ticker(endpoints->lane, &endpoints->ticker);
}

static void stop(struct xfer_task *task)
{
	struct xfer_tls_endpoints *endpoints =
		(struct xfer_tls_endpoints *)((char *)task -
					      offsetof(struct xfer_tls_endpoints, stop));
	struct endpoint *endpoint = TAILQ_FIRST(&endpoints->list), *next;

	if (!endpoint) {
		tell_stopped(endpoints);
		return;
	}
	endpoints->stopping = true;
	for (; endpoint; endpoint = next) {
		next = TAILQ_NEXT(endpoint, link);
		doom(endpoint, XFER_TLS_SHUTDOWN);
	}
}

static void endpoints_free(struct xfer_tls_endpoints *endpoints)
{
	xfer_tls_limits_fini(&endpoints->limits);
	pthread_cond_destroy(&endpoints->cond);
	pthread_mutex_destroy(&endpoints->lock);
	free(endpoints);
}

int xfer_tls_endpoints_create(
	const struct xfer_tls_endpoints_params *params, struct xfer_tls_endpoints **result)
{
	struct xfer_tls_endpoints *endpoints = calloc(1, sizeof(*endpoints));
	int err;

	if (!endpoints)
		return -ENOMEM;
	endpoints->params = *params;
	TAILQ_INIT(&endpoints->list);
	xfer_tls_limits_init(
		&endpoints->limits, params->handshakes_max, params->handshakes_per_address);
	pthread_mutex_init(&endpoints->lock, NULL);
	xfer_cond_init(&endpoints->cond);
	endpoints->ticker.tick = tick;
	err = xfer_lane_create("xfer-tls-io", TICK_MS, &endpoints->lane);
	if (err) {
		endpoints_free(endpoints);
		return err;
	}
	endpoints->start.run = add_ticker;
	endpoints->stop.run = stop;
	xfer_lane_post(endpoints->lane, &endpoints->start);
	*result = endpoints;
	return 0;
}

void xfer_tls_endpoints_stop(struct xfer_tls_endpoints *endpoints)
{
	xfer_lane_post(endpoints->lane, &endpoints->stop);
	pthread_mutex_lock(&endpoints->lock);
	while (!endpoints->stopped)
		pthread_cond_wait(&endpoints->cond, &endpoints->lock);
	pthread_mutex_unlock(&endpoints->lock);
}

void xfer_tls_endpoints_destroy(struct xfer_tls_endpoints *endpoints)
{
	xfer_lane_destroy(endpoints->lane);
	endpoints_free(endpoints);
}
