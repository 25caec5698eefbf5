/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* owner_service.c -- an owner in this process, asked by a point of contact in this process */

#include "support/owner/fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

/* --- data -------------------------------------------------------------------------------------- */

static void test_data_comes_back(void **state)
{
	const size_t size = 3 * XFER_IO_MAX + 12345;
	char *data = malloc(size), *back = malloc(XFER_IO_MAX);
	struct waited io = { .io = { .stability = XFER_UNSTABLE } };
	struct xfer_opened opened;
	struct xfer_opt_attr attr;
	uint8_t verifier[8];

	(void)state;
	for (size_t i = 0; i < size; i++)
		data[i] = (char)(i * 2654435761u >> 13);
	assert_int_equal(
		open_as(&user_cred, "file", XFER_OPEN_READ | XFER_OPEN_WRITE | XFER_OPEN_KEEP,
			XFER_UNCHECKED, 0640, &opened),
		0);
	assert_true(opened.created);
	assert_int_equal(opened.node.attr.mode, 0640);
	assert_int_equal(opened.node.attr.uid, USER);
	assert_true(opened.open_id != 0);
	io.io.open_id = opened.open_id;
	for (size_t at = 0; at < size; at += io.io.count) {
		size_t length = size - at < XFER_IO_MAX ? size - at : XFER_IO_MAX;

		io.io.offset = at;
		assert_int_equal(
			run_io(&io, true, &user_cred, &opened.node.handle, data + at, length), 0);
		assert_int_equal(io.io.count, length);
		assert_true(io.io.attr.valid);
		assert_int_equal(io.io.attr.attr.size, at + length);
	}
	assert_int_equal(xfer_op_commit(f.session, &user_cred, &opened.node.handle, opened.open_id,
				 0, 0, verifier, &attr),
		0);
	assert_memory_equal(verifier, io.io.verifier, 8);
	for (unsigned round = 0; round < 2; round++) { /* with the open id, then by the handle */
		io.io.open_id = round ? 0 : opened.open_id;
		for (size_t at = 0; at < size; at += io.io.count) {
			io.io.offset = at;
			assert_int_equal(run_io(&io, false, &user_cred, &opened.node.handle, back,
						 XFER_IO_MAX),
				0);
			assert_memory_equal(back, data + at, io.io.count);
			assert_int_equal(io.io.eof, at + io.io.count == size);
		}
	}
	io.io.offset = size - 10;
	assert_int_equal(run_io(&io, false, &user_cred, &opened.node.handle, back, 9), 0);
	assert_false(io.io.eof);
	assert_int_equal(run_io(&io, false, &user_cred, &opened.node.handle, back, 10), 0);
	assert_true(io.io.eof);
	io.io.offset = size + 5;
	assert_int_equal(run_io(&io, false, &user_cred, &opened.node.handle, back, 10), 0);
	assert_int_equal(io.io.count, 0);
	assert_true(io.io.eof);
	xfer_op_close(f.session, &opened.node.handle, opened.open_id);
	free(data);
	free(back);
}

/* Each change shows in the counter, also when many share one tick of the clock. */
static void test_change_grows(void **state)
{
	struct xfer_attr attr;
	uint64_t last = 0;
	struct xfer_node node;

	(void)state;
	put_file("c", "x", 0, 0, 0644);
	node = find("c");
	for (int i = 0; i < 200; i++) {
		assert_int_equal(write_as(&root_cred, &node.handle, true, "y"), 1);
		assert_int_equal(xfer_op_getattr(f.session, &root_cred, &node.handle, &attr), 0);
		assert_true(attr.change > last);
		last = attr.change;
	}
}

/* --- permissions ------------------------------------------------------------------------------- */

