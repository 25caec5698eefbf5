/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* owner_volume.c -- starting a volume: its lock, its key, what can't be served */

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

#include <ftw.h>
#include <sys/file.h>
#include <sys/wait.h>

#include "clock.h"
#include "log.h"
#include "owner/caps.h"
#include "owner/verifier.h"
#include "owner/volume.h"

static char dir[64], state_dir[96], key_dir[128], message[512];
static struct config_volume config;

static int setup(void **state)
{
	(void)state;
	umask(0);
	strcpy(dir, "/tmp/xfer-volume-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(state_dir, sizeof(state_dir), "%s/state", dir);
	snprintf(key_dir, sizeof(key_dir), "%s/volumes/v", state_dir);
	assert_int_equal(mkdir(state_dir, 0700), 0);
	config = (struct config_volume){ .name = "v", .id = 1, .workers = 1 };
	snprintf(config.path, sizeof(config.path), "%s/v", dir);
	assert_int_equal(mkdir(config.path, 0755), 0);
	return store_posix_prepare();
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static int teardown(void **state)
{
	(void)state;
	return nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static int try_open(unsigned lock_ms, struct volume **volume)
{
	struct volume_params params = {
		.config = &config, .store = &store_posix, .state_dir = state_dir, .lock_ms = lock_ms
	};

	message[0] = '\0';
	return volume_open(&params, volume, message, sizeof(message));
}

static void test_lock_names_its_holder(void **state)
{
	struct volume *first, *second;
	char pid[32];
	uint64_t start;

	(void)state;
	assert_int_equal(try_open(0, &first), 0);
	start = xfer_now_ns();
	assert_int_equal(try_open(300, &second), -EWOULDBLOCK);
	assert_true(xfer_now_ns() - start >= 300 * XFER_NS_PER_MS);
	snprintf(pid, sizeof(pid), "process %d (", getpid());
	assert_non_null(strstr(message, pid));
	assert_non_null(strstr(message, config.path));
	volume_put(first);
	assert_int_equal(try_open(0, &second), 0);
	volume_put(second);
}

/* The lock is had as soon as the holder ends, however it ends. */
static void test_lock_is_waited_for(void **state)
{
	struct volume *volume;
	int ready[2], status;
	char byte;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		int fd = open(config.path, O_RDONLY | O_DIRECTORY);

		if (fd < 0 || flock(fd, LOCK_EX) || write(ready[1], "x", 1) != 1)
			_exit(1);
		usleep(400 * 1000);
		raise(9);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(try_open(5000, &volume), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	volume_put(volume);
	close(ready[0]);
	close(ready[1]);
}

static int load_key(uint8_t key[HANDLE_KEY_SIZE])
{
	message[0] = '\0';
	return volume_key_load(state_dir, "v", key, message, sizeof(message));
}

static void test_key(void **state)
{
	uint8_t one[HANDLE_KEY_SIZE], two[HANDLE_KEY_SIZE], zero[HANDLE_KEY_SIZE] = { 0 };
	char path[160];
	struct stat st;
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/handle.key", key_dir);
	assert_int_equal(load_key(one), 0);
	assert_memory_not_equal(one, zero, sizeof(one));
	assert_int_equal(load_key(two), 0);
	assert_memory_equal(one, two, sizeof(one));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);

	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(load_key(two), -EINVAL);
	assert_non_null(strstr(message, "chmod 600"));
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(truncate(path, 5), 0);
	assert_int_equal(load_key(two), -EINVAL); /* and not: a new one */
	assert_non_null(strstr(message, "backup"));

	/* What a crash before the rename leaves is no key. */
	assert_int_equal(unlink(path), 0);
	snprintf(path, sizeof(path), "%s/handle.key.new", key_dir);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	assert_int_equal(write(fd, "half", 4), 4);
	close(fd);
	assert_int_equal(load_key(two), 0);
	assert_memory_not_equal(one, two, sizeof(one));
	assert_int_equal(access(path, F_OK), -1);
}

static void test_key_is_the_volumes(void **state)
{
	union kernel_handle kernel;
	struct xfer_handle handle;
	struct volume *volume;
	bool root;
	int mount_id;

	(void)state;
	assert_int_equal(try_open(0, &volume), 0);
	assert_int_equal(store_posix.handle_of(volume->root_fd, &kernel, &mount_id), 0);
	assert_int_equal(handle_encode(&volume->maker, &kernel, &handle), 0);
	volume_put(volume);
	assert_int_equal(try_open(0, &volume), 0); /* a handle outlives the process */
	assert_int_equal(handle_decode(&volume->maker, &handle, &root, &kernel), 0);
	volume_put(volume);
}

static void test_what_cannot_be_served(void **state)
{
	struct volume *volume;

	(void)state;
	strcpy(config.path, "/proc/self");
	assert_int_equal(try_open(0, &volume), -EOPNOTSUPP);
	assert_non_null(strstr(message, "proc gives no file handles"));
	snprintf(config.path, sizeof(config.path), "%s/none", dir);
	assert_int_equal(try_open(0, &volume), -ENOENT);
	assert_non_null(strstr(message, "create the directory"));
	strcpy(config.path, "/etc/passwd");
	assert_int_equal(try_open(0, &volume), -ENOTDIR);
}

/* --- the write verifier ------------------------------------------------------------------------ */

static void test_verifier(void **state)
{
	struct verifier verifier;
	uint8_t first[8], second[8], again[8];

	(void)state;
	assert_int_equal(verifier_init(&verifier, state_dir), 0);
	verifier_get(&verifier, first);
	verifier_fini(&verifier);
	assert_int_equal(verifier_init(&verifier, state_dir), 0);
	verifier_get(&verifier, again);
	assert_memory_equal(first, again, 8); /* the kernel is the same */
	verifier_lost(&verifier);
	verifier_get(&verifier, second);
	assert_memory_not_equal(first, second, 8);
	verifier_fini(&verifier);
	assert_int_equal(verifier_init(&verifier, state_dir), 0);
	verifier_get(&verifier, again);
	assert_memory_equal(second, again, 8); /* not the first one again */
	verifier_fini(&verifier);
}

static void silent(enum xfer_log_level level, const char *text)
{
	(void)level;
	snprintf(message, sizeof(message), "%s", text);
}

static void test_broken_verifier(void **state)
{
	struct verifier verifier;
	char path[128];
	FILE *file;

	(void)state;
	snprintf(path, sizeof(path), "%s/writeback-errors", state_dir);
	file = fopen(path, "w");
	fputs("many\n", file);
	fclose(file);
	xfer_log_set_sink(silent);
	assert_int_equal(verifier_init(&verifier, state_dir), -EINVAL);
	xfer_log_set_sink(NULL);
	assert_non_null(strstr(message, "writeback-errors"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_lock_names_its_holder),
		TEST(test_lock_is_waited_for),
		TEST(test_key),
		TEST(test_key_is_the_volumes),
		TEST(test_what_cannot_be_served),
		TEST(test_verifier),
		TEST(test_broken_verifier),
	};

	if (caps_check(message, sizeof(message))) {
		printf("skipped: %s\n", message);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
