/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* verbs_refused.c -- whom a listener for queue pairs refuses, what it tells them, and what it logs */

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "log.h"
#include "support/verbs_ends.h"

static const struct mock_device device = {
	.name = "mock0",
	.ports = { { .addresses = { "10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2" } } },
};

static struct ends ends;

/* --- what is logged ------------------------------------------------------------------------------ */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* the following */
static char logged[1024];                                /* the last warning */
static unsigned warnings;

static void sink(enum xfer_log_level level, const char *message)
{
	if (level > XFER_LOG_WARN)
		return;
	pthread_mutex_lock(&lock);
	strncpy(logged, message, sizeof(logged) - 1);
	warnings++;
	pthread_mutex_unlock(&lock);
}

/* Each line is written, however many there are. */
bool __wrap_xfer_log_allowed(struct xfer_log_limit *limit, unsigned ms, unsigned *suppressed);
bool __wrap_xfer_log_allowed(struct xfer_log_limit *limit, unsigned ms, unsigned *suppressed)
{
	(void)limit;
	(void)ms;
	*suppressed = 0;
	return true;
}

static unsigned nwarnings(void)
{
	unsigned n;

	pthread_mutex_lock(&lock);
	n = warnings;
	pthread_mutex_unlock(&lock);
	return n;
}

static void assert_says(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" doesn't say \"%s\"", text, part);
}

static void assert_logged(const char *part)
{
	pthread_mutex_lock(&lock);
	assert_says(logged, part);
	pthread_mutex_unlock(&lock);
}

/* --- steps --------------------------------------------------------------------------------------- */

/* A host that expects somebody. */
static void expect(uint32_t lanes)
{
	struct ends_setup setup = {
		.lanes = lanes, .addresses = { "10.0.0.1" }, .sources = { "10.0.0.2", "fd00::2" }
	};

	mock_verbs_begin(&device, 1);
	pthread_mutex_lock(&lock);
	warnings = 0;
	logged[0] = '\0';
	pthread_mutex_unlock(&lock);
	xfer_log_set_sink(sink);
	ends_begin(&ends, &setup);
	assert_int_equal(ends_try_host(&ends), 0);
}

static void end(void)
{
	ends_close(&ends);
	xfer_log_set_sink(NULL);
}

static void assert_refused(const char *says, const char *logs)
{
	assert_int_equal(ends_try_connect(&ends), -ECONNREFUSED);
	assert_says(ends.why, "can't be connected: the owner refuses: ");
	assert_says(ends.why, says);
	ENDS_UNTIL(nwarnings() == 1);
	assert_logged("refused a queue pair from 10.0.0.2: ");
	assert_logged(logs);
	assert_int_equal(ends.host.losses, 0);
	ends_free(&ends.initiator);
}

/* The host has no new path for whom it refused, but other sessions do. */
static void others_are_welcome(void)
{
	static struct ends other;
	struct ends_setup setup = ends.setup;

	setup.listener = ends.listener;
	ends_open(&other, &setup);
	ends_exchange(&other);
	ends_stop(&other);
}

static const char token_says[] = "it doesn't know the token, or not any more";
static const char token_logs[] = "its token was not issued, was used before or is too old";

/* --- tokens and addresses ------------------------------------------------------------------------ */

static void a_token_that_was_not_issued(void **state)
{
	(void)state;
	expect(1);
	ends.target.tokens[0].bytes[15] ^= 1;
	assert_refused(token_says, token_logs);
	ends.target.tokens[0].bytes[15] ^= 1;
	assert_int_equal(ends_try_connect(&ends), 0); /* that one is good still */
	end();
}

static void a_token_that_was_used(void **state)
{
	struct xfer_verbs *first;
	struct xfer_memory *own, *mirror;

	(void)state;
	expect(1);
	assert_int_equal(ends_try_connect(&ends), 0);
	first = ends.initiator.verbs;
	own = ends.initiator.own;
	mirror = ends.initiator.mirror;
	ends.initiator.own = ends.initiator.mirror = NULL;
	assert_refused(token_says, token_logs);
	ends.initiator.verbs = first;
	ends.initiator.freed = false;
	ends.initiator.own = own;
	ends.initiator.mirror = mirror;
	ends_exchange(&ends); /* who used it isn't disturbed */
	end();
}

static void a_token_that_is_too_old(void **state)
{
	(void)state;
	expect(1);
	ends.host.verbs->expires_ns = 1;
	assert_refused(token_says, token_logs);
	others_are_welcome();
	end();
}