static void test_anonymous_io_asks_for_permission(void **state)
{
	const uint32_t groups[] = { GROUP - 1, GROUP };
	struct xfer_cred in_group = { .uid = USER, .gid = USER, .ngroups = 2, .groups = groups };
	char data[16];
	struct xfer_node node;

	(void)state;
	put_file("secret", "text", 0, GROUP, 0640);
	node = find("secret");
	assert_int_equal(read_as(&root_cred, &node.handle, true, data, 16), 4);
	assert_int_equal(read_as(&user_cred, &node.handle, true, data, 16), -EACCES);
	assert_int_equal(read_as(&in_group, &node.handle, true, data, 16), 4);
	assert_int_equal(read_as(&user_cred, &node.handle, true, data, 16), -EACCES);
	assert_int_equal(write_as(&in_group, &node.handle, true, "no"), -EACCES);
	/* The descriptor of the file is at hand; the permission has gone all the same. */
	for (int i = 0; i < 50; i++) {
		put_file("secret", "text", 0, GROUP, 0640);
		assert_int_equal(read_as(&in_group, &node.handle, true, data, 16), 4);
		put_file("secret", "text", 0, GROUP, 0600);
		assert_int_equal(read_as(&in_group, &node.handle, true, data, 16), -EACCES);
	}
	put_file("secret", "text", 0, 0, 0711);
	assert_int_equal(read_as(&user_cred, &node.handle, true, data, 16), 4);
}

static void test_owner_override(void **state)
{
	struct xfer_node node;

	(void)state;
	put_file("object", "text", USER, USER, 0444);
	node = find("object");
	assert_int_equal(write_as(&user_cred, &node.handle, false, "TEXT"), -EACCES);
	assert_int_equal(write_as(&user_cred, &node.handle, true, "TEXT"), 4);
	assert_int_equal(write_as(&user_cred, &node.handle, false, "TEXT"), -EACCES);
	put_file("object", "text", USER + 1, USER, 0444);
	assert_int_equal(write_as(&user_cred, &node.handle, true, "TEXT"), -EACCES);
}

static void test_write_takes_set_id_bits(void **state)
{
	struct xfer_attr attr;
	struct xfer_node node;

	(void)state;
	put_file("tool", "text", USER, USER, 06755);
	node = find("tool");
	assert_int_equal(node.attr.mode, 06755);
	assert_int_equal(write_as(&user_cred, &node.handle, true, "TEXT"), 4);
	assert_int_equal(xfer_op_getattr(f.session, &root_cred, &node.handle, &attr), 0);
	assert_int_equal(attr.mode, 0755);
}

static void test_directories_ask_for_permission(void **state)
{
	struct xfer_opt_attr dir, object;
	struct xfer_opened opened;
	struct xfer_node node, below;
	struct xfer_new make = { .type = XFER_DIR, .set = { .mask = XFER_SET_MODE, .mode = 0700 } };

	(void)state;
	assert_int_equal(
		xfer_op_create(f.session, &root_cred, &f.root, "private", &make, &node, &dir), 0);
	assert_int_equal(node.attr.mode, 0700);
	assert_true(dir.valid);
	assert_int_equal(
		xfer_op_lookup(f.session, &user_cred, &node.handle, "x", &below, &dir), -EACCES);
	assert_int_equal(
		xfer_op_create(f.session, &user_cred, &node.handle, "x", &make, &below, &dir),
		-EACCES);
	assert_int_equal(
		xfer_op_unlink(f.session, &user_cred, &node.handle, "x", &dir, &object), -EACCES);
	assert_int_equal(open_as(&user_cred, "private", XFER_OPEN_READ, XFER_NO_CREATE, 0, &opened),
		-EISDIR);
	assert_int_equal(
		xfer_op_unlink(f.session, &root_cred, &f.root, "private", &dir, &object), 0);
	assert_int_equal(
		xfer_op_getattr(f.session, &root_cred, &node.handle, &object.attr), -ESTALE);
}

/* --- names ------------------------------------------------------------------------------------- */

