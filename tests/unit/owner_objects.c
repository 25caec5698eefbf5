/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* owner_objects.c -- links, special files, locks, holes and extended attributes, through a session */

#include "support/owner/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

/* --- links and special files ------------------------------------------------------------------- */

static int make(const struct xfer_cred *cred, const char *name, const struct xfer_new *new,
	struct xfer_node *node)
{
	struct xfer_opt_attr dir;

	return xfer_op_create(f.session, cred, &f.root, name, new, node, &dir);
}

static void check_target(const char *name, const char *wanted)
{
	struct xfer_new new = { .type = XFER_LNK, .target = wanted };
	struct xfer_node node;
	struct xfer_opt_attr attr = { 0 };
	char target[XFER_TARGET_MAX + 1];

	assert_int_equal(make(&user_cred, name, &new, &node), 0);
	assert_int_equal(node.attr.type, XFER_LNK);
	assert_int_equal(node.attr.uid, USER);
	assert_int_equal(node.attr.size, strlen(wanted));
	assert_int_equal(xfer_op_readlink(f.session, &user_cred, &node.handle, target, &attr), 0);
	assert_string_equal(target, wanted);
	assert_true(attr.valid);
}

static void test_symbolic_links(void **state)
{
	char longest[XFER_TARGET_MAX + 2];
	struct xfer_new new = { .type = XFER_LNK, .target = longest };
	struct xfer_opt_attr attr;
	struct xfer_node node;

	(void)state;
	check_target("short", "x");
	check_target("odd", "/nowhere/\xff\x01 \n//../");
	memset(longest, 'l', sizeof(longest));
	longest[XFER_TARGET_MAX + 1] = '\0';
	assert_int_equal(make(&user_cred, "too-long", &new, &node), -ENAMETOOLONG);
	longest[XFER_TARGET_MAX] = '\0';
	check_target("longest", longest);
	new.target = "";
	assert_int_equal(make(&user_cred, "empty", &new, &node), -EINVAL);
	new.target = "x";
	assert_int_equal(make(&user_cred, "short", &new, &node), -EEXIST);
	put_file("file", "text", 0, 0, 0644);
	node = find("file");
	assert_int_equal(
		xfer_op_readlink(f.session, &user_cred, &node.handle, longest, &attr), -EINVAL);
	/* Its times are its own, and never those of what it points to; its mode is nobody's. */
	node = find("short");
	assert_int_equal(
		xfer_op_setattr(f.session, &user_cred, &node.handle, 0,
			&(struct xfer_setattr){ .mask = XFER_SET_MODE, .mode = 0600 }, &attr.attr),
		0);
	assert_int_equal(xfer_op_setattr(f.session, &user_cred, &node.handle, 0,
				 &(struct xfer_setattr){
					 .mask = XFER_SET_MTIME, .mtime = { 1234567890, 5 } },
				 &attr.attr),
		0);
	assert_int_equal(attr.attr.mtime.sec, 1234567890);
	assert_int_equal(attr.attr.type, XFER_LNK);
}

static void test_special_files(void **state)
{
	static const enum xfer_type types[] = { XFER_FIFO, XFER_SOCK, XFER_CHR, XFER_BLK };
	struct xfer_new new = { .rdev_major = 300,
		.rdev_minor = 70000,
		.set = { .mask = XFER_SET_MODE | XFER_SET_MTIME,
			.mode = 06751,
			.mtime = { 5000000000, 7 } } };
	struct xfer_opened opened;
	struct xfer_node node;
	char name[2] = "a";

	(void)state;
	for (size_t i = 0; i < 4; i++, name[0]++) {
		bool device = types[i] == XFER_CHR || types[i] == XFER_BLK;

		new.type = types[i];
		assert_int_equal(make(device ? &root_cred : &user_cred, name, &new, &node), 0);
		assert_int_equal(node.attr.type, types[i]);
		assert_int_equal(node.attr.mode, 06751);
		assert_int_equal(node.attr.mtime.sec, 5000000000);
		assert_int_equal(node.attr.rdev_major, device ? 300 : 0);
		assert_int_equal(node.attr.rdev_minor, device ? 70000 : 0);
		assert_int_equal(
			open_as(&root_cred, name, XFER_OPEN_READ, XFER_NO_CREATE, 0, &opened),
			-EINVAL);
		node = find(name);
		assert_int_equal(node.attr.type, types[i]);
	}
	new.type = XFER_CHR;
	assert_int_equal(make(&user_cred, "device", &new, &node), -EPERM);
	new.type = XFER_REG;
	assert_int_equal(make(&root_cred, "regular", &new, &node), -EINVAL);
}

