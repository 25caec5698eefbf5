/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* late_owner.c -- what a memowner answers to SHARE, GROW and RETIRE: data paths whose bytes come when a test says */

#include "support/late_owner.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/dispatcher.h"
#include "core/layout.h"
#include "transport/shm.h"

struct late_owner late_owner = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void gone(void *arg, struct xfer_hostpath *host)
{
	struct late_path *path = arg;

	assert_ptr_equal(host, path->host);
	path->gone = true;
}

static void lost(void *arg, const char *why)
{
	struct late_path *path = arg;

	(void)why;
	path->lost++;
}

struct late_path *late_owner_path(void)
{
	assert_true(late_owner.npaths > 0);
	return &late_owner.paths[late_owner.npaths - 1];
}

static struct late_path *add_path(struct xfer_peer *peer)
{
	struct late_path *path = &late_owner.paths[late_owner.npaths];

	assert_true(late_owner.npaths < LATE_PATHS);
	memset(path, 0, sizeof(*path));
	path->peer = peer;
	path->link = late_link_new();
	for (unsigned side = 0; side < 2; side++)
		late_set(path->link, side, late_owner.when[side]);
	return path;
}

/* What waits, if something does, and then `next` does. */
static void finish_retire(struct xfer_request *next, int err)
{
	struct xfer_request *waiting;

	pthread_mutex_lock(&late_owner.lock);
	waiting = late_owner.retire;
	late_owner.retire = next;
	pthread_mutex_unlock(&late_owner.lock);
	if (waiting)
		xfer_request_finish(waiting, err);
}

static int share(struct xfer_request *request)
{
	const struct xfer_share_args *args = &request->args.share;
	struct late_path *path = add_path(request->peer);
	struct xfer_hostpath_params params = {
		.transport = late_transport_new(path->link, LATE_HOST),
		.epoch = args->epoch,
		.lanes = args->lanes,
		.read = args->read,
		.gone = gone,
		.resume = xfer_request_resume,
		.lost = lost,
		.arg = path,
	};

	if (args->read.nclasses > 0)
		assert_int_equal(
			xfer_shm_map(request->fd, xfer_layout_bytes(&args->read, args->lanes),
				&params.memory),
			0);
	assert_int_equal(xfer_hostpath_create(&params, &path->host), 0);
	late_owner.npaths++;
	finish_retire(NULL, 0);
	return xfer_peer_take_path(request, path->host);
}

static int grow(struct xfer_request *request)
{
	struct xfer_slot_layout layout = request->args.grow.layout;
	struct late_path *path = late_owner_path();
	struct xfer_memory *memory;
	int fd, err;

	for (uint32_t i = 0; i < layout.nclasses; i++)
		layout.classes[i].slots = 1;
	assert_int_equal(xfer_shm_make(xfer_layout_bytes(&layout, xfer_hostpath_lanes(path->host)),
				 &memory, &fd),
		0);
	assert_int_equal(xfer_request_put_fd(request, fd), 0);
	close(fd);
	err = xfer_hostpath_add(path->host, &layout, memory, &path->chunk);
	request->results.grow.chunk = path->chunk;
	return err;
}

void late_owner_memory(void *owner, struct xfer_request *request)
{
	(void)owner;
	if (request->proc == XFER_PROC_RETIRE)
		finish_retire(request, 0);
	else
		xfer_request_finish(
			request, request->proc == XFER_PROC_SHARE ? share(request) : grow(request));
}

unsigned late_owner_parked(void)
{
	json_t *status = xfer_hostpath_status(late_owner_path()->host);
	json_int_t waiting =
		json_integer_value(json_object_get(json_object_get(status, "write"), "waiting"));

	json_decref(status);
	return (unsigned)waiting;
}

bool late_owner_one_parked(void *unused)
{
	(void)unused;
	return late_owner_parked() == 1;
}

void late_owner_end_path(struct late_path *path)
{
	if (!xfer_peer_leave_path(path->peer, path->host))
		return;
	finish_retire(NULL, -ENOTCONN);
	xfer_hostpath_end(path->host);
	xfer_hostpath_unref(path->host);
}

void late_owner_settle(void)
{
	finish_retire(NULL, 0);
}

void late_owner_free(void)
{
	while (late_owner.npaths > 0) {
		struct late_path *path = late_owner_path();

		assert_true(path->gone);
		xfer_hostpath_free(path->host);
		late_link_free(path->link);
		late_owner.npaths--;
	}
}
