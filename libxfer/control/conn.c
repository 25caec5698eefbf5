/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* conn.c -- one connection: record marking, sends from any thread, receives on its lane or in its place */

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "clock.h"
#include "control/conn.h"
#include "control/protocol.h"
#include "counters.h"
#include "log.h"

#define MARK_LEN  4u
#define FLUSH_IOV 64
#define STUCK_NS  (60000 * XFER_NS_PER_MS) /* a reader that takes nothing for so long is closed */
#define RECV_PER_TURN                                                                              \
	16 /* receives in a row before other connections of the lane get their turn  \
			  */

enum recv_state { RECV_HEAD, RECV_MARK, RECV_PAYLOAD, RECV_DISCARD };

struct xfer_conn {
	struct xfer_pollable pollable;
	struct xfer_ticker ticker;
	struct xfer_task start, resume;
	_Atomic unsigned refs;
	struct xfer_lane *lane;
	struct xfer_conn_io *io;
	const struct xfer_conn_ops *ops;
	void *user;
	char name[96];

	/* receiving. Bytes start..end of rbuf are not looked at yet. */
	pthread_mutex_t receiving; /* nobody sleeps for it */
	struct xfer_rbuf *rbuf;
	uint32_t start_at, end_at;
	uint32_t recv_chunk;
	enum recv_state state;
	struct xfer_sink sink;
	uint32_t need;    /* bytes that have to be in rbuf before it can go on */
	uint32_t padding; /* PAYLOAD: bytes behind the payload */
	uint64_t left;    /* PAYLOAD, DISCARD: bytes still to come, without padding */
	struct iovec place[XFER_IOV_MAX];
	int place_at, place_count;
	_Atomic uint64_t received_ns;

	/* sending */
	pthread_mutex_t lock;
	STAILQ_HEAD(, xfer_out) queue;
	uint32_t events; /* in the epoll set */
	bool registered; /* in the epoll set at all */
	bool polled;     /* a thread receives in the lane's place */
	_Atomic bool paused, closing;
	bool resuming;      /* `resume` is posted */
	unsigned keys_used; /* per mille; the lane's */
	int close_err;
	const char *close_why;
	_Atomic size_t unsent;
	_Atomic uint64_t sent_ns;
};

/* --- receive memory --------------------------------------------------------------------------- */

void xfer_rbuf_ref(struct xfer_rbuf *rbuf)
{
	atomic_fetch_add(&rbuf->refs, 1);
}

void xfer_rbuf_unref(struct xfer_rbuf *rbuf)
{
	if (rbuf && atomic_fetch_sub(&rbuf->refs, 1) == 1)
		free(rbuf);
}

/*
 * Makes room for `room` contiguous bytes behind start_at. What is already there moves with it:
 * never payload, because payload is taken out of the buffer as soon as it is there.
 */
static int reserve(struct xfer_conn *conn, uint32_t room)
{
	uint32_t held = conn->end_at - conn->start_at;
	uint32_t size = room > conn->recv_chunk ? room : conn->recv_chunk;
	struct xfer_rbuf *rbuf = conn->rbuf;

	if (rbuf && conn->start_at + room <= rbuf->size)
		return 0;
	if (rbuf && room <= rbuf->size && atomic_load(&rbuf->refs) == 1) {
		memmove(rbuf->data, rbuf->data + conn->start_at, held);
	} else {
		rbuf = malloc(sizeof(*rbuf) + size);
		if (!rbuf)
			return -ENOMEM;
		atomic_init(&rbuf->refs, 1);
		rbuf->size = size;
		if (held)
			memcpy(rbuf->data, conn->rbuf->data + conn->start_at, held);
		xfer_rbuf_unref(conn->rbuf);
		conn->rbuf = rbuf;
	}
	conn->start_at = 0;
	conn->end_at = held;
	return 0;
}

/*
 * XDR decodes from aligned memory only, but behind a payload that was taken elsewhere a head may begin
 * anywhere: what isn't consumed yet moves up by a few bytes. In front of it payload may lie that is in use.
 */
static int align(struct xfer_conn *conn)
{
	uint32_t held = conn->end_at - conn->start_at;
	uint32_t shift = -conn->start_at & 3;
	uint8_t *data = conn->rbuf->data;

	if (shift == 0)
		return 0;
	if (conn->end_at + shift > conn->rbuf->size)
		return reserve(conn, conn->rbuf->size);
	memmove(data + conn->start_at + shift, data + conn->start_at, held);
	conn->start_at += shift;
	conn->end_at += shift;
	return 0;
}

