/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* dispatcher.c -- the serving half of a connection: calls in, replies out in any order */

#include <arpa/inet.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bufpool.h"
#include "clock.h"
#include "control/caller.h"
#include "control/dispatcher.h"
#include "control/request_slot.h"
#include "control/rpc.h"
#include "core/replycache.h"
#include "counters.h"
#include "fault.h"
#include "log.h"

/* A connection is not read from while it has more than this under way. */
#define CALLS_SESSIONLESS 16u
#define CALLS_SPARE       8u /* heartbeats and EVENTS come on top of what was agreed */

#define HELLO_NS                                                                                   \
	(30000 *                                                                                   \
		XFER_NS_PER_MS) /* a connection that says nothing of use is ended after so long   \
				  */
#define RECV_CHUNK 65536u
#define LINGER_US  50 /* who does one operation after the other has sent the next by then */
#define HEADS_KEPT                                                                                 \
	1024u /* replies of up to so many bytes are encoded without a further allocation */
#define XID_LEN                                                                                    \
	4u /* what a reply begins with; the rest may be kept for another sending of the call */

_Static_assert(XID_LEN + XFER_REPLY_ROOM <= HEADS_KEPT, "what is kept fits");

/* A request with what its reply needs. */
struct exchange {
	struct xfer_request request;
	struct xfer_out out;
	struct xfer_task task; /* HELLO: its second half */
	uint8_t *head;         /* mark, head, payload's mark, padding */
	uint8_t small_head[4 + HEADS_KEPT + 8];
};

static struct exchange *exchange_of(struct xfer_request *request)
{
	return (struct exchange *)((char *)request - offsetof(struct exchange, request));
}

/* --- life ------------------------------------------------------------------------------------- */

static void dispatcher_unref(struct xfer_dispatcher *dispatcher)
{
	if (atomic_fetch_sub(&dispatcher->refs, 1) != 1)
		return;
	dispatcher->ops->gone(dispatcher->server, dispatcher);
	xfer_conn_unref(dispatcher->conn);
	pthread_mutex_destroy(&dispatcher->lock);
	free(dispatcher);
}

/* --- flow control ----------------------------------------------------------------------------- */

/* With the lock held: stops reading above the limits and goes on below them. */
static void update_flow(struct xfer_dispatcher *dispatcher)
{
	struct xfer_peer *peer = dispatcher->peer;
	unsigned calls_max = peer ? peer->limits.calls_max + CALLS_SPARE : CALLS_SESSIONLESS;
	bool pause = dispatcher->in_flight >= calls_max || dispatcher->charged >= XFER_CHARGE_MAX;

	if (pause == dispatcher->paused)
		return;
	dispatcher->paused = pause;
	xfer_conn_pause(dispatcher->conn, pause);
}

static void charge(struct xfer_dispatcher *dispatcher, struct xfer_request *request)
{
	request->charge = sizeof(struct exchange) + request->payload_length;
	if (request->proc == XFER_PROC_READ)
		request->charge += request->args.read.count;
	pthread_mutex_lock(&dispatcher->lock);
	dispatcher->in_flight++;
	dispatcher->charged += request->charge;
	update_flow(dispatcher);
	pthread_mutex_unlock(&dispatcher->lock);
	if (dispatcher->peer)
		atomic_fetch_add(&dispatcher->peer->charged, request->charge);
}

static void discharge(struct xfer_dispatcher *dispatcher, struct xfer_request *request)
{
	if (request->peer)
		atomic_fetch_sub(&request->peer->charged, request->charge);
	pthread_mutex_lock(&dispatcher->lock);
	dispatcher->in_flight--;
	dispatcher->charged -= request->charge;
	update_flow(dispatcher);
	pthread_mutex_unlock(&dispatcher->lock);
}

/* --- requests --------------------------------------------------------------------------------- */

