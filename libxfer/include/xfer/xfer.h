/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* xfer.h -- libxfer's public interface: what a point of contact asks of owners */
#ifndef XFER_XFER_H
#define XFER_XFER_H

/*
 * Conventions
 *
 * - Functions that can fail return 0 or a negative errno value; out-parameters are untouched on failure.
 * - Two values have a meaning of their own:
 *     -EAGAIN   the operation was not executed and may be asked again later (NFS: DELAY). It is given
 *               only for an operation that never left this node, that the owner refused to begin, or
 *               that changes nothing.
 *     -EREMOTEIO a changing operation was under way when the session was closed, or when the connection ended for
 *               longer than the owner remembers: nobody knows whether it was executed. It must not be answered in
 *               a way that makes the client send it again.
 * - Threads: every function may be called from any thread but a lane thread, unless it says otherwise;
 *   xfer_on_lane_thread() tells. Completion callbacks run on lane threads and must not block.
 * - Ownership: a pointer that is passed in stays the caller's; it has to stay valid until the function
 *   returns, for asynchronous operations until their completion callback was called.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

#define XFER_RELEASE      "0.1.0"
#define XFER_DEFAULT_PORT 20491

#define XFER_HANDLE_MAX 59  /* bytes; what is left of NFSv3's 64 beside Ganesha's own header */
#define XFER_NAME_MAX   255 /* bytes of a file name, without the NUL */
#define XFER_NODE_MAX   63  /* bytes of a node's or a volume's name, without the NUL */
#define XFER_GROUPS_MAX 1024

/* --- the context: one per process ------------------------------------------------------------- */

struct xfer_context;
struct xfer_tls;
struct xfer_tls_identity;

enum xfer_log_level { XFER_LOG_ERROR, XFER_LOG_WARN, XFER_LOG_INFO, XFER_LOG_DEBUG };

/* Receives one message without newline; called from any thread, lane threads included. */
typedef void (*xfer_log_fn)(enum xfer_log_level level, const char *message);

/* Which way file data travels; what can't go that way goes inline, in the RPCs. */
enum xfer_path_wish { XFER_WISH_AUTO, XFER_WISH_INLINE, XFER_WISH_SHM, XFER_WISH_VERBS };

struct xfer_context_params {
	const char *node;    /* this node's name, at most XFER_NODE_MAX bytes */
	const char *run_dir; /* where the status socket goes; NULL: no status socket */
	const char *role;    /* first part of the status socket's name: ROLE-PID.sock */
	unsigned lanes;      /* connections per session, 1..16; 0: the default, 2 */
	unsigned
		heartbeat_ms; /* 100..60000; 0: the default, 1000. A peer is dead after five silent ones */
	enum xfer_path_wish path;
	/* Slots of 16 KiB and of 1 MiB, of each session in each direction. 0: the default, 1024 and 64. */
	uint32_t small_slots, large_slots;
	/* Who waits for RDMA looks for so many microseconds before it sleeps. 0: the default, 10. */
	unsigned poll_us;
	/* Bytes of READs and WRITEs that wait for their turn in each session; of one volume at most half. What goes beyond
	 * it ends with -EAGAIN at once. 0: the default, 2 GiB. */
	uint64_t waiting_max;
	/* By which owners are talked to over TCP (tls.h), and this node's certificate; NULL: only those whose sessions are
	 * said to be insecure. Both outlive the context. */
	struct xfer_tls *tls;
	struct xfer_tls_identity *tls_identity;
	xfer_log_fn log; /* NULL: stderr */
};

/* Creates the context and its lane threads. -EINVAL: a parameter is out of range. */
int xfer_context_create(const struct xfer_context_params *params, struct xfer_context **context);

/* All sessions must have been closed. Joins the context's threads. */
void xfer_context_destroy(struct xfer_context *context);

/* Whether the calling thread is a lane thread, which must never wait for an operation. */
bool xfer_on_lane_thread(void);

/* --- sessions: this process with one owner ---------------------------------------------------- */

struct xfer_session;
struct xfer_invalidation;

