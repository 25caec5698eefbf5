/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* rpc.c -- RPC headers around the protocol's messages: there and back, refusals, what is cut or wrong */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <rpc/rpc.h>
#include <rpc/xdr_inline.h>

#include "control/rpc.h"
#include "support/messages.h"

#define ROUNDS     50
#define XID        0x89abcdefu
#define CALL_WORDS 10 /* of a call's RPC header with empty credentials */

static uint64_t seed;
static uint8_t bytes[XFER_HEAD_MAX];

static void put_word(unsigned index, uint32_t word)
{
	word = htonl(word);
	memcpy(bytes + 4 * index, &word, 4);
}

/* A decoder over memory of just the right size; *copy is to be freed. */
static void decoder(XDR *xdrs, uint32_t len, uint8_t **copy)
{
	*copy = malloc(len ? len : 1);
	assert_non_null(*copy);
	memcpy(*copy, bytes, len);
	xdrmem_ncreate(xdrs, (char *)*copy, len, XDR_DECODE);
}

static int decode_call(uint32_t len, struct xfer_rpc_call *call, enum xfer_rpc_refusal *refusal)
{
	uint8_t *copy;
	XDR xdrs;
	int err;

	decoder(&xdrs, len, &copy);
	err = xfer_rpc_decode_call(&xdrs, call, refusal);
	if (err == 0)
		assert_true(XDR_GETPOS(&xdrs) <= len);
	free(copy);
	return err;
}

static int decode_reply(uint32_t len, uint32_t proc, union xfer_results *results)
{
	uint8_t *copy = malloc(len ? len : 1);
	int err;

	memcpy(copy, bytes, len);
	err = xfer_rpc_decode_reply(copy, len, proc, results);
	free(copy);
	return err;
}

/* --- calls ------------------------------------------------------------------------------------- */

static void check_call(struct random *random, uint32_t proc)
{
	static uint32_t groups[XFER_GROUPS_MAX], back_groups[XFER_GROUPS_MAX];
	struct xfer_request_header header, back_header = { .groups = back_groups };
	union xfer_args args, back;
	struct xfer_rpc_call call;
	enum xfer_rpc_refusal refusal;
	bool in_session = proc >= XFER_PROC_FIRST_OP;
	uint8_t *copy;
	XDR xdrs;
	int len;

	message_args(random, proc, &args);
	message_header(random, &header, groups);
	len = xfer_rpc_encode_call(
		bytes, sizeof(bytes), XID, proc, in_session ? &header : NULL, &args);
	assert_true(len >= 4 * CALL_WORDS && len % 4 == 0);
	decoder(&xdrs, (uint32_t)len, &copy);
	assert_int_equal(xfer_rpc_decode_call(&xdrs, &call, &refusal), 0);
	assert_int_equal(call.xid, XID);
	assert_int_equal(call.proc, proc);
	assert_int_equal(call.auth_flavor, AUTH_NONE);
	assert_int_equal(XDR_GETPOS(&xdrs), 4 * CALL_WORDS);
	if (in_session) {
		assert_true(xfer_xdr_request_header(&xdrs, &back_header));
		assert_int_equal(back_header.uid, header.uid);
		assert_memory_equal(back_groups, groups, 4 * header.ngroups);
	}
	memset(&back, 0, sizeof(back));
	assert_true(xfer_proc_info(proc)->args(&xdrs, &back));
	assert_int_equal(XDR_GETPOS(&xdrs), len);
	assert_memory_equal(&args, &back, sizeof(args));
	free(copy);
}

static void test_calls(void **state)
{
	struct random random = random_from(seed);

	(void)state;
	for (uint32_t proc = 0; proc < XFER_PROC_COUNT; proc++)
		for (unsigned i = 0; xfer_proc_info(proc) && i < ROUNDS; i++)
			check_call(&random, proc);
}

/* The largest arguments that there are. */
static void fill_args(uint32_t proc, union xfer_args *args)
{
	memset(args, 0, sizeof(*args));
	if (proc == XFER_PROC_RENAME) {
		args->rename.from_dir.len = args->rename.to_dir.len = XFER_HANDLE_MAX;
		memset(args->rename.from_name, 'x', XFER_NAME_MAX);
		memset(args->rename.to_name, 'x', XFER_NAME_MAX);
	} else if (proc == XFER_PROC_OPEN) {
		args->open.handle.len = XFER_HANDLE_MAX;
		memset(args->open.name, 'x', XFER_NAME_MAX);
	} else {
		memset(args->hello.node, 'x', XFER_NODE_MAX);
		memset(args->hello.owner, 'x', XFER_NODE_MAX);
	}
}

