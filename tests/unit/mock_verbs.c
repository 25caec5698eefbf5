/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* mock_verbs.c -- the mock of libibverbs and librdmacm does what devices do, and sees what they don't forgive */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/mock_verbs.h"

#define SENDS    4
#define RECEIVES 4
#define SIZE     4096

static const struct mock_device plain = {
	.name = "mock0",
	.ports = { { .addresses = { "10.0.0.1", "10.0.0.2", "fd00::1" } } },
};

/* One end of a connection. */
struct end {
	struct rdma_event_channel *channel;
	struct rdma_cm_id *id;
	struct ibv_pd *pd;
	struct ibv_mr *mr;
	struct ibv_comp_channel *comp;
	struct ibv_cq *cq;
	uint8_t memory[SIZE];
};

static struct end near, far;
static struct rdma_cm_id *listener;
static int cq_size = SENDS + RECEIVES;

/* --- steps ------------------------------------------------------------------------------------------- */

static struct sockaddr_in address_of(const char *text, uint16_t port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };

	assert_int_equal(inet_pton(AF_INET, text, &in.sin_addr), 1);
	return in;
}

static void open_channel(struct end *end)
{
	memset(end, 0, sizeof(*end));
	end->channel = rdma_create_event_channel();
	assert_non_null(end->channel);
	assert_int_equal(fcntl(end->channel->fd, F_SETFL, O_NONBLOCK), 0);
}

/* The next event is of this type; acknowledged, but for its private data. */
static struct rdma_cm_event *get(struct end *end, enum rdma_cm_event_type type)
{
	struct rdma_cm_event *event;

	assert_int_equal(rdma_get_cm_event(end->channel, &event), 0);
	assert_int_equal(event->event, type);
	return event;
}

static void expect(struct end *end, enum rdma_cm_event_type type, int status)
{
	struct rdma_cm_event *event = get(end, type);

	assert_int_equal(event->status, status);
	assert_int_equal(rdma_ack_cm_event(event), 0);
}

static void expect_none(struct end *end)
{
	struct rdma_cm_event *event;

	assert_int_equal(rdma_get_cm_event(end->channel, &event), -1);
	assert_int_equal(errno, EAGAIN);
}

static struct ibv_qp_init_attr attr_of(const struct end *end)
{
	return (struct ibv_qp_init_attr){ .send_cq = end->cq,
		.recv_cq = end->cq,
		.qp_type = IBV_QPT_RC,
		.cap = { .max_send_wr = SENDS,
			.max_recv_wr = RECEIVES,
			.max_send_sge = 2,
			.max_recv_sge = 1,
			.max_inline_data = 64 } };
}

static void remake_qp(struct end *end)
{
	struct ibv_qp_init_attr attr = attr_of(end);

	assert_int_equal(rdma_create_qp(end->id, end->pd, &attr), 0);
}

static void make_qp(struct end *end)
{
	end->pd = ibv_alloc_pd(end->id->verbs);
	end->mr = ibv_reg_mr(
		end->pd, end->memory, SIZE, IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE);
	end->comp = ibv_create_comp_channel(end->id->verbs);
	assert_int_equal(fcntl(end->comp->fd, F_SETFL, O_NONBLOCK), 0);
	end->cq = ibv_create_cq(end->id->verbs, cq_size, end, end->comp, 0);
	remake_qp(end);
}

static void free_qp(struct end *end)
{
	rdma_destroy_qp(end->id);
	assert_int_equal(ibv_destroy_cq(end->cq), 0);
	assert_int_equal(ibv_destroy_comp_channel(end->comp), 0);
	assert_int_equal(ibv_dereg_mr(end->mr), 0);
	assert_int_equal(ibv_dealloc_pd(end->pd), 0);
}

static void listen_at(const char *address)
{
	struct sockaddr_in at = address_of(address, 20491);

	open_channel(&far);
	assert_int_equal(rdma_create_id(far.channel, &listener, NULL, RDMA_PS_TCP), 0);
	assert_int_equal(rdma_bind_addr(listener, (struct sockaddr *)&at), 0);
	assert_int_equal(rdma_listen(listener, 8), 0);
}

/* The near end has resolved the far one's address. */
static void resolve(uint16_t port)
{
	struct sockaddr_in to = address_of("10.0.0.1", port);

	open_channel(&near);
	assert_int_equal(rdma_create_id(near.channel, &near.id, NULL, RDMA_PS_TCP), 0);
	assert_int_equal(rdma_resolve_addr(near.id, NULL, (struct sockaddr *)&to, 1000), 0);
	expect(&near, RDMA_CM_EVENT_ADDR_RESOLVED, 0);
	assert_non_null(near.id->verbs);
	assert_int_equal(rdma_resolve_route(near.id, 1000), 0);
	expect(&near, RDMA_CM_EVENT_ROUTE_RESOLVED, 0);
	make_qp(&near);
}

