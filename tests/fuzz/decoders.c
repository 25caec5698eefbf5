/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* decoders.c -- what turns bytes into values: arguments, results, RPC headers, entries, handles */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rpc/xdr_inline.h>

#include "control/rpc.h"
#include "fuzz.h"
#include "owner/handle.h"

#define LEFT_OVER 0xa5 /* what decoders of calls find in their targets; results start as zeros */

static uint8_t variable[MESSAGE_VARIABLE];

static uint32_t any_proc(struct random *random)
{
	uint32_t proc;

	do
		proc = random_below(random, XFER_PROC_COUNT);
	while (!xfer_proc_info(proc));
	return proc;
}

/* Memory of just the right size, so that a byte too far is noticed. */
static uint8_t *exact(const struct bytes *bytes)
{
	uint8_t *copy = malloc(bytes->len ? bytes->len : 1);

	FUZZ_CHECK(copy != NULL);
	if (bytes->len > 0)
		memcpy(copy, bytes->data, bytes->len);
	return copy;
}

static bool text_ends(const char *text, size_t max)
{
	return strnlen(text, max + 1) <= max;
}

/* What everybody relies on who gets decoded arguments. */
static void check_args(uint32_t proc, const union xfer_args *args)
{
	const struct xfer_handle *handle = xfer_args_handle(proc, args);
	const struct xfer_payload *payload = xfer_args_payload(proc, (union xfer_args *)args);

	FUZZ_CHECK(!handle || handle->len <= XFER_HANDLE_MAX);
	FUZZ_CHECK(!payload || payload->length <= XFER_IO_MAX);
	if (proc == XFER_PROC_HELLO) {
		FUZZ_CHECK(text_ends(args->hello.node, XFER_NODE_MAX));
		FUZZ_CHECK(text_ends(args->hello.owner, XFER_NODE_MAX));
	} else if (proc == XFER_PROC_SHARE) {
		FUZZ_CHECK(args->share.read.nclasses <= XFER_SLOT_CLASSES_MAX);
		FUZZ_CHECK(args->share.write.nclasses <= XFER_SLOT_CLASSES_MAX);
	} else if (proc == XFER_PROC_LOOKUP || proc == XFER_PROC_UNLINK) {
		FUZZ_CHECK(text_ends(args->name.name, XFER_NAME_MAX));
	} else if (proc == XFER_PROC_OPEN) {
		FUZZ_CHECK(text_ends(args->open.name, XFER_NAME_MAX));
		FUZZ_CHECK((unsigned)args->open.create <= XFER_EXCLUSIVE);
	} else if (proc == XFER_PROC_CREATE) {
		FUZZ_CHECK(text_ends(args->create.name, XFER_NAME_MAX));
		FUZZ_CHECK(args->create.type >= XFER_REG && args->create.type <= XFER_SOCK);
	} else if (proc == XFER_PROC_LINK) {
		FUZZ_CHECK(args->link.dir.len <= XFER_HANDLE_MAX);
		FUZZ_CHECK(text_ends(args->link.name, XFER_NAME_MAX));
	} else if (proc == XFER_PROC_LOCK) {
		FUZZ_CHECK((unsigned)args->lock.op <= XFER_LOCK_CLEAR);
	} else if (proc == XFER_PROC_GETXATTR || proc == XFER_PROC_REMOVEXATTR) {
		FUZZ_CHECK(text_ends(args->xattr.name, XFER_NAME_MAX));
	} else if (proc == XFER_PROC_SETXATTR) {
		FUZZ_CHECK(text_ends(args->setxattr.name, XFER_NAME_MAX));
		FUZZ_CHECK((unsigned)args->setxattr.how <= XFER_XATTR_REPLACE);
	} else if (proc == XFER_PROC_RENAME) {
		FUZZ_CHECK(args->rename.to_dir.len <= XFER_HANDLE_MAX);
		FUZZ_CHECK(text_ends(args->rename.from_name, XFER_NAME_MAX));
		FUZZ_CHECK(text_ends(args->rename.to_name, XFER_NAME_MAX));
	} else if (proc == XFER_PROC_WRITE) {
		FUZZ_CHECK((unsigned)args->write.stability <= XFER_FILE_SYNC);
	}
}

static void check_events(const struct xfer_events_res *res)
{
	FUZZ_CHECK(res->count <= XFER_EVENTS_MAX);
	for (uint32_t i = 0; i < res->count; i++)
		FUZZ_CHECK(res->list[i].bucket < XFER_BUCKETS);
}

