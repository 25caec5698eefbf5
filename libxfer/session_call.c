/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* session_call.c -- a session's operations: call slots, waiting, lanes, and what a lost connection does to them */

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "counters.h"
#include "fault.h"
#include "session.h"
#include "vain.h"

#define COMPANY  16u          /* so many calls in a row have to be alone before one is attended */
#define LIGHT    (256u << 10) /* bytes under way: a lane with less has little to do */
#define PER_CALL 4096u        /* what a call costs a lane beside its payload, in bytes of payload */

#define CANCEL_MS                                                                                  \
	5000 /* a thread that has waited so long asks for its operation not to be begun any more */

/* --- call slots: with the lock held ----------------------------------------------------------- */

static struct xfer_share *share_of(struct xfer_session *session, struct xfer_session_call *call)
{
	uint32_t id = 0;

	(void)xfer_handle_volume(xfer_args_handle(call->call.proc, &call->args), &id);
	return &session->shares[id % XFER_SESSION_SHARES];
}

/* Whether there is a slot, its volume has not had its part, and the owner will not have to stop reading. */
static bool has_room(const struct xfer_session *session, const struct xfer_session_call *call)
{
	const struct xfer_share *share = call->share;
	uint32_t length = call->call.payload_length;

	return session->nfree > XFER_SESSION_RESERVED &&
	       session->payload_out + length <= XFER_PAYLOAD_OUT_MAX &&
	       2 * share->calls < session->nslots &&
	       2 * (share->payload_out + length) <= XFER_PAYLOAD_OUT_MAX;
}

static bool is_recoverer(const struct xfer_session *session)
{
	return session->state == XFER_SESSION_RECOVERING &&
	       pthread_equal(session->recoverer, pthread_self());
}

static void take_slot(struct xfer_session *session, struct xfer_session_call *call)
{
	uint16_t slot = session->free_slots[--session->nfree];

	session->payload_out += call->call.payload_length;
	call->share->payload_out += call->call.payload_length;
	call->share->calls++;
	call->header.call_slot = slot;
	call->header.sequence = ++session->sequences[slot];
}

static void give_slot(struct xfer_session *session, struct xfer_session_call *call)
{
	session->free_slots[session->nfree++] = (uint16_t)call->header.call_slot;
	session->payload_out -= call->call.payload_length;
	call->share->payload_out -= call->call.payload_length;
	call->share->calls--;
}

/* NULL: it isn't about a file's data. */
static struct xfer_payload *payload_of(struct xfer_session_call *call)
{
	return xfer_args_file_data(call->call.proc, &call->args);
}

/* What a call is to its lane. */
static uint32_t weight(const struct xfer_session_call *call)
{
	return PER_CALL + call->call.payload_length;
}

/*
 * The first lane that has little to do: one that is awake costs less than another that has to be woken, and takes
 * several answers at once. Else the one that has least.
 */
static unsigned choose_lane(const struct xfer_session *session)
{
	unsigned least = 0;

	for (unsigned i = 0; i < session->nlanes; i++) {
		if (session->loads[i] < LIGHT)
			return i;
		if (session->loads[i] < session->loads[least])
			least = i;
	}
	return least;
}

/* With a reference; the call flies from now on. */
static struct xfer_caller *take_lane(struct xfer_session *session, struct xfer_session_call *call)
{
	unsigned number = choose_lane(session);

	call->lane = number;
	session->loads[number] += weight(call);
	call->path = session->path && payload_of(call) ? session->path : NULL;
	if (call->path)
		xfer_datapath_ref(call->path);
	call->place = XFER_CALL_FLIES;
	session->flying++;
	xfer_caller_ref(session->lanes[number]);
	return session->lanes[number];
}

/* --- the data path ---------------------------------------------------------------------------- */

/* NONE: the call's data is in a slot, or will be. */
static enum xfer_path_cause take_place(struct xfer_session_call *call)
{
	const struct xfer_call *lane_call = &call->call;
	const struct xfer_path_volume *volume = &call->volume;

