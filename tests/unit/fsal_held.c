/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* fsal_held.c -- opens and locks made again at an owner that has forgotten them, and what comes in between */

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "held.h"
#include "ranges.h"

/* --- an owner in this process: libxfer's functions as far as they are called here ------------------ */

#define OPENS_MAX 4096

struct granted {
	uint64_t id; /* 0: free */
	struct xfer_handle handle;
	uint32_t flags, uid, ngroups, last_group;
	struct ranges locks;
};

static struct {
	pthread_mutex_t lock; /* recursive: hooks run under it */
	struct granted opens[OPENS_MAX];
	uint64_t last_id;
	bool up;
	bool gone[256];     /* files that were removed, by their handle's last byte */
	bool taken[256];    /* files that somebody else has locked */
	unsigned put_off;   /* so many more requests are answered -EAGAIN */
	unsigned breaks_at; /* the connection ends with this request; 0: not */
	unsigned requests, closes;
	bool hold_unlocks;
	void (*done)(void *arg, int err); /* of one that is held */
	void *done_arg;
	void (*meanwhile)(void); /* called once, in the middle of an open */
	void (*at_lock)(void);   /* the same, after a lock was granted */
} owner;

static struct xfer_session *const session = (struct xfer_session *)&owner;

static void owner_reset(void)
{
	pthread_mutexattr_t attr;

	for (unsigned i = 0; i < OPENS_MAX; i++)
		ranges_free(&owner.opens[i].locks);
	memset(&owner, 0, sizeof(owner));
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&owner.lock, &attr);
	owner.last_id = 1000;
	owner.up = true;
}

/* Another process: it knows of nothing. */
static void owner_restarts(void)
{
	pthread_mutex_lock(&owner.lock);
	for (unsigned i = 0; i < OPENS_MAX; i++) {
		ranges_free(&owner.opens[i].locks);
		owner.opens[i].id = 0;
	}
	owner.last_id += 1000000;
	pthread_mutex_unlock(&owner.lock);
}

static struct granted *find(uint64_t id)
{
	for (unsigned i = 0; i < OPENS_MAX; i++)
		if (id && owner.opens[i].id == id)
			return &owner.opens[i];
	return NULL;
}

static unsigned count_opens(void)
{
	unsigned count = 0;

	for (unsigned i = 0; i < OPENS_MAX; i++)
		count += owner.opens[i].id != 0;
	return count;
}

/* 0: it may go on. */
static int request(void)
{
	owner.requests++;
	if (owner.breaks_at && owner.requests >= owner.breaks_at)
		owner.up = false;
	if (!owner.up)
		return -EAGAIN;
	if (owner.put_off == 0)
		return 0;
	owner.put_off--;
	return -EAGAIN;
}

static void call_once(void (**hook)(void))
{
	void (*call)(void) = *hook;

	*hook = NULL;
	if (call)
		call();
}

bool xfer_session_is_up(struct xfer_session *one)
{
	assert_ptr_equal(one, session);
	return owner.up;
}

static int do_op_open(struct xfer_session *one, const struct xfer_cred *cred,
	const struct xfer_open *open, struct xfer_opened *opened)
{
	int err = request();

	assert_ptr_equal(one, session);
	assert_null(open->name);
	assert_int_equal(open->create, XFER_NO_CREATE);
	assert_false(open->flags & XFER_OPEN_TRUNC);
	assert_true(open->flags & XFER_OPEN_KEEP);
	assert_true(open->flags & XFER_OPEN_OWNER_OVERRIDE);
	if (err)
		return err;
	if (owner.gone[open->handle.data[0]])
		return -ESTALE;
	memset(opened, 0, sizeof(*opened));
	for (unsigned i = 0; i < OPENS_MAX && !opened->open_id; i++) {
		if (owner.opens[i].id)
			continue;
		opened->open_id = ++owner.last_id;
		owner.opens[i] = (struct granted){ .id = opened->open_id,
			.handle = open->handle,
			.flags = open->flags,
			.uid = cred->uid,
			.ngroups = cred->ngroups,
			.last_group = cred->ngroups ? cred->groups[cred->ngroups - 1] : 0 };
	}
	assert_int_not_equal(opened->open_id, 0);
	call_once(&owner.meanwhile);
	return 0;
}