static struct xfer_request *request_new(
	struct xfer_dispatcher *dispatcher, const struct xfer_rpc_call *call)
{
	struct exchange *exchange = malloc(sizeof(*exchange));
	struct xfer_request *request;

	if (!exchange)
		return NULL;
	request = &exchange->request;
	memset(request, 0, offsetof(struct xfer_request, groups));
	exchange->head = exchange->small_head;
	request->dispatcher = dispatcher;
	request->peer = dispatcher->peer;
	request->xid = call->xid;
	request->proc = call->proc;
	request->header.groups = request->groups;
	request->arrived_ns = xfer_now_ns();
	request->fd = -1;
	return request;
}

static void drop_payload(struct xfer_request *request)
{
	xfer_rbuf_unref(request->rbuf);
	xfer_bufpool_put(request->payload_buffer, request->payload_buffer_size);
	request->rbuf = NULL;
	request->payload_buffer = NULL;
}

/* What the service left in the results for the encoder. */
static void drop_variable_results(struct xfer_request *request)
{
	if (request->proc == XFER_PROC_READDIR)
		free(request->results.readdir.entries);
	else if (request->proc == XFER_PROC_STATUS)
		free(request->results.text.text);
}

static void request_free(struct xfer_request *request)
{
	struct exchange *exchange = exchange_of(request);

	xfer_request_leave_slot(request);
	if (request->fd >= 0)
		close(request->fd);
	drop_payload(request);
	if (request->release)
		request->release(request->release_arg, request->answer);
	if (exchange->head != exchange->small_head)
		free(exchange->head);
	free(exchange);
}

/* --- replies ---------------------------------------------------------------------------------- */

static void reply_sent(struct xfer_out *out, int err)
{
	struct exchange *exchange =
		(struct exchange *)((char *)out - offsetof(struct exchange, out));
	struct xfer_dispatcher *dispatcher = exchange->request.dispatcher;

	if (err == 0)
		xfer_count(XFER_CNT_REPLIES_SENT, 1);
	discharge(dispatcher, &exchange->request);
	request_free(&exchange->request);
	dispatcher_unref(dispatcher);
}

static uint32_t reply_size(const struct xfer_request *request)
{
	switch (request->proc) {
	case XFER_PROC_READDIR:
		return HEADS_KEPT + request->results.readdir.entries_len;
	case XFER_PROC_STATUS:
		return HEADS_KEPT + request->results.text.text_len;
	default:
		return HEADS_KEPT;
	}
}

/* The length of the head in bytes, or -errno. */
static int encode(struct xfer_request *request)
{
	struct exchange *exchange = exchange_of(request);
	uint32_t size = reply_size(request);

	if (size > XFER_HEAD_MAX)
		return -EMSGSIZE;
	if (size > HEADS_KEPT) {
		exchange->head = malloc(4 + size + 8);
		if (!exchange->head) {
			exchange->head = exchange->small_head;
			return -ENOMEM;
		}
	}
	return xfer_rpc_encode_reply(
		exchange->head + 4, size, request->xid, request->proc, &request->results);
}

/* Mark and head; for inline payload also its mark, the payload where it is, and padding. */
static void lay_out(struct xfer_request *request, uint32_t len)
{
	struct exchange *exchange = exchange_of(request);
	struct xfer_payload *payload = xfer_results_payload(request->proc, &request->results);
	uint32_t length = payload && payload->kind == XFER_PAYLOAD_INLINE ? payload->length : 0;
	uint32_t padding = -length & 3;
	struct xfer_out *out = &exchange->out;
	uint8_t *tail = exchange->head + 4 + len;

	xfer_mark_put(exchange->head, len, length == 0);
	out->iov[0] = (struct iovec){ exchange->head, 4 + len + (length ? 4 : 0) };
	out->iovcnt = 1;
	if (length) {
		xfer_mark_put(tail, length + padding, true);
		memset(tail + 4, 0, 4);
		out->iov[out->iovcnt++] = (struct iovec){ request->answer, length };
		if (padding)
			out->iov[out->iovcnt++] = (struct iovec){ tail + 4, padding };
	}
	out->sent = reply_sent;
}

