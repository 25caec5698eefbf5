/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* recovery.c -- who had a session with this process's predecessor, and the time that they have to come back */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "owner/recovery.h"

#define FILE_NAME "sessions"
#define NEW_FILE  "sessions.new"
#define FIRST     "rdmaxfer sessions 1"
#define LAST      "end"

#define LAZY_MS         10000 /* who may have a session, but begins none, stays in the file for so long */
#define WARN_MS         60000
#define STRIKE_AGAIN_MS 1000

/* One process of a point of contact. */
struct process {
	LIST_ENTRY(process) link;
	char node[XFER_NODE_MAX + 1];
	uint8_t boot_id[16];
	unsigned sessions;
	bool awaited; /* it had a session with our predecessor, and has not made its opens and locks again */
	bool announced;   /* it was told that it may have a session, which has not begun yet */
	bool storing;     /* the file that is being written names it */
	bool stored;      /* the file names it */
	uint64_t seen_ns; /* when it had its last session, or was told that it may have one */
};

struct recovery {
	int dir;
	char dir_name[4096];
	uint64_t grace_ns, lazy_ns;
	_Atomic bool grace;

	pthread_mutex_t lock; /* the following */
	pthread_cond_t wake;
	LIST_HEAD(, process) processes;
	struct xfer_request *first, **last; /* HELLOs that wait until the file is written */
	uint64_t grace_until_ns;            /* 0: it has not begun */
	uint64_t write_at_ns;               /* 0: there is nothing to write */
	bool striking; /* the file that is written next doesn't name those who are awaited in vain */
	bool stopping;
	pthread_t thread;
};

/* --- processes: all with the lock held ---------------------------------------------------------- */

static struct process *find(struct recovery *recovery, const char *node, const uint8_t boot_id[16])
{
	struct process *process;

	LIST_FOREACH (process, &recovery->processes, link)
		if (strcmp(process->node, node) == 0 &&
			memcmp(process->boot_id, boot_id, sizeof(process->boot_id)) == 0)
			return process;
	return NULL;
}

/* NULL: out of memory. */
static struct process *add(struct recovery *recovery, const char *node, const uint8_t boot_id[16])
{
	struct process *process = calloc(1, sizeof(*process));

	if (!process)
		return NULL;
	snprintf(process->node, sizeof(process->node), "%s", node);
	memcpy(process->boot_id, boot_id, sizeof(process->boot_id));
	LIST_INSERT_HEAD(&recovery->processes, process, link);
	return process;
}

static unsigned awaited(struct recovery *recovery, char *text, size_t size)
{
	struct process *process;
	unsigned count = 0;
	size_t len = 0;

	text[0] = '\0';
	LIST_FOREACH (process, &recovery->processes, link)
		if (process->awaited) {
			if (len < size)
				len += (size_t)snprintf(text + len, size - len, "%s%s",
					count ? ", " : "", process->node);
			count++;
		}
	return count;
}

static void write_by(struct recovery *recovery, uint64_t when)
{
	if (recovery->write_at_ns == 0 || recovery->write_at_ns > when)
		recovery->write_at_ns = when;
	pthread_cond_signal(&recovery->wake);
}

static void end_grace(struct recovery *recovery)
{
	char names[512];
	struct process *process;

	if (awaited(recovery, names, sizeof(names)))
		xfer_warn("the grace period is over, and node(s) %s didn't come back: what they "
			  "had open and locked is lost to them",
			names);
	else
		xfer_info("the grace period is over");
	LIST_FOREACH (process, &recovery->processes, link) {
		/* One that is there, but didn't make it, has to be put in again. */
		process->stored = process->stored && !process->awaited;
		process->awaited = false;
	}
	recovery->grace = false;
	write_by(recovery, xfer_now_ns() + recovery->lazy_ns);
}

/* It is waited for no longer. */
static void settle(struct recovery *recovery, struct process *process)
{
	char names[512];

	if (!process->awaited)
		return;
	process->awaited = false;
	if (awaited(recovery, names, sizeof(names)) == 0)
		end_grace(recovery);
}

