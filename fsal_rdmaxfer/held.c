/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* held.c -- what this process has open and locked at an owner, so that it can be had again */

#include <errno.h>
#include <inttypes.h>
#include <sys/queue.h>

#include "compat.h"
#include "cred.h"
#include "held.h"
#include "now.h"
#include "ranges.h"

#define UNLOCK_WAIT_MS 1000 /* for the owner's answer to an unlock */
#define LOOK_MS        50  /* so often somebody who waits looks whether that is still worth while */
#define TRIES          3   /* for what a recovery has overtaken */
#define PUT_OFF_MS     100 /* until an owner that answers DELAY is asked again */
#define PUT_OFF_TIMES  30  /* in one recovery */
#define NS_PER_MS      UINT64_C(1000000)

/* An unlock that the owner may not have heard of. */
struct release {
	struct rdx_held *held; /* referenced */
	struct xfer_lock lock;
	uint64_t open_id;
	bool under_way;            /* else it is to be asked again */
	TAILQ_ENTRY(release) link; /* the holdings' */
};

enum standing {
	RECORDED,
	STALE, /* as an earlier round has left it */
	ENDED,
};

struct rdx_held {
	struct rdx_holdings *in;
	struct xfer_handle handle;
	uint32_t flags;
	struct xfer_cred cred;

	/* under the lock of the holdings */
	uint32_t refs;
	enum standing standing;
	uint64_t open_id;     /* 0: the owner has none */
	struct ranges ranges; /* what the client believes to have */
	bool lost;            /* which isn't so: others may have had it since */
	uint64_t changes;     /* of the ranges */
	unsigned releases;    /* under way */
	TAILQ_ENTRY(rdx_held) link;

	uint32_t groups[]; /* of cred */
};
TAILQ_HEAD(held_list, rdx_held);

struct rdx_holdings {
	char *owner;
	xfer_log_fn log;
	pthread_mutex_t lock;    /* all that follows, and records as they say */
	pthread_cond_t released; /* a release has ended */
	uint64_t round;
	bool recovering;
	struct held_list current,
		stale; /* stale ones are only there during a recovery, or after a failed one */
	TAILQ_HEAD(, release) releases;
};

/* What a recovery has to tell. */
struct recovery {
	struct rdx_holdings *holdings;
	struct xfer_session *session;
	unsigned put_off; /* times left */
	unsigned opens, locks, opens_lost, locks_lost;
};

/* --- life ------------------------------------------------------------------------------------- */

struct rdx_holdings *rdx_holdings_create(const char *owner, xfer_log_fn log)
{
	struct rdx_holdings *holdings = gsh_calloc(1, sizeof(*holdings));
	pthread_condattr_t attr;

	holdings->owner = gsh_strdup(owner);
	holdings->log = log;
	TAILQ_INIT(&holdings->current);
	TAILQ_INIT(&holdings->stale);
	TAILQ_INIT(&holdings->releases);
	pthread_mutex_init(&holdings->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&holdings->released, &attr);
	pthread_condattr_destroy(&attr);
	return holdings;
}

/* With the lock held. */
static void unref(struct rdx_held *held)
{
	if (--held->refs > 0)
		return;
	ranges_free(&held->ranges);
	gsh_free(held);
}

/* With the lock held. */
static void forget_release(struct rdx_holdings *holdings, struct release *release)
{
	TAILQ_REMOVE(&holdings->releases, release, link);
	release->held->releases--;
	unref(release->held);
	gsh_free(release);
	pthread_cond_broadcast(&holdings->released);
}

void rdx_holdings_destroy(struct rdx_holdings *holdings)
{
	struct release *release;

	while ((release = TAILQ_FIRST(&holdings->releases)))
		forget_release(holdings, release);
	pthread_cond_destroy(&holdings->released);
	pthread_mutex_destroy(&holdings->lock);
	gsh_free(holdings->owner);
	gsh_free(holdings);
}