static void test_names(void **state)
{
	static const char *const bad[] = { ".", "a/b" };
	struct xfer_new make = { .type = XFER_DIR };
	struct xfer_opt_attr dir, object;
	struct xfer_node node, up;
	char path[256], outside[256];

	(void)state;
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(
			xfer_op_lookup(f.session, &root_cred, &f.root, bad[i], &node, &dir),
			-EINVAL);
	assert_int_equal(xfer_op_lookup(f.session, &root_cred, &f.root, "", &node, &dir), -ENOENT);
	assert_int_equal(
		xfer_op_create(f.session, &root_cred, &f.root, "..", &make, &node, &dir), -EEXIST);
	assert_int_equal(
		xfer_op_create(f.session, &root_cred, &f.root, "a/b", &make, &node, &dir), -EINVAL);
	assert_int_equal(
		xfer_op_unlink(f.session, &root_cred, &f.root, "..", &dir, &object), -ENOTEMPTY);
	assert_int_equal(
		xfer_op_unlink(f.session, &root_cred, &f.root, ".", &dir, &object), -EINVAL);
	assert_int_equal(
		xfer_op_lookup(f.session, &root_cred, &f.root, "none", &node, &dir), -ENOENT);
	assert_true(dir.valid);
	assert_int_equal(xfer_op_lookup(f.session, &root_cred, &f.root, "..", &up, &dir), 0);
	assert_true(xfer_handle_equal(&up.handle, &f.root));

	snprintf(path, sizeof(path), "%s/d", f.volume);
	assert_int_equal(mkdir(path, 0777), 0);
	node = find("d");
	assert_int_equal(xfer_op_lookup(f.session, &root_cred, &node.handle, "..", &up, &dir), 0);
	assert_true(xfer_handle_equal(&up.handle, &f.root));
	/* Moved out of the volume behind our back: its parent is none of ours. */
	snprintf(outside, sizeof(outside), "%s/d", f.dir);
	assert_int_equal(rename(path, outside), 0);
	assert_int_equal(
		xfer_op_lookup(f.session, &root_cred, &node.handle, "..", &up, &dir), -ESTALE);

	snprintf(path, sizeof(path), "%s/link", f.volume);
	assert_int_equal(symlink("/etc", path), 0);
	node = find("link");
	assert_int_equal(node.attr.type, XFER_LNK);
	assert_int_equal(
		xfer_op_lookup(f.session, &root_cred, &node.handle, "passwd", &up, &dir), -ENOTDIR);
	struct xfer_opened opened;
	assert_int_equal(
		open_as(&root_cred, "link", XFER_OPEN_READ, XFER_NO_CREATE, 0, &opened), -ELOOP);
}

static void test_wrong_handles(void **state)
{
	struct xfer_handle handle;
	struct xfer_attr attr;
	struct xfer_node node;

	(void)state;
	put_file("h", "x", 0, 0, 0644);
	node = find("h");
	for (uint32_t i = 4; i < node.handle.len; i++) {
		handle = node.handle;
		handle.data[i] ^= 1;
		assert_int_equal(xfer_op_getattr(f.session, &root_cred, &handle, &attr), -EBADF);
	}
	xfer_handle_root(12345, &handle);
	assert_int_equal(xfer_op_getattr(f.session, &root_cred, &handle, &attr), -EAGAIN);
	xfer_handle_root(xfer_volume_id("w"), &handle);
	assert_int_equal(xfer_op_getattr(f.session, &root_cred, &handle, &attr), -EACCES);
	assert_int_equal(xfer_op_getattr(f.session, &root_cred, &f.root, &attr), 0);
	assert_int_equal(attr.type, XFER_DIR);
}

static void test_unlink_and_rename(void **state)
{
	struct xfer_opt_attr dir, object;
	struct xfer_renamed renamed;
	struct xfer_handle elsewhere;
	struct xfer_node one, two;
	struct xfer_attr attr;
	char data[16], from[256], to[256];

	(void)state;
	put_file("one", "1", 0, 0, 0644);
	put_file("two", "22", 0, 0, 0644);
	one = find("one");
	two = find("two");
	assert_int_equal(read_as(&root_cred, &two.handle, true, data, 16), 2);
	assert_int_equal(
		xfer_op_rename(f.session, &root_cred, &f.root, "one", &f.root, "two", &renamed), 0);
	assert_true(renamed.from_dir.valid && renamed.to_dir.valid && renamed.object.valid);
	assert_int_equal(renamed.object.attr.fileid, one.attr.fileid);
	assert_true(renamed.object.attr.change > one.attr.change);
	assert_int_equal(filecache_count(f.service.cache), 0); /* nothing holds the old one */
	assert_int_equal(xfer_op_getattr(f.session, &root_cred, &two.handle, &attr), -ESTALE);
	two = find("two");
	assert_true(xfer_handle_equal(&one.handle, &two.handle));

	snprintf(from, sizeof(from), "%s/two", f.volume);
	snprintf(to, sizeof(to), "%s/three", f.volume);
	assert_int_equal(link(from, to), 0);
	assert_int_equal(xfer_op_unlink(f.session, &root_cred, &f.root, "two", &dir, &object), 0);
	assert_true(object.valid);
	assert_int_equal(object.attr.nlink, 1);
	assert_int_equal(
		xfer_op_unlink(f.session, &root_cred, &f.root, "two", &dir, &object), -ENOENT);

	xfer_handle_root(xfer_volume_id("w"), &elsewhere);
	assert_int_equal(
		xfer_op_rename(f.session, &root_cred, &f.root, "three", &elsewhere, "x", &renamed),
		-EXDEV);
}

