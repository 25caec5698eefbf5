/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* creds.c -- with whose permissions the calling thread touches files */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "owner/creds.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "log.h"

/* What this thread has assumed. Groups are unknown until they were first set. */
static __thread struct {
	bool groups_known, gid_known;
	uint32_t uid, gid, ngroups;
	uint32_t groups[XFER_GROUPS_MAX];
} current;

/* Neither call reports errors: asking for the impossible id -1 changes nothing and tells the present one. */
static bool fsuid_set(uint32_t uid)
{
	syscall(SYS_setfsuid, uid);
	return (uint32_t)syscall(SYS_setfsuid, -1) == uid && uid != UINT32_MAX;
}

static bool fsgid_set(uint32_t gid)
{
	syscall(SYS_setfsgid, gid);
	return (uint32_t)syscall(SYS_setfsgid, -1) == gid && gid != UINT32_MAX;
}

static int groups_assume(const struct xfer_cred *cred)
{
	size_t size = cred->ngroups * sizeof(cred->groups[0]);

	if (current.groups_known && current.ngroups == cred->ngroups &&
		(size == 0 || memcmp(current.groups, cred->groups, size) == 0))
		return 0;
	if (cred->ngroups > XFER_GROUPS_MAX)
		return -EACCES;
	current.groups_known = false;
	if (syscall(SYS_setgroups, cred->ngroups, cred->groups) < 0)
		return -EACCES;
	current.ngroups = cred->ngroups;
	if (size > 0)
		memcpy(current.groups, cred->groups, size);
	current.groups_known = true;
	return 0;
}

int creds_assume(const struct xfer_cred *cred)
{
	int err = groups_assume(cred);
	if (err < 0)
		return err;
	if (!current.gid_known || current.gid != cred->gid) {
		current.gid_known = fsgid_set(cred->gid);
		if (!current.gid_known)
			return -EACCES;
		current.gid = cred->gid;
	}
	if (current.uid != cred->uid) {
		if (!fsuid_set(cred->uid)) {
			creds_daemon();
			return -EACCES;
		}
		current.uid = cred->uid;
	}
	return 0;
}

void creds_daemon(void)
{
	if (current.uid == 0)
		return;
	if (!fsuid_set(0)) {
		/* Going on as somebody else would be wrong for every later caller. */
		xfer_error(
			"can't return to the daemon's own credentials: CAP_SETUID was taken away");
		abort();
	}
	current.uid = 0;
}
