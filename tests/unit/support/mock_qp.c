/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* mock_qp.c -- RDMA devices of a test: queue pairs, which write and send by memcpy */

#include "support/mock_fabric.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static struct fabric_send *send_at(const struct fabric_qp *qp, uint64_t number)
{
	return &qp->sends[number % qp->cap.max_send_wr];
}

static struct fabric_receive *receive_at(const struct fabric_qp *qp, uint64_t number)
{
	return &qp->receives[number % qp->cap.max_recv_wr];
}

/* --- completions ----------------------------------------------------------------------------------- */

static enum ibv_wc_opcode opcode_of(const struct ibv_send_wr *wr)
{
	return wr->opcode == IBV_WR_SEND || wr->opcode == IBV_WR_SEND_WITH_IMM ? IBV_WC_SEND
									       : IBV_WC_RDMA_WRITE;
}

/* The oldest request that wasn't carried out is, with this result. */
static void complete_send(struct fabric_qp *qp, enum ibv_wc_status status)
{
	const struct ibv_send_wr *wr = &send_at(qp, qp->sends_done)->wr;
	struct fabric_cqe cqe = { .qp = qp,
		.number = qp->sends_done++,
		.wc = { .wr_id = wr->wr_id,
			.status = status,
			.opcode = opcode_of(wr),
			.qp_num = qp->qp.qp_num } };

	if (status != IBV_WC_SUCCESS || qp->signal_all || wr->send_flags & IBV_SEND_SIGNALED)
		fabric_cq_push(qp->qp.send_cq, &cqe, false);
}

/* The oldest receive is used; wr: what was sent, NULL: nothing. */
static void complete_receive(struct fabric_qp *qp, enum ibv_wc_status status,
	const struct ibv_send_wr *wr, uint32_t length)
{
	struct fabric_cqe cqe = { .qp = qp,
		.receive = true,
		.number = qp->receives_done,
		.wc = { .wr_id = receive_at(qp, qp->receives_done)->wr_id,
			.status = status,
			.byte_len = length,
			.qp_num = qp->qp.qp_num } };

	qp->receives_done++;
	if (wr) {
		cqe.wc.opcode =
			opcode_of(wr) == IBV_WC_SEND ? IBV_WC_RECV : IBV_WC_RECV_RDMA_WITH_IMM;
		if (wr->opcode != IBV_WR_SEND) {
			cqe.wc.wc_flags = IBV_WC_WITH_IMM;
			cqe.wc.imm_data = wr->imm_data;
		}
	}
	fabric_cq_push(qp->qp.recv_cq, &cqe, wr && wr->send_flags & IBV_SEND_SOLICITED);
}

void fabric_qp_error(struct fabric_qp *qp)
{
	qp->qp.state = IBV_QPS_ERR;
	while (qp->sends_done < qp->sends_posted)
		complete_send(qp, IBV_WC_WR_FLUSH_ERR);
	while (qp->receives_done < qp->receives_posted)
		complete_receive(qp, IBV_WC_WR_FLUSH_ERR, NULL, 0);
}

/* --- bytes on their way ---------------------------------------------------------------------------- */

static uint64_t length_of(const struct ibv_send_wr *wr)
{
	uint64_t length = 0;

	for (int i = 0; i < wr->num_sge; i++)
		length += wr->sg_list[i].length;
	return length;
}

/* What is sent, in one piece that the caller frees; NULL: not all of it is this end's memory. */
static uint8_t *gather(const struct fabric_qp *qp, const struct fabric_send *send, uint64_t length)
{
	uint8_t *bytes = fabric_new(length), *at = bytes;

	if (send->wr.send_flags & IBV_SEND_INLINE) {
		memcpy(bytes, send->data, length);
		return bytes;
	}
	for (int i = 0; i < send->wr.num_sge; i++) {
		const struct ibv_sge *sge = &send->sges[i];
		const void *from =
			fabric_memory(qp->qp.pd, false, sge->lkey, sge->addr, sge->length, 0);

		if (!from) {
			free(bytes);
			return NULL;
		}
		memcpy(at, from, sge->length);
		at += sge->length;
	}
	return bytes;
}

/* Into a receive's memory. */
static enum ibv_wc_status scatter(const struct fabric_qp *qp, const uint8_t *bytes, uint64_t length)
{
	const struct fabric_receive *receive = receive_at(qp, qp->receives_done);

	for (int i = 0; i < receive->nsges && length > 0; i++) {
		const struct ibv_sge *sge = &receive->sges[i];
		uint64_t part = length < sge->length ? length : sge->length;
		void *to = fabric_memory(
			qp->qp.pd, false, sge->lkey, sge->addr, part, IBV_ACCESS_LOCAL_WRITE);

		if (!to)
			return IBV_WC_LOC_PROT_ERR;
		memcpy(to, bytes, part);
		bytes += part;
		length -= part;
	}
	return length > 0 ? IBV_WC_LOC_LEN_ERR : IBV_WC_SUCCESS;
}

