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
#define ATTRIBUTE_SIZE      (1u << 4) /* in the first word */
#define ATTRIBUTE_MODE      (1u << 1) /* in the second */
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

static void put_size_wanted(struct wire_out *out)
{
	wire_put_u32(out, GETATTR);
	wire_put_u32(out, 1);
	wire_put_u32(out, ATTRIBUTE_SIZE);
}

static void get_size(struct wire_in *in, uint64_t *size)
{
	uint32_t words;

	result_expect(in, GETATTR);
	words = wire_get_u32(in);
	if (words != 1 || wire_get_u32(in) != ATTRIBUTE_SIZE || wire_get_u32(in) != sizeof(*size))
		errx(1, "the server's reply to GETATTR isn't the size that was asked");
	*size = wire_get_u64(in);
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

static void put_open(
	struct nfs *nfs, struct wire_out *out, const char *name, uint32_t share, bool create)
{
	wire_put_u32(out, OPEN);
	wire_put_u32(out, nfs->owner_seqid++);
	wire_put_u32(out, share);
	wire_put_u32(out, 0); /* deny nothing */
	wire_put_u64(out, nfs->client_id);
	wire_put_string(out, nfs->client_name);
	wire_put_u32(out, create);
	if (create) {
		wire_put_u32(out, 0); /* UNCHECKED */
		wire_put_u32(out, 2);
		wire_put_u32(out, ATTRIBUTE_SIZE);
		wire_put_u32(out, ATTRIBUTE_MODE);
		wire_put_u32(out, 8 + 4);
		wire_put_u64(out, 0);
		wire_put_u32(out, 0644);
	}
	wire_put_u32(out, 0); /* CLAIM_NULL */
	wire_put_string(out, name);
}

/* True if the open has to be confirmed. */
static bool get_open(struct wire_in *in, struct nfs_file *file)
{
	uint32_t flags, words;

	result_expect(in, OPEN);
	copy_fixed(in, file->stateid, sizeof(file->stateid));
	wire_get_fixed(in, 4 + 8 + 8); /* change_info */
	flags = wire_get_u32(in);
	words = wire_get_u32(in);
	wire_get_fixed(in, (size_t)words * 4);
	if (wire_get_u32(in))
		errx(1, "the server gave a delegation to a client without callbacks");
	return flags & OPEN_RESULT_CONFIRM;
}

static int confirm_open(struct nfs *nfs, struct nfs_file *file)
{
	struct wire_out out;
	struct wire_in in;
	int status;

	do {
		out = begin_sync(nfs, 2);
		put_fh(&out, &file->fh);
		wire_put_u32(&out, OPEN_CONFIRM);
		wire_put_fixed(&out, file->stateid, sizeof(file->stateid));
		wire_put_u32(&out, nfs->owner_seqid++);
		in = nfs_sync(nfs, &out);
		status = results_begin(&in);
	} while (nfs_delayed(nfs, status));
	if (!status) {
		result_expect(&in, PUTFH);
		result_expect(&in, OPEN_CONFIRM);
		copy_fixed(&in, file->stateid, sizeof(file->stateid));
	}
	return checked(&in, status, "OPEN_CONFIRM");
}

static int open_file(
	struct nfs *nfs, const char *name, uint32_t share, bool create, struct nfs_file *file)
{
	struct wire_out out;
	struct wire_in in;
	bool confirm;
	int status;

	do {
		out = begin_sync(nfs, 4);
		put_fh(&out, &nfs->root);
		put_open(nfs, &out, name, share, create);
		wire_put_u32(&out, GETFH);
		put_size_wanted(&out);
		in = nfs_sync(nfs, &out);
		status = results_begin(&in);
	} while (nfs_delayed(nfs, status));
	if (status)
		return status;
	result_expect(&in, PUTFH);
	confirm = get_open(&in, file);
	result_expect(&in, GETFH);
	nfs_get_fh(&in, &file->fh);
	get_size(&in, &file->size);
	checked(&in, status, "OPEN");
	return confirm ? confirm_open(nfs, file) : 0;
}

static int v4_create(struct nfs *nfs, const char *name, struct nfs_file *file)
{
	return open_file(nfs, name, SHARE_BOTH, true, file);
}

static int v4_open(struct nfs *nfs, const char *name, bool writing, struct nfs_file *file)
{
	return open_file(nfs, name, writing ? SHARE_BOTH : SHARE_READ, false, file);
}

static int v4_close(struct nfs *nfs, struct nfs_file *file)
{
	struct wire_out out;
	struct wire_in in;
	int status;

	do {
		out = begin_sync(nfs, 2);
		put_fh(&out, &file->fh);
		wire_put_u32(&out, CLOSE);
		wire_put_u32(&out, nfs->owner_seqid++);
		wire_put_fixed(&out, file->stateid, sizeof(file->stateid));
		in = nfs_sync(nfs, &out);
		status = results_begin(&in);
	} while (nfs_delayed(nfs, status));
	return status;
}

static int v4_stat(struct nfs *nfs, const char *name, uint64_t *size)
{
	struct wire_out out;
	struct wire_in in;
	int status;

	do {
		out = begin_sync(nfs, 3);
		put_fh(&out, &nfs->root);
		wire_put_u32(&out, LOOKUP);
		wire_put_string(&out, name);
		put_size_wanted(&out);
		in = nfs_sync(nfs, &out);
		status = results_begin(&in);
	} while (nfs_delayed(nfs, status));
	if (!status) {
		result_expect(&in, PUTFH);
		result_expect(&in, LOOKUP);
		get_size(&in, size);
	}
	return checked(&in, status, "GETATTR");
}

static int v4_remove(struct nfs *nfs, const char *name)
{
	struct wire_out out;
	struct wire_in in;
	int status;

	do {
		out = begin_sync(nfs, 2);
		put_fh(&out, &nfs->root);
		wire_put_u32(&out, REMOVE);
		wire_put_string(&out, name);
		in = nfs_sync(nfs, &out);
		status = results_begin(&in);
	} while (nfs_delayed(nfs, status));
	return status;
}

static int list_chunk(
	struct nfs *nfs, uint64_t *cookie, uint8_t verifier[8], bool *eof, unsigned *entries)
{
	struct wire_out out;
	struct wire_in in;
	uint32_t len;
	int status;

	do {
		out = begin_sync(nfs, 2);
		put_fh(&out, &nfs->root);
		wire_put_u32(&out, READDIR);
		wire_put_u64(&out, *cookie);
		wire_put_fixed(&out, verifier, 8);
		wire_put_u32(&out, LIST_BYTES);
		wire_put_u32(&out, LIST_BYTES);
		wire_put_u32(&out, 1);
		wire_put_u32(&out, ATTRIBUTE_SIZE);
		in = nfs_sync(nfs, &out);
		status = results_begin(&in);
	} while (nfs_delayed(nfs, status));
	if (status)
		return status;
	result_expect(&in, PUTFH);
	result_expect(&in, READDIR);
	copy_fixed(&in, verifier, 8);
	while (wire_get_u32(&in)) {
		*cookie = wire_get_u64(&in);
		wire_get_opaque(&in, &len);
		len = wire_get_u32(&in);
		wire_get_fixed(&in, (size_t)len * 4);
		wire_get_opaque(&in, &len);
		(*entries)++;
	}
	*eof = wire_get_u32(&in);
	return checked(&in, status, "READDIR");
}

static int v4_list(struct nfs *nfs, unsigned *entries)
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

const struct nfs_version nfs_v4 = {
	.attach = v4_attach,
	.create = v4_create,
	.open = v4_open,
	.close = v4_close,
	.stat = v4_stat,
	.remove = v4_remove,
	.list = v4_list,
	.commit = v4_commit,
	.build_read = v4_build_read,
	.parse_read = v4_parse_read,
	.build_write = v4_build_write,
	.parse_write = v4_parse_write,
};