static void request(void)
{
	struct rdma_conn_param param = { .private_data = "hello", .private_data_len = 5 };
	struct rdma_cm_event *event;

	assert_int_equal(rdma_connect(near.id, &param), 0);
	event = get(&far, RDMA_CM_EVENT_CONNECT_REQUEST);
	assert_ptr_equal(event->listen_id, listener);
	assert_int_equal(event->param.conn.private_data_len, 56);
	assert_string_equal(event->param.conn.private_data, "hello"); /* zeros follow */
	far.id = event->id;
	assert_int_equal(rdma_ack_cm_event(event), 0);
}

static void connect_ends(void)
{
	struct rdma_conn_param reply = { .private_data = "welcome", .private_data_len = 7 };
	struct rdma_cm_event *event;

	listen_at("0.0.0.0");
	resolve(20491);
	request();
	make_qp(&far);
	assert_int_equal(rdma_accept(far.id, &reply), 0);
	event = get(&near, RDMA_CM_EVENT_ESTABLISHED);
	assert_string_equal(event->param.conn.private_data, "welcome");
	assert_int_equal(rdma_ack_cm_event(event), 0);
	expect(&far, RDMA_CM_EVENT_ESTABLISHED, 0);
}

static void free_near(void)
{
	free_qp(&near);
	assert_int_equal(rdma_destroy_id(near.id), 0);
	rdma_destroy_event_channel(near.channel);
}

static void free_far(void)
{
	if (far.id) {
		free_qp(&far);
		assert_int_equal(rdma_destroy_id(far.id), 0);
	}
	assert_int_equal(rdma_destroy_id(listener), 0);
	rdma_destroy_event_channel(far.channel);
}

static void end_test(void)
{
	free_near();
	free_far();
	mock_verbs_end();
}

static void begin_test(const struct mock_device *device)
{
	mock_verbs_begin(device, 1);
	connect_ends();
}

/* --- requests ---------------------------------------------------------------------------------------- */

struct asked {
	enum ibv_wr_opcode opcode;
	uint32_t from, to, length;
	unsigned flags;
};

/* From the near end's memory to the far one's. */
static int post_with_keys(const struct asked *asked, uint32_t lkey, uint32_t rkey)
{
	struct ibv_sge sge = {
		.addr = (uintptr_t)near.memory + asked->from, .length = asked->length, .lkey = lkey
	};
	struct ibv_send_wr wr = { .wr_id = 7, .sg_list = &sge, .num_sge = 1 }, *bad;

	wr.opcode = asked->opcode;
	wr.send_flags = asked->flags;
	wr.imm_data = htonl(0x12345678);
	wr.wr.rdma.remote_addr = (uintptr_t)far.memory + asked->to;
	wr.wr.rdma.rkey = rkey;
	return ibv_post_send(near.id->qp, &wr, &bad);
}

static int post(const struct asked *asked)
{
	return post_with_keys(asked, near.mr->lkey, far.mr->rkey);
}

static int post_receive(struct end *end)
{
	struct ibv_sge sge = {
		.addr = (uintptr_t)end->memory, .length = SIZE, .lkey = end->mr->lkey
	};
	struct ibv_recv_wr wr = { .wr_id = 9, .sg_list = &sge, .num_sge = 1 }, *bad;

	return ibv_post_recv(end->id->qp, &wr, &bad);
}

static void expect_completion(struct end *end, enum ibv_wc_status status, uint64_t wr_id)
{
	struct ibv_wc wc;

	assert_int_equal(ibv_poll_cq(end->cq, 1, &wc), 1);
	assert_int_equal(wc.status, status);
	assert_int_equal(wc.wr_id, wr_id);
	/* What isn't said of an error is misleading. */
	if (status != IBV_WC_SUCCESS)
		assert_int_equal(wc.byte_len, 0xa5a5a5a5);
}

static void expect_no_completion(struct end *end)
{
	struct ibv_wc wc;

	assert_int_equal(ibv_poll_cq(end->cq, 1, &wc), 0);
}

static const struct asked small_write = {
	.opcode = IBV_WR_RDMA_WRITE, .from = 0, .to = 100, .length = 5, .flags = IBV_SEND_SIGNALED
};
static const struct asked immediate = {
	.opcode = IBV_WR_RDMA_WRITE_WITH_IMM, .from = 0, .to = 100, .length = 5
};

/* --- what devices do --------------------------------------------------------------------------------- */

static void writes_arrive(void **state)
{
	struct ibv_wc wc;

	(void)state;
	begin_test(&plain);
	memcpy(near.memory, "bytes", 5);
	assert_int_equal(post(&small_write), 0);
	expect_completion(&near, IBV_WC_SUCCESS, 7);
	assert_memory_equal(far.memory + 100, "bytes", 5);
	expect_no_completion(&far);

	assert_int_equal(post_receive(&far), 0);
	memcpy(near.memory, "BYTES", 5);
	assert_int_equal(post(&immediate), 0);
	expect_no_completion(&near); /* it isn't signalled */
	assert_int_equal(ibv_poll_cq(far.cq, 1, &wc), 1);
	assert_int_equal(wc.opcode, IBV_WC_RECV_RDMA_WITH_IMM);
	assert_int_equal(ntohl(wc.imm_data), 0x12345678);
	assert_int_equal(wc.byte_len, 5);
	assert_memory_equal(far.memory + 100, "BYTES", 5);
	assert_int_equal(mock_verbs_traffic().writes, 2);
	assert_int_equal(mock_verbs_traffic().immediates, 1);
	end_test();
}

