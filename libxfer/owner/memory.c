/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* memory.c -- the memory that sessions place their data in: how much there is, and who has it */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bufpool.h"
#include "clock.h"
#include "control/dispatcher.h"
#include "core/layout.h"
#include "core/path.h"
#include "counters.h"
#include "log.h"
#include "owner/grant.h"
#include "transport/verbs.h"

#define CLIENTS_MAX 256u
#define IDLE_MS     60000u
#define RETURN_MS   60000u /* longer than a slot's quarantine and an epoch take */
#define LOOK_MS     1000u /* while anybody has memory: so often is looked for who is to return some */
#define LOG_MS      10000
#define RARELY_MS   600000

/* --- memory that counts ------------------------------------------------------------------------- */

void grant_return(struct grant *grant, uint64_t bytes)
{
	pthread_mutex_lock(&grant->memory->lock);
	xfer_quota_return(&grant->memory->quota, grant->client, bytes);
	grant->owed = grant->owed > bytes ? grant->owed - bytes : 0;
	pthread_mutex_unlock(&grant->memory->lock);
}

/* Of struct xfer_memory: it is in the quota until then. */
static void freed(void *arg, uint64_t bytes)
{
	grant_return(arg, bytes);
}

void grant_count(struct grant *grant, struct xfer_memory *memory)
{
	memory->freed = freed;
	memory->freed_arg = grant;
}

/* All of it or nothing. */
static bool ask(struct grant *grant, uint64_t bytes)
{
	struct memory *memory = grant->memory;
	uint64_t granted, now;

	pthread_mutex_lock(&memory->lock);
	now = xfer_now_ns();
	granted = xfer_quota_grant(&memory->quota, grant->client, bytes, bytes, now);
	grant->used_ns = now;
	pthread_mutex_unlock(&memory->lock);
	return granted == bytes;
}

/* Half as many of each size; false: there is just one of each. */
static bool halve(struct xfer_slot_layout *layout)
{
	bool less = false;

	for (uint32_t i = 0; i < layout->nclasses; i++) {
		less |= layout->classes[i].slots > 1;
		layout->classes[i].slots = (layout->classes[i].slots + 1) / 2;
	}
	return less;
}

uint64_t grant_claim(
	struct grant *grant, uint32_t lanes, struct xfer_slot_layout *layout, bool less)
{
	uint64_t whole = xfer_layout_bytes(layout, lanes), bytes = whole;
	struct xfer_slot_layout part = *layout;

	if (whole > 0 && ask(grant, whole))
		return whole;
	while (less && halve(&part)) {
		bytes = xfer_layout_bytes(&part, lanes);
		if (bytes > 0 && ask(grant, bytes)) {
			*layout = part;
			return bytes;
		}
	}
	/* What the quota remembers is what was asked for last. */
	return less && whole > 0 && ask(grant, whole) ? whole : 0;
}

/* --- GROW --------------------------------------------------------------------------------------- */

/* The data path that the request means, with a reference; NULL: the session hasn't it any more. */
static struct xfer_hostpath *path_of(const struct xfer_request *request, uint32_t epoch)
{
	struct xfer_hostpath *path = xfer_peer_path(request->peer);

	if (path && xfer_hostpath_epoch(path) == epoch)
		return path;
	xfer_hostpath_unref(path);
	return NULL;
}

static void log_failure(const struct grant *grant, const char *why)
{
	unsigned suppressed;

	if (xfer_log_allowed(xfer_log_limit_of(why), LOG_MS, &suppressed))
		xfer_warn("node %s gets no memory: %s (%u more like this were not written)",
			grant->node, why, suppressed);
}

/*
 * A session that has nothing gets less than it asks for, if there is no more; one that has some gets all or nothing, so
 * that it isn't left with crumbs.
 */
