/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* raw_link.c -- both ends of a data path over queue pairs in this process, connected to each other */

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "raw_link.h"

#define TICK_MS 250 /* as a context's lanes, by default */

/* What opening goes by. */
struct opening {
	struct xfer_raw_link *link;
	const struct xfer_raw_link_params *params;
	struct xfer_rdma_address sources[XFER_RDMA_ADDRESSES_MAX]; /* this host's, all of them */
	unsigned nsources;
	struct xfer_verbs *initiator, *host;
	char *why;
	size_t why_len;
};

/* --- addresses ---------------------------------------------------------------------------------- */

/* -EINVAL: it isn't a number. */
static int parse(const char *text, struct xfer_rdma_address *address)
{
	char mapped[2 * INET6_ADDRSTRLEN];

	snprintf(mapped, sizeof(mapped), "%s%s", strchr(text, ':') ? "" : "::ffff:", text);
	return inet_pton(AF_INET6, mapped, address->bytes) == 1 ? 0 : -EINVAL;
}

/* Which one of this host's addresses is meant. */
static int choose(struct opening *opening, struct xfer_rdma_address *address)
{
	const char *wanted = opening->params->address;

	*address = opening->sources[0];
	if (!wanted)
		return 0;
	if (parse(wanted, address)) {
		snprintf(opening->why, opening->why_len, "%s is no address: it must be a number",
			wanted);
		return -EINVAL;
	}
	for (unsigned i = 0; i < opening->nsources; i++)
		if (memcmp(&opening->sources[i], address, sizeof(*address)) == 0)
			return 0;
	snprintf(opening->why, opening->why_len,
		"%s isn't an address of this host by which RDMA works: rdmaxferctl devices shows "
		"them",
		wanted);
	return -EADDRNOTAVAIL;
}

static int find_addresses(struct opening *opening, struct xfer_rdma_address *address)
{
	int n = xfer_verbs_addresses(opening->sources, opening->why, opening->why_len), err;

	if (n <= 0)
		return n < 0 ? n : -ENODEV;
	opening->nsources = (unsigned)n;
	err = choose(opening, address);
	if (err == 0)
		xfer_verbs_address_text(address, opening->link->address);
	return err;
}

/* --- one end ------------------------------------------------------------------------------------ */

static int start_threads(struct opening *opening, struct xfer_raw_end *end)
{
	int err = 0;

	for (unsigned i = 0; err == 0 && i < opening->params->lanes; i++) {
		char name[32];

		snprintf(name, sizeof(name), "xfer-raw-%u", i);
		err = xfer_lane_create(name, TICK_MS, &end->threads[i]);
	}
	if (err)
		snprintf(opening->why, opening->why_len, "a lane's thread can't be had: %s",
			strerror(-err));
	return err;
}

static int make_end(struct opening *opening, struct xfer_raw_end *end, struct xfer_verbs **verbs)
{
	const struct xfer_raw_link_params *params = opening->params;
	struct xfer_verbs_params own = {
		.lanes = params->lanes,
		.poll_us = params->poll_us,
	};
	int err = start_threads(opening, end);

	if (err)
		return err;
	memcpy(own.threads, end->threads, sizeof(own.threads));
	*(end == &opening->link->initiator ? &own.sends : &own.receives) = params->writes;
	err = xfer_verbs_create(&own, verbs, opening->why, opening->why_len);
	if (err == 0)
		end->transport = xfer_verbs_transport(*verbs);
	return err;
}

static void free_end(struct xfer_raw_end *end)
{
	if (end->transport)
		end->transport->ops->free(end->transport);
	xfer_memory_free(end->memory);
}

static void stop_threads(const struct xfer_raw_end *end)
{
	for (unsigned i = 0; i < XFER_LANES_MAX; i++)
		if (end->threads[i])
			xfer_lane_destroy(end->threads[i]);
}

/* --- both --------------------------------------------------------------------------------------- */

static int connect_ends(struct opening *opening, const struct xfer_rdma_address *address)
{
	struct xfer_raw_link *link = opening->link;
	const struct xfer_raw_link_params *params = opening->params;
	struct xfer_verbs_target target = { .naddresses = 1, .addresses = { *address } };
	struct xfer_memory *none;
	int err;

	/* What comes first has to be told to somebody already. */
	link->host.transport->ops->start(link->host.transport, params->host, params->arg);
	xfer_verbs_expect(link->listener, opening->host, opening->sources, opening->nsources, NULL,
		target.tokens);
	target.port = xfer_verbs_port(link->listener);
	err = xfer_verbs_connect(
		opening->initiator, &target, &none, opening->why, opening->why_len);
	if (err == 0)
		link->initiator.transport->ops->start(
			link->initiator.transport, params->initiator, params->arg);
	return err;
}

/* Keys belong to a device: so the lanes have theirs. */
static int make_memory(struct opening *opening)
{
	struct xfer_raw_link *link = opening->link;
	uint64_t bytes = opening->params->bytes;
	int err = xfer_verbs_offer(
		opening->host, bytes, &link->host.memory, opening->why, opening->why_len);

	if (err == 0)
		err = xfer_verbs_mirror(opening->initiator, bytes, &link->initiator.memory,
			opening->why, opening->why_len);
	for (unsigned i = 0; err == 0 && i < link->lanes; i++)
		xfer_verbs_aim(link->initiator.memory, i, link->host.memory->base,
			xfer_verbs_key(link->host.memory, i));
	return err;
}

static int open_link(struct opening *opening)
{
	struct xfer_rdma_address address;
	int err = find_addresses(opening, &address);

	if (err == 0)
		err = make_end(opening, &opening->link->host, &opening->host);
	if (err == 0)
		err = make_end(opening, &opening->link->initiator, &opening->initiator);
	if (err == 0)
		err = xfer_verbs_listen(
			0, &opening->link->listener, opening->why, opening->why_len);
	if (err == 0)
		err = connect_ends(opening, &address);
	return err ? err : make_memory(opening);
}

int xfer_raw_link_open(struct xfer_raw_link *link, const struct xfer_raw_link_params *params,
	char *why, size_t why_len)
{
	struct opening opening = { .link = link, .params = params, .why = why, .why_len = why_len };
	int err;

	*link = (struct xfer_raw_link){ .lanes = params->lanes };
	err = open_link(&opening);
	if (err)
		xfer_raw_link_close(link);
	return err;
}

/* Threads hear of an end until it is freed, and the listener of whom it expects. */
void xfer_raw_link_close(struct xfer_raw_link *link)
{
	free_end(&link->initiator);
	free_end(&link->host);
	xfer_verbs_listener_destroy(link->listener);
	stop_threads(&link->initiator);
	stop_threads(&link->host);
}