static void test_hard_links(void **state)
{
	struct xfer_opt_attr dir_attr = { 0 }, linked = { 0 };
	struct xfer_new new = { .type = XFER_DIR, .set = { .mask = XFER_SET_MODE, .mode = 0755 } };
	struct xfer_node node, dir;
	struct xfer_handle elsewhere;

	(void)state;
	put_file("file", "text", 0, 0, 0600);
	node = find("file");
	/* Needs no right to the file, whatever the kernel thinks of protected links. */
	assert_int_equal(xfer_op_link(f.session, &user_cred, &node.handle, &f.root, "other",
				 &dir_attr, &linked),
		0);
	assert_true(linked.valid && linked.attr.nlink == 2);
	assert_true(dir_attr.valid && linked.attr.change > node.attr.change);
	assert_int_equal(find("other").attr.fileid, node.attr.fileid);
	assert_int_equal(xfer_op_link(f.session, &user_cred, &node.handle, &f.root, "other",
				 &dir_attr, &linked),
		-EEXIST);
	assert_int_equal(make(&root_cred, "dir", &new, &dir), 0);
	assert_int_equal(xfer_op_link(f.session, &user_cred, &node.handle, &dir.handle, "x",
				 &dir_attr, &linked),
		-EACCES);
	assert_int_equal(
		xfer_op_link(f.session, &root_cred, &dir.handle, &f.root, "y", &dir_attr, &linked),
		-EPERM);
	xfer_handle_root(xfer_volume_id("w"), &elsewhere);
	assert_int_equal(xfer_op_link(f.session, &root_cred, &node.handle, &elsewhere, "z",
				 &dir_attr, &linked),
		-EXDEV);
}

/* --- locks ------------------------------------------------------------------------------------- */

/* An open in a session, with what its locks answered last. */
struct locker {
	struct xfer_session *session;
	struct xfer_opened opened;
	bool granted;
	struct xfer_lock conflict;
};

static void locker_open(struct locker *locker, struct xfer_session *session, uint32_t access)
{
	struct xfer_open open = {
		.handle = f.root, .name = "file", .flags = access | XFER_OPEN_KEEP
	};

	*locker = (struct locker){ .session = session };
	assert_int_equal(xfer_op_open(session, &root_cred, &open, &locker->opened), 0);
}

static int lock(struct locker *locker, enum xfer_lock_op op, bool exclusive, uint64_t offset,
	uint64_t length)
{
	struct xfer_lock range = { .exclusive = exclusive, .offset = offset, .length = length };

	return xfer_op_lock(locker->session, &root_cred, &locker->opened.node.handle,
		locker->opened.open_id, op, &range, &locker->granted, &locker->conflict);
}

/* Two nodes, so to speak; and a program on the owner. */
static void test_locks_conflict_between_sessions(void **state)
{
	const uint32_t both = XFER_OPEN_READ | XFER_OPEN_WRITE;
	struct xfer_session *second = open_session();
	struct locker a, b, none;

	(void)state;
	put_file("file", "text", 0, 0, 0666);
	locker_open(&a, f.session, both);
	locker_open(&b, second, both);
	none = a;
	none.opened.open_id = 0;
	assert_int_equal(lock(&a, XFER_LOCK_SET, true, 10, 20), 0);
	assert_true(a.granted);
	assert_int_equal(lock(&b, XFER_LOCK_SET, false, 25, 100), 0);
	assert_false(b.granted);
	assert_true(b.conflict.exclusive);
	assert_int_equal(b.conflict.offset, 10);
	assert_int_equal(b.conflict.length, 20);
	assert_int_equal(lock(&b, XFER_LOCK_TEST, false, 0, 10), 0);
	assert_true(b.granted);
	assert_int_equal(lock(&none, XFER_LOCK_TEST, false, 0, 0), 0);
	assert_false(none.granted);
	assert_int_equal(lock(&none, XFER_LOCK_SET, false, 0, 0), -EBADFD);
	/* Its own locks are in nobody's way. */
	assert_int_equal(lock(&a, XFER_LOCK_TEST, true, 0, 0), 0);
	assert_true(a.granted);
	assert_int_equal(lock(&a, XFER_LOCK_CLEAR, true, 10, 5), 0);
	assert_int_equal(lock(&b, XFER_LOCK_SET, true, 0, 15), 0);
	assert_true(b.granted);
	assert_int_equal(lock(&a, XFER_LOCK_SET, true, 0, 0), 0);
	assert_false(a.granted);
	assert_int_equal(a.conflict.offset, 0);
	assert_int_equal(a.conflict.length, 15);
	/* They end with the session. */
	xfer_session_close(second);
	for (int i = 0; i < 1000 && !a.granted; i++) {
		usleep(5000);
		assert_int_equal(lock(&a, XFER_LOCK_SET, true, 0, 0), 0);
	}
	assert_true(a.granted);
}

