/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* fsal_tls_frontend.c -- a connection's way from AUTH_TLS to carrying requests, with libxfer's part played by the test */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "session_guard.h"
#include "tls_frontend.h"

#define AUTH_TLS    7
#define NFS_PROGRAM 100003
#define NLM_PROGRAM 100021

/* --- libxfer, libntirpc ----------------------------------------------------------------------- */

struct xfer_tls_security {
	bool in_kernel;
	_Atomic int refs;
};

static struct {
	enum auth_stat (*handler)(struct svc_req *);
	/* of the last xfer_tls_start */
	int start_err, starts, fd;
	struct xfer_tls_start start;
	unsigned used, looks; /* xfer_tls_used's: per mille; how often it was asked */
	unsigned counted[XFER_TLS_XPRTSEC_STRANGERS + 1];
	bool in_kernel;
	_Atomic int goodbyes;
	const SVCXPRT *guarded; /* of the last session_guard_start */
	const struct xp_ops *guarded_ops;
} played;

static char said[512]; /* the last line of the log */

/* Its functions are the test's. */
static struct xfer_tls *const tls = (struct xfer_tls *)&played;

static bool no_memory;

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size)
{
	return no_memory ? NULL : __real_calloc(count, size);
}

void session_guard_start(SVCXPRT *xprt)
{
	played.guarded = xprt;
	played.guarded_ops = xprt->xp_ops;
}

int svc_auth_reg(int flavor, enum auth_stat (*handler)(struct svc_req *))
{
	bool again = played.handler != NULL;

	assert_int_equal(flavor, AUTH_TLS);
	played.handler = handler;
	return again;
}

int xfer_tls_start(struct xfer_tls *given, int fd, const struct xfer_tls_start *start)
{
	assert_ptr_equal(given, tls);
	played.starts++;
	played.fd = fd;
	played.start = *start;
	if (played.start_err)
		close(fd);
	return played.start_err;
}

/* Ganesha's, whose log isn't there. */
void DisplayLogComponentLevel(log_components_t component, const char *file, int line,
	const char *function, log_levels_t level, const char *format, ...)
{
	va_list args;

	(void)component, (void)file, (void)line, (void)function, (void)level;
	va_start(args, format);
	vsnprintf(said, sizeof(said), format, args);
	va_end(args);
}

bool xfer_tls_in_kernel(const struct xfer_tls *given)
{
	assert_ptr_equal(given, tls);
	return played.in_kernel;
}

bool xfer_tls_security_in_kernel(const struct xfer_tls_security *security)
{
	return security->in_kernel;
}

void xfer_tls_security_unref(const struct xfer_tls_security *security)
{
	atomic_fetch_sub(&((struct xfer_tls_security *)security)->refs, 1);
}

unsigned xfer_tls_used(const struct xfer_tls_security *security, int fd)
{
	assert_non_null(security);
	assert_true(security->in_kernel); /* the relay counts, and closes, by itself */
	assert_return_code(fcntl(fd, F_GETFD), errno);
	played.looks++;
	return played.used;
}

void xfer_tls_count(enum xfer_tls_event event)
{
	played.counted[event]++;
}

void xfer_tls_goodbye(const struct xfer_tls_security *security, int fd)
{
	assert_non_null(security);
	assert_return_code(fcntl(fd, F_GETFD), errno);
	atomic_fetch_add(&played.goodbyes, 1);
}

/* --- a transport of libntirpc's --------------------------------------------------------------- */

struct transport {
	struct rdx_ntirpc_connection connection;
	int epoll, peer;
	_Atomic int received, decoded, unlinked;
	_Atomic bool destroyed;
	/* What xp_recv does with a request: decodes it by the table, as libntirpc does. */
	nfs_request_t request;
};

static struct transport *transport_of(SVCXPRT *xprt)
{
	return container_of(xprt, struct transport, connection.xprt);
}

static enum xprt_stat plain_recv(SVCXPRT *xprt)
{
	struct transport *transport = transport_of(xprt);

	transport->received++;
	return SVC_DECODE(&transport->request.svc);
}