static void sends_arrive_in_receives(void **state)
{
	const struct asked asked = { .opcode = IBV_WR_SEND, .length = 5 };
	const struct asked inlined = {
		.opcode = IBV_WR_SEND, .length = 5, .flags = IBV_SEND_INLINE
	};

	(void)state;
	begin_test(&plain);
	post_receive(&far);
	post_receive(&far);
	memcpy(near.memory, "bytes", 5);
	assert_int_equal(post(&asked), 0);
	expect_completion(&far, IBV_WC_SUCCESS, 9);
	assert_memory_equal(far.memory, "bytes", 5);
	/* What is inline is taken when it is posted. */
	mock_verbs_hold(true);
	memcpy(near.memory, "INLIN", 5);
	assert_int_equal(post(&inlined), 0);
	memset(near.memory, 0, 5);
	mock_verbs_hold(false);
	assert_memory_equal(far.memory, "INLIN", 5);
	end_test();
}

static void requests_wait_as_long_as_they_are_held(void **state)
{
	(void)state;
	begin_test(&plain);
	mock_verbs_hold(true);
	assert_int_equal(post(&small_write), 0);
	assert_int_equal(post(&small_write), 0);
	expect_no_completion(&near);
	assert_int_equal(mock_verbs_step(1), 1);
	expect_completion(&near, IBV_WC_SUCCESS, 7);
	expect_no_completion(&near);
	mock_verbs_hold(false);
	expect_completion(&near, IBV_WC_SUCCESS, 7);
	end_test();
}

static void whoever_is_armed_is_woken_once(void **state)
{
	struct pollfd pollfd;
	struct ibv_cq *cq;
	void *arg;

	(void)state;
	begin_test(&plain);
	pollfd = (struct pollfd){ .fd = near.comp->fd, .events = POLLIN };
	assert_int_equal(ibv_get_cq_event(near.comp, &cq, &arg), -1);
	assert_int_equal(errno, EAGAIN);
	post(&small_write);
	assert_int_equal(poll(&pollfd, 1, 0), 0);
	assert_int_equal(ibv_req_notify_cq(near.cq, 0), 0);
	assert_int_equal(poll(&pollfd, 1, 0), 0); /* what is there already doesn't wake */
	post(&small_write);
	post(&small_write);
	assert_int_equal(poll(&pollfd, 1, 0), 1);
	assert_int_equal(ibv_get_cq_event(near.comp, &cq, &arg), 0);
	assert_ptr_equal(cq, near.cq);
	assert_ptr_equal(arg, &near);
	assert_int_equal(poll(&pollfd, 1, 0), 0);
	ibv_ack_cq_events(cq, 1);
	end_test();
}

static void threads_whose_doorbells_are_not_heard(void **state)
{
	(void)state;
	begin_test(&plain);
	mock_verbs_forbid(true);
	assert_int_equal(ibv_req_notify_cq(near.cq, 0), EACCES);
	assert_int_equal(post(&small_write), EACCES);
	expect_no_completion(&near);
	mock_verbs_forbid(false);
	assert_int_equal(post(&small_write), 0);
	expect_completion(&near, IBV_WC_SUCCESS, 7); /* both were in the queue */
	expect_completion(&near, IBV_WC_SUCCESS, 7);
	end_test();
}

/* What the acceptor sends before the other end knows that it is connected arrives later. */
static void accepted_before_it_is_known(void **state)
{
	struct ibv_sge sge = { .length = 5 };
	struct ibv_send_wr wr = { .sg_list = &sge, .num_sge = 1, .opcode = IBV_WR_RDMA_WRITE },
			   *bad;

	(void)state;
	mock_verbs_begin(&plain, 1);
	listen_at("10.0.0.1");
	resolve(20491);
	request();
	make_qp(&far);
	assert_int_equal(rdma_accept(far.id, NULL), 0);
	memcpy(far.memory, "early", 5);
	sge.addr = (uintptr_t)far.memory;
	sge.lkey = far.mr->lkey;
	wr.wr.rdma.remote_addr = (uintptr_t)near.memory;
	wr.wr.rdma.rkey = near.mr->rkey;
	assert_int_equal(ibv_post_send(far.id->qp, &wr, &bad), 0);
	assert_int_equal(near.memory[0], 0);
	expect_none(&far);
	expect(&near, RDMA_CM_EVENT_ESTABLISHED, 0);
	assert_memory_equal(near.memory, "early", 5);
	expect(&far, RDMA_CM_EVENT_ESTABLISHED, 0);
	end_test();
}

/* --- what goes wrong --------------------------------------------------------------------------------- */

