/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* peer.c -- the serving end of sessions: HELLO answered, limits agreed, tokens, lifetimes */

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "boot.h"
#include "clock.h"
#include "control/peer.h"
#include "log.h"

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

/* A session is found only with the lock held, so the last reference is given up with it held, too.
 */
void xfer_peer_unref(struct xfer_peer *peer)
{
	struct xfer_peers *peers = peer->peers;
	bool last;

	pthread_mutex_lock(&peers->lock);
	last = atomic_fetch_sub(&peer->refs, 1) == 1;
	if (last)
		LIST_REMOVE(peer, link);
	pthread_mutex_unlock(&peers->lock);
	if (!last)
		return;
	xfer_info("session %016llx of node %s has ended", (unsigned long long)peer->session_id,
		peer->node);
	peers->service->peer_gone(peers->owner, peer);
	free(peer);
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
static uint32_t acceptable(struct xfer_peers *peers, const struct xfer_hello_args *hello,
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

/*
 * Each HELLO begins a session: what an earlier one has open or locked goes with it, so that a CLOSE that was lost
 * with a connection leaves nothing behind. With the lock held; NULL: out of memory.
 */
static struct xfer_peer *peer_new(struct xfer_peers *peers, const struct xfer_hello_args *hello)
{
	struct xfer_peer *peer = calloc(1, sizeof(*peer));

	if (!peer)
		return NULL;
	peer->peers = peers;
	snprintf(peer->node, sizeof(peer->node), "%s", hello->node);
	memcpy(peer->boot_id, hello->boot_id, sizeof(peer->boot_id));
	agree(&hello->limits, &peer->limits);
	xfer_random(&peer->session_id, sizeof(peer->session_id));
	peer->session_id |= 1; /* never 0, which asks for a new one */
	LIST_INSERT_HEAD(&peers->list, peer, link);
	return peer;
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

struct xfer_peer *xfer_peers_hello(struct xfer_peers *peers, const struct xfer_hello_args *hello,
	const struct xfer_conn_identity *identity, struct xfer_hello_res *res)
{
	struct xfer_peer *peer;

	memset(res, 0, sizeof(*res));
	snprintf(res->node, sizeof(res->node), "%s", peers->node);
	res->status = acceptable(peers, hello, identity, res->reason, sizeof(res->reason));
	if (res->status != XFER_ST_OK) {
		log_refusal(identity, res->reason);
		return NULL;
	}
	pthread_mutex_lock(&peers->lock);
	peer = peer_new(peers, hello);
	if (peer) {
		xfer_peer_ref(peer);
		peer->epoch++;
		res->session_id = peer->session_id;
		res->epoch = peer->epoch;
		res->limits = peer->limits;
	}
	pthread_mutex_unlock(&peers->lock);
	if (!peer) {
		res->status = XFER_ST_DELAY;
		snprintf(res->reason, sizeof(res->reason), "out of memory");
		return NULL;
	}
	res->minor = XFER_MINOR;
	res->features = XFER_FEATURES & hello->features_optional;
	memcpy(res->boot_id, peers->boot_id, sizeof(res->boot_id));
	memcpy(res->kernel_boot_id, peers->kernel_boot_id, sizeof(res->kernel_boot_id));
	peers->service->write_verifier(peers->owner, res->write_verifier);
	xfer_info("session %016llx of node %s (%s), epoch %u", (unsigned long long)res->session_id,
		hello->node, identity->text, res->epoch);
	return peer;
}

/* --- tokens ----------------------------------------------------------------------------------- */

int xfer_peer_issue_token(struct xfer_peer *peer, struct xfer_token *token)
{
	uint64_t now = xfer_now_ns();
	int err = -EAGAIN;

	pthread_mutex_lock(&peer->peers->lock);
	for (int i = 0; i < PEER_TOKENS; i++) {
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

struct xfer_peer *xfer_peers_redeem(struct xfer_peers *peers, const struct xfer_token *token)
{
	uint64_t now = xfer_now_ns();
	struct xfer_peer *peer;

	pthread_mutex_lock(&peers->lock);
	LIST_FOREACH (peer, &peers->list, link)
		if (redeem(peer, token, now)) {
			xfer_peer_ref(peer);
			break;
		}
	pthread_mutex_unlock(&peers->lock);
	return peer;
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
	snprintf(peers->node, sizeof(peers->node), "%s", params->node);
	xfer_random(peers->boot_id, sizeof(peers->boot_id));
	return 0;
}

void xfer_peers_fini(struct xfer_peers *peers)
{
	pthread_mutex_destroy(&peers->lock);
}
