/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* rpc.c -- ONC RPC messages (RFC 5531) of the control protocol in memory, by libntirpc's codecs */

#include <errno.h>
#include <string.h>

#include <rpc/rpc.h>
#include <rpc/xdr_inline.h>

#include "control/rpc.h"

#define AUTH_TLS 7 /* RFC 9289 */

int xfer_rpc_encode_call(uint8_t *buf, uint32_t size, uint32_t xid, uint32_t proc,
	struct xfer_request_header *header, union xfer_args *args)
{
	struct rpc_msg msg = { .rm_xid = xid, .rm_direction = CALL };
	XDR xdrs;

	msg.rm_call.cb_rpcvers = RPC_MSG_VERSION;
	msg.cb_prog = XFER_PROGRAM;
	msg.cb_vers = XFER_VERSION;
	msg.cb_proc = proc;
	msg.cb_cred = msg.cb_verf = _null_auth;
	xdrmem_ncreate(&xdrs, (char *)buf, size, XDR_ENCODE);
	if (!xdr_ncallmsg(&xdrs, &msg) || (header && !xfer_xdr_request_header(&xdrs, header)) ||
		!xfer_proc_info(proc)->args(&xdrs, args))
		return -EMSGSIZE;
	return (int)XDR_GETPOS(&xdrs);
}

static void accepted(struct rpc_msg *msg, uint32_t xid, enum accept_stat stat)
{
	msg->rm_xid = xid;
	msg->rm_direction = REPLY;
	rpc_msg_init(msg);
	msg->rm_reply.rp_stat = MSG_ACCEPTED;
	msg->RPCM_ack.ar_stat = stat;
}

int xfer_rpc_encode_reply(
	uint8_t *buf, uint32_t size, uint32_t xid, uint32_t proc, union xfer_results *results)
{
	struct rpc_msg msg = { 0 };
	XDR xdrs;

	accepted(&msg, xid, SUCCESS);
	xdrmem_ncreate(&xdrs, (char *)buf, size, XDR_ENCODE);
	if (!xdr_nreplymsg(&xdrs, &msg) || !xfer_proc_info(proc)->results(&xdrs, results))
		return -EMSGSIZE;
	return (int)XDR_GETPOS(&xdrs);
}

static void denied(struct rpc_msg *msg, uint32_t xid, enum reject_stat stat)
{
	msg->rm_xid = xid;
	msg->rm_direction = REPLY;
	msg->rm_reply.rp_stat = MSG_DENIED;
	msg->RPCM_rej.rj_stat = stat;
}

static void unauthenticated(struct rpc_msg *msg, uint32_t xid, enum auth_stat why)
{
	denied(msg, xid, AUTH_ERROR);
	msg->RPCM_rej.ru.RJ_why = why;
}

int xfer_rpc_encode_refusal(
	uint8_t *buf, uint32_t size, uint32_t xid, enum xfer_rpc_refusal refusal)
{
	static const enum accept_stat stats[] = {
		[XFER_RPC_NO_PROGRAM] = PROG_UNAVAIL,
		[XFER_RPC_NO_VERSION] = PROG_MISMATCH,
		[XFER_RPC_NO_PROCEDURE] = PROC_UNAVAIL,
		[XFER_RPC_GARBAGE] = GARBAGE_ARGS,
	};
	struct rpc_msg msg = { 0 };
	XDR xdrs;

	switch (refusal) {
	case XFER_RPC_WRONG_RPC_VERSION:
		denied(&msg, xid, RPC_MISMATCH);
		msg.RPCM_rej.rj_vers.low = msg.RPCM_rej.rj_vers.high = RPC_MSG_VERSION;
		break;
	case XFER_RPC_NO_SESSION:
		unauthenticated(&msg, xid, AUTH_TOOWEAK);
		break;
	case XFER_RPC_BAD_CREDENTIAL:
		unauthenticated(&msg, xid, AUTH_BADCRED);
		break;
	case XFER_RPC_BAD_VERIFIER:
		unauthenticated(&msg, xid, AUTH_BADVERF);
		break;
	default:
		accepted(&msg, xid, stats[refusal]);
		if (refusal == XFER_RPC_NO_VERSION)
			msg.RPCM_ack.ar_vers.low = msg.RPCM_ack.ar_vers.high = XFER_VERSION;
		break;
	}
	xdrmem_ncreate(&xdrs, (char *)buf, size, XDR_ENCODE);
	return xdr_nreplymsg(&xdrs, &msg) ? (int)XDR_GETPOS(&xdrs) : -EMSGSIZE;
}

