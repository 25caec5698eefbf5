/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* copy.c -- the workload that moves a local file to the server and back */
#include "workload.h"

#include <err.h>
#include <inttypes.h>
#include <unistd.h>

#include "transfer.h"

static void must_open(const struct options *options, int status)
{
	if (status)
		errx(1, "can't open %s: %s", options->file, nfs_status_name(status));
}

static uint64_t move(struct nfs *nfs, struct nfs_file *file, struct content *content, uint64_t size,
	bool writing, const struct options *options)
{
	const struct transfer_plan plan = {
		.writing = writing,
		.size = options->size,
		.depth = options->depth,
		.file_size = size,
		.stable = options->stable,
	};
	struct stats stats;
	int status;

	transfer_run(nfs, file, content, &plan, &stats);
	stats_print(&stats,
		writing        ? "put"
		: options->get ? "get"
			       : "compare",
		nfs_take_delays(nfs), options->json);
	stats_free(&stats);
	status = nfs->version->close(nfs, file);
	if (status)
		warnx("closing %s failed: %s", options->file, nfs_status_name(status));
	return stats.errors + !!status;
}

static uint64_t get(struct nfs *nfs, const struct options *options)
{
	struct nfs_file file;
	struct content content;
	uint64_t errors;

	must_open(options, nfs->version->open(nfs, options->file, false, &file));
	content_fill(&content, options->local);
	errors = move(nfs, &file, &content, file.size, false, options);
	if (close(content.fd))
		err(1, "can't write %s", options->local);
	return errors;
}

uint64_t workload_copy(struct nfs *nfs, const struct options *options)
{
	struct nfs_file file;
	struct content content;
	uint64_t errors = 0;

	if (options->get)
		return get(nfs, options);
	content_map(&content, options->local);
	if (options->put) {
		must_open(options, nfs->version->create(nfs, options->file, &file));
		errors = move(nfs, &file, &content, content.size, true, options);
	}
	if (!options->compare || errors)
		return errors;
	must_open(options, nfs->version->open(nfs, options->file, false, &file));
	if (file.size != content.size) {
		warnx("%s has %" PRIu64 " bytes on the server, %" PRIu64 " here", options->file,
			file.size, content.size);
		errors++;
	}
	return errors + move(nfs, &file, &content,
				file.size < content.size ? file.size : content.size, false,
				options);
}
