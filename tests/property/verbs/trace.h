/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* trace.h -- the last steps of all threads, and what must not have happened */
#ifndef TESTS_PROPERTY_VERBS_TRACE_H
#define TESTS_PROPERTY_VERBS_TRACE_H

/* What repeats the run. */
void trace_begin(const char *again);
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Prints the last steps, and ends the process. */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define CHECK(condition, ...)                                                                      \
	do {                                                                                       \
		if (!(condition))                                                                  \
			fail(__VA_ARGS__);                                                         \
	} while (0)

#endif