static enum xprt_stat plain_decode(struct svc_req *request)
{
	transport_of(request->rq_xprt)->decoded++;
	return XPRT_IDLE;
}

static void plain_unlink(SVCXPRT *xprt, u_int flags, const char *tag, const int line)
{
	(void)flags, (void)tag, (void)line;
	transport_of(xprt)->unlinked++;
}

static void plain_destroy(SVCXPRT *xprt, u_int flags, const char *tag, const int line)
{
	(void)flags, (void)tag, (void)line;
	close(xprt->xp_fd);
	transport_of(xprt)->destroyed = true;
}

static struct xp_ops plain_ops = {
	.xp_recv = plain_recv,
	.xp_decode = plain_decode,
	.xp_unlink = plain_unlink,
	.xp_destroy = plain_destroy,
};

/* With the client 10.0.0.HOST, as a socket of IPv6 sees it. */
static struct transport *transport_create(uint8_t host)
{
	struct transport *transport = calloc(1, sizeof(*transport));
	struct epoll_event event = { .events = EPOLLIN | EPOLLONESHOT };
	SVCXPRT *xprt = &transport->connection.xprt;
	struct sockaddr_in6 *address = (struct sockaddr_in6 *)&xprt->xp_remote.ss;
	int fds[2];

	assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), errno);
	transport->epoll = epoll_create1(EPOLL_CLOEXEC);
	transport->peer = fds[1];
	xprt->xp_ops = &plain_ops;
	xprt->xp_type = XPRT_TCP;
	xprt->xp_fd = event.data.fd = fds[0];
	xprt->xp_fd_send = -1;
	xprt->xp_refcnt = 1;
	*address = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(847) };
	memcpy(&address->sin6_addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0", 15);
	address->sin6_addr.s6_addr[15] = host;
	TAILQ_INIT(&transport->connection.ioq.ioq_uv.uvqh.qh);
	assert_return_code(epoll_ctl(transport->epoll, EPOLL_CTL_ADD, fds[0], &event), errno);
	transport->request.svc.rq_xprt = xprt;
	return transport;
}

static void transport_free(struct transport *transport)
{
	assert_true(transport->destroyed);
	assert_int_equal(transport->unlinked, 1);
	assert_ptr_equal(transport->connection.xprt.xp_ops, &plain_ops);
	close(transport->peer);
	close(transport->epoll);
	free(transport);
}

static void destroy(struct transport *transport)
{
	SVC_DESTROY(&transport->connection.xprt);
	transport_free(transport);
}

/* A call with AUTH_TLS comes: what is answered, and *verifier's length. */
static enum auth_stat ask(struct transport *transport, u_int *verifier)
{
	struct svc_req *request = &transport->request.svc;
	enum auth_stat stat;

	request->rq_msg.cb_cred.oa_flavor = AUTH_TLS;
	request->rq_msg.RPCM_ack.ar_verf.oa_flavor = AUTH_TLS;
	stat = played.handler(request);
	*verifier = request->rq_msg.RPCM_ack.ar_verf.oa_length;
	if (stat == AUTH_OK) {
		assert_int_equal(request->rq_msg.RPCM_ack.ar_verf.oa_flavor, AUTH_NONE);
		assert_non_null(request->rq_auth);
	}
	return stat;
}

static void expect_offer(struct transport *transport)
{
	u_int length = 0;

	assert_int_equal(ask(transport, &length), AUTH_OK);
	assert_int_equal(length, 8);
	assert_memory_equal(transport->request.svc.rq_msg.RPCM_ack.ar_verf.oa_body, "STARTTLS", 8);
	assert_int_equal(transport->connection.xprt.xp_refcnt, 2);
}

/* libntirpc's event, with its reference. */
static enum xprt_stat receive(struct transport *transport)
{
	SVCXPRT *xprt = &transport->connection.xprt;
	enum xprt_stat stat;

	SVC_REF(xprt, SVC_REF_FLAG_NONE);
	stat = SVC_RECV(xprt);
	SVC_RELEASE(xprt, SVC_RELEASE_FLAG_NONE);
	return stat;
}

