/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* measurement.c -- operations, their latencies, processor time */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "bench.h"

#define KEPT_MAX ((size_t)1 << 17) /* latencies; an even number */
#define MIB      1048576.0
#define GIB      1073741824.0

/* Seconds, of all threads. */
static double cpu_now(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

int measurement_begin(struct measurement *measurement)
{
	memset(measurement, 0, sizeof(*measurement));
	measurement->latencies = malloc(KEPT_MAX * sizeof(*measurement->latencies));
	if (!measurement->latencies)
		return -ENOMEM;
	pthread_mutex_init(&measurement->lock, NULL);
	measurement->stride = 1;
	measurement->cpu_begun = cpu_now();
	measurement->begun_ns = measurement->last_ns = xfer_now_ns();
	return 0;
}

/* With the lock held: each second one goes. */
static void thin_out(struct measurement *measurement)
{
	measurement->kept /= 2;
	measurement->stride *= 2;
	for (size_t i = 0; i < measurement->kept; i++)
		measurement->latencies[i] = measurement->latencies[2 * i];
}

void measurement_add(struct measurement *measurement, uint64_t bytes, uint64_t ns)
{
	uint64_t now = xfer_now_ns();

	pthread_mutex_lock(&measurement->lock);
	if (measurement->kept == KEPT_MAX)
		thin_out(measurement);
	if (measurement->operations++ % measurement->stride == 0)
		measurement->latencies[measurement->kept++] = ns;
	measurement->bytes += bytes;
	measurement->latency_ns += ns;
	if (now > measurement->last_ns)
		measurement->last_ns = now;
	pthread_mutex_unlock(&measurement->lock);
}

static int compare(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return (left > right) - (left < right);
}

void measurement_end(struct measurement *measurement)
{
	measurement->cpu_seconds = cpu_now() - measurement->cpu_begun;
	measurement->seconds = (double)(measurement->last_ns - measurement->begun_ns) / 1e9;
	qsort(measurement->latencies, measurement->kept, sizeof(*measurement->latencies), compare);
}

void measurement_destroy(struct measurement *measurement)
{
	if (!measurement->latencies)
		return;
	pthread_mutex_destroy(&measurement->lock);
	free(measurement->latencies);
}

/* What never happened took no time. */
static double ratio(double of, double to)
{
	return to > 0 ? of / to : 0;
}

double measurement_mib_s(const struct measurement *measurement)
{
	return ratio((double)measurement->bytes / MIB, measurement->seconds);
}

double measurement_operations_s(const struct measurement *measurement)
{
	return ratio((double)measurement->operations, measurement->seconds);
}

double measurement_mean_us(const struct measurement *measurement)
{
	return ratio((double)measurement->latency_ns / 1e3, (double)measurement->operations);
}

double measurement_quantile_us(const struct measurement *measurement, double quantile)
{
	size_t rank = (size_t)(quantile * (double)measurement->kept);

	if (measurement->kept == 0)
		return 0;
	if (rank >= measurement->kept)
		rank = measurement->kept - 1;
	return (double)measurement->latencies[rank] / 1e3;
}

double measurement_cpu_s_gib(const struct measurement *measurement)
{
	return ratio(measurement->cpu_seconds, (double)measurement->bytes / GIB);
}