/* Ends without an answer. */
static void drop(struct xfer_request *request)
{
	reply_sent(&exchange_of(request)->out, -ECONNRESET);
}

/* The encoded answer without its xid. */
static uint8_t *answer_of(struct xfer_request *request)
{
	return exchange_of(request)->head + 4 + XID_LEN;
}

static void send_kept(struct xfer_request *request, uint32_t length)
{
	uint32_t xid = htonl(request->xid);

	drop_payload(request);
	memcpy(exchange_of(request)->head + 4, &xid, XID_LEN);
	lay_out(request, XID_LEN + length);
	xfer_conn_send(request->dispatcher->conn, &exchange_of(request)->out);
}

/* Keeps an answer of `len` bytes (or -errno). The request that it is for: this one, or one that came later and has
 * got a copy of it. */
static struct xfer_request *keep_answer(struct xfer_request *request, int len)
{
	uint32_t length = len < 0 ? 0 : (uint32_t)len - XID_LEN;
	struct xfer_request *asking =
		xfer_peer_done(request->peer, request, answer_of(request), length);

	xfer_count(XFER_CNT_REPLIES_KEPT, 1);
	if (asking != request)
		memcpy(answer_of(asking), answer_of(request), length);
	return asking;
}

void xfer_request_reply(struct xfer_request *request)
{
	struct xfer_dispatcher *dispatcher = request->dispatcher;
	struct xfer_request *asking = request;
	int len;

	drop_payload(request);
	xfer_request_name_slot(request);
	len = encode(request);
	drop_variable_results(request);
	if (request->cached) {
		if (len > (int)(XID_LEN + XFER_REPLY_ROOM))
			len = -EMSGSIZE;
		asking = keep_answer(request, len);
	}
	if (len < 0) {
		/* Silence would leave the caller waiting; the end of the connection tells it. */
		xfer_conn_close(asking->dispatcher->conn, len, "a reply can't be encoded");
		drop(asking);
		if (asking != request)
			drop(request);
		return;
	}
	if (asking != request) {
		send_kept(asking, (uint32_t)len - XID_LEN);
		drop(request);
		return;
	}
	lay_out(request, (uint32_t)len);
	xfer_conn_send(dispatcher->conn, &exchange_of(request)->out);
	xfer_lane_linger(LINGER_US);
}

int xfer_request_put_fd(struct xfer_request *request, int fd)
{
	return xfer_conn_put_fd(request->dispatcher->conn, fd);
}

bool xfer_request_is_private(const struct xfer_request *request)
{
	const struct xfer_conn_identity *identity = &request->dispatcher->identity;

	return identity->local || identity->security;
}

void xfer_request_finish(struct xfer_request *request, int err)
{
	request->results.status = xfer_status_from_errno(err);
	xfer_request_reply(request);
}

/* Answers a call that is not going to be a request. */
static int refuse(struct xfer_dispatcher *dispatcher, const struct xfer_rpc_call *call,
	enum xfer_rpc_refusal refusal)
{
	struct xfer_request *request = request_new(dispatcher, call);
	struct exchange *exchange;
	int len;

	if (!request)
		return -ENOMEM;
	request->proc = XFER_PROC_NULL;
	exchange = exchange_of(request);
	atomic_fetch_add(&dispatcher->refs, 1);
	charge(dispatcher, request);
	len = xfer_rpc_encode_refusal(exchange->head + 4, HEADS_KEPT, request->xid, refusal);
	lay_out(request, (uint32_t)len);
	xfer_conn_send(dispatcher->conn, &exchange->out);
	return 0;
}

/* --- the session's own procedures ------------------------------------------------------------- */