static void test_locks_that_cannot_be(void **state)
{
	struct locker reader, stranger;

	(void)state;
	put_file("file", "text", 0, 0, 0666);
	put_file("another", "text", 0, 0, 0666);
	locker_open(&reader, f.session, XFER_OPEN_READ);
	assert_int_equal(lock(&reader, XFER_LOCK_SET, true, 0, 1), -EPERM);
	assert_int_equal(lock(&reader, XFER_LOCK_SET, false, 0, 1), 0);
	assert_true(reader.granted);
	assert_int_equal(lock(&reader, XFER_LOCK_SET, false, INT64_MAX, 2), -EOVERFLOW);
	assert_int_equal(lock(&reader, XFER_LOCK_SET, false, UINT64_MAX, 0), -EOVERFLOW);
	assert_int_equal(lock(&reader, XFER_LOCK_SET, false, INT64_MAX, 0), 0);
	stranger = reader;
	stranger.opened.node = find("another");
	assert_int_equal(lock(&stranger, XFER_LOCK_SET, false, 0, 1), -EBADFD);
	xfer_op_close(f.session, &reader.opened.node.handle, reader.opened.open_id);
	for (int i = 0; i < 1000 && lock(&reader, XFER_LOCK_SET, false, 0, 1) != -EBADFD; i++)
		usleep(5000);
	assert_int_equal(lock(&reader, XFER_LOCK_TEST, false, 0, 1), -EBADFD);
	stranger.opened.node.handle = f.root;
	stranger.opened.open_id = 0;
	assert_int_equal(lock(&stranger, XFER_LOCK_TEST, false, 0, 1), -EISDIR);
}

/* --- holes ------------------------------------------------------------------------------------- */

static void seek(
	const struct xfer_node *node, uint64_t offset, bool hole, uint64_t wanted, bool eof)
{
	struct xfer_found found;

	assert_int_equal(
		xfer_op_seek(f.session, &user_cred, &node->handle, 0, offset, hole, &found), 0);
	assert_int_equal(found.eof, eof);
	assert_false(found.none);
	assert_int_equal(found.offset, wanted);
}

static void test_holes(void **state)
{
	const uint64_t mib = 1 << 20;
	struct xfer_opt_attr attr;
	struct xfer_found found;
	struct xfer_node node;

	(void)state;
	put_file("file", "text", USER, USER, 0644);
	node = find("file");
	assert_int_equal(
		xfer_op_allocate(f.session, &user_cred, &node.handle, 0, 0, 4 * mib, false, &attr),
		0);
	assert_true(attr.valid && attr.attr.size == 4 * mib && attr.attr.used >= 4 * mib);
	assert_int_equal(
		xfer_op_allocate(f.session, &user_cred, &node.handle, 0, mib, 2 * mib, true, &attr),
		0);
	assert_true(attr.attr.size == 4 * mib && attr.attr.used < 3 * mib);
	assert_int_equal(
		write_as(&user_cred, &node.handle, true, "at the beginning, so that it is data"),
		36);
	seek(&node, 0, false, 0, false);
	seek(&node, mib + 5, true, mib + 5, false);
	assert_int_equal(xfer_op_setattr(f.session, &user_cred, &node.handle, 0,
				 &(struct xfer_setattr){ .mask = XFER_SET_SIZE, .size = 8 * mib },
				 &attr.attr),
		0);
	assert_int_equal(
		xfer_op_seek(f.session, &user_cred, &node.handle, 0, 6 * mib, false, &found), 0);
	assert_true(found.none && found.eof);
	assert_int_equal(
		xfer_op_seek(f.session, &user_cred, &node.handle, 0, 8 * mib, true, &found),
		-ENXIO);
	assert_int_equal(xfer_op_allocate(f.session, &user_cred, &node.handle, 0, INT64_MAX, 2,
				 false, &attr),
		-EFBIG);
	assert_int_equal(
		xfer_op_allocate(f.session, &user_cred, &node.handle, 0, 0, 0, false, &attr),
		-EINVAL);
	put_file("closed", "text", 0, 0, 0400);
	node = find("closed");
	assert_int_equal(
		xfer_op_allocate(f.session, &user_cred, &node.handle, 0, 0, 1, false, &attr),
		-EACCES);
}