static void do_op_close(
	struct xfer_session *one, const struct xfer_handle *handle, uint64_t open_id)
{
	struct granted *granted = find(open_id);

	assert_ptr_equal(one, session);
	owner.closes++;
	if (!granted)
		return;
	assert_true(granted->handle.data[0] == handle->data[0]);
	ranges_free(&granted->locks);
	granted->id = 0;
}

static int do_op_lock(struct xfer_session *one, const struct xfer_cred *cred,
	const struct xfer_handle *handle, uint64_t open_id, enum xfer_lock_op op,
	const struct xfer_lock *lock, bool *granted, struct xfer_lock *conflict)
{
	struct granted *open = find(open_id);
	int err = request();

	(void)cred;
	assert_ptr_equal(one, session);
	if (err)
		return err;
	if (!open)
		return -EBADFD;
	if (op == XFER_LOCK_CLEAR)
		ranges_clear(&open->locks, lock);
	*granted = op == XFER_LOCK_CLEAR || !owner.taken[handle->data[0]];
	*conflict = *lock;
	if (op == XFER_LOCK_SET && *granted) {
		ranges_set(&open->locks, lock);
		call_once(&owner.at_lock);
	}
	return 0;
}

static int do_op_unlock(struct xfer_session *one, const struct xfer_handle *handle,
	uint64_t open_id, const struct xfer_lock *lock)
{
	struct granted *open = find(open_id);
	int err = request();

	(void)handle;
	assert_ptr_equal(one, session);
	if (err == 0 && open)
		ranges_clear(&open->locks, lock);
	return err ? err : open ? 0 : -EBADFD;
}

int xfer_op_open(struct xfer_session *one, const struct xfer_cred *cred,
	const struct xfer_open *open, struct xfer_opened *opened)
{
	int err;

	pthread_mutex_lock(&owner.lock);
	err = do_op_open(one, cred, open, opened);
	pthread_mutex_unlock(&owner.lock);
	return err;
}

void xfer_op_close(struct xfer_session *one, const struct xfer_handle *handle, uint64_t open_id)
{
	pthread_mutex_lock(&owner.lock);
	do_op_close(one, handle, open_id);
	pthread_mutex_unlock(&owner.lock);
}

int xfer_op_lock(struct xfer_session *one, const struct xfer_cred *cred,
	const struct xfer_handle *handle, uint64_t open_id, enum xfer_lock_op op,
	const struct xfer_lock *lock, bool *granted, struct xfer_lock *conflict)
{
	int err;

	pthread_mutex_lock(&owner.lock);
	err = do_op_lock(one, cred, handle, open_id, op, lock, granted, conflict);
	pthread_mutex_unlock(&owner.lock);
	return err;
}

void xfer_op_unlock(struct xfer_session *one, const struct xfer_handle *handle, uint64_t open_id,
	const struct xfer_lock *lock, void (*done)(void *arg, int err), void *arg)
{
	bool held;
	int err;

	pthread_mutex_lock(&owner.lock);
	held = owner.hold_unlocks || !owner.up;
	if (held) {
		owner.done = done;
		owner.done_arg = arg;
	}
	err = held ? 0 : do_op_unlock(one, handle, open_id, lock);
	pthread_mutex_unlock(&owner.lock);
	if (!held)
		done(arg, err);
}

/* --- the tests ------------------------------------------------------------------------------------- */

static struct rdx_holdings *holdings;
static const uint32_t groups[] = { 10, 20, 30 };
static const struct xfer_cred cred = { .uid = 4711, .gid = 4712, .ngroups = 3, .groups = groups };

static unsigned errors; /* that were logged */
static char said[512];

static void log_fn(enum xfer_log_level level, const char *message)
{
	errors += level == XFER_LOG_ERROR;
	snprintf(said, sizeof(said), "%s", message);
}

static int setup(void **state)
{
	(void)state;
	owner_reset();
	errors = 0;
	said[0] = '\0';
	holdings = rdx_holdings_create("b", log_fn);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rdx_holdings_destroy(holdings);
	owner_reset();
	return 0;
}