uint64_t rdx_holdings_round(struct rdx_holdings *holdings)
{
	uint64_t round;

	pthread_mutex_lock(&holdings->lock);
	round = holdings->round;
	pthread_mutex_unlock(&holdings->lock);
	return round;
}

void rdx_held_ref(struct rdx_held *held)
{
	pthread_mutex_lock(&held->in->lock);
	held->refs++;
	pthread_mutex_unlock(&held->in->lock);
}

void rdx_held_unref(struct rdx_held *held)
{
	struct rdx_holdings *holdings = held->in;

	pthread_mutex_lock(&holdings->lock);
	unref(held);
	pthread_mutex_unlock(&holdings->lock);
}

/* --- opens ------------------------------------------------------------------------------------ */

static int open_again(
	const struct rdx_held *held, struct xfer_session *session, struct xfer_opened *opened)
{
	struct xfer_open open = {
		.handle = held->handle,
		.flags = held->flags | XFER_OPEN_KEEP | XFER_OPEN_OWNER_OVERRIDE,
	};

	return xfer_op_open(session, &held->cred, &open, opened);
}

/* With the lock held: into the list where its standing belongs. */
static void enlist(struct rdx_held *held, enum standing standing)
{
	struct rdx_holdings *holdings = held->in;

	held->standing = standing;
	if (standing == STALE)
		TAILQ_INSERT_TAIL(&holdings->stale, held, link);
	else
		TAILQ_INSERT_TAIL(&holdings->current, held, link);
}

static void delist(struct rdx_held *held)
{
	if (held->standing == STALE)
		TAILQ_REMOVE(&held->in->stale, held, link);
	else
		TAILQ_REMOVE(&held->in->current, held, link);
}

/* False: a recovery has come and gone since the round. */
static bool record(struct rdx_held *held, uint64_t open_id, uint64_t *round, bool last_try)
{
	struct rdx_holdings *holdings = held->in;
	bool recorded;

	pthread_mutex_lock(&holdings->lock);
	recorded = holdings->round == *round || holdings->recovering || last_try;
	if (recorded) {
		held->open_id = open_id;
		/* Recovery opens it once more: this may be the other process's open. */
		enlist(held, holdings->recovering && holdings->round != *round ? STALE : RECORDED);
	}
	*round = holdings->round;
	pthread_mutex_unlock(&holdings->lock);
	return recorded;
}

struct rdx_held *rdx_held_new(struct rdx_holdings *holdings, struct xfer_session *session,
	const struct xfer_handle *handle, uint32_t flags, const struct xfer_cred *cred,
	uint64_t round, uint64_t open_id)
{
	struct rdx_held *held =
		gsh_calloc(1, sizeof(*held) + cred->ngroups * sizeof(*held->groups));
	struct xfer_opened opened;
	int tries = 1;

	held->in = holdings;
	held->refs = 1;
	held->handle = *handle;
	held->flags = flags & (XFER_OPEN_READ | XFER_OPEN_WRITE);
	held->cred = rdx_cred_copy(cred, held->groups);
	while (!record(held, open_id, &round, tries == TRIES)) {
		/* If it can't be had, the next recovery or the handle has to do. */
		if (open_again(held, session, &opened)) {
			tries = TRIES;
			continue;
		}
		xfer_op_close(session, handle, open_id);
		open_id = opened.open_id;
		tries++;
	}
	return held;
}

uint64_t rdx_held_end(struct rdx_held *held)
{
	struct rdx_holdings *holdings = held->in;
	uint64_t open_id;

	pthread_mutex_lock(&holdings->lock);
	delist(held);
	held->standing = ENDED;
	open_id = held->open_id;
	held->open_id = 0;
	unref(held);
	pthread_mutex_unlock(&holdings->lock);
	return open_id;
}

