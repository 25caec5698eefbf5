/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* stress.c -- NFSv3 client processes that know what their files must hold, and look */

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <nfsc/libnfs.h>

#define FILES_DIR  "/files"  /* every client's own files, side by side */
#define SHARED_DIR "/shared" /* names that all clients create, rename and remove */

enum {
	OWN_FILES = 40,
	SHARED_NAMES = 20,
	SMALL_FILE = 8000,
	LARGE_FILE = (1 << 20) + 5000, /* more than one WRITE */
	ERRNOS = 200,
	RECOVERY_SECONDS = 30, /* until what failed for want of an owner must succeed */
	PATH_SIZE = 64,
};

/* What a client knows of one of its files; nobody else touches them. */
struct file {
	/* UNKNOWN: before this run, and after an error, which may or may not have had an effect. */
	enum { UNKNOWN, ABSENT, PRESENT } state;
	uint32_t seed; /* of the content, when PRESENT */
	size_t size;
};

/* One process's. */
struct client {
	struct nfs_context *nfs;
	int id;
	bool faults; /* owners fail meanwhile, so errors are no fault of theirs */
	unsigned random;
	uint32_t last_seed;
	struct file files[OWN_FILES];
	char *content, *back; /* LARGE_FILE bytes each */
	long operations;
	long errors[ERRNOS];
};

static const int no_errors[] = { 0 };
static const int when_absent[] = { ENOENT, 0 };
/* What may come of a name that others change at the same time. */
static const int when_contended[] = { ENOENT, EEXIST, ENOTDIR, EISDIR, ESTALE, 0 };

/* Something that must not happen, whatever fails. */
static void __attribute__((format(printf, 2, 3), noreturn))
wrong(struct client *client, const char *format, ...)
{
	va_list arguments;

	printf("client %d: ", client->id);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
	fflush(stdout);
	_exit(1);
}

/* Counts what came of a call; unless owners fail, an error that isn't allowed is wrong. */
static int judge(
	struct client *client, const char *what, const char *path, int result, const int *allowed)
{
	client->operations++;
	if (result >= 0)
		return result;
	client->errors[-result < ERRNOS ? -result : ERRNOS - 1]++;
	if (client->faults)
		return result;
	while (*allowed && *allowed != -result)
		allowed++;
	if (!*allowed)
		wrong(client, "%s %s: %s (%s)", what, path, strerror(-result),
			nfs_get_error(client->nfs));
	return result;
}

static unsigned pick(struct client *client, unsigned below)
{
	return (unsigned)rand_r(&client->random) % below;
}

static struct file *pick_file(struct client *client, char *path)
{
	unsigned slot = pick(client, OWN_FILES);

	snprintf(path, PATH_SIZE, FILES_DIR "/c%d-%u", client->id, slot);
	return &client->files[slot];
}

static void pick_shared(struct client *client, char *path)
{
	snprintf(path, PATH_SIZE, SHARED_DIR "/s%u", pick(client, SHARED_NAMES));
}

/* Different for each seed from the first byte on, and without a period. */
static void fill(char *content, size_t size, uint32_t seed)
{
	uint32_t state = seed * 2654435761u;

	for (size_t i = 0; i < size; i++) {
		state = state * 1664525u + 1013904223u;
		content[i] = (char)(state >> 24);
	}
}

/* After an error: waits a moment; gives up when owners have had their time to come back. */
static void pause_until(struct client *client, const char *what, const char *path, time_t deadline)
{
	if (time(NULL) > deadline)
		wrong(client, "%s %s: still fails after %d s (%s)", what, path, RECOVERY_SECONDS,
			nfs_get_error(client->nfs));
	usleep(20000);
}

static void write_all(struct client *client, const char *path, struct nfsfh *handle, size_t size)
{
	time_t deadline = time(NULL) + RECOVERY_SECONDS;
	size_t done = 0;

	while (done < size) {
		int result = judge(client, "write", path,
			nfs_pwrite(client->nfs, handle, done, size - done, client->content + done),
			no_errors);

		if (result < 0)
			pause_until(client, "write", path, deadline);
		else if (result == 0 || (!client->faults && (size_t)result != size))
			wrong(client, "write %s: %d of %zu bytes", path, result, size);
		else
			done += (size_t)result;
	}
}

