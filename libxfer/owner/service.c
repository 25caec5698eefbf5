/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* service.c -- from a request to its procedure: volume, permission to use it, worker, reply */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "owner/service.h"

#define QUEUED_MAX        8192u
#define CACHED_FILES      512u
#define OPENS_PER_PEER    65536u
#define SPARE_DESCRIPTORS 256u /* for connections and what operations use for a moment */
#define LOG_MS            10000

static const service_fn procedures[XFER_PROC_COUNT] = {
	[XFER_PROC_LOOKUP] = service_lookup,
	[XFER_PROC_GETATTR] = service_getattr,
	[XFER_PROC_SETATTR] = service_setattr,
	[XFER_PROC_READDIR] = service_readdir,
	[XFER_PROC_OPEN] = service_open,
	[XFER_PROC_CLOSE] = service_close,
	[XFER_PROC_CREATE] = service_create,
	[XFER_PROC_UNLINK] = service_unlink,
	[XFER_PROC_RENAME] = service_rename,
	[XFER_PROC_READ] = service_read,
	[XFER_PROC_WRITE] = service_write,
	[XFER_PROC_COMMIT] = service_commit,
	[XFER_PROC_STATFS] = service_statfs,
	[XFER_PROC_READLINK] = service_readlink,
	[XFER_PROC_LINK] = service_link,
	[XFER_PROC_LOCK] = service_lock,
	[XFER_PROC_SEEK] = service_seek,
	[XFER_PROC_ALLOCATE] = service_allocate,
	[XFER_PROC_GETXATTR] = service_getxattr,
	[XFER_PROC_SETXATTR] = service_setxattr,
	[XFER_PROC_LISTXATTR] = service_listxattr,
	[XFER_PROC_REMOVEXATTR] = service_removexattr,
};

/* --- peers ------------------------------------------------------------------------------------- */

/* NULL: out of memory. Lanes of one session may come here at the same time. */
static struct peer_state *peer_get(struct service *service, struct xfer_peer *peer)
{
	struct peer_state *state;

	pthread_mutex_lock(&service->peers_lock);
	state = xfer_peer_private(peer);
	if (!state) {
		state = calloc(1, sizeof(*state));
		if (state)
			opens_init(&state->opens, &service->opens);
		xfer_peer_set_private(peer, state);
	}
	pthread_mutex_unlock(&service->peers_lock);
	return state;
}

static void peer_gone(void *arg, struct xfer_peer *peer)
{
	struct peer_state *state = xfer_peer_private(peer);

	(void)arg;
	if (!state)
		return;
	opens_fini(&state->opens);
	free(state);
}

/* --- logs -------------------------------------------------------------------------------------- */

static void log_cause(
	const struct op *op, enum peer_cause cause, const char *what, const char *remedy)
{
	const struct xfer_request *request = op->request;
	unsigned suppressed;
	uint32_t id = 0;
	char volume[XFER_NODE_MAX + 1];

	if (op->volume)
		snprintf(volume, sizeof(volume), "%s", op->volume->config->name);
	else if (xfer_handle_volume(xfer_args_handle(request->proc, &request->args), &id))
		snprintf(volume, sizeof(volume), "with id 0x%08x", id);
	else
		snprintf(volume, sizeof(volume), "of a handle that is too short");
	if (xfer_log_allowed(&op->peer->limits[cause], LOG_MS, &suppressed))
		xfer_warn("%s of node %s on volume %s: %s; %s (%u more like this were not "
			  "written)",
			xfer_proc_info(request->proc)->name, xfer_peer_node(request->peer), volume,
			what, remedy, suppressed);
}

/* Errors that an administrator should hear of; most are the caller's business alone. */
static void log_error(const struct op *op, int err)
{
	switch (err) {
	case HANDLE_BAD:
		log_cause(op, PEER_BAD_HANDLE, "the handle is forged or was made with another key",
			"restore the volume's handle.key if it was lost, else look for who sends it");
		break;
	case -EAGAIN:
		if (op->request->proc == XFER_PROC_OPEN)
			log_cause(op, PEER_OPENS, "too many files are open",
				"raise LimitNOFILE of rdmaxferd if this goes on");
		break;
	case -EIO:
	case -EROFS:
	case -EUCLEAN:
	case -ENOMEM:
	case -EMFILE:
	case -ENFILE:
		log_cause(
			op, PEER_FAULT, strerror(-err), "check the volume's file system and disk");
		break;
	default:
		break;
	}
}

/* --- operations -------------------------------------------------------------------------------- */

static struct op op_of(struct service *service, struct volume *volume, struct xfer_request *request)
{
	const struct xfer_request_header *header = &request->header;

	return (struct op){
		.service = service,
		.volume = volume,
		.peer = xfer_peer_private(request->peer),
		.request = request,
		.cred = { .uid = header->uid,
			.gid = header->gid,
			.ngroups = header->ngroups,
			.groups = header->groups },
	};
}

/* On a worker. */
static void run(void *arg, struct work_queue *queue, struct xfer_request *request)
{
	struct volume *volume = (struct volume *)((char *)queue - offsetof(struct volume, queue));
	struct op op = op_of(arg, volume, request);
	int err = procedures[request->proc](&op);

	if (err)
		log_error(&op, err);
	xfer_request_finish(request, err);
}

static struct volume *volume_find(struct service *service, uint32_t id)
{
	for (unsigned i = 0; i < service->nvolumes; i++)
		if (service->volumes[i]->maker.volume_id == id)
			return service->volumes[i];
	return NULL;
}

