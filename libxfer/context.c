/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* context.c -- what all sessions of a process share: lanes, identity, the status socket */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "boot.h"
#include "context.h"
#include "log.h"
#include "session.h"
#include "transport/verbs.h"

#define DEFAULT_LANES        2
#define DEFAULT_HEARTBEAT_MS 1000
#define DEFAULT_SMALL_SLOTS  1024
#define DEFAULT_LARGE_SLOTS  64
#define DEFAULT_WAITING_MAX  (UINT64_C(2) << 30)

/* --- the status socket: a server that has no sessions to give --------------------------------- */

static uint32_t refuse_session(void *owner, const struct xfer_hello_args *hello,
	const struct xfer_conn_identity *identity, char *reason, size_t reason_len)
{
	const struct xfer_context *context = owner;

	(void)identity;
	snprintf(reason, reason_len,
		"node %s asked for a session with a point of contact (%s of node %s), which owns "
		"no volumes: name the socket of rdmaxferd instead",
		hello->node, context->role, context->node);
	return XFER_ST_NOT_ALLOWED;
}

/* Without sessions no operation arrives and no peer goes. */
static void no_operation(void *owner, struct xfer_request *request)
{
	(void)owner;
	xfer_request_finish(request, -EOPNOTSUPP);
}

static void no_peer(void *owner, struct xfer_peer *peer)
{
	(void)owner;
	(void)peer;
}

static char *context_status(void *owner)
{
	struct xfer_context *context = owner;
	json_t *sessions = json_array(), *status;
	struct xfer_session *session;
	char *text;

	pthread_mutex_lock(&context->lock);
	LIST_FOREACH (session, &context->sessions, link)
		json_array_append_new(sessions, xfer_session_status(session));
	pthread_mutex_unlock(&context->lock);
	status = json_pack("{s:s, s:o}", "role", context->role, "sessions", sessions);
	text = json_dumps(status, JSON_COMPACT);
	json_decref(status);
	return text;
}

static const struct xfer_service status_service = {
	.admit = refuse_session,
	.dispatch = no_operation,
	.peer_gone = no_peer,
	.status = context_status,
};

static int serve_status(struct xfer_context *context, const char *run_dir)
{
	struct xfer_server_params params = {
		.node = context->node,
		.lanes = 1,
		.service = &status_service,
		.owner = context,
		.tls = context->tls,
		.tls_identity = context->tls_identity,
	};
	char address[128];
	int err;

	if (mkdir(run_dir, 0755) && errno != EEXIST) {
		err = -errno;
		xfer_error("can't create %s for the status socket: %s", run_dir, strerror(-err));
		return err;
	}
	if (snprintf(address, sizeof(address), "unix:%s/%s-%d.sock", run_dir, context->role,
		    getpid()) >= (int)sizeof(address))
		return -ENAMETOOLONG;
	err = xfer_server_create(&params, &context->status);
	if (err)
		return err;
	err = xfer_server_listen(context->status, address);
	if (err) {
		xfer_server_destroy(context->status);
		context->status = NULL;
	}
	return err;
}

/* --- life ------------------------------------------------------------------------------------- */

static void destroy_lanes(struct xfer_context *context)
{
	for (unsigned i = 0; i < context->nlanes; i++)
		xfer_lane_destroy(context->lanes[i]);
}

static int create_lanes(struct xfer_context *context, unsigned lanes)
{
	char name[32];
	int err = 0;

	for (unsigned i = 0; i < lanes && err == 0; i++) {
		snprintf(name, sizeof(name), "xfer-lane-%u", i);
		err = xfer_lane_create(name, context->heartbeat_ms / 4, &context->lanes[i]);
		context->nlanes += err == 0;
	}
	if (err)
		destroy_lanes(context);
	return err;
}

static bool valid(const struct xfer_context_params *params)
{
	return params->node && *params->node && strlen(params->node) <= XFER_NODE_MAX &&
	       params->lanes <= XFER_LANES_MAX &&
	       (params->heartbeat_ms == 0 ||
		       (params->heartbeat_ms >= 100 && params->heartbeat_ms <= 60000)) &&
	       (!params->run_dir || (params->role && strlen(params->role) < 32));
}

int xfer_context_create(const struct xfer_context_params *params, struct xfer_context **result)
{
	struct xfer_context *context;
	int err;

	if (!valid(params))
		return -EINVAL;
	context = calloc(1, sizeof(*context));
	if (!context)
		return -ENOMEM;
	if (params->log)
		xfer_log_set_sink(params->log);
	snprintf(context->node, sizeof(context->node), "%s", params->node);
	snprintf(context->role, sizeof(context->role), "%s", params->role ? params->role : "");
	context->heartbeat_ms = params->heartbeat_ms ? params->heartbeat_ms : DEFAULT_HEARTBEAT_MS;
	context->path = params->path;
	context->small_slots = params->small_slots ? params->small_slots : DEFAULT_SMALL_SLOTS;
	context->large_slots = params->large_slots ? params->large_slots : DEFAULT_LARGE_SLOTS;
	context->poll_us = params->poll_us ? params->poll_us : XFER_VERBS_POLL_US;
	context->tls = params->tls;
	context->tls_identity = params->tls_identity;
	context->waiting_max = params->waiting_max ? params->waiting_max : DEFAULT_WAITING_MAX;
	xfer_random(context->boot_id, sizeof(context->boot_id));
	LIST_INIT(&context->sessions);
	pthread_mutex_init(&context->lock, NULL);
	err = xfer_kernel_boot_id(context->kernel_boot_id);
	if (err == 0)
		err = create_lanes(context, params->lanes ? params->lanes : DEFAULT_LANES);
	if (err)
		goto err_free;
	err = params->run_dir ? serve_status(context, params->run_dir) : 0;
	if (err)
		goto err_lanes;
	*result = context;
	return 0;

err_lanes:
	destroy_lanes(context);
err_free:
	pthread_mutex_destroy(&context->lock);
	free(context);
	return err;
}

void xfer_context_destroy(struct xfer_context *context)
{
	if (context->status)
		xfer_server_destroy(context->status);
	destroy_lanes(context);
	pthread_mutex_destroy(&context->lock);
	free(context);
}

void xfer_context_add(struct xfer_context *context, struct xfer_session *session)
{
	pthread_mutex_lock(&context->lock);
	LIST_INSERT_HEAD(&context->sessions, session, link);
	pthread_mutex_unlock(&context->lock);
}

void xfer_context_remove(struct xfer_context *context, struct xfer_session *session)
{
	pthread_mutex_lock(&context->lock);
	LIST_REMOVE(session, link);
	pthread_mutex_unlock(&context->lock);
}