static bool has_event(struct transport *transport)
{
	struct epoll_event event;

	return epoll_wait(transport->epoll, &event, 1, 0) == 1 &&
	       event.data.fd == transport->connection.xprt.xp_fd;
}

static void open_frontend(unsigned handshake_ms, unsigned offers_max, unsigned offers_per_address)
{
	const struct rdx_tls_frontend_params params = {
		.tls = tls,
		.handshake_ms = handshake_ms,
		.offers_max = offers_max,
		.offers_per_address = offers_per_address,
	};
	enum auth_stat (*none)(struct svc_req *) = NULL;

	played = (typeof(played)){ .handler = none };
	assert_int_equal(rdx_tls_frontend_start(&params), 0);
}

/* Up to the handshake, which is libxfer's. */
static struct transport *begin(void)
{
	struct transport *transport = transport_create(1);

	expect_offer(transport);
	assert_int_equal(write(transport->peer, "hello", 5), 5);
	assert_true(has_event(transport));
	assert_int_equal(receive(transport), XPRT_IDLE);
	assert_int_equal(played.starts, 1);
	assert_int_equal(transport->received, 0);
	return transport;
}

static void succeed(struct xfer_tls_security *security, int fd)
{
	const struct xfer_tls_result result = { .fd = fd, .security = security };

	played.start.done(played.start.user, &result);
}

static void fail_shaking(void)
{
	const struct xfer_tls_result result = { .err = -EPROTO, .why = "of the test", .fd = -1 };

	close(played.fd);
	played.start.done(played.start.user, &result);
}

/* --- the question ----------------------------------------------------------------------------- */

static void test_questions_that_are_wrong(void **state)
{
	struct transport *transport = transport_create(1);
	struct rpc_msg *call = &transport->request.svc.rq_msg;
	u_int length;
	(void)state;

	open_frontend(5000, 4, 4);
	call->cb_cred.oa_length = 4;
	assert_int_equal(ask(transport, &length), AUTH_BADCRED);
	call->cb_cred.oa_length = 0;
	call->cb_proc = 1;
	assert_int_equal(ask(transport, &length), AUTH_BADCRED);
	call->cb_proc = 0;
	call->cb_verf.oa_flavor = AUTH_SYS;
	assert_int_equal(ask(transport, &length), AUTH_BADVERF);
	call->cb_verf.oa_flavor = AUTH_NONE;
	call->cb_verf.oa_length = 4;
	assert_int_equal(ask(transport, &length), AUTH_BADVERF);
	assert_ptr_equal(transport->connection.xprt.xp_ops, &plain_ops);
	call->cb_verf.oa_length = 0;
	expect_offer(transport);
	assert_int_equal(ask(transport, &length), AUTH_BADCRED);
	destroy(transport);
}

static void expect_none(struct transport *transport)
{
	u_int length = 99;

	assert_int_equal(ask(transport, &length), AUTH_OK);
	assert_int_equal(length, 0);
	assert_ptr_equal(transport->connection.xprt.xp_ops, &plain_ops);
	assert_int_equal(transport->connection.xprt.xp_refcnt, 1);
}

static void test_where_there_is_no_tls(void **state)
{
	struct transport *transport = transport_create(1);
	const struct rdx_tls_frontend_params without = { 0 };
	(void)state;

	open_frontend(5000, 4, 4);
	transport->connection.xprt.xp_type = XPRT_UDP;
	expect_none(transport);
	transport->connection.xprt.xp_type = XPRT_TCP;
	/* NLM, where the relay carries. */
	transport->request.svc.rq_msg.cb_prog = NLM_PROGRAM;
	expect_none(transport);
	played.in_kernel = true;
	expect_offer(transport);
	destroy(transport);
	transport = transport_create(1);
	transport->request.svc.rq_msg.cb_prog = NFS_PROGRAM;
	rdx_tls_frontend_close();
	expect_none(transport);
	played.handler = NULL;
	assert_int_equal(rdx_tls_frontend_start(&without), 0);
	expect_none(transport);
	assert_int_equal(rdx_tls_frontend_start(&without), -EEXIST);
	destroy(transport);
}

