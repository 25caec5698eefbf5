/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* verbs_listen.c -- the host's end of connecting: who may, and what a lane gets */

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "boot.h"
#include "clock.h"
#include "log.h"
#include "transport/device.h"
#include "transport/verbs_end.h"

#define BACKLOG 64
#define LOG_MS  10000

struct xfer_verbs_listener {
	struct rdma_cm_id *id;
	pthread_mutex_t lock; /* the following; a path that is in it doesn't go */
	LIST_HEAD(, xfer_verbs) expecting;
};

/* --- who knocks --------------------------------------------------------------------------------- */

struct knock {
	struct rdma_cm_id *id;
	struct verbs_hello hello;
	struct xfer_rdma_address source;
	char text[INET6_ADDRSTRLEN];
};

__attribute__((format(printf, 3, 4))) static enum verbs_refusal refuse(
	const struct knock *knock, enum verbs_refusal refusal, const char *format, ...)
{
	static struct xfer_log_limit limit;
	char why[2 * VERBS_WHY];
	unsigned suppressed;
	va_list ap;

	va_start(ap, format);
	vsnprintf(why, sizeof(why), format, ap);
	va_end(ap);
	if (xfer_log_allowed(&limit, LOG_MS, &suppressed))
		xfer_warn("refused a queue pair from %s: %s (%u more like this were not written)",
			knock->text, why, suppressed);
	return refusal;
}

static bool was_named(const struct xfer_verbs *verbs, const struct xfer_rdma_address *source)
{
	for (uint32_t i = 0; i < verbs->nsources; i++)
		if (memcmp(&verbs->sources[i], source, sizeof(*source)) == 0)
			return true;
	return false;
}

/* The lock is held: whose token it is, which isn't good for anything more afterwards. */
static struct verbs_lane *redeem(struct xfer_verbs_listener *listener, const uint8_t token[16])
{
	uint64_t now = xfer_now_ns();
	struct xfer_verbs *verbs;

	LIST_FOREACH (verbs, &listener->expecting, link)
		for (uint32_t i = 0; now < verbs->expires_ns && i < verbs->params.lanes; i++)
			if ((verbs->missing & 1u << i) &&
				CRYPTO_memcmp(verbs->tokens[i].bytes, token, 16) == 0) {
				verbs->missing &= ~(1u << i);
				return &verbs->lanes[i];
			}
	return NULL;
}

/* --- what it gets: the lock is held ------------------------------------------------------------- */

static int accept_lane(
	struct verbs_lane *lane, const struct knock *knock, char *why, size_t why_len)
{
	struct xfer_verbs *verbs = lane->verbs;
	struct rdma_conn_param param = { .rnr_retry_count = VERBS_RNR_RETRIES,
		.retry_count = VERBS_RETRIES };
	int err;

	lane->id = knock->id;
	lane->id->context = lane;
	pthread_mutex_lock(&verbs->lock);
	err = verbs_use_device(lane, why, why_len);
	pthread_mutex_unlock(&verbs->lock);
	if (err == 0)
		err = verbs_make_queues(lane, why, why_len);
	if (err)
		return err;
	if (verbs->read)
		xfer_verbs_aim(&verbs->read->memory, lane->number, be64toh(knock->hello.read_base),
			ntohl(knock->hello.read_key));
	verbs_be_patient(lane->id);
	/* Its first completion may be there before this returns. */
	atomic_store(&lane->state, VERBS_CONNECTED);
	if (rdma_accept(lane->id, &param)) {
		err = -errno;
		verbs_explain(why, why_len, "the connection can't be accepted: %s", strerror(-err));
		return err;
	}
	verbs_watch(lane);
	verbs->nconnected++;
	return 0;
}

static enum verbs_refusal admit(struct xfer_verbs_listener *listener, struct knock *knock)
{
	char why[VERBS_WHY];
	struct verbs_lane *lane;

	if (ntohl(knock->hello.magic) != VERBS_MAGIC ||
		ntohs(knock->hello.version) != VERBS_VERSION)
		return refuse(knock, VERBS_REFUSED_VERSION,
			"it speaks another version of the protocol: install the same release on "
			"both nodes");
	lane = redeem(listener, knock->hello.token);
	if (!lane || lane->number != ntohs(knock->hello.lane))
		return refuse(knock, VERBS_REFUSED_TOKEN,
			"its token was not issued, was used before or is too old");
	if (!was_named(lane->verbs, &knock->source))
		return refuse(knock, VERBS_REFUSED_SOURCE,
			"the session that its token is for has not named this address");
	/* Small packets would pass, and what is large be lost. */
	if (ntohl(knock->hello.mtu) > verbs_mtu(knock->id))
		return refuse(knock, VERBS_REFUSED_MTU,
			"it would send %u bytes in a packet, this node's device takes %u: give "
			"both the same MTU",
			ntohl(knock->hello.mtu), verbs_mtu(knock->id));
	if (accept_lane(lane, knock, why, sizeof(why)) == 0)
		return VERBS_ADMITTED;
	/* That is logged, and so is no more to be said of it. Others may be looking at the lane already: it stays. */
	verbs_lose(lane->verbs, "lane %u can't be connected: %s", lane->number, why);
	return VERBS_REFUSED_RESOURCES;
}

