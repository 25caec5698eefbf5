/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* bench.c -- rdmaxferctl bench: READ and WRITE below NFS */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "bench.h"

/* Of what is in the file and in memory: what is to be overwritten, and what overwrites it. */
enum { SEED_OLD = 1, SEED_NEW };

struct bench {
	const struct ctl *ctl;
	struct ctl_owner owner;
	struct link link;
	struct scratch scratch;
	struct region file, copy;
	struct transfer *transfer;
	struct progress progress;
	struct report report;
};

/* --- who is asked ------------------------------------------------------------------------------- */

/* At its own socket a process says its name. */
static void ask_name(struct ctl_owner *owner)
{
	const char *node;
	char *answer;
	json_t *status;

	if (xfer_status(owner->address, CTL_TIMEOUT_MS, &answer))
		return;
	status = json_loads(answer, 0, NULL);
	node = json_string_value(json_object_get(status, "node"));
	snprintf(owner->name, sizeof(owner->name), "%s", node ? node : "");
	json_decref(status);
	free(answer);
}

static void find_owner(struct bench *bench)
{
	const struct ctl_bench_options *options = &bench->ctl->bench;
	struct ctl_owner *owner = &bench->owner;

	ctl_find_owner(bench->ctl, owner);
	if (options->as) {
		owner->down = owner->down && strcmp(options->as, owner->node) == 0;
		snprintf(owner->node, sizeof(owner->node), "%s", options->as);
	}
	if (!owner->node[0])
		gethostname(owner->node, sizeof(owner->node) - 1);
	if (options->owner)
		snprintf(owner->name, sizeof(owner->name), "%s", options->owner);
	else if (!owner->name[0] && strncmp(owner->address, "unix:", 5) == 0)
		ask_name(owner);
}

static int check_owner(const struct ctl_owner *owner)
{
	if (!owner->name[0]) {
		fprintf(stderr,
			"rdmaxferctl: nobody here knows the name of the owner at %s: check that it "
			"runs, and name it by --owner\n",
			owner->address);
		return CTL_FAILED;
	}
	/* The owner gives up what a node has open when another process of it comes while it is away. */
	if (owner->down) {
		fprintf(stderr,
			"rdmaxferctl: the session of this node with owner %s is down, and a bench "
			"would cost it its opens and locks: see rdmaxferctl status, and wait until it "
			"is up\n",
			owner->name);
		return CTL_FAILED;
	}
	return CTL_OK;
}

/* --- measurements ------------------------------------------------------------------------------- */

static int run(struct bench *bench, bool write, double seconds, struct measurement *measurement)
{
	int err;

	progress_begin(&bench->progress, write ? "WRITE" : "READ", seconds);
	err = transfer_run(bench->transfer, write, seconds, measurement, &bench->progress);
	if (err) {
		progress_end(&bench->progress);
		scratch_complain(&bench->scratch, write ? "write" : "read", err);
	}
	return err;
}

/* All blocks of the file, for so many seconds; those that had no turn afterwards. */
static int measure(struct bench *bench, bool write, struct measurement *measurement)
{
	int err = measurement_begin(measurement);

	if (err) {
		scratch_complain(&bench->scratch, "measure", err);
		return err;
	}
	transfer_rewind(bench->transfer);
	err = run(bench, write, bench->ctl->bench.seconds, measurement);
	measurement_end(measurement);
	return err ? err : run(bench, write, 0, NULL);
}

static int compare(struct bench *bench, bool write, struct report_part *part)
{
	const struct ctl_bench_options *options = &bench->ctl->bench;
	int err = copy_run(&bench->file, &bench->copy, options->size, part->bench.bytes,
		&part->copy, &bench->progress);

	if (err == 0)
		err = echo_run(options, write, &bench->copy, &part->echo, &bench->progress);
	if (err) {
		progress_end(&bench->progress);
		fprintf(stderr, "rdmaxferctl: the comparison with memcpy and TCP failed: %s\n",
			interrupted() ? "interrupted" : strerror(-err));
	}
	return err;
}

/* The file has its size and its blocks before anything is measured. */
static int measure_write(struct bench *bench)
{
	struct report_part *part = &bench->report.write;
	int err;

	region_fill(&bench->file, SEED_OLD);
	transfer_rewind(bench->transfer);
	err = run(bench, true, 0, NULL);
	if (err)
		return err;
	region_fill(&bench->file, SEED_NEW);
	err = measure(bench, true, &part->bench);
	if (err)
		return err;
	err = scratch_commit(&bench->scratch);
	if (err)
		scratch_complain(&bench->scratch, "commit", err);
	return err ? err : compare(bench, true, part);
}

static int verify(struct bench *bench)
{
	size_t wrong = region_check(&bench->file, SEED_NEW);

	if (wrong == bench->file.size)
		return 0;
	progress_end(&bench->progress);
	fprintf(stderr,
		"rdmaxferctl: byte %zu of the file on volume %s of owner %s is another one than was "
		"written: check memory, disk and network of both nodes\n",
		wrong, bench->scratch.volume, bench->owner.name);
	return -EIO;
}