/* --- making files ------------------------------------------------------------------------------ */

static void test_create_modes(void **state)
{
	struct xfer_open open = { .handle = f.root,
		.name = "x",
		.flags = XFER_OPEN_READ | XFER_OPEN_WRITE,
		.create = XFER_EXCLUSIVE,
		.verifier = { 0xff, 2, 3, 0xfe, 5, 6, 7, 8 } };
	struct xfer_opened first, again;

	(void)state;
	assert_int_equal(xfer_op_open(f.session, &user_cred, &open, &first), 0);
	assert_true(first.created);
	assert_int_equal(xfer_op_open(f.session, &user_cred, &open, &again), 0);
	assert_true(xfer_handle_equal(&first.node.handle, &again.node.handle));
	open.verifier[7]++;
	assert_int_equal(xfer_op_open(f.session, &user_cred, &open, &again), -EEXIST);
	assert_int_equal(
		open_as(&user_cred, "x", XFER_OPEN_READ, XFER_GUARDED, 0644, &again), -EEXIST);

	/* Of the attributes, an existing file gets the size alone. */
	put_file("u", "text", USER, USER, 0600);
	open = (struct xfer_open){ .handle = f.root,
		.name = "u",
		.flags = XFER_OPEN_READ | XFER_OPEN_WRITE,
		.create = XFER_UNCHECKED,
		.set = { .mask = XFER_SET_MODE | XFER_SET_SIZE, .mode = 0666, .size = 2 } };
	assert_int_equal(xfer_op_open(f.session, &user_cred, &open, &again), 0);
	assert_false(again.created);
	assert_int_equal(again.node.attr.mode, 0600);
	assert_int_equal(again.node.attr.size, 2);

	/* A new file may be written by who made it, whatever its mode. */
	assert_int_equal(open_as(&user_cred, "ro", XFER_OPEN_WRITE | XFER_OPEN_KEEP, XFER_GUARDED,
				 0444, &first),
		0);
	assert_int_equal(first.node.attr.mode, 0444);
	struct waited io = { .io = { .open_id = first.open_id } };
	assert_int_equal(
		run_io(&io, true, &user_cred, &first.node.handle, (void *)(uintptr_t) "abc", 3), 0);
	assert_int_equal(
		open_as(&user_cred, "ro", XFER_OPEN_WRITE, XFER_NO_CREATE, 0, &again), -EACCES);
	assert_int_equal(open_as(&user_cred, "ro", XFER_OPEN_WRITE | XFER_OPEN_OWNER_OVERRIDE,
				 XFER_NO_CREATE, 0, &again),
		0);
}

/* A creation whose attributes can't be set leaves nothing behind. */
static void test_failed_create_is_undone(void **state)
{
	struct xfer_open open = { .handle = f.root,
		.name = "given",
		.flags = XFER_OPEN_WRITE | XFER_OPEN_KEEP,
		.create = XFER_GUARDED,
		.set = { .mask = XFER_SET_UID, .uid = USER + 1 } };
	struct xfer_opened opened;
	struct xfer_opt_attr dir;
	struct xfer_node node;

	(void)state;
	assert_int_equal(xfer_op_open(f.session, &user_cred, &open, &opened), -EPERM);
	assert_int_equal(
		xfer_op_lookup(f.session, &root_cred, &f.root, "given", &node, &dir), -ENOENT);
	assert_int_equal(atomic_load(&f.service.opens.count), 0);
}

