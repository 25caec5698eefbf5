/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* session_tls_nth.c -- each call by which a session over TLS comes about fails once: it comes all the same, and nothing is
 * left behind */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "clock.h"
#include "support/failing.h"
#include "support/process.h"
#include "support/tls_ends.h"
#include "support/tls_nodes.h"

#define RUN_SECONDS 60
#define CALLS_MIN   3u /* of each kind; fewer would mean that nothing is looked at */

static struct tls_nodes nodes;

static bool few_descriptors(void *arg)
{
	return process_descriptors() <= *(unsigned *)arg;
}

/* The same, but for what makes the process: TLS, the owner and the context are there already. */
static void open_session(void)
{
	const struct xfer_session_params params = { .owner = "b",
		.address = nodes.f.owner.address };
	int err;

	do
		err = xfer_session_open(nodes.f.context, &params, &nodes.f.session);
	while (err);
	if (wait_for(session_up, nodes.f.session))
		return;
	tls_log_print();
	fail_msg("the session doesn't come up");
}

/* What failed; NULL: there are not so many calls. */
static const char *run(enum failing_kind kind, unsigned nth, unsigned before)
{
	struct wait_io io;
	char text[] = "a few bytes";
	const char *call;

	alarm(RUN_SECONDS);
	failing_arm(kind, nth);
	open_session();
	io_prepare(&nodes.f, &io, 0, text, sizeof(text));
	xfer_op_write(&io.io);
	/* What isn't executed for want of something says so. */
	(void)io_wait(&io);
	call = failing_disarm();
	io_prepare(&nodes.f, &io, 0, text, sizeof(text));
	xfer_op_write(&io.io);
	assert_int_equal(io_wait(&io), 0);
	xfer_session_close(nodes.f.session);
	nodes.f.session = NULL;
	if (!wait_for(few_descriptors, &before))
		fail_msg("%s leaves descriptors behind", call ? call : "nothing that failed");
	alarm(0);
	return call;
}

static void each_fails(enum failing_kind kind)
{
	unsigned before, nth = 1;

	tls_nodes_begin(&nodes, NULL, NULL);
	tls_nodes_open(&nodes, TLS_WITHOUT_NONE);
	assert_true(wait_for(session_up, nodes.f.session));
	xfer_session_close(nodes.f.session);
	nodes.f.session = NULL;
	usleep(100000);
	before = process_descriptors();
	while (run(kind, nth, before))
		nth++;
	assert_true(nth > CALLS_MIN);
	xfer_context_destroy(nodes.f.context);
	memowner_stop(&nodes.f.owner);
	tls_nodes_end(&nodes);
}

static void test_memory(void **state)
{
	(void)state;
	each_fails(FAILING_MEMORY);
}

static void test_descriptors(void **state)
{
	(void)state;
	each_fails(FAILING_DESCRIPTORS);
}

static void test_records(void **state)
{
	(void)state;
	each_fails(FAILING_RECORDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