static void writes_that_are_not_permitted(void **state)
{
	static const struct asked cases[] = {
		{ .opcode = IBV_WR_RDMA_WRITE, .to = SIZE - 4, .length = 5 },
		{ .opcode = IBV_WR_RDMA_WRITE, .to = (uint32_t)-1, .length = 5 },
		{ .opcode = IBV_WR_RDMA_WRITE, .to = SIZE + 1, .length = 1 },
	};
	struct ibv_async_event event;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		begin_test(&plain);
		post_receive(&far);
		assert_int_equal(post(&cases[i]), 0);
		expect_completion(&near, IBV_WC_REM_ACCESS_ERR, 7);
		expect_completion(&far, IBV_WC_WR_FLUSH_ERR, 9);
		assert_int_equal(ibv_get_async_event(far.id->verbs, &event), 0);
		assert_int_equal(event.event_type, IBV_EVENT_QP_ACCESS_ERR);
		ibv_ack_async_event(&event);
		assert_int_equal(post(&small_write), 0); /* after an error all are flushed */
		expect_completion(&near, IBV_WC_WR_FLUSH_ERR, 7);
		end_test();
	}
}

static void keys_of_others(void **state)
{
	struct ibv_async_event event;

	(void)state;
	begin_test(&plain);
	assert_int_equal(post_with_keys(&small_write, near.mr->lkey, far.mr->lkey), 0);
	expect_completion(&near, IBV_WC_REM_ACCESS_ERR, 7);
	assert_int_equal(ibv_get_async_event(far.id->verbs, &event), 0);
	ibv_ack_async_event(&event);
	end_test();

	begin_test(&plain);
	assert_int_equal(post_with_keys(&small_write, far.mr->lkey, far.mr->rkey), 0);
	expect_completion(&near, IBV_WC_LOC_PROT_ERR, 7); /* it is of another PD */
	end_test();
}

static void nothing_to_receive_with(void **state)
{
	(void)state;
	begin_test(&plain);
	assert_int_equal(post(&immediate), 0);
	expect_completion(&near, IBV_WC_RNR_RETRY_EXC_ERR, 7);
	assert_int_equal(mock_verbs_traffic().not_ready, 1);
	end_test();
}

static void completions_as_the_test_says(void **state)
{
	(void)state;
	begin_test(&plain);
	mock_verbs_complete(false, 2, IBV_WC_GENERAL_ERR);
	assert_int_equal(post(&small_write), 0);
	expect_completion(&near, IBV_WC_SUCCESS, 7);
	assert_int_equal(post(&small_write), 0);
	expect_completion(&near, IBV_WC_GENERAL_ERR, 7);
	end_test();

	begin_test(&plain);
	post_receive(&far);
	mock_verbs_complete(true, 1, IBV_WC_LOC_QP_OP_ERR);
	assert_int_equal(post(&immediate), 0);
	expect_completion(&far, IBV_WC_LOC_QP_OP_ERR, 9);
	expect_completion(&near, IBV_WC_REM_OP_ERR, 7);
	end_test();
}

static void the_peer_goes_away(void **state)
{
	(void)state;
	begin_test(&plain);
	post_receive(&far);
	assert_int_equal(rdma_disconnect(far.id), 0);
	expect_completion(&far, IBV_WC_WR_FLUSH_ERR, 9);
	expect(&near, RDMA_CM_EVENT_DISCONNECTED, 0);
	expect(&far, RDMA_CM_EVENT_DISCONNECTED, 0);
	expect(&far, RDMA_CM_EVENT_TIMEWAIT_EXIT, 0);
	assert_int_equal(post(&small_write), 0);
	expect_completion(&near, IBV_WC_RETRY_EXC_ERR, 7);
	assert_int_equal(rdma_disconnect(near.id), 0);
	end_test();
}

static void connections_that_do_not_come_about(void **state)
{
	struct sockaddr_in nowhere = address_of("192.0.2.1", 1);
	struct rdma_conn_param long_one = { .private_data = "", .private_data_len = 57 };
	struct rdma_cm_event *event;

	(void)state;
	mock_verbs_begin(&plain, 1);
	listen_at("10.0.0.2");
	resolve(20491);
	assert_int_equal(rdma_connect(near.id, &long_one), -1);
	assert_int_equal(rdma_connect(near.id, NULL), 0);
	expect(&near, RDMA_CM_EVENT_REJECTED, 8); /* nobody listens at that address */
	free_near();
	free_far();

	listen_at("10.0.0.1");
	resolve(20491);
	request();
	assert_int_equal(rdma_reject(far.id, "no", 2), 0);
	event = get(&near, RDMA_CM_EVENT_REJECTED);
	assert_int_equal(event->status, 28);
	assert_string_equal(event->param.conn.private_data, "no");
	rdma_ack_cm_event(event);
	free_near();
	assert_int_equal(rdma_destroy_id(far.id), 0);
	far.id = NULL;

	open_channel(&near);
	assert_int_equal(rdma_create_id(near.channel, &near.id, NULL, RDMA_PS_TCP), 0);
	assert_int_equal(rdma_resolve_addr(near.id, NULL, (struct sockaddr *)&nowhere, 1), 0);
	expect(&near, RDMA_CM_EVENT_ADDR_ERROR, -EHOSTUNREACH);
	assert_int_equal(rdma_destroy_id(near.id), 0);
	rdma_destroy_event_channel(near.channel);
	free_far();
	mock_verbs_end();
}

