/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* mock_device.c -- RDMA devices of a test: contexts, memory, completion queues */

#include "support/mock_fabric.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* What a completion doesn't say mustn't be believed. */
#define POISON 0xa5

#define DEFINE(type, name, params)                                                                 \
	type __wrap_##name params;                                                                 \
	type __wrap_##name params

static int limit(int of_device, int of_fabric)
{
	return of_device ? of_device : of_fabric;
}

/* --- bells ----------------------------------------------------------------------------------------- */

void fabric_bell_open(struct fabric_bell *bell)
{
	bell->fd = eventfd(0, EFD_CLOEXEC);
	bell->rung = false;
	if (bell->fd < 0)
		abort();
}

void fabric_bell_close(struct fabric_bell *bell)
{
	close(bell->fd);
}

void fabric_bell_set(struct fabric_bell *bell, bool rung)
{
	uint64_t value = 1;

	if (rung == bell->rung)
		return;
	bell->rung = rung;
	if ((rung ? write(bell->fd, &value, sizeof(value))
		  : read(bell->fd, &value, sizeof(value))) != sizeof(value))
		abort();
}

bool fabric_bell_wait(struct fabric_bell *bell)
{
	struct pollfd pollfd = { .fd = bell->fd, .events = POLLIN };

	while (!bell->rung) {
		if (fcntl(bell->fd, F_GETFL) & O_NONBLOCK) {
			errno = EAGAIN;
			return false;
		}
		pthread_mutex_unlock(&fabric.lock);
		poll(&pollfd, 1, -1);
		pthread_mutex_lock(&fabric.lock);
	}
	return true;
}

/* --- events that were got -------------------------------------------------------------------------- */

void fabric_got(struct fabric_got *got)
{
	got->unacked++;
	got->by = pthread_self();
}

bool fabric_acknowledge(struct fabric_got *got, unsigned count)
{
	bool fits = count <= got->unacked;

	got->unacked -= fits ? count : got->unacked;
	pthread_cond_broadcast(&fabric.acknowledged);
	return fits;
}

bool fabric_settle(struct fabric_got *got)
{
	while (got->unacked > 0) {
		if (pthread_equal(got->by, pthread_self()))
			return false;
		pthread_cond_wait(&fabric.acknowledged, &fabric.lock);
	}
	return true;
}

/* --- devices --------------------------------------------------------------------------------------- */

DEFINE(struct ibv_device **, ibv_get_device_list, (int *count))
{
	struct ibv_device **list;

	if (fabric_fails("ibv_get_device_list"))
		return NULL;
	pthread_mutex_lock(&fabric.lock);
	list = fabric_new((fabric.ndevices + 1) * sizeof(list[0]));
	for (unsigned i = 0; i < fabric.ndevices; i++)
		list[i] = &fabric.devices[i].device;
	if (count)
		*count = (int)fabric.ndevices;
	fabric.live.lists++;
	pthread_mutex_unlock(&fabric.lock);
	return list;
}

DEFINE(void, ibv_free_device_list, (struct ibv_device * *list))
{
	pthread_mutex_lock(&fabric.lock);
	fabric.live.lists--;
	pthread_mutex_unlock(&fabric.lock);
	free(list);
}

DEFINE(const char *, ibv_get_device_name, (struct ibv_device * device))
{
	return device->name;
}

struct fabric_device *fabric_device_of(const struct ibv_context *context)
{
	return ((const struct fabric_context *)context)->device;
}

struct fabric_context *fabric_context_new(struct fabric_device *device)
{
	struct fabric_context *context = fabric_new(sizeof(*context));

	context->device = device;
	context->context.device = &device->device;
	context->context.ops.poll_cq = fabric_poll_cq;
	context->context.ops.req_notify_cq = fabric_req_notify;
	context->context.ops.post_send = fabric_post_send;
	context->context.ops.post_recv = fabric_post_recv;
	context->context.num_comp_vectors = 1;
	fabric_bell_open(&context->bell);
	context->context.async_fd = context->bell.fd;
	context->context.cmd_fd = -1;
	TAILQ_INIT(&context->events);
	TAILQ_INSERT_TAIL(&fabric.contexts, context, entry);
	return context;
}

