/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* server.c -- listening for calls: lanes, listeners, the connections that came */

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "clock.h"
#include "control/dispatcher.h"
#include "control/greeting.h"
#include "control/listener.h"
#include "counters.h"
#include "log.h"

#define LANES_MAX     16
#define LISTENERS_MAX 16
#define GREETING_MS   30000 /* for the first bytes of a connection */
#define TICK_MS       100

_Static_assert(XFER_PROC_COUNT <= XFER_RPC_COUNTERS, "each procedure has a counter");

struct xfer_server {
	struct xfer_peers peers;
	const struct xfer_service *service;
	void *owner;
	uint64_t started_ns;
	struct xfer_lane *lanes[LANES_MAX];
	unsigned nlanes;
	struct xfer_listener *listeners[LISTENERS_MAX];
	unsigned nlisteners;
	struct xfer_ticker ticker; /* of the first lane */
	struct xfer_task tick_start, tick_stop;

	struct xfer_tls *tls; /* NULL: none */
	struct xfer_tls_identity *tls_identity;

	pthread_mutex_t lock; /* the following, and dispatchers' links */
	pthread_cond_t gone;
	LIST_HEAD(, xfer_dispatcher) dispatchers;
	unsigned count;     /* dispatchers that still use the server */
	unsigned greetings; /* that are not over */
	struct xfer_strangers strangers;
	unsigned next_lane;
};

/* --- status ----------------------------------------------------------------------------------- */

/* What TLS knows of the peer. */
static void add_security(json_t *lane, const struct xfer_tls_security *security)
{
	json_object_set_new(lane, "tls", json_boolean(security != NULL));
	if (!security)
		return;
	json_object_set_new(lane, "cipher", json_string(xfer_tls_security_cipher(security)));
	json_object_set_new(lane, "names", json_string(xfer_tls_security_names(security)));
	json_object_set_new(lane, "in_kernel", json_boolean(xfer_tls_security_in_kernel(security)));
}

static json_t *status_lane(struct xfer_dispatcher *dispatcher)
{
	json_t *lane;

	pthread_mutex_lock(&dispatcher->lock);
	lane = json_pack("{s:s, s:b, s:i, s:I, s:I, s:b}", "address", dispatcher->identity.text,
		"local", dispatcher->identity.local, "outstanding", (int)dispatcher->in_flight,
		"charged_bytes", (json_int_t)dispatcher->charged, "rpcs",
		(json_int_t)dispatcher->calls, "paused", dispatcher->paused);
	pthread_mutex_unlock(&dispatcher->lock);
	if (lane)
		add_security(lane, dispatcher->identity.security);
	return lane;
}

static void session_id_text(const struct xfer_peer *peer, char text[17])
{
	snprintf(text, 17, "%016llx", (unsigned long long)peer->session_id);
}

static void add_path(json_t *session, struct xfer_peer *peer)
{
	struct xfer_hostpath *path = xfer_peer_path(peer);

	if (path)
		json_object_set_new(session, "path", xfer_hostpath_status(path));
	xfer_hostpath_unref(path);
}

/* With the sessions' lock held. */
static json_t *status_session(struct xfer_server *server, struct xfer_peer *peer)
{
	uint64_t since_ns = xfer_now_ns() - peer->since_ns;
	json_t *session;
	char id[17];

	session_id_text(peer, id);
	session = json_pack("{s:s, s:s, s:i, s:s, s:I, s:I, s:b, s:I, s:[]}", "peer", peer->node,
		"id", id, "epoch", (int)peer->epoch, "state", peer->connections ? "up" : "away",
		"since_ms", (json_int_t)(since_ns / XFER_NS_PER_MS), "operations",
		(json_int_t)peer->operations, "recovering", peer->recovering, "charged_bytes",
		(json_int_t)peer->charged, "lanes");
	if (session)
		add_path(session, peer);
	if (session && server->service->opens)
		json_object_set_new(session, "opens",
			json_integer(server->service->opens(server->owner, peer)));
	if (session && server->service->unsettled)
		json_object_set_new(session, "unsettled",
			json_integer(server->service->unsettled(server->owner, peer)));
	return session;
}

/* NULL: it ended a moment ago. */
static json_t *find_session(const json_t *sessions, const struct xfer_peer *peer)
{
	char id[17];
	size_t i;
	json_t *session;

	session_id_text(peer, id);
	json_array_foreach (sessions, i, session)
		if (strcmp(json_string_value(json_object_get(session, "id")), id) == 0)
			return session;
	return NULL;
}

