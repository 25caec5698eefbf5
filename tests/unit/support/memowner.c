/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* memowner.c -- a server for tests of the engine: one file in memory, answers out of order */

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <rpc/xdr_inline.h>

#include "bufpool.h"
#include "control/dispatcher.h"
#include "support/memowner.h"

#define ENTRIES 100u /* of its directory */

static void fill_attr(struct xfer_attr *attr)
{
	*attr = (struct xfer_attr){
		.type = XFER_REG, .mode = 0644, .nlink = 1, .size = MEMOWNER_SIZE, .change = 7
	};
}

static void put_answer(void *arg, void *answer)
{
	const struct xfer_request *request = arg;

	xfer_bufpool_put(answer, request->args.read.count);
}

static void serve_read(struct memowner *owner, struct xfer_request *request)
{
	const struct xfer_read_args *args = &request->args.read;
	bool in_slot = args->payload.kind == XFER_PAYLOAD_SLOT;
	struct xfer_read_res *res = &request->results.read;
	uint32_t count = args->count;

	if (args->offset >= MEMOWNER_SIZE || count > XFER_IO_MAX) {
		res->eof = true;
		xfer_request_finish(request, count > XFER_IO_MAX ? -EINVAL : 0);
		return;
	}
	if (count > MEMOWNER_SIZE - args->offset)
		count = (uint32_t)(MEMOWNER_SIZE - args->offset);
	if (!in_slot) {
		request->answer = xfer_bufpool_get(args->count);
		request->release = put_answer;
		request->release_arg = request;
	}
	pthread_mutex_lock(&owner->data_lock);
	memcpy(request->answer, owner->data + args->offset, count);
	pthread_mutex_unlock(&owner->data_lock);
	res->payload =
		(struct xfer_payload){ .kind = in_slot ? XFER_PAYLOAD_SLOT : XFER_PAYLOAD_INLINE,
			.length = count };
	res->eof = args->offset + count == MEMOWNER_SIZE;
	res->attr.valid = true;
	fill_attr(&res->attr.attr);
	xfer_request_finish(request, 0);
}

static void serve_write(struct memowner *owner, struct xfer_request *request)
{
	const struct xfer_write_args *args = &request->args.write;
	uint64_t at = args->offset;

	if (at > MEMOWNER_SIZE || request->payload_length > MEMOWNER_SIZE - at) {
		xfer_request_finish(request, -ENOSPC);
		return;
	}
	owner->writes++;
	pthread_mutex_lock(&owner->data_lock);
	for (int i = 0; i < request->payload_count; i++) {
		memcpy(owner->data + at, request->payload[i].iov_base, request->payload[i].iov_len);
		at += request->payload[i].iov_len;
	}
	pthread_mutex_unlock(&owner->data_lock);
	request->results.write.count = request->payload_length;
	request->results.write.committed = request->args.write.stability;
	memset(request->results.write.verifier, 'v', 8);
	xfer_request_finish(request, 0);
}

/* Entries 1..ENTRIES behind the cookie; the cookie of entry n is 10 + n. */
static void serve_readdir(struct xfer_request *request)
{
	const struct xfer_readdir_args *args = &request->args.readdir;
	struct xfer_readdir_res *res = &request->results.readdir;
	uint8_t *entries = malloc(args->max_bytes);
	unsigned next = args->cookie ? (unsigned)(args->cookie - 10) : 0;
	uint32_t used = 0;
	XDR xdrs;

	xdrmem_ncreate(&xdrs, (char *)entries, args->max_bytes, XDR_ENCODE);
	while (next < ENTRIES) {
		struct xfer_dirent entry = { .cookie = 10 + next + 1 };

		snprintf(entry.name, sizeof(entry.name), "name-%u", next + 1);
		xfer_handle_root(next, &entry.node.handle);
		fill_attr(&entry.node.attr);
		if (!xfer_xdr_dirent(&xdrs, &entry))
			break;
		used = (uint32_t)XDR_GETPOS(&xdrs);
		next++;
	}
	res->entries = entries;
	res->entries_len = used;
	res->eof = next == ENTRIES;
	xfer_request_finish(request, 0);
}

static void serve_lookup(struct xfer_request *request)
{
	struct xfer_node_res *res = &request->results.node;

	res->dir_attr.valid = true;
	fill_attr(&res->dir_attr.attr);
	if (strcmp(request->args.name.name, "missing") == 0) {
		xfer_request_finish(request, -ENOENT);
		return;
	}
	xfer_handle_root(42, &res->node.handle);
	fill_attr(&res->node.attr);
	xfer_request_finish(request, 0);
}

