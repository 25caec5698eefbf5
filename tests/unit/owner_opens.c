/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* owner_opens.c -- open ids and cached descriptors: found, bounded, closed exactly once */

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
#include <stdatomic.h>

#include "owner/filecache.h"
#include "owner/opens.h"

static _Atomic int open_descriptors;

static int fake_close(int fd)
{
	(void)fd;
	open_descriptors--;
	return 0;
}

static const struct store_ops fake = { .close = fake_close };
static const struct volume volume = { .store = &fake }, other_volume = { .store = &fake };

static struct xfer_handle handle_of(uint32_t number)
{
	struct xfer_handle handle;

	xfer_handle_root(number, &handle);
	return handle;
}

static struct file *make(uint32_t number)
{
	struct xfer_handle handle = handle_of(number);

	open_descriptors++;
	return file_new(&volume, 1000, XFER_OPEN_READ, &handle, 5);
}

static uint64_t add(struct opens *opens, uint32_t number)
{
	unsigned place;

	assert_int_equal(opens_reserve(opens, &place), 0);
	return opens_fill(opens, place, make(number));
}

static void test_ids(void **state)
{
	struct opens_limit limit = { .max = 10000, .max_peer = 10000 };
	struct opens one, two;
	uint64_t ids[500];
	struct file *file;

	(void)state;
	opens_init(&one, &limit);
	opens_init(&two, &limit);
	for (unsigned i = 0; i < 500; i++)
		ids[i] = add(&one, i);
	add(&two, 1);
	for (unsigned i = 0; i < 500; i++) {
		struct xfer_handle handle = handle_of(i);

		assert_true(ids[i] != 0);
		assert_null(opens_find(&two, ids[i])); /* of another session */
		file = opens_find(&one, ids[i]);
		assert_non_null(file);
		assert_true(xfer_handle_equal(&file->handle, &handle));
		file_put(file);
	}
	file = opens_take(&one, ids[3]);
	assert_null(opens_find(&one, ids[3]));
	assert_null(opens_take(&one, ids[3]));
	assert_int_equal(open_descriptors, 501); /* still used */
	file_put(file);
	assert_int_equal(open_descriptors, 500);
	assert_true(add(&one, 3) != ids[3]); /* the same place, another id */
	assert_null(opens_find(&one, ids[3]));
	assert_null(opens_find(&one, 0));
	assert_null(opens_find(&one, UINT64_MAX));
	opens_fini(&one);
	opens_fini(&two);
	assert_int_equal(open_descriptors, 0);
	assert_int_equal(limit.count, 0);
}

static void test_a_volume_goes(void **state)
{
	struct opens_limit limit = { .max = 100, .max_peer = 100 };
	struct opens opens;
	struct file *files[4];
	uint64_t ids[10], left;
	unsigned place, count, taken = 0;
	struct xfer_handle handle = handle_of(1);

	(void)state;
	opens_init(&opens, &limit);
	for (unsigned i = 0; i < 10; i++)
		ids[i] = add(&opens, i);
	assert_int_equal(opens_reserve(&opens, &place), 0);
	open_descriptors++;
	left = opens_fill(&opens, place, file_new(&other_volume, 1000, XFER_OPEN_READ, &handle, 5));
	while ((count = opens_take_volume(&opens, &volume, files, 4)) > 0) {
		taken += count;
		while (count > 0)
			file_put(files[--count]);
	}
	assert_int_equal(taken, 10);
	assert_int_equal(open_descriptors, 1);
	assert_int_equal(atomic_load(&limit.count), 1);
	for (unsigned i = 0; i < 10; i++)
		assert_null(opens_find(&opens, ids[i]));
	file_put(opens_take(&opens, left));
	assert_int_equal(open_descriptors, 0);
	opens_fini(&opens);
}

static void test_limits(void **state)
{
	struct opens_limit limit = { .max = 5, .max_peer = 3 };
	struct opens one, two;
	unsigned place;

	(void)state;
	opens_init(&one, &limit);
	opens_init(&two, &limit);
	add(&one, 1);
	add(&one, 2);
	assert_int_equal(opens_reserve(&one, &place), 0);
	unsigned further;
	assert_int_equal(opens_reserve(&one, &further), -EAGAIN);
	opens_cancel(&one, place);
	add(&one, 3);
	add(&two, 1);
	add(&two, 2);
	assert_int_equal(opens_reserve(&two, &place), -EAGAIN); /* all together */
	assert_int_equal(limit.count, 5);
	opens_fini(&one);
	add(&two, 3);
	opens_fini(&two);
	assert_int_equal(limit.count, 0);
	assert_int_equal(open_descriptors, 0);
}