/* --- what was received ------------------------------------------------------------------------ */

static uint32_t mark_at(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
	       bytes[3];
}

/* 1: went on, 0: more bytes are needed, -errno: close. */
static int take_head(struct xfer_conn *conn, const char **why)
{
	uint32_t held = conn->end_at - conn->start_at;
	uint32_t mark, len;
	uint8_t *bytes;
	int err;

	conn->need = MARK_LEN;
	if (held < MARK_LEN)
		return 0;
	*why = "no memory for a record";
	err = align(conn);
	if (err)
		return err;
	bytes = conn->rbuf->data + conn->start_at;
	mark = mark_at(bytes);
	len = mark & ~XFER_MARK_LAST;
	if (len > XFER_HEAD_MAX || len % 4 || len == 0) {
		*why = "a record's first fragment is empty, unaligned or longer than 128 KiB: not "
		       "this protocol";
		return -EPROTO;
	}
	conn->need = MARK_LEN + len;
	if (held < conn->need)
		return 0;
	conn->start_at += conn->need;
	conn->sink = (struct xfer_sink){ 0 };
	err = conn->ops->head(
		conn, bytes + MARK_LEN, len, !(mark & XFER_MARK_LAST), &conn->sink, why);
	if (err)
		return err;
	conn->state = mark & XFER_MARK_LAST ? RECV_HEAD : RECV_MARK;
	conn->need = MARK_LEN;
	return 1;
}

static int take_mark(struct xfer_conn *conn, const char **why)
{
	uint8_t *bytes = conn->rbuf->data + conn->start_at;
	uint32_t held = conn->end_at - conn->start_at;
	uint32_t mark, len, arrived;
	int n;

	if (held < MARK_LEN)
		return 0;
	mark = mark_at(bytes);
	len = mark & ~XFER_MARK_LAST;
	if (!(mark & XFER_MARK_LAST) || len > XFER_RECORD_MAX ||
		(!conn->sink.discard && len != ((conn->sink.length + 3) & ~3u))) {
		*why = "a payload fragment's length differs from what its head says";
		return -EPROTO;
	}
	conn->start_at += MARK_LEN;
	if (conn->sink.discard) {
		conn->left = len;
		conn->state = RECV_DISCARD;
		return 1;
	}
	held -= MARK_LEN;
	arrived = held < conn->sink.length ? held : conn->sink.length;
	conn->left = conn->sink.length - arrived;
	conn->padding = len - conn->sink.length;
	n = conn->ops->place(
		conn, conn->rbuf, bytes + MARK_LEN, arrived, (uint32_t)conn->left, conn->place);
	if (n < 0) {
		*why = "no memory for a payload";
		return n;
	}
	conn->start_at += arrived;
	conn->place_at = 0;
	conn->place_count = n;
	conn->state = RECV_PAYLOAD;
	return 1;
}

static int take_payload(struct xfer_conn *conn, const char **why)
{
	uint32_t held = conn->end_at - conn->start_at;

	conn->need = conn->padding;
	if (conn->left > 0 || held < conn->padding)
		return 0;
	conn->start_at += conn->padding;
	conn->state = RECV_HEAD;
	conn->need = MARK_LEN;
	*why = "a payload could not be taken";
	return conn->ops->complete(conn) ?: 1;
}

static int take_discard(struct xfer_conn *conn)
{
	uint32_t held = conn->end_at - conn->start_at;
	uint32_t n = held < conn->left ? held : (uint32_t)conn->left;

	conn->start_at += n;
	conn->left -= n;
	if (conn->left > 0)
		return 0;
	conn->state = RECV_HEAD;
	conn->need = MARK_LEN;
	return 1;
}

/* Until it is paused: a few bytes may ask for much memory. */
static int take(struct xfer_conn *conn, const char **why)
{
	int went_on;

	do {
		switch (conn->state) {
		case RECV_HEAD:
			went_on = take_head(conn, why);
			break;
		case RECV_MARK:
			went_on = take_mark(conn, why);
			break;
		case RECV_PAYLOAD:
			went_on = take_payload(conn, why);
			break;
		default:
			went_on = take_discard(conn);
			break;
		}
	} while (went_on > 0 && !conn->paused);
	return went_on < 0 ? went_on : 0;
}

