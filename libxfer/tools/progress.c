/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* progress.c -- one line on a terminal that tells what is measured, and for how long */

#include <stdio.h>
#include <unistd.h>

#include "bench.h"

#define INTERVAL_NS (500 * XFER_NS_PER_MS)
#define CLEAR       "\r\033[K" /* ECMA-48: erase the line */

void progress_init(struct progress *progress, double total)
{
	*progress = (struct progress){ .shown = isatty(STDERR_FILENO), .left = total };
}

void progress_begin(struct progress *progress, const char *what, double planned)
{
	progress->what = what;
	progress->planned = planned;
	progress->left -= planned;
	progress->begun_ns = xfer_now_ns();
	progress->next_ns = progress->begun_ns;
}

static uint64_t bytes_of(struct measurement *measurement)
{
	uint64_t bytes;

	pthread_mutex_lock(&measurement->lock);
	bytes = measurement->bytes;
	pthread_mutex_unlock(&measurement->lock);
	return bytes;
}

void progress_show(struct progress *progress, struct measurement *measurement)
{
	uint64_t now = progress->shown ? xfer_now_ns() : 0;
	double elapsed = (double)(now - progress->begun_ns) / 1e9;
	double rest = elapsed < progress->planned ? progress->planned - elapsed : 0;

	if (!progress->shown || now < progress->next_ns)
		return;
	progress->next_ns = now + INTERVAL_NS;
	fprintf(stderr, CLEAR "%s", progress->what);
	if (measurement && elapsed > 0)
		fprintf(stderr, ": %.0f MiB/s", (double)bytes_of(measurement) / elapsed / 1048576);
	fprintf(stderr, ", about %.0f s left", progress->left + rest);
}

void progress_end(struct progress *progress)
{
	if (progress->shown)
		fprintf(stderr, CLEAR);
}
