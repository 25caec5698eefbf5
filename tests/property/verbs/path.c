/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* path.c -- a data path: it begins, is looked at, and ends */

#include <string.h>
#include <unistd.h>

#include "core/layout.h"
#include "world.h"

struct round r;
struct tally tally;

/* --- what either end says ----------------------------------------------------------------------- */

static void path_gone(void *arg, struct xfer_datapath *path)
{
	(void)arg;
	(void)path;
	r.path_gone = true;
}

static void path_lost(void *arg, struct xfer_datapath *path, const char *why)
{
	(void)arg;
	(void)path;
	CHECK(r.breaking, "the initiator's path is lost: %s", why);
}

static void host_gone(void *arg, struct xfer_hostpath *path)
{
	(void)arg;
	(void)path;
	r.host_gone = true;
}

static void host_lost(void *arg, const char *why)
{
	(void)arg;
	CHECK(r.breaking, "the host's path is lost: %s", why);
}

/* --- its beginning ------------------------------------------------------------------------------ */

static void begin_host(const struct xfer_slot_layout *read)
{
	struct xfer_hostpath_params params = { .epoch = r.epoch,
		.lanes = LANES,
		.read = *read,
		.gone = host_gone,
		.resume = host_resume,
		.lost = host_lost };

	pair_host(&r.pair, xfer_layout_bytes(read, LANES));
	params.transport = wire_transport(xfer_verbs_transport(r.pair.there));
	params.memory = r.pair.mirror;
	CHECK(xfer_hostpath_create(&params, &r.host) == 0, "no path at the host");
}

static void begin_initiator(const struct xfer_slot_layout *read)
{
	struct xfer_datapath_params params = { .transport = wire_transport(
						       xfer_verbs_transport(r.pair.here)),
		.epoch = r.epoch,
		.lanes = LANES,
		.read = *read,
		.memory = r.pair.own,
		.wish = XFER_WISH_AUTO,
		.gone = path_gone,
		.ready = initiator_ready,
		.lost = path_lost };

	CHECK(xfer_datapath_create(&params, &r.path) == 0, "no path at the initiator");
}

void path_begin(unsigned number, bool breaks, const struct xfer_slot_layout *read)
{
	say("round %u begins%s", number, breaks ? ", and is to break" : "");
	memset(&r, 0, sizeof(r));
	r.number = number;
	r.breaks = breaks;
	r.epoch = number;
	begin_host(read);
	pair_connect(&r.pair);
	begin_initiator(read);
	tally.rounds++;
}

/* --- looking at it ------------------------------------------------------------------------------ */

static json_int_t number(json_t *json, const char *key)
{
	json_t *value = json_object_get(json, key);

	CHECK(json_is_integer(value), "there is no %s in the status", key);
	return json_integer_value(value);
}

/* All slots of a size of the initiator's. */
static void check_size(json_t *size, bool at_rest)
{
	json_t *states = json_object_get(size, "states"), *count;
	json_int_t sum = 0, slots = number(size, "slots");
	const char *name;

	json_object_foreach (states, name, count)
		sum += json_integer_value(count);
	CHECK(sum == slots, "I3: %lld slots, in states %lld", (long long)slots, (long long)sum);
	CHECK(!at_rest || number(states, "free") == slots,
		"of %lld slots of lane %lld only %lld are free", (long long)slots,
		(long long)number(size, "lane"), (long long)number(states, "free"));
}

static void check_initiator(json_t *status, bool at_rest)
{
	json_t *size;
	size_t i;

	json_array_foreach (json_object_get(status, "sizes"), i, size)
		check_size(size, at_rest);
}

static void check_host(json_t *status, const char *direction)
{
	static const char *const busy[] = { "arrived", "waiting", "in_use", "given_up" };
	json_t *states = json_object_get(status, direction);

	for (unsigned i = 0; i < sizeof(busy) / sizeof(busy[0]); i++)
		CHECK(number(states, busy[i]) == 0, "at the host slots for %s are %s", direction,
			busy[i]);
}

/* What one end has posted the other one has been told. */
static void check_traffic(json_t *from, json_t *to)
{
	json_t *senders = json_object_get(from, "queue_pairs");
	json_t *receivers = json_object_get(to, "queue_pairs");

	CHECK(json_array_size(senders) == LANES && json_array_size(receivers) == LANES,
		"there isn't a queue pair for each lane");
	for (unsigned i = 0; i < LANES; i++) {
		json_int_t posted = number(json_array_get(senders, i), "posted");
		json_int_t told = number(json_array_get(receivers, i), "immediates");

		CHECK(posted == told, "lane %u: %lld were posted, %lld were told", i,
			(long long)posted, (long long)told);
	}
}

void path_sums(void)
{
	json_t *status = xfer_datapath_status(r.path);

	check_initiator(status, false);
	json_decref(status);
}

void path_at_rest(void)
{
	json_t *initiator = xfer_datapath_status(r.path), *host = xfer_hostpath_status(r.host);

	check_initiator(initiator, true);
	check_host(host, "write");
	check_host(host, "read");
	check_traffic(initiator, host);
	check_traffic(host, initiator);
	json_decref(initiator);
	json_decref(host);
}

/* --- its end ------------------------------------------------------------------------------------ */

/* At the host, for their bytes. */
static json_int_t requests_waiting(void)
{
	json_t *status = xfer_hostpath_status(r.host);
	json_int_t waiting = number(json_object_get(status, "write"), "waiting");

	json_decref(status);
	return waiting;
}

/* While somebody waits, if that can be had. */
void path_break(void)
{
	bool initiator_first = rnd(2);

	r.held_up = true;
	for (int i = 0; i < 100 && requests_waiting() == 0; i++) {
		wire_jolt();
		usleep(100);
	}
	say("round %u breaks, at the %s first", r.number, initiator_first ? "initiator" : "host");
	r.breaking = true;
	if (initiator_first)
		xfer_datapath_lost(r.path);
	dawdle(2000);
	xfer_hostpath_end(r.host);
	dawdle(2000);
	if (!initiator_first)
		xfer_datapath_lost(r.path);
	r.held_up = false;
	tally.breaks++;
}

/* Whoever looks at a lane for others may be the last one that has a reference. */
static void await_gone(const _Atomic bool *gone)
{
	while (!*gone)
		usleep(100);
}

void path_end(void)
{
	bool initiator_first = rnd(2);

	/* The first end that goes breaks the other one. */
	r.breaking = true;
	xfer_datapath_unref(r.path);
	xfer_hostpath_end(r.host);
	xfer_hostpath_unref(r.host);
	await_gone(&r.path_gone);
	await_gone(&r.host_gone);
	if (initiator_first)
		xfer_datapath_free(r.path);
	xfer_hostpath_free(r.host);
	if (!initiator_first)
		xfer_datapath_free(r.path);
}
