/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* caller.c -- the calling half of a connection: calls out, replies matched in any order */

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "control/caller.h"
#include "counters.h"
#include "log.h"

/* An xid is the number of an entry (low bits) and how often that entry was used. */
#define ENTRY_BITS 12
#define ENTRIES    (1u << ENTRY_BITS)

/* Replies bring little payload along with their heads, so little of it has to be copied; a 4 KiB
 * READ still comes in one receive. */
#define RECV_CHUNK 8192u

struct entry {
	struct xfer_call *call; /* NULL: free */
	uint32_t uses;
	uint32_t next_free;
};

struct xfer_caller {
	_Atomic unsigned refs;
	struct xfer_conn *conn;
	const struct xfer_caller_ops *ops;
	void *user;
	unsigned heartbeat_ms;

	struct xfer_lane *lane;
	pthread_mutex_t lock; /* entries, free, pending, closed, deferred, telling */
	struct entry *entries;
	uint32_t free;
	_Atomic unsigned pending; /* changed with the lock held, read without it */
	bool closed;
	STAILQ_HEAD(deferred, xfer_call) deferred; /* their ends are to be told by the lane */
	struct xfer_task tell;                     /* that */
	bool telling;                              /* `tell` is posted */

	struct xfer_call *receiving; /* its payload is on the way; whoever receives */

	/* the lane's thread only */
	_Atomic bool pinging;
	struct xfer_call ping;
	union xfer_args ping_args;
	union xfer_results ping_results;
};

#define NO_ENTRY UINT32_MAX

/* --- the table of calls under way ------------------------------------------------------------- */

static int enter(struct xfer_caller *caller, struct xfer_call *call)
{
	struct entry *entry;
	int err = 0;

	pthread_mutex_lock(&caller->lock);
	if (caller->closed || caller->free == NO_ENTRY) {
		err = -EAGAIN;
	} else {
		uint32_t index = caller->free;

		entry = &caller->entries[index];
		caller->free = entry->next_free;
		entry->call = call;
		entry->uses++;
		call->xid = entry->uses << ENTRY_BITS | index;
		caller->pending += !call->lingers;
	}
	pthread_mutex_unlock(&caller->lock);
	return err;
}

/* With the lock held. */
static struct xfer_call *leave_locked(struct xfer_caller *caller, uint32_t index)
{
	struct entry *entry = &caller->entries[index];
	struct xfer_call *call = entry->call;

	entry->call = NULL;
	entry->next_free = caller->free;
	caller->free = index;
	caller->pending -= !call->lingers;
	return call;
}

/* The call that a reply belongs to; NULL: none is under way with this xid. */
static struct xfer_call *leave(struct xfer_caller *caller, uint32_t xid)
{
	struct entry *entry = &caller->entries[xid & (ENTRIES - 1)];
	struct xfer_call *call = NULL;

	pthread_mutex_lock(&caller->lock);
	if (entry->call && entry->call->xid == xid)
		call = leave_locked(caller, xid & (ENTRIES - 1));
	pthread_mutex_unlock(&caller->lock);
	return call;
}

/* --- the end of a call ------------------------------------------------------------------------ */

/* What a call that was never answered may claim. */
static int broken_err(const struct xfer_call *call)
{
	return call->out.started && xfer_proc_info(call->proc)->changes ? -EREMOTEIO : -EAGAIN;
}

static void put_call(struct xfer_call *call)
{
	struct xfer_caller *caller = call->caller;

	if (atomic_fetch_sub(&call->refs, 1) != 1)
		return;
	if (call->head != call->small_head)
		free(call->head);
	call->done(call, call->broken ? broken_err(call) : call->err);
	xfer_caller_unref(caller);
}

static void call_sent(struct xfer_out *out, int err)
{
	/* A failure to send closes the connection, which fails the call. */
	(void)err;
	put_call((struct xfer_call *)((char *)out - offsetof(struct xfer_call, out)));
}

static void answered(struct xfer_call *call, int err)
{
	call->err = err;
	xfer_count(XFER_CNT_REPLIES_RECEIVED, 1);
	put_call(call);
}

/* --- submitting ------------------------------------------------------------------------------- */

