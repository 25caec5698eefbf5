/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* caps.h -- the capabilities that an owner needs, and no others */
#ifndef XFER_OWNER_CAPS_H
#define XFER_OWNER_CAPS_H

#include <stddef.h>

/*
 * Whether the process is root and has what serving files for others takes. -EPERM: `message` names what is
 * missing and the remedy.
 */
int caps_check(char *message, size_t message_len);

/* Gives up every other capability. Before the first thread is started: each thread has its own. */
int caps_reduce(void);

#endif
