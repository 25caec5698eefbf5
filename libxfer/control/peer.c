/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* peer.c -- the serving end of sessions: HELLO answered, limits agreed, epochs, tokens, lifetimes */

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "boot.h"
#include "clock.h"
#include "control/dispatcher.h"
#include "control/peer.h"
#include "log.h"
#include "xfer/tls.h"

#define REFUSALS_MS 60000 /* the same refusal is logged again after so long */

static uint32_t min_u32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

const char *xfer_peer_node(const struct xfer_peer *peer)
{
	return peer->node;
}

uint64_t xfer_peer_session_id(const struct xfer_peer *peer)
{
	return peer->session_id;
}

const uint8_t *xfer_peer_boot_id(const struct xfer_peer *peer)
{
	return peer->boot_id;
}

bool xfer_peer_recovering(const struct xfer_peer *peer)
{
	return peer->recovering;
}

void xfer_peer_set_private(struct xfer_peer *peer, void *data)
{
	peer->data = data;
}

void *xfer_peer_private(const struct xfer_peer *peer)
{
	return peer->data;
}

void xfer_peer_ref(struct xfer_peer *peer)
{
	atomic_fetch_add(&peer->refs, 1);
}

/* --- the data path ---------------------------------------------------------------------------- */

struct xfer_hostpath *xfer_peer_path(struct xfer_peer *peer)
{
	struct xfer_hostpath *path;

	pthread_mutex_lock(&peer->calls_lock);
	path = peer->path;
	if (path)
		xfer_hostpath_ref(path);
	pthread_mutex_unlock(&peer->calls_lock);
	return path;
}

/* What uses a slot of it goes on with that. */
static void give_up_path(struct xfer_hostpath *path)
{
	if (path)
		xfer_hostpath_end(path);
	xfer_hostpath_unref(path);
}

int xfer_peer_take_path(const struct xfer_request *request, struct xfer_hostpath *path)
{
	struct xfer_peer *peer = request->peer;
	uint32_t epoch = xfer_hostpath_epoch(path);
	struct xfer_hostpath *useless = path;
	int err = 0;

	pthread_mutex_lock(&peer->calls_lock);
	if (!xfer_peer_goes_on(peer, request->dispatcher->epoch)) {
		err = -EAGAIN;
	} else if (xfer_serial_order(epoch, peer->path_epoch) <= 0) {
		err = -EINVAL;
	} else {
		useless = peer->path;
		peer->path = path;
		peer->path_epoch = epoch;
	}
	pthread_mutex_unlock(&peer->calls_lock);
	give_up_path(useless);
	return err;
}

/* With calls_lock held: what is to be given up without it. */
static struct xfer_hostpath *detach_path(struct xfer_peer *peer)
{
	struct xfer_hostpath *path = peer->path;

	peer->path = NULL;
	return path;
}

bool xfer_peer_leave_path(struct xfer_peer *peer, const struct xfer_hostpath *path)
{
	bool had;

	pthread_mutex_lock(&peer->calls_lock);
	had = peer->path == path;
	if (had)
		peer->path = NULL;
	pthread_mutex_unlock(&peer->calls_lock);
	return had;
}

static void end_path(struct xfer_peer *peer)
{
	struct xfer_hostpath *path;

	pthread_mutex_lock(&peer->calls_lock);
	path = detach_path(peer);
	pthread_mutex_unlock(&peer->calls_lock);
	give_up_path(path);
}

void xfer_peer_put_thread(struct xfer_peer *peer, uint32_t number, struct xfer_lane *thread)
{
	if (number >= XFER_LANES_MAX)
		return;
	pthread_mutex_lock(&peer->calls_lock);
	peer->threads[number] = thread;
	pthread_mutex_unlock(&peer->calls_lock);
}

void xfer_peer_threads(
	struct xfer_peer *peer, uint32_t lanes, struct xfer_lane *threads[XFER_LANES_MAX])
{
	pthread_mutex_lock(&peer->calls_lock);
	for (uint32_t i = 0; i < lanes; i++)
		threads[i] = peer->threads[i] ? peer->threads[i] : peer->threads[0];
	pthread_mutex_unlock(&peer->calls_lock);
}

/* --- references ------------------------------------------------------------------------------- */

