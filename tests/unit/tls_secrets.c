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
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "counters.h"
#include "support/pki.h"
#include "support/tls_ends.h"
#include "support/tls_peer.h"
#include "tls/relay.h"
#include "tls/tls.h"

#define SECRET   32
#define MEGABYTE (1u << 20)
#define TEXT     (48u << 10) /* bytes, of plain text */

/* Inverted, so that looking for it doesn't find what is looked for. */
struct secret {
	uint8_t inverted[SECRET];
};

/* What the processes of a case know of each other. */
static struct shared {
	char certificate[256], key[256];
	struct secret line;             /* of the key's file */
	struct secret question, answer; /* plain text */
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

/* So many times in a row. */
static bool is_at(const uint8_t *bytes, const struct secret *secret, size_t times)
{
	for (size_t i = 0; i < times * SECRET; i++)
		if ((bytes[i] ^ secret->inverted[i % SECRET]) != 0xff)
			return false;
	return true;
}

static bool range_has(
	const uint8_t *from, const uint8_t *to, const struct secret *secret, size_t times)
{
	size_t len = times * SECRET;

	for (; (size_t)(to - from) >= len; from++) {
		from = memchr(from, secret->inverted[0] ^ 0xff, (size_t)(to - from) - len + 1);
		if (!from)
			return false;
		if (is_at(from, secret, times))
			return true;
	}
	return false;
}

/* Whether it is anywhere in memory that can be written: in use, freed, or of a stack. */
static bool memory_has(const struct secret *secret, size_t times)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	uintptr_t from, to;
	bool has = false;
	char line[512];

