/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* owner_grace.c -- an owner that is started again, and the two nodes that had sessions with it */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "support/owner/fixture.h"
#include "support/raw.h"

/* One process of a point of contact. */
struct node {
	const char *name;
	uint8_t boot;
	int fd;
	uint64_t session_id, open_id;
	uint32_t sequence;
};

static enum xfer_standing connect_node(struct node *node)
{
	struct xfer_hello_res res;

	node->fd = connect_raw_to(f.config->listen[0]);
	res = hello_as(node->fd, node->name, node->boot, node->session_id);
	node->session_id = res.session_id;
	return res.standing;
}

/* The status. */
static uint32_t call(
	struct node *node, uint32_t proc, union xfer_args *args, union xfer_results *results)
{
	uint8_t reply[4096];
	uint32_t len;

	send_call(node->fd, 1, proc, args, 0, ++node->sequence);
	len = recv_record(node->fd, reply, sizeof(reply));
	memset(results, 0, sizeof(*results));
	assert_int_equal(xfer_rpc_decode_reply(reply, len, proc, results), 0);
	return results->status;
}

static uint32_t open_file(struct node *node)
{
	union xfer_args args = { .open = { .handle = f.root,
					 .name = "file",
					 .flags = XFER_OPEN_READ | XFER_OPEN_WRITE | XFER_OPEN_KEEP,
					 .create = XFER_UNCHECKED,
					 .set = { .mask = XFER_SET_MODE, .mode = 0666 } } };
	union xfer_results results;
	uint32_t status = call(node, XFER_PROC_OPEN, &args, &results);

	node->open_id = results.open.open_id;
	return status;
}

/* GRANTED, REFUSED or a status. */
enum { GRANTED = 0, REFUSED = 1 };

static uint32_t lock_file(struct node *node, enum xfer_lock_op op)
{
	union xfer_args args = { .lock = { .open_id = node->open_id,
					 .op = op,
					 .lock = { .exclusive = true, .length = 1 } } };
	union xfer_args name = { .name = { .dir = f.root, .name = "file" } };
	union xfer_results results;
	uint32_t status = call(node, XFER_PROC_LOOKUP, &name, &results);

	assert_int_equal(status, XFER_ST_OK);
	args.lock.handle = results.node.node.handle;
	status = call(node, XFER_PROC_LOCK, &args, &results);
	return status ? status : results.lock.granted ? GRANTED : REFUSED;
}

static uint32_t close_file(struct node *node)
{
	union xfer_args args = { .close = { .handle = f.root, .open_id = node->open_id } };
	union xfer_results results;

	return call(node, XFER_PROC_CLOSE, &args, &results);
}

static uint32_t make_directory(struct node *node, const char *name)
{
	union xfer_args args = { .create = { .dir = f.root,
					 .type = XFER_DIR,
					 .set = { .mask = XFER_SET_MODE, .mode = 0777 } } };
	union xfer_results results;

	strcpy(args.create.name, name);
	return call(node, XFER_PROC_CREATE, &args, &results);
}

static uint32_t read_attributes(struct node *node)
{
	union xfer_args args = { .handle = { .handle = f.root } };
	union xfer_results results;

	return call(node, XFER_PROC_GETATTR, &args, &results);
}

static void recovered(struct node *node)
{
	union xfer_results results;

	assert_int_equal(call(node, XFER_PROC_RECOVERED, NULL, &results), XFER_ST_OK);
}

/* Both have a session, and the first one a lock; then the owner is started again. */
static void prepare(struct node *a, struct node *c)
{
	*a = (struct node){ .name = "a", .boot = 1 };
	*c = (struct node){ .name = "c", .boot = 1 };
	assert_int_equal(connect_node(a), XFER_STANDING_NEW);
	assert_int_equal(connect_node(c), XFER_STANDING_NEW);
	assert_int_equal(open_file(a), XFER_ST_OK);
	assert_int_equal(lock_file(a, XFER_LOCK_SET), GRANTED);
	fixture_stop();
	close(a->fd);
	close(c->fd);
	fixture_serve();
}

static void test_nobody_comes_first(void **state)
{
	struct node a, c;

	(void)state;
	prepare(&a, &c);
	assert_int_equal(connect_node(&c), XFER_STANDING_RECOVER);
	recovered(&c);
	/* It has recovered, but a has not. */
	assert_int_equal(open_file(&c), XFER_ST_DELAY);
	assert_int_equal(make_directory(&c, "d"), XFER_ST_DELAY);
	assert_int_equal(read_attributes(&c), XFER_ST_OK);
	assert_int_equal(close_file(&c), XFER_ST_OK);
	assert_int_equal(lock_file(&c, XFER_LOCK_SET), XFER_ST_DELAY);
	assert_int_equal(lock_file(&c, XFER_LOCK_CLEAR), XFER_ST_BAD_OPEN);
	assert_int_equal(connect_node(&a), XFER_STANDING_RECOVER);
	assert_int_equal(open_file(&a), XFER_ST_OK);
	assert_int_equal(make_directory(&a, "d"), XFER_ST_OK); /* what it had under way */
	assert_int_equal(lock_file(&a, XFER_LOCK_SET), GRANTED);
	assert_int_equal(open_file(&c), XFER_ST_DELAY);
	recovered(&a);
	assert_int_equal(open_file(&c), XFER_ST_OK);
	assert_int_equal(lock_file(&c, XFER_LOCK_SET), REFUSED);
	assert_int_equal(make_directory(&c, "d"), EEXIST);
	close(a.fd);
	close(c.fd);
}

