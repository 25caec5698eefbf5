/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* relay.c -- records made and opened by OpenSSL, behind a socket pair, where the kernel can't */

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <openssl/err.h>

#include "address.h"
#include "clock.h"
#include "control/lane.h"
#include "counters.h"
#include "log.h"
#include "tls/failure.h"
#include "tls/relay.h"
#include "tls/socket_bio.h"

#define LANES        2
#define TICK_MS      1000
#define BUFFER       65536 /* bytes of plain text: four records */
#define READS        4     /* of the socket, in a round */
#define UPDATES_MAX  32    /* new keys of a peer without anything in between that is for the user */
#define ROUNDS       8     /* without a look at the others of the lane */
#define ABANDONED_MS 30000 /* a peer may take so long for what an end has left behind */

/* One of the two descriptors. */
struct side {
	struct xfer_pollable pollable;
	struct relayed *relayed;
	int fd;
	uint32_t events;
	bool hung_up; /* not watched any more: no call for it can block */
};

/* What flows one way. */
struct flow {
	size_t from, to; /* what is in bytes and not handed on yet */
	bool ended;      /* nothing more comes */
	bool told;       /* and the other end knows */
	uint8_t bytes[BUFFER];
};

struct relayed {
	struct side peer, user;
	struct flow in, out;           /* from the peer, to the peer */
	struct xfer_tls_socket socket; /* the peer's, as OpenSSL sees it */
	struct lane *lane;
	LIST_ENTRY(relayed) link;
	struct xfer_task task; /* its beginning; later: there is more to do */
	bool posted;
	SSL *ssl;
	struct sockaddr_storage address;
	struct xfer_tls_security *security;
	unsigned updates; /* of the peer's keys since anything came that is for the user */
	bool peer_full;   /* OpenSSL waits for room in the socket */
	bool broken;      /* OpenSSL can't go on; what has come before is still handed on */
	bool dead;
	uint64_t moved_ns; /* when bytes moved last */
};

/* One thread with its connections. */
struct lane {
	struct xfer_lane *lane;
	struct xfer_ticker ticker;
	struct xfer_task start, stop;
	struct xfer_tls_relay *relay;
	LIST_HEAD(, relayed) list; /* its thread only */
};

struct xfer_tls_relay {
	BIO_METHOD *method;
	struct lane lanes[LANES];
	_Atomic unsigned next, connections;
};

/* --- moving bytes ------------------------------------------------------------------------------- */

static bool is_empty(const struct flow *flow)
{
	return flow->from == flow->to;
}

static void took(struct flow *flow, size_t n)
{
	flow->from += n;
	if (is_empty(flow))
		flow->from = flow->to = 0;
}

static void log_end(const struct relayed *relayed, const char *why)
{
	char text[64];

	xfer_address_format(&relayed->address, text, sizeof(text));
	xfer_warn("tls: %s ended: %s", text, why);
}

/* That a peer has just closed its socket is for it to know, and not worth a line. */
static void log_broken(const struct relayed *relayed)
{
	struct xfer_tls_failure failure;

	if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
		return;
	xfer_tls_fail_openssl(&failure, relayed->ssl, NULL);
	log_end(relayed, failure.why);
}

