/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* fsal_errors.c -- libxfer's errno values as Ganesha's errors, all of them */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compat.h"
#include "errors.h"

#define ERRNO_MAX 200 /* Linux's are below */

static void test_success(void **state)
{
	fsal_status_t status = rdx_status(0);
	(void)state;

	assert_int_equal(status.major, ERR_FSAL_NO_ERROR);
	assert_int_equal(status.minor, 0);
}

/* Ganesha's NFSv3 doesn't answer at all to these two. */
static void test_never_those_that_drop_the_request(void **state)
{
	(void)state;

	for (int err = 1; err < ERRNO_MAX; err++) {
		assert_int_not_equal(rdx_error(-err), ERR_FSAL_NO_ERROR);
		assert_int_not_equal(rdx_error(-err), ERR_FSAL_NOMEM);
		assert_int_not_equal(rdx_error(-err), ERR_FSAL_NOT_OPENED);
	}
}

/* Each of these makes a client of one of the versions send the request again. */
static void test_only_eagain_is_asked_again(void **state)
{
	(void)state;

	for (int err = 1; err < ERRNO_MAX; err++) {
		fsal_errors_t fsal = rdx_error(-err);

		if (err == EAGAIN) {
			assert_int_equal(fsal, ERR_FSAL_DELAY);
			continue;
		}
		assert_int_not_equal(fsal, ERR_FSAL_DELAY);
		assert_int_not_equal(fsal, ERR_FSAL_IN_GRACE);
		assert_int_not_equal(fsal, ERR_FSAL_LOCKED);
		assert_int_not_equal(fsal, ERR_FSAL_SHARE_DENIED);
	}
}

/* A handle that is good must not be thrown away, and one that is gone must. */
static void test_stale_only_when_it_is(void **state)
{
	(void)state;

	for (int err = 1; err < ERRNO_MAX; err++) {
		assert_int_equal(rdx_error(-err) == ERR_FSAL_STALE, err == ESTALE);
		assert_int_equal(rdx_error(-err) == ERR_FSAL_BADHANDLE, err == EBADF);
	}
}

static void test_each(void **state)
{
	static const struct {
		int err;
		fsal_errors_t fsal;
	} expected[] = {
		{ EPERM, ERR_FSAL_PERM }, { ENOENT, ERR_FSAL_NOENT }, { EIO, ERR_FSAL_IO },
		{ ENXIO, ERR_FSAL_NXIO }, { ENOMEM, ERR_FSAL_SERVERFAULT },
		{ ENFILE, ERR_FSAL_SERVERFAULT }, { EMFILE, ERR_FSAL_SERVERFAULT },
		{ EACCES, ERR_FSAL_ACCESS }, { EBUSY, ERR_FSAL_ACCESS }, { EEXIST, ERR_FSAL_EXIST },
		{ EXDEV, ERR_FSAL_XDEV }, { ENOTDIR, ERR_FSAL_NOTDIR }, { EISDIR, ERR_FSAL_ISDIR },
		{ EINVAL, ERR_FSAL_INVAL }, { ETXTBSY, ERR_FSAL_FILE_OPEN },
		{ EFBIG, ERR_FSAL_FBIG }, { ENOSPC, ERR_FSAL_NOSPC }, { EROFS, ERR_FSAL_ROFS },
		{ EMLINK, ERR_FSAL_MLINK }, { ELOOP, ERR_FSAL_SYMLINK },
		{ ENAMETOOLONG, ERR_FSAL_NAMETOOLONG }, { ENOTEMPTY, ERR_FSAL_NOTEMPTY },
		{ EDQUOT, ERR_FSAL_DQUOT }, { ENOTSUP, ERR_FSAL_NOTSUPP },
		{ ENOSYS, ERR_FSAL_NOTSUPP }, { EREMOTEIO, ERR_FSAL_IO }, { EPROTO, ERR_FSAL_IO },
		{ ECONNRESET, ERR_FSAL_IO }, { ETIMEDOUT, ERR_FSAL_IO },
		{ ENOTTY, ERR_FSAL_SERVERFAULT }, /* one that nobody expects */
	};
	(void)state;

	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		fsal_status_t status = rdx_status(-expected[i].err);

		assert_int_equal(status.major, expected[i].fsal);
		assert_int_equal(status.minor, expected[i].err);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_success),
		cmocka_unit_test(test_never_those_that_drop_the_request),
		cmocka_unit_test(test_only_eagain_is_asked_again),
		cmocka_unit_test(test_stale_only_when_it_is),
		cmocka_unit_test(test_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