/* What the peer has not permitted ends both. */
static enum ibv_wc_status place(
	struct fabric_qp *peer, const struct ibv_send_wr *wr, const uint8_t *bytes, uint64_t length)
{
	struct ibv_async_event event = { .event_type = IBV_EVENT_QP_ACCESS_ERR,
		.element.qp = &peer->qp };
	void *to = length == 0 ? (void *)bytes
			       : fabric_memory(peer->qp.pd, true, wr->wr.rdma.rkey,
					 wr->wr.rdma.remote_addr, length, IBV_ACCESS_REMOTE_WRITE);

	if (!to) {
		fabric_async((struct fabric_context *)peer->qp.context, &event);
		fabric_qp_error(peer);
		return IBV_WC_REM_ACCESS_ERR;
	}
	if (length > 0)
		memcpy(to, bytes, length);
	return IBV_WC_SUCCESS;
}

/* What takes a receive at the peer, which is there. */
static enum ibv_wc_status announce(
	struct fabric_qp *peer, const struct ibv_send_wr *wr, const uint8_t *bytes, uint64_t length)
{
	enum ibv_wc_status status = fabric_status(true);

	if (status == IBV_WC_SUCCESS && opcode_of(wr) == IBV_WC_SEND)
		status = scatter(peer, bytes, length);
	complete_receive(peer, status, wr, (uint32_t)length);
	if (status == IBV_WC_SUCCESS)
		return IBV_WC_SUCCESS;
	fabric_qp_error(peer);
	return status == IBV_WC_LOC_LEN_ERR ? IBV_WC_REM_INV_REQ_ERR : IBV_WC_REM_OP_ERR;
}

static enum ibv_wc_status deliver(
	struct fabric_qp *peer, const struct ibv_send_wr *wr, const uint8_t *bytes, uint64_t length)
{
	enum ibv_wc_status status = IBV_WC_SUCCESS;
	bool announced = wr->opcode != IBV_WR_RDMA_WRITE;

	if (announced && peer->receives_done == peer->receives_posted) {
		fabric.traffic.not_ready++;
		return IBV_WC_RNR_RETRY_EXC_ERR;
	}
	if (opcode_of(wr) == IBV_WC_RDMA_WRITE)
		status = place(peer, wr, bytes, length);
	if (status == IBV_WC_SUCCESS && announced)
		status = announce(peer, wr, bytes, length);
	fabric.traffic.writes += opcode_of(wr) == IBV_WC_RDMA_WRITE;
	fabric.traffic.immediates += wr->opcode == IBV_WR_RDMA_WRITE_WITH_IMM;
	fabric.traffic.sends += opcode_of(wr) == IBV_WC_SEND;
	fabric.traffic.bytes += length;
	return status;
}

static enum ibv_wc_status carry_out(struct fabric_qp *qp, const struct fabric_send *send)
{
	enum ibv_wc_status status = fabric_status(false);
	uint64_t length = length_of(&send->wr);
	uint8_t *bytes;

	if (status != IBV_WC_SUCCESS)
		return status;
	if (!qp->peer || qp->peer->qp.state == IBV_QPS_ERR)
		return IBV_WC_RETRY_EXC_ERR;
	bytes = gather(qp, send, length);
	if (!bytes)
		return IBV_WC_LOC_PROT_ERR;
	status = deliver(qp->peer, &send->wr, bytes, length);
	free(bytes);
	return status;
}

unsigned fabric_qp_run(struct fabric_qp *qp, unsigned max)
{
	unsigned n = 0;

	/* A peer that has accepted, and hasn't heard yet that this was heard, doesn't answer: it is tried again. */
	for (; n < max && qp->qp.state == IBV_QPS_RTS && qp->sends_done < qp->sends_posted; n++) {
		enum ibv_wc_status status;

		if (qp->peer && qp->peer->qp.state == IBV_QPS_INIT)
			break;
		status = carry_out(qp, send_at(qp, qp->sends_done));
		complete_send(qp, status);
		if (status != IBV_WC_SUCCESS)
			fabric_qp_error(qp);
	}
	return n;
}

/* --- posting --------------------------------------------------------------------------------------- */

static bool is_known(enum ibv_wr_opcode opcode)
{
	return opcode == IBV_WR_RDMA_WRITE || opcode == IBV_WR_RDMA_WRITE_WITH_IMM ||
	       opcode == IBV_WR_SEND || opcode == IBV_WR_SEND_WITH_IMM;
}

