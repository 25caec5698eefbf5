/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* log.c -- one line per event */

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "log.h"

static const char *const level_names[] = { "error", "warn", "info", "debug" };

static void to_stderr(enum xfer_log_level level, const char *message)
{
	struct timespec now;
	struct tm tm;
	char stamp[32];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
	fprintf(stderr, "%s.%03ldZ %-5s %s\n", stamp, now.tv_nsec / 1000000, level_names[level],
		message);
}

static _Atomic(xfer_log_fn) sink = to_stderr;
static _Atomic int max_level = XFER_LOG_INFO;

void xfer_log_set_sink(xfer_log_fn fn)
{
	atomic_store(&sink, fn ? fn : to_stderr);
}

void xfer_log_set_level(enum xfer_log_level level)
{
	atomic_store(&max_level, (int)level);
}

int xfer_log_level_parse(const char *text, enum xfer_log_level *level)
{
	for (unsigned i = 0; i < sizeof(level_names) / sizeof(*level_names); i++)
		if (strcmp(text, level_names[i]) == 0) {
			*level = i;
			return 0;
		}
	return -EINVAL;
}

void xfer_log(enum xfer_log_level level, const char *format, ...)
{
	char line[1024];
	va_list ap;

	if ((int)level > atomic_load(&max_level))
		return;
	va_start(ap, format);
	vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	atomic_load (&sink)(level, line);
}

bool xfer_log_allowed(struct xfer_log_limit *limit, unsigned interval_ms, unsigned *suppressed)
{
	uint64_t now = xfer_now_ns();
	uint64_t next = atomic_load(&limit->next_ns);

	if (now < next || !atomic_compare_exchange_strong(
				  &limit->next_ns, &next, now + interval_ms * XFER_NS_PER_MS)) {
		atomic_fetch_add(&limit->suppressed, 1);
		return false;
	}
	*suppressed = atomic_exchange(&limit->suppressed, 0);
	return true;
}

struct xfer_log_limit *xfer_log_limit_of(const char *cause)
{
	static struct {
		_Atomic uint32_t hash;
		struct xfer_log_limit limit;
	} slots[256];
	uint32_t hash = 2166136261u; /* FNV-1a */

	while (*cause)
		hash = (hash ^ (uint8_t)*cause++) * 16777619u;
	/* Another cause's: whoever comes last has it, so that nothing new is ever kept back. */
	if (atomic_exchange(&slots[hash % 256].hash, hash) != hash)
		atomic_store(&slots[hash % 256].limit.next_ns, 0);
	return &slots[hash % 256].limit;
}