/* The list of sessions holds a reference, so one that is found with the lock held can't go. */
void xfer_peer_unref(struct xfer_peer *peer)
{
	struct xfer_peers *peers = peer->peers;

	if (atomic_fetch_sub(&peer->refs, 1) != 1)
		return;
	end_path(peer);
	peers->service->peer_gone(peers->owner, peer);
	xfer_replycache_fini(&peer->calls);
	pthread_mutex_destroy(&peer->calls_lock);
	free(peer);
}

/* --- the end of sessions ---------------------------------------------------------------------- */

/* With the lock held: it is found no more; `ended` collects those that are to be buried without it. */
static void take_out(struct xfer_peer *peer, struct xfer_peer_list *ended)
{
	pthread_mutex_lock(&peer->calls_lock);
	peer->ended = true;
	pthread_mutex_unlock(&peer->calls_lock);
	LIST_REMOVE(peer, link);
	LIST_INSERT_HEAD(ended, peer, link);
}

/* Without the lock. */
static void tell_end(struct xfer_peer *peer)
{
	struct xfer_peers *peers = peer->peers;

	end_path(peer);
	if (peers->service->ended)
		peers->service->ended(peers->owner, peer);
}

/* The same for all that were taken out. */
static void bury(struct xfer_peers *peers, struct xfer_peer_list *ended, const char *why)
{
	struct xfer_peer *peer;

	while ((peer = LIST_FIRST(ended))) {
		LIST_REMOVE(peer, link);
		xfer_info("session %016llx of node %s has ended: %s",
			(unsigned long long)peer->session_id, peer->node, why);
		if (peers->service->abandoned)
			peers->service->abandoned(peers->owner, peer);
		tell_end(peer);
		xfer_peer_unref(peer);
	}
}

void xfer_peers_tick(struct xfer_peers *peers, uint64_t now_ns)
{
	struct xfer_peer_list ended = LIST_HEAD_INITIALIZER(ended);
	struct xfer_peer *peer, *next;

	pthread_mutex_lock(&peers->lock);
	for (peer = LIST_FIRST(&peers->list); peer; peer = next) {
		next = LIST_NEXT(peer, link);
		if (peer->connections == 0 && now_ns >= peer->since_ns + peer->keep_ns)
			take_out(peer, &ended);
	}
	pthread_mutex_unlock(&peers->lock);
	bury(peers, &ended, "it has been without a connection for too long");
}

void xfer_peer_end(struct xfer_peer *peer)
{
	struct xfer_peer_list ended = LIST_HEAD_INITIALIZER(ended);
	bool living;

	pthread_mutex_lock(&peer->peers->lock);
	living = !peer->ended;
	if (living)
		take_out(peer, &ended);
	pthread_mutex_unlock(&peer->peers->lock);
	if (!living)
		return;
	xfer_info("session %016llx of node %s has ended", (unsigned long long)peer->session_id,
		peer->node);
	tell_end(peer);
	xfer_peer_unref(peer);
}

static bool same_process(const struct xfer_peer *peer, const uint8_t boot_id[16])
{
	return memcmp(peer->boot_id, boot_id, sizeof(peer->boot_id)) == 0;
}

/* With the lock held: whether the node has begun another session since. */
static bool superseded(const struct xfer_peer *peer)
{
	const struct xfer_peer *other;

	LIST_FOREACH (other, &peer->peers->list, link)
		if (other->number > peer->number && strcmp(other->node, peer->node) == 0)
			return true;
	return false;
}

/*
 * With the lock held: a node says HELLO, so what earlier processes of it have left is of no use, nor what its own
 * process has given up.
 */
static void supersede(
	struct xfer_peers *peers, const struct xfer_hello_args *hello, struct xfer_peer_list *ended)
{
	struct xfer_peer *peer, *next;

	for (peer = LIST_FIRST(&peers->list); peer; peer = next) {
		next = LIST_NEXT(peer, link);
		if (peer->connections == 0 && strcmp(peer->node, hello->node) == 0 &&
			!(same_process(peer, hello->boot_id) &&
				peer->session_id == hello->session_id))
			take_out(peer, ended);
	}
}

/* --- calls ------------------------------------------------------------------------------------ */

