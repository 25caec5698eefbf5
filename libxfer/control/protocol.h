/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* protocol.h -- the control protocol: procedures, their arguments and results, XDR codecs */
#ifndef XFER_CONTROL_PROTOCOL_H
#define XFER_CONTROL_PROTOCOL_H

/*
 * docs/protocol.md describes the protocol in prose. Each type has one codec function that encodes
 * or decodes, as libntirpc's XDR stream says. Decoders allocate nothing: every variable part has a
 * bound and its place in the structure, or (directory entries, status text) a buffer that the
 * caller provides.
 */

#include <rpc/types.h>
#include <rpc/xdr.h>

#include "core/slot.h"
#include "xfer/xfer.h"

#define XFER_PROGRAM  0x20584652
#define XFER_VERSION  1
#define XFER_MINOR    0
#define XFER_FEATURES 0ull /* bits of HELLO's features that this release knows */

/* Bytes. A head is what a record carries beside inline payload. */
#define XFER_HEAD_MAX   (128u << 10)
#define XFER_RECORD_MAX (XFER_HEAD_MAX + XFER_IO_MAX + 4)
#define XFER_CALLS_MAX  1024u /* upper bound of calls outstanding in a session */
#define XFER_LANES_MAX  16    /* upper bound of a session's connections */

/*
 * A server stops reading a connection, heartbeats included, while calls that hold more memory than the first are
 * under way. A session asks for less, so that this never happens to it and silence means that a peer is dead.
 */
#define XFER_CHARGE_MAX      (32u << 20)
#define XFER_PAYLOAD_OUT_MAX (28u << 20)

enum xfer_proc {
	XFER_PROC_NULL = 0,
	/* sessions */
	XFER_PROC_HELLO = 1,
	XFER_PROC_TOKEN = 2, /* asks for what ATTACH needs */
	XFER_PROC_ATTACH = 3,
	XFER_PROC_PING = 4,
	XFER_PROC_STATUS = 5,
	XFER_PROC_SHARE = 6, /* memory on both nodes, as the session's data path */
	XFER_PROC_END = 7,   /* the session ends: nothing of it is to be kept */
	XFER_PROC_RECOVERED =
		8,            /* a known session's successor has made its opens and locks again */
	XFER_PROC_CANCEL = 9, /* answer an operation with DELAY, unless it was begun */
	XFER_PROC_EVENTS =
		10,          /* is answered when there is something that was promised to be told */
	XFER_PROC_GROW = 11, /* asks for a chunk of memory for the data path */
	XFER_PROC_RETIRE = 12, /* is answered when a chunk is to be given back */
	/* operations */
	XFER_PROC_LOOKUP = 16,
	XFER_PROC_GETATTR = 17,
	XFER_PROC_SETATTR = 18,
	XFER_PROC_READDIR = 19,
	XFER_PROC_OPEN = 20,
	XFER_PROC_CLOSE = 21,
	XFER_PROC_CREATE = 22, /* but not regular files: OPEN */
	XFER_PROC_UNLINK = 23,
	XFER_PROC_RENAME = 24,
	XFER_PROC_READ = 25,
	XFER_PROC_WRITE = 26,
	XFER_PROC_COMMIT = 27,
	XFER_PROC_STATFS = 28,
	XFER_PROC_READLINK = 29,
	XFER_PROC_LINK = 30,
	XFER_PROC_LOCK = 31,
	XFER_PROC_SEEK = 32,
	XFER_PROC_ALLOCATE = 33,
	XFER_PROC_GETXATTR = 34,
	XFER_PROC_SETXATTR = 35,
	XFER_PROC_LISTXATTR = 36,
	XFER_PROC_REMOVEXATTR = 37,
	XFER_PROC_COUNT = 38,
};
#define XFER_PROC_FIRST_OP XFER_PROC_LOOKUP

/*
 * Statuses: 0, errno values in Linux's generic numbering (below 1000), and these.
 */