/* False: it is closed. */
static bool take_or_close(struct xfer_conn *conn)
{
	const char *why = NULL;
	int err = take(conn, &why);

	if (err) {
		xfer_count(XFER_CNT_PROTOCOL_ERRORS, err == -EPROTO);
		xfer_conn_close(conn, err, why);
	}
	return err == 0;
}

/* --- receiving -------------------------------------------------------------------------------- */

/* Payload first, then whatever follows it into rbuf. */
static int receive_iov(struct xfer_conn *conn, struct iovec *iov, size_t *asked)
{
	uint32_t held = conn->end_at - conn->start_at;
	uint32_t need =
		conn->need > held + conn->recv_chunk / 8 ? conn->need : held + conn->recv_chunk / 8;
	uint32_t room, limit;
	int n = 0, err;

	*asked = 0;
	if (conn->state == RECV_PAYLOAD && conn->left > 0) {
		n = conn->place_count - conn->place_at;
		memcpy(iov, conn->place + conn->place_at, (size_t)n * sizeof(*iov));
		*asked = conn->left;
	}
	if (conn->start_at == conn->end_at && conn->rbuf && atomic_load(&conn->rbuf->refs) == 1)
		conn->start_at = conn->end_at = 0;
	err = reserve(conn, need);
	if (err)
		return err;
	room = conn->rbuf->size - conn->end_at;
	limit = need > conn->recv_chunk ? need : conn->recv_chunk;
	if (room > limit)
		room = limit;
	iov[n++] = (struct iovec){ conn->rbuf->data + conn->end_at, room };
	*asked += room;
	return n;
}

/* n bytes came: first into the payload's places, the rest into rbuf. */
static void received(struct xfer_conn *conn, size_t n)
{
	while (conn->state == RECV_PAYLOAD && conn->left > 0 && n > 0) {
		struct iovec *iov = &conn->place[conn->place_at];
		size_t part = n < iov->iov_len ? n : iov->iov_len;

		iov->iov_base = (uint8_t *)iov->iov_base + part;
		iov->iov_len -= part;
		if (iov->iov_len == 0)
			conn->place_at++;
		conn->left -= part;
		n -= part;
	}
	conn->end_at += (uint32_t)n;
}

/* What the io knows of a failure is more than what can be said in general. */
static const char *why_failed(struct xfer_conn *conn, const char *general)
{
	const char *why = atomic_load_explicit(&conn->io->why, memory_order_relaxed);

	return why ? why : general;
}

static void receive(struct xfer_conn *conn)
{
	struct iovec iov[XFER_IOV_MAX + 1];

	for (int turn = 0; turn < RECV_PER_TURN; turn++) {
		size_t asked = 0;
		int iovcnt = receive_iov(conn, iov, &asked);
		ssize_t n = iovcnt < 0 ? iovcnt : conn->io->ops->recvv(conn->io, iov, iovcnt);

		if (n == -EAGAIN)
			break;
		if (n <= 0) {
			xfer_conn_close(conn, n ? (int)n : -ECONNRESET,
				why_failed(conn,
					n ? "receiving failed" : "the peer closed the connection"));
			break;
		}
		atomic_store_explicit(&conn->received_ns, xfer_now_ns(), memory_order_relaxed);
		received(conn, (size_t)n);
		if (!take_or_close(conn) || (size_t)n < asked || conn->paused || conn->closing)
			break;
	}
}

/* --- sending ---------------------------------------------------------------------------------- */

/* Advances out by n bytes; the bytes that were not needed. */
static size_t advance(struct xfer_out *out, size_t n)
{
	if (n > 0)
		out->started = true;
	while (out->index < out->iovcnt) {
		struct iovec *iov = &out->iov[out->index];

		if (n < iov->iov_len) {
			iov->iov_base = (uint8_t *)iov->iov_base + n;
			iov->iov_len -= n;
			return 0;
		}
		n -= iov->iov_len;
		out->index++;
	}
	return n;
}

static size_t out_bytes(const struct xfer_out *out)
{
	size_t bytes = 0;

	for (int i = out->index; i < out->iovcnt; i++)
		bytes += out->iov[i].iov_len;
	return bytes;
}

