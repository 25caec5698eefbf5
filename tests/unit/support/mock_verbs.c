/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* mock_verbs.c -- RDMA devices of a test: what is counted, and what fails */

#include "support/mock_fabric.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FAULTS    16
#define FUNCTIONS 64

struct fabric fabric = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.acknowledged = PTHREAD_COND_INITIALIZER,
};

/* A call that fails, a completion with a status, an event that is replaced: the nth from now on. */
struct fault {
	const char *function; /* NULL: any */
	unsigned nth;         /* 0: it isn't any more */
	int error;
};

/* Of their own: calls are counted before the fabric's lock is taken. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct fault faults[FAULTS];
static unsigned nfaults, failed;
static struct {
	const char *function;
	unsigned calls;
} counts[FUNCTIONS];
static struct {
	unsigned nth;
	enum ibv_wc_status status;
} statuses[2]; /* of sends, of receives */
static struct {
	enum rdma_cm_event_type type, by;
	unsigned nth;
	int status;
} replacement;
static char violation[256];
static char violation_told[256];

/* --- what the fabric asks -------------------------------------------------------------------------- */

static void count(const char *function)
{
	unsigned i = 0;

	while (i < FUNCTIONS && counts[i].function && strcmp(counts[i].function, function) != 0)
		i++;
	if (i == FUNCTIONS)
		abort();
	counts[i].function = function;
	counts[i].calls++;
}

/* What ends things fails only if it is named: nobody can do anything about it. */
static bool is_meant(const struct fault *fault, const char *function)
{
	if (fault->function)
		return strcmp(fault->function, function) == 0;
	return !strstr(function, "destroy") && !strstr(function, "dealloc") &&
	       !strstr(function, "dereg");
}

int fabric_fails(const char *function)
{
	int error = 0;

	pthread_mutex_lock(&lock);
	count(function);
	for (unsigned i = 0; i < nfaults; i++) {
		if (faults[i].nth == 0 || !is_meant(&faults[i], function))
			continue;
		if (--faults[i].nth == 0) {
			error = faults[i].error;
			failed++;
		}
	}
	pthread_mutex_unlock(&lock);
	if (error)
		errno = error;
	return error;
}

static _Thread_local bool forbidden;

bool fabric_is_forbidden(void)
{
	return forbidden;
}

void mock_verbs_forbid(bool is_forbidden)
{
	forbidden = is_forbidden;
}

void fabric_violation(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	pthread_mutex_lock(&lock);
	if (!violation[0])
		vsnprintf(violation, sizeof(violation), format, ap);
	pthread_mutex_unlock(&lock);
	va_end(ap);
}

void *fabric_new(size_t size)
{
	void *object = calloc(1, size ? size : 1);

	if (!object)
		abort();
	return object;
}

enum ibv_wc_status fabric_status(bool receive)
{
	enum ibv_wc_status status = IBV_WC_SUCCESS;

	pthread_mutex_lock(&lock);
	if (statuses[receive].nth > 0 && --statuses[receive].nth == 0)
		status = statuses[receive].status;
	pthread_mutex_unlock(&lock);
	return status;
}

bool fabric_replaced(enum rdma_cm_event_type *type, int *status)
{
	bool comes = true;

	pthread_mutex_lock(&lock);
	if (*type == replacement.type && replacement.nth > 0 && --replacement.nth == 0) {
		comes = replacement.by != MOCK_NEVER;
		*type = replacement.by;
		*status = replacement.status;
	}
	pthread_mutex_unlock(&lock);
	return comes;
}

/* --- what the test says ---------------------------------------------------------------------------- */

void mock_verbs_fail(const char *function, unsigned nth, int error)
{
	pthread_mutex_lock(&lock);
	if (nfaults == FAULTS)
		abort();
	faults[nfaults++] = (struct fault){ .function = function, .nth = nth, .error = error };
	pthread_mutex_unlock(&lock);
}

