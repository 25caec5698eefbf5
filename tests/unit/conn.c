/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* conn.c -- one connection: records in pieces of any size, payload to its places, sends that don't fit, ends */

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <poll.h>

#include "clock.h"
#include "control/conn.h"
#include "control/protocol.h"
#include "counters.h"

#define CHUNK   4096u /* recv_chunk */
#define WAIT_MS 20000

/* --- the seam: a socket that takes and gives as many bytes as a test says ---------------------- */

struct shim {
	struct xfer_conn_io io;
	struct xfer_conn_io *under;
	_Atomic size_t recv_max, send_max; /* 0: no limit */
	_Atomic bool stutter;              /* each second send is refused by EAGAIN */
	_Atomic int recv_err;              /* 0: none; what receiving fails with */
	_Atomic size_t received;
	unsigned sends; /* under the connection's lock */
};

/* The first `max` bytes of iov in `cut`; the number of entries. */
static int cut_iov(const struct iovec *iov, int iovcnt, size_t max, struct iovec *cut)
{
	int n = 0;

	for (; n < iovcnt && max > 0; n++) {
		cut[n] = iov[n];
		if (cut[n].iov_len > max)
			cut[n].iov_len = max;
		max -= cut[n].iov_len;
	}
	return n;
}

static ssize_t shim_sendv(struct xfer_conn_io *io, const struct iovec *iov, int iovcnt)
{
	struct shim *shim = (struct shim *)io;
	struct iovec cut[128];

	if (shim->stutter && shim->sends++ % 2)
		return -EAGAIN;
	iovcnt = cut_iov(iov, iovcnt, shim->send_max ? shim->send_max : SIZE_MAX, cut);
	return shim->under->ops->sendv(shim->under, cut, iovcnt);
}

static ssize_t shim_recvv(struct xfer_conn_io *io, const struct iovec *iov, int iovcnt)
{
	struct shim *shim = (struct shim *)io;
	struct iovec cut[128];
	ssize_t n;

	if (shim->recv_err)
		return shim->recv_err;
	iovcnt = cut_iov(iov, iovcnt, shim->recv_max ? shim->recv_max : SIZE_MAX, cut);
	n = shim->under->ops->recvv(shim->under, cut, iovcnt);
	if (n > 0)
		shim->received += (size_t)n;
	return n;
}

static void shim_shutdown(struct xfer_conn_io *io)
{
	struct shim *shim = (struct shim *)io;

	shim->under->ops->shutdown(shim->under);
}

static void shim_free(struct xfer_conn_io *io)
{
	struct shim *shim = (struct shim *)io;

	shim->under->ops->free(shim->under);
	free(shim);
}

static const struct xfer_conn_io_ops shim_ops = {
	.sendv = shim_sendv,
	.recvv = shim_recvv,
	.shutdown = shim_shutdown,
	.free = shim_free,
};

static struct shim *shim_new(int fd)
{
	struct shim *shim = calloc(1, sizeof(*shim));

	assert_non_null(shim);
	shim->under = xfer_conn_io_socket(fd);
	assert_non_null(shim->under);
	shim->io = (struct xfer_conn_io){ .ops = &shim_ops, .fd = fd };
	return shim;
}

/* --- a connection whose events are written down ------------------------------------------------ */

/* A head's first word says how long its payload is. */
struct fixture {
	struct xfer_lane *lane;
	struct xfer_conn *conn;
	struct shim *shim; /* as long as conn lives */
	int peer;
	bool discard;    /* take payloads off, whatever their length */
	unsigned pieces; /* in which a payload is placed, 1..XFER_IOV_MAX */
	bool keep;       /* hold the receive memory of the first payload */
	struct xfer_rbuf *held;
	const uint8_t *held_at;
	uint32_t held_len;

	pthread_mutex_t lock; /* the following */
	uint8_t *log; /* 'H', length, bytes of each head; 'P', length, bytes of each payload */
	size_t log_len, log_size;
	unsigned records, closed, ticks;
	int closed_err;
	const char *closed_why;
	sem_t ended;

	uint8_t *payload; /* the lane's */
	uint32_t payload_len;
};

