/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* owner_coherence.c -- an owner that has promised several sessions to tell them of changes */

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "control/peer.h"
#include "counters.h"
#include "support/owner/nodes.h"

static int setup_long(void **state)
{
	return nodes_setup(state, LONG_MS);
}

static int setup_some(void **state)
{
	return nodes_setup(state, SOME_MS);
}

static int setup_short(void **state)
{
	return nodes_setup(state, SHORT_MS);
}

static uint64_t now_ms(void)
{
	return xfer_now_ns() / XFER_NS_PER_MS;
}

static uint64_t count_of(enum xfer_counter counter)
{
	return atomic_load(&xfer_counters[counter]);
}

/* --- promises ---------------------------------------------------------------------------------- */

static void test_change_waits_for_acknowledgement(void **state)
{
	struct xfer_node x = node_found(&a, "x");
	struct xfer_events_res res;
	uint64_t waited = count_of(XFER_CNT_CHANGES_WAITED);

	(void)state;
	assert_true(x.attr.promised);
	node_start_chmod(&c, &x.handle, 0600);
	res = node_told(&a);
	assert_int_equal(res.count, 1);
	assert_false(res.all);
	assert_true(names_bucket(&res, x.attr.fileid));
	expect_silence(c.fd, SOON_MS);
	node_acknowledge(&a);
	assert_int_equal(node_finish_chmod(&c).mode, 0600);
	assert_int_equal(count_of(XFER_CNT_CHANGES_WAITED), waited + 1);
	/* It isn't told again, and nobody is waited for again. */
	node_start_chmod(&c, &x.handle, 0640);
	assert_true(node_finish_chmod(&c).promised);
	expect_silence(a.events_fd, SOON_MS);
	assert_int_equal(node_attributes(&a, &x.handle).mode, 0640);
}

static void test_own_change_waits_for_nobody(void **state)
{
	struct xfer_node x = node_found(&a, "x");

	(void)state;
	node_start_chmod(&a, &x.handle, 0600);
	assert_true(node_finish_chmod(&a).promised);
	expect_silence(a.events_fd, SOON_MS);
	/* Its promise holds still. */
	node_start_chmod(&c, &x.handle, 0640);
	node_told(&a);
	node_acknowledge(&a);
	node_finish_chmod(&c);
}

/* Who doesn't ask for EVENTS could not be told. */
static void test_no_promise_without_events(void **state)
{
	struct node e = { .name = "a", .boot = 9 };
	struct xfer_node_res res;

	(void)state;
	node_connect(&e);
	assert_int_equal(node_lookup(&e, "x", &res), XFER_ST_OK);
	assert_false(res.node.attr.promised);
	assert_false(res.dir_attr.attr.promised);
	node_start_chmod(&c, &res.node.handle, 0600);
	node_finish_chmod(&c);
	node_disconnect(&e);
}

static void test_no_promise_during_a_change(void **state)
{
	struct xfer_node x = node_found(&a, "x");

	(void)state;
	node_start_chmod(&c, &x.handle, 0600);
	node_told(&a);
	assert_false(node_attributes(&a, &x.handle).promised);
	assert_false(node_attributes(&d, &x.handle).promised);
	assert_true(node_attributes(&a, &f.root).promised);
	node_acknowledge(&a);
	node_finish_chmod(&c);
	assert_true(node_attributes(&a, &x.handle).promised);
}

/* The first change has taken the mark; who changes the same next can't rely on that. */
static void test_second_change_waits_too(void **state)
{
	struct xfer_node x = node_found(&a, "x"), y = node_found(&c, "y");

	(void)state;
	node_start_chmod(&c, &x.handle, 0600);
	node_told(&a);
	node_start_chmod(&d, &x.handle, 0640);
	expect_silence(d.fd, SOON_MS);
	/* Something else has nothing to do with it. */
	node_start_chmod(&c, &y.handle, 0600);
	node_receive(c.fd, XFER_PROC_SETATTR, c.xid, &(union xfer_results){ 0 });
	node_acknowledge(&a);
	c.xid--;
	assert_int_equal(node_finish_chmod(&d).mode & 0607, 0600);
	node_finish_chmod(&c);
}

/* --- leases ------------------------------------------------------------------------------------ */

