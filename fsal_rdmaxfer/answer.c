/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* answer.c -- says "access denied" where Ganesha has another word for a handle that it doesn't get */

/*
 * A request refers to the table of its procedure's functions, which complete_request() looks up when it encodes the
 * reply: so the request gets a copy of that table, whose encoder corrects the reply first.
 */

#include "answer.h"
#include "compat.h"

/* A procedure's table with another encoder. */
struct corrected {
	pthread_mutex_t lock; /* until it is made */
	bool made;
	nfs_function_desc_t table;
	xdrproc_t encode; /* Ganesha's own */
};

static void correct(struct corrected *corrected, xdrproc_t encode)
{
	nfs_request_t *request = rdx_rpc_request();

	PTHREAD_MUTEX_lock(&corrected->lock);
	if (!corrected->made) {
		corrected->table = *request->funcdesc;
		corrected->encode = corrected->table.xdr_encode_func;
		corrected->table.xdr_encode_func = encode;
		corrected->made = true;
	}
	PTHREAD_MUTEX_unlock(&corrected->lock);
	request->funcdesc = &corrected->table;
}

static struct corrected mount = { .lock = PTHREAD_MUTEX_INITIALIZER };
static struct corrected compound = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Ganesha makes the flavours for any answer, and frees them only with a good one. */
static bool encode_mount(XDR *xdrs, void *reply)
{
	mountres3 *res = &((nfs_res_t *)reply)->res_mnt3;

	if (res->fhs_status == MNT3ERR_INVAL) {
		gsh_free(res->mountres3_u.mountinfo.auth_flavors.auth_flavors_val);
		res->mountres3_u.mountinfo.auth_flavors.auth_flavors_val = NULL;
		res->fhs_status = MNT3ERR_ACCES;
	}
	return mount.encode(xdrs, reply);
}

/* A COMPOUND ends with the operation that was refused. */
static bool encode_compound(XDR *xdrs, void *reply)
{
	COMPOUND4res *res = &((nfs_res_t *)reply)->res_compound4_extended->res_compound4;
	u_int count = res->resarray.resarray_len;
	nfs_resop4 *last = count > 0 ? &res->resarray.resarray_val[count - 1] : NULL;

	/* The status comes first in each operation's result. */
	if (last && last->nfs_resop4_u.opaccess.status == NFS4ERR_SERVERFAULT) {
		last->nfs_resop4_u.opaccess.status = NFS4ERR_ACCESS;
		res->status = NFS4ERR_ACCESS;
	}
	return compound.encode(xdrs, reply);
}

void rdx_answer_access(void)
{
	protos program = rdx_request_program();

	if (program == P_MNT && op_ctx->nfs_vers == MOUNT_V3)
		correct(&mount, encode_mount);
	else if (program == P_NFS && op_ctx->nfs_vers == NFS_V4)
		correct(&compound, encode_compound);
}