static void log_add(struct fixture *f, char tag, const uint8_t *bytes, uint32_t len)
{
	pthread_mutex_lock(&f->lock);
	if (f->log_len + len + 8 > f->log_size) {
		f->log_size = 2 * (f->log_len + len + 8);
		f->log = realloc(f->log, f->log_size);
	}
	f->log[f->log_len] = (uint8_t)tag;
	memcpy(f->log + f->log_len + 1, &len, 4);
	memcpy(f->log + f->log_len + 5, bytes, len);
	f->log_len += 5 + len;
	pthread_mutex_unlock(&f->lock);
}

static void count_record(struct fixture *f)
{
	pthread_mutex_lock(&f->lock);
	f->records++;
	pthread_mutex_unlock(&f->lock);
}

static uint32_t word_at(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
	       bytes[3];
}

static int on_head(struct xfer_conn *conn, const uint8_t *head, uint32_t len, bool more,
	struct xfer_sink *sink, const char **why)
{
	struct fixture *f = xfer_conn_user(conn);

	if (memcmp(head, "stop", 4) == 0) {
		*why = "a head that is refused";
		return -EILSEQ;
	}
	/* libntirpc decodes from aligned memory only. */
	assert_int_equal((uintptr_t)head % 4, 0);
	log_add(f, 'H', head, len);
	if (!more)
		count_record(f);
	else if (f->discard)
		sink->discard = true;
	else
		sink->length = f->payload_len = word_at(head);
	return 0;
}

static int on_place(struct xfer_conn *conn, struct xfer_rbuf *rbuf, uint8_t *data, uint32_t arrived,
	uint32_t remaining, struct iovec *iov)
{
	struct fixture *f = xfer_conn_user(conn);
	uint32_t part = remaining / f->pieces, at = arrived;
	int n = 0;

	f->payload = malloc(f->payload_len + 1);
	memcpy(f->payload, data, arrived);
	if (f->keep && !f->held) {
		xfer_rbuf_ref(rbuf);
		f->held = rbuf;
		f->held_at = data;
		f->held_len = arrived;
	}
	while (remaining > 0) {
		uint32_t length = (unsigned)n + 1 < f->pieces && part > 0 ? part : remaining;

		iov[n++] = (struct iovec){ f->payload + at, length };
		at += length;
		remaining -= length;
	}
	return n;
}

static int on_complete(struct xfer_conn *conn)
{
	struct fixture *f = xfer_conn_user(conn);

	log_add(f, 'P', f->payload, f->payload_len);
	free(f->payload);
	f->payload = NULL;
	count_record(f);
	return 0;
}

static void on_closed(struct xfer_conn *conn, int err, const char *why)
{
	struct fixture *f = xfer_conn_user(conn);

	free(f->payload);
	f->payload = NULL;
	pthread_mutex_lock(&f->lock);
	f->closed++;
	f->closed_err = err;
	f->closed_why = why;
	pthread_mutex_unlock(&f->lock);
	sem_post(&f->ended);
}

static void on_tick(struct xfer_conn *conn, uint64_t now_ns)
{
	struct fixture *f = xfer_conn_user(conn);

	(void)now_ns;
	pthread_mutex_lock(&f->lock);
	f->ticks++;
	pthread_mutex_unlock(&f->lock);
}

static const struct xfer_conn_ops ops = {
	.head = on_head,
	.place = on_place,
	.complete = on_complete,
	.closed = on_closed,
	.tick = on_tick,
};

static void set_up(struct fixture *f)
{
	struct xfer_conn_params params = {
		.ops = &ops, .user = f, .recv_chunk = CHUNK, .name = "peer"
	};
	int fds[2];

	memset(f, 0, sizeof(*f));
	f->pieces = 1;
	pthread_mutex_init(&f->lock, NULL);
	sem_init(&f->ended, 0, 0);
	assert_int_equal(xfer_lane_create("test-lane", 10, &f->lane), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	f->peer = fds[1];
	f->shim = shim_new(fds[0]);
	params.lane = f->lane;
	params.io = &f->shim->io;
	assert_int_equal(xfer_conn_create(&params, &f->conn), 0);
}

static void start(struct fixture *f)
{
	set_up(f);
	xfer_conn_start(f->conn);
}

static void wait_end(struct fixture *f)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WAIT_MS / 1000;
	assert_int_equal(sem_timedwait(&f->ended, &until), 0);
	assert_int_equal(f->closed, 1);
}