static void join(
	struct xfer_dispatcher *dispatcher, struct xfer_peer *peer, uint32_t epoch, uint32_t number)
{
	dispatcher->peer = peer;
	dispatcher->epoch = epoch;
	xfer_peer_put_thread(peer, number, dispatcher->lane);
	(void)xfer_conn_want_fd(dispatcher->conn);
	dispatcher->ops->joined(dispatcher->server, dispatcher);
}

/* On the lane's thread, as before. */
static void welcome(struct xfer_request *request)
{
	struct xfer_dispatcher *dispatcher = request->dispatcher;
	struct xfer_hello_res *res = &request->results.hello;
	struct xfer_peer *peer;

	dispatcher->greeting = false;
	if (dispatcher->closed) {
		drop(request);
		return;
	}
	peer = xfer_peers_hello(
		dispatcher->peers, &request->args.hello, &dispatcher->identity, res);
	if (peer)
		join(dispatcher, peer, res->epoch, 0);
	xfer_request_reply(request);
}

static void run_welcome(struct xfer_task *task)
{
	welcome(&((struct exchange *)((char *)task - offsetof(struct exchange, task)))->request);
}

void xfer_request_welcome(struct xfer_request *request)
{
	struct exchange *exchange = exchange_of(request);

	exchange->task.run = run_welcome;
	xfer_lane_post(request->dispatcher->lane, &exchange->task);
}

static void hello(struct xfer_request *request)
{
	struct xfer_dispatcher *dispatcher = request->dispatcher;
	struct xfer_peers *peers = dispatcher->peers;
	const struct xfer_hello_args *args = &request->args.hello;

	if (!xfer_peers_admit(peers, args, &dispatcher->identity, &request->results.hello)) {
		xfer_request_reply(request);
		return;
	}
	dispatcher->greeting = true;
	if (peers->service->remember)
		peers->service->remember(peers->owner, args, request);
	else
		welcome(request);
}

static void token(struct xfer_request *request)
{
	xfer_request_finish(
		request, xfer_peer_issue_token(request->peer, request->dispatcher->epoch,
				 &request->results.token.token));
}

static void attach(struct xfer_request *request)
{
	struct xfer_dispatcher *dispatcher = request->dispatcher;
	uint32_t epoch;
	struct xfer_peer *peer = xfer_peers_redeem(
		dispatcher->peers, &request->args.attach.token, &dispatcher->identity, &epoch);

	if (peer)
		join(dispatcher, peer, epoch, request->args.attach.lane);
	request->results.attach.status = peer ? XFER_ST_OK : XFER_ST_BAD_TOKEN;
	xfer_request_reply(request);
}

static void end(struct xfer_request *request)
{
	xfer_peer_end(request->peer);
	xfer_request_finish(request, 0);
}

static void recovered(struct xfer_request *request)
{
	struct xfer_peers *peers = request->dispatcher->peers;
	struct xfer_peer *peer = request->peer;
	bool in_time = true;

	if (peer->recovering && peers->service->recovered)
		in_time = peers->service->recovered(peers->owner, peer);
	if (in_time) {
		peer->recovering = false;
		xfer_request_finish(request, 0);
		return;
	}
	/* What it may still have on its way must not be carried out any more. */
	xfer_peer_ref(peer);
	xfer_request_finish(request, -(int)XFER_ST_TOO_LATE);
	xfer_peer_end(peer);
	xfer_peer_unref(peer);
}

/* The peer doesn't keep to what it agreed to. */
static void breach(struct xfer_request *request, const char *why)
{
	xfer_count(XFER_CNT_PROTOCOL_ERRORS, 1);
	xfer_conn_close(request->dispatcher->conn, -EPROTO, why);
	drop(request);
}

static void status(struct xfer_request *request)
{
	char *text = request->dispatcher->ops->status(request->dispatcher->server);
	size_t len = text ? strlen(text) : 0;

	if (!text || len + HEADS_KEPT > XFER_HEAD_MAX) {
		free(text);
		xfer_request_finish(request, text ? -EMSGSIZE : -ENOMEM);
		return;
	}
	request->results.text.text = text;
	request->results.text.text_len = (uint32_t)len;
	xfer_request_reply(request);
}

