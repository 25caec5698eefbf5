/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* owner_recovery.c -- the file of processes that have sessions, and the grace period that it leads to */

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "log.h"
#include "owner/recovery.h"

#define GRACE_MS 300
#define LAZY_MS  100

static struct recovery *recovery;
static char dir[64], file[96];
static _Atomic unsigned welcomed;
static char log_text[65536];
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;

/* In the place of the dispatcher's. */
void xfer_request_welcome(struct xfer_request *request)
{
	(void)request;
	welcomed++;
}

static void collect_log(enum xfer_log_level level, const char *text)
{
	(void)level;
	pthread_mutex_lock(&log_lock);
	if (strlen(log_text) + strlen(text) + 2 < sizeof(log_text))
		strcat(strcat(log_text, text), "\n");
	pthread_mutex_unlock(&log_lock);
}

static bool logged(const char *text)
{
	bool found;

	pthread_mutex_lock(&log_lock);
	found = strstr(log_text, text) != NULL;
	pthread_mutex_unlock(&log_lock);
	return found;
}

static void start(void)
{
	struct recovery_params params = {
		.state_dir = dir, .grace_ms = GRACE_MS, .lazy_ms = LAZY_MS
	};

	assert_int_equal(recovery_create(&params, &recovery), 0);
}

static void restart(void)
{
	recovery_destroy(recovery);
	start();
}

static int set_up(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/xfer-recovery-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/sessions", dir);
	welcomed = 0;
	log_text[0] = '\0';
	xfer_log_set_sink(collect_log);
	start();
	return 0;
}

static int tear_down(void **state)
{
	char new_file[sizeof(file) + 4];

	(void)state;
	recovery_destroy(recovery);
	xfer_log_set_sink(NULL);
	snprintf(new_file, sizeof(new_file), "%s.new", file);
	unlink(new_file);
	unlink(file);
	rmdir(dir);
	return 0;
}

static void boot_of(uint8_t boot, uint8_t boot_id[16])
{
	memset(boot_id, boot, 16);
}

/* HELLO of a process. */
static void remember(const char *node, uint8_t boot)
{
	static struct xfer_request requests[16];
	struct xfer_hello_args hello = { 0 };
	unsigned before = welcomed;

	strcpy(hello.node, node);
	boot_of(boot, hello.boot_id);
	recovery_remember(recovery, &hello, &requests[before % 16]);
	for (int i = 0; i < 5000 && welcomed == before; i++)
		usleep(1000);
	assert_int_equal(welcomed, before + 1);
}

static enum xfer_standing began(const char *node, uint8_t boot)
{
	uint8_t boot_id[16];

	remember(node, boot);
	boot_of(boot, boot_id);
	return recovery_session_began(recovery, node, boot_id);
}

static void ended(const char *node, uint8_t boot)
{
	uint8_t boot_id[16];

	boot_of(boot, boot_id);
	recovery_session_ended(recovery, node, boot_id);
}

static bool recovered(const char *node, uint8_t boot)
{
	uint8_t boot_id[16];

	boot_of(boot, boot_id);
	return recovery_session_recovered(recovery, node, boot_id);
}

static bool file_says(const char *text)
{
	char content[4096] = "";
	FILE *stream = fopen(file, "r");
	size_t n = stream ? fread(content, 1, sizeof(content) - 1, stream) : 0;

	if (stream)
		fclose(stream);
	content[n] = '\0';
	return strstr(content, text) != NULL;
}

static void put_file(const char *text)
{
	FILE *stream = fopen(file, "w");

	assert_non_null(stream);
	fputs(text, stream);
	assert_int_equal(fclose(stream), 0);
}

#define A1   "a 01010101010101010101010101010101\n"
#define A2   "a 02020202020202020202020202020202\n"
#define B1   "b 01010101010101010101010101010101\n"
#define C1   "c 01010101010101010101010101010101\n"
#define HEAD "rdmaxfer sessions 1\n"

/* --- the file ----------------------------------------------------------------------------------- */

static void test_remembered(void **state)
{
	struct stat before, after;

	(void)state;
	assert_false(recovery_in_grace(recovery));
	recovery_begin(recovery);
	assert_false(recovery_in_grace(recovery));
	assert_int_equal(began("a", 1), XFER_STANDING_NEW);
	assert_true(file_says(HEAD A1 "end\n"));
	assert_int_equal(stat(file, &before), 0);
	assert_int_equal(began("a", 1), XFER_STANDING_NEW); /* nothing is written again */
	assert_int_equal(stat(file, &after), 0);
	assert_true(before.st_ino == after.st_ino);
	assert_int_equal(began("c", 1), XFER_STANDING_NEW);
	assert_true(file_says(A1) && file_says(C1));
}