/* After a call of OpenSSL's that didn't succeed. */
static void look_at_ssl(struct relayed *relayed, int result)
{
	switch (SSL_get_error(relayed->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		break;
	case SSL_ERROR_WANT_WRITE:
		relayed->peer_full = true;
		break;
	case SSL_ERROR_ZERO_RETURN:
		relayed->in.ended = true;
		break;
	case SSL_ERROR_SSL:
		log_broken(relayed);
		/* fall through */
	default:
		relayed->broken = true;
	}
	ERR_clear_error();
}

/*
 * New keys cost this end more than the peer, and everybody on the thread has to wait for that. OpenSSL itself ends
 * connections that go on and on with other records that are nothing for the user.
 */
static void judge_updates(struct relayed *relayed, bool received)
{
	if (relayed->updates > UPDATES_MAX && !relayed->broken) {
		log_end(relayed, "it does nothing but change its keys");
		relayed->broken = true;
	}
	if (received)
		relayed->updates = 0;
}

static bool read_peer(struct relayed *relayed)
{
	struct flow *in = &relayed->in;
	size_t before = in->to, n;

	relayed->socket.reads = READS;
	while (!in->ended && !relayed->broken && in->to < BUFFER) {
		int result = SSL_read_ex(relayed->ssl, in->bytes + in->to, BUFFER - in->to, &n);

		if (result != 1) {
			look_at_ssl(relayed, result);
			break;
		}
		in->to += n;
	}
	xfer_count(XFER_CNT_TLS_RELAY_RECEIVED_BYTES, in->to - before);
	judge_updates(relayed, in->to > before);
	return in->to > before;
}

/* Its user has closed both directions, or all of it: what the peer still sends has nobody to go to. */
static void user_gone(struct relayed *relayed)
{
	relayed->in.from = relayed->in.to = 0;
	relayed->in.ended = relayed->in.told = true;
	shutdown(relayed->user.fd, SHUT_WR);
}

static bool write_user(struct relayed *relayed)
{
	struct flow *in = &relayed->in;
	ssize_t n = 0;

	if (!is_empty(in))
		n = send(relayed->user.fd, in->bytes + in->from, in->to - in->from,
			MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n > 0)
		took(in, (size_t)n);
	else if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
		user_gone(relayed);
	else if (n < 0 && errno != EAGAIN && errno != EINTR)
		relayed->dead = true;
	if (in->ended && is_empty(in) && !in->told) {
		shutdown(relayed->user.fd, SHUT_WR);
		in->told = true;
	}
	return n > 0;
}

static bool read_user(struct relayed *relayed)
{
	struct flow *out = &relayed->out;
	ssize_t n = recv(relayed->user.fd, out->bytes, BUFFER, MSG_DONTWAIT);

	if (n > 0)
		out->to = (size_t)n;
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		out->ended = true;
	return n > 0;
}

/* close_notify, and then FIN: some wait for the one, some for the other. */
static void end_out(struct relayed *relayed)
{
	int result = SSL_shutdown(relayed->ssl);

	if (result < 0)
		look_at_ssl(relayed, result);
	if (relayed->peer_full)
		return;
	shutdown(relayed->peer.fd, SHUT_WR);
	relayed->out.told = true;
}

static bool write_peer(struct relayed *relayed)
{
	struct flow *out = &relayed->out;
	bool moved = false;
	size_t n;

	while (!is_empty(out) && !relayed->broken && !relayed->peer_full) {
		int result =
			SSL_write_ex(relayed->ssl, out->bytes + out->from, out->to - out->from, &n);

		if (result != 1) {
			look_at_ssl(relayed, result);
			break;
		}
		xfer_count(XFER_CNT_TLS_RELAY_SENT_BYTES, n);
		took(out, n);
		moved = true;
	}
	if (out->ended && is_empty(out) && !out->told && !relayed->broken && !relayed->peer_full)
		end_out(relayed);
	return moved;
}

/* Whether anything moved. */
static bool round_trip(struct relayed *relayed)
{
	bool moved = false;

	relayed->peer_full = false;
	if (is_empty(&relayed->out) && !relayed->out.ended && !relayed->broken)
		moved |= read_user(relayed);
	moved |= write_peer(relayed);
	if (is_empty(&relayed->in))
		moved |= read_peer(relayed);
	moved |= write_user(relayed);
	return moved;
}

/* --- a connection's life ------------------------------------------------------------------------ */

static void relayed_free(struct relayed *relayed)
{
	SSL_free(relayed->ssl);
	if (relayed->security)
		xfer_tls_security_unref(relayed->security);
	OPENSSL_cleanse(&relayed->in, sizeof(relayed->in));
	OPENSSL_cleanse(&relayed->out, sizeof(relayed->out));
	free(relayed);
}

static bool used_up(const struct relayed *relayed)
{
	uint64_t sent = atomic_load_explicit(&relayed->security->sent, memory_order_relaxed);
	uint64_t received =
		atomic_load_explicit(&relayed->security->received, memory_order_relaxed);

	return xfer_tls_security_used(relayed->security, sent > received ? sent : received) == 1000;
}

/* What OpenSSL has to say against that must not be taken for the next connection's error. */
static void say_goodbye(struct relayed *relayed)
{
	SSL_shutdown(relayed->ssl);
	ERR_clear_error();
}

static void end(struct relayed *relayed)
{
	struct lane *lane = relayed->lane;

	if (used_up(relayed)) {
		xfer_count(XFER_CNT_TLS_USED_UP, 1);
		log_end(relayed,
			"its keys have protected as many records as they may; it has to connect again");
	}
	LIST_REMOVE(relayed, link);
	if (!relayed->broken && !relayed->out.told)
		say_goodbye(relayed);
	xfer_lane_remove(lane->lane, relayed->peer.fd, &relayed->peer.pollable);
	xfer_lane_remove(lane->lane, relayed->user.fd, &relayed->user.pollable);
	close(relayed->peer.fd);
	close(relayed->user.fd);
	relayed_free(relayed);
	atomic_fetch_sub(&lane->relay->connections, 1);
}

static bool is_over(const struct relayed *relayed)
{
	return relayed->dead || (relayed->broken && is_empty(&relayed->in)) ||
	       (relayed->in.told && relayed->out.told) || used_up(relayed);
}

static void watch(struct side *side, uint32_t events)
{
	struct xfer_lane *lane = side->relayed->lane->lane;

	if (side->hung_up || side->events == events)
		return;
	side->events = events;
	if (xfer_lane_modify(lane, side->fd, events, &side->pollable))
		side->relayed->dead = true;
}

static void watch_both(struct relayed *relayed)
{
	bool reads_peer = is_empty(&relayed->in) && !relayed->in.ended && !relayed->broken;
	bool reads_user = is_empty(&relayed->out) && !relayed->out.ended && !relayed->broken;

	watch(&relayed->peer, (reads_peer ? EPOLLIN : 0u) | (relayed->peer_full ? EPOLLOUT : 0u));
	watch(&relayed->user,
		(reads_user ? EPOLLIN : 0u) | (is_empty(&relayed->in) ? 0u : EPOLLOUT));
}

/* All that can be done now, within bounds. */
static void pump(struct relayed *relayed)
{
	bool moved = true;

	for (int i = 0; i < ROUNDS && moved && !is_over(relayed); i++)
		if ((moved = round_trip(relayed)))
			relayed->moved_ns = xfer_now_ns();
	if (!relayed->dead)
		watch_both(relayed);
	if (is_over(relayed)) {
		end(relayed);
	} else if (moved && !relayed->posted) {
		/* OpenSSL may have more in its own memory, of which epoll knows nothing. */
		relayed->posted = true;
		xfer_lane_post(relayed->lane->lane, &relayed->task);
	}
}

static void go_on(struct xfer_task *task)
{
	struct relayed *relayed = (struct relayed *)((char *)task - offsetof(struct relayed, task));

	relayed->posted = false;
	pump(relayed);
}

static void ready(struct xfer_pollable *pollable, uint32_t events)
{
	struct side *side = (struct side *)pollable;
	struct relayed *relayed = side->relayed;

	/* Always reported, so it would be forever. */
	if (events & (EPOLLHUP | EPOLLERR)) {
		side->hung_up = true;
		xfer_lane_remove(relayed->lane->lane, side->fd, pollable);
		if (side == &relayed->user)
			user_gone(relayed);
	}
	if (!relayed->posted)
		pump(relayed);
}

/* --- counting records --------------------------------------------------------------------------- */

#define KEY_UPDATE 24

/* OpenSSL shows every record's header and every handshake message. */
static void count_record(
	int sent, int version, int type, const void *bytes, size_t len, SSL *ssl, void *user)
{
	struct relayed *relayed = user;
	_Atomic uint64_t *count = sent ? &relayed->security->sent : &relayed->security->received;

	(void)version;
	(void)ssl;
	if (type == SSL3_RT_HEADER)
		atomic_fetch_add_explicit(count, 1, memory_order_relaxed);
	if (type != SSL3_RT_HANDSHAKE || len == 0 || *(const uint8_t *)bytes != KEY_UPDATE)
		return;
	atomic_store_explicit(count, 0, memory_order_relaxed);
	relayed->updates += !sent;
}

/* --- beginning ---------------------------------------------------------------------------------- */

static void begin(struct xfer_task *task)
{
	struct relayed *relayed = (struct relayed *)((char *)task - offsetof(struct relayed, task));
	struct lane *lane = relayed->lane;

	LIST_INSERT_HEAD(&lane->list, relayed, link);
	relayed->task.run = go_on;
	if (xfer_lane_add(lane->lane, relayed->peer.fd, 0, &relayed->peer.pollable) ||
		xfer_lane_add(lane->lane, relayed->user.fd, 0, &relayed->user.pollable))
		relayed->dead = true;
	pump(relayed);
}

/* From now on it reads and writes the socket itself. */
static int attach(struct relayed *relayed, SSL *ssl, int fd)
{
	BIO *bio;

	relayed->socket.fd = fd;
	bio = xfer_tls_socket_bio(relayed->lane->relay->method, &relayed->socket);
	if (!bio)
		return -ENOMEM;
	SSL_set_bio(ssl, bio, bio);
	SSL_set_app_data(ssl, NULL);
	SSL_free_buffers(ssl);
	SSL_set_default_read_buffer_len(ssl, BUFFER);
	SSL_set_read_ahead(ssl, 1);
	/* It opens records in its own buffer, and wipes what was read of them; the rest when it frees it. */
	SSL_set_options(ssl, SSL_OP_CLEANSE_PLAINTEXT);
	SSL_set_msg_callback(ssl, count_record);
	SSL_set_msg_callback_arg(ssl, relayed);
	return 0;
}

static void side_init(struct side *side, struct relayed *relayed, int fd)
{
	side->pollable.ready = ready;
	side->relayed = relayed;
	side->fd = fd;
}

int xfer_tls_relay_start(struct xfer_tls_relay *relay, SSL *ssl, int fd,
	const struct sockaddr_storage *address, struct xfer_tls_security *security, int *plain)
{
	struct relayed *relayed = calloc(1, sizeof(*relayed));
	int pair[2], err;

	if (!relayed)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair)) {
		err = -errno;
		free(relayed);
		return err;
	}
	relayed->lane = &relay->lanes[atomic_fetch_add(&relay->next, 1) % LANES];
	side_init(&relayed->peer, relayed, fd);
	side_init(&relayed->user, relayed, pair[0]);
	xfer_tls_security_ref(security);
	relayed->security = security;
	relayed->address = *address;
	relayed->moved_ns = xfer_now_ns();
	err = attach(relayed, ssl, fd);
	if (err) {
		close(pair[0]);
		close(pair[1]);
		relayed_free(relayed);
		return err;
	}
	relayed->ssl = ssl;
	relayed->task.run = begin;
	atomic_fetch_add(&relay->connections, 1);
	*plain = pair[1];
	xfer_lane_post(relayed->lane->lane, &relayed->task);
	return 0;
}

