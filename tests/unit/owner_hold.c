/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* owner_hold.c -- operations that wait for what broken connections left behind, and those that are taken back */

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/owner/fixture.h"
#include "support/raw.h"

/* --- who waits for whom -------------------------------------------------------------------------- */

static struct hold hold;

static int set_up(void **state)
{
	(void)state;
	hold_init(&hold);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	hold_fini(&hold);
	return 0;
}

/* The n-th object of a volume. */
static struct xfer_handle object(uint32_t volume, uint8_t n)
{
	struct xfer_handle handle;

	xfer_handle_root(volume, &handle);
	handle.data[handle.len++] = n;
	return handle;
}

static struct xfer_request write_to(uint8_t n)
{
	return (struct xfer_request){ .proc = XFER_PROC_WRITE,
		.args = { .write = { .handle = object(1, n) } } };
}

static struct xfer_request rename_in(uint8_t from, uint8_t to)
{
	return (struct xfer_request){ .proc = XFER_PROC_RENAME,
		.args = { .rename = { .from_dir = object(1, from), .to_dir = object(1, to) } } };
}

static struct xfer_request open_in(uint32_t volume, const char *name, uint32_t flags, uint32_t mask)
{
	struct xfer_request request = { .proc = XFER_PROC_OPEN,
		.args = { .open = { .handle = object(volume, 99),
				  .flags = flags,
				  .set = { .mask = mask } } } };

	strcpy(request.args.open.name, name);
	return request;
}

/* Whether b waits when a is an orphan, and the other way round. */
static bool waits(struct xfer_request a, struct xfer_request b)
{
	struct xfer_request first = a, second = b, *released;
	bool waited[2];

	for (int i = 0; i < 2; i++) {
		struct xfer_request *orphan = i ? &second : &first, *later = i ? &first : &second;

		hold_orphan(&hold, orphan);
		waited[i] = hold_enter(&hold, later);
		released = hold_orphan_gone(&hold, orphan);
		assert_ptr_equal(released, waited[i] ? later : NULL);
		assert_false(hold_enter(&hold, later));
		first.turn = second.turn = 0;
	}
	assert_int_equal(waited[0], waited[1]);
	return waited[0];
}

static void test_common_objects(void **state)
{
	struct xfer_request link = { .proc = XFER_PROC_LINK,
		.args = { .link = { .handle = object(1, 1), .dir = object(1, 2) } } };

	(void)state;
	assert_true(waits(write_to(1), write_to(1)));
	assert_false(waits(write_to(1), write_to(2)));
	assert_true(waits(rename_in(1, 2), write_to(2)));
	assert_true(waits(rename_in(1, 2), rename_in(2, 3)));
	assert_false(waits(rename_in(1, 2), rename_in(3, 4)));
	assert_true(waits(link, write_to(1)));
	assert_true(waits(link, write_to(2)));
	assert_false(waits(link, write_to(3)));
	assert_true(waits(open_in(1, "x", XFER_OPEN_TRUNC, 0), write_to(1)));
	assert_true(waits(open_in(1, "x", XFER_OPEN_WRITE, XFER_SET_SIZE), write_to(1)));
	assert_false(waits(open_in(1, "x", XFER_OPEN_WRITE, XFER_SET_MODE), write_to(1)));
	assert_false(waits(open_in(2, "x", XFER_OPEN_TRUNC, 0), write_to(1)));
	assert_false(waits(open_in(1, "", XFER_OPEN_TRUNC, 0), write_to(1)));
}

static void test_nobody_waits_for_later_ones(void **state)
{
	struct xfer_request a = write_to(1), b = write_to(1), c = write_to(1), *released;

	(void)state;
	assert_false(hold_enter(&hold, &a));
	hold_orphan(&hold, &a);
	hold_orphan(&hold, &b); /* before it could begin */
	assert_true(hold_enter(&hold, &b));
	assert_true(hold_enter(&hold, &c));
	hold_orphan(&hold, &c); /* while it waits */
	released = hold_orphan_gone(&hold, &a);
	assert_ptr_equal(released, &b);
	assert_null(b.next);
	assert_ptr_equal(hold_orphan_gone(&hold, &b), &c);
	assert_null(hold_orphan_gone(&hold, &c));
	assert_int_equal(hold.count, 0);
}