static int add_chunk(struct grant *grant, struct xfer_request *request, uint32_t lanes)
{
	struct xfer_chunk *chunk = &request->results.grow.chunk;
	struct xfer_slot_layout layout = request->args.grow.layout;
	uint64_t bytes = grant_claim(grant, lanes, &layout, xfer_hostpath_newest(grant->path) == 0);
	struct xfer_memory *memory;
	char why[GRANT_WHY];
	int err;

	if (bytes == 0)
		return -ENOSPC;
	err = grant->sort->lend(grant, request, bytes, &memory, why);
	if (err) {
		log_failure(grant, why);
		return err;
	}
	err = xfer_hostpath_add(grant->path, &layout, memory, chunk);
	if (err)
		return err;
	grant->sort->describe(memory, lanes, chunk);
	xfer_count(XFER_CNT_CHUNKS_GRANTED, 1);
	return 0;
}

static int grow(struct xfer_request *request)
{
	struct xfer_hostpath *path = path_of(request, request->args.grow.epoch);
	int err = path ? add_chunk(xfer_hostpath_arg(path), request, xfer_hostpath_lanes(path))
		       : -ENOTCONN;

	xfer_hostpath_unref(path);
	return err;
}

/* --- SHARE -------------------------------------------------------------------------------------- */

/* Nothing uses the data path any more; on any thread. */
static void path_gone(void *arg, struct xfer_hostpath *path)
{
	struct grant *grant = arg;
	struct memory *memory = grant->memory;

	(void)path;
	pthread_mutex_lock(&memory->lock);
	grant->gone = true;
	pthread_cond_signal(&memory->changed);
	pthread_mutex_unlock(&memory->lock);
}

/* The same, of one that is still there, or was a moment ago. */
static void path_lost(void *arg, const char *why)
{
	struct grant *grant = arg;
	struct memory *memory = grant->memory;

	pthread_mutex_lock(&memory->lock);
	snprintf(grant->lost, sizeof(grant->lost), "has lost its data path (%s)", why);
	pthread_cond_signal(&memory->changed);
	pthread_mutex_unlock(&memory->lock);
}

/* -ENOSPC: too many have one; -ENOMEM. */
static int grant_new(
	struct memory *memory, const struct xfer_request *request, struct grant **result)
{
	struct grant *grant = calloc(1, sizeof(*grant));
	int client;

	if (!grant)
		return -ENOMEM;
	pthread_mutex_lock(&memory->lock);
	client = xfer_quota_join(&memory->quota, xfer_now_ns());
	pthread_mutex_unlock(&memory->lock);
	if (client < 0) {
		free(grant);
		return client;
	}
	grant->memory = memory;
	grant->client = (unsigned)client;
	grant->peer = request->peer;
	grant->sort = request->args.share.kind == XFER_SHARE_VERBS ? &grant_verbs : &grant_shm;
	snprintf(grant->node, sizeof(grant->node), "%s", xfer_peer_node(request->peer));
	*result = grant;
	return 0;
}

static void grant_free(struct grant *grant)
{
	pthread_mutex_lock(&grant->memory->lock);
	xfer_quota_leave(&grant->memory->quota, grant->client);
	pthread_mutex_unlock(&grant->memory->lock);
	free(grant);
}

/* The grant's path, which knows it. */
static int make_path(struct grant *grant, struct xfer_request *request, char *why)
{
	const struct xfer_share_args *args = &request->args.share;
	struct xfer_hostpath_params params = {
		.epoch = args->epoch,
		.lanes = args->lanes,
		.read = args->read,
		.gone = path_gone,
		.resume = xfer_request_resume,
		.lost = path_lost,
		.arg = grant,
	};
	int err = grant->sort->open(grant, request, &params, why);

	if (err)
		return err;
	err = xfer_hostpath_create(&params, &grant->path);
	if (err) {
		snprintf(why, GRANT_WHY, "%s", strerror(-err));
		return err;
	}
	grant->sort->offer(grant, request, &params);
	pthread_mutex_lock(&grant->memory->lock);
	LIST_INSERT_HEAD(&grant->memory->grants, grant, link);
	grant->memory->paths++;
	pthread_mutex_unlock(&grant->memory->lock);
	return 0;
}

/* With the lock held: whether the configuration leaves the node a data path of this kind. */
static bool may_have(struct memory *memory, const char *node, bool queue_pairs, char *why)
{
	enum xfer_path path = queue_pairs ? XFER_PATH_VERBS : XFER_PATH_SHM;

	return !memory->may_have ||
	       memory->may_have(memory->may_have_arg, node, path, why, GRANT_WHY);
}

