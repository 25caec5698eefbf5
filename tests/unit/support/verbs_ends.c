/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* verbs_ends.c -- both ends of a data path over queue pairs of mock devices, in one process */

#include "support/verbs_ends.h"

#include <arpa/inet.h>
#include <errno.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* --- what is told -------------------------------------------------------------------------------- */

static void told_immediate(void *arg, uint32_t lane, uint32_t immediate)
{
	struct ends_end *end = arg;

	end->after_free += end->freed;
	pthread_mutex_lock(&end->lock);
	if (end->ntold < ENDS_TOLD) {
		end->told[end->ntold].lane = lane;
		end->told[end->ntold].immediate = immediate;
		end->told[end->ntold].on_thread = xfer_lane_is_current(end->threads[lane]);
		end->ntold++;
	}
	pthread_mutex_unlock(&end->lock);
}

static bool asked_waits(void *arg, uint32_t lane)
{
	struct ends_end *end = arg;

	end->after_free += end->freed;
	if (end->asked)
		end->asked(end->asked_arg);
	return end->waits[lane];
}

static void told_tick(void *arg, uint32_t lane, uint64_t now_ns)
{
	struct ends_end *end = arg;

	(void)lane;
	(void)now_ns;
	end->after_free += end->freed;
	end->ticks++;
}

static void told_lost(void *arg, const char *why)
{
	struct ends_end *end = arg;

	if (end->losing)
		end->losing(end->losing_arg);
	end->after_free += end->freed;
	pthread_mutex_lock(&end->lock);
	if (!end->why[0])
		strncpy(end->why, why, sizeof(end->why) - 1);
	pthread_mutex_unlock(&end->lock);
	end->losses++;
}

static const struct xfer_transport_events events = {
	.immediate = told_immediate,
	.waits = asked_waits,
	.tick = told_tick,
	.lost = told_lost,
};

/* --- beginning ----------------------------------------------------------------------------------- */

struct turn {
	struct xfer_task task;
	sem_t done;
};

static void say_done(struct xfer_task *task)
{
	sem_post(&((struct turn *)task)->done);
}

/* Its first tick, which comes with the first thing that it does, is over: the next one is when the test wants it. */
static void settle(struct xfer_lane *thread)
{
	struct turn turn = { .task.run = say_done };

	sem_init(&turn.done, 0, 0);
	for (int i = 0; i < 2; i++) {
		xfer_lane_post(thread, &turn.task);
		/* libFuzzer's clock interrupts. */
		while (sem_wait(&turn.done))
			;
	}
	sem_destroy(&turn.done);
}

static void begin_end(struct ends_end *end, const struct ends_setup *setup)
{
	memset(end, 0, sizeof(*end));
	pthread_mutex_init(&end->lock, NULL);
	for (uint32_t i = 0; i < setup->lanes; i++) {
		assert_int_equal(xfer_lane_create("test", setup->tick_ms ? setup->tick_ms : 3600000,
					 &end->threads[i]),
			0);
		settle(end->threads[i]);
	}
}

void ends_begin(struct ends *ends, const struct ends_setup *setup)
{
	ends->setup = *setup;
	ends->setup.slots = setup->slots ? setup->slots : 4;
	ends->listener = NULL;
	ends->why[0] = '\0';
	memset(&ends->target, 0, sizeof(ends->target));
	begin_end(&ends->initiator, setup);
	begin_end(&ends->host, setup);
}

static struct xfer_rdma_address address_of(const char *text)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct xfer_rdma_address address;

	if (inet_pton(AF_INET, text, &in.sin_addr) == 1) {
		verbs_from_sockaddr((struct sockaddr *)&in, &address);
	} else {
		assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
		verbs_from_sockaddr((struct sockaddr *)&in6, &address);
	}
	return address;
}

static uint32_t list_addresses(
	const char *const *texts, struct xfer_rdma_address list[XFER_RDMA_ADDRESSES_MAX])
{
	uint32_t n = 0;

	for (; n < XFER_RDMA_ADDRESSES_MAX && texts[n]; n++)
		list[n] = address_of(texts[n]);
	return n;
}

static uint64_t bytes_of(const struct ends *ends)
{
	return (uint64_t)ends->setup.lanes * ends->setup.slots * ENDS_SLOT;
}