/* IWARP gives what was sent, InfiniBand fills it up. */
static void private_data_of_iwarp(void **state)
{
	struct rdma_conn_param param = { .private_data = "hello", .private_data_len = 5 };
	struct mock_device iwarp = plain;
	struct rdma_cm_event *event;

	(void)state;
	iwarp.iwarp = true;
	mock_verbs_begin(&iwarp, 1);
	listen_at("10.0.0.1");
	resolve(20491);
	assert_int_equal(rdma_connect(near.id, &param), 0);
	event = get(&far, RDMA_CM_EVENT_CONNECT_REQUEST);
	assert_int_equal(event->param.conn.private_data_len, 5);
	assert_memory_equal(event->param.conn.private_data, "hello", 5);
	assert_int_equal(rdma_reject(event->id, NULL, 0), 0);
	assert_int_equal(rdma_destroy_id(event->id), 0);
	rdma_ack_cm_event(event);
	event = get(&near, RDMA_CM_EVENT_REJECTED);
	assert_int_equal(event->param.conn.private_data_len, 0);
	assert_null(event->param.conn.private_data);
	rdma_ack_cm_event(event);
	free_near();
	far.id = NULL;
	free_far();
	mock_verbs_end();
}

/* A listener on all addresses, of IPv6 and IPv4; another one at its port comes when it is gone. */
static void listeners(void **state)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(20491) };
	struct rdma_cm_id *other;

	(void)state;
	mock_verbs_begin(&plain, 1);
	open_channel(&far);
	assert_int_equal(rdma_create_id(far.channel, &listener, NULL, RDMA_PS_TCP), 0);
	assert_int_equal(rdma_bind_addr(listener, (struct sockaddr *)&any), 0);
	assert_null(listener->verbs);
	assert_int_equal(rdma_get_src_port(listener), htons(20491));
	assert_int_equal(rdma_listen(listener, 8), 0);
	resolve(20491);
	request();
	assert_memory_equal(rdma_get_peer_addr(far.id), rdma_get_local_addr(near.id),
		sizeof(struct sockaddr_in));
	make_qp(&far);
	assert_int_equal(rdma_create_id(far.channel, &other, NULL, RDMA_PS_TCP), 0);
	assert_int_equal(rdma_bind_addr(other, (struct sockaddr *)&any), -1);
	assert_int_equal(errno, EADDRINUSE);
	assert_int_equal(rdma_destroy_id(listener), 0);
	assert_int_equal(rdma_bind_addr(other, (struct sockaddr *)&any), 0);
	listener = other;
	end_test();
}

/* Its events come at the other channel from then on. */
static void ids_that_move(void **state)
{
	(void)state;
	begin_test(&plain);
	mock_verbs_cm_event("mock0", RDMA_CM_EVENT_ADDR_CHANGE, 0);
	assert_int_equal(rdma_migrate_id(near.id, far.channel), 0);
	expect_none(&near);
	for (int i = 0; i < 2; i++)
		expect(&far, RDMA_CM_EVENT_ADDR_CHANGE, 0);
	assert_int_equal(rdma_disconnect(far.id), 0);
	for (int i = 0; i < 2; i++)
		expect(&far, RDMA_CM_EVENT_DISCONNECTED, 0);
	end_test();
}

/* Nothing of what isn't any more comes. */
static void events_of_queues_that_end(void **state)
{
	struct ibv_async_event event;

	(void)state;
	begin_test(&plain);
	assert_int_equal(fcntl(near.id->verbs->async_fd, F_SETFL, O_NONBLOCK), 0);
	mock_verbs_async_event("mock0", IBV_EVENT_QP_FATAL);
	mock_verbs_async_event("mock0", IBV_EVENT_CQ_ERR);
	free_qp(&near);
	assert_int_equal(ibv_get_async_event(far.id->verbs, &event), 0);
	assert_ptr_equal(event.element.qp, far.id->qp);
	ibv_ack_async_event(&event);
	assert_int_equal(ibv_get_async_event(far.id->verbs, &event), 0);
	assert_ptr_equal(event.element.cq, far.cq);
	ibv_ack_async_event(&event);
	assert_int_equal(ibv_get_async_event(far.id->verbs, &event), -1);
	assert_int_equal(errno, EAGAIN);
	make_qp(&near);
	end_test();
}