static void test_lease_of_a_silent_session_ends(void **state)
{
	uint64_t over = count_of(XFER_CNT_LEASES_WAITED_OUT), began = now_ms();
	struct xfer_node x = node_found(&a, "x");

	(void)state;
	node_start_chmod(&c, &x.handle, 0600);
	node_told(&a);
	node_finish_chmod(&c);
	assert_in_range(now_ms() - began, SHORT_MS, 10 * SHORT_MS);
	assert_int_equal(count_of(XFER_CNT_LEASES_WAITED_OUT), over + 1);
	assert_non_null(strstr(nodes_log, "lease of node a was over"));
	/* It could go on like that: so it is promised nothing, and waited for no more. */
	assert_false(node_attributes(&a, &x.handle).promised);
	node_start_chmod(&c, &x.handle, 0640);
	node_finish_chmod(&c);
	assert_int_equal(count_of(XFER_CNT_LEASES_WAITED_OUT), over + 1);
}

static void test_late_session_catches_up(void **state)
{
	struct xfer_node x = node_found(&a, "x"), y = node_found(&a, "y");
	struct xfer_events_res res;

	(void)state;
	node_start_chmod(&c, &x.handle, 0600);
	node_told(&a);
	node_finish_chmod(&c);
	/* That it asks isn't enough. */
	node_ask(&a, false, 0);
	node_sync(&a);
	assert_false(node_attributes(&a, &y.handle).promised);
	node_acknowledge(&a);
	node_receive(a.events_fd, XFER_PROC_EVENTS, a.events_xid - 1, &(union xfer_results){ 0 });
	node_sync(&a);
	assert_true(node_attributes(&a, &y.handle).promised);
	node_start_chmod(&c, &y.handle, 0600);
	res = node_told(&a);
	assert_true(names_bucket(&res, y.attr.fileid));
	node_acknowledge(&a);
	node_finish_chmod(&c);
}

static void test_mark_gets_old(void **state)
{
	struct xfer_node x = node_found(&a, "x");

	(void)state;
	usleep(3 * SHORT_MS * 1000);
	node_start_chmod(&c, &x.handle, 0600);
	node_finish_chmod(&c);
	expect_silence(a.events_fd, SOON_MS);
}

/* The session has ended, but its process may not know, and go on with what it believes. */
static void test_lost_session_is_waited_for(void **state)
{
	struct xfer_node x = node_found(&a, "x");
	uint64_t began = now_ms(), took;

	(void)state;
	node_disconnect(&a);
	usleep((KEEP_MS + 200) * 1000);
	node_start_chmod(&c, &x.handle, 0600);
	expect_silence(c.fd, SOON_MS);
	node_finish_chmod(&c);
	took = now_ms() - began;
	assert_in_range(took, SOME_MS, 3 * SOME_MS);
	node_join(&a, "a", 1);
}

static void test_process_that_comes_back_is_not(void **state)
{
	struct xfer_node x = node_found(&a, "x");
	uint64_t began = now_ms();

	(void)state;
	node_disconnect(&a);
	usleep((KEEP_MS + 200) * 1000);
	node_start_chmod(&c, &x.handle, 0600);
	expect_silence(c.fd, SOON_MS);
	/* Its new session settles it, when it asks for the first EVENTS. */
	a = (struct node){ .name = "a", .boot = 1 };
	assert_int_equal(node_connect(&a), XFER_STANDING_NEW);
	node_attributes(&a, &f.root);
	expect_silence(c.fd, SOON_MS);
	node_ask(&a, true, 0);
	node_finish_chmod(&c);
	assert_in_range(now_ms() - began, 0, LONG_MS - 1);
}

static void test_end_is_not_waited_for(void **state)
{
	struct xfer_node x = node_found(&a, "x");
	uint64_t began = now_ms();
	union xfer_results results;

	(void)state;
	assert_int_equal(node_call(&a, XFER_PROC_END, NULL, &results), XFER_ST_OK);
	/* Its EVENTS are answered: else its connections could not go. */
	node_receive(a.events_fd, XFER_PROC_EVENTS, a.events_xid, &results);
	assert_int_equal(results.status, XFER_ST_DELAY);
	node_start_chmod(&c, &x.handle, 0600);
	node_finish_chmod(&c);
	assert_in_range(now_ms() - began, 0, LONG_MS / 2);
}

/* --- epochs ------------------------------------------------------------------------------------ */

