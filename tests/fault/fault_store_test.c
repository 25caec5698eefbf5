/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* fault_store_test.c -- what a kernel that goes down takes along, and what not */

#include <errno.h>
#include <ftw.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <unistd.h>

#include <cmocka.h>

#include "fault_store.h"
#include "owner/caps.h"

#define SIZE 10000u /* of the file that tests begin with, all durable */

static char base[64], volume[80], state[80];

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static void path_of(char path[128], const char *name)
{
	snprintf(path, 128, "%s/%s", volume, name);
}

static void start(void)
{
	int fd = open(volume, O_RDONLY | O_DIRECTORY);

	assert_int_equal(store_posix_prepare(), 0);
	assert_int_equal(fault_store_start(state), 0);
	assert_int_equal(fault_store_recover(fd), 0);
	close(fd);
}

static int set_up(void **test_state)
{
	char path[128], content[SIZE];
	int fd;

	(void)test_state;
	strcpy(base, "/tmp/xfer-fault-XXXXXX");
	assert_non_null(mkdtemp(base));
	snprintf(volume, sizeof(volume), "%s/v", base);
	snprintf(state, sizeof(state), "%s/s", base);
	assert_int_equal(mkdir(volume, 0777) || mkdir(state, 0700), 0);
	path_of(path, "f");
	fd = open(path, O_CREAT | O_WRONLY, 0644);
	memset(content, 'd', SIZE);
	assert_int_equal(write(fd, content, SIZE), SIZE);
	close(fd);
	start();
	return 0;
}

