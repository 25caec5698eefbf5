/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* owner_reload.c -- rights of volumes and nodes, and another configuration while the owner serves */

#include "support/owner/fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "counters.h"

#define FIRST  "name = \"v\"; path = \"%s\"; "
#define SECOND "name = \"w\"; path = \"%s\"; "

static const char *node_keys = ""; /* further ones of node "a" */

/* The configuration with these volumes; 0 or what the reload said. */
static int reload(const char *volumes)
{
	struct config *config;
	char path[128];
	FILE *file;
	int err;

	snprintf(path, sizeof(path), "%s/conf", f.dir);
	file = fopen(path, "w");
	assert_non_null(file);
	fprintf(file,
		"node = \"b\"; listen = ( \"unix:%s/l\" ); state_dir = \"%s/state\";\n"
		"run_dir = \"%s/run\"; workers = 6;\n"
		"nodes = ( { name = \"a\"; uids = [ 0 ]; %s }, { name = \"t\"; uids = [ 0 ]; } );\n"
		"volumes = ( %s );\n",
		f.dir, f.dir, f.dir, node_keys, volumes);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(config_load(path, &config), 0);
	err = service_reload(&f.service, config);
	if (err)
		config_free(config);
	return err;
}

/* The same with one volume, v, and these further keys. */
static void reload_with(const char *keys)
{
	char volumes[512];

	snprintf(volumes, sizeof(volumes), "{ " FIRST "%s }", f.volume, keys);
	assert_int_equal(reload(volumes), 0);
}

/* One operation of each kind that changes something. */
static void check_changes(int wanted)
{
	struct xfer_setattr mode = { .mask = XFER_SET_MODE, .mode = 0644 };
	struct xfer_new dir = { .type = XFER_DIR };
	struct xfer_opt_attr first, second;
	struct xfer_renamed renamed;
	struct xfer_opened opened;
	struct xfer_node file, node;

	put_file("file", "text", 0, 0, 0666);
	file = find("file");
	assert_int_equal(
		xfer_op_setattr(f.session, &root_cred, &file.handle, 0, &mode, &first.attr),
		wanted);
	assert_int_equal(
		xfer_op_create(f.session, &root_cred, &f.root, "dir", &dir, &node, &first), wanted);
	assert_int_equal(
		xfer_op_link(f.session, &root_cred, &file.handle, &f.root, "link", &first, &second),
		wanted);
	assert_int_equal(xfer_op_rename(f.session, &root_cred, &f.root, "file", &f.root, "renamed",
				 &renamed),
		wanted);
	put_file("file", "text", 0, 0, 0666);
	file = find("file");
	assert_int_equal(
		xfer_op_allocate(f.session, &root_cred, &file.handle, 0, 0, 9, false, &first),
		wanted);
	assert_int_equal(write_as(&root_cred, &file.handle, true, "w"), wanted ? wanted : 1);
	assert_int_equal(
		open_as(&root_cred, "file", XFER_OPEN_WRITE, XFER_NO_CREATE, 0, &opened), wanted);
	assert_int_equal(open_as(&root_cred, "file", XFER_OPEN_READ | XFER_OPEN_TRUNC,
				 XFER_NO_CREATE, 0, &opened),
		wanted);
	assert_int_equal(
		open_as(&root_cred, "new", XFER_OPEN_READ, XFER_UNCHECKED, 0644, &opened), wanted);
	assert_int_equal(
		xfer_op_unlink(f.session, &root_cred, &f.root, "file", &first, &second), wanted);
}

static void await_path(enum xfer_path_wish path)
{
	for (int i = 0; i < 4000 && xfer_session_path(f.session) != path; i++)
		usleep(5000);
	assert_int_equal(xfer_session_path(f.session), path);
}

/* A data path that the node may not have any more ends; its data goes on inline. */
static void test_path_is_taken(void **state)
{
	uint64_t taken = xfer_counters[XFER_CNT_PATHS_TAKEN];
	struct xfer_node node;

	(void)state;
	put_file("file", "text", 0, 0, 0666);
	node = find("file");
	await_path(XFER_WISH_SHM);
	node_keys = "path = \"inline\";";
	reload_with("nodes = [ \"a\" ];");
	node_keys = "";
	await_path(XFER_WISH_INLINE);
	assert_int_equal(xfer_counters[XFER_CNT_PATHS_TAKEN], taken + 1);
	assert_int_equal(write_as(&root_cred, &node.handle, true, "w"), 1);
}

static void test_read_only(void **state)
{
	struct xfer_opened opened;
	struct xfer_node node;
	char text[8];

	(void)state;
	reload_with("read_only = true; nodes = [ \"a\" ];");
	check_changes(-EROFS);
	put_file("file", "text", 0, 0, 0666);
	node = find("file");
	assert_int_equal(read_as(&user_cred, &node.handle, true, text, sizeof(text)), 4);
	assert_int_equal(
		open_as(&user_cred, "file", XFER_OPEN_READ, XFER_NO_CREATE, 0, &opened), 0);
	reload_with("nodes = ( { name = \"a\"; read_only = true; } );");
	check_changes(-EROFS);
	reload_with("nodes = ( \"a\" );");
	check_changes(0);
}

