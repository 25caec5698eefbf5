/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* hold.c -- operations that wait for what connections left behind on the same objects */

#include <string.h>

#include "owner/hold.h"

/* --- what operations have in common ------------------------------------------------------------- */

/* An OPEN by name that changes the file's size: which file that is isn't known before it is executed. */
static bool is_anywhere(const struct xfer_request *request)
{
	const struct xfer_open_args *open = &request->args.open;

	return request->proc == XFER_PROC_OPEN && open->name[0] &&
	       (open->flags & XFER_OPEN_TRUNC || open->set.mask & XFER_SET_SIZE);
}

/* The objects that an operation is about; how many. */
static unsigned objects(const struct xfer_request *request, const struct xfer_handle *handles[2])
{
	handles[0] = xfer_args_handle(request->proc, &request->args);
	switch (request->proc) {
	case XFER_PROC_RENAME:
		handles[1] = &request->args.rename.to_dir;
		return 2;
	case XFER_PROC_LINK:
		handles[1] = &request->args.link.dir;
		return 2;
	default:
		return 1;
	}
}

static bool same_volume(const struct xfer_handle *a, const struct xfer_handle *b)
{
	uint32_t first, second;

	return xfer_handle_volume(a, &first) && xfer_handle_volume(b, &second) && first == second;
}

static bool conflict(const struct xfer_request *a, const struct xfer_request *b)
{
	const struct xfer_handle *of_a[2], *of_b[2];
	unsigned na = objects(a, of_a), nb = objects(b, of_b);
	bool anywhere = is_anywhere(a) || is_anywhere(b);

	for (unsigned i = 0; i < na; i++)
		for (unsigned j = 0; j < nb; j++)
			if (xfer_handle_equal(of_a[i], of_b[j]) ||
				(anywhere && same_volume(of_a[i], of_b[j])))
				return true;
	return false;
}

/* --- turns: all with the lock held --------------------------------------------------------------- */

/* So that of two orphans only the later one waits for the other. */
static void give_turn(struct hold *hold, struct xfer_request *request)
{
	if (request->turn == 0)
		request->turn = ++hold->turn;
}

static bool has_to_wait(const struct hold *hold, const struct xfer_request *request)
{
	const struct xfer_request *orphan;

	LIST_FOREACH (orphan, &hold->orphans, orphan_link)
		if (orphan != request && (request->turn == 0 || orphan->turn < request->turn) &&
			conflict(orphan, request))
			return true;
	return false;
}

/* Takes those out of the held ones that `match` names. */
static struct xfer_request *take(struct hold *hold,
	bool (*match)(const void *arg, const struct xfer_request *request), const void *arg)
{
	struct xfer_request *taken = NULL, **last = &taken, **link = &hold->held, *request;

	while ((request = *link)) {
		if (!match(arg, request)) {
			link = &request->next;
			continue;
		}
		*link = request->next;
		request->next = NULL;
		*last = request;
		last = &request->next;
	}
	return taken;
}

static bool may_begin(const void *arg, const struct xfer_request *request)
{
	return !has_to_wait(arg, request);
}

/* --- from outside -------------------------------------------------------------------------------- */

void hold_orphan(struct hold *hold, struct xfer_request *request)
{
	pthread_mutex_lock(&hold->lock);
	give_turn(hold, request);
	LIST_INSERT_HEAD(&hold->orphans, request, orphan_link);
	atomic_fetch_add(&hold->count, 1);
	pthread_mutex_unlock(&hold->lock);
}

struct xfer_request *hold_orphan_gone(struct hold *hold, struct xfer_request *request)
{
	struct xfer_request *released;

	pthread_mutex_lock(&hold->lock);
	LIST_REMOVE(request, orphan_link);
	atomic_fetch_sub(&hold->count, 1);
	released = take(hold, may_begin, hold);
	pthread_mutex_unlock(&hold->lock);
	return released;
}

bool hold_enter(struct hold *hold, struct xfer_request *request)
{
	struct xfer_request **last;
	bool waits;

	if (atomic_load(&hold->count) == 0)
		return false;
	pthread_mutex_lock(&hold->lock);
	waits = has_to_wait(hold, request);
	if (waits) {
		give_turn(hold, request);
		request->next = NULL;
		for (last = &hold->held; *last; last = &(*last)->next)
			;
		*last = request;
	}
	pthread_mutex_unlock(&hold->lock);
	return waits;
}

struct xfer_request *hold_take_back(struct hold *hold,
	bool (*match)(const void *arg, const struct xfer_request *request), const void *arg)
{
	struct xfer_request *taken;

	pthread_mutex_lock(&hold->lock);
	taken = take(hold, match, arg);
	pthread_mutex_unlock(&hold->lock);
	return taken;
}

void hold_init(struct hold *hold)
{
	memset(hold, 0, sizeof(*hold));
	pthread_mutex_init(&hold->lock, NULL);
	LIST_INIT(&hold->orphans);
}

void hold_fini(struct hold *hold)
{
	pthread_mutex_destroy(&hold->lock);
}