static bool may_ask(struct memory *memory, const struct xfer_request *request, char *why)
{
	bool queue_pairs = request->args.share.kind == XFER_SHARE_VERBS, may;

	pthread_mutex_lock(&memory->lock);
	may = may_have(memory, xfer_peer_node(request->peer), queue_pairs, why);
	pthread_mutex_unlock(&memory->lock);
	return may;
}

static int share(struct memory *memory, struct xfer_request *request, char *why)
{
	const struct xfer_share_args *args = &request->args.share;
	struct grant *grant;
	int err;

	if (!may_ask(memory, request, why))
		return -EOPNOTSUPP;
	snprintf(why, GRANT_WHY, "memory or session_memory is 0");
	if (memory->quota.config.total == 0 || memory->quota.config.cap == 0)
		return -EOPNOTSUPP;
	snprintf(why, GRANT_WHY, "what it asks for can't be");
	if (args->epoch == 0 || args->lanes == 0 || args->lanes > XFER_LANES_MAX)
		return -EINVAL;
	err = grant_new(memory, request, &grant);
	if (err) {
		snprintf(why, GRANT_WHY, "%s",
			err == -ENOSPC ? "too many sessions have some" : strerror(-err));
		return err;
	}
	err = make_path(grant, request, why);
	if (err) {
		grant_free(grant);
		return err;
	}
	snprintf(why, GRANT_WHY, "its session is over, or its data path not later than the last");
	err = xfer_peer_take_path(request, grant->path);
	/* One of an earlier path would wait for as long as that is in use. */
	memory_epoch_ended(memory, request->peer);
	return err;
}

/* --- RETIRE ------------------------------------------------------------------------------------- */

static void finish(struct xfer_request *request, int err)
{
	if (request)
		xfer_request_finish(request, err);
}

/* With the lock held: the RETIRE that waits, if it can be answered now; it is to be finished without the lock. */
static struct xfer_request *tell(struct grant *grant)
{
	struct xfer_request *request = grant->waiting;

	if (!request || grant->owed == 0 || grant->retiring != 0)
		return NULL;
	grant->retiring = xfer_hostpath_newest(grant->path);
	if (grant->retiring == 0)
		return NULL;
	request->results.retire.chunk = grant->retiring;
	grant->waiting = NULL;
	return request;
}

/* With the lock held: what is kept, or why it can't be served. An older one is to be finished. */
static int take_retire(
	struct grant *grant, struct xfer_request *request, struct xfer_request **older)
{
	uint32_t returned = request->args.retire.returned;

	/* Who ends an epoch comes here afterwards, so one that goes on now is ended with this request in place. */
	if (!xfer_peer_goes_on(request->peer, request->dispatcher->epoch))
		return -EAGAIN;
	if (grant->taken)
		return -ENOTCONN;
	if (returned != 0 && (returned != grant->retiring || grant->returned))
		return -EINVAL;
	*older = grant->waiting;
	grant->waiting = request;
	grant->returned |= returned != 0;
	pthread_cond_signal(&grant->memory->changed);
	return 0;
}

static void retire(struct memory *memory, struct xfer_request *request)
{
	struct xfer_hostpath *path = path_of(request, request->args.retire.epoch);
	struct xfer_request *older = NULL;
	int err = -ENOTCONN;

	if (path) {
		pthread_mutex_lock(&memory->lock);
		err = take_retire(xfer_hostpath_arg(path), request, &older);
		pthread_mutex_unlock(&memory->lock);
		xfer_hostpath_unref(path);
	}
	finish(older, 0);
	if (err)
		finish(request, err);
}

/* With the lock held: one whose answer nobody would get otherwise, or that waits for nothing. */
static struct xfer_request *take_waiting(struct memory *memory, const struct xfer_peer *peer)
{
	struct xfer_request *request;
	struct grant *grant;

	LIST_FOREACH (grant, &memory->grants, link) {
		request = grant->waiting;
		if (!request || request->peer != peer)
			continue;
		grant->waiting = NULL;
		return request;
	}
	return NULL;
}

