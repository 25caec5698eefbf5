/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* compat.h -- Ganesha's headers, and all that depends on its version */
#ifndef FSAL_RDMAXFER_COMPAT_H
#define FSAL_RDMAXFER_COMPAT_H

/*
 * This is the only file that knows versions of Ganesha. cmake/FindGanesha.cmake lets a supported
 * version through, the checks below stop a build whose headers or config.h are another's, and abi.c
 * stops a module that meets another server than the one it was built for.
 */

/* Ganesha's config.h comes before everything else, by the compiler's options. */
#ifndef NFS_GANESHA
#error "Ganesha's config.h is missing: build with cmake."
#endif

#include "fsal.h"
#include "fsal_api.h"
#include "fsal_types.h"
#include "fsal_convert.h"
#include "FSAL/fsal_init.h"
#include "FSAL/fsal_config.h"
#include "FSAL/fsal_commonlib.h"
#include "config_parsing.h"
#include "export_mgr.h"
#include "gsh_config.h"
#include "nfs_core.h"
#include "nfs_exports.h"
#include "nfs_init.h"
#include "nfs_proto_data.h"
#include "sal_data.h"

#include <netinet/in.h>
#include <rpc/svc_auth.h>
#include <rpc/xdr_ioq.h>
#include <stddef.h>

#if FSAL_MAJOR_VERSION == 11 && FSAL_MINOR_VERSION == 0
#define RDX_GANESHA_VERSION "4.3" /* what the module was built for */
#else
#error "These are not the headers of nfs-ganesha 4.3, the only version that is supported."
#endif