uint64_t rdx_held_open_id(struct rdx_held *held)
{
	uint64_t open_id;

	pthread_mutex_lock(&held->in->lock);
	open_id = held->open_id;
	pthread_mutex_unlock(&held->in->lock);
	return open_id;
}

enum rdx_guard rdx_held_guard(struct rdx_held *held)
{
	enum rdx_guard guard = RDX_GUARD_HELD;

	pthread_mutex_lock(&held->in->lock);
	if (held->ranges.count == 0)
		guard = RDX_GUARD_NONE;
	else if (held->lost)
		guard = RDX_GUARD_LOST;
	else if (held->standing == STALE)
		guard = RDX_GUARD_LATER;
	pthread_mutex_unlock(&held->in->lock);
	return guard;
}

/* --- locks ------------------------------------------------------------------------------------ */

/* With the lock held: for the owner's answers to unlocks. False: it takes too long. */
static bool await_releases(struct rdx_held *held, struct xfer_session *session)
{
	struct rdx_holdings *holdings = held->in;
	uint64_t end = rdx_now_ns() + UNLOCK_WAIT_MS * NS_PER_MS;

	while (held->releases > 0) {
		uint64_t now = rdx_now_ns(), next = now + LOOK_MS * NS_PER_MS;
		struct timespec until = { .tv_sec = (time_t)(next / (1000 * NS_PER_MS)),
			.tv_nsec = (long)(next % (1000 * NS_PER_MS)) };

		if (now >= end || !xfer_session_is_up(session))
			return false;
		pthread_cond_timedwait(&holdings->released, &holdings->lock, &until);
	}
	return true;
}

/* What is to be asked under which open, in which round. With the lock held. */
static int may_lock(struct rdx_held *held, struct xfer_session *session)
{
	if (held->lost)
		return -EIO;
	if (held->standing == STALE || !await_releases(held, session))
		return -EAGAIN;
	return held->open_id ? 0 : -EBADFD;
}

/* What the owner has said. 1: it is to be asked again. */
static int note_lock(
	struct rdx_held *held, const struct xfer_lock *lock, uint64_t round, int err, bool granted)
{
	struct rdx_holdings *holdings = held->in;

	pthread_mutex_lock(&holdings->lock);
	if (holdings->round != round) {
		if (err == -EBADFD || (err == 0 && granted))
			err = 1;
	} else if (err == -EBADFD && held->ranges.count > 0) {
		held->lost = true;
		err = -EIO;
	} else if (err == 0 && granted) {
		ranges_set(&held->ranges, lock);
		held->changes++;
	}
	pthread_mutex_unlock(&holdings->lock);
	return err;
}

int rdx_held_lock(struct rdx_held *held, struct xfer_session *session, const struct xfer_cred *cred,
	const struct xfer_lock *lock, bool *granted, struct xfer_lock *conflict)
{
	struct rdx_holdings *holdings = held->in;
	int err = 1;

	for (int i = 0; i < TRIES && err == 1; i++) {
		uint64_t round, open_id;

		pthread_mutex_lock(&holdings->lock);
		err = may_lock(held, session);
		round = holdings->round;
		open_id = held->open_id;
		pthread_mutex_unlock(&holdings->lock);
		if (err)
			return err;
		err = xfer_op_lock(session, cred, &held->handle, open_id, XFER_LOCK_SET, lock,
			granted, conflict);
		err = note_lock(held, lock, round, err, *granted);
	}
	return err == 1 ? -EAGAIN : err;
}

/* Lane thread, among others. */
static void unlocked(void *arg, int err)
{
	struct release *release = arg;
	struct rdx_held *held = release->held;
	struct rdx_holdings *holdings = held->in;

	pthread_mutex_lock(&holdings->lock);
	release->under_way = false;
	/* Put off by the owner: asked again by the next tick, unless the open is another one, or none. */
	if (err != -EAGAIN || held->open_id != release->open_id || held->standing == ENDED)
		forget_release(holdings, release);
	pthread_mutex_unlock(&holdings->lock);
}

