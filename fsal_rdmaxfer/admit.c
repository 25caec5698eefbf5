/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* admit.c -- whether a request comes by a connection that its export may be reached by */

#include <errno.h>

#include "admit.h"
#include "answer.h"
#include "client.h"
#include "module.h"
#include "refusals.h"
#include "session_guard.h"
#include "tls_frontend.h"
#include "validity.h"

static struct refusals refusals = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* --- an export's policy ------------------------------------------------------------------------- */

void admission_init(struct admission *admission)
{
	PTHREAD_RWLOCK_init(&admission->lock, NULL);
	admission->policy = (struct xprtsec){ 0 };
	atomic_init(&admission->open, false);
}

void admission_change(struct admission *admission, const struct xprtsec *policy)
{
	struct xprtsec old;

	PTHREAD_RWLOCK_wrlock(&admission->lock);
	old = admission->policy;
	admission->policy = *policy;
	atomic_store(&admission->open, xprtsec_is_open(policy));
	PTHREAD_RWLOCK_unlock(&admission->lock);
	xprtsec_fini(&old);
}

void admission_fini(struct admission *admission)
{
	xprtsec_fini(&admission->policy);
	PTHREAD_RWLOCK_destroy(&admission->lock);
}

/* sideband: it is one of those that Xprtsec_Sideband is for. */
static enum xprtsec_verdict judge(
	struct admission *admission, const struct xfer_tls_security *security, bool sideband)
{
	enum xprtsec_verdict verdict;

	PTHREAD_RWLOCK_rdlock(&admission->lock);
	if (sideband && !security && admission->policy.sideband)
		verdict = XPRTSEC_ADMITTED;
	else
		verdict = xprtsec_judge(&admission->policy, security);
	PTHREAD_RWLOCK_unlock(&admission->lock);
	return verdict;
}

/* --- the log ------------------------------------------------------------------------------------ */

static void log_refusal(enum xprtsec_verdict verdict, const struct xfer_tls_security *security)
{
	struct refusal refusal = {
		.export_id = op_ctx->ctx_export->export_id,
		.verdict = (uint16_t)verdict,
	};
	char client[INET6_ADDRSTRLEN], why[512], others[64] = "";
	uint64_t untold;

	rdx_client_bytes(op_ctx->caller_addr, refusal.client);
	if (!refusals_tell(&refusals, &refusal, validity_now(), &untold))
		return;
	rdx_client_text(op_ctx->caller_addr, client, sizeof(client));
	xprtsec_explain(verdict, security, why, sizeof(why));
	if (untold > 0)
		snprintf(others, sizeof(others), " (and %" PRIu64 " more requests of others)",
			untold);
	LogWarn(COMPONENT_FSAL, "Export %s refuses %s: %s%s", CTX_FULLPATH(op_ctx), client, why,
		others);
}

/* --- requests ----------------------------------------------------------------------------------- */

/* Of the export that the present request is for; NULL: nobody has to be asked. */
static struct admission *admission_of_request(void)
{
	struct admission *admission;

	if (!rdx_is_for_client())
		return NULL;
	admission = rdx_export_admission(op_ctx->fsal_export);
	return atomic_load(&admission->open) ? NULL : admission;
}

static fsal_status_t admit(struct admission *admission, bool sideband)
{
	const struct xfer_tls_security *security = rdx_tls_security();
	enum xprtsec_verdict verdict = judge(admission, security, sideband);

	if (verdict == XPRTSEC_ADMITTED) {
		session_guard_bind(security);
		return fsalstat(ERR_FSAL_NO_ERROR, 0);
	}
	xfer_tls_count(XFER_TLS_XPRTSEC_REFUSED);
	log_refusal(verdict, security);
	return fsalstat(ERR_FSAL_ACCESS, EACCES);
}

fsal_status_t rdx_admit(void)
{
	struct admission *admission = admission_of_request();

	if (!admission || rdx_request_gives_back())
		return fsalstat(ERR_FSAL_NO_ERROR, 0);
	return admit(admission, rdx_request_program() == P_NLM);
}

fsal_status_t rdx_admit_handle(void)
{
	struct admission *admission = admission_of_request();
	protos program = rdx_request_program();
	fsal_status_t status = fsalstat(ERR_FSAL_NO_ERROR, 0);

	if (admission)
		status = admit(admission, program == P_NLM || program == P_MNT);
	if (FSAL_IS_ERROR(status))
		rdx_answer_access();
	return status;
}
