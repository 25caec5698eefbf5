/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* op_open.c -- OPEN in all its modes, CLOSE */

#include <stdlib.h>
#include <string.h>

#include "op.h"

int xfer_op_open(struct xfer_session *session, const struct xfer_cred *cred,
	const struct xfer_open *open, struct xfer_opened *opened)
{
	struct xfer_session_call call;
	struct xfer_open_args *args = &call.args.open;
	struct xfer_open_res *res = &call.results.open;
	int err = 0;

	xfer_session_prepare(&call, session, cred, XFER_PROC_OPEN);
	args->handle = open->handle;
	args->flags = open->flags;
	args->create = open->create;
	memcpy(args->verifier, open->verifier, sizeof(args->verifier));
	args->set = open->set;
	if (open->name)
		err = xfer_op_put_name(args->name, open->name);
	if (err)
		return err;
	err = xfer_session_call(&call);
	if (err == 0) {
		opened->node = res->node;
		opened->open_id = res->open_id;
		opened->created = res->created;
	}
	opened->dir_attr = res->dir_attr;
	return err;
}

static void close_done(struct xfer_session_call *call, int err)
{
	(void)err;
	free(call);
}

void xfer_op_close(struct xfer_session *session, const struct xfer_handle *handle, uint64_t open_id)
{
	static const struct xfer_cred nobody; /* an open's end needs no permission */
	struct xfer_session_call *call = malloc(sizeof(*call));

	if (!call)
		return; /* the owner drops it with the session */
	xfer_session_prepare(call, session, &nobody, XFER_PROC_CLOSE);
	call->args.close = (struct xfer_close_args){ .handle = *handle, .open_id = open_id };
	call->patient = true;
	call->done = close_done;
	xfer_session_submit(call);
}