static void ask_to_unlock(struct release *release, struct xfer_session *session)
{
	xfer_op_unlock(session, &release->held->handle, release->open_id, &release->lock, unlocked,
		release);
}

/* The next unlock that is to be asked again; those that are settled by now are forgotten. With the lock held. */
static struct release *next_release(struct rdx_holdings *holdings)
{
	struct release *release, *next;

	for (release = TAILQ_FIRST(&holdings->releases); release; release = next) {
		next = TAILQ_NEXT(release, link);
		if (release->under_way)
			continue;
		if (release->held->open_id == release->open_id && release->held->standing != ENDED)
			return release;
		forget_release(holdings, release);
	}
	return NULL;
}

void rdx_holdings_tick(struct rdx_holdings *holdings, struct xfer_session *session)
{
	struct release *release;
	unsigned asked = 0;

	do {
		pthread_mutex_lock(&holdings->lock);
		release = xfer_session_is_up(session) ? next_release(holdings) : NULL;
		if (release) {
			release->under_way = true;
			/* Behind the others, so that all have their turn. */
			TAILQ_REMOVE(&holdings->releases, release, link);
			TAILQ_INSERT_TAIL(&holdings->releases, release, link);
		}
		pthread_mutex_unlock(&holdings->lock);
		if (release)
			ask_to_unlock(release, session);
	} while (release && ++asked < 64);
}

/* With the lock held: the record of an unlock that has to be asked for; NULL: it hasn't. */
static struct release *release_new(
	struct rdx_held *held, struct xfer_session *session, const struct xfer_lock *lock)
{
	struct release *release;

	ranges_clear(&held->ranges, lock);
	held->changes++;
	/* Whoever has lost locks begins anew, with another open, when the last of them is unlocked. */
	if (held->ranges.count == 0)
		held->lost = false;
	if (held->open_id == 0 || !session)
		return NULL;
	release = gsh_calloc(1, sizeof(*release));
	*release = (struct release){
		.held = held, .lock = *lock, .open_id = held->open_id, .under_way = true
	};
	held->refs++;
	held->releases++;
	TAILQ_INSERT_TAIL(&held->in->releases, release, link);
	return release;
}

void rdx_held_unlock(struct rdx_held *held, struct xfer_session *session,
	const struct xfer_lock *lock, bool wait)
{
	struct rdx_holdings *holdings = held->in;
	struct release *release;

	pthread_mutex_lock(&holdings->lock);
	release = release_new(held, session, lock);
	pthread_mutex_unlock(&holdings->lock);
	if (!release)
		return;
	ask_to_unlock(release, session);
	if (!wait)
		return;
	pthread_mutex_lock(&holdings->lock);
	(void)await_releases(held, session);
	pthread_mutex_unlock(&holdings->lock);
}

/* --- recovery --------------------------------------------------------------------------------- */

/* After -EAGAIN. False: the connection has ended, or the owner has put us off for too long. */
static bool may_ask_again(struct recovery *recovery)
{
	struct timespec pause = { .tv_nsec = PUT_OFF_MS * (long)NS_PER_MS };

	if (!xfer_session_is_up(recovery->session) || recovery->put_off == 0)
		return false;
	recovery->put_off--;
	nanosleep(&pause, NULL);
	return true;
}

/* -EAGAIN: the connection has ended. From an owner that goes on saying so it is as good as a loss. */
static int verdict(const struct recovery *recovery, int err)
{
	return err == -EAGAIN && xfer_session_is_up(recovery->session) ? -EIO : err;
}

__attribute__((format(printf, 3, 4))) static void tell(
	const struct rdx_holdings *holdings, enum xfer_log_level level, const char *format, ...)
{
	char text[512];
	va_list ap;
	int length = snprintf(text, sizeof(text), "owner %s: ", holdings->owner);

	va_start(ap, format);
	vsnprintf(text + length, sizeof(text) - (size_t)length, format, ap);
	va_end(ap);
	holdings->log(level, text);
}