static void test_forgotten(void **state)
{
	(void)state;
	began("a", 1);
	began("a", 1);
	began("c", 1);
	ended("a", 1);
	usleep(4 * LAZY_MS * 1000);
	assert_true(file_says(A1)); /* it has another session */
	ended("a", 1);
	for (int i = 0; i < 1000 && file_says(A1); i++)
		usleep(5000);
	assert_false(file_says(A1));
	assert_true(file_says(C1));
	assert_int_equal(began("a", 1), XFER_STANDING_NEW);
	assert_true(file_says(A1));
}

/* It takes its time, and writes the file before it ends. */
static bool grace_ends(void)
{
	for (int i = 0; i < 1000 && recovery_in_grace(recovery); i++)
		usleep(10000);
	return !recovery_in_grace(recovery);
}

static void test_broken(void **state)
{
	static const char *const texts[] = { "", "\n", "end\n", "garbage", HEAD, HEAD A1,
		HEAD "a 01", HEAD "a 0101\nend\n", HEAD "a\nend\n", HEAD A1 "end",
		HEAD A1 "end\nmore\n", HEAD "a xx010101010101010101010101010101\nend\n",
		"rdmaxfer sessions 2\n" A1 "end\n" };

	(void)state;
	for (unsigned i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		recovery_destroy(recovery);
		put_file(texts[i]);
		log_text[0] = '\0';
		start();
		if (!recovery_in_grace(recovery))
			fail_msg("taken for good: \"%s\"", texts[i]);
		assert_true(logged("is broken"));
		assert_int_equal(began("a", 1), XFER_STANDING_NEW); /* and it waits as all do */
		recovered("a", 1);
		ended("a", 1);
		assert_true(recovery_in_grace(recovery));
	}
	assert_true(file_says(HEAD A1 "end\n"));
	recovery_begin(recovery);
	assert_true(logged("nobody changes anything"));
	assert_true(grace_ends());
}

/* What was being written when the process died is of no account. */
static void test_torn(void **state)
{
	char torn[sizeof(file) + 4];
	FILE *stream;

	(void)state;
	began("a", 1);
	recovery_destroy(recovery);
	snprintf(torn, sizeof(torn), "%s.new", file);
	stream = fopen(torn, "w");
	fputs(HEAD "c 01", stream);
	fclose(stream);
	start();
	assert_true(recovery_in_grace(recovery));
	assert_int_equal(began("a", 1), XFER_STANDING_RECOVER);
	assert_int_equal(began("c", 1), XFER_STANDING_NEW);
	assert_true(file_says(A1) && file_says(C1));
}

/* Sessions begin nevertheless. */
static void test_full_disk(void **state)
{
	char new_file[sizeof(file) + 4];

	(void)state;
	began("a", 1);
	snprintf(new_file, sizeof(new_file), "%s.new", file);
	assert_int_equal(symlink("/dev/full", new_file), 0);
	assert_int_equal(began("c", 1), XFER_STANDING_NEW);
	assert_true(logged("can't be written: No space left on device; make room"));
	assert_true(file_says(HEAD A1 "end\n")); /* what was there stays */
	assert_int_equal(began("c", 1), XFER_STANDING_NEW);
	assert_true(file_says(C1)); /* it is tried again */
}

static void test_directory_that_cannot_be_written(void **state)
{
	(void)state;
	assert_int_equal(rmdir(dir), 0);
	assert_int_equal(began("a", 1), XFER_STANDING_NEW);
	assert_int_equal(began("a", 1), XFER_STANDING_NEW);
	assert_int_equal(mkdir(dir, 0700), 0);
}

static void test_no_directory(void **state)
{
	struct recovery_params params = { .state_dir = "/nonexistent/state", .grace_ms = 1 };
	struct recovery *none = NULL;

	(void)state;
	assert_int_equal(recovery_create(&params, &none), -ENOENT);
	assert_null(none);
	assert_true(logged("/nonexistent/state can't be opened"));
}

/* --- the grace period --------------------------------------------------------------------------- */

static void test_grace_ends_with_the_last_one(void **state)
{
	char names[64];

	(void)state;
	began("a", 1);
	began("c", 1);
	restart();
	assert_true(recovery_in_grace(recovery));
	recovery_begin(recovery);
	assert_true(logged("have come back, for 1 s at most"));
	assert_int_equal(began("d", 1), XFER_STANDING_NEW);
	assert_int_equal(began("a", 1), XFER_STANDING_RECOVER);
	assert_true(recovery_in_grace(recovery));
	recovered("a", 1);
	recovered("a", 1);
	recovered("d", 1);
	assert_true(recovery_in_grace(recovery));
	recovery_awaited(recovery, names, sizeof(names));
	assert_string_equal(names, "c");
	assert_int_equal(began("c", 1), XFER_STANDING_RECOVER);
	recovered("c", 1);
	assert_false(recovery_in_grace(recovery));
	assert_true(logged("the grace period is over\n"));
	assert_int_equal(began("c", 1), XFER_STANDING_NEW);
	assert_true(file_says(A1) && file_says(C1));
}