	if (xfer_path_wish_both(call->session->context->path, volume->wish) == XFER_WISH_INLINE)
		return XFER_CAUSE_PINNED;
	if (call->exposed)
		return XFER_CAUSE_RESENT;
	if (!call->path)
		return XFER_CAUSE_NO_PATH;
	if (lane_call->proc == XFER_PROC_READ)
		return xfer_datapath_offer(
			call->path, volume, call->lane, lane_call->payload_length, &call->placed);
	return xfer_datapath_write(call->path, volume, call->lane, lane_call->payload,
		lane_call->payload_count, lane_call->payload_length, &call->placed);
}

static void leave_path(struct xfer_session_call *call)
{
	xfer_datapath_unref(call->path);
	call->path = NULL;
	call->in_slot = false;
}

static void set_inline(struct xfer_session_call *call)
{
	*payload_of(call) = (struct xfer_payload){ .kind = XFER_PAYLOAD_INLINE,
		.length = call->call.proc == XFER_PROC_WRITE ? call->call.payload_length : 0 };
}

/* Says where the data travels. Without the session's lock: it may be copied. */
static void place(struct xfer_session_call *call)
{
	struct xfer_payload *payload = payload_of(call);
	enum xfer_path_cause cause;

	if (!payload)
		return;
	cause = take_place(call);
	call->in_slot = cause == XFER_CAUSE_NONE;
	if (!call->in_slot) {
		xfer_count_inline(cause);
		leave_path(call);
		set_inline(call);
		return;
	}
	*payload = (struct xfer_payload){
		.kind = XFER_PAYLOAD_SLOT, .length = call->placed.length, .slot = call->placed.slot
	};
}

/* The answer gives nothing back. */
static void abandon(struct xfer_session_call *call)
{
	if (xfer_datapath_abandon(call->path, &call->placed))
		xfer_sharing_renew(call->session, call->path);
}

/*
 * The READ that this thread takes the data of, which is its own if the thread is a submitting one; NULL: none. Another
 * thread may end it meanwhile, and another call be in its place: that has another slot, or another use of it.
 */
struct taking {
	const struct xfer_session_call *call;
	struct xfer_slot_ref slot;
};
static _Thread_local struct taking taking;

static bool is_taken(const struct xfer_session_call *call)
{
	const struct xfer_slot_ref *now = &call->placed.slot, *then = &taking.slot;

	return call == taking.call && now->lane == then->lane &&
	       now->name.epoch == then->name.epoch && now->name.slot == then->name.slot &&
	       now->name.generation == then->name.generation;
}

/* As take_data; -EINPROGRESS: xfer_session_ready goes on with the call, or has already. */
static int take_read(struct xfer_session_call *call)
{
	const struct taking outer = taking;
	struct xfer_caller *lane = call->call.caller;
	int err;

	xfer_count(XFER_CNT_SLOT_READS, 1);
	/* A call whose data is on its way may be sent again, over a connection that doesn't know of it any more. */
	xfer_caller_ref(lane);
	taking = (struct taking){ call, call->placed.slot };
	err = xfer_datapath_read(call->path, &call->placed, &call->results.read.payload,
		call->call.payload, call->call.payload_count);
	taking = outer;
	if (err != -EINPROGRESS)
		xfer_caller_unref(lane);
	return err;
}

/*
 * An answer to a call whose data has a slot. -EAGAIN: READ: the data is lost; -EPROTO: the owner is confused;
 * -EINPROGRESS: READ: the data is on its way, and the call isn't this thread's any more.
 */
static int take_data(struct xfer_session_call *call)
{
	const struct xfer_slot_ref *released = &call->results.write.released;

	if (call->call.proc == XFER_PROC_READ)
		return take_read(call);
	xfer_count(XFER_CNT_SLOT_WRITES, 1);
	if (released->name.epoch != 0)
		return xfer_datapath_written(call->path, &call->placed, released);
	abandon(call);
	return 0;
}