/* What a session asks of its user. */
struct xfer_session_ops {
	/*
	 * The owner has forgotten what this session had open and locked: its process is another one, or it didn't hear
	 * of us for too long. Open ids of before mean nothing any more. Runs on the session's own thread, which may
	 * wait; operations from within are carried out, all others wait or are refused until it returns. When the connection ends they end with -EAGAIN, and recover is called once more, for yet another session. in_time:
	 * nobody else could lock or change anything since; else locks may have been lost to others.
	 */
	void (*recover)(void *arg, struct xfer_session *session, bool in_time);
	/*
	 * What was promised of these isn't any more: whatever was asked for before this call must not be believed after
	 * it. count 0: nothing of all that this owner said. A lane thread, or the one that makes the session's
	 * connections, or both at the same time; must not block. May be NULL.
	 */
	void (*invalidate)(
		void *arg, const struct xfer_invalidation *invalidations, unsigned count);
};

struct xfer_session_params {
	const char *owner;   /* its name, at most XFER_NODE_MAX bytes */
	const char *address; /* "HOST[:PORT]", "[V6]:PORT" or "unix:PATH" */
	/* TCP is used in cleartext, and nobody knows who is at the other end. Else the owner has to show a certificate with
	 * its name, and this process shows that of the context. */
	bool insecure;
	const struct xfer_session_ops *ops; /* NULL: nothing has to be made again */
	void *ops_arg;
};

/*
 * Opens a session. It returns at once; the connection is made, and made again when it breaks, by a thread of its own.
 * -EINVAL: the address can't be parsed or a name is too long.
 */
int xfer_session_open(struct xfer_context *context, const struct xfer_session_params *params,
	struct xfer_session **session);

/*
 * Begins the session's end, as xfer_session_close does, and returns at once: who waits for an operation hears of its
 * end in time, and further ones are refused with -EAGAIN. xfer_session_close has to follow, when nobody uses the
 * session any more. Any thread.
 */
void xfer_session_end(struct xfer_session *session);

/*
 * Ends the session, which takes a few seconds at most: what is under way gets 2 s to end; what isn't settled then fails
 * with -EREMOTEIO, and what was not sent yet with -EAGAIN. Not from a lane thread.
 */
void xfer_session_close(struct xfer_session *session);

/* Whether requests can be sent now, by this thread. */
bool xfer_session_is_up(struct xfer_session *session);

/* The data path that it has at the moment: XFER_WISH_SHM or XFER_WISH_VERBS; XFER_WISH_INLINE: none, or not yet. */
enum xfer_path_wish xfer_session_path(struct xfer_session *session);

/* The largest payload of one READ or WRITE, in bytes; a constant of the protocol's version. */
#define XFER_IO_MAX (1u << 20)

/* --- what operations speak of ----------------------------------------------------------------- */

struct xfer_handle {
	uint32_t len;
	uint8_t data[XFER_HANDLE_MAX];
};

/* The handle of a volume's root, {volume id, ROOT}: needs no owner. */
void xfer_handle_root(uint32_t volume_id, struct xfer_handle *handle);

bool xfer_handle_equal(const struct xfer_handle *a, const struct xfer_handle *b);

/* FNV-1a, for tables whose keys are handles or names. seed: what else the key has. */
static inline uint64_t xfer_hash(uint64_t seed, const void *bytes, size_t length)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ seed;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ ((const uint8_t *)bytes)[i]) * UINT64_C(0x100000001b3);
	return hash ^ hash >> 32;
}

/* A volume's id when none is configured: the first 4 bytes of SHA-256(name), big-endian. */
uint32_t xfer_volume_id(const char *name);

/* The caller on whose behalf an operation runs; groups: supplementary, at most XFER_GROUPS_MAX. */
struct xfer_cred {
	uint32_t uid, gid;
	uint32_t ngroups;
	const uint32_t *groups;
};

/* A root's handle and inode number have to be known while the owner is away. No file system that has
 * handles gives this number to anything but its own root. */
#define XFER_ROOT_FILEID 1

enum xfer_type {
	XFER_REG = 1,
	XFER_DIR,
	XFER_LNK,
	XFER_BLK,
	XFER_CHR,
	XFER_FIFO,
	XFER_SOCK,
};

struct xfer_time {
	int64_t sec;
	uint32_t nsec;
};

