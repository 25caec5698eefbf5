/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* fsal_start.c -- the module starts as a whole: where a step fails nothing of it stays, and nobody was offered TLS */

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "module.h"
#include "support/pki.h"
#include "support/process.h"

#define THREADS_MAX 40 /* that a start may make */

static struct pki *pki;
static char run_dir[] = "/tmp/rdmaxfer-start.XXXXXX";

/* What is to fail in this process: the nth pthread_create from now on (0: none), the registering of AUTH_TLS. */
static unsigned failing_thread;
static bool auth_is_taken;

static unsigned registered;
static bool ticked_when_registered;
static char said[1024]; /* the last line of the log */

/* --- Ganesha, libntirpc, the C library ---------------------------------------------------------- */

int svc_auth_reg(int flavor, enum auth_stat (*handler)(struct svc_req *))
{
	(void)flavor, (void)handler;
	ticked_when_registered = rdx_module.ticking;
	registered += !auth_is_taken;
	return auth_is_taken;
}

/* The test has set all keys. */
int load_config_from_parse(config_file_t config, struct config_block *block, void *param,
	bool unique, struct config_error_type *err_type)
{
	(void)config, (void)block, (void)param, (void)unique, (void)err_type;
	return 0;
}

void DisplayLogComponentLevel(log_components_t component, const char *file, int line,
	const char *function, log_levels_t level, const char *format, ...)
{
	va_list args;

	(void)component, (void)file, (void)line, (void)function;
	if (level > NIV_CRIT)
		return;
	va_start(args, format);
	vsnprintf(said, sizeof(said), format, args);
	va_end(args);
}

int __real_pthread_create(
	pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *), void *arg);
int __wrap_pthread_create(
	pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *), void *arg);
int __wrap_pthread_create(
	pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *), void *arg)
{
	if (failing_thread > 0 && --failing_thread == 0)
		return EAGAIN;
	return __real_pthread_create(thread, attr, start, arg);
}

/* --- a start ------------------------------------------------------------------------------------ */

/* What a process has that has started something, and not when it has started nothing. */
struct traces {
	unsigned threads, descriptors, sockets;
};

static struct traces look(void)
{
	return (struct traces){ process_threads(), process_descriptors(),
		process_entries(run_dir) };
}

/* A thread that was waited for is still seen for a moment. */
static bool is_back(const struct traces *before)
{
	struct traces now;

	for (int i = 0; i < 500; i++) {
		now = look();
		if (now.threads <= before->threads && now.descriptors <= before->descriptors &&
			now.sockets <= before->sockets)
			return true;
		usleep(10000);
	}
	fprintf(stderr, "threads %u, now %u; descriptors %u, now %u; sockets %u, now %u: %s\n",
		before->threads, now.threads, before->descriptors, now.descriptors, before->sockets,
		now.sockets, said);
	return false;
}

static char *path(const char *file)
{
	return strdup(pki_path(pki, file));
}

/* The module gives all of it back when it is unloaded, at the end. */
static void configure(void)
{
	rdx_module.node_name = strdup("a");
	rdx_module.owners_text = strdup("b=192.0.2.1:20491");
	rdx_module.run_dir = strdup(run_dir);
	rdx_module.lanes = 2;
	rdx_module.heartbeat_ms = 1000;
	rdx_module.small_slots = 16;
	rdx_module.large_slots = 2;
	rdx_module.poll_us = 10;
	rdx_module.waiting_memory = 2;
	rdx_module.ktls = XFER_KTLS_OFF;
	rdx_module.handshake_ms = 5000;
	rdx_module.handshakes_max = rdx_module.handshakes_per_address = 4;
	rdx_module.tls_certificate = path("a.pem");
	rdx_module.tls_key = path("a.key");
	rdx_module.node_certificate = path("a.pem");
	rdx_module.node_key = path("a.key");
	rdx_module.node_ca = path("ca.pem");
}

enum outcome { STARTED, TAKEN_BACK, WRONG };

static void *nothing(void *arg)
{
	return arg;
}

/* A sanitizer has a thread of its own, from a process's first one on. */
static void begin_first_thread(void)
{
	pthread_t thread;

	if (__real_pthread_create(&thread, NULL, nothing, NULL) == 0)
		pthread_join(thread, NULL);
}

static enum outcome start(void)
{
	struct traces before = look();
	struct config_error_type errors = { 0 };
	fsal_status_t status = rdx_module.fsal.m_ops.init_config(&rdx_module.fsal, NULL, &errors);

	if (!FSAL_IS_ERROR(status))
		return registered == 1 && ticked_when_registered && rdx_module.ready ? STARTED
										     : WRONG;
	return is_back(&before) && registered == 0 && !rdx_module.ready && !rdx_module.tls &&
			       !rdx_module.tls_identity && !rdx_module.node_identity &&
			       !rdx_module.context
		       ? TAKEN_BACK
		       : WRONG;
}

/* In a process of its own, where change() is called before: a module starts once. */
static enum outcome start_elsewhere(void (*change)(void))
{
	pid_t child = fork();
	int status;

	assert_return_code(child, errno);
	if (child == 0) {
		begin_first_thread();
		change();
		_exit(start());
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* --- tests -------------------------------------------------------------------------------------- */

static unsigned nth;

static void fail_nth_thread(void)
{
	failing_thread = nth;
}

static void test_each_thread_fails(void **state)
{
	enum outcome outcome;
	(void)state;

	do {
		nth++;
		outcome = start_elsewhere(fail_nth_thread);
		assert_int_not_equal(outcome, WRONG);
	} while (outcome == TAKEN_BACK && nth < THREADS_MAX);
	assert_int_equal(outcome, STARTED);
	assert_true(nth > 4); /* TLS's threads, the lanes', the module's */
}

static void take_certificates(void)
{
	rdx_module.node_certificate = rdx_module.node_key = rdx_module.node_ca = NULL;
}

static void test_an_owner_without_certificates(void **state)
{
	(void)state;
	assert_int_equal(start_elsewhere(take_certificates), TAKEN_BACK);
}

static void take_folder(void)
{
	strcpy(rdx_module.run_dir, "/proc/rdmaxfer");
}

static void test_a_folder_that_cannot_be_made(void **state)
{
	(void)state;
	assert_int_equal(start_elsewhere(take_folder), TAKEN_BACK);
}

static void take_auth(void)
{
	auth_is_taken = true;
}

static void test_somebody_else_answers(void **state)
{
	(void)state;
	assert_int_equal(start_elsewhere(take_auth), TAKEN_BACK);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_thread_fails),
		cmocka_unit_test(test_an_owner_without_certificates),
		cmocka_unit_test(test_a_folder_that_cannot_be_made),
		cmocka_unit_test(test_somebody_else_answers),
	};
	const struct pki_wish wish = {
		.cn = "a", .names = "DNS:a", .usage = "serverAuth,clientAuth"
	};
	int failed;

	if (!mkdtemp(run_dir))
		return 1;
	pki = pki_create("nodes");
	pki_issue(pki, "a", &wish);
	configure();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	pki_free(pki);
	rmdir(run_dir);
	return failed;
}
