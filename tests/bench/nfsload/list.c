/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* list.c -- the workload that lists a directory whose entries are known */
#include "workload.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>

#include "stats.h"

struct listing {
	unsigned count;
	uint8_t *seen; /* one for each entry that has to be there */
	unsigned found;
	uint64_t errors;
};

static bool is_dots(const char *name, uint32_t len)
{
	return (len == 1 && name[0] == '.') || (len == 2 && name[0] == '.' && name[1] == '.');
}

/* The number in entry-NUMBER; false if that is no name of ours. */
static bool entry_number(const char *name, uint32_t len, unsigned *number)
{
	char copy[32], again[32];

	if (len >= sizeof(copy))
		return false;
	memcpy(copy, name, len);
	copy[len] = '\0';
	if (sscanf(copy, "entry-%u", number) != 1)
		return false;
	snprintf(again, sizeof(again), "entry-%06u", *number);
	return !strcmp(copy, again);
}

static bool is_right(const struct nfs_attr *attr, unsigned number)
{
	return attr && attr->type == NFS_REGULAR && attr->nlink == 1 &&
	       attr->size == number % 4096 && (attr->mode & 07777) == 0600 + number % 64;
}

static void visit(void *arg, const char *name, uint32_t len, const struct nfs_attr *attr)
{
	struct listing *listing = arg;
	unsigned number;

	if (is_dots(name, len))
		return;
	if (!entry_number(name, len, &number) || number >= listing->count) {
		warnx("the listing has %.*s, which isn't in the directory", (int)len, name);
		listing->errors++;
	} else if (listing->seen[number]) {
		warnx("the listing has %.*s twice", (int)len, name);
		listing->errors++;
	} else if (!is_right(attr, number)) {
		warnx("the listing has %s attributes of %.*s", attr ? "wrong" : "no", (int)len,
			name);
		listing->errors++;
	} else {
		listing->seen[number] = 1;
		listing->found++;
	}
}

/* One listing is one operation. */
static uint64_t list_once(struct nfs *nfs, struct listing *listing, const struct options *options)
{
	struct stats stats;
	int status;

	memset(listing->seen, 0, listing->count);
	listing->found = 0;
	stats_begin(&stats, NULL);
	status = nfs->version->list(nfs, visit, listing);
	stats_end(&stats);
	stats_add(&stats, 0, stats.ended_ns - stats.began_ns);
	if (status)
		warnx("listing failed: %s", nfs_status_name(status));
	else if (listing->found < listing->count)
		warnx("the listing has %u of %u entries", listing->found, listing->count);
	stats.errors = listing->errors + (status || listing->found < listing->count);
	stats_print(&stats, "list", nfs_take_delays(nfs), options->json);
	stats_free(&stats);
	return stats.errors;
}

uint64_t workload_list(struct nfs *nfs, const struct options *options)
{
	struct listing listing = { .count = options->count, .seen = malloc(options->count) };
	uint64_t errors = 0;

	if (!listing.seen)
		err(1, "no memory for notes on each entry");
	if (options->dir)
		nfs_enter(nfs, options->dir);
	for (unsigned i = 0; i < options->times && !errors; i++)
		errors = list_once(nfs, &listing, options);
	free(listing.seen);
	return errors;
}
