/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* owner_creds.c -- threads with a caller's permissions, and back */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <pthread.h>
#include <sys/wait.h>

#include "owner/caps.h"
#include "owner/creds.h"

#define USER 4711

static char dir[64];

static int setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/xfer-creds-XXXXXX");
	return mkdtemp(dir) && chmod(dir, 0755) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

static void make(const char *name, uid_t uid, gid_t gid, mode_t mode)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	assert_int_equal(fchown(fd, uid, gid), 0);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

/* 0 or -errno of opening it for reading. */
static int try_open(const char *name)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

/* In a process of its own, because what goes wrong here would spoil the others' permissions. */
static void in_child(int (*body)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(body());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status))
		fail_msg("step %d", WEXITSTATUS(status));
}

#define STEP(number, expression)                                                                   \
	do {                                                                                       \
		if (!(expression))                                                                 \
			return number;                                                             \
	} while (0)

static int permissions(void)
{
	static const uint32_t groups[] = { 1, 50 };
	static const struct xfer_cred user = { .uid = USER, .gid = USER },
				      in_group = { .uid = USER,
					      .gid = USER,
					      .ngroups = 2,
					      .groups = groups },
				      by_gid = { .uid = USER, .gid = 50 }, root = { 0 };

	STEP(1, creds_assume(&user) == 0);
	STEP(2, try_open("root") == -EACCES);
	STEP(3, try_open("user") == 0);
	STEP(4, try_open("group") == -EACCES);
	STEP(5, creds_assume(&in_group) == 0);
	STEP(6, try_open("group") == 0);
	STEP(7, creds_assume(&user) == 0);
	STEP(8, try_open("group") == -EACCES); /* the groups are gone again */
	STEP(9, creds_assume(&by_gid) == 0);
	STEP(10, try_open("group") == 0);
	creds_daemon();
	STEP(11, try_open("root") == 0);
	STEP(12, creds_assume(&user) == 0);
	STEP(13, try_open("root") == -EACCES); /* after the way back, too */
	STEP(14, creds_assume(&root) == 0);
	STEP(15, try_open("root") == 0);
	return 0;
}

static void test_permissions(void **state)
{
	(void)state;
	make("root", 0, 0, 0600);
	make("user", USER, USER, 0600);
	make("group", 0, 50, 0640);
	in_child(permissions);
}

static int impossible_ids(void)
{
	static const struct xfer_cred user = { .uid = USER, .gid = USER },
				      no_uid = { .uid = UINT32_MAX, .gid = USER },
				      no_gid = { .uid = USER, .gid = UINT32_MAX };

	STEP(1, creds_assume(&no_uid) == -EACCES);
	STEP(2, try_open("root") == 0); /* the daemon still */
	STEP(3, creds_assume(&user) == 0);
	STEP(4, creds_assume(&no_gid) == -EACCES);
	STEP(5, creds_assume(&user) == 0);
	STEP(6, try_open("root") == -EACCES);
	creds_daemon();
	STEP(7, try_open("root") == 0);
	return 0;
}

static void test_impossible_ids(void **state)
{
	(void)state;
	make("root", 0, 0, 0600);
	in_child(impossible_ids);
}

static void *other_thread(void *arg)
{
	*(int *)arg = try_open("root");
	return NULL;
}

/* What one thread assumes is nothing to the others. */
static int threads(void)
{
	static const uint32_t groups[] = { 50 };
	static const struct xfer_cred user = {
		.uid = USER, .gid = USER, .ngroups = 1, .groups = groups
	};
	pthread_t thread;
	int result = -1;

	STEP(1, pthread_create(&thread, NULL, other_thread, &result) == 0);
	pthread_join(thread, NULL);
	STEP(2, result == 0);
	STEP(3, creds_assume(&user) == 0);
	STEP(4, try_open("root") == -EACCES);
	creds_daemon();
	STEP(5, pthread_create(&thread, NULL, other_thread, &result) == 0);
	STEP(6, creds_assume(&user) == 0);
	pthread_join(thread, NULL);
	STEP(7, result == 0);
	return 0;
}

static void test_threads(void **state)
{
	(void)state;
	make("root", 0, 0, 0600);
	in_child(threads);
}

static int reduced(void)
{
	static const struct xfer_cred user = { .uid = USER, .gid = USER };
	char message[256];

	STEP(1, caps_reduce() == 0);
	STEP(2, caps_check(message, sizeof(message)) == 0);
	STEP(3, try_open("root") == 0);
	STEP(4, creds_assume(&user) == 0);
	STEP(5, try_open("root") == -EACCES);
	creds_daemon();
	STEP(6, try_open("root") == 0);
	STEP(7, sethostname("x", 1) < 0 && errno == EPERM);
	return 0;
}

/* What is left of the capabilities is enough, and the rest is gone. */
static void test_reduced_capabilities(void **state)
{
	(void)state;
	make("root", 0, 0, 0600);
	in_child(reduced);
}

static int not_root(void)
{
	char message[256] = "";

	STEP(1, seteuid(USER) == 0);
	STEP(2, caps_check(message, sizeof(message)) == -EPERM);
	STEP(3, strstr(message, "root"));
	return 0;
}

static void test_not_root(void **state)
{
	(void)state;
	in_child(not_root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_permissions, setup, teardown),
		cmocka_unit_test_setup_teardown(test_impossible_ids, setup, teardown),
		cmocka_unit_test_setup_teardown(test_threads, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reduced_capabilities, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_root, setup, teardown),
	};
	char message[512];

	if (caps_check(message, sizeof(message))) {
		printf("skipped: %s\n", message);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