	require(maps != NULL, "/proc/self/maps can't be read");
	while (!has && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%zx-%zx", &from, &to) == 2 && strstr(line, " rw"))
			has = range_has((const uint8_t *)from, (const uint8_t *)to, secret, times);
	fclose(maps);
	return has;
}

static void put(uint8_t *bytes, const struct secret *secret, size_t times)
{
	for (size_t i = 0; i < times * SECRET; i++)
		bytes[i] = secret->inverted[i % SECRET] ^ 0xff;
}

static void require_gone(const struct secret *secret, size_t times, const char *what)
{
	uint8_t *planted = malloc(times * SECRET);

	require(!memory_has(secret, times), what);
	/* It would be found. */
	put(planted, secret, times);
	require(memory_has(secret, times), "nothing is found at all");
	explicit_bzero(planted, times * SECRET);
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

/* Before there is anything that its helper mustn't have, too. */
static void server_prepare(struct server *server)
{
	char byte;

	server->maker = run_helper(make_certificate, &server->fd);
	require(read(server->fd, &byte, 1) == 1, "there is no certificate");
}

static void server_start(struct server *server)
{
	const struct xfer_tls_params params = { .ktls = XFER_KTLS_OFF };
	const struct xfer_tls_files files = { .certificate = shared->certificate,
		.key = shared->key };
	char why[512];

	tls_log_keep();
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

	server_prepare(&server);
	server_start(&server);
	require_gone(&shared->line, 1, "a part of the key's file is in memory");
	xfer_tls_reload(server.tls);
	require(tls_log_has("was read again", ""), "the files weren't read again");
	require_gone(
		&shared->line, 1, "a part of the key's file is in memory when it was read again");
	server_stop(&server);
}

static void test_key(void **state)
{
	(void)state;
	in_process(load_key);
}

/* --- plain text --------------------------------------------------------------------------------- */

/* In a row they are a buffer's. Fewer, of the last record, a cipher of OpenSSL's may leave on its thread's stack. */
#define KEPT 32

static int tcp[2]; /* [0]: the client's end */

/* A text full of it. */
static void write_text(
	const struct secret *secret, bool (*write_all)(void *to, const uint8_t *bytes), void *to)
{
	uint8_t *bytes = malloc(TEXT);

	put(bytes, secret, TEXT / SECRET);
	require(write_all(to, bytes), "the text can't be sent");
	explicit_bzero(bytes, TEXT);
	free(bytes);
}

static bool peer_writes(void *peer, const uint8_t *bytes)
{
	return tls_peer_write(peer, bytes, TEXT);
}

static bool user_writes(void *fd, const uint8_t *bytes)
{
	return tls_write_all(*(int *)fd, bytes, TEXT) == 0;
}

/* OpenSSL's client, which has the plain text, too. */
static void ask(int fd)
{
	const struct tls_peer_wish wish = { .files.ca = NULL };
	static uint8_t bytes[TEXT];
	struct tls_peer peer;

	close(fd);
	close(tcp[1]);
	tls_peer_open(&peer, tcp[0], &wish);
	require(tls_peer_handshake(&peer), "the client's handshake failed");
	write_text(&shared->question, peer_writes, &peer);
	require(tls_peer_read(&peer, bytes, TEXT), "there is no answer");
	tls_peer_close(&peer);
}

static void answer(struct server *server)
{
	uint8_t *bytes = malloc(TEXT);
	struct tls_end end;

	tls_end_start(&end, server->tls, server->identity, tcp[1], false, NULL);
	require(tls_end_wait(&end) == 0, end.why);
	require(tls_read_all(end.fd, bytes, TEXT) == 0, "there is no question");
	explicit_bzero(bytes, TEXT);
	free(bytes);
	write_text(&shared->answer, user_writes, &end.fd);
	tls_end_finish(&end);
}

/* More than all on the way have room for; records end where no buffer does. */
static void insist(int fd)
{
	const struct tls_peer_wish wish = { .files.ca = NULL };
	static uint8_t bytes[20000];
	struct tls_peer peer;

	close(fd);
	close(tcp[1]);
	put(bytes, &shared->question, sizeof(bytes) / SECRET);
	tls_peer_open(&peer, tcp[0], &wish);
	require(tls_peer_handshake(&peer), "the client's handshake failed");
	while (tls_peer_write(&peer, bytes, sizeof(bytes)))
		;
	tls_peer_close(&peer);
}

static uint64_t relayed_bytes(void)
{
	return atomic_load(&xfer_counters[XFER_CNT_TLS_RELAY_RECEIVED_BYTES]);
}

/* Reads nothing, and goes when nothing moves any more. */
static void ignore(struct server *server)
{
	uint64_t before = 0;
	struct tls_end end;

	tls_end_start(&end, server->tls, server->identity, tcp[1], false, NULL);
	require(tls_end_wait(&end) == 0, end.why);
	while (relayed_bytes() == 0 || relayed_bytes() > before) {
		before = relayed_bytes();
		usleep(200000);
	}
	tls_end_finish(&end);
}

static void relay(void (*client)(int fd), void (*serve)(struct server *server))
{
	struct server server;
	pid_t process;
	int fd;

	require(getrandom(&shared->question, SECRET, 0) == SECRET &&
			getrandom(&shared->answer, SECRET, 0) == SECRET,
		"getrandom failed");
	server_prepare(&server);
	tls_ends_tcp(tcp);
	process = run_helper(client, &fd);
	close(tcp[0]);
	server_start(&server);
	serve(&server);
	while (xfer_tls_relay_connections(server.tls->relay) > 0)
		usleep(1000);
	wait_for(process);
	require_gone(&shared->question, KEPT, "plain text of the peer's is in memory");
	require_gone(&shared->answer, KEPT, "plain text for the peer is in memory");
	close(fd);
	server_stop(&server);
}

static void relay_read(void)
{
	relay(ask, answer);
}

static void relay_unread(void)
{
	relay(insist, ignore);
}

static void test_plain_text(void **state)
{
	(void)state;
	in_process(relay_read);
}

static void test_unread_text(void **state)
{
	(void)state;
	in_process(relay_unread);
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
		cmocka_unit_test(test_plain_text),
		cmocka_unit_test(test_unread_text),
		cmocka_unit_test(test_no_core),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
