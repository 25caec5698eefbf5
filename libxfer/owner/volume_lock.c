/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* volume_lock.c -- only one process at a time serves a volume */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "clock.h"
#include "owner/volume.h"

#define POLL_MS 50

/* The pid in a line of /proc/locks if it is an flock on that inode; 0: not, or a pid we can't see. */
static int holder_in(const char *line, const struct stat *st)
{
	unsigned long long ino;
	unsigned dev_major, dev_minor;
	char kind[16], mode[16], access[16];
	int pid;

	if (sscanf(line, "%*d: %15s %15s %15s %d %x:%x:%llu", kind, mode, access, &pid, &dev_major,
		    &dev_minor, &ino) != 7 ||
		strcmp(kind, "FLOCK") != 0 || ino != st->st_ino || pid < 0)
		return 0;
	return makedev(dev_major, dev_minor) == st->st_dev ? pid : 0;
}

/* "process 123 (rdmaxferd)" */
static void name_holder(int fd, char *text, size_t len)
{
	FILE *locks = fopen("/proc/locks", "re"), *comm;
	char line[256], name[64] = "?";
	struct stat st;
	int pid = 0;

	if (locks && fstat(fd, &st) == 0)
		while (pid == 0 && fgets(line, sizeof(line), locks))
			pid = holder_in(line, &st);
	if (locks)
		fclose(locks);
	if (pid == 0) {
		snprintf(text, len, "a process that can't be seen from here");
		return;
	}
	snprintf(line, sizeof(line), "/proc/%d/comm", pid);
	comm = fopen(line, "re");
	if (comm && fgets(name, sizeof(name), comm))
		name[strcspn(name, "\n")] = '\0';
	if (comm)
		fclose(comm);
	snprintf(text, len, "process %d (%s)", pid, name);
}

int volume_lock(int fd, const char *path, unsigned timeout_ms, char *message, size_t message_len)
{
	const struct timespec pause = { .tv_nsec = POLL_MS * XFER_NS_PER_MS };
	uint64_t deadline = xfer_now_ns() + timeout_ms * XFER_NS_PER_MS;
	char holder[128];

	while (flock(fd, LOCK_EX | LOCK_NB)) {
		if (errno != EWOULDBLOCK && errno != EINTR) {
			int err = -errno;

			snprintf(message, message_len,
				"%s can't be locked: %s; use a file system that has flock", path,
				strerror(-err));
			return err;
		}
		if (xfer_now_ns() >= deadline) {
			name_holder(fd, holder, sizeof(holder));
			snprintf(message, message_len,
				"%s is locked by %s; a volume is served by one process at a time: "
				"stop that one",
				path, holder);
			return -EWOULDBLOCK;
		}
		nanosleep(&pause, NULL);
	}
	return 0;
}