/* Whose a new file is. */
static void check_owner(const struct xfer_cred *cred, const char *name, uint32_t uid, uint32_t gid)
{
	struct xfer_opened opened;

	assert_int_equal(open_as(cred, name, XFER_OPEN_READ, XFER_GUARDED, 0600, &opened), 0);
	assert_int_equal(opened.node.attr.uid, uid);
	assert_int_equal(opened.node.attr.gid, gid);
}

static void test_squash(void **state)
{
	static const uint32_t groups[] = { 5, 0, 7 };
	const struct xfer_cred mixed = { .uid = USER, .gid = 0, .ngroups = 3, .groups = groups };
	struct xfer_node node;
	char text[8];

	(void)state;
	put_file("roots", "text", 0, 0, 0600);
	put_file("groups", "text", 0, 0, 0640);
	node = find("roots");
	check_owner(&root_cred, "none-root", 0, 0);
	reload_with("squash = \"root\"; anon_uid = 99; anon_gid = 98; nodes = [ \"a\" ];");
	check_owner(&root_cred, "root-root", 99, 98);
	check_owner(&user_cred, "root-user", USER, USER);
	check_owner(&mixed, "root-mixed", USER, 98);
	assert_int_equal(read_as(&root_cred, &node.handle, true, text, sizeof(text)), -EACCES);
	node = find("groups");
	assert_int_equal(read_as(&mixed, &node.handle, true, text, sizeof(text)), -EACCES);
	reload_with("squash = \"all\"; nodes = [ \"a\" ];");
	check_owner(&user_cred, "all-user", 65534, 65534);
	check_owner(&root_cred, "all-root", 65534, 65534);
	reload_with("nodes = [ \"a\" ];");
	assert_int_equal(read_as(&mixed, &node.handle, true, text, sizeof(text)), 4);
}

static bool is_locked(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY);
	bool locked;

	assert_true(fd >= 0);
	locked = flock(fd, LOCK_EX | LOCK_NB) != 0;
	close(fd);
	return locked;
}

/* A volume goes while a session has files of it open, another one comes, and the first one comes back. */
static void test_volumes_come_and_go(void **state)
{
	struct xfer_opened opened;
	struct xfer_handle second;
	struct xfer_attr attr;
	char volumes[512];

	(void)state;
	put_file("file", "text", 0, 0, 0666);
	xfer_handle_root(xfer_volume_id("w"), &second);
	assert_int_equal(open_as(&root_cred, "file", XFER_OPEN_READ | XFER_OPEN_KEEP,
				 XFER_NO_CREATE, 0, &opened),
		0);
	assert_int_equal(atomic_load(&f.service.opens.count), 1);
	assert_int_equal(xfer_op_getattr(f.session, &root_cred, &second, &attr), -EACCES);
	assert_true(is_locked(f.volume));
	snprintf(volumes, sizeof(volumes), "{ " SECOND "nodes = [ \"a\" ]; }", f.other);
	assert_int_equal(reload(volumes), 0);
	assert_int_equal(xfer_op_getattr(f.session, &root_cred, &second, &attr), 0);
	assert_int_equal(xfer_op_getattr(f.session, &root_cred, &f.root, &attr), -EAGAIN);
	assert_int_equal(atomic_load(&f.service.opens.count), 0);
	assert_false(is_locked(f.volume));
	reload_with("nodes = [ \"a\" ];");
	assert_int_equal(xfer_op_getattr(f.session, &root_cred, &second, &attr), -EAGAIN);
	assert_int_equal(xfer_op_getattr(f.session, &root_cred, &opened.node.handle, &attr), 0);
	assert_true(is_locked(f.volume));
	assert_false(is_locked(f.other));
}

/* The same name at another place is another volume. */
static void test_volume_moves(void **state)
{
	struct xfer_opened opened;
	struct xfer_opt_attr dir;
	struct xfer_node node;
	char keys[256];

	(void)state;
	reload_with("nodes = [ \"a\" ];"); /* so that the other place is free */
	put_file("file", "text", 0, 0, 0666);
	assert_int_equal(open_as(&root_cred, "file", XFER_OPEN_READ | XFER_OPEN_KEEP,
				 XFER_NO_CREATE, 0, &opened),
		0);
	snprintf(
		keys, sizeof(keys), "{ name = \"v\"; path = \"%s\"; nodes = [ \"a\" ]; }", f.other);
	assert_int_equal(reload(keys), 0);
	assert_int_equal(
		xfer_op_lookup(f.session, &root_cred, &f.root, "file", &node, &dir), -ENOENT);
	assert_int_equal(atomic_load(&f.service.opens.count), 0);
	assert_false(is_locked(f.volume));
}