static bool is_it(const void *arg, const struct xfer_request *request)
{
	return request == arg;
}

static void test_taken_back(void **state)
{
	struct xfer_request a = write_to(1), b = write_to(1), c = write_to(1), d = write_to(1);

	(void)state;
	hold_orphan(&hold, &a);
	assert_true(hold_enter(&hold, &b));
	assert_true(hold_enter(&hold, &c));
	assert_true(hold_enter(&hold, &d));
	assert_ptr_equal(hold_take_back(&hold, is_it, &c), &c);
	assert_null(hold_take_back(&hold, is_it, &c));
	assert_ptr_equal(hold_orphan_gone(&hold, &a), &b);
	assert_ptr_equal(b.next, &d);
	assert_null(d.next);
}

/* --- at an owner whose disk hangs ----------------------------------------------------------------- */

static struct store_ops slow;
static _Atomic bool hang;
static _Atomic unsigned hanging;

static int slow_truncate(int fd, uint64_t size)
{
	hanging++;
	while (hang)
		usleep(500);
	hanging--;
	return store_posix.truncate(fd, size);
}

/* A connection of a process of a node, and the call slots' sequences. */
struct node {
	const char *name;
	int fd;
	uint64_t session_id;
	uint32_t sequences[8];
};

static struct node a, c;
static struct xfer_handle files[8];

static enum xfer_standing connect_node(struct node *node, const char *name)
{
	struct xfer_hello_res res;

	node->name = name;
	node->fd = connect_raw_to(f.config->listen[0]);
	res = hello_as(node->fd, name, 1, node->session_id);
	node->session_id = res.session_id;
	return res.standing;
}

/* While something of it executes. */
static void disconnect(struct node *node)
{
	close(node->fd);
	for (int i = 0; i < 5000 && f.service.hold.count == 0; i++)
		usleep(1000);
	assert_true(f.service.hold.count > 0);
}

static struct xfer_handle find_file(const char *name)
{
	union xfer_args args = { .name = { .dir = f.root } };
	union xfer_results results = { 0 };
	uint8_t reply[4096];
	uint32_t len;

	strcpy(args.name.name, name);
	send_call(a.fd, 1, XFER_PROC_LOOKUP, &args, 7, 1);
	len = recv_record(a.fd, reply, sizeof(reply));
	assert_int_equal(xfer_rpc_decode_reply(reply, len, XFER_PROC_LOOKUP, &results), 0);
	return results.node.node.handle;
}

static int set_up_owner(void **state)
{
	char name[8];

	slow = store_posix;
	slow.truncate = slow_truncate;
	fixture_store = &slow;
	fixture_setup_owner(state);
	memset(&a, 0, sizeof(a));
	memset(&c, 0, sizeof(c));
	connect_node(&a, "a");
	connect_node(&c, "c");
	for (int i = 0; i < 8; i++) {
		snprintf(name, sizeof(name), "%d", i);
		put_file(name, "", 0, 0, 0666);
		files[i] = find_file(name);
	}
	hang = true;
	return 0;
}

static int tear_down_owner(void **state)
{
	hang = false;
	close(a.fd);
	close(c.fd);
	fixture_store = &store_posix;
	return fixture_teardown(state);
}

/* Sets the size of the n-th file, in a call slot; xid: the size. */
static void send_size(struct node *node, uint32_t slot, int n, uint32_t size)
{
	union xfer_args args = { .setattr = { .handle = files[n],
					 .set = { .mask = XFER_SET_SIZE, .size = size } } };

	send_call(node->fd, size, XFER_PROC_SETATTR, &args, slot, ++node->sequences[slot]);
}

/* The same call again. */
static void send_size_again(struct node *node, uint32_t slot, int n, uint32_t size)
{
	node->sequences[slot]--;
	send_size(node, slot, n, size);
}

