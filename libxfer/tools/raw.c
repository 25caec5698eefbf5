/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* raw.c -- rdmaxferctl bench --raw: this host's queue pairs, without an owner */

#include <stdio.h>

#include <jansson.h>

#include "bench.h"

#define MIB 1048576.0
#define GIB 1073741824.0

static double mib_s(const struct xfer_raw_result *result)
{
	return (double)result->bytes / MIB / result->seconds;
}

static double operations_s(const struct xfer_raw_result *result)
{
	return (double)result->operations / result->seconds;
}

static double cpu_s_gib(const struct xfer_raw_result *result)
{
	return result->cpu_seconds / ((double)result->bytes / GIB);
}

static double per_operation(const struct xfer_raw_result *result, uint64_t count)
{
	return (double)count / (double)result->operations;
}

static void print_table(
	const struct ctl_bench_options *options, const struct xfer_raw_result *result)
{
	printf("from and to %s: %u bytes, depth %u, queue pairs %u; %s verified\n", result->address,
		options->size, options->depth, options->lanes,
		options->verify ? "all writes" : "a first write of each slot");
	printf("%-8s %9s %9s %9s %9s %9s\n", "", "MiB/s", "ops/s", "mean us", "max us",
		"CPU s/GiB");
	printf("%-8s %9.1f %9.0f %9.1f %9.1f %9.3f\n", "WRITE", mib_s(result), operations_s(result),
		result->mean_us, result->max_us, cpu_s_gib(result));
	printf("  for each: posts %.3f, completions %.3f, wake-ups %.3f\n",
		per_operation(result, result->posts), per_operation(result, result->completions),
		per_operation(result, result->wakeups));
}

static void print_json(
	const struct ctl_bench_options *options, const struct xfer_raw_result *result)
{
	json_t *json = json_pack(
		"{s:s, s:i, s:i, s:i, s:b, s:f, s:f, s:f, s:f, s:f, s:I, s:I, s:f, "
		"s:I, s:I, s:I}",
		"address", result->address, "size", (int)options->size, "depth",
		(int)options->depth, "lanes", (int)options->lanes, "verify", (int)options->verify,
		"mib_per_s", mib_s(result), "ops_per_s", operations_s(result), "mean_us",
		result->mean_us, "max_us", result->max_us, "cpu_s_per_gib", cpu_s_gib(result),
		"operations", (json_int_t)result->operations, "bytes", (json_int_t)result->bytes,
		"seconds", result->seconds, "posts", (json_int_t)result->posts, "completions",
		(json_int_t)result->completions, "wakeups", (json_int_t)result->wakeups);

	json_dumpf(json, stdout, JSON_INDENT(2));
	printf("\n");
	json_decref(json);
}

/* Of libxfer's log. */
static void warn(enum xfer_log_level level, const char *message)
{
	if (level <= XFER_LOG_WARN)
		fprintf(stderr, "rdmaxferctl: %s\n", message);
}

int raw_bench(const struct ctl *ctl)
{
	const struct ctl_bench_options *options = &ctl->bench;
	const struct xfer_raw_params params = {
		.address = options->address,
		.size = options->size,
		.depth = options->depth,
		.lanes = options->lanes,
		.seconds = options->seconds,
		.verify = options->verify,
		.log = warn,
	};
	struct xfer_raw_result result;
	char why[512];

	if (ctl->target) {
		fprintf(stderr, "rdmaxferctl: bench --raw takes no NODE: it is about this host\n");
		return CTL_USAGE;
	}
	if (xfer_raw_run(&params, &result, why, sizeof(why))) {
		fprintf(stderr, "rdmaxferctl: queue pairs can't be measured: %s\n", why);
		return CTL_FAILED;
	}
	if (ctl->json)
		print_json(options, &result);
	else
		print_table(options, &result);
	return CTL_OK;
}
