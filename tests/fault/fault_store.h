/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* fault_store.h -- a store that can forget what wasn't synced, as a kernel does that goes down */
#ifndef FAULT_STORE_H
#define FAULT_STORE_H

#include <stdbool.h>

#include "owner/store.h"

/*
 * Data goes straight into the real files, so that reads, sizes, times and holes are the kernel's own. Before the
 * first unsynced change of a file its durable content is kept as an *image* in STATE_DIR/fault. A sync drops the
 * image, a stable write goes into it, too, and recovery after a kill puts it back. So all that lives in the page
 * cache of a real kernel is lost, and no more.
 *
 * Names, modes, times and extended attributes pass: a journalling file system may have them on disk whenever it
 * likes. An image costs a copy of the file, so this is for small files.
 *
 * SIGKILL and a new start are the end of a kernel; with the file STATE_DIR/fault/process, which the start removes,
 * they are that of a process: nothing is lost then, nor durable. One process has one such store. Any thread.
 */
extern struct store_ops fault_store; /* complete from start on */

/*
 * Begins, before any other call: makes STATE_DIR/fault, and a new kernel boot id there if a kernel has ended.
 * -errno: the directory can't be used.
 */
int fault_store_start(const char *state_dir);

/* The boot id of the kernel that this process believes to run on. */
void fault_store_boot_id(unsigned char id[16]);

/* Forgets what wasn't synced on a file system, unless only a process has ended; after start, before it is used. */
int fault_store_recover(int mount_fd);

/* Makes all durable, and ends: the daemon ends cleanly. Nothing else may be called any more but start. */
void fault_store_end(void);

/* Each 16th write waits before it is carried out, and each 4th making, removal or renaming afterwards, up to so many
 * milliseconds; 0, the default: none. */
void fault_store_slow(unsigned ms);

#endif
