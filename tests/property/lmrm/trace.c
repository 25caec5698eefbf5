/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* trace.c -- the last steps, and what must not have happened */

#include <stdarg.h>
#include <stdio.h>

#include "trace.h"

#define TRACE 48

jmp_buf failed;
char problem[160];

static char trace[TRACE][120];
static unsigned traced;

void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(trace[traced++ % TRACE], sizeof(trace[0]), format, args);
	va_end(args);
}

_Noreturn void fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(problem, sizeof(problem), format, args);
	va_end(args);
	longjmp(failed, 1);
}

void forget_trace(void)
{
	traced = 0;
}

void print_trace(void)
{
	for (unsigned i = traced > TRACE ? traced - TRACE : 0; i < traced; i++)
		printf("  %s\n", trace[i % TRACE]);
}