/* --- waiting: with the lock held -------------------------------------------------------------- */

static bool is_up(const struct xfer_session *session)
{
	return session->state == XFER_SESSION_UP && !session->broken;
}

/* What it keeps in memory while it waits. Only of READs and WRITEs there may be many: for all else a thread waits. */
static uint64_t waiting_bytes(struct xfer_session_call *call)
{
	return payload_of(call) ? sizeof(*call) + call->call.payload_length : 0;
}

static bool may_wait(const struct xfer_session *session, struct xfer_session_call *call)
{
	uint64_t bytes = waiting_bytes(call);

	return bytes == 0 ||
	       (session->waiting_bytes + bytes <= session->waiting_max &&
		       2 * (call->share->waiting_bytes + bytes) <= session->waiting_max);
}

static void start_waiting(struct xfer_session *session, struct xfer_session_call *call, bool first)
{
	struct xfer_session_calls *waiting = &call->share->waiting;
	uint64_t bytes = waiting_bytes(call);

	call->place = XFER_CALL_WAITS;
	call->share->waiting_bytes += bytes;
	session->waiting_bytes += bytes;
	session->waiting++;
	if (first)
		TAILQ_INSERT_HEAD(waiting, call, link);
	else
		TAILQ_INSERT_TAIL(waiting, call, link);
}

/* False: too much waits already. */
static bool wait_for_slot(struct xfer_session *session, struct xfer_session_call *call, bool first)
{
	if (!may_wait(session, call))
		return false;
	call->parked_ns = 0;
	start_waiting(session, call, first);
	return true;
}

/* False: it can't be kept until the session is up again. */
static bool park(struct xfer_session *session, struct xfer_session_call *call, bool first)
{
	/* That takes no longer than it may take to get a slot. */
	if (xfer_session_changes(session))
		return wait_for_slot(session, call, first);
	if (call->waiter || call->hasty || session->state == XFER_SESSION_CLOSING ||
		(session->parked >= XFER_SESSION_PARKED && !call->patient) ||
		!may_wait(session, call))
		return false;
	call->parked_ns = xfer_now_ns();
	session->parked++;
	start_waiting(session, call, first);
	return true;
}

static void stop_waiting(struct xfer_session *session, struct xfer_session_call *call)
{
	uint64_t bytes = waiting_bytes(call);

	TAILQ_REMOVE(&call->share->waiting, call, link);
	session->waiting--;
	call->share->waiting_bytes -= bytes;
	session->waiting_bytes -= bytes;
	if (call->parked_ns)
		session->parked--;
}

/* The first call of a share that waits and may go; shares take turns. */
static struct xfer_session_call *take_waiting(struct xfer_session *session)
{
	for (unsigned i = 0; i < XFER_SESSION_SHARES && session->nfree > 0 && session->waiting > 0;
		i++) {
		unsigned number = (session->next_share + i) % XFER_SESSION_SHARES;
		struct xfer_session_call *call = TAILQ_FIRST(&session->shares[number].waiting);

		if (!call || !has_room(session, call))
			continue;
		stop_waiting(session, call);
		session->next_share = number + 1;
		return call;
	}
	return NULL;
}

/* --- the end of a call ------------------------------------------------------------------------ */

/* The caller's verdict and the owner's together. */
static int outcome(const struct xfer_session_call *call, int err)
{
	/* That it couldn't be sent again tells nothing of its first sending. */
	if (err && call->exposed)
		return -EREMOTEIO;
	switch (err) {
	case 0:
		return xfer_status_to_errno(call->results.status);
	case -EAGAIN:
	case -EREMOTEIO:
	case -ENOMEM:
	case -EOPNOTSUPP:
		return err;
	default:
		return -EIO; /* the owner did not understand the call */
	}
}

