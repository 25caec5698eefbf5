/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* fsal_owners.c -- the Owners parameter: what is understood, and what is said of the rest */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "compat.h"
#include "owner.h"

static char logged[1024];

static void keep(enum xfer_log_level level, const char *message)
{
	(void)level;
	snprintf(logged, sizeof(logged), "%s", message);
}

static int setup(void **state)
{
	static struct rdx_owners owners;

	owners.log = keep;
	glist_init(&owners.list);
	*state = &owners;
	return 0;
}

static int teardown(void **state)
{
	rdx_owners_destroy(*state);
	return 0;
}

static const char *address_of(struct rdx_owners *owners, const char *name)
{
	struct rdx_owner *owner = rdx_owners_find(owners, name);

	return owner ? owner->address : "none";
}

static void test_several(void **state)
{
	char *reason = NULL;

	assert_int_equal(
		rdx_owners_parse(*state,
			" b=192.0.2.7:20491, c = unix:/run/x.sock ,d=[2001:db8::1]:1  insecure ,",
			&reason),
		0);
	assert_null(reason);
	assert_string_equal(address_of(*state, "b"), "192.0.2.7:20491");
	assert_string_equal(address_of(*state, "c"), "unix:/run/x.sock");
	assert_string_equal(address_of(*state, "d"), "[2001:db8::1]:1");
	assert_false(rdx_owners_find(*state, "b")->insecure);
	assert_false(rdx_owners_find(*state, "c")->insecure);
	assert_true(rdx_owners_find(*state, "d")->insecure);
	assert_null(rdx_owners_find(*state, "e"));
	assert_null(rdx_owners_find(*state, ""));
}

/* By TCP without a certificate only where that is said. */
static void test_certificates(void **state)
{
	char *reason = NULL;

	assert_int_equal(
		rdx_owners_parse(*state, "c=unix:/run/x.sock, d=192.0.2.8 insecure", &reason), 0);
	assert_true(rdx_owners_check(*state, false));
	assert_non_null(strstr(logged, "d is insecure"));
	assert_false(rdx_owner_in_cleartext(rdx_owners_find(*state, "c")));
	assert_true(rdx_owner_in_cleartext(rdx_owners_find(*state, "d")));
	assert_int_equal(rdx_owners_parse(*state, "e=unix:/run/y.sock insecure", &reason), 0);
	assert_false(rdx_owner_in_cleartext(rdx_owners_find(*state, "e")));
	assert_int_equal(rdx_owners_parse(*state, "b=192.0.2.7", &reason), 0);
	assert_false(rdx_owners_check(*state, false));
	assert_non_null(strstr(logged, "b is reached by TCP, and this node has no certificate"));
	assert_true(rdx_owners_check(*state, true));
}

/* Without a session nothing can be asked. */
static void test_no_session_until_opened(void **state)
{
	char *reason = NULL;
	struct rdx_owner *owner;

	assert_int_equal(rdx_owners_parse(*state, "b=192.0.2.7", &reason), 0);
	owner = rdx_owners_find(*state, "b");
	assert_null(rdx_owner_acquire(owner));
	rdx_owners_close(*state);
	assert_null(rdx_owner_acquire(owner));
}

static void expect_refused(void **state, const char *text, const char *says)
{
	char *reason = NULL;

	assert_int_equal(rdx_owners_parse(*state, text, &reason), -EINVAL);
	assert_non_null(reason);
	if (!strstr(reason, says))
		fail_msg("\"%s\" is answered by \"%s\" instead of \"%s\"", text, reason, says);
	gsh_free(reason);
}

static void test_refused(void **state)
{
	char name[XFER_NODE_MAX + 20];

	expect_refused(state, "b", "isn't NAME=ADDRESS");
	expect_refused(state, "x=1,=192.0.2.7", "is no node name");
	expect_refused(state, "y=", "owner \"y\" has no address");
	expect_refused(state, "z=192.0.2.7,z=192.0.2.8", "owner \"z\" is named twice");
	expect_refused(state, "w=192.0.2.7 secure", "\"secure\" behind an address says nothing");
	expect_refused(state, "w=192.0.2.7 insecure really", "says nothing");
	memset(name, 'n', XFER_NODE_MAX + 1);
	strcpy(name + XFER_NODE_MAX + 1, "=192.0.2.7");
	expect_refused(state, name, "1 to 63 bytes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_several, setup, teardown),
		cmocka_unit_test_setup_teardown(test_certificates, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_session_until_opened, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
