/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* owner_faults.c -- procedures on a file system that fails: every store call in turn */

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "counters.h"
#include "owner/caps.h"
#include "owner/creds.h"
#include "owner/service.h"
#include "support/process.h"

#define USER 4711

static struct fixture {
	char dir[64];
	char state_dir[128];
	struct config_volume volume;
	struct service service;
	struct peer_state peer;
	struct xfer_handle root;
} f;

/* --- a store that fails ------------------------------------------------------------------------ */

static int countdown, fault; /* the countdown-th call from now fails with `fault` */
static int failed;           /* how many have */
static bool short_nowait;

static bool fails(void)
{
	if (countdown == 0 || --countdown > 0)
		return false;
	failed++;
	return true;
}

#define FAILING(name, params, ...)                                                                 \
	static int failing_##name params                                                           \
	{                                                                                          \
		return fails() ? fault : store_posix.name(__VA_ARGS__);                            \
	}

FAILING(handle_of, (int fd, union kernel_handle *handle, int *mount_id), fd, handle, mount_id)
FAILING(open_handle, (int mount_fd, union kernel_handle *handle), mount_fd, handle)
FAILING(open_at, (int dir, const char *name, int flags, mode_t mode), dir, name, flags, mode)
FAILING(reopen, (int fd, int flags), fd, flags)
FAILING(stat, (int fd, struct statx *stx), fd, stx)
FAILING(statfs, (int fd, struct statfs *statfs), fd, statfs)
FAILING(access, (int fd, int mode), fd, mode)
FAILING(chmod, (int fd, mode_t mode), fd, mode)
FAILING(chown, (int fd, uid_t uid, gid_t gid), fd, uid, gid)
FAILING(utimes, (int fd, const struct timespec times[2]), fd, times)
FAILING(truncate, (int fd, uint64_t size), fd, size)
FAILING(mkdir_at, (int dir, const char *name, mode_t mode), dir, name, mode)
FAILING(symlink_at, (const char *target, int dir, const char *name), target, dir, name)
FAILING(mknod_at, (int dir, const char *name, mode_t mode, dev_t dev), dir, name, mode, dev)
FAILING(link_at, (int fd, int dir, const char *name), fd, dir, name)
FAILING(allocate, (int fd, int mode, int64_t offset, int64_t length), fd, mode, offset, length)
FAILING(lock, (int fd, int command, struct flock *lock), fd, command, lock)
FAILING(set_xattr, (int fd, const char *name, const void *value, size_t length, int flags), fd,
	name, value, length, flags)
FAILING(remove_xattr, (int fd, const char *name), fd, name)
FAILING(rename_at, (int from, const char *from_name, int to, const char *to_name), from, from_name,
	to, to_name)
FAILING(seek_dir, (int fd, uint64_t offset), fd, offset)
FAILING(sync, (int fd), fd)

/* Cleaning up after a fault isn't disturbed, or the test could not tell what is left over. */
static int failing_unlink_at(int dir, const char *name, int flags)
{
	return failed == 0 && fails() ? fault : store_posix.unlink_at(dir, name, flags);
}

#define FAILING_SIZE(type, name, params, ...)                                                      \
	static type failing_##name params                                                          \
	{                                                                                          \
		return fails() ? fault : store_posix.name(__VA_ARGS__);                            \
	}

FAILING_SIZE(ssize_t, readlink, (int fd, char *target, size_t length), fd, target, length)
FAILING_SIZE(int64_t, seek, (int fd, int64_t offset, int whence), fd, offset, whence)
FAILING_SIZE(ssize_t, get_xattr, (int fd, const char *name, void *value, size_t length), fd, name,
	value, length)
FAILING_SIZE(ssize_t, list_xattr, (int fd, char *names, size_t length), fd, names, length)

static ssize_t failing_list(int fd, void *buffer, size_t length)
{
	return fails() ? fault : store_posix.list(fd, buffer, length);
}

static ssize_t failing_read(int fd, void *buffer, size_t length, uint64_t offset, int flags)
{
	if (fails())
		return fault;
	if (short_nowait && flags & RWF_NOWAIT && length > 3)
		length = 3; /* the rest isn't in memory */
	return store_posix.read(fd, buffer, length, offset, flags);
}