static int encode(struct xfer_call *call)
{
	uint32_t size = XFER_CALL_HEAD;
	int len;

	call->head = call->small_head;
	if (call->header && call->header->ngroups > 32) {
		size += 4 * call->header->ngroups;
		call->head = malloc(4 + size + 8);
		if (!call->head)
			return -ENOMEM;
	}
	len = xfer_rpc_encode_call(
		call->head + 4, size, call->xid, call->proc, call->header, call->args);
	if (len < 0 && call->head != call->small_head)
		free(call->head);
	return len;
}

/* Mark and head; for inline payload also its mark, its pieces where they are, and padding. */
static void lay_out(struct xfer_call *call, uint32_t len)
{
	struct xfer_payload *payload = xfer_args_payload(call->proc, call->args);
	bool more = payload && payload->kind == XFER_PAYLOAD_INLINE && payload->length > 0;
	uint32_t padding = more ? -call->payload_length & 3 : 0;
	struct xfer_out *out = &call->out;
	uint8_t *tail = call->head + 4 + len;

	xfer_mark_put(call->head, len, !more);
	out->iov[0] = (struct iovec){ call->head, 4 + len + (more ? 4 : 0) };
	out->iovcnt = 1;
	if (more) {
		xfer_mark_put(tail, call->payload_length + padding, true);
		memcpy(out->iov + 1, call->payload,
			(size_t)call->payload_count * sizeof(struct iovec));
		out->iovcnt += call->payload_count;
		memset(tail + 4, 0, 4);
		if (padding)
			out->iov[out->iovcnt++] = (struct iovec){ tail + 4, padding };
	}
	out->sent = call_sent;
}

void xfer_caller_submit(struct xfer_caller *caller, struct xfer_call *call)
{
	int err, len;

	/* Complete before it is in the table: the lane takes it from there when the connection ends. */
	call->caller = caller;
	call->broken = false;
	call->err = 0;
	call->head = call->small_head;
	call->out.started = false;
	atomic_store(&call->refs, 2);
	xfer_caller_ref(caller);
	err = enter(caller, call);
	if (err) {
		call->done(call, err);
		xfer_caller_unref(caller);
		return;
	}
	len = encode(call);
	if (len < 0) {
		/* Whoever takes it out of the table fails it: here, unless the connection just
		 * ended. */
		call->head = call->small_head;
		if (leave(caller, call->xid)) {
			call->err = len;
			put_call(call);
		}
		put_call(call);
		return;
	}
	lay_out(call, (uint32_t)len);
	xfer_count(XFER_CNT_CALLS_SENT, 1);
	xfer_count_rpc(call->proc);
	xfer_conn_send(caller->conn, &call->out);
}

struct waiter {
	sem_t answered;
	int err;
};

static void wake_waiter(struct xfer_call *call, int err)
{
	struct waiter *waiter = call->user;

	waiter->err = err;
	sem_post(&waiter->answered);
}

int xfer_caller_call(struct xfer_caller *caller, struct xfer_call *call)
{
	struct waiter waiter = { .err = 0 };

	assert(!xfer_on_lane_thread());
	sem_init(&waiter.answered, 0, 0);
	call->user = &waiter;
	call->done = wake_waiter;
	xfer_caller_submit(caller, call);
	while (sem_wait(&waiter.answered) < 0 && errno == EINTR)
		;
	sem_destroy(&waiter.answered);
	return waiter.err;
}

/* --- receiving in the lane's place ------------------------------------------------------------ */

void xfer_caller_poll(struct xfer_caller *caller, const _Atomic bool *wanted, uint64_t deadline_ns)
{
	xfer_conn_poll(caller->conn, wanted, deadline_ns);
}

bool xfer_caller_defer(struct xfer_call *call, int err)
{
	struct xfer_caller *caller = call->caller;
	bool post;

	if (!xfer_conn_is_polling())
		return false;
	call->err = err;
	pthread_mutex_lock(&caller->lock);
	STAILQ_INSERT_TAIL(&caller->deferred, call, link);
	post = !caller->telling;
	caller->telling = true;
	pthread_mutex_unlock(&caller->lock);
	if (post) {
		xfer_caller_ref(caller);
		xfer_lane_post(caller->lane, &caller->tell);
	}
	return true;
}

