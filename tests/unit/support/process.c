/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* process.c -- for tests that look for what stays behind: this process's descriptors and threads */

#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/process.h"

unsigned process_entries(const char *folder)
{
	DIR *dir = opendir(folder);
	unsigned count = 0;

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

unsigned process_descriptors(void)
{
	return process_entries("/proc/self/fd");
}

unsigned process_threads(void)
{
	return process_entries("/proc/self/task");
}

static void on_alarm(int number)
{
	static const char text[] = "this run hangs\n";

	(void)number;
	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	abort();
}

void process_abort_on_alarm(void)
{
	signal(SIGALRM, on_alarm);
}
