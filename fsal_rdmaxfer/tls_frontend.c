/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* tls_frontend.c -- RPC-with-TLS (RFC 9289) on Ganesha's own TCP ports */

/*
 * A connection's way:
 *
 *   OFFERED   STARTTLS was answered; the transport has a table of operations of its own (struct connection). The client
 *             has to begin: its first byte makes libntirpc call our xp_recv.
 *   SHAKING   xp_recv has given a duplicate of the descriptor to libxfer and hasn't asked for another event: libntirpc
 *             neither reads nor is told anything (transport.h). At the end libxfer calls `shaken` on a thread of its own.
 *   CARRYING  libntirpc receives again, from the same descriptor or from the relay's, which has got the number of it.
 *   ENDED     the transport is being destroyed.
 *
 * A connection is a part of its transport: it is freed by xp_destroy, when nobody has a reference any more. While it is
 * OFFERED or SHAKING there is one reference for it. Requests that came by TLS are marked (rq_ap2, which nobody else uses)
 * by the thread that receives them: what came in cleartext before and is still being served stays cleartext.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"
#include "now.h"
#include "session_guard.h"
#include "tls_frontend.h"
#include "transport.h"

#define AUTH_TLS 7 /* RFC 9289, section 4.1 */

static const char starttls[] = "STARTTLS";

/*
 * The keys of a connection that the kernel carries are looked at when something comes, but for so long not again. It is closed at
 * so many per mille: what is left are 1.2 million records, more than a processor makes or opens meanwhile. By one recv a client
 * that doesn't fill its records can still have more opened than that: by the key that it sends with, which is its own to count.
 */
#define LOOK_NS      UINT64_C(100000000)
#define KEYS_USED_UP 950

enum stage { OFFERED, SHAKING, CARRYING, ENDED };

struct connection {
	struct xp_ops ops; /* the transport's xp_ops points here */
	struct xp_ops *original;
	SVCXPRT *xprt;
	_Atomic enum stage stage;           /* written under frontend.lock */
	uint64_t deadline;                  /* of the offer */
	atomic_bool waits;                  /* OFFERED: it would begin, but is busy */
	struct xfer_tls_security *security; /* CARRYING: a reference */
	uint64_t next_look;                 /* of the one receiving thread */
	struct glist_head all, offers;
};

static struct {
	struct rdx_tls_frontend_params params;
	pthread_mutex_t lock;
	bool open;
	struct glist_head all;    /* connections; under lock */
	struct glist_head offers; /* those OFFERED, oldest first; under lock */
	unsigned offers_count;
} frontend = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.all = GLIST_HEAD_INIT(frontend.all),
	.offers = GLIST_HEAD_INIT(frontend.offers),
};

/* The connection whose record this thread receives at the moment, by TLS. */
static __thread const struct connection *receiving;

static enum xprt_stat tls_recv(SVCXPRT *xprt);

/* NULL: it isn't ours. */
static struct connection *connection_of(const SVCXPRT *xprt)
{
	struct xp_ops *ops = __atomic_load_n(&xprt->xp_ops, __ATOMIC_ACQUIRE);

	return ops->xp_recv == tls_recv ? container_of(ops, struct connection, ops) : NULL;
}

static void name_client(const SVCXPRT *xprt, char text[SOCK_NAME_MAX])
{
	sockaddr_t address = rdx_client_address(&xprt->xp_remote.ss);
	struct display_buffer buffer = { SOCK_NAME_MAX, text, text };

	display_sockaddr(&buffer, &address);
}

/* One a second is written; the others are counted. */
static void log_refused(const SVCXPRT *xprt)
{
	static _Atomic uint64_t next;
	static _Atomic unsigned others;
	uint64_t now = rdx_now_ns(), due = atomic_load(&next);
	char text[SOCK_NAME_MAX] = "";

	if (now < due || !atomic_compare_exchange_strong(&next, &due, now + UINT64_C(1000000000))) {
		atomic_fetch_add(&others, 1);
		return;
	}
	name_client(xprt, text);
	LogWarn(COMPONENT_FSAL,
		"tls: %s is cut off, and %u others were: too many have asked for TLS and don't begin; if they are "
		"all wanted, raise Handshakes_Max and Handshakes_Per_Address",
		text, atomic_exchange(&others, 0));
}

static void log_end(const struct connection *connection, const char *why)
{
	char text[SOCK_NAME_MAX] = "";

	name_client(connection->xprt, text);
	LogWarn(COMPONENT_FSAL, "tls: %s failed: %s", text, why);
}

/* One that was told STARTTLS ends, and no handshake began. */
static void log_not_begun(const struct connection *connection, const char *why)
{
	xfer_tls_count(XFER_TLS_OFFERS_NOT_BEGUN);
	log_end(connection, why);
}