static void free_fixture(struct fixture *f)
{
	close(f->peer);
	xfer_conn_unref(f->conn);
	xfer_lane_destroy(f->lane);
	assert_int_equal(f->closed, 1);
	xfer_rbuf_unref(f->held);
	free(f->log);
	sem_destroy(&f->ended);
	pthread_mutex_destroy(&f->lock);
}

static void tear_down(struct fixture *f)
{
	xfer_conn_close(f->conn, -ESHUTDOWN, "the test is over");
	wait_end(f);
	assert_int_equal(f->closed_err, -ESHUTDOWN);
	free_fixture(f);
}

static unsigned records_of(struct fixture *f)
{
	unsigned records;

	pthread_mutex_lock(&f->lock);
	records = f->records;
	pthread_mutex_unlock(&f->lock);
	return records;
}

static void wait_records(struct fixture *f, unsigned records)
{
	uint64_t deadline = xfer_now_ns() + WAIT_MS * XFER_NS_PER_MS;

	while (records_of(f) < records) {
		assert_true(xfer_now_ns() < deadline);
		usleep(200);
	}
	assert_int_equal(records_of(f), records);
}

static void wait_received(struct fixture *f, size_t bytes)
{
	uint64_t deadline = xfer_now_ns() + WAIT_MS * XFER_NS_PER_MS;

	while (f->shim->received < bytes) {
		assert_true(xfer_now_ns() < deadline);
		usleep(50);
	}
}

/* --- bytes to receive, and what has to come of them -------------------------------------------- */

struct script {
	uint8_t wire[3 << 20];
	size_t wire_len;
	uint8_t log[3 << 20];
	size_t log_len;
	unsigned records;
};

static void script_log(struct script *s, char tag, const uint8_t *bytes, uint32_t len)
{
	s->log[s->log_len] = (uint8_t)tag;
	memcpy(s->log + s->log_len + 1, &len, 4);
	memcpy(s->log + s->log_len + 5, bytes, len);
	s->log_len += 5 + len;
}

static void script_fragment(struct script *s, const uint8_t *bytes, uint32_t len, bool last)
{
	xfer_mark_put(s->wire + s->wire_len, len, last);
	memcpy(s->wire + s->wire_len + 4, bytes, len);
	s->wire_len += 4 + len;
}

/* A record; payload_len 0: only its head. */
static void script_record(struct script *s, uint32_t head_len, uint32_t payload_len)
{
	uint32_t padded = (payload_len + 3) & ~3u;
	uint8_t *bytes = malloc(head_len + padded);

	for (uint32_t i = 0; i < head_len + padded; i++)
		bytes[i] = (uint8_t)(i * 7 + s->records * 31 + (i >> 8));
	bytes[0] = (uint8_t)(payload_len >> 24);
	bytes[1] = (uint8_t)(payload_len >> 16);
	bytes[2] = (uint8_t)(payload_len >> 8);
	bytes[3] = (uint8_t)payload_len;
	script_fragment(s, bytes, head_len, payload_len == 0);
	script_log(s, 'H', bytes, head_len);
	if (payload_len > 0) {
		script_fragment(s, bytes + head_len, padded, true);
		script_log(s, 'P', bytes + head_len, payload_len);
	}
	s->records++;
	free(bytes);
}

static struct script *script_small(void)
{
	struct script *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	script_record(s, 8, 0);
	script_record(s, 12, 5);
	script_record(s, 4, 8);
	script_record(s, 4, 0);
	return s;
}

static void send_all(int fd, const uint8_t *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);

		assert_true(n > 0);
		bytes += n;
		len -= (size_t)n;
	}
}

