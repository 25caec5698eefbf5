/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* bufpool.c -- tests of buffers for payload: their size, what is kept of them, and how much */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bufpool.h"
#include "xfer/xfer.h"

/* All of it can be used, begins at a page, and comes back when it is asked for again. */
static void test_sizes(void **state)
{
	static const size_t sizes[] = { 1, 4095, 4096, 4097, 65536, 65537, XFER_IO_MAX - 1,
		XFER_IO_MAX };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		void *buffer = xfer_bufpool_get(sizes[i]);

		assert_non_null(buffer);
		assert_int_equal((uintptr_t)buffer % 4096, 0);
		memset(buffer, 0xa5, sizes[i]);
		xfer_bufpool_put(buffer, sizes[i]);
		assert_ptr_equal(xfer_bufpool_get(sizes[i]), buffer);
		xfer_bufpool_put(buffer, sizes[i]);
	}
	xfer_bufpool_put(NULL, 1);
}

/* What a buffer takes is less than twice what was asked for, but for the smallest. */
static void test_no_more_than_twice(void **state)
{
	(void)state;
	for (size_t size = 1; size <= XFER_IO_MAX; size = size * 9 / 8 + 1) {
		void *buffer = xfer_bufpool_get(size);
		size_t before = xfer_bufpool_kept(), takes;

		assert_non_null(buffer);
		xfer_bufpool_put(buffer, size);
		takes = xfer_bufpool_kept() - before;
		assert_true(takes >= size);
		assert_true(takes == 4096 || takes < 2 * size);
	}
}

/* However many come back at once. */
static void test_keeps_no_more_than_said(void **state)
{
	enum { COUNT = 2 * XFER_BUFPOOL_KEEP / XFER_IO_MAX };
	void *buffers[COUNT];

	(void)state;
	for (unsigned i = 0; i < COUNT; i++) {
		buffers[i] = xfer_bufpool_get(XFER_IO_MAX);
		assert_non_null(buffers[i]);
	}
	for (unsigned i = 0; i < COUNT; i++) {
		xfer_bufpool_put(buffers[i], XFER_IO_MAX);
		assert_true(xfer_bufpool_kept() <= XFER_BUFPOOL_KEEP);
	}
	assert_true(xfer_bufpool_kept() > XFER_BUFPOOL_KEEP - XFER_IO_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_no_more_than_twice),
		cmocka_unit_test(test_keeps_no_more_than_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