static void check_results(uint32_t proc, const union xfer_results *results, uint32_t room)
{
	if (proc == XFER_PROC_HELLO) {
		FUZZ_CHECK(text_ends(results->hello.reason, sizeof(results->hello.reason) - 1));
		FUZZ_CHECK(text_ends(results->hello.node, XFER_NODE_MAX));
	} else if (proc == XFER_PROC_EVENTS) {
		check_events(&results->events);
	} else if (proc == XFER_PROC_READDIR) {
		FUZZ_CHECK(results->readdir.entries_len <= room);
	} else if (proc == XFER_PROC_STATUS) {
		FUZZ_CHECK(results->text.text_len <= room);
	} else if (proc == XFER_PROC_READ) {
		FUZZ_CHECK(results->read.payload.length <= XFER_IO_MAX);
	} else if (proc == XFER_PROC_LOOKUP || proc == XFER_PROC_CREATE) {
		FUZZ_CHECK(
			results->node.status || results->node.node.handle.len <= XFER_HANDLE_MAX);
	} else if (proc == XFER_PROC_OPEN) {
		FUZZ_CHECK(
			results->open.status || results->open.node.handle.len <= XFER_HANDLE_MAX);
	}
}

/* --- arguments and results ----------------------------------------------------------------------- */

static void run_args(struct random *random)
{
	uint32_t proc = any_proc(random);
	struct bytes bytes = { 0 };
	union xfer_args args;
	uint8_t *copy;
	XDR xdrs;

	message_args(random, proc, &args);
	bytes_add(&bytes, NULL, 4096);
	xdrmem_ncreate(&xdrs, (char *)bytes.data, 4096, XDR_ENCODE);
	FUZZ_CHECK(xfer_proc_info(proc)->args(&xdrs, &args));
	bytes.len = XDR_GETPOS(&xdrs);
	bytes_damage(&bytes, random);
	copy = exact(&bytes);
	if (random_below(random, 8) == 0)
		proc = any_proc(random); /* read as something else */
	memset(&args, LEFT_OVER, sizeof(args));
	xdrmem_ncreate(&xdrs, (char *)copy, (uint32_t)bytes.len, XDR_DECODE);
	if (xfer_proc_info(proc)->args(&xdrs, &args)) {
		FUZZ_CHECK(XDR_GETPOS(&xdrs) <= bytes.len);
		check_args(proc, &args);
	}
	free(copy);
	bytes_free(&bytes);
}

static void run_results(struct random *random)
{
	uint32_t proc = any_proc(random), room = random_upto(random, MESSAGE_VARIABLE);
	struct bytes bytes = { 0 };
	union xfer_results results;
	uint8_t *copy, *target = malloc(room ? room : 1);
	XDR xdrs;

	message_results(random, proc, &results, variable);
	bytes_add(&bytes, NULL, XFER_HEAD_MAX);
	xdrmem_ncreate(&xdrs, (char *)bytes.data, XFER_HEAD_MAX, XDR_ENCODE);
	FUZZ_CHECK(xfer_proc_info(proc)->results(&xdrs, &results));
	bytes.len = XDR_GETPOS(&xdrs);
	bytes_damage(&bytes, random);
	copy = exact(&bytes);
	memset(&results, 0, sizeof(results));
	message_results_room(proc, &results, target, room);
	xdrmem_ncreate(&xdrs, (char *)copy, (uint32_t)bytes.len, XDR_DECODE);
	if (xfer_proc_info(proc)->results(&xdrs, &results)) {
		FUZZ_CHECK(XDR_GETPOS(&xdrs) <= bytes.len);
		check_results(proc, &results, room);
	}
	free(copy);
	free(target);
	bytes_free(&bytes);
}

/* --- RPC headers --------------------------------------------------------------------------------- */

static void run_calls(struct random *random)
{
	static uint32_t groups[XFER_GROUPS_MAX];
	uint32_t proc = any_proc(random);
	bool in_session = proc >= XFER_PROC_FIRST_OP;
	struct xfer_request_header header;
	struct bytes bytes = { 0 };
	struct xfer_rpc_call call;
	enum xfer_rpc_refusal refusal;
	union xfer_args args;
	uint8_t *copy;
	XDR xdrs;
	int len, err;

	message_args(random, proc, &args);
	message_header(random, &header, groups);
	bytes_add(&bytes, NULL, 16384);
	len = xfer_rpc_encode_call(bytes.data, 16384, 1, proc, in_session ? &header : NULL, &args);
	FUZZ_CHECK(len > 0);
	bytes.len = (size_t)len;
	bytes_damage(&bytes, random);
	copy = exact(&bytes);
	xdrmem_ncreate(&xdrs, (char *)copy, (uint32_t)bytes.len, XDR_DECODE);
	err = xfer_rpc_decode_call(&xdrs, &call, &refusal);
	FUZZ_CHECK(err == 0 || err == -EPROTO || err == -EBADMSG);
	if (err == -EBADMSG)
		FUZZ_CHECK(xfer_rpc_encode_refusal(copy, 0, call.xid, refusal) == -EMSGSIZE);
	header.groups = groups;
	if (err == 0 &&
		(call.proc < XFER_PROC_FIRST_OP || xfer_xdr_request_header(&xdrs, &header)) &&
		xfer_proc_info(call.proc)->args(&xdrs, &args))
		check_args(call.proc, &args);
	free(copy);
	bytes_free(&bytes);
}

