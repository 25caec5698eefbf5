/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* io.c -- the workload that reads or writes one file of a known content */
#include "workload.h"

#include <err.h>
#include <stdlib.h>

#include "transfer.h"

#define FILL_DEPTH 8
#define FILL_SIZE  (1024 * 1024)

static struct transfer_plan plan_of(const struct options *options, bool writing)
{
	return (struct transfer_plan){
		.writing = writing,
		.random = options->random,
		.size = options->size,
		.depth = options->depth,
		.file_size = options->file_size,
		.ops = options->ops,
		.seconds = options->seconds,
		.each = options->each,
		.stable = options->stable,
		.cpu = options->cpu.count ? &options->cpu : NULL,
	};
}

/* Not measured: the whole file. */
static uint64_t fill(struct nfs *nfs, struct nfs_file *file, uint64_t file_size, uint64_t seed)
{
	const struct transfer_plan plan = {
		.writing = true,
		.size = FILL_SIZE,
		.depth = FILL_DEPTH,
		.file_size = file_size,
		.stable = NFS_UNSTABLE,
	};
	struct content content;
	struct stats stats;

	content_pattern(&content, seed);
	transfer_run(nfs, file, &content, &plan, &stats);
	stats_free(&stats);
	return stats.errors;
}

/* Not measured: each block that was written has to be what was written. */
static uint64_t verify(struct nfs *nfs, struct nfs_file *file, struct content *content,
	const struct options *options, const uint8_t *written)
{
	struct transfer_plan plan = plan_of(options, false);
	struct stats stats;

	plan.random = false;
	plan.cpu = NULL;
	plan.depth = FILL_DEPTH;
	plan.ops = 0;
	plan.seconds = 0;
	plan.each = 0;
	plan.only = written;
	transfer_run(nfs, file, content, &plan, &stats);
	stats_free(&stats);
	return stats.errors;
}

static uint64_t write_file(struct nfs *nfs, struct nfs_file *file, struct content *content,
	const struct options *options)
{
	struct transfer_plan plan = plan_of(options, true);
	uint8_t *written = calloc(options->file_size / options->size + 1, 1);
	struct stats stats;
	uint64_t errors;

	if (!written)
		err(1, "no memory for notes on each operation");
	plan.written = written;
	if (options->reading) { /* over all of the file: the reads need it */
		plan.random = false;
		plan.ops = 0;
		plan.seconds = 0;
		plan.each = 0;
	}
	transfer_run(nfs, file, content, &plan, &stats);
	stats_print(&stats, "write", nfs_take_delays(nfs), options->json);
	errors = stats.errors;
	if (!errors && options->verify)
		errors = verify(nfs, file, content, options, written);
	stats_free(&stats);
	free(written);
	return errors;
}

static uint64_t read_file(struct nfs *nfs, struct nfs_file *file, struct content *content,
	const struct options *options)
{
	struct transfer_plan plan = plan_of(options, false);
	struct stats stats;

	transfer_run(nfs, file, content, &plan, &stats);
	stats_print(&stats, "read", nfs_take_delays(nfs), options->json);
	stats_free(&stats);
	return stats.errors;
}

uint64_t workload_io(struct nfs *nfs, const struct options *options)
{
	bool changing = options->fill || options->writing;
	bool making = changing && !options->existing;
	struct nfs_file file;
	struct content content;
	uint64_t errors = 0;
	int status;

	status = making ? nfs->version->create(nfs, options->file, &file)
			: nfs->version->open(nfs, options->file, changing, &file);
	if (status)
		errx(1, "can't open %s: %s%s", options->file, nfs_status_name(status),
			making ? "" : " (make it first: --fill or --write)");
	content_pattern(&content, options->seed);
	/* What is written over has another content, so that a write which got lost is noticed. */
	if (options->fill)
		errors = fill(nfs, &file, options->file_size, options->seed + options->writing);
	if (options->writing && !errors)
		errors = write_file(nfs, &file, &content, options);
	if (options->reading && !errors)
		errors = read_file(nfs, &file, &content, options);
	status = nfs->version->close(nfs, &file);
	if (status)
		warnx("closing %s failed: %s", options->file, nfs_status_name(status));
	return errors + !!status;
}