static struct rdx_held *open_file(uint8_t file)
{
	struct xfer_open open = {
		.handle = { .len = 8, .data = { file } },
		.flags = XFER_OPEN_READ | XFER_OPEN_WRITE | XFER_OPEN_KEEP |
			 XFER_OPEN_OWNER_OVERRIDE,
	};
	uint64_t round = rdx_holdings_round(holdings);
	struct xfer_opened opened;

	assert_int_equal(xfer_op_open(session, &cred, &open, &opened), 0);
	return rdx_held_new(
		holdings, session, &open.handle, open.flags, &cred, round, opened.open_id);
}

static void close_file(struct rdx_held *held)
{
	uint64_t id = rdx_held_end(held);
	struct xfer_handle handle = { .len = 8 };
	struct granted *granted;

	pthread_mutex_lock(&owner.lock);
	granted = find(id);
	if (granted)
		handle = granted->handle;
	if (id)
		xfer_op_close(session, &handle, id);
	pthread_mutex_unlock(&owner.lock);
}

static int set(struct rdx_held *held, uint64_t offset, uint64_t length, bool exclusive)
{
	struct xfer_lock lock = { exclusive, offset, length }, conflict;
	bool granted = false;
	int err = rdx_held_lock(held, session, &cred, &lock, &granted, &conflict);

	return err ? err : !granted;
}

static void clear(struct rdx_held *held, uint64_t offset, uint64_t length)
{
	struct xfer_lock lock = { false, offset, length };

	rdx_held_unlock(held, session, &lock, true);
}

/* The locks that the owner has for a record. */
static const struct ranges *locks_of(struct rdx_held *held)
{
	struct granted *granted = find(rdx_held_open_id(held));

	assert_non_null(granted);
	return &granted->locks;
}

static void expect_locks(struct rdx_held *held, unsigned count, uint64_t first, uint64_t last)
{
	const struct ranges *locks = locks_of(held);

	assert_int_equal(locks->count, count);
	if (count == 0)
		return;
	assert_true(locks->list[0].first == first);
	assert_true(locks->list[count - 1].last == last);
}

static void recover(void)
{
	owner_restarts();
	rdx_holdings_recover(holdings, session);
}

static void test_made_again(void **state)
{
	struct rdx_held *a = open_file(1), *b = open_file(2), *ended = open_file(3);
	uint64_t before = rdx_held_open_id(a);
	struct granted *granted;

	(void)state;
	assert_int_equal(set(b, 0, 10, true), 0);
	assert_int_equal(set(b, 100, 0, false), 0);
	close_file(ended);
	recover();
	assert_int_equal(count_opens(), 2);
	assert_non_null(strstr(said, "owner b: 2 opens and 2 locks are made again"));
	assert_int_equal(errors, 0);
	assert_true(rdx_held_open_id(a) != before);
	granted = find(rdx_held_open_id(a));
	assert_non_null(granted);
	assert_int_equal(granted->uid, 4711);
	assert_int_equal(granted->ngroups, 3);
	assert_int_equal(granted->last_group, 30);
	assert_int_equal(granted->flags & 3, XFER_OPEN_READ | XFER_OPEN_WRITE);
	expect_locks(b, 2, 0, UINT64_MAX);
	assert_true(locks_of(b)->list[0].exclusive);
	assert_int_equal(rdx_held_guard(a), RDX_GUARD_NONE);
	assert_int_equal(rdx_held_guard(b), RDX_GUARD_HELD);
	clear(b, 0, 0);
	expect_locks(b, 0, 0, 0);
	close_file(a);
	close_file(b);
	assert_int_equal(count_opens(), 0);
}

static void test_removed_file(void **state)
{
	struct rdx_held *a = open_file(1);

	(void)state;
	owner.gone[1] = true;
	recover();
	assert_int_equal(rdx_held_open_id(a), 0); /* the handle has to do, and says ESTALE */
	assert_string_equal(
		said, "owner b: 1 files that were open can't be opened again, 0 locks are lost");
	recover();
	assert_int_equal(errors, 1); /* once */
	assert_int_equal(rdx_held_guard(a), RDX_GUARD_NONE);
	close_file(a);
}