void fabric_context_free(struct fabric_context *context)
{
	struct fabric_async *event;

	if (context->pds || context->cqs || context->channels)
		fabric_violation("a context is closed with %u PDs, %u CQs, %u completion channels",
			context->pds, context->cqs, context->channels);
	while ((event = TAILQ_FIRST(&context->events))) {
		TAILQ_REMOVE(&context->events, event, entry);
		free(event);
	}
	TAILQ_REMOVE(&fabric.contexts, context, entry);
	fabric_bell_close(&context->bell);
	free(context);
}

DEFINE(struct ibv_context *, ibv_open_device, (struct ibv_device * device))
{
	struct fabric_context *context;

	if (fabric_fails("ibv_open_device"))
		return NULL;
	pthread_mutex_lock(&fabric.lock);
	context = fabric_context_new((struct fabric_device *)device);
	fabric.live.contexts++;
	pthread_mutex_unlock(&fabric.lock);
	return &context->context;
}

DEFINE(int, ibv_close_device, (struct ibv_context * context))
{
	struct fabric_context *closed = (struct fabric_context *)context;

	pthread_mutex_lock(&fabric.lock);
	if (closed == closed->device->cm_context) {
		fabric_violation("librdmacm's context is closed");
	} else {
		fabric_context_free(closed);
		fabric.live.contexts--;
	}
	pthread_mutex_unlock(&fabric.lock);
	return 0;
}

DEFINE(int, ibv_query_device, (struct ibv_context * context, struct ibv_device_attr *attr))
{
	const struct mock_device *spec = &fabric_device_of(context)->spec;
	int err = fabric_fails("ibv_query_device");

	if (err)
		return err;
	memset(attr, 0, sizeof(*attr));
	attr->phys_port_cnt = (uint8_t)limit((int)spec->nports, 1);
	attr->max_qp = limit(spec->max_qp, FABRIC_OBJECTS);
	attr->max_cq = limit(spec->max_cq, FABRIC_OBJECTS);
	attr->max_mr = limit(spec->max_mr, FABRIC_OBJECTS);
	attr->max_pd = FABRIC_OBJECTS;
	attr->max_mr_size = UINT64_MAX;
	attr->max_qp_wr = limit(spec->max_qp_wr, FABRIC_WRS);
	attr->max_cqe = limit(spec->max_cqe, FABRIC_CQES);
	attr->max_sge = limit(spec->max_sge, FABRIC_SGES);
	attr->max_qp_rd_atom = attr->max_qp_init_rd_atom = 16;
	return 0;
}

DEFINE(int, ibv_query_port,
	(struct ibv_context * context, uint8_t number, struct _compat_ibv_port_attr *compat))
{
	const struct mock_device *spec = &fabric_device_of(context)->spec;
	struct ibv_port_attr *attr = (struct ibv_port_attr *)compat;
	const struct mock_port *port = &spec->ports[number - 1];
	int err = fabric_fails("ibv_query_port");

	if (err == 0 && (number < 1 || number > limit((int)spec->nports, 1)))
		err = EINVAL;
	if (err)
		return err;
	/* Not all of it: the caller's may be of an older version. */
	memset(attr, 0, offsetof(struct ibv_port_attr, port_cap_flags2));
	attr->state = port->state ? port->state : IBV_PORT_ACTIVE;
	attr->link_layer = port->link_layer ? port->link_layer : IBV_LINK_LAYER_ETHERNET;
	attr->max_mtu = IBV_MTU_4096;
	attr->active_mtu = port->mtu ? port->mtu : IBV_MTU_4096;
	attr->gid_tbl_len = MOCK_GIDS;
	return 0;
}

/* A port has a GID for each address. */
DEFINE(int, ibv_query_gid,
	(struct ibv_context * context, uint8_t number, int index, union ibv_gid *gid))
{
	const struct mock_port *port = &fabric_device_of(context)->spec.ports[number - 1];
	const char *address = index < MOCK_ADDRESSES ? port->addresses[index] : NULL;

	if (fabric_fails("ibv_query_gid"))
		return -1;
	memset(gid, 0, sizeof(*gid));
	if (!address || port->no_gids || inet_pton(AF_INET6, address, gid->raw) == 1)
		return 0;
	gid->raw[10] = gid->raw[11] = 0xff;
	inet_pton(AF_INET, address, gid->raw + 12);
	return 0;
}

DEFINE(int, ibv_fork_init, (void))
{
	return fabric_fails("ibv_fork_init");
}