static void tell_lost(const struct recovery *recovery, const struct rdx_held *held,
	const struct xfer_node *node, const struct xfer_lock *lock)
{
	tell(recovery->holdings, XFER_LOG_ERROR,
		"the lock of user %" PRIu32 " on inode %" PRIu64 " (%s, offset %" PRIu64
		", length %" PRIu64
		") can't be had again: its client gets errors until it has unlocked",
		held->cred.uid, node->attr.fileid, lock->exclusive ? "exclusive" : "shared",
		lock->offset, lock->length);
}

static int lock_again(struct recovery *recovery, const struct rdx_held *held,
	const struct xfer_opened *opened, const struct xfer_lock *lock)
{
	struct xfer_lock conflict;
	bool granted = false;
	int err;

	do
		err = xfer_op_lock(recovery->session, &held->cred, &held->handle, opened->open_id,
			XFER_LOCK_SET, lock, &granted, &conflict);
	while (err == -EAGAIN && may_ask_again(recovery));
	if (err == 0 && !granted)
		err = -EACCES;
	err = verdict(recovery, err);
	if (err && err != -EAGAIN)
		tell_lost(recovery, held, &opened->node, lock);
	return err;
}

/* All locks that the record has now. *changes: as of then. */
static int make_locks(struct recovery *recovery, struct rdx_held *held,
	const struct xfer_opened *opened, uint64_t *changes)
{
	struct ranges ranges;
	int err = 0;

	pthread_mutex_lock(&held->in->lock);
	ranges_copy(&held->ranges, &ranges);
	*changes = held->changes;
	pthread_mutex_unlock(&held->in->lock);
	for (unsigned i = 0; i < ranges.count && err == 0; i++) {
		struct xfer_lock lock = ranges_lock(&ranges.list[i]);

		err = lock_again(recovery, held, opened, &lock);
	}
	ranges_free(&ranges);
	return err;
}

/* The record has changed since its locks were made again. */
static int drop_locks(
	struct recovery *recovery, struct rdx_held *held, const struct xfer_opened *opened)
{
	static const struct xfer_lock all = { 0 };
	struct xfer_lock conflict;
	bool cleared;
	int err;

	do
		err = xfer_op_lock(recovery->session, &held->cred, &held->handle, opened->open_id,
			XFER_LOCK_CLEAR, &all, &cleared, &conflict);
	while (err == -EAGAIN && may_ask_again(recovery));
	return verdict(recovery, err);
}

/* What was made again takes the place of what was. False: the record has changed meanwhile. *open_id becomes the one
 * that isn't needed. */
static bool adopt(
	struct recovery *recovery, struct rdx_held *held, uint64_t changes, uint64_t *open_id)
{
	bool same;

	pthread_mutex_lock(&held->in->lock);
	same = held->changes == changes || held->standing == ENDED;
	if (same && held->standing != ENDED) {
		uint64_t replaced = held->open_id;

		held->open_id = *open_id;
		*open_id = replaced;
		delist(held);
		enlist(held, RECORDED);
		recovery->opens++;
		recovery->locks += held->ranges.count;
	}
	pthread_mutex_unlock(&held->in->lock);
	return same;
}

/* Gives the open id that the owner has forgotten, or not. */
static uint64_t lose(struct recovery *recovery, struct rdx_held *held)
{
	uint64_t open_id;

	pthread_mutex_lock(&held->in->lock);
	open_id = held->open_id;
	if (held->standing != ENDED) {
		held->open_id = 0;
		held->lost = held->ranges.count > 0;
		delist(held);
		enlist(held, RECORDED);
		recovery->opens_lost += !held->lost;
		recovery->locks_lost += held->ranges.count;
	}
	pthread_mutex_unlock(&held->in->lock);
	return open_id;
}

