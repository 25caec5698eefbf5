/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* epochs.c -- epochs of the data paths: lost, ended, begun, confirmed */

#include "world.h"

void host_end(struct lane *lane)
{
	say("host: epoch %u of lane %d ends", lane->epoch, (int)(lane - w.lanes));
	lane->ended = true;
	xfer_join_end(lane->sides[WRITE].join);
	xfer_join_end(lane->sides[READ].join);
	host_expire(lane);
}

void begin_epoch(struct lane *lane)
{
	if (!lane->ended)
		host_end(lane);
	lane->epoch++;
	w.epochs++;
	for (int i = 0; i < 2; i++) {
		struct side *side = &lane->sides[i];
		int n = xfer_join_begin(side->join, lane->epoch, side->withheld, MEMORIES * SLOTS);

		CHECK(n >= 0, "an epoch doesn't begin");
		side->nwithheld = (uint32_t)n;
	}
	lane->ended = false;
	lane->welcome = w.broken != LOCAL_EPOCH || lane->accepted == 0;
	say("host: lane %d begins epoch %u", (int)(lane - w.lanes), lane->epoch);
}

void lose_path(struct lane *lane)
{
	say("lane %d: path lost", (int)(lane - w.lanes));
	lane->lost = true;
	lane->welcome = false;
	for (int i = 0; i < 2; i++)
		xfer_lmrm_path_lost(lane->sides[i].pool);
	for (int i = 0; i < CALLS && w.broken == LET_GO; i++) {
		struct op *op = &w.ops[i];

		if (op->active && op->slotted && op->phase == COPYING && &w.lanes[op->lane] == lane)
			xfer_lmrm_filled(pool_of(op), &op->slot.name);
	}
}

static void accept_welcome(struct lane *lane, uint32_t epoch)
{
	lane->lost = lane->welcome = false;
	lane->accepted = epoch;
	say("lane %d: epoch %u", (int)(lane - w.lanes), epoch);
	for (int i = 0; i < 2; i++) {
		struct side *side = &lane->sides[i];
		uint32_t n = w.broken == WITHHOLD ? 0 : side->nwithheld;

		w.withheld += n;
		CHECK(xfer_lmrm_welcome(side->pool, epoch, side->withheld, n, w.now) == 0,
			"a WELCOME was refused");
		for (uint32_t j = 0; j < n && w.broken == IN_USE && i == WRITE; j++) {
			struct work *work =
				work_of((int)(lane - w.lanes), true, side->withheld[j], false);

			if (work)
				xfer_lmrm_reply(side->pool, &work->call.name);
		}
	}
}

static bool wants_epoch(const struct lane *lane)
{
	return xfer_lmrm_wants_epoch(lane->sides[WRITE].pool, w.now) ||
	       xfer_lmrm_wants_epoch(lane->sides[READ].pool, w.now);
}

void epoch_step(void)
{
	struct lane *lane = &w.lanes[rnd(LANES)];

	if (lane->closed)
		return;
	if (lane->welcome && lane->lost) {
		accept_welcome(lane, lane->epoch);
	} else if (lane->lost) {
		if (w.broken == LOCAL_EPOCH && lane->epoch > 0 && lane->accepted == lane->epoch) {
			lane->sides[0].nwithheld = lane->sides[1].nwithheld = 0;
			accept_welcome(lane, lane->epoch + 1);
		} else {
			begin_epoch(lane);
		}
	} else if (w.broken == LOCAL_EPOCH && lane->accepted > lane->epoch) {
		begin_epoch(lane);
	} else if (lane->ended ? rnd(4) == 0 : wants_epoch(lane) || accident(30)) {
		lose_path(lane);
	} else if (accident(30)) {
		host_end(lane);
	}
}
