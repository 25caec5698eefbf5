/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* mock_cm.c -- RDMA devices of a test: listeners, and who connects to them */

#include "support/mock_fabric.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of private data: what may be sent; what comes, filled up with zeros as InfiniBand does it, but not iWARP. */
#define REQUEST_MAX  56
#define REPLY_MAX    196
#define REJECT_MAX   148
#define FIRST_PORT   32768
#define NO_LISTENER  8  /* status of a rejection: nobody listens */
#define USER_REJECTS 28 /* the listener's user has rejected */

#define DEFINE(type, name, params)                                                                 \
	type __wrap_##name params;                                                                 \
	type __wrap_##name params

enum id_state {
	ID_NEW,
	ID_BOUND,
	ID_LISTENING,
	ID_ADDRESS, /* resolved */
	ID_ROUTE,
	ID_CONNECTING,
	ID_REQUESTED, /* by a peer; not accepted yet */
	ID_CONNECTED,
	ID_OVER,
};

struct fabric_id {
	struct rdma_cm_id id;
	struct fabric_device *device; /* NULL: none, or any */
	enum id_state state;
	struct fabric_id *peer, *listener;
	bool passive; /* it was made by a request, and its listener's port isn't taken by it */
	struct fabric_got got;
	TAILQ_ENTRY(fabric_id) entry;
};

struct fabric_event {
	struct rdma_cm_event event;
	struct fabric_id *of; /* that it comes for: the listener's, if it is a request */
	TAILQ_ENTRY(fabric_event) entry;
	uint8_t data[];
};

struct fabric_cm_channel {
	struct rdma_event_channel channel;
	struct fabric_bell bell;
	TAILQ_HEAD(, fabric_event) events;
	unsigned ids;
};

static int failed(int err)
{
	errno = err;
	return err ? -1 : 0;
}

/* --- events ---------------------------------------------------------------------------------------- */

struct note {
	enum rdma_cm_event_type type;
	int status;
	const void *data; /* private */
	uint8_t length, padded;
	struct fabric_id *requested;
	const struct rdma_conn_param *param;
};

static uint8_t padded(const struct fabric_device *device, uint8_t length, uint8_t max)
{
	return device->spec.iwarp ? length : max;
}

static void tell(struct fabric_id *id, const struct note *note)
{
	struct fabric_cm_channel *channel = (struct fabric_cm_channel *)id->id.channel;
	struct fabric_event *event;
	enum rdma_cm_event_type type = note->type;
	int status = note->status;

	if (!fabric_replaced(&type, &status))
		return;
	event = fabric_new(sizeof(*event) + note->padded);
	event->of = id;
	event->event.id = note->requested ? &note->requested->id : &id->id;
	event->event.listen_id = note->requested ? &id->id : NULL;
	event->event.event = type;
	event->event.status = status;
	if (note->param)
		event->event.param.conn = *note->param;
	if (note->length > 0)
		memcpy(event->data, note->data, note->length);
	event->event.param.conn.private_data = note->padded ? event->data : NULL;
	event->event.param.conn.private_data_len = note->padded;
	TAILQ_INSERT_TAIL(&channel->events, event, entry);
	fabric_bell_set(&channel->bell, true);
}

static void tell_simply(struct fabric_id *id, enum rdma_cm_event_type type, int status)
{
	const struct note note = { .type = type, .status = status };

	tell(id, &note);
}

void fabric_cm_event_all(
	const struct fabric_device *device, enum rdma_cm_event_type type, int status)
{
	struct fabric_id *id;

	TAILQ_FOREACH (id, &fabric.ids, entry)
		if (id->device == device)
			tell_simply(id, type, status);
}

DEFINE(struct rdma_event_channel *, rdma_create_event_channel, (void))
{
	struct fabric_cm_channel *channel;

	if (fabric_fails("rdma_create_event_channel"))
		return NULL;
	pthread_mutex_lock(&fabric.lock);
	channel = fabric_new(sizeof(*channel));
	fabric_bell_open(&channel->bell);
	channel->channel.fd = channel->bell.fd;
	TAILQ_INIT(&channel->events);
	fabric.live.cm_channels++;
	pthread_mutex_unlock(&fabric.lock);
	return &channel->channel;
}

