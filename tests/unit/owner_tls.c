/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* owner_tls.c -- an owner with certificates: who may have a session, lanes of one, and volumes that require encryption */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "owner/caps.h"
#include "owner/service.h"
#include "owner/tls.h"
#include "session.h"
#include "support/raw.h"
#include "support/tls_ends.h"
#include "support/tls_nodes.h"
#include "tls/starttls.h"

static struct {
	char dir[64];
	struct pki *pki;
	struct config *config;
	struct service service;
	struct owner_tls tls;
	struct xfer_server *server;
	struct xfer_tls *callers; /* of all nodes that come */
} t;

/* --- the owner -------------------------------------------------------------------------------- */

/* insecure: whether node i is. */
static void write_config(const char *path, bool insecure)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fprintf(file,
		"node = \"b\"; listen = ( \"%s\" ); state_dir = \"%s/state\"; run_dir = \"%s/run\";\n"
		"tls = { certificate = \"%s\"; key = \"%s\"; ca = \"%s\"; crl = \"%s\"; ktls = \"off\"; "
		"handshake_ms = 2000; };\n"
		"nodes = ( { name = \"a\"; }, { name = \"far\"; address = \"10.1.1.1\"; },\n"
		"  { name = \"i\"; address = \"127.0.0.1\"; insecure = %s; } );\n"
		"volumes = ( { name = \"v\"; path = \"%s/v\"; nodes = [ \"a\", \"i\" ]; },\n"
		"  { name = \"s\"; path = \"%s/s\"; nodes = [ \"a\", \"i\" ]; require_encryption = true; } );\n",
		tls_nodes_address(), t.dir, t.dir, pki_path(t.pki, "b.pem"),
		pki_path(t.pki, "b.key"), pki_path(t.pki, "ca.pem"), pki_path(t.pki, "crl.pem"),
		insecure ? "true" : "false", t.dir, t.dir);
	assert_int_equal(fclose(file), 0);
}

static const char *below(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", t.dir, name);
	return path;
}

static void serve(void)
{
	struct xfer_server_params params = { .node = "b", .lanes = 2 };

	assert_int_equal(config_load(below("conf"), &t.config), 0);
	assert_int_equal(service_open_volumes(&t.service, t.config, &store_posix, 0), 0);
	assert_int_equal(owner_tls_start(t.config, &t.tls), 0);
	assert_int_equal(service_start(&t.service), 0);
	params.service = &t.service.ops;
	params.owner = &t.service;
	params.tls = t.tls.tls;
	params.tls_identity = t.tls.identity;
	assert_int_equal(xfer_server_create(&params, &t.server), 0);
	recovery_begin(t.service.recovery);
	assert_int_equal(xfer_server_listen(t.server, t.config->listen[0]), 0);
}

static int begin(void **state)
{
	static const char *const names[] = { "a", "b", "c", "far" };
	static const char *const directories[] = { "v", "s", "state", "run" };
	const struct xfer_tls_params params = { .ktls = XFER_KTLS_OFF };

	(void)state;
	memset(&t, 0, sizeof(t));
	tls_log_keep();
	strcpy(t.dir, "/tmp/xfer-owner-tls-XXXXXX");
	assert_non_null(mkdtemp(t.dir));
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(mkdir(below(directories[i]), 0700), 0);
	t.pki = pki_create("cluster");
	pki_write_crl(t.pki, 1);
	for (size_t i = 0; i < 4; i++)
		pki_issue_node(t.pki, names[i]);
	write_config(below("conf"), true);
	assert_int_equal(store_posix_prepare(), 0);
	serve();
	t.callers = tls_make(&params);
	return 0;
}

static int end(void **state)
{
	char command[96];

	(void)state;
	xfer_tls_destroy(t.callers);
	xfer_server_destroy(t.server);
	service_stop(&t.service);
	owner_tls_stop(&t.tls);
	pki_free(t.pki);
	xfer_log_set_sink(NULL);
	snprintf(command, sizeof(command), "rm -r %s", t.dir);
	return system(command);
}

/* --- those who come --------------------------------------------------------------------------- */

static struct xfer_tls_identity *identity(const char *name)
{
	return tls_identity_make(t.callers, XFER_TLS_NODE, pki_files(t.pki, name, t.pki));
}

struct caller {
	struct xfer_tls_identity *identity;
	struct xfer_context *context;
	struct xfer_session *session;
};

