/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* calls.c -- heads of calls: RPC header, what operations begin with, arguments */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rpc/xdr_inline.h>

#include "control/rpc.h"
#include "fuzz.h"

#define LEFT_OVER 0xa5 /* what decoders find in their targets */

/* A call as it was decoded. */
struct decoded {
	struct xfer_rpc_call call;
	struct xfer_request_header header;
	uint32_t groups[XFER_GROUPS_MAX];
	union xfer_args args;
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

/* Its length in bytes; -1: it doesn't decode. */
static int decode(const uint8_t *head, uint32_t len, struct decoded *decoded)
{
	enum xfer_rpc_refusal refusal = XFER_RPC_GARBAGE;
	uint32_t nothing; /* aligned, as libntirpc wants it */
	XDR xdrs;
	int err;

	memset(decoded, LEFT_OVER, sizeof(*decoded));
	decoded->header.groups = decoded->groups;
	xdrmem_ncreate(&xdrs, (char *)head, len, XDR_DECODE);
	err = xfer_rpc_decode_call(&xdrs, &decoded->call, &refusal);
	FUZZ_CHECK(err == 0 || err == -EPROTO || err == -EBADMSG);
	if (err == -EBADMSG)
		FUZZ_CHECK(xfer_rpc_encode_refusal((uint8_t *)&nothing, 0, decoded->call.xid,
				   refusal) == -EMSGSIZE);
	if (err || (decoded->call.proc >= XFER_PROC_FIRST_OP &&
			   !xfer_xdr_request_header(&xdrs, &decoded->header)))
		return -1;
	if (!xfer_proc_info(decoded->call.proc)->args(&xdrs, &decoded->args))
		return -1;
	return (int)XDR_GETPOS(&xdrs);
}

/* What everybody relies on who gets decoded arguments. */
static void check(struct decoded *decoded)
{
	uint32_t proc = decoded->call.proc;
	const struct xfer_handle *handle = xfer_args_handle(proc, &decoded->args);
	const struct xfer_payload *payload = xfer_args_payload(proc, &decoded->args);

	FUZZ_CHECK(!handle || handle->len <= XFER_HANDLE_MAX);
	FUZZ_CHECK(!payload || payload->length <= XFER_IO_MAX);
	if (proc >= XFER_PROC_FIRST_OP)
		FUZZ_CHECK(decoded->header.ngroups <= XFER_GROUPS_MAX);
}

/* It is encoded to something that decodes to the same: so texts end, and enumerations have values that there are. */
static void check_again(struct decoded *first)
{
	static _Alignas(4) uint8_t head[XFER_HEAD_MAX];
	static struct decoded again;
	uint32_t proc = first->call.proc;
	bool operation = proc >= XFER_PROC_FIRST_OP;
	int len = xfer_rpc_encode_call(head, sizeof(head), first->call.xid, proc,
		operation ? &first->header : NULL, &first->args);

	FUZZ_CHECK(len > 0);
	FUZZ_CHECK(decode(head, (uint32_t)len, &again) == len);
	FUZZ_CHECK(memcmp(&first->args, &again.args, sizeof(again.args)) == 0);
	FUZZ_CHECK(memcmp(first->groups, again.groups, sizeof(again.groups)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct decoded decoded;
	struct input input = { data, size };
	uint8_t *head = input_bytes(&input);
	int len = decode(head, (uint32_t)size, &decoded);

	FUZZ_CHECK(len <= (int)size);
	if (len >= 0) {
		check(&decoded);
		check_again(&decoded);
	}
	free(head);
	return 0;
}