/* With the lock held. */
static void enter(struct connection *connection, enum stage to)
{
	if (connection->stage == OFFERED) {
		glist_del(&connection->offers);
		frontend.offers_count--;
	}
	atomic_store(&connection->stage, to);
}

/* Moves a connection on, if it is in that stage. */
static bool move_on(struct connection *connection, enum stage from, enum stage to)
{
	bool moved;

	pthread_mutex_lock(&frontend.lock);
	moved = connection->stage == from;
	if (moved)
		enter(connection, to);
	pthread_mutex_unlock(&frontend.lock);
	return moved;
}

/* Ends a connection that is OFFERED or SHAKING no more; the reference for that goes. */
static void end(struct connection *connection)
{
	SVCXPRT *xprt = connection->xprt;

	SVC_DESTROY(xprt);
	SVC_RELEASE(xprt, SVC_RELEASE_FLAG_NONE);
}

/* --- the handshake ---------------------------------------------------------------------------- */

/* libxfer's TLS I/O thread. */
static void shaken(void *user, const struct xfer_tls_result *result)
{
	struct connection *connection = user;
	SVCXPRT *xprt = connection->xprt;
	bool same = false;
	int err;

	if (result->err) {
		(void)move_on(connection, SHAKING, ENDED);
		end(connection);
		return;
	}
	connection->security = result->security;
	same = xfer_tls_security_in_kernel(result->security);
	if (same)
		close(result->fd); /* the transport has the socket, too */
	if (!move_on(connection, SHAKING, CARRYING)) {
		if (!same)
			close(result->fd);
		SVC_RELEASE(xprt, SVC_RELEASE_FLAG_NONE);
		return;
	}
	err = rdx_transport_continue(xprt, same ? -1 : result->fd);
	if (err) {
		log_end(connection, strerror(-err));
		end(connection);
		return;
	}
	SVC_RELEASE(xprt, SVC_RELEASE_FLAG_NONE);
}

/* Of a connection that is SHAKING since a moment ago. -errno. */
static int shake(struct connection *connection)
{
	struct xfer_tls_start start = {
		.identity = frontend.params.identity,
		.address = rdx_client_address(&connection->xprt->xp_remote.ss),
		.done = shaken,
		.user = connection,
	};
	int fd;

	if (!rdx_transport_at_rest(connection->xprt)) {
		log_not_begun(connection,
			"something came between its STARTTLS and the answer, which nobody may believe; if it comes "
			"again, look for who is on the way to this client");
		return -EPROTO;
	}
	fd = fcntl(connection->xprt->xp_fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0) {
		int err = -errno;

		log_not_begun(connection, strerror(-err));
		return err;
	}
	return xfer_tls_start(frontend.params.tls, fd, &start);
}

/* The connection is SHAKING since a moment ago. */
static void begin(struct connection *connection)
{
	if (shake(connection) == 0)
		return;
	(void)move_on(connection, SHAKING, ENDED);
	end(connection);
}

/*
 * Whether a call that came in cleartext is still served: its answer would go out by TLS, as the server's word to a client
 * who hasn't asked for it. Each has a reference, beside libntirpc's own, the offer's, and those of `others`.
 */
static bool is_busy(const struct connection *connection, int32_t others)
{
	return rdx_transport_references(connection->xprt) > 2 + others;
}

/* Nothing is received any more. The event has a reference. False: it begins later. */
static bool may_begin(struct connection *connection)
{
	bool busy = is_busy(connection, 1);

	if (busy)
		atomic_store(&connection->waits, true);
	return !busy;
}

/* --- the transport's operations --------------------------------------------------------------- */

/* Whether the connection's keys have carried what they may: looked at now and then. The relay does that itself. */
static bool used_up(struct connection *connection)
{
	uint64_t now = rdx_now_ns();

	if (now < connection->next_look || !xfer_tls_security_in_kernel(connection->security))
		return false;
	connection->next_look = now + LOOK_NS;
	if (xfer_tls_used(connection->security, connection->xprt->xp_fd) < KEYS_USED_UP)
		return false;
	xfer_tls_count(XFER_TLS_USED_UP);
	log_end(connection, "its keys have carried what they may; the client will connect again");
	return true;
}

static enum xprt_stat receive(struct connection *connection)
{
	const struct connection *outer = receiving;
	enum xprt_stat stat;

	if (used_up(connection)) {
		SVC_DESTROY(connection->xprt);
		return XPRT_DESTROYED;
	}
	receiving = connection;
	stat = connection->original->xp_recv(connection->xprt);
	receiving = outer;
	return stat;
}

static enum xprt_stat tls_recv(SVCXPRT *xprt)
{
	struct connection *connection = connection_of(xprt);