/* --- the file ----------------------------------------------------------------------------------- */

static void put_hex(char text[33], const uint8_t boot_id[16])
{
	for (int i = 0; i < 16; i++)
		snprintf(text + 2 * i, 3, "%02x", boot_id[i]);
}

static bool get_hex(const char *text, uint8_t boot_id[16])
{
	if (strlen(text) != 32)
		return false;
	for (int i = 0; i < 16; i++)
		if (sscanf(text + 2 * i, "%2hhx", &boot_id[i]) != 1)
			return false;
	return true;
}

/* One line of the file, "NODE BOOT-ID". */
static int read_process(struct recovery *recovery, const char *line)
{
	struct process *process;
	char node[XFER_NODE_MAX + 1], hex[33], rest;
	uint8_t boot_id[16];

	if (sscanf(line, "%63s %32s %c", node, hex, &rest) != 2 || !get_hex(hex, boot_id))
		return -EINVAL;
	process = add(recovery, node, boot_id);
	if (!process)
		return -ENOMEM;
	process->stored = process->awaited = true;
	return 0;
}

static int read_lines(struct recovery *recovery, FILE *file)
{
	char line[256];
	bool begun = false;
	int err = 0;

	while (err == 0 && fgets(line, sizeof(line), file)) {
		if (line[strcspn(line, "\n")] == '\0')
			return -EINVAL; /* cut off, or too long */
		line[strcspn(line, "\n")] = '\0';
		if (begun && strcmp(line, LAST) == 0)
			return fgetc(file) == EOF ? 0 : -EINVAL;
		if (begun)
			err = read_process(recovery, line);
		else if (strcmp(line, FIRST) != 0)
			err = -EINVAL;
		begun = true;
	}
	return err ? err : ferror(file) ? -EIO : -EINVAL;
}

static void forget_all(struct recovery *recovery)
{
	struct process *process;

	while ((process = LIST_FIRST(&recovery->processes))) {
		LIST_REMOVE(process, link);
		free(process);
	}
}

/* -errno: it is there, but of no use. */
static int read_file(struct recovery *recovery)
{
	int fd = openat(recovery->dir, FILE_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), err;
	FILE *file;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	file = fdopen(fd, "r");
	if (!file) {
		close(fd);
		return -ENOMEM;
	}
	err = read_lines(recovery, file);
	fclose(file);
	if (err)
		forget_all(recovery);
	return err;
}