static void serve(struct memowner *owner, struct xfer_request *request)
{
	switch (request->proc) {
	case XFER_PROC_READ:
		serve_read(owner, request);
		break;
	case XFER_PROC_WRITE:
		serve_write(owner, request);
		break;
	case XFER_PROC_READDIR:
		serve_readdir(request);
		break;
	case XFER_PROC_LOOKUP:
		serve_lookup(request);
		break;
	case XFER_PROC_GETATTR:
		request->results.attr.attr.valid = true;
		fill_attr(&request->results.attr.attr.attr);
		xfer_request_finish(request, 0);
		break;
	case XFER_PROC_CLOSE:
		xfer_request_finish(request, 0);
		break;
	default:
		xfer_request_finish(request, -EOPNOTSUPP);
		break;
	}
}

static struct xfer_request *next_request(struct memowner *owner)
{
	struct xfer_request *request;

	pthread_mutex_lock(&owner->lock);
	while (!owner->stopping && (!owner->first || owner->hold)) {
		struct timespec soon;

		clock_gettime(CLOCK_REALTIME, &soon);
		soon.tv_nsec += 1000000;
		if (soon.tv_nsec >= 1000000000) {
			soon.tv_sec++;
			soon.tv_nsec -= 1000000000;
		}
		pthread_cond_timedwait(&owner->changed, &owner->lock, &soon);
	}
	request = owner->first;
	if (request) {
		owner->first = request->next;
		if (!owner->first)
			owner->last = &owner->first;
	}
	pthread_mutex_unlock(&owner->lock);
	return request;
}

/* Others are executed as often as they arrive, in slots that may have been used again. */
static bool changes(const struct xfer_request *request)
{
	return xfer_proc_info(request->proc)->changes;
}

static void *work(void *arg)
{
	struct memowner *owner = arg;
	unsigned seed = (unsigned)(uintptr_t)&seed;
	struct xfer_request *request;

	while ((request = next_request(owner))) {
		unsigned delay = owner->delay_us;
		uint32_t slot = request->header.call_slot;

		if (delay)
			usleep((unsigned)rand_r(&seed) % delay);
		usleep(owner->late_us);
		while (request->proc == owner->hold_proc)
			usleep(1000);
		if (changes(request))
			owner->slots[slot] = 0;
		pthread_mutex_lock(&owner->lock);
		owner->running--;
		pthread_mutex_unlock(&owner->lock);
		serve(owner, request);
	}
	return NULL;
}

static void dispatch(void *arg, struct xfer_request *request)
{
	struct memowner *owner = arg;

	owner->operations++;
	owner->last_uid = request->header.uid;
	owner->last_ngroups = request->header.ngroups;
	if (request->header.ngroups)
		owner->last_group = request->groups[request->header.ngroups - 1];
	if (changes(request) && atomic_exchange(&owner->slots[request->header.call_slot], 1))
		owner->slot_clashes++;
	pthread_mutex_lock(&owner->lock);
	request->next = NULL;
	*owner->last = request;
	owner->last = &request->next;
	if (++owner->running > owner->max_running)
		owner->max_running = owner->running;
	pthread_cond_signal(&owner->changed);
	pthread_mutex_unlock(&owner->lock);
}

static uint32_t admit(void *arg, const struct xfer_hello_args *hello,
	const struct xfer_conn_identity *identity, char *reason, size_t len)
{
	struct memowner *owner = arg;

	(void)hello;
	(void)identity;
	snprintf(reason, len, "the test says so");
	return owner->admit_status;
}

static void peer_gone(void *arg, struct xfer_peer *peer)
{
	struct memowner *owner = arg;

	(void)peer;
	owner->peers_gone++;
}

static char *status(void *arg)
{
	(void)arg;
	return strdup("{\"role\": \"owner\"}");
}

static void write_verifier(void *arg, uint8_t verifier[8])
{
	(void)arg;
	memset(verifier, 'v', 8);
}

static enum xfer_standing began(void *arg, struct xfer_peer *peer)
{
	struct memowner *owner = arg;

	(void)peer;
	return owner->standing;
}

static bool recovered(void *arg, struct xfer_peer *peer)
{
	struct memowner *owner = arg;

	(void)peer;
	owner->recovered++;
	return !owner->too_late;
}

/* What waits in the queue is taken out of it. */
static void cancel(void *arg, struct xfer_peer *peer, const struct xfer_cancel_args *args)
{
	struct memowner *owner = arg;
	struct xfer_request *request, **link;

	if (!owner->cancels)
		return;
	pthread_mutex_lock(&owner->lock);
	for (link = &owner->first; (request = *link); link = &request->next)
		if (request->peer == peer && request->header.call_slot == args->call_slot &&
			request->header.sequence == args->sequence)
			break;
	if (request) {
		*link = request->next;
		if (!*link)
			owner->last = link;
		owner->running--;
		owner->slots[args->call_slot] = 0;
	}
	pthread_mutex_unlock(&owner->lock);
	if (request)
		xfer_request_finish(request, -EAGAIN);
}

