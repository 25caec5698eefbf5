/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* bench_options.c -- what rdmaxferctl bench is told */

#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define DEFAULT_SIZE      (1u << 20)
#define DEFAULT_DEPTH     8
#define DEFAULT_LANES     2
#define DEFAULT_SECONDS   3
#define DEFAULT_FILE_SIZE (64u << 20)
#define FILE_SIZE_MAX     (1ull << 30) /* it is held in memory, twice */
#define SECONDS_MIN       0.01
#define SECONDS_MAX       3600

enum {
	KEY_VOLUME = 256, /* no letters */
	KEY_VOLUME_ID,
	KEY_OWNER,
	KEY_AS,
	KEY_SIZE,
	KEY_DEPTH,
	KEY_LANES,
	KEY_SECONDS,
	KEY_FILE_SIZE,
	KEY_PATH,
	KEY_CERTIFICATE,
	KEY_KEY,
	KEY_CA,
	KEY_INSECURE,
	KEY_RAW,
	KEY_ADDRESS,
	KEY_VERIFY,
};

static const struct argp_option options[] = {
	{ "volume", KEY_VOLUME, "NAME", 0, "The volume", 0 },
	{ "volume-id", KEY_VOLUME_ID, "ID", 0, "Its id, if its owner's configuration has one", 0 },
	{ "owner", KEY_OWNER, "NAME", 0, "The owner's name, if nobody here knows it", 0 },
	{ "as", KEY_AS, "NAME", 0, "This node's name, if nobody here tells", 0 },
	{ "size", KEY_SIZE, "BYTES", 0, "Of one operation (default: 1M)", 0 },
	{ "depth", KEY_DEPTH, "N", 0, "Operations under way (default: 8)", 0 },
	{ "lanes", KEY_LANES, "N", 0, "Connections (default: 2)", 0 },
	{ "seconds", KEY_SECONDS, "S", 0, "Of one measurement (default: 3)", 0 },
	{ "file-size", KEY_FILE_SIZE, "BYTES", 0, "At most so much is written (default: 64M)", 0 },
	{ "path", KEY_PATH, "PATH", 0, "Data path: auto, shm, verbs or inline (default: auto)", 0 },
	{ "certificate", KEY_CERTIFICATE, "FILE", 0, "This node's, for owners by TCP", 0 },
	{ "key", KEY_KEY, "FILE", 0, "Its private key", 0 },
	{ "ca", KEY_CA, "FILE", 0, "The cluster's authority", 0 },
	{ "insecure", KEY_INSECURE, NULL, 0, "TCP without TLS, if the owner lets this node", 0 },
	{ "raw", KEY_RAW, NULL, 0, "RDMA queue pairs of this host, without a NODE", 0 },
	{ "address", KEY_ADDRESS, "IP", 0, "--raw: this host's (default: the first that works)",
		0 },
	{ "verify", KEY_VERIFY, NULL, 0, "--raw: check the bytes of all writes", 0 },
	{ 0 },
};

const char *bench_path_name(enum xfer_path_wish path)
{
	static const char *const names[] = {
		[XFER_WISH_AUTO] = "auto",
		[XFER_WISH_INLINE] = "inline",
		[XFER_WISH_SHM] = "shm",
		[XFER_WISH_VERBS] = "verbs",
	};

	return names[path];
}

static uint64_t parse_number(const char *text, char **end, uint64_t max)
{
	unsigned long long value = *text >= '0' && *text <= '9' ? strtoull(text, end, 0) : 0;

	return value > max ? 0 : value;
}

static uint64_t parse_count(
	const char *text, struct argp_state *state, const char *option, uint64_t max)
{
	char *end = (char *)text;
	uint64_t value = parse_number(text, &end, max);

	if (value == 0 || *end)
		argp_error(state, "--%s must be a number from 1 to %llu", option,
			(unsigned long long)max);
	return value;
}

static uint64_t parse_bytes(
	const char *text, struct argp_state *state, const char *option, uint64_t max)
{
	static const char units[] = "KMG";
	char *end = (char *)text;
	uint64_t value = parse_number(text, &end, max);
	const char *unit = *end ? strchr(units, *end) : NULL;

	for (const char *u = units; unit && u <= unit && value <= max; u++)
		value <<= 10;
	if (value == 0 || value > max || (*end && (!unit || end[1])))
		argp_error(state, "--%s must be 1 to %lluK bytes; K, M and G may stand behind it",
			option, (unsigned long long)max >> 10);
	return value;
}

static double parse_seconds(const char *text, struct argp_state *state)
{
	char *end;
	double value = strtod(text, &end);

	if (*end || !(value >= SECONDS_MIN && value <= SECONDS_MAX))
		argp_error(state, "--seconds must be a number from %g to %d", SECONDS_MIN,
			SECONDS_MAX);
	return value;
}

