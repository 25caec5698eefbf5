/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* sharing.c -- the memory that a session shares with its owner: SHARE, GROW and RETIRE, the calling end */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "core/layout.h"
#include "log.h"
#include "session.h"

#define SMALL_SLOT   (16u << 10) /* bytes */
#define LARGE_SLOT   (1u << 20)
#define CHUNKS       4u /* what is wanted is asked for in so many parts */
#define TRIES        5u /* what the owner hasn't, others return within a few seconds */
#define AGAIN_NS     (1000 * XFER_NS_PER_MS) /* after a refusal, or the end of a data path */
#define LANE_ENDED   (-ESHUTDOWN)
#define FAILURES_MAX 4u /* each doubles the time until it is tried anew */
#define COMPLAIN_NS  (60000 * XFER_NS_PER_MS)
#define DRAIN_NS     (20 * XFER_NS_PER_MS) /* how often a retiring chunk is looked at */

/* --- calls -------------------------------------------------------------------------------------- */

/* Of struct xfer_call. A descriptor is taken at once, before another one can come. */
static void asked(struct xfer_call *call, int err)
{
	struct xfer_asking *asking = call->user;
	struct xfer_session *session = asking->session;

	pthread_mutex_lock(&session->lock);
	asking->err = err;
	if (err == 0 && call->proc == XFER_PROC_GROW)
		asking->fd = xfer_caller_take_fd(call->caller);
	asking->answered = true;
	session->sharing.news = true;
	pthread_cond_broadcast(&session->changed);
	pthread_mutex_unlock(&session->lock);
}

/* The arguments are there. */
static void ask(struct xfer_session *session, struct xfer_asking *asking, uint32_t proc)
{
	asking->session = session;
	asking->pending = true;
	asking->answered = false;
	asking->fd = -1;
	memset(&asking->results, 0, sizeof(asking->results));
	asking->call = (struct xfer_call){
		.proc = proc,
		.args = &asking->args,
		.results = &asking->results,
		.lingers = true,
		.done = asked,
		.user = asking,
	};
	xfer_caller_submit(session->lanes[0], &asking->call);
}

/* True: it is answered; *err: 0, or what its status says; LANE_ENDED: and the epoch with it. */
static bool take_answer(struct xfer_session *session, struct xfer_asking *asking, int *err)
{
	bool answered;

	pthread_mutex_lock(&session->lock);
	answered = asking->pending && asking->answered;
	pthread_mutex_unlock(&session->lock);
	if (!answered)
		return false;
	asking->pending = false;
	*err = asking->err;
	if (*err == 0)
		*err = xfer_status_to_errno(asking->results.status);
	else if (*err == -EAGAIN || *err == -EREMOTEIO)
		*err = LANE_ENDED;
	return true;
}

static void close_fd(struct xfer_asking *asking)
{
	if (asking->fd >= 0)
		close(asking->fd);
	asking->fd = -1;
}

static void later(struct xfer_sharing *sharing)
{
	sharing->next_ns = xfer_now_ns() + AGAIN_NS;
}

/* --- the data path ------------------------------------------------------------------------------ */

/* So many slots of a lane as make up what a session has in all. */
static struct xfer_slot_layout wanted_layout(const struct xfer_context *context)
{
	uint32_t lanes = context->nlanes;

	return (struct xfer_slot_layout){
		.nclasses = 2,
		.classes = { { SMALL_SLOT, (context->small_slots + lanes - 1) / lanes },
			{ LARGE_SLOT, (context->large_slots + lanes - 1) / lanes } },
	};
}

/* Once; again after a while, if there is another cause then. Until there is a data path again. */
static void complain(struct xfer_session *session, const char *why)
{
	struct xfer_sharing *sharing = &session->sharing;
	uint64_t now = xfer_now_ns();

	if (strcmp(sharing->why, why) == 0 ||
		(sharing->why[0] && now < sharing->complained_ns + COMPLAIN_NS))
		return;
	snprintf(sharing->why, sizeof(sharing->why), "%s", why);
	sharing->complained_ns = now;
	xfer_warn("data of owner %s at %s travels over the connection: %s", session->owner,
		session->address_text, why);
}

