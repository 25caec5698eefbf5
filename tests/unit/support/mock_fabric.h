/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* mock_fabric.h -- what the parts of the mock of libibverbs and librdmacm share */
#ifndef SUPPORT_MOCK_FABRIC_H
#define SUPPORT_MOCK_FABRIC_H

#include <pthread.h>
#include <sys/queue.h>

#include "support/mock_verbs.h"

#define FABRIC_DEVICES 8
#define FABRIC_SGES    8 /* of a request */
#define FABRIC_WRS     (1 << 14)
#define FABRIC_CQES    (1 << 16)
#define FABRIC_INLINE  256
#define FABRIC_OBJECTS (1 << 16) /* of each sort */

/* A descriptor that is readable as long as a queue isn't empty. */
struct fabric_bell {
	int fd;
	bool rung;
};

/* Events of an object that were got and not acknowledged: its end waits for that. */
struct fabric_got {
	unsigned unacked;
	pthread_t by; /* who has got the last one */
};

struct fabric_async {
	struct ibv_async_event event;
	TAILQ_ENTRY(fabric_async) entry;
};

struct fabric_context {
	struct ibv_context context;
	struct fabric_device *device;
	struct fabric_bell bell;
	TAILQ_HEAD(, fabric_async) events;
	unsigned pds, cqs, channels;
	TAILQ_ENTRY(fabric_context) entry;
};

struct fabric_pd {
	struct ibv_pd pd;
	unsigned mrs, qps;
};

struct fabric_mr {
	struct ibv_mr mr;
	int access;
	TAILQ_ENTRY(fabric_mr) entry;
};

struct fabric_channel {
	struct ibv_comp_channel channel;
	struct fabric_bell bell;
	TAILQ_HEAD(, fabric_cq) events;
	unsigned cqs;
};

struct fabric_cqe {
	struct ibv_wc wc;
	struct fabric_qp *qp; /* NULL: it is no more */
	bool receive;
	uint64_t number; /* of the request; with it all earlier ones are over */
};

struct fabric_cq {
	struct ibv_cq cq;
	unsigned head, count; /* of cqes, a ring of cq.cqe */
	struct fabric_cqe *cqes;
	bool armed, solicited; /* for any, or for these only */
	unsigned pending;      /* events at the channel */
	struct fabric_got got, got_async;
	unsigned qps; /* times that it is a queue pair's */
	TAILQ_ENTRY(fabric_cq) event;
	TAILQ_ENTRY(fabric_cq) entry;
};

/* A request that waits; a receive that wasn't used yet. */
struct fabric_send {
	struct ibv_send_wr wr;
	struct ibv_sge sges[FABRIC_SGES];
	uint8_t data[FABRIC_INLINE]; /* what was posted inline */
};

struct fabric_receive {
	uint64_t wr_id;
	int nsges;
	struct ibv_sge sges[FABRIC_SGES];
};

struct fabric_qp {
	struct ibv_qp qp;
	struct ibv_qp_cap cap;
	bool signal_all;
	struct fabric_qp *peer; /* NULL: none, or it is no more */
	struct fabric_got got_async;
	struct fabric_send *sends;
	struct fabric_receive *receives;
	/* Requests so far: posted, carried out, and known to be over, since a later completion was polled. */
	uint64_t sends_posted, sends_done, sends_over;
	uint64_t receives_posted, receives_done, receives_over;
	TAILQ_ENTRY(fabric_qp) entry;
};

struct fabric_device {
	struct ibv_device device;
	struct mock_device spec;
	/* librdmacm's own ones; made when an id needs them. */
	struct fabric_context *cm_context;
	struct ibv_pd *cm_pd;
};