/* --- asynchronous events --------------------------------------------------------------------------- */

void fabric_async(struct fabric_context *context, const struct ibv_async_event *event)
{
	struct fabric_async *added = fabric_new(sizeof(*added));

	added->event = *event;
	TAILQ_INSERT_TAIL(&context->events, added, entry);
	fabric_bell_set(&context->bell, true);
}

/* What a queue pair or completion queue counts; NULL: the event is of something else. */
static struct fabric_got *got_of(const struct ibv_async_event *event)
{
	switch (event->event_type) {
	case IBV_EVENT_QP_FATAL:
	case IBV_EVENT_QP_REQ_ERR:
	case IBV_EVENT_QP_ACCESS_ERR:
	case IBV_EVENT_COMM_EST:
	case IBV_EVENT_SQ_DRAINED:
	case IBV_EVENT_PATH_MIG:
	case IBV_EVENT_PATH_MIG_ERR:
	case IBV_EVENT_QP_LAST_WQE_REACHED:
		return &((struct fabric_qp *)event->element.qp)->got_async;
	case IBV_EVENT_CQ_ERR:
		return &((struct fabric_cq *)event->element.cq)->got_async;
	default:
		return NULL;
	}
}

void fabric_async_forget(struct ibv_context *of, const void *element)
{
	struct fabric_context *context = (struct fabric_context *)of;
	struct fabric_async *event, *next;

	for (event = TAILQ_FIRST(&context->events); event; event = next) {
		next = TAILQ_NEXT(event, entry);
		if (!got_of(&event->event) || event->event.element.qp != element)
			continue;
		TAILQ_REMOVE(&context->events, event, entry);
		free(event);
	}
	fabric_bell_set(&context->bell, !TAILQ_EMPTY(&context->events));
}

DEFINE(int, ibv_get_async_event, (struct ibv_context * of, struct ibv_async_event *event))
{
	struct fabric_context *context = (struct fabric_context *)of;
	struct fabric_async *first;
	bool there;

	if (fabric_fails("ibv_get_async_event"))
		return -1;
	pthread_mutex_lock(&fabric.lock);
	there = fabric_bell_wait(&context->bell);
	if (there) {
		first = TAILQ_FIRST(&context->events);
		*event = first->event;
		TAILQ_REMOVE(&context->events, first, entry);
		free(first);
		fabric_bell_set(&context->bell, !TAILQ_EMPTY(&context->events));
		fabric.async_unacked++;
		if (got_of(event))
			fabric_got(got_of(event));
	}
	pthread_mutex_unlock(&fabric.lock);
	return there ? 0 : -1;
}

DEFINE(void, ibv_ack_async_event, (struct ibv_async_event * event))
{
	pthread_mutex_lock(&fabric.lock);
	if (fabric.async_unacked-- == 0)
		fabric_violation("an asynchronous event is acknowledged that wasn't got");
	if (got_of(event))
		fabric_acknowledge(got_of(event), 1);
	pthread_mutex_unlock(&fabric.lock);
}

/* --- memory ---------------------------------------------------------------------------------------- */

DEFINE(struct ibv_pd *, ibv_alloc_pd, (struct ibv_context * context))
{
	struct fabric_pd *pd;

	if (fabric_fails("ibv_alloc_pd"))
		return NULL;
	pthread_mutex_lock(&fabric.lock);
	pd = fabric_new(sizeof(*pd));
	pd->pd.context = context;
	((struct fabric_context *)context)->pds++;
	fabric.live.pds++;
	pthread_mutex_unlock(&fabric.lock);
	return &pd->pd;
}

DEFINE(int, ibv_dealloc_pd, (struct ibv_pd * freed))
{
	struct fabric_pd *pd = (struct fabric_pd *)freed;
	int err = fabric_fails("ibv_dealloc_pd");

	if (err)
		return err;
	pthread_mutex_lock(&fabric.lock);
	if (pd->mrs || pd->qps) {
		fabric_violation("a PD is freed with %u MRs and %u QPs", pd->mrs, pd->qps);
		err = EBUSY;
	} else {
		((struct fabric_context *)freed->context)->pds--;
		fabric.live.pds--;
		free(pd);
	}
	pthread_mutex_unlock(&fabric.lock);
	return err;
}