static void test_setattr(void **state)
{
	struct xfer_setattr set = { .mask = XFER_SET_MODE | XFER_SET_SIZE | XFER_SET_MTIME,
		.mode = 0604,
		.size = 100000,
		.mtime = { 1234567890, 42 } };
	struct xfer_attr attr;
	struct xfer_node node;

	(void)state;
	put_file("s", "text", USER, USER, 0444);
	node = find("s");
	assert_int_equal(xfer_op_setattr(f.session, &user_cred, &node.handle, 0, &set, &attr), 0);
	assert_int_equal(attr.mode, 0604);
	assert_int_equal(attr.size, 100000);
	assert_int_equal(attr.mtime.sec, 1234567890);
	assert_int_equal(attr.mtime.nsec, 42);
	assert_true(attr.change > node.attr.change);
	set = (struct xfer_setattr){ .mask = XFER_SET_UID, .uid = 0 };
	assert_int_equal(
		xfer_op_setattr(f.session, &user_cred, &node.handle, 0, &set, &attr), -EPERM);
	set = (struct xfer_setattr){ .mask = XFER_SET_MODE, .mode = 0777 };
	assert_int_equal(xfer_op_setattr(f.session, &(struct xfer_cred){ .uid = 1, .gid = 1 },
				 &node.handle, 0, &set, &attr),
		-EPERM);
	set = (struct xfer_setattr){ .mask = XFER_SET_SIZE, .size = 1 };
	assert_int_equal(xfer_op_setattr(f.session, &root_cred, &f.root, 0, &set, &attr), -EISDIR);
	/* Who may write it may set one of its times to now, and to nothing else. */
	put_file("shared", "text", 0, 0, 0666);
	node = find("shared");
	assert_int_equal(xfer_op_setattr(f.session, &user_cred, &node.handle, 0,
				 &(struct xfer_setattr){ .mask = XFER_SET_MTIME_NOW }, &attr),
		0);
	assert_true(attr.mtime.sec > 0 && attr.change > node.attr.change);
	assert_int_equal(xfer_op_setattr(f.session, &user_cred, &node.handle, 0,
				 &(struct xfer_setattr){ .mask = XFER_SET_MTIME }, &attr),
		-EPERM);
	put_file("closed", "text", 0, 0, 0644);
	node = find("closed");
	assert_int_equal(xfer_op_setattr(f.session, &user_cred, &node.handle, 0,
				 &(struct xfer_setattr){ .mask = XFER_SET_MTIME_NOW }, &attr),
		-EPERM);
}

/* --- listings ---------------------------------------------------------------------------------- */

#define ENTRIES 3000

struct seen {
	unsigned count;
	unsigned char names[ENTRIES];
	uint64_t cookie;
	unsigned stop_after;
};

static bool see(void *arg, const struct xfer_dirent *entry)
{
	struct seen *seen = arg;
	unsigned number;

	assert_int_equal(sscanf(entry->name, "entry-%u", &number), 1);
	assert_true(number < ENTRIES);
	assert_true(entry->cookie > 2);
	assert_int_equal(seen->names[number], 0);
	assert_int_equal(entry->node.attr.type, XFER_REG);
	assert_int_equal(entry->node.attr.size, number % 7);
	seen->names[number] = 1;
	seen->cookie = entry->cookie;
	return ++seen->count != seen->stop_after;
}

static void test_readdir(void **state)
{
	static const char text[] = "1234567";
	struct seen seen = { .stop_after = 7 };
	struct xfer_opt_attr dir;
	bool eof = false;
	char name[32];

	(void)state;
	for (unsigned i = 0; i < ENTRIES; i++) {
		snprintf(name, sizeof(name), "entry-%u", i);
		put_file(name, text + sizeof(text) - 1 - i % 7, 0, 0, 0644);
	}
	while (!eof) {
		unsigned before = seen.count;

		assert_int_equal(xfer_op_readdir(f.session, &user_cred, &f.root, seen.cookie, 4096,
					 see, &seen, &eof, &dir),
			0);
		assert_true(dir.valid);
		assert_true(eof || seen.count > before);
	}
	assert_int_equal(seen.count, ENTRIES);
	chmod(f.volume, 0711);
	assert_int_equal(
		xfer_op_readdir(f.session, &user_cred, &f.root, 0, 4096, see, &seen, &eof, &dir),
		-EACCES);
}

