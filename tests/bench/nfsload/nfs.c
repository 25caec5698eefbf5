/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* nfs.c -- what v3 and v4.0 have in common: connections, RPC headers, waiting */
#include "nfs.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SYNC_REPLY (128 * 1024)
#define DELAY_MS   20

void nfs_attach(struct nfs *nfs, const struct nfs_target *target)
{
	*nfs = (struct nfs){
		.version = target->version == 3 ? &nfs_v3 : &nfs_v4,
		.target = target,
		.count = target->conns,
	};
	nfs->conns = calloc(nfs->count, sizeof(nfs->conns[0]));
	if (!nfs->conns)
		err(1, "no memory for %u connections", nfs->count);
	for (unsigned i = 0; i < nfs->count; i++)
		nfs->conns[i] = conn_open(target->host, target->nfs_port);
	conn_add_call(nfs->conns[0], &nfs->sync, SYNC_REPLY);
	nfs->version->attach(nfs);
}

void nfs_detach(struct nfs *nfs)
{
	conn_drop_call(nfs->conns[0], &nfs->sync);
	for (unsigned i = 0; i < nfs->count; i++)
		conn_close(nfs->conns[i]);
	free(nfs->conns);
}

void nfs_enter(struct nfs *nfs, const char *name)
{
	int status = nfs->version->find(nfs, name, &nfs->root);

	if (status)
		errx(1, "%s has no directory %s: %s", nfs->target->export_path, name,
			nfs_status_name(status));
}

static void put_credentials(struct wire_out *out, const struct nfs_target *target)
{
	static const char machine[] = "nfsload";
	const uint32_t auth_sys = 1, auth_none = 0;

	wire_put_u32(out, auth_sys);
	wire_put_u32(out, 5 * 4 + (uint32_t)wire_padded(sizeof(machine) - 1));
	wire_put_u32(out, 0); /* stamp */
	wire_put_string(out, machine);
	wire_put_u32(out, target->uid);
	wire_put_u32(out, target->gid);
	wire_put_u32(out, 0); /* further groups */
	wire_put_u32(out, auth_none);
	wire_put_u32(out, 0);
}

struct wire_out nfs_begin(struct nfs *nfs, struct conn *conn, struct call *call, uint32_t program,
	uint32_t version, uint32_t procedure)
{
	struct wire_out out = { .at = call->head + 4, .end = call->head + sizeof(call->head) };

	wire_put_u32(&out, conn_next_xid(conn, call));
	wire_put_u32(&out, 0); /* CALL */
	wire_put_u32(&out, 2); /* RPC version */
	wire_put_u32(&out, program);
	wire_put_u32(&out, version);
	wire_put_u32(&out, procedure);
	put_credentials(&out, nfs->target);
	return out;
}

void nfs_end(struct call *call, struct wire_out *out, const uint8_t *payload, uint32_t len)
{
	if (out->bad)
		errx(1, "a call's arguments are too long: use shorter names");
	call->head_len = (size_t)(out->at - call->head);
	call->payload = payload;
	call->payload_len = len;
}

struct wire_in nfs_reply(const struct call *call)
{
	struct wire_in in = { .at = call->reply, .end = call->reply + call->reply_len };
	uint32_t type = wire_get_u32(&in), denied = wire_get_u32(&in), len, accepted;

	if (type != 1 || denied)
		errx(1, "the server refused the call's credentials or RPC version (reply_stat %u)",
			denied);
	wire_get_u32(&in);
	wire_get_opaque(&in, &len);
	accepted = wire_get_u32(&in);
	if (in.bad || accepted)
		errx(1, "the server doesn't take the call (accept_stat %u): does it serve this version?",
			accepted);
	return in;
}

struct wire_in nfs_sync(struct nfs *nfs, struct wire_out *out)
{
	nfs_end(&nfs->sync, out, NULL, 0);
	conn_call(nfs->conns[0], &nfs->sync);
	return nfs_reply(&nfs->sync);
}

bool nfs_is_delay(int status)
{
	return status == NFS_DELAY || status == NFS_GRACE;
}

uint64_t nfs_take_delays(struct nfs *nfs)
{
	uint64_t delays = nfs->delays;

	nfs->delays = 0;
	return delays;
}

bool nfs_delayed(struct nfs *nfs, int status)
{
	const struct timespec pause = { .tv_nsec = DELAY_MS * 1000000L };

	if (!nfs_is_delay(status))
		return false;
	nfs->delays++;
	nanosleep(&pause, NULL);
	return true;
}

void nfs_get_fh(struct wire_in *in, struct nfs_fh *fh)
{
	uint32_t len;
	const uint8_t *data = wire_get_opaque(in, &len);

	if (!data || len > sizeof(fh->data)) {
		in->bad = true;
		return;
	}
	fh->len = len;
	memcpy(fh->data, data, len);
}

void nfs_put_fh(struct wire_out *out, const struct nfs_fh *fh)
{
	wire_put_opaque(out, fh->data, fh->len);
}

const char *nfs_status_name(int status)
{
	static const struct {
		int status;
		const char *name;
	} names[] = {
		{ 1, "PERM" },
		{ 2, "NOENT" },
		{ 5, "IO" },
		{ 13, "ACCES" },
		{ 17, "EXIST" },
		{ 20, "NOTDIR" },
		{ 21, "ISDIR" },
		{ 22, "INVAL" },
		{ 27, "FBIG" },
		{ 28, "NOSPC" },
		{ 30, "ROFS" },
		{ 69, "DQUOT" },
		{ 70, "STALE" },
		{ 10001, "BADHANDLE" },
		{ 10004, "NOTSUPP" },
		{ 10006, "SERVERFAULT" },
		{ 10008, "DELAY" },
		{ 10011, "EXPIRED" },
		{ 10013, "GRACE" },
		{ 10018, "RESOURCE" },
		{ 10022, "STALE_CLIENTID" },
		{ 10023, "STALE_STATEID" },
		{ 10025, "BAD_STATEID" },
		{ 10026, "BAD_SEQID" },
		{ 10036, "BADXDR" },
		{ 10038, "OPENMODE" },
	};
	static char number[32];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].status == status)
			return names[i].name;
	snprintf(number, sizeof(number), "status %d", status);
	return number;
}