static void expect_script(struct fixture *f, const struct script *s)
{
	wait_records(f, s->records);
	pthread_mutex_lock(&f->lock);
	assert_int_equal(f->log_len, s->log_len);
	assert_memory_equal(f->log, s->log, s->log_len);
	f->log_len = 0;
	f->records = 0;
	pthread_mutex_unlock(&f->lock);
}

/* --- receiving --------------------------------------------------------------------------------- */

/* In two parts, whichever: the first has been looked at before the second is sent. */
static void test_split_at_every_byte(void **state)
{
	struct script *s = script_small();
	struct fixture f;

	(void)state;
	start(&f);
	for (unsigned pieces = 1; pieces <= 3; pieces++) {
		f.pieces = pieces;
		for (size_t at = 1; at < s->wire_len; at++) {
			size_t before = f.shim->received;

			send_all(f.peer, s->wire, at);
			wait_received(&f, before + at);
			send_all(f.peer, s->wire + at, s->wire_len - at);
			expect_script(&f, s);
		}
	}
	tear_down(&f);
	free(s);
}

/* In parts of equal size, from single bytes on. */
static void test_small_receives(void **state)
{
	struct script *s = script_small();
	struct fixture f;

	(void)state;
	start(&f);
	f.pieces = 3;
	for (size_t max = 1; max <= s->wire_len; max++) {
		f.shim->recv_max = max;
		send_all(f.peer, s->wire, s->wire_len);
		expect_script(&f, s);
	}
	tear_down(&f);
	free(s);
}

/* Heads and payloads longer than the receive memory, and many records in one receive. */
static void test_sizes(void **state)
{
	static const uint32_t sizes[] = { 1, 3, 4, CHUNK - 12, CHUNK - 8, CHUNK, CHUNK + 1, 65537,
		XFER_IO_MAX - 1, XFER_IO_MAX };
	static const size_t maxima[] = { 0, 1000, CHUNK };
	struct script *s = calloc(1, sizeof(*s));
	struct fixture f;

	(void)state;
	start(&f);
	for (unsigned i = 0; i < 30; i++) {
		f.pieces = 1 + i % XFER_IOV_MAX;
		f.shim->recv_max = maxima[i % 3];
		s->wire_len = s->log_len = s->records = 0;
		for (unsigned j = 0; j < 40; j++)
			script_record(s, 4 + 4 * (j % 9), j % 3 ? 0 : j);
		script_record(s, XFER_HEAD_MAX, 0);
		script_record(s, 8, sizes[i % 10]);
		script_record(s, XFER_HEAD_MAX, sizes[i % 8]);
		script_record(s, 4, 0);
		send_all(f.peer, s->wire, s->wire_len);
		expect_script(&f, s);
	}
	tear_down(&f);
	free(s);
}

/* Memory that a request refers to isn't received into again. */
static void test_referenced_memory_stays(void **state)
{
	struct script *s = calloc(1, sizeof(*s)), *more = calloc(1, sizeof(*more));
	struct fixture f;

	(void)state;
	set_up(&f);
	f.keep = true;
	script_record(s, 8, 400);
	send_all(f.peer, s->wire, s->wire_len);
	xfer_conn_start(f.conn);
	expect_script(&f, s);
	assert_int_equal(f.held_len, 400);
	for (unsigned i = 0; i < 100; i++)
		script_record(more, 64, 100);
	for (unsigned i = 0; i < 10; i++) {
		send_all(f.peer, more->wire, more->wire_len);
		expect_script(&f, more);
	}
	assert_memory_equal(f.held_at, s->wire + 4 + 8 + 4, 400);
	tear_down(&f);
	free(s);
	free(more);
}

/* --- what isn't this protocol ------------------------------------------------------------------ */

static void expect_refused(const uint8_t *bytes, size_t len, unsigned records, int err)
{
	uint64_t errors = xfer_counters[XFER_CNT_PROTOCOL_ERRORS];
	struct fixture f;

	start(&f);
	send_all(f.peer, bytes, len);
	wait_end(&f);
	assert_int_equal(f.closed_err, err);
	assert_non_null(f.closed_why);
	assert_int_equal(f.records, records);
	assert_int_equal(xfer_counters[XFER_CNT_PROTOCOL_ERRORS], errors + (err == -EPROTO));
	free_fixture(&f);
}