enum xfer_wire_status {
	XFER_ST_OK = 0,
	XFER_ST_DELAY = 1000,     /* not executed; ask again later */
	XFER_ST_NO_VOLUME = 1001, /* not executed: no such volume here, or not yet */
	XFER_ST_NOT_ALLOWED =
		1002,              /* this node may not use the volume, or may not have a session */
	XFER_ST_VERSION = 1003,    /* no common minor version, or an unknown required feature */
	XFER_ST_WRONG_NODE = 1004, /* the caller meant another owner */
	XFER_ST_BAD_HANDLE = 1005, /* not a handle of this volume, or forged */
	XFER_ST_BAD_TOKEN = 1006,
	XFER_ST_BAD_OPEN = 1007, /* an open id that isn't known, for what can't be done without */
	XFER_ST_TOO_LATE =
		1008, /* not executed: the time for recovering a session was over before its RECOVERED */
	XFER_ST_RESEND_INLINE =
		1009, /* not executed: the slot that it names is of no use; to be sent inline */
};

/* The negative errno value that libxfer's callers see for a wire status. */
int xfer_status_to_errno(uint32_t status);
/* The wire status for 0 or a negative errno value. */
uint32_t xfer_status_from_errno(int err);

/* --- sessions --------------------------------------------------------------------------------- */

#define XFER_SLOT_CLASSES_MAX 4

/* What both ends say of themselves. */
struct xfer_limits {
	uint32_t record_max; /* bytes */
	uint32_t calls_max;  /* outstanding calls = call slots */
	uint32_t groups_max;
	uint32_t inline_max; /* bytes of one payload */
	uint32_t heartbeat_ms;
};

extern const struct xfer_limits xfer_own_limits;

struct xfer_hello_args {
	uint32_t minor_min, minor_max;
	uint64_t features_required, features_optional;
	uint8_t boot_id[16];        /* of the initiator's process */
	uint8_t kernel_boot_id[16]; /* of its kernel */
	uint64_t session_id;        /* 0: a new session; else the one whose next epoch this is */
	char node[XFER_NODE_MAX + 1];
	char owner[XFER_NODE_MAX + 1]; /* whom the caller means to talk to */
	struct xfer_limits limits;
};

/* What an owner knows of a session that asks for its next epoch. */
enum xfer_standing {
	XFER_STANDING_NEW, /* nothing, or too late: what was open is closed, what was under way is not known */
	XFER_STANDING_RESUMED, /* all: opens, locks and the reply cache are what they were */
	XFER_STANDING_RECOVER, /* that it was its predecessor's: opens and locks can be made again, and what was under
				* way be sent again, before anybody else changes anything; then RECOVERED */
};

/* WELCOME, or why not. */
struct xfer_hello_res {
	uint32_t status;
	char reason[256]; /* for the caller's log, when status isn't OK */
	uint32_t minor;
	uint64_t features;
	uint8_t boot_id[16];
	uint8_t kernel_boot_id[16];
	uint64_t session_id;
	uint32_t epoch;
	enum xfer_standing standing;
	uint8_t write_verifier[8];
	char node[XFER_NODE_MAX + 1];
	struct xfer_limits limits;
};

struct xfer_token {
	uint8_t bytes[16];
};

struct xfer_token_res {
	uint32_t status;
	struct xfer_token token; /* single use, for XFER_TOKEN_MS */
};
#define XFER_TOKEN_MS 5000

struct xfer_attach_args {
	struct xfer_token token;
	uint32_t lane; /* 1.. */
};

/* Of the operation with this sequence in this call slot, whether it arrived already or not. Its own answer tells what
 * became of it. */
struct xfer_cancel_args {
	uint32_t call_slot, sequence;
};

/* All that was told up to number `seen` isn't believed any more; fresh: nor is anything else that was ever said. */
struct xfer_events_args {
	bool fresh; /* the first EVENTS of an epoch */
	uint64_t seen;
};

#define XFER_EVENTS_MAX 32
struct xfer_events_res {
	uint32_t status;
	uint64_t number; /* of the last one */
	bool all;        /* there were too many to be named: nothing is to be believed any more */
	uint32_t count;
	struct xfer_invalidation list[XFER_EVENTS_MAX];
};

/* Slots for one direction: so many of each size on each lane. */
struct xfer_slot_layout {
	uint32_t nclasses; /* 0: none at all */
	struct xfer_slot_class classes[XFER_SLOT_CLASSES_MAX];
};

/* IPv6, or IPv4 mapped into it. */
struct xfer_rdma_address {
	uint8_t bytes[16];
};

