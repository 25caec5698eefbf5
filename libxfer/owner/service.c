/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* service.c -- from a request to its procedure: volume, permission to use it, worker, reply */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "address.h"
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

/* --- logs -------------------------------------------------------------------------------------- */

static void log_cause(
	const struct op *op, enum peer_cause cause, const char *what, const char *remedy)
{
	const struct xfer_request *request = op->request;
	unsigned suppressed;
	uint32_t id = 0;
	char volume[XFER_NODE_MAX + 1];

	if (op->config)
		snprintf(volume, sizeof(volume), "%s", op->config->name);
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

static void anonymize(const struct config_volume *config, struct xfer_cred *cred, uint32_t *groups)
{
	if (config->squash == SQUASH_NONE)
		return;
	if (config->squash == SQUASH_ALL || cred->uid == 0) {
		*cred = (struct xfer_cred){ .uid = config->anon_uid, .gid = config->anon_gid };
		return;
	}
	if (cred->gid == 0)
		cred->gid = config->anon_gid;
	for (uint32_t i = 0; i < cred->ngroups; i++)
		if (groups[i] == 0)
			groups[i] = config->anon_gid;
}

/* Of an admitted request. */
static struct op op_of(struct service *service, struct xfer_request *request)
{
	const struct xfer_request_header *header = &request->header;
	const struct served *served = request->user;
	struct op op = {
		.service = service,
		.volume = served->volume,
		.config = served->config,
		.peer = xfer_peer_private(request->peer),
		.request = request,
		.cred = { .uid = header->uid,
			.gid = header->gid,
			.ngroups = header->ngroups,
			.groups = header->groups },
	};

	anonymize(served->config, &op.cred, header->groups);
	return op;
}

/* On a worker. The volume's queue has to stay until the pool has counted the request off. */
static void *run(void *arg, struct xfer_request *request)
{
	struct op op = op_of(arg, request);
	struct served *served = request->user;
	int err = procedures[request->proc](&op);

	if (err)
		log_error(&op, err);
	xfer_request_finish(request, err);
	return served->setup;
}

static void release(void *held)
{
	setup_put(held);
}

/* Whether an operation changes what is on the volume. */
static bool changes_volume(const struct xfer_request *request)
{
	const struct xfer_open_args *open = &request->args.open;

	switch (request->proc) {
	case XFER_PROC_OPEN:
		return open->create != XFER_NO_CREATE ||
		       open->flags & (XFER_OPEN_WRITE | XFER_OPEN_TRUNC);
	case XFER_PROC_CLOSE:
	case XFER_PROC_LOCK:
		return false;
	default:
		return xfer_proc_info(request->proc)->changes;
	}
}

static bool is_release(const struct xfer_request *request)
{
	return request->proc == XFER_PROC_CLOSE ||
	       (request->proc == XFER_PROC_LOCK && request->args.lock.op == XFER_LOCK_CLEAR);
}

/*
 * After a restart nobody changes or locks anything before those who had it locked have it again, and have settled what
 * was under way. Who isn't ready when the time is over can't go on with that: others have changed things since.
 */
static int check_grace(const struct op *op)
{
	bool grace = recovery_in_grace(op->service->recovery);
	bool recovering = xfer_peer_recovering(op->request->peer);

	if (grace == recovering || !xfer_proc_info(op->request->proc)->changes)
		return 0;
	return grace ? -EAGAIN : -(int)XFER_ST_TOO_LATE;
}

/* Whether it may come in cleartext; a session may have begun before a reload that took `insecure` out. */
static int check_privacy(const struct setup *setup, struct op *op)
{
	const struct config_node *node;

	if (xfer_request_is_private(op->request))
		return 0;
	if (op->config->require_encryption) {
		log_cause(op, PEER_NOT_ALLOWED, "it requires encryption, and this session has none",
			"give the node a certificate, and take insecure out of its entry and its "
			"Owners");
		return -(int)XFER_ST_NOT_ALLOWED;
	}
	node = config_node_find(setup->config, xfer_peer_node(op->request->peer));
	if (node && node->insecure)
		return 0;
	log_cause(op, PEER_NOT_ALLOWED,
		"this node isn't insecure any more, and its session has no TLS",
		"give the node a certificate, take insecure out of its Owners, and restart it");
	return -(int)XFER_ST_NOT_ALLOWED;
}

/* What the node may do on the volume; 0 or what the request ends with. */
static int check_rights(const struct setup *setup, struct op *op)
{
	const char *name = xfer_peer_node(op->request->peer);
	const struct config_volume_node *node = config_volume_node_find(op->config, name);
	char names[256] = "wait for node(s) ";
	int err;

	/* To give something back needs no right. */
	if (is_release(op->request))
		return 0;
	if (!node) {
		log_cause(op, PEER_NOT_ALLOWED, "this node may not use it",
			"add the node to the volume's `nodes`");
		return -(int)XFER_ST_NOT_ALLOWED;
	}
	err = check_privacy(setup, op);
	if (err)
		return err;
	err = check_grace(op);
	if (err == -EAGAIN) {
		recovery_awaited(op->service->recovery, names + strlen(names),
			sizeof(names) - strlen(names));
		log_cause(op, PEER_GRACE, "points of contact have to get back what they had locked",
			names);
	}
	if (err)
		return err;
	if ((op->config->read_only || node->read_only) && changes_volume(op->request))
		return -EROFS;
	return 0;
}

/* The volume that an operation is about, if its node may do that; 0 or a negated wire status. */
static int admit(struct setup *setup, struct op *op)
{
	struct xfer_request *request = op->request;
	struct served *served;
	uint32_t id;

	if (!xfer_handle_volume(xfer_args_handle(request->proc, &request->args), &id)) {
		log_error(op, HANDLE_BAD);
		return HANDLE_BAD;
	}
	served = setup_find(setup, id);
	if (!served) {
		log_cause(op, PEER_NO_VOLUME, "there is no volume with this id here",
			"configure it here, or correct Owner or Volume of the export");
		return -(int)XFER_ST_NO_VOLUME;
	}
	request->user = served;
	op->config = served->config;
	return check_rights(setup, op);
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

/* The end of an admitted request that no worker had. */
static void finish(struct xfer_request *request, int err)
{
	struct served *served = request->user;

	xfer_request_finish(request, err);
	setup_put(served->setup);
}

/* It has not begun, and is not going to. */
static void give_up(struct xfer_request *request)
{
	if (request->proc == XFER_PROC_READ)
		request->results.read.payload = (struct xfer_payload){ 0 };
	finish(request, -EAGAIN);
}

/* Any thread; the request is admitted, and nothing is in its way. */
static void submit(struct service *service, struct xfer_request *request)
{
	struct op op = op_of(service, request);

	if (work_submit(service->pool, &op.volume->queue, request) == 0)
		return;
	if (request->proc == XFER_PROC_CLOSE) {
		finish(request, service_close(&op)); /* must not be lost */
		return;
	}
	log_cause(&op, PEER_BUSY, "too many operations are waiting",
		"look for a slow disk, or raise `workers`");
	give_up(request);
}

/* Lane thread; the request is admitted. */
static void start(struct service *service, struct xfer_request *request)
{
	struct op op = op_of(service, request);

	atomic_fetch_add_explicit(&op.volume->operations, 1, memory_order_relaxed);
	if (xfer_proc_info(request->proc)->changes && hold_enter(&service->hold, request))
		return;
	if (done_now(&op))
		finish(request, 0);
	else
		submit(service, request);
}

/* Lane thread. */
static void dispatch(void *arg, struct xfer_request *request)
{
	struct service *service = arg;
	struct op op = { .service = service,
		.request = request,
		.peer = service_peer_get(service, request->peer) };
	struct setup *setup = service_setup(service);
	int err = op.peer ? admit(setup, &op) : -EAGAIN;

	if (err == 0) {
		start(service, request);
		return;
	}
	xfer_request_finish(request, err);
	setup_put(setup);
}

static void memory(void *arg, struct xfer_request *request)
{
	struct service *service = arg;

	memory_request(&service->memory, request);
}

static void deserted(void *arg)
{
	struct service *service = arg;

	memory_drain(&service->memory);
}

/* --- operations that need not be carried out any more -------------------------------------------- */

/* With the session's lock held. */
static void orphaned(void *arg, struct xfer_request *request)
{
	struct service *service = arg;

	hold_orphan(&service->hold, request);
}

static void orphan_gone(void *arg, struct xfer_request *request)
{
	struct service *service = arg;
	struct xfer_request *released = hold_orphan_gone(&service->hold, request), *next;

	for (; released; released = next) {
		next = released->next;
		submit(service, released);
	}
}

static void give_up_all(struct xfer_request *requests)
{
	struct xfer_request *next;

	for (; requests; requests = next) {
		next = requests->next;
		give_up(requests);
	}
}

/* Takes back what has not begun. */
static void take_back(struct service *service,
	bool (*match)(const void *arg, const struct xfer_request *request), const void *arg)
{
	struct setup *setup = service_setup(service);

	give_up_all(hold_take_back(&service->hold, match, arg));
	for (unsigned i = 0; i < setup->nvolumes; i++)
		give_up_all(work_take_back(
			service->pool, &setup->volumes[i].volume->queue, match, arg));
	setup_put(setup);
}

struct cancelled {
	const struct xfer_peer *peer;
	const struct xfer_cancel_args *args;
};

static bool is_cancelled(const void *arg, const struct xfer_request *request)
{
	const struct cancelled *cancelled = arg;

	return request->peer == cancelled->peer &&
	       request->header.call_slot == cancelled->args->call_slot &&
	       request->header.sequence == cancelled->args->sequence;
}

static void cancel(void *arg, struct xfer_peer *peer, const struct xfer_cancel_args *args)
{
	const struct cancelled cancelled = { peer, args };

	take_back(arg, is_cancelled, &cancelled);
}

static bool is_of(const void *arg, const struct xfer_request *request)
{
	return request->peer == arg;
}

static bool is_unheard(const void *arg, const struct xfer_request *request)
{
	return request->peer == arg && !xfer_proc_info(request->proc)->changes;
}

/* What changes nothing is executed again when it is sent again, so without a connection it is of no use. */
static void epoch_ended(void *arg, struct xfer_peer *peer)
{
	struct service *service = arg;

	service_peer_epoch_ended(service, peer);
	memory_epoch_ended(&service->memory, peer);
	take_back(arg, is_unheard, peer);
}

static void abandoned(void *arg, struct xfer_peer *peer)
{
	service_peer_lost(arg, peer);
	take_back(arg, is_of, peer);
}

/* --- what is served ---------------------------------------------------------------------------- */

struct setup *service_setup(struct service *service)
{
	struct setup *setup;

	pthread_mutex_lock(&service->setup_lock);
	setup = setup_get(service->setup);
	pthread_mutex_unlock(&service->setup_lock);
	return setup;
}

/* Some opens of a volume, of any session; how many. */
static unsigned take_opens(
	struct service *service, const struct volume *volume, struct file **files, unsigned max)
{
	struct peer_state *peer;
	unsigned count = 0;

	pthread_mutex_lock(&service->peers_lock);
	LIST_FOREACH (peer, &service->peers, link)
		count += opens_take_volume(&peer->opens, volume, files + count, max - count);
	pthread_mutex_unlock(&service->peers_lock);
	return count;
}

/* Nothing works on the volume any more: what was open on it is closed, before its lock is given up. */
static void volume_gone(void *arg, struct volume *volume)
{
	struct service *service = arg;
	struct file *files[64];
	unsigned count;

	while ((count = take_opens(service, volume, files, 64)) > 0)
		while (count > 0)
			file_put(files[--count]);
	if (service->cache) /* else it never began to serve */
		filecache_forget_volume(service->cache, volume);
	/* It may come again, and not know what was promised. */
	if (service->coherence)
		coherence_doubt_all(service->coherence);
	xfer_info("%s isn't served any more", volume->path);
}

int service_open_volumes(struct service *service, struct config *config,
	const struct store_ops *store, unsigned lock_ms)
{
	memset(service, 0, sizeof(*service));
	pthread_mutex_init(&service->setup_lock, NULL);
	pthread_mutex_init(&service->peers_lock, NULL);
	hold_init(&service->hold);
	LIST_INIT(&service->peers);
	service->params = (struct setup_params){
		.store = store, .lock_ms = lock_ms, .gone = volume_gone, .arg = service
	};
	return setup_create(NULL, config, &service->params, &service->setup);
}

/* Each volume has threads of its own, in effect: together they never ask for more than there are. */
static int set_caps(struct service *service, const struct setup *setup)
{
	unsigned threads = 0;

	for (unsigned i = 0; i < setup->nvolumes; i++) {
		threads += setup->volumes[i].config->workers;
		work_queue_set_cap(service->pool, &setup->volumes[i].volume->queue,
			setup->volumes[i].config->workers);
	}
	return work_pool_grow(service->pool, threads);
}

int service_reload(struct service *service, struct config *config)
{
	struct setup *setup, *old = service->setup;
	int err = setup_create(old, config, &service->params, &setup);

	if (err)
		return err;
	err = set_caps(service, setup);
	if (err)
		xfer_warn(
			"there are fewer threads than volumes want: %s; lower `workers` or raise TasksMax",
			strerror(-err));
	pthread_mutex_lock(&service->setup_lock);
	service->setup = setup;
	pthread_mutex_unlock(&service->setup_lock);
	setup_put(old);
	return 0;
}

/* --- life -------------------------------------------------------------------------------------- */

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

static int add_ghost(void *arg, const char *node, const uint8_t boot_id[16])
{
	return coherence_add_ghost(arg, node, boot_id);
}

/* Who may still believe what a predecessor promised is waited for. */
static int start_coherence(struct service *service)
{
	int err = coherence_create(service->lease_ms, &service->coherence);

	if (err == 0)
		err = recovery_each_awaited(service->recovery, add_ghost, service->coherence);
	if (err)
		xfer_error("promises can't be kept: %s; check memory", strerror(-err));
	return err;
}

/* Where this owner listens for connections; 0: only on Unix sockets. */
static uint16_t first_port(const struct config *config)
{
	struct xfer_address address;

	for (unsigned i = 0; i < config->nlisten; i++)
		if (xfer_address_parse(config->listen[i], &address) == 0 && !address.local)
			return (uint16_t)strtoul(address.port, NULL, 10);
	return 0;
}

/* A volume of the node's whose data must not leave a node without encryption; NULL: none. */
static const struct config_volume *encrypted_volume(const struct config *config, const char *node)
{
	for (unsigned i = 0; i < config->nvolumes; i++)
		if (config->volumes[i].require_encryption &&
			config_volume_node_find(&config->volumes[i], node))
			return &config->volumes[i];
	return NULL;
}

static bool may_have_path(
	const struct config *config, const char *name, enum xfer_path path, char *why, size_t len)
{
	const struct config_node *node = config_node_find(config, name);
	const struct config_volume *volume = encrypted_volume(config, name);

	/* One that a reload has taken out has no volume to use it for. */
	if (node && !xfer_path_wish_leaves(node->path, path)) {
		snprintf(why, len, "its entry in nodes says path = \"%s\"",
			xfer_path_wish_name(node->path));
		return false;
	}
	/* A point of contact doesn't know which volumes these are, so it has none of which it could send their data. */
	if (volume && path == XFER_PATH_VERBS) {
		snprintf(why, len,
			"it may use volume %s, which has require_encryption, and RDMA isn't "
			"encrypted",
			volume->name);
		return false;
	}
	return true;
}

/* Of struct memory_params. */
static bool may_have(void *arg, const char *node, enum xfer_path path, char *why, size_t len)
{
	struct setup *setup = service_setup(arg);
	bool may = may_have_path(setup->config, node, path, why, len);

	setup_put(setup);
	return may;
}

static int start_memory(struct service *service)
{
	const struct config *config = service->setup->config;
	const struct memory_params params = { .total = (uint64_t)config->memory << 20,
		.session = (uint64_t)config->session_memory << 20,
		.port = first_port(config),
		.poll_us = config->rdma_poll_us,
		.may_have = may_have,
		.arg = service };
	int err = memory_init(&service->memory, &params);

	if (err)
		xfer_error("memory can't be shared: %s; check memory, or raise TasksMax",
			strerror(-err));
	return err;
}

static int start_threads(struct service *service)
{
	struct work_pool_params pool = {
		.queued_max = QUEUED_MAX,
		.run = run,
		.release = release,
		.arg = service,
	};
	int err = filecache_create(CACHED_FILES, &service->cache);

	if (err == 0)
		err = work_pool_create(&pool, &service->pool);
	if (err == 0)
		err = set_caps(service, service->setup);
	if (err)
		xfer_error("threads can't be started: %s; lower `workers` or raise TasksMax",
			strerror(-err));
	return err;
}

/* What was started of it. */
static void stop_parts(struct service *service)
{
	work_pool_destroy(service->pool);
	memory_fini(&service->memory);
	filecache_destroy(service->cache);
	coherence_destroy(service->coherence);
	verifier_fini(&service->verifier);
	recovery_destroy(service->recovery);
	service->pool = NULL;
	service->cache = NULL;
	service->coherence = NULL;
}

int service_start(struct service *service)
{
	const struct config *config = service->setup->config;
	struct recovery_params recovery = { .state_dir = config->state_dir,
		.grace_ms = config->grace * 1000 };
	int err = recovery_create(&recovery, &service->recovery);

	if (err)
		return err;
	err = start_memory(service);
	if (err) {
		recovery_destroy(service->recovery);
		return err;
	}
	err = verifier_init(&service->verifier, config->state_dir);
	if (err) {
		memory_fini(&service->memory);
		recovery_destroy(service->recovery);
		return err;
	}
	set_opens_limit(&service->opens);
	err = start_coherence(service);
	if (err == 0)
		err = start_threads(service);
	if (err) {
		stop_parts(service);
		return err;
	}
	service->ops = (struct xfer_service){
		.admit = service_admit,
		.dispatch = dispatch,
		.peer_gone = service_peer_gone,
		.status = service_status,
		.write_verifier = write_verifier,
		.remember = service_remember,
		.began = service_peer_began,
		.recovered = service_peer_recovered,
		.ended = service_peer_ended,
		.orphaned = orphaned,
		.orphan_gone = orphan_gone,
		.cancel = cancel,
		.epoch_ended = epoch_ended,
		.abandoned = abandoned,
		.opens = service_peer_opens,
		.unsettled = service_peer_unsettled,
		.events = service_events,
		.memory = memory,
		.deserted = deserted,
	};
	return 0;
}

/* Volumes that go close what is cached of them, and tell of it. */
void service_stop(struct service *service)
{
	bool started = service->pool != NULL;

	work_pool_destroy(service->pool);
	service->pool = NULL;
	setup_put(service->setup);
	if (started)
		stop_parts(service);
	pthread_mutex_destroy(&service->setup_lock);
	pthread_mutex_destroy(&service->peers_lock);
	hold_fini(&service->hold);
}
