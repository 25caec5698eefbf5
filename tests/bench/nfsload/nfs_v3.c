/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* nfs_v3.c -- NFS version 3 and the MOUNT protocol */
#include "nfs.h"

#include <err.h>

#define NFS_PROGRAM   100003
#define MOUNT_PROGRAM 100005

enum {
	GETATTR = 1,
	LOOKUP = 3,
	READ = 6,
	WRITE = 7,
	CREATE = 8,
	REMOVE = 12,
	READDIR = 16,
	COMMIT = 21
};

#define ATTRIBUTES_SIZE 84
#define SIZE_OFFSET     20 /* of the size within the attributes */
#define LIST_BYTES      (64 * 1024)

static struct wire_out begin(
	struct nfs *nfs, struct conn *conn, struct call *call, uint32_t procedure)
{
	return nfs_begin(nfs, conn, call, NFS_PROGRAM, 3, procedure);
}

static struct wire_out begin_sync(struct nfs *nfs, uint32_t procedure)
{
	return begin(nfs, nfs->conns[0], &nfs->sync, procedure);
}

static void get_attributes(struct wire_in *in, uint64_t *size)
{
	const uint8_t *data = wire_get_fixed(in, ATTRIBUTES_SIZE);

	if (data && size) {
		memcpy(size, data + SIZE_OFFSET, sizeof(*size));
		*size = be64toh(*size);
	}
}

static void skip_post_attributes(struct wire_in *in)
{
	if (wire_get_u32(in))
		get_attributes(in, NULL);
}

static void skip_wcc(struct wire_in *in)
{
	if (wire_get_u32(in))
		wire_get_fixed(in, 24);
	skip_post_attributes(in);
}

static int checked(const struct wire_in *in, uint32_t status, const char *what)
{
	if (in->bad)
		errx(1, "the server's reply to %s is malformed", what);
	return (int)status;
}

static void v3_attach(struct nfs *nfs)
{
	const struct nfs_target *target = nfs->target;
	struct conn *conn = conn_open(target->host, target->mount_port);
	struct call call = { .done = NULL };
	struct wire_out out;
	struct wire_in in;
	uint32_t status;

	conn_add_call(conn, &call, NFS_REPLY_ROOM);
	out = nfs_begin(nfs, conn, &call, MOUNT_PROGRAM, 3, 1);
	wire_put_string(&out, target->export_path);
	nfs_end(&call, &out, NULL, 0);
	conn_call(conn, &call);
	in = nfs_reply(&call);
	status = wire_get_u32(&in);
	if (status)
		errx(1, "%s doesn't let us mount %s: %s", target->host, target->export_path,
			nfs_status_name((int)status));
	nfs_get_fh(&in, &nfs->root);
	checked(&in, status, "MNT");
	conn_drop_call(conn, &call);
	conn_close(conn);
}

static int getattr(struct nfs *nfs, const struct nfs_fh *fh, uint64_t *size)
{
	struct wire_out out;
	struct wire_in in;
	uint32_t status;

	do {
		out = begin_sync(nfs, GETATTR);
		nfs_put_fh(&out, fh);
		in = nfs_sync(nfs, &out);
		status = wire_get_u32(&in);
	} while (nfs_delayed(nfs, (int)status));
	if (!status)
		get_attributes(&in, size);
	return checked(&in, status, "GETATTR");
}

static int v3_create(struct nfs *nfs, const char *name, struct nfs_file *file)
{
	struct wire_out out;
	struct wire_in in;
	uint32_t status;

	do {
		out = begin_sync(nfs, CREATE);
		nfs_put_fh(&out, &nfs->root);
		wire_put_string(&out, name);
		wire_put_u32(&out, 0); /* UNCHECKED */
		wire_put_u32(&out, 1);
		wire_put_u32(&out, 0644);
		wire_put_u32(&out, 0); /* uid */
		wire_put_u32(&out, 0); /* gid */
		wire_put_u32(&out, 1);
		wire_put_u64(&out, 0); /* size */
		wire_put_u32(&out, 0); /* atime */
		wire_put_u32(&out, 0); /* mtime */
		in = nfs_sync(nfs, &out);
		status = wire_get_u32(&in);
	} while (nfs_delayed(nfs, (int)status));
	if (!status) {
		if (!wire_get_u32(&in))
			errx(1, "the server's reply to CREATE has no file handle");
		nfs_get_fh(&in, &file->fh);
		file->size = 0;
	}
	return checked(&in, status, "CREATE");
}

static int lookup(struct nfs *nfs, const char *name, struct nfs_fh *fh)
{
	struct wire_out out;
	struct wire_in in;
	uint32_t status;

	do {
		out = begin_sync(nfs, LOOKUP);
		nfs_put_fh(&out, &nfs->root);
		wire_put_string(&out, name);
		in = nfs_sync(nfs, &out);
		status = wire_get_u32(&in);
	} while (nfs_delayed(nfs, (int)status));
	if (!status)
		nfs_get_fh(&in, fh);
	return checked(&in, status, "LOOKUP");
}

static int v3_open(struct nfs *nfs, const char *name, bool writing, struct nfs_file *file)
{
	int status = lookup(nfs, name, &file->fh);

	(void)writing;
	return status ? status : getattr(nfs, &file->fh, &file->size);
}

static int v3_close(struct nfs *nfs, struct nfs_file *file)
{
	(void)nfs;
	(void)file;
	return 0;
}