void verbs_requested(struct rdma_cm_event *event)
{
	struct xfer_verbs_listener *listener = event->listen_id->context;
	struct knock knock = { .id = event->id };
	uint8_t code;

	/* A device may give more than was sent, padded. */
	if (event->param.conn.private_data &&
		event->param.conn.private_data_len >= sizeof(knock.hello))
		memcpy(&knock.hello, event->param.conn.private_data, sizeof(knock.hello));
	verbs_from_sockaddr(rdma_get_peer_addr(event->id), &knock.source);
	xfer_verbs_address_text(&knock.source, knock.text);
	/* Until it is a lane's, what happens to it is nobody's business. */
	event->id->context = NULL;
	pthread_mutex_lock(&listener->lock);
	code = (uint8_t)admit(listener, &knock);
	if (code != VERBS_ADMITTED)
		(void)rdma_reject(event->id, &code, sizeof(code));
	pthread_mutex_unlock(&listener->lock);
	/* One that is a lane's, if it could have been accepted or not, goes with its path. */
	if (code != VERBS_ADMITTED && code != VERBS_REFUSED_RESOURCES)
		rdma_destroy_id(event->id);
}

/* --- whom it expects ---------------------------------------------------------------------------- */

void xfer_verbs_expect(struct xfer_verbs_listener *listener, struct xfer_verbs *verbs,
	const struct xfer_rdma_address *sources, uint32_t nsources, struct xfer_memory *read,
	struct xfer_token tokens[XFER_LANES_MAX])
{
	verbs->nsources = nsources;
	memcpy(verbs->sources, sources, nsources * sizeof(sources[0]));
	verbs->read = (struct verbs_memory *)read;
	verbs->missing = (1u << verbs->params.lanes) - 1;
	verbs->expires_ns = xfer_now_ns() + XFER_QUEUE_PAIR_MS * XFER_NS_PER_MS;
	xfer_random(verbs->tokens, sizeof(verbs->tokens));
	memcpy(tokens, verbs->tokens, sizeof(verbs->tokens));
	pthread_mutex_lock(&listener->lock);
	verbs->listener = listener;
	LIST_INSERT_HEAD(&listener->expecting, verbs, link);
	pthread_mutex_unlock(&listener->lock);
}

void verbs_unexpect(struct xfer_verbs *verbs)
{
	if (!verbs->listener)
		return;
	pthread_mutex_lock(&verbs->listener->lock);
	LIST_REMOVE(verbs, link);
	pthread_mutex_unlock(&verbs->listener->lock);
	verbs->listener = NULL;
}

bool xfer_verbs_is_whole(const struct xfer_verbs *verbs, bool *late)
{
	bool whole = verbs->nconnected == verbs->params.lanes;

	*late = !whole && xfer_now_ns() >= verbs->expires_ns;
	return whole;
}

/* --- listening ---------------------------------------------------------------------------------- */

/* On all devices, those to come included; the wished-for port first, then any. */
static int bind_any(struct rdma_cm_id *id, uint16_t port)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };

	if (rdma_bind_addr(id, (struct sockaddr *)&in6) == 0)
		return 0;
	return rdma_bind_addr(id, (struct sockaddr *)&in) ? -errno : 0;
}

static int listen_on(struct xfer_verbs_listener *listener, uint16_t port)
{
	int err;

	if (rdma_create_id(verbs_events_channel(), &listener->id, listener, RDMA_PS_TCP))
		return -errno;
	err = bind_any(listener->id, port);
	if (err == 0 && rdma_listen(listener->id, BACKLOG))
		err = -errno;
	if (err) {
		rdma_destroy_id(listener->id);
		listener->id = NULL;
	}
	return err;
}

int xfer_verbs_listen(uint16_t port, struct xfer_verbs_listener **result, char *why, size_t why_len)
{
	struct xfer_verbs_listener *listener = calloc(1, sizeof(*listener));
	int err;

	if (!listener) {
		verbs_explain(why, why_len, "out of memory");
		return -ENOMEM;
	}
	pthread_mutex_init(&listener->lock, NULL);
	LIST_INIT(&listener->expecting);
	err = verbs_events_get(why, why_len);
	if (err)
		goto err_free;
	err = listen_on(listener, port);
	if (err == -EADDRINUSE && port != 0)
		err = listen_on(listener, 0);
	if (err) {
		verbs_explain(why, why_len, "rdma_cm can't listen: %s", strerror(-err));
		verbs_events_put();
		goto err_free;
	}
	*result = listener;
	return 0;

err_free:
	pthread_mutex_destroy(&listener->lock);
	free(listener);
	return err;
}

void xfer_verbs_listener_destroy(struct xfer_verbs_listener *listener)
{
	if (!listener)
		return;
	rdma_destroy_id(listener->id);
	verbs_events_put();
	pthread_mutex_destroy(&listener->lock);
	free(listener);
}

uint16_t xfer_verbs_port(const struct xfer_verbs_listener *listener)
{
	return ntohs(rdma_get_src_port(listener->id));
}