DEFINE(void, rdma_destroy_event_channel, (struct rdma_event_channel * destroyed))
{
	struct fabric_cm_channel *channel = (struct fabric_cm_channel *)destroyed;

	pthread_mutex_lock(&fabric.lock);
	if (channel->ids) {
		fabric_violation("an event channel is destroyed with %u ids", channel->ids);
	} else {
		fabric_bell_close(&channel->bell);
		fabric.live.cm_channels--;
		free(channel);
	}
	pthread_mutex_unlock(&fabric.lock);
}

/* Librdmacm readies the queue pair of who connects before it says that it is connected; then the acceptor hears of it. */
static void heard(const struct fabric_event *event)
{
	struct fabric_id *id = event->of;

	if (event->event.event != RDMA_CM_EVENT_ESTABLISHED || id->state != ID_CONNECTING)
		return;
	id->state = ID_CONNECTED;
	if (id->id.qp)
		fabric_qp_ready((struct fabric_qp *)id->id.qp);
	if (id->peer)
		tell_simply(id->peer, RDMA_CM_EVENT_ESTABLISHED, 0);
}

DEFINE(int, rdma_get_cm_event, (struct rdma_event_channel * of, struct rdma_cm_event **event))
{
	struct fabric_cm_channel *channel = (struct fabric_cm_channel *)of;
	struct fabric_event *first;
	bool there;

	if (fabric_fails("rdma_get_cm_event"))
		return -1;
	pthread_mutex_lock(&fabric.lock);
	there = fabric_bell_wait(&channel->bell);
	if (there) {
		first = TAILQ_FIRST(&channel->events);
		TAILQ_REMOVE(&channel->events, first, entry);
		fabric_bell_set(&channel->bell, !TAILQ_EMPTY(&channel->events));
		fabric_got(&first->of->got);
		heard(first);
		*event = &first->event;
	}
	pthread_mutex_unlock(&fabric.lock);
	return there ? 0 : -1;
}

DEFINE(int, rdma_ack_cm_event, (struct rdma_cm_event * acknowledged))
{
	struct fabric_event *event = (struct fabric_event *)acknowledged;

	pthread_mutex_lock(&fabric.lock);
	fabric_acknowledge(&event->of->got, 1);
	pthread_mutex_unlock(&fabric.lock);
	free(event);
	return 0;
}

/* --- ids ------------------------------------------------------------------------------------------- */

static struct fabric_id *new_id(
	struct rdma_event_channel *channel, void *context, enum rdma_port_space space)
{
	struct fabric_id *id = fabric_new(sizeof(*id));

	id->id.channel = channel;
	id->id.context = context;
	id->id.ps = space;
	id->id.qp_type = IBV_QPT_RC;
	((struct fabric_cm_channel *)channel)->ids++;
	TAILQ_INSERT_TAIL(&fabric.ids, id, entry);
	return id;
}

DEFINE(int, rdma_create_id,
	(struct rdma_event_channel * channel, struct rdma_cm_id **id, void *context,
		enum rdma_port_space space))
{
	if (fabric_fails("rdma_create_id"))
		return -1;
	if (!channel || space != RDMA_PS_TCP)
		return failed(EINVAL);
	pthread_mutex_lock(&fabric.lock);
	*id = &new_id(channel, context, space)->id;
	fabric.live.ids++;
	pthread_mutex_unlock(&fabric.lock);
	return 0;
}

