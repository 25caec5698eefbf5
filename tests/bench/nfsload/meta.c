/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* meta.c -- the workload that creates, stats and unlinks files, many at a time */
#include "workload.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>

#include "stats.h"

#define DELAY_NS    20000000u
#define REPLY_BYTES 4096
#define NOENT       2

/* The same is done to all files. */
struct pass {
	struct nfs *nfs;
	const char *what;
	enum nfs_meta_kind kind;
	int wanted; /* the status that is right */
	unsigned issued;
	unsigned count;
	unsigned busy;
	struct stats stats;
};

/* One operation under way, and after it the next; an open owner of v4. */
struct worker {
	struct call call;
	struct pass *pass;
	struct conn *conn;
	struct nfs_owner owner;
	struct nfs_meta meta;
	char name[64];
	uint64_t began_ns;
	uint64_t retry_ns; /* 0: nothing to be tried again */
};

static void worker_send(struct worker *worker)
{
	struct nfs *nfs = worker->pass->nfs;

	worker->retry_ns = 0;
	nfs->version->build_meta(nfs, worker->conn, &worker->call, &worker->meta);
	conn_submit(worker->conn, &worker->call);
}

/* Each file has a mode that tells it from its neighbours. */
static uint32_t mode_of(unsigned number)
{
	return 0600 + number % 64;
}

static void worker_next(struct worker *worker)
{
	struct pass *pass = worker->pass;

	if (pass->issued == pass->count) {
		pass->busy--;
		return;
	}
	snprintf(worker->name, sizeof(worker->name), "nfsload-meta-%07u", pass->issued);
	worker->meta = (struct nfs_meta){
		.kind = pass->kind,
		.name = worker->name,
		.mode = mode_of(pass->issued++),
		.owner = &worker->owner,
	};
	worker->began_ns = stats_now();
	worker_send(worker);
}

static bool is_right(const struct pass *pass, const struct nfs_meta *meta, int status)
{
	const struct nfs_attr *attr = &meta->attr;

	if (status != pass->wanted) {
		warnx("%s of %s: %s", pass->what, meta->name,
			status ? nfs_status_name(status) : "it is still there");
		return false;
	}
	if (status || meta->kind != NFS_STAT)
		return true;
	if (attr->type != NFS_REGULAR || attr->nlink != 1 || attr->size ||
		(attr->mode & 07777) != meta->mode) {
		warnx("%s of %s: its attributes are wrong (type %u, mode %o, %u links)", pass->what,
			meta->name, attr->type, attr->mode, attr->nlink);
		return false;
	}
	return true;
}

static void worker_done(struct call *call)
{
	struct worker *worker = call->context;
	struct pass *pass = worker->pass;
	bool more;
	int status = pass->nfs->version->parse_meta(call, &worker->meta, &more);

	if (nfs_is_delay(status)) {
		pass->nfs->delays++;
		worker->retry_ns = stats_now() + DELAY_NS;
		return;
	}
	if (!status && more) {
		worker_send(worker);
		return;
	}
	if (!is_right(pass, &worker->meta, status)) {
		pass->stats.errors++;
		pass->count = pass->issued;
		pass->busy--;
		return;
	}
	stats_add(&pass->stats, 0, stats_now() - worker->began_ns);
	worker_next(worker);
}

static struct worker *workers_make(struct nfs *nfs, unsigned count)
{
	struct worker *workers = calloc(count, sizeof(workers[0]));

	if (!workers)
		err(1, "no memory for %u operations", count);
	for (unsigned i = 0; i < count; i++) {
		struct worker *worker = &workers[i];

		worker->conn = nfs->conns[i % nfs->count];
		worker->call.context = worker;
		worker->call.done = worker_done;
		snprintf(worker->owner.name, sizeof(worker->owner.name), "%s %u", nfs->client_name,
			i);
		conn_add_call(worker->conn, &worker->call, REPLY_BYTES);
	}
	return workers;
}

/* Send again what the server wanted delayed and is due; how long to wait for the next, in ms. */
static int retry_due(struct worker *workers, unsigned count)
{
	int timeout_ms = CONN_REPLY_SECONDS * 1000;

	for (unsigned i = 0; i < count; i++) {
		if (!workers[i].retry_ns)
			continue;
		if (workers[i].retry_ns <= stats_now())
			worker_send(&workers[i]);
		else
			timeout_ms = 1;
	}
	return timeout_ms;
}

/* The caller frees the pass's stats. */
static uint64_t pass_run(struct pass *pass, struct worker *workers, unsigned count)
{
	struct nfs *nfs = pass->nfs;

	stats_begin(&pass->stats, NULL);
	pass->busy = count;
	for (unsigned i = 0; i < count; i++) {
		workers[i].pass = pass;
		worker_next(&workers[i]);
	}
	while (pass->busy) {
		int timeout_ms = retry_due(workers, count);

		conn_wait(nfs->conns, nfs->count, timeout_ms);
	}
	stats_end(&pass->stats);
	return pass->stats.errors;
}

uint64_t workload_meta(struct nfs *nfs, const struct options *options)
{
	static const struct {
		const char *what;
		enum nfs_meta_kind kind;
		int wanted;
		bool measured;
	} passes[] = {
		{ "create", NFS_CREATE, 0, true }, { "stat", NFS_STAT, 0, true },
		{ "unlink", NFS_REMOVE, 0, true },
		{ "stat", NFS_STAT, NOENT, false }, /* they are gone */
	};
	unsigned count = options->depth * nfs->count;
	struct worker *workers = workers_make(nfs, count);
	uint64_t errors = 0;

	if (options->dir)
		nfs_enter(nfs, options->dir);
	for (size_t i = 0; i < sizeof(passes) / sizeof(passes[0]) && !errors; i++) {
		struct pass pass = {
			.nfs = nfs,
			.what = passes[i].what,
			.kind = passes[i].kind,
			.wanted = passes[i].wanted,
			.count = options->count,
		};

		errors = pass_run(&pass, workers, count);
		if (passes[i].measured)
			stats_print(&pass.stats, pass.what, nfs_take_delays(nfs), options->json);
		stats_free(&pass.stats);
	}
	for (unsigned i = 0; i < count; i++)
		conn_drop_call(workers[i].conn, &workers[i].call);
	free(workers);
	return errors;
}
