/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* nfs_v4.c -- NFS version 4.0, without callbacks and so without delegations */
#include "nfs.h"

#include <err.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define NFS_PROGRAM 100003

enum {
	CLOSE = 4,
	COMMIT = 5,
	GETATTR = 9,
	GETFH = 10,
	LOOKUP = 15,
	OPEN = 18,
	OPEN_CONFIRM = 20,
	PUTFH = 22,
	PUTROOTFH = 24,
	READ = 25,
	READDIR = 26,
	REMOVE = 28,
	SETCLIENTID = 35,
	SETCLIENTID_CONFIRM = 36,
	WRITE = 38,
};

#define OPEN_RESULT_CONFIRM 2
#define SHARE_READ          1
#define SHARE_BOTH          3
#define ATTRIBUTE_SIZE      (1u << 4)  /* in the first word */
#define ATTRIBUTE_HANDLE    (1u << 19) /* there, too */
#define ATTRIBUTE_MODE      (1u << 1)  /* in the second */
#define LIST_BYTES          (64 * 1024)

static struct wire_out begin(
	struct nfs *nfs, struct conn *conn, struct call *call, uint32_t operations)
{
	struct wire_out out = nfs_begin(nfs, conn, call, NFS_PROGRAM, 4, 1);

	wire_put_string(&out, ""); /* tag */
	wire_put_u32(&out, 0);     /* minor version */
	wire_put_u32(&out, operations);
	return out;
}

static struct wire_out begin_sync(struct nfs *nfs, uint32_t operations)
{
	return begin(nfs, nfs->conns[0], &nfs->sync, operations);
}

static void put_fh(struct wire_out *out, const struct nfs_fh *fh)
{
	wire_put_u32(out, PUTFH);
	nfs_put_fh(out, fh);
}

/* A COMPOUND reply's head; the compound's status, which is its last operation's. */
static int results_begin(struct wire_in *in)
{
	uint32_t status = wire_get_u32(in), len;

	wire_get_opaque(in, &len); /* tag */
	wire_get_u32(in);          /* results */
	if (in->bad)
		errx(1, "the server's COMPOUND reply is malformed");
	return (int)status;
}

/* The next result is this operation's, and it succeeded. */
static void result_expect(struct wire_in *in, uint32_t operation)
{
	uint32_t got = wire_get_u32(in), status = wire_get_u32(in);

	if (in->bad || got != operation || status)
		errx(1, "the server answered operation %u (status %u) where %u was asked", got,
			status, operation);
}

static int checked(const struct wire_in *in, int status, const char *what)
{
	if (in->bad)
		errx(1, "the server's reply to %s is malformed", what);
	return status;
}

static void copy_fixed(struct wire_in *in, void *to, size_t len)
{
	const uint8_t *data = wire_get_fixed(in, len);

	if (data)
		memcpy(to, data, len);
}

/* What a client's stat() has to know: type, change, size, fileid; */
#define WANTED_FIRST (1u << 1 | 1u << 3 | ATTRIBUTE_SIZE | 1u << 20)
/* mode, links, owner, group, space used, times of access, metadata and modification. */
#define WANTED_SECOND                                                                              \
	(ATTRIBUTE_MODE | 1u << 3 | 1u << 4 | 1u << 5 | 1u << 13 | 1u << 15 | 1u << 20 | 1u << 21)

static void put_wanted(struct wire_out *out, uint32_t more)
{
	wire_put_u32(out, 2);
	wire_put_u32(out, WANTED_FIRST | more);
	wire_put_u32(out, WANTED_SECOND);
}

/* They come in the order of their bits. */
static void get_attributes(struct wire_in *in, uint32_t more, struct nfs_attr *attr)
{
	uint32_t words = wire_get_u32(in), first = wire_get_u32(in), second = wire_get_u32(in), len;

	if (words != 2 || first != (WANTED_FIRST | more) || second != WANTED_SECOND)
		errx(1, "the server doesn't give the attributes that were asked (%#x, %#x)", first,
			second);
	wire_get_u32(in); /* bytes */
	attr->type = wire_get_u32(in);
	wire_get_u64(in); /* change */
	attr->size = wire_get_u64(in);
	if (more & ATTRIBUTE_HANDLE)
		wire_get_opaque(in, &len);
	wire_get_u64(in); /* fileid */
	attr->mode = wire_get_u32(in);
	attr->nlink = wire_get_u32(in);
	wire_get_opaque(in, &len); /* owner */
	wire_get_opaque(in, &len); /* group */
	wire_get_u64(in);          /* used */
	wire_get_fixed(in, 12 + 12 + 12);
}