/* Those that nobody has got: they come at another channel, or (NULL) not at all. */
static void move_events(struct fabric_id *id, struct fabric_cm_channel *to)
{
	struct fabric_cm_channel *channel = (struct fabric_cm_channel *)id->id.channel;
	struct fabric_event *event, *next;

	for (event = TAILQ_FIRST(&channel->events); event; event = next) {
		next = TAILQ_NEXT(event, entry);
		if (event->of != id)
			continue;
		TAILQ_REMOVE(&channel->events, event, entry);
		if (to)
			TAILQ_INSERT_TAIL(&to->events, event, entry);
		else
			free(event);
	}
	fabric_bell_set(&channel->bell, !TAILQ_EMPTY(&channel->events));
	if (to)
		fabric_bell_set(&to->bell, !TAILQ_EMPTY(&to->events));
}

static void free_id(struct fabric_id *id)
{
	struct fabric_cm_channel *channel = (struct fabric_cm_channel *)id->id.channel;

	move_events(id, NULL);
	TAILQ_REMOVE(&fabric.ids, id, entry);
	channel->ids--;
	free(id);
}

/* The other end hears of it. */
static void leave(struct fabric_id *id)
{
	struct fabric_id *peer = id->peer;

	if (!peer)
		return;
	id->peer = peer->peer = NULL;
	if (id->state == ID_REQUESTED)
		tell_simply(peer, RDMA_CM_EVENT_REJECTED, USER_REJECTS);
	else if (peer->state == ID_CONNECTED || peer->state == ID_CONNECTING)
		tell_simply(peer, RDMA_CM_EVENT_DISCONNECTED, 0);
	peer->state = peer->state == ID_REQUESTED ? ID_REQUESTED : ID_OVER;
}

/* Requests that nobody has got end with their listener. */
static void drop_requests(struct fabric_id *listener)
{
	struct fabric_cm_channel *channel = (struct fabric_cm_channel *)listener->id.channel;
	struct fabric_event *event;
	struct fabric_id *id;

	TAILQ_FOREACH (event, &channel->events, entry) {
		if (event->of != listener || !event->event.listen_id)
			continue;
		id = (struct fabric_id *)event->event.id;
		leave(id);
		free_id(id);
		fabric.live.ids--;
	}
	TAILQ_FOREACH (id, &fabric.ids, entry)
		if (id->listener == listener)
			id->listener = NULL;
}

/* Librdmacm would lose the queue pair, or wait for ever. */
static bool is_in_use(struct fabric_id *id)
{
	if (id->id.qp)
		fabric_violation("an id is destroyed with its QP");
	else if (!fabric_settle(&id->got))
		fabric_violation(
			"an id is destroyed with %u events not acknowledged", id->got.unacked);
	return id->id.qp || id->got.unacked > 0;
}

/* Librdmacm closes a device that was removed when its last id goes, and what was made of it is lost. */
static void check_device(const struct fabric_device *device)
{
	struct fabric_id *id;

	TAILQ_FOREACH (id, &fabric.ids, entry)
		if (id->device == device)
			return;
	if (device && device->cm_context->pds > 0)
		fabric_violation("the last id of a device is destroyed with %u PDs",
			device->cm_context->pds);
}

DEFINE(int, rdma_destroy_id, (struct rdma_cm_id * destroyed))
{
	struct fabric_id *id = (struct fabric_id *)destroyed;
	const struct fabric_device *device;
	int err = 0;

	if (fabric_fails("rdma_destroy_id"))
		return -1;
	pthread_mutex_lock(&fabric.lock);
	if (is_in_use(id)) {
		err = EBUSY;
	} else {
		device = id->device;
		drop_requests(id);
		leave(id);
		free_id(id);
		fabric.live.ids--;
		check_device(device);
	}
	pthread_mutex_unlock(&fabric.lock);
	return failed(err);
}

