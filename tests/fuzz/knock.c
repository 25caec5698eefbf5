/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* knock.c -- what strangers send with their requests to be connected to a host's queue pairs: lanes, then knocks */

#include <arpa/inet.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "boot.h"
#include "fuzz.h"
#include "seeds.h"
#include "support/verbs_ends.h"

#define LANES_MAX  3u
#define KNOCKS_MAX 8u
#define DATA_MAX   56u /* bytes */

/* What a knock begins with: bits. What it says comes behind that: its length (8 bits), the bytes. */
#define KNOCK_IWARP    1u /* over the device that gives no more than was sent */
#define KNOCK_UNNAMED  2u /* from an address that the session hasn't named */
#define KNOCK_HANGS_UP 4u /* without waiting for an answer */

/* The host's address, then the one that was named, and one that wasn't. */
static const struct mock_device devices[] = {
	{ .name = "mock0",
		.ports = { { .addresses = { "10.0.0.1", "10.0.0.2", "10.0.0.3" },
			.mtu = IBV_MTU_1024 } } },
	{ .name = "mock1",
		.iwarp = true,
		.ports = { { .addresses = { "10.1.0.1", "10.1.0.2", "10.1.0.3" },
			.mtu = IBV_MTU_4096 } } },
};

struct stranger {
	struct rdma_event_channel *channel;
	struct rdma_cm_id *id;
	struct ibv_cq *cq;
};

static struct ends ends;
static unsigned used; /* tokens, by their lanes: bits */
static uint32_t admitted;

/* In place of libxfer's: each token is one byte over and over, which inputs can know. */
void __wrap_xfer_random(void *bytes, size_t len);
void __wrap_xfer_random(void *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		((uint8_t *)bytes)[i] = SEED_RANDOM(i / sizeof(struct xfer_token));
}

/* --- what has to become of it -------------------------------------------------------------------- */

/* Whose token it is, which is used then; -1: nobody's, or not any more. */
static int lane_of(const struct verbs_hello *hello)
{
	for (unsigned i = 0; i < ends.setup.lanes; i++) {
		const uint8_t *token = ends.target.tokens[i].bytes;

		if (used & 1u << i || memcmp(token, hello->token, sizeof(hello->token)) != 0)
			continue;
		used |= 1u << i;
		return (int)i;
	}
	return -1;
}

static enum verbs_refusal expected(unsigned how, const struct input *data)
{
	struct verbs_hello hello = { 0 };
	int lane;

	if (data->size >= sizeof(hello) || (data->size > 0 && !(how & KNOCK_IWARP)))
		memcpy(&hello, data->data, data->size < sizeof(hello) ? data->size : sizeof(hello));
	if (ntohl(hello.magic) != VERBS_MAGIC || ntohs(hello.version) != VERBS_VERSION)
		return VERBS_REFUSED_VERSION;
	lane = lane_of(&hello);
	if (lane != ntohs(hello.lane))
		return VERBS_REFUSED_TOKEN;
	if (how & KNOCK_UNNAMED)
		return VERBS_REFUSED_SOURCE;
	if (ntohl(hello.mtu) > (how & KNOCK_IWARP ? 4096 : 1024))
		return VERBS_REFUSED_MTU;
	admitted++;
	return VERBS_ADMITTED;
}

/* --- a stranger ---------------------------------------------------------------------------------- */

static struct sockaddr_in address_of(unsigned device, unsigned index)
{
	struct sockaddr_in address = { .sin_family = AF_INET };

	FUZZ_CHECK(inet_pton(AF_INET, devices[device].ports[0].addresses[index],
			   &address.sin_addr) == 1);
	return address;
}

static void await(struct stranger *stranger, enum rdma_cm_event_type type)
{
	struct rdma_cm_event *event;

	FUZZ_CHECK(rdma_get_cm_event(stranger->channel, &event) == 0 && event->event == type);
	rdma_ack_cm_event(event);
}