static ssize_t failing_write(
	int fd, const struct iovec *iov, int iovcnt, uint64_t offset, int flags)
{
	struct iovec first = { iov[0].iov_base, iov[0].iov_len > 5 ? 5 : iov[0].iov_len };

	(void)iovcnt;
	return fails() ? fault : store_posix.write(fd, &first, 1, offset, flags); /* in bits */
}

static struct store_ops failing;

/* --- the fixture ------------------------------------------------------------------------------- */

static int setup(void **state)
{
	struct config *config = calloc(1, sizeof(*config));

	(void)state;
	assert_non_null(config);
	memset(&f, 0, sizeof(f));
	umask(0);
	strcpy(f.dir, "/tmp/xfer-faults-XXXXXX");
	assert_non_null(mkdtemp(f.dir));
	assert_int_equal(chmod(f.dir, 0755), 0);
	f.volume = (struct config_volume){ .name = "v", .id = 99, .workers = 1 };
	snprintf(f.volume.path, sizeof(f.volume.path), "%s/v", f.dir);
	assert_int_equal(mkdir(f.volume.path, 0777), 0);
	*config = (struct config){ .workers = 1, .nvolumes = 1 };
	config->volumes = malloc(sizeof(f.volume));
	assert_non_null(config->volumes);
	config->volumes[0] = f.volume;
	snprintf(config->state_dir, sizeof(config->state_dir), "%s/s", f.dir);
	snprintf(f.state_dir, sizeof(f.state_dir), "%s/s", f.dir);
	assert_int_equal(mkdir(f.state_dir, 0700), 0);
	countdown = failed = 0;
	short_nowait = false;
	assert_int_equal(store_posix_prepare(), 0);
	assert_int_equal(service_open_volumes(&f.service, config, &failing, 0), 0);
	assert_int_equal(service_start(&f.service), 0);
	opens_init(&f.peer.opens, &f.service.opens);
	f.peer.holder.listening = true; /* so that it gets promises */
	xfer_handle_root(99, &f.root);
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static int teardown(void **state)
{
	(void)state;
	countdown = 0;
	creds_daemon();
	opens_fini(&f.peer.opens);
	service_stop(&f.service);
	return nftw(f.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static struct volume *volume(void)
{
	return f.service.setup->volumes[0].volume;
}

/* One operation as USER, on this thread. */
struct call {
	struct xfer_request request;
	struct op op;
};

static struct call *call_new(void)
{
	struct call *call = calloc(1, sizeof(*call));

	assert_non_null(call);
	call->op = (struct op){ .service = &f.service,
		.volume = volume(),
		.config = f.service.setup->volumes[0].config,
		.peer = &f.peer,
		.request = &call->request,
		.cred = { .uid = USER, .gid = USER } };
	return call;
}

static void call_free(struct call *call, bool entries)
{
	if (call->request.release)
		call->request.release(call->request.release_arg, call->request.answer);
	if (entries)
		free(call->request.results.readdir.entries);
	free(call);
}

static void make(const char *name, const char *text, mode_t mode)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%.99s/%s", f.volume.path, name);
	fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchown(fd, USER, USER), 0);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static bool exists(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%.99s/%s", f.volume.path, name);
	return access(path, F_OK) == 0;
}

static struct xfer_handle find(const char *name)
{
	struct call *call = call_new();
	struct xfer_handle handle;

	call->request.args.name.dir = f.root;
	strcpy(call->request.args.name.name, name);
	assert_int_equal(service_lookup(&call->op), 0);
	handle = call->request.results.node.node.handle;
	call_free(call, false);
	return handle;
}

/* Waits until nothing is cached, so that each round begins alike. */
static void empty_cache(void)
{
	struct xfer_handle handle;

	creds_daemon();
	countdown = 0;
	if (!exists("file"))
		make("file", "0123456789", 0644);
	handle = find("file");
	filecache_forget(f.service.cache, &handle);
	assert_int_equal(filecache_count(f.service.cache), 0);
}

/* --- every call fails once --------------------------------------------------------------------- */

struct step {
	const char *name;
	service_fn procedure;
	void (*fill)(union xfer_args *args);
	const char *leaves; /* what must not be there after an error; NULL: nothing */
};

static void fill_lookup(union xfer_args *args)
{
	args->name.dir = f.root;
	strcpy(args->name.name, "file");
}

static void fill_getattr(union xfer_args *args)
{
	args->handle.handle = find("file");
}

static void fill_setattr(union xfer_args *args)
{
	args->setattr.handle = find("file");
	args->setattr.set = (struct xfer_setattr){ .mask = XFER_SET_SIZE | XFER_SET_MODE |
							   XFER_SET_GID | XFER_SET_MTIME_NOW,
		.mode = 0644,
		.gid = USER,
		.size = 10 };
}

static void fill_readdir(union xfer_args *args)
{
	args->readdir.dir = f.root;
	args->readdir.max_bytes = 4096;
}

static void fill_create(union xfer_args *args)
{
	args->open.handle = f.root;
	strcpy(args->open.name, "made");
	args->open.flags = XFER_OPEN_READ | XFER_OPEN_WRITE | XFER_OPEN_KEEP;
	args->open.create = XFER_EXCLUSIVE;
	args->open.set = (struct xfer_setattr){
		.mask = XFER_SET_MODE | XFER_SET_SIZE, .mode = 01644, .size = 4
	};
}

static void fill_open(union xfer_args *args)
{
	args->open.handle = find("file");
	args->open.flags = XFER_OPEN_READ | XFER_OPEN_WRITE | XFER_OPEN_TRUNC | XFER_OPEN_KEEP;
}

static void fill_mkdir(union xfer_args *args)
{
	args->create.dir = f.root;
	strcpy(args->create.name, "dir");
	args->create.type = XFER_DIR;
	args->create.set = (struct xfer_setattr){ .mask = XFER_SET_MODE, .mode = 01755 };
}

static void fill_symlink(union xfer_args *args)
{
	args->create.dir = f.root;
	strcpy(args->create.name, "made");
	args->create.type = XFER_LNK;
	args->create.set = (struct xfer_setattr){ .mask = XFER_SET_MTIME_NOW };
}

static void fill_mkfifo(union xfer_args *args)
{
	fill_symlink(args);
	args->create.type = XFER_FIFO;
}

static void fill_link(union xfer_args *args)
{
	args->link.handle = find("file");
	args->link.dir = f.root;
	strcpy(args->link.name, "made");
}

static void fill_readlink(union xfer_args *args)
{
	char path[256];

	snprintf(path, sizeof(path), "%.99s/made", f.volume.path);
	assert_int_equal(symlink("target", path), 0);
	args->handle.handle = find("made");
}

static void fill_lock(union xfer_args *args)
{
	args->lock.handle = find("file");
	args->lock.op = XFER_LOCK_TEST;
}

static void fill_seek(union xfer_args *args)
{
	make("file", "0123456789", 0644);
	args->seek.handle = find("file");
}

static void fill_allocate(union xfer_args *args)
{
	args->allocate.handle = find("file");
	args->allocate.length = 10;
}

static void fill_setxattr(union xfer_args *args)
{
	args->setxattr.handle = find("file");
	strcpy(args->setxattr.name, "user.x");
}

static void fill_xattr(union xfer_args *args)
{
	char path[256];

	snprintf(path, sizeof(path), "%.99s/file", f.volume.path);
	assert_int_equal(setxattr(path, "user.x", "y", 1, 0), 0);
	args->xattr.handle = find("file");
	strcpy(args->xattr.name, "user.x");
}

static void fill_listxattr(union xfer_args *args)
{
	args->handle.handle = find("file");
}

static void fill_unlink(union xfer_args *args)
{
	fill_lookup(args);
}

static void fill_rename(union xfer_args *args)
{
	args->rename.from_dir = args->rename.to_dir = f.root;
	strcpy(args->rename.from_name, "file");
	strcpy(args->rename.to_name, "file2");
}

static void fill_read(union xfer_args *args)
{
	args->read.handle = find("file");
	args->read.count = 100;
	args->read.payload.kind = XFER_PAYLOAD_INLINE;
}

static void fill_write(union xfer_args *args)
{
	args->write.handle = find("file");
	args->write.stability = XFER_FILE_SYNC;
}

static void fill_commit(union xfer_args *args)
{
	args->commit.handle = find("file");
}

static void fill_statfs(union xfer_args *args)
{
	args->handle.handle = f.root;
}

/* 0 when the procedure worked although a call was to fail: then there was no such call. */
static int run_step(const struct step *step, int nth)
{
	static char payload[] = "payload!";
	struct call *call = call_new();
	int err;

	step->fill(&call->request.args);
	call->request.payload[0] = (struct iovec){ payload, 8 };
	call->request.payload_count = 1;
	call->request.payload_length = 8;
	failed = 0;
	countdown = nth;
	err = step->procedure(&call->op);
	countdown = 0;
	if (step->procedure == service_open && err == 0)
		file_put(opens_take(&f.peer.opens, call->request.results.open.open_id));
	if (err) {
		assert_int_equal(
			call->request.results.open.open_id * (step->procedure == service_open), 0);
		assert_int_equal(call->request.results.read.payload.length *
					 (step->procedure == service_read),
			0);
	}
	creds_daemon();
	if (err && step->leaves && exists(step->leaves))
		fail_msg("%s leaves something behind when call %d fails", step->name, nth);
	call_free(call, step->procedure == service_readdir);
	return failed ? 1 : err;
}

static void test_each_call_fails_once(void **state)
{
	static const struct step steps[] = {
		{ "lookup", service_lookup, fill_lookup, NULL },
		{ "getattr", service_getattr, fill_getattr, NULL },
		{ "setattr", service_setattr, fill_setattr, NULL },
		{ "readdir", service_readdir, fill_readdir, NULL },
		{ "create", service_open, fill_create, "made" },
		{ "open", service_open, fill_open, NULL },
		{ "mkdir", service_create, fill_mkdir, "dir" },
		{ "symlink", service_create, fill_symlink, "made" },
		{ "mkfifo", service_create, fill_mkfifo, "made" },
		{ "link", service_link, fill_link, NULL },
		{ "readlink", service_readlink, fill_readlink, NULL },
		{ "lock", service_lock, fill_lock, NULL },
		{ "seek", service_seek, fill_seek, NULL },
		{ "allocate", service_allocate, fill_allocate, NULL },
		{ "getxattr", service_getxattr, fill_xattr, NULL },
		{ "setxattr", service_setxattr, fill_setxattr, NULL },
		{ "listxattr", service_listxattr, fill_listxattr, NULL },
		{ "removexattr", service_removexattr, fill_xattr, NULL },
		{ "unlink", service_unlink, fill_unlink, NULL },
		{ "rename", service_rename, fill_rename, NULL },
		{ "read", service_read, fill_read, NULL },
		{ "write", service_write, fill_write, NULL },
		{ "commit", service_commit, fill_commit, NULL },
		{ "statfs", service_statfs, fill_statfs, NULL },
	};
	char path[256];

	(void)state;
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		int nth = 1, more = 1;

		for (; more; nth++) {
			unsigned before;

			creds_daemon();
			snprintf(path, sizeof(path), "%.99s/made", f.volume.path);
			unlink(path);
			snprintf(path, sizeof(path), "%.99s/dir", f.volume.path);
			rmdir(path);
			snprintf(path, sizeof(path), "%.99s/file2", f.volume.path);
			unlink(path);
			empty_cache();
			before = process_descriptors();
			fault = -EIO;
			more = run_step(&steps[i], nth);
			if (more != 0 && more != 1)
				fail_msg("%s ends with %d without a fault", steps[i].name, more);
			empty_cache();
			if (process_descriptors() != before)
				fail_msg("%s leaks a descriptor when call %d fails", steps[i].name,
					nth);
			assert_int_equal(atomic_load(&f.service.opens.count), 0);
			assert_true(nth < 100);
		}
		assert_true(nth > 2); /* the store was used at all */
	}
}

/* --- particular faults ------------------------------------------------------------------------- */

static void test_read_goes_on_where_memory_ends(void **state)
{
	struct call *call = call_new();
	struct xfer_read_res *res = &call->request.results.read;

	(void)state;
	empty_cache();
	fill_read(&call->request.args);
	assert_false(service_read_now(&call->op)); /* nothing at hand */
	assert_int_equal(service_read(&call->op), 0);
	assert_int_equal(res->payload.length, 10);
	call_free(call, false);

	call = call_new();
	res = &call->request.results.read;
	fill_read(&call->request.args);
	if (!service_read_now(&call->op) && volume()->no_nowait_read) {
		call_free(call, false);
		skip(); /* a file system without RWF_NOWAIT */
	}
	assert_int_equal(res->payload.length, 10);
	assert_true(res->eof);
	assert_memory_equal(call->request.answer, "0123456789", 10);
	call_free(call, false);

	call = call_new();
	res = &call->request.results.read;
	fill_read(&call->request.args);
	short_nowait = true;
	assert_false(service_read_now(&call->op));
	assert_int_equal(service_read(&call->op), 0);
	assert_int_equal(res->payload.length, 10);
	assert_memory_equal(call->request.answer, "0123456789", 10);
	call_free(call, false);
}

/* A READ that the lane began must not be answered from it once the permission has gone. */
static void test_permission_goes_between(void **state)
{
	struct call *call = call_new();

	(void)state;
	empty_cache();
	fill_read(&call->request.args);
	assert_int_equal(service_read(&call->op), 0);
	call_free(call, false);
	call = call_new();
	fill_read(&call->request.args);
	creds_daemon();
	make("file", "0123456789", 0);
	assert_false(service_read_now(&call->op));
	assert_int_equal(service_read(&call->op), -EACCES);
	assert_int_equal(call->request.results.read.payload.length, 0);
	assert_int_equal(call->request.results.read.payload.kind, XFER_PAYLOAD_NONE);
	call_free(call, false);
}

static void fill_text(struct call *call, char *text)
{
	fill_write(&call->request.args);
	call->request.payload[0] = (struct iovec){ text, strlen(text) };
	call->request.payload_count = 1;
	call->request.payload_length = (uint32_t)strlen(text);
}

/* Where no disk has to be waited for the lane writes, as far as it gets; but not without permission. */
static void test_write_by_the_lane(void **state)
{
	static char text[] = "abcdefghijklm";
	struct call *call = call_new();
	struct xfer_write_res *res;

	(void)state;
	empty_cache();
	volume()->in_memory = true;
	fill_text(call, text);
	assert_false(service_write_now(&call->op)); /* nothing at hand */
	assert_int_equal(service_write(&call->op), 0);
	call_free(call, false);

	call = call_new();
	res = &call->request.results.write;
	fill_text(call, text);
	assert_true(service_write_now(&call->op));
	assert_int_equal(res->count, 5); /* as much as the store takes at a time */
	assert_int_equal(res->committed, XFER_FILE_SYNC);
	assert_true(res->attr.valid);
	call_free(call, false);

	call = call_new();
	fill_text(call, text);
	volume()->in_memory = false;
	assert_false(service_write_now(&call->op)); /* a stable write waits for the disk */
	volume()->in_memory = true;
	creds_daemon();
	make("file", "0123456789", 0);
	assert_false(service_write_now(&call->op));
	assert_int_equal(service_write(&call->op), -EACCES);
	assert_int_equal(call->request.results.write.count, 0);
	call_free(call, false);
}

static void test_write_in_bits(void **state)
{
	static char first[] = "abcdefghijklm", second[] = "nopqrstuvwxyz", path[256], back[32];
	struct call *call = call_new();
	int fd;

	(void)state;
	empty_cache();
	fill_write(&call->request.args);
	call->request.args.write.offset = 2;
	call->request.payload[0] = (struct iovec){ first, 13 };
	call->request.payload[1] = (struct iovec){ second, 13 };
	call->request.payload_count = 2;
	call->request.payload_length = 26;
	assert_int_equal(service_write(&call->op), 0);
	assert_int_equal(call->request.results.write.count, 26);
	assert_int_equal(call->request.results.write.committed, XFER_FILE_SYNC);
	assert_int_equal(call->request.results.write.attr.attr.size, 28);
	call_free(call, false);
	creds_daemon();
	snprintf(path, sizeof(path), "%.99s/file", f.volume.path);
	fd = open(path, O_RDONLY);
	assert_int_equal(read(fd, back, sizeof(back)), 28);
	assert_memory_equal(back, "01abcdefghijklmnopqrstuvwxyz", 28);
	close(fd);
}

static int sync_fails(int fd)
{
	(void)fd;
	return -EIO;
}

static ssize_t write_fails(int fd, const struct iovec *iov, int iovcnt, uint64_t offset, int flags)
{
	(void)fd;
	(void)iov;
	(void)iovcnt;
	(void)offset;
	(void)flags;
	return -EIO;
}

/* The verifier is another one, also for the process that comes after this one. */
static void check_lost(uint8_t verifier[8])
{
	uint8_t before[8];
	struct verifier next;

	memcpy(before, verifier, 8);
	verifier_get(&f.service.verifier, verifier);
	assert_memory_not_equal(before, verifier, 8);
	creds_daemon();
	assert_int_equal(verifier_init(&next, f.state_dir), 0);
	assert_memory_equal(next.bytes, verifier, 8);
	verifier_fini(&next);
}

static void test_lost_data_changes_the_verifier(void **state)
{
	struct call *call = call_new();
	uint8_t verifier[8];

	(void)state;
	empty_cache();
	verifier_get(&f.service.verifier, verifier);
	fill_commit(&call->request.args);
	assert_int_equal(service_commit(&call->op), 0);
	assert_memory_equal(call->request.results.commit.verifier, verifier, 8);
	failing.sync = sync_fails;
	assert_int_equal(service_commit(&call->op), -EIO);
	failing.sync = failing_sync;
	check_lost(verifier);
	call_free(call, false);

	call = call_new();
	fill_write(&call->request.args);
	call->request.payload_length = 1;
	call->request.payload_count = 1;
	failing.write = write_fails;
	assert_int_equal(service_write(&call->op), -EIO);
	failing.write = failing_write;
	check_lost(verifier);
	call_free(call, false);
}

/* Out of descriptors nothing was done, so the caller may ask again. */
static void test_out_of_descriptors(void **state)
{
	struct call *call = call_new();

	(void)state;
	empty_cache();
	fill_lookup(&call->request.args);
	fault = -EMFILE;
	countdown = 2; /* the directory's attributes come first */
	assert_int_equal(service_lookup(&call->op), -EAGAIN);
	call_free(call, false);
}

static void test_bad_ranges(void **state)
{
	struct call *call = call_new();

	(void)state;
	empty_cache();
	fill_read(&call->request.args);
	call->request.args.read.offset = INT64_MAX - 10;
	assert_int_equal(service_read(&call->op), -EINVAL);
	assert_false(service_read_now(&call->op));
	call->request.args.read.offset = 0;
	call->request.args.read.count = XFER_IO_MAX + 1;
	assert_int_equal(service_read(&call->op), -EINVAL);
	call->request.args.read.count = 1;
	call->request.args.read.payload.kind = XFER_PAYLOAD_NONE;
	assert_int_equal(service_read(&call->op), -EINVAL);
	call->request.args.readdir.dir = f.root;
	call->request.args.readdir.max_bytes = UINT32_MAX;
	assert_int_equal(service_readdir(&call->op), -EINVAL);
	fill_write(&call->request.args);
	call->request.payload_length = 8;
	call->request.args.write.offset = UINT64_MAX;
	assert_int_equal(service_write(&call->op), -EFBIG);
	call_free(call, false);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_each_call_fails_once),
		TEST(test_read_goes_on_where_memory_ends),
		TEST(test_permission_goes_between),
		TEST(test_write_by_the_lane),
		TEST(test_write_in_bits),
		TEST(test_lost_data_changes_the_verifier),
		TEST(test_out_of_descriptors),
		TEST(test_bad_ranges),
	};
	char message[512];

	if (caps_check(message, sizeof(message))) {
		printf("skipped: %s\n", message);
		return 77;
	}
	failing = store_posix;
	failing.handle_of = failing_handle_of;
	failing.open_handle = failing_open_handle;
	failing.open_at = failing_open_at;
	failing.reopen = failing_reopen;
	failing.stat = failing_stat;
	failing.statfs = failing_statfs;
	failing.access = failing_access;
	failing.chmod = failing_chmod;
	failing.chown = failing_chown;
	failing.utimes = failing_utimes;
	failing.truncate = failing_truncate;
	failing.mkdir_at = failing_mkdir_at;
	failing.symlink_at = failing_symlink_at;
	failing.mknod_at = failing_mknod_at;
	failing.link_at = failing_link_at;
	failing.readlink = failing_readlink;
	failing.seek = failing_seek;
	failing.allocate = failing_allocate;
	failing.lock = failing_lock;
	failing.get_xattr = failing_get_xattr;
	failing.set_xattr = failing_set_xattr;
	failing.remove_xattr = failing_remove_xattr;
	failing.list_xattr = failing_list_xattr;
	failing.unlink_at = failing_unlink_at;
	failing.rename_at = failing_rename_at;
	failing.seek_dir = failing_seek_dir;
	failing.list = failing_list;
	failing.read = failing_read;
	failing.write = failing_write;
	failing.sync = failing_sync;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