DEFINE(int, rdma_migrate_id, (struct rdma_cm_id * of, struct rdma_event_channel *to))
{
	struct fabric_id *id = (struct fabric_id *)of;
	int err = 0;

	if (fabric_fails("rdma_migrate_id"))
		return -1;
	pthread_mutex_lock(&fabric.lock);
	if (!to) {
		err = EINVAL;
	} else if (!fabric_settle(&id->got)) {
		fabric_violation("an id is moved with %u events not acknowledged", id->got.unacked);
		err = EBUSY;
	} else {
		move_events(id, (struct fabric_cm_channel *)to);
		((struct fabric_cm_channel *)id->id.channel)->ids--;
		((struct fabric_cm_channel *)to)->ids++;
		id->id.channel = to;
	}
	pthread_mutex_unlock(&fabric.lock);
	return failed(err);
}

DEFINE(int, rdma_set_option,
	(struct rdma_cm_id * id, int level, int name, void *value, size_t length))
{
	(void)name;
	if (fabric_fails("rdma_set_option"))
		return -1;
	return failed(!id || level != RDMA_OPTION_ID || !value || length == 0 ? EINVAL : 0);
}

/* --- addresses ------------------------------------------------------------------------------------- */

static bool is_address(const char *text, const struct sockaddr *address)
{
	uint8_t bytes[16];

	if (inet_pton(address->sa_family, text, bytes) != 1)
		return false;
	if (address->sa_family == AF_INET)
		return memcmp(&((const struct sockaddr_in *)address)->sin_addr, bytes, 4) == 0;
	return memcmp(&((const struct sockaddr_in6 *)address)->sin6_addr, bytes, 16) == 0;
}

static bool is_any(const struct sockaddr *address)
{
	return is_address(address->sa_family == AF_INET ? "0.0.0.0" : "::", address);
}

static in_port_t *port_of(struct sockaddr *address)
{
	return address->sa_family == AF_INET ? &((struct sockaddr_in *)address)->sin_port
					     : &((struct sockaddr_in6 *)address)->sin6_port;
}

/* The device whose port has the address; its number in *port. NULL: none. */
static struct fabric_device *find_device(const struct sockaddr *address, uint8_t *port)
{
	for (unsigned i = 0; i < fabric.ndevices; i++)
		for (unsigned j = 0; j < MOCK_PORTS; j++)
			for (unsigned k = 0; k < MOCK_ADDRESSES; k++) {
				const char *text = fabric.devices[i].spec.ports[j].addresses[k];

				if (!text || !is_address(text, address))
					continue;
				*port = (uint8_t)(j + 1);
				return &fabric.devices[i];
			}
	return NULL;
}

/* The id is at that port: librdmacm opens the device for it, once for all ids. */
static void attach(struct fabric_id *id, struct fabric_device *device, uint8_t port,
	const struct sockaddr *address)
{
	if (!device->cm_context) {
		struct fabric_pd *pd = fabric_new(sizeof(*pd));

		device->cm_context = fabric_context_new(device);
		pd->pd.context = &device->cm_context->context;
		device->cm_pd = &pd->pd;
	}
	id->device = device;
	id->id.verbs = &device->cm_context->context;
	id->id.pd = device->cm_pd;
	id->id.port_num = port;
	if (address->sa_family == AF_INET6) {
		memcpy(id->id.route.addr.addr.ibaddr.sgid.raw,
			&((const struct sockaddr_in6 *)address)->sin6_addr, 16);
	} else {
		id->id.route.addr.addr.ibaddr.sgid.raw[10] = 0xff;
		id->id.route.addr.addr.ibaddr.sgid.raw[11] = 0xff;
		memcpy(id->id.route.addr.addr.ibaddr.sgid.raw + 12,
			&((const struct sockaddr_in *)address)->sin_addr, 4);
	}
}

static size_t size_of(const struct sockaddr *address)
{
	return address->sa_family == AF_INET ? sizeof(struct sockaddr_in)
					     : sizeof(struct sockaddr_in6);
}

static bool is_taken(in_port_t port)
{
	struct fabric_id *id;

	TAILQ_FOREACH (id, &fabric.ids, entry)
		if (id->state != ID_NEW && !id->passive &&
			*port_of(&id->id.route.addr.src_addr) == port)
			return true;
	return false;
}

