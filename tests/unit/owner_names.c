/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* owner_names.c -- an owner that has promised names, and changes of these */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "support/owner/nodes.h"

static int setup(void **state)
{
	return nodes_setup(state, LONG_MS);
}

/* --- names ------------------------------------------------------------------------------------- */

/* What a is told, and acknowledges. */
static struct xfer_events_res hear(void)
{
	struct xfer_events_res res = node_told(&a);

	node_acknowledge(&a);
	return res;
}

static void test_names_are_promised(void **state)
{
	struct xfer_node_res res;
	struct xfer_events_res events;
	union xfer_results results;

	(void)state;
	assert_int_equal(node_lookup(&a, "new", &res), ENOENT);
	assert_true(res.dir_attr.attr.promised);
	node_start_mkdir(&c, "new");
	expect_silence(c.fd, SOON_MS);
	events = hear();
	assert_true(names_bucket(&events, XFER_ROOT_FILEID));
	assert_int_equal(node_finish(&c, XFER_PROC_CREATE, &results), XFER_ST_OK);
	assert_true(results.node.dir_attr.attr.promised);
	assert_true(results.node.node.attr.promised);
	assert_int_equal(node_lookup(&a, "new", &res), XFER_ST_OK);
	/* By a file, too. */
	node_start_open(&c, "file", XFER_OPEN_WRITE, XFER_GUARDED, 0644);
	expect_silence(c.fd, SOON_MS);
	events = hear();
	assert_true(names_bucket(&events, XFER_ROOT_FILEID));
	assert_int_equal(node_finish(&c, XFER_PROC_OPEN, &results), XFER_ST_OK);
}

static void test_readdir_promises(void **state)
{
	union xfer_args args = { .readdir = { .dir = f.root, .max_bytes = 4096 } };
	union xfer_results results = { 0 };
	struct xfer_events_res events;
	uint8_t reply[8192], entries[4096];
	uint32_t len;

	(void)state;
	node_start(&a, XFER_PROC_READDIR, &args);
	len = recv_record(a.fd, reply, sizeof(reply));
	results.readdir.entries = entries;
	results.readdir.entries_len = sizeof(entries);
	assert_int_equal(xfer_rpc_decode_reply(reply, len, XFER_PROC_READDIR, &results), 0);
	assert_true(results.readdir.dir_attr.attr.promised);
	node_start_named(&c, XFER_PROC_UNLINK, "x");
	expect_silence(c.fd, SOON_MS);
	events = hear();
	assert_int_equal(events.count, 2); /* the directory, and the entry's attributes */
	assert_true(names_bucket(&events, XFER_ROOT_FILEID));
	assert_int_equal(node_finish(&c, XFER_PROC_UNLINK, &results), XFER_ST_OK);
}

static void test_open_promises(void **state)
{
	union xfer_results results;
	struct xfer_events_res events;

	(void)state;
	node_start_open(&a, "x", XFER_OPEN_READ, XFER_NO_CREATE, 0);
	assert_int_equal(node_finish(&a, XFER_PROC_OPEN, &results), XFER_ST_OK);
	assert_true(results.open.dir_attr.attr.promised);
	assert_true(results.open.node.attr.promised);
	node_start_named(&c, XFER_PROC_UNLINK, "x");
	expect_silence(c.fd, SOON_MS);
	events = hear();
	assert_int_equal(events.count, 2);
	assert_int_equal(node_finish(&c, XFER_PROC_UNLINK, &results), XFER_ST_OK);
	/* What it says of a directory that somebody else is changing isn't promised. */
	node_start_open(&a, "new", XFER_OPEN_READ, XFER_UNCHECKED, 0644);
	node_told(&c); /* its UNLINK got a promise */
	node_acknowledge(&c);
	node_finish(&a, XFER_PROC_OPEN, &results);
	assert_true(results.open.created);
	assert_true(results.open.dir_attr.attr.promised);
	node_start_mkdir(&c, "other");
	node_told(&a);
	node_start_open(&a, "new", XFER_OPEN_READ, XFER_NO_CREATE, 0);
	node_finish(&a, XFER_PROC_OPEN, &results);
	assert_false(results.open.dir_attr.attr.promised);
	node_start_open(&a, "newer", XFER_OPEN_READ, XFER_UNCHECKED, 0644);
	node_finish(&a, XFER_PROC_OPEN, &results);
	assert_true(results.open.created);
	assert_false(results.open.dir_attr.attr.promised);
	node_acknowledge(&a);
	node_finish(&c, XFER_PROC_CREATE, &results);
}

