/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* tls_secrets.c -- what is left in the memory of a process: all of it is searched, each case in a process of its own */

#include <dirent.h>
#include <malloc.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/pki.h"
#include "support/tls_ends.h"

#define SECRET   32
#define MEGABYTE (1u << 20)

/* Inverted, so that looking for it doesn't find what is looked for. */
struct secret {
	uint8_t inverted[SECRET];
};

/* What the processes of a case know of each other. */
static struct shared {
	char certificate[256], key[256];
	struct secret line; /* of the key's file */
} * shared;

/* A case's process has no cmocka around it. */
static void require(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "%s\n", what);
	_exit(EXIT_FAILURE);
}

/* --- searching ---------------------------------------------------------------------------------- */

static bool is_at(const uint8_t *bytes, const struct secret *secret)
{
	for (size_t i = 0; i < SECRET; i++)
		if ((bytes[i] ^ secret->inverted[i]) != 0xff)
			return false;
	return true;
}

static bool range_has(const uint8_t *from, const uint8_t *to, const struct secret *secret)
{
	for (; to - from >= SECRET; from++) {
		from = memchr(from, secret->inverted[0] ^ 0xff, (size_t)(to - from) - SECRET + 1);
		if (!from)
			return false;
		if (is_at(from, secret))
			return true;
	}
	return false;
}

/* Whether it is anywhere in memory that can be written: in use, freed, or of a stack. */
static bool memory_has(const struct secret *secret)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	uintptr_t from, to;
	bool has = false;
	char line[512];

	require(maps != NULL, "/proc/self/maps can't be read");
	while (!has && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%zx-%zx rw", &from, &to) == 2 && strstr(line, " rw"))
			has = range_has((const uint8_t *)from, (const uint8_t *)to, secret);
	fclose(maps);
	return has;
}

static void put(uint8_t *bytes, const struct secret *secret)
{
	for (size_t i = 0; i < SECRET; i++)
		bytes[i] = secret->inverted[i] ^ 0xff;
}

static void require_gone(const struct secret *secret, const char *what)
{
	uint8_t *planted = malloc(SECRET);

	require(!memory_has(secret), what);
	/* It would be found. */
	put(planted, secret);
	require(memory_has(secret), "nothing is found at all");
	explicit_bzero(planted, SECRET);
	free(planted);
}

/* --- processes ---------------------------------------------------------------------------------- */

/* One that may have secrets; it ends when `fd` does. */
static pid_t run_helper(void (*run)(int fd), int *fd)
{
	int pair[2];
	pid_t child;

	require(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "socketpair failed");
	child = fork();
	require(child >= 0, "fork failed");
	if (child == 0) {
		close(pair[0]);
		run(pair[1]);
		_exit(EXIT_SUCCESS);
	}
	close(pair[1]);
	*fd = pair[0];
	return child;
}

static void wait_for(pid_t child)
{
	int status;

	require(waitpid(child, &status, 0) == child && WIFEXITED(status) &&
			WEXITSTATUS(status) == EXIT_SUCCESS,
		"a process failed");
}

static void in_process(void (*run)(void))
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		run();
		_exit(EXIT_SUCCESS);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), EXIT_SUCCESS);
}

static void invert(struct secret *secret, const void *bytes)
{
	const uint8_t *from = bytes;

	for (size_t i = 0; i < SECRET; i++)
		secret->inverted[i] = from[i] ^ 0xff;
}

/* The first line in the middle of a key's file has a part of the key. */
static void share_key(const char *path)
{
	FILE *file = fopen(path, "re");
	char line[128];

	require(file && fgets(line, sizeof(line), file) && fgets(line, sizeof(line), file) &&
			strlen(line) > SECRET,
		"the key's file is strange");
	fclose(file);
	/* Behind what all keys of a kind have in common. */
	invert(&shared->line, line + strlen(line) - 1 - SECRET);
}