/* Why the path was lost, if that is known: one that was given up for its quarantine is replaced at once. */
static void complain_of_loss(struct xfer_session *session)
{
	char why[XFER_SHARING_WHY];

	pthread_mutex_lock(&session->lock);
	memcpy(why, session->sharing.lost, sizeof(why));
	session->sharing.lost[0] = '\0';
	pthread_mutex_unlock(&session->lock);
	if (why[0])
		complain(session, why);
}

/* Operations find it no more; those that have a slot of it keep it. */
static void leave_path(struct xfer_session *session)
{
	struct xfer_sharing *sharing = &session->sharing;

	if (sharing->state != XFER_SHARING_JOINED)
		return;
	xfer_sharing_renew(session, sharing->path);
	xfer_datapath_lost(sharing->path);
	xfer_datapath_unref(sharing->path);
	sharing->path = NULL;
	sharing->verbs = NULL;
	sharing->retiring = 0;
	sharing->state = XFER_SHARING_APART;
	later(sharing);
}

/* Who takes what there is isn't told that there is nothing, unless there was something before. */
static bool is_expected(const struct xfer_session *session, int err)
{
	const struct xfer_sharing *sharing = &session->sharing;

	return session->context->path == XFER_WISH_AUTO && !sharing->had &&
	       (err == -ENODEV || (err == -EOPNOTSUPP && sharing->sort == &xfer_sharing_shm));
}

/* Nobody else is asked as long as there is no device here. */
static void back_off(struct xfer_sharing *sharing, bool alone)
{
	unsigned wait_ms = sharing->sort->again_ms;

	if (alone)
		sharing->failures = 0;
	else if (sharing->failures < FAILURES_MAX)
		sharing->failures++;
	for (unsigned i = 1; i < sharing->failures; i++)
		wait_ms *= 2;
	sharing->next_ns = xfer_now_ns() + wait_ms * XFER_NS_PER_MS;
}

/* There is no data path: not in this epoch, or (verbs) not now. */
static void give_up(struct xfer_session *session, int err, const char *why)
{
	struct xfer_sharing *sharing = &session->sharing;

	leave_path(session);
	if (sharing->sort->again_ms > 0 && err != LANE_ENDED) {
		sharing->state = XFER_SHARING_APART;
		back_off(sharing, err == -ENODEV);
	} else {
		sharing->state = XFER_SHARING_OFF;
	}
	if (err != LANE_ENDED && err != -ECANCELED && !is_expected(session, err))
		complain(session, why);
}

static bool was_left(struct xfer_session *session)
{
	struct xfer_sharing *sharing = &session->sharing;
	bool left;

	pthread_mutex_lock(&session->lock);
	left = sharing->state == XFER_SHARING_JOINED && session->path != sharing->path;
	pthread_mutex_unlock(&session->lock);
	return left;
}

void xfer_sharing_renew(struct xfer_session *session, const struct xfer_datapath *path)
{
	struct xfer_datapath *left = NULL;

	pthread_mutex_lock(&session->lock);
	if (session->path == path) {
		left = session->path;
		session->path = NULL;
		session->sharing.news = true;
		pthread_cond_broadcast(&session->changed);
	}
	pthread_mutex_unlock(&session->lock);
	xfer_datapath_unref(left);
}

/* Of struct xfer_datapath_params. */
static void path_lost(void *arg, struct xfer_datapath *path, const char *why)
{
	struct xfer_session *session = arg;

	pthread_mutex_lock(&session->lock);
	snprintf(session->sharing.lost, XFER_SHARING_WHY, "%s", why);
	pthread_mutex_unlock(&session->lock);
	xfer_sharing_renew(session, path);
}

