/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* sharing_verbs.c -- a data path over queue pairs, the calling end */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/layout.h"
#include "session.h"
#include "transport/verbs.h"

#define AGAIN_MS 5000 /* a device may come, here or there */

static int verbs_offer(struct xfer_session *session, struct xfer_share_args *args, char *why)
{
	int n = xfer_verbs_addresses(args->sources, why, XFER_SHARING_WHY);

	args->kind = XFER_SHARE_VERBS;
	args->write = session->sharing.wanted;
	args->nsources = n > 0 ? (uint32_t)n : 0;
	return n > 0 ? 0 : -ENODEV;
}

/* Of struct xfer_verbs_target. */
static bool given_up(void *arg)
{
	struct xfer_session *session = arg;
	bool over;

	pthread_mutex_lock(&session->lock);
	over = session->state != XFER_SESSION_UP || session->broken;
	pthread_mutex_unlock(&session->lock);
	return over;
}

/* What the owner offers, if it is what was asked for. */
static int read_offer(const struct xfer_share_args *args, const struct xfer_share_res *res,
	struct xfer_verbs_target *target, char *why)
{
	snprintf(why, XFER_SHARING_WHY, "the owner's offer of queue pairs can't be");
	if (res->ntokens != args->lanes || res->naddresses == 0 ||
		!xfer_layout_is_part(&res->read, &args->read))
		return -EPROTO;
	target->port = res->port;
	target->naddresses = res->naddresses;
	memcpy(target->addresses, res->addresses, sizeof(target->addresses));
	memcpy(target->tokens, res->tokens, sizeof(target->tokens));
	target->read_bytes = xfer_layout_bytes(&res->read, args->lanes);
	return 0;
}

static int connect_all(struct xfer_session *session, const struct xfer_verbs_target *target,
	struct xfer_datapath_params *params, char *why)
{
	struct xfer_sharing *sharing = &session->sharing;
	struct xfer_verbs_params own = {
		.lanes = params->lanes,
		.sends = xfer_layout_slots(&sharing->wanted),
		.receives = xfer_layout_slots(&params->read),
		.poll_us = session->context->poll_us,
	};
	int err;

	memcpy(own.threads, session->context->lanes, sizeof(own.threads));
	err = xfer_verbs_create(&own, &sharing->verbs, why, XFER_SHARING_WHY);
	if (err)
		return err;
	params->transport = xfer_verbs_transport(sharing->verbs);
	err = xfer_verbs_connect(sharing->verbs, target, &params->memory, why, XFER_SHARING_WHY);
	if (err) {
		params->transport->ops->free(params->transport);
		sharing->verbs = NULL;
	}
	return err;
}

static int verbs_join(struct xfer_session *session, struct xfer_datapath_params *params, char *why)
{
	const struct xfer_sharing *sharing = &session->sharing;
	struct xfer_verbs_target target = { .given_up = given_up, .arg = session };
	int err = read_offer(&sharing->grow.args.share, &sharing->grow.results.share, &target, why);

	if (err)
		return err;
	params->read = sharing->grow.results.share.read;
	return connect_all(session, &target, params, why);
}

static int verbs_borrow(struct xfer_session *session, const struct xfer_chunk *chunk,
	uint64_t bytes, struct xfer_memory **memory, char *why)
{
	int err = -EPROTO;

	snprintf(why, XFER_SHARING_WHY, "what the owner has granted has not a key for each lane");
	if (chunk->nkeys == session->context->nlanes)
		err = xfer_verbs_mirror(
			session->sharing.verbs, bytes, memory, why, XFER_SHARING_WHY);
	for (uint32_t i = 0; err == 0 && i < chunk->nkeys; i++)
		xfer_verbs_aim(*memory, i, chunk->base, chunk->keys[i]);
	return err;
}

/* Nothing was made before the answer. */
static void verbs_drop(struct xfer_session *session)
{
	(void)session;
}

const struct xfer_sharing_sort xfer_sharing_verbs = {
	.offer = verbs_offer,
	.join = verbs_join,
	.borrow = verbs_borrow,
	.drop = verbs_drop,
	.again_ms = AGAIN_MS,
};