#ifdef __x86_64__
/* Sizes in Debian's binary, in bytes. They change with the macros of config.h. */
#define RDX_ASSERT_SIZE(type, size)                                                                \
	_Static_assert(sizeof(type) == (size), #type " isn't laid out as in nfs-ganesha 4.3")

RDX_ASSERT_SIZE(nfs_parameter_t, 512);
RDX_ASSERT_SIZE(struct req_op_context, 232);
RDX_ASSERT_SIZE(nfs_request_t, 2232);
RDX_ASSERT_SIZE(struct fsal_module, 352);
RDX_ASSERT_SIZE(struct fsal_export, 360);
RDX_ASSERT_SIZE(struct export_ops, 272);
RDX_ASSERT_SIZE(struct fsal_obj_handle, 144);
RDX_ASSERT_SIZE(struct fsal_obj_ops, 424);
RDX_ASSERT_SIZE(state_t, 216);
RDX_ASSERT_SIZE(SVCXPRT, 448);
_Static_assert(
	offsetof(nfs_request_t, op_context) == 1856, "nfs_request_t isn't nfs-ganesha 4.3's");

#undef RDX_ASSERT_SIZE
#endif

/*
 * How libntirpc 4.3 begins what it keeps of a TCP connection (its private struct rpc_dplx_rec). The library was built with
 * INET6, which makes its SVCXPRT longer than Ganesha's. ioq's queue has the record that has come in part.
 */
struct rdx_ntirpc_connection {
	SVCXPRT xprt;
	char rest_of_in6_pktinfo[sizeof(struct in6_pktinfo) - sizeof(struct in_pktinfo)];
	struct xdr_ioq ioq;
};

#ifdef __x86_64__
_Static_assert(offsetof(struct rdx_ntirpc_connection, ioq.ioq_uv.uvqh.qh) == 0x2b8,
	"a connection isn't laid out as in libntirpc 4.3");
#endif

/*
 * What nfs4_op_read.c of 4.3 keeps per READ and READ_PLUS. Its READ_PLUS asks the FSAL as READ does, and then answers
 * with content that no FSAL was given a place for: success, and no data. The operation's number tells the two apart.
 */
struct rdx_nfs4_read_data {
	READ4res *res;
	state_owner_t *owner;
	compound_data_t *data;
	struct fsal_obj_handle *obj;
	uint32_t flags;
	struct io_info info;
	struct fsal_io_arg arg; /* what read2 gets */
};

/* Of a read2 on a thread with the client's op_ctx. */
static inline bool rdx_is_read_plus(struct fsal_io_arg *arg)
{
	const struct rdx_nfs4_read_data *read = container_of(arg, struct rdx_nfs4_read_data, arg);

	return op_ctx->nfs_vers == NFS_V4 && op_ctx->nfs_minorvers == 2 &&
	       container_of(read->res, nfs_resop4, nfs_resop4_u.opread)->resop == NFS4_OP_READ_PLUS;
}

/* The client's request of any RPC program that this thread works on, or NULL. */
static inline nfs_request_t *rdx_rpc_request(void)
{
	if (!op_ctx || op_ctx->req_type != NFS_REQUEST)
		return NULL;
	return container_of(op_ctx, nfs_request_t, op_context);
}

/* The same, if it is one of NFS. */
static inline const nfs_request_t *rdx_request(void)
{
	const nfs_request_t *request = rdx_rpc_request();

	if (!request || request->svc.rq_msg.cb_prog != nfs_param.core_param.program[P_NFS])
		return NULL;
	return request;
}

/* Whether this thread works for a client, by whatever protocol: else Ganesha does so for itself. */
static inline bool rdx_is_for_client(void)
{
	return op_ctx && op_ctx->req_type != UNKNOWN_REQUEST;
}

/* The program of the present request, of enum protos; P_COUNT: it is none of RPC. */
static inline protos rdx_request_program(void)
{
	const nfs_request_t *request = rdx_rpc_request();
	protos program = P_NFS;

	if (!request)
		return P_COUNT;
	while (program < P_COUNT &&
		nfs_param.core_param.program[program] != request->svc.rq_msg.cb_prog)
		program++;
	return program;
}

static inline bool rdx_nlm_gives_back(rpcproc_t proc)
{
	return proc == NLMPROC4_UNLOCK || proc == NLMPROC4_UNLOCK_MSG || proc == NLMPROC4_CANCEL ||
	       proc == NLMPROC4_CANCEL_MSG || proc == NLMPROC4_UNSHARE;
}

static inline bool rdx_op_gives_back(nfs_opnum4 op)
{
	return op == NFS4_OP_CLOSE || op == NFS4_OP_LOCKU;
}

/* CLOSE, LOCKU, or the PUTFH for them, if nothing else comes behind. */
static inline bool rdx_compound_gives_back(const compound_data_t *compound)
{
	uint32_t next = compound->oppos + 1;

	if (rdx_op_gives_back(compound->opcode))
		return true;
	if (compound->opcode != NFS4_OP_PUTFH || next == compound->argarray_len)
		return false;
	while (next < compound->argarray_len && rdx_op_gives_back(compound->argarray[next].argop))
		next++;
	return next == compound->argarray_len;
}

/* Whether the client merely gives back what it has open or locked. */
static inline bool rdx_request_gives_back(void)
{
	const nfs_request_t *request = rdx_rpc_request();

	switch (rdx_request_program()) {
	case P_NLM:
		return rdx_nlm_gives_back(request->svc.rq_msg.cb_proc);
	case P_NFS:
		return op_ctx->nfs_vers == NFS_V4 && request->proc_data &&
		       rdx_compound_gives_back(request->proc_data);
	default:
		return false;
	}
}

static inline bool rdx_request_is_v3(rpcproc_t proc)
{
	const nfs_request_t *request = rdx_request();

	return request && op_ctx->nfs_vers == NFS_V3 && request->svc.rq_msg.cb_proc == proc;
}

/* Whether getattrs of such an object is asked to tell a client, rather than to check something or to say what was before
 * a change. */
static inline bool rdx_request_tells(object_file_type_t type)
{
	const nfs_request_t *request = rdx_request();
	const compound_data_t *compound;

	if (!request)
		return true;
	if (op_ctx->nfs_vers == NFS_V3)
		return request->svc.rq_msg.cb_proc == NFSPROC3_GETATTR ||
		       request->svc.rq_msg.cb_proc == NFSPROC3_ACCESS ||
		       (request->svc.rq_msg.cb_proc == NFSPROC3_LOOKUP && type != DIRECTORY);
	compound = request->proc_data;
	return !compound || compound->opcode == NFS4_OP_GETATTR ||
	       compound->opcode == NFS4_OP_VERIFY || compound->opcode == NFS4_OP_NVERIFY;
}

/* Whether ".." is looked up for a client. MDCACHE also does that for each directory that a request has the handle of, to
 * know of a parent; it can do without, and asks again when a client wants to know. */
static inline bool rdx_request_asks_parent(void)
{
	const nfs_request_t *request = rdx_request();
	const compound_data_t *compound;

	if (!request)
		return true;
	if (op_ctx->nfs_vers == NFS_V3)
		return request->svc.rq_msg.cb_proc == NFSPROC3_READDIR ||
		       request->svc.rq_msg.cb_proc == NFSPROC3_READDIRPLUS ||
		       (request->svc.rq_msg.cb_proc == NFSPROC3_LOOKUP &&
			       strcmp(request->arg_nfs.arg_lookup3.what.name, "..") == 0);
	compound = request->proc_data;
	return !compound || compound->opcode != NFS4_OP_PUTFH;
}

#endif
