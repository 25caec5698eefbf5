/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* process.h -- for tests that look for what stays behind: this process's descriptors and threads */
#ifndef SUPPORT_PROCESS_H
#define SUPPORT_PROCESS_H

/* To be compared with what these have said before. */
unsigned process_descriptors(void);
unsigned process_threads(void);
/* The same, of any folder's entries. */
unsigned process_entries(const char *folder);

/* From now on alarm()'s signal says that a run hangs, and aborts. */
void process_abort_on_alarm(void);

#endif