static void test_failed_reload_changes_nothing(void **state)
{
	struct xfer_attr attr;
	char volumes[512];

	(void)state;
	snprintf(volumes, sizeof(volumes),
		"{ " FIRST
		"read_only = true; nodes = [ \"a\" ]; }, { name = \"x\"; path = \"%s/none\"; "
		"nodes = [ \"a\" ]; }",
		f.volume, f.dir);
	assert_int_equal(reload(volumes), -ENOENT);
	check_changes(0);
	assert_true(is_locked(f.volume));
	assert_true(is_locked(f.other));
	snprintf(volumes, sizeof(volumes), "{ " FIRST "nodes = [ \"t\" ]; }", f.volume);
	assert_int_equal(reload(volumes), 0);
	assert_int_equal(xfer_op_getattr(f.session, &root_cred, &f.root, &attr), -EACCES);
}

/* A node that may not use the volume any more still gives back what it has. */
static void test_giving_back_needs_no_right(void **state)
{
	struct xfer_lock lock = { .exclusive = true }, conflict;
	struct xfer_opened opened;
	char volumes[512];
	bool granted;

	(void)state;
	put_file("file", "text", 0, 0, 0666);
	assert_int_equal(
		open_as(&root_cred, "file", XFER_OPEN_READ | XFER_OPEN_WRITE | XFER_OPEN_KEEP,
			XFER_NO_CREATE, 0, &opened),
		0);
	assert_int_equal(xfer_op_lock(f.session, &root_cred, &opened.node.handle, opened.open_id,
				 XFER_LOCK_SET, &lock, &granted, &conflict),
		0);
	snprintf(volumes, sizeof(volumes), "{ " FIRST "nodes = [ \"t\" ]; }", f.volume);
	assert_int_equal(reload(volumes), 0);
	assert_int_equal(xfer_op_lock(f.session, &root_cred, &opened.node.handle, opened.open_id,
				 XFER_LOCK_SET, &lock, &granted, &conflict),
		-EACCES);
	assert_int_equal(xfer_op_lock(f.session, &root_cred, &opened.node.handle, opened.open_id,
				 XFER_LOCK_CLEAR, &lock, &granted, &conflict),
		0);
	xfer_op_close(f.session, &opened.node.handle, opened.open_id);
	for (int i = 0; i < 1000 && atomic_load(&f.service.opens.count) > 0; i++)
		usleep(5000);
	assert_int_equal(atomic_load(&f.service.opens.count), 0);
}

static void test_status_shows_rights(void **state)
{
	json_t *status, *volume;
	char *text;

	(void)state;
	reload_with("read_only = true; squash = \"all\"; workers = 2; nodes = [ \"a\" ];");
	text = f.service.ops.status(&f.service);
	assert_non_null(text);
	status = json_loads(text, 0, NULL);
	free(text);
	assert_int_equal(json_array_size(json_object_get(status, "volumes")), 1);
	volume = json_array_get(json_object_get(status, "volumes"), 0);
	assert_true(json_boolean_value(json_object_get(volume, "read_only")));
	assert_string_equal(json_string_value(json_object_get(volume, "squash")), "all");
	assert_int_equal(json_integer_value(json_object_get(volume, "workers")), 2);
	json_decref(status);
}

/* --- reloading under load ---------------------------------------------------------------------- */

static _Atomic bool loading;

static void *load(void *arg)
{
	struct xfer_opened opened;

	(void)arg;
	while (atomic_load(&loading))
		if (open_as(&user_cred, "busy", XFER_OPEN_READ | XFER_OPEN_KEEP, XFER_UNCHECKED,
			    0666, &opened) == 0)
			xfer_op_close(f.session, &opened.node.handle, opened.open_id);
	return NULL;
}

static void test_reload_under_load(void **state)
{
	pthread_t threads[3];
	char volumes[512];

	(void)state;
	atomic_store(&loading, true);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, load, NULL), 0);
	for (int i = 0; i < 60; i++) {
		usleep(5000);
		if (i % 3 == 0)
			snprintf(volumes, sizeof(volumes), "{ " SECOND "nodes = [ \"a\" ]; }",
				f.other);
		else
			snprintf(volumes, sizeof(volumes), "{ " FIRST "%s nodes = [ \"a\" ]; }",
				f.volume, i % 3 == 1 ? "read_only = true; workers = 1;" : "");
		/* The volume that goes keeps its lock until its last request has ended. */
		for (int tries = 0; reload(volumes) == -EWOULDBLOCK; tries++) {
			assert_true(tries < 1000);
			usleep(1000);
		}
	}
	atomic_store(&loading, false);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < 1000 && atomic_load(&f.service.opens.count) > 0; i++)
		usleep(5000);
	assert_int_equal(atomic_load(&f.service.opens.count), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_path_is_taken),
		FIXTURE_TEST(test_read_only),
		FIXTURE_TEST(test_squash),
		FIXTURE_TEST(test_volumes_come_and_go),
		FIXTURE_TEST(test_volume_moves),
		FIXTURE_TEST(test_failed_reload_changes_nothing),
		FIXTURE_TEST(test_giving_back_needs_no_right),
		FIXTURE_TEST(test_status_shows_rights),
		FIXTURE_TEST(test_reload_under_load),
	};

	if (!fixture_possible())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