/* What the kernel says to a registration; with the lock. */
static int refuse(const struct mock_device *spec, size_t length, int access)
{
	if (access & (IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_ATOMIC) &&
		!(access & IBV_ACCESS_LOCAL_WRITE))
		return EINVAL;
	if (spec->memlock && fabric.live.registered + length > spec->memlock)
		return ENOMEM;
	return fabric.live.mrs >= (unsigned)limit(spec->max_mr, FABRIC_OBJECTS) ? ENOMEM : 0;
}

static struct ibv_mr *register_memory(struct ibv_pd *pd, void *address, size_t length, int access)
{
	static uint32_t made; /* no key comes twice; with the lock */
	struct fabric_mr *mr = NULL;
	int err;

	pthread_mutex_lock(&fabric.lock);
	err = refuse(&fabric_device_of(pd->context)->spec, length, access);
	if (err == 0) {
		mr = fabric_new(sizeof(*mr));
		made++;
		mr->mr = (struct ibv_mr){ .context = pd->context,
			.pd = pd,
			.addr = address,
			.length = length,
			.lkey = made << 8 | 1,
			.rkey = made << 8 | 2 };
		mr->access = access;
		TAILQ_INSERT_TAIL(&fabric.mrs, mr, entry);
		((struct fabric_pd *)pd)->mrs++;
		fabric.live.mrs++;
		fabric.live.registered += length;
	}
	pthread_mutex_unlock(&fabric.lock);
	if (err)
		errno = err;
	return mr ? &mr->mr : NULL;
}

DEFINE(struct ibv_mr *, ibv_reg_mr, (struct ibv_pd * pd, void *address, size_t length, int access))
{
	return fabric_fails("ibv_reg_mr") ? NULL : register_memory(pd, address, length, access);
}

/* What ibv_reg_mr is where `access` isn't a constant; addresses are what they are. */
DEFINE(struct ibv_mr *, ibv_reg_mr_iova2,
	(struct ibv_pd * pd, void *address, size_t length, uint64_t iova, unsigned access))
{
	if (iova != (uintptr_t)address)
		fabric_violation("memory is registered for another address");
	return fabric_fails("ibv_reg_mr") ? NULL
					  : register_memory(pd, address, length, (int)access);
}

DEFINE(int, ibv_dereg_mr, (struct ibv_mr * freed))
{
	struct fabric_mr *mr = (struct fabric_mr *)freed;
	int err = fabric_fails("ibv_dereg_mr");

	if (err)
		return err;
	pthread_mutex_lock(&fabric.lock);
	TAILQ_REMOVE(&fabric.mrs, mr, entry);
	((struct fabric_pd *)mr->mr.pd)->mrs--;
	fabric.live.mrs--;
	fabric.live.registered -= mr->mr.length;
	pthread_mutex_unlock(&fabric.lock);
	free(mr);
	return 0;
}

void *fabric_memory(const struct ibv_pd *pd, bool remote, uint32_t key, uint64_t address,
	uint64_t length, int access)
{
	struct fabric_mr *mr;

	TAILQ_FOREACH (mr, &fabric.mrs, entry)
		if ((remote ? mr->mr.rkey : mr->mr.lkey) == key)
			break;
	if (!mr || mr->mr.pd != pd || (mr->access & access) != access)
		return NULL;
	if (address < (uintptr_t)mr->mr.addr || address - (uintptr_t)mr->mr.addr > mr->mr.length ||
		length > mr->mr.length - (address - (uintptr_t)mr->mr.addr))
		return NULL;
	return (void *)(uintptr_t)address;
}

/* --- completion queues ----------------------------------------------------------------------------- */

DEFINE(struct ibv_comp_channel *, ibv_create_comp_channel, (struct ibv_context * context))
{
	struct fabric_channel *channel;

	if (fabric_fails("ibv_create_comp_channel"))
		return NULL;
	pthread_mutex_lock(&fabric.lock);
	channel = fabric_new(sizeof(*channel));
	fabric_bell_open(&channel->bell);
	channel->channel.context = context;
	channel->channel.fd = channel->bell.fd;
	TAILQ_INIT(&channel->events);
	((struct fabric_context *)context)->channels++;
	fabric.live.comp_channels++;
	pthread_mutex_unlock(&fabric.lock);
	return &channel->channel;
}

