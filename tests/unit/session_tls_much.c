/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* session_tls_much.c -- much data over a session by TLS, each byte of which is looked at */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/tls_nodes.h"

/* Of /proc/net/tls_stat; 0 where there is none. */
static unsigned long kernel_counter(const char *name)
{
	FILE *file = fopen("/proc/net/tls_stat", "re");
	unsigned long value = 0;
	char line[128];

	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, name, strlen(name)) == 0)
			value = strtoul(line + strlen(name), NULL, 10);
	if (file)
		fclose(file);
	return value;
}

/* A gigabyte each way, where it is the kernel's records. */
static void test_much(void **state)
{
	struct tls_nodes nodes;
	unsigned long sending, receiving;
	unsigned mib = 32;

	(void)state;
	tls_nodes_begin(&nodes, NULL, NULL);
	sending = kernel_counter("TlsTxSw");
	receiving = kernel_counter("TlsRxSw");
	tls_nodes_open(&nodes, TLS_WITHOUT_NONE);
	assert_true(wait_for(session_up, nodes.f.session));
	if (xfer_tls_in_kernel(nodes.tls)) {
		mib = 1024;
		/* Both ends of both lanes. */
		assert_int_equal(kernel_counter("TlsTxSw") - sending, 4);
		assert_int_equal(kernel_counter("TlsRxSw") - receiving, 4);
	}
	for (unsigned i = 0; i < mib; i++)
		tls_nodes_exchange(&nodes, i);
	assert_int_equal(nodes.f.session->epoch, 1);
	tls_nodes_end(&nodes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_much),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