/* --- sessions ---------------------------------------------------------------------------------- */

static void test_opens_end_with_the_session(void **state)
{
	struct waited io = { .io = { .offset = 0 } };
	struct xfer_opened opened;
	char data[8];

	(void)state;
	put_file("o", "text", USER, USER, 0600);
	for (int i = 0; i < 100; i++)
		assert_int_equal(open_as(&user_cred, "o", XFER_OPEN_READ | XFER_OPEN_KEEP,
					 XFER_NO_CREATE, 0, &opened),
			0);
	assert_int_equal(atomic_load(&f.service.opens.count), 100);
	xfer_op_close(f.session, &opened.node.handle, opened.open_id);
	/* A closed or foreign id leads to the file by its handle. */
	io.io.open_id = opened.open_id;
	assert_int_equal(run_io(&io, false, &user_cred, &opened.node.handle, data, 8), 0);
	assert_int_equal(io.io.count, 4);
	xfer_session_close(f.session);
	for (int i = 0; i < 1000 && atomic_load(&f.service.opens.count) > 0; i++)
		usleep(5000);
	assert_int_equal(atomic_load(&f.service.opens.count), 0);
	f.session = open_session();
}

static void test_too_many_opens(void **state)
{
	struct xfer_opened opened;
	struct xfer_opt_attr dir;
	struct xfer_node node;

	(void)state;
	f.service.opens.max = 2;
	assert_int_equal(open_as(&user_cred, "1", XFER_OPEN_READ | XFER_OPEN_KEEP, XFER_GUARDED,
				 0600, &opened),
		0);
	assert_int_equal(open_as(&user_cred, "2", XFER_OPEN_READ | XFER_OPEN_KEEP, XFER_GUARDED,
				 0600, &opened),
		0);
	assert_int_equal(open_as(&user_cred, "3", XFER_OPEN_READ | XFER_OPEN_KEEP, XFER_GUARDED,
				 0600, &opened),
		-EAGAIN);
	assert_int_equal(/* DELAY: nothing was done */
		xfer_op_lookup(f.session, &root_cred, &f.root, "3", &node, &dir), -ENOENT);
}

static uint32_t admitted(const char *node, const char *owner, bool local, uid_t uid,
	const char *address, char *reason)
{
	struct xfer_hello_args hello = { 0 };
	struct xfer_conn_identity identity = { .local = local, .uid = uid, .text = "somebody" };
	struct sockaddr_in *in = (struct sockaddr_in *)&identity.address;

	in->sin_family = AF_INET;
	if (address)
		assert_int_equal(inet_pton(AF_INET, address, &in->sin_addr), 1);
	strcpy(hello.node, node);
	strcpy(hello.owner, owner);
	reason[0] = '\0';
	return f.service.ops.admit(&f.service, &hello, &identity, reason, 256);
}

static void test_admission(void **state)
{
	char reason[256];

	(void)state;
	assert_int_equal(admitted("a", "b", true, 0, NULL, reason), XFER_ST_OK);
	assert_int_equal(admitted("a", "b", true, 7, NULL, reason), XFER_ST_NOT_ALLOWED);
	assert_non_null(strstr(reason, "uids"));
	assert_int_equal(admitted("a", "b", false, 0, "10.9.8.7", reason), XFER_ST_NOT_ALLOWED);
	assert_non_null(strstr(reason, "address"));
	assert_int_equal(admitted("t", "b", false, 0, "10.9.8.7", reason), XFER_ST_OK);
	assert_int_equal(admitted("t", "b", false, 0, "10.9.8.6", reason), XFER_ST_NOT_ALLOWED);
	assert_int_equal(admitted("t", "b", true, 0, NULL, reason), XFER_ST_NOT_ALLOWED);
	assert_int_equal(admitted("z", "b", true, 0, NULL, reason), XFER_ST_NOT_ALLOWED);
	assert_non_null(strstr(reason, "nodes"));
	assert_int_equal(admitted("a", "c", true, 0, NULL, reason), XFER_ST_WRONG_NODE);
	assert_non_null(strstr(reason, "this is owner b"));
}

