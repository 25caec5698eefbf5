/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* change.h -- change counters: a value per object that differs after each change */
#ifndef XFER_OWNER_CHANGE_H
#define XFER_OWNER_CHANGE_H

/*
 * A ctime alone doesn't do: on most kernels it moves in steps of some milliseconds, so that two changes can
 * share one. The rule, per object (inode number, within one volume):
 *
 *   - an object of which nothing is remembered has the value ctime (ns);
 *   - a change made by this process, or a ctime other than the remembered one, gives max(ctime, last + 1);
 *   - else the value is the last one.
 *
 * An object is remembered when it is seen within a second of its ctime: only then could a further change
 * carry the same ctime. Hence "nothing remembered" means that no value was given for the present ctime while
 * it could still get a second meaning, and ctime itself is a new value. An entry is dropped only when it has
 * not changed for more than a second (later changes have a later ctime than its value), and only the least
 * recently used beyond the table's capacity. What remains: an object that changed several times within
 * one step of the clock falls back to its ctime when its entry is dropped or the process starts again; its
 * clients read it once more.
 *
 * Attributes and value must belong together: an answer with old attributes and a new value would be believed
 * for ever. So the attributes are read here, and read again if the entry has moved meanwhile.
 */

#include "owner/store.h"

struct change_table;

/* capacity: objects remembered beyond those that are fresh. NULL: no memory. */
struct change_table *change_table_create(unsigned capacity);
void change_table_destroy(struct change_table *table);

/* Reads the attributes of `fd` with the change value that belongs to them. changed: the caller has just
 * changed the object. Any thread. */
int change_stat(struct change_table *table, const struct store_ops *store, int fd, bool changed,
	struct statx *stx, uint64_t *value);

/* Entries at present; for status and tests. */
unsigned change_table_count(struct change_table *table);

#endif
