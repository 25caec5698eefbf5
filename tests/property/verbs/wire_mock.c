/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* wire_mock.c -- queue pairs of the mock of libibverbs, which are delayed at will */

#include "wire.h"

#include <arpa/inet.h>

#include "chance.h"
#include "support/mock_verbs.h"
#include "trace.h"
#include "transport/verbs_end.h"

const char wire_program[] = "property_verbs";

static const char *const addresses[] = { "10.0.0.1", "10.0.0.2" };

void wire_begin(void)
{
	const struct mock_device device = { .name = "mock0",
		.ports = { { .addresses = { addresses[0], addresses[1] } } } };

	mock_verbs_begin(&device, 1);
}

void wire_check(void)
{
	const char *violation = mock_verbs_violation();

	CHECK(!violation, "against the rules of verbs: %s", violation);
	CHECK(mock_verbs_traffic().not_ready == 0, "a receive was missing");
}

void wire_end(void)
{
	wire_check();
	mock_verbs_end();
}

uint32_t wire_addresses(struct xfer_rdma_address list[XFER_RDMA_ADDRESSES_MAX])
{
	struct sockaddr_in in = { .sin_family = AF_INET };

	for (uint32_t i = 0; i < 2; i++) {
		inet_pton(AF_INET, addresses[i], &in.sin_addr);
		verbs_from_sockaddr((const struct sockaddr *)&in, &list[i]);
	}
	return 2;
}

/* Requests wait in the mock's queues, where they have been posted to. */
struct xfer_transport *wire_transport(struct xfer_transport *under)
{
	return under;
}

void wire_jolt(void)
{
	switch (rnd(4)) {
	case 0:
		mock_verbs_hold(true);
		break;
	case 1:
		mock_verbs_hold(false);
		break;
	default:
		mock_verbs_step(1 + rnd(3));
		break;
	}
}

void wire_calm(void)
{
	mock_verbs_hold(false);
}