static int create(struct ends *ends, struct ends_end *end)
{
	struct xfer_verbs_params params = { .lanes = ends->setup.lanes,
		.sends = ends->setup.slots,
		.receives = ends->setup.slots,
		.poll_us = ends->setup.poll_us };

	memcpy(params.threads, end->threads, sizeof(end->threads));
	end->freed = false;
	end->losses = 0;
	end->ntold = 0;
	end->why[0] = '\0';
	return xfer_verbs_create(&params, &end->verbs, ends->why, sizeof(ends->why));
}

void ends_start(struct ends_end *end)
{
	struct xfer_transport *transport = xfer_verbs_transport(end->verbs);

	transport->ops->start(transport, &events, end);
}

int ends_try_host(struct ends *ends)
{
	struct xfer_rdma_address sources[XFER_RDMA_ADDRESSES_MAX];
	uint32_t nsources = list_addresses(ends->setup.sources, sources);
	struct ends_end *host = &ends->host;
	int err = 0;

	ends->listener = ends->setup.listener;
	if (!ends->listener)
		err = xfer_verbs_listen(ENDS_PORT, &ends->listener, ends->why, sizeof(ends->why));
	if (err == 0)
		err = create(ends, host);
	if (err == 0)
		err = xfer_verbs_offer(
			host->verbs, bytes_of(ends), &host->own, ends->why, sizeof(ends->why));
	if (err == 0 && !ends->setup.no_read)
		err = xfer_verbs_mirror(
			host->verbs, bytes_of(ends), &host->mirror, ends->why, sizeof(ends->why));
	if (err)
		return err;
	ends_start(host);
	xfer_verbs_expect(
		ends->listener, host->verbs, sources, nsources, host->mirror, ends->target.tokens);
	ends->target.port = xfer_verbs_port(ends->listener);
	ends->target.naddresses = list_addresses(ends->setup.addresses, ends->target.addresses);
	ends->target.read_bytes = ends->setup.no_read ? 0 : bytes_of(ends);
	return 0;
}

/* All lanes were accepted: the host's thread says so after the initiator's has learnt it. */
static int await_host(struct ends *ends)
{
	bool late;

	ENDS_UNTIL(xfer_verbs_is_whole(ends->host.verbs, &late) || ends->host.losses > 0);
	return ends->host.losses > 0 ? -ENOTCONN : 0;
}

int ends_try_lanes(struct ends *ends)
{
	struct ends_end *initiator = &ends->initiator, *host = &ends->host;
	int err = create(ends, initiator);

	if (err == 0)
		err = xfer_verbs_connect(initiator->verbs, &ends->target, &initiator->own,
			ends->why, sizeof(ends->why));
	if (err == 0)
		err = xfer_verbs_mirror(initiator->verbs, bytes_of(ends), &initiator->mirror,
			ends->why, sizeof(ends->why));
	if (err)
		return err;
	err = await_host(ends);
	if (err) {
		memcpy(ends->why, host->why, sizeof(ends->why));
		return err;
	}
	for (uint32_t i = 0; i < ends->setup.lanes; i++)
		xfer_verbs_aim(initiator->mirror, i, host->own->base, xfer_verbs_key(host->own, i));
	return 0;
}

int ends_try_connect(struct ends *ends)
{
	int err = ends_try_lanes(ends);

	if (err == 0)
		ends_start(&ends->initiator);
	return err;
}

int ends_try(struct ends *ends)
{
	int err = ends_try_host(ends);

	return err ? err : ends_try_connect(ends);
}

void ends_open(struct ends *ends, const struct ends_setup *setup)
{
	ends_begin(ends, setup);
	if (ends_try(ends))
		fail_msg("%s", ends->why);
}

/* --- the end ------------------------------------------------------------------------------------- */

void ends_free(struct ends_end *end)
{
	struct xfer_transport *transport;

	if (!end->verbs)
		return;
	transport = xfer_verbs_transport(end->verbs);
	transport->ops->free(transport);
	end->freed = true;
	end->verbs = NULL;
	xfer_memory_free(end->own);
	xfer_memory_free(end->mirror);
	end->own = end->mirror = NULL;
}

void ends_drop(struct ends *ends)
{
	ends_free(&ends->initiator);
	ends_free(&ends->host);
	if (!ends->setup.listener)
		xfer_verbs_listener_destroy(ends->listener);
	ends->listener = NULL;
}

static void end_threads(struct ends_end *end)
{
	for (uint32_t i = 0; i < ENDS_LANES && end->threads[i]; i++)
		xfer_lane_destroy(end->threads[i]);
	pthread_mutex_destroy(&end->lock);
}