/* By libntirpc's own table, of a connection of NFS. */
static void test_sessions_are_guarded(void **state)
{
	struct transport *transport = transport_create(1);
	(void)state;

	open_frontend(5000, 4, 4);
	played.in_kernel = true;
	transport->request.svc.rq_msg.cb_prog = NLM_PROGRAM;
	expect_offer(transport);
	assert_null(played.guarded);
	destroy(transport);
	transport = transport_create(1);
	transport->request.svc.rq_msg.cb_prog = NFS_PROGRAM;
	expect_offer(transport);
	assert_ptr_equal(played.guarded, &transport->connection.xprt);
	assert_ptr_equal(played.guarded_ops, &plain_ops);
	destroy(transport);
}

/* --- offers ----------------------------------------------------------------------------------- */

/* Since open_frontend. */
static void expect_counted(
	unsigned too_many, unsigned of_address, unsigned not_begun, unsigned used_up)
{
	assert_int_equal(played.counted[XFER_TLS_OFFERS_TOO_MANY], too_many);
	assert_int_equal(played.counted[XFER_TLS_OFFERS_TOO_MANY_OF_ADDRESS], of_address);
	assert_int_equal(played.counted[XFER_TLS_OFFERS_NOT_BEGUN], not_begun);
	assert_int_equal(played.counted[XFER_TLS_USED_UP], used_up);
}

static void expect_cut_off(struct transport *transport)
{
	u_int length;

	assert_int_equal(ask(transport, &length), AUTH_FAILED);
	transport_free(transport);
}

static void test_offers_are_bounded(void **state)
{
	struct transport *some[3];
	(void)state;

	open_frontend(5000, 3, 2);
	for (uint8_t i = 0; i < 3; i++) {
		some[i] = transport_create(i < 2 ? 1 : 2);
		expect_offer(some[i]);
		if (i == 1)
			expect_cut_off(transport_create(1));
	}
	for (int i = 0; i < 5; i++)
		expect_cut_off(transport_create(3));
	assert_non_null(strstr(said, "10.0.0.1:847 is cut off"));
	expect_counted(5, 1, 0, 0);
	destroy(some[0]);
	expect_counted(5, 1, 1, 0);
	some[0] = transport_create(1);
	expect_offer(some[0]);
	for (int i = 0; i < 3; i++)
		destroy(some[i]);
}

static void test_an_offer_that_nobody_takes_is_ended(void **state)
{
	struct transport *early, *late;
	(void)state;

	open_frontend(1, 4, 4);
	early = transport_create(1);
	expect_offer(early);
	usleep(2000);
	open_frontend(60000, 4, 4);
	late = transport_create(1);
	expect_offer(late);
	rdx_tls_frontend_tick();
	assert_string_equal(
		said, "tls: 10.0.0.1:847 failed: it was told STARTTLS and doesn't begin");
	expect_counted(0, 0, 1, 0);
	transport_free(early);
	assert_false(late->destroyed);
	destroy(late);
	expect_counted(0, 0, 2, 0);
	rdx_tls_frontend_tick();
	assert_int_equal(played.starts, 0);
}

/* --- the handshake ---------------------------------------------------------------------------- */

/* An answer that is still to come would go out by TLS: the handshake waits for it, but not for ever. */
static void test_calls_in_cleartext_are_answered_first(void **state)
{
	struct transport *transport;
	(void)state;

	for (int answered = 0; answered < 2; answered++) {
		open_frontend(answered ? 5000 : 1, 4, 4);
		transport = transport_create(1);
		expect_offer(transport);
		SVC_REF(&transport->connection.xprt, SVC_REF_FLAG_NONE); /* the call's */
		assert_int_equal(receive(transport), XPRT_IDLE);
		if (answered)
			rdx_tls_frontend_tick();
		assert_int_equal(played.starts, 0);
		if (answered) {
			SVC_RELEASE(&transport->connection.xprt, SVC_RELEASE_FLAG_NONE);
			rdx_tls_frontend_tick();
			assert_int_equal(played.starts, 1);
			fail_shaking();
			expect_counted(0, 0, 0, 0); /* libxfer counts what has begun */
		} else {
			usleep(2000);
			rdx_tls_frontend_tick();
			assert_non_null(strstr(said, "called in cleartext isn't answered in time"));
			expect_counted(0, 0, 1, 0);
			SVC_RELEASE(&transport->connection.xprt, SVC_RELEASE_FLAG_NONE);
		}
		transport_free(transport);
	}
}

