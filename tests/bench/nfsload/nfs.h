/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* nfs.h -- an NFS client in user space: what the workloads need of v3 and v4.0, AUTH_SYS */
#ifndef NFSLOAD_NFS_H
#define NFSLOAD_NFS_H

#include <stdbool.h>
#include <stdint.h>

#include "conn.h"
#include "wire.h"

#define NFS_DELAY      10008 /* JUKEBOX in v3, DELAY in v4 */
#define NFS_GRACE      10013
#define NFS_REPLY_ROOM 2048 /* of a READ's reply without its data */

enum nfs_stable { NFS_UNSTABLE = 0, NFS_DATA_SYNC = 1, NFS_FILE_SYNC = 2 };

struct nfs_fh {
	uint32_t len;
	uint8_t data[128];
};

struct nfs_file {
	struct nfs_fh fh;
	uint8_t stateid[16]; /* v4 only */
	uint64_t size;
};

#define NFS_REGULAR 1 /* the type of a file, in both versions */

struct nfs_attr {
	uint32_t type;
	uint32_t mode;
	uint32_t nlink;
	uint64_t size;
};

/* Of v4's opens: one of an owner's at a time, each with the next number. */
struct nfs_owner {
	char name[80];
	uint32_t seqid;
};

enum nfs_meta_kind { NFS_CREATE, NFS_STAT, NFS_REMOVE };

/* What is done to one name in the root: one call after the other. The caller sets kind, name, mode, owner. */
struct nfs_meta {
	enum nfs_meta_kind kind;
	const char *name;
	uint32_t mode;           /* of CREATE */
	struct nfs_owner *owner; /* of CREATE */
	struct nfs_attr attr;    /* what STAT found */
	unsigned step;           /* 0 before the first call */
	struct nfs_file file;
};

/* An entry of a listing; . and .. may be among them. */
typedef void nfs_visit(void *arg, const char *name, uint32_t len, const struct nfs_attr *attr);

struct nfs_target {
	const char *host;
	const char *export_path;
	unsigned nfs_port;
	unsigned mount_port;
	unsigned version; /* 3 or 4 */
	unsigned conns;
	uint32_t uid;
	uint32_t gid;
};

struct nfs_io_result {
	const uint8_t *data; /* in the call's reply buffer */
	uint32_t count;
	bool eof;
	uint8_t verifier[8];
};

struct nfs;

/*
 * A version of the protocol. The functions that answer int give the NFS status, 0 for success; they
 * retry what the server wants delayed. build_* and parse_* make one call and read its reply, without
 * waiting.
 */
struct nfs_version {
	void (*attach)(struct nfs *nfs);
	int (*create)(struct nfs *nfs, const char *name, struct nfs_file *file);
	int (*open)(struct nfs *nfs, const char *name, bool writing, struct nfs_file *file);
	int (*close)(struct nfs *nfs, struct nfs_file *file);
	int (*find)(struct nfs *nfs, const char *name, struct nfs_fh *fh);
	/* All of the root's entries, with their attributes and handles. */
	int (*list)(struct nfs *nfs, nfs_visit *visit, void *arg);
	int (*commit)(struct nfs *nfs, struct nfs_file *file, uint8_t verifier[8]);
	void (*build_read)(struct nfs *nfs, struct conn *conn, struct call *call,
		const struct nfs_file *file, uint64_t offset, uint32_t len);
	int (*parse_read)(const struct call *call, struct nfs_io_result *result);
	void (*build_write)(struct nfs *nfs, struct conn *conn, struct call *call,
		const struct nfs_file *file, uint64_t offset, const uint8_t *data, uint32_t len,
		enum nfs_stable stable);
	int (*parse_write)(const struct call *call, struct nfs_io_result *result);
	void (*build_meta)(
		struct nfs *nfs, struct conn *conn, struct call *call, struct nfs_meta *meta);
	/* more: there is a further call to be built, if the status is 0. */
	int (*parse_meta)(const struct call *call, struct nfs_meta *meta, bool *more);
};

extern const struct nfs_version nfs_v3;
extern const struct nfs_version nfs_v4;

struct nfs {
	const struct nfs_version *version;
	const struct nfs_target *target;
	struct conn **conns;
	unsigned count;
	struct call sync; /* on conns[0], for calls that are waited for */
	struct nfs_fh root;
	uint64_t delays;
	uint64_t client_id; /* v4: */
	char client_name[64];
	struct nfs_owner owner; /* of what open() and create() open */
};

/* Connect, and find the export's root; ends the program with a message where that fails. */
void nfs_attach(struct nfs *nfs, const struct nfs_target *target);
void nfs_detach(struct nfs *nfs);
/* From now on a directory in the root is the root; ends the program where there is none. */
void nfs_enter(struct nfs *nfs, const char *name);

/* Begin a call's head: record mark, RPC header and credentials. */
struct wire_out nfs_begin(struct nfs *nfs, struct conn *conn, struct call *call, uint32_t program,
	uint32_t version, uint32_t procedure);
/* End it; the payload, which may be none, follows the head. */
void nfs_end(struct call *call, struct wire_out *out, const uint8_t *payload, uint32_t len);
/* What follows the RPC header of a reply; a call that the server refused ends the program. */
struct wire_in nfs_reply(const struct call *call);

/* nfs_end, send and wait. */
struct wire_in nfs_sync(struct nfs *nfs, struct wire_out *out);

/* Does the server want this tried again? Counts, and sleeps a little. */
bool nfs_delayed(struct nfs *nfs, int status);
bool nfs_is_delay(int status);
/* How many there were since this was last asked. */
uint64_t nfs_take_delays(struct nfs *nfs);

void nfs_get_fh(struct wire_in *in, struct nfs_fh *fh);
void nfs_put_fh(struct wire_out *out, const struct nfs_fh *fh);

const char *nfs_status_name(int status);

#endif