static void a_token_of_another_lane(void **state)
{
	struct xfer_token first;

	(void)state;
	expect(2);
	first = ends.target.tokens[0];
	ends.target.tokens[0] = ends.target.tokens[1];
	assert_refused(token_says, token_logs);
	ends.target.tokens[0] = first;
	others_are_welcome();
	end();
}

static void a_token_of_a_path_that_is_gone(void **state)
{
	(void)state;
	expect(1);
	ends_free(&ends.host);
	assert_refused(token_says, token_logs);
	end();
}

static void an_address_that_was_not_named(void **state)
{
	(void)state;
	expect(1);
	ends.host.verbs->nsources = 1;
	memset(&ends.host.verbs->sources[0], 7, sizeof(ends.host.verbs->sources[0]));
	assert_refused("it doesn't expect anybody from this address",
		"the session that its token is for has not named this address");
	others_are_welcome();
	end();
}

/* Its token is gone with that: who has stolen it can't try from everywhere. */
static void a_token_is_good_for_one_address(void **state)
{
	(void)state;
	expect(1);
	ends.host.verbs->nsources = 0;
	assert_refused("it doesn't expect anybody from this address", "has not named this address");
	ends.host.verbs->nsources = 1;
	assert_int_equal(ends_try_connect(&ends), -ECONNREFUSED);
	assert_says(ends.why, token_says);
	end();
}

static void a_refused_lane_ends_the_others(void **state)
{
	(void)state;
	expect(2);
	ends.target.tokens[1].bytes[0] ^= 1;
	assert_int_equal(ends_try_connect(&ends), -ECONNREFUSED);
	assert_says(ends.why, "lane 1 can't be connected");
	ends_free(&ends.initiator);
	ENDS_UNTIL(ends.host.losses == 1);
	assert_says(ends.host.why, "lane 0 on mock0: the peer has ended the connection");
	others_are_welcome();
	end();
}

static void nobody_listens(void **state)
{
	(void)state;
	expect(1);
	ends.target.port++;
	assert_int_equal(ends_try_connect(&ends), -ECONNREFUSED);
	assert_says(ends.why, "nothing of its listens there, or it gives no reason");
	end();
}

/* --- what the host lacks ------------------------------------------------------------------------- */

/* Each call that an accepted lane needs; the initiator has the calls before that. */
static void lacking(const char *function, unsigned nth, const char *says)
{
	bool late;

	expect(1);
	mock_verbs_fail(function, nth, ENOSPC);
	assert_int_equal(ends_try_connect(&ends), -ECONNREFUSED);
	assert_int_equal(mock_verbs_failed(), 1);
	assert_says(ends.why, "it lacks what that takes; its log says what");
	ENDS_UNTIL(ends.host.losses == 1);
	assert_says(ends.host.why, "lane 0 can't be connected: ");
	assert_says(ends.host.why, says);
	assert_int_equal(nwarnings(), 0); /* whoever is told logs it */
	assert_false(xfer_verbs_is_whole(ends.host.verbs, &late));
	ends_free(&ends.initiator);
	others_are_welcome();
	end();
}

static void what_the_host_lacks(void **state)
{
	(void)state;
	lacking("ibv_alloc_pd", 2, "mock0 gives no protection domain: No space left");
	lacking("ibv_query_device", 2, "mock0 can't be asked for its limits");
	/* The initiator's memory and receives, the host's two memories. */
	lacking("ibv_reg_mr", 3, "0 MiB can't be registered with mock0: No space left");
	lacking("ibv_reg_mr", 5, "mock0 gives no memory for receives: No space left");
	lacking("ibv_create_comp_channel", 2, "mock0 gives no completion channel: No space left");
	lacking("ibv_create_cq", 2, "mock0 gives no completion queue: No space left");
	lacking("rdma_accept", 1, "the connection can't be accepted: No space left");
}

/* The second attempt has less room for data, and fails as well. */
static void a_host_without_queue_pairs(void **state)
{
	(void)state;
	expect(1);
	mock_verbs_fail("rdma_create_qp", 2, ENOMEM);
	mock_verbs_fail("rdma_create_qp", 3, ENOMEM);
	assert_int_equal(ends_try_connect(&ends), -ECONNREFUSED);
	ENDS_UNTIL(ends.host.losses == 1);
	assert_says(ends.host.why, "mock0 gives no queue pair: Cannot allocate memory");
	assert_int_equal(mock_verbs_failed(), 2);
	end();
}