/* Whose requests become orphans. */
struct bereaved {
	struct xfer_peer *peer;
	const struct xfer_dispatcher *dispatcher; /* NULL: of any */
};

static void orphan(void *arg, void *sending)
{
	const struct bereaved *bereaved = arg;
	const struct xfer_peers *peers = bereaved->peer->peers;
	struct xfer_request *request = sending;

	if (request->orphan ||
		(bereaved->dispatcher && request->dispatcher != bereaved->dispatcher))
		return;
	request->orphan = true;
	if (peers->service->orphaned)
		peers->service->orphaned(peers->owner, request);
}

/* With calls_lock held. */
static void orphan_all(struct xfer_peer *peer, const struct xfer_dispatcher *dispatcher)
{
	struct bereaved bereaved = { peer, dispatcher };

	xfer_replycache_each(&peer->calls, orphan, &bereaved);
}

bool xfer_peer_goes_on(const struct xfer_peer *peer, uint32_t epoch)
{
	return peer->epoch == epoch && !peer->ended;
}

bool xfer_peer_call(struct xfer_peer *peer, uint32_t epoch, struct xfer_request *request,
	uint8_t *answer, enum xfer_replay *replay, struct xfer_replayed *replayed)
{
	const struct xfer_request_header *header = &request->header;
	size_t before;
	bool current;

	pthread_mutex_lock(&peer->calls_lock);
	current = xfer_peer_goes_on(peer, epoch);
	if (current) {
		before = peer->calls.bytes;
		*replay = xfer_replycache_call(&peer->calls, header->call_slot, header->sequence,
			request->proc, request, replayed);
		atomic_fetch_add(&peer->charged, peer->calls.bytes - before);
		if (*replay == XFER_REPLAY_DONE)
			memcpy(answer, replayed->answer, replayed->length);
	}
	pthread_mutex_unlock(&peer->calls_lock);
	return current;
}

/* Without the lock: the request, which was an orphan then or wasn't, isn't carried out any more. */
static void tell_settled(struct xfer_peer *peer, struct xfer_request *request, bool orphaned)
{
	const struct xfer_service *service = peer->peers->service;

	if (orphaned && service->orphan_gone)
		service->orphan_gone(peer->peers->owner, request);
}

struct xfer_request *xfer_peer_done(
	struct xfer_peer *peer, struct xfer_request *request, const uint8_t *answer, uint32_t len)
{
	struct xfer_request *asking;
	bool orphaned;

	pthread_mutex_lock(&peer->calls_lock);
	asking = xfer_replycache_done(&peer->calls, request->header.call_slot, answer, len);
	orphaned = request->orphan;
	pthread_mutex_unlock(&peer->calls_lock);
	tell_settled(peer, request, orphaned);
	return asking;
}

struct xfer_request *xfer_peer_forget(struct xfer_peer *peer, struct xfer_request *request)
{
	struct xfer_request *asking;
	bool orphaned;

	pthread_mutex_lock(&peer->calls_lock);
	asking = xfer_replycache_forget(&peer->calls, request->header.call_slot);
	orphaned = request->orphan;
	pthread_mutex_unlock(&peer->calls_lock);
	tell_settled(peer, request, orphaned);
	return asking;
}

bool xfer_peer_cancel(struct xfer_peer *peer, uint32_t epoch, const struct xfer_cancel_args *args,
	enum xfer_cancelled *cancelled)
{
	bool current;

	pthread_mutex_lock(&peer->calls_lock);
	current = xfer_peer_goes_on(peer, epoch);
	if (current)
		*cancelled = xfer_replycache_cancel(&peer->calls, args->call_slot, args->sequence);
	pthread_mutex_unlock(&peer->calls_lock);
	return current;
}

/* --- HELLO ------------------------------------------------------------------------------------ */

static void agree(const struct xfer_limits *theirs, struct xfer_limits *agreed)
{
	const struct xfer_limits *own = &xfer_own_limits;

	*agreed = *own;
	agreed->record_max = min_u32(own->record_max, theirs->record_max);
	agreed->calls_max = min_u32(own->calls_max, theirs->calls_max);
	agreed->groups_max = min_u32(own->groups_max, theirs->groups_max);
	agreed->inline_max = min_u32(own->inline_max, theirs->inline_max);
	agreed->heartbeat_ms = theirs->heartbeat_ms;
}

