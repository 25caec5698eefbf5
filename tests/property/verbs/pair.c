/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* pair.c -- queue pairs between both ends, and memory that is written by them */

#include <arpa/inet.h>
#include <string.h>
#include <unistd.h>

#include "control/lane.h"
#include "transport/verbs_end.h"
#include "world.h"

#define PORT    20493
#define TICK_MS 5
#define SLOTS   64 /* of a lane and direction, at the most */

static struct xfer_lane *threads[2][LANES]; /* of the initiator, of the host */
static struct xfer_verbs_listener *listener;
static struct xfer_rdma_address addresses[XFER_RDMA_ADDRESSES_MAX];
static uint32_t naddresses;
static struct xfer_rdma_address wanted;

static void choose_address(const char *text)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in in = { .sin_family = AF_INET };

	naddresses = wire_addresses(addresses);
	wanted = addresses[0];
	if (!text)
		return;
	if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
		verbs_from_sockaddr((const struct sockaddr *)&in, &wanted);
	else if (inet_pton(AF_INET6, text, &in6.sin6_addr) == 1)
		verbs_from_sockaddr((const struct sockaddr *)&in6, &wanted);
	else
		fail("%s is no address", text);
}

void pairs_begin(const char *address)
{
	char why[VERBS_WHY];

	choose_address(address);
	for (int end = 0; end < 2; end++)
		for (int i = 0; i < LANES; i++)
			CHECK(xfer_lane_create("lane", TICK_MS, &threads[end][i]) == 0,
				"a lane can't be made");
	CHECK(xfer_verbs_listen(PORT, &listener, why, sizeof(why)) == 0, "%s", why);
}

void pairs_end(void)
{
	xfer_verbs_listener_destroy(listener);
	for (int end = 0; end < 2; end++)
		for (int i = 0; i < LANES; i++)
			xfer_lane_destroy(threads[end][i]);
}

static struct xfer_verbs *create(int end)
{
	struct xfer_verbs_params params = { .lanes = LANES,
		.sends = SLOTS,
		.receives = SLOTS,
		.poll_us = rnd(2) ? XFER_VERBS_POLL_US : 0 };
	struct xfer_verbs *verbs;
	char why[VERBS_WHY];

	memcpy(params.threads, threads[end], sizeof(threads[end]));
	CHECK(xfer_verbs_create(&params, &verbs, why, sizeof(why)) == 0, "%s", why);
	return verbs;
}

void pair_host(struct pair *pair, uint64_t read_bytes)
{
	char why[VERBS_WHY];

	pair->there = create(1);
	CHECK(xfer_verbs_mirror(pair->there, read_bytes, &pair->mirror, why, sizeof(why)) == 0,
		"%s", why);
}

void pair_connect(struct pair *pair)
{
	struct xfer_verbs_target target = { .port = xfer_verbs_port(listener),
		.naddresses = 1,
		.addresses = { wanted },
		.read_bytes = pair->mirror->bytes };
	char why[VERBS_WHY];
	bool late;

	xfer_verbs_expect(
		listener, pair->there, addresses, naddresses, pair->mirror, target.tokens);
	pair->here = create(0);
	CHECK(xfer_verbs_connect(pair->here, &target, &pair->own, why, sizeof(why)) == 0, "%s",
		why);
	/* The host learns a moment later that its end has been accepted. */
	while (!xfer_verbs_is_whole(pair->there, &late)) {
		CHECK(!late, "not all lanes are connected");
		usleep(100);
	}
}

void pair_share(
	struct pair *pair, uint64_t bytes, struct xfer_memory **memory, struct xfer_memory **mirror)
{
	char why[VERBS_WHY];

	CHECK(xfer_verbs_offer(pair->there, bytes, memory, why, sizeof(why)) == 0, "%s", why);
	CHECK(xfer_verbs_mirror(pair->here, bytes, mirror, why, sizeof(why)) == 0, "%s", why);
	for (uint32_t i = 0; i < LANES; i++)
		xfer_verbs_aim(*mirror, i, (*memory)->base, xfer_verbs_key(*memory, i));
}