static uint32_t word(const uint8_t *head, unsigned index)
{
	uint32_t value;

	memcpy(&value, head + 4 * index, sizeof(value));
	return ntohl(value);
}

bool xfer_rpc_is_reply(const uint8_t *head, uint32_t len, uint32_t *xid)
{
	if (len < 8 || word(head, 1) != REPLY)
		return false;
	*xid = word(head, 0);
	return true;
}

/* Credentials aren't looked at, but for those of a probe: a call with them is one, or wrong. */
static bool probes_well(const struct rpc_msg *msg, enum xfer_rpc_refusal *refusal)
{
	if (msg->cb_cred.oa_flavor != AUTH_TLS)
		return true;
	*refusal = XFER_RPC_BAD_CREDENTIAL;
	if (msg->cb_proc != XFER_PROC_NULL || msg->cb_cred.oa_length > 0)
		return false;
	*refusal = XFER_RPC_BAD_VERIFIER;
	return msg->cb_verf.oa_flavor == AUTH_NONE && msg->cb_verf.oa_length == 0;
}

int xfer_rpc_decode_call(XDR *xdrs, struct xfer_rpc_call *call, enum xfer_rpc_refusal *refusal)
{
	const uint8_t *head = xdrs->x_data;
	struct rpc_msg msg;

	/* Six words come before the credentials: xid, direction, RPC version, program, version,
	 * procedure. */
	if (xdr_size_inline(xdrs) < 24 || word(head, 1) != CALL)
		return -EPROTO;
	call->xid = word(head, 0);
	*refusal = XFER_RPC_WRONG_RPC_VERSION;
	if (word(head, 2) != RPC_MSG_VERSION)
		return -EBADMSG;
	*refusal = XFER_RPC_GARBAGE;
	rpc_msg_init(&msg);
	if (!xdr_ncallmsg(xdrs, &msg))
		return -EBADMSG;
	if (!probes_well(&msg, refusal))
		return -EBADMSG;
	*refusal = XFER_RPC_NO_PROGRAM;
	if (msg.cb_prog != XFER_PROGRAM)
		return -EBADMSG;
	*refusal = XFER_RPC_NO_VERSION;
	if (msg.cb_vers != XFER_VERSION)
		return -EBADMSG;
	*refusal = XFER_RPC_NO_PROCEDURE;
	if (!xfer_proc_info(msg.cb_proc))
		return -EBADMSG;
	call->proc = msg.cb_proc;
	call->auth_flavor = (uint32_t)msg.cb_cred.oa_flavor;
	return 0;
}

static int refused(const struct rpc_msg *msg)
{
	if (msg->rm_reply.rp_stat == MSG_DENIED)
		return msg->RPCM_rej.rj_stat == AUTH_ERROR ? -EACCES : -EPROTO;
	switch (msg->RPCM_ack.ar_stat) {
	case SUCCESS:
		return 0;
	case GARBAGE_ARGS:
		return -EBADMSG;
	case SYSTEM_ERR:
		return -EIO;
	default:
		return -EOPNOTSUPP;
	}
}

int xfer_rpc_decode_reply(
	const uint8_t *head, uint32_t len, uint32_t proc, union xfer_results *results)
{
	struct rpc_msg msg;
	XDR xdrs;
	int err;

	rpc_msg_init(&msg);
	xdrmem_ncreate(&xdrs, (char *)head, len, XDR_DECODE);
	if (!xdr_nreplymsg(&xdrs, &msg))
		return -EPROTO;
	err = refused(&msg);
	if (err)
		return err;
	if (!xfer_proc_info(proc)->results(&xdrs, results) || XDR_GETPOS(&xdrs) != len)
		return -EPROTO;
	return 0;
}