static void tell_deferred(struct xfer_caller *caller)
{
	struct deferred deferred = STAILQ_HEAD_INITIALIZER(deferred);
	struct xfer_call *call;

	pthread_mutex_lock(&caller->lock);
	STAILQ_CONCAT(&deferred, &caller->deferred);
	pthread_mutex_unlock(&caller->lock);
	while ((call = STAILQ_FIRST(&deferred))) {
		STAILQ_REMOVE_HEAD(&deferred, link);
		call->done(call, call->err);
	}
}

/* Of struct xfer_task. */
static void tell(struct xfer_task *task)
{
	struct xfer_caller *caller =
		(struct xfer_caller *)((char *)task - offsetof(struct xfer_caller, tell));

	pthread_mutex_lock(&caller->lock);
	caller->telling = false;
	pthread_mutex_unlock(&caller->lock);
	tell_deferred(caller);
	xfer_caller_unref(caller);
}

/* --- receiving -------------------------------------------------------------------------------- */

static void broken(struct xfer_call *call)
{
	call->broken = true;
	put_call(call);
}

/* Whether the payload fragment that follows, or doesn't, is what the results say and the call has
 * room for. */
static bool payload_fits(struct xfer_call *call, int err, bool more)
{
	struct xfer_payload *payload = err ? NULL : xfer_results_payload(call->proc, call->results);
	bool expected = payload && payload->kind == XFER_PAYLOAD_INLINE && payload->length > 0;

	return more == expected && (!expected || payload->length <= call->payload_length);
}

static int caller_head(struct xfer_conn *conn, const uint8_t *head, uint32_t len, bool more,
	struct xfer_sink *sink, const char **why)
{
	struct xfer_caller *caller = xfer_conn_user(conn);
	struct xfer_call *call;
	uint32_t xid;
	int err;

	*why = "an answer does not decode";
	if (!xfer_rpc_is_reply(head, len, &xid))
		return -EPROTO;
	call = leave(caller, xid);
	if (!call) {
		*why = "an answer to no call that is under way";
		return -EPROTO;
	}
	err = xfer_rpc_decode_reply(head, len, call->proc, call->results);
	if (err == -EPROTO || !payload_fits(call, err, more)) {
		broken(call);
		return -EPROTO;
	}
	if (!more) {
		answered(call, err);
		return 0;
	}
	caller->receiving = call;
	sink->length = xfer_results_payload(call->proc, call->results)->length;
	return 0;
}

static int caller_place(struct xfer_conn *conn, struct xfer_rbuf *rbuf, uint8_t *data,
	uint32_t arrived, uint32_t remaining, struct iovec *iov)
{
	struct xfer_caller *caller = xfer_conn_user(conn);
	struct xfer_call *call = caller->receiving;
	int n = 0;

	(void)rbuf;
	for (int i = 0; i < call->payload_count && arrived + remaining > 0; i++) {
		uint8_t *to = call->payload[i].iov_base;
		size_t room = call->payload[i].iov_len;
		size_t part = room < arrived ? room : arrived;

		if (part > 0)
			xfer_payload_copy(to, data, part);
		data += part;
		arrived -= (uint32_t)part;
		room -= part;
		if (room > remaining)
			room = remaining;
		if (room > 0)
			iov[n++] = (struct iovec){ to + part, room };
		remaining -= (uint32_t)room;
	}
	return n;
}

static int caller_complete(struct xfer_conn *conn)
{
	struct xfer_caller *caller = xfer_conn_user(conn);
	struct xfer_call *call = caller->receiving;

	caller->receiving = NULL;
	answered(call, 0);
	return 0;
}

/* --- the end of a connection, and heartbeats -------------------------------------------------- */

static void caller_closed(struct xfer_conn *conn, int err, const char *why)
{
	struct xfer_caller *caller = xfer_conn_user(conn);
	struct xfer_call *call = caller->receiving;

	tell_deferred(caller);
	caller->receiving = NULL;
	if (call)
		broken(call);
	pthread_mutex_lock(&caller->lock);
	caller->closed = true;
	pthread_mutex_unlock(&caller->lock);
	for (uint32_t i = 0; i < ENTRIES; i++) {
		pthread_mutex_lock(&caller->lock);
		call = caller->entries[i].call ? leave_locked(caller, i) : NULL;
		pthread_mutex_unlock(&caller->lock);
		if (call)
			broken(call);
	}
	caller->ops->closed(caller->user, caller, err, why);
	xfer_caller_unref(caller);
}