/* A process that says to be this node, with this certificate; NULL: in cleartext. */
static void come(struct caller *caller, const char *node, const char *certificate)
{
	struct xfer_context_params params = { .node = node, .heartbeat_ms = 200 };
	const struct xfer_session_params session = {
		.owner = "b", .address = t.config->listen[0], .insecure = !certificate
	};

	caller->identity = certificate ? identity(certificate) : NULL;
	if (certificate) {
		params.tls = t.callers;
		params.tls_identity = caller->identity;
	}
	assert_int_equal(xfer_context_create(&params, &caller->context), 0);
	assert_int_equal(xfer_session_open(caller->context, &session, &caller->session), 0);
}

static void leave(struct caller *caller)
{
	xfer_session_close(caller->session);
	xfer_context_destroy(caller->context);
	if (caller->identity)
		xfer_tls_identity_destroy(caller->identity);
}

static void comes(struct caller *caller, const char *node, const char *certificate)
{
	come(caller, node, certificate);
	if (wait_for(session_up, caller->session))
		return;
	tls_log_print();
	fail_msg("node %s has no session", node);
}

static void is_refused(const char *node, const char *certificate, const char *says)
{
	struct caller caller;

	come(&caller, node, certificate);
	tls_nodes_expect_logged(says, "");
	assert_false(xfer_session_is_up(caller.session));
	leave(&caller);
}

/* --- sessions --------------------------------------------------------------------------------- */

static void test_who_may_come(void **state)
{
	struct caller caller;

	(void)state;
	comes(&caller, "a", "a");
	leave(&caller);
	comes(&caller, "i", NULL);
	leave(&caller);
	owner_tls_warn(t.config);
	assert_true(tls_log_has("node i is insecure", "its address 127.0.0.1 alone"));
	assert_false(tls_log_has("node a is insecure", ""));
}

static void test_who_may_not(void **state)
{
	(void)state;
	is_refused("a", "c", "whoever says to be node a has the certificate of dns:c");
	is_refused("a", NULL, "node a comes by TCP without TLS");
	is_refused("far", "far", "127.0.0.1 is not the address of node far");
	is_refused("c", "c", "owner b doesn't know node c");
	/* A certificate is as good as an address that is believed, if it is that node's. */
	is_refused("i", "c", "whoever says to be node i has the certificate of dns:c");
}

/* --- lanes ------------------------------------------------------------------------------------ */

static struct xfer_token ask_token(const struct caller *caller)
{
	union xfer_results results = { 0 };
	union xfer_args args = { 0 };
	struct xfer_call call = { .proc = XFER_PROC_TOKEN, .args = &args, .results = &results };

	assert_int_equal(xfer_caller_call(caller->session->lanes[0], &call), 0);
	assert_int_equal(results.status, XFER_ST_OK);
	return results.token.token;
}

/* Over a stream of plain bytes; the status. */
static uint32_t attach(int fd, const struct xfer_token *token)
{
	union xfer_args args = { .attach = { .token = *token, .lane = 1 } };
	union xfer_results results = { 0 };
	uint8_t head[XFER_CALL_HEAD], reply[1024];
	uint32_t len;

	send_head(fd, head, call_head(head, XFER_PROC_ATTACH, &args), true);
	len = recv_record(fd, reply, sizeof(reply));
	assert_int_equal(xfer_rpc_decode_reply(reply, len, XFER_PROC_ATTACH, &results), 0);
	return results.attach.status;
}

static int connect_tls(struct xfer_tls_identity *as, struct xfer_tls_security **security)
{
	uint8_t probe[XFER_STARTTLS_PROBE], answer[XFER_STARTTLS_REPLY];
	const struct xfer_tls_start start = { .identity = as, .client = true, .expect = "b" };
	int fd = connect_raw_to(t.config->listen[0]);
	char *why = NULL;

	xfer_starttls_probe(probe, 1, XFER_PROGRAM, XFER_VERSION);
	send_bytes(fd, probe, sizeof(probe));
	assert_true(recv_bytes(fd, answer, sizeof(answer)));
	fd = xfer_tls_connect(t.callers, fd, &start, security, &why);
	if (fd < 0)
		fail_msg("%s", why);
	return fd;
}