DEFINE(int, ibv_destroy_comp_channel, (struct ibv_comp_channel * destroyed))
{
	struct fabric_channel *channel = (struct fabric_channel *)destroyed;
	int err = 0;

	pthread_mutex_lock(&fabric.lock);
	if (channel->cqs) {
		fabric_violation("a completion channel is destroyed with %u CQs", channel->cqs);
		err = EBUSY;
	} else {
		fabric_bell_close(&channel->bell);
		((struct fabric_context *)destroyed->context)->channels--;
		fabric.live.comp_channels--;
		free(channel);
	}
	pthread_mutex_unlock(&fabric.lock);
	return err;
}

static struct fabric_cq *new_cq(
	struct ibv_context *context, int cqes, void *arg, struct ibv_comp_channel *channel)
{
	struct fabric_cq *cq = fabric_new(sizeof(*cq));

	cq->cq.context = context;
	cq->cq.channel = channel;
	cq->cq.cq_context = arg;
	cq->cq.cqe = cqes;
	cq->cqes = fabric_new((size_t)cqes * sizeof(cq->cqes[0]));
	TAILQ_INSERT_TAIL(&fabric.cqs, cq, entry);
	if (channel)
		((struct fabric_channel *)channel)->cqs++;
	((struct fabric_context *)context)->cqs++;
	fabric.live.cqs++;
	return cq;
}

DEFINE(struct ibv_cq *, ibv_create_cq,
	(struct ibv_context * context, int cqes, void *arg, struct ibv_comp_channel *channel,
		int vector))
{
	const struct mock_device *spec = &fabric_device_of(context)->spec;
	struct fabric_cq *cq = NULL;
	int err = 0;

	if (fabric_fails("ibv_create_cq"))
		return NULL;
	pthread_mutex_lock(&fabric.lock);
	if (cqes < 1 || cqes > limit(spec->max_cqe, FABRIC_CQES) || vector < 0 ||
		vector >= context->num_comp_vectors)
		err = EINVAL;
	else if (fabric.live.cqs >= (unsigned)limit(spec->max_cq, FABRIC_OBJECTS))
		err = ENOMEM;
	else
		cq = new_cq(context, cqes, arg, channel);
	pthread_mutex_unlock(&fabric.lock);
	if (err)
		errno = err;
	return cq ? &cq->cq : NULL;
}

static void free_cq(struct fabric_cq *cq)
{
	struct fabric_channel *channel = (struct fabric_channel *)cq->cq.channel;

	fabric_async_forget(cq->cq.context, cq);
	if (cq->pending) {
		TAILQ_REMOVE(&channel->events, cq, event);
		fabric_bell_set(&channel->bell, !TAILQ_EMPTY(&channel->events));
	}
	if (channel)
		channel->cqs--;
	TAILQ_REMOVE(&fabric.cqs, cq, entry);
	((struct fabric_context *)cq->cq.context)->cqs--;
	fabric.live.cqs--;
	free(cq->cqes);
	free(cq);
}

DEFINE(int, ibv_destroy_cq, (struct ibv_cq * destroyed))
{
	struct fabric_cq *cq = (struct fabric_cq *)destroyed;
	int err = fabric_fails("ibv_destroy_cq");

	if (err)
		return err;
	pthread_mutex_lock(&fabric.lock);
	if (cq->qps) {
		fabric_violation("a CQ is destroyed that QPs use");
		err = EBUSY;
	} else if (!fabric_settle(&cq->got) || !fabric_settle(&cq->got_async)) {
		fabric_violation("a CQ is destroyed with %u events not acknowledged",
			cq->got.unacked + cq->got_async.unacked);
		err = EBUSY;
	} else {
		free_cq(cq);
	}
	pthread_mutex_unlock(&fabric.lock);
	return err;
}

DEFINE(int, ibv_get_cq_event, (struct ibv_comp_channel * of, struct ibv_cq **cq, void **arg))
{
	struct fabric_channel *channel = (struct fabric_channel *)of;
	struct fabric_cq *first;
	bool there;

	if (fabric_fails("ibv_get_cq_event"))
		return -1;
	pthread_mutex_lock(&fabric.lock);
	there = fabric_bell_wait(&channel->bell);
	if (there) {
		first = TAILQ_FIRST(&channel->events);
		fabric_got(&first->got);
		if (--first->pending == 0)
			TAILQ_REMOVE(&channel->events, first, event);
		fabric_bell_set(&channel->bell, !TAILQ_EMPTY(&channel->events));
		*cq = &first->cq;
		*arg = first->cq.cq_context;
	}
	pthread_mutex_unlock(&fabric.lock);
	return there ? 0 : -1;
}