unsigned xfer_tls_relay_connections(const struct xfer_tls_relay *relay)
{
	return atomic_load(&relay->connections);
}

/* --- the threads -------------------------------------------------------------------------------- */

/* Whose user is gone has nobody to wait for its end. */
static void tick(struct xfer_ticker *ticker, uint64_t now_ns)
{
	struct lane *lane = (struct lane *)((char *)ticker - offsetof(struct lane, ticker));
	struct relayed *relayed = LIST_FIRST(&lane->list), *next;

	for (; relayed; relayed = next) {
		next = LIST_NEXT(relayed, link);
		if (relayed->user.hung_up && !relayed->posted &&
			now_ns >= relayed->moved_ns + ABANDONED_MS * XFER_NS_PER_MS)
			end(relayed);
	}
}

static void start_lane(struct xfer_task *task)
{
	struct lane *lane = (struct lane *)((char *)task - offsetof(struct lane, start));

	xfer_lane_add_ticker(lane->lane, &lane->ticker);
}

static void stop_lane(struct xfer_task *task)
{
	struct lane *lane = (struct lane *)((char *)task - offsetof(struct lane, stop));
	struct relayed *relayed = LIST_FIRST(&lane->list), *next;

	xfer_lane_remove_ticker(&lane->ticker);
	for (; relayed; relayed = next) {
		next = LIST_NEXT(relayed, link);
		/* Whose task is posted ends by it. */
		if (relayed->posted)
			relayed->dead = true;
		else
			end(relayed);
	}
}