static json_t *status_sessions(struct xfer_server *server)
{
	json_t *sessions = json_array(), *session;
	struct xfer_dispatcher *dispatcher;
	struct xfer_peer *peer;

	pthread_mutex_lock(&server->peers.lock);
	LIST_FOREACH (peer, &server->peers.list, link)
		json_array_append_new(sessions, status_session(server, peer));
	pthread_mutex_unlock(&server->peers.lock);
	pthread_mutex_lock(&server->lock);
	LIST_FOREACH (dispatcher, &server->dispatchers, link) {
		session = dispatcher->joined ? find_session(sessions, dispatcher->peer) : NULL;
		if (session)
			json_array_append_new(
				json_object_get(session, "lanes"), status_lane(dispatcher));
	}
	pthread_mutex_unlock(&server->lock);
	return sessions;
}

static json_t *status_rpcs(void)
{
	json_t *rpcs = json_object();

	for (uint32_t proc = 0; proc < XFER_PROC_COUNT; proc++)
		if (xfer_proc_info(proc) && xfer_rpc_counters[proc] > 0)
			json_object_set_new(rpcs, xfer_proc_info(proc)->name,
				json_integer((json_int_t)xfer_rpc_counters[proc]));
	return rpcs;
}

static json_t *status_inline(void)
{
	json_t *causes = json_object();

	for (int i = XFER_CAUSE_NONE + 1; i < XFER_CAUSES; i++)
		if (xfer_inline_counters[i] > 0)
			json_object_set_new(causes, xfer_path_cause_name(i),
				json_integer((json_int_t)xfer_inline_counters[i]));
	return causes;
}

static json_t *status_counters(void)
{
	json_t *counters =
		json_pack("{s:o, s:o}", "rpcs", status_rpcs(), "inline", status_inline());

	for (int i = 0; i < XFER_CNT_COUNT; i++)
		json_object_set_new(
			counters, xfer_counter_name(i), json_integer((json_int_t)xfer_counters[i]));
	return counters;
}

static json_t *status_tls(struct xfer_server *server)
{
	char *text = server->tls ? xfer_tls_status(server->tls) : NULL;
	json_t *tls = text ? json_loads(text, 0, NULL) : NULL;

	free(text);
	return tls ? tls : json_null();
}

/* The service's part, and what is the same for all: sessions served here unless it tells its own.
 */
static char *server_status(void *arg)
{
	struct xfer_server *server = arg;
	char *part = server->service->status(server->owner), *text = NULL;
	json_t *status = part ? json_loads(part, 0, NULL) : NULL;

	free(part);
	if (!status)
		return NULL;
	json_object_set_new(status, "node", json_string(server->peers.node));
	json_object_set_new(status, "pid", json_integer(getpid()));
	json_object_set_new(status, "version", json_string(XFER_RELEASE));
	json_object_set_new(status, "uptime_s",
		json_integer((json_int_t)((xfer_now_ns() - server->started_ns) / 1000000000)));
	if (!json_object_get(status, "sessions"))
		json_object_set_new(status, "sessions", status_sessions(server));
	json_object_set_new(status, "counters", status_counters());
	json_object_set_new(status, "tls", status_tls(server));
	text = json_dumps(status, JSON_COMPACT);
	json_decref(status);
	return text;
}

/* --- connections ------------------------------------------------------------------------------ */

/* With the lock held. One that joins while its epoch ends is found here, by itself or by the one that ends it. */
static void close_earlier_epochs(struct xfer_server *server, const struct xfer_peer *peer)
{
	struct xfer_dispatcher *dispatcher;

	LIST_FOREACH (dispatcher, &server->dispatchers, link)
		if (dispatcher->joined && dispatcher->peer == peer &&
			!xfer_peer_goes_on(peer, dispatcher->epoch))
			xfer_conn_close(
				dispatcher->conn, -ECONNABORTED, "its session goes on without it");
}

static void server_joined(void *arg, struct xfer_dispatcher *dispatcher)
{
	struct xfer_server *server = arg;

	pthread_mutex_lock(&server->lock);
	xfer_strangers_leave(&server->strangers, &dispatcher->stranger);
	dispatcher->joined = true;
	close_earlier_epochs(server, dispatcher->peer);
	pthread_mutex_unlock(&server->lock);
}