/* The last thing about a call: from here on the session may go. */
static void forget_call(struct xfer_session *session)
{
	pthread_mutex_lock(&session->lock);
	/* While the session is up nobody waits for that, and its thread would be woken for nothing. */
	if (--session->calls == 0 && session->state != XFER_SESSION_UP)
		pthread_cond_broadcast(&session->changed);
	pthread_mutex_unlock(&session->lock);
}

static void complete(struct xfer_session *session, struct xfer_session_call *call, int err)
{
	call->done(call, err);
	forget_call(session);
}

/* With the lock held: what becomes of a call whose connection has ended. True: it lives on. */
static bool survives(struct xfer_session *session, struct xfer_session_call *call, int err)
{
	bool unsettled = err == -EREMOTEIO || call->exposed;

	/* So that nothing more is handed to the lanes, of which this is the first to know. */
	session->broken = true;
	if (unsettled && !call->recovers && session->state != XFER_SESSION_CLOSING &&
		!xfer_mutation(XFER_MUTATION_DELAY)) {
		call->place = XFER_CALL_UNSETTLED;
		call->exposed = true;
		TAILQ_INSERT_TAIL(&session->unsettled, call, link);
		return true;
	}
	give_slot(session, call);
	return err == -EAGAIN && park(session, call, true);
}

/* A LOCK that only tests changes nothing, whatever is said of its procedure. */
static bool only_asks(const struct xfer_session_call *call)
{
	return call->call.proc == XFER_PROC_LOCK && call->args.lock.op == XFER_LOCK_TEST;
}

/* The slot, of this sending or an earlier one, was of no use to the owner, which has not begun: the same once more, inline. */
static void send_inline(struct xfer_session_call *call)
{
	struct xfer_caller *lane = call->call.caller;

	if (call->in_slot)
		abandon(call);
	leave_path(call);
	xfer_count_inline(XFER_CAUSE_RESENT);
	set_inline(call);
	memset(&call->results, 0, sizeof(call->results));
	xfer_caller_ref(lane);
	xfer_caller_submit(lane, &call->call);
	xfer_caller_unref(lane);
}

static int refuse_answer(struct xfer_session_call *call)
{
	xfer_session_close_lanes(
		call->session, -EPROTO, "an answer names a slot that was not its call's");
	return -EPROTO;
}

/* A READ that has asked for its data inline. */
static bool names_strange_slot(const struct xfer_session_call *call)
{
	return call->call.proc == XFER_PROC_READ &&
	       call->results.read.payload.kind == XFER_PAYLOAD_SLOT;
}

/* What becomes of the slot. Returns what err is then; -EINPROGRESS: as above. */
static int settle_slot(struct xfer_session_call *call, int err)
{
	if (err == 0) {
		err = take_data(call);
		if (err == -EINPROGRESS)
			return err;
		if (err == -EPROTO)
			err = refuse_answer(call);
	} else if (err != -EAGAIN && err != -EREMOTEIO) {
		abandon(call);
	}
	leave_path(call);
	return err;
}

/*
 * What has become of the data of a call that has ended with *err, which is what that means then. True: it hasn't come,
 * because its data path is over, at the owner's or (READ) at this end.
 */
static bool no_data(struct xfer_session_call *call, int *err)
{
	bool answered = *err == 0;

	if (answered && payload_of(call) && call->results.status == XFER_ST_RESEND_INLINE)
		return true;
	if (call->in_slot) {
		*err = settle_slot(call, *err);
		return answered && *err == -EAGAIN;
	}
	if (answered && names_strange_slot(call))
		*err = refuse_answer(call);
	return false;
}

/* With the lock held: the lane has no part in the call any more. */
static void land(struct xfer_session *session, struct xfer_session_call *call)
{
	session->loads[call->lane] -= weight(call);
	if (--session->flying == 0 && session->state != XFER_SESSION_UP)
		pthread_cond_broadcast(&session->changed);
}