static void test_bad_heads(void **state)
{
	static const uint32_t lengths[] = { 0, 1, 6, 0x7fffffff, XFER_HEAD_MAX + 4,
		0x47455420 /* "GET " */ };
	uint8_t mark[4];

	(void)state;
	for (unsigned i = 0; i < sizeof(lengths) / sizeof(*lengths); i++)
		for (int last = 0; last < 2; last++) {
			xfer_mark_put(mark, lengths[i], last);
			expect_refused(mark, 4, 0, -EPROTO);
		}
}

/* The head says 5 bytes: 8 with padding. */
static void test_bad_payload_marks(void **state)
{
	static const uint32_t lengths[] = { 0, 4, 5, 12, XFER_IO_MAX, 0x7fffffff };
	struct script *s = calloc(1, sizeof(*s));
	uint8_t bytes[16];

	(void)state;
	script_record(s, 4, 5);
	memcpy(bytes, s->wire, 8);
	for (unsigned i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		xfer_mark_put(bytes + 8, lengths[i], true);
		expect_refused(bytes, 12, 0, -EPROTO);
	}
	xfer_mark_put(bytes + 8, 8, false); /* a third fragment */
	expect_refused(bytes, 12, 0, -EPROTO);
	free(s);
}

static void test_refused_head(void **state)
{
	struct script *s = script_small();

	(void)state;
	script_fragment(s, (const uint8_t *)"stop", 4, true);
	script_record(s, 8, 0);
	expect_refused(s->wire, s->wire_len, 4, -EILSEQ);
	free(s);
}

/* Taken off whatever its length, which only the mark tells. */
static void test_discarded_payload(void **state)
{
	static const uint32_t lengths[] = { 0, 1, 4, 7, CHUNK, 100001 };
	static const size_t maxima[] = { 0, 1, 3 };
	struct script *s = calloc(1, sizeof(*s));
	uint8_t *bytes = calloc(1, 100001);
	struct fixture f;

	(void)state;
	start(&f);
	for (unsigned i = 0; i < 18; i++) {
		f.shim->recv_max = maxima[i % 3] * (lengths[i / 3] > CHUNK ? 1000 : 1);
		s->wire_len = s->log_len = s->records = 0;
		f.discard = true;
		script_fragment(s, bytes, 8, false);
		script_log(s, 'H', bytes, 8);
		script_fragment(s, bytes, lengths[i / 3], true);
		script_record(s, 12, 0);
		send_all(f.peer, s->wire, s->wire_len);
		expect_script(&f, s);
	}
	tear_down(&f);
	free(bytes);
	free(s);
}

static void test_discarded_payload_has_a_limit(void **state)
{
	struct fixture f;
	uint8_t bytes[12] = { 0 };

	(void)state;
	set_up(&f);
	f.discard = true;
	xfer_conn_start(f.conn);
	xfer_mark_put(bytes, 4, false);
	xfer_mark_put(bytes + 8, XFER_RECORD_MAX + 1, true);
	send_all(f.peer, bytes, sizeof(bytes));
	wait_end(&f);
	assert_int_equal(f.closed_err, -EPROTO);
	free_fixture(&f);
}

/* --- ends -------------------------------------------------------------------------------------- */

/* At whichever byte; what was complete before has arrived. */
static void test_peer_closes(void **state)
{
	struct script *s = script_small();

	(void)state;
	for (size_t at = 0; at <= s->wire_len; at += 5) {
		struct fixture f;

		start(&f);
		send_all(f.peer, s->wire, at);
		shutdown(f.peer, SHUT_WR);
		wait_end(&f);
		assert_int_equal(f.closed_err, -ECONNRESET);
		free_fixture(&f);
	}
	free(s);
}

static void test_receiving_fails(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	f.shim->recv_err = -EBADMSG;
	send_all(f.peer, (const uint8_t *)"x", 1);
	wait_end(&f);
	assert_int_equal(f.closed_err, -EBADMSG);
	free_fixture(&f);
}