/* The same: whoever gave up the last reference may not wait for what freeing it takes. */
static void path_gone(void *arg, struct xfer_datapath *path)
{
	struct xfer_session *session = arg;
	struct xfer_sharing *sharing = &session->sharing;

	pthread_mutex_lock(&session->lock);
	*xfer_datapath_next(path) = sharing->gone;
	sharing->gone = path;
	sharing->news = true;
	pthread_cond_broadcast(&session->changed);
	pthread_mutex_unlock(&session->lock);
}

/* With the lock held, which is dropped meanwhile. */
static void free_gone(struct xfer_session *session)
{
	struct xfer_sharing *sharing = &session->sharing;
	struct xfer_datapath *path;

	while ((path = sharing->gone)) {
		sharing->gone = *xfer_datapath_next(path);
		pthread_mutex_unlock(&session->lock);
		xfer_datapath_free(path);
		pthread_mutex_lock(&session->lock);
		sharing->paths--;
	}
}

/* --- SHARE -------------------------------------------------------------------------------------- */

static void say_share(struct xfer_session *session)
{
	struct xfer_sharing *sharing = &session->sharing;
	struct xfer_share_args *args = &sharing->grow.args.share;
	char why[XFER_SHARING_WHY];
	int err;

	*args = (struct xfer_share_args){ .epoch = ++session->path_epoch,
		.lanes = session->context->nlanes,
		.read = sharing->wanted };
	err = sharing->sort->offer(session, args, why);
	if (err)
		give_up(session, err, why);
	else
		ask(session, &sharing->grow, XFER_PROC_SHARE);
}

static int join(struct xfer_session *session, char *why)
{
	struct xfer_sharing *sharing = &session->sharing;
	const struct xfer_share_args *args = &sharing->grow.args.share;
	struct xfer_datapath_params params = {
		.epoch = args->epoch,
		.lanes = args->lanes,
		.read = args->read,
		.wish = session->context->path,
		.gone = path_gone,
		.ready = xfer_session_ready,
		.lost = path_lost,
		.arg = session,
	};
	int err = sharing->sort->join(session, &params, why);

	if (err)
		return err;
	err = xfer_datapath_create(&params, &sharing->path);
	if (err) {
		snprintf(why, XFER_SHARING_WHY, "%s", strerror(-err));
		return err;
	}
	sharing->state = XFER_SHARING_JOINED;
	sharing->had = true;
	sharing->failures = 0;
	sharing->tries = TRIES;
	xfer_datapath_ref(sharing->path);
	pthread_mutex_lock(&session->lock);
	sharing->paths++;
	sharing->lost[0] = '\0';
	session->path = sharing->path;
	pthread_mutex_unlock(&session->lock);
	/* While it wasn't the session's yet path_lost has changed nothing. */
	if (xfer_datapath_is_lost(sharing->path))
		xfer_sharing_renew(session, sharing->path);
	return 0;
}

/* There is one, after there was none. */
static void rejoice(struct xfer_session *session)
{
	if (!session->sharing.why[0])
		return;
	session->sharing.why[0] = '\0';
	xfer_info("data of owner %s at %s travels over a data path again", session->owner,
		session->address_text);
}

static void share_answered(struct xfer_session *session, int err)
{
	struct xfer_sharing *sharing = &session->sharing;
	char why[XFER_SHARING_WHY];

	if (err == 0) {
		err = join(session, why);
	} else {
		sharing->sort->drop(session);
		snprintf(why, sizeof(why), "the owner offers no data path (%s); its log says why",
			strerror(-err));
	}
	if (err == 0)
		rejoice(session);
	else if (err == -EAGAIN)
		later(sharing);
	else
		give_up(session, err, why);
}

/* --- GROW --------------------------------------------------------------------------------------- */