static void test_the_kernel_carries(void **state)
{
	struct xfer_tls_security security = { .in_kernel = true, .refs = 1 };
	struct transport *transport;
	const struct sockaddr_in *address = (const struct sockaddr_in *)&played.start.address;
	(void)state;

	open_frontend(5000, 4, 4);
	transport = begin();
	assert_int_equal(address->sin_family, AF_INET);
	assert_int_equal(ntohl(address->sin_addr.s_addr), 0x0a000001);
	assert_int_equal(ntohs(address->sin_port), 847);
	assert_false(has_event(transport));
	succeed(&security, played.fd);
	assert_int_equal(fcntl(played.fd, F_GETFD), -1);
	assert_int_equal(transport->connection.xprt.xp_refcnt, 1);
	assert_true(has_event(transport));
	receive(transport);
	assert_int_equal(transport->received, 1);
	assert_int_equal(transport->decoded, 1);
	destroy(transport);
	assert_int_equal(played.goodbyes, 1);
	assert_int_equal(security.refs, 0);
}

static void test_the_relay_carries(void **state)
{
	struct xfer_tls_security security = { .refs = 1 };
	struct transport *transport;
	int fds[2], number;
	(void)state;

	open_frontend(5000, 4, 4);
	transport = begin();
	number = transport->connection.xprt.xp_fd;
	assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), errno);
	succeed(&security, fds[0]);
	assert_int_equal(transport->connection.xprt.xp_fd, number);
	assert_false(has_event(transport)); /* "hello" is the handshake's */
	assert_int_equal(write(fds[1], "plain", 5), 5);
	assert_true(has_event(transport));
	receive(transport);
	assert_int_equal(transport->received, 1);
	destroy(transport);
	assert_int_equal(security.refs, 0);
	close(fds[1]);
	close(played.fd);
}

static void test_what_fails_is_ended(void **state)
{
	struct transport *transport;
	struct poolq_entry half;
	(void)state;

	open_frontend(5000, 4, 4);
	transport = begin();
	fail_shaking();
	transport_free(transport);

	open_frontend(5000, 4, 4);
	played.start_err = -EUSERS;
	transport = begin();
	transport_free(transport);

	open_frontend(5000, 4, 4);
	transport = transport_create(1);
	expect_offer(transport);
	TAILQ_INSERT_TAIL(&transport->connection.ioq.ioq_uv.uvqh.qh, &half, q);
	receive(transport);
	assert_int_equal(played.starts, 0);
	assert_non_null(strstr(said, "nobody may believe"));
	expect_counted(0, 0, 1, 0);
	transport_free(transport);

	open_frontend(5000, 4, 4);
	transport = begin();
	epoll_ctl(transport->epoll, EPOLL_CTL_DEL, transport->connection.xprt.xp_fd, NULL);
	succeed(&(struct xfer_tls_security){ .in_kernel = true, .refs = 1 }, played.fd);
	transport_free(transport);
	assert_int_equal(played.goodbyes, 1);
}

/* Memory for the connection, and a descriptor for libxfer. */
static void test_what_is_missing_ends_the_connection(void **state)
{
	struct transport *transport = transport_create(1);
	struct rlimit before, none;
	u_int length;
	(void)state;

	open_frontend(5000, 4, 4);
	no_memory = true;
	assert_int_equal(ask(transport, &length), AUTH_FAILED);
	no_memory = false;
	transport_free(transport);

	transport = transport_create(1);
	expect_offer(transport);
	assert_return_code(getrlimit(RLIMIT_NOFILE, &before), errno);
	none = before;
	none.rlim_cur = 1;
	assert_return_code(setrlimit(RLIMIT_NOFILE, &none), errno);
	receive(transport);
	assert_return_code(setrlimit(RLIMIT_NOFILE, &before), errno);
	assert_int_equal(played.starts, 0);
	assert_non_null(strstr(said, strerror(EMFILE)));
	expect_counted(0, 0, 1, 0);
	transport_free(transport);
}

