/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* trace.c -- the last steps of all threads, and what must not have happened */

#include "trace.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define STEPS 64

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char steps[STEPS][120];
static unsigned nsteps;
static const char *repeat;

void trace_begin(const char *again)
{
	repeat = again;
}

void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	pthread_mutex_lock(&lock);
	vsnprintf(steps[nsteps++ % STEPS], sizeof(steps[0]), format, args);
	pthread_mutex_unlock(&lock);
	va_end(args);
}

_Noreturn void fail(const char *format, ...)
{
	va_list args;

	/* Kept: what others do now is of no interest any more. */
	pthread_mutex_lock(&lock);
	for (unsigned i = nsteps > STEPS ? nsteps - STEPS : 0; i < nsteps; i++)
		printf("  %s\n", steps[i % STEPS]);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\nagain: %s\n", repeat);
	fflush(stdout);
	_exit(1);
}