static void server_gone(void *arg, struct xfer_dispatcher *dispatcher)
{
	struct xfer_server *server = arg;

	pthread_mutex_lock(&server->lock);
	LIST_REMOVE(dispatcher, link);
	xfer_strangers_leave(&server->strangers, &dispatcher->stranger);
	pthread_mutex_unlock(&server->lock);
	if (dispatcher->peer)
		xfer_peer_unref(dispatcher->peer);
	pthread_mutex_lock(&server->lock);
	server->count--;
	pthread_cond_broadcast(&server->gone);
	pthread_mutex_unlock(&server->lock);
}

static const struct xfer_dispatcher_ops dispatcher_ops = {
	.status = server_status,
	.joined = server_joined,
	.gone = server_gone,
};

/* Of struct xfer_stranger. */
static void turn_out(struct xfer_stranger *stranger, int err, const char *why)
{
	struct xfer_dispatcher *dispatcher =
		(struct xfer_dispatcher *)((char *)stranger -
					   offsetof(struct xfer_dispatcher, stranger));

	xfer_conn_close(dispatcher->conn, err, why);
}

/* The stream belongs to it, with the reference to identity->security. Any thread. */
static void dispatch(struct xfer_server *server, int fd, const struct xfer_conn_identity *identity)
{
	struct xfer_dispatcher_params params = {
		.identity = identity,
		.peers = &server->peers,
		.ops = &dispatcher_ops,
		.server = server,
	};
	struct xfer_dispatcher *dispatcher;

	pthread_mutex_lock(&server->lock);
	params.lane = server->lanes[server->next_lane++ % server->nlanes];
	pthread_mutex_unlock(&server->lock);
	params.io = identity->security ? xfer_conn_io_tls(fd, identity->security)
				       : xfer_conn_io_socket(fd);
	if (!params.io) {
		close(fd);
		if (identity->security)
			xfer_tls_security_unref(identity->security);
		return;
	}
	if (xfer_dispatcher_create(&params, &dispatcher))
		return;
	dispatcher->stranger.identity = &dispatcher->identity;
	dispatcher->stranger.turn_out = turn_out;
	pthread_mutex_lock(&server->lock);
	LIST_INSERT_HEAD(&server->dispatchers, dispatcher, link);
	server->count++;
	xfer_strangers_enter(&server->strangers, &dispatcher->stranger);
	pthread_mutex_unlock(&server->lock);
	xfer_dispatcher_start(dispatcher);
}

/* --- greetings -------------------------------------------------------------------------------- */

/* Of struct xfer_greeting_params. */
static void greeted(
	void *user, struct xfer_greeting *greeting, int fd, struct xfer_tls_security *security)
{
	struct xfer_stranger *stranger = xfer_greeting_stranger(greeting);
	struct xfer_conn_identity identity = *stranger->identity;
	struct xfer_server *server = user;

	pthread_mutex_lock(&server->lock);
	xfer_strangers_leave(&server->strangers, stranger);
	pthread_mutex_unlock(&server->lock);
	identity.security = security;
	if (fd >= 0)
		dispatch(server, fd, &identity);
	pthread_mutex_lock(&server->lock);
	server->greetings--;
	pthread_cond_broadcast(&server->gone);
	pthread_mutex_unlock(&server->lock);
}

/* The first lane's thread. */
static void greet(struct xfer_server *server, int fd, const struct xfer_conn_identity *identity)
{
	const struct xfer_greeting_params params = {
		.lane = server->lanes[0],
		.tls = server->tls,
		.tls_identity = server->tls_identity,
		.wait_ms = GREETING_MS,
		.over = greeted,
		.user = server,
	};
	struct xfer_greeting *greeting;

	if (xfer_greeting_create(&params, fd, identity, &greeting))
		return;
	pthread_mutex_lock(&server->lock);
	server->greetings++;
	xfer_strangers_enter(&server->strangers, xfer_greeting_stranger(greeting));
	pthread_mutex_unlock(&server->lock);
	xfer_greeting_start(greeting);
}

static void server_accepted(void *arg, int fd, const struct xfer_conn_identity *identity)
{
	struct xfer_server *server = arg;

	if (server->tls && !identity->local)
		greet(server, fd, identity);
	else
		dispatch(server, fd, identity);
}

/* --- life ------------------------------------------------------------------------------------- */

