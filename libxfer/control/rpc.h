/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* rpc.h -- ONC RPC messages (RFC 5531) of the control protocol in memory */
#ifndef XFER_CONTROL_RPC_H
#define XFER_CONTROL_RPC_H

#include "control/protocol.h"

/* Bytes that hold the head of any call without its groups, or of any reply without variable
 * results. */
#define XFER_CALL_HEAD  1024u
#define XFER_REPLY_HEAD 1024u

/*
 * Encodes a call's head into buf. header: NULL for procedures outside of a session. Returns the
 * length in bytes, a multiple of 4, or -EMSGSIZE.
 */
int xfer_rpc_encode_call(uint8_t *buf, uint32_t size, uint32_t xid, uint32_t proc,
	struct xfer_request_header *header, union xfer_args *args);

/* The same for a reply. */
int xfer_rpc_encode_reply(
	uint8_t *buf, uint32_t size, uint32_t xid, uint32_t proc, union xfer_results *results);

/* How a call is refused at the RPC level. */
enum xfer_rpc_refusal {
	XFER_RPC_NO_PROGRAM,
	XFER_RPC_NO_VERSION,
	XFER_RPC_NO_PROCEDURE,
	XFER_RPC_GARBAGE,
	XFER_RPC_WRONG_RPC_VERSION,
	XFER_RPC_NO_SESSION, /* an operation outside of a session */
	/* RFC 9289, section 4.1: what isn't a probe, but has its credential */
	XFER_RPC_BAD_CREDENTIAL,
	XFER_RPC_BAD_VERIFIER,
};
int xfer_rpc_encode_refusal(
	uint8_t *buf, uint32_t size, uint32_t xid, enum xfer_rpc_refusal refusal);

/* What a call's head begins with. */
struct xfer_rpc_call {
	uint32_t xid, proc;
	uint32_t auth_flavor;
};

/*
 * Decodes a call's RPC header; xdrs is left at the arguments. 0; -EPROTO: not a call at all;
 * -EBADMSG: answer with *refusal (call->xid is set).
 */
int xfer_rpc_decode_call(XDR *xdrs, struct xfer_rpc_call *call, enum xfer_rpc_refusal *refusal);

/* The xid of a message of at least 8 bytes, and whether it is a reply. */
bool xfer_rpc_is_reply(const uint8_t *head, uint32_t len, uint32_t *xid);

/* Decodes a reply's RPC header and its results. 0; -EPROTO: not understood; -EOPNOTSUPP, -EBADMSG,
 * -EACCES: the server refused (no such program or procedure; garbage; no session). */
int xfer_rpc_decode_reply(
	const uint8_t *head, uint32_t len, uint32_t proc, union xfer_results *results);

#endif