static void test_new_epoch_settles_everything(void **state)
{
	struct xfer_node x = node_found(&a, "x");
	uint64_t began = now_ms();

	(void)state;
	node_disconnect(&a);
	node_start_chmod(&c, &x.handle, 0600);
	expect_silence(c.fd, SOON_MS);
	assert_int_equal(node_connect(&a), XFER_STANDING_RESUMED);
	/* Before its EVENTS it is promised nothing, and believes what it did. */
	assert_false(node_attributes(&a, &f.root).promised);
	expect_silence(c.fd, SOON_MS);
	node_ask(&a, true, 0);
	node_finish_chmod(&c);
	assert_true(node_attributes(&a, &f.root).promised);
	expect_silence(a.events_fd, SOON_MS);
	assert_in_range(now_ms() - began, 0, LONG_MS - 1);
}

/* It goes on over other connections while the old ones seem to be alive. */
static void test_epoch_is_superseded(void **state)
{
	struct node before = a;
	struct xfer_node x = node_found(&a, "x");

	(void)state;
	a.sequence++;
	assert_int_equal(node_connect(&a), XFER_STANDING_RESUMED);
	expect_closed(before.fd);
	node_start_chmod(&c, &x.handle, 0600);
	expect_silence(c.fd, SOON_MS);
	node_ask(&a, true, 0);
	node_finish_chmod(&c);
	node_disconnect(&before);
}

/* --- EVENTS ------------------------------------------------------------------------------------ */

static void make_eventual(void)
{
	f.config->volumes[0].coherence = COHERENCE_EVENTUAL;
}

static void test_eventual_does_not_wait(void **state)
{
	struct xfer_node x = node_found(&a, "x");
	struct xfer_events_res res;

	(void)state;
	make_eventual();
	node_start_chmod(&c, &x.handle, 0600);
	node_finish_chmod(&c);
	res = node_told(&a);
	assert_true(names_bucket(&res, x.attr.fileid));
}

/* Makes so many files, has a believe in them, and changes them all. */
static void change_many(unsigned count)
{
	struct xfer_node nodes[400];
	char name[32];

	make_eventual();
	for (unsigned i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "file-%u", i);
		put_file(name, "", CALLER, CALLER, 0644);
		nodes[i] = node_found(&a, name);
	}
	for (unsigned i = 0; i < count; i++) {
		node_start_chmod(&c, &nodes[i].handle, 0600);
		node_finish_chmod(&c);
	}
}

static void test_many_are_told_in_parts(void **state)
{
	struct xfer_events_res res;
	unsigned count = 0;

	(void)state;
	change_many(80);
	do {
		uint64_t before = a.told;

		res = node_told(&a);
		assert_false(res.all);
		assert_in_range(res.count, 1, XFER_EVENTS_MAX);
		assert_true(res.number > before);
		count += res.count;
		node_acknowledge(&a);
	} while (count < 80);
	assert_int_equal(count, 80);
	expect_silence(a.events_fd, SOON_MS);
}

static void test_too_many_are_told_as_all(void **state)
{
	struct xfer_node x = node_found(&a, "x");
	struct xfer_events_res res;

	(void)state;
	change_many(2 + HOLDER_QUEUE_MAX);
	res = node_told(&a);
	assert_int_equal(res.count, 1);
	/* Until it has acknowledged that, every strict change waits. */
	f.config->volumes[0].coherence = COHERENCE_STRICT;
	node_start_chmod(&c, &x.handle, 0600);
	expect_silence(c.fd, SOON_MS);
	node_acknowledge(&a);
	res = node_told(&a);
	assert_true(res.all);
	assert_int_equal(res.count, 0);
	expect_silence(c.fd, SOON_MS);
	node_acknowledge(&a);
	node_finish_chmod(&c);
	expect_silence(a.events_fd, SOON_MS);
}

/* One that is told twice before it could hear is told once. */
static void test_same_is_told_once(void **state)
{
	struct xfer_node x = node_found(&a, "x"), y = node_found(&a, "y");
	struct xfer_events_res res;

	(void)state;
	make_eventual();
	node_start_chmod(&c, &x.handle, 0600);
	node_finish_chmod(&c);
	node_told(&a);
	for (int i = 0; i < 3; i++) {
		node_attributes(&a, &y.handle);
		node_start_chmod(&c, &y.handle, 0600 + i);
		node_finish_chmod(&c);
	}
	node_acknowledge(&a);
	res = node_told(&a);
	assert_int_equal(res.count, 1);
	assert_true(names_bucket(&res, y.attr.fileid));
	node_acknowledge(&a);
	expect_silence(a.events_fd, SOON_MS);
}