/* With the lock held. A closing connection is always listened to: its end arrives that way. */
static uint32_t wanted_events(struct xfer_conn *conn)
{
	return ((conn->paused || conn->polled) && !conn->closing ? 0 : EPOLLIN) |
	       (STAILQ_EMPTY(&conn->queue) ? 0 : EPOLLOUT);
}

/* With the lock held. */
static void set_events(struct xfer_conn *conn)
{
	uint32_t events = wanted_events(conn);

	if (!conn->registered || conn->events == events)
		return;
	if (xfer_lane_modify(conn->lane, conn->io->fd, events, &conn->pollable) == 0)
		conn->events = events;
}

/* With the lock held. */
static void close_locked(struct xfer_conn *conn, int err, const char *why)
{
	if (conn->closing)
		return;
	conn->closing = true;
	conn->close_err = err;
	conn->close_why = why;
	conn->io->ops->shutdown(conn->io);
	set_events(conn);
}

void xfer_conn_close(struct xfer_conn *conn, int err, const char *why)
{
	pthread_mutex_lock(&conn->lock);
	close_locked(conn, err, why);
	pthread_mutex_unlock(&conn->lock);
}

/* With the lock held: writes as much of `out` as goes. 1: all of it, 0: not all, -errno: closing.
 */
static int send_now(struct xfer_conn *conn, struct xfer_out *out)
{
	ssize_t n = conn->io->ops->sendv(conn->io, out->iov + out->index, out->iovcnt - out->index);

	if (n == -EAGAIN)
		return 0;
	if (n < 0) {
		close_locked(conn, (int)n, why_failed(conn, "sending failed"));
		return (int)n;
	}
	atomic_store_explicit(&conn->sent_ns, xfer_now_ns(), memory_order_relaxed);
	advance(out, (size_t)n);
	return out->index == out->iovcnt;
}

void xfer_conn_send(struct xfer_conn *conn, struct xfer_out *out)
{
	int result = 0;

	out->index = 0;
	out->started = false;
	pthread_mutex_lock(&conn->lock);
	if (conn->closing)
		result = -ENOTCONN;
	else if (STAILQ_EMPTY(&conn->queue))
		result = send_now(conn, out);
	if (result == 0) {
		atomic_fetch_add(&conn->unsent, out_bytes(out));
		STAILQ_INSERT_TAIL(&conn->queue, out, link);
		set_events(conn);
	}
	pthread_mutex_unlock(&conn->lock);
	if (result)
		out->sent(out, result > 0 ? 0 : result);
}

STAILQ_HEAD(out_list, xfer_out);

static int gather(struct xfer_conn *conn, struct iovec *iov)
{
	struct xfer_out *out;
	int n = 0;

	STAILQ_FOREACH (out, &conn->queue, link)
		for (int i = out->index; i < out->iovcnt; i++) {
			iov[n++] = out->iov[i];
			if (n == FLUSH_IOV)
				return n;
		}
	return n;
}

/* With the lock held: one writev; what is complete goes to `done`. */
static void flush(struct xfer_conn *conn, struct out_list *done)
{
	struct iovec iov[FLUSH_IOV];
	int iovcnt = gather(conn, iov);
	struct xfer_out *out;
	ssize_t n;

	if (iovcnt == 0)
		return;
	n = conn->io->ops->sendv(conn->io, iov, iovcnt);
	if (n < 0) {
		if (n != -EAGAIN)
			close_locked(conn, (int)n, why_failed(conn, "sending failed"));
		return;
	}
	atomic_store_explicit(&conn->sent_ns, xfer_now_ns(), memory_order_relaxed);
	atomic_fetch_sub(&conn->unsent, (size_t)n);
	while ((out = STAILQ_FIRST(&conn->queue))) {
		n = (ssize_t)advance(out, (size_t)n);
		if (out->index < out->iovcnt)
			break;
		STAILQ_REMOVE_HEAD(&conn->queue, link);
		STAILQ_INSERT_TAIL(done, out, link);
	}
	set_events(conn);
}

static void report_sent(struct out_list *list, int err)
{
	struct xfer_out *out;

	while ((out = STAILQ_FIRST(list))) {
		STAILQ_REMOVE_HEAD(list, link);
		out->sent(out, err);
	}
}

/* --- events ----------------------------------------------------------------------------------- */

