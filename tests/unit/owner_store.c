/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* owner_store.c -- the POSIX store: what its calls promise, on disk and in memory */

#include <dirent.h>
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
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "owner/caps.h"
#include "owner/creds.h"
#include "owner/store.h"

#define USER 4711

static const char *const bases[] = { "/tmp", "/dev/shm" };
static char dir[64];
static int root;

static int begin(const char *base)
{
	umask(0);
	snprintf(dir, sizeof(dir), "%s/xfer-store-XXXXXX", base);
	if (!mkdtemp(dir) || chmod(dir, 0777))
		return -1;
	root = open(dir, O_RDONLY | O_DIRECTORY);
	return root < 0 ? -1 : 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static void end(void)
{
	close(root);
	assert_int_equal(nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* Each body runs on every base, in a process of its own because of the credentials. */
static void on_each(int (*body)(void))
{
	for (size_t i = 0; i < 2; i++) {
		int status;
		pid_t pid;

		if (access(bases[i], W_OK)) {
			print_message("%s isn't there: left out\n", bases[i]);
			continue;
		}
		assert_int_equal(begin(bases[i]), 0);
		pid = fork();
		if (pid == 0)
			_exit(store_posix_prepare() ? 2 : body());
		assert_int_equal(waitpid(pid, &status, 0), pid);
		end();
		if (!WIFEXITED(status) || WEXITSTATUS(status))
			fail_msg("status %d on %s", WIFEXITED(status) ? WEXITSTATUS(status) : -1,
				bases[i]);
	}
}

#define CHECK(expression)                                                                          \
	do {                                                                                       \
		if (!(expression)) {                                                               \
			fprintf(stderr, "line %d: %s\n", __LINE__, #expression);                   \
			return 1;                                                                  \
		}                                                                                  \
	} while (0)

static int handles(void)
{
	const struct store_ops *s = &store_posix;
	union kernel_handle handle;
	struct statx made, found;
	int fd, again, mount_id, root_mount;

	fd = s->open_at(root, "f", O_CREAT | O_EXCL | O_RDWR, 0640);
	CHECK(fd >= 0);
	CHECK(s->handle_of(fd, &handle, &mount_id) == 0);
	CHECK(s->stat(fd, &made) == 0 && (made.stx_mode & 07777) == 0640);
	CHECK((int)made.stx_mnt_id == mount_id);
	again = s->open_handle(root, &handle);
	CHECK(again >= 0);
	CHECK(fcntl(again, F_GETFD) & FD_CLOEXEC);
	CHECK(s->stat(again, &found) == 0 && found.stx_ino == made.stx_ino);
	CHECK(s->handle_of(root, &handle, &root_mount) == 0 && root_mount == mount_id);
	CHECK(s->handle_of(again, &handle, &mount_id) == 0);
	CHECK(s->unlink_at(root, "f", 0) == 0);
	CHECK(s->close(fd) == 0 && s->close(again) == 0);
	CHECK(s->open_handle(root, &handle) == -ESTALE);
	return 0;
}

static void test_handles(void **state)
{
	(void)state;
	on_each(handles);
}

/* Without any right to the daemon's own things, as a caller, and with a process that can't be dumped. */
static int as_caller(void)
{
	static const struct xfer_cred user = { .uid = USER, .gid = USER };
	const struct store_ops *s = &store_posix;
	struct statx stx;
	int fd, path;

	prctl(PR_SET_DUMPABLE, 0);
	CHECK(s->open_at(root, "mine", O_CREAT | O_EXCL | O_RDWR, 0600) >= 0);
	CHECK(creds_assume(&user) == 0);
	CHECK(s->open_at(root, "mine", O_RDONLY, 0) == -EACCES);
	fd = s->open_at(root, "theirs", O_CREAT | O_EXCL | O_RDWR, 0600);
	CHECK(fd >= 0);
	CHECK(s->stat(fd, &stx) == 0 && stx.stx_uid == USER && stx.stx_gid == USER);
	path = s->open_at(root, "theirs", O_PATH, 0);
	CHECK(path >= 0);
	CHECK(s->access(path, R_OK | W_OK) == 0 && s->access(path, X_OK) == -EACCES);
	CHECK(s->chmod(path, 0444) == 0);
	CHECK(s->access(path, W_OK) == -EACCES);
	CHECK(s->reopen(path, O_RDWR) == -EACCES && s->reopen(path, O_RDONLY) >= 0);
	CHECK(s->truncate(fd, 5) == 0);
	CHECK(s->chown(path, USER, 1) == -EPERM && s->chown(path, 1, USER) == -EPERM);
	CHECK(s->utimes(path, (struct timespec[2]){ { .tv_sec = 5 }, { .tv_sec = 7 } }) == 0);
	CHECK(s->stat(path, &stx) == 0 && stx.stx_size == 5 && stx.stx_mtime.tv_sec == 7);
	s->close(path);
	path = s->open_at(root, "mine", O_PATH, 0);
	CHECK(path >= 0);
	CHECK(s->access(path, R_OK) == -EACCES && s->chmod(path, 0666) == -EPERM);
	CHECK(s->reopen(path, O_RDONLY) == -EACCES);
	creds_daemon();
	CHECK(s->reopen(path, O_RDONLY) >= 0);
	return 0;
}

static void test_as_caller(void **state)
{
	(void)state;
	on_each(as_caller);
}

static int links(void)
{
	const struct store_ops *s = &store_posix;
	char path[128];
	struct statx stx;
	int fd;

	snprintf(path, sizeof(path), "%s/link", dir);
	CHECK(symlink("/etc/passwd", path) == 0);
	CHECK(s->open_at(root, "link", O_RDONLY, 0) == -ELOOP);
	CHECK(s->open_at(root, "link", O_CREAT | O_EXCL | O_RDWR, 0600) == -EEXIST);
	fd = s->open_at(root, "link", O_PATH, 0);
	CHECK(fd >= 0 && s->stat(fd, &stx) == 0 && S_ISLNK(stx.stx_mode));
	CHECK(s->chmod(fd, 0777) < 0); /* and not: that of the file it names */
	CHECK(s->chown(fd, USER, USER) == 0);
	CHECK(s->stat(fd, &stx) == 0 && stx.stx_uid == USER);
	CHECK(stat("/etc/passwd", &(struct stat){ 0 }) == 0);
	return 0;
}

static void test_links(void **state)
{
	(void)state;
	on_each(links);
}

static int data(void)
{
	const struct store_ops *s = &store_posix;
	struct iovec iov[2] = { { (void *)(uintptr_t) "abc", 3 },
		{ (void *)(uintptr_t) "defg", 4 } };
	char back[16];
	int fd = s->open_at(root, "d", O_CREAT | O_RDWR, 0600);

	CHECK(s->write(fd, iov, 2, 10, RWF_DSYNC) == 7);
	CHECK(s->read(fd, back, 16, 10, 0) == 7 && memcmp(back, "abcdefg", 7) == 0);
	CHECK(s->read(fd, back, 16, 17, 0) == 0);
	CHECK(s->sync(fd) == 0);
	CHECK(s->write(fd, iov, 1, INT64_MAX - 1, 0) < 0);
	CHECK(s->read(-1, back, 1, 0, 0) == -EBADF);
	return 0;
}

static void test_data(void **state)
{
	(void)state;
	on_each(data);
}

static int names(void)
{
	const struct store_ops *s = &store_posix;
	char buffer[4096];
	unsigned seen = 0;
	ssize_t got;

	CHECK(s->mkdir_at(root, "a", 0751) == 0 && s->mkdir_at(root, "a", 0) == -EEXIST);
	CHECK(s->rename_at(root, "a", root, "b") == 0);
	CHECK(s->unlink_at(root, "b", 0) == -EISDIR);
	CHECK(s->seek_dir(root, 0) == 0);
	while ((got = s->list(root, buffer, sizeof(buffer))) > 0)
		for (ssize_t at = 0; at < got;) {
			const struct dirent64 *entry = (const struct dirent64 *)(buffer + at);

			seen += strcmp(entry->d_name, "b") == 0;
			at += entry->d_reclen;
		}
	CHECK(got == 0 && seen == 1);
	CHECK(s->unlink_at(root, "b", AT_REMOVEDIR) == 0);
	CHECK(s->unlink_at(root, "b", AT_REMOVEDIR) == -ENOENT);
	return 0;
}

static void test_names(void **state)
{
	(void)state;
	on_each(names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_handles),
		cmocka_unit_test(test_as_caller),
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_data),
		cmocka_unit_test(test_names),
	};
	char message[512];

	if (caps_check(message, sizeof(message))) {
		printf("skipped: %s\n", message);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
