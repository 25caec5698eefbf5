/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* grant_verbs.c -- a data path over queue pairs, the owner's end */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/peer.h"
#include "core/layout.h"
#include "log.h"
#include "owner/grant.h"
#include "transport/verbs.h"

/* The first session that asks for queue pairs makes it: a device may come later than this process. */
static int listen_once(struct memory *memory, char *why)
{
	if (memory->listener)
		return 0;
	return xfer_verbs_listen(memory->port, &memory->listener, why, GRANT_WHY);
}

static int check_layouts(const struct grant *grant, const struct xfer_share_args *args, char *why)
{
	uint64_t read = xfer_layout_bytes(&args->read, args->lanes);
	uint64_t write = xfer_layout_bytes(&args->write, args->lanes);

	if (args->nsources == 0 || read == 0 || write == 0) {
		snprintf(why, GRANT_WHY, "what it asks for can't be");
		return -EINVAL;
	}
	if (read <= grant->memory->quota.config.cap)
		return 0;
	snprintf(why, GRANT_WHY,
		"it offers more than session_memory: raise that, or lower its Small_Slots and "
		"Large_Slots");
	return -EFBIG;
}

/* READs are written from a mirror of the session's memory, which counts, and may be smaller than that. */
static int make_mirror(struct grant *grant, struct xfer_hostpath_params *params, char *why)
{
	uint64_t bytes = grant_claim(grant, params->lanes, &params->read, true);
	int err;

	if (bytes == 0) {
		snprintf(why, GRANT_WHY, "memory or session_memory leaves nothing for it");
		return -ENOSPC;
	}
	err = xfer_verbs_mirror(grant->verbs, bytes, &params->memory, why, GRANT_WHY);
	if (err)
		grant_return(grant, bytes);
	else
		grant_count(grant, params->memory);
	return err;
}

/* Of each lane: what it will ask for, but no more than session_memory has room for. */
static uint32_t receives(const struct grant *grant, const struct xfer_share_args *args)
{
	uint32_t slots = xfer_layout_slots(&args->write), smallest = UINT32_MAX;
	uint64_t most;

	for (uint32_t i = 0; i < args->write.nclasses; i++)
		if (args->write.classes[i].slot_size < smallest)
			smallest = args->write.classes[i].slot_size;
	most = grant->memory->quota.config.cap / smallest / args->lanes + 1;
	return slots < most ? slots : (uint32_t)most;
}

static int make_end(struct grant *grant, const struct xfer_request *request,
	struct xfer_hostpath_params *params, char *why)
{
	const struct xfer_share_args *args = &request->args.share;
	struct xfer_verbs_params own = {
		.lanes = args->lanes,
		.sends = xfer_layout_slots(&args->read),
		.receives = receives(grant, args),
		.poll_us = grant->memory->poll_us,
	};
	int err;

	xfer_peer_threads(request->peer, args->lanes, own.threads);
	err = xfer_verbs_create(&own, &grant->verbs, why, GRANT_WHY);
	if (err)
		return err;
	params->transport = xfer_verbs_transport(grant->verbs);
	err = make_mirror(grant, params, why);
	if (err)
		params->transport->ops->free(params->transport);
	return err;
}

static int verbs_open(struct grant *grant, struct xfer_request *request,
	struct xfer_hostpath_params *params, char *why)
{
	struct xfer_share_res *res = &request->results.share;
	int err = check_layouts(grant, &request->args.share, why), n;

	if (err)
		return err;
	n = xfer_verbs_addresses(res->addresses, why, GRANT_WHY);
	if (n <= 0 || listen_once(grant->memory, why))
		return -EOPNOTSUPP;
	res->naddresses = (uint32_t)n;
	return make_end(grant, request, params, why);
}

static void verbs_offer(struct grant *grant, struct xfer_request *request,
	const struct xfer_hostpath_params *params)
{
	const struct xfer_share_args *args = &request->args.share;
	struct xfer_share_res *res = &request->results.share;

	res->read = params->read;
	res->port = xfer_verbs_port(grant->memory->listener);
	res->ntokens = args->lanes;
	xfer_verbs_expect(grant->memory->listener, grant->verbs, args->sources, args->nsources,
		params->memory, res->tokens);
}

static int verbs_lend(struct grant *grant, struct xfer_request *request, uint64_t bytes,
	struct xfer_memory **memory, char *why)
{
	bool late;
	int err = -EAGAIN;

	(void)request;
	snprintf(why, GRANT_WHY, "its queue pairs aren't connected");
	if (xfer_verbs_is_whole(grant->verbs, &late))
		err = xfer_verbs_offer(grant->verbs, bytes, memory, why, GRANT_WHY);
	if (err)
		grant_return(grant, bytes);
	else
		grant_count(grant, *memory);
	return err;
}

static void verbs_describe(
	const struct xfer_memory *memory, uint32_t lanes, struct xfer_chunk *chunk)
{
	chunk->base = memory->base;
	chunk->nkeys = lanes;
	for (uint32_t i = 0; i < lanes; i++)
		chunk->keys[i] = xfer_verbs_key(memory, i);
}

static const char *verbs_trouble(struct grant *grant)
{
	bool late;

	(void)xfer_verbs_is_whole(grant->verbs, &late);
	return late ? "has not connected its queue pairs in time" : NULL;
}

const struct grant_sort grant_verbs = {
	.open = verbs_open,
	.offer = verbs_offer,
	.lend = verbs_lend,
	.describe = verbs_describe,
	.trouble = verbs_trouble,
};
