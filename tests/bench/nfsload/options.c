/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* options.c -- the command line */
#include "options.h"

#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SIZE (64u * 1024 * 1024)

enum {
	KEY_MOUNT_PORT = 256,
	KEY_NFS,
	KEY_CONNS,
	KEY_UID,
	KEY_GID,
	KEY_JSON,
	KEY_FILE,
	KEY_SIZE,
	KEY_DEPTH,
	KEY_READ,
	KEY_WRITE,
	KEY_FILL,
	KEY_VERIFY,
	KEY_EXISTING,
	KEY_PATTERN,
	KEY_FILE_SIZE,
	KEY_DURATION,
	KEY_OPS,
	KEY_EACH,
	KEY_SEED,
	KEY_STABLE,
	KEY_LOCAL,
	KEY_PUT,
	KEY_GET,
	KEY_COMPARE,
	KEY_COUNT,
	KEY_DIR,
	KEY_TIMES,
	KEY_CPU_OF,
};

static const struct argp_option known[] = {
	{ 0, 0, 0, 0, "The server:", 1 },
	{ "host", 'h', "ADDRESS", 0, "NFS server (127.0.0.1)", 0 },
	{ "port", 'p', "PORT", 0, "of NFS (2049)", 0 },
	{ "mount-port", KEY_MOUNT_PORT, "PORT", 0, "of MOUNT, v3 only (20048)", 0 },
	{ "export", 'e', "PATH", 0, "(/vol1)", 0 },
	{ "nfs", KEY_NFS, "3|4", 0, "version; 4 is 4.0 (3)", 0 },
	{ "conns", KEY_CONNS, "N", 0, "connections (1)", 0 },
	{ "uid", KEY_UID, "ID", 0, "(0)", 0 },
	{ "gid", KEY_GID, "ID", 0, "(0)", 0 },
	{ "cpu-of", KEY_CPU_OF, "PID,...", 0, "report the processor time these use during io", 0 },
	{ "json", KEY_JSON, 0, 0, "one JSON object per run instead of a line", 0 },
	{ 0, 0, 0, 0, "io, copy and (--depth) meta:", 2 },
	{ "file", KEY_FILE, "NAME", 0, "in the export's root (nfsload.dat)", 0 },
	{ "size", KEY_SIZE, "BYTES", 0, "of an operation; K, M and G are understood (1M)", 0 },
	{ "depth", KEY_DEPTH, "N", 0, "operations under way on each connection (1)", 0 },
	{ 0, 0, 0, 0, "io: read or write one file of a known content; each byte read is checked",
		3 },
	{ "read", KEY_READ, 0, 0, "measure reads", 0 },
	{ "write", KEY_WRITE, 0, 0,
		"measure writes; with --read as well: first these, over the whole file", 0 },
	{ "fill", KEY_FILL, 0, 0, "write the whole file first, without measuring", 0 },
	{ "verify", KEY_VERIFY, 0, 0, "after writes read all that was written, without measuring",
		0 },
	{ "existing", KEY_EXISTING, 0, 0, "write to the file that is there, instead of a new one",
		0 },
	{ "pattern", KEY_PATTERN, "seq|rand", 0, "(seq)", 0 },
	{ "file-size", KEY_FILE_SIZE, "BYTES", 0, "(64M)", 0 },
	{ "duration", KEY_DURATION, "SECONDS", 0, "(once over the file)", 0 },
	{ "ops", KEY_OPS, "N", 0, "end after so many operations", 0 },
	{ "each", KEY_EACH, "N", 0,
		"so many operations on each connection, and report when each had done them", 0 },
	{ "seed", KEY_SEED, "N", 0,
		"what the content follows from (1); --fill uses it too, unless --write", 0 },
	{ "stable", KEY_STABLE, "unstable|file_sync", 0,
		"of writes; unstable ones are committed at the end (unstable)", 0 },
	{ 0, 0, 0, 0, "copy: by default write a local file, then read it and compare", 4 },
	{ "local", KEY_LOCAL, "PATH", 0, "the local file", 0 },
	{ "put", KEY_PUT, 0, 0, "write it to the server", 0 },
	{ "compare", KEY_COMPARE, 0, 0, "read the server's and compare", 0 },
	{ "get", KEY_GET, 0, 0, "make it from the server's", 0 },
	{ 0, 0, 0, 0,
		"meta: create, stat and unlink files; list: a directory that holds entry-000000 and so "
		"on, number i with i mod 4096 bytes and mode 0600 + i mod 64, and nothing else",
		5 },
	{ "dir", KEY_DIR, "NAME", 0, "in the export's root (that itself)", 0 },
	{ "count", KEY_COUNT, "N", 0, "files (1000)", 0 },
	{ "times", KEY_TIMES, "N", 0, "list: one listing after the other, each measured (1)", 0 },
	{ 0 },
};