void memory_epoch_ended(struct memory *memory, const struct xfer_peer *peer)
{
	struct xfer_request *request;

	do {
		pthread_mutex_lock(&memory->lock);
		request = take_waiting(memory, peer);
		pthread_mutex_unlock(&memory->lock);
		finish(request, 0);
	} while (request);
}

/* One whose device fails loses each of its data paths. */
static void log_end(const struct grant *grant, const char *why)
{
	unsigned suppressed;

	if (xfer_log_allowed(xfer_log_limit_of(why), RARELY_MS, &suppressed))
		xfer_warn("node %s %s: its memory is taken back, its data travels inline until it "
			  "asks for some again (%u more like this were not written)",
			grant->node, why, suppressed);
}

/* With the lock held; drops it meanwhile. The session goes on inline, and may ask for another data path. */
static void end_path(struct grant *grant, const char *why)
{
	struct memory *memory = grant->memory;
	struct xfer_hostpath *path = grant->path;
	bool had = !grant->gone && xfer_peer_leave_path(grant->peer, path);
	struct xfer_request *waiting = grant->waiting;

	grant->waiting = NULL;
	grant->taken = true;
	if (had) {
		xfer_count(XFER_CNT_PATHS_TAKEN, 1);
		log_end(grant, why);
	}
	pthread_mutex_unlock(&memory->lock);
	finish(waiting, -ENOTCONN);
	if (had) {
		xfer_hostpath_end(path);
		xfer_hostpath_unref(path);
	}
	pthread_mutex_lock(&memory->lock);
}

/* The same. */
static void end_lost(struct grant *grant)
{
	char why[sizeof(grant->lost)];

	memcpy(why, grant->lost, sizeof(why));
	grant->lost[0] = '\0';
	end_path(grant, why);
}

/* The same: a chunk of which the session says that it uses it no more. */
static void take_back(struct grant *grant)
{
	struct memory *memory = grant->memory;
	uint32_t chunk = grant->retiring;
	struct xfer_request *request;
	int err;

	pthread_mutex_unlock(&memory->lock);
	err = xfer_hostpath_remove(grant->path, chunk);
	pthread_mutex_lock(&memory->lock);
	/* Not before: meanwhile nothing else is returned. */
	grant->returned = false;
	grant->retiring = 0;
	if (err) {
		end_path(grant, "has given memory back that it still uses");
		return;
	}
	xfer_count(XFER_CNT_CHUNKS_RETIRED, 1);
	request = tell(grant);
	pthread_mutex_unlock(&memory->lock);
	finish(request, 0);
	pthread_mutex_lock(&memory->lock);
}

/* --- who is to return some: with the lock held -------------------------------------------------- */

static struct grant *grant_of(struct memory *memory, unsigned client)
{
	struct grant *grant;

	LIST_FOREACH (grant, &memory->grants, link)
		if (grant->client == client)
			return grant;
	return NULL;
}

/* What operations have left behind in passing. */
static void note_use(struct memory *memory)
{
	struct grant *grant;

	LIST_FOREACH (grant, &memory->grants, link) {
		uint64_t used = xfer_hostpath_used_ns(grant->path);

		if (used <= grant->used_ns)
			continue;
		grant->used_ns = used;
		xfer_quota_used(&memory->quota, grant->client, used);
	}
}

/* One whose path is to be ended for what its transport says, or the configuration, which may be another one since it was
 * granted; NULL: none. */
static struct grant *troubled(struct memory *memory, char why[GRANT_WHY])
{
	const char *trouble;
	struct grant *grant;
	char objection[GRANT_WHY];

	LIST_FOREACH (grant, &memory->grants, link) {
		if (grant->taken || grant->gone)
			continue;
		trouble = grant->sort->trouble(grant);
		if (trouble)
			snprintf(why, GRANT_WHY, "%s", trouble);
		else if (may_have(memory, grant->node, grant->sort == &grant_verbs, objection))
			continue;
		else
			snprintf(why, GRANT_WHY, "may not have its data path any more: %.200s",
				objection);
		return grant;
	}
	return NULL;
}