static void test_later_events_replace_earlier(void **state)
{
	union xfer_results results;

	(void)state;
	node_ask(&a, false, 0);
	node_receive(a.events_fd, XFER_PROC_EVENTS, a.events_xid - 1, &results);
	assert_int_equal(results.status, XFER_ST_OK);
	assert_int_equal(results.events.count, 0);
	assert_false(results.events.all);
	/* What was not told can't be acknowledged. */
	node_ask(&a, false, 1000);
	node_receive(a.events_fd, XFER_PROC_EVENTS, a.events_xid - 1, &results);
	test_change_waits_for_acknowledgement(state);
}

/* Without knowing what is believed, nothing is promised. */
static void test_breaches(void **state)
{
	union xfer_results results;
	struct node e = { .name = "a", .boot = 9 };
	struct xfer_node x = node_found(&a, "x");

	(void)state;
	node_connect(&e);
	node_ask(&e, false, 0);
	assert_int_equal(node_told(&e).status, EINVAL);
	assert_false(node_attributes(&e, &x.handle).promised);
	node_ask(&e, true, 0);
	node_sync(&e);
	assert_true(node_attributes(&e, &f.root).promised);
	assert_int_equal(node_call(&e, XFER_PROC_END, NULL, &results), XFER_ST_OK);
	node_disconnect(&e);

	node_ask(&a, true, 0);
	a.events_xid--;
	assert_int_equal(node_told(&a).status, XFER_ST_OK);
	a.events_xid++;
	assert_int_equal(node_told(&a).status, EINVAL);
	assert_false(node_attributes(&a, &x.handle).promised);
	node_start_chmod(&c, &x.handle, 0600);
	expect_silence(c.fd, SOON_MS);
	node_ask(&a, true, 0);
	node_finish_chmod(&c);
}

static void test_status_tells_what_is_unsettled(void **state)
{
	struct xfer_node x = node_found(&a, "x");
	char *text;

	(void)state;
	node_start_chmod(&c, &x.handle, 0600);
	node_told(&a);
	assert_int_equal(xfer_status(f.config->listen[0], 5000, &text), 0);
	assert_non_null(strstr(text, "\"unsettled\":1"));
	assert_non_null(strstr(text, "\"unsettled\":0"));
	assert_non_null(strstr(text, "\"coherence\":\"strict\""));
	free(text);
	node_acknowledge(&a);
	node_finish_chmod(&c);
}

/* Its end doesn't wait for an answer to EVENTS, nor longer than a lease for a change. */
static void test_owner_ends(void **state)
{
	struct xfer_node x = node_found(&a, "x");
	uint64_t began = now_ms();

	(void)state;
	node_start_chmod(&c, &x.handle, 0600);
	node_told(&a);
	node_acknowledge(&a);
	/* Else it may wait for the lease of one whose connection is closed. */
	node_finish_chmod(&c);
	fixture_stop();
	assert_in_range(now_ms() - began, 0, LONG_MS / 2);
	fixture_serve();
}

/* --- ghosts ------------------------------------------------------------------------------------ */

/* c is forgotten: d is a later process of its node. */
static void restart(void)
{
	fixture_stop();
	node_disconnect(&a);
	node_disconnect(&c);
	node_disconnect(&d);
	fixture_serve();
}

/* What the predecessor promised to the other one may still be believed. */
static void test_ghosts_are_waited_for(void **state)
{
	union xfer_results results;
	uint64_t began;

	(void)state;
	restart();
	began = now_ms();
	assert_int_equal(node_connect(&d), XFER_STANDING_RECOVER);
	node_ask(&d, true, 0);
	node_start_mkdir(&d, "new");
	assert_int_equal(node_finish(&d, XFER_PROC_CREATE, &results), XFER_ST_OK);
	assert_in_range(now_ms() - began, SHORT_MS - 50, 10 * SHORT_MS);
	assert_int_equal(node_connect(&a), XFER_STANDING_RECOVER);
	node_connect(&c);
}