static int v3_stat(struct nfs *nfs, const char *name, uint64_t *size)
{
	struct nfs_fh fh;
	int status = lookup(nfs, name, &fh);

	return status ? status : getattr(nfs, &fh, size);
}

static int v3_remove(struct nfs *nfs, const char *name)
{
	struct wire_out out;
	struct wire_in in;
	uint32_t status;

	do {
		out = begin_sync(nfs, REMOVE);
		nfs_put_fh(&out, &nfs->root);
		wire_put_string(&out, name);
		in = nfs_sync(nfs, &out);
		status = wire_get_u32(&in);
	} while (nfs_delayed(nfs, (int)status));
	return checked(&in, status, "REMOVE");
}

static int list_chunk(
	struct nfs *nfs, uint64_t *cookie, uint8_t verifier[8], bool *eof, unsigned *entries)
{
	struct wire_out out;
	struct wire_in in;
	uint32_t status, len;
	const uint8_t *data;

	do {
		out = begin_sync(nfs, READDIR);
		nfs_put_fh(&out, &nfs->root);
		wire_put_u64(&out, *cookie);
		wire_put_fixed(&out, verifier, 8);
		wire_put_u32(&out, LIST_BYTES);
		in = nfs_sync(nfs, &out);
		status = wire_get_u32(&in);
	} while (nfs_delayed(nfs, (int)status));
	if (status)
		return checked(&in, status, "READDIR");
	skip_post_attributes(&in);
	data = wire_get_fixed(&in, 8);
	if (data)
		memcpy(verifier, data, 8);
	while (wire_get_u32(&in)) {
		wire_get_u64(&in); /* fileid */
		wire_get_opaque(&in, &len);
		*cookie = wire_get_u64(&in);
		(*entries)++;
	}
	*eof = wire_get_u32(&in);
	return checked(&in, status, "READDIR");
}

static int v3_list(struct nfs *nfs, unsigned *entries)
{
	uint8_t verifier[8] = { 0 };
	uint64_t cookie = 0;
	bool eof = false;
	int status = 0;

	*entries = 0;
	while (!eof && !status)
		status = list_chunk(nfs, &cookie, verifier, &eof, entries);
	return status;
}

static int v3_commit(struct nfs *nfs, struct nfs_file *file, uint8_t verifier[8])
{
	struct wire_out out;
	struct wire_in in;
	uint32_t status;
	const uint8_t *data;

	do {
		out = begin_sync(nfs, COMMIT);
		nfs_put_fh(&out, &file->fh);
		wire_put_u64(&out, 0);
		wire_put_u32(&out, 0); /* all of it */
		in = nfs_sync(nfs, &out);
		status = wire_get_u32(&in);
	} while (nfs_delayed(nfs, (int)status));
	if (!status) {
		skip_wcc(&in);
		data = wire_get_fixed(&in, 8);
		if (data)
			memcpy(verifier, data, 8);
	}
	return checked(&in, status, "COMMIT");
}

static void v3_build_read(struct nfs *nfs, struct conn *conn, struct call *call,
	const struct nfs_file *file, uint64_t offset, uint32_t len)
{
	struct wire_out out = begin(nfs, conn, call, READ);

	nfs_put_fh(&out, &file->fh);
	wire_put_u64(&out, offset);
	wire_put_u32(&out, len);
	nfs_end(call, &out, NULL, 0);
}

static int v3_parse_read(const struct call *call, struct nfs_io_result *result)
{
	struct wire_in in = nfs_reply(call);
	uint32_t status = wire_get_u32(&in), len;

	if (!status) {
		skip_post_attributes(&in);
		wire_get_u32(&in); /* count: the data's length says the same */
		result->eof = wire_get_u32(&in);
		result->data = wire_get_opaque(&in, &len);
		result->count = len;
	}
	return checked(&in, status, "READ");
}

static void v3_build_write(struct nfs *nfs, struct conn *conn, struct call *call,
	const struct nfs_file *file, uint64_t offset, const uint8_t *data, uint32_t len,
	enum nfs_stable stable)
{
	struct wire_out out = begin(nfs, conn, call, WRITE);

	nfs_put_fh(&out, &file->fh);
	wire_put_u64(&out, offset);
	wire_put_u32(&out, len);
	wire_put_u32(&out, stable);
	wire_put_u32(&out, len);
	nfs_end(call, &out, data, len);
}

static int v3_parse_write(const struct call *call, struct nfs_io_result *result)
{
	struct wire_in in = nfs_reply(call);
	uint32_t status = wire_get_u32(&in);
	const uint8_t *data;

	if (!status) {
		skip_wcc(&in);
		result->count = wire_get_u32(&in);
		wire_get_u32(&in); /* committed */
		data = wire_get_fixed(&in, 8);
		if (data)
			memcpy(result->verifier, data, 8);
	}
	return checked(&in, status, "WRITE");
}

const struct nfs_version nfs_v3 = {
	.attach = v3_attach,
	.create = v3_create,
	.open = v3_open,
	.close = v3_close,
	.stat = v3_stat,
	.remove = v3_remove,
	.list = v3_list,
	.commit = v3_commit,
	.build_read = v3_build_read,
	.parse_read = v3_parse_read,
	.build_write = v3_build_write,
	.parse_write = v3_parse_write,
};