/* With a port of its own unless it says one. */
static int bind_to(struct fabric_id *id, const struct sockaddr *address)
{
	static uint16_t next;
	struct sockaddr *bound = &id->id.route.addr.src_addr;
	uint8_t port = 0;
	struct fabric_device *device = find_device(address, &port);

	if (!device && !is_any(address))
		return ENODEV;
	memcpy(bound, address, size_of(address));
	if (*port_of(bound) && is_taken(*port_of(bound)))
		return EADDRINUSE;
	while (!*port_of(bound) || is_taken(*port_of(bound)))
		*port_of(bound) = htons((uint16_t)(FIRST_PORT + next++ % FIRST_PORT));
	if (device)
		attach(id, device, port, address);
	id->state = ID_BOUND;
	return 0;
}

DEFINE(int, rdma_bind_addr, (struct rdma_cm_id * of, struct sockaddr *address))
{
	struct fabric_id *id = (struct fabric_id *)of;
	int err;

	if (fabric_fails("rdma_bind_addr"))
		return -1;
	pthread_mutex_lock(&fabric.lock);
	err = id->state != ID_NEW ? EINVAL : bind_to(id, address);
	pthread_mutex_unlock(&fabric.lock);
	return failed(err);
}

/* From another address of the port that `to` is at, as a neighbour would; else from `to` itself. */
static int find_source(struct fabric_id *id, const struct sockaddr *to)
{
	struct sockaddr_storage from = { .ss_family = to->sa_family };
	void *number = to->sa_family == AF_INET
			       ? (void *)&((struct sockaddr_in *)&from)->sin_addr
			       : (void *)&((struct sockaddr_in6 *)&from)->sin6_addr;
	uint8_t port;
	const struct fabric_device *device = find_device(to, &port);
	const char *const *addresses;

	if (!device)
		return 0;
	addresses = device->spec.ports[port - 1].addresses;
	for (unsigned k = 0; k < MOCK_ADDRESSES; k++)
		if (addresses[k] && !is_address(addresses[k], to) &&
			inet_pton(to->sa_family, addresses[k], number) == 1)
			return bind_to(id, (const struct sockaddr *)&from);
	memcpy(&from, to, size_of(to));
	*port_of((struct sockaddr *)&from) = 0;
	return bind_to(id, (const struct sockaddr *)&from);
}

DEFINE(int, rdma_resolve_addr,
	(struct rdma_cm_id * of, struct sockaddr *from, struct sockaddr *to, int timeout_ms))
{
	struct fabric_id *id = (struct fabric_id *)of;
	uint8_t port;
	int err = 0;

	(void)timeout_ms;
	if (fabric_fails("rdma_resolve_addr"))
		return -1;
	pthread_mutex_lock(&fabric.lock);
	if (id->state == ID_NEW)
		err = from ? bind_to(id, from) : find_source(id, to);
	else if (id->state != ID_BOUND)
		err = EINVAL;
	if (err == 0 && find_device(to, &port)) {
		memcpy(&id->id.route.addr.dst_addr, to, size_of(to));
		id->state = ID_ADDRESS;
		tell_simply(id, RDMA_CM_EVENT_ADDR_RESOLVED, 0);
	} else if (err == 0) {
		tell_simply(id, RDMA_CM_EVENT_ADDR_ERROR, -EHOSTUNREACH);
	}
	pthread_mutex_unlock(&fabric.lock);
	return failed(err);
}

DEFINE(int, rdma_resolve_route, (struct rdma_cm_id * of, int timeout_ms))
{
	struct fabric_id *id = (struct fabric_id *)of;
	int err;

	(void)timeout_ms;
	if (fabric_fails("rdma_resolve_route"))
		return -1;
	pthread_mutex_lock(&fabric.lock);
	err = id->state == ID_ADDRESS ? 0 : EINVAL;
	if (err == 0) {
		id->state = ID_ROUTE;
		tell_simply(id, RDMA_CM_EVENT_ROUTE_RESOLVED, 0);
	}
	pthread_mutex_unlock(&fabric.lock);
	return failed(err);
}

