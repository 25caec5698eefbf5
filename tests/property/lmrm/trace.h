/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* trace.h -- the last steps, and what must not have happened */
#ifndef TESTS_PROPERTY_LMRM_TRACE_H
#define TESTS_PROPERTY_LMRM_TRACE_H

#include <setjmp.h>

extern jmp_buf failed;    /* where fail() goes */
extern char problem[160]; /* what it was told */

void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
void forget_trace(void);
void print_trace(void);

#define CHECK(condition, ...)                                                                      \
	do {                                                                                       \
		if (!(condition))                                                                  \
			fail(__VA_ARGS__);                                                         \
	} while (0)

#endif