static void test_first_cause_wins(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f);
	xfer_conn_close(f.conn, -ETIMEDOUT, "first");
	xfer_conn_close(f.conn, -EIO, "second");
	xfer_conn_start(f.conn);
	wait_end(&f);
	assert_int_equal(f.closed_err, -ETIMEDOUT);
	assert_string_equal(f.closed_why, "first");
	free_fixture(&f);
}

static void test_pause(void **state)
{
	struct script *s = script_small();
	struct fixture f;

	(void)state;
	start(&f);
	send_all(f.peer, s->wire, s->wire_len);
	expect_script(&f, s);
	xfer_conn_pause(f.conn, true);
	usleep(20000); /* a receive that had begun before is over */
	send_all(f.peer, s->wire, s->wire_len);
	usleep(50000);
	assert_int_equal(records_of(&f), 0);
	xfer_conn_pause(f.conn, false);
	expect_script(&f, s);
	/* The end of a paused connection is seen. */
	xfer_conn_pause(f.conn, true);
	tear_down(&f);
	free(s);
}

static void test_ticks(void **state)
{
	struct fixture f;
	uint64_t deadline = xfer_now_ns() + WAIT_MS * XFER_NS_PER_MS;
	unsigned ticks = 0;

	(void)state;
	start(&f);
	while (ticks < 3) {
		assert_true(xfer_now_ns() < deadline);
		usleep(1000);
		pthread_mutex_lock(&f.lock);
		ticks = f.ticks;
		pthread_mutex_unlock(&f.lock);
	}
	tear_down(&f);
}

/* --- sending ----------------------------------------------------------------------------------- */

#define MESSAGES 300
#define SENDERS  3

struct message {
	struct xfer_out out;
	uint8_t bytes[3000];
	uint32_t len;
	_Atomic unsigned sent;
	_Atomic int err;
};

static _Atomic unsigned sent_count;

static void on_sent(struct xfer_out *out, int err)
{
	struct message *message = (struct message *)out;

	message->err = err;
	message->sent++;
	/* The memory is the sender's again. */
	memset(message->bytes, 0xee, sizeof(message->bytes));
	sent_count++;
}

/* In one to eighteen pieces; each begins with sender, number and length, so that a reader can follow. */
static void message_fill(struct message *message, unsigned sender, unsigned number)
{
	uint32_t len = 12 + number * 37 % 2900, pieces = 1 + number % (XFER_IOV_MAX + 2), at = 0;

	memset(message, 0, sizeof(*message));
	message->len = len;
	memcpy(message->bytes, &sender, 4);
	memcpy(message->bytes + 4, &number, 4);
	memcpy(message->bytes + 8, &len, 4);
	for (uint32_t i = 12; i < len; i++)
		message->bytes[i] = (uint8_t)(sender * 50 + number + i);
	message->out.sent = on_sent;
	for (uint32_t i = 0; i < pieces; i++) {
		uint32_t part = i + 1 < pieces ? len / pieces : len - at;

		message->out.iov[i] = (struct iovec){ message->bytes + at, part };
		at += part;
	}
	message->out.iovcnt = (int)pieces;
}

struct sender {
	struct fixture *f;
	unsigned number;
	struct message *messages;
};

static void *send_messages(void *arg)
{
	struct sender *sender = arg;

	for (unsigned i = 0; i < MESSAGES; i++) {
		message_fill(&sender->messages[i], sender->number, i);
		xfer_conn_send(sender->f->conn, &sender->messages[i].out);
	}
	return NULL;
}

static bool recv_all(int fd, uint8_t *bytes, size_t len)
{
	while (len > 0) {
		struct pollfd pollfd = { .fd = fd, .events = POLLIN };
		ssize_t n;

		assert_int_equal(poll(&pollfd, 1, WAIT_MS), 1);
		n = recv(fd, bytes, len, 0);
		if (n <= 0)
			return false;
		bytes += n;
		len -= (size_t)n;
	}
	return true;
}

