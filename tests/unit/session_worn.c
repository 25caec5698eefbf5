/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* session_worn.c -- connections whose keys are nearly used up are replaced, and nobody notices */

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/caller.h"
#include "support/tls_ends.h"
#include "support/tls_nodes.h"

#define THREADS 4
#define TIMES   5
#define BLOCK   4096u

#define FDS 1024

/* Connections have the generation in which they were made; those of earlier ones have used up so much, in per mille. */
static _Atomic unsigned generation, used, generations[FDS];
static _Atomic bool at_owner[FDS];
static _Atomic enum { EITHER_END, OWNERS_END, CALLERS_END } ends; /* that have */
static struct tls_nodes nodes;

struct xfer_conn_io *__real_xfer_conn_io_tls(int fd, const struct xfer_tls_security *security);
struct xfer_conn_io *__wrap_xfer_conn_io_tls(int fd, const struct xfer_tls_security *security);
struct xfer_conn_io *__wrap_xfer_conn_io_tls(int fd, const struct xfer_tls_security *security)
{
	char thread[16];

	assert_in_range(fd, 0, FDS - 1);
	pthread_getname_np(pthread_self(), thread, sizeof(thread));
	at_owner[fd] = strcmp(thread, "xfer-connect") != 0;
	generations[fd] = generation;
	return __real_xfer_conn_io_tls(fd, security);
}

unsigned __wrap_xfer_tls_used(const struct xfer_tls_security *security, int fd);
unsigned __wrap_xfer_tls_used(const struct xfer_tls_security *security, int fd)
{
	(void)security;
	return generations[fd] < generation && ends != (at_owner[fd] ? CALLERS_END : OWNERS_END)
		       ? used
		       : 0;
}

static void wear(unsigned per_mille)
{
	used = per_mille;
	generation++;
}

static void begin(void)
{
	tls_nodes_begin(&nodes, NULL, NULL);
	tls_nodes_open(&nodes, TLS_WITHOUT_NONE);
	assert_true(wait_for(session_up, nodes.f.session));
}

static bool has_epoch(void *arg)
{
	struct xfer_session *session = nodes.f.session;
	bool has;

	pthread_mutex_lock(&session->lock);
	has = session->epoch >= *(uint32_t *)arg && session->state == XFER_SESSION_UP;
	pthread_mutex_unlock(&session->lock);
	return has;
}

/* --- traffic ---------------------------------------------------------------------------------- */

struct traffic {
	pthread_t thread;
	unsigned number;
	unsigned operations;
};

static _Atomic bool stop;
static _Atomic unsigned failed;

static void expect_ok(const char *what, int err)
{
	if (err == 0)
		return;
	fprintf(stderr, "%s ends with %d\n", what, err);
	failed++;
}

/* Each thread's block is written and read back, and attributes are asked for in between. */
static void *operate(void *arg)
{
	struct traffic *traffic = arg;
	uint8_t data[BLOCK], back[BLOCK];
	struct xfer_attr attr;
	struct wait_io io;

	while (!stop) {
		memset(data, (int)(traffic->operations + traffic->number), sizeof(data));
		io_prepare(&nodes.f, &io, traffic->number * BLOCK, data, BLOCK);
		xfer_op_write(&io.io);
		expect_ok("WRITE", io_wait(&io));
		expect_ok(
			"GETATTR", xfer_op_getattr(nodes.f.session, &cred, &nodes.f.handle, &attr));
		io_prepare(&nodes.f, &io, traffic->number * BLOCK, back, BLOCK);
		xfer_op_read(&io.io);
		expect_ok("READ", io_wait(&io));
		failed += memcmp(data, back, BLOCK) != 0;
		traffic->operations++;
	}
	return NULL;
}

/* Again and again, with operations of all kinds under way, some of them slow: none fails. */
static void test_nobody_notices(void **state)
{
	struct traffic traffic[THREADS];
	uint32_t next;

	(void)state;
	begin();
	stop = false;
	failed = 0;
	nodes.f.owner.delay_us = 2000;
	for (unsigned i = 0; i < THREADS; i++) {
		traffic[i] = (struct traffic){ .number = i };
		assert_int_equal(pthread_create(&traffic[i].thread, NULL, operate, &traffic[i]), 0);
	}
	for (unsigned i = 0; i < TIMES; i++) {
		next = nodes.f.session->epoch + 1;
		wear(XFER_KEYS_WORN);
		assert_true(wait_for(has_epoch, &next));
	}
	stop = true;
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(traffic[i].thread, NULL);
		assert_true(traffic[i].operations > 0);
	}
	assert_int_equal(failed, 0);
	assert_true(
		tls_log_count("changes its connections: their keys are nearly used up") >= TIMES);
	/* It was never down. */
	assert_int_equal(tls_log_count("connecting again"), 0);
	tls_nodes_end(&nodes);
}

/* What doesn't end in time is sent again over the next connections; the owner executes it once. */
static void test_what_hangs_is_sent_again(void **state)
{
	uint32_t next;
	struct wait_io io;
	char data[] = "once";
	unsigned writes;

	(void)state;
	begin();
	writes = nodes.f.owner.writes;
	nodes.f.owner.hold = true;
	io_prepare(&nodes.f, &io, 0, data, sizeof(data));
	xfer_op_write(&io.io);
	next = nodes.f.session->epoch + 1;
	wear(XFER_KEYS_WORN);
	assert_true(wait_for(has_epoch, &next));
	nodes.f.owner.hold = false;
	assert_int_equal(io_wait(&io), 0);
	assert_int_equal(nodes.f.owner.writes, writes + 1);
	assert_string_equal((char *)nodes.f.owner.data, data);
	tls_nodes_end(&nodes);
}

/* --- nobody replaces them --------------------------------------------------------------------- */

/* At the end of what they may carry connections are closed, at whichever end. The session goes on. */
static void test_used_up(void **state)
{
	uint32_t next;

	(void)state;
	begin();
	next = nodes.f.session->epoch + 1;
	ends = OWNERS_END;
	wear(1000);
	assert_true(wait_for(has_epoch, &next));
	assert_true(tls_log_has("ended: its keys have carried as much as keys may", "node a"));
	ends = CALLERS_END;
	next++;
	wear(1000);
	assert_true(wait_for(has_epoch, &next));
	ends = EITHER_END;
	tls_nodes_end(&nodes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nobody_notices),
		cmocka_unit_test(test_what_hangs_is_sent_again),
		cmocka_unit_test(test_used_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