static void test_lock_taken_by_another(void **state)
{
	struct rdx_held *a = open_file(1);

	(void)state;
	assert_int_equal(set(a, 0, 10, true), 0);
	assert_int_equal(set(a, 20, 10, true), 0);
	owner.taken[1] = true;
	recover();
	assert_int_equal(rdx_held_guard(a), RDX_GUARD_LOST);
	assert_int_equal(count_opens(), 0);
	assert_int_equal(set(a, 50, 1, false), -EIO);
	/* It stays lost, though it could be had by now. */
	owner.taken[1] = false;
	recover();
	assert_int_equal(rdx_held_guard(a), RDX_GUARD_LOST);
	clear(a, 0, 15);
	assert_int_equal(rdx_held_guard(a), RDX_GUARD_LOST);
	clear(a, 0, 0);
	assert_int_equal(rdx_held_guard(a), RDX_GUARD_NONE);
	assert_int_equal(set(a, 0, 1, true), -EBADFD); /* begin anew */
	close_file(a);
}

static struct rdx_held *victim;

static void end_victim(void)
{
	(void)rdx_held_end(victim);
}

static void test_ended_while_it_is_made_again(void **state)
{
	(void)state;
	victim = open_file(1);
	owner.meanwhile = end_victim;
	recover();
	assert_int_equal(count_opens(), 0);
}

static void unlock_part(void)
{
	clear(victim, 5, 5);
}

static void test_unlocked_while_it_is_made_again(void **state)
{
	(void)state;
	victim = open_file(1);
	assert_int_equal(set(victim, 0, 10, true), 0);
	owner.at_lock = unlock_part;
	recover();
	expect_locks(victim, 1, 0, 4);
	close_file(victim);
	assert_int_equal(count_opens(), 0);
}

static void recover_now(void)
{
	rdx_holdings_recover(holdings, session);
}

static void restart_now(void)
{
	recover();
}

/* Granted by the owner's old process, heard of after the new one has recovered. */
static void test_lock_overtaken_by_recovery(void **state)
{
	struct rdx_held *a = open_file(1);

	(void)state;
	owner.at_lock = restart_now;
	assert_int_equal(set(a, 0, 10, true), 0);
	expect_locks(a, 1, 0, 9);
	close_file(a);
	assert_int_equal(count_opens(), 0);
}

static void test_open_overtaken_by_recovery(void **state)
{
	struct rdx_held *a;

	(void)state;
	owner.meanwhile = restart_now; /* the open id is the old process's */
	a = open_file(1);
	assert_non_null(find(rdx_held_open_id(a)));
	assert_int_equal(count_opens(), 1);
	close_file(a);
	owner.meanwhile = recover_now; /* and the new one's */
	a = open_file(1);
	assert_non_null(find(rdx_held_open_id(a)));
	assert_int_equal(count_opens(), 1);
	close_file(a);
	assert_int_equal(count_opens(), 0);
}

static void test_interrupted(void **state)
{
	struct rdx_held *held[10];

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		held[i] = open_file((uint8_t)i);
		assert_int_equal(set(held[i], i, 1, true), 0);
	}
	owner.breaks_at = owner.requests + 12;
	recover();
	assert_int_equal(rdx_held_guard(held[0]), RDX_GUARD_HELD);
	assert_int_equal(rdx_held_guard(held[9]), RDX_GUARD_LATER);
	assert_int_equal(set(held[9], 3, 1, true), -EAGAIN);
	close_file(held[9]);
	owner.up = true;
	owner.breaks_at = 0;
	recover();
	assert_int_equal(count_opens(), 9);
	for (unsigned i = 0; i < 9; i++) {
		expect_locks(held[i], 1, i, i);
		close_file(held[i]);
	}
	assert_int_equal(count_opens(), 0);
}

static void test_put_off(void **state)
{
	struct rdx_held *a = open_file(1), *b = open_file(2);

	(void)state;
	assert_int_equal(set(b, 0, 10, true), 0);
	owner.put_off = 2;
	recover();
	assert_non_null(find(rdx_held_open_id(a)));
	assert_int_equal(rdx_held_guard(b), RDX_GUARD_HELD);
	/* For ever: then it is lost. */
	owner.put_off = UINT32_MAX;
	recover();
	assert_int_equal(rdx_held_open_id(a), 0);
	assert_int_equal(rdx_held_guard(b), RDX_GUARD_LOST);
	close_file(a);
	close_file(b);
}

