/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* rpc_null.c -- a plain libntirpc client: rdmaxferd's NULL procedure, and one that it doesn't have */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rpc/rpc.h>
#include <rpc/clnt.h>
#include <rpc/svc.h>

#define PROGRAM 0x20584652
#define VERSION 1

static const struct timespec timeout = { .tv_sec = 10 };

static enum clnt_stat call(CLIENT *client, AUTH *auth, rpcproc_t proc)
{
	struct clnt_req *req = calloc(1, sizeof(*req));
	enum clnt_stat stat;

	clnt_req_fill(req, client, auth, proc, (xdrproc_t)xdr_void, NULL, (xdrproc_t)xdr_void,
		NULL);
	stat = clnt_req_setup(req, timeout);
	if (stat == RPC_SUCCESS)
		stat = CLNT_CALL_WAIT(req);
	clnt_req_release(req);
	return stat;
}

static int expect(CLIENT *client, AUTH *auth, rpcproc_t proc, enum clnt_stat expected)
{
	enum clnt_stat stat = call(client, auth, proc);

	printf("procedure %u: %s\n", proc, clnt_sperrno(stat));
	return stat == expected ? 0 : 1;
}

int main(int argc, char **argv)
{
	svc_init_params params = { .disconnect_cb = NULL, .alloc_cb = NULL, .free_cb = NULL };
	CLIENT *client;
	AUTH *auth;
	int failed;

	if (argc != 2) {
		fprintf(stderr, "usage: rpc_null UNIVERSAL_ADDRESS\n");
		return 2;
	}
	params.flags = SVC_INIT_EPOLL;
	params.max_events = 16;
	params.ioq_thrd_max = 4;
	if (!svc_init(&params))
		return 1;
	struct netconfig *tcp = getnetconfigent("tcp");
	struct netbuf *address = uaddr2taddr(tcp, argv[1]);

	client = clnt_tli_ncreate(RPC_ANYFD, tcp, address, PROGRAM, VERSION, 0, 0);
	if (CLNT_FAILURE(client)) {
		fprintf(stderr, "no connection to %s\n", argv[1]);
		return 1;
	}
	auth = authnone_ncreate();
	failed = expect(client, auth, 0, RPC_SUCCESS);
	failed += expect(client, auth, 99, RPC_PROCUNAVAIL);
	failed += expect(client, auth, 0, RPC_SUCCESS);
	CLNT_DESTROY(client);
	return failed ? 1 : 0;
}