static void requests_that_are_dropped(void **state)
{
	(void)state;
	mock_verbs_begin(&plain, 1);
	listen_at("10.0.0.1");
	resolve(20491);
	assert_int_equal(rdma_connect(near.id, NULL), 0);
	free_far(); /* with the request that nobody got */
	expect(&near, RDMA_CM_EVENT_REJECTED, 28);
	free_near();

	listen_at("10.0.0.1");
	resolve(20491);
	request();
	assert_int_equal(rdma_destroy_id(far.id), 0);
	far.id = NULL;
	expect(&near, RDMA_CM_EVENT_REJECTED, 28);
	free_near();

	resolve(20491);
	request();
	free_near();
	make_qp(&far);
	assert_int_equal(rdma_accept(far.id, NULL), 0);
	expect(&far, RDMA_CM_EVENT_CONNECT_ERROR, -ETIMEDOUT);
	free_far();
	mock_verbs_end();
}

static void events_as_the_test_says(void **state)
{
	struct sockaddr_in to = address_of("10.0.0.1", 1);
	struct ibv_async_event async;

	(void)state;
	begin_test(&plain);
	mock_verbs_cm_event("mock0", RDMA_CM_EVENT_DEVICE_REMOVAL, 0);
	expect(&near, RDMA_CM_EVENT_DEVICE_REMOVAL, 0);
	expect(&far, RDMA_CM_EVENT_DEVICE_REMOVAL, 0);
	mock_verbs_async_event("mock0", IBV_EVENT_PORT_ERR);
	assert_int_equal(ibv_get_async_event(near.id->verbs, &async), 0);
	assert_int_equal(async.event_type, IBV_EVENT_PORT_ERR);
	ibv_ack_async_event(&async);
	mock_verbs_async_event("mock0", IBV_EVENT_QP_FATAL);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(ibv_get_async_event(near.id->verbs, &async), 0);
		assert_ptr_equal(async.element.qp, i ? far.id->qp : near.id->qp);
		ibv_ack_async_event(&async);
	}
	free_near();
	assert_int_equal(mock_verbs_live().qps, 1);

	open_channel(&near);
	mock_verbs_replace(RDMA_CM_EVENT_ADDR_RESOLVED, 1, RDMA_CM_EVENT_ADDR_ERROR, -110);
	assert_int_equal(rdma_create_id(near.channel, &near.id, NULL, RDMA_PS_TCP), 0);
	assert_int_equal(rdma_resolve_addr(near.id, NULL, (struct sockaddr *)&to, 1), 0);
	expect(&near, RDMA_CM_EVENT_ADDR_ERROR, -110);
	mock_verbs_replace(RDMA_CM_EVENT_ROUTE_RESOLVED, 1, MOCK_NEVER, 0);
	assert_int_equal(rdma_resolve_route(near.id, 1), 0);
	expect_none(&near);
	assert_int_equal(rdma_destroy_id(near.id), 0);
	rdma_destroy_event_channel(near.channel);
	expect(&far, RDMA_CM_EVENT_DISCONNECTED, 0);
	free_far();
	mock_verbs_end();
}

static void calls_that_fail(void **state)
{
	struct ibv_device **list;
	int count;

	(void)state;
	mock_verbs_begin(&plain, 1);
	mock_verbs_fail("ibv_get_device_list", 2, EMFILE);
	mock_verbs_fail(NULL, 4, EIO);
	list = ibv_get_device_list(&count);
	assert_int_equal(count, 1);
	ibv_free_device_list(list);
	assert_null(ibv_get_device_list(&count));
	assert_int_equal(errno, EMFILE);
	assert_int_equal(ibv_fork_init(), 0);
	assert_int_equal(ibv_fork_init(), EIO);
	assert_int_equal(mock_verbs_failed(), 2);
	assert_int_equal(mock_verbs_calls("ibv_fork_init"), 2);
	assert_int_equal(mock_verbs_calls("ibv_alloc_pd"), 0);
	mock_verbs_end();
}

static void what_devices_cannot_do(void **state)
{
	struct mock_device weak = plain;
	struct ibv_qp_init_attr attr;
	struct ibv_recv_wr wr = { .wr_id = 1 }, *bad;
	struct asked too_long = {
		.opcode = IBV_WR_RDMA_WRITE, .length = 65, .flags = IBV_SEND_INLINE
	};
	struct ibv_qp *qp;

	(void)state;
	weak.no_immediate = EOPNOTSUPP;
	weak.needs_sge = true;
	weak.memlock = 2 * SIZE;
	weak.max_cqe = SENDS + RECEIVES;
	weak.max_qp_wr = SENDS;
	weak.max_qp = 2;
	begin_test(&weak);
	assert_int_equal(post(&immediate), EOPNOTSUPP);
	assert_int_equal(post(&too_long), EINVAL);
	assert_int_equal(ibv_post_recv(near.id->qp, &wr, &bad), EINVAL);
	assert_ptr_equal(bad, &wr);
	assert_null(ibv_reg_mr(near.pd, near.memory, 1, 0));
	assert_int_equal(errno, ENOMEM);
	assert_null(ibv_reg_mr(near.pd, near.memory, 1, IBV_ACCESS_REMOTE_WRITE));
	assert_int_equal(errno, EINVAL);
	assert_null(ibv_create_cq(near.id->verbs, SENDS + RECEIVES + 1, NULL, NULL, 0));
	attr = attr_of(&near);
	assert_int_equal(rdma_create_qp(listener, near.pd, &attr), -1); /* it is at no device */
	qp = near.id->qp;
	near.id->qp = NULL;
	assert_int_equal(rdma_create_qp(near.id, near.pd, &attr), -1);
	assert_int_equal(errno, ENOMEM);
	attr.cap.max_send_wr++;
	assert_int_equal(rdma_create_qp(near.id, near.pd, &attr), -1);
	assert_int_equal(errno, EINVAL);
	near.id->qp = qp;
	end_test();
}