#define XFER_RDMA_ADDRESSES_MAX 8u

enum xfer_share_kind {
	XFER_SHARE_MEMORY, /* the caller's, for READ, comes along as a descriptor */
	XFER_SHARE_VERBS,  /* queue pairs are to be connected */
};

/* An earlier data path of the session ends. */
struct xfer_share_args {
	uint32_t epoch; /* of the data path, later than the last one */
	uint32_t lanes;
	struct xfer_slot_layout read;
	enum xfer_share_kind kind;
	/* VERBS */
	struct xfer_slot_layout write; /* the most that it will ask for */
	uint32_t nsources;
	struct xfer_rdma_address
		sources[XFER_RDMA_ADDRESSES_MAX]; /* where its queue pairs may come from */
};

/* What a caller connects its queue pairs to, one for each lane. */
struct xfer_share_res {
	uint32_t status;
	/* VERBS, when OK */
	struct xfer_slot_layout read; /* what of it the host has memory for */
	uint16_t port;                /* of rdma_cm */
	uint32_t naddresses;
	struct xfer_rdma_address addresses[XFER_RDMA_ADDRESSES_MAX];
	uint32_t ntokens; /* of the lanes, each good for one connection, for XFER_QUEUE_PAIR_MS */
	struct xfer_token tokens[XFER_LANES_MAX];
};
#define XFER_QUEUE_PAIR_MS 15000

/* Asks for one chunk of memory for WRITE. */
struct xfer_grow_args {
	uint32_t epoch; /* of the data path that is to have it */
	struct xfer_slot_layout layout;
};

/* What the host has chosen for a region: see struct xfer_region. */
struct xfer_place {
	uint16_t first;
	uint32_t generation;
};

#define XFER_PLACES_MAX (XFER_LANES_MAX * XFER_SLOT_CLASSES_MAX)

/* Memory that was made: it comes along as a descriptor; with queue pairs its address and keys do. */
struct xfer_chunk {
	uint32_t id; /* not 0; of this epoch's, never used again in it */
	struct xfer_slot_layout layout;
	uint32_t nplaces; /* lane by lane, and on each lane class by class */
	struct xfer_place places[XFER_PLACES_MAX];
	uint64_t base;  /* at the host */
	uint32_t nkeys; /* one for each lane, with queue pairs */
	uint32_t keys[XFER_LANES_MAX];
};

struct xfer_grow_res {
	uint32_t status;
	struct xfer_chunk chunk; /* when OK */
};

struct xfer_retire_args {
	uint32_t epoch;
	uint32_t returned; /* the chunk that the last answer named; 0: none */
};

struct xfer_retire_res {
	uint32_t status;
	uint32_t chunk; /* to be given back; 0: nothing, it is to be asked again */
};

struct xfer_attach_res {
	uint32_t status;
};

struct xfer_status_res {
	uint32_t status;
	char *text; /* JSON, text_len bytes; decoding: a buffer of text_len bytes, set to what came
		     */
	uint32_t text_len;
};

/* --- what each operation begins with ---------------------------------------------------------- */

struct xfer_request_header {
	uint32_t call_slot, sequence; /* of the session's reply cache */
	uint32_t uid, gid;
	uint32_t ngroups;
	uint32_t *groups; /* decoding: room for XFER_GROUPS_MAX */
};

enum xfer_payload_kind { XFER_PAYLOAD_NONE = 0, XFER_PAYLOAD_INLINE = 1, XFER_PAYLOAD_SLOT = 2 };

/* Always the last part of a head: an inline payload's bytes are the record's second fragment. */
struct xfer_payload {
	enum xfer_payload_kind kind;
	uint32_t length;           /* bytes */
	struct xfer_slot_ref slot; /* SLOT */
};

/* --- operations ------------------------------------------------------------------------------- */

struct xfer_handle_args { /* GETATTR, STATFS, READLINK, LISTXATTR */
	struct xfer_handle handle;
};

struct xfer_name_args { /* LOOKUP, UNLINK */
	struct xfer_handle dir;
	char name[XFER_NAME_MAX + 1];
};

struct xfer_setattr_args {
	struct xfer_handle handle;
	uint64_t open_id;
	struct xfer_setattr set;
};