static void test_destroyed_while_it_shakes_hands(void **state)
{
	struct xfer_tls_security kernel = { .in_kernel = true, .refs = 1 }, relay = { .refs = 1 };
	struct transport *transport;
	int fds[2];
	char byte;
	(void)state;

	for (int how = 0; how < 3; how++) {
		open_frontend(5000, 4, 4);
		transport = begin();
		SVC_DESTROY(&transport->connection.xprt);
		assert_false(transport->destroyed);
		assert_int_equal(recv(played.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT), 1);
		assert_int_equal(read(transport->peer, &byte, 1), 0); /* libxfer sees it, too */
		if (how == 0)
			fail_shaking();
		if (how == 1)
			succeed(&kernel, played.fd);
		if (how == 2) {
			assert_return_code(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), errno);
			succeed(&relay, fds[0]);
			assert_int_equal(read(fds[1], &byte, 1), 0);
			close(fds[1]);
			close(played.fd);
		}
		transport_free(transport);
	}
	assert_int_equal(kernel.refs, 0);
	assert_int_equal(relay.refs, 0);
}

/* --- carrying --------------------------------------------------------------------------------- */

static const struct xfer_tls_security *security_of(nfs_request_t *request, bool with_caller)
{
	const struct xfer_tls_security *security;
	struct req_op_context *outer = op_ctx;

	request->op_context.req_type = NFS_REQUEST;
	request->op_context.caller_addr =
		with_caller ? (sockaddr_t *)&request->svc.rq_xprt->xp_remote.ss : NULL;
	op_ctx = &request->op_context;
	security = rdx_tls_security();
	op_ctx = outer;
	return security;
}

static void test_requests_know_how_they_came(void **state)
{
	struct xfer_tls_security security = { .in_kernel = true, .refs = 1 };
	nfs_request_t before = { 0 };
	struct transport *transport;
	(void)state;

	open_frontend(5000, 4, 4);
	assert_null(rdx_tls_security()); /* there is no request */
	transport = begin();
	/* This one was read before the handshake, by a thread that got no further until now. */
	before.svc.rq_xprt = &transport->connection.xprt;
	assert_null(security_of(&before, true));
	succeed(&security, played.fd);
	SVC_DECODE(&before.svc);
	assert_null(security_of(&before, true));

	receive(transport);
	assert_ptr_equal(security_of(&transport->request, true), &security);
	assert_null(security_of(&transport->request, false)); /* that isn't a client's request */
	SVC_DECODE(&before.svc);
	assert_null(security_of(&before, true));
	destroy(transport);
}

static void test_used_up_keys_end_the_connection(void **state)
{
	struct xfer_tls_security security = { .in_kernel = true, .refs = 1 };
	struct transport *transport;
	(void)state;

	open_frontend(5000, 4, 4);
	transport = begin();
	succeed(&security, played.fd);
	played.used = 949;
	for (int i = 0; i < 3000; i++)
		receive(transport);
	assert_true(played.looks > 0 && played.looks < 300); /* some ten a second */
	assert_false(transport->destroyed);
	expect_counted(0, 0, 0, 0);
	played.used = 950;
	usleep(110000);
	receive(transport);
	assert_int_equal(played.goodbyes, 1);
	expect_counted(0, 0, 0, 1);
	assert_non_null(strstr(said, "its keys have carried what they may"));
	transport_free(transport);
}

static void test_one_that_carries_is_not_begun_again(void **state)
{
	struct xfer_tls_security security = { .in_kernel = true, .refs = 1 };
	struct transport *transport;
	u_int length;
	(void)state;

	open_frontend(5000, 4, 4);
	transport = begin();
	succeed(&security, played.fd);
	assert_int_equal(ask(transport, &length), AUTH_BADCRED);
	assert_int_equal(played.starts, 1);
	destroy(transport);
}

