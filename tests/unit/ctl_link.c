/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* ctl_link.c -- how a bench waits for its session, and for the data path that it wishes */

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "bench.h"

/* --- libxfer, as a test wants it -------------------------------------------------------------------- */

static struct {
	int context_err, session_err;
	unsigned up_after, path_after; /* so many times that it is asked */
	const char *warning;           /* said when the path is asked for */
	enum xfer_path_wish wish;
	xfer_log_fn log;
	int open; /* contexts and sessions */
} lib;

int xfer_context_create(const struct xfer_context_params *params, struct xfer_context **context)
{
	lib.wish = params->path;
	lib.log = params->log;
	*context = (struct xfer_context *)&lib;
	lib.open += lib.context_err == 0;
	return lib.context_err;
}

void xfer_context_destroy(struct xfer_context *context)
{
	assert_ptr_equal(context, &lib);
	lib.open--;
}

int xfer_session_open(struct xfer_context *context, const struct xfer_session_params *params,
	struct xfer_session **session)
{
	assert_ptr_equal(context, &lib);
	assert_string_equal(params->owner, "b");
	assert_string_equal(params->address, "host");
	assert_true(params->insecure);
	assert_null(params->ops);
	*session = (struct xfer_session *)&lib;
	lib.open += lib.session_err == 0;
	return lib.session_err;
}

void xfer_session_close(struct xfer_session *session)
{
	assert_ptr_equal(session, &lib);
	lib.open--;
}

bool xfer_session_is_up(struct xfer_session *session)
{
	assert_ptr_equal(session, &lib);
	return lib.up_after-- == 0;
}

enum xfer_path_wish xfer_session_path(struct xfer_session *session)
{
	assert_ptr_equal(session, &lib);
	if (lib.warning)
		lib.log(XFER_LOG_WARN, lib.warning);
	return lib.path_after-- == 0 ? lib.wish : XFER_WISH_INLINE;
}

/* --- tests ------------------------------------------------------------------------------------------ */

#define NEVER 1000000

static const struct ctl_owner owner = { .name = "b", .node = "a", .address = "host" };

static int open_link(enum xfer_path_wish path, struct link *link)
{
	const struct ctl_bench_options options = { .lanes = 2, .path = path, .insecure = true };

	return link_open(link, &owner, &options);
}

static int setup(void **state)
{
	(void)state;
	memset(&lib, 0, sizeof(lib));
	return 0;
}

static void comes(enum xfer_path_wish path)
{
	struct link link;

	assert_int_equal(open_link(path, &link), 0);
	assert_int_equal(lib.wish, path);
	assert_int_equal(lib.open, 2);
	link_close(&link);
	assert_int_equal(lib.open, 0);
}

static void test_comes(void **state)
{
	lib.up_after = lib.path_after = 3;
	comes(XFER_WISH_VERBS);
	setup(state);
	lib.up_after = lib.path_after = 3;
	comes(XFER_WISH_SHM);
	/* Nobody waits for what isn't wished for. */
	setup(state);
	lib.path_after = NEVER;
	comes(XFER_WISH_AUTO);
	setup(state);
	lib.path_after = NEVER;
	comes(XFER_WISH_INLINE);
}

static void fails(int err)
{
	struct link link;

	assert_int_equal(open_link(XFER_WISH_VERBS, &link), err);
	assert_int_equal(lib.open, 0);
}

static void test_does_not_come(void **state)
{
	(void)state;
	lib.path_after = NEVER;
	fails(-ENOLINK);
	assert_null(link_trouble());
}

static void test_session_does_not_come(void **state)
{
	(void)state;
	lib.up_after = NEVER;
	fails(-ETIMEDOUT);
}

static void test_cannot_be_opened(void **state)
{
	lib.context_err = -EINVAL;
	fails(-EINVAL);
	setup(state);
	lib.session_err = -ENOMEM;
	fails(-ENOMEM);
}

/* The last ones: both last. */
static void test_trouble(void **state)
{
	(void)state;
	lib.path_after = NEVER;
	lib.warning = "no RDMA device";
	fails(-ENOTCONN);
	assert_string_equal(link_trouble(), "no RDMA device");
}

static void test_interrupted(void **state)
{
	(void)state;
	lib.up_after = NEVER;
	interrupt_catch();
	raise(SIGTERM);
	fails(-EINTR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_comes, setup),
		cmocka_unit_test_setup(test_does_not_come, setup),
		cmocka_unit_test_setup(test_session_does_not_come, setup),
		cmocka_unit_test_setup(test_cannot_be_opened, setup),
		cmocka_unit_test_setup(test_trouble, setup),
		cmocka_unit_test_setup(test_interrupted, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