static struct opens shared;

static void *open_and_close(void *arg)
{
	uint32_t number = (uint32_t)(uintptr_t)arg;

	for (int i = 0; i < 3000; i++) {
		uint64_t id = add(&shared, number);
		struct file *file = opens_find(&shared, id);

		assert_non_null(file);
		file_put(opens_take(&shared, id));
		file_put(file);
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct opens_limit limit = { .max = 100, .max_peer = 100 };
	pthread_t threads[4];

	(void)state;
	opens_init(&shared, &limit);
	for (uintptr_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, open_and_close, (void *)i), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	opens_fini(&shared);
	assert_int_equal(open_descriptors, 0);
}

/* --- the cache --------------------------------------------------------------------------------- */

static void put(struct file_cache *cache, uint32_t number, const struct xfer_cred *cred)
{
	struct xfer_handle handle = handle_of(number);
	struct file_key key = {
		.volume = &volume, .handle = &handle, .cred = cred, .access = XFER_OPEN_READ
	};
	struct file *file = make(number);

	filecache_put(cache, &key, file, number + 5);
	file_put(file);
}

static bool has(struct file_cache *cache, uint32_t number, const struct xfer_cred *cred,
	uint32_t access, bool override)
{
	struct xfer_handle handle = handle_of(number);
	struct file_key key = { .volume = &volume,
		.handle = &handle,
		.cred = cred,
		.access = access,
		.owner_override = override };
	uint64_t ctime = 0;
	struct file *file = filecache_find(cache, &key, &ctime);

	if (file)
		assert_int_equal(ctime, number + 5);
	file_put(file);
	return file;
}

/* A verdict is of one caller, with all its groups, and for one kind of access. */
static void test_cache_keys(void **state)
{
	const uint32_t groups[] = { 1, 2 }, others[] = { 1, 3 };
	struct xfer_cred cred = { .uid = 7, .gid = 8, .ngroups = 2, .groups = groups },
			 other = cred;
	struct file_cache *cache;

	(void)state;
	assert_int_equal(filecache_create(8, &cache), 0);
	put(cache, 1, &cred);
	assert_true(has(cache, 1, &cred, XFER_OPEN_READ, false));
	assert_false(has(cache, 2, &cred, XFER_OPEN_READ, false));
	assert_false(has(cache, 1, &cred, XFER_OPEN_WRITE, false));
	assert_false(has(cache, 1, &cred, XFER_OPEN_READ, true));
	other.groups = others;
	assert_false(has(cache, 1, &other, XFER_OPEN_READ, false));
	other = cred;
	other.ngroups = 1;
	assert_false(has(cache, 1, &other, XFER_OPEN_READ, false));
	other = cred;
	other.uid = 0;
	assert_false(has(cache, 1, &other, XFER_OPEN_READ, false));
	put(cache, 1, &cred);
	assert_int_equal(filecache_count(cache), 1); /* replaced */
	assert_int_equal(open_descriptors, 1);
	struct xfer_handle handle = handle_of(1);
	put(cache, 1, &other);
	filecache_forget(cache, &handle);
	assert_int_equal(open_descriptors, 0);
	assert_false(has(cache, 1, &cred, XFER_OPEN_READ, false));
	filecache_destroy(cache);
}

static void test_cache_is_bounded_and_idle_ones_go(void **state)
{
	struct xfer_cred cred = { 0 };
	struct file_cache *cache;

	(void)state;
	assert_int_equal(filecache_create(8, &cache), 0);
	for (uint32_t i = 0; i < 20; i++) {
		put(cache, i, &cred);
		assert_true(has(cache, 0, &cred, XFER_OPEN_READ, false)); /* stays: it is used */
	}
	assert_int_equal(filecache_count(cache), 8);
	assert_int_equal(open_descriptors, 8);
	assert_false(has(cache, 1, &cred, XFER_OPEN_READ, false));
	for (int i = 0; i < 40 && open_descriptors > 0; i++)
		usleep(100 * 1000);
	assert_int_equal(open_descriptors, 0);
	put(cache, 1, &cred);
	filecache_destroy(cache);
	assert_int_equal(open_descriptors, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_a_volume_goes),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_cache_keys),
		cmocka_unit_test(test_cache_is_bounded_and_idle_ones_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