DEFINE(void, ibv_ack_cq_events, (struct ibv_cq * acknowledged, unsigned count))
{
	struct fabric_cq *cq = (struct fabric_cq *)acknowledged;

	pthread_mutex_lock(&fabric.lock);
	if (!fabric_acknowledge(&cq->got, count))
		fabric_violation("more events of a CQ are acknowledged than were got");
	pthread_mutex_unlock(&fabric.lock);
}

static void notify(struct fabric_cq *cq)
{
	struct fabric_channel *channel = (struct fabric_channel *)cq->cq.channel;

	cq->armed = cq->solicited = false;
	if (!channel)
		return;
	if (cq->pending++ == 0)
		TAILQ_INSERT_TAIL(&channel->events, cq, event);
	fabric_bell_set(&channel->bell, true);
}

/* Whoever sees an error in a completion sees nothing else of it. */
static void poison(struct ibv_wc *wc)
{
	struct ibv_wc told = *wc;

	if (wc->status == IBV_WC_SUCCESS)
		return;
	memset(wc, POISON, sizeof(*wc));
	wc->wr_id = told.wr_id;
	wc->status = told.status;
	wc->qp_num = told.qp_num;
	wc->vendor_err = 0;
}

void fabric_cq_push(struct ibv_cq *to, const struct fabric_cqe *cqe, bool solicited)
{
	struct fabric_cq *cq = (struct fabric_cq *)to;
	struct ibv_async_event event = { .event_type = IBV_EVENT_CQ_ERR, .element.cq = to };
	unsigned size = (unsigned)to->cqe, at = (cq->head + cq->count) % size;

	if (cq->count == size) {
		fabric_violation("a CQ of %u entries has no room for one more", size);
		fabric_async((struct fabric_context *)to->context, &event);
		return;
	}
	cq->cqes[at] = *cqe;
	poison(&cq->cqes[at].wc);
	cq->count++;
	if (cq->armed || (cq->solicited && (solicited || cqe->wc.status != IBV_WC_SUCCESS)))
		notify(cq);
}

void fabric_cq_forget(struct ibv_cq *of, const struct fabric_qp *qp, bool keep)
{
	struct fabric_cq *cq = (struct fabric_cq *)of;
	unsigned size = (unsigned)of->cqe, kept = 0;

	for (unsigned i = 0; i < cq->count; i++) {
		struct fabric_cqe *cqe = &cq->cqes[(cq->head + i) % size];

		if (cqe->qp == qp && !keep)
			continue;
		if (cqe->qp == qp)
			cqe->qp = NULL;
		cq->cqes[(cq->head + kept++) % size] = *cqe;
	}
	cq->count = kept;
}

int fabric_poll_cq(struct ibv_cq *of, int max, struct ibv_wc *wcs)
{
	struct fabric_cq *cq = (struct fabric_cq *)of;
	int n = 0;

	if (fabric_fails("ibv_poll_cq"))
		return -1;
	pthread_mutex_lock(&fabric.lock);
	for (; n < max && cq->count > 0; n++) {
		struct fabric_cqe *cqe = &cq->cqes[cq->head];

		wcs[n] = cqe->wc;
		if (cqe->qp && cqe->receive)
			cqe->qp->receives_over = cqe->number + 1;
		else if (cqe->qp)
			cqe->qp->sends_over = cqe->number + 1;
		cq->head = (cq->head + 1) % (unsigned)of->cqe;
		cq->count--;
	}
	pthread_mutex_unlock(&fabric.lock);
	return n;
}

int fabric_req_notify(struct ibv_cq *of, int solicited)
{
	struct fabric_cq *cq = (struct fabric_cq *)of;
	int err = fabric_fails("ibv_req_notify_cq");

	if (err == 0 && fabric_is_forbidden())
		err = EACCES;
	if (err)
		return err;
	pthread_mutex_lock(&fabric.lock);
	if (!of->channel)
		fabric_violation("a CQ without a channel is armed");
	cq->armed = cq->armed || !solicited;
	cq->solicited = !cq->armed;
	pthread_mutex_unlock(&fabric.lock);
	return 0;
}