static void teardown(struct xfer_conn *conn)
{
	struct out_list unsent = STAILQ_HEAD_INITIALIZER(unsent);

	xfer_lane_remove(conn->lane, conn->io->fd, &conn->pollable);
	xfer_lane_remove_ticker(&conn->ticker);
	pthread_mutex_lock(&conn->lock);
	conn->registered = false;
	STAILQ_CONCAT(&unsent, &conn->queue);
	pthread_mutex_unlock(&conn->lock);
	report_sent(&unsent, -ENOTCONN);
	conn->ops->closed(conn, conn->close_err, conn->close_why);
	xfer_conn_unref(conn);
}

static void conn_ready(struct xfer_pollable *pollable, uint32_t events)
{
	struct xfer_conn *conn = (struct xfer_conn *)pollable;
	struct out_list done = STAILQ_HEAD_INITIALIZER(done);
	bool closing;

	if (events & EPOLLOUT) {
		pthread_mutex_lock(&conn->lock);
		flush(conn, &done);
		pthread_mutex_unlock(&conn->lock);
		report_sent(&done, 0);
	}
	/* What there is still to be received, or the end, is told again. */
	if (pthread_mutex_trylock(&conn->receiving))
		return;
	if (!conn->closing && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		receive(conn);
	closing = conn->closing;
	pthread_mutex_unlock(&conn->receiving);
	if (closing)
		teardown(conn);
}

/* --- receiving in the lane's place ------------------------------------------------------------ */

static _Thread_local bool polling;

bool xfer_conn_is_polling(void)
{
	return polling;
}

/* False: there is nothing to be received any more, or not yet. */
static bool set_polled(struct xfer_conn *conn, bool polled)
{
	bool possible;

	pthread_mutex_lock(&conn->lock);
	possible = conn->registered && !conn->closing;
	conn->polled = polled;
	set_events(conn);
	pthread_mutex_unlock(&conn->lock);
	return possible;
}

/* If so, whoever wants the processor has it first: who is to answer may be among them. */
static bool look_again(
	const struct xfer_conn *conn, const _Atomic bool *wanted, uint64_t deadline_ns)
{
	if (!atomic_load(wanted) || conn->closing || xfer_now_ns() >= deadline_ns)
		return false;
	sched_yield();
	return true;
}

void xfer_conn_poll(struct xfer_conn *conn, const _Atomic bool *wanted, uint64_t deadline_ns)
{
	/* Whoever receives now may have what is wanted, else it will leave in a moment. */
	while (pthread_mutex_trylock(&conn->receiving))
		if (!look_again(conn, wanted, deadline_ns))
			return;
	if (set_polled(conn, true)) {
		polling = true;
		while (look_again(conn, wanted, deadline_ns))
			receive(conn);
		polling = false;
	}
	set_polled(conn, false);
	pthread_mutex_unlock(&conn->receiving);
}

/* What they protect any longer they would protect less. */
static void look_at_keys(struct xfer_conn *conn)
{
	if (!conn->io->ops->used || conn->closing)
		return;
	conn->keys_used = conn->io->ops->used(conn->io);
	if (conn->keys_used < 1000)
		return;
	xfer_count(XFER_CNT_TLS_USED_UP, 1);
	xfer_conn_close(conn, -EKEYEXPIRED, "its keys have carried as much as keys may");
}

static void conn_tick(struct xfer_ticker *ticker, uint64_t now_ns)
{
	struct xfer_conn *conn =
		(struct xfer_conn *)((char *)ticker - offsetof(struct xfer_conn, ticker));

	if (xfer_conn_unsent_bytes(conn) > 0 && now_ns > atomic_load(&conn->sent_ns) + STUCK_NS)
		xfer_conn_close(conn, -ETIMEDOUT, "the peer took nothing for 60 s");
	look_at_keys(conn);
	conn->ops->tick(conn, now_ns);
}

static void conn_started(struct xfer_task *task)
{
	struct xfer_conn *conn =
		(struct xfer_conn *)((char *)task - offsetof(struct xfer_conn, start));
	int err;

	xfer_lane_add_ticker(conn->lane, &conn->ticker);
	pthread_mutex_lock(&conn->lock);
	conn->events = wanted_events(conn);
	err = xfer_lane_add(conn->lane, conn->io->fd, conn->events, &conn->pollable);
	if (err)
		close_locked(conn, err, "the connection can't be watched");
	conn->registered = err == 0;
	pthread_mutex_unlock(&conn->lock);
	if (err)
		teardown(conn);
}

/* What was received before the pause. */
static void conn_resumed(struct xfer_task *task)
{
	struct xfer_conn *conn =
		(struct xfer_conn *)((char *)task - offsetof(struct xfer_conn, resume));

	pthread_mutex_lock(&conn->lock);
	conn->resuming = false;
	pthread_mutex_unlock(&conn->lock);
	if (!conn->closing)
		take_or_close(conn);
	xfer_conn_unref(conn);
}

void xfer_conn_start(struct xfer_conn *conn)
{
	xfer_conn_ref(conn);
	xfer_lane_post(conn->lane, &conn->start);
}

int xfer_conn_want_fd(struct xfer_conn *conn)
{
	return conn->io->ops->want_fd(conn->io);
}

int xfer_conn_put_fd(struct xfer_conn *conn, int fd)
{
	return conn->io->ops->put_fd(conn->io, fd);
}

int xfer_conn_take_fd(struct xfer_conn *conn)
{
	return conn->io->ops->take_fd(conn->io);
}

void xfer_conn_pause(struct xfer_conn *conn, bool paused)
{
	bool resume;

	pthread_mutex_lock(&conn->lock);
	resume = conn->paused && !paused && !conn->resuming && !conn->closing;
	conn->paused = paused;
	conn->resuming |= resume;
	set_events(conn);
	pthread_mutex_unlock(&conn->lock);
	if (!resume)
		return;
	xfer_conn_ref(conn);
	xfer_lane_post(conn->lane, &conn->resume);
}

/* --- life ------------------------------------------------------------------------------------- */

int xfer_conn_create(const struct xfer_conn_params *params, struct xfer_conn **result)
{
	struct xfer_conn *conn = calloc(1, sizeof(*conn));
	uint64_t now = xfer_now_ns();

	if (!conn) {
		params->io->ops->free(params->io);
		return -ENOMEM;
	}
	conn->pollable.ready = conn_ready;
	conn->ticker.tick = conn_tick;
	conn->start.run = conn_started;
	conn->resume.run = conn_resumed;
	atomic_init(&conn->refs, 1);
	conn->lane = params->lane;
	conn->io = params->io;
	conn->ops = params->ops;
	conn->user = params->user;
	conn->recv_chunk = params->recv_chunk;
	snprintf(conn->name, sizeof(conn->name), "%s", params->name);
	conn->state = RECV_HEAD;
	conn->need = MARK_LEN;
	atomic_init(&conn->received_ns, now);
	atomic_init(&conn->sent_ns, now);
	pthread_mutex_init(&conn->lock, NULL);
	pthread_mutex_init(&conn->receiving, NULL);
	STAILQ_INIT(&conn->queue);
	*result = conn;
	return 0;
}

void xfer_conn_ref(struct xfer_conn *conn)
{
	atomic_fetch_add(&conn->refs, 1);
}

void xfer_conn_unref(struct xfer_conn *conn)
{
	if (atomic_fetch_sub(&conn->refs, 1) != 1)
		return;
	conn->io->ops->free(conn->io);
	xfer_rbuf_unref(conn->rbuf);
	pthread_mutex_destroy(&conn->lock);
	pthread_mutex_destroy(&conn->receiving);
	free(conn);
}

void *xfer_conn_user(const struct xfer_conn *conn)
{
	return conn->user;
}

void xfer_conn_set_user(struct xfer_conn *conn, void *user)
{
	conn->user = user;
}

const char *xfer_conn_name(const struct xfer_conn *conn)
{
	return conn->name;
}

unsigned xfer_conn_keys_used(const struct xfer_conn *conn)
{
	return conn->keys_used;
}

uint64_t xfer_conn_last_received_ns(struct xfer_conn *conn)
{
	return atomic_load_explicit(&conn->received_ns, memory_order_relaxed);
}

uint64_t xfer_conn_last_sent_ns(struct xfer_conn *conn)
{
	return atomic_load_explicit(&conn->sent_ns, memory_order_relaxed);
}

size_t xfer_conn_unsent_bytes(struct xfer_conn *conn)
{
	return atomic_load(&conn->unsent);
}