/* --- queue pairs ----------------------------------------------------------------------------------- */

DEFINE(int, rdma_create_qp,
	(struct rdma_cm_id * id, struct ibv_pd *pd, struct ibv_qp_init_attr *attr))
{
	struct fabric_qp *qp;

	if (fabric_fails("rdma_create_qp"))
		return -1;
	if (!id->verbs || id->qp || (pd && pd->context != id->verbs))
		return failed(EINVAL);
	pthread_mutex_lock(&fabric.lock);
	qp = fabric_qp_new(pd ? pd : id->pd, attr);
	id->qp = qp ? &qp->qp : NULL;
	pthread_mutex_unlock(&fabric.lock);
	return qp ? 0 : -1;
}

DEFINE(void, rdma_destroy_qp, (struct rdma_cm_id * id))
{
	fabric_fails("rdma_destroy_qp"); /* it can't, but it is counted */
	pthread_mutex_lock(&fabric.lock);
	if (!id->qp) {
		fabric_violation("an id without a QP shall destroy it");
	} else if (!fabric_settle(&((struct fabric_qp *)id->qp)->got_async)) {
		fabric_violation("a QP is destroyed with an event not acknowledged");
	} else {
		fabric_qp_free((struct fabric_qp *)id->qp);
		id->qp = NULL;
	}
	pthread_mutex_unlock(&fabric.lock);
}

/* --- connections ----------------------------------------------------------------------------------- */

DEFINE(int, rdma_listen, (struct rdma_cm_id * of, int backlog))
{
	struct fabric_id *id = (struct fabric_id *)of;
	int err;

	(void)backlog;
	if (fabric_fails("rdma_listen"))
		return -1;
	pthread_mutex_lock(&fabric.lock);
	err = id->state == ID_BOUND ? 0 : EINVAL;
	if (err == 0)
		id->state = ID_LISTENING;
	pthread_mutex_unlock(&fabric.lock);
	return failed(err);
}

static struct fabric_id *find_listener(struct sockaddr *to)
{
	struct fabric_id *id;

	TAILQ_FOREACH (id, &fabric.ids, entry) {
		struct sockaddr *at = &id->id.route.addr.src_addr;

		if (id->state != ID_LISTENING || *port_of(at) != *port_of(to))
			continue;
		/* "::" is both of IPv6 and of IPv4. */
		if (is_any(at) ? at->sa_family == AF_INET6 || to->sa_family == AF_INET
			       : memcmp(at, to, size_of(to)) == 0)
			return id;
	}
	return NULL;
}

static void request(
	struct fabric_id *from, struct fabric_id *listener, const struct rdma_conn_param *param)
{
	struct fabric_id *id = new_id(listener->id.channel, listener->id.context, listener->id.ps);
	uint8_t port;
	struct fabric_device *device = find_device(&from->id.route.addr.dst_addr, &port);
	const struct note note = { .type = RDMA_CM_EVENT_CONNECT_REQUEST,
		.data = param->private_data,
		.length = param->private_data_len,
		.padded = padded(device, param->private_data_len, REQUEST_MAX),
		.requested = id,
		.param = param };

	fabric.live.ids++;
	attach(id, device, port, &from->id.route.addr.dst_addr);
	memcpy(&id->id.route.addr.src_storage, &from->id.route.addr.dst_storage,
		sizeof(struct sockaddr_storage));
	memcpy(&id->id.route.addr.dst_storage, &from->id.route.addr.src_storage,
		sizeof(struct sockaddr_storage));
	id->state = ID_REQUESTED;
	id->listener = listener;
	id->passive = true;
	id->peer = from;
	from->peer = id;
	tell(listener, &note);
}