/* --- operations ------------------------------------------------------------------------------- */

static void execute(struct xfer_request *request)
{
	struct xfer_peers *peers = request->dispatcher->peers;

	atomic_fetch_add_explicit(&request->peer->operations, 1, memory_order_relaxed);
	peers->service->dispatch(peers->owner, request);
}

/* Its data hasn't come, and won't. The caller may have sent it once more meanwhile: then that sending is told. */
static void ask_inline(struct xfer_request *request)
{
	struct xfer_request *asking = request;

	if (request->cached)
		asking = xfer_peer_forget(request->peer, request);
	request->cached = false;
	if (asking != request)
		drop(request);
	asking->results.status = XFER_ST_RESEND_INLINE;
	xfer_request_reply(asking);
}

/* With its data, or the place for it, or told that it has none. */
static void go_on(struct xfer_request *request, enum xfer_join_event event)
{
	if (request->delayed)
		xfer_request_finish(request, -EAGAIN);
	else if (event == XFER_JOIN_GO)
		execute(request);
	else
		ask_inline(request);
}

static void execute_with_slot(struct xfer_request *request)
{
	enum xfer_join_event event = xfer_request_enter_slot(request);

	if (event != XFER_JOIN_WAIT)
		go_on(request, event);
}

void xfer_request_resume(struct xfer_placement *placement, enum xfer_join_event event)
{
	struct xfer_request *request = xfer_request_unpark(placement, event);

	/* What has not begun when its session ends never does. */
	request->delayed |= request->peer->ended;
	go_on(request, event);
}

/* It isn't carried out; its slot, if it has one, is free again. */
static void delay(struct xfer_request *request)
{
	request->delayed = true;
	execute_with_slot(request);
}

static void execute_any_time(struct xfer_request *request)
{
	struct xfer_dispatcher *dispatcher = request->dispatcher;

	if (!xfer_peer_goes_on(dispatcher->peer, dispatcher->epoch))
		drop(request);
	else
		execute_with_slot(request);
}

/* What changes something is executed once, however often it is sent. */
static void execute_once(struct xfer_request *request)
{
	struct xfer_replayed replayed = { 0 };
	enum xfer_replay replay;

	if (xfer_mutation(XFER_MUTATION_REPLYCACHE)) {
		execute_any_time(request);
		return;
	}
	if (!xfer_peer_call(request->peer, request->dispatcher->epoch, request, answer_of(request),
		    &replay, &replayed)) {
		drop(request);
		return;
	}
	switch (replay) {
	case XFER_REPLAY_EXECUTE:
		request->cached = true;
		execute_with_slot(request);
		break;
	case XFER_REPLAY_CANCELLED:
		request->cached = true;
		delay(request);
		break;
	case XFER_REPLAY_ATTACHED:
		if (replayed.older)
			drop(replayed.older);
		break;
	case XFER_REPLAY_DONE:
		xfer_count(XFER_CNT_REPLIES_REPEATED, 1);
		send_kept(request, replayed.length);
		break;
	case XFER_REPLAY_LOST:
		xfer_conn_close(request->dispatcher->conn, -ENOMEM, "an answer could not be kept");
		drop(request);
		break;
	case XFER_REPLAY_OLD:
		breach(request, "a call's sequence is older than its call slot's");
		break;
	case XFER_REPLAY_CLASH:
		breach(request, "a call slot is used by two calls at a time");
		break;
	case XFER_REPLAY_NO_MEMORY:
		delay(request);
		break;
	}
}