static void run_replies(struct random *random)
{
	uint32_t proc = any_proc(random), room = random_upto(random, MESSAGE_VARIABLE), xid;
	struct bytes bytes = { 0 };
	union xfer_results results;
	uint8_t *copy, *target = malloc(room ? room : 1);
	int len;

	bytes_add(&bytes, NULL, XFER_HEAD_MAX);
	if (random_below(random, 4)) {
		message_results(random, proc, &results, variable);
		len = xfer_rpc_encode_reply(bytes.data, XFER_HEAD_MAX, 1, proc, &results);
	} else {
		len = xfer_rpc_encode_refusal(bytes.data, XFER_HEAD_MAX, 1,
			random_below(random, XFER_RPC_NO_SESSION + 1));
	}
	FUZZ_CHECK(len > 0);
	bytes.len = (size_t)len;
	bytes_damage(&bytes, random);
	copy = exact(&bytes);
	memset(&results, 0, sizeof(results));
	message_results_room(proc, &results, target, room);
	if (xfer_rpc_is_reply(copy, (uint32_t)bytes.len, &xid) &&
		xfer_rpc_decode_reply(copy, (uint32_t)bytes.len, proc, &results) == 0)
		check_results(proc, &results, room);
	free(copy);
	free(target);
	bytes_free(&bytes);
}

/* --- directory entries: as readers walk through an answer ---------------------------------------- */

static void run_entries(struct random *random)
{
	union xfer_results results;
	struct bytes bytes = { 0 };
	struct xfer_dirent entry;
	uint8_t *copy;
	XDR xdrs;

	message_results(random, XFER_PROC_READDIR, &results, variable);
	bytes_add(&bytes, variable, results.readdir.entries_len);
	bytes_damage(&bytes, random);
	copy = exact(&bytes);
	xdrmem_ncreate(&xdrs, (char *)copy, (uint32_t)bytes.len, XDR_DECODE);
	while (XDR_GETPOS(&xdrs) < bytes.len) {
		uint32_t before = (uint32_t)XDR_GETPOS(&xdrs);

		memset(&entry, LEFT_OVER, sizeof(entry));
		if (!xfer_xdr_dirent(&xdrs, &entry))
			break;
		FUZZ_CHECK(XDR_GETPOS(&xdrs) > before);
		FUZZ_CHECK(text_ends(entry.name, XFER_NAME_MAX));
		FUZZ_CHECK(entry.node.handle.len <= XFER_HANDLE_MAX);
	}
	free(copy);
	bytes_free(&bytes);
}

/* --- handles: nothing but what was made decodes -------------------------------------------------- */

static void run_handles(struct random *random)
{
	struct handle_maker maker = { .volume_id = (uint32_t)random_u64(random), .mac = true };
	union kernel_handle kernel = { 0 }, back = { 0 };
	struct xfer_handle made, damaged;
	struct bytes bytes = { 0 };
	uint32_t id;
	bool root;
	int err;

	random_bytes(random, maker.key, sizeof(maker.key));
	kernel.fh.handle_bytes = 1 + random_below(random, 45);
	kernel.fh.handle_type = (int)random_below(random, 0x7fff);
	random_bytes(random, kernel.fh.f_handle, kernel.fh.handle_bytes);
	FUZZ_CHECK(handle_encode(&maker, &kernel, &made) == 0);
	FUZZ_CHECK(handle_decode(&maker, &made, &root, &back) == 0 && !root);
	FUZZ_CHECK(memcmp(&kernel, &back, sizeof(kernel)) == 0);

	bytes_add(&bytes, made.data, made.len);
	bytes_damage(&bytes, random);
	memset(&damaged, 0, sizeof(damaged));
	damaged.len = bytes.len <= XFER_HANDLE_MAX ? (uint32_t)bytes.len : XFER_HANDLE_MAX;
	if (damaged.len > 0)
		memcpy(damaged.data, bytes.data, damaged.len);
	if (xfer_handle_volume(&damaged, &id))
		FUZZ_CHECK(damaged.len >= 6);
	err = handle_decode(&maker, &damaged, &root, &back);
	FUZZ_CHECK(err == 0 || err == HANDLE_BAD);
	xfer_handle_root(maker.volume_id, &made);
	if (err == 0 && root)
		FUZZ_CHECK(xfer_handle_equal(&made, &damaged));
	FUZZ_CHECK(handle_encode(&maker, &kernel, &made) == 0);
	if (err == 0 && !root)
		FUZZ_CHECK(xfer_handle_equal(&made, &damaged));
	bytes_free(&bytes);
}

const struct fuzz_target fuzz_args = { .name = "args", .run = run_args };
const struct fuzz_target fuzz_results = { .name = "results", .run = run_results };
const struct fuzz_target fuzz_calls = { .name = "calls", .run = run_calls };
const struct fuzz_target fuzz_replies = { .name = "replies", .run = run_replies };
const struct fuzz_target fuzz_entries = { .name = "entries", .run = run_entries };
const struct fuzz_target fuzz_handles = { .name = "handles", .run = run_handles };