struct xfer_attr {
	enum xfer_type type;
	uint32_t mode; /* the lower 12 bits */
	uint32_t nlink;
	uint32_t uid, gid;
	uint32_t rdev_major, rdev_minor;
	uint64_t size;   /* bytes */
	uint64_t used;   /* bytes */
	uint64_t fileid; /* inode number; of a volume's root: XFER_ROOT_FILEID */
	uint64_t change; /* the owner's change counter: grows with each change of the object */
	struct xfer_time atime, mtime, ctime;
	/*
	 * Before anything of the object changes that somebody else asked for, the owner tells this session (struct
	 * xfer_session_ops.invalidate): so it may be believed until then, for XFER_LEASE_MS at most. The same goes for
	 * a directory's names that came with its attributes. Without a promise it was true, but may not be kept.
	 */
	bool promised;
};

/*
 * How long what came with a promise may be believed, counted from when it was asked for: if the owner can't reach this
 * process it waits as long before it changes anything.
 */
#define XFER_LEASE_MS 1000u

/* What owners tell of: all objects of a volume whose inode numbers (fileid) have one bucket. */
#define XFER_BUCKET_BITS 18
#define XFER_BUCKETS     (1u << XFER_BUCKET_BITS)
static inline uint32_t xfer_bucket(uint64_t fileid)
{
	return (uint32_t)(fileid * UINT64_C(0x9e3779b97f4a7c15) >> (64 - XFER_BUCKET_BITS));
}

struct xfer_invalidation {
	uint32_t volume_id, bucket;
};

/* Attributes that an answer may lack (the object is gone, or they could not be read). */
struct xfer_opt_attr {
	bool valid;
	struct xfer_attr attr;
};

/* An object as a directory operation finds or makes it. */
struct xfer_node {
	struct xfer_handle handle;
	struct xfer_attr attr;
};

enum xfer_setattr_mask {
	XFER_SET_MODE = 1 << 0,
	XFER_SET_UID = 1 << 1,
	XFER_SET_GID = 1 << 2,
	XFER_SET_SIZE = 1 << 3,
	XFER_SET_ATIME = 1 << 4,     /* to .atime */
	XFER_SET_MTIME = 1 << 5,     /* to .mtime */
	XFER_SET_ATIME_NOW = 1 << 6, /* to the owner's clock */
	XFER_SET_MTIME_NOW = 1 << 7,
};

struct xfer_setattr {
	uint32_t mask; /* of enum xfer_setattr_mask */
	uint32_t mode, uid, gid;
	uint64_t size;
	struct xfer_time atime, mtime;
};

/* --- operations ------------------------------------------------------------------------------- */
/* All but read, write and list are synchronous: they return when the owner has answered, or fail at once with
 * -EAGAIN while the session is down. One that changes something and is under way when the connection ends waits until
 * its fate is known; one that the owner hasn't begun after 5 s is taken back, if it can be, and ends with -EAGAIN. The
 * caller's permissions are checked at the owner. */

int xfer_op_lookup(struct xfer_session *session, const struct xfer_cred *cred,
	const struct xfer_handle *dir, const char *name, struct xfer_node *node,
	struct xfer_opt_attr *dir_attr);

int xfer_op_getattr(struct xfer_session *session, const struct xfer_cred *cred,
	const struct xfer_handle *handle, struct xfer_attr *attr);

/* open_id: an open of the file that permits changing its size, or 0. *attr: as it is afterwards. */
int xfer_op_setattr(struct xfer_session *session, const struct xfer_cred *cred,
	const struct xfer_handle *handle, uint64_t open_id, const struct xfer_setattr *set,
	struct xfer_attr *attr);

struct xfer_dirent {
	uint64_t cookie; /* where the listing goes on behind this entry; never 0, 1 or 2 */
	char name[XFER_NAME_MAX + 1];
	struct xfer_node node;
};

/* false ends the listing early. Runs on the caller's thread, without any lock held. */
typedef bool (*xfer_dirent_fn)(void *arg, const struct xfer_dirent *entry);

/*
 * Lists a part of a directory from `cookie` (0: the beginning) on: one request, at most about
 * max_bytes (4 KiB..XFER_READDIR_MAX) of answer. *eof: the listing is complete. "." and ".." are not listed.
 */
#define XFER_READDIR_MAX (64u << 10)
int xfer_op_readdir(struct xfer_session *session, const struct xfer_cred *cred,
	const struct xfer_handle *dir, uint64_t cookie, uint32_t max_bytes, xfer_dirent_fn each,
	void *arg, bool *eof, struct xfer_opt_attr *dir_attr);

/*
 * The same, not waited for: to have a part when it is wanted. The caller fills the first part and keeps the structure and
 * the groups until `done`, which is called once: while the session is down at once, with -EAGAIN; on the threads that
 * struct xfer_io names.
 */
