/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* nodes.h -- points of contact that say what a test says, and are told of changes */
#ifndef TEST_OWNER_NODES_H
#define TEST_OWNER_NODES_H

#include "support/owner/fixture.h"
#include "support/raw.h"

#define LONG_MS  5000 /* leases: one that no test waits for */
#define SOME_MS  1500
#define SHORT_MS 1000 /* one that a test waits for: long, for busy machines */
#define SOON_MS  100  /* what happens within this time doesn't wait */
#define CALLER   1    /* the user that operations are for */

/* One process: EVENTS go over its first connection, operations over the second, up to four at a time. */
struct node {
	const char *name;
	uint8_t boot;
	int events_fd, fd;
	uint64_t session_id;
	uint32_t sequence, events_xid, xid;
	uint64_t told; /* the number of the last answer to EVENTS */
};

/* Each with a session, and its first EVENTS under way; d is another process of c's node. */
extern struct node a, c, d;
extern char nodes_log[4096]; /* warnings */

/* For cmocka: an owner with this lease, files x and y, and the three. */
int nodes_setup(void **state, unsigned lease_ms);
int nodes_teardown(void **state);

/* --- sessions --- */
enum xfer_standing node_connect(struct node *node);
void node_disconnect(struct node *node);
/* Connects, and says the first EVENTS. */
void node_join(struct node *node, const char *name, uint8_t boot);

/* --- EVENTS --- */
void node_ask(struct node *node, bool fresh, uint64_t seen);
/* It was taken, and there is nothing to tell. */
void node_sync(struct node *node);
/* The answer to the last one. */
struct xfer_events_res node_told(struct node *node);
void node_acknowledge(struct node *node);
bool names_bucket(const struct xfer_events_res *res, uint64_t fileid);

/* --- operations: what begins with start is answered by node_finish --- */
void node_receive(int fd, uint32_t proc, uint32_t xid, union xfer_results *results);
void node_start(struct node *node, uint32_t proc, union xfer_args *args);
/* The status. */
uint32_t node_finish(struct node *node, uint32_t proc, union xfer_results *results);
uint32_t node_call(
	struct node *node, uint32_t proc, union xfer_args *args, union xfer_results *results);

/* Of the root. */
uint32_t node_lookup(struct node *node, const char *name, struct xfer_node_res *res);
struct xfer_node node_found(struct node *node, const char *name);
struct xfer_attr node_attributes(struct node *node, const struct xfer_handle *handle);

void node_start_chmod(struct node *node, const struct xfer_handle *handle, uint32_t mode);
struct xfer_attr node_finish_chmod(struct node *node);
void node_start_named(struct node *node, uint32_t proc, const char *name); /* UNLINK */
void node_start_rename(struct node *node, const char *from, const char *to);
void node_start_open(struct node *node, const char *name, uint32_t flags, enum xfer_create create,
	uint32_t mode);
void node_start_mkdir(struct node *node, const char *name);

#endif