static void server_tick(struct xfer_ticker *ticker, uint64_t now_ns)
{
	struct xfer_server *server =
		(struct xfer_server *)((char *)ticker - offsetof(struct xfer_server, ticker));

	xfer_peers_tick(&server->peers, now_ns);
}

static void start_ticking(struct xfer_task *task)
{
	struct xfer_server *server =
		(struct xfer_server *)((char *)task - offsetof(struct xfer_server, tick_start));

	server->ticker.tick = server_tick;
	xfer_lane_add_ticker(server->lanes[0], &server->ticker);
}

static void stop_ticking(struct xfer_task *task)
{
	struct xfer_server *server =
		(struct xfer_server *)((char *)task - offsetof(struct xfer_server, tick_stop));

	xfer_lane_remove_ticker(&server->ticker);
}

static void destroy_lanes(struct xfer_server *server)
{
	for (unsigned i = 0; i < server->nlanes; i++)
		xfer_lane_destroy(server->lanes[i]);
}

static int create_lanes(struct xfer_server *server, unsigned lanes)
{
	char name[32];
	int err = 0;

	for (unsigned i = 0; i < lanes && err == 0; i++) {
		snprintf(name, sizeof(name), "xfer-serve-%u", i);
		err = xfer_lane_create(name, TICK_MS, &server->lanes[i]);
		server->nlanes += err == 0;
	}
	if (err)
		destroy_lanes(server);
	return err;
}

int xfer_server_create(const struct xfer_server_params *params, struct xfer_server **result)
{
	struct xfer_server *server;
	int err;

	if (params->lanes < 1 || params->lanes > LANES_MAX)
		return -EINVAL;
	server = calloc(1, sizeof(*server));
	if (!server)
		return -ENOMEM;
	server->service = params->service;
	server->owner = params->owner;
	server->tls = params->tls;
	server->tls_identity = params->tls_identity;
	server->started_ns = xfer_now_ns();
	LIST_INIT(&server->dispatchers);
	xfer_strangers_init(&server->strangers);
	pthread_mutex_init(&server->lock, NULL);
	pthread_cond_init(&server->gone, NULL);
	err = xfer_peers_init(&server->peers, params);
	if (err == 0) {
		err = create_lanes(server, params->lanes);
		if (err)
			xfer_peers_fini(&server->peers);
	}
	if (err) {
		free(server);
		return err;
	}
	server->tick_start.run = start_ticking;
	server->tick_stop.run = stop_ticking;
	xfer_lane_post(server->lanes[0], &server->tick_start);
	*result = server;
	return 0;
}

int xfer_server_listen(struct xfer_server *server, const char *address)
{
	int err;

	if (server->nlisteners == LISTENERS_MAX)
		return -ENOSPC;
	err = xfer_listener_create(server->lanes[0], address, server_accepted, server,
		&server->listeners[server->nlisteners]);
	if (err == 0)
		server->nlisteners++;
	return err;
}

static const char ending[] = "this process is ending";

/* Each of them may become a connection. */
static void end_greetings(struct xfer_server *server)
{
	pthread_mutex_lock(&server->lock);
	xfer_strangers_turn_out(&server->strangers, -ESHUTDOWN, ending);
	while (server->greetings > 0)
		pthread_cond_wait(&server->gone, &server->lock);
	pthread_mutex_unlock(&server->lock);
}

/* Until a dispatcher is gone it stays in the list, and its connection with it. */
static void close_connections(struct xfer_server *server)
{
	struct xfer_dispatcher *dispatcher;

	end_greetings(server);
	pthread_mutex_lock(&server->lock);
	LIST_FOREACH (dispatcher, &server->dispatchers, link)
		xfer_conn_close(dispatcher->conn, -ESHUTDOWN, ending);
	while (server->count > 0)
		pthread_cond_wait(&server->gone, &server->lock);
	pthread_mutex_unlock(&server->lock);
}

void xfer_server_destroy(struct xfer_server *server)
{
	for (unsigned i = 0; i < server->nlisteners; i++)
		xfer_listener_destroy(server->listeners[i]);
	close_connections(server);
	if (server->service->deserted)
		server->service->deserted(server->owner);
	xfer_lane_post(server->lanes[0], &server->tick_stop);
	destroy_lanes(server);
	xfer_peers_fini(&server->peers);
	pthread_cond_destroy(&server->gone);
	pthread_mutex_destroy(&server->lock);
	free(server);
}
