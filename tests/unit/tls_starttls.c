/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* tls_starttls.c -- RFC 9289's probe and its answers, byte by byte */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tls/starttls.h"

#define XID     UINT32_C(0x01020304)
#define PROGRAM 100003u
#define VERSION 4u

/* What Linux's client sends, and wants to see. */
static const uint8_t probe[XFER_STARTTLS_PROBE] = { 0x80, 0, 0, 0x28, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0,
	0, 2, 0, 1, 0x86, 0xa3, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 7 };
static const uint8_t reply[XFER_STARTTLS_REPLY] = { 0x80, 0, 0, 0x20, 1, 2, 3, 4, 0, 0, 0, 1, 0, 0,
	0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 'S', 'T', 'A', 'R', 'T', 'T', 'L', 'S' };
static const uint8_t refusal[XFER_STARTTLS_REFUSAL] = { 0x80, 0, 0, 0x18, 1, 2, 3, 4, 0, 0, 0, 1 };

static void test_probe(void **state)
{
	uint8_t bytes[XFER_STARTTLS_PROBE];
	uint32_t xid = 0;

	(void)state;
	xfer_starttls_probe(bytes, XID, PROGRAM, VERSION);
	assert_memory_equal(bytes, probe, sizeof(probe));
	assert_int_equal(xfer_starttls_is_probe(bytes, sizeof(bytes), PROGRAM, VERSION, &xid), 1);
	assert_int_equal(xid, XID);
	for (size_t len = 0; len < sizeof(bytes); len++)
		assert_int_equal(xfer_starttls_is_probe(bytes, len, PROGRAM, VERSION, &xid), 0);
}

static void test_no_probe(void **state)
{
	uint8_t bytes[XFER_STARTTLS_PROBE];
	uint32_t xid = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++) {
		bool in_xid = i >= 4 && i < 8;

		memcpy(bytes, probe, sizeof(bytes));
		bytes[i] ^= 0x10;
		assert_int_equal(
			xfer_starttls_is_probe(bytes, sizeof(bytes), PROGRAM, VERSION, &xid),
			in_xid ? 1 : -EPROTO);
	}
	assert_int_equal(
		xfer_starttls_is_probe(probe, sizeof(probe), PROGRAM + 1, VERSION, &xid), -EPROTO);
	assert_int_equal(
		xfer_starttls_is_probe(probe, sizeof(probe), PROGRAM, VERSION + 1, &xid), -EPROTO);
}

static void test_replies(void **state)
{
	uint8_t bytes[XFER_STARTTLS_REPLY];
	size_t used = 0;

	(void)state;
	assert_int_equal(xfer_starttls_reply(bytes, XID, true), sizeof(reply));
	assert_memory_equal(bytes, reply, sizeof(reply));
	assert_int_equal(xfer_starttls_is_reply(bytes, sizeof(reply), XID, &used), 1);
	assert_int_equal(used, sizeof(reply));
	assert_int_equal(xfer_starttls_is_reply(bytes, sizeof(reply), XID + 1, &used), -EPROTO);
	for (size_t len = 0; len < sizeof(reply); len++)
		assert_int_equal(xfer_starttls_is_reply(bytes, len, XID, &used), 0);
	assert_int_equal(xfer_starttls_reply(bytes, XID, false), sizeof(refusal));
	assert_memory_equal(bytes, refusal, sizeof(refusal));
	assert_int_equal(xfer_starttls_is_reply(bytes, sizeof(refusal), XID, &used), -EOPNOTSUPP);
	assert_int_equal(used, sizeof(refusal));
	for (size_t len = 0; len < sizeof(refusal); len++)
		assert_int_equal(xfer_starttls_is_reply(bytes, len, XID, &used), 0);
}

static void test_no_reply(void **state)
{
	uint8_t bytes[XFER_STARTTLS_REPLY];
	size_t used;

	(void)state;
	for (size_t i = 0; i < sizeof(reply); i++) {
		memcpy(bytes, reply, sizeof(bytes));
		bytes[i] ^= 0x40;
		assert_int_equal(xfer_starttls_is_reply(bytes, sizeof(bytes), XID, &used), -EPROTO);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_probe),
		cmocka_unit_test(test_no_probe),
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_no_reply),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