/* Makes a certificate, and unmakes it when `fd` ends. */
static void make_certificate(int fd)
{
	struct pki *pki = pki_create("test CA");
	struct xfer_tls_files files = pki_files(pki, "s", NULL);
	char byte = 0;

	pki_issue(pki, "s", &(struct pki_wish){ .cn = "s", .names = "DNS:s" });
	snprintf(shared->certificate, sizeof(shared->certificate), "%s", files.certificate);
	snprintf(shared->key, sizeof(shared->key), "%s", files.key);
	share_key(files.key);
	require(write(fd, &byte, 1) == 1, "write failed");
	require(read(fd, &byte, 1) == 0, "read failed");
	pki_free(pki);
}

/* --- certificates in use ------------------------------------------------------------------------ */

struct server {
	pid_t maker;
	int fd; /* while it is open, the files are there */
	struct xfer_tls *tls;
	struct xfer_tls_identity *identity;
};

static void server_start(struct server *server)
{
	const struct xfer_tls_params params = { .ktls = XFER_KTLS_OFF };
	struct xfer_tls_files files = { NULL };
	char byte, why[512];

	tls_log_keep();
	server->maker = run_helper(make_certificate, &server->fd);
	require(read(server->fd, &byte, 1) == 1, "there is no certificate");
	files.certificate = shared->certificate;
	files.key = shared->key;
	require(xfer_tls_create(&params, &server->tls, why, sizeof(why)) == 0, why);
	require(xfer_tls_identity_create(server->tls, XFER_TLS_PUBLIC, &files, &server->identity,
			why, sizeof(why)) == 0,
		why);
}

static void server_stop(struct server *server)
{
	xfer_tls_identity_destroy(server->identity);
	xfer_tls_destroy(server->tls);
	close(server->fd);
	wait_for(server->maker);
}

static void load_key(void)
{
	struct server server;

	server_start(&server);
	require_gone(&shared->line, "a part of the key's file is in memory");
	xfer_tls_reload(server.tls);
	require(tls_log_has("was read again", ""), "the files weren't read again");
	require_gone(&shared->line, "a part of the key's file is in memory when it was read again");
	server_stop(&server);
}

static void test_key(void **state)
{
	(void)state;
	in_process(load_key);
}

/* --- core files --------------------------------------------------------------------------------- */

/* They come here, if at all. */
static char folder[] = "/tmp/xfer-core.XXXXXX";

/* Whether core files are written where a process is; else nobody knows where they go. */
static bool cores_come_here(void)
{
	FILE *file = fopen("/proc/sys/kernel/core_pattern", "re");
	struct rlimit limit;
	char pattern[256];
	bool here = file && fgets(pattern, sizeof(pattern), file) && !strpbrk(pattern, "|/");

	if (file)
		fclose(file);
	return here && getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_max > MEGABYTE;
}

static void allow_cores(void)
{
	struct rlimit limit;

	require(chdir(folder) == 0, "chdir failed");
	getrlimit(RLIMIT_CORE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_CORE, &limit);
}

static void start_tls(void)
{
	const struct xfer_tls_params params = { .ktls = XFER_KTLS_OFF };
	struct xfer_tls *tls;
	char why[512];

	tls_log_keep();
	require(xfer_tls_create(&params, &tls, why, sizeof(why)) == 0, why);
}

static bool dumps_core(void (*start)(void))
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		allow_cores();
		start();
		/* So does a change of user, with fs.suid_dumpable 1. */
		prctl(PR_SET_DUMPABLE, 1);
		abort();
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	return WCOREDUMP(status);
}

static void remove_folder(void)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;

	assert_non_null(dir);
	while ((entry = readdir(dir)))
		unlinkat(dirfd(dir), entry->d_name, 0);
	closedir(dir);
	assert_int_equal(rmdir(folder), 0);
}

static void nothing(void)
{
}

static void test_no_core(void **state)
{
	bool without, with;

	(void)state;
	assert_non_null(mkdtemp(folder));
	without = !cores_come_here() || dumps_core(nothing);
	with = dumps_core(start_tls);
	remove_folder();
	assert_true(without);
	assert_false(with);
}

static int set_up(void **state)
{
	(void)state;
	/* What is freed stays to be looked at. */
	mallopt(M_MMAP_THRESHOLD, 16 * MEGABYTE);
	mallopt(M_TRIM_THRESHOLD, 256 * MEGABYTE);
	shared = mmap(
		NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return shared == MAP_FAILED ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	return munmap(shared, sizeof(*shared));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_key),
		cmocka_unit_test(test_no_core),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