/* What the owner has granted; what can't be ends the path, because the owner counts on it. */
static int take_chunk(struct xfer_session *session, char *why)
{
	struct xfer_sharing *sharing = &session->sharing;
	const struct xfer_grow_args *args = &sharing->grow.args.grow;
	const struct xfer_chunk *chunk = &sharing->grow.results.grow.chunk;
	uint64_t bytes = xfer_layout_bytes(&chunk->layout, session->context->nlanes);
	struct xfer_memory *memory;
	int err = -EPROTO;

	snprintf(why, XFER_SHARING_WHY, "the owner has granted what wasn't asked for");
	if (xfer_layout_is_part(&chunk->layout, &args->layout))
		err = sharing->sort->borrow(session, chunk, bytes, &memory, why);
	if (err)
		return err;
	err = xfer_datapath_add(sharing->path, chunk, memory);
	if (err)
		snprintf(why, XFER_SHARING_WHY, "what the owner has granted is of no use: %s",
			strerror(-err));
	return err;
}

static void grow_answered(struct xfer_session *session, int err)
{
	struct xfer_sharing *sharing = &session->sharing;
	uint32_t epoch = sharing->grow.args.grow.epoch;
	char why[XFER_SHARING_WHY];

	if (sharing->state == XFER_SHARING_JOINED && epoch == xfer_datapath_epoch(sharing->path)) {
		if (err) {
			sharing->tries -= sharing->tries > 0;
			later(sharing);
		} else {
			sharing->tries = TRIES;
			err = take_chunk(session, why);
			if (err)
				give_up(session, err, why);
		}
	}
	close_fd(&sharing->grow);
}

static void say_grow(struct xfer_session *session, const struct xfer_slot_layout *missing)
{
	struct xfer_sharing *sharing = &session->sharing;

	sharing->grow.args.grow =
		(struct xfer_grow_args){ .epoch = xfer_datapath_epoch(sharing->path),
			.layout = *missing };
	ask(session, &sharing->grow, XFER_PROC_GROW);
}

/* --- RETIRE ------------------------------------------------------------------------------------- */

static void say_retire(struct xfer_session *session, uint32_t returned)
{
	struct xfer_sharing *sharing = &session->sharing;

	sharing->retire.args.retire =
		(struct xfer_retire_args){ .epoch = xfer_datapath_epoch(sharing->path),
			.returned = returned };
	ask(session, &sharing->retire, XFER_PROC_RETIRE);
}

/* The path is the owner's to end: there may be another one, later. */
static void retire_refused(struct xfer_session *session, int err)
{
	if (err != -ENOTCONN) {
		give_up(session, err, "the owner wants memory back that there isn't");
		return;
	}
	xfer_info("owner %s has ended the data path of session %016llx", session->owner,
		(unsigned long long)session->session_id);
	leave_path(session);
	complain_of_loss(session);
}

static void retire_answered(struct xfer_session *session, int err)
{
	struct xfer_sharing *sharing = &session->sharing;
	uint32_t chunk = sharing->retire.results.retire.chunk;

	if (sharing->state != XFER_SHARING_JOINED ||
		sharing->retire.args.retire.epoch != xfer_datapath_epoch(sharing->path) ||
		(err == 0 && chunk == 0))
		return;
	if (err == 0 && xfer_datapath_retire(sharing->path, chunk) != 0)
		err = -EPROTO;
	if (err) {
		retire_refused(session, err);
		return;
	}
	sharing->retiring = chunk;
	sharing->tries = 0;
}

/* The owner is told when it is gone. */
static void drain(struct xfer_session *session)
{
	struct xfer_sharing *sharing = &session->sharing;
	uint32_t chunk = sharing->retiring;

	if (chunk == 0 || xfer_datapath_remove(sharing->path, chunk) != 0)
		return;
	sharing->retiring = 0;
	later(sharing);
	say_retire(session, chunk);
}

/* --- the session's thread ----------------------------------------------------------------------- */

/*
 * A chunk may be wanted back right behind the answer that granted it: that answer is there when RETIRE's is, and comes
 * first.
 */
