/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* transfer.c -- reads or writes of one file, many at a time, over all connections */
#include "transfer.h"

#include <err.h>
#include <inttypes.h>
#include <stdlib.h>

#define DELAY_NS 20000000u

struct transfer {
	struct nfs *nfs;
	struct nfs_file *file;
	struct content *content;
	const struct transfer_plan *plan;
	struct stats *stats;
	uint64_t blocks;
	uint64_t issued;
	uint64_t limit;
	uint64_t deadline_ns; /* 0: none */
	uint64_t cursor;      /* of the next block, or the random numbers' state */
	unsigned busy;
	bool have_verifier;
	uint8_t verifier[8];
};

/* One operation under way, and after it the next. */
struct slot {
	struct call call;
	struct transfer *transfer;
	unsigned number; /* of its connection */
	struct conn *conn;
	uint8_t *buffer;
	uint64_t offset;
	uint32_t len;
	uint32_t moved; /* of len; less than it after a short read or write */
	uint64_t began_ns;
	uint64_t retry_ns; /* 0: nothing to be tried again */
};

static void fail(struct transfer *transfer)
{
	transfer->stats->errors++;
	transfer->limit = transfer->issued;
}

static uint64_t next_block(struct transfer *transfer)
{
	const struct transfer_plan *plan = transfer->plan;

	if (plan->random) {
		transfer->cursor ^= transfer->cursor << 13;
		transfer->cursor ^= transfer->cursor >> 7;
		transfer->cursor ^= transfer->cursor << 17;
		return transfer->cursor % transfer->blocks;
	}
	while (plan->only && !plan->only[transfer->cursor % transfer->blocks])
		transfer->cursor++;
	return transfer->cursor++ % transfer->blocks;
}

static void slot_send(struct slot *slot)
{
	struct transfer *transfer = slot->transfer;
	struct nfs *nfs = transfer->nfs;
	uint64_t offset = slot->offset + slot->moved;
	uint32_t len = slot->len - slot->moved;

	slot->retry_ns = 0;
	if (transfer->plan->writing)
		nfs->version->build_write(nfs, slot->conn, &slot->call, transfer->file, offset,
			transfer->content->ops->payload(
				transfer->content, slot->buffer, offset, len),
			len, transfer->plan->stable);
	else
		nfs->version->build_read(nfs, slot->conn, &slot->call, transfer->file, offset, len);
	conn_submit(slot->conn, &slot->call);
}

/* Begin the slot's next operation, if there is one to be done. */
static void slot_next(struct slot *slot)
{
	struct transfer *transfer = slot->transfer;
	const struct transfer_plan *plan = transfer->plan;
	uint64_t block, now = stats_now();

	if (transfer->issued == transfer->limit ||
		(transfer->deadline_ns && now >= transfer->deadline_ns) ||
		!pace_issue(&transfer->stats->pace, slot->number)) {
		transfer->busy--;
		return;
	}
	transfer->issued++;
	block = next_block(transfer);
	slot->offset = block * plan->size;
	slot->len = plan->size;
	if (plan->file_size - slot->offset < slot->len)
		slot->len = (uint32_t)(plan->file_size - slot->offset);
	slot->moved = 0;
	slot->began_ns = now;
	if (plan->written)
		plan->written[block] = 1;
	slot_send(slot);
}

/* A write's reply: all of them carry the same verifier, unless the server began anew in between. */
static bool take_written(struct slot *slot, const struct nfs_io_result *result)
{
	struct transfer *transfer = slot->transfer;

	if (!result->count || result->count > slot->len - slot->moved) {
		warnx("WRITE of %u bytes at offset %" PRIu64 " took %u", slot->len - slot->moved,
			slot->offset + slot->moved, result->count);
		return false;
	}
	if (!transfer->have_verifier)
		memcpy(transfer->verifier, result->verifier, sizeof(result->verifier));
	transfer->have_verifier = true;
	if (memcmp(transfer->verifier, result->verifier, sizeof(result->verifier))) {
		warnx("the write verifier changed: the server was restarted, repeat the run");
		return false;
	}
	return true;
}

static bool take_read(struct slot *slot, const struct nfs_io_result *result)
{
	struct content *content = slot->transfer->content;
	uint64_t offset = slot->offset + slot->moved;
	uint32_t wanted = slot->len - slot->moved;
	size_t right;

	if (result->count > wanted || (result->count < wanted && (result->eof || !result->count))) {
		warnx("READ of %u bytes at offset %" PRIu64 " gave %u%s", wanted, offset,
			result->count, result->eof ? ", the end of the file" : "");
		return false;
	}
	right = content->ops->accept(content, result->data, offset, result->count);
	if (right != result->count) {
		warnx("wrong data at offset %" PRIu64 " (in a READ of %u bytes at %" PRIu64 ")",
			offset + right, wanted, offset);
		return false;
	}
	return true;
}