/* Of struct xfer_task. */
static void pump_on_lane(struct xfer_task *task)
{
	struct xfer_session *session =
		(struct xfer_session *)((char *)task - offsetof(struct xfer_session, pump));

	pthread_mutex_lock(&session->lock);
	session->pumping = false;
	pthread_mutex_unlock(&session->lock);
	xfer_session_pump(session);
	forget_call(session);
}

/* With the lock held: a lane hands on what waits. It counts as a call, so that the session doesn't go before. */
static void have_pumped(struct xfer_session *session)
{
	if (session->waiting == 0 || session->pumping)
		return;
	session->pumping = true;
	session->calls++;
	session->pump.run = pump_on_lane;
	xfer_lane_post(session->context->lanes[0], &session->pump);
}

/* It has what it gets. lost: that its connection has ended. */
static void end_call(struct xfer_session_call *call, int err, bool lost)
{
	struct xfer_session *session = call->session;
	bool lane = xfer_on_lane_thread(), lives = false;

	if (lost && only_asks(call))
		err = -EAGAIN;
	pthread_mutex_lock(&session->lock);
	land(session, call);
	if (lost)
		lives = survives(session, call, err);
	else
		give_slot(session, call);
	/* What another thread hands on might end at once, within whatever that thread is at. */
	if (!lost && !lane)
		have_pumped(session);
	pthread_mutex_unlock(&session->lock);
	if (lives)
		return;
	/* The owner forgets what a session has done that was not recovered. */
	if (lost && (call->recovers || xfer_mutation(XFER_MUTATION_DELAY)))
		err = -EAGAIN;
	if (!lost && lane)
		xfer_session_pump(session);
	complete(session, call, outcome(call, err));
}

/* Answered, or the connection has ended. */
static void go_on(struct xfer_session_call *call, int err)
{
	bool lost = err == -EAGAIN || err == -EREMOTEIO;

	if (no_data(call, &err))
		send_inline(call);
	else if (err != -EINPROGRESS)
		end_call(call, err, lost);
}

/* Answered, and what has become of the data is known now. The connection of the answer may have ended. */
static void go_on_with_data(struct xfer_session_call *call, int err)
{
	struct xfer_caller *lane = call->call.caller;

	if (err == 0)
		xfer_datapath_take(
			call->path, &call->placed, call->call.payload, call->call.payload_count);
	leave_path(call);
	if (err == 0)
		end_call(call, 0, false);
	else
		send_inline(call);
	xfer_caller_unref(lane);
}

/* Of struct xfer_task. */
static void arrived_on_lane(struct xfer_task *task)
{
	struct xfer_session_call *call =
		(struct xfer_session_call *)((char *)task -
					     offsetof(struct xfer_session_call, arrived));

	go_on_with_data(call, call->err);
}

/*
 * A thread that isn't a lane's looks for what comes only on behalf of a call of its own. What it finds for others a lane
 * goes on with: their ends may take locks that the thread holds.
 */
void xfer_session_ready(struct xfer_placement *placed, int err)
{
	struct xfer_session_call *call =
		(struct xfer_session_call *)((char *)placed -
					     offsetof(struct xfer_session_call, placed));

	if (xfer_on_lane_thread() || is_taken(call)) {
		taking.call = NULL;
		go_on_with_data(call, err);
		return;
	}
	call->err = err;
	call->arrived.run = arrived_on_lane;
	xfer_lane_post(call->session->context->lanes[call->lane], &call->arrived);
}

/* Of struct xfer_call. */
static void session_done(struct xfer_call *caller_call, int err)
{
	struct xfer_session_call *call = caller_call->user;

	call->err = err;
	if (!atomic_exchange(&call->attended, false) && !xfer_caller_defer(caller_call, err))
		go_on(call, err);
}

/* --- attending a call: its thread receives the answer itself, instead of being told of it ------- */

/* With the lock held. It has to be alone, for some time: more of them are quicker when nobody looks after his own. */
static bool may_attend(struct xfer_session *session)
{
	if (session->flying > 1) {
		if (session->unattended < COMPANY)
			session->unattended = COMPANY;
		return false;
	}
	if (session->unattended > 0) {
		session->unattended--;
		return false;
	}
	return true;
}