	if (atomic_load(&connection->stage) == CARRYING)
		return receive(connection);
	if (may_begin(connection) && move_on(connection, OFFERED, SHAKING))
		begin(connection);
	return XPRT_IDLE;
}

static enum xprt_stat tls_decode(struct svc_req *request)
{
	struct connection *connection = connection_of(request->rq_xprt);

	if (receiving == connection)
		request->rq_ap2 = connection->security;
	return connection->original->xp_decode(request);
}

/* SVC_DESTROY, by whomever: of an idle one, of all when Ganesha ends. */
static void tls_unlink(SVCXPRT *xprt, u_int flags, const char *tag, const int line)
{
	struct connection *connection = connection_of(xprt);
	bool offered = move_on(connection, OFFERED, ENDED);

	/* libxfer sees the end, and calls `shaken`. */
	if (move_on(connection, SHAKING, ENDED))
		(void)shutdown(xprt->xp_fd, SHUT_RDWR);
	connection->original->xp_unlink(xprt, flags, tag, line);
	if (!offered)
		return;
	xfer_tls_count(XFER_TLS_OFFERS_NOT_BEGUN);
	SVC_RELEASE(xprt, SVC_RELEASE_FLAG_NONE); /* the caller has one, too */
}

static void forget(struct connection *connection)
{
	__atomic_store_n(&connection->xprt->xp_ops, connection->original, __ATOMIC_RELEASE);
	glist_del(&connection->all);
	if (connection->security)
		xfer_tls_security_unref(connection->security);
	free(connection);
}

/* Nobody has a reference; the descriptor is closed after that. */
static void tls_destroy(SVCXPRT *xprt, u_int flags, const char *tag, const int line)
{
	struct connection *connection = connection_of(xprt);

	if (connection->security)
		xfer_tls_goodbye(connection->security, xprt->xp_fd);
	pthread_mutex_lock(&frontend.lock);
	forget(connection);
	pthread_mutex_unlock(&frontend.lock);
	xprt->xp_ops->xp_destroy(xprt, flags, tag, line);
}

/* --- offering --------------------------------------------------------------------------------- */

static bool same_host(const sockaddr_t *a, const sockaddr_t *b)
{
	uint8_t a_host[16], b_host[16];

	rdx_client_bytes(a, a_host);
	rdx_client_bytes(b, b_host);
	return a->ss_family == b->ss_family && memcmp(a_host, b_host, sizeof(a_host)) == 0;
}

static unsigned offers_of(const struct sockaddr_storage *address)
{
	const struct glist_head *entry;
	unsigned count = 0;

	glist_for_each (entry, &frontend.offers) {
		const struct connection *other = glist_entry(entry, struct connection, offers);

		count += same_host(&other->xprt->xp_remote.ss, address);
	}
	return count;
}

/* Whether one more may be told to begin. With the lock held. */
static bool has_room(const struct sockaddr_storage *address)
{
	if (frontend.offers_count >= frontend.params.offers_max)
		xfer_tls_count(XFER_TLS_OFFERS_TOO_MANY);
	else if (offers_of(address) >= frontend.params.offers_per_address)
		xfer_tls_count(XFER_TLS_OFFERS_TOO_MANY_OF_ADDRESS);
	else
		return true;
	return false;
}

static struct connection *connection_create(SVCXPRT *xprt)
{
	struct connection *connection = calloc(1, sizeof(*connection));

	if (!connection)
		return NULL;
	connection->xprt = xprt;
	connection->original = xprt->xp_ops;
	connection->ops = *xprt->xp_ops;
	connection->ops.xp_recv = tls_recv;
	connection->ops.xp_decode = tls_decode;
	connection->ops.xp_unlink = tls_unlink;
	connection->ops.xp_destroy = tls_destroy;
	connection->deadline = rdx_now_ns() + frontend.params.handshake_ms * UINT64_C(800000);
	return connection;
}