static void put_getattr(struct wire_out *out)
{
	wire_put_u32(out, GETATTR);
	put_wanted(out, 0);
}

static void get_getattr(struct wire_in *in, struct nfs_attr *attr)
{
	result_expect(in, GETATTR);
	get_attributes(in, 0, attr);
}

static void set_client_id(struct nfs *nfs)
{
	struct timespec now;
	uint8_t confirm[8] = { 0 };
	struct wire_out out = begin_sync(nfs, 1);
	struct wire_in in;
	int status;

	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(nfs->client_name, sizeof(nfs->client_name), "nfsload %d %lld", (int)getpid(),
		(long long)now.tv_nsec);
	wire_put_u32(&out, SETCLIENTID);
	wire_put_u64(&out, (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec);
	wire_put_string(&out, nfs->client_name);
	wire_put_u32(&out, 0x40000000); /* callback program: nobody listens */
	wire_put_string(&out, "tcp");
	wire_put_string(&out, "0.0.0.0.0.0");
	wire_put_u32(&out, 1);
	in = nfs_sync(nfs, &out);
	status = results_begin(&in);
	if (status)
		errx(1, "SETCLIENTID failed: %s", nfs_status_name(status));
	result_expect(&in, SETCLIENTID);
	nfs->client_id = wire_get_u64(&in);
	copy_fixed(&in, confirm, sizeof(confirm));
	out = begin_sync(nfs, 1);
	wire_put_u32(&out, SETCLIENTID_CONFIRM);
	wire_put_u64(&out, nfs->client_id);
	wire_put_fixed(&out, confirm, sizeof(confirm));
	in = nfs_sync(nfs, &out);
	status = results_begin(&in);
	if (status)
		errx(1, "SETCLIENTID_CONFIRM failed: %s", nfs_status_name(status));
	snprintf(nfs->owner.name, sizeof(nfs->owner.name), "%s", nfs->client_name);
}

/* The components of the export's path one by one; how many there are. */
static uint32_t put_lookups(struct wire_out *out, const char *path)
{
	uint32_t count = 0;

	while (*path) {
		size_t len = strcspn(path, "/");

		if (len) {
			if (out) {
				wire_put_u32(out, LOOKUP);
				wire_put_opaque(out, path, len);
			}
			count++;
		}
		path += len + (path[len] == '/');
	}
	return count;
}

static void v4_attach(struct nfs *nfs)
{
	const char *path = nfs->target->export_path;
	uint32_t components = put_lookups(NULL, path);
	struct wire_out out;
	struct wire_in in;
	int status;

	set_client_id(nfs);
	do {
		out = begin_sync(nfs, components + 2);
		wire_put_u32(&out, PUTROOTFH);
		put_lookups(&out, path);
		wire_put_u32(&out, GETFH);
		in = nfs_sync(nfs, &out);
		status = results_begin(&in);
	} while (nfs_delayed(nfs, status));
	if (status)
		errx(1, "%s has no %s: %s", nfs->target->host, path, nfs_status_name(status));
	result_expect(&in, PUTROOTFH);
	for (uint32_t i = 0; i < components; i++)
		result_expect(&in, LOOKUP);
	result_expect(&in, GETFH);
	nfs_get_fh(&in, &nfs->root);
	checked(&in, status, "GETFH");
}

/* All of a compound; creates with this mode, or opens what is there if it is NO_CREATE. */
#define NO_CREATE       UINT32_MAX
#define OPEN_OPERATIONS 4

static void put_open(struct nfs *nfs, struct wire_out *out, struct nfs_owner *owner,
	const char *name, uint32_t share, uint32_t mode)
{
	bool create = mode != NO_CREATE;

	put_fh(out, &nfs->root);
	wire_put_u32(out, OPEN);
	wire_put_u32(out, owner->seqid++);
	wire_put_u32(out, share);
	wire_put_u32(out, 0); /* deny nothing */
	wire_put_u64(out, nfs->client_id);
	wire_put_string(out, owner->name);
	wire_put_u32(out, create);
	if (create) {
		wire_put_u32(out, 0); /* UNCHECKED */
		wire_put_u32(out, 2);
		wire_put_u32(out, ATTRIBUTE_SIZE);
		wire_put_u32(out, ATTRIBUTE_MODE);
		wire_put_u32(out, 8 + 4);
		wire_put_u64(out, 0);
		wire_put_u32(out, mode);
	}
	wire_put_u32(out, 0); /* CLAIM_NULL */
	wire_put_string(out, name);
	wire_put_u32(out, GETFH);
	put_getattr(out);
}

/* True if the open has to be confirmed. */
static bool get_open(struct wire_in *in, struct nfs_file *file)
{
	struct nfs_attr attr;
	uint32_t flags, words;

	result_expect(in, PUTFH);
	result_expect(in, OPEN);
	copy_fixed(in, file->stateid, sizeof(file->stateid));
	wire_get_fixed(in, 4 + 8 + 8); /* change_info */
	flags = wire_get_u32(in);
	words = wire_get_u32(in);
	wire_get_fixed(in, (size_t)words * 4);
	if (wire_get_u32(in))
		errx(1, "the server gave a delegation to a client without callbacks");
	result_expect(in, GETFH);
	nfs_get_fh(in, &file->fh);
	get_getattr(in, &attr);
	file->size = attr.size;
	return flags & OPEN_RESULT_CONFIRM;
}

static void put_confirm(struct wire_out *out, struct nfs_owner *owner, const struct nfs_file *file)
{
	put_fh(out, &file->fh);
	wire_put_u32(out, OPEN_CONFIRM);
	wire_put_fixed(out, file->stateid, sizeof(file->stateid));
	wire_put_u32(out, owner->seqid++);
}

static void get_confirm(struct wire_in *in, struct nfs_file *file)
{
	result_expect(in, PUTFH);
	result_expect(in, OPEN_CONFIRM);
	copy_fixed(in, file->stateid, sizeof(file->stateid));
}

static int confirm_open(struct nfs *nfs, struct nfs_file *file)
{
	struct wire_out out;
	struct wire_in in;
	int status;

	do {
		out = begin_sync(nfs, 2);
		put_confirm(&out, &nfs->owner, file);
		in = nfs_sync(nfs, &out);
		status = results_begin(&in);
	} while (nfs_delayed(nfs, status));
	if (!status)
		get_confirm(&in, file);
	return checked(&in, status, "OPEN_CONFIRM");
}

static int open_file(
	struct nfs *nfs, const char *name, uint32_t share, uint32_t mode, struct nfs_file *file)
{
	struct wire_out out;
	struct wire_in in;
	bool confirm;
	int status;

	do {
		out = begin_sync(nfs, OPEN_OPERATIONS);
		put_open(nfs, &out, &nfs->owner, name, share, mode);
		in = nfs_sync(nfs, &out);
		status = results_begin(&in);
	} while (nfs_delayed(nfs, status));
	if (status)
		return status;
	confirm = get_open(&in, file);
	checked(&in, status, "OPEN");
	return confirm ? confirm_open(nfs, file) : 0;
}

static int v4_create(struct nfs *nfs, const char *name, struct nfs_file *file)
{
	return open_file(nfs, name, SHARE_BOTH, 0644, file);
}

static int v4_open(struct nfs *nfs, const char *name, bool writing, struct nfs_file *file)
{
	return open_file(nfs, name, writing ? SHARE_BOTH : SHARE_READ, NO_CREATE, file);
}

static void put_close(struct wire_out *out, struct nfs_owner *owner, const struct nfs_file *file)
{
	put_fh(out, &file->fh);
	wire_put_u32(out, CLOSE);
	wire_put_u32(out, owner->seqid++);
	wire_put_fixed(out, file->stateid, sizeof(file->stateid));
}

static int v4_close(struct nfs *nfs, struct nfs_file *file)
{
	struct wire_out out;
	struct wire_in in;
	int status;

	do {
		out = begin_sync(nfs, 2);
		put_close(&out, &nfs->owner, file);
		in = nfs_sync(nfs, &out);
		status = results_begin(&in);
	} while (nfs_delayed(nfs, status));
	return status;
}

static void put_name(struct nfs *nfs, struct wire_out *out, uint32_t operation, const char *name)
{
	put_fh(out, &nfs->root);
	wire_put_u32(out, operation);
	wire_put_string(out, name);
}

static int v4_find(struct nfs *nfs, const char *name, struct nfs_fh *fh)
{
	struct wire_out out;
	struct wire_in in;
	int status;

	do {
		out = begin_sync(nfs, 3);
		put_name(nfs, &out, LOOKUP, name);
		wire_put_u32(&out, GETFH);
		in = nfs_sync(nfs, &out);
		status = results_begin(&in);
	} while (nfs_delayed(nfs, status));
	if (!status) {
		result_expect(&in, PUTFH);
		result_expect(&in, LOOKUP);
		result_expect(&in, GETFH);
		nfs_get_fh(&in, fh);
	}
	return checked(&in, status, "LOOKUP");
}

static void visit_entry(struct wire_in *in, uint64_t *cookie, nfs_visit *visit, void *arg)
{
	struct nfs_attr attr;
	const uint8_t *name;
	uint32_t len;

	*cookie = wire_get_u64(in);
	name = wire_get_opaque(in, &len);
	get_attributes(in, ATTRIBUTE_HANDLE, &attr);
	if (!in->bad)
		visit(arg, (const char *)name, len, &attr);
}

static int list_chunk(struct nfs *nfs, uint64_t *cookie, uint8_t verifier[8], bool *eof,
	nfs_visit *visit, void *arg)
{
	struct wire_out out;
	struct wire_in in;
	int status;

	do {
		out = begin_sync(nfs, 2);
		put_fh(&out, &nfs->root);
		wire_put_u32(&out, READDIR);
		wire_put_u64(&out, *cookie);
		wire_put_fixed(&out, verifier, 8);
		wire_put_u32(&out, LIST_BYTES);
		wire_put_u32(&out, LIST_BYTES);
		put_wanted(&out, ATTRIBUTE_HANDLE);
		in = nfs_sync(nfs, &out);
		status = results_begin(&in);
	} while (nfs_delayed(nfs, status));
	if (status)
		return status;
	result_expect(&in, PUTFH);
	result_expect(&in, READDIR);
	copy_fixed(&in, verifier, 8);
	while (wire_get_u32(&in))
		visit_entry(&in, cookie, visit, arg);
	*eof = wire_get_u32(&in);
	return checked(&in, status, "READDIR");
}

static int v4_list(struct nfs *nfs, nfs_visit *visit, void *arg)
{
	uint8_t verifier[8] = { 0 };
	uint64_t cookie = 0;
	bool eof = false;
	int status = 0;

	while (!eof && !status)
		status = list_chunk(nfs, &cookie, verifier, &eof, visit, arg);
	return status;
}

static int v4_commit(struct nfs *nfs, struct nfs_file *file, uint8_t verifier[8])
{
	struct wire_out out;
	struct wire_in in;
	int status;

	do {
		out = begin_sync(nfs, 2);
		put_fh(&out, &file->fh);
		wire_put_u32(&out, COMMIT);
		wire_put_u64(&out, 0);
		wire_put_u32(&out, 0); /* all of it */
		in = nfs_sync(nfs, &out);
		status = results_begin(&in);
	} while (nfs_delayed(nfs, status));
	if (!status) {
		result_expect(&in, PUTFH);
		result_expect(&in, COMMIT);
		copy_fixed(&in, verifier, 8);
	}
	return checked(&in, status, "COMMIT");
}

static void v4_build_read(struct nfs *nfs, struct conn *conn, struct call *call,
	const struct nfs_file *file, uint64_t offset, uint32_t len)
{
	struct wire_out out = begin(nfs, conn, call, 2);

	put_fh(&out, &file->fh);
	wire_put_u32(&out, READ);
	wire_put_fixed(&out, file->stateid, sizeof(file->stateid));
	wire_put_u64(&out, offset);
	wire_put_u32(&out, len);
	nfs_end(call, &out, NULL, 0);
}

static int v4_parse_read(const struct call *call, struct nfs_io_result *result)
{
	struct wire_in in = nfs_reply(call);
	int status = results_begin(&in);

	if (!status) {
		result_expect(&in, PUTFH);
		result_expect(&in, READ);
		result->eof = wire_get_u32(&in);
		result->data = wire_get_opaque(&in, &result->count);
	}
	return checked(&in, status, "READ");
}

static void v4_build_write(struct nfs *nfs, struct conn *conn, struct call *call,
	const struct nfs_file *file, uint64_t offset, const uint8_t *data, uint32_t len,
	enum nfs_stable stable)
{
	struct wire_out out = begin(nfs, conn, call, 2);

	put_fh(&out, &file->fh);
	wire_put_u32(&out, WRITE);
	wire_put_fixed(&out, file->stateid, sizeof(file->stateid));
	wire_put_u64(&out, offset);
	wire_put_u32(&out, stable);
	wire_put_u32(&out, len);
	nfs_end(call, &out, data, len);
}

static int v4_parse_write(const struct call *call, struct nfs_io_result *result)
{
	struct wire_in in = nfs_reply(call);
	int status = results_begin(&in);

	if (!status) {
		result_expect(&in, PUTFH);
		result_expect(&in, WRITE);
		result->count = wire_get_u32(&in);
		wire_get_u32(&in); /* committed */
		copy_fixed(&in, result->verifier, sizeof(result->verifier));
	}
	return checked(&in, status, "WRITE");
}

/* A CREATE's further calls; the first leads to either. */
enum { STEP_CONFIRM = 1, STEP_CLOSE = 2 };

static void build_create(struct nfs *nfs, struct wire_out *out, const struct nfs_meta *meta)
{
	if (meta->step == STEP_CONFIRM)
		put_confirm(out, meta->owner, &meta->file);
	else if (meta->step == STEP_CLOSE)
		put_close(out, meta->owner, &meta->file);
	else
		put_open(nfs, out, meta->owner, meta->name, SHARE_BOTH, meta->mode);
}

static void v4_build_meta(
	struct nfs *nfs, struct conn *conn, struct call *call, struct nfs_meta *meta)
{
	static const uint32_t operations[] = { [NFS_STAT] = 3, [NFS_REMOVE] = 2 };
	struct wire_out out;

	if (meta->kind == NFS_CREATE) {
		out = begin(nfs, conn, call, meta->step ? 2 : OPEN_OPERATIONS);
		build_create(nfs, &out, meta);
	} else {
		out = begin(nfs, conn, call, operations[meta->kind]);
		put_name(nfs, &out, meta->kind == NFS_STAT ? LOOKUP : REMOVE, meta->name);
		if (meta->kind == NFS_STAT)
			put_getattr(&out);
	}
	nfs_end(call, &out, NULL, 0);
}

static void parse_create(struct wire_in *in, struct nfs_meta *meta, bool *more)
{
	*more = meta->step != STEP_CLOSE;
	if (meta->step == STEP_CONFIRM) {
		get_confirm(in, &meta->file);
		meta->step = STEP_CLOSE;
	} else if (!meta->step) {
		meta->step = get_open(in, &meta->file) ? STEP_CONFIRM : STEP_CLOSE;
	}
}

static int v4_parse_meta(const struct call *call, struct nfs_meta *meta, bool *more)
{
	struct wire_in in = nfs_reply(call);
	int status = results_begin(&in);

	*more = false;
	if (!status && meta->kind == NFS_CREATE)
		parse_create(&in, meta, more);
	if (!status && meta->kind == NFS_STAT) {
		result_expect(&in, PUTFH);
		result_expect(&in, LOOKUP);
		get_getattr(&in, &meta->attr);
	}
	return checked(&in, status, "OPEN, LOOKUP or REMOVE");
}

const struct nfs_version nfs_v4 = {
	.attach = v4_attach,
	.create = v4_create,
	.open = v4_open,
	.close = v4_close,
	.find = v4_find,
	.list = v4_list,
	.commit = v4_commit,
	.build_read = v4_build_read,
	.parse_read = v4_parse_read,
	.build_write = v4_build_write,
	.parse_write = v4_parse_write,
	.build_meta = v4_build_meta,
	.parse_meta = v4_parse_meta,
};