/* The more often it was in vain, one time after the other, the more calls aren't attended afterwards. */
static void note_attendance(struct xfer_session *session, bool in_vain)
{
	unsigned before = atomic_load_explicit(&session->vain, memory_order_relaxed);

	if (!in_vain && before == 0)
		return;
	pthread_mutex_lock(&session->lock);
	session->vain = xfer_vain_next(before, in_vain);
	session->unattended = session->vain;
	pthread_mutex_unlock(&session->lock);
}

/* Its end comes now, on this thread, or by the lane, whose reference is given up. */
static void attend(struct xfer_session_call *call, struct xfer_caller *lane)
{
	uint64_t deadline = xfer_now_ns() + call->session->attend_ns;

	xfer_caller_poll(lane, &call->attended, deadline);
	/* Who had to leave the processor for long has kept others from what the connection had for them. */
	note_attendance(call->session, atomic_load(&call->attended) || xfer_now_ns() > deadline);
	/* Who clears this goes on with the call. */
	if (!atomic_exchange(&call->attended, false))
		go_on(call, call->err);
	xfer_caller_unref(lane);
}

/* --- calls ------------------------------------------------------------------------------------ */

void xfer_session_prepare(struct xfer_session_call *call, struct xfer_session *session,
	const struct xfer_cred *cred, uint32_t proc)
{
	memset(call, 0, offsetof(struct xfer_session_call, call));
	call->session = session;
	call->exposed = false;
	call->patient = false;
	call->hasty = false;
	call->waiter = NULL;
	atomic_init(&call->attended, false);
	call->path = NULL;
	call->in_slot = false;
	call->header = (struct xfer_request_header){
		.uid = cred->uid,
		.gid = cred->gid,
		.ngroups = cred->ngroups,
		.groups = (uint32_t *)cred->groups,
	};
	if (call->header.ngroups > XFER_GROUPS_MAX)
		call->header.ngroups = XFER_GROUPS_MAX;
	call->call.proc = proc;
	call->call.header = &call->header;
	call->call.args = &call->args;
	call->call.results = &call->results;
	call->call.payload = NULL;
	call->call.payload_count = 0;
	call->call.payload_length = 0;
	call->call.lingers = false;
}

void xfer_session_put_payload(struct xfer_session_call *call, const struct iovec *iov)
{
	call->call.payload = iov;
	call->call.payload_count = 1;
	call->call.payload_length = (uint32_t)iov->iov_len;
}

static void hand_to(struct xfer_caller *lane, struct xfer_session_call *call)
{
	place(call);
	call->call.done = session_done;
	call->call.user = call;
	xfer_caller_submit(lane, &call->call);
	xfer_caller_unref(lane);
}

/* What brings no payload passes what waits for room for its own; where call slots are missing it finds none, either. */
static bool may_go(const struct xfer_session *session, const struct xfer_session_call *call)
{
	return (TAILQ_EMPTY(&call->share->waiting) || call->call.payload_length == 0) &&
	       has_room(session, call);
}

/* With the lock held: sends it (then *lane is where), lets it wait, or (false) refuses it. */
static bool admit(
	struct xfer_session *session, struct xfer_session_call *call, struct xfer_caller **lane)
{
	/* What isn't waited for may not use up the slots that are kept for this thread. */
	bool recoverer = call->waiter && is_recoverer(session) && !session->broken;

	call->share = share_of(session, call);
	call->recovers = recoverer && call->waiter;
	if (!is_up(session) && !recoverer)
		return park(session, call, false);
	/* Nobody waits for the recoverer's slot: it is one of those that are kept for it. */
	if (recoverer || may_go(session, call)) {
		take_slot(session, call);
		*lane = take_lane(session, call);
		return true;
	}
	return wait_for_slot(session, call, false);
}