/* Whole messages, and those of one sender in its order. */
static void read_messages(int fd, unsigned count)
{
	unsigned next[SENDERS] = { 0 }, number, sender;
	uint8_t bytes[3000];
	uint32_t len;

	while (count-- > 0) {
		assert_true(recv_all(fd, bytes, 12));
		memcpy(&sender, bytes, 4);
		memcpy(&number, bytes + 4, 4);
		memcpy(&len, bytes + 8, 4);
		assert_true(sender < SENDERS && len <= sizeof(bytes));
		assert_int_equal(number, next[sender]++);
		assert_true(recv_all(fd, bytes + 12, len - 12));
		for (uint32_t i = 12; i < len; i++)
			assert_int_equal(bytes[i], (uint8_t)(sender * 50 + number + i));
	}
}

static void small_buffer(struct fixture *f)
{
	int bytes = 1;

	/* The kernel makes its minimum of it. */
	assert_int_equal(
		setsockopt(f->shim->io.fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)), 0);
}

static void exchange(struct fixture *f, unsigned senders)
{
	static struct message messages[SENDERS][MESSAGES];
	struct sender args[SENDERS];
	pthread_t threads[SENDERS];
	uint64_t deadline;

	sent_count = 0;
	for (unsigned i = 0; i < senders; i++) {
		args[i] = (struct sender){ f, i, messages[i] };
		assert_int_equal(pthread_create(&threads[i], NULL, send_messages, &args[i]), 0);
	}
	read_messages(f->peer, senders * MESSAGES);
	for (unsigned i = 0; i < senders; i++)
		pthread_join(threads[i], NULL);
	deadline = xfer_now_ns() + WAIT_MS * XFER_NS_PER_MS;
	while (sent_count < senders * MESSAGES && xfer_now_ns() < deadline)
		usleep(200);
	for (unsigned i = 0; i < senders; i++)
		for (unsigned j = 0; j < MESSAGES; j++) {
			assert_int_equal(messages[i][j].sent, 1);
			assert_int_equal(messages[i][j].err, 0);
			assert_true(messages[i][j].out.started);
		}
	assert_int_equal(xfer_conn_unsent_bytes(f->conn), 0);
}

static void test_direct_sends(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	exchange(&f, SENDERS);
	tear_down(&f);
}

static void test_sends_that_do_not_fit(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	small_buffer(&f);
	exchange(&f, SENDERS);
	tear_down(&f);
}

static void test_sends_in_small_parts(void **state)
{
	static const size_t maxima[] = { 1, 7, 100, 4000 };
	struct fixture f;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		start(&f);
		f.shim->send_max = maxima[i];
		f.shim->stutter = maxima[i] > 1;
		exchange(&f, maxima[i] > 1 ? SENDERS : 1);
		tear_down(&f);
	}
}

/* Nobody reads: what doesn't fit waits, is counted, and fails when the connection ends. */
static void test_unsent_at_the_end(void **state)
{
	static struct message messages[MESSAGES];
	unsigned failed = 0, total = 0;
	size_t unsent = 0;
	struct fixture f;

	(void)state;
	start(&f);
	small_buffer(&f);
	sent_count = 0;
	for (unsigned i = 0; i < MESSAGES; i++) {
		message_fill(&messages[i], 0, i);
		total += messages[i].len;
		xfer_conn_send(f.conn, &messages[i].out);
	}
	unsent = xfer_conn_unsent_bytes(f.conn);
	assert_in_range(unsent, total / 2, total);
	xfer_conn_close(f.conn, -ETIMEDOUT, "enough");
	wait_end(&f);
	for (unsigned i = 0; i < MESSAGES; i++) {
		assert_int_equal(messages[i].sent, 1);
		assert_true(messages[i].err == 0 || messages[i].err == -ENOTCONN);
		failed += messages[i].err != 0;
		/* One part of the queue has left, the rest hasn't begun. */
		if (messages[i].err == 0)
			assert_true(messages[i].out.started);
	}
	assert_true(failed > MESSAGES / 2);
	assert_false(messages[MESSAGES - 1].out.started);
	free_fixture(&f);
}