/* --- extended attributes ----------------------------------------------------------------------- */

static int set(const struct xfer_node *node, const char *name, enum xfer_setxattr how,
	const void *value, uint32_t len)
{
	struct xfer_opt_attr attr = { 0 };
	int err = xfer_op_setxattr(
		f.session, &user_cred, &node->handle, name, how, value, len, &attr);

	if (err == 0)
		assert_true(attr.valid && attr.attr.change > node->attr.change);
	return err;
}

static int get(const struct xfer_node *node, const char *name, const char *wanted)
{
	static uint8_t value[XFER_XATTR_MAX];
	uint32_t len;
	int err = xfer_op_getxattr(f.session, &user_cred, &node->handle, name, value, &len);

	if (err == 0) {
		assert_int_equal(len, strlen(wanted));
		assert_memory_equal(value, wanted, len);
	}
	return err;
}

static void check_names(const struct xfer_node *node, const char *wanted, uint32_t size)
{
	static char names[XFER_XATTR_MAX];
	uint32_t len;

	assert_int_equal(xfer_op_listxattr(f.session, &user_cred, &node->handle, names, &len), 0);
	assert_int_equal(len, size);
	assert_memory_equal(names, wanted, size);
}

static void test_extended_attributes(void **state)
{
	static uint8_t large[XFER_XATTR_MAX + 1];
	struct xfer_opt_attr attr;
	struct xfer_node node;
	char path[256];

	(void)state;
	put_file("file", "text", USER, USER, 0644);
	snprintf(path, sizeof(path), "%s/file", f.volume);
	if (setxattr(path, "user.first", "one", 3, 0) && errno == EOPNOTSUPP)
		skip(); /* /tmp has none */
	assert_int_equal(setxattr(path, "trusted.hidden", "x", 1, 0), 0);
	node = find("file");
	assert_int_equal(get(&node, "user.first", "one"), 0);
	assert_int_equal(get(&node, "user.second", ""), -ENODATA);
	assert_int_equal(get(&node, "trusted.hidden", ""), -ENODATA);
	assert_int_equal(set(&node, "user.second", XFER_XATTR_CREATE, "two", 3), 0);
	assert_int_equal(set(&node, "user.second", XFER_XATTR_CREATE, "2", 1), -EEXIST);
	assert_int_equal(set(&node, "user.second", XFER_XATTR_REPLACE, "", 0), 0);
	assert_int_equal(get(&node, "user.second", ""), 0);
	assert_int_equal(set(&node, "user.third", XFER_XATTR_REPLACE, "3", 1), -ENODATA);
	assert_int_equal(set(&node, "trusted.x", XFER_XATTR_EITHER, "3", 1), -EINVAL);
	assert_int_equal(set(&node, "user.", XFER_XATTR_EITHER, "3", 1), -EINVAL);
	assert_int_equal(set(&node, "user.large", XFER_XATTR_EITHER, large, sizeof(large)), -E2BIG);
	check_names(&node, "user.first\0user.second", 23);
	assert_int_equal(
		xfer_op_removexattr(f.session, &user_cred, &node.handle, "user.first", &attr), 0);
	assert_true(attr.valid);
	assert_int_equal(
		xfer_op_removexattr(f.session, &user_cred, &node.handle, "user.first", &attr),
		-ENODATA);
	check_names(&node, "user.second", 12);
	put_file("closed", "text", 0, 0, 0600);
	node = find("closed");
	assert_int_equal(set(&node, "user.x", XFER_XATTR_EITHER, "1", 1), -EACCES);
	assert_int_equal(get(&node, "user.x", ""), -EACCES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_symbolic_links),
		FIXTURE_TEST(test_special_files),
		FIXTURE_TEST(test_hard_links),
		FIXTURE_TEST(test_locks_conflict_between_sessions),
		FIXTURE_TEST(test_locks_that_cannot_be),
		FIXTURE_TEST(test_holes),
		FIXTURE_TEST(test_extended_attributes),
	};

	if (!fixture_possible())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
