/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* op_readdir.c -- READDIR: a part of a directory with its entries' handles and attributes */

#include <errno.h>
#include <stdlib.h>

#include <rpc/xdr_inline.h>

#include "op.h"

#define MIN_BYTES 4096u

/* *all: each() has seen every entry and did not end the listing. */
static int walk(const uint8_t *entries, uint32_t len, xfer_dirent_fn each, void *arg, bool *all)
{
	struct xfer_dirent entry;
	XDR xdrs;

	xdrmem_ncreate(&xdrs, (char *)entries, len, XDR_DECODE);
	while (XDR_GETPOS(&xdrs) < len) {
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
		err = walk(res->entries, res->entries_len, each, arg, &all);
	if (err == 0)
		*eof = res->eof && all;
	free(entries);
	return err;
}

/* --- not waited for ------------------------------------------------------------------------------- */

struct list_call {
	struct xfer_session_call call;
	struct xfer_listing *listing;
};

static void listed(struct xfer_session_call *call, int err)
{
	struct list_call *list_call = (struct list_call *)call;
	const struct xfer_readdir_res *res = &call->results.readdir;
	struct xfer_listing *listing = list_call->listing;

	listing->result = err;
	listing->dir_attr = res->dir_attr;
	listing->eof = res->eof;
	listing->len = err ? 0 : res->entries_len;
	free(list_call);
	listing->done(listing);
}

void xfer_op_list(struct xfer_listing *listing)
{
	struct list_call *list_call = malloc(sizeof(*list_call));
	struct xfer_readdir_res *res;

	listing->len = 0;
	listing->dir_attr.valid = false;
	if (!list_call) {
		listing->result = -ENOMEM;
		listing->done(listing);
		return;
	}
	list_call->listing = listing;
	xfer_session_prepare(&list_call->call, listing->session, &listing->cred, XFER_PROC_READDIR);
	list_call->call.hasty = true;
	list_call->call.done = listed;
	list_call->call.args.readdir = (struct xfer_readdir_args){
		.dir = listing->dir, .cookie = listing->cookie, .max_bytes = XFER_READDIR_MAX
	};
	res = &list_call->call.results.readdir;
	res->entries = listing->entries;
	res->entries_len = sizeof(listing->entries);
	xfer_session_submit(&list_call->call);
}

int xfer_listing_walk(const struct xfer_listing *listing, xfer_dirent_fn each, void *arg)
{
	bool all;

	return walk(listing->entries, listing->len, each, arg, &all);
}
