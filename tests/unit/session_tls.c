/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* session_tls.c -- sessions over TLS, by a relay or the kernel: who is let in, who isn't and why, and what goes over them */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/tls_ends.h"
#include "support/tls_nodes.h"

/* --- good ones -------------------------------------------------------------------------------- */

static void test_data(void **state)
{
	struct tls_nodes nodes;
	const char *carrier;

	(void)state;
	tls_nodes_begin(&nodes, NULL, NULL);
	tls_nodes_open(&nodes, TLS_WITHOUT_NONE);
	assert_true(wait_for(session_up, nodes.f.session));
	for (unsigned i = 0; i < 8; i++)
		tls_nodes_exchange(&nodes, i);
	/* A lane each, with a handshake each. */
	assert_int_equal(nodes.f.session->nlanes, 2);
	carrier = xfer_tls_in_kernel(nodes.tls) ? "kernel" : "relay";
	assert_true(tls_log_has("node CN=a [dns:a]", carrier));
	assert_true(tls_log_has("node CN=b [dns:b]", carrier));
	tls_nodes_end(&nodes);
}

/* An epoch by TLS follows one by TLS, with all that was under way. */
static void test_goes_on_after_a_cut(void **state)
{
	struct tls_nodes nodes;
	struct later later;

	(void)state;
	tls_nodes_begin(&nodes, NULL, NULL);
	tls_nodes_open(&nodes, TLS_WITHOUT_NONE);
	assert_true(wait_for(session_up, nodes.f.session));
	for (unsigned i = 0; i < 5; i++) {
		later = (struct later){ nodes.f.session, nodes.f.session->epoch };
		cut(nodes.f.session);
		assert_true(wait_for(later_epoch, &later));
		tls_nodes_exchange(&nodes, i);
	}
	assert_true(nodes.f.session->recovered);
	tls_nodes_end(&nodes);
}

/* --- bad certificates ------------------------------------------------------------------------- */

/* No session comes of it, and both ends say why. */
static void refused(
	const struct tls_node *a, const struct tls_node *b, const char *at_a, const char *audited)
{
	struct tls_nodes nodes;

	tls_nodes_begin(&nodes, a, b);
	tls_nodes_open(&nodes, TLS_WITHOUT_NONE);
	tls_nodes_expect_logged("no session with owner b", at_a);
	tls_nodes_expect_logged("tls: 127.0.0.1:", audited);
	assert_false(xfer_session_is_up(nodes.f.session));
	assert_int_equal(nodes.f.session->session_id, 0);
	assert_int_equal(nodes.f.owner.operations, 0);
	tls_nodes_end(&nodes);
}

/* What the node's end finds wrong with the owner's certificate. */
static void test_owner_is_refused(void **state)
{
	const struct tls_node expired = { .wish = { .cn = "b",
						  .names = "DNS:b",
						  .usage = PKI_EITHER,
						  .from_s = -7200,
						  .until_s = -3600 } };
	const struct tls_node named_c = {
		.wish = { .cn = "c", .names = "DNS:c", .usage = PKI_EITHER }
	};
	const struct tls_node strange = {
		.wish = { .cn = "b", .names = "DNS:b", .usage = PKI_EITHER }, .other_ca = true
	};
	const struct tls_node revoked = {
		.wish = { .cn = "b", .names = "DNS:b", .usage = PKI_EITHER, .revoked = true }
	};
	const struct tls_node client_only = {
		.wish = { .cn = "b", .names = "DNS:b", .usage = "clientAuth" }
	};

	(void)state;
	refused(NULL, &expired, "expired", "failed");
	refused(NULL, &named_c, "name", "failed");
	refused(NULL, &strange, "CA", "failed");
	refused(NULL, &revoked, "revoked", "failed");
	refused(NULL, &client_only, "serverAuth", "failed");
}

/* The node's end believes that all is well when the owner refuses it: only WELCOME would have told. */
static void test_node_is_refused(void **state)
{
	const struct tls_node expired = { .wish = { .cn = "a",
						  .names = "DNS:a",
						  .usage = PKI_EITHER,
						  .from_s = -7200,
						  .until_s = -3600 } };
	const struct tls_node strange = {
		.wish = { .cn = "a", .names = "DNS:a", .usage = PKI_EITHER }, .other_ca = true
	};
	const struct tls_node revoked = {
		.wish = { .cn = "a", .names = "DNS:a", .usage = PKI_EITHER, .revoked = true }
	};
	const struct tls_node server_only = {
		.wish = { .cn = "a", .names = "DNS:a", .usage = "serverAuth" }
	};

	(void)state;
	refused(&expired, NULL, "before WELCOME", "expired");
	refused(&strange, NULL, "before WELCOME", "CA");
	refused(&revoked, NULL, "before WELCOME", "revoked");
	refused(&server_only, NULL, "before WELCOME", "clientAuth");
}

/* --- ends that have no TLS -------------------------------------------------------------------- */

static void without(enum tls_without who, const char *says)
{
	struct tls_nodes nodes;

	tls_nodes_begin(&nodes, NULL, NULL);
	tls_nodes_open(&nodes, who);
	tls_nodes_expect_logged("no session with owner b", says);
	assert_int_equal(nodes.f.session->session_id, 0);
	tls_nodes_end(&nodes);
}

/* Nobody falls back to cleartext. */
static void test_one_has_none(void **state)
{
	(void)state;
	without(TLS_WITHOUT_OWNER, "owner b has no TLS: give it tls = { ... }");
	without(TLS_WITHOUT_NODE, "configure Node_Certificate, Node_Key and Node_CA");
}

/* Unless it is said. An owner with TLS looks at first bytes, which are no probe, and leaves them where they are. */
static void test_insecure(void **state)
{
	struct tls_nodes nodes;

	(void)state;
	tls_nodes_begin(&nodes, NULL, NULL);
	nodes.insecure = true;
	tls_nodes_open(&nodes, TLS_WITHOUT_NONE);
	assert_true(wait_for(session_up, nodes.f.session));
	tls_nodes_exchange(&nodes, 1);
	assert_int_equal(tls_log_count("tls: 127.0.0.1"), 0);
	tls_nodes_end(&nodes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_data),
		cmocka_unit_test(test_goes_on_after_a_cut),
		cmocka_unit_test(test_owner_is_refused),
		cmocka_unit_test(test_node_is_refused),
		cmocka_unit_test(test_one_has_none),
		cmocka_unit_test(test_insecure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