struct xfer_readdir_args {
	struct xfer_handle dir;
	uint64_t cookie;
	uint32_t max_bytes; /* of entries */
};

struct xfer_open_args {
	struct xfer_handle handle;
	char name[XFER_NAME_MAX + 1]; /* empty: the file of the handle */
	uint32_t flags;
	enum xfer_create create;
	uint8_t verifier[8];
	struct xfer_setattr set;
};

struct xfer_close_args {
	struct xfer_handle handle;
	uint64_t open_id;
};

struct xfer_create_args {
	struct xfer_handle dir;
	char name[XFER_NAME_MAX + 1];
	enum xfer_type type;
	uint32_t rdev_major, rdev_minor;
	struct xfer_setattr set;
	struct xfer_payload payload; /* LNK: the target; else NONE */
};

struct xfer_rename_args {
	struct xfer_handle from_dir, to_dir;
	char from_name[XFER_NAME_MAX + 1], to_name[XFER_NAME_MAX + 1];
};

#define XFER_IO_OWNER_OVERRIDE 1u

struct xfer_read_args {
	struct xfer_handle handle;
	uint64_t open_id, offset;
	uint32_t count;
	uint32_t flags; /* XFER_IO_* */
	struct xfer_payload
		payload; /* where the data is to go: INLINE, or a slot of the caller's */
};

struct xfer_write_args {
	struct xfer_handle handle;
	uint64_t open_id, offset;
	uint32_t flags; /* XFER_IO_* */
	enum xfer_stability stability;
	struct xfer_payload payload;
};

struct xfer_commit_args {
	struct xfer_handle handle;
	uint64_t open_id, offset, count;
};

struct xfer_link_args {
	struct xfer_handle handle, dir;
	char name[XFER_NAME_MAX + 1];
};

struct xfer_lock_args {
	struct xfer_handle handle;
	uint64_t open_id;
	enum xfer_lock_op op;
	struct xfer_lock lock;
};

struct xfer_seek_args {
	struct xfer_handle handle;
	uint64_t open_id, offset;
	bool hole;
};

struct xfer_allocate_args {
	struct xfer_handle handle;
	uint64_t open_id, offset, length;
	bool punch;
};

struct xfer_xattr_args { /* GETXATTR, REMOVEXATTR */
	struct xfer_handle handle;
	char name[XFER_NAME_MAX + 1];
};

struct xfer_setxattr_args {
	struct xfer_handle handle;
	char name[XFER_NAME_MAX + 1];
	enum xfer_setxattr how;
	struct xfer_payload payload; /* the value */
};

/* Results. Every one begins with the status; what follows it is sent for each status, so that
 * attributes reach the caller with errors too. */

struct xfer_attr_res { /* GETATTR, SETATTR, ALLOCATE, SETXATTR, REMOVEXATTR */
	uint32_t status;
	struct xfer_opt_attr attr;
};

struct xfer_node_res { /* LOOKUP, CREATE */
	uint32_t status;
	struct xfer_node node; /* when OK */
	struct xfer_opt_attr dir_attr;
};

struct xfer_readdir_res {
	uint32_t status;
	struct xfer_opt_attr dir_attr;
	bool eof;
	uint8_t *entries; /* entries_len bytes of XDR; decoding: a buffer of that size, set to what
			     came */
	uint32_t entries_len;
};

struct xfer_open_res {
	uint32_t status;
	struct xfer_node node;
	struct xfer_opt_attr dir_attr;
	uint64_t open_id;
	bool created;
};

struct xfer_close_res {
	uint32_t status;
};

struct xfer_link_res { /* LINK, UNLINK */
	uint32_t status;
	struct xfer_opt_attr dir_attr, object;
};

struct xfer_rename_res {
	uint32_t status;
	struct xfer_opt_attr from_dir, to_dir, object;
	struct xfer_opt_attr replaced; /* what is left of what had the new name */
};

struct xfer_read_res {
	uint32_t status;
	struct xfer_opt_attr attr;
	bool eof;
	struct xfer_payload payload;
};

struct xfer_write_res {
	uint32_t status;
	struct xfer_opt_attr attr;
	uint32_t count;
	enum xfer_stability committed;
	uint8_t verifier[8];
	struct xfer_slot_ref released; /* the slot that the data was in isn't used any more */
};