/* An existing file makes no new name: who believes in the directory isn't bothered. */
static void test_opening_disturbs_nobody(void **state)
{
	union xfer_results results;
	struct xfer_events_res events;
	struct xfer_node x = node_found(&a, "x");

	(void)state;
	node_start_open(&c, "x", XFER_OPEN_WRITE, XFER_UNCHECKED, 0);
	assert_int_equal(node_finish(&c, XFER_PROC_OPEN, &results), XFER_ST_OK);
	assert_false(results.open.created);
	node_start_open(&c, "x", XFER_OPEN_WRITE, XFER_GUARDED, 0644);
	assert_int_equal(node_finish(&c, XFER_PROC_OPEN, &results), EEXIST);
	expect_silence(a.events_fd, SOON_MS);
	/* But one that cuts it changes it. */
	node_start_open(&c, "x", XFER_OPEN_WRITE | XFER_OPEN_TRUNC, XFER_NO_CREATE, 0);
	expect_silence(c.fd, SOON_MS);
	events = hear();
	assert_int_equal(events.count, 1);
	assert_true(names_bucket(&events, x.attr.fileid));
	assert_int_equal(node_finish(&c, XFER_PROC_OPEN, &results), XFER_ST_OK);
	assert_int_equal(results.open.node.attr.size, 0);
}

static void test_rename_tells_of_all(void **state)
{
	struct xfer_node x = node_found(&a, "x"), y = node_found(&a, "y");
	struct xfer_events_res events;
	union xfer_results results;

	(void)state;
	node_start_rename(&c, "x", "y");
	expect_silence(c.fd, SOON_MS);
	events = hear();
	assert_int_equal(events.count, 3);
	assert_true(names_bucket(&events, XFER_ROOT_FILEID));
	assert_true(names_bucket(&events, x.attr.fileid));
	assert_true(names_bucket(&events, y.attr.fileid));
	assert_int_equal(node_finish(&c, XFER_PROC_RENAME, &results), XFER_ST_OK);
	assert_true(results.rename.replaced.valid);
	assert_int_equal(results.rename.replaced.attr.fileid, y.attr.fileid);
	assert_int_equal(results.rename.replaced.attr.nlink, 0);
	assert_int_equal(results.rename.object.attr.fileid, x.attr.fileid);
	/* There is nothing to replace. */
	node_start_rename(&c, "y", "z");
	node_finish(&c, XFER_PROC_RENAME, &results);
	assert_false(results.rename.replaced.valid);
}

static void test_link_tells_of_both(void **state)
{
	struct xfer_node x = node_found(&a, "x");
	union xfer_args args = { .link = { .handle = x.handle, .dir = f.root, .name = "l" } };
	struct xfer_events_res events;
	union xfer_results results;

	(void)state;
	node_start(&c, XFER_PROC_LINK, &args);
	expect_silence(c.fd, SOON_MS);
	events = hear();
	assert_int_equal(events.count, 2);
	assert_int_equal(node_finish(&c, XFER_PROC_LINK, &results), XFER_ST_OK);
	assert_int_equal(results.link.object.attr.nlink, 2);
}