static int lane_create(struct xfer_tls_relay *relay, unsigned number)
{
	struct lane *lane = &relay->lanes[number];
	char name[16];
	int err;

	lane->relay = relay;
	lane->ticker.tick = tick;
	lane->start.run = start_lane;
	lane->stop.run = stop_lane;
	LIST_INIT(&lane->list);
	snprintf(name, sizeof(name), "xfer-tls-relay%u", number);
	err = xfer_lane_create(name, TICK_MS, &lane->lane);
	if (err)
		lane->lane = NULL;
	else
		xfer_lane_post(lane->lane, &lane->start);
	return err;
}

int xfer_tls_relay_create(struct xfer_tls_relay **result)
{
	struct xfer_tls_relay *relay = calloc(1, sizeof(*relay));
	int err = -ENOMEM;

	if (!relay)
		return err;
	relay->method = xfer_tls_socket_method();
	if (relay->method)
		err = 0;
	for (unsigned i = 0; i < LANES && err == 0; i++)
		err = lane_create(relay, i);
	if (err)
		xfer_tls_relay_destroy(relay);
	else
		*result = relay;
	return err;
}

void xfer_tls_relay_destroy(struct xfer_tls_relay *relay)
{
	for (unsigned i = 0; i < LANES; i++) {
		struct lane *lane = &relay->lanes[i];

		if (!lane->lane)
			continue;
		xfer_lane_post(lane->lane, &lane->stop);
		xfer_lane_destroy(lane->lane);
	}
	BIO_meth_free(relay->method);
	free(relay);
}