static void a_host_without_receives(void **state)
{
	unsigned initiators;

	(void)state;
	expect(1);
	initiators = (ends.host.verbs->rq + VERBS_REPOST - 1) / VERBS_REPOST;
	mock_verbs_fail("ibv_post_recv", initiators + 1, ENOMEM);
	assert_int_equal(ends_try_connect(&ends), -ECONNREFUSED);
	ENDS_UNTIL(ends.host.losses == 1);
	assert_says(ends.host.why, "mock0 gives no receives: Cannot allocate memory");
	end();
}

/* Until a loss is told: what a peer may cause at any time, and STATUS. */
static void *look(void *arg)
{
	struct xfer_transport *transport = xfer_verbs_transport(ends.host.verbs);

	while (ends.host.losses == 0) {
		ends_poll(&ends.host, 0);
		ends_await(&ends.host, 0);
		json_decref(transport->ops->status(transport));
	}
	return arg;
}

/* Others may be looking at the lane meanwhile: it stays until the path is freed. */
static void who_looks_at_a_refused_lane(void **state)
{
	(void)state;
	for (int i = 0; i < 50; i++) {
		struct xfer_transport *transport;
		pthread_t thread;

		expect(1);
		mock_verbs_fail("rdma_accept", 1, EIO);
		assert_int_equal(pthread_create(&thread, NULL, look, NULL), 0);
		assert_int_equal(ends_try_connect(&ends), -ECONNREFUSED);
		pthread_join(thread, NULL);
		transport = xfer_verbs_transport(ends.host.verbs);
		ends_poll(&ends.host, 0);
		assert_int_equal(ends_send(&ends, &ends.host, 0, 1, 1, 8), -EAGAIN);
		json_decref(transport->ops->status(transport));
		end();
	}
}

/* --- who speaks something else ------------------------------------------------------------------- */

static void await_event(struct rdma_event_channel *channel, enum rdma_cm_event_type type)
{
	struct rdma_cm_event *event;

	assert_int_equal(rdma_get_cm_event(channel, &event), 0);
	assert_int_equal(event->event, type);
	rdma_ack_cm_event(event);
}

/* What the host answers to these bytes. */
static uint8_t answer_to(const void *bytes, size_t length)
{
	struct rdma_conn_param param = { .private_data = bytes,
		.private_data_len = (uint8_t)length };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(ends.target.port) };
	struct rdma_event_channel *channel = rdma_create_event_channel();
	struct ibv_qp_init_attr attr = { .qp_type = IBV_QPT_RC,
		.cap = { .max_send_wr = 1, .max_recv_wr = 1 } };
	struct rdma_cm_event *event;
	struct rdma_cm_id *id;
	uint8_t answer;

	inet_pton(AF_INET, "10.0.0.1", &to.sin_addr);
	assert_int_equal(rdma_create_id(channel, &id, NULL, RDMA_PS_TCP), 0);
	assert_int_equal(rdma_resolve_addr(id, NULL, (struct sockaddr *)&to, 1000), 0);
	await_event(channel, RDMA_CM_EVENT_ADDR_RESOLVED);
	assert_int_equal(rdma_resolve_route(id, 1000), 0);
	await_event(channel, RDMA_CM_EVENT_ROUTE_RESOLVED);
	attr.send_cq = attr.recv_cq = ibv_create_cq(id->verbs, 2, NULL, NULL, 0);
	assert_int_equal(rdma_create_qp(id, NULL, &attr), 0);
	assert_int_equal(rdma_connect(id, &param), 0);
	assert_int_equal(rdma_get_cm_event(channel, &event), 0);
	assert_int_equal(event->event, RDMA_CM_EVENT_REJECTED);
	answer = *(const uint8_t *)event->param.conn.private_data;
	rdma_ack_cm_event(event);
	rdma_destroy_qp(id);
	ibv_destroy_cq(attr.send_cq);
	rdma_destroy_id(id);
	rdma_destroy_event_channel(channel);
	return answer;
}

static struct verbs_hello hello(void)
{
	struct verbs_hello made = { .magic = htonl(VERBS_MAGIC), .version = htons(VERBS_VERSION) };

	memcpy(made.token, ends.target.tokens[0].bytes, sizeof(made.token));
	return made;
}

