/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* service_promise.c -- attributes with the promise to tell of changes, and changes that keep such promises */

#include <errno.h>

#include "owner/service.h"

/* --- attributes -------------------------------------------------------------------------------- */

static bool promise(const struct op *op, uint64_t fileid)
{
	return coherence_promise(op->service->coherence, &op->peer->holder, op->volume->holders,
		xfer_bucket(fileid), op->request->arrived_ns);
}

/*
 * Promised first and read then. When only reading tells which object it is, what was read counts if nobody else has
 * changed anything until it was promised.
 */
static int read_promised(const struct op *op, int fd, uint64_t fileid, bool changed,
	struct statx *stx, struct xfer_attr *attr)
{
	const struct holder *holder = &op->peer->holder;
	bool promised = fileid != 0 && promise(op, fileid);
	uint64_t changes = fileid ? 0 : holders_changes(op->volume->holders, holder->slot);
	int err = object_stat_attr(op->volume, fd, changed, stx, attr);

	if (err == 0 && fileid == 0) {
		promised = promise(op, attr->fileid);
		if (promised && holders_changes(op->volume->holders, holder->slot) != changes)
			err = object_stat_attr(op->volume, fd, false, stx, attr);
	}
	/* Its handle was STALE already to whoever asked when the kernel didn't need it any more. */
	if (err == 0 && object_is_removed_dir(stx)) {
		promised = false;
		err = fileid == 0 ? -ESTALE : 0;
	}
	if (err == 0)
		attr->promised = promised;
	return err;
}

int op_attr(const struct op *op, const struct object *object, bool changed, struct xfer_attr *attr)
{
	struct statx stx;

	return read_promised(op, object->fd, object->fileid, changed, &stx, attr);
}

void op_opt_attr(
	const struct op *op, const struct object *object, bool changed, struct xfer_opt_attr *attr)
{
	attr->valid = op_attr(op, object, changed, &attr->attr) == 0;
}

int op_node(const struct op *op, const struct object *object, bool changed, struct xfer_node *node)
{
	int err = op_attr(op, object, changed, &node->attr);

	if (err)
		return err;
	/* The root has one handle only, so that nobody takes it for two objects. */
	if (node->attr.fileid == XFER_ROOT_FILEID) {
		xfer_handle_root(op->volume->maker.volume_id, &node->handle);
		return 0;
	}
	return object_handle(op->volume, object->fd, &node->handle);
}

int op_file_attr(const struct op *op, const struct file *file, bool changed, struct statx *stx,
	struct xfer_attr *attr)
{
	return read_promised(op, file->fd, file->fileid, changed, stx, attr);
}

void op_file_opt_attr(
	const struct op *op, const struct file *file, bool changed, struct xfer_opt_attr *attr)
{
	struct statx stx;

	attr->valid = op_file_attr(op, file, changed, &stx, &attr->attr) == 0;
}

/* --- changes ----------------------------------------------------------------------------------- */

/* Each bucket once. */
static struct coherence_change change_of(
	const struct op *op, const uint64_t *fileids, unsigned count)
{
	struct coherence_change change = {
		.holders = op->volume->holders,
		.volume_id = op->volume->maker.volume_id,
		.strict = op->config->coherence == COHERENCE_STRICT,
	};

	for (unsigned i = 0; i < count; i++) {
		uint32_t bucket = xfer_bucket(fileids[i]);
		unsigned j = 0;

		while (j < change.count && change.buckets[j] != bucket)
			j++;
		if (j == change.count)
			change.buckets[change.count++] = bucket;
	}
	return change;
}

void op_change_begin(const struct op *op, struct coherence_change *change, const uint64_t *fileids,
	unsigned count)
{
	*change = change_of(op, fileids, count);
	coherence_begin(op->service->coherence, &op->peer->holder, change);
}

bool op_change_begin_now(const struct op *op, struct coherence_change *change,
	const uint64_t *fileids, unsigned count)
{
	*change = change_of(op, fileids, count);
	return coherence_begin_now(op->service->coherence, &op->peer->holder, change);
}

void op_change_end(const struct op *op, const struct coherence_change *change)
{
	coherence_end(&op->peer->holder, change);
}