static void cancel(struct xfer_request *request)
{
	const struct xfer_cancel_args *args = &request->args.cancel;
	const struct xfer_peers *peers = request->dispatcher->peers;
	struct xfer_peer *peer = request->peer;
	enum xfer_cancelled cancelled;

	if (args->call_slot >= peer->limits.calls_max) {
		breach(request, "a CANCEL names a call slot that there isn't");
		return;
	}
	if (peers->service->cancel && xfer_peer_goes_on(peer, request->dispatcher->epoch))
		peers->service->cancel(peers->owner, peer, args);
	if (!xfer_peer_cancel(peer, request->dispatcher->epoch, args, &cancelled))
		drop(request);
	else if (cancelled == XFER_CANCEL_CLASH)
		breach(request, "a call slot is used by two calls at a time");
	else
		xfer_request_finish(request, 0);
}

/* It may wait for long, as one of the calls under way: CALLS_SPARE has room for it. */
static void events(struct xfer_request *request)
{
	struct xfer_dispatcher *dispatcher = request->dispatcher;
	struct xfer_peers *peers = dispatcher->peers;

	if (!xfer_peer_goes_on(dispatcher->peer, dispatcher->epoch))
		drop(request);
	else if (peers->service->events)
		peers->service->events(peers->owner, request);
	else
		xfer_request_finish(request, -EOPNOTSUPP);
}

/* SHARE brings a descriptor; RETIRE may wait for long, as EVENTS does. */
static void memory(struct xfer_request *request)
{
	struct xfer_dispatcher *dispatcher = request->dispatcher;
	struct xfer_peers *peers = dispatcher->peers;

	if (request->proc == XFER_PROC_SHARE)
		request->fd = xfer_conn_take_fd(dispatcher->conn);
	if (!xfer_peer_goes_on(dispatcher->peer, dispatcher->epoch))
		drop(request);
	else if (peers->service->memory)
		peers->service->memory(peers->owner, request);
	else
		xfer_request_finish(request, -EOPNOTSUPP);
}

static void operation(struct xfer_request *request)
{
	if (xfer_proc_info(request->proc)->changes)
		execute_once(request);
	else
		execute_any_time(request);
}

static void run(struct xfer_dispatcher *dispatcher, struct xfer_request *request)
{
	xfer_count(XFER_CNT_CALLS_RECEIVED, 1);
	xfer_count_rpc(request->proc);
	atomic_fetch_add_explicit(&dispatcher->calls, 1, memory_order_relaxed);
	switch (request->proc) {
	case XFER_PROC_NULL:
	case XFER_PROC_PING:
		xfer_request_reply(request);
		break;
	case XFER_PROC_HELLO:
		hello(request);
		break;
	case XFER_PROC_TOKEN:
		token(request);
		break;
	case XFER_PROC_ATTACH:
		attach(request);
		break;
	case XFER_PROC_STATUS:
		status(request);
		break;
	case XFER_PROC_SHARE:
	case XFER_PROC_GROW:
	case XFER_PROC_RETIRE:
		memory(request);
		break;
	case XFER_PROC_END:
		end(request);
		break;
	case XFER_PROC_RECOVERED:
		recovered(request);
		break;
	case XFER_PROC_CANCEL:
		cancel(request);
		break;
	case XFER_PROC_EVENTS:
		events(request);
		break;
	default:
		operation(request);
		break;
	}
}

/* --- receiving -------------------------------------------------------------------------------- */

/* Whether a procedure may be called on this connection now, and how it is refused otherwise. */
static bool permitted(
	const struct xfer_dispatcher *dispatcher, uint32_t proc, enum xfer_rpc_refusal *refusal)
{
	bool in_session = dispatcher->peer != NULL;

	*refusal = XFER_RPC_NO_SESSION;
	switch (proc) {
	case XFER_PROC_NULL:
	case XFER_PROC_PING:
		return true;
	case XFER_PROC_HELLO:
	case XFER_PROC_ATTACH:
		*refusal = XFER_RPC_GARBAGE;
		return !in_session && !dispatcher->greeting;
	case XFER_PROC_STATUS:
		return in_session || dispatcher->identity.local;
	default:
		return in_session;
	}
}