/* A token that was read by others is of no use to them, and still is to whom it belongs. */
static void test_stolen_token(void **state)
{
	struct xfer_tls_security *security;
	struct xfer_tls_identity *c = identity("c");
	struct xfer_token token;
	struct caller caller;
	int fd;

	(void)state;
	comes(&caller, "a", "a");
	token = ask_token(&caller);
	fd = connect_raw_to(t.config->listen[0]);
	assert_int_equal(attach(fd, &token), XFER_ST_BAD_TOKEN);
	close(fd);
	tls_nodes_expect_logged(
		"attaches a lane with the token of a node whose certificate it hasn't shown", "");
	token = ask_token(&caller);
	fd = connect_tls(c, &security);
	assert_int_equal(attach(fd, &token), XFER_ST_BAD_TOKEN);
	close(fd);
	xfer_tls_security_unref(security);
	token = ask_token(&caller);
	fd = connect_tls(caller.identity, &security);
	assert_int_equal(attach(fd, &token), XFER_ST_OK);
	close(fd);
	xfer_tls_security_unref(security);
	leave(&caller);
	xfer_tls_identity_destroy(c);
}

/* --- Require_Encryption ----------------------------------------------------------------------- */

static int ask(const struct caller *caller, const char *volume)
{
	struct xfer_handle root;
	struct xfer_attr attr;

	xfer_handle_root(xfer_volume_id(volume), &root);
	return xfer_op_getattr(caller->session, &cred, &root, &attr);
}

static void test_volume_in_cleartext(void **state)
{
	struct caller a, i;

	(void)state;
	comes(&a, "a", "a");
	comes(&i, "i", NULL);
	assert_int_equal(ask(&a, "v"), 0);
	assert_int_equal(ask(&a, "s"), 0);
	assert_int_equal(ask(&i, "v"), 0);
	assert_int_equal(ask(&i, "s"), -EACCES);
	assert_true(tls_log_has("GETATTR of node i on volume s", "it requires encryption"));
	leave(&i);
	leave(&a);
}

static void reload(bool insecure)
{
	write_config(below("conf"), insecure);
	assert_int_equal(config_load(below("conf"), &t.config), 0);
	assert_int_equal(service_reload(&t.service, t.config), 0);
}

/* Who has come in cleartext when he might isn't served when he may not any more. */
static void test_insecure_no_more(void **state)
{
	struct caller a, i;

	(void)state;
	comes(&a, "a", "a");
	comes(&i, "i", NULL);
	assert_int_equal(ask(&i, "v"), 0);
	reload(false);
	assert_int_equal(ask(&i, "v"), -EACCES);
	assert_int_equal(ask(&a, "v"), 0);
	assert_true(tls_log_has("GETATTR of node i on volume v", "isn't insecure any more"));
	reload(true);
	assert_int_equal(ask(&i, "v"), 0);
	leave(&i);
	leave(&a);
}

/* RDMA isn't encrypted, and which volume its data would belong to isn't known when it is asked for. */
static void test_no_queue_pairs(void **state)
{
	union xfer_args args = { .share = { .epoch = 1, .lanes = 1, .kind = XFER_SHARE_VERBS } };
	union xfer_results results = { 0 };
	struct xfer_call call = { .proc = XFER_PROC_SHARE, .args = &args, .results = &results };
	struct caller a;

	(void)state;
	comes(&a, "a", "a");
	assert_int_equal(xfer_caller_call(a.session->lanes[0], &call), 0);
	assert_int_equal(xfer_status_to_errno(results.status), -EOPNOTSUPP);
	assert_true(tls_log_has("node a gets no data path over RDMA",
		"it may use volume s, which has require_encryption"));
	leave(&a);
}

/* --- files ------------------------------------------------------------------------------------ */

/* What is wrong with them keeps an owner from starting at all. */
static void test_bad_files(void **state)
{
	struct config config = *t.config;
	struct owner_tls tls;

	(void)state;
	snprintf(config.tls.certificate, sizeof(config.tls.certificate), "/nowhere");
	assert_true(owner_tls_start(&config, &tls) < 0);
	assert_null(tls.tls);
	assert_true(tls_log_has("tls: ", "/nowhere"));
	config = *t.config;
	snprintf(config.tls.key, sizeof(config.tls.key), "%s", pki_path(t.pki, "a.key"));
	assert_true(owner_tls_start(&config, &tls) < 0);
	assert_null(tls.identity);
	config.tls.line = 0;
	assert_int_equal(owner_tls_start(&config, &tls), 0);
	assert_null(tls.tls);
	owner_tls_stop(&tls);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_who_may_come),
		TEST(test_who_may_not),
		TEST(test_stolen_token),
		TEST(test_volume_in_cleartext),
		TEST(test_insecure_no_more),
		TEST(test_no_queue_pairs),
		TEST(test_bad_files),
	};

	char message[256];

	if (caps_check(message, sizeof(message))) {
		printf("skipped: %s\n", message);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