static int measure_read(struct bench *bench)
{
	struct report_part *part = &bench->report.read;
	int err;

	region_fill(&bench->file, SEED_OLD);
	err = measure(bench, false, &part->bench);
	if (err == 0)
		err = verify(bench);
	return err ? err : compare(bench, false, part);
}

/* --- life --------------------------------------------------------------------------------------- */

static int allocate(struct bench *bench)
{
	size_t size = bench->report.blocks * bench->ctl->bench.size;
	int err = region_create(&bench->file, size);

	if (err == 0)
		err = region_create(&bench->copy, size);
	if (err)
		fprintf(stderr,
			"rdmaxferctl: %zu bytes of memory can't be had twice: lower --file-size\n",
			size);
	return err;
}

static void release(struct bench *bench)
{
	struct report *report = &bench->report;
	struct measurement *measurements[] = { &report->write.bench, &report->write.copy,
		&report->write.echo, &report->read.bench, &report->read.copy, &report->read.echo };

	for (size_t i = 0; i < sizeof(measurements) / sizeof(measurements[0]); i++)
		measurement_destroy(measurements[i]);
	region_destroy(&bench->copy);
	region_destroy(&bench->file);
}

/* With the file there. */
static int measure_all(struct bench *bench)
{
	const struct ctl_bench_options *options = &bench->ctl->bench;
	int err;

	bench->transfer =
		transfer_create(&bench->scratch, &bench->file, options->size, options->depth);
	if (!bench->transfer) {
		scratch_complain(&bench->scratch, "measure", -ENOMEM);
		return -ENOMEM;
	}
	progress_init(&bench->progress, 4 * options->seconds);
	err = measure_write(bench);
	if (err == 0)
		err = measure_read(bench);
	if (err == 0)
		progress_end(&bench->progress);
	transfer_destroy(bench->transfer);
	return err;
}

/* With the session up. */
static int use_session(struct bench *bench)
{
	int err = scratch_create(
		&bench->scratch, bench->ctl, &bench->owner, bench->link.session, bench->file.size);
	int removed;

	if (err)
		return err;
	err = measure_all(bench);
	removed = scratch_remove(&bench->scratch);
	return err ? err : removed;
}

static int complain_link(const struct bench *bench, int err)
{
	const char *path = bench_path_name(bench->ctl->bench.path);
	const struct ctl_owner *owner = &bench->owner;
	const char *trouble = link_trouble();

	if (err == -EINVAL) {
		fprintf(stderr,
			"rdmaxferctl: %s is no address: use HOST[:PORT], unix:PATH or an owner's name "
			"that a process on this node knows\n",
			owner->address);
		return CTL_USAGE;
	}
	if (trouble)
		fprintf(stderr, "rdmaxferctl: %s\n", trouble);
	else if (err == -ENOLINK)
		fprintf(stderr,
			"rdmaxferctl: the session with owner %s at %s is up, but gets no data path "
			"%s: see the owner's log and, for verbs, rdmaxferctl devices on both nodes\n",
			owner->name, owner->address, path);
	else
		fprintf(stderr,
			"rdmaxferctl: no session with owner %s at %s: %s; see the owner's log\n",
			owner->name, owner->address,
			interrupted() ? "interrupted" : strerror(-err));
	return CTL_FAILED;
}

static int use_memory(struct bench *bench)
{
	int err;

	if (allocate(bench))
		return CTL_FAILED;
	interrupt_catch();
	err = link_open(&bench->link, &bench->owner, &bench->ctl->bench);
	if (err)
		return complain_link(bench, err);
	err = use_session(bench);
	bench->report.path = xfer_session_path(bench->link.session);
	link_close(&bench->link);
	if (err == 0)
		report_print(&bench->report);
	return err ? CTL_FAILED : CTL_OK;
}

int ctl_bench(const struct ctl *ctl)
{
	struct bench bench = { .ctl = ctl };
	int code;

	if (ctl->bench.raw)
		return raw_bench(ctl);
	if (!ctl->target) {
		fprintf(stderr,
			"rdmaxferctl: bench needs a NODE, or --raw: HOST[:PORT], unix:PATH or a name\n");
		return CTL_USAGE;
	}
	if (!ctl->bench.volume) {
		fprintf(stderr, "rdmaxferctl: bench needs --volume NAME\n");
		return CTL_USAGE;
	}
	bench.report = (struct report){
		.ctl = ctl, .owner = &bench.owner, .blocks = ctl->bench.file_size / ctl->bench.size
	};
	find_owner(&bench);
	code = check_owner(&bench.owner);
	if (code == CTL_OK)
		code = use_memory(&bench);
	release(&bench);
	return code;
}