void ends_stop(struct ends *ends)
{
	ends_drop(ends);
	end_threads(&ends->initiator);
	end_threads(&ends->host);
	assert_int_equal(ends->initiator.after_free, 0);
	assert_int_equal(ends->host.after_free, 0);
}

void ends_close(struct ends *ends)
{
	ends_stop(ends);
	mock_verbs_end();
}

/* --- bytes --------------------------------------------------------------------------------------- */

static uint64_t offset_of(const struct ends *ends, uint32_t lane, uint32_t slot)
{
	return ((uint64_t)lane * ends->setup.slots + slot % ends->setup.slots) * ENDS_SLOT;
}

struct xfer_placement ends_placement(
	const struct ends *ends, const struct ends_end *from, uint32_t lane, uint32_t slot)
{
	return (struct xfer_placement){
		.direction = from == &ends->host ? XFER_POOL_READ : XFER_POOL_WRITE,
		.slot = { .lane = lane, .name = { .epoch = 1, .slot = (uint16_t)slot } },
		.address = from->mirror->base + offset_of(ends, lane, slot),
		.in = from->mirror,
	};
}

uint8_t *ends_slot(const struct ends *ends, const struct ends_end *at, uint32_t lane, uint32_t slot)
{
	return (uint8_t *)(uintptr_t)(at->own->base + offset_of(ends, lane, slot));
}

static uint8_t byte_at(uint32_t generation, uint32_t i)
{
	return (uint8_t)(1 + (generation * 31 + i * 7) % 255);
}

int ends_send(struct ends *ends, struct ends_end *from, uint32_t lane, uint32_t slot,
	uint32_t generation, uint32_t length)
{
	struct xfer_transport *transport = xfer_verbs_transport(from->verbs);
	struct xfer_placement placement = ends_placement(ends, from, lane, slot);
	int err;

	placement.slot.name.generation = generation;
	placement.length = length;
	err = transport->ops->stage(transport, &placement);
	if (err)
		return err;
	for (uint32_t i = 0; i < length; i++)
		((uint8_t *)placement.memory)[i] = byte_at(generation, i);
	return transport->ops->send(transport, &placement);
}

bool ends_came(const struct ends *ends, const struct ends_end *at, uint32_t lane, uint32_t slot,
	uint32_t generation, uint32_t length)
{
	struct xfer_transport *transport = xfer_verbs_transport(at->verbs);
	struct xfer_placement placement = { .length = length,
		.address = (uintptr_t)ends_slot(ends, at, lane, slot) };
	const uint8_t *bytes;

	transport->ops->fetch(transport, &placement);
	bytes = placement.memory;
	for (uint32_t i = 0; i < length; i++)
		if (bytes[i] != byte_at(generation, i))
			return false;
	for (uint32_t i = length; i < ENDS_SLOT; i++)
		if (bytes[i] != 0)
			return false;
	return true;
}

void ends_poll(struct ends_end *end, uint32_t lane)
{
	struct xfer_transport *transport = xfer_verbs_transport(end->verbs);

	transport->ops->poll(transport, lane);
}

void ends_await(struct ends_end *end, uint32_t lane)
{
	struct xfer_transport *transport = xfer_verbs_transport(end->verbs);

	transport->ops->await(transport, lane);
}

unsigned ends_ntold(struct ends_end *end)
{
	unsigned n;

	pthread_mutex_lock(&end->lock);
	n = end->ntold;
	pthread_mutex_unlock(&end->lock);
	return n;
}

uint32_t ends_told(struct ends_end *end, unsigned n)
{
	uint32_t immediate;

	pthread_mutex_lock(&end->lock);
	immediate = end->told[n].immediate;
	pthread_mutex_unlock(&end->lock);
	return immediate;
}

static void pass(struct ends *ends, struct ends_end *from, struct ends_end *to, uint32_t lane)
{
	unsigned n = ends_ntold(to);

	assert_int_equal(ends_send(ends, from, lane, 1, 5, 1000), 0);
	ends_poll(to, lane);
	ENDS_UNTIL(ends_ntold(to) > n);
	assert_int_equal(ends_told(to, n), 1 << 16 | 5);
	assert_true(ends_came(ends, to, lane, 1, 5, 1000));
}

void ends_exchange(struct ends *ends)
{
	for (uint32_t i = 0; i < ends->setup.lanes; i++) {
		pass(ends, &ends->initiator, &ends->host, i);
		if (!ends->setup.no_read)
			pass(ends, &ends->host, &ends->initiator, i);
	}
}