/* Arguments, all of them and nothing else; the payload fragment has to be there exactly when they
 * say so. */
static bool decode_args(XDR *xdrs, uint32_t len, bool more, struct xfer_request *request)
{
	struct xfer_payload *payload;

	if (request->proc >= XFER_PROC_FIRST_OP &&
		(!xfer_xdr_request_header(xdrs, &request->header) ||
			request->header.call_slot >= request->peer->limits.calls_max))
		return false;
	if (!xfer_proc_info(request->proc)->args(xdrs, &request->args) || XDR_GETPOS(xdrs) != len)
		return false;
	payload = xfer_args_payload(request->proc, &request->args);
	if (!payload)
		return !more;
	if (payload->kind == XFER_PAYLOAD_SLOT)
		return !more;
	request->payload_length = payload->length;
	return more == (payload->length > 0);
}

static int dispatcher_head(struct xfer_conn *conn, const uint8_t *head, uint32_t len, bool more,
	struct xfer_sink *sink, const char **why)
{
	struct xfer_dispatcher *dispatcher = xfer_conn_user(conn);
	struct xfer_request *request;
	enum xfer_rpc_refusal refusal;
	struct xfer_rpc_call call = { 0 };
	XDR xdrs;
	int err;

	*why = "what arrives is not an RPC call";
	sink->discard = true;
	xdrmem_ncreate(&xdrs, (char *)head, len, XDR_DECODE);
	err = xfer_rpc_decode_call(&xdrs, &call, &refusal);
	if (err == 0 && !permitted(dispatcher, call.proc, &refusal))
		err = -EBADMSG;
	if (err == -EBADMSG) {
		*why = "out of memory";
		return refuse(dispatcher, &call, refusal);
	}
	if (err)
		return err;
	*why = "out of memory";
	request = request_new(dispatcher, &call);
	if (!request)
		return -ENOMEM;
	if (!decode_args(&xdrs, len, more, request)) {
		request_free(request);
		return refuse(dispatcher, &call, XFER_RPC_GARBAGE);
	}
	atomic_fetch_add(&dispatcher->refs, 1);
	charge(dispatcher, request);
	if (more) {
		dispatcher->receiving = request;
		*sink = (struct xfer_sink){ .length = request->payload_length };
	} else {
		run(dispatcher, request);
	}
	return 0;
}

static int dispatcher_place(struct xfer_conn *conn, struct xfer_rbuf *rbuf, uint8_t *data,
	uint32_t arrived, uint32_t remaining, struct iovec *iov)
{
	struct xfer_dispatcher *dispatcher = xfer_conn_user(conn);
	struct xfer_request *request = dispatcher->receiving;
	int n = 0;

	if (remaining > 0) {
		request->payload_buffer = xfer_bufpool_get(remaining);
		if (!request->payload_buffer)
			return -ENOMEM;
		request->payload_buffer_size = remaining;
		iov[n++] = (struct iovec){ request->payload_buffer, remaining };
	}
	if (arrived > 0) {
		xfer_rbuf_ref(rbuf);
		request->rbuf = rbuf;
		request->payload[request->payload_count++] = (struct iovec){ data, arrived };
	}
	if (remaining > 0)
		request->payload[request->payload_count++] = iov[0];
	return n;
}

static int dispatcher_complete(struct xfer_conn *conn)
{
	struct xfer_dispatcher *dispatcher = xfer_conn_user(conn);
	struct xfer_request *request = dispatcher->receiving;

	dispatcher->receiving = NULL;
	run(dispatcher, request);
	return 0;
}

/* --- the end of a connection ------------------------------------------------------------------ */

