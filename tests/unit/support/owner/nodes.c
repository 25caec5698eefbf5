/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* nodes.c -- points of contact that say what a test says, and are told of changes */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/owner/nodes.h"

struct node a, c, d;
char nodes_log[4096];

static void keep_log(enum xfer_log_level level, const char *message)
{
	size_t len = strlen(nodes_log);

	if (level <= XFER_LOG_WARN)
		snprintf(nodes_log + len, sizeof(nodes_log) - len, "%s\n", message);
}

/* --- calls ------------------------------------------------------------------------------------- */

void node_receive(int fd, uint32_t proc, uint32_t xid, union xfer_results *results)
{
	uint8_t reply[8192];
	uint32_t len = recv_record(fd, reply, sizeof(reply)), got;

	memcpy(&got, reply, 4);
	assert_int_equal(ntohl(got), xid);
	memset(results, 0, sizeof(*results));
	assert_int_equal(xfer_rpc_decode_reply(reply, len, proc, results), 0);
}

void node_start(struct node *node, uint32_t proc, union xfer_args *args)
{
	node->xid++;
	send_call(node->fd, node->xid, proc, args, node->xid % 4, ++node->sequence);
}

uint32_t node_finish(struct node *node, uint32_t proc, union xfer_results *results)
{
	node_receive(node->fd, proc, node->xid, results);
	return results->status;
}

uint32_t node_call(
	struct node *node, uint32_t proc, union xfer_args *args, union xfer_results *results)
{
	node_start(node, proc, args);
	return node_finish(node, proc, results);
}

void node_ask(struct node *node, bool fresh, uint64_t seen)
{
	union xfer_args args = { .events = { .fresh = fresh, .seen = seen } };

	send_call(node->events_fd, ++node->events_xid, XFER_PROC_EVENTS, &args, 0, 0);
}

struct xfer_events_res node_told(struct node *node)
{
	union xfer_results results;

	node_receive(node->events_fd, XFER_PROC_EVENTS, node->events_xid, &results);
	node->told = results.events.number;
	return results.events;
}

void node_acknowledge(struct node *node)
{
	node_ask(node, false, node->told);
}

enum xfer_standing node_connect(struct node *node)
{
	struct xfer_hello_res hello;
	union xfer_results results;
	union xfer_args args = { 0 };

	node->events_fd = connect_raw_to(f.config->listen[0]);
	hello = hello_as(node->events_fd, node->name, node->boot, node->session_id);
	node->session_id = hello.session_id;
	send_call(node->events_fd, ++node->events_xid, XFER_PROC_TOKEN, NULL, 0, 0);
	node_receive(node->events_fd, XFER_PROC_TOKEN, node->events_xid, &results);
	node->fd = connect_raw_to(f.config->listen[0]);
	args.attach = (struct xfer_attach_args){ .token = results.token.token, .lane = 1 };
	assert_int_equal(node_call(node, XFER_PROC_ATTACH, &args, &results), XFER_ST_OK);
	return hello.standing;
}

void node_disconnect(struct node *node)
{
	close(node->events_fd);
	close(node->fd);
}

void node_sync(struct node *node)
{
	union xfer_results results;

	send_call(node->events_fd, 1000, XFER_PROC_PING, NULL, 0, 0);
	node_receive(node->events_fd, XFER_PROC_PING, 1000, &results);
}

void node_join(struct node *node, const char *name, uint8_t boot)
{
	*node = (struct node){ .name = name, .boot = boot };
	assert_int_equal(node_connect(node), XFER_STANDING_NEW);
	node_ask(node, true, 0);
	node_sync(node);
}

/* --- operations -------------------------------------------------------------------------------- */

struct xfer_attr node_attributes(struct node *node, const struct xfer_handle *handle)
{
	union xfer_args args = { .handle = { .handle = *handle } };
	union xfer_results results;

	assert_int_equal(node_call(node, XFER_PROC_GETATTR, &args, &results), XFER_ST_OK);
	assert_true(results.attr.attr.valid);
	return results.attr.attr.attr;
}