/* Ganesha ends with transports that somebody has a reference to. */
static void test_nothing_stays_when_the_module_goes(void **state)
{
	struct xfer_tls_security security = { .in_kernel = true, .refs = 1 };
	struct transport *offered, *carries;
	(void)state;

	open_frontend(5000, 4, 4);
	carries = begin();
	succeed(&security, played.fd);
	offered = transport_create(1);
	expect_offer(offered);
	rdx_tls_frontend_close();
	rdx_tls_frontend_stop();
	assert_int_equal(security.refs, 0);
	assert_ptr_equal(carries->connection.xprt.xp_ops, &plain_ops);
	assert_ptr_equal(offered->connection.xprt.xp_ops, &plain_ops);
	SVC_RELEASE(&offered->connection.xprt, SVC_RELEASE_FLAG_NONE);
	destroy(offered);
	destroy(carries);
}

/* --- several threads -------------------------------------------------------------------------- */

#define ROUNDS 400

/* The client begins, the offer's time is over, and Ganesha ends the connection, all at once. */
struct race {
	struct transport *transport;
	pthread_barrier_t start;
};

static void *race_receive(void *arg)
{
	struct race *race = arg;

	pthread_barrier_wait(&race->start);
	receive(race->transport);
	return NULL;
}

static void *race_tick(void *arg)
{
	struct race *race = arg;

	pthread_barrier_wait(&race->start);
	rdx_tls_frontend_tick();
	return NULL;
}

static void *race_destroy(void *arg)
{
	struct race *race = arg;

	pthread_barrier_wait(&race->start);
	SVC_DESTROY(&race->transport->connection.xprt);
	return NULL;
}

static void test_all_at_once(void **state)
{
	void *(*const parts[])(void *) = { race_receive, race_tick, race_destroy };
	struct race race;
	pthread_t threads[3];
	(void)state;

	pthread_barrier_init(&race.start, NULL, 3);
	for (int round = 0; round < ROUNDS; round++) {
		open_frontend(1, 4, 4);
		race.transport = transport_create(1);
		expect_offer(race.transport);
		/* libntirpc's event, and the one that destroys it, have found it. */
		SVC_REF(&race.transport->connection.xprt, SVC_REF_FLAG_NONE);
		usleep(900);
		for (int i = 0; i < 3; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, parts[i], &race), 0);
		for (int i = 0; i < 3; i++)
			pthread_join(threads[i], NULL);
		if (played.starts)
			fail_shaking();
		SVC_RELEASE(&race.transport->connection.xprt, SVC_RELEASE_FLAG_NONE);
		transport_free(race.transport);
	}
	pthread_barrier_destroy(&race.start);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_questions_that_are_wrong),
		cmocka_unit_test(test_where_there_is_no_tls),
		cmocka_unit_test(test_sessions_are_guarded),
		cmocka_unit_test(test_offers_are_bounded),
		cmocka_unit_test(test_an_offer_that_nobody_takes_is_ended),
		cmocka_unit_test(test_calls_in_cleartext_are_answered_first),
		cmocka_unit_test(test_the_kernel_carries),
		cmocka_unit_test(test_the_relay_carries),
		cmocka_unit_test(test_what_fails_is_ended),
		cmocka_unit_test(test_what_is_missing_ends_the_connection),
		cmocka_unit_test(test_destroyed_while_it_shakes_hands),
		cmocka_unit_test(test_requests_know_how_they_came),
		cmocka_unit_test(test_used_up_keys_end_the_connection),
		cmocka_unit_test(test_one_that_carries_is_not_begun_again),
		cmocka_unit_test(test_nothing_stays_when_the_module_goes),
		cmocka_unit_test(test_all_at_once),
	};

	nfs_param.core_param.program[P_NFS] = NFS_PROGRAM;
	nfs_param.core_param.program[P_NLM] = NLM_PROGRAM;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