static void what_another_version_says(void **state)
{
	struct verbs_hello other;

	(void)state;
	expect(1);
	other = hello();
	other.version = htons(VERBS_VERSION + 1);
	assert_int_equal(answer_to(&other, sizeof(other)), VERBS_REFUSED_VERSION);
	assert_logged("from 10.0.0.2: it speaks another version of the protocol: install the same "
		      "release on both nodes");
	other = hello();
	other.magic = 0;
	assert_int_equal(answer_to(&other, sizeof(other)), VERBS_REFUSED_VERSION);
	assert_int_equal(answer_to(NULL, 0), VERBS_REFUSED_VERSION);
	assert_int_equal(answer_to("x", 1), VERBS_REFUSED_VERSION);
	assert_int_equal(nwarnings(), 4);
	assert_int_equal(ends_try_connect(&ends), 0); /* its token was not used by these */
	ends_exchange(&ends);
	end();
}

/* A host of the test's own, which refuses with this byte, or (NULL) without any. */
struct refuser {
	struct rdma_event_channel *channel;
	struct rdma_cm_id *id;
	const uint8_t *code;
};

static void *refuse_one(void *arg)
{
	const struct refuser *refuser = arg;
	struct rdma_cm_event *event;

	if (rdma_get_cm_event(refuser->channel, &event))
		return NULL;
	rdma_reject(event->id, refuser->code, refuser->code ? 1 : 0);
	rdma_destroy_id(event->id);
	rdma_ack_cm_event(event);
	return NULL;
}

static void refused_with(const uint8_t *code, const char *says)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	struct refuser refuser = { .code = code };
	pthread_t thread;

	expect(1);
	refuser.channel = rdma_create_event_channel();
	assert_int_equal(rdma_create_id(refuser.channel, &refuser.id, NULL, RDMA_PS_TCP), 0);
	assert_int_equal(rdma_bind_addr(refuser.id, (struct sockaddr *)&at), 0);
	assert_int_equal(rdma_listen(refuser.id, 1), 0);
	ends.target.port = ntohs(rdma_get_src_port(refuser.id));
	assert_int_equal(pthread_create(&thread, NULL, refuse_one, &refuser), 0);
	assert_int_equal(ends_try_connect(&ends), -ECONNREFUSED);
	assert_says(ends.why, says);
	pthread_join(thread, NULL);
	rdma_destroy_id(refuser.id);
	rdma_destroy_event_channel(refuser.channel);
	end();
}

static void each_code_of_a_refusal(void **state)
{
	static const char *const says[] = {
		[VERBS_REFUSED_OTHER] = "nothing of its listens there, or it gives no reason",
		[VERBS_REFUSED_VERSION] =
			"it speaks another version: install the same release on both nodes",
		[VERBS_REFUSED_TOKEN] = token_says,
		[VERBS_REFUSED_SOURCE] = "it doesn't expect anybody from this address",
		[VERBS_REFUSED_RESOURCES] = "it lacks what that takes; its log says what",
		[VERBS_ADMITTED] =
			"it gives no reason", /* from here on: what a later version has */
		[255] = "it gives no reason",
	};

	(void)state;
	for (unsigned i = 0; i < 256; i++) {
		const uint8_t code = (uint8_t)i;

		if (says[i])
			refused_with(&code, says[i]);
	}
	refused_with(NULL, "it gives no reason");
}

static void a_lane_that_there_is_not(void **state)
{
	struct verbs_hello other;

	(void)state;
	expect(1);
	other = hello();
	other.lane = htons(0xffff);
	assert_int_equal(answer_to(&other, sizeof(other)), VERBS_REFUSED_TOKEN);
	assert_int_equal(ends.host.losses, 0);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_token_that_was_not_issued),
		cmocka_unit_test(a_token_that_was_used),
		cmocka_unit_test(a_token_that_is_too_old),
		cmocka_unit_test(a_token_of_another_lane),
		cmocka_unit_test(a_token_of_a_path_that_is_gone),
		cmocka_unit_test(an_address_that_was_not_named),
		cmocka_unit_test(a_token_is_good_for_one_address),
		cmocka_unit_test(a_refused_lane_ends_the_others),
		cmocka_unit_test(nobody_listens),
		cmocka_unit_test(what_the_host_lacks),
		cmocka_unit_test(a_host_without_queue_pairs),
		cmocka_unit_test(a_host_without_receives),
		cmocka_unit_test(who_looks_at_a_refused_lane),
		cmocka_unit_test(what_another_version_says),
		cmocka_unit_test(each_code_of_a_refusal),
		cmocka_unit_test(a_lane_that_there_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