DEFINE(int, rdma_connect, (struct rdma_cm_id * of, struct rdma_conn_param *param))
{
	static const struct rdma_conn_param defaults;
	struct fabric_id *id = (struct fabric_id *)of, *listener;
	int err;

	if (fabric_fails("rdma_connect"))
		return -1;
	param = param ? param : (struct rdma_conn_param *)&defaults;
	pthread_mutex_lock(&fabric.lock);
	err = id->state == ID_ROUTE && of->qp && param->private_data_len <= REQUEST_MAX ? 0
											: EINVAL;
	if (err == 0) {
		id->state = ID_CONNECTING;
		listener = find_listener(&of->route.addr.dst_addr);
		if (listener)
			request(id, listener, param);
		else
			tell_simply(id, RDMA_CM_EVENT_REJECTED, NO_LISTENER);
	}
	pthread_mutex_unlock(&fabric.lock);
	return failed(err);
}

static void accept_peer(struct fabric_id *id, const struct rdma_conn_param *param)
{
	const struct note note = { .type = RDMA_CM_EVENT_ESTABLISHED,
		.data = param->private_data,
		.length = param->private_data_len,
		.padded = padded(id->device, param->private_data_len, REPLY_MAX),
		.param = param };

	id->state = ID_CONNECTED;
	if (!id->peer) {
		tell_simply(id, RDMA_CM_EVENT_CONNECT_ERROR, -ETIMEDOUT);
		return;
	}
	if (id->peer->id.qp)
		fabric_qp_connect(
			(struct fabric_qp *)id->id.qp, (struct fabric_qp *)id->peer->id.qp);
	fabric_qp_ready((struct fabric_qp *)id->id.qp);
	tell(id->peer, &note);
}

DEFINE(int, rdma_accept, (struct rdma_cm_id * of, struct rdma_conn_param *param))
{
	static const struct rdma_conn_param defaults;
	struct fabric_id *id = (struct fabric_id *)of;
	int err;

	if (fabric_fails("rdma_accept"))
		return -1;
	param = param ? param : (struct rdma_conn_param *)&defaults;
	pthread_mutex_lock(&fabric.lock);
	err = id->state == ID_REQUESTED && of->qp && param->private_data_len <= REPLY_MAX ? 0
											  : EINVAL;
	if (err == 0)
		accept_peer(id, param);
	pthread_mutex_unlock(&fabric.lock);
	return failed(err);
}

DEFINE(int, rdma_reject, (struct rdma_cm_id * of, const void *data, uint8_t length))
{
	struct fabric_id *id = (struct fabric_id *)of;
	const struct note note = { .type = RDMA_CM_EVENT_REJECTED,
		.status = USER_REJECTS,
		.data = data,
		.length = length,
		.padded = padded(id->device, length, REJECT_MAX) };
	int err;

	if (fabric_fails("rdma_reject"))
		return -1;
	pthread_mutex_lock(&fabric.lock);
	err = id->state == ID_REQUESTED && length <= REJECT_MAX ? 0 : EINVAL;
	if (err == 0) {
		id->state = ID_OVER;
		if (id->peer) {
			tell(id->peer, &note);
			id->peer->state = ID_OVER;
			id->peer = id->peer->peer = NULL;
		}
	}
	pthread_mutex_unlock(&fabric.lock);
	return failed(err);
}

/* This end's queue pair is in error; the other one's is when it disconnects as well. */
DEFINE(int, rdma_disconnect, (struct rdma_cm_id * of))
{
	struct fabric_id *id = (struct fabric_id *)of;
	int err = 0;

	if (fabric_fails("rdma_disconnect"))
		return -1;
	pthread_mutex_lock(&fabric.lock);
	if (of->qp)
		fabric_qp_error((struct fabric_qp *)of->qp);
	if (id->state == ID_CONNECTED) {
		leave(id);
		id->state = ID_OVER;
		tell_simply(id, RDMA_CM_EVENT_DISCONNECTED, 0);
		tell_simply(id, RDMA_CM_EVENT_TIMEWAIT_EXIT, 0);
	} else if (id->state != ID_OVER) {
		err = EINVAL;
	}
	pthread_mutex_unlock(&fabric.lock);
	return failed(err);
}
