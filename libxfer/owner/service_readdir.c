/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* service_readdir.c -- READDIR: a part of a directory with its entries' handles and attributes */

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rpc/xdr_inline.h>

#include "owner/creds.h"
#include "owner/service.h"

/*
 * Of struct dirent64 at a time: what doesn't fit into the answer any more was read in vain, and an entry is several times
 * as long there as in the kernel's list.
 */
#define KERNEL_BYTES 4096u
#define MIN_BYTES    1024u /* an entry with the longest name fits */

/*
 * A cookie is the kernel's d_off, but for 0, 1 and 2, which NFS and Ganesha keep for themselves; those change
 * places with three values that file systems don't use.
 */
#define SUBSTITUTE 0x7ffffffffffffff0ull

static uint64_t cookie_of(int64_t d_off)
{
	return (uint64_t)d_off < 3 ? SUBSTITUTE + (uint64_t)d_off : (uint64_t)d_off;
}

static uint64_t position_of(uint64_t cookie)
{
	return cookie >= SUBSTITUTE && cookie < SUBSTITUTE + 3 ? cookie - SUBSTITUTE : cookie;
}

/* A listing under way. */
struct listing {
	const struct op *op;
	int fd;
	XDR xdrs;
	uint32_t used; /* bytes of whole entries */
	bool full, eof;
};

/* 1: it doesn't fit any more; an entry that vanished meanwhile, or that another file system covers, is left out. */
static int add_entry(struct listing *listing, const struct dirent64 *kernel)
{
	struct volume *volume = listing->op->volume;
	struct xfer_dirent entry;
	struct object object;
	int err;

	if (strcmp(kernel->d_name, ".") == 0 || strcmp(kernel->d_name, "..") == 0)
		return 0;
	err = object_open_at(volume, listing->fd, kernel->d_name, &object);
	if (err)
		return err == -ENOENT || err == -EXDEV ? 0 : err;
	err = op_node(listing->op, &object, false, &entry.node);
	object_close(&object);
	if (err)
		return err == -ESTALE ? 0 : err;
	entry.cookie = cookie_of(kernel->d_off);
	memcpy(entry.name, kernel->d_name, strlen(kernel->d_name) + 1);
	if (!xfer_xdr_dirent(&listing->xdrs, &entry))
		return 1;
	listing->used = (uint32_t)XDR_GETPOS(&listing->xdrs);
	return 0;
}

static int add_entries(struct listing *listing, const uint8_t *bytes, size_t length)
{
	int err = 0;

	for (size_t at = 0; at < length && err == 0;) {
		const struct dirent64 *kernel = (const struct dirent64 *)(bytes + at);

		err = add_entry(listing, kernel);
		at += kernel->d_reclen;
	}
	return err;
}

/* As the daemon: who may list a directory sees its entries' attributes. */
static int list_from(struct listing *listing, uint64_t position)
{
	const struct store_ops *store = listing->op->volume->store;
	_Alignas(struct dirent64) uint8_t bytes[KERNEL_BYTES];
	int err = store->seek_dir(listing->fd, position);

	while (err == 0) {
		ssize_t got = store->list(listing->fd, bytes, sizeof(bytes));

		if (got <= 0) {
			err = (int)got;
			listing->eof = got == 0;
			break;
		}
		err = add_entries(listing, bytes, (size_t)got);
	}
	/* With some entries at hand an error can wait for the next part. */
	return err == 1 || listing->used > 0 ? 0 : err;
}

/* With the caller's permission to read it. */
static int open_listing(const struct op *op, struct object *dir, int *fd)
{
	int err = object_open(op->volume, &op->request->args.readdir.dir, dir), got;

	if (err)
		return err;
	err = creds_assume(&op->cred);
	got = err ? err : op->volume->store->reopen(dir->fd, O_RDONLY | O_DIRECTORY);
	creds_daemon();
	if (got < 0) {
		object_close(dir);
		return got;
	}
	*fd = got;
	return 0;
}

int service_readdir(const struct op *op)
{
	const struct xfer_readdir_args *args = &op->request->args.readdir;
	struct xfer_readdir_res *res = &op->request->results.readdir;
	struct listing listing = { .op = op };
	struct object dir;
	int err;

	if (args->max_bytes < MIN_BYTES || args->max_bytes > XFER_READDIR_MAX)
		return -EINVAL;
	err = open_listing(op, &dir, &listing.fd);
	if (err)
		return err;
	/* First: what is promised of the directory is true of the names that are read then. */
	op_opt_attr(op, &dir, false, &res->dir_attr);
	res->entries = malloc(args->max_bytes);
	if (res->entries) {
		xdrmem_ncreate(&listing.xdrs, (char *)res->entries, args->max_bytes, XDR_ENCODE);
		err = list_from(&listing, position_of(args->cookie));
	} else {
		err = -EAGAIN;
	}
	res->entries_len = err ? 0 : listing.used;
	res->eof = listing.eof;
	op->volume->store->close(listing.fd);
	object_close(&dir);
	return err;
}
