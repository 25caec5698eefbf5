/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* owner_bench.c -- rdmaxferctl bench with an owner whose file system fails */

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include "support/owner/fixture.h"

#define BLOCKS 16

static char said[16384]; /* stdout and stderr of the last bench */

/* How many files are in the volume. */
static unsigned files(void)
{
	DIR *dir = opendir(f.volume);
	unsigned count = 0;

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count - 2;
}

static FILE *start(const char *options)
{
	char command[1024];
	FILE *pipe;

	snprintf(command, sizeof(command),
		"exec 2>&1 %s/libxfer/rdmaxferctl --run-dir %s/run bench unix:%s/l --owner b --as a "
		"--seconds 0.05 --size 64K --file-size 1M --depth 4 %s",
		getenv("XFER_BUILD_DIR"), f.dir, f.dir, options);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	return pipe;
}

/* What start has started; returns its exit status. */
static int finish(FILE *pipe)
{
	size_t len = fread(said, 1, sizeof(said) - 1, pipe);
	int status = pclose(pipe);

	said[len] = '\0';
	assert_int_equal(files(), 0);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* It fails, and says so in one line. */
static void fails_with(const char *options, const char *what, const char *remedy)
{
	assert_int_equal(finish(start(options)), 1);
	if (!strstr(said, what) || !strstr(said, remedy))
		fail_msg("it doesn't say \"%s\" and \"%s\": %s", what, remedy, said);
	assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
}

static json_t *works(const char *options)
{
	int code = finish(start(options));
	json_t *json = json_loads(said, 0, NULL);

	if (code || !json)
		fail_msg("code %d: %s", code, said);
	return json;
}

static double number(const json_t *json, const char *direction, const char *what, const char *key)
{
	const json_t *part = json_object_get(json_object_get(json, direction), what);

	return json_number_value(key ? json_object_get(part, key) : part);
}

/* --- a store that fails --------------------------------------------------------------------------- */

static struct store_ops failing;
static _Atomic int countdown, fault; /* the countdown-th WRITE fails with `fault` */
static _Atomic unsigned calls;

static ssize_t failing_write(
	int fd, const struct iovec *iov, int iovcnt, uint64_t offset, int flags)
{
	if (--countdown == 0)
		return fault;
	return store_posix.write(fd, iov, iovcnt, offset, flags);
}

/* Each third READ is put off, and none is carried out by a lane. */
static ssize_t late_read(int fd, void *buffer, size_t length, uint64_t offset, int flags)
{
	if (flags & RWF_NOWAIT || calls++ % 3 == 0)
		return -EAGAIN;
	return store_posix.read(fd, buffer, length, offset, flags);
}

static ssize_t short_read(int fd, void *buffer, size_t length, uint64_t offset, int flags)
{
	return store_posix.read(fd, buffer, length > 1000 ? 1000 : length, offset, flags);
}

/* A bit of the file's last block. */
static ssize_t wrong_read(int fd, void *buffer, size_t length, uint64_t offset, int flags)
{
	ssize_t got = store_posix.read(fd, buffer, length, offset, flags);
	int64_t place = 1000000 - (int64_t)offset;

	if (place >= 0 && place < got)
		((uint8_t *)buffer)[place] ^= 4;
	return got;
}

/* --- tests ---------------------------------------------------------------------------------------- */

static void test_works(void **state)
{
	static const char *const measured[] = { "bench", "memcpy", "tcp" };
	json_t *json = works("--volume v --json --lanes 3 --seconds 0.5");

	(void)state;
	assert_int_equal(json_integer_value(json_object_get(json, "blocks_verified")), BLOCKS);
	for (int i = 0; i < 3; i++) {
		assert_true(number(json, "write", measured[i], "mib_per_s") > 0);
		assert_true(number(json, "read", measured[i], "p99_us") >=
			    number(json, "read", measured[i], "p50_us"));
	}
	assert_true(number(json, "write", "memcpy", "bytes") ==
		    number(json, "write", "bench", "bytes"));
	assert_true(number(json, "read", "bench_per_tcp", NULL) > 0);
	json_decref(json);
}

/* Blocks and sizes that don't fit each other; a connection more than operations. */
static void test_odd(void **state)
{
	(void)state;
	json_decref(works("--volume v --json --size 4097 --file-size 100000 --depth 3 --lanes 5"));
}

static void test_delays(void **state)
{
	json_t *json = works("--volume v --json");

	(void)state;
	assert_true(number(json, "read", "delays", NULL) > 0);
	assert_true(number(json, "write", "delays", NULL) == 0);
	json_decref(json);
}

static void test_short(void **state)
{
	(void)state;
	json_decref(works("--volume v --json"));
}

static void test_wrong(void **state)
{
	(void)state;
	fails_with("--volume v", "byte 1000000 of the file", "check memory, disk and network");
}

/* In what comes before the measurement, and in it. */
static void test_write_errors(void **state)
{
	static const int writes[] = { 1, BLOCKS + 5 };

	(void)state;
	for (int i = 0; i < 2; i++) {
		countdown = writes[i];
		fault = -ENOSPC;
		fails_with("--volume v", "No space left on device", "by --file-size");
		countdown = writes[i];
		fault = -EIO;
		fails_with("--volume v", "Input/output error", "see the owner's log");
	}
}

static void test_refusals(void **state)
{
	(void)state;
	fails_with("--volume nothing", "has no volume nothing", "correct --volume");
	fails_with("--volume w", "node a may not use volume w", "add it to");
	fails_with("--volume v --as z", "doesn't know node z", "add it to `nodes`");
	fails_with("--volume v --owner z", "this is owner b, not z", "correct");
}

static void test_paths(void **state)
{
	static const char *const paths[] = { "inline", "shm" };
	char options[64];

	(void)state;
	for (int i = 0; i < 2; i++) {
		json_t *json;

		snprintf(options, sizeof(options), "--volume v --json --path %s", paths[i]);
		json = works(options);
		assert_string_equal(json_string_value(json_object_get(json, "path")), paths[i]);
		json_decref(json);
	}
}

static void test_interrupt(void **state)
{
	FILE *pipe = start("--volume v --seconds 60 & echo $!; wait $!");
	char line[32];
	int tries = 500;

	(void)state;
	assert_non_null(fgets(line, sizeof(line), pipe));
	while (files() == 0 && tries-- > 0)
		usleep(10000);
	assert_int_equal(files(), 1);
	assert_int_equal(kill(atoi(line), SIGTERM), 0);
	assert_int_equal(finish(pipe), 1);
	assert_string_equal(said, "rdmaxferctl: interrupted\n");
}

static int setup(void **state)
{
	const struct store_ops *changed = *state;

	failing = store_posix;
	if (changed && changed->write)
		failing.write = changed->write;
	if (changed && changed->read)
		failing.read = changed->read;
	fixture_store = &failing;
	calls = 0;
	countdown = 0;
	return fixture_setup_owner(state);
}

#define BENCH_TEST(name, changed)                                                                  \
	{                                                                                          \
#name, name, setup, fixture_teardown, changed                                      \
	}

int main(void)
{
	static struct store_ops writes = { .write = failing_write }, late = { .read = late_read },
				shorter = { .read = short_read }, wrong = { .read = wrong_read };
	const struct CMUnitTest tests[] = {
		BENCH_TEST(test_works, NULL),
		BENCH_TEST(test_odd, NULL),
		BENCH_TEST(test_delays, &late),
		BENCH_TEST(test_short, &shorter),
		BENCH_TEST(test_wrong, &wrong),
		BENCH_TEST(test_write_errors, &writes),
		BENCH_TEST(test_refusals, NULL),
		BENCH_TEST(test_paths, NULL),
		BENCH_TEST(test_interrupt, NULL),
	};

	return fixture_possible() ? cmocka_run_group_tests(tests, NULL, NULL) : 77;
}