/* A wire status; the reason is for both ends' logs. */
static uint32_t acceptable(const struct xfer_peers *peers, const struct xfer_hello_args *hello,
	const struct xfer_conn_identity *identity, char *reason, size_t len)
{
	if (hello->minor_min > XFER_MINOR || hello->minor_max < hello->minor_min) {
		snprintf(reason, len,
			"node %s speaks minor versions %u to %u of the protocol, this owner %u: "
			"install the same release on both nodes",
			hello->node, hello->minor_min, hello->minor_max, XFER_MINOR);
		return XFER_ST_VERSION;
	}
	if (hello->features_required & ~XFER_FEATURES) {
		snprintf(reason, len,
			"node %s requires features %llx, which this owner doesn't have: install "
			"the same release on both nodes",
			hello->node,
			(unsigned long long)(hello->features_required & ~XFER_FEATURES));
		return XFER_ST_VERSION;
	}
	if (hello->limits.calls_max == 0 || hello->limits.inline_max == 0 ||
		hello->limits.heartbeat_ms < 100 || hello->limits.heartbeat_ms > 60000) {
		snprintf(reason, len, "node %s proposes limits that can't work", hello->node);
		return XFER_ST_VERSION;
	}
	return peers->service->admit(peers->owner, hello, identity, reason, len);
}

/* With the lock held; NULL: out of memory. */
static struct xfer_peer *peer_new(struct xfer_peers *peers, const struct xfer_hello_args *hello)
{
	struct xfer_peer *peer = calloc(1, sizeof(*peer));

	if (!peer)
		return NULL;
	peer->peers = peers;
	snprintf(peer->node, sizeof(peer->node), "%s", hello->node);
	memcpy(peer->boot_id, hello->boot_id, sizeof(peer->boot_id));
	agree(&hello->limits, &peer->limits);
	if (xfer_replycache_init(&peer->calls, peer->limits.calls_max)) {
		free(peer);
		return NULL;
	}
	pthread_mutex_init(&peer->calls_lock, NULL);
	atomic_init(&peer->refs, 1);
	atomic_init(&peer->charged, peer->calls.bytes);
	xfer_random(&peer->session_id, sizeof(peer->session_id));
	peer->session_id |= 1; /* never 0, which asks for a new one */
	peer->number = ++peers->count;
	LIST_INSERT_HEAD(&peers->list, peer, link);
	return peer;
}

/* With the lock held: the session that is asked for, if it lives and is the caller's. */
static struct xfer_peer *peer_find(struct xfer_peers *peers, const struct xfer_hello_args *hello)
{
	struct xfer_peer *peer;

	LIST_FOREACH (peer, &peers->list, link)
		if (peer->session_id == hello->session_id && same_process(peer, hello->boot_id) &&
			strcmp(peer->node, hello->node) == 0)
			return peer;
	return NULL;
}

/* With the lock held: from now on only what comes over new connections counts. The data path that ends with it, or NULL,
 * is to be given up without the lock. */
static struct xfer_hostpath *begin_epoch(struct xfer_peer *peer)
{
	struct xfer_hostpath *path;

	pthread_mutex_lock(&peer->calls_lock);
	orphan_all(peer, NULL);
	peer->epoch++;
	path = detach_path(peer);
	pthread_mutex_unlock(&peer->calls_lock);
	memset(peer->tokens, 0, sizeof(peer->tokens));
	if (peer->connections++ == 0)
		peer->since_ns = xfer_now_ns();
	xfer_peer_ref(peer);
	return path;
}

/* A peer that is refused comes again and again. */
static void log_refusal(const struct xfer_conn_identity *identity, const char *reason)
{
	unsigned suppressed;

	if (!xfer_log_allowed(xfer_log_limit_of(reason), REFUSALS_MS, &suppressed))
		return;
	if (suppressed > 0)
		xfer_warn(
			"refused %s: %s (and %u times before)", identity->text, reason, suppressed);
	else
		xfer_warn("refused %s: %s", identity->text, reason);
}