/* A number with a unit: 4K, 1M, 2G. */
static uint64_t number(struct argp_state *state, const char *text, uint64_t least, uint64_t most)
{
	static const char units[] = "KMG";
	char *end;
	unsigned long long value;
	const char *unit;

	errno = 0;
	value = strtoull(text, &end, 10);
	unit = *end ? strchr(units, *end) : NULL;
	if (unit) {
		value <<= 10 * (unit - units + 1);
		end++;
	}
	if (errno || end == text || *end || text[0] == '-' || value < least || value > most)
		argp_error(state, "%s is no number from %llu to %llu", text,
			(unsigned long long)least, (unsigned long long)most);
	return value;
}

/* Which of two words it is. */
static bool is_second(
	struct argp_state *state, const char *text, const char *first, const char *second)
{
	if (strcmp(text, first) && strcmp(text, second))
		argp_error(state, "%s is neither %s nor %s", text, first, second);
	return !strcmp(text, second);
}

static error_t parse_target(int key, char *text, struct argp_state *state, struct options *options)
{
	struct nfs_target *target = &options->target;

	switch (key) {
	case 'h':
		target->host = text;
		return 0;
	case 'e':
		target->export_path = text;
		return 0;
	case 'p':
		target->nfs_port = (unsigned)number(state, text, 1, 65535);
		return 0;
	case KEY_MOUNT_PORT:
		target->mount_port = (unsigned)number(state, text, 1, 65535);
		return 0;
	case KEY_NFS:
		target->version = is_second(state, text, "3", "4") ? 4 : 3;
		return 0;
	case KEY_CONNS:
		target->conns = (unsigned)number(state, text, 1, 64);
		return 0;
	case KEY_UID:
		target->uid = (uint32_t)number(state, text, 0, UINT32_MAX);
		return 0;
	case KEY_GID:
		target->gid = (uint32_t)number(state, text, 0, UINT32_MAX);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static error_t parse_flag(int key, struct options *options)
{
	switch (key) {
	case KEY_JSON:
		options->json = true;
		return 0;
	case KEY_READ:
		options->reading = true;
		return 0;
	case KEY_WRITE:
		options->writing = true;
		return 0;
	case KEY_FILL:
		options->fill = true;
		return 0;
	case KEY_VERIFY:
		options->verify = true;
		return 0;
	case KEY_EXISTING:
		options->existing = true;
		return 0;
	case KEY_PUT:
		options->put = true;
		return 0;
	case KEY_GET:
		options->get = true;
		return 0;
	case KEY_COMPARE:
		options->compare = true;
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static error_t parse_value(int key, char *text, struct argp_state *state, struct options *options)
{
	switch (key) {
	case KEY_FILE:
		options->file = text;
		return 0;
	case KEY_LOCAL:
		options->local = text;
		return 0;
	case KEY_SIZE:
		options->size = (uint32_t)number(state, text, 1, MAX_SIZE);
		return 0;
	case KEY_DEPTH:
		options->depth = (unsigned)number(state, text, 1, CONN_MAX_CALLS - 1);
		return 0;
	case KEY_PATTERN:
		options->random = is_second(state, text, "seq", "rand");
		return 0;
	case KEY_FILE_SIZE:
		options->file_size = number(state, text, 1, UINT64_C(1) << 40);
		return 0;
	case KEY_DURATION:
		options->seconds = (double)number(state, text, 1, 1000000);
		return 0;
	case KEY_OPS:
		options->ops = number(state, text, 1, UINT64_MAX);
		return 0;
	case KEY_EACH:
		options->each = number(state, text, 1, 1000000000);
		return 0;
	case KEY_SEED:
		options->seed = number(state, text, 0, (1u << 24) - 2);
		return 0;
	case KEY_STABLE:
		options->stable = is_second(state, text, "unstable", "file_sync") ? NFS_FILE_SYNC
										  : NFS_UNSTABLE;
		return 0;
	case KEY_CPU_OF:
		if (!cpu_parse(text, &options->cpu))
			argp_error(state,
				"--cpu-of wants the ids of running processes, with commas between");
		return 0;
	case KEY_DIR:
		options->dir = text;
		return 0;
	case KEY_TIMES:
		options->times = (unsigned)number(state, text, 1, 1000);
		return 0;
	case KEY_COUNT:
		options->count = (unsigned)number(state, text, 1, 1000000);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static void parse_workload(const char *name, struct argp_state *state, struct options *options)
{
	static const char *const names[] = {
		[WORKLOAD_IO] = "io",
		[WORKLOAD_COPY] = "copy",
		[WORKLOAD_META] = "meta",
		[WORKLOAD_LIST] = "list",
	};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(name, names[i])) {
			options->workload = (enum workload)i;
			return;
		}
	}
	argp_error(state, "%s is no workload: there are io, copy, meta and list", name);
}

static void check(struct argp_state *state, struct options *options)
{
	if (options->workload == WORKLOAD_IO && !options->reading && !options->writing &&
		!options->fill)
		argp_error(state, "io: name --read, --write or --fill");
	if (options->each && (options->ops || options->seconds > 0))
		argp_error(state, "io: --each stands without --ops and --duration");
	if (options->workload != WORKLOAD_COPY)
		return;
	if (!options->local)
		argp_error(state, "copy: name the local file by --local");
	if (options->get && (options->put || options->compare))
		argp_error(state, "copy: --get stands alone");
	if (!options->get && !options->put && !options->compare)
		options->put = options->compare = true;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
	struct options *options = state->input;

	if (key == ARGP_KEY_ARG && state->arg_num == 0) {
		parse_workload(text, state, options);
		return 0;
	}
	if (key == ARGP_KEY_NO_ARGS)
		argp_usage(state);
	if (key == ARGP_KEY_SUCCESS) {
		check(state, options);
		return 0;
	}
	if (!parse_flag(key, options) || !parse_target(key, text, state, options))
		return 0;
	return parse_value(key, text, state, options);
}

void options_parse(int argc, char **argv, struct options *options)
{
	static const struct argp argp = {
		.options = known,
		.parser = parse,
		.args_doc = "io|copy|meta|list",
		.doc = "nfsload -- an NFS client in user space that loads a server and checks its data"
		       "\vExit status: 0; 1 wrong data or a failed operation; 2 usage.",
	};

	*options = (struct options){
		.target = { .host = "127.0.0.1",
			.export_path = "/vol1",
			.nfs_port = 2049,
			.mount_port = 20048,
			.version = 3,
			.conns = 1 },
		.file = "nfsload.dat",
		.size = 1024 * 1024,
		.depth = 1,
		.file_size = 64 * 1024 * 1024,
		.seed = 1,
		.stable = NFS_UNSTABLE,
		.count = 1000,
		.times = 1,
	};
	argp_err_exit_status = 2;
	argp_parse(&argp, argc, argv, 0, NULL, options);
}
