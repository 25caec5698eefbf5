/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* session_guard.c -- keeps strangers from having a session's replies repeated */

/*
 * libntirpc has one table of operations for all TCP connections (those of TLS have copies, which call the original), and for each
 * connection a callback that takes a call when its header has been decoded. The table's xp_decode, which is called for each
 * record, sees to it that this callback is ours.
 */

#include <stdatomic.h>

#include "client.h"
#include "refusals.h"
#include "session_guard.h"
#include "sessions.h"
#include "tls_frontend.h"
#include "validity.h"

#define TAG_MAX (1u << 30) /* bytes: no record is as long */

static struct {
	pthread_mutex_t lock;          /* the start */
	struct xp_ops *table;          /* of libntirpc; NULL: not started */
	svc_req_fun_t decode, process; /* what libntirpc and Ganesha have there */
	struct sessions sessions;
} guard = { .lock = PTHREAD_MUTEX_INITIALIZER, .sessions.lock = PTHREAD_MUTEX_INITIALIZER };

/* --- whom a session belongs to ------------------------------------------------------------------ */

static uint64_t mix(uint64_t hash, const char *text)
{
	do
		hash = (hash ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
	while (*text++);
	return hash;
}

/* Those who show the same names count as one, so that certificates can be renewed. */
static uint64_t owner_of(const struct xfer_tls_security *security)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	if (!security)
		return 0;
	hash = mix(hash, xfer_tls_security_mutual(security) ? "mtls" : "tls");
	hash = mix(hash, xfer_tls_security_subject(security));
	return mix(hash, xfer_tls_security_names(security)) | 1;
}

void session_guard_bind(const struct xfer_tls_security *security)
{
	const nfs_request_t *request = rdx_request();
	compound_data_t *compound;

	if (!request || op_ctx->nfs_vers != NFS_V4)
		return;
	compound = request->proc_data;
	if (!compound || !compound->session || !compound->sa_cachethis)
		return;
	if (!sessions_bind(&guard.sessions, (const uint8_t *)compound->session->session_id,
		    owner_of(security), validity_now()))
		compound->sa_cachethis = false;
}

/* --- what a request asks for -------------------------------------------------------------------- */

static bool skip(XDR *xdrs, uint32_t count)
{
	char some[256];

	while (count > 0) {
		uint32_t part = count < sizeof(some) ? count : sizeof(some);

		if (!XDR_GETBYTES(xdrs, some, part))
			return false;
		count -= part;
	}
	return true;
}

static bool find_session(XDR *xdrs, uint8_t *id)
{
	uint32_t tag, minor, count, op;

	return XDR_GETUINT32(xdrs, &tag) && tag <= TAG_MAX && skip(xdrs, RNDUP(tag)) &&
	       XDR_GETUINT32(xdrs, &minor) && XDR_GETUINT32(xdrs, &count) && count > 0 &&
	       XDR_GETUINT32(xdrs, &op) && op == NFS4_OP_SEQUENCE &&
	       XDR_GETBYTES(xdrs, (char *)id, NFS4_SESSIONID_SIZE);
}

bool session_guard_peek(XDR *xdrs, uint8_t id[NFS4_SESSIONID_SIZE])
{
	u_int start = XDR_GETPOS(xdrs);
	bool found = find_session(xdrs, id);

	return XDR_SETPOS(xdrs, start) && found;
}

static bool may_ask(struct svc_req *request)
{
	const struct rpc_msg *call = &request->rq_msg;
	uint8_t id[NFS4_SESSIONID_SIZE];

	if (!atomic_load(&guard.sessions.used) || call->cb_vers != NFS_V4 ||
		call->cb_proc != NFSPROC4_COMPOUND || !session_guard_peek(request->rq_xdrs, id))
		return true;
	return sessions_admit(
		&guard.sessions, id, owner_of(rdx_tls_security_of(request)), validity_now());
}

/* --- where requests come by --------------------------------------------------------------------- */

static void log_stranger(const struct svc_req *request)
{
	static struct refusals refusals = { .lock = PTHREAD_MUTEX_INITIALIZER };
	const sockaddr_t *address = &request->rq_xprt->xp_remote.ss;
	char client[INET6_ADDRSTRLEN];
	struct refusal refusal = { 0 };
	uint64_t untold;

	rdx_client_bytes(address, refusal.client);
	if (!refusals_tell(&refusals, &refusal, validity_now(), &untold))
		return;
	rdx_client_text(address, client, sizeof(client));
	LogWarn(COMPONENT_FSAL,
		"%s is refused a session of NFSv4.1: its client comes otherwise, by TLS or with another "
		"certificate",
		client);
}

static enum xprt_stat process(struct svc_req *request)
{
	if (may_ask(request))
		return guard.process(request);
	xfer_tls_count(XFER_TLS_XPRTSEC_STRANGERS);
	log_stranger(request);
	return svcerr_auth(request, AUTH_TOOWEAK);
}

static enum xprt_stat decode(struct svc_req *request)
{
	svc_req_fun_t *callback = &request->rq_xprt->xp_dispatch.process_cb;

	if (__atomic_load_n(callback, __ATOMIC_RELAXED) == guard.process)
		__atomic_store_n(callback, process, __ATOMIC_RELAXED);
	return guard.decode(request);
}

void session_guard_start(SVCXPRT *xprt)
{
	PTHREAD_MUTEX_lock(&guard.lock);
	if (!guard.table) {
		guard.sessions.life =
			(2 * nfs_param.nfsv4_param.lease_lifetime + 60) * UINT64_C(1000000000);
		guard.process = xprt->xp_dispatch.process_cb;
		guard.decode = xprt->xp_ops->xp_decode;
		guard.table = xprt->xp_ops;
		__atomic_store_n(&guard.table->xp_decode, decode, __ATOMIC_RELEASE);
	}
	PTHREAD_MUTEX_unlock(&guard.lock);
}

void session_guard_stop(void)
{
	PTHREAD_MUTEX_lock(&guard.lock);
	if (guard.table)
		__atomic_store_n(&guard.table->xp_decode, guard.decode, __ATOMIC_RELEASE);
	guard.table = NULL;
	PTHREAD_MUTEX_unlock(&guard.lock);
}