static int tear_down(void **test_state)
{
	(void)test_state;
	fault_store_end();
	return nftw(base, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* The process is killed and starts again: nothing of it is left but what is on disk. */
static void go_down(void)
{
	start();
}

static int open_file(const char *name)
{
	char path[128];
	int fd;

	path_of(path, name);
	fd = open(path, O_CREAT | O_WRONLY, 0644);
	assert_true(fd >= 0);
	return fd;
}

static void put(int fd, uint64_t offset, char byte, size_t length, int flags)
{
	char *bytes = malloc(length);
	struct iovec iov[2] = { { bytes, length / 3 },
		{ bytes + length / 3, length - length / 3 } };

	memset(bytes, byte, length);
	assert_int_equal(fault_store.write(fd, iov, 2, offset, flags), length);
	free(bytes);
}

static uint64_t size_of(const char *name)
{
	char path[128];
	struct stat st;

	path_of(path, name);
	assert_int_equal(stat(path, &st), 0);
	return (uint64_t)st.st_size;
}

/* All of [from, end) is this byte. */
static void expect(const char *name, uint64_t from, uint64_t end, char byte)
{
	char path[128], got;
	int fd;

	path_of(path, name);
	fd = open(path, O_RDONLY);
	for (; from < end; from++) {
		assert_int_equal(pread(fd, &got, 1, (off_t)from), 1);
		assert_int_equal(got, byte);
	}
	close(fd);
}

static void test_unsynced_is_lost(void **test_state)
{
	int fd = open_file("f");

	(void)test_state;
	put(fd, 100, 'u', 50, 0);
	put(fd, SIZE - 10, 'u', 500, 0);
	assert_int_equal(size_of("f"), SIZE + 490);
	expect("f", 100, 150, 'u');
	go_down();
	assert_int_equal(size_of("f"), SIZE);
	expect("f", 0, SIZE, 'd');
	close(fd);
}

static void test_synced_stays(void **test_state)
{
	int fd = open_file("f");

	(void)test_state;
	put(fd, 100, 's', 50, 0);
	put(fd, SIZE, 's', 50, 0);
	assert_int_equal(fault_store.sync(fd), 0);
	put(fd, 120, 'u', 5, 0);
	go_down();
	assert_int_equal(size_of("f"), SIZE + 50);
	expect("f", 0, 100, 'd');
	expect("f", 100, 150, 's');
	expect("f", SIZE, SIZE + 50, 's');
	close(fd);
}

static void test_a_stable_write_is_itself_durable_only(void **test_state)
{
	int fd = open_file("f");

	(void)test_state;
	put(fd, 100, 'u', 100, 0);
	put(fd, 150, 'D', 100, RWF_DSYNC); /* over an unsynced one, and beside it */
	put(fd, 240, 'u', 20, 0);          /* over the stable one */
	put(fd, SIZE + 100, 'S', 100, RWF_SYNC);
	go_down();
	expect("f", 0, 150, 'd');
	expect("f", 150, 250, 'D');
	expect("f", 250, SIZE, 'd');
	assert_int_equal(size_of("f"), SIZE + 200);
	expect("f", SIZE, SIZE + 100, 0);
	expect("f", SIZE + 100, SIZE + 200, 'S');
	close(fd);
}

static void test_truncate(void **test_state)
{
	int fd = open_file("f");

	(void)test_state;
	assert_int_equal(fault_store.truncate(fd, 10), 0);
	assert_int_equal(size_of("f"), 10);
	go_down();
	assert_int_equal(size_of("f"), SIZE);
	expect("f", 0, SIZE, 'd');
	assert_int_equal(fault_store.truncate(fd, 20), 0);
	assert_int_equal(fault_store.truncate(fd, 50), 0);
	assert_int_equal(fault_store.sync(fd), 0);
	go_down();
	assert_int_equal(size_of("f"), 50);
	expect("f", 0, 20, 'd');
	expect("f", 20, 50, 0);
	close(fd);
}

static void test_holes(void **test_state)
{
	const uint64_t far = UINT64_C(1) << 40;
	int fd = open_file("sparse");
	struct stat st;

	(void)test_state;
	put(fd, far, 's', 100, RWF_SYNC);
	put(fd, 5, 'u', 10, 0);
	assert_int_equal(fault_store.allocate(
				 fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (int64_t)far, 100),
		0);
	expect("sparse", far, far + 100, 0);
	go_down();
	assert_int_equal(size_of("sparse"), far + 100);
	expect("sparse", 0, 20, 0);
	expect("sparse", far, far + 100, 's');
	assert_int_equal(fstat(fd, &st), 0);
	assert_true((uint64_t)st.st_blocks * 512 < far);
	close(fd);
}

static void test_two_descriptors(void **test_state)
{
	int one = open_file("f"), two = open_file("f"), read_only;
	char path[128];

	(void)test_state;
	put(one, 0, '1', 10, 0);
	put(two, 5, '2', 10, 0);
	expect("f", 0, 5, '1');
	expect("f", 5, 15, '2');
	path_of(path, "f");
	read_only = open(path, O_RDONLY);
	assert_int_equal(fault_store.sync(read_only), 0);
	go_down();
	expect("f", 0, 5, '1');
	expect("f", 5, 15, '2');
	close(one);
	close(two);
	close(read_only);
}

static void test_a_new_file_is_empty(void **test_state)
{
	int fd = open_file("new");

	(void)test_state;
	put(fd, 0, 'u', 5000, 0);
	close(fd);
	go_down();
	assert_int_equal(size_of("new"), 0);
}

static void test_an_unlinked_file(void **test_state)
{
	int fd = open_file("gone"), again;
	char path[128];

	(void)test_state;
	put(fd, 0, 'u', 100, 0);
	path_of(path, "gone");
	assert_int_equal(unlink(path), 0);
	put(fd, 50, 'v', 100, 0);
	assert_int_equal(fault_store.sync(fd), 0);
	put(fd, 50, 'w', 100, 0);
	again = open_file(
		"gone"); /* another file, perhaps with the number of the other one later */
	put(again, 0, 'n', 10, RWF_SYNC);
	close(fd);
	go_down();
	assert_int_equal(size_of("gone"), 10);
	expect("gone", 0, 10, 'n');
	close(again);
}

static void test_only_the_process_ends(void **test_state)
{
	unsigned char before[16], after[16];
	char mark[128];
	int fd = open_file("f"), mark_fd;

	(void)test_state;
	fault_store_boot_id(before);
	put(fd, 0, 'u', 10, 0);
	snprintf(mark, sizeof(mark), "%s/fault/process", state);
	mark_fd = open(mark, O_CREAT | O_WRONLY, 0600);
	close(mark_fd);
	start();
	fault_store_boot_id(after);
	assert_memory_equal(before, after, sizeof(before));
	expect("f", 0, 10, 'u');
	put(fd, 20, 'u', 10, 0);
	go_down();
	fault_store_boot_id(after);
	assert_memory_not_equal(before, after, sizeof(before));
	expect("f", 0, SIZE, 'd');
	close(fd);
}

static void test_a_clean_end(void **test_state)
{
	int fd = open_file("f");

	(void)test_state;
	put(fd, 0, 'u', 10, 0);
	fault_store_end();
	start();
	expect("f", 0, 10, 'u');
	close(fd);
}

/* A kill can come in the middle of making an image: what is not complete is not put back. */
static void test_half_an_image(void **test_state)
{
	int fd = open_file("f");
	char command[256];

	(void)test_state;
	put(fd, 0, 'u', 10, 0);
	snprintf(command, sizeof(command), "cd %s/fault && mv image-* $(echo image-*).new", state);
	assert_int_equal(system(command), 0);
	go_down();
	expect("f", 0, 10, 'u');
	expect("f", 10, SIZE, 'd');
	put(fd, 0, 'v', 10, 0);
	go_down();
	expect("f", 0, 10, 'u');
	close(fd);
}

/* A thread may act for somebody who can't even see the state directory. */
static void test_other_credentials(void **test_state)
{
	int fd = open_file("f");

	(void)test_state;
	setfsuid(4711);
	assert_int_equal(openat(AT_FDCWD, state, O_RDONLY), -1);
	put(fd, 0, 'u', 10, 0);
	assert_int_equal(setfsuid(0), 4711);
	expect("f", 0, 10, 'u');
	go_down();
	expect("f", 0, 10, 'd');
	close(fd);
}

enum { THREADS = 4, ROUNDS = 200, REGION = 512 };

struct writer {
	int fd;
	unsigned number;
};

/* In a region of its own: rounds of a stable byte and an unsynced one on top of it. */
static void *write_rounds(void *arg)
{
	const struct writer *writer = arg;
	uint64_t at = writer->number * REGION;

	for (unsigned round = 1; round <= ROUNDS; round++) {
		put(writer->fd, at, (char)(round % 100), REGION, RWF_DSYNC);
		put(writer->fd, at + REGION / 2, (char)(100 + round % 20), REGION / 2, 0);
	}
	return NULL;
}

static void test_threads(void **test_state)
{
	struct writer writers[THREADS];
	pthread_t threads[THREADS];
	int fd = open_file("f");

	(void)test_state;
	for (unsigned i = 0; i < THREADS; i++) {
		writers[i] = (struct writer){ fd, i };
		pthread_create(&threads[i], NULL, write_rounds, &writers[i]);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (unsigned i = 0; i < THREADS; i++)
		expect("f", i * REGION + REGION / 2, (i + 1) * REGION, 100 + ROUNDS % 20);
	go_down();
	expect("f", 0, THREADS * REGION, ROUNDS % 100);
	expect("f", THREADS * REGION, SIZE, 'd');
	close(fd);
}

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(test_unsynced_is_lost),
		STORE_TEST(test_synced_stays),
		STORE_TEST(test_a_stable_write_is_itself_durable_only),
		STORE_TEST(test_truncate),
		STORE_TEST(test_holes),
		STORE_TEST(test_two_descriptors),
		STORE_TEST(test_a_new_file_is_empty),
		STORE_TEST(test_an_unlinked_file),
		STORE_TEST(test_only_the_process_ends),
		STORE_TEST(test_a_clean_end),
		STORE_TEST(test_half_an_image),
		STORE_TEST(test_other_credentials),
		STORE_TEST(test_threads),
	};
	char message[512];

	umask(0);
	if (caps_check(message, sizeof(message))) {
		printf("skipped: %s\n", message);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
