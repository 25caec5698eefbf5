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
	READDIRPLUS = 17,
	COMMIT = 21
};

#define LIST_BYTES (64 * 1024)

static struct wire_out begin(
	struct nfs *nfs, struct conn *conn, struct call *call, uint32_t procedure)
{
	return nfs_begin(nfs, conn, call, NFS_PROGRAM, 3, procedure);
}

static struct wire_out begin_sync(struct nfs *nfs, uint32_t procedure)
{
	return begin(nfs, nfs->conns[0], &nfs->sync, procedure);
}

static void get_attributes(struct wire_in *in, struct nfs_attr *attr)
{
	attr->type = wire_get_u32(in);
	attr->mode = wire_get_u32(in);
	attr->nlink = wire_get_u32(in);
	wire_get_fixed(in, 4 + 4); /* uid, gid */
	attr->size = wire_get_u64(in);
	wire_get_fixed(in, 8 + 8 + 8 + 8); /* used, rdev, fsid, fileid */
	wire_get_fixed(in, 8 + 8 + 8);     /* times */
}

/* False if there are none. */
static bool get_post_attributes(struct wire_in *in, struct nfs_attr *attr)
{
	if (!wire_get_u32(in))
		return false;
	get_attributes(in, attr);
	return true;
}

static void skip_post_attributes(struct wire_in *in)
{
	struct nfs_attr attr;

	get_post_attributes(in, &attr);
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

static int getattr(struct nfs *nfs, const struct nfs_fh *fh, struct nfs_attr *attr)
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
		get_attributes(&in, attr);
	return checked(&in, status, "GETATTR");
}

static void put_name(struct nfs *nfs, struct wire_out *out, const char *name)
{
	nfs_put_fh(out, &nfs->root);
	wire_put_string(out, name);
}

static void put_create(struct nfs *nfs, struct wire_out *out, const char *name, uint32_t mode)
{
	put_name(nfs, out, name);
	wire_put_u32(out, 0); /* UNCHECKED */
	wire_put_u32(out, 1);
	wire_put_u32(out, mode);
	wire_put_u32(out, 0); /* uid */
	wire_put_u32(out, 0); /* gid */
	wire_put_u32(out, 1);
	wire_put_u64(out, 0); /* size */
	wire_put_u32(out, 0); /* atime */
	wire_put_u32(out, 0); /* mtime */
}

