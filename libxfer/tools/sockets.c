/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* sockets.c -- the sockets of the processes on this node */

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

static int is_socket(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return len > 5 && strcmp(entry->d_name + len - 5, ".sock") == 0;
}

int ctl_each_socket(const struct ctl *ctl, void (*each)(void *arg, const char *address), void *arg)
{
	struct dirent **entries;
	char address[512];
	int n = scandir(ctl->run_dir, &entries, is_socket, alphasort);

	if (n < 0)
		return -errno;
	for (int i = 0; i < n; i++) {
		snprintf(address, sizeof(address), "unix:%s/%s", ctl->run_dir, entries[i]->d_name);
		each(arg, address);
		free(entries[i]);
	}
	free(entries);
	return n;
}