static int make_again(struct recovery *recovery, struct rdx_held *held, struct xfer_opened *opened)
{
	uint64_t changes;
	int err;

	do
		err = open_again(held, recovery->session, opened);
	while (err == -EAGAIN && may_ask_again(recovery));
	if (err)
		return verdict(recovery, err);
	err = make_locks(recovery, held, opened, &changes);
	while (err == 0 && !adopt(recovery, held, changes, &opened->open_id)) {
		err = drop_locks(recovery, held, opened);
		if (err == 0)
			err = make_locks(recovery, held, opened, &changes);
	}
	return err;
}

/* One record; false: the connection has ended. */
static bool recover_one(struct recovery *recovery, struct rdx_held *held)
{
	struct xfer_opened opened = { 0 };
	int err = make_again(recovery, held, &opened);
	uint64_t replaced = err && err != -EAGAIN ? lose(recovery, held) : 0;

	/* What was asked for before the recovery, and answered by the owner's new process, is open there, too. */
	if (replaced)
		xfer_op_close(recovery->session, &held->handle, replaced);
	if (opened.open_id)
		xfer_op_close(recovery->session, &held->handle, opened.open_id);
	return err != -EAGAIN;
}

static void begin_round(struct rdx_holdings *holdings)
{
	struct rdx_held *held, *next;

	pthread_mutex_lock(&holdings->lock);
	holdings->round++;
	holdings->recovering = true;
	for (held = TAILQ_FIRST(&holdings->current); held; held = next) {
		next = TAILQ_NEXT(held, link);
		/* What is lost stays so. */
		if (held->open_id == 0)
			continue;
		delist(held);
		enlist(held, STALE);
	}
	pthread_mutex_unlock(&holdings->lock);
}

/* The next record that is to be made again, referenced; NULL: there is none, and the recovery has ended. */
static struct rdx_held *next_stale(struct rdx_holdings *holdings, bool go_on)
{
	struct rdx_held *held = NULL;

	pthread_mutex_lock(&holdings->lock);
	if (go_on)
		held = TAILQ_FIRST(&holdings->stale);
	if (held)
		held->refs++;
	else
		holdings->recovering = false;
	pthread_mutex_unlock(&holdings->lock);
	return held;
}

static void tell_result(const struct recovery *recovery, uint64_t began_ns)
{
	if (recovery->opens > 0)
		tell(recovery->holdings, XFER_LOG_INFO,
			"%u opens and %u locks are made again; it took %" PRIu64 " ms",
			recovery->opens, recovery->locks, (rdx_now_ns() - began_ns) / NS_PER_MS);
	if (recovery->opens_lost > 0 || recovery->locks_lost > 0)
		tell(recovery->holdings, XFER_LOG_ERROR,
			"%u files that were open can't be opened again, %u locks are lost",
			recovery->opens_lost, recovery->locks_lost);
}

void rdx_holdings_recover(struct rdx_holdings *holdings, struct xfer_session *session)
{
	struct recovery recovery = {
		.holdings = holdings,
		.session = session,
		.put_off = PUT_OFF_TIMES,
	};
	uint64_t began_ns = rdx_now_ns();
	struct rdx_held *held;
	bool connected = true;

	begin_round(holdings);
	while ((held = next_stale(holdings, connected))) {
		connected = recover_one(&recovery, held);
		rdx_held_unref(held);
	}
	tell_result(&recovery, began_ns);
}

void rdx_holdings_forget(struct rdx_holdings *holdings)
{
	struct rdx_held *held;

	begin_round(holdings);
	pthread_mutex_lock(&holdings->lock);
	while ((held = TAILQ_FIRST(&holdings->stale))) {
		held->open_id = 0;
		held->lost = held->ranges.count > 0;
		delist(held);
		enlist(held, RECORDED);
	}
	holdings->recovering = false;
	pthread_mutex_unlock(&holdings->lock);
}