/* True: the lock was dropped meanwhile, and there may be more to do. */
static bool look(struct memory *memory)
{
	struct grant *grant;
	unsigned client;
	uint64_t bytes, now;
	char why[GRANT_WHY];

	note_use(memory);
	grant = troubled(memory, why);
	if (grant) {
		end_path(grant, why);
		return true;
	}
	now = xfer_now_ns();
	if (xfer_quota_reclaim(&memory->quota, now, &client, &bytes)) {
		grant = grant_of(memory, client);
		grant->owed = bytes;
	} else if (xfer_quota_overdue(&memory->quota, now, &client)) {
		end_path(grant_of(memory, client), "has not returned memory in time");
		return true;
	}
	LIST_FOREACH (grant, &memory->grants, link) {
		struct xfer_request *request = tell(grant);

		if (!request)
			continue;
		pthread_mutex_unlock(&memory->lock);
		finish(request, 0);
		pthread_mutex_lock(&memory->lock);
		return true;
	}
	return false;
}

/* --- the thread --------------------------------------------------------------------------------- */

/* What isn't configured, or isn't there, is said once, of a session that asks for it again and again. */
static void log_refusal(const struct xfer_request *request, int err, const char *why)
{
	bool queue_pairs = request->args.share.kind == XFER_SHARE_VERBS;
	unsigned suppressed;

	if (xfer_log_allowed(
		    xfer_log_limit_of(why), err == -EOPNOTSUPP ? RARELY_MS : LOG_MS, &suppressed))
		xfer_warn("node %s gets no data path over %s from this owner: %s; its data travels "
			  "inline (%u more like this were not written)",
			xfer_peer_node(request->peer), queue_pairs ? "RDMA" : "shared memory", why,
			suppressed);
}

static void answer(struct memory *memory, struct xfer_request *request)
{
	char why[GRANT_WHY];
	int err;

	if (request->proc == XFER_PROC_GROW) {
		xfer_request_finish(request, grow(request));
		return;
	}
	err = share(memory, request, why);
	if (err)
		log_refusal(request, err, why);
	xfer_request_finish(request, err);
}

/* With the lock held: a session has one waiting at a time, so that none keeps the others from theirs. */
static bool has_one(const struct memory *memory, const struct xfer_peer *peer)
{
	const struct xfer_request *request = memory->requests;

	while (request && request->peer != peer)
		request = request->next;
	return request != NULL;
}

void memory_request(struct memory *memory, struct xfer_request *request)
{
	bool refused;

	if (request->proc == XFER_PROC_RETIRE) {
		retire(memory, request);
		return;
	}
	request->next = NULL;
	pthread_mutex_lock(&memory->lock);
	refused = has_one(memory, request->peer);
	if (!refused) {
		*memory->last = request;
		memory->last = &request->next;
		pthread_cond_signal(&memory->changed);
	}
	pthread_mutex_unlock(&memory->lock);
	if (refused)
		xfer_request_finish(request, -EAGAIN);
}

/* With the lock held; drops it meanwhile. */
static void free_gone(struct grant *grant)
{
	struct memory *memory = grant->memory;

	LIST_REMOVE(grant, link);
	pthread_mutex_unlock(&memory->lock);
	finish(grant->waiting, -ENOTCONN);
	xfer_hostpath_free(grant->path);
	grant_free(grant);
	pthread_mutex_lock(&memory->lock);
	if (--memory->paths == 0)
		pthread_cond_broadcast(&memory->drained);
}

/* The same. */
static void answer_next(struct memory *memory)
{
	struct xfer_request *request = memory->requests;

	memory->requests = request->next;
	if (!memory->requests)
		memory->last = &memory->requests;
	pthread_mutex_unlock(&memory->lock);
	answer(memory, request);
	pthread_mutex_lock(&memory->lock);
}

/* With the lock held: one whose path is gone or lost, or that has returned something. */
static struct grant *next_grant(struct memory *memory)
{
	struct grant *grant;

	LIST_FOREACH (grant, &memory->grants, link)
		if (grant->gone || grant->lost[0] || grant->returned)
			return grant;
	return NULL;
}