uint32_t node_lookup(struct node *node, const char *name, struct xfer_node_res *res)
{
	union xfer_args args = { .name = { .dir = f.root } };
	union xfer_results results;

	strcpy(args.name.name, name);
	node_call(node, XFER_PROC_LOOKUP, &args, &results);
	*res = results.node;
	return res->status;
}

struct xfer_node node_found(struct node *node, const char *name)
{
	struct xfer_node_res res;

	assert_int_equal(node_lookup(node, name, &res), XFER_ST_OK);
	assert_true(res.dir_attr.valid);
	return res.node;
}

void node_start_chmod(struct node *node, const struct xfer_handle *handle, uint32_t mode)
{
	union xfer_args args = { .setattr = { .handle = *handle,
					 .set = { .mask = XFER_SET_MODE, .mode = mode } } };

	node_start(node, XFER_PROC_SETATTR, &args);
}

struct xfer_attr node_finish_chmod(struct node *node)
{
	union xfer_results results;

	assert_int_equal(node_finish(node, XFER_PROC_SETATTR, &results), XFER_ST_OK);
	return results.attr.attr.attr;
}

void node_start_named(struct node *node, uint32_t proc, const char *name)
{
	union xfer_args args = { .name = { .dir = f.root } };

	strcpy(args.name.name, name);
	node_start(node, proc, &args);
}

void node_start_rename(struct node *node, const char *from, const char *to)
{
	union xfer_args args = { .rename = { .from_dir = f.root, .to_dir = f.root } };

	strcpy(args.rename.from_name, from);
	strcpy(args.rename.to_name, to);
	node_start(node, XFER_PROC_RENAME, &args);
}

void node_start_open(
	struct node *node, const char *name, uint32_t flags, enum xfer_create create, uint32_t mode)
{
	union xfer_args args = {
		.open = { .handle = f.root,
			.flags = flags,
			.create = create,
			.set = { .mask = mode ? XFER_SET_MODE : 0, .mode = mode } }
	};

	strcpy(args.open.name, name);
	node_start(node, XFER_PROC_OPEN, &args);
}

void node_start_mkdir(struct node *node, const char *name)
{
	union xfer_args args = { .create = { .dir = f.root, .type = XFER_DIR } };

	strcpy(args.create.name, name);
	node_start(node, XFER_PROC_CREATE, &args);
}

bool names_bucket(const struct xfer_events_res *res, uint64_t fileid)
{
	for (uint32_t i = 0; i < res->count; i++)
		if (res->list[i].bucket == xfer_bucket(fileid) &&
			res->list[i].volume_id == xfer_volume_id("v"))
			return true;
	return false;
}

/* --- the three ---------------------------------------------------------------------------------- */

/* A file of which nobody is told together with the root, or with what has that bucket. Returns its own. */
static uint32_t put_apart(const char *name, uint32_t other)
{
	char path[512], aside[512];
	struct stat found;
	uint32_t bucket;

	snprintf(path, sizeof(path), "%s/%s", f.volume, name);
	for (unsigned i = 0;; i++) {
		put_file(name, "text", CALLER, CALLER, 0644);
		assert_int_equal(stat(path, &found), 0);
		bucket = xfer_bucket(found.st_ino);
		if (bucket != xfer_bucket(XFER_ROOT_FILEID) && bucket != other)
			return bucket;
		/* While it is there, no other file gets its inode. */
		snprintf(aside, sizeof(aside), "%s/%s-%u", f.dir, name, i);
		assert_int_equal(rename(path, aside), 0);
	}
}

int nodes_setup(void **state, unsigned lease_ms)
{
	int err;

	fixture_lease_ms = lease_ms;
	err = fixture_setup_owner(state);
	nodes_log[0] = '\0';
	xfer_log_set_sink(keep_log);
	put_apart("y", put_apart("x", xfer_bucket(XFER_ROOT_FILEID)));
	node_join(&a, "a", 1);
	node_join(&c, "c", 1);
	node_join(&d, "c", 2);
	return err;
}

int nodes_teardown(void **state)
{
	int err;

	node_disconnect(&a);
	node_disconnect(&c);
	node_disconnect(&d);
	err = fixture_teardown(state);
	xfer_log_set_sink(NULL);
	fixture_lease_ms = 0;
	return err;
}