unsigned mock_verbs_failed(void)
{
	unsigned n;

	pthread_mutex_lock(&lock);
	n = failed;
	failed = nfaults = 0;
	pthread_mutex_unlock(&lock);
	return n;
}

unsigned mock_verbs_calls(const char *function)
{
	unsigned calls = 0;

	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < FUNCTIONS && counts[i].function; i++)
		if (strcmp(counts[i].function, function) == 0)
			calls = counts[i].calls;
	pthread_mutex_unlock(&lock);
	return calls;
}

void mock_verbs_complete(bool receive, unsigned nth, enum ibv_wc_status status)
{
	pthread_mutex_lock(&lock);
	statuses[receive].nth = nth;
	statuses[receive].status = status;
	pthread_mutex_unlock(&lock);
}

void mock_verbs_replace(
	enum rdma_cm_event_type type, unsigned nth, enum rdma_cm_event_type by, int status)
{
	pthread_mutex_lock(&lock);
	replacement.type = type;
	replacement.nth = nth;
	replacement.by = by;
	replacement.status = status;
	pthread_mutex_unlock(&lock);
}

static struct fabric_device *find_device(const char *name)
{
	for (unsigned i = 0; i < fabric.ndevices; i++)
		if (strcmp(fabric.devices[i].spec.name, name) == 0)
			return &fabric.devices[i];
	abort();
}

void mock_verbs_cm_event(const char *device, enum rdma_cm_event_type type, int status)
{
	pthread_mutex_lock(&fabric.lock);
	fabric_cm_event_all(find_device(device), type, status);
	pthread_mutex_unlock(&fabric.lock);
}

static void async_qps(const struct fabric_device *device, struct ibv_async_event *event)
{
	struct fabric_qp *qp;

	TAILQ_FOREACH (qp, &fabric.qps, entry) {
		if (fabric_device_of(qp->qp.context) != device)
			continue;
		event->element.qp = &qp->qp;
		fabric_async((struct fabric_context *)qp->qp.context, event);
	}
}

static void async_cqs(const struct fabric_device *device, struct ibv_async_event *event)
{
	struct fabric_cq *cq;

	TAILQ_FOREACH (cq, &fabric.cqs, entry) {
		if (fabric_device_of(cq->cq.context) != device)
			continue;
		event->element.cq = &cq->cq;
		fabric_async((struct fabric_context *)cq->cq.context, event);
	}
}

void mock_verbs_async_event(const char *device, enum ibv_event_type type)
{
	struct ibv_async_event event = { .event_type = type, .element.port_num = 1 };
	struct fabric_device *of = find_device(device);
	struct fabric_context *context;

	pthread_mutex_lock(&fabric.lock);
	switch (type) {
	case IBV_EVENT_QP_FATAL:
	case IBV_EVENT_QP_REQ_ERR:
	case IBV_EVENT_QP_ACCESS_ERR:
	case IBV_EVENT_COMM_EST:
	case IBV_EVENT_SQ_DRAINED:
	case IBV_EVENT_PATH_MIG:
	case IBV_EVENT_PATH_MIG_ERR:
	case IBV_EVENT_QP_LAST_WQE_REACHED:
		async_qps(of, &event);
		break;
	case IBV_EVENT_CQ_ERR:
		async_cqs(of, &event);
		break;
	default:
		TAILQ_FOREACH (context, &fabric.contexts, entry)
			if (context->device == of)
				fabric_async(context, &event);
	}
	pthread_mutex_unlock(&fabric.lock);
}

void mock_verbs_hold(bool hold)
{
	pthread_mutex_lock(&fabric.lock);
	fabric.held = hold;
	pthread_mutex_unlock(&fabric.lock);
	if (!hold)
		mock_verbs_step(UINT_MAX);
}

unsigned mock_verbs_step(unsigned max)
{
	struct fabric_qp *qp;
	unsigned n = 0;

	pthread_mutex_lock(&fabric.lock);
	TAILQ_FOREACH (qp, &fabric.qps, entry)
		n += fabric_qp_run(qp, max - n);
	pthread_mutex_unlock(&fabric.lock);
	return n;
}

