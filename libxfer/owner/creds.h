/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* creds.h -- with whose permissions the calling thread touches files */
#ifndef XFER_OWNER_CREDS_H
#define XFER_OWNER_CREDS_H

#include "xfer/xfer.h"

/*
 * Linux keeps credentials per thread; glibc's functions would change them for the whole process, so the raw
 * system calls are used. What a thread has assumed is remembered, so that the same caller again costs nothing.
 * A thread begins as the daemon. Only threads of the daemon's own may call these.
 */

/* Takes on the caller's fsuid, fsgid and groups; file capabilities go away unless its uid is 0.
 * -EACCES: the ids are none that a file system knows. */
int creds_assume(const struct xfer_cred *cred);

/* Back to fsuid 0 and its capabilities. The groups stay: they mean nothing to fsuid 0. */
void creds_daemon(void);

#endif