bool xfer_peers_admit(struct xfer_peers *peers, const struct xfer_hello_args *hello,
	const struct xfer_conn_identity *identity, struct xfer_hello_res *res)
{
	memset(res, 0, sizeof(*res));
	snprintf(res->node, sizeof(res->node), "%s", peers->node);
	res->status = acceptable(peers, hello, identity, res->reason, sizeof(res->reason));
	if (res->status != XFER_ST_OK)
		log_refusal(identity, res->reason);
	return res->status == XFER_ST_OK;
}

bool xfer_peer_has_certificate(const struct xfer_conn_identity *identity, const char *node)
{
	return identity->security && xfer_tls_security_mutual(identity->security) &&
	       xfer_tls_security_has_name(identity->security, node);
}

/* NULL: out of memory. */
static struct xfer_peer *find_or_begin(struct xfer_peers *peers,
	const struct xfer_hello_args *hello, const struct xfer_conn_identity *identity,
	struct xfer_hello_res *res)
{
	struct xfer_peer_list ended = LIST_HEAD_INITIALIZER(ended);
	struct xfer_hostpath *path = NULL;
	struct xfer_peer *peer;

	pthread_mutex_lock(&peers->lock);
	supersede(peers, hello, &ended);
	peer = peer_find(peers, hello);
	res->standing = XFER_STANDING_RESUMED;
	if (!peer) {
		peer = peer_new(peers, hello);
		res->standing = XFER_STANDING_NEW;
		if (peer && peers->service->began)
			res->standing = peers->service->began(peers->owner, peer);
	}
	if (peer) {
		if (res->standing == XFER_STANDING_RECOVER)
			peer->recovering = true;
		path = begin_epoch(peer);
		peer->by_certificate = xfer_peer_has_certificate(identity, peer->node);
		res->session_id = peer->session_id;
		res->epoch = peer->epoch;
		res->limits = peer->limits;
	}
	pthread_mutex_unlock(&peers->lock);
	give_up_path(path);
	bury(peers, &ended, "the node has another one");
	return peer;
}

struct xfer_peer *xfer_peers_hello(struct xfer_peers *peers, const struct xfer_hello_args *hello,
	const struct xfer_conn_identity *identity, struct xfer_hello_res *res)
{
	static const char *const standings[] = { "a new one", "which goes on",
		"its predecessor's successor" };
	struct xfer_peer *peer = find_or_begin(peers, hello, identity, res);

	if (!peer) {
		res->status = XFER_ST_DELAY;
		snprintf(res->reason, sizeof(res->reason), "out of memory");
		return NULL;
	}
	if (res->standing == XFER_STANDING_RESUMED && peers->service->epoch_ended)
		peers->service->epoch_ended(peers->owner, peer);
	res->minor = XFER_MINOR;
	res->features = XFER_FEATURES & hello->features_optional;
	memcpy(res->boot_id, peers->boot_id, sizeof(res->boot_id));
	memcpy(res->kernel_boot_id, peers->kernel_boot_id, sizeof(res->kernel_boot_id));
	peers->service->write_verifier(peers->owner, res->write_verifier);
	xfer_info("session %016llx of node %s (%s), epoch %u, %s",
		(unsigned long long)res->session_id, hello->node, identity->text, res->epoch,
		standings[res->standing]);
	return peer;
}

/* --- tokens ----------------------------------------------------------------------------------- */

int xfer_peer_issue_token(struct xfer_peer *peer, uint32_t epoch, struct xfer_token *token)
{
	uint64_t now = xfer_now_ns();
	int err = -EAGAIN;

	pthread_mutex_lock(&peer->peers->lock);
	for (int i = 0; i < PEER_TOKENS && xfer_peer_goes_on(peer, epoch); i++) {
		if (peer->tokens[i].expires_ns > now)
			continue;
		xfer_random(&peer->tokens[i].token, sizeof(*token));
		peer->tokens[i].expires_ns = now + XFER_TOKEN_MS * XFER_NS_PER_MS;
		*token = peer->tokens[i].token;
		err = 0;
		break;
	}
	pthread_mutex_unlock(&peer->peers->lock);
	return err;
}

static bool redeem(struct xfer_peer *peer, const struct xfer_token *token, uint64_t now)
{
	for (int i = 0; i < PEER_TOKENS; i++)
		if (peer->tokens[i].expires_ns > now &&
			CRYPTO_memcmp(&peer->tokens[i].token, token, sizeof(*token)) == 0) {
			peer->tokens[i].expires_ns = 0;
			return true;
		}
	return false;
}