/* The volume that an operation is about, if its node may use it; 0 or a negated wire status. */
static int volume_of(struct service *service, struct op *op)
{
	struct xfer_request *request = op->request;
	uint32_t id;

	if (!xfer_handle_volume(xfer_args_handle(request->proc, &request->args), &id)) {
		log_error(op, HANDLE_BAD);
		return HANDLE_BAD;
	}
	op->volume = volume_find(service, id);
	if (!op->volume) {
		log_cause(op, PEER_NO_VOLUME, "there is no volume with this id here",
			"configure it here, or correct Owner or Volume of the export");
		return -(int)XFER_ST_NO_VOLUME;
	}
	if (!volume_allows(op->volume, xfer_peer_node(request->peer))) {
		log_cause(op, PEER_NOT_ALLOWED, "this node may not use it",
			"add the node to the volume's `nodes`");
		return -(int)XFER_ST_NOT_ALLOWED;
	}
	return 0;
}

/* What needs neither a disk nor a lock is done by the lane, which saves a wake-up. */
static bool done_now(const struct op *op)
{
	switch (op->request->proc) {
	case XFER_PROC_READ:
		return service_read_now(op);
	case XFER_PROC_WRITE:
		return service_write_now(op);
	default:
		return false;
	}
}

/* Lane thread. */
static void dispatch(void *arg, struct xfer_request *request)
{
	struct service *service = arg;
	struct op op = { .request = request, .peer = peer_get(service, request->peer) };
	int err = op.peer ? volume_of(service, &op) : -EAGAIN;

	if (err) {
		xfer_request_finish(request, err);
		return;
	}
	op = op_of(service, op.volume, request);
	atomic_fetch_add_explicit(&op.volume->operations, 1, memory_order_relaxed);
	if (done_now(&op)) {
		xfer_request_finish(request, 0);
		return;
	}
	err = work_submit(service->pool, &op.volume->queue, request);
	if (err == 0)
		return;
	if (request->proc == XFER_PROC_CLOSE) {
		xfer_request_finish(request, service_close(&op)); /* must not be lost */
		return;
	}
	log_cause(&op, PEER_BUSY, "too many operations are waiting",
		"look for a slow disk, or raise `workers`");
	if (request->proc == XFER_PROC_READ)
		request->results.read.payload = (struct xfer_payload){ 0 };
	xfer_request_finish(request, -EAGAIN);
}

/* --- life -------------------------------------------------------------------------------------- */

static int open_volume(struct service *service, const struct volume_params *params)
{
	char message[512] = "";
	struct volume *volume;
	int err = volume_open(params, &volume, message, sizeof(message));

	if (err) {
		xfer_error("volume %s: %s", params->config->name, message);
		return err;
	}
	service->volumes[service->nvolumes++] = volume;
	xfer_info("volume %s (id 0x%08x) is %s", params->config->name, params->config->id,
		params->config->path);
	return 0;
}

int service_open_volumes(struct service *service, const struct config *config,
	const struct store_ops *store, unsigned lock_ms)
{
	int err = 0;

	memset(service, 0, sizeof(*service));
	pthread_mutex_init(&service->peers_lock, NULL);
	service->config = config;
	service->volumes = calloc(config->nvolumes + 1, sizeof(*service->volumes));
	if (!service->volumes)
		return -ENOMEM;
	for (unsigned i = 0; i < config->nvolumes && err == 0; i++) {
		struct volume_params params = {
			.config = &config->volumes[i],
			.store = store,
			.state_dir = config->state_dir,
			.lock_ms = lock_ms,
		};

		err = open_volume(service, &params);
	}
	return err;
}

/* As many opens as there are descriptors for. */
static void set_opens_limit(struct opens_limit *limit)
{
	struct rlimit files = { 0 };

	getrlimit(RLIMIT_NOFILE, &files);
	if (files.rlim_cur > INT32_MAX)
		files.rlim_cur = INT32_MAX;
	limit->max = files.rlim_cur > 2 * (SPARE_DESCRIPTORS + CACHED_FILES)
			     ? (unsigned)files.rlim_cur - SPARE_DESCRIPTORS - CACHED_FILES
			     : (unsigned)files.rlim_cur / 2;
	limit->max_peer = OPENS_PER_PEER;
}

static void write_verifier(void *owner, uint8_t verifier[8])
{
	struct service *service = owner;

	verifier_get(&service->verifier, verifier);
}

int service_start(struct service *service)
{
	struct work_pool_params pool = { .threads = service->config->workers,
		.queued_max = QUEUED_MAX,
		.run = run,
		.arg = service };
	int err = verifier_init(&service->verifier, service->config->state_dir);

	if (err)
		return err;
	set_opens_limit(&service->opens);
	err = filecache_create(CACHED_FILES, &service->cache);
	if (err == 0)
		err = work_pool_create(&pool, &service->pool);
	if (err) {
		xfer_error("threads can't be started: %s; lower `workers` or raise TasksMax",
			strerror(-err));
		filecache_destroy(service->cache);
		service->cache = NULL;
		verifier_fini(&service->verifier);
		return err;
	}
	service->ops = (struct xfer_service){
		.admit = service_admit,
		.dispatch = dispatch,
		.peer_gone = peer_gone,
		.status = service_status,
		.write_verifier = write_verifier,
	};
	return 0;
}

void service_stop(struct service *service)
{
	if (service->pool) {
		work_pool_destroy(service->pool);
		filecache_destroy(service->cache);
		verifier_fini(&service->verifier);
	}
	for (unsigned i = 0; i < service->nvolumes; i++)
		volume_close(service->volumes[i]);
	free(service->volumes);
	pthread_mutex_destroy(&service->peers_lock);
}