static void come(struct stranger *stranger, unsigned how)
{
	unsigned device = how & KNOCK_IWARP ? 1 : 0;
	struct sockaddr_in from = address_of(device, how & KNOCK_UNNAMED ? 2 : 1);
	struct sockaddr_in to = address_of(device, 0);
	struct ibv_qp_init_attr attr = { .qp_type = IBV_QPT_RC,
		.cap = { .max_send_wr = 1, .max_recv_wr = 1 } };

	to.sin_port = htons(ends.target.port);
	stranger->channel = rdma_create_event_channel();
	FUZZ_CHECK(rdma_create_id(stranger->channel, &stranger->id, NULL, RDMA_PS_TCP) == 0);
	FUZZ_CHECK(rdma_resolve_addr(stranger->id, (struct sockaddr *)&from, (struct sockaddr *)&to,
			   1000) == 0);
	await(stranger, RDMA_CM_EVENT_ADDR_RESOLVED);
	FUZZ_CHECK(rdma_resolve_route(stranger->id, 1000) == 0);
	await(stranger, RDMA_CM_EVENT_ROUTE_RESOLVED);
	stranger->cq = ibv_create_cq(stranger->id->verbs, 2, NULL, NULL, 0);
	attr.send_cq = attr.recv_cq = stranger->cq;
	FUZZ_CHECK(rdma_create_qp(stranger->id, NULL, &attr) == 0);
}

static void leave(struct stranger *stranger)
{
	rdma_destroy_qp(stranger->id);
	ibv_destroy_cq(stranger->cq);
	FUZZ_CHECK(rdma_destroy_id(stranger->id) == 0);
	rdma_destroy_event_channel(stranger->channel);
}

/* What the host answers. */
static enum verbs_refusal answer(struct stranger *stranger)
{
	enum verbs_refusal refusal = VERBS_ADMITTED;
	struct rdma_cm_event *event;

	FUZZ_CHECK(rdma_get_cm_event(stranger->channel, &event) == 0);
	if (event->event == RDMA_CM_EVENT_REJECTED) {
		FUZZ_CHECK(event->param.conn.private_data_len > 0);
		refusal = *(const uint8_t *)event->param.conn.private_data;
	} else {
		FUZZ_CHECK(event->event == RDMA_CM_EVENT_ESTABLISHED);
	}
	rdma_ack_cm_event(event);
	return refusal;
}

static void knock(struct stranger *stranger, unsigned how, const struct input *data)
{
	uint8_t *bytes = input_bytes(data);
	struct rdma_conn_param param = { .private_data = bytes,
		.private_data_len = (uint8_t)data->size };
	enum verbs_refusal right = expected(how, data);

	come(stranger, how);
	FUZZ_CHECK(rdma_connect(stranger->id, &param) == 0);
	free(bytes);
	if (!(how & KNOCK_HANGS_UP))
		FUZZ_CHECK(answer(stranger) == right);
}

/* --- a round ------------------------------------------------------------------------------------- */

static void open_host(uint32_t lanes)
{
	const struct ends_setup setup = { .lanes = lanes,
		.addresses = { devices[0].ports[0].addresses[0] },
		.sources = { devices[0].ports[0].addresses[1], devices[1].ports[0].addresses[1] } };

	mock_verbs_begin(devices, sizeof(devices) / sizeof(devices[0]));
	ends_begin(&ends, &setup);
	FUZZ_CHECK(ends_try_host(&ends) == 0);
	used = 0;
	admitted = 0;
}

/* All who came before it were heard then. */
static void knock_in_vain(void)
{
	const struct input nothing = { NULL, 0 };
	struct stranger stranger;

	knock(&stranger, 0, &nothing);
	leave(&stranger);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	fuzz_quiet();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct stranger strangers[KNOCKS_MAX];
	struct input input = { data, size };
	unsigned count = 0;

	open_host(1 + input_u8(&input) % LANES_MAX);
	for (unsigned i = 0; input.size > 0 && i < KNOCKS_MAX; i++) {
		unsigned how = input_u8(&input);
		struct input says = input_part(&input, input_u8(&input) % (DATA_MAX + 1));

		knock(&strangers[count], how, &says);
		if (how & KNOCK_HANGS_UP)
			leave(&strangers[count]);
		else
			count++;
	}
	knock_in_vain();
	FUZZ_CHECK(ends.host.verbs->nconnected == admitted);
	while (count > 0)
		leave(&strangers[--count]);
	ends_close(&ends);
	return 0;
}
