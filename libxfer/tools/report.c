/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* report.c -- what a bench has found, as a table or as JSON */

#include <stdio.h>

#include <jansson.h>

#include "bench.h"

static double mib_s_ratio(const struct measurement *of, const struct measurement *to)
{
	double whole = measurement_mib_s(to);

	return whole > 0 ? measurement_mib_s(of) / whole : 0;
}

/* --- the table ----------------------------------------------------------------------------------- */

static void print_row(const char *name, const struct measurement *measurement)
{
	printf("%-8s %9.1f %9.0f %9.1f %9.1f %9.1f %9.3f\n", name, measurement_mib_s(measurement),
		measurement_operations_s(measurement), measurement_mean_us(measurement),
		measurement_quantile_us(measurement, 0.5),
		measurement_quantile_us(measurement, 0.99), measurement_cpu_s_gib(measurement));
}

static void print_part(const char *name, const struct report_part *part)
{
	print_row(name, &part->bench);
	print_row("  memcpy", &part->copy);
	print_row("  TCP", &part->echo);
	printf("  %s/memcpy %.3f, %s/TCP %.3f\n", name, mib_s_ratio(&part->bench, &part->copy),
		name, mib_s_ratio(&part->bench, &part->echo));
	if (part->bench.delays > 0)
		printf("  put off by the owner and asked again: %llu\n",
			(unsigned long long)part->bench.delays);
}

static void print_table(const struct report *report)
{
	const struct ctl_bench_options *options = &report->ctl->bench;

	printf("volume %s of owner %s at %s: %u bytes, depth %u, lanes %u, path %s; %llu blocks verified\n",
		options->volume, report->owner->name, report->owner->address, options->size,
		options->depth, options->lanes, bench_path_name(report->path),
		(unsigned long long)report->blocks);
	printf("%-8s %9s %9s %9s %9s %9s %9s\n", "", "MiB/s", "ops/s", "mean us", "p50 us",
		"p99 us", "CPU s/GiB");
	print_part("WRITE", &report->write);
	print_part("READ", &report->read);
}

/* --- JSON ---------------------------------------------------------------------------------------- */

static json_t *measurement_json(const struct measurement *measurement)
{
	return json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:I, s:I, s:f}", "mib_per_s",
		measurement_mib_s(measurement), "ops_per_s", measurement_operations_s(measurement),
		"mean_us", measurement_mean_us(measurement), "p50_us",
		measurement_quantile_us(measurement, 0.5), "p99_us",
		measurement_quantile_us(measurement, 0.99), "cpu_s_per_gib",
		measurement_cpu_s_gib(measurement), "operations",
		(json_int_t)measurement->operations, "bytes", (json_int_t)measurement->bytes,
		"seconds", measurement->seconds);
}

static json_t *part_json(const struct report_part *part)
{
	return json_pack("{s:o, s:o, s:o, s:f, s:f, s:I}", "bench", measurement_json(&part->bench),
		"memcpy", measurement_json(&part->copy), "tcp", measurement_json(&part->echo),
		"bench_per_memcpy", mib_s_ratio(&part->bench, &part->copy), "bench_per_tcp",
		mib_s_ratio(&part->bench, &part->echo), "delays", (json_int_t)part->bench.delays);
}

static void print_json(const struct report *report)
{
	const struct ctl_bench_options *options = &report->ctl->bench;
	json_t *json = json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:I, s:I, s:o, s:o}",
		"owner", report->owner->name, "address", report->owner->address, "node",
		report->owner->node, "volume", options->volume, "path",
		bench_path_name(report->path), "size", (int)options->size, "depth",
		(int)options->depth, "lanes", (int)options->lanes, "file_size",
		(json_int_t)(report->blocks * options->size), "blocks_verified",
		(json_int_t)report->blocks, "write", part_json(&report->write), "read",
		part_json(&report->read));

	json_dumpf(json, stdout, JSON_INDENT(2));
	printf("\n");
	json_decref(json);
}

void report_print(const struct report *report)
{
	if (report->ctl->json)
		print_json(report);
	else
		print_table(report);
}