static void test_status_and_statfs(void **state)
{
	struct xfer_statfs statfs;
	char address[128], *text;
	json_t *status;

	(void)state;
	assert_int_equal(xfer_op_statfs(f.session, &user_cred, &f.root, &statfs), 0);
	assert_true(statfs.total_bytes >= statfs.free_bytes &&
		    statfs.free_bytes >= statfs.avail_bytes && statfs.total_bytes > 0);
	snprintf(address, sizeof(address), "unix:%s/l", f.dir);
	assert_int_equal(xfer_status(address, 5000, &text), 0);
	status = json_loads(text, 0, NULL);
	assert_non_null(status);
	assert_string_equal(json_string_value(json_object_get(status, "role")), "owner");
	assert_int_equal(json_array_size(json_object_get(status, "volumes")), 2);
	json_decref(status);
	free(text);
}

/* --- everything at once ------------------------------------------------------------------------ */

static void *trouble(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;
	struct xfer_cred cred = { .uid = USER + seed % 3, .gid = USER };
	char name[16], data[4096];

	for (int i = 0; i < 300; i++) {
		struct xfer_opened opened;
		struct xfer_opt_attr dir, object;
		struct xfer_renamed renamed;
		struct waited io = { .io = { .owner_override = rand_r(&seed) % 2 } };

		snprintf(name, sizeof(name), "t%u", rand_r(&seed) % 8);
		if (open_as(&cred, name, XFER_OPEN_READ | XFER_OPEN_WRITE | XFER_OPEN_KEEP,
			    XFER_UNCHECKED, 0644, &opened) == 0) {
			io.io.open_id = rand_r(&seed) % 2 ? opened.open_id : 0;
			run_io(&io, true, &cred, &opened.node.handle, data, sizeof(data));
			run_io(&io, false, &cred, &opened.node.handle, data, sizeof(data));
			xfer_op_close(f.session, &opened.node.handle, opened.open_id);
		}
		if (rand_r(&seed) % 4 == 0)
			xfer_op_unlink(f.session, &cred, &f.root, name, &dir, &object);
		if (rand_r(&seed) % 4 == 0)
			xfer_op_rename(f.session, &cred, &f.root, name, &f.root, "t0", &renamed);
	}
	return NULL;
}

static void test_trouble(void **state)
{
	pthread_t threads[6];
	struct xfer_attr attr;

	(void)state;
	for (uintptr_t i = 0; i < 6; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, trouble, (void *)(i + 1)), 0);
	for (int i = 0; i < 6; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(xfer_op_getattr(f.session, &root_cred, &f.root, &attr), 0);
	/* CLOSE isn't waited for. */
	for (int i = 0; i < 1000 && atomic_load(&f.service.opens.count) > 0; i++)
		usleep(5000);
	assert_int_equal(atomic_load(&f.service.opens.count), 0);
	usleep(2500 * 1000);
	assert_int_equal(filecache_count(f.service.cache), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_data_comes_back),
		FIXTURE_TEST(test_change_grows),
		FIXTURE_TEST(test_anonymous_io_asks_for_permission),
		FIXTURE_TEST(test_owner_override),
		FIXTURE_TEST(test_write_takes_set_id_bits),
		FIXTURE_TEST(test_directories_ask_for_permission),
		FIXTURE_TEST(test_names),
		FIXTURE_TEST(test_wrong_handles),
		FIXTURE_TEST(test_unlink_and_rename),
		FIXTURE_TEST(test_create_modes),
		FIXTURE_TEST(test_failed_create_is_undone),
		FIXTURE_TEST(test_setattr),
		FIXTURE_TEST(test_readdir),
		FIXTURE_TEST(test_opens_end_with_the_session),
		FIXTURE_TEST(test_too_many_opens),
		FIXTURE_TEST(test_admission),
		FIXTURE_TEST(test_status_and_statfs),
		FIXTURE_TEST(test_trouble),
	};

	if (!fixture_possible())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