static void slot_done(struct call *call)
{
	struct slot *slot = call->context;
	struct transfer *transfer = slot->transfer;
	struct nfs *nfs = transfer->nfs;
	bool writing = transfer->plan->writing;
	struct nfs_io_result result;
	uint64_t now;
	int status = writing ? nfs->version->parse_write(call, &result)
			     : nfs->version->parse_read(call, &result);

	if (nfs_is_delay(status)) {
		nfs->delays++;
		slot->retry_ns = stats_now() + DELAY_NS;
		return;
	}
	if (status)
		warnx("%s of %u bytes at offset %" PRIu64 " failed: %s", writing ? "WRITE" : "READ",
			slot->len, slot->offset, nfs_status_name(status));
	if (status || !(writing ? take_written(slot, &result) : take_read(slot, &result))) {
		fail(transfer);
		transfer->busy--;
		return;
	}
	slot->moved += result.count;
	if (slot->moved < slot->len) {
		slot_send(slot);
		return;
	}
	now = stats_now();
	stats_add(transfer->stats, slot->len, now - slot->began_ns);
	pace_done(&transfer->stats->pace, slot->number, now);
	slot_next(slot);
}

/* Send again what the server wanted delayed and is due; how long to wait for the next, in ms. */
static int retry_due(struct slot *slots, unsigned count)
{
	uint64_t now = 0;
	int timeout_ms = CONN_REPLY_SECONDS * 1000;

	for (unsigned i = 0; i < count; i++) {
		if (!slots[i].retry_ns)
			continue;
		now = now ? now : stats_now();
		if (slots[i].retry_ns <= now)
			slot_send(&slots[i]);
		else
			timeout_ms = 1;
	}
	return timeout_ms;
}

static void commit(struct transfer *transfer)
{
	struct nfs *nfs = transfer->nfs;
	uint8_t verifier[8];
	int status = nfs->version->commit(nfs, transfer->file, verifier);

	if (status)
		warnx("COMMIT failed: %s", nfs_status_name(status));
	else if (memcmp(verifier, transfer->verifier, sizeof(verifier)))
		warnx("COMMIT's verifier isn't the writes': the server was restarted, repeat the run");
	else
		return;
	fail(transfer);
}

static struct slot *slots_make(struct transfer *transfer, unsigned count)
{
	const struct transfer_plan *plan = transfer->plan;
	struct nfs *nfs = transfer->nfs;
	struct slot *slots = calloc(count, sizeof(slots[0]));

	if (!slots)
		err(1, "no memory for %u operations", count);
	for (unsigned i = 0; i < count; i++) {
		struct slot *slot = &slots[i];

		slot->transfer = transfer;
		slot->number = i % nfs->count;
		slot->conn = nfs->conns[slot->number];
		slot->call.context = slot;
		slot->call.done = slot_done;
		conn_add_call(
			slot->conn, &slot->call, NFS_REPLY_ROOM + (plan->writing ? 0 : plan->size));
		slot->buffer = plan->writing ? malloc(plan->size) : NULL;
		if (plan->writing && !slot->buffer)
			err(1, "no memory for %u operations", count);
	}
	return slots;
}

static void slots_free(struct slot *slots, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		conn_drop_call(slots[i].conn, &slots[i].call);
		free(slots[i].buffer);
	}
	free(slots);
}

static uint64_t blocks_to_do(const struct transfer_plan *plan, uint64_t blocks)
{
	uint64_t count = 0;

	for (uint64_t i = 0; plan->only && i < blocks; i++)
		count += plan->only[i];
	return plan->only ? count : blocks;
}

/* How many operations there are at most. */
static uint64_t limit_of(const struct transfer_plan *plan, unsigned conns, uint64_t blocks)
{
	if (!blocks)
		return 0;
	if (plan->each)
		return plan->each * conns;
	if (plan->ops)
		return plan->ops;
	return plan->seconds > 0 ? UINT64_MAX : blocks_to_do(plan, blocks);
}

void transfer_run(struct nfs *nfs, struct nfs_file *file, struct content *content,
	const struct transfer_plan *plan, struct stats *stats)
{
	struct transfer transfer = {
		.nfs = nfs,
		.file = file,
		.content = content,
		.plan = plan,
		.stats = stats,
		.blocks = (plan->file_size + plan->size - 1) / plan->size,
		.cursor = plan->random ? 0x2545f4914f6cdd1du : 0,
	};
	unsigned count = plan->depth * nfs->count;
	struct slot *slots = slots_make(&transfer, count);

	transfer.limit = limit_of(plan, nfs->count, transfer.blocks);
	stats_begin(stats, plan->cpu);
	pace_begin(&stats->pace, nfs->count, plan->each);
	if (plan->seconds > 0)
		transfer.deadline_ns = stats->began_ns + (uint64_t)(plan->seconds * 1e9);
	transfer.busy = count;
	for (unsigned i = 0; i < count; i++)
		slot_next(&slots[i]);
	while (transfer.busy) {
		int timeout_ms = retry_due(slots, count);

		conn_wait(nfs->conns, nfs->count, timeout_ms);
	}
	if (plan->writing && plan->stable != NFS_FILE_SYNC && transfer.have_verifier &&
		!stats->errors)
		commit(&transfer);
	stats_end(stats);
	slots_free(slots, count);
}