static void test_ghosts_come_back(void **state)
{
	union xfer_results results;
	uint64_t began = now_ms();

	(void)state;
	restart();
	assert_int_equal(node_connect(&d), XFER_STANDING_RECOVER);
	node_start_mkdir(&d, "new"); /* its own isn't waited for */
	expect_silence(d.fd, SOON_MS);
	assert_int_equal(node_connect(&a), XFER_STANDING_RECOVER);
	expect_silence(d.fd, SOON_MS);
	node_ask(&a, true, 0);
	assert_int_equal(node_finish(&d, XFER_PROC_CREATE, &results), XFER_ST_OK);
	assert_in_range(now_ms() - began, 0, LONG_MS - 1);
	node_connect(&c);
}

/* The record was broken: somebody may have been promised something. */
static void test_nameless_ghost(void **state)
{
	struct xfer_peer peer = { .node = "a" };
	struct holder holder = { 0 };
	struct coherence *coherence;
	struct holders *holders = holders_create();
	struct coherence_change change = { .holders = holders, .count = 1, .strict = true };
	uint64_t began = now_ms();

	(void)state;
	assert_int_equal(coherence_create(SHORT_MS, &coherence), 0);
	coherence_add(coherence, &holder, &peer);
	assert_int_equal(coherence_add_ghost(coherence, NULL, NULL), 0);
	assert_false(coherence_begin_now(coherence, &holder, &change));
	coherence_begin(coherence, &holder, &change);
	assert_in_range(now_ms() - began, SHORT_MS, 10 * SHORT_MS);
	coherence_end(&holder, &change);
	assert_true(coherence_begin_now(coherence, &holder, &change));
	coherence_end(&holder, &change);
	assert_non_null(strstr(nodes_log, "somebody who had a session before"));
	coherence_remove(coherence, &holder);
	coherence_destroy(coherence);
	holders_destroy(holders);
}

/* What it left is the new session's to settle, and goes on when that loses its connections before it has. */
static void test_adopted_ghost_outlasts_an_epoch(void **state)
{
	struct xfer_peer a_peer = { .node = "a" }, c_peer = { .node = "c" };
	struct holder a_holder = { 0 }, c_holder = { 0 };
	struct coherence *coherence;
	struct holders *holders = holders_create();
	struct coherence_change change = { .holders = holders, .count = 1, .strict = true };
	uint64_t began = now_ms();

	(void)state;
	assert_int_equal(coherence_create(SHORT_MS, &coherence), 0);
	assert_int_equal(coherence_add_ghost(coherence, "a", a_peer.boot_id), 0);
	coherence_add(coherence, &a_holder, &a_peer);
	coherence_add(coherence, &c_holder, &c_peer);
	coherence_epoch_ended(coherence, &a_holder);
	coherence_begin(coherence, &c_holder, &change);
	assert_in_range(now_ms() - began, SHORT_MS, 10 * SHORT_MS);
	coherence_end(&c_holder, &change);
	coherence_remove(coherence, &a_holder);
	coherence_remove(coherence, &c_holder);
	coherence_destroy(coherence);
	holders_destroy(holders);
}

/* --- more sessions than slots ------------------------------------------------------------------ */

static void test_sessions_share_a_slot(void **state)
{
	struct node more[22];
	struct xfer_node x = node_found(&a, "x");

	(void)state;
	for (uint8_t i = 0; i < 22; i++) {
		node_join(&more[i], "c", (uint8_t)(10 + i));
		assert_true(node_attributes(&more[i], &x.handle).promised);
	}
	/* By one that shares its slot: the others of it are told, too, and it isn't. */
	node_start_chmod(&more[21], &x.handle, 0600);
	node_told(&a);
	node_acknowledge(&a);
	for (uint8_t i = 0; i < 21; i++) {
		expect_silence(more[21].fd, 1);
		node_told(&more[i]);
		node_acknowledge(&more[i]);
	}
	node_finish_chmod(&more[21]);
	expect_silence(more[21].events_fd, SOON_MS);
	for (uint8_t i = 0; i < 22; i++)
		node_disconnect(&more[i]);
}

/* --- all at a time ------------------------------------------------------------------------------ */

#define CHANGES 300

