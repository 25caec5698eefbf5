/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* log.h -- one line per event, to whoever the process named */
#ifndef XFER_LOG_H
#define XFER_LOG_H

#include "xfer/xfer.h"

/* Process-wide; the default sink is stderr, the default level INFO. */
void xfer_log_set_sink(xfer_log_fn sink);
void xfer_log_set_level(enum xfer_log_level level);
/* -EINVAL: not one of error, warn, info, debug. */
int xfer_log_level_parse(const char *text, enum xfer_log_level *level);

void xfer_log(enum xfer_log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#define xfer_error(...) xfer_log(XFER_LOG_ERROR, __VA_ARGS__)
#define xfer_warn(...)  xfer_log(XFER_LOG_WARN, __VA_ARGS__)
#define xfer_info(...)  xfer_log(XFER_LOG_INFO, __VA_ARGS__)
#define xfer_debug(...) xfer_log(XFER_LOG_DEBUG, __VA_ARGS__)

/* Whether a line of the same cause may be written now: at most one in `interval_ms` per limit. */
struct xfer_log_limit {
	_Atomic uint64_t next_ns;
	_Atomic unsigned suppressed;
};
bool xfer_log_allowed(struct xfer_log_limit *limit, unsigned interval_ms, unsigned *suppressed);

/* The limit for all lines with this cause, a text that names peer and reason; causes may share one. */
struct xfer_log_limit *xfer_log_limit_of(const char *cause);

#endif