static void cancel_last(struct node *node, uint32_t slot)
{
	union xfer_args args = { .cancel = { slot, node->sequences[slot] } };

	send_call(node->fd, 999, XFER_PROC_CANCEL, &args, 0, 0);
}

static void wait_hanging(unsigned count)
{
	for (int i = 0; i < 5000 && hanging != count; i++)
		usleep(1000);
	assert_int_equal(hanging, count);
}

/* An operation that hangs no more has still to come back from the store. */
static void wait_nothing_held(void)
{
	for (int i = 0; i < 5000 && f.service.hold.count > 0; i++)
		usleep(1000);
	assert_int_equal(f.service.hold.count, 0);
}

static void expect_size(int n, off_t size)
{
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%d", f.volume, n);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, size);
}

static void test_late_execution_overwrites_nothing(void **state)
{
	uint32_t words[2][8];

	(void)state;
	send_size(&a, 0, 0, 10);
	wait_hanging(1);
	disconnect(&a);
	assert_int_equal(connect_node(&a, "a"), XFER_STANDING_RESUMED);
	send_size(&a, 1, 0, 20); /* waits */
	send_size(&c, 0, 0, 30); /* and so does this */
	send_size(&a, 2, 1, 40); /* this doesn't */
	wait_hanging(2);
	send_size_again(&a, 0, 0, 10); /* attaches */
	expect_silence(a.fd, 100);
	expect_silence(c.fd, 1);
	assert_int_equal(hanging, 2);
	hang = false;
	for (int i = 0; i < 3; i++) {
		recv_reply(a.fd, words[0], 8);
		assert_true(words[0][0] == 10 || words[0][0] == 20 || words[0][0] == 40);
		assert_int_equal(words[0][6], XFER_ST_OK);
	}
	assert_int_equal(expect_reply(c.fd, 30), XFER_ST_OK);
	expect_size(1, 40);
	send_size(&c, 0, 0, 50);
	assert_int_equal(expect_reply(c.fd, 50), XFER_ST_OK);
	expect_size(0, 50);
	assert_int_equal(f.service.hold.count, 0);
}

static void test_orphan_of_a_session_without_connection(void **state)
{
	(void)state;
	send_size(&a, 0, 0, 10);
	wait_hanging(1);
	disconnect(&a);
	send_size(&c, 0, 0, 30);
	usleep(3 * KEEP_MS * 1000); /* the session ends, its operation doesn't */
	expect_silence(c.fd, 1);
	assert_int_equal(hanging, 1);
	hang = false;
	assert_int_equal(expect_reply(c.fd, 30), XFER_ST_OK);
	expect_size(0, 30);
	a.fd = dup(c.fd);
}

static void test_truncating_open_waits(void **state)
{
	union xfer_args args = { .open = { .handle = f.root,
					 .name = "5",
					 .flags = XFER_OPEN_WRITE | XFER_OPEN_TRUNC } };

	(void)state;
	send_size(&a, 0, 0, 10);
	wait_hanging(1);
	disconnect(&a);
	send_call(c.fd, 5, XFER_PROC_OPEN, &args, 0, 1);
	expect_silence(c.fd, 100);
	assert_int_equal(hanging, 1);
	hang = false;
	assert_int_equal(expect_reply(c.fd, 5), XFER_ST_OK);
	a.fd = dup(c.fd);
}

static void test_cancel_of_what_waits(void **state)
{
	(void)state;
	send_size(&a, 0, 0, 10);
	wait_hanging(1);
	disconnect(&a);
	connect_node(&a, "a");
	send_size(&a, 1, 0, 20);
	cancel_last(&a, 1);
	assert_int_equal(expect_reply(a.fd, 20), XFER_ST_DELAY);
	assert_int_equal(expect_reply(a.fd, 999), XFER_ST_OK);
	send_size_again(&a, 1, 0, 20); /* that is its answer for ever */
	assert_int_equal(expect_reply(a.fd, 20), XFER_ST_DELAY);
	hang = false;
	send_size_again(&a, 0, 0, 10);
	assert_int_equal(expect_reply(a.fd, 10), XFER_ST_OK);
	expect_size(0, 10);
}