static void test_send_after_the_end(void **state)
{
	struct message message;
	struct fixture f;

	(void)state;
	start(&f);
	xfer_conn_close(f.conn, -ETIMEDOUT, "enough");
	message_fill(&message, 0, 1);
	xfer_conn_send(f.conn, &message.out);
	assert_int_equal(message.sent, 1);
	assert_int_equal(message.err, -ENOTCONN);
	assert_false(message.out.started);
	wait_end(&f);
	message_fill(&message, 0, 1);
	xfer_conn_send(f.conn, &message.out);
	assert_int_equal(message.sent, 1);
	assert_int_equal(message.err, -ENOTCONN);
	free_fixture(&f);
}

/* Its own address family tells by EPIPE that the reader is gone. */
static void test_sending_fails(void **state)
{
	struct message message;
	struct fixture f;

	(void)state;
	set_up(&f);
	close(f.peer);
	f.peer = dup(STDERR_FILENO); /* for free_fixture */
	message_fill(&message, 0, 1);
	xfer_conn_send(f.conn, &message.out);
	assert_int_equal(message.sent, 1);
	assert_int_equal(message.err, -EPIPE);
	xfer_conn_start(f.conn);
	wait_end(&f);
	assert_int_equal(f.closed_err, -EPIPE);
	free_fixture(&f);
}

/* --- everything at once ------------------------------------------------------------------------ */

static void *close_soon(void *arg)
{
	struct fixture *f = arg;

	usleep((useconds_t)(xfer_now_ns() % 3000));
	xfer_conn_close(f->conn, -ESHUTDOWN, "from another thread");
	return NULL;
}

static void *drain(void *arg)
{
	uint8_t bytes[4096];

	while (recv(*(int *)arg, bytes, sizeof(bytes), 0) > 0)
		;
	return NULL;
}

/* Sends, receives and pauses are under way when the connection ends; each message is accounted for once. */
static void test_close_meanwhile(void **state)
{
	static struct message messages[2][MESSAGES];
	struct script *s = script_small();

	(void)state;
	for (unsigned round = 0; round < 60; round++) {
		struct sender args[2];
		pthread_t threads[4];
		struct fixture f;

		start(&f);
		if (round % 2)
			small_buffer(&f);
		for (unsigned i = 0; i < 2; i++) {
			args[i] = (struct sender){ &f, i, messages[i] };
			pthread_create(&threads[i], NULL, send_messages, &args[i]);
		}
		pthread_create(&threads[2], NULL, drain, &f.peer);
		pthread_create(&threads[3], NULL, close_soon, &f);
		while (send(f.peer, s->wire, s->wire_len, MSG_NOSIGNAL) > 0)
			xfer_conn_pause(f.conn, round % 3 == 0);
		for (unsigned i = 0; i < 4; i++)
			pthread_join(threads[i], NULL);
		wait_end(&f);
		assert_int_equal(f.closed_err, -ESHUTDOWN);
		for (unsigned i = 0; i < 2; i++)
			for (unsigned j = 0; j < MESSAGES; j++)
				assert_int_equal(messages[i][j].sent, 1);
		free_fixture(&f);
	}
	free(s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split_at_every_byte),
		cmocka_unit_test(test_small_receives),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_referenced_memory_stays),
		cmocka_unit_test(test_bad_heads),
		cmocka_unit_test(test_bad_payload_marks),
		cmocka_unit_test(test_refused_head),
		cmocka_unit_test(test_discarded_payload),
		cmocka_unit_test(test_discarded_payload_has_a_limit),
		cmocka_unit_test(test_peer_closes),
		cmocka_unit_test(test_receiving_fails),
		cmocka_unit_test(test_first_cause_wins),
		cmocka_unit_test(test_pause),
		cmocka_unit_test(test_ticks),
		cmocka_unit_test(test_direct_sends),
		cmocka_unit_test(test_sends_that_do_not_fit),
		cmocka_unit_test(test_sends_in_small_parts),
		cmocka_unit_test(test_unsent_at_the_end),
		cmocka_unit_test(test_send_after_the_end),
		cmocka_unit_test(test_sending_fails),
		cmocka_unit_test(test_close_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