/* What is open keeps the directory that it was in alive, without a name. */
static void test_removed_directory_is_stale(void **state)
{
	struct object dir;
	union xfer_args args = { 0 };
	union xfer_results results;
	struct xfer_node made;

	(void)state;
	node_start_mkdir(&c, "dir");
	assert_int_equal(node_finish(&c, XFER_PROC_CREATE, &results), XFER_ST_OK);
	made = results.node.node;
	node_attributes(&a, &made.handle);
	assert_int_equal(object_open(f.service.setup->volumes[0].volume, &made.handle, &dir), 0);
	node_start_named(&c, XFER_PROC_UNLINK, "dir");
	node_told(&a);
	node_acknowledge(&a);
	assert_int_equal(node_finish(&c, XFER_PROC_UNLINK, &results), XFER_ST_OK);
	assert_true(results.link.object.valid);
	assert_int_equal(results.link.object.attr.type, XFER_DIR);
	assert_false(results.link.object.attr.promised);
	args.handle.handle = made.handle;
	assert_int_equal(node_call(&a, XFER_PROC_GETATTR, &args, &results), ESTALE);
	args.name = (struct xfer_name_args){ .dir = made.handle, .name = "x" };
	assert_int_equal(node_call(&a, XFER_PROC_LOOKUP, &args, &results), ENOENT);
	assert_false(results.node.dir_attr.valid);
	assert_int_equal(node_call(&a, XFER_PROC_UNLINK, &args, &results), ESTALE);
	assert_false(results.link.dir_attr.valid);
	object_close(&dir);
}

/* While a change waits for the lock of the names, the name becomes another object's. */
static void replace_meanwhile(struct names *names, const char *from, const char *to)
{
	char from_path[256], to_path[256];

	expect_silence(c.fd, SOON_MS);
	snprintf(from_path, sizeof(from_path), "%s/%s", f.volume, from);
	snprintf(to_path, sizeof(to_path), "%s/%s", f.volume, to);
	assert_int_equal(rename(from_path, to_path), 0);
	names_unlock(names, XFER_ROOT_FILEID, XFER_ROOT_FILEID);
}

static void test_name_is_looked_at_again(void **state)
{
	struct names *names = &f.service.setup->volumes[0].volume->names;
	struct xfer_node y = node_found(&c, "y"), z;
	union xfer_results results;

	(void)state;
	names_lock(names, XFER_ROOT_FILEID, XFER_ROOT_FILEID);
	node_start_named(&c, XFER_PROC_UNLINK, "x");
	replace_meanwhile(names, "y", "x");
	assert_int_equal(node_finish(&c, XFER_PROC_UNLINK, &results), XFER_ST_OK);
	assert_int_equal(results.link.object.attr.fileid, y.attr.fileid);

	put_file("x", "", CALLER, CALLER, 0644);
	put_file("y", "", CALLER, CALLER, 0644);
	put_file("z", "", CALLER, CALLER, 0644);
	z = node_found(&c, "z");
	names_lock(names, XFER_ROOT_FILEID, XFER_ROOT_FILEID);
	node_start_rename(&c, "x", "y");
	replace_meanwhile(names, "z", "y");
	assert_int_equal(node_finish(&c, XFER_PROC_RENAME, &results), XFER_ST_OK);
	assert_int_equal(results.rename.replaced.attr.fileid, z.attr.fileid);

	put_file("z", "", CALLER, CALLER, 0644);
	names_lock(names, XFER_ROOT_FILEID, XFER_ROOT_FILEID);
	node_start_named(&c, XFER_PROC_UNLINK, "y");
	replace_meanwhile(names, "y", "w");
	assert_int_equal(node_finish(&c, XFER_PROC_UNLINK, &results), ENOENT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, nodes_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_names_are_promised),
		TEST(test_readdir_promises),
		TEST(test_open_promises),
		TEST(test_opening_disturbs_nobody),
		TEST(test_rename_tells_of_all),
		TEST(test_link_tells_of_both),
		TEST(test_removed_directory_is_stale),
		TEST(test_name_is_looked_at_again),
	};

	if (!fixture_possible())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
