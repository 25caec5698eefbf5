/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* fsal_abi_other.c -- the check of the server's structure sizes, in a process where one differs */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "abi.h"

/* Takes the place of the variable in the server's library, as a server with other options would
 * have it. */
extern char nfs_param[1024];
char nfs_param[1024];

static void test_other_server_is_refused(void **state)
{
	char why[400] = "";
	(void)state;

	assert_int_equal(xfer_abi_check(why, sizeof(why)), -ENOEXEC);
	assert_non_null(strstr(why, "1024 bytes in nfs_param"));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_other_server_is_refused) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
