/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* op_readdir.c -- READDIR: a part of a directory with its entries' handles and attributes */

#include <errno.h>
#include <stdlib.h>

#include <rpc/xdr_inline.h>

#include "op.h"

#define MIN_BYTES 4096u

/* *all: each() has seen every entry and did not end the listing. */
static int walk(const struct xfer_readdir_res *res, xfer_dirent_fn each, void *arg, bool *all)
{
	struct xfer_dirent entry;
	XDR xdrs;

	xdrmem_ncreate(&xdrs, (char *)res->entries, res->entries_len, XDR_DECODE);
	while (XDR_GETPOS(&xdrs) < res->entries_len) {
		if (!xfer_xdr_dirent(&xdrs, &entry))
			return -EIO;
		if (!each(arg, &entry)) {
			*all = false;
			return 0;
		}
	}
	*all = true;
	return 0;
}

int xfer_op_readdir(struct xfer_session *session, const struct xfer_cred *cred,
	const struct xfer_handle *dir, uint64_t cookie, uint32_t max_bytes, xfer_dirent_fn each,
	void *arg, bool *eof, struct xfer_opt_attr *dir_attr)
{
	struct xfer_session_call call;
	struct xfer_readdir_res *res = &call.results.readdir;
	uint8_t *entries;
	bool all;
	int err;

	if (max_bytes < MIN_BYTES)
		max_bytes = MIN_BYTES;
	if (max_bytes > XFER_READDIR_MAX)
		max_bytes = XFER_READDIR_MAX;
	entries = malloc(max_bytes);
	if (!entries)
		return -ENOMEM;
	xfer_session_prepare(&call, session, cred, XFER_PROC_READDIR);
	call.args.readdir =
		(struct xfer_readdir_args){ .dir = *dir, .cookie = cookie, .max_bytes = max_bytes };
	res->entries = entries;
	res->entries_len = max_bytes;
	err = xfer_session_call(&call);
	*dir_attr = res->dir_attr;
	if (err == 0)
		err = walk(res, each, arg, &all);
	if (err == 0)
		*eof = res->eof && all;
	free(entries);
	return err;
}