static void test_unlock_while_away(void **state)
{
	struct rdx_held *a = open_file(1);

	(void)state;
	assert_int_equal(set(a, 0, 10, true), 0);
	owner.up = false;
	clear(a, 0, 10); /* doesn't wait */
	assert_non_null(owner.done);
	assert_int_equal(rdx_held_guard(a), RDX_GUARD_NONE);
	owner.up = true;
	owner.done(owner.done_arg,
		-EAGAIN); /* put off once more; nothing is granted before it is settled */
	expect_locks(a, 1, 0, 9);
	rdx_holdings_tick(holdings, session);
	expect_locks(a, 0, 0, 0);
	assert_int_equal(set(a, 5, 1, false), 0);
	close_file(a);
}

static void test_unlock_comes_to_nothing_with_its_open(void **state)
{
	struct rdx_held *a = open_file(1);

	(void)state;
	assert_int_equal(set(a, 0, 10, true), 0);
	assert_int_equal(set(a, 20, 10, true), 0);
	owner.up = false;
	clear(a, 0, 10);
	owner.up = true;
	recover();
	expect_locks(a, 1, 20, 29);
	owner.done(owner.done_arg, -EAGAIN);
	assert_int_equal(set(a, 0, 10, true), 0);
	rdx_holdings_tick(holdings, session);
	expect_locks(a, 2, 0, 29);
	close_file(a);
	assert_int_equal(count_opens(), 0);
}

static void test_session_closed(void **state)
{
	struct rdx_held *a = open_file(1), *b = open_file(2);

	(void)state;
	assert_int_equal(set(b, 0, 10, true), 0);
	rdx_holdings_forget(holdings);
	assert_int_equal(rdx_held_open_id(a), 0);
	assert_int_equal(rdx_held_guard(b), RDX_GUARD_LOST);
	assert_int_equal(rdx_held_end(a), 0);
	rdx_held_unlock(b, NULL, &(struct xfer_lock){ 0 }, false);
	assert_int_equal(rdx_held_guard(b), RDX_GUARD_NONE);
	assert_int_equal(rdx_held_end(b), 0);
}

/* Threads that open, lock, unlock and close, while the owner is started again: nothing is left behind. */
static atomic_bool stop;

static void *work(void *arg)
{
	uint8_t file = (uint8_t)(uintptr_t)arg;

	while (!atomic_load(&stop)) {
		struct rdx_held *held = open_file(file);

		(void)set(held, 0, 10, true);
		clear(held, 3, 3);
		(void)set(held, 4, 0, false);
		clear(held, 0, 0);
		close_file(held);
	}
	return NULL;
}

static void test_threads(void **state)
{
	pthread_t threads[3];

	(void)state;
	atomic_store(&stop, false);
	for (uintptr_t i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, (void *)i), 0);
	for (int i = 0; i < 200; i++) {
		recover();
		rdx_holdings_tick(holdings, session);
	}
	atomic_store(&stop, true);
	for (unsigned i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(count_opens(), 0);
}

static void test_many(void **state)
{
	static struct rdx_held *held[1000];

	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		held[i] = open_file((uint8_t)i);
	recover();
	assert_int_equal(count_opens(), 1000);
	for (unsigned i = 0; i < 1000; i++)
		close_file(held[i]);
	assert_int_equal(count_opens(), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_made_again),
		TEST(test_removed_file),
		TEST(test_lock_taken_by_another),
		TEST(test_ended_while_it_is_made_again),
		TEST(test_unlocked_while_it_is_made_again),
		TEST(test_lock_overtaken_by_recovery),
		TEST(test_open_overtaken_by_recovery),
		TEST(test_interrupted),
		TEST(test_put_off),
		TEST(test_unlock_while_away),
		TEST(test_unlock_comes_to_nothing_with_its_open),
		TEST(test_session_closed),
		TEST(test_threads),
		TEST(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
