/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* chunks.c -- memory for WRITE, which comes, and goes when it is drained; one thread at a time */

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "core/layout.h"
#include "world.h"

#define CHUNKS 3

struct piece {
	uint32_t id; /* of a chunk; 0: none */
	bool retiring;
};

static struct piece pieces[CHUNKS];

/* Memory of the host's, laid out; the mirror is the caller's. */
static struct xfer_memory *lend(const struct xfer_slot_layout *layout, struct xfer_chunk *chunk)
{
	struct xfer_memory *memory, *mirror;

	pair_share(&r.pair, xfer_layout_bytes(layout, LANES), &memory, &mirror);
	CHECK(xfer_hostpath_add(r.host, layout, memory, chunk) == 0, "the host can't grow");
	return mirror;
}

/* --- generations -------------------------------------------------------------------------------- */

static json_int_t arrived(void)
{
	json_t *status = xfer_hostpath_status(r.host);
	json_int_t n =
		json_integer_value(json_object_get(json_object_get(status, "write"), "arrived"));

	json_decref(status);
	return n;
}

/* A use of the first slot, which the initiator's pools know nothing of. */
static void use(struct xfer_memory *mirror, const struct xfer_slot_ref *slot)
{
	struct xfer_transport *here = xfer_verbs_transport(r.pair.here);
	struct xfer_transport *there = xfer_verbs_transport(r.pair.there);
	struct xfer_placement sent = { .slot = *slot,
		.address = mirror->base + (uint64_t)slot->lane * SMALL,
		.in = mirror,
		.length = 1 };
	struct xfer_placement found = { .slot = *slot, .length = 1 };

	CHECK(here->ops->stage(here, &sent) == 0 && here->ops->send(here, &sent) == 0,
		"a byte can't be sent");
	while (arrived() == 0)
		there->ops->poll(there, slot->lane);
	CHECK(xfer_hostpath_find(r.host, &found) == XFER_JOIN_GO, "a byte doesn't come");
	xfer_hostpath_done(r.host, &found);
}

/* What is said to be the latest is known by the time when the memory has gone. */
static void age_to(uint32_t generation)
{
	const struct xfer_slot_layout layout = { .nclasses = 1, .classes = { { SMALL, 1 } } };
	struct xfer_memory *mirror;
	struct xfer_chunk chunk;

	mirror = lend(&layout, &chunk);
	for (uint32_t lane = 0; lane < LANES; lane++)
		use(mirror, &(struct xfer_slot_ref){ lane, { r.epoch, generation, 0 } });
	CHECK(xfer_hostpath_remove(r.host, chunk.id) == 0, "a chunk can't be removed");
	xfer_memory_free(mirror);
}

void chunks_age(void)
{
	uint32_t last = (rnd(2) ? UINT32_MAX : 0x10000 * (1 + rnd(1000))) - 1 - rnd(8);

	/* No step is so wide that it leads back. */
	age_to(last / 2);
	age_to(last);
	say("generations begin at %u", last);
}

/* --- coming and going --------------------------------------------------------------------------- */

static struct xfer_slot_layout random_layout(void)
{
	static const struct xfer_slot_class most[] = { { SMALL, 3 }, { MEDIUM, 4 }, { LARGE, 1 } };
	struct xfer_slot_layout layout = { 0 };
	uint32_t classes = 1 + rnd(7); /* bits */

	for (unsigned i = 0; i < 3; i++)
		if (classes & 1u << i)
			layout.classes[layout.nclasses++] =
				(struct xfer_slot_class){ most[i].slot_size,
					1 + rnd(most[i].slots) };
	return layout;
}

static void grow(struct piece *piece)
{
	struct xfer_slot_layout layout = random_layout();
	struct xfer_memory *mirror;
	struct xfer_chunk chunk = { 0 };

	mirror = lend(&layout, &chunk);
	*piece = (struct piece){ .id = chunk.id };
	CHECK(xfer_datapath_add(r.path, &chunk, mirror) == 0, "the initiator can't grow");
	say("chunk %u comes, with %u sizes", chunk.id, layout.nclasses);
	tally.chunks++;
}

static void retire(struct piece *piece)
{
	say("chunk %u retires", piece->id);
	CHECK(xfer_datapath_retire(r.path, piece->id) == 0, "a chunk can't retire");
	piece->retiring = true;
}

/* When the initiator doesn't use it any more the host doesn't, either. */
static void remove_drained(struct piece *piece)
{
	int err = xfer_datapath_remove(r.path, piece->id);

	if (err == -EBUSY)
		return;
	CHECK(err == 0, "a chunk can't be removed at the initiator: %d", err);
	err = xfer_hostpath_remove(r.host, piece->id);
	CHECK(err == 0, "a chunk can't be removed at the host: %d", err);
	say("chunk %u goes", piece->id);
	piece->id = 0;
	tally.retired++;
}

void chunks_step(void)
{
	struct piece *piece = &pieces[rnd(CHUNKS)];

	if (piece->id == 0)
		grow(piece);
	else if (piece->retiring)
		remove_drained(piece);
	else if (rnd(4) == 0)
		retire(piece);
}

void chunks_end(void)
{
	for (unsigned i = 0; i < CHUNKS; i++) {
		if (pieces[i].id != 0 && !pieces[i].retiring)
			retire(&pieces[i]);
		if (pieces[i].id != 0)
			remove_drained(&pieces[i]);
		CHECK(pieces[i].id == 0, "a chunk isn't drained");
	}
}

void chunks_forget(void)
{
	memset(pieces, 0, sizeof(pieces));
}