static struct {
	struct xfer_handle handle;
	_Atomic uint64_t dropped; /* how often a has been told */
	_Atomic uint64_t
		committed; /* a change counter that whoever changed the file has an answer with */
	_Atomic unsigned changing; /* threads that still do */
	uint64_t served;           /* beliefs that were relied on */
} shared;

static void *drop_beliefs(void *arg)
{
	(void)arg;
	while (node_told(&a).status == XFER_ST_OK) {
		shared.dropped++;
		node_acknowledge(&a);
	}
	return NULL;
}

static void *change_file(void *arg)
{
	struct node *node = arg;

	for (unsigned i = 0; i < CHANGES; i++) {
		uint64_t change, before = shared.committed;

		node_start_chmod(node, &shared.handle, 0400 + i % 0200);
		change = node_finish_chmod(node).change;
		while (before < change &&
			!atomic_compare_exchange_weak(&shared.committed, &before, change))
			;
	}
	shared.changing--;
	return NULL;
}

/* Believes what was promised until it is told: nobody may have heard of a later state by then. */
static void *believe(void *arg)
{
	while (shared.changing > 0) {
		uint64_t dropped = shared.dropped;
		struct xfer_attr attr = node_attributes(arg, &shared.handle);

		for (unsigned i = 0; i < 20 && attr.promised; i++) {
			uint64_t committed = shared.committed;

			if (shared.dropped != dropped)
				break;
			if (attr.change < committed)
				abort();
			shared.served++;
		}
	}
	return NULL;
}

static void test_nobody_believes_too_long(void **state)
{
	pthread_t threads[4];
	union xfer_results results;

	(void)state;
	memset(&shared, 0, sizeof(shared));
	shared.handle = node_found(&a, "x").handle;
	shared.changing = 2;
	/* What c and d may believe doesn't matter: they are told, but nobody reads it. */
	node_call(&c, XFER_PROC_END, NULL, &results);
	node_call(&d, XFER_PROC_END, NULL, &results);
	node_disconnect(&c);
	node_disconnect(&d);
	c = d = (struct node){ .name = "c", .boot = 3 };
	d.boot = 4;
	node_connect(&c);
	node_connect(&d);
	assert_int_equal(pthread_create(&threads[0], NULL, drop_beliefs, NULL), 0);
	assert_int_equal(pthread_create(&threads[1], NULL, change_file, &c), 0);
	assert_int_equal(pthread_create(&threads[2], NULL, change_file, &d), 0);
	assert_int_equal(pthread_create(&threads[3], NULL, believe, &a), 0);
	for (int i = 1; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(node_call(&a, XFER_PROC_END, NULL, &results), XFER_ST_OK);
	pthread_join(threads[0], NULL);
	assert_true(shared.served > 0);
}

#define LONG(name)  cmocka_unit_test_setup_teardown(name, setup_long, nodes_teardown)
#define SOME(name)  cmocka_unit_test_setup_teardown(name, setup_some, nodes_teardown)
#define SHORT(name) cmocka_unit_test_setup_teardown(name, setup_short, nodes_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LONG(test_change_waits_for_acknowledgement),
		LONG(test_own_change_waits_for_nobody),
		LONG(test_no_promise_without_events),
		LONG(test_no_promise_during_a_change),
		LONG(test_second_change_waits_too),
		SHORT(test_lease_of_a_silent_session_ends),
		SHORT(test_late_session_catches_up),
		SHORT(test_mark_gets_old),
		SOME(test_lost_session_is_waited_for),
		LONG(test_process_that_comes_back_is_not),
		LONG(test_end_is_not_waited_for),
		LONG(test_new_epoch_settles_everything),
		LONG(test_epoch_is_superseded),
		LONG(test_eventual_does_not_wait),
		LONG(test_many_are_told_in_parts),
		LONG(test_too_many_are_told_as_all),
		LONG(test_same_is_told_once),
		LONG(test_later_events_replace_earlier),
		LONG(test_breaches),
		LONG(test_status_tells_what_is_unsettled),
		LONG(test_owner_ends),
		SHORT(test_ghosts_are_waited_for),
		LONG(test_ghosts_come_back),
		SHORT(test_nameless_ghost),
		SHORT(test_adopted_ghost_outlasts_an_epoch),
		LONG(test_sessions_share_a_slot),
		LONG(test_nobody_believes_too_long),
	};

	if (!fixture_possible())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