/* All of the volume's threads hang. */
static void fill_threads(void)
{
	for (uint32_t i = 0; i < 4; i++)
		send_size(&a, i, (int)i, 10 + i);
	wait_hanging(4);
}

static void test_cancel_of_what_is_queued(void **state)
{
	(void)state;
	fill_threads();
	send_size(&a, 4, 4, 20);
	send_size(&a, 5, 5, 30);
	expect_silence(a.fd, 50);
	cancel_last(&a, 4);
	assert_int_equal(expect_reply(a.fd, 20), XFER_ST_DELAY);
	assert_int_equal(expect_reply(a.fd, 999), XFER_ST_OK);
	cancel_last(&a, 0); /* it has begun */
	assert_int_equal(expect_reply(a.fd, 999), XFER_ST_OK);
	expect_silence(a.fd, 50);
	hang = false;
	for (int i = 0; i < 5; i++) {
		uint32_t words[8];

		recv_reply(a.fd, words, 8);
		assert_int_equal(words[6], XFER_ST_OK);
	}
	expect_size(0, 10);
	expect_size(4, 0);
	expect_size(5, 30);
}

/* What changes nothing can be taken back, too. */
static void test_cancel_of_a_read(void **state)
{
	union xfer_args args = { .handle = { .handle = f.root } };

	(void)state;
	fill_threads();
	send_call(a.fd, 5, XFER_PROC_GETATTR, &args, 4, ++a.sequences[4]);
	expect_silence(a.fd, 50);
	cancel_last(&a, 4);
	assert_int_equal(expect_reply(a.fd, 5), XFER_ST_DELAY);
	assert_int_equal(expect_reply(a.fd, 999), XFER_ST_OK);
}

/* What changes nothing doesn't pile up while connections come and go. */
static void test_reads_of_an_epoch_that_is_over(void **state)
{
	union xfer_args args = { .handle = { .handle = f.root } };
	struct work_queue *queue = &f.service.setup->volumes[0].volume->queue;
	unsigned queued = 9, running;

	(void)state;
	fill_threads();
	send_call(a.fd, 5, XFER_PROC_GETATTR, &args, 4, ++a.sequences[4]);
	send_size(&a, 5, 5, 20);
	expect_silence(a.fd, 50);
	disconnect(&a);
	for (int i = 0; i < 1000 && queued != 1; i++) {
		work_queue_load(f.service.pool, queue, &queued, &running);
		usleep(1000);
	}
	assert_int_equal(queued, 1);
	connect_node(&a, "a");
	send_size_again(&a, 5, 5, 20);
	hang = false;
	assert_int_equal(expect_reply(a.fd, 20), XFER_ST_OK);
	expect_size(5, 20);
}

static void test_nothing_of_a_dead_session_begins(void **state)
{
	(void)state;
	fill_threads();
	send_size(&a, 4, 4, 20);
	send_size(&c, 0, 5, 30);
	expect_silence(a.fd, 50);
	disconnect(&a);
	usleep(3 * KEEP_MS * 1000);
	hang = false;
	assert_int_equal(expect_reply(c.fd, 30), XFER_ST_OK);
	wait_hanging(0);
	wait_nothing_held();
	expect_size(0, 10);
	expect_size(4, 0);
	a.fd = dup(c.fd);
}

#define PURE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_owner, tear_down_owner)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PURE(test_common_objects),
		PURE(test_nobody_waits_for_later_ones),
		PURE(test_taken_back),
		TEST(test_late_execution_overwrites_nothing),
		TEST(test_orphan_of_a_session_without_connection),
		TEST(test_truncating_open_waits),
		TEST(test_cancel_of_what_waits),
		TEST(test_cancel_of_what_is_queued),
		TEST(test_cancel_of_a_read),
		TEST(test_reads_of_an_epoch_that_is_over),
		TEST(test_nothing_of_a_dead_session_begins),
	};

	if (!fixture_possible())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