struct mock_live mock_verbs_live(void)
{
	struct mock_live live;

	pthread_mutex_lock(&fabric.lock);
	live = fabric.live;
	pthread_mutex_unlock(&fabric.lock);
	return live;
}

struct mock_traffic mock_verbs_traffic(void)
{
	struct mock_traffic traffic;

	pthread_mutex_lock(&fabric.lock);
	traffic = fabric.traffic;
	pthread_mutex_unlock(&fabric.lock);
	return traffic;
}

const char *mock_verbs_violation(void)
{
	pthread_mutex_lock(&lock);
	memcpy(violation_told, violation, sizeof(violation));
	violation[0] = '\0';
	pthread_mutex_unlock(&lock);
	return violation_told[0] ? violation_told : NULL;
}

/* --- a test's beginning and end -------------------------------------------------------------------- */

static void forget_faults(void)
{
	pthread_mutex_lock(&lock);
	nfaults = failed = 0;
	memset(counts, 0, sizeof(counts));
	memset(statuses, 0, sizeof(statuses));
	memset(&replacement, 0, sizeof(replacement));
	violation[0] = '\0';
	pthread_mutex_unlock(&lock);
}

void mock_verbs_begin(const struct mock_device *devices, unsigned n)
{
	if (n > FABRIC_DEVICES)
		abort();
	forget_faults();
	pthread_mutex_lock(&fabric.lock);
	TAILQ_INIT(&fabric.contexts);
	TAILQ_INIT(&fabric.mrs);
	TAILQ_INIT(&fabric.cqs);
	TAILQ_INIT(&fabric.qps);
	TAILQ_INIT(&fabric.ids);
	memset(&fabric.live, 0, sizeof(fabric.live));
	memset(&fabric.traffic, 0, sizeof(fabric.traffic));
	fabric.async_unacked = 0;
	fabric.held = false;
	fabric.ndevices = n;
	for (unsigned i = 0; i < n; i++) {
		struct fabric_device *device = &fabric.devices[i];

		memset(device, 0, sizeof(*device));
		device->spec = devices[i];
		device->device.node_type = devices[i].iwarp ? IBV_NODE_RNIC : IBV_NODE_CA;
		device->device.transport_type =
			devices[i].iwarp ? IBV_TRANSPORT_IWARP : IBV_TRANSPORT_IB;
		snprintf(device->device.name, sizeof(device->device.name), "%s", devices[i].name);
		snprintf(device->device.dev_name, sizeof(device->device.dev_name), "uverbs%u", i);
	}
	pthread_mutex_unlock(&fabric.lock);
}

/* What librdmacm has of its own. */
static void free_devices(void)
{
	for (unsigned i = 0; i < fabric.ndevices; i++) {
		if (!fabric.devices[i].cm_context)
			continue;
		free(fabric.devices[i].cm_pd);
		fabric_context_free(fabric.devices[i].cm_context);
	}
	fabric.ndevices = 0;
}

void mock_verbs_end(void)
{
	struct mock_live live = mock_verbs_live();
	unsigned unacked;
	const char *bad = mock_verbs_violation();

	if (bad)
		fail_msg("against the rules of verbs: %s", bad);
	if (live.lists || live.contexts || live.pds || live.mrs || live.comp_channels || live.cqs ||
		live.qps || live.cm_channels || live.ids)
		fail_msg("left: %u lists, %u contexts, %u PDs, %u MRs, %u completion channels, "
			 "%u CQs, %u QPs, %u event channels, %u ids",
			live.lists, live.contexts, live.pds, live.mrs, live.comp_channels, live.cqs,
			live.qps, live.cm_channels, live.ids);
	pthread_mutex_lock(&fabric.lock);
	free_devices();
	unacked = fabric.async_unacked;
	pthread_mutex_unlock(&fabric.lock);
	if (unacked)
		fail_msg("%u asynchronous events weren't acknowledged", unacked);
}