/* -ENOTSUP: there is no TLS; else the connection has to be closed. */
static int offer(SVCXPRT *xprt)
{
	struct connection *connection = connection_create(xprt);
	int err = connection ? 0 : -ENOMEM;

	pthread_mutex_lock(&frontend.lock);
	if (!frontend.open)
		err = -ENOTSUP;
	else if (!has_room(&xprt->xp_remote.ss))
		err = -EUSERS;
	if (err == 0) {
		SVC_REF(xprt, SVC_REF_FLAG_NONE);
		glist_add_tail(&frontend.all, &connection->all);
		glist_add_tail(&frontend.offers, &connection->offers);
		frontend.offers_count++;
		__atomic_store_n(&xprt->xp_ops, &connection->ops, __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&frontend.lock);
	if (err)
		free(connection);
	return err;
}

static void set_verifier(struct svc_req *request, const char *text, u_int length)
{
	struct opaque_auth *verifier = &request->rq_msg.RPCM_ack.ar_verf;

	verifier->oa_flavor = AUTH_NONE;
	verifier->oa_length = length;
	memcpy(verifier->oa_body, text, length);
}

/*
 * Whether such connections are taken over. Ganesha's NLM knows clients by the local address that getsockname gives, too:
 * the relay's end hasn't got that.
 */
static bool is_served(const struct svc_req *request)
{
	bool nlm = request->rq_msg.cb_prog == nfs_param.core_param.program[P_NLM];

	return request->rq_xprt->xp_type == XPRT_TCP && frontend.params.tls &&
	       (!nlm || xfer_tls_in_kernel(frontend.params.tls));
}

/* Called by libntirpc for every call with AUTH_TLS, on all ports, under a lock of all calls like that. */
static enum auth_stat auth_tls(struct svc_req *request)
{
	const struct rpc_msg *call = &request->rq_msg;
	int err;

	if (call->cb_cred.oa_length != 0 || call->cb_proc != NULLPROC)
		return AUTH_BADCRED;
	if (call->cb_verf.oa_flavor != AUTH_NONE || call->cb_verf.oa_length != 0)
		return AUTH_BADVERF;
	if (connection_of(request->rq_xprt))
		return AUTH_BADCRED; /* it is one of TLS, or was told to begin */
	if (is_served(request) && call->cb_prog == nfs_param.core_param.program[P_NFS])
		session_guard_start(request->rq_xprt);
	err = is_served(request) ? offer(request->rq_xprt) : -ENOTSUP;
	(void)_svcauth_none(request);
	if (err == 0) {
		set_verifier(request, starttls, strlen(starttls));
		return AUTH_OK;
	}
	set_verifier(request, "", 0);
	if (err == -ENOTSUP)
		return AUTH_OK;
	/* It may come again; told that there is no TLS, it would not. */
	log_refused(request->rq_xprt);
	SVC_DESTROY(request->rq_xprt);
	return AUTH_FAILED;
}

/* --- what the module calls -------------------------------------------------------------------- */

const struct xfer_tls_security *rdx_tls_security(void)
{
	const nfs_request_t *request = rdx_rpc_request();

	/* Other contexts than those of clients' requests have no caller. */
	return request && op_ctx->caller_addr ? rdx_tls_security_of(&request->svc) : NULL;
}

const struct xfer_tls_security *rdx_tls_security_of(const struct svc_req *request)
{
	return request->rq_ap2;
}

int rdx_tls_frontend_start(const struct rdx_tls_frontend_params *params)
{
	frontend.params = *params;
	pthread_mutex_lock(&frontend.lock);
	frontend.open = params->tls != NULL;
	pthread_mutex_unlock(&frontend.lock);
	return svc_auth_reg(AUTH_TLS, auth_tls) ? -EEXIST : 0;
}

/* The oldest offer, if its time is up; it is ENDED then. */
static struct connection *take_overdue(uint64_t now)
{
	struct connection *oldest;

	pthread_mutex_lock(&frontend.lock);
	oldest = glist_first_entry(&frontend.offers, struct connection, offers);
	if (oldest && oldest->deadline > now)
		oldest = NULL;
	if (oldest)
		enter(oldest, ENDED);
	pthread_mutex_unlock(&frontend.lock);
	return oldest;
}

/* One that has waited for its calls in cleartext, which are answered; it is SHAKING then. */
static struct connection *take_waiting(void)
{
	struct connection *found = NULL;
	struct glist_head *entry;

	pthread_mutex_lock(&frontend.lock);
	glist_for_each (entry, &frontend.offers) {
		found = glist_entry(entry, struct connection, offers);
		if (atomic_load(&found->waits) && !is_busy(found, 0))
			break;
		found = NULL;
	}
	if (found)
		enter(found, SHAKING);
	pthread_mutex_unlock(&frontend.lock);
	return found;
}

void rdx_tls_frontend_tick(void)
{
	uint64_t now = rdx_now_ns();
	struct connection *connection;

	while ((connection = take_waiting()))
		begin(connection);
	while ((connection = take_overdue(now))) {
		log_not_begun(connection,
			connection->waits ? "what it has called in cleartext isn't answered in time"
					  : "it was told STARTTLS and doesn't begin");
		end(connection);
	}
}

void rdx_tls_frontend_close(void)
{
	pthread_mutex_lock(&frontend.lock);
	frontend.open = false;
	pthread_mutex_unlock(&frontend.lock);
}

void rdx_tls_frontend_stop(void)
{
	struct glist_head *entry, *next;

	glist_for_each_safe (entry, next, &frontend.all) {
		struct connection *connection = glist_entry(entry, struct connection, all);

		(void)move_on(connection, OFFERED, ENDED);
		forget(connection);
	}
}