/* With the lock held: whose token this is. NULL: nobody's, or the wrong one's. */
static struct xfer_peer *redeemed(struct xfer_peers *peers, const struct xfer_token *token,
	const struct xfer_conn_identity *identity, const char **why)
{
	uint64_t now = xfer_now_ns();
	struct xfer_peer *peer;

	*why = "a token that was not issued, was used before or is too old";
	LIST_FOREACH (peer, &peers->list, link)
		if (redeem(peer, token, now))
			break;
	if (!peer || !peer->by_certificate || xfer_peer_has_certificate(identity, peer->node))
		return peer;
	*why = "the token of a node whose certificate it hasn't shown: tokens are secrets, so look for who "
	       "could have read that one";
	return NULL;
}

struct xfer_peer *xfer_peers_redeem(struct xfer_peers *peers, const struct xfer_token *token,
	const struct xfer_conn_identity *identity, uint32_t *epoch)
{
	struct xfer_peer *peer;
	const char *why;

	pthread_mutex_lock(&peers->lock);
	peer = redeemed(peers, token, identity, &why);
	if (peer) {
		xfer_peer_ref(peer);
		peer->connections++;
		*epoch = peer->epoch;
	}
	pthread_mutex_unlock(&peers->lock);
	if (!peer)
		xfer_warn("refused %s: it attaches a lane with %s", identity->text, why);
	return peer;
}

/* --- connections ------------------------------------------------------------------------------ */

/* A process that lives comes back at once after its connection was closed; one that is only cut off may not be able to. */
static uint64_t keep_ns(const struct xfer_peers *peers, bool closed)
{
	uint64_t closed_ns = XFER_SESSION_CLOSED_MS * XFER_NS_PER_MS;

	return closed && closed_ns < peers->keep_ns ? closed_ns : peers->keep_ns;
}

void xfer_peer_disconnected(
	struct xfer_peer *peer, const struct xfer_dispatcher *dispatcher, bool closed)
{
	struct xfer_peer_list ended = LIST_HEAD_INITIALIZER(ended);
	struct xfer_peers *peers = peer->peers;
	struct xfer_hostpath *path;
	bool last;

	pthread_mutex_lock(&peers->lock);
	last = --peer->connections == 0;
	pthread_mutex_lock(&peer->calls_lock);
	orphan_all(peer, dispatcher);
	path = last ? detach_path(peer) : NULL;
	pthread_mutex_unlock(&peer->calls_lock);
	if (last) {
		peer->since_ns = xfer_now_ns();
		peer->keep_ns = keep_ns(peers, closed);
	}
	if (last && !peer->ended && superseded(peer))
		take_out(peer, &ended);
	pthread_mutex_unlock(&peers->lock);
	give_up_path(path);
	if (last && peers->service->epoch_ended)
		peers->service->epoch_ended(peers->owner, peer);
	bury(peers, &ended, "the node has another one");
}

/* --- life ------------------------------------------------------------------------------------- */

int xfer_peers_init(struct xfer_peers *peers, const struct xfer_server_params *params)
{
	int err = xfer_kernel_boot_id(peers->kernel_boot_id);

	if (err)
		return err;
	pthread_mutex_init(&peers->lock, NULL);
	LIST_INIT(&peers->list);
	peers->service = params->service;
	peers->owner = params->owner;
	peers->keep_ns =
		(params->keep_ms ? params->keep_ms : XFER_SESSION_KEEP_MS) * XFER_NS_PER_MS;
	peers->count = 0;
	snprintf(peers->node, sizeof(peers->node), "%s", params->node);
	xfer_random(peers->boot_id, sizeof(peers->boot_id));
	return 0;
}

/* There are no connections any more; what sessions are left end with the process. */
void xfer_peers_fini(struct xfer_peers *peers)
{
	struct xfer_peer *peer;

	while ((peer = LIST_FIRST(&peers->list))) {
		LIST_REMOVE(peer, link);
		xfer_peer_unref(peer);
	}
	pthread_mutex_destroy(&peers->lock);
}