/* --- what is against the rules ----------------------------------------------------------------------- */

static void expect_violation(const char *part)
{
	const char *said = mock_verbs_violation();

	assert_non_null(said);
	if (!strstr(said, part))
		fail_msg("\"%s\" doesn't say \"%s\"", said, part);
}

static void full_queues(void **state)
{
	struct ibv_wc wc;

	(void)state;
	begin_test(&plain);
	for (int i = 0; i < SENDS; i++)
		assert_int_equal(post(&small_write), 0);
	assert_int_equal(post(&small_write), ENOMEM); /* until a completion is polled */
	expect_violation("a send queue of 4 has no room");
	assert_int_equal(ibv_poll_cq(near.cq, 1, &wc), 1);
	assert_int_equal(post(&small_write), 0);
	for (int i = 0; i < RECEIVES; i++)
		assert_int_equal(post_receive(&near), 0);
	assert_int_equal(post_receive(&near), ENOMEM);
	expect_violation("a receive queue of 4 has no room");
	end_test();
}

static void full_completion_queues(void **state)
{
	struct ibv_async_event event;

	(void)state;
	cq_size = 1;
	begin_test(&plain);
	cq_size = SENDS + RECEIVES;
	post(&small_write);
	post(&small_write);
	expect_violation("a CQ of 1 entries has no room");
	assert_int_equal(ibv_get_async_event(near.id->verbs, &event), 0);
	assert_int_equal(event.event_type, IBV_EVENT_CQ_ERR);
	assert_ptr_equal(event.element.cq, near.cq);
	ibv_ack_async_event(&event);
	end_test();
}

static void things_in_use(void **state)
{
	(void)state;
	begin_test(&plain);
	assert_int_equal(ibv_dealloc_pd(near.pd), EBUSY);
	expect_violation("a PD is freed with 1 MRs and 1 QPs");
	assert_int_equal(ibv_destroy_cq(near.cq), EBUSY);
	expect_violation("a CQ is destroyed that QPs use");
	assert_int_equal(ibv_destroy_comp_channel(near.comp), EBUSY);
	expect_violation("a completion channel is destroyed with 1 CQs");
	end_test();
}

static void what_was_not_acknowledged(void **state)
{
	struct rdma_cm_event *event;
	struct ibv_qp *qp;
	struct ibv_cq *cq;
	void *arg;

	(void)state;
	begin_test(&plain);
	ibv_req_notify_cq(near.cq, 0);
	post(&small_write);
	assert_int_equal(ibv_get_cq_event(near.comp, &cq, &arg), 0);
	qp = near.id->qp;
	assert_int_equal(rdma_destroy_id(near.id), -1);
	expect_violation("an id is destroyed with its QP");
	assert_ptr_equal(near.id->qp, qp);
	rdma_destroy_qp(near.id);
	assert_int_equal(ibv_destroy_cq(near.cq), EBUSY);
	expect_violation("a CQ is destroyed with 1 events not acknowledged");
	ibv_ack_cq_events(cq, 2);
	expect_violation("more events of a CQ are acknowledged than were got");
	mock_verbs_cm_event("mock0", RDMA_CM_EVENT_ADDR_CHANGE, 0);
	event = get(&near, RDMA_CM_EVENT_ADDR_CHANGE);
	assert_int_equal(rdma_destroy_id(near.id), -1);
	expect_violation("an id is destroyed with 1 events not acknowledged");
	rdma_ack_cm_event(event);
	rdma_destroy_event_channel(near.channel);
	expect_violation("an event channel is destroyed with 1 ids");
	rdma_destroy_qp(near.id);
	expect_violation("an id without a QP");
	remake_qp(&near);
	end_test();
}

/* As rxe has them: those of a queue pair that is no more. */
static void completions_that_are_kept(void **state)
{
	struct mock_device rxe = plain;

	(void)state;
	for (int keeps = 0; keeps < 2; keeps++) {
		rxe.keeps_completions = keeps;
		begin_test(&rxe);
		post(&small_write);
		rdma_destroy_qp(near.id);
		if (keeps)
			expect_completion(&near, IBV_WC_SUCCESS, 7);
		expect_no_completion(&near);
		remake_qp(&near);
		end_test();
	}
}

/* --- threads ----------------------------------------------------------------------------------------- */

#define ROUNDS 2000

static sem_t got, go_on;