/* Compares all of an open file with client->content, and looks for its end. */
static void read_all(struct client *client, const char *path, struct nfsfh *handle, size_t size)
{
	time_t deadline = time(NULL) + RECOVERY_SECONDS;
	struct nfs_stat_64 attributes;
	size_t done = 0;

	while (done < size) {
		int result = judge(client, "read", path,
			nfs_pread(client->nfs, handle, done, size - done, client->back + done),
			no_errors);

		if (result < 0)
			pause_until(client, "read", path, deadline);
		else if (result == 0 || (!client->faults && (size_t)result != size))
			wrong(client, "short read of %s: %d at %zu of %zu", path, result, done,
				size);
		else
			done += (size_t)result;
	}
	for (size_t i = 0; i < size; i++)
		if (client->content[i] != client->back[i])
			wrong(client, "wrong data in %s at %zu of %zu", path, i, size);
	if (judge(client, "read", path, nfs_pread(client->nfs, handle, size, 1, client->back),
		    no_errors) > 0)
		wrong(client, "data behind the end of %s at %zu", path, size);
	if (judge(client, "fstat", path, nfs_fstat64(client->nfs, handle, &attributes),
		    no_errors) == 0 &&
		attributes.nfs_size != size)
		wrong(client, "the size of %s is %llu instead of %zu", path,
			(unsigned long long)attributes.nfs_size, size);
}

static void write_file(struct client *client)
{
	char path[PATH_SIZE];
	struct file *file = pick_file(client, path);
	size_t size = 1 + pick(client, pick(client, 4) ? SMALL_FILE : LARGE_FILE);
	uint32_t seed = (uint32_t)client->id << 24 | ++client->last_seed;
	struct nfsfh *handle;
	int result;

	file->state = UNKNOWN;
	result = nfs_open2(client->nfs, path, O_CREAT | O_RDWR | O_TRUNC, 0644, &handle);
	if (judge(client, "create", path, result, no_errors))
		return;
	fill(client->content, size, seed);
	write_all(client, path, handle, size);
	read_all(client, path, handle, size);
	*file = (struct file){ .state = PRESENT, .seed = seed, .size = size };
	judge(client, "close", path, nfs_close(client->nfs, handle), no_errors);
}

/* Files keep their content while others are written, and when they are renamed. */
static void verify_file(struct client *client)
{
	char path[PATH_SIZE];
	struct file *file = pick_file(client, path);
	struct nfsfh *handle;
	int result;

	if (file->state != PRESENT)
		return;
	result = judge(client, "open", path, nfs_open2(client->nfs, path, O_RDONLY, 0, &handle),
		no_errors);
	if (result == -ENOENT)
		wrong(client, "%s is lost", path);
	if (result)
		return;
	fill(client->content, file->size, file->seed);
	read_all(client, path, handle, file->size);
	judge(client, "close", path, nfs_close(client->nfs, handle), no_errors);
}

static void remove_file(struct client *client)
{
	char path[PATH_SIZE];
	struct file *file = pick_file(client, path);
	int result = judge(client, "unlink", path, nfs_unlink(client->nfs, path),
		file->state == PRESENT ? no_errors : when_absent);

	if (!result && file->state == ABSENT)
		wrong(client, "unlink %s: it wasn't there", path);
	file->state = !result || result == -ENOENT ? ABSENT : UNKNOWN;
}

static void rename_file(struct client *client)
{
	char from_path[PATH_SIZE], to_path[PATH_SIZE];
	struct file *from = pick_file(client, from_path);
	struct file *to = pick_file(client, to_path);
	int result;

	if (from == to)
		return;
	result = judge(client, "rename", from_path, nfs_rename(client->nfs, from_path, to_path),
		from->state == PRESENT ? no_errors : when_absent);
	if (!result && from->state == ABSENT)
		wrong(client, "rename %s: it wasn't there", from_path);
	if (!result) {
		*to = *from;
		from->state = ABSENT;
	} else if (from->state != ABSENT || result != -ENOENT) {
		from->state = UNKNOWN;
		to->state = UNKNOWN;
	}
}

/*
 * NULL: failed, as it may when owners do. When an entry goes while MDCACHE lists it, Ganesha answers JUKEBOX, or with
 * the entry's error as if it were the directory's; the directory is there all the time, so asking again helps.
 */
static struct nfsdir *open_listing(struct client *client, const char *path)
{
	time_t deadline = time(NULL) + RECOVERY_SECONDS;
	struct nfsdir *dir;
	int result;

	for (;;) {
		result = nfs_opendir(client->nfs, path, &dir);
		if (result != -EAGAIN && result != -ENOENT && result != -ESTALE)
			break;
		client->errors[-result]++;
		pause_until(client, "list", path, deadline);
	}
	return judge(client, "list", path, result, no_errors) ? NULL : dir;
}

