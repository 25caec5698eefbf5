/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* memory.c -- the memory that sessions place their data in: how much there is, and who has it */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bufpool.h"
#include "clock.h"
#include "control/dispatcher.h"
#include "core/layout.h"
#include "log.h"
#include "owner/memory.h"
#include "transport/shm.h"

#define CLIENTS_MAX 256u
#define IDLE_NS     (60000 * XFER_NS_PER_MS)
#define LOG_MS      10000

/* One data path's part of it. */
struct grant {
	struct memory *memory;
	unsigned client;
	struct xfer_transport *transport; /* gone: what is to be unmapped */
	struct grant *next;               /* gone */
};

/* --- grants ------------------------------------------------------------------------------------- */

static struct grant *grant_new(struct memory *memory)
{
	struct grant *grant = malloc(sizeof(*grant));
	int client;

	if (!grant)
		return NULL;
	pthread_mutex_lock(&memory->lock);
	client = xfer_quota_join(&memory->quota, xfer_now_ns());
	pthread_mutex_unlock(&memory->lock);
	if (client < 0) {
		free(grant);
		return NULL;
	}
	*grant = (struct grant){ .memory = memory, .client = (unsigned)client };
	return grant;
}

static void grant_free(struct grant *grant)
{
	pthread_mutex_lock(&grant->memory->lock);
	xfer_quota_leave(&grant->memory->quota, grant->client);
	pthread_mutex_unlock(&grant->memory->lock);
	free(grant);
}

/* Nothing uses the data path any more; on any thread. */
static void path_gone(void *arg, struct xfer_transport *transport)
{
	struct grant *grant = arg;
	struct memory *memory = grant->memory;

	grant->transport = transport;
	pthread_mutex_lock(&memory->lock);
	grant->next = memory->gone;
	memory->gone = grant;
	pthread_cond_signal(&memory->changed);
	pthread_mutex_unlock(&memory->lock);
}

/* All of it or nothing. */
static bool ask(struct grant *grant, uint64_t bytes)
{
	struct memory *memory = grant->memory;
	uint64_t granted;

	pthread_mutex_lock(&memory->lock);
	granted = xfer_quota_grant(&memory->quota, grant->client, bytes, bytes, xfer_now_ns());
	pthread_mutex_unlock(&memory->lock);
	return granted == bytes;
}

