/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* handle.c -- what both ends know of wire handles: the root, the volume id, equality */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "control/protocol.h"

static void test_root(void **state)
{
	static const uint8_t expected[] = { 0x12, 0x34, 0x56, 0x78, 0xff, 0xff };
	struct xfer_handle handle;
	uint32_t id = 0;

	(void)state;
	memset(&handle, 0xee, sizeof(handle));
	xfer_handle_root(0x12345678, &handle);
	assert_int_equal(handle.len, sizeof(expected));
	assert_memory_equal(handle.data, expected, sizeof(expected));
	assert_true(xfer_handle_volume(&handle, &id));
	assert_int_equal(id, 0x12345678);
	xfer_handle_root(0xffffffff, &handle);
	assert_true(xfer_handle_volume(&handle, &id));
	assert_int_equal(id, 0xffffffff);
}

static void test_too_short(void **state)
{
	struct xfer_handle handle;
	uint32_t id = 7;

	(void)state;
	xfer_handle_root(1, &handle);
	for (handle.len = 0; handle.len < 6; handle.len++)
		assert_false(xfer_handle_volume(&handle, &id));
	assert_int_equal(id, 7);
}

static void test_equal(void **state)
{
	struct xfer_handle a, b;

	(void)state;
	xfer_handle_root(1, &a);
	b = a;
	assert_true(xfer_handle_equal(&a, &b));
	/* What is behind the handle's end doesn't count. */
	b.data[a.len] ^= 1;
	assert_true(xfer_handle_equal(&a, &b));
	b.data[a.len - 1] ^= 1;
	assert_false(xfer_handle_equal(&a, &b));
	b = a;
	b.len++;
	assert_false(xfer_handle_equal(&a, &b));
	a.len = b.len = 0;
	assert_true(xfer_handle_equal(&a, &b));
}

/* Both ends compute it, perhaps of different releases: so it is the same for ever. */
static void test_volume_id(void **state)
{
	(void)state;
	assert_int_equal(xfer_volume_id("vol1"), 0xaf1f1ed4);
	assert_int_equal(xfer_volume_id(""), 0xe3b0c442);
	assert_int_equal(
		xfer_volume_id("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
		0x7d3e74a0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_root),
		cmocka_unit_test(test_too_short),
		cmocka_unit_test(test_equal),
		cmocka_unit_test(test_volume_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
