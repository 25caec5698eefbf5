/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* recovery.h -- who had a session with this process's predecessor, and the time that they have to come back */
#ifndef XFER_OWNER_RECOVERY_H
#define XFER_OWNER_RECOVERY_H

#include <jansson.h>

#include "control/server.h"

/*
 * A file in the state directory names the processes (node and boot id) that have sessions here. A process that is
 * started again waits for them: until each of them has made its opens and locks again, or is known to be gone, or the
 * grace period is over, nobody else changes anything. Any thread, but for create, begin and destroy; the file is written
 * by a thread of its own.
 */
struct recovery;

struct recovery_params {
	const char *state_dir;
	unsigned grace_ms;
	unsigned
		lazy_ms; /* who may have a session, but begins none, stays in the file for so long; 0: as long as is useful */
};

/*
 * Reads the file. One that is broken means a grace period for nobody in particular; one that can't be written a warning
 * each time. -errno: no memory or no thread, it was logged.
 */
int recovery_create(const struct recovery_params *params, struct recovery **recovery);
/* Points of contact can come from now on: the grace period begins, if there is somebody to wait for. */
void recovery_begin(struct recovery *recovery);
void recovery_destroy(struct recovery *recovery); /* NULL is ignored */

/* Calls fn for each process that is waited for, until it fails; node NULL: it isn't known who had sessions, because the
 * file was broken. */
int recovery_each_awaited(struct recovery *recovery,
	int (*fn)(void *arg, const char *node, const uint8_t boot_id[16]), void *arg);

/* A process says HELLO: as soon as the file names it, xfer_request_welcome is called. Never waits. */
void recovery_remember(struct recovery *recovery, const struct xfer_hello_args *hello,
	struct xfer_request *request);

/* A session of a remembered process has begun; and has ended, though this process has not. */
enum xfer_standing recovery_session_began(
	struct recovery *recovery, const char *node, const uint8_t boot_id[16]);
void recovery_session_ended(struct recovery *recovery, const char *node, const uint8_t boot_id[16]);
/* RECOVERED has come. False: too late. */
bool recovery_session_recovered(
	struct recovery *recovery, const char *node, const uint8_t boot_id[16]);

/* Whether somebody is waited for; one load. */
bool recovery_in_grace(const struct recovery *recovery);
/* Their nodes' names, separated by commas. */
void recovery_awaited(struct recovery *recovery, char *text, size_t size);
/* For STATUS; null outside of a grace period. */
json_t *recovery_status(struct recovery *recovery);

#endif
