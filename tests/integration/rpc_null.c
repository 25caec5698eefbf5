/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* rpc_null.c -- a plain libntirpc client: rdmaxferd's NULL procedure, and one that it doesn't have */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <rpc/rpc.h>
#include <rpc/clnt.h>
#include <rpc/svc.h>

#define PROGRAM 0x20584652
#define VERSION 1

static const struct timespec timeout = { .tv_sec = 10 };

/* libntirpc gives the request back through this. */
static void free_request(struct clnt_req *request, size_t size)
{
	(void)size;
	free(request);
}

/* What arrives on a client's connection is a request to libntirpc until it turns out to be a reply. */
static struct svc_req *alloc_incoming(SVCXPRT *xprt, XDR *xdrs)
{
	struct svc_req *request = calloc(1, sizeof(*request));

	SVC_REF(xprt, SVC_REF_FLAG_NONE);
	request->rq_xprt = xprt;
	request->rq_xdrs = xdrs;
	request->rq_refcnt = 1;
	return request;
}

static void free_incoming(struct svc_req *request, enum xprt_stat stat)
{
	(void)stat;
	SVC_RELEASE(request->rq_xprt, SVC_REF_FLAG_NONE);
	free(request);
}

static enum clnt_stat call(CLIENT *client, AUTH *auth, rpcproc_t proc)
{
	struct clnt_req *request = calloc(1, sizeof(*request));
	enum clnt_stat stat;

	clnt_req_fill(
		request, client, auth, proc, (xdrproc_t)xdr_void, NULL, (xdrproc_t)xdr_void, NULL);
	request->cc_free_cb = free_request;
	stat = clnt_req_setup(request, timeout);
	if (stat == RPC_SUCCESS)
		stat = CLNT_CALL_WAIT(request);
	clnt_req_release(request);
	return stat;
}

static int expect(CLIENT *client, AUTH *auth, rpcproc_t proc, enum clnt_stat expected)
{
	enum clnt_stat stat = call(client, auth, proc);

	printf("procedure %u: %s\n", proc, clnt_sperrno(stat));
	return stat == expected ? 0 : 1;
}

static CLIENT *connect_to(const char *host, unsigned short port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct netbuf buffer = { sizeof(address), sizeof(address), &address };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (inet_pton(AF_INET, host, &address.sin_addr) != 1 ||
		connect(fd, (struct sockaddr *)&address, sizeof(address)))
		return NULL;
	return clnt_vc_ncreatef(
		fd, &buffer, PROGRAM, VERSION, 65536, 65536, CLNT_CREATE_FLAG_CLOSE);
}

int main(int argc, char **argv)
{
	svc_init_params params = {
		.alloc_cb = alloc_incoming,
		.free_cb = free_incoming,
		.flags = SVC_INIT_EPOLL | SVC_INIT_NOREG_XPRTS,
		.max_events = 16,
		.max_connections = 16,
		.channels = 4,
		.ioq_thrd_min = 2,
		.ioq_thrd_max = 4,
		.ioq_send_max = 65536,
		.idle_timeout = 60,
	};
	CLIENT *client;
	AUTH *auth;
	int failed;

	if (argc != 3) {
		fprintf(stderr, "usage: rpc_null ADDRESS PORT\n");
		return 2;
	}
	if (!svc_init(&params))
		return 1;
	client = connect_to(argv[1], (unsigned short)atoi(argv[2]));
	if (!client || CLNT_FAILURE(client)) {
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