static void submit(struct xfer_session_call *call, bool attends)
{
	struct xfer_session *session = call->session;
	struct xfer_caller *lane = NULL;
	bool admitted, attended;

	pthread_mutex_lock(&session->lock);
	admitted = admit(session, call, &lane);
	session->calls += admitted;
	session->operations += admitted;
	attended = attends && lane && may_attend(session);
	atomic_store_explicit(&call->attended, attended, memory_order_relaxed);
	pthread_mutex_unlock(&session->lock);
	if (!admitted)
		call->done(call, -EAGAIN);
	if (attended)
		xfer_caller_ref(lane);
	if (lane)
		hand_to(lane, call);
	if (attended)
		attend(call, lane);
}

void xfer_session_submit(struct xfer_session_call *call)
{
	submit(call, false);
}

void xfer_session_attend(struct xfer_session_call *call)
{
	assert(!xfer_on_lane_thread());
	submit(call, true);
}

void xfer_session_pump(struct xfer_session *session)
{
	struct xfer_session_call *call;
	struct xfer_caller *lane = NULL;

	do {
		pthread_mutex_lock(&session->lock);
		call = is_up(session) ? take_waiting(session) : NULL;
		if (call) {
			take_slot(session, call);
			lane = take_lane(session, call);
		}
		pthread_mutex_unlock(&session->lock);
		if (call)
			hand_to(lane, call);
	} while (call);
}

/* --- the unsettled, and what waits ------------------------------------------------------------ */

void xfer_session_resend(struct xfer_session *session)
{
	struct xfer_session_call *call;
	struct xfer_caller *lane = NULL;

	do {
		pthread_mutex_lock(&session->lock);
		/* Those that a breaking lane brings back are the next epoch's. */
		call = session->broken ? NULL : TAILQ_FIRST(&session->unsettled);
		if (call) {
			TAILQ_REMOVE(&session->unsettled, call, link);
			lane = take_lane(session, call);
		}
		pthread_mutex_unlock(&session->lock);
		if (call) {
			memset(&call->results, 0, sizeof(call->results));
			hand_to(lane, call);
		}
	} while (call);
}

void xfer_session_fail_unsettled(struct xfer_session *session, uint32_t proc, int err)
{
	struct xfer_session_call *call;

	do {
		pthread_mutex_lock(&session->lock);
		TAILQ_FOREACH (call, &session->unsettled, link)
			if (proc == 0 || call->call.proc == proc)
				break;
		if (call) {
			TAILQ_REMOVE(&session->unsettled, call, link);
			give_slot(session, call);
		}
		pthread_mutex_unlock(&session->lock);
		if (call)
			complete(session, call, err);
	} while (call);
}

/* With the lock held: a call that waits and may not be kept, and on the way there all others get the time. */
static struct xfer_session_call *strand(struct xfer_session *session, uint64_t now_ns)
{
	struct xfer_session_call *call;

	for (unsigned i = 0; i < XFER_SESSION_SHARES; i++)
		TAILQ_FOREACH (call, &session->shares[i].waiting, link) {
			if (call->waiter || call->hasty)
				return call;
			session->parked += !call->parked_ns;
			call->parked_ns = now_ns;
		}
	return NULL;
}

void xfer_session_strand(struct xfer_session *session)
{
	struct xfer_session_call *call;
	uint64_t now = xfer_now_ns();

	do {
		pthread_mutex_lock(&session->lock);
		call = strand(session, now);
		if (call)
			stop_waiting(session, call);
		pthread_mutex_unlock(&session->lock);
		if (call)
			complete(session, call, -EAGAIN);
	} while (call);
}

/* One that has waited since before a time. With the lock held. */
static struct xfer_session_call *overdue(struct xfer_session *session, uint64_t before_ns)
{
	struct xfer_session_call *call;

	for (unsigned i = 0; i < XFER_SESSION_SHARES; i++)
		TAILQ_FOREACH (call, &session->shares[i].waiting, link)
			if (before_ns == UINT64_MAX ||
				(!call->patient && call->parked_ns < before_ns))
				return call;
	return NULL;
}

