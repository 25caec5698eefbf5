/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* filecache.h -- descriptors of files that are read and written without an open */
#ifndef XFER_OWNER_FILECACHE_H
#define XFER_OWNER_FILECACHE_H

#include "owner/file.h"

/*
 * NFSv3 knows no open: without this, each READ and WRITE would open the file and check the permission. An entry
 * is one caller's verdict on one file: the descriptor (opened by the daemon), and the ctime that the file had
 * when the caller's permission was checked. Any change of mode, owner or ACL moves the ctime, so an operation
 * that finds another ctime has to check again. Entries unused for a second are closed. Any thread.
 */

#define FILECACHE_IDLE_MS 1000

struct file_cache;

struct file_key {
	const struct volume *volume;
	const struct xfer_handle *handle;
	const struct xfer_cred *cred;
	uint32_t access;     /* XFER_OPEN_READ or XFER_OPEN_WRITE */
	bool owner_override; /* the owner may, whatever the mode says */
};

/* Starts a thread. capacity: descriptors. */
int filecache_create(unsigned capacity, struct file_cache **cache);
void filecache_destroy(struct file_cache *cache);

/* With a reference, NULL: none. *ctime_ns: the file's when the permission was checked. */
struct file *filecache_find(
	struct file_cache *cache, const struct file_key *key, uint64_t *ctime_ns);
/* Keeps a reference of its own, if there is memory; replaces what was there under the same key. */
void filecache_put(
	struct file_cache *cache, const struct file_key *key, struct file *file, uint64_t ctime_ns);
/* Lets go of a file, because it was unlinked. */
void filecache_forget(struct file_cache *cache, const struct xfer_handle *handle);

/* The same for all of a volume's. */
void filecache_forget_volume(struct file_cache *cache, const struct volume *volume);

unsigned filecache_count(struct file_cache *cache);

#endif