static void take_answers(struct xfer_session *session)
{
	struct xfer_sharing *sharing = &session->sharing;
	int err, retire_err;
	bool wanted_back = take_answer(session, &sharing->retire, &retire_err);

	if (take_answer(session, &sharing->grow, &err)) {
		if (sharing->grow.call.proc == XFER_PROC_GROW)
			grow_answered(session, err);
		else
			share_answered(session, err);
	}
	if (wanted_back)
		retire_answered(session, retire_err);
	if (sharing->state == XFER_SHARING_JOINED && !sharing->retire.pending &&
		sharing->retiring == 0)
		say_retire(session, 0);
}

/* Asks for what is missing, if that is due; when it will be. */
static uint64_t ask_for_more(struct xfer_session *session)
{
	struct xfer_sharing *sharing = &session->sharing;
	struct xfer_slot_layout missing;

	if (sharing->state == XFER_SHARING_OFF || sharing->grow.pending || sharing->retiring != 0)
		return UINT64_MAX;
	if (xfer_now_ns() < sharing->next_ns)
		return sharing->next_ns;
	if (sharing->state == XFER_SHARING_APART) {
		say_share(session);
		return sharing->grow.pending ? UINT64_MAX : sharing->next_ns;
	}
	missing =
		xfer_layout_missing(&sharing->wanted, xfer_datapath_layout(sharing->path), CHUNKS);
	if (missing.nclasses == 0)
		return UINT64_MAX;
	if (xfer_datapath_lacked(sharing->path))
		sharing->tries = TRIES;
	if (sharing->tries == 0) {
		later(sharing);
		return sharing->next_ns;
	}
	say_grow(session, &missing);
	return UINT64_MAX;
}

uint64_t xfer_sharing_work(struct xfer_session *session)
{
	struct xfer_sharing *sharing = &session->sharing;
	uint64_t until;

	pthread_mutex_lock(&session->lock);
	free_gone(session);
	pthread_mutex_unlock(&session->lock);
	take_answers(session);
	if (was_left(session)) {
		leave_path(session);
		complain_of_loss(session);
	}
	drain(session);
	until = ask_for_more(session);
	return sharing->retiring ? xfer_now_ns() + DRAIN_NS : until;
}

/* Shared memory on one host, else queue pairs; NULL: none is wished for. */
static const struct xfer_sharing_sort *choose_sort(const struct xfer_session *session)
{
	switch (session->context->path) {
	case XFER_WISH_SHM:
		return &xfer_sharing_shm;
	case XFER_WISH_VERBS:
		return &xfer_sharing_verbs;
	case XFER_WISH_AUTO:
		return session->address.local ? &xfer_sharing_shm : &xfer_sharing_verbs;
	default:
		return NULL;
	}
}

void xfer_sharing_begin(struct xfer_session *session)
{
	struct xfer_sharing *sharing = &session->sharing;

	sharing->wanted = wanted_layout(session->context);
	sharing->next_ns = 0;
	sharing->failures = 0;
	sharing->sort = choose_sort(session);
	sharing->state = sharing->sort ? XFER_SHARING_APART : XFER_SHARING_OFF;
}

void xfer_sharing_end(struct xfer_session *session)
{
	struct xfer_sharing *sharing = &session->sharing;

	leave_path(session);
	if (sharing->sort)
		sharing->sort->drop(session);
	if (sharing->grow.pending)
		close_fd(&sharing->grow);
	sharing->grow.pending = sharing->retire.pending = false;
	sharing->state = XFER_SHARING_OFF;
}

void xfer_sharing_finish(struct xfer_session *session)
{
	pthread_mutex_lock(&session->lock);
	/* A thread may still look for what others wait for: it has a reference until it is done with that. */
	for (free_gone(session); session->sharing.paths > 0; free_gone(session))
		pthread_cond_wait(&session->changed, &session->lock);
	pthread_mutex_unlock(&session->lock);
}