static void give_back(struct grant *grant, uint64_t bytes)
{
	pthread_mutex_lock(&grant->memory->lock);
	xfer_quota_return(&grant->memory->quota, grant->client, bytes);
	pthread_mutex_unlock(&grant->memory->lock);
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

/* Memory for what is asked for, or for less. None: the payload of WRITEs stays inline. */
static void make_memory(struct grant *grant, uint32_t lanes, struct xfer_slot_layout *layout,
	struct xfer_shm_memory *made)
{
	uint64_t bytes;

	do {
		bytes = xfer_layout_bytes(layout, lanes);
		if (bytes > 0 && ask(grant, bytes)) {
			if (xfer_shm_make(bytes, made) == 0)
				return;
			give_back(grant, bytes);
			break;
		}
	} while (halve(layout));
	layout->nclasses = 0;
}

/* --- SHARE -------------------------------------------------------------------------------------- */

/*
 * What the caller has brought; it isn't in the quota, which is for what this process makes, but mapping it costs page
 * tables here. 0 bytes: nothing, its READs are answered inline.
 */
static int map_theirs(const struct memory *memory, const struct xfer_request *request,
	struct xfer_shm_memory *theirs)
{
	const struct xfer_share_args *args = &request->args.share;
	uint64_t bytes = xfer_layout_bytes(&args->read, args->lanes);

	if (args->read.nclasses == 0)
		return 0;
	if (bytes > memory->quota.config.cap)
		return -EFBIG;
	return bytes > 0 ? xfer_shm_map(request->fd, bytes, theirs) : -EINVAL;
}

static int make_path(const struct xfer_request *request, struct grant *grant,
	struct xfer_shm_memory *ours, struct xfer_shm_memory *theirs, struct xfer_hostpath **path)
{
	const struct xfer_share_args *args = &request->args.share;
	struct xfer_hostpath_params params = {
		.epoch = args->epoch,
		.lanes = args->lanes,
		.write = request->results.share.write,
		.read = args->read,
		.gone = path_gone,
		.arg = grant,
	};
	int err = xfer_shm_create(ours, theirs, &params.transport);

	return err ? err : xfer_hostpath_create(&params, path);
}

static int share(struct memory *memory, struct xfer_request *request)
{
	const struct xfer_share_args *args = &request->args.share;
	struct xfer_share_res *res = &request->results.share;
	struct xfer_shm_memory ours = { .fd = -1 }, theirs = { .fd = -1 };
	struct xfer_hostpath *path;
	struct grant *grant;
	int err =
		args->epoch == 0 || args->lanes == 0 || args->lanes > XFER_LANES_MAX ? -EINVAL : 0;

	if (memory->quota.config.total == 0 || memory->quota.config.cap == 0 ||
		!request->dispatcher->identity.local)
		return -EOPNOTSUPP;
	if (err == 0)
		err = map_theirs(memory, request, &theirs);
	if (err)
		return err;
	grant = grant_new(memory);
	if (!grant) {
		xfer_shm_unmap(&theirs);
		return -ENOSPC;
	}
	res->write = args->write;
	make_memory(grant, args->lanes, &res->write, &ours);
	if (ours.bytes > 0)
		err = xfer_request_put_fd(request, ours.fd);
	xfer_shm_close(&ours);
	if (err) {
		xfer_shm_unmap(&ours);
		xfer_shm_unmap(&theirs);
	} else {
		err = make_path(request, grant, &ours, &theirs, &path);
	}
	if (err)
		grant_free(grant);
	else
		err = xfer_peer_take_path(request, path);
	return err;
}

static void log_refusal(const struct xfer_request *request, int err)
{
	unsigned suppressed;
	const char *cause =
		err == -EINVAL   ? "what it offers isn't sealed memory of the size it says"
		: err == -EFBIG  ? "it offers more than session_memory: raise that, or lower "
				   "its Small_Slots and Large_Slots"
		: err == -ENOSPC ? "too many sessions have some"
				 : strerror(-err);

	if (xfer_log_allowed(xfer_log_limit_of(cause), LOG_MS, &suppressed))
		xfer_warn(
			"node %s shares no memory with this owner: %s; its data travels inline (%u "
			"more like this were not written)",
			xfer_peer_node(request->peer), cause, suppressed);
}

static void answer(struct memory *memory, struct xfer_request *request)
{
	int err = share(memory, request);

	if (err)
		request->results.share.write.nclasses = 0;
	if (err && err != -EOPNOTSUPP)
		log_refusal(request, err);
	xfer_request_finish(request, err);
}

void memory_share(struct memory *memory, struct xfer_request *request)
{
	request->next = NULL;
	pthread_mutex_lock(&memory->lock);
	*memory->last = request;
	memory->last = &request->next;
	pthread_cond_signal(&memory->changed);
	pthread_mutex_unlock(&memory->lock);
}

/* --- the thread --------------------------------------------------------------------------------- */

/* With the lock held; drops it meanwhile. */
static void give_gone(struct memory *memory)
{
	struct grant *grant = memory->gone;

	memory->gone = grant->next;
	pthread_mutex_unlock(&memory->lock);
	grant->transport->ops->free(grant->transport);
	grant_free(grant);
	pthread_mutex_lock(&memory->lock);
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

static void *work(void *arg)
{
	struct memory *memory = arg;

	pthread_setname_np(pthread_self(), "xfer-memory");
	pthread_mutex_lock(&memory->lock);
	while (!memory->ending || memory->gone || memory->requests) {
		if (memory->gone)
			give_gone(memory);
		else if (memory->requests)
			answer_next(memory);
		else
			pthread_cond_wait(&memory->changed, &memory->lock);
	}
	pthread_mutex_unlock(&memory->lock);
	return NULL;
}

int memory_init(struct memory *memory, uint64_t total, uint64_t session)
{
	const struct xfer_quota_config config = {
		.total = total,
		.cap = session,
		.clients_max = CLIENTS_MAX,
		.idle_ns = IDLE_NS,
		.return_ns = IDLE_NS,
	};
	int err = xfer_quota_init(&memory->quota, &config);

	if (err)
		return err;
	pthread_mutex_init(&memory->lock, NULL);
	pthread_cond_init(&memory->changed, NULL);
	memory->ending = false;
	memory->requests = NULL;
	memory->last = &memory->requests;
	memory->gone = NULL;
	err = -pthread_create(&memory->thread, NULL, work, memory);
	if (err) {
		pthread_cond_destroy(&memory->changed);
		pthread_mutex_destroy(&memory->lock);
		xfer_quota_fini(&memory->quota);
	}
	return err;
}

void memory_fini(struct memory *memory)
{
	pthread_mutex_lock(&memory->lock);
	memory->ending = true;
	pthread_cond_signal(&memory->changed);
	pthread_mutex_unlock(&memory->lock);
	pthread_join(memory->thread, NULL);
	pthread_cond_destroy(&memory->changed);
	pthread_mutex_destroy(&memory->lock);
	xfer_quota_fini(&memory->quota);
}

json_t *memory_status(struct memory *memory)
{
	json_int_t kept = (json_int_t)xfer_bufpool_kept();
	json_t *json;

	pthread_mutex_lock(&memory->lock);
	json = json_pack("{s:I, s:I, s:I, s:I}", "granted_bytes", (json_int_t)memory->quota.granted,
		"total_bytes", (json_int_t)memory->quota.config.total, "session_bytes",
		(json_int_t)memory->quota.config.cap, "kept_bytes", kept);
	pthread_mutex_unlock(&memory->lock);
	return json;
}
