/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* meta.c -- the workload that creates, stats, lists and unlinks files, one after the other */
#include "workload.h"

#include <err.h>
#include <stdio.h>

#include "stats.h"

static int create_one(struct nfs *nfs, const char *name)
{
	struct nfs_file file;
	int status = nfs->version->create(nfs, name, &file);

	return status ? status : nfs->version->close(nfs, &file);
}

static int stat_one(struct nfs *nfs, const char *name)
{
	uint64_t size = UINT64_MAX;
	int status = nfs->version->stat(nfs, name, &size);

	if (!status && size)
		errx(1, "%s is empty, but has %llu bytes on the server", name,
			(unsigned long long)size);
	return status;
}

static uint64_t for_each(struct nfs *nfs, const struct options *options, const char *what,
	int (*operation)(struct nfs *nfs, const char *name))
{
	struct stats stats;

	stats_begin(&stats, NULL);
	for (unsigned i = 0; i < options->count && !stats.errors; i++) {
		uint64_t began = stats_now();
		char name[64];
		int status;

		snprintf(name, sizeof(name), "nfsload-meta-%07u", i);
		status = operation(nfs, name);
		if (status) {
			warnx("%s of %s failed: %s", what, name, nfs_status_name(status));
			stats.errors++;
		} else {
			stats_add(&stats, 0, stats_now() - began);
		}
	}
	stats_end(&stats);
	stats_print(&stats, what, nfs_take_delays(nfs), options->json);
	stats_free(&stats);
	return stats.errors;
}

/* One listing is one operation; other files may be in the directory, so ours are a minimum. */
static uint64_t list(struct nfs *nfs, const struct options *options)
{
	struct stats stats;
	unsigned entries = 0;
	int status;

	stats_begin(&stats, NULL);
	status = nfs->version->list(nfs, &entries);
	stats_end(&stats);
	stats_add(&stats, 0, stats.ended_ns - stats.began_ns);
	if (status)
		warnx("listing failed: %s", nfs_status_name(status));
	else if (entries < options->count)
		warnx("the listing has %u entries, but %u files were created", entries,
			options->count);
	stats.errors = status || entries < options->count;
	stats_print(&stats, "list", nfs_take_delays(nfs), options->json);
	stats_free(&stats);
	return stats.errors;
}

uint64_t workload_meta(struct nfs *nfs, const struct options *options)
{
	uint64_t errors = for_each(nfs, options, "create", create_one);

	if (!errors)
		errors = for_each(nfs, options, "stat", stat_one);
	if (!errors)
		errors = list(nfs, options);
	if (!errors)
		errors = for_each(nfs, options, "unlink", nfs->version->remove);
	return errors;
}