static enum xfer_path_wish parse_path(const char *text, struct argp_state *state)
{
	static const enum xfer_path_wish wishes[] = { XFER_WISH_AUTO, XFER_WISH_INLINE,
		XFER_WISH_SHM, XFER_WISH_VERBS };

	for (size_t i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++)
		if (strcmp(text, bench_path_name(wishes[i])) == 0)
			return wishes[i];
	argp_error(state, "--path must be auto, shm, verbs or inline");
	return XFER_WISH_AUTO;
}

/* With --raw there is neither an owner nor a file. */
static void check_raw(const struct ctl_bench_options *bench, struct argp_state *state)
{
	bool other = bench->volume || bench->volume_id || bench->owner || bench->as ||
		     bench->file_size || bench->path != XFER_WISH_AUTO || bench->certificate ||
		     bench->key || bench->ca || bench->insecure;

	if (bench->raw && other)
		argp_error(state, "beside --raw there can be --address, --size, --depth, --lanes, "
				  "--seconds and --verify");
	if (!bench->raw && (bench->address || bench->verify))
		argp_error(state, "--address and --verify go with --raw");
}

static void check_certificate(const struct ctl_bench_options *bench, struct argp_state *state)
{
	unsigned files = !!bench->certificate + !!bench->key + !!bench->ca;

	if (files != 0 && files != 3)
		argp_error(state, "--certificate, --key and --ca go together");
	if (files != 0 && bench->insecure)
		argp_error(state, "--insecure shows no certificate: leave one of the two out");
}

/* Two operations under way never have a block in common. */
static void check(struct ctl_bench_options *bench, struct argp_state *state)
{
	check_raw(bench, state);
	check_certificate(bench, state);
	if (bench->file_size == 0)
		bench->file_size = DEFAULT_FILE_SIZE;
	if (!bench->raw && bench->file_size / bench->size < bench->depth)
		argp_error(state,
			"--file-size must be at least --size times --depth, %llu bytes here",
			(unsigned long long)bench->size * bench->depth);
}

static error_t parse_numbers(
	int key, const char *arg, struct argp_state *state, struct ctl_bench_options *bench)
{
	switch (key) {
	case KEY_VOLUME_ID:
		bench->volume_id = (uint32_t)parse_count(arg, state, "volume-id", UINT32_MAX);
		break;
	case KEY_SIZE:
		bench->size = (uint32_t)parse_bytes(arg, state, "size", XFER_IO_MAX);
		break;
	case KEY_DEPTH:
		bench->depth = (unsigned)parse_count(arg, state, "depth", BENCH_DEPTH_MAX);
		break;
	case KEY_LANES:
		bench->lanes = (unsigned)parse_count(arg, state, "lanes", BENCH_LANES_MAX);
		break;
	case KEY_SECONDS:
		bench->seconds = parse_seconds(arg, state);
		break;
	case KEY_FILE_SIZE:
		bench->file_size = parse_bytes(arg, state, "file-size", FILE_SIZE_MAX);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static error_t parse_files(
	int key, char *arg, struct argp_state *state, struct ctl_bench_options *bench)
{
	switch (key) {
	case KEY_CERTIFICATE:
		bench->certificate = arg;
		break;
	case KEY_KEY:
		bench->key = arg;
		break;
	case KEY_CA:
		bench->ca = arg;
		break;
	default:
		return parse_numbers(key, arg, state, bench);
	}
	return 0;
}

static error_t parse_words(
	int key, char *arg, struct argp_state *state, struct ctl_bench_options *bench)
{
	switch (key) {
	case KEY_VOLUME:
		bench->volume = arg;
		break;
	case KEY_OWNER:
		bench->owner = arg;
		break;
	case KEY_AS:
		bench->as = arg;
		break;
	case KEY_PATH:
		bench->path = parse_path(arg, state);
		break;
	case KEY_RAW:
		bench->raw = true;
		break;
	case KEY_INSECURE:
		bench->insecure = true;
		break;
	case KEY_ADDRESS:
		bench->address = arg;
		break;
	case KEY_VERIFY:
		bench->verify = true;
		break;
	default:
		return parse_files(key, arg, state, bench);
	}
	return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct ctl_bench_options *bench = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		*bench = (struct ctl_bench_options){ .size = DEFAULT_SIZE,
			.depth = DEFAULT_DEPTH,
			.lanes = DEFAULT_LANES,
			.path = XFER_WISH_AUTO,
			.seconds = DEFAULT_SECONDS };
		break;
	case ARGP_KEY_SUCCESS:
		check(bench, state);
		break;
	default:
		return parse_words(key, arg, state, bench);
	}
	return 0;
}

const struct argp ctl_bench_argp = { .options = options, .parser = parse };