/* XFER_CALL_HEAD and XFER_REPLY_HEAD hold what they promise to hold; callers count on 32 groups, too. */
static void test_heads_have_room(void **state)
{
	static const uint32_t procs[] = { XFER_PROC_RENAME, XFER_PROC_OPEN, XFER_PROC_HELLO };
	uint32_t groups[32] = { 0 };
	struct xfer_request_header header = { .ngroups = 32, .groups = groups };
	union xfer_results results = { 0 };
	union xfer_args args;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		fill_args(procs[i], &args);
		assert_true(xfer_rpc_encode_call(bytes, XFER_CALL_HEAD, XID, procs[i],
				    procs[i] == XFER_PROC_HELLO ? NULL : &header, &args) > 0);
	}
	memset(results.hello.reason, 'x', sizeof(results.hello.reason) - 1);
	memset(results.hello.node, 'x', XFER_NODE_MAX);
	assert_true(
		xfer_rpc_encode_reply(bytes, XFER_REPLY_HEAD, XID, XFER_PROC_HELLO, &results) > 0);
	memset(&results, 0, sizeof(results));
	results.rename.from_dir.valid = results.rename.to_dir.valid = true;
	results.rename.object.valid = true;
	results.rename.from_dir.attr.type = results.rename.to_dir.attr.type = XFER_DIR;
	results.rename.object.attr.type = XFER_REG;
	assert_true(
		xfer_rpc_encode_reply(bytes, XFER_REPLY_HEAD, XID, XFER_PROC_RENAME, &results) > 0);
}

static void test_call_without_room(void **state)
{
	uint32_t groups[8] = { 0 };
	struct xfer_request_header header = { .ngroups = 8, .groups = groups };
	union xfer_args args;
	int len;

	(void)state;
	fill_args(XFER_PROC_RENAME, &args);
	len = xfer_rpc_encode_call(bytes, sizeof(bytes), XID, XFER_PROC_RENAME, &header, &args);
	assert_true(len > 0);
	for (int size = 0; size < len; size += size < 100 ? 1 : 37) {
		uint8_t *small = malloc(size ? (size_t)size : 1);

		assert_int_equal(xfer_rpc_encode_call(small, (uint32_t)size, XID, XFER_PROC_RENAME,
					 &header, &args),
			-EMSGSIZE);
		free(small);
	}
}

/* A NULL call of our own making, to be changed. */
static uint32_t null_call(void)
{
	union xfer_args args = { 0 };
	int len = xfer_rpc_encode_call(bytes, sizeof(bytes), XID, XFER_PROC_NULL, NULL, &args);

	assert_int_equal(len, 4 * CALL_WORDS);
	return (uint32_t)len;
}

static void expect_refused(unsigned index, uint32_t word, enum xfer_rpc_refusal expected)
{
	struct xfer_rpc_call call = { 0 };
	enum xfer_rpc_refusal refusal;
	uint32_t len = null_call();

	put_word(index, word);
	assert_int_equal(decode_call(len, &call, &refusal), -EBADMSG);
	assert_int_equal(refusal, expected);
	assert_int_equal(call.xid, XID);
}

static void test_refused_calls(void **state)
{
	struct xfer_rpc_call call = { 0 };
	enum xfer_rpc_refusal refusal;
	uint32_t len = null_call();

	(void)state;
	put_word(1, REPLY);
	assert_int_equal(decode_call(len, &call, &refusal), -EPROTO);
	put_word(1, 7);
	assert_int_equal(decode_call(len, &call, &refusal), -EPROTO);
	expect_refused(2, RPC_MSG_VERSION + 1, XFER_RPC_WRONG_RPC_VERSION);
	expect_refused(3, 100003, XFER_RPC_NO_PROGRAM);
	expect_refused(4, XFER_VERSION + 1, XFER_RPC_NO_VERSION);
	expect_refused(4, 0, XFER_RPC_NO_VERSION);
	expect_refused(5, XFER_PROC_RETIRE + 1, XFER_RPC_NO_PROCEDURE);
	expect_refused(5, XFER_PROC_COUNT, XFER_RPC_NO_PROCEDURE);
	expect_refused(5, UINT32_MAX, XFER_RPC_NO_PROCEDURE);
	/* Longer credentials and verifiers than RFC 5531 allows, and than there are bytes. */
	expect_refused(7, 401, XFER_RPC_GARBAGE);
	expect_refused(7, UINT32_MAX, XFER_RPC_GARBAGE);
	expect_refused(9, 404, XFER_RPC_GARBAGE);
}

static void test_calls_cut_short(void **state)
{
	uint32_t len = null_call();

	(void)state;
	for (uint32_t cut = 0; cut < len; cut++) {
		struct xfer_rpc_call call = { 0 };
		enum xfer_rpc_refusal refusal = XFER_RPC_NO_SESSION;
		int err = decode_call(cut, &call, &refusal);

		assert_int_equal(err, cut < 24 ? -EPROTO : -EBADMSG);
		if (cut >= 24)
			assert_int_equal(refusal, XFER_RPC_GARBAGE);
	}
}