void xfer_session_fail_waiting(struct xfer_session *session, uint64_t before_ns)
{
	struct xfer_session_call *call;

	do {
		pthread_mutex_lock(&session->lock);
		call = overdue(session, before_ns);
		if (call)
			stop_waiting(session, call);
		pthread_mutex_unlock(&session->lock);
		if (call)
			complete(session, call, -EAGAIN);
	} while (call);
}

/* --- a thread that waits ---------------------------------------------------------------------- */

struct waiter {
	pthread_mutex_t lock;
	pthread_cond_t answered;
	bool ended;
	int err;
};

static void waiter_init(struct waiter *waiter)
{
	waiter->ended = false;
	pthread_mutex_init(&waiter->lock, NULL);
	xfer_cond_init(&waiter->answered);
}

/* False: not within the time. */
static bool wait_for_end(struct waiter *waiter, unsigned timeout_ms)
{
	struct timespec deadline = xfer_timespec(xfer_now_ns() + timeout_ms * XFER_NS_PER_MS);
	int err = 0;
	bool ended;

	pthread_mutex_lock(&waiter->lock);
	while (!waiter->ended && err == 0)
		err = pthread_cond_timedwait(&waiter->answered, &waiter->lock, &deadline);
	ended = waiter->ended;
	pthread_mutex_unlock(&waiter->lock);
	return ended;
}

static void wake(struct xfer_session_call *call, int err)
{
	struct waiter *waiter = call->waiter;

	pthread_mutex_lock(&waiter->lock);
	waiter->err = err;
	waiter->ended = true;
	/* With the lock held: afterwards it is gone. */
	pthread_cond_signal(&waiter->answered);
	pthread_mutex_unlock(&waiter->lock);
}

/* CANCEL on its way. */
struct cancel {
	struct xfer_call call;
	union xfer_args args;
	union xfer_results results;
};

static void cancel_done(struct xfer_call *call, int err)
{
	(void)err;
	free(call->user);
}

static void send_cancel(struct xfer_caller *lane, const struct xfer_cancel_args *args)
{
	struct cancel *cancel = calloc(1, sizeof(*cancel));

	if (!cancel)
		return; /* it is only a wish */
	cancel->args.cancel = *args;
	cancel->call = (struct xfer_call){
		.proc = XFER_PROC_CANCEL,
		.args = &cancel->args,
		.results = &cancel->results,
		.done = cancel_done,
		.user = cancel,
	};
	xfer_caller_submit(lane, &cancel->call);
}

/* The operation isn't begun any more, if it wasn't; its own answer tells. */
static void give_up(struct xfer_session_call *call)
{
	struct xfer_session *session = call->session;
	struct xfer_cancel_args args;
	struct xfer_caller *lane = NULL;
	bool waited;

	pthread_mutex_lock(&session->lock);
	waited = call->place == XFER_CALL_WAITS;
	if (waited)
		stop_waiting(session, call);
	if (call->place == XFER_CALL_FLIES && session->nlanes > 0) {
		args = (struct xfer_cancel_args){ call->header.call_slot, call->header.sequence };
		lane = session->lanes[0];
		xfer_caller_ref(lane);
	}
	pthread_mutex_unlock(&session->lock);
	if (waited)
		complete(session, call, -EAGAIN);
	if (!lane)
		return;
	send_cancel(lane, &args);
	xfer_caller_unref(lane);
}

int xfer_session_call(struct xfer_session_call *call)
{
	struct waiter waiter;

	waiter_init(&waiter);
	call->waiter = &waiter;
	call->done = wake;
	xfer_session_attend(call);
	while (!wait_for_end(&waiter, call->session->cancel_ms))
		give_up(call);
	pthread_cond_destroy(&waiter.answered);
	pthread_mutex_destroy(&waiter.lock);
	return waiter.err;
}