static void log_end(struct xfer_dispatcher *dispatcher, int err, const char *why)
{
	static struct xfer_log_limit limit;
	unsigned suppressed;

	if (err == -ECONNRESET && !dispatcher->peer) {
		xfer_debug("connection of %s ended: %s", dispatcher->identity.text, why);
		return;
	}
	if (!dispatcher->peer && !xfer_log_allowed(&limit, 1000, &suppressed))
		return;
	xfer_info("connection of %s%s%s ended: %s (%s)", dispatcher->identity.text,
		dispatcher->peer ? ", node " : "", dispatcher->peer ? dispatcher->peer->node : "",
		why, strerror(-err));
}

static void dispatcher_closed(struct xfer_conn *conn, int err, const char *why)
{
	struct xfer_dispatcher *dispatcher = xfer_conn_user(conn);
	struct xfer_request *request = dispatcher->receiving;

	log_end(dispatcher, err, why);
	if (dispatcher->peer)
		xfer_peer_disconnected(
			dispatcher->peer, dispatcher, err == -ECONNRESET || err == -EPIPE);
	dispatcher->closed = true;
	dispatcher->receiving = NULL;
	if (request)
		reply_sent(&exchange_of(request)->out, err);
	dispatcher_unref(dispatcher);
}

/* While nothing is read, nothing can be heard; the time of silence begins when reading goes on. */
static void check_silence(struct xfer_dispatcher *dispatcher, uint64_t now_ns)
{
	uint64_t since = xfer_conn_last_received_ns(dispatcher->conn);
	uint64_t silence =
		XFER_HEARTBEATS_MISSED * dispatcher->peer->limits.heartbeat_ms * XFER_NS_PER_MS;
	bool paused;

	pthread_mutex_lock(&dispatcher->lock);
	paused = dispatcher->paused;
	pthread_mutex_unlock(&dispatcher->lock);
	if (paused)
		dispatcher->resumed_ns = now_ns;
	if (dispatcher->resumed_ns > since)
		since = dispatcher->resumed_ns;
	if (now_ns > since + silence)
		xfer_conn_close(dispatcher->conn, -ETIMEDOUT,
			"the peer has been silent for five heartbeats");
}

static void dispatcher_tick(struct xfer_conn *conn, uint64_t now_ns)
{
	struct xfer_dispatcher *dispatcher = xfer_conn_user(conn);

	if (dispatcher->peer)
		check_silence(dispatcher, now_ns);
	else if (now_ns > dispatcher->started_ns + HELLO_NS)
		xfer_conn_close(conn, -ETIMEDOUT, "no session was asked for in 30 s");
}

static const struct xfer_conn_ops dispatcher_conn_ops = {
	.head = dispatcher_head,
	.place = dispatcher_place,
	.complete = dispatcher_complete,
	.closed = dispatcher_closed,
	.tick = dispatcher_tick,
};

int xfer_dispatcher_create(
	const struct xfer_dispatcher_params *params, struct xfer_dispatcher **result)
{
	struct xfer_dispatcher *dispatcher = calloc(1, sizeof(*dispatcher));
	struct xfer_conn_params conn_params = {
		.lane = params->lane,
		.io = params->io,
		.ops = &dispatcher_conn_ops,
		.user = dispatcher,
		.recv_chunk = RECV_CHUNK,
		.name = params->identity->text,
	};
	int err;

	if (!dispatcher) {
		params->io->ops->free(params->io);
		return -ENOMEM;
	}
	err = xfer_conn_create(&conn_params, &dispatcher->conn);
	if (err) {
		free(dispatcher);
		return err;
	}
	atomic_init(&dispatcher->refs, 1);
	dispatcher->lane = params->lane;
	dispatcher->identity = *params->identity;
	dispatcher->peers = params->peers;
	dispatcher->ops = params->ops;
	dispatcher->server = params->server;
	dispatcher->started_ns = xfer_now_ns();
	pthread_mutex_init(&dispatcher->lock, NULL);
	*result = dispatcher;
	return 0;
}

void xfer_dispatcher_start(struct xfer_dispatcher *dispatcher)
{
	xfer_conn_start(dispatcher->conn);
}
