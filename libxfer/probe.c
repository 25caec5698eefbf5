/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* probe.c -- talking to one process without a session: STATUS and NULL, for tools */

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "address.h"
#include "clock.h"
#include "control/caller.h"

/* A connection of its own with a thread of its own. */
struct probe {
	struct xfer_lane *lane;
	struct xfer_caller *caller;
	pthread_mutex_t lock;
	pthread_cond_t closed;
	bool is_closed;
};

static void probe_closed(void *user, struct xfer_caller *caller, int err, const char *why)
{
	struct probe *probe = user;

	(void)caller;
	(void)err;
	(void)why;
	pthread_mutex_lock(&probe->lock);
	probe->is_closed = true;
	pthread_cond_signal(&probe->closed);
	pthread_mutex_unlock(&probe->lock);
}

static const struct xfer_caller_ops probe_ops = { .closed = probe_closed };

/* A peer that is silent for all of timeout_ms ends the connection, and with it what waits for an
 * answer. */
static int connect_caller(struct probe *probe, const char *text, unsigned timeout_ms)
{
	struct xfer_address address;
	struct xfer_conn_io *io;
	int err = xfer_address_parse(text, &address), fd;

	if (err == 0)
		err = xfer_address_connect(&address, timeout_ms, &fd);
	if (err)
		return err;
	io = xfer_conn_io_socket(fd);
	if (!io) {
		close(fd);
		return -ENOMEM;
	}
	return xfer_caller_create(probe->lane, io, text, timeout_ms / XFER_HEARTBEATS_MISSED + 1,
		&probe_ops, probe, &probe->caller);
}

static int probe_open(struct probe *probe, const char *address, unsigned timeout_ms)
{
	int err;

	memset(probe, 0, sizeof(*probe));
	pthread_mutex_init(&probe->lock, NULL);
	pthread_cond_init(&probe->closed, NULL);
	err = xfer_lane_create("xfer-probe", timeout_ms / 20 + 1, &probe->lane);
	if (err)
		return err;
	err = connect_caller(probe, address, timeout_ms);
	if (err)
		xfer_lane_destroy(probe->lane);
	return err;
}

static void probe_close(struct probe *probe)
{
	xfer_caller_close(probe->caller, -ESHUTDOWN, "nothing more is asked");
	pthread_mutex_lock(&probe->lock);
	while (!probe->is_closed)
		pthread_cond_wait(&probe->closed, &probe->lock);
	pthread_mutex_unlock(&probe->lock);
	xfer_caller_unref(probe->caller);
	xfer_lane_destroy(probe->lane);
	pthread_cond_destroy(&probe->closed);
	pthread_mutex_destroy(&probe->lock);
}

static int probe_call(
	struct probe *probe, uint32_t proc, union xfer_args *args, union xfer_results *results)
{
	struct xfer_call call = { .proc = proc, .args = args, .results = results };
	int err = xfer_caller_call(probe->caller, &call);

	return err == -EAGAIN ? -ETIMEDOUT : err;
}

int xfer_status(const char *address, unsigned timeout_ms, char **json)
{
	union xfer_args args = { 0 };
	union xfer_results results = { 0 };
	struct probe probe;
	char *text = malloc(XFER_HEAD_MAX + 1);
	int err = text ? probe_open(&probe, address, timeout_ms) : -ENOMEM;

	if (err) {
		free(text);
		return err;
	}
	results.text.text = text;
	results.text.text_len = XFER_HEAD_MAX;
	err = probe_call(&probe, XFER_PROC_STATUS, &args, &results);
	if (err == 0)
		err = xfer_status_to_errno(results.status);
	probe_close(&probe);
	if (err) {
		free(text);
		return err;
	}
	text[results.text.text_len] = '\0';
	*json = text;
	return 0;
}

int xfer_ping(const char *address, unsigned count, unsigned timeout_ms,
	void (*each)(void *arg, double microseconds), void *arg)
{
	union xfer_args args = { 0 };
	union xfer_results results = { 0 };
	struct probe probe;
	int err = probe_open(&probe, address, timeout_ms);

	if (err)
		return err;
	for (unsigned i = 0; i < count && err == 0; i++) {
		uint64_t begun = xfer_now_ns();

		err = probe_call(&probe, XFER_PROC_NULL, &args, &results);
		if (err == 0)
			each(arg, (double)(xfer_now_ns() - begun) / 1000);
	}
	probe_close(&probe);
	return err;
}