struct xfer_listing {
	struct xfer_session *session;
	struct xfer_cred cred;
	struct xfer_handle dir;
	uint64_t cookie;
	void (*done)(struct xfer_listing *listing);

	/* set before done is called */
	int result; /* 0 or -errno */
	bool eof;
	struct xfer_opt_attr dir_attr;
	uint32_t len; /* of entries, as they came */
	uint8_t entries[XFER_READDIR_MAX];
};

/* Doesn't block; any thread. */
void xfer_op_list(struct xfer_listing *listing);
/* What came, one after the other, until each() says false. -EIO: it isn't what the protocol says. */
int xfer_listing_walk(const struct xfer_listing *listing, xfer_dirent_fn each, void *arg);

enum xfer_create {
	XFER_NO_CREATE,
	XFER_UNCHECKED, /* an existing file is opened; only XFER_SET_SIZE is applied to it */
	XFER_GUARDED,   /* an existing file is -EEXIST */
	XFER_EXCLUSIVE, /* like GUARDED, unless it was made with the same verifier */
};

enum xfer_open_flags {
	XFER_OPEN_READ = 1 << 0,
	XFER_OPEN_WRITE = 1 << 1,
	XFER_OPEN_TRUNC = 1 << 2,
	XFER_OPEN_KEEP = 1 << 3, /* the owner keeps a descriptor and returns its open id */
	XFER_OPEN_OWNER_OVERRIDE = 1 << 4, /* the file's owner may open it whatever its mode says */
};

struct xfer_open {
	struct xfer_handle handle; /* of the directory if name is given, else of the file */
	const char *name;          /* NULL: the file of `handle` */
	uint32_t flags;            /* of enum xfer_open_flags */
	enum xfer_create create;
	uint8_t verifier[8]; /* of XFER_EXCLUSIVE */
	struct xfer_setattr set;
};

struct xfer_opened {
	struct xfer_node node;
	struct xfer_opt_attr dir_attr;
	uint64_t open_id; /* 0 without XFER_OPEN_KEEP; valid within this session's owner process */
	bool created;
};

int xfer_op_open(struct xfer_session *session, const struct xfer_cred *cred,
	const struct xfer_open *open, struct xfer_opened *opened);

/* Never fails and never blocks; may be called from a lane thread. While the session is down it is kept; the owner drops
 * the opens of a session that is gone by itself. */
void xfer_op_close(
	struct xfer_session *session, const struct xfer_handle *handle, uint64_t open_id);

/* What xfer_op_create makes: anything but a regular file. */
struct xfer_new {
	enum xfer_type type;             /* XFER_DIR .. XFER_SOCK */
	uint32_t rdev_major, rdev_minor; /* XFER_BLK, XFER_CHR */
	const char *target; /* XFER_LNK: 1 to XFER_TARGET_MAX bytes; its mode isn't set */
	struct xfer_setattr set;
};
#define XFER_TARGET_MAX 4095

int xfer_op_create(struct xfer_session *session, const struct xfer_cred *cred,
	const struct xfer_handle *dir, const char *name, const struct xfer_new *make,
	struct xfer_node *node, struct xfer_opt_attr *dir_attr);

/* A symbolic link's target, with a NUL behind it. -EINVAL: it isn't one. */
int xfer_op_readlink(struct xfer_session *session, const struct xfer_cred *cred,
	const struct xfer_handle *handle, char target[XFER_TARGET_MAX + 1],
	struct xfer_opt_attr *attr);

/* A further name. Needs the right to write the directory, and none to the object. */
int xfer_op_link(struct xfer_session *session, const struct xfer_cred *cred,
	const struct xfer_handle *handle, const struct xfer_handle *dir, const char *name,
	struct xfer_opt_attr *dir_attr, struct xfer_opt_attr *object);

/* Files and empty directories. *object: as it is afterwards, also when that was its last name. */
int xfer_op_unlink(struct xfer_session *session, const struct xfer_cred *cred,
	const struct xfer_handle *dir, const char *name, struct xfer_opt_attr *dir_attr,
	struct xfer_opt_attr *object);

struct xfer_renamed {
	struct xfer_opt_attr from_dir, to_dir, object;
	struct xfer_opt_attr replaced; /* what had the new name, as it is afterwards */
};