static void await_change(struct memory *memory)
{
	struct timespec until = xfer_timespec(xfer_now_ns() + LOOK_MS * XFER_NS_PER_MS);

	if (LIST_EMPTY(&memory->grants))
		pthread_cond_wait(&memory->changed, &memory->lock);
	else
		pthread_cond_timedwait(&memory->changed, &memory->lock, &until);
}

static void *work(void *arg)
{
	struct memory *memory = arg;
	struct grant *grant;

	pthread_setname_np(pthread_self(), "xfer-memory");
	pthread_mutex_lock(&memory->lock);
	while (!memory->ending || memory->requests || !LIST_EMPTY(&memory->grants)) {
		grant = next_grant(memory);
		if (grant && grant->gone)
			free_gone(grant);
		else if (grant && grant->lost[0])
			end_lost(grant);
		else if (grant)
			take_back(grant);
		else if (memory->requests)
			answer_next(memory);
		else
			await_change(memory);
		/* After each of them: a flood of requests keeps nobody from what he misses. */
		while (look(memory))
			;
	}
	pthread_mutex_unlock(&memory->lock);
	return NULL;
}

/* --- life --------------------------------------------------------------------------------------- */

static void init_locks(struct memory *memory)
{
	pthread_mutex_init(&memory->lock, NULL);
	xfer_cond_init(&memory->changed);
	pthread_cond_init(&memory->drained, NULL);
}

static void fini_parts(struct memory *memory)
{
	pthread_cond_destroy(&memory->drained);
	pthread_cond_destroy(&memory->changed);
	pthread_mutex_destroy(&memory->lock);
	xfer_quota_fini(&memory->quota);
}

int memory_init(struct memory *memory, const struct memory_params *params)
{
	const struct xfer_quota_config config = {
		.total = params->total,
		.cap = params->session,
		.clients_max = CLIENTS_MAX,
		.idle_ns = (params->idle_ms ? params->idle_ms : IDLE_MS) * XFER_NS_PER_MS,
		.return_ns = (params->return_ms ? params->return_ms : RETURN_MS) * XFER_NS_PER_MS,
	};
	int err = xfer_quota_init(&memory->quota, &config);

	if (err)
		return err;
	init_locks(memory);
	memory->ending = false;
	memory->port = params->port;
	memory->poll_us = params->poll_us ? params->poll_us : XFER_VERBS_POLL_US;
	memory->may_have = params->may_have;
	memory->may_have_arg = params->arg;
	memory->listener = NULL;
	memory->requests = NULL;
	memory->last = &memory->requests;
	LIST_INIT(&memory->grants);
	memory->paths = 0;
	err = -pthread_create(&memory->thread, NULL, work, memory);
	if (err)
		fini_parts(memory);
	return err;
}

void memory_drain(struct memory *memory)
{
	pthread_mutex_lock(&memory->lock);
	while (memory->paths > 0)
		pthread_cond_wait(&memory->drained, &memory->lock);
	pthread_mutex_unlock(&memory->lock);
}

void memory_fini(struct memory *memory)
{
	pthread_mutex_lock(&memory->lock);
	memory->ending = true;
	pthread_cond_signal(&memory->changed);
	pthread_mutex_unlock(&memory->lock);
	pthread_join(memory->thread, NULL);
	xfer_verbs_listener_destroy(memory->listener);
	fini_parts(memory);
}

json_t *memory_status(struct memory *memory)
{
	json_int_t kept = (json_int_t)xfer_bufpool_kept();
	struct grant *grant;
	uint64_t owed = 0;
	json_t *json;

	pthread_mutex_lock(&memory->lock);
	LIST_FOREACH (grant, &memory->grants, link)
		owed += grant->owed;
	json = json_pack("{s:I, s:I, s:I, s:I, s:I}", "granted_bytes",
		(json_int_t)memory->quota.granted, "total_bytes",
		(json_int_t)memory->quota.config.total, "session_bytes",
		(json_int_t)memory->quota.config.cap, "owed_bytes", (json_int_t)owed, "kept_bytes",
		kept);
	pthread_mutex_unlock(&memory->lock);
	return json;
}