static void test_grace_ends_with_time(void **state)
{
	json_t *status;

	(void)state;
	began("a", 1);
	restart();
	usleep(2 * GRACE_MS * 1000);
	assert_true(recovery_in_grace(recovery)); /* it begins when they can come */
	recovery_begin(recovery);
	status = recovery_status(recovery);
	assert_string_equal(
		json_string_value(json_array_get(json_object_get(status, "awaited"), 0)), "a");
	assert_in_range(json_integer_value(json_object_get(status, "left_ms")), 1, GRACE_MS);
	json_decref(status);
	assert_true(grace_ends());
	assert_true(logged("node(s) a didn't come back"));
	assert_int_equal(began("a", 1), XFER_STANDING_NEW);
	status = recovery_status(recovery);
	assert_true(json_is_null(status));
	json_decref(status);
}

/* Who didn't make it has no claim after one more restart, whether it was there or not; who did, has. */
static void test_struck_before_grace_ends(void **state)
{
	(void)state;
	began("a", 1);
	began("b", 1);
	began("c", 1);
	restart();
	recovery_begin(recovery);
	assert_int_equal(began("b", 1), XFER_STANDING_RECOVER);
	assert_int_equal(began("c", 1), XFER_STANDING_RECOVER);
	assert_true(recovered("c", 1));
	while (recovery_in_grace(recovery))
		assert_true(file_says(C1));
	assert_false(file_says(A1));
	assert_false(file_says(B1));
	assert_true(file_says(C1));
	assert_false(recovered("b", 1));
	restart();
	assert_int_equal(began("a", 1), XFER_STANDING_NEW);
	assert_int_equal(began("b", 1), XFER_STANDING_NEW);
	assert_int_equal(began("c", 1), XFER_STANDING_RECOVER);
}

/* Where that can't be written, no file is as good. */
static void test_struck_on_a_full_disk(void **state)
{
	struct rlimit unlimited, none;

	(void)state;
	began("a", 1);
	restart();
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &unlimited), 0);
	none = (struct rlimit){ .rlim_cur = 0, .rlim_max = unlimited.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	recovery_begin(recovery);
	for (int i = 0; i < 1000 && recovery_in_grace(recovery); i++)
		usleep(5000);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &unlimited), 0);
	assert_false(recovery_in_grace(recovery));
	assert_false(file_says(A1));
}

static void test_grace_ends_with_another_process(void **state)
{
	(void)state;
	began("a", 1);
	restart();
	recovery_begin(recovery);
	assert_int_equal(began("c", 1), XFER_STANDING_NEW);
	assert_true(recovery_in_grace(recovery));
	assert_int_equal(began("a", 2), XFER_STANDING_NEW);
	assert_false(recovery_in_grace(recovery));
	assert_true(file_says(A2));
}

/* It ends before it has recovered, or dies. */
static void test_grace_ends_with_a_session(void **state)
{
	(void)state;
	began("a", 1);
	restart();
	recovery_begin(recovery);
	assert_int_equal(began("a", 1), XFER_STANDING_RECOVER);
	ended("a", 1);
	assert_false(recovery_in_grace(recovery));
}

/* Who hasn't come back yet when this process dies, too, isn't forgotten. */
static void test_restarted_in_grace(void **state)
{
	(void)state;
	began("a", 1);
	began("c", 1);
	restart();
	recovery_begin(recovery);
	assert_int_equal(began("d", 1), XFER_STANDING_NEW); /* the file is written */
	restart();
	assert_int_equal(began("c", 1), XFER_STANDING_RECOVER);
	assert_int_equal(began("a", 1), XFER_STANDING_RECOVER);
	assert_int_equal(began("d", 1), XFER_STANDING_RECOVER);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_remembered),
		TEST(test_forgotten),
		TEST(test_broken),
		TEST(test_torn),
		TEST(test_full_disk),
		TEST(test_directory_that_cannot_be_written),
		TEST(test_no_directory),
		TEST(test_grace_ends_with_the_last_one),
		TEST(test_grace_ends_with_time),
		TEST(test_struck_before_grace_ends),
		TEST(test_struck_on_a_full_disk),
		TEST(test_grace_ends_with_another_process),
		TEST(test_grace_ends_with_a_session),
		TEST(test_restarted_in_grace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
