/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* service.h -- what an owner does for its peers: operations on volumes */
#ifndef XFER_OWNER_SERVICE_H
#define XFER_OWNER_SERVICE_H

#include "control/server.h"
#include "log.h"
#include "owner/coherence.h"
#include "owner/config.h"
#include "owner/filecache.h"
#include "owner/hold.h"
#include "owner/memory.h"
#include "owner/object.h"
#include "owner/opens.h"
#include "owner/recovery.h"
#include "owner/setup.h"
#include "owner/verifier.h"
#include "owner/workers.h"

/*
 * Threads: dispatch() runs on lane threads and carries out only what waits for nothing (a READ or WRITE of
 * what is in memory); everything else goes to the workers. Both change their credentials (creds.h). Order of
 * locks: a session's opens, the file cache, a volume's change table, the pool and the promises have a lock each, none is
 * taken with another held, but for a session's opens and the promises' under peers_lock. A directory's names
 * (names.h) are held while the file system works, and so outside of all these.
 */

struct service {
	pthread_mutex_t setup_lock; /* the pointer */
	struct setup *setup;        /* what new requests get */
	struct setup_params params;
	struct work_pool *pool;
	struct file_cache *cache;
	struct opens_limit opens;
	struct verifier verifier;
	struct recovery *recovery;
	struct coherence *coherence;
	unsigned lease_ms; /* before service_start; 0: XFER_LEASE_MS */
	struct hold hold;
	struct memory memory;
	pthread_mutex_t peers_lock; /* the making of peers' state, and the following */
	LIST_HEAD(, peer_state) peers;
	struct xfer_service ops;
};

/*
 * Opens the volumes, waiting for their locks. 0: the configuration is the service's. -errno: it was logged;
 * -EWOULDBLOCK: a volume's lock is held.
 */
int service_open_volumes(struct service *service, struct config *config,
	const struct store_ops *store, unsigned lock_ms);
/*
 * The same while it serves: volumes come, go, or get other rights. Requests under way end with what they began
 * with; a volume that goes gives up its opens and its lock with the last of them. -errno: nothing has changed.
 */
int service_reload(struct service *service, struct config *config);
/* Starts the threads. On failure nothing of it is left but the volumes. */
int service_start(struct service *service);
/* Whatever of the two was done is undone. No request may be under way. */
void service_stop(struct service *service);

/* --- for the procedures ------------------------------------------------------------------------ */

/* What is worth a line in the log, at most one in ten seconds for each session. */
enum peer_cause {
	PEER_BAD_HANDLE,
	PEER_NO_VOLUME,
	PEER_NOT_ALLOWED,
	PEER_BUSY,
	PEER_OPENS,
	PEER_FAULT,
	PEER_GRACE,
	PEER_CAUSES,
};

/* What a session has here; made with its first operation, dropped when it is gone. */
struct peer_state {
	LIST_ENTRY(peer_state) link; /* the service's */
	struct opens opens;
	struct holder holder;
	struct xfer_log_limit limits[PEER_CAUSES];
};

/* One operation on a worker. */
struct op {
	struct service *service;
	struct volume *volume;
	const struct config_volume *config; /* the volume's */
	struct peer_state *peer;
	struct xfer_request *request;
	struct xfer_cred cred; /* the caller, squashed as the volume wants it */
};

/* Fills the results; the return value, 0, -errno or a negated wire status, becomes their status. */
typedef int (*service_fn)(const struct op *op);

int service_lookup(const struct op *op);
int service_getattr(const struct op *op);
int service_setattr(const struct op *op);
int service_readdir(const struct op *op);
int service_open(const struct op *op);
int service_close(const struct op *op);
int service_create(const struct op *op);
int service_readlink(const struct op *op);
int service_link(const struct op *op);
int service_unlink(const struct op *op);
int service_rename(const struct op *op);
int service_read(const struct op *op);
int service_write(const struct op *op);
int service_commit(const struct op *op);
int service_statfs(const struct op *op);
int service_lock(const struct op *op);
int service_seek(const struct op *op);
int service_allocate(const struct op *op);
int service_getxattr(const struct op *op);
int service_setxattr(const struct op *op);
int service_listxattr(const struct op *op);
int service_removexattr(const struct op *op);

/* On a lane's thread: whether the READ could be answered from memory; then its results are filled. What was
 * read before that turned out to be impossible is kept for service_read. */
bool service_read_now(const struct op *op);
/* The same for a WRITE. */
bool service_write_now(const struct op *op);

/* What is served now, referenced. Any thread. */
struct setup *service_setup(struct service *service);

/* admit and status of struct xfer_service; arg: the service. */
uint32_t service_admit(void *arg, const struct xfer_hello_args *hello,
	const struct xfer_conn_identity *identity, char *reason, size_t reason_len);