/* A general client sends AUTH_SYS. */
static void test_foreign_credentials(void **state)
{
	struct xfer_rpc_call call = { 0 };
	enum xfer_rpc_refusal refusal;

	(void)state;
	for (uint32_t size = 0; size <= 400; size += 40) {
		null_call();
		memset(bytes + 24, 0, 600);
		put_word(6, AUTH_SYS);
		put_word(7, size);
		assert_int_equal(
			decode_call(4 * CALL_WORDS + (size + 3) / 4 * 4, &call, &refusal), 0);
		assert_int_equal(call.auth_flavor, AUTH_SYS);
		assert_int_equal(call.proc, XFER_PROC_NULL);
	}
}

/* --- replies ----------------------------------------------------------------------------------- */

static void check_reply(struct random *random, uint32_t proc)
{
	static uint8_t variable[MESSAGE_VARIABLE], back_variable[MESSAGE_VARIABLE];
	union xfer_results results, back;
	uint32_t xid = 0;
	int len;

	message_results(random, proc, &results, variable);
	len = xfer_rpc_encode_reply(bytes, sizeof(bytes), XID, proc, &results);
	assert_true(len >= 24 && len % 4 == 0);
	assert_true(xfer_rpc_is_reply(bytes, (uint32_t)len, &xid));
	assert_int_equal(xid, XID);
	memset(&back, 0, sizeof(back));
	message_results_room(proc, &back, back_variable, MESSAGE_VARIABLE);
	assert_int_equal(decode_reply((uint32_t)len, proc, &back), 0);
	if (proc == XFER_PROC_READDIR)
		back.readdir.entries = results.readdir.entries;
	if (proc == XFER_PROC_STATUS)
		back.text.text = results.text.text;
	assert_memory_equal(&results, &back, sizeof(results));

	/* Nothing may be missing and nothing left over. */
	message_results_room(proc, &back, back_variable, MESSAGE_VARIABLE);
	assert_int_equal(decode_reply((uint32_t)len + 4, proc, &back), -EPROTO);
	for (int cut = len > 200 ? len - 200 : 0; cut < len; cut++) {
		message_results_room(proc, &back, back_variable, MESSAGE_VARIABLE);
		assert_int_equal(decode_reply((uint32_t)cut, proc, &back), -EPROTO);
	}
}

static void test_replies(void **state)
{
	struct random random = random_from(seed);

	(void)state;
	for (uint32_t proc = 0; proc < XFER_PROC_COUNT; proc++)
		for (unsigned i = 0; xfer_proc_info(proc) && i < ROUNDS; i++)
			check_reply(&random, proc);
}

static void test_reply_without_room(void **state)
{
	union xfer_results results = { 0 };
	uint8_t *small = malloc(24);

	(void)state;
	for (uint32_t size = 0; size < 24 + 48; size++) {
		small = realloc(small, size ? size : 1);
		assert_int_equal(
			xfer_rpc_encode_reply(small, size, XID, XFER_PROC_STATFS, &results),
			-EMSGSIZE);
	}
	free(small);
}

static void expect_refusal(enum xfer_rpc_refusal refusal, int expected)
{
	union xfer_results results = { 0 };
	int len = xfer_rpc_encode_refusal(bytes, sizeof(bytes), XID, refusal);
	uint32_t xid = 0;

	assert_true(len > 0 && len % 4 == 0);
	assert_true(xfer_rpc_is_reply(bytes, (uint32_t)len, &xid));
	assert_int_equal(xid, XID);
	assert_int_equal(decode_reply((uint32_t)len, XFER_PROC_GETATTR, &results), expected);
	for (int cut = 0; cut < len; cut++)
		assert_int_equal(decode_reply((uint32_t)cut, XFER_PROC_GETATTR, &results), -EPROTO);
}

static void test_refusals(void **state)
{
	(void)state;
	expect_refusal(XFER_RPC_NO_PROGRAM, -EOPNOTSUPP);
	expect_refusal(XFER_RPC_NO_VERSION, -EOPNOTSUPP);
	expect_refusal(XFER_RPC_NO_PROCEDURE, -EOPNOTSUPP);
	expect_refusal(XFER_RPC_GARBAGE, -EBADMSG);
	expect_refusal(XFER_RPC_WRONG_RPC_VERSION, -EPROTO);
	expect_refusal(XFER_RPC_NO_SESSION, -EACCES);
}

static void test_is_reply(void **state)
{
	uint32_t xid = 1;

	(void)state;
	memset(bytes, 0, 8);
	assert_false(xfer_rpc_is_reply(bytes, 8, &xid)); /* a call */
	put_word(0, XID);
	put_word(1, REPLY);
	for (uint32_t len = 0; len < 8; len++)
		assert_false(xfer_rpc_is_reply(bytes, len, &xid));
	assert_int_equal(xid, 1);
	assert_true(xfer_rpc_is_reply(bytes, 8, &xid));
	assert_int_equal(xid, XID);
	put_word(1, 2);
	assert_false(xfer_rpc_is_reply(bytes, 8, &xid));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_heads_have_room),
		cmocka_unit_test(test_call_without_room),
		cmocka_unit_test(test_refused_calls),
		cmocka_unit_test(test_calls_cut_short),
		cmocka_unit_test(test_foreign_credentials),
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_reply_without_room),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_is_reply),
	};

	seed = random_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