/* Writes to the other end when that has written here, woken by its completion channel. */
static void *answer(void *arg)
{
	struct end *end = arg, *other = end == &near ? &far : &near;
	struct ibv_sge sge = { .addr = (uintptr_t)end->memory, .length = 8, .lkey = end->mr->lkey };
	struct ibv_send_wr wr = { .sg_list = &sge,
		.num_sge = 1,
		.opcode = IBV_WR_RDMA_WRITE_WITH_IMM,
		.send_flags = IBV_SEND_SIGNALED,
		.wr.rdma = { (uintptr_t)other->memory, other->mr->rkey } };
	struct ibv_send_wr *bad;
	unsigned received = 0, bad_ones = 0;
	struct ibv_wc wc;
	struct ibv_cq *cq;
	void *context;

	while (received < ROUNDS && !bad_ones) {
		bad_ones += ibv_req_notify_cq(end->cq, 0) != 0;
		while (ibv_poll_cq(end->cq, 1, &wc) == 1) {
			bad_ones += wc.status != IBV_WC_SUCCESS;
			if (wc.opcode != IBV_WC_RECV_RDMA_WITH_IMM)
				continue;
			received++;
			end->memory[0]++;
			bad_ones += post_receive(end) || ibv_post_send(end->id->qp, &wr, &bad);
		}
		if (poll(&(struct pollfd){ .fd = end->comp->fd, .events = POLLIN }, 1, 1) == 1 &&
			ibv_get_cq_event(end->comp, &cq, &context) == 0)
			ibv_ack_cq_events(cq, 1);
	}
	return bad_ones ? end : NULL;
}

static void both_ends_at_once(void **state)
{
	pthread_t threads[2];
	void *bad;

	(void)state;
	begin_test(&plain);
	for (int i = 0; i < RECEIVES - 1; i++) {
		post_receive(&near);
		post_receive(&far);
	}
	assert_int_equal(post(&immediate), 0);
	pthread_create(&threads[0], NULL, answer, &near);
	pthread_create(&threads[1], NULL, answer, &far);
	for (int i = 0; i < 2; i++) {
		pthread_join(threads[i], &bad);
		assert_null(bad);
	}
	assert_true(mock_verbs_traffic().immediates >= 2 * ROUNDS);
	end_test();
}

/* Acknowledges what it is given once it is said to. */
static void *acknowledge(void *arg)
{
	struct rdma_cm_event *event;

	(void)arg;
	if (rdma_get_cm_event(near.channel, &event))
		return &near;
	sem_post(&got);
	sem_wait(&go_on);
	return rdma_ack_cm_event(event) ? &near : NULL;
}

static void *let_go_on(void *arg)
{
	(void)arg;
	sem_post(&go_on);
	return NULL;
}

/* An id's end waits for the thread that has its event. */
static void an_end_that_waits(void **state)
{
	pthread_t threads[2];
	void *bad;

	(void)state;
	sem_init(&got, 0, 0);
	sem_init(&go_on, 0, 0);
	begin_test(&plain);
	mock_verbs_cm_event("mock0", RDMA_CM_EVENT_ADDR_CHANGE, 0);
	expect(&far, RDMA_CM_EVENT_ADDR_CHANGE, 0);
	pthread_create(&threads[0], NULL, acknowledge, NULL);
	sem_wait(&got);
	pthread_create(&threads[1], NULL, let_go_on, NULL);
	free_near();
	for (int i = 0; i < 2; i++) {
		pthread_join(threads[i], &bad);
		assert_null(bad);
	}
	free_far();
	mock_verbs_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_arrive),
		cmocka_unit_test(sends_arrive_in_receives),
		cmocka_unit_test(requests_wait_as_long_as_they_are_held),
		cmocka_unit_test(whoever_is_armed_is_woken_once),
		cmocka_unit_test(threads_whose_doorbells_are_not_heard),
		cmocka_unit_test(accepted_before_it_is_known),
		cmocka_unit_test(writes_that_are_not_permitted),
		cmocka_unit_test(keys_of_others),
		cmocka_unit_test(nothing_to_receive_with),
		cmocka_unit_test(completions_as_the_test_says),
		cmocka_unit_test(the_peer_goes_away),
		cmocka_unit_test(connections_that_do_not_come_about),
		cmocka_unit_test(private_data_of_iwarp),
		cmocka_unit_test(listeners),
		cmocka_unit_test(ids_that_move),
		cmocka_unit_test(events_of_queues_that_end),
		cmocka_unit_test(requests_that_are_dropped),
		cmocka_unit_test(events_as_the_test_says),
		cmocka_unit_test(calls_that_fail),
		cmocka_unit_test(what_devices_cannot_do),
		cmocka_unit_test(full_queues),
		cmocka_unit_test(full_completion_queues),
		cmocka_unit_test(things_in_use),
		cmocka_unit_test(what_was_not_acknowledged),
		cmocka_unit_test(completions_that_are_kept),
		cmocka_unit_test(both_ends_at_once),
		cmocka_unit_test(an_end_that_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