static int check_send(const struct fabric_qp *qp, const struct ibv_send_wr *wr)
{
	const struct mock_device *spec = &fabric_device_of(qp->qp.context)->spec;
	uint64_t length;

	if (qp->qp.state != IBV_QPS_RTS && qp->qp.state != IBV_QPS_ERR)
		return EINVAL;
	if (!is_known(wr->opcode) || wr->num_sge < 0 ||
		(uint32_t)wr->num_sge > qp->cap.max_send_sge)
		return EINVAL;
	if (wr->opcode == IBV_WR_RDMA_WRITE_WITH_IMM && spec->no_immediate)
		return spec->no_immediate;
	length = length_of(wr);
	if (wr->send_flags & IBV_SEND_INLINE && length > qp->cap.max_inline_data)
		return EINVAL;
	if (qp->sends_posted - qp->sends_over < qp->cap.max_send_wr)
		return 0;
	fabric_violation("a send queue of %u has no room for one more", qp->cap.max_send_wr);
	return ENOMEM;
}

static void take_send(struct fabric_qp *qp, const struct ibv_send_wr *wr)
{
	struct fabric_send *send = send_at(qp, qp->sends_posted++);
	uint8_t *to = send->data;

	send->wr = *wr;
	send->wr.next = NULL;
	send->wr.sg_list = send->sges;
	for (int i = 0; i < wr->num_sge; i++) {
		send->sges[i] = wr->sg_list[i];
		if (!(wr->send_flags & IBV_SEND_INLINE) || wr->sg_list[i].length == 0)
			continue;
		memcpy(to, (const void *)(uintptr_t)wr->sg_list[i].addr, wr->sg_list[i].length);
		to += wr->sg_list[i].length;
	}
}

int fabric_post_send(struct ibv_qp *to, struct ibv_send_wr *wr, struct ibv_send_wr **bad)
{
	struct fabric_qp *qp = (struct fabric_qp *)to;
	int err = fabric_fails("ibv_post_send");

	pthread_mutex_lock(&fabric.lock);
	for (; wr && !err; wr = err ? wr : wr->next) {
		err = check_send(qp, wr);
		if (err == 0)
			take_send(qp, wr);
	}
	if (err)
		*bad = wr;
	if (qp->qp.state == IBV_QPS_ERR)
		fabric_qp_error(qp);
	else if (!fabric.held && !fabric_is_forbidden())
		fabric_qp_run(qp, UINT_MAX);
	pthread_mutex_unlock(&fabric.lock);
	return err == 0 && fabric_is_forbidden() ? EACCES : err;
}

static int check_receive(const struct fabric_qp *qp, const struct ibv_recv_wr *wr)
{
	if (qp->qp.state == IBV_QPS_RESET || wr->num_sge < 0 ||
		(uint32_t)wr->num_sge > qp->cap.max_recv_sge)
		return EINVAL;
	if (wr->num_sge == 0 && fabric_device_of(qp->qp.context)->spec.needs_sge)
		return EINVAL;
	if (qp->receives_posted - qp->receives_over < qp->cap.max_recv_wr)
		return 0;
	fabric_violation("a receive queue of %u has no room for one more", qp->cap.max_recv_wr);
	return ENOMEM;
}

int fabric_post_recv(struct ibv_qp *to, struct ibv_recv_wr *wr, struct ibv_recv_wr **bad)
{
	struct fabric_qp *qp = (struct fabric_qp *)to;
	int err = fabric_fails("ibv_post_recv");

	pthread_mutex_lock(&fabric.lock);
	for (; wr && !err; wr = err ? wr : wr->next) {
		struct fabric_receive *receive;

		err = check_receive(qp, wr);
		if (err)
			continue;
		receive = receive_at(qp, qp->receives_posted++);
		receive->wr_id = wr->wr_id;
		receive->nsges = wr->num_sge;
		for (int i = 0; i < wr->num_sge; i++)
			receive->sges[i] = wr->sg_list[i];
	}
	if (err)
		*bad = wr;
	if (qp->qp.state == IBV_QPS_ERR)
		fabric_qp_error(qp);
	pthread_mutex_unlock(&fabric.lock);
	return err;
}

/* --- life ------------------------------------------------------------------------------------------ */

/* What a device refuses; else 0. */
static int check_cap(const struct mock_device *spec, const struct ibv_qp_init_attr *attr)
{
	const struct ibv_qp_cap *cap = &attr->cap;
	uint32_t wrs = (uint32_t)(spec->max_qp_wr ? spec->max_qp_wr : FABRIC_WRS);
	uint32_t sges = (uint32_t)(spec->max_sge ? spec->max_sge : FABRIC_SGES);
	uint32_t inlined = spec->max_inline ? spec->max_inline : FABRIC_INLINE;

	if (attr->qp_type != IBV_QPT_RC || attr->srq || !attr->send_cq || !attr->recv_cq)
		return EINVAL;
	if (cap->max_send_wr < 1 || cap->max_send_wr > wrs || cap->max_recv_wr < 1 ||
		cap->max_recv_wr > wrs)
		return EINVAL;
	return cap->max_send_sge > sges || cap->max_recv_sge > sges ||
			       cap->max_inline_data > inlined
		       ? EINVAL
		       : 0;
}