static void ping_done(struct xfer_call *call, int err)
{
	struct xfer_caller *caller = call->user;

	(void)err;
	caller->pinging = false;
}

static void caller_tick(struct xfer_conn *conn, uint64_t now_ns)
{
	struct xfer_caller *caller = xfer_conn_user(conn);
	uint64_t interval = caller->heartbeat_ms * XFER_NS_PER_MS;
	uint64_t received = xfer_conn_last_received_ns(conn);

	if (now_ns > received + XFER_HEARTBEATS_MISSED * interval) {
		xfer_conn_close(conn, -ETIMEDOUT, "the peer has been silent for five heartbeats");
		return;
	}
	if (caller->ops->worn && xfer_conn_keys_used(conn) >= XFER_KEYS_WORN)
		caller->ops->worn(caller->user, caller);
	if (caller->pinging ||
		(now_ns < received + interval && now_ns < xfer_conn_last_sent_ns(conn) + interval))
		return;
	caller->pinging = true;
	caller->ping = (struct xfer_call){
		.proc = XFER_PROC_PING,
		.args = &caller->ping_args,
		.results = &caller->ping_results,
		.done = ping_done,
		.user = caller,
	};
	xfer_caller_submit(caller, &caller->ping);
}

static const struct xfer_conn_ops caller_conn_ops = {
	.head = caller_head,
	.place = caller_place,
	.complete = caller_complete,
	.closed = caller_closed,
	.tick = caller_tick,
};

/* --- life ------------------------------------------------------------------------------------- */

static struct xfer_caller *caller_alloc(void)
{
	struct xfer_caller *caller = calloc(1, sizeof(*caller));

	if (!caller)
		return NULL;
	caller->entries = calloc(ENTRIES, sizeof(*caller->entries));
	if (!caller->entries) {
		free(caller);
		return NULL;
	}
	for (uint32_t i = 0; i < ENTRIES; i++)
		caller->entries[i].next_free = i + 1 < ENTRIES ? i + 1 : NO_ENTRY;
	STAILQ_INIT(&caller->deferred);
	caller->tell.run = tell;
	pthread_mutex_init(&caller->lock, NULL);
	return caller;
}

static void caller_free(struct xfer_caller *caller)
{
	if (caller->conn)
		xfer_conn_unref(caller->conn);
	pthread_mutex_destroy(&caller->lock);
	free(caller->entries);
	free(caller);
}

int xfer_caller_create(struct xfer_lane *lane, struct xfer_conn_io *io, const char *name,
	unsigned heartbeat_ms, const struct xfer_caller_ops *ops, void *user,
	struct xfer_caller **result)
{
	struct xfer_caller *caller = caller_alloc();
	struct xfer_conn_params params = {
		.lane = lane,
		.io = io,
		.ops = &caller_conn_ops,
		.user = caller,
		.recv_chunk = RECV_CHUNK,
		.name = name,
	};
	int err;

	if (!caller) {
		io->ops->free(io);
		return -ENOMEM;
	}
	err = xfer_conn_create(&params, &caller->conn);
	if (err) {
		caller_free(caller);
		return err;
	}
	caller->lane = lane;
	caller->ops = ops;
	caller->user = user;
	caller->heartbeat_ms = heartbeat_ms;
	atomic_init(&caller->refs, 2); /* the creator's and the connection's */
	*result = caller;
	xfer_conn_start(caller->conn);
	return 0;
}

void xfer_caller_ref(struct xfer_caller *caller)
{
	atomic_fetch_add(&caller->refs, 1);
}

void xfer_caller_unref(struct xfer_caller *caller)
{
	if (atomic_fetch_sub(&caller->refs, 1) == 1)
		caller_free(caller);
}

void xfer_caller_close(struct xfer_caller *caller, int err, const char *why)
{
	xfer_conn_close(caller->conn, err, why);
}

int xfer_caller_put_fd(struct xfer_caller *caller, int fd)
{
	int err = xfer_conn_want_fd(caller->conn);

	return err ? err : xfer_conn_put_fd(caller->conn, fd);
}

int xfer_caller_take_fd(struct xfer_caller *caller)
{
	return xfer_conn_take_fd(caller->conn);
}

unsigned xfer_caller_pending(struct xfer_caller *caller)
{
	return atomic_load_explicit(&caller->pending, memory_order_relaxed);
}
