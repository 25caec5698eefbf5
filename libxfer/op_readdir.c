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

/* Its entries come to memory that lives as long as the call. */
static void prepare(struct xfer_session_call *call, struct xfer_session *session,
	const struct xfer_cred *cred, const struct xfer_readdir_args *args, uint8_t *entries)
{
	xfer_session_prepare(call, session, cred, XFER_PROC_READDIR);
	call->args.readdir = *args;
	call->results.readdir.entries = entries;
	call->results.readdir.entries_len = args->max_bytes;
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
	prepare(&call, session, cred,
		&(struct xfer_readdir_args){
			.dir = *dir, .cookie = cookie, .max_bytes = max_bytes },
		entries);
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
	const struct xfer_readdir_args args = {
		.dir = listing->dir, .cookie = listing->cookie, .max_bytes = XFER_READDIR_MAX
	};
	struct list_call *list_call = malloc(sizeof(*list_call));

	listing->len = 0;
	listing->dir_attr.valid = false;
	if (!list_call) {
		listing->result = -ENOMEM;
		listing->done(listing);
		return;
	}
	list_call->listing = listing;
	prepare(&list_call->call, listing->session, &listing->cred, &args, listing->entries);
	list_call->call.hasty = true;
	list_call->call.done = listed;
	xfer_session_submit(&list_call->call);
}

int xfer_listing_walk(const struct xfer_listing *listing, xfer_dirent_fn each, void *arg)
{
	bool all;

	return walk(listing->entries, listing->len, each, arg, &all);
}