struct fabric_qp *fabric_qp_new(struct ibv_pd *pd, struct ibv_qp_init_attr *attr)
{
	static uint32_t made; /* no number comes twice */
	const struct mock_device *spec = &fabric_device_of(pd->context)->spec;
	struct fabric_qp *qp;

	errno = check_cap(spec, attr);
	if (!errno && spec->max_qp && fabric.live.qps >= (unsigned)spec->max_qp)
		errno = ENOMEM;
	if (errno)
		return NULL;
	qp = fabric_new(sizeof(*qp));
	qp->qp = (struct ibv_qp){ .context = pd->context,
		.qp_context = attr->qp_context,
		.pd = pd,
		.send_cq = attr->send_cq,
		.recv_cq = attr->recv_cq,
		.qp_num = ++made,
		.state = IBV_QPS_INIT,
		.qp_type = IBV_QPT_RC };
	qp->cap = attr->cap;
	qp->signal_all = attr->sq_sig_all;
	qp->sends = fabric_new(attr->cap.max_send_wr * sizeof(qp->sends[0]));
	qp->receives = fabric_new(attr->cap.max_recv_wr * sizeof(qp->receives[0]));
	((struct fabric_cq *)attr->send_cq)->qps++;
	((struct fabric_cq *)attr->recv_cq)->qps++;
	((struct fabric_pd *)pd)->qps++;
	fabric.live.qps++;
	TAILQ_INSERT_TAIL(&fabric.qps, qp, entry);
	return qp;
}

void fabric_qp_free(struct fabric_qp *qp)
{
	bool keep = fabric_device_of(qp->qp.context)->spec.keeps_completions;
	struct fabric_qp *other;

	fabric_async_forget(qp->qp.context, qp);
	TAILQ_REMOVE(&fabric.qps, qp, entry);
	TAILQ_FOREACH (other, &fabric.qps, entry)
		if (other->peer == qp)
			other->peer = NULL;
	fabric_cq_forget(qp->qp.send_cq, qp, keep);
	fabric_cq_forget(qp->qp.recv_cq, qp, keep);
	((struct fabric_cq *)qp->qp.send_cq)->qps--;
	((struct fabric_cq *)qp->qp.recv_cq)->qps--;
	((struct fabric_pd *)qp->qp.pd)->qps--;
	fabric.live.qps--;
	free(qp->sends);
	free(qp->receives);
	free(qp);
}

void fabric_qp_connect(struct fabric_qp *qp, struct fabric_qp *peer)
{
	qp->peer = peer;
	peer->peer = qp;
}

void fabric_qp_ready(struct fabric_qp *qp)
{
	if (qp->qp.state != IBV_QPS_INIT)
		return;
	qp->qp.state = IBV_QPS_RTS;
	if (qp->peer && !fabric.held)
		fabric_qp_run(qp->peer, UINT_MAX);
}

int __wrap_ibv_query_qp(
	struct ibv_qp *of, struct ibv_qp_attr *attr, int mask, struct ibv_qp_init_attr *init);
int __wrap_ibv_query_qp(
	struct ibv_qp *of, struct ibv_qp_attr *attr, int mask, struct ibv_qp_init_attr *init)
{
	const struct fabric_qp *qp = (const struct fabric_qp *)of;
	int err = fabric_fails("ibv_query_qp");

	(void)mask;
	if (err)
		return err;
	memset(attr, 0, sizeof(*attr));
	memset(init, 0, sizeof(*init));
	pthread_mutex_lock(&fabric.lock);
	attr->qp_state = attr->cur_qp_state = qp->qp.state;
	attr->path_mtu = IBV_MTU_1024;
	attr->cap = init->cap = qp->cap;
	pthread_mutex_unlock(&fabric.lock);
	return 0;
}

/* To an error only: the other states are rdma_cm's affair. */
int __wrap_ibv_modify_qp(struct ibv_qp *of, struct ibv_qp_attr *attr, int mask);
int __wrap_ibv_modify_qp(struct ibv_qp *of, struct ibv_qp_attr *attr, int mask)
{
	int err = fabric_fails("ibv_modify_qp");

	if (err == 0 && (mask != IBV_QP_STATE || attr->qp_state != IBV_QPS_ERR))
		err = EINVAL;
	if (err)
		return err;
	pthread_mutex_lock(&fabric.lock);
	fabric_qp_error((struct fabric_qp *)of);
	pthread_mutex_unlock(&fabric.lock);
	return 0;
}
