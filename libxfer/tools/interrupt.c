/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* interrupt.c -- signals that end a bench */

#include <signal.h>
#include <stdatomic.h>

#include "bench.h"

static _Atomic bool seen; /* by whichever thread */

static void note(int number)
{
	(void)number;
	seen = true;
}

void interrupt_catch(void)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = note,
		.sa_flags = SA_RESTART | (int)SA_RESETHAND };

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		sigaction(numbers[i], &action, NULL);
}

bool interrupted(void)
{
	return seen;
}