/* While other clients add and remove their names, a listing has all of this one's, each once. */
static void list_files(struct client *client)
{
	struct nfsdir *dir = open_listing(client, FILES_DIR);
	int listed[OWN_FILES] = { 0 };
	struct nfsdirent *entry;

	if (!dir)
		return;
	while ((entry = nfs_readdir(client->nfs, dir))) {
		unsigned slot;
		int id;

		if (sscanf(entry->name, "c%d-%u", &id, &slot) == 2 && id == client->id &&
			slot < OWN_FILES)
			listed[slot]++;
	}
	nfs_closedir(client->nfs, dir);
	for (int slot = 0; slot < OWN_FILES; slot++) {
		int state = client->files[slot].state;

		if (listed[slot] > 1 || (state == PRESENT && !listed[slot]) ||
			(state == ABSENT && listed[slot]))
			wrong(client, "c%d-%d is listed %d times, and is %s", client->id, slot,
				listed[slot], state == PRESENT ? "there" : "not there");
	}
}

/* Names that others change at the same time: anything may come of it that makes sense. */
static void disturb_shared(struct client *client)
{
	char path[PATH_SIZE], other[PATH_SIZE];
	struct nfs_context *nfs = client->nfs;
	struct nfsfh *handle;
	struct nfsdir *dir;

	pick_shared(client, path);
	pick_shared(client, other);
	switch (pick(client, 6)) {
	case 0:
		if (!judge(client, "create", path,
			    nfs_open2(nfs, path, O_CREAT | O_RDWR, 0644, &handle), when_contended))
			nfs_close(nfs, handle);
		break;
	case 1:
		judge(client, "unlink", path, nfs_unlink(nfs, path), when_contended);
		break;
	case 2:
		judge(client, "rename", path, nfs_rename(nfs, path, other), when_contended);
		break;
	case 3:
		judge(client, "mkdir", path, nfs_mkdir2(nfs, path, 0755), when_contended);
		break;
	case 4:
		judge(client, "rmdir", path, nfs_rmdir(nfs, path), when_contended);
		break;
	default:
		dir = open_listing(client, SHARED_DIR);
		if (dir)
			nfs_closedir(nfs, dir);
	}
}

static void work(struct client *client)
{
	static void (*const operations[])(struct client *) = {
		write_file,
		write_file,
		write_file,
		verify_file,
		verify_file,
		remove_file,
		rename_file,
		list_files,
		disturb_shared,
		disturb_shared,
	};

	operations[pick(client, sizeof(operations) / sizeof(operations[0]))](client);
}

static struct nfs_context *mount_export(const char *address, const char *export)
{
	struct nfs_context *nfs = nfs_init_context();

	nfs_set_version(nfs, 3);
	nfs_set_uid(nfs, 0);
	nfs_set_gid(nfs, 0);
	nfs_set_dircache(nfs, 0);
	nfs_set_timeout(nfs, RECOVERY_SECONDS * 1000);
	if (nfs_mount(nfs, address, export)) {
		printf("mount %s:%s: %s\n", address, export, nfs_get_error(nfs));
		exit(1);
	}
	return nfs;
}

static void run_client(const char *address, const char *export, int id, int seconds, bool faults)
{
	struct client client = { .id = id, .faults = faults, .random = (unsigned)id + 1 };
	time_t end = time(NULL) + seconds;

	client.content = malloc(LARGE_FILE);
	client.back = malloc(LARGE_FILE);
	client.nfs = mount_export(address, export);
	while (time(NULL) < end)
		work(&client);
	printf("client %d: %ld calls", id, client.operations);
	for (int number = 0; number < ERRNOS; number++)
		if (client.errors[number])
			printf(", %ld %s", client.errors[number],
				strerrorname_np(number) ?: "other errors");
	putchar('\n');
	nfs_destroy_context(client.nfs);
	free(client.content);
	free(client.back);
}

static void make_directories(const char *address, const char *export)
{
	static const char *const paths[] = { FILES_DIR, SHARED_DIR };
	struct nfs_context *nfs = mount_export(address, export);

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		int result = nfs_mkdir2(nfs, paths[i], 0777);

		if (result && result != -EEXIST) {
			printf("mkdir %s: %s\n", paths[i], nfs_get_error(nfs));
			exit(1);
		}
	}
	nfs_destroy_context(nfs);
}

int main(int argc, char **argv)
{
	int clients, seconds, status, failed = 0;
	bool faults;

	if (argc != 6 || (strcmp(argv[5], "steady") && strcmp(argv[5], "faults"))) {
		fprintf(stderr, "usage: stress ADDRESS EXPORT CLIENTS SECONDS steady|faults\n");
		return 2;
	}
	clients = atoi(argv[3]);
	seconds = atoi(argv[4]);
	faults = !strcmp(argv[5], "faults");
	make_directories(argv[1], argv[2]);
	for (int id = 0; id < clients; id++) {
		pid_t pid = fork();

		if (pid < 0) {
			perror("fork");
			return 1;
		}
		if (!pid) {
			run_client(argv[1], argv[2], id, seconds, faults);
			return 0;
		}
	}
	while (wait(&status) > 0)
		if (status)
			failed++;
	printf("%d of %d clients failed\n", failed, clients);
	return failed ? 1 : 0;
}