int xfer_op_rename(struct xfer_session *session, const struct xfer_cred *cred,
	const struct xfer_handle *from_dir, const char *from_name, const struct xfer_handle *to_dir,
	const char *to_name, struct xfer_renamed *renamed);

enum xfer_stability { XFER_UNSTABLE, XFER_DATA_SYNC, XFER_FILE_SYNC };

/* verifier: changes when unstable data may have been lost */
int xfer_op_commit(struct xfer_session *session, const struct xfer_cred *cred,
	const struct xfer_handle *handle, uint64_t open_id, uint64_t offset, uint64_t count,
	uint8_t verifier[8], struct xfer_opt_attr *attr);

struct xfer_statfs {
	uint64_t total_bytes, free_bytes, avail_bytes;
	uint64_t total_files, free_files, avail_files;
};

int xfer_op_statfs(struct xfer_session *session, const struct xfer_cred *cred,
	const struct xfer_handle *handle, struct xfer_statfs *statfs);

/* --- byte-range locks --- */

enum xfer_lock_op { XFER_LOCK_TEST, XFER_LOCK_SET, XFER_LOCK_CLEAR };

struct xfer_lock {
	bool exclusive;
	uint64_t offset, length; /* bytes; length 0: to the end of any file */
};

/*
 * Locks belong to the open, whichever process asks: the owner keeps them with its descriptor (an
 * open-file-description lock), across its whole cluster, and drops them when it is closed. Setting never waits.
 * open_id may be 0 for XFER_LOCK_TEST only. *granted: false: *conflict is a lock in the way; when testing, it
 * could be set. -EBADFD: the owner doesn't know the open (any more).
 */
int xfer_op_lock(struct xfer_session *session, const struct xfer_cred *cred,
	const struct xfer_handle *handle, uint64_t open_id, enum xfer_lock_op op,
	const struct xfer_lock *lock, bool *granted, struct xfer_lock *conflict);

/*
 * Gives up a lock; as xfer_op_lock, clearing. Never blocks; while the session is down it is kept. done is called once:
 * 0; -EAGAIN: it was not carried out; else nothing of it is left at the owner. It may be called before this returns,
 * on any thread, and must not block.
 */
void xfer_op_unlock(struct xfer_session *session, const struct xfer_handle *handle,
	uint64_t open_id, const struct xfer_lock *lock, void (*done)(void *arg, int err),
	void *arg);

/* --- holes --- */

struct xfer_found {
	uint64_t offset; /* unless eof without a hole: where what was asked for begins */
	bool none;       /* no data behind the offset asked for */
	bool eof;        /* it begins at the end of the file */
};

/* The next hole (the end is one), else the next data, at or behind `offset`. -ENXIO: offset isn't in the file. */
int xfer_op_seek(struct xfer_session *session, const struct xfer_cred *cred,
	const struct xfer_handle *handle, uint64_t open_id, uint64_t offset, bool hole,
	struct xfer_found *found);

/* Reserves space (and makes the file longer), or frees it, so that zeros are read (and leaves its size). */
int xfer_op_allocate(struct xfer_session *session, const struct xfer_cred *cred,
	const struct xfer_handle *handle, uint64_t open_id, uint64_t offset, uint64_t length,
	bool punch, struct xfer_opt_attr *attr);

/* --- extended attributes: names begin with "user." (RFC 8276) --- */

#define XFER_XATTR_MAX (64u << 10) /* bytes of a value, or of all names */

/* *len: of the value. -ENODATA: there is no such attribute. */
int xfer_op_getxattr(struct xfer_session *session, const struct xfer_cred *cred,
	const struct xfer_handle *handle, const char *name, uint8_t value[XFER_XATTR_MAX],
	uint32_t *len);

enum xfer_setxattr { XFER_XATTR_EITHER, XFER_XATTR_CREATE, XFER_XATTR_REPLACE };

int xfer_op_setxattr(struct xfer_session *session, const struct xfer_cred *cred,
	const struct xfer_handle *handle, const char *name, enum xfer_setxattr how,
	const void *value, uint32_t len, struct xfer_opt_attr *attr);
int xfer_op_removexattr(struct xfer_session *session, const struct xfer_cred *cred,
	const struct xfer_handle *handle, const char *name, struct xfer_opt_attr *attr);