struct xfer_commit_res {
	uint32_t status;
	struct xfer_opt_attr attr;
	uint8_t verifier[8];
};

struct xfer_lock_res {
	uint32_t status;
	bool granted;
	struct xfer_lock conflict; /* when not granted */
};

struct xfer_seek_res {
	uint32_t status;
	struct xfer_found found;
};

struct xfer_bytes_res { /* READLINK, GETXATTR, LISTXATTR */
	uint32_t status;
	struct xfer_opt_attr attr;
	struct xfer_payload payload;
};

struct xfer_statfs_res {
	uint32_t status;
	struct xfer_statfs statfs;
};

union xfer_args {
	struct xfer_hello_args hello;
	struct xfer_attach_args attach;
	struct xfer_cancel_args cancel;
	struct xfer_events_args events;
	struct xfer_share_args share;
	struct xfer_grow_args grow;
	struct xfer_retire_args retire;
	struct xfer_handle_args handle;
	struct xfer_name_args name;
	struct xfer_setattr_args setattr;
	struct xfer_readdir_args readdir;
	struct xfer_open_args open;
	struct xfer_close_args close;
	struct xfer_create_args create;
	struct xfer_rename_args rename;
	struct xfer_read_args read;
	struct xfer_write_args write;
	struct xfer_commit_args commit;
	struct xfer_link_args link;
	struct xfer_lock_args lock;
	struct xfer_seek_args seek;
	struct xfer_allocate_args allocate;
	struct xfer_xattr_args xattr;
	struct xfer_setxattr_args setxattr;
};

union xfer_results {
	uint32_t status; /* the first member of each */
	struct xfer_hello_res hello;
	struct xfer_token_res token;
	struct xfer_attach_res attach;
	struct xfer_status_res text;
	struct xfer_events_res events;
	struct xfer_share_res share;
	struct xfer_grow_res grow;
	struct xfer_retire_res retire;
	struct xfer_attr_res attr;
	struct xfer_node_res node;
	struct xfer_readdir_res readdir;
	struct xfer_open_res open;
	struct xfer_close_res close;
	struct xfer_link_res link;
	struct xfer_rename_res rename;
	struct xfer_read_res read;
	struct xfer_write_res write;
	struct xfer_commit_res commit;
	struct xfer_statfs_res statfs;
	struct xfer_lock_res lock;
	struct xfer_seek_res seek;
	struct xfer_bytes_res bytes;
};

/* What is the same for all calls of a procedure. */
struct xfer_proc_info {
	const char *name; /* NULL: no such procedure */
	bool (*args)(XDR *xdrs, union xfer_args *args);
	bool (*results)(XDR *xdrs, union xfer_results *results);
	bool changes; /* a second execution may differ from the first */
};

/* NULL for a number that is no procedure. */
const struct xfer_proc_info *xfer_proc_info(uint32_t proc);

bool xfer_xdr_request_header(XDR *xdrs, struct xfer_request_header *header);
/* One directory entry of a READDIR answer. */
bool xfer_xdr_dirent(XDR *xdrs, struct xfer_dirent *entry);

/* The payload part of a call's arguments or of its results; NULL where the procedure has none. */
struct xfer_payload *xfer_args_payload(uint32_t proc, union xfer_args *args);
struct xfer_payload *xfer_results_payload(uint32_t proc, union xfer_results *results);
/* Where a READ's file data is to go, or a WRITE's comes from: what a slot may hold. NULL: it is neither. */
struct xfer_payload *xfer_args_file_data(uint32_t proc, union xfer_args *args);

/* The handle that says which volume an operation is about. */
const struct xfer_handle *xfer_args_handle(uint32_t proc, const union xfer_args *args);

/* The volume id in a handle's first 4 bytes; false if it is too short. */
bool xfer_handle_volume(const struct xfer_handle *handle, uint32_t *volume_id);

/* Handle layout, in bytes: volume id (4, big-endian), type (2, big-endian), MAC (8, unless
 * XFER_HANDLE_NO_MAC), kernel handle. {volume id, ROOT} ends behind the type. */
#define XFER_HANDLE_ROOT 0xffffu /* type */
#define XFER_HANDLE_NO_MAC                                                                         \
	0x8000u /* bit of the type; the lower 15 bits are the kernel's handle type */

#endif
