/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* bench.h -- what rdmaxferctl bench consists of */
#ifndef XFER_TOOLS_BENCH_H
#define XFER_TOOLS_BENCH_H

#include <pthread.h>
#include <stddef.h>

#include "clock.h"
#include "ctl.h"
#include "xfer/tls.h"

#define BENCH_DEPTH_MAX 256
#define BENCH_LANES_MAX 16
#define BENCH_TICK_US   10000 /* how often what is under way is looked at */

/* --- interrupt.c: ^C ---------------------------------------------------------------------------- */

/* From now on the first SIGINT, SIGTERM or SIGHUP is noted, and the second one kills. */
void interrupt_catch(void);
bool interrupted(void);

/* --- region.c: memory of the file's size -------------------------------------------------------- */

/* A child process doesn't get it. */
struct region {
	uint8_t *data;
	size_t size;
};

int region_create(struct region *region, size_t size);
void region_destroy(struct region *region); /* zeros are fine */
/* With what belongs there: a function of seed and offset. */
void region_fill(struct region *region, uint64_t seed);
/* Where the first byte is that doesn't belong there; its size: nowhere. */
size_t region_check(const struct region *region, uint64_t seed);

/* --- measurement.c: operations, their latencies, processor time --------------------------------- */

struct measurement {
	double seconds, cpu_seconds; /* set by measurement_end; of this process */
	uint64_t delays;             /* operations that the owner has put off */

	pthread_mutex_t lock; /* all that follows, until measurement_end */
	uint64_t operations, bytes;
	uint64_t latency_ns; /* of all operations */
	uint64_t *latencies; /* ns, of each stride-th operation; sorted by measurement_end */
	size_t kept;         /* of them */
	uint64_t stride;     /* grows so that there is room */
	uint64_t begun_ns, last_ns;
	double cpu_begun;
};

int measurement_begin(struct measurement *measurement);
/* An operation has ended. Any thread. */
void measurement_add(struct measurement *measurement, uint64_t bytes, uint64_t ns);
/* Its time is that from its beginning to its last operation. */
void measurement_end(struct measurement *measurement);
void measurement_destroy(struct measurement *measurement); /* zeros are fine */

double measurement_mib_s(const struct measurement *measurement);
double measurement_operations_s(const struct measurement *measurement);
double measurement_mean_us(const struct measurement *measurement);
double measurement_quantile_us(const struct measurement *measurement, double quantile);
double measurement_cpu_s_gib(const struct measurement *measurement);

/* --- progress.c: one line on a terminal --------------------------------------------------------- */

/* For the main thread. */
struct progress {
	bool shown;
	double left; /* seconds that what comes after this measurement takes */
	const char *what;
	double planned; /* seconds of this measurement; 0: nobody knows */
	uint64_t begun_ns, next_ns;
};

/* total: seconds of all measurements. */
void progress_init(struct progress *progress, double total);
void progress_begin(struct progress *progress, const char *what, double planned);
/* Not more often than each half second. measurement may be NULL. */
void progress_show(struct progress *progress, struct measurement *measurement);
/* The line is gone. */
void progress_end(struct progress *progress);

/* --- bench_options.c ---------------------------------------------------------------------------- */

/* "auto", "shm" ... */
const char *bench_path_name(enum xfer_path_wish path);

/* --- link.c: the session ------------------------------------------------------------------------ */

struct link {
	struct xfer_context *context;
	struct xfer_session *session;
	enum xfer_path_wish path; /* that was wished for */
	struct xfer_tls *tls;     /* NULL: none */
	struct xfer_tls_identity *identity;
};

/*
 * Waits until it is up and, if one was wished for, has its data path. -errno: nothing is open; link_trouble may say why.
 * -ENOLINK: it is up, but the data path doesn't come.
 */
int link_open(
	struct link *link, const struct ctl_owner *owner, const struct ctl_bench_options *options);
void link_close(struct link *link);
/* libxfer's first warning: why there is no session, or none any more. NULL: all is well. */
const char *link_trouble(void);

/* --- scratch.c: the file ------------------------------------------------------------------------ */

struct scratch {
	struct xfer_session *session;
	const struct ctl_owner *owner;
	const char *volume;
	struct xfer_cred cred; /* this process's */
	struct xfer_handle root, handle;
	uint64_t open_id;
	char name[XFER_NAME_MAX + 1];
};

/* -errno: it was said on stderr. size: what it is going to have, in bytes. */
int scratch_create(struct scratch *scratch, const struct ctl *ctl, const struct ctl_owner *owner,
	struct xfer_session *session, uint64_t size);
/* So that writing it to the disk takes no time of what follows. */
int scratch_commit(struct scratch *scratch);
int scratch_remove(struct scratch *scratch);
/* On stderr: what failed with err, and what to do. */
void scratch_complain(const struct scratch *scratch, const char *what, int err);

/* --- what is measured --------------------------------------------------------------------------- */

/* transfer.c: READs or WRITEs of all blocks of the file, from or to the same place in a region. */
struct transfer;

struct transfer *transfer_create(
	const struct scratch *scratch, const struct region *region, uint32_t size, unsigned depth);
void transfer_destroy(struct transfer *transfer);
/* No block has been read or written yet. */
void transfer_rewind(struct transfer *transfer);
/*
 * For so many seconds, round and round; seconds 0: those blocks that are left since transfer_rewind. measurement may be
 * NULL. The first error; -EINTR: interrupted.
 */
int transfer_run(struct transfer *transfer, bool write, double seconds,
	struct measurement *measurement, struct progress *progress);

/* copy.c: so many bytes from one region to another, by blocks. */
int copy_run(const struct region *from, struct region *to, uint32_t size, uint64_t bytes,
	struct measurement *measurement, struct progress *progress);

/* echo.c: the same requests and answers over plain TCP, with processes that do nothing else. */
int echo_run(const struct ctl_bench_options *options, bool write, struct region *region,
	struct measurement *measurement, struct progress *progress);

/* raw.c: queue pairs of this host, without an owner. The exit code. */
int raw_bench(const struct ctl *ctl);

/* --- report.c ------------------------------------------------------------------------------------ */

struct report_part {
	struct measurement bench, copy, echo;
};

struct report {
	const struct ctl *ctl;
	const struct ctl_owner *owner;
	uint64_t blocks;          /* of the file; all were verified */
	enum xfer_path_wish path; /* at the end */
	struct report_part write, read;
};

void report_print(const struct report *report);

#endif