char *service_status(void *arg);

/* --- sessions: service_peer.c ------------------------------------------------------------------- */

/* NULL: out of memory. */
struct peer_state *service_peer_get(struct service *service, struct xfer_peer *peer);
/* Its connections are gone, or it goes on over others; it is going to end without having said so. */
void service_peer_epoch_ended(struct service *service, struct xfer_peer *peer);
void service_peer_lost(struct service *service, struct xfer_peer *peer);

/* Of struct xfer_service; arg: the service. */
void service_remember(void *arg, const struct xfer_hello_args *hello, struct xfer_request *request);
enum xfer_standing service_peer_began(void *arg, struct xfer_peer *peer);
bool service_peer_recovered(void *arg, struct xfer_peer *peer);
void service_peer_ended(void *arg, struct xfer_peer *peer);
void service_peer_gone(void *arg, struct xfer_peer *peer);
unsigned service_peer_opens(void *arg, struct xfer_peer *peer);
unsigned service_peer_unsettled(void *arg, struct xfer_peer *peer);
void service_events(void *arg, struct xfer_request *request);

/* --- what is told of objects, and what changes: service_promise.c ------------------------------- */

/*
 * The attributes of an object or a file as an answer has them, with a promise to tell of changes if one can be given.
 * Of a directory they come before its names are looked at. changed: the operation has just changed it.
 */
int op_attr(const struct op *op, const struct object *object, bool changed, struct xfer_attr *attr);
void op_opt_attr(
	const struct op *op, const struct object *object, bool changed, struct xfer_opt_attr *attr);
/* Handle and attributes. */
int op_node(const struct op *op, const struct object *object, bool changed, struct xfer_node *node);
int op_file_attr(const struct op *op, const struct file *file, bool changed, struct statx *stx,
	struct xfer_attr *attr);
void op_file_opt_attr(
	const struct op *op, const struct file *file, bool changed, struct xfer_opt_attr *attr);

/*
 * Around each change, from before it to when the attributes for the answer have been read: nobody else is promised
 * anything of these objects (at most four) meanwhile, and those who were have been told and have acknowledged, or
 * their leases are over. May wait for a lease, so no lock is held; on a worker.
 */
void op_change_begin(const struct op *op, struct coherence_change *change, const uint64_t *fileids,
	unsigned count);
/* The same if nobody has to be told or waited for. False: it isn't begun. Any thread. */
bool op_change_begin_now(const struct op *op, struct coherence_change *change,
	const uint64_t *fileids, unsigned count);
void op_change_end(const struct op *op, const struct coherence_change *change);

/* Removes what this operation has made, if it still has its name. flags: of unlinkat. */
void op_take_back(const struct op *op, const struct object *dir, const char *name, uint64_t fileid,
	int flags);

/* --- files that operations use: service_file.c ------------------------------------------------- */

/* What an operation works with, and whether the caller's permission still has to be looked at again. */
struct op_file {
	struct file *file; /* with a reference */
	bool checked;      /* permitted by the open, or the ctime is that of the check */
	uint64_t ctime_ns; /* of an anonymous file: when the permission was checked */
};

/* An open of this session that permits `access`, or what the cache has. False: neither. Any thread. */
bool op_file_find(const struct op *op, const struct xfer_handle *handle, uint64_t open_id,
	uint32_t access, bool owner_override, struct op_file *file);
/* Looks at the permission again if the file has changed since it was checked. Any thread. */
int op_file_recheck(
	const struct op *op, uint32_t access, bool owner_override, struct op_file *file);
/* The same, opened if need be; the permission is checked now. On a worker. */
int op_file_get(const struct op *op, const struct xfer_handle *handle, uint64_t open_id,
	uint32_t access, bool owner_override, struct op_file *file);

/* For what gives nothing away: an open of this session, else whatever the caller may open. On a worker. */
int op_file_get_any(const struct op *op, const struct xfer_handle *handle, uint64_t open_id,
	struct op_file *file);

/* A directory, and the caller's credentials for the thread. */
int op_open_dir(const struct op *op, const struct xfer_handle *handle, struct object *dir);

/* Where the payload of the answer goes; the same again when asked again. NULL: out of memory. */
void *op_answer_buffer(struct xfer_request *request, size_t size);

/* Whether the caller may `access` the regular file behind fd. Leaves the thread with any credentials. */
int op_may_access(
	const struct op *op, int fd, const struct statx *stx, uint32_t access, bool owner_override);
/* An ordinary descriptor for the O_PATH one, opened as the daemon: the permission was checked. */
int op_reopen(const struct op *op, int fd, uint32_t access);

#endif