static int v3_create(struct nfs *nfs, const char *name, struct nfs_file *file)
{
	struct wire_out out;
	struct wire_in in;
	uint32_t status;

	do {
		out = begin_sync(nfs, CREATE);
		put_create(nfs, &out, name, 0644);
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

static int v3_find(struct nfs *nfs, const char *name, struct nfs_fh *fh)
{
	struct wire_out out;
	struct wire_in in;
	uint32_t status;

	do {
		out = begin_sync(nfs, LOOKUP);
		put_name(nfs, &out, name);
		in = nfs_sync(nfs, &out);
		status = wire_get_u32(&in);
	} while (nfs_delayed(nfs, (int)status));
	if (!status)
		nfs_get_fh(&in, fh);
	return checked(&in, status, "LOOKUP");
}

static int v3_open(struct nfs *nfs, const char *name, bool writing, struct nfs_file *file)
{
	int status = v3_find(nfs, name, &file->fh);
	struct nfs_attr attr;

	(void)writing;
	if (!status)
		status = getattr(nfs, &file->fh, &attr);
	if (!status)
		file->size = attr.size;
	return status;
}

static int v3_close(struct nfs *nfs, struct nfs_file *file)
{
	(void)nfs;
	(void)file;
	return 0;
}

static void visit_entry(struct wire_in *in, uint64_t *cookie, nfs_visit *visit, void *arg)
{
	struct nfs_attr attr;
	struct nfs_fh fh;
	const uint8_t *name;
	uint32_t len;
	bool known;

	wire_get_u64(in); /* fileid */
	name = wire_get_opaque(in, &len);
	*cookie = wire_get_u64(in);
	known = get_post_attributes(in, &attr);
	if (wire_get_u32(in))
		nfs_get_fh(in, &fh);
	if (!in->bad)
		visit(arg, (const char *)name, len, known ? &attr : NULL);
}

static int list_chunk(struct nfs *nfs, uint64_t *cookie, uint8_t verifier[8], bool *eof,
	nfs_visit *visit, void *arg)
{
	struct wire_out out;
	struct wire_in in;
	uint32_t status;
	const uint8_t *data;

	do {
		out = begin_sync(nfs, READDIRPLUS);
		nfs_put_fh(&out, &nfs->root);
		wire_put_u64(&out, *cookie);
		wire_put_fixed(&out, verifier, 8);
		wire_put_u32(&out, LIST_BYTES);
		wire_put_u32(&out, LIST_BYTES);
		in = nfs_sync(nfs, &out);
		status = wire_get_u32(&in);
	} while (nfs_delayed(nfs, (int)status));
	if (status)
		return checked(&in, status, "READDIRPLUS");
	skip_post_attributes(&in);
	data = wire_get_fixed(&in, 8);
	if (data)
		memcpy(verifier, data, 8);
	while (wire_get_u32(&in))
		visit_entry(&in, cookie, visit, arg);
	*eof = wire_get_u32(&in);
	return checked(&in, status, "READDIRPLUS");
}

static int v3_list(struct nfs *nfs, nfs_visit *visit, void *arg)
{
	uint8_t verifier[8] = { 0 };
	uint64_t cookie = 0;
	bool eof = false;
	int status = 0;

	while (!eof && !status)
		status = list_chunk(nfs, &cookie, verifier, &eof, visit, arg);
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

/* A STAT's second call, for a server whose LOOKUP tells no attributes. */
#define STEP_GETATTR 1

static void v3_build_meta(
	struct nfs *nfs, struct conn *conn, struct call *call, struct nfs_meta *meta)
{
	static const uint32_t procedures[] = {
		[NFS_CREATE] = CREATE, [NFS_STAT] = LOOKUP, [NFS_REMOVE] = REMOVE
	};
	struct wire_out out;

	if (meta->step == STEP_GETATTR) {
		out = begin(nfs, conn, call, GETATTR);
		nfs_put_fh(&out, &meta->file.fh);
	} else {
		out = begin(nfs, conn, call, procedures[meta->kind]);
		if (meta->kind == NFS_CREATE)
			put_create(nfs, &out, meta->name, meta->mode);
		else
			put_name(nfs, &out, meta->name);
	}
	nfs_end(call, &out, NULL, 0);
}

static int v3_parse_meta(const struct call *call, struct nfs_meta *meta, bool *more)
{
	struct wire_in in = nfs_reply(call);
	uint32_t status = wire_get_u32(&in);

	*more = false;
	if (status || meta->kind != NFS_STAT)
		return checked(&in, status, "CREATE, LOOKUP or REMOVE");
	if (meta->step == STEP_GETATTR) {
		get_attributes(&in, &meta->attr);
	} else {
		nfs_get_fh(&in, &meta->file.fh);
		*more = !get_post_attributes(&in, &meta->attr);
		meta->step = STEP_GETATTR;
	}
	return checked(&in, status, "LOOKUP or GETATTR");
}

const struct nfs_version nfs_v3 = {
	.attach = v3_attach,
	.create = v3_create,
	.open = v3_open,
	.close = v3_close,
	.find = v3_find,
	.list = v3_list,
	.commit = v3_commit,
	.build_read = v3_build_read,
	.parse_read = v3_parse_read,
	.build_write = v3_build_write,
	.parse_write = v3_parse_write,
	.build_meta = v3_build_meta,
	.parse_meta = v3_parse_meta,
};
