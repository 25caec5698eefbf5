/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* owner_handle.c -- wire handles: there and back, and every forged byte found */

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

#include "owner/handle.h"

static const struct handle_maker maker = {
	.volume_id = 0x12345678, .mac = true, .key = "0123456789abcde"
};

static union kernel_handle kernel_of(unsigned length, int type)
{
	union kernel_handle kernel = { .fh = { .handle_bytes = length, .handle_type = type } };

	for (unsigned i = 0; i < length; i++)
		kernel.fh.f_handle[i] = (unsigned char)(i * 7 + 1);
	return kernel;
}

static void test_there_and_back(void **state)
{
	union kernel_handle back;
	struct xfer_handle handle;
	uint32_t id;
	bool root;

	(void)state;
	for (unsigned length = 1; length <= 45; length++) {
		union kernel_handle kernel = kernel_of(length, 0x81 & 0x7f);

		assert_int_equal(handle_encode(&maker, &kernel, &handle), 0);
		assert_int_equal(handle.len, 14 + length);
		assert_true(xfer_handle_volume(&handle, &id));
		assert_int_equal(id, maker.volume_id);
		assert_int_equal(handle_decode(&maker, &handle, &root, &back), 0);
		assert_false(root);
		assert_int_equal(back.fh.handle_type, kernel.fh.handle_type);
		assert_int_equal(back.fh.handle_bytes, length);
		assert_memory_equal(back.fh.f_handle, kernel.fh.f_handle, length);
	}
}

static void test_forged(void **state)
{
	union kernel_handle kernel = kernel_of(12, 1);
	struct xfer_handle handle, forged;
	struct handle_maker other = maker;
	bool root;

	(void)state;
	assert_int_equal(handle_encode(&maker, &kernel, &handle), 0);
	for (uint32_t i = 0; i < handle.len; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			forged = handle;
			forged.data[i] ^= (uint8_t)(1u << bit);
			assert_int_equal(
				handle_decode(&maker, &forged, &root, &kernel), HANDLE_BAD);
		}
	for (uint32_t len = 0; len < handle.len; len++) {
		forged = handle;
		forged.len = len;
		assert_int_equal(handle_decode(&maker, &forged, &root, &kernel), HANDLE_BAD);
	}
	forged = handle;
	forged.data[forged.len++] = 0;
	assert_int_equal(handle_decode(&maker, &forged, &root, &kernel), HANDLE_BAD);
	other.key[0] ^= 1;
	assert_int_equal(handle_decode(&other, &handle, &root, &kernel), HANDLE_BAD);
	assert_int_equal(xfer_status_to_errno(xfer_status_from_errno(HANDLE_BAD)), -EBADF);
}

static void test_root(void **state)
{
	union kernel_handle kernel;
	struct xfer_handle handle;
	bool root = false;

	(void)state;
	xfer_handle_root(maker.volume_id, &handle);
	assert_int_equal(handle_decode(&maker, &handle, &root, &kernel), 0);
	assert_true(root);
	handle.len++;
	assert_int_equal(handle_decode(&maker, &handle, &root, &kernel), HANDLE_BAD);
	xfer_handle_root(maker.volume_id + 1, &handle);
	assert_int_equal(handle_decode(&maker, &handle, &root, &kernel), HANDLE_BAD);
}

static void test_limits(void **state)
{
	struct handle_maker bare = { .volume_id = 1 };
	union kernel_handle kernel = kernel_of(46, 1), back;
	struct xfer_handle handle;
	bool root;

	(void)state;
	assert_int_equal(handle_encode(&maker, &kernel, &handle), -EOVERFLOW);
	assert_int_equal(handle_encode(&bare, &kernel, &handle), 0);
	assert_int_equal(handle_decode(&bare, &handle, &root, &back), 0);
	assert_memory_equal(back.fh.f_handle, kernel.fh.f_handle, 46);
	/* A volume with a MAC takes no handle without. */
	bare.volume_id = maker.volume_id;
	assert_int_equal(handle_encode(&bare, &kernel, &handle), 0);
	assert_int_equal(handle_decode(&maker, &handle, &root, &back), HANDLE_BAD);
	kernel = kernel_of(8, 0x7fff);
	assert_int_equal(handle_encode(&maker, &kernel, &handle), -EOPNOTSUPP);
}

/* SipHash-2-4's published vector: key 00..0f, message 00..0d. */
static void test_mac_is_siphash(void **state)
{
	static const uint8_t expected[8] = { 0xee, 0xf2, 0x7a, 0x8e, 0x90, 0xca, 0x23, 0xf7 };
	struct handle_maker vector = { .volume_id = 0x00010203, .mac = true };
	union kernel_handle kernel = { .fh = { .handle_bytes = 8, .handle_type = 0x0405 } };
	struct xfer_handle handle;

	(void)state;
	for (int i = 0; i < 16; i++)
		vector.key[i] = (uint8_t)i;
	for (int i = 0; i < 8; i++)
		kernel.fh.f_handle[i] = (unsigned char)(6 + i);
	assert_int_equal(handle_encode(&vector, &kernel, &handle), 0);
	assert_memory_equal(handle.data + 6, expected, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_forged),
		cmocka_unit_test(test_root),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_mac_is_siphash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