/* --- EVENTS ----------------------------------------------------------------------------------- */

/* With the lock held: the one that waits, of a session or (NULL) of any, is taken out. */
static struct xfer_request *take_asking(struct memowner *owner, const struct xfer_peer *peer)
{
	struct xfer_request *request, **link;

	for (link = &owner->asking; (request = *link); link = &request->next)
		if (!peer || request->peer == peer)
			break;
	if (request)
		*link = request->next;
	return request;
}

static void events(void *arg, struct xfer_request *request)
{
	struct memowner *owner = arg;
	struct xfer_request *older = NULL;
	bool goes_on;

	pthread_mutex_lock(&owner->lock);
	goes_on = xfer_peer_goes_on(request->peer, request->dispatcher->epoch);
	if (goes_on) {
		older = take_asking(owner, request->peer);
		request->next = owner->asking;
		owner->asking = request;
		owner->last_fresh = request->args.events.fresh;
		owner->last_seen = request->args.events.seen;
		owner->events++;
	}
	pthread_mutex_unlock(&owner->lock);
	if (older) {
		owner->event_clashes++;
		xfer_request_finish(older, 0);
	}
	if (!goes_on)
		xfer_request_finish(request, -EAGAIN);
}

/* Nobody is there any more who could be told. */
static void epoch_ended(void *arg, struct xfer_peer *peer)
{
	struct memowner *owner = arg;
	struct xfer_request *request;

	pthread_mutex_lock(&owner->lock);
	request = take_asking(owner, peer);
	pthread_mutex_unlock(&owner->lock);
	if (request)
		xfer_request_finish(request, -EAGAIN);
}

static void ended(void *arg, struct xfer_peer *peer)
{
	struct memowner *owner = arg;

	owner->ended++;
	epoch_ended(owner, peer);
}

bool memowner_tell(struct memowner *owner, const struct xfer_events_res *what)
{
	struct xfer_request *request;

	pthread_mutex_lock(&owner->lock);
	request = take_asking(owner, NULL);
	pthread_mutex_unlock(&owner->lock);
	if (!request)
		return false;
	request->results.events = *what;
	xfer_request_reply(request);
	return true;
}

/* --- life ------------------------------------------------------------------------------------- */

void memowner_start(struct memowner *owner, const char *node, const char *address)
{
	static unsigned number;
	struct xfer_server_params params = {
		.node = node,
		.lanes = 2,
		.service = &owner->service,
		.owner = owner,
		.keep_ms = owner->keep_ms,
		.tls = owner->tls,
		.tls_identity = owner->tls_identity,
	};

	owner->service = (struct xfer_service){ .admit = admit,
		.dispatch = dispatch,
		.peer_gone = peer_gone,
		.status = status,
		.write_verifier = write_verifier,
		.remember = owner->remember,
		.began = began,
		.recovered = recovered,
		.ended = ended,
		.cancel = cancel,
		.epoch_ended = epoch_ended,
		.memory = owner->memory,
		.events = owner->tells_nothing ? NULL : events };
	owner->data = calloc(1, MEMOWNER_SIZE);
	assert_non_null(owner->data);
	owner->last = &owner->first;
	pthread_mutex_init(&owner->lock, NULL);
	pthread_mutex_init(&owner->data_lock, NULL);
	pthread_cond_init(&owner->changed, NULL);
	if (address)
		snprintf(owner->address, sizeof(owner->address), "%s", address);
	else
		snprintf(owner->address, sizeof(owner->address), "unix:/tmp/memowner-%d-%u",
			getpid(), number++);
	assert_int_equal(xfer_server_create(&params, &owner->server), 0);
	assert_int_equal(xfer_server_listen(owner->server, owner->address), 0);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&owner->workers[i], NULL, work, owner), 0);
}

/* As a daemon that ends: first nothing more arrives, then the last answers go. */
void memowner_stop(struct memowner *owner)
{
	owner->hold = false;
	xfer_server_destroy(owner->server);
	pthread_mutex_lock(&owner->lock);
	owner->stopping = true;
	pthread_cond_broadcast(&owner->changed);
	pthread_mutex_unlock(&owner->lock);
	for (unsigned i = 0; i < 4; i++)
		pthread_join(owner->workers[i], NULL);
	pthread_cond_destroy(&owner->changed);
	pthread_mutex_destroy(&owner->data_lock);
	pthread_mutex_destroy(&owner->lock);
	free(owner->data);
}