static void test_other_process_of_a_node(void **state)
{
	struct node a, c;

	(void)state;
	prepare(&a, &c);
	assert_int_equal(connect_node(&c), XFER_STANDING_RECOVER);
	recovered(&c);
	assert_int_equal(open_file(&c), XFER_ST_DELAY);
	a.boot = 2;
	assert_int_equal(connect_node(&a), XFER_STANDING_NEW);
	assert_int_equal(open_file(&c), XFER_ST_OK);
	assert_int_equal(lock_file(&c, XFER_LOCK_SET), GRANTED);
	close(a.fd);
	close(c.fd);
}

static void test_too_late(void **state)
{
	struct node a, c;

	(void)state;
	prepare(&a, &c);
	assert_int_equal(connect_node(&c), XFER_STANDING_RECOVER);
	recovered(&c);
	for (int i = 0; i < 100 && open_file(&c) == XFER_ST_DELAY; i++)
		usleep(GRACE_MS * 1000 / 20);
	assert_int_equal(lock_file(&c, XFER_LOCK_SET), GRANTED);
	assert_int_equal(connect_node(&a), XFER_STANDING_NEW);
	assert_int_equal(open_file(&a), XFER_ST_OK);
	assert_int_equal(lock_file(&a, XFER_LOCK_SET), REFUSED);
	close(a.fd);
	close(c.fd);
}

/* It comes in time, but is not ready when the time is over: others have changed things since. */
static void test_not_ready(void **state)
{
	struct node a, c;
	union xfer_results results;

	(void)state;
	prepare(&a, &c);
	assert_int_equal(connect_node(&c), XFER_STANDING_RECOVER);
	recovered(&c);
	assert_int_equal(connect_node(&a), XFER_STANDING_RECOVER);
	assert_int_equal(make_directory(&a, "d"), XFER_ST_OK);
	for (int i = 0; i < 100 && open_file(&c) == XFER_ST_DELAY; i++)
		usleep(GRACE_MS * 1000 / 20);
	assert_int_equal(lock_file(&c, XFER_LOCK_SET), GRANTED);
	assert_int_equal(make_directory(&a, "e"), XFER_ST_TOO_LATE);
	assert_int_equal(read_attributes(&a), XFER_ST_OK);
	assert_int_equal(call(&a, XFER_PROC_RECOVERED, NULL, &results), XFER_ST_TOO_LATE);
	close(a.fd);
	assert_int_equal(connect_node(&a), XFER_STANDING_NEW);
	assert_int_equal(make_directory(&a, "e"), XFER_ST_OK);
	close(a.fd);
	close(c.fd);
}

/* It loses its connection while it recovers: the session goes on, and so does its recovery. */
static void test_broken_while_it_recovers(void **state)
{
	struct node a, c;

	(void)state;
	prepare(&a, &c);
	assert_int_equal(connect_node(&c), XFER_STANDING_RECOVER);
	recovered(&c);
	assert_int_equal(connect_node(&a), XFER_STANDING_RECOVER);
	assert_int_equal(open_file(&a), XFER_ST_OK);
	close(a.fd);
	assert_int_equal(connect_node(&a), XFER_STANDING_RESUMED);
	assert_int_equal(lock_file(&a, XFER_LOCK_SET), GRANTED);
	assert_int_equal(make_directory(&c, "d"), XFER_ST_DELAY);
	recovered(&a);
	assert_int_equal(make_directory(&c, "d"), XFER_ST_OK);
	close(a.fd);
	close(c.fd);
}

/* Who ended its session before is not waited for. */
static void test_ended_before(void **state)
{
	struct node c = { .name = "c", .boot = 1 };
	union xfer_results results;

	(void)state;
	assert_int_equal(connect_node(&c), XFER_STANDING_NEW);
	assert_int_equal(make_directory(&c, "d"), XFER_ST_OK);
	assert_int_equal(call(&c, XFER_PROC_END, NULL, &results), XFER_ST_OK);
	close(c.fd);
	c = (struct node){ .name = "c", .boot = 2 };
	assert_int_equal(connect_node(&c), XFER_STANDING_NEW);
	fixture_stop();
	close(c.fd);
	fixture_serve();
	assert_int_equal(connect_node(&c), XFER_STANDING_RECOVER);
	recovered(&c);
	for (int i = 0; i < 100 && make_directory(&c, "e") == XFER_ST_DELAY; i++)
		usleep(GRACE_MS * 1000 / 20);
	assert_int_equal(make_directory(&c, "f"), XFER_ST_OK);
	close(c.fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup_owner, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nobody_comes_first),
		TEST(test_other_process_of_a_node),
		TEST(test_too_late),
		TEST(test_not_ready),
		TEST(test_broken_while_it_recovers),
		TEST(test_ended_before),
	};

	if (!fixture_possible())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