struct fabric {
	pthread_mutex_t lock; /* all that follows */
	pthread_cond_t acknowledged;
	struct fabric_device devices[FABRIC_DEVICES];
	unsigned ndevices;
	TAILQ_HEAD(, fabric_context) contexts;
	TAILQ_HEAD(, fabric_mr) mrs;
	TAILQ_HEAD(, fabric_cq) cqs;
	TAILQ_HEAD(, fabric_qp) qps;
	TAILQ_HEAD(, fabric_id) ids;
	struct mock_live live;
	struct mock_traffic traffic;
	unsigned async_unacked;
	bool held;
};

extern struct fabric fabric;

/* --- mock_verbs.c: what is counted, and what fails ------------------------------------------------- */

/* Counts a call; 0, or errno, which is set, too: it fails. Without the lock. */
int fabric_fails(const char *function);
/* The calling thread's doorbells aren't heard. */
bool fabric_is_forbidden(void);
/* With the lock or without. */
void fabric_violation(const char *format, ...) __attribute__((format(printf, 1, 2)));
void *fabric_new(size_t size);
/* A status for a request that is carried out, or for a receive that is used. */
enum ibv_wc_status fabric_status(bool receive);
/* What becomes of an event. False: nothing. */
bool fabric_replaced(enum rdma_cm_event_type *type, int *status);

/* --- mock_device.c: all but queue pairs; with the lock --------------------------------------------- */

void fabric_bell_open(struct fabric_bell *bell);
void fabric_bell_close(struct fabric_bell *bell);
void fabric_bell_set(struct fabric_bell *bell, bool rung);
/* Waits, giving up the lock, for something to come. False: nothing is there, and the descriptor doesn't block. */
bool fabric_bell_wait(struct fabric_bell *bell);

void fabric_got(struct fabric_got *got);
/* False: more than were got. */
bool fabric_acknowledge(struct fabric_got *got, unsigned count);
/* Waits until all are acknowledged. False: only the calling thread could do that, so it would wait for ever. */
bool fabric_settle(struct fabric_got *got);

struct fabric_context *fabric_context_new(struct fabric_device *device);
void fabric_context_free(struct fabric_context *context);
void fabric_async(struct fabric_context *context, const struct ibv_async_event *event);
/* Those of a queue pair or completion queue that nobody has got are no more. */
void fabric_async_forget(struct ibv_context *of, const void *element);
struct fabric_device *fabric_device_of(const struct ibv_context *context);
/* The memory that the key, a local or remote one, stands for. NULL: not all of it, or it doesn't permit that. */
void *fabric_memory(const struct ibv_pd *pd, bool remote, uint32_t key, uint64_t address,
	uint64_t length, int access);
void fabric_cq_push(struct ibv_cq *cq, const struct fabric_cqe *cqe, bool solicited);
/* The queue pair is no more. */
void fabric_cq_forget(struct ibv_cq *cq, const struct fabric_qp *qp, bool keep);
int fabric_poll_cq(struct ibv_cq *cq, int max, struct ibv_wc *wcs);
int fabric_req_notify(struct ibv_cq *cq, int solicited);

/* --- mock_qp.c ------------------------------------------------------------------------------------- */

int fabric_post_send(struct ibv_qp *qp, struct ibv_send_wr *wr, struct ibv_send_wr **bad);
int fabric_post_recv(struct ibv_qp *qp, struct ibv_recv_wr *wr, struct ibv_recv_wr **bad);
/* With the lock. */
struct fabric_qp *fabric_qp_new(struct ibv_pd *pd, struct ibv_qp_init_attr *attr);
void fabric_qp_free(struct fabric_qp *qp);
void fabric_qp_connect(struct fabric_qp *qp, struct fabric_qp *peer);
/* What waits is carried out from now on. */
void fabric_qp_ready(struct fabric_qp *qp);
void fabric_qp_error(struct fabric_qp *qp);
unsigned fabric_qp_run(struct fabric_qp *qp, unsigned max);

/* --- mock_cm.c ------------------------------------------------------------------------------------- */

/* With the lock. */
void fabric_cm_event_all(
	const struct fabric_device *device, enum rdma_cm_event_type type, int status);

#endif