static int write_file(const struct recovery *recovery, const char *text)
{
	int fd = openat(recovery->dir, NEW_FILE, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	size_t len = strlen(text);
	ssize_t n;
	int err = 0;

	if (fd < 0)
		return -errno;
	n = write(fd, text, len);
	if (n != (ssize_t)len)
		err = n < 0 ? -errno : -ENOSPC;
	if (err == 0 && fsync(fd))
		err = -errno;
	close(fd);
	if (err == 0 && renameat(recovery->dir, NEW_FILE, recovery->dir, FILE_NAME))
		err = -errno;
	if (err)
		unlinkat(recovery->dir, NEW_FILE, 0);
	return err ? err : fsync(recovery->dir) ? -errno : 0;
}

/* With the lock held: what the file is to say. Who has left is forgotten. NULL: out of memory. */
static char *compose(struct recovery *recovery, uint64_t now)
{
	struct process *process, *next;
	char *text = NULL, hex[33];
	size_t size;
	FILE *file = open_memstream(&text, &size);

	if (!file)
		return NULL;
	fprintf(file, FIRST "\n");
	for (process = LIST_FIRST(&recovery->processes); process; process = next) {
		next = LIST_NEXT(process, link);
		if (process->sessions == 0 && process->stored && !process->awaited &&
			now >= process->seen_ns + recovery->lazy_ns) {
			LIST_REMOVE(process, link);
			free(process);
			continue;
		}
		if (recovery->striking && process->awaited)
			continue;
		process->storing = true;
		put_hex(hex, process->boot_id);
		fprintf(file, "%s %s\n", process->node, hex);
	}
	fprintf(file, LAST "\n");
	if (fclose(file)) {
		free(text);
		return NULL;
	}
	return text;
}

/* --- the thread --------------------------------------------------------------------------------- */

static void warn(const struct recovery *recovery, int err)
{
	static struct xfer_log_limit limit;
	unsigned suppressed;

	if (xfer_log_allowed(&limit, WARN_MS, &suppressed))
		xfer_warn("%s/" FILE_NAME " can't be written: %s; make room or make the directory "
			  "writable, else points of contact lose their locks when rdmaxferd is "
			  "started again",
			recovery->dir_name, strerror(-err));
}

/* With the lock held. Who hears of it now has its session soon. */
static void written(struct recovery *recovery, bool stored)
{
	uint64_t now = xfer_now_ns();
	struct process *process;

	LIST_FOREACH (process, &recovery->processes, link) {
		if (process->storing && stored && !process->stored)
			process->seen_ns = now;
		if (process->storing)
			process->stored = stored;
		process->storing = false;
	}
}

/* With the lock held, which is given up for a while. */
static int write_now(struct recovery *recovery)
{
	struct xfer_request *request = recovery->first, *next;
	char *text = compose(recovery, xfer_now_ns());
	int err;

	recovery->first = NULL;
	recovery->last = &recovery->first;
	recovery->write_at_ns = 0;
	pthread_mutex_unlock(&recovery->lock);
	err = text ? write_file(recovery, text) : -ENOMEM;
	free(text);
	if (err)
		warn(recovery, err);
	pthread_mutex_lock(&recovery->lock);
	written(recovery, err == 0);
	pthread_mutex_unlock(&recovery->lock);
	for (; request; request = next) {
		next = request->next;
		xfer_request_welcome(request);
	}
	pthread_mutex_lock(&recovery->lock);
	return err;
}

/*
 * With the lock held. Who is still awaited is struck from the file before anybody else changes anything: after one
 * more restart it would come in time otherwise, with changes that are older than theirs. No file does as well.
 */
static void give_up_awaited(struct recovery *recovery)
{
	int err;

	recovery->striking = true;
	err = write_now(recovery);
	recovery->striking = false;
	if (err && unlinkat(recovery->dir, FILE_NAME, 0) && errno != ENOENT)
		recovery->grace_until_ns = xfer_now_ns() + STRIKE_AGAIN_MS * XFER_NS_PER_MS;
	else
		end_grace(recovery);
}

/* With the lock held: until there is something to do, or forever. */
static void sleep_until(struct recovery *recovery, uint64_t now)
{
	uint64_t until = recovery->write_at_ns;
	struct timespec ts;

	if (recovery->grace && recovery->grace_until_ns &&
		(until == 0 || until > recovery->grace_until_ns))
		until = recovery->grace_until_ns;
	if (until == 0) {
		pthread_cond_wait(&recovery->wake, &recovery->lock);
	} else if (until > now) {
		ts = xfer_timespec(until);
		pthread_cond_timedwait(&recovery->wake, &recovery->lock, &ts);
	}
}

static void *work(void *arg)
{
	struct recovery *recovery = arg;

	pthread_mutex_lock(&recovery->lock);
	for (;;) {
		uint64_t now = xfer_now_ns();
		bool due = recovery->write_at_ns && now >= recovery->write_at_ns;

		if (recovery->stopping && !recovery->first && !due)
			break;
		if (recovery->grace && recovery->grace_until_ns && now >= recovery->grace_until_ns)
			give_up_awaited(recovery);
		else if (due)
			write_now(recovery);
		else
			sleep_until(recovery, now);
	}
	pthread_mutex_unlock(&recovery->lock);
	return NULL;
}

/* --- sessions ----------------------------------------------------------------------------------- */

/* With the lock held: the node has another process now, so earlier ones are gone. */
static void settle_others(struct recovery *recovery, const char *node)
{
	struct process *process;

	LIST_FOREACH (process, &recovery->processes, link)
		if (strcmp(process->node, node) == 0 && process->sessions == 0)
			settle(recovery, process);
}

void recovery_remember(struct recovery *recovery, const struct xfer_hello_args *hello,
	struct xfer_request *request)
{
	uint64_t now = xfer_now_ns();
	struct process *process;
	bool wait;

	pthread_mutex_lock(&recovery->lock);
	process = find(recovery, hello->node, hello->boot_id);
	if (!process) {
		settle_others(recovery, hello->node);
		process = add(recovery, hello->node, hello->boot_id);
	}
	wait = process && !process->stored;
	if (process) {
		process->seen_ns = now;
		process->announced = true;
	}
	if (wait) {
		request->next = NULL;
		*recovery->last = request;
		recovery->last = &request->next;
		write_by(recovery, now);
	}
	pthread_mutex_unlock(&recovery->lock);
	if (!wait)
		xfer_request_welcome(request);
}

enum xfer_standing recovery_session_began(
	struct recovery *recovery, const char *node, const uint8_t boot_id[16])
{
	struct process *process;
	bool recover = false;

	pthread_mutex_lock(&recovery->lock);
	process = find(recovery, node, boot_id);
	if (process) {
		process->sessions++;
		process->announced = false;
		recover = recovery->grace && process->awaited;
	}
	pthread_mutex_unlock(&recovery->lock);
	return recover ? XFER_STANDING_RECOVER : XFER_STANDING_NEW;
}

void recovery_session_ended(struct recovery *recovery, const char *node, const uint8_t boot_id[16])
{
	struct process *process;

	pthread_mutex_lock(&recovery->lock);
	process = find(recovery, node, boot_id);
	if (process && process->sessions > 0 && --process->sessions == 0) {
		settle(recovery, process);
		/* At once, so that a successor doesn't wait for who has left in an orderly way. */
		if (!process->announced)
			process->seen_ns = 0;
		write_by(recovery,
			process->seen_ns ? process->seen_ns + recovery->lazy_ns : xfer_now_ns());
	}
	pthread_mutex_unlock(&recovery->lock);
}

bool recovery_session_recovered(
	struct recovery *recovery, const char *node, const uint8_t boot_id[16])
{
	struct process *process;
	bool in_time;

	pthread_mutex_lock(&recovery->lock);
	process = find(recovery, node, boot_id);
	in_time = process && process->awaited;
	if (in_time)
		settle(recovery, process);
	pthread_mutex_unlock(&recovery->lock);
	return in_time;
}

/* --- the grace period --------------------------------------------------------------------------- */

bool recovery_in_grace(const struct recovery *recovery)
{
	return atomic_load_explicit(&recovery->grace, memory_order_acquire);
}

int recovery_each_awaited(struct recovery *recovery,
	int (*fn)(void *arg, const char *node, const uint8_t boot_id[16]), void *arg)
{
	struct process *process;
	int err = 0;

	pthread_mutex_lock(&recovery->lock);
	if (recovery->grace && LIST_EMPTY(&recovery->processes))
		err = fn(arg, NULL, NULL);
	LIST_FOREACH (process, &recovery->processes, link)
		if (process->awaited && err == 0)
			err = fn(arg, process->node, process->boot_id);
	pthread_mutex_unlock(&recovery->lock);
	return err;
}

void recovery_awaited(struct recovery *recovery, char *text, size_t size)
{
	pthread_mutex_lock(&recovery->lock);
	if (awaited(recovery, text, size) == 0)
		snprintf(text, size, "whoever had a session before");
	pthread_mutex_unlock(&recovery->lock);
}

json_t *recovery_status(struct recovery *recovery)
{
	uint64_t now = xfer_now_ns(), left = 0;
	json_t *nodes;
	struct process *process;

	if (!recovery_in_grace(recovery))
		return json_null();
	nodes = json_array();
	pthread_mutex_lock(&recovery->lock);
	LIST_FOREACH (process, &recovery->processes, link)
		if (process->awaited)
			json_array_append_new(nodes, json_string(process->node));
	if (recovery->grace_until_ns > now)
		left = recovery->grace_until_ns - now;
	pthread_mutex_unlock(&recovery->lock);
	return json_pack(
		"{s:I, s:o}", "left_ms", (json_int_t)(left / XFER_NS_PER_MS), "awaited", nodes);
}

void recovery_begin(struct recovery *recovery)
{
	unsigned seconds = (unsigned)((recovery->grace_ns + 999999999) / 1000000000);
	char names[512];

	pthread_mutex_lock(&recovery->lock);
	if (recovery->grace) {
		recovery->grace_until_ns = xfer_now_ns() + recovery->grace_ns;
		if (awaited(recovery, names, sizeof(names)))
			xfer_info(
				"grace period: nobody else changes anything until node(s) %s have "
				"come back, for %u s at most",
				names, seconds);
		else
			xfer_warn("grace period: nobody changes anything for %u s", seconds);
		pthread_cond_signal(&recovery->wake);
	}
	pthread_mutex_unlock(&recovery->lock);
}

/* --- life --------------------------------------------------------------------------------------- */

static void recovery_free(struct recovery *recovery)
{
	forget_all(recovery);
	if (recovery->dir >= 0)
		close(recovery->dir);
	pthread_cond_destroy(&recovery->wake);
	pthread_mutex_destroy(&recovery->lock);
	free(recovery);
}

static int open_file(struct recovery *recovery)
{
	int err;

	recovery->dir = open(recovery->dir_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (recovery->dir < 0) {
		err = -errno;
		xfer_error("%s can't be opened: %s; make it a directory that root may use",
			recovery->dir_name, strerror(-err));
		return err;
	}
	err = read_file(recovery);
	if (err)
		xfer_error(
			"%s/" FILE_NAME " is broken (%s), so it isn't known whose locks have to "
			"be waited for; restart the points of contact that were using this node. "
			"The file is written anew by itself",
			recovery->dir_name, strerror(-err));
	recovery->grace = err || !LIST_EMPTY(&recovery->processes);
	return 0;
}

int recovery_create(const struct recovery_params *params, struct recovery **result)
{
	struct recovery *recovery = calloc(1, sizeof(*recovery));
	int err;

	if (!recovery)
		return -ENOMEM;
	recovery->grace_ns = params->grace_ms * XFER_NS_PER_MS;
	recovery->lazy_ns = (params->lazy_ms ? params->lazy_ms : LAZY_MS) * XFER_NS_PER_MS;
	snprintf(recovery->dir_name, sizeof(recovery->dir_name), "%s", params->state_dir);
	LIST_INIT(&recovery->processes);
	recovery->last = &recovery->first;
	pthread_mutex_init(&recovery->lock, NULL);
	xfer_cond_init(&recovery->wake);
	err = open_file(recovery);
	if (err == 0) {
		err = -pthread_create(&recovery->thread, NULL, work, recovery);
		if (err)
			xfer_error("a thread can't be started: %s; raise TasksMax", strerror(-err));
	}
	if (err) {
		recovery_free(recovery);
		return err;
	}
	pthread_setname_np(recovery->thread, "xfer-recovery");
	*result = recovery;
	return 0;
}

/* The file stays as it is: whoever has a session now is waited for by a successor. */
void recovery_destroy(struct recovery *recovery)
{
	if (!recovery)
		return;
	pthread_mutex_lock(&recovery->lock);
	recovery->stopping = true;
	pthread_cond_signal(&recovery->wake);
	pthread_mutex_unlock(&recovery->lock);
	pthread_join(recovery->thread, NULL);
	recovery_free(recovery);
}
