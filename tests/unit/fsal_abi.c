/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* fsal_abi.c -- the check of the server's structure sizes, against the real server's library */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "abi.h"

static void test_installed_server_fits(void **state)
{
	char why[400] = "untouched";
	(void)state;

	int rc = xfer_abi_check(why, sizeof(why));
	if (rc)
		print_message("%s\n", why);
	assert_int_equal(rc, 0);
	assert_string_equal(why, "untouched");
}

static void test_other_size_is_refused(void **state)
{
	const struct xfer_abi_object objects[] = { { "one", 512, 512 }, { "two", 512, 504 } };
	char why[400] = "";
	(void)state;

	assert_int_equal(xfer_abi_compare(objects, 1, why, sizeof(why)), 0);
	assert_string_equal(why, "");
	assert_int_equal(xfer_abi_compare(objects, 2, why, sizeof(why)), -ENOEXEC);
	assert_non_null(strstr(why, "504 bytes in two"));
	assert_non_null(strstr(why, "built for 512"));
	assert_non_null(strstr(why, "build and install rdmaxfer again"));
}

static void test_message_fits_its_buffer(void **state)
{
	const struct xfer_abi_object object = { "one", 1, 2 };
	char why[16];
	(void)state;

	memset(why, 'x', sizeof(why));
	assert_int_equal(xfer_abi_compare(&object, 1, why, 8), -ENOEXEC);
	assert_int_equal(strlen(why), 7);
	assert_int_equal(why[8], 'x');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_installed_server_fits),
		cmocka_unit_test(test_other_size_is_refused),
		cmocka_unit_test(test_message_fits_its_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
