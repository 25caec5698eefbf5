/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* session_tls_much.c -- much data over a session by TLS, each byte of which is looked at */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "counters.h"
#include "support/tls_nodes.h"

#define MIB 32

static void test_much(void **state)
{
	struct tls_nodes nodes;

	(void)state;
	tls_nodes_begin(&nodes, NULL, NULL);
	tls_nodes_open(&nodes, TLS_WITHOUT_NONE);
	assert_true(wait_for(session_up, nodes.f.session));
	for (unsigned i = 0; i < MIB; i++)
		tls_nodes_exchange(&nodes, i);
	assert_true((xfer_counters[XFER_CNT_TLS_RELAYED] == 0) == xfer_tls_in_kernel(nodes.tls));
	tls_nodes_end(&nodes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_much),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