/* The names, each with a NUL behind it. *len: of all of them. */
int xfer_op_listxattr(struct xfer_session *session, const struct xfer_cred *cred,
	const struct xfer_handle *handle, char names[XFER_XATTR_MAX], uint32_t *len);

/*
 * One READ or WRITE. The caller fills the first part and keeps the whole structure, the buffers, the
 * handle's copy and the groups alive until `done`; done is called exactly once, possibly before the submitting
 * function has returned: on the submitting thread, a lane thread, or the thread that makes the session's connections.
 */
struct xfer_io {
	struct xfer_session *session;
	struct xfer_cred cred;
	struct xfer_handle handle;
	uint64_t open_id; /* 0: the owner opens the file for this operation */
	uint64_t offset;  /* bytes; offset + length at most INT64_MAX */
	const struct iovec *iov;
	int iovcnt; /* 1..XFER_IOV_MAX; together at most XFER_IO_MAX bytes */
	bool owner_override;
	bool hasty; /* it isn't kept while the session is down, but ends with -EAGAIN */
	bool attended; /* the calling thread may wait for a moment, 50 us, so that done is called on it */
	enum xfer_stability stability; /* WRITE: what is asked */
	enum xfer_path_wish path;      /* for the data, else inline; AUTO: the context's */
	bool require_encryption; /* the data doesn't leave this node unencrypted: RDMA isn't used for it */
	void (*done)(struct xfer_io *io);

	/* set before done is called */
	int result; /* 0 or -errno */
	uint32_t count;
	bool eof;                      /* READ: the byte behind the last one read is the end */
	enum xfer_stability committed; /* WRITE: what was done, at least what was asked */
	uint8_t verifier[8];           /* WRITE */
	struct xfer_opt_attr attr;
};
#define XFER_IOV_MAX 16

/* Neither blocks (see `attended`), either may be called from any thread. While the session is down they wait for it,
 * bounded in number (1024 for a session) and time (10 s), then -EAGAIN. */
void xfer_op_read(struct xfer_io *io);
void xfer_op_write(struct xfer_io *io);

/* The owner's write verifier, as its latest answers have it; -EAGAIN before the first session. Any thread. */
int xfer_session_verifier(struct xfer_session *session, uint8_t verifier[8]);

/* --- talking to one process without a session: tools ------------------------------------------ */

/* Asks the process at `address` for its status: a JSON text that the caller frees. */
int xfer_status(const char *address, unsigned timeout_ms, char **json);

/* Calls the NULL procedure `count` times over one connection; each(arg, microseconds) after each answer. */
int xfer_ping(const char *address, unsigned count, unsigned timeout_ms,
	void (*each)(void *arg, double microseconds), void *arg);

/* --- this host: tools --------------------------------------------------------------------------- */

/* Its RDMA devices, which of them can be used, and why not: a JSON text that the caller frees. -ENOMEM. */
int xfer_devices(char **json);

/*
 * How fast its queue pairs are: both ends of a data path over RDMA, in this process, with one write after the other, each
 * with an immediate, and no RPCs.
 */
struct xfer_raw_params {
	const char *address; /* of this host, as a number; NULL: the first by which RDMA works */
	uint32_t size;       /* bytes of a write, at most XFER_IO_MAX */
	unsigned depth; /* writes under way, over all queue pairs; at most XFER_RAW_DEPTH_MAX */
	unsigned lanes; /* queue pairs, 1..16 */
	double seconds; /* for so long; without operations */
	uint64_t operations; /* so many; 0: as long as seconds say */
	unsigned poll_us;    /* as in struct xfer_context_params */
	bool verify;     /* the bytes of all writes are checked; else of a first one of each slot */
	xfer_log_fn log; /* NULL: stderr */
};
#define XFER_RAW_DEPTH_MAX 256u

struct xfer_raw_result {
	char address[46]; /* by which they were connected */
	uint64_t operations, bytes;
	double seconds;     /* from the beginning to the last immediate */
	double cpu_seconds; /* of this process; a driver without hardware needs more in the kernel */
	double mean_us, max_us;               /* from a write to its immediate */
	uint64_t posts, completions, wakeups; /* of this process's queues */
};

/* Blocks. -EINVAL: a parameter is out of range. -ENODEV, -EIO, others: what there isn't, or what went wrong. why says it. */
int xfer_raw_run(const struct xfer_raw_params *params, struct xfer_raw_result *result, char *why,
	size_t why_len);

#ifdef __cplusplus
}
#endif
#endif
