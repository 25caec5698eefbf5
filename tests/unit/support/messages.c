/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* messages.c -- random valid messages of the control protocol, the same for the same seed */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rpc/xdr_inline.h>

#include "support/messages.h"

/* --- numbers ----------------------------------------------------------------------------------- */

struct random random_from(uint64_t seed)
{
	return (struct random){ .state = seed };
}

/* splitmix64 */
uint64_t random_u64(struct random *random)
{
	uint64_t z = random->state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

uint32_t random_below(struct random *random, uint32_t limit)
{
	return (uint32_t)(random_u64(random) >> 32) % limit;
}

uint32_t random_upto(struct random *random, uint32_t max)
{
	switch (random_below(random, 8)) {
	case 0:
		return 0;
	case 1:
		return max;
	default:
		return (uint32_t)((random_u64(random) >> 32) % ((uint64_t)max + 1));
	}
}

void random_bytes(struct random *random, void *bytes, size_t len)
{
	uint8_t *to = bytes;

	for (size_t i = 0; i < len; i++)
		to[i] = (uint8_t)(random_u64(random) >> 56);
}

uint64_t random_seed(void)
{
	const char *text = getenv("XFER_SEED");
	uint64_t seed;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	seed = text ? strtoull(text, NULL, 0) : (uint64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
	printf("XFER_SEED=%llu\n", (unsigned long long)seed);
	fflush(stdout);
	return seed;
}

static uint32_t u32(struct random *random)
{
	return random_upto(random, UINT32_MAX);
}

static bool coin(struct random *random)
{
	return random_below(random, 2);
}

/* --- parts ------------------------------------------------------------------------------------- */

/* At least min bytes, none of them NUL. */
static void put_text(struct random *random, char *text, uint32_t min, uint32_t max)
{
	uint32_t len = min + random_upto(random, max - min);

	for (uint32_t i = 0; i < len; i++)
		text[i] = (char)(1 + random_below(random, 255));
}

static void put_handle(struct random *random, struct xfer_handle *handle)
{
	handle->len = random_upto(random, XFER_HANDLE_MAX);
	random_bytes(random, handle->data, handle->len);
}

static void put_time(struct random *random, struct xfer_time *time)
{
	time->sec = (int64_t)random_u64(random);
	time->nsec = random_upto(random, 999999999);
}

static void put_attr(struct random *random, struct xfer_attr *attr)
{
	attr->type = XFER_REG + random_below(random, XFER_SOCK);
	attr->mode = u32(random);
	attr->nlink = u32(random);
	attr->uid = u32(random);
	attr->gid = u32(random);
	attr->rdev_major = u32(random);
	attr->rdev_minor = u32(random);
	attr->size = random_u64(random);
	attr->used = random_u64(random);
	attr->fileid = random_u64(random);
	attr->change = random_u64(random);
	put_time(random, &attr->atime);
	put_time(random, &attr->mtime);
	put_time(random, &attr->ctime);
	attr->promised = coin(random);
}

static void put_opt_attr(struct random *random, struct xfer_opt_attr *opt)
{
	opt->valid = coin(random);
	if (opt->valid)
		put_attr(random, &opt->attr);
}

static void put_node(struct random *random, struct xfer_node *node)
{
	put_handle(random, &node->handle);
	put_attr(random, &node->attr);
}

static void put_setattr(struct random *random, struct xfer_setattr *set)
{
	set->mask = u32(random);
	set->mode = u32(random);
	set->uid = u32(random);
	set->gid = u32(random);
	set->size = random_u64(random);
	put_time(random, &set->atime);
	put_time(random, &set->mtime);
}

static void put_limits(struct random *random, struct xfer_limits *limits)
{
	limits->record_max = u32(random);
	limits->calls_max = u32(random);
	limits->groups_max = u32(random);
	limits->inline_max = u32(random);
	limits->heartbeat_ms = u32(random);
}

static void put_layout(struct random *random, struct xfer_slot_layout *layout)
{
	layout->nclasses = random_upto(random, XFER_SLOT_CLASSES_MAX);
	for (uint32_t i = 0; i < layout->nclasses; i++) {
		layout->classes[i].slot_size = u32(random);
		layout->classes[i].slots = u32(random);
	}
}

static uint32_t put_addresses(struct random *random, struct xfer_rdma_address *list)
{
	uint32_t count = random_upto(random, XFER_RDMA_ADDRESSES_MAX);

	for (uint32_t i = 0; i < count; i++)
		random_bytes(random, list[i].bytes, sizeof(list[i].bytes));
	return count;
}

static void put_queue_pairs(struct random *random, struct xfer_share_args *share)
{
	share->kind = XFER_SHARE_VERBS;
	put_layout(random, &share->write);
	share->nsources = put_addresses(random, share->sources);
}

static void put_slot(struct random *random, struct xfer_slot_ref *slot)
{
	slot->lane = random_upto(random, UINT16_MAX);
	slot->name.epoch = 1 + random_upto(random, UINT32_MAX - 1);
	slot->name.slot = (uint16_t)random_upto(random, UINT16_MAX);
	slot->name.generation = u32(random);
}

/* slots: as READ and WRITE have them. */
static void put_payload(struct random *random, struct xfer_payload *payload, bool slots)
{
	payload->kind = random_below(random, slots ? 3 : 2);
	if (payload->kind != XFER_PAYLOAD_NONE)
		payload->length = random_upto(random, XFER_IO_MAX);
	if (payload->kind == XFER_PAYLOAD_SLOT)
		put_slot(random, &payload->slot);
}

void message_dirent(struct random *random, struct xfer_dirent *entry)
{
	memset(entry, 0, sizeof(*entry));
	entry->cookie = random_u64(random);
	put_text(random, entry->name, 1, XFER_NAME_MAX);
	put_node(random, &entry->node);
}

void message_header(
	struct random *random, struct xfer_request_header *header, uint32_t groups[XFER_GROUPS_MAX])
{
	memset(header, 0, sizeof(*header));
	header->call_slot = u32(random);
	header->sequence = u32(random);
	header->uid = u32(random);
	header->gid = u32(random);
	header->ngroups = random_upto(random, coin(random) ? 32 : XFER_GROUPS_MAX);
	header->groups = groups;
	for (uint32_t i = 0; i < header->ngroups; i++)
		groups[i] = u32(random);
}

/* --- arguments --------------------------------------------------------------------------------- */

static void args_hello(struct random *random, struct xfer_hello_args *args)
{
	args->minor_min = u32(random);
	args->minor_max = u32(random);
	args->features_required = random_u64(random);
	args->features_optional = random_u64(random);
	random_bytes(random, args->boot_id, sizeof(args->boot_id));
	random_bytes(random, args->kernel_boot_id, sizeof(args->kernel_boot_id));
	args->session_id = random_u64(random);
	put_text(random, args->node, 0, XFER_NODE_MAX);
	put_text(random, args->owner, 0, XFER_NODE_MAX);
	put_limits(random, &args->limits);
}

static void args_open(struct random *random, struct xfer_open_args *args)
{
	put_handle(random, &args->handle);
	put_text(random, args->name, 0, XFER_NAME_MAX);
	args->flags = u32(random);
	args->create = random_below(random, XFER_EXCLUSIVE + 1);
	random_bytes(random, args->verifier, sizeof(args->verifier));
	put_setattr(random, &args->set);
}

static void args_io(struct random *random, uint32_t proc, union xfer_args *args)
{
	if (proc == XFER_PROC_READ) {
		put_handle(random, &args->read.handle);
		args->read.open_id = random_u64(random);
		args->read.offset = random_u64(random);
		args->read.count = u32(random);
		args->read.flags = u32(random);
		put_payload(random, &args->read.payload, true);
	} else if (proc == XFER_PROC_WRITE) {
		put_handle(random, &args->write.handle);
		args->write.open_id = random_u64(random);
		args->write.offset = random_u64(random);
		args->write.flags = u32(random);
		args->write.stability = random_below(random, XFER_FILE_SYNC + 1);
		put_payload(random, &args->write.payload, true);
	} else {
		put_handle(random, &args->commit.handle);
		args->commit.open_id = random_u64(random);
		args->commit.offset = random_u64(random);
		args->commit.count = random_u64(random);
	}
}

static void args_names(struct random *random, uint32_t proc, union xfer_args *args)
{
	if (proc == XFER_PROC_RENAME) {
		put_handle(random, &args->rename.from_dir);
		put_handle(random, &args->rename.to_dir);
		put_text(random, args->rename.from_name, 0, XFER_NAME_MAX);
		put_text(random, args->rename.to_name, 0, XFER_NAME_MAX);
	} else if (proc == XFER_PROC_CREATE) {
		put_handle(random, &args->create.dir);
		put_text(random, args->create.name, 0, XFER_NAME_MAX);
		args->create.type = XFER_REG + random_below(random, XFER_SOCK);
		args->create.rdev_major = u32(random);
		args->create.rdev_minor = u32(random);
		put_setattr(random, &args->create.set);
		put_payload(random, &args->create.payload, false);
	} else if (proc == XFER_PROC_LINK) {
		put_handle(random, &args->link.handle);
		put_handle(random, &args->link.dir);
		put_text(random, args->link.name, 0, XFER_NAME_MAX);
	} else {
		put_handle(random, &args->name.dir);
		put_text(random, args->name.name, 0, XFER_NAME_MAX);
	}
}

static void args_objects(struct random *random, uint32_t proc, union xfer_args *args)
{
	if (proc == XFER_PROC_SETATTR) {
		put_handle(random, &args->setattr.handle);
		args->setattr.open_id = random_u64(random);
		put_setattr(random, &args->setattr.set);
	} else if (proc == XFER_PROC_READDIR) {
		put_handle(random, &args->readdir.dir);
		args->readdir.cookie = random_u64(random);
		args->readdir.max_bytes = u32(random);
	} else if (proc == XFER_PROC_CLOSE) {
		put_handle(random, &args->close.handle);
		args->close.open_id = random_u64(random);
	} else {
		put_handle(random, &args->handle.handle);
	}
}

static void put_lock(struct random *random, struct xfer_lock *lock)
{
	lock->exclusive = coin(random);
	lock->offset = random_u64(random);
	lock->length = random_u64(random);
}

static void args_ranges(struct random *random, uint32_t proc, union xfer_args *args)
{
	if (proc == XFER_PROC_LOCK) {
		put_handle(random, &args->lock.handle);
		args->lock.open_id = random_u64(random);
		args->lock.op = random_below(random, XFER_LOCK_CLEAR + 1);
		put_lock(random, &args->lock.lock);
	} else if (proc == XFER_PROC_SEEK) {
		put_handle(random, &args->seek.handle);
		args->seek.open_id = random_u64(random);
		args->seek.offset = random_u64(random);
		args->seek.hole = coin(random);
	} else {
		put_handle(random, &args->allocate.handle);
		args->allocate.open_id = random_u64(random);
		args->allocate.offset = random_u64(random);
		args->allocate.length = random_u64(random);
		args->allocate.punch = coin(random);
	}
}

static void args_xattrs(struct random *random, uint32_t proc, union xfer_args *args)
{
	if (proc == XFER_PROC_SETXATTR) {
		put_handle(random, &args->setxattr.handle);
		put_text(random, args->setxattr.name, 0, XFER_NAME_MAX);
		args->setxattr.how = random_below(random, XFER_XATTR_REPLACE + 1);
		put_payload(random, &args->setxattr.payload, false);
	} else {
		put_handle(random, &args->xattr.handle);
		put_text(random, args->xattr.name, 0, XFER_NAME_MAX);
	}
}

void message_args(struct random *random, uint32_t proc, union xfer_args *args)
{
	memset(args, 0, sizeof(*args));
	switch (proc) {
	case XFER_PROC_NULL:
	case XFER_PROC_TOKEN:
	case XFER_PROC_PING:
	case XFER_PROC_STATUS:
	case XFER_PROC_END:
	case XFER_PROC_RECOVERED:
		break;
	case XFER_PROC_CANCEL:
		args->cancel.call_slot = u32(random);
		args->cancel.sequence = u32(random);
		break;
	case XFER_PROC_EVENTS:
		args->events.fresh = coin(random);
		args->events.seen = random_u64(random);
		break;
	case XFER_PROC_SHARE:
		args->share.epoch = u32(random);
		args->share.lanes = u32(random);
		put_layout(random, &args->share.read);
		if (coin(random))
			put_queue_pairs(random, &args->share);
		break;
	case XFER_PROC_GROW:
		args->grow.epoch = u32(random);
		put_layout(random, &args->grow.layout);
		break;
	case XFER_PROC_RETIRE:
		args->retire.epoch = u32(random);
		args->retire.returned = u32(random);
		break;
	case XFER_PROC_HELLO:
		args_hello(random, &args->hello);
		break;
	case XFER_PROC_ATTACH:
		random_bytes(random, args->attach.token.bytes, sizeof(args->attach.token.bytes));
		args->attach.lane = u32(random);
		break;
	case XFER_PROC_OPEN:
		args_open(random, &args->open);
		break;
	case XFER_PROC_READ:
	case XFER_PROC_WRITE:
	case XFER_PROC_COMMIT:
		args_io(random, proc, args);
		break;
	case XFER_PROC_LOOKUP:
	case XFER_PROC_UNLINK:
	case XFER_PROC_CREATE:
	case XFER_PROC_LINK:
	case XFER_PROC_RENAME:
		args_names(random, proc, args);
		break;
	case XFER_PROC_LOCK:
	case XFER_PROC_SEEK:
	case XFER_PROC_ALLOCATE:
		args_ranges(random, proc, args);
		break;
	case XFER_PROC_GETXATTR:
	case XFER_PROC_SETXATTR:
	case XFER_PROC_REMOVEXATTR:
		args_xattrs(random, proc, args);
		break;
	default:
		args_objects(random, proc, args);
		break;
	}
}

/* --- results ----------------------------------------------------------------------------------- */

static void results_hello(struct random *random, struct xfer_hello_res *res)
{
	put_text(random, res->reason, 0, sizeof(res->reason) - 1);
	res->minor = u32(random);
	res->features = random_u64(random);
	random_bytes(random, res->boot_id, sizeof(res->boot_id));
	random_bytes(random, res->kernel_boot_id, sizeof(res->kernel_boot_id));
	res->session_id = random_u64(random);
	res->epoch = u32(random);
	res->standing = (enum xfer_standing)random_below(random, XFER_STANDING_RECOVER + 1);
	random_bytes(random, res->write_verifier, sizeof(res->write_verifier));
	put_text(random, res->node, 0, XFER_NODE_MAX);
	put_limits(random, &res->limits);
}

/* Whole entries of XDR, as an owner makes them. */
static uint32_t put_entries(struct random *random, uint8_t *entries)
{
	uint32_t count = random_below(random, 20), used = 0;
	struct xfer_dirent entry;
	XDR xdrs;

	xdrmem_ncreate(&xdrs, (char *)entries, MESSAGE_VARIABLE, XDR_ENCODE);
	for (uint32_t i = 0; i < count; i++) {
		message_dirent(random, &entry);
		if (!xfer_xdr_dirent(&xdrs, &entry))
			break;
		used = (uint32_t)XDR_GETPOS(&xdrs);
	}
	return used;
}

static void results_names(struct random *random, uint32_t proc, union xfer_results *res)
{
	if (proc == XFER_PROC_OPEN) {
		put_opt_attr(random, &res->open.dir_attr);
		if (res->status == XFER_ST_OK) {
			put_node(random, &res->open.node);
			res->open.open_id = random_u64(random);
			res->open.created = coin(random);
		}
	} else if (proc == XFER_PROC_UNLINK || proc == XFER_PROC_LINK) {
		put_opt_attr(random, &res->link.dir_attr);
		put_opt_attr(random, &res->link.object);
	} else if (proc == XFER_PROC_RENAME) {
		put_opt_attr(random, &res->rename.from_dir);
		put_opt_attr(random, &res->rename.to_dir);
		put_opt_attr(random, &res->rename.object);
		put_opt_attr(random, &res->rename.replaced);
	} else {
		put_opt_attr(random, &res->node.dir_attr);
		if (res->status == XFER_ST_OK)
			put_node(random, &res->node.node);
	}
}

static void results_io(struct random *random, uint32_t proc, union xfer_results *res)
{
	if (proc == XFER_PROC_READ) {
		put_opt_attr(random, &res->read.attr);
		res->read.eof = coin(random);
		put_payload(random, &res->read.payload, true);
	} else if (proc == XFER_PROC_WRITE) {
		put_opt_attr(random, &res->write.attr);
		res->write.count = u32(random);
		res->write.committed = random_below(random, XFER_FILE_SYNC + 1);
		random_bytes(random, res->write.verifier, sizeof(res->write.verifier));
		if (coin(random))
			put_slot(random, &res->write.released);
	} else {
		put_opt_attr(random, &res->commit.attr);
		random_bytes(random, res->commit.verifier, sizeof(res->commit.verifier));
	}
}

void message_results_room(
	uint32_t proc, union xfer_results *results, uint8_t *variable, uint32_t size)
{
	if (proc == XFER_PROC_READDIR) {
		results->readdir.entries = variable;
		results->readdir.entries_len = size;
	} else if (proc == XFER_PROC_STATUS) {
		results->text.text = (char *)variable;
		results->text.text_len = size;
	}
}

static void results_events(struct random *random, struct xfer_events_res *res)
{
	res->number = random_u64(random);
	res->all = coin(random);
	res->count = random_upto(random, XFER_EVENTS_MAX);
	for (uint32_t i = 0; i < res->count; i++)
		res->list[i] = (struct xfer_invalidation){ .volume_id = u32(random),
			.bucket = random_upto(random, XFER_BUCKETS - 1) };
}

static void put_chunk(struct random *random, struct xfer_chunk *chunk)
{
	chunk->id = u32(random);
	put_layout(random, &chunk->layout);
	chunk->nplaces = random_upto(random, XFER_PLACES_MAX);
	for (uint32_t i = 0; i < chunk->nplaces; i++) {
		chunk->places[i].first = (uint16_t)random_upto(random, XFER_SLOT_NUMBERS - 1);
		chunk->places[i].generation = u32(random);
	}
	chunk->base = random_u64(random);
	chunk->nkeys = random_upto(random, XFER_LANES_MAX);
	for (uint32_t i = 0; i < chunk->nkeys; i++)
		chunk->keys[i] = u32(random);
}

static void results_share(struct random *random, struct xfer_share_res *share)
{
	put_layout(random, &share->read);
	share->port = (uint16_t)random_upto(random, UINT16_MAX);
	share->naddresses = put_addresses(random, share->addresses);
	share->ntokens = random_upto(random, XFER_LANES_MAX);
	for (uint32_t i = 0; i < share->ntokens; i++)
		random_bytes(random, share->tokens[i].bytes, sizeof(share->tokens[i].bytes));
}

static void results_session(
	struct random *random, uint32_t proc, union xfer_results *res, uint8_t *variable)
{
	if (proc == XFER_PROC_HELLO) {
		results_hello(random, &res->hello);
	} else if (proc == XFER_PROC_TOKEN) {
		random_bytes(random, res->token.token.bytes, sizeof(res->token.token.bytes));
	} else if (proc == XFER_PROC_EVENTS) {
		results_events(random, &res->events);
	} else if (proc == XFER_PROC_SHARE && res->status == XFER_ST_OK) {
		results_share(random, &res->share);
	} else if (proc == XFER_PROC_GROW && res->status == XFER_ST_OK) {
		put_chunk(random, &res->grow.chunk);
	} else if (proc == XFER_PROC_RETIRE) {
		res->retire.chunk = u32(random);
	} else if (proc == XFER_PROC_STATUS) {
		res->text.text_len = random_upto(random, 4096);
		res->text.text = (char *)variable;
		random_bytes(random, variable, res->text.text_len);
	}
}

static void results_statfs(struct random *random, struct xfer_statfs *statfs)
{
	statfs->total_bytes = random_u64(random);
	statfs->free_bytes = random_u64(random);
	statfs->avail_bytes = random_u64(random);
	statfs->total_files = random_u64(random);
	statfs->free_files = random_u64(random);
	statfs->avail_files = random_u64(random);
}

void message_results(
	struct random *random, uint32_t proc, union xfer_results *results, uint8_t *variable)
{
	memset(results, 0, sizeof(*results));
	if (proc != XFER_PROC_NULL && proc != XFER_PROC_PING)
		results->status = coin(random) ? XFER_ST_OK : u32(random);
	switch (proc) {
	case XFER_PROC_LOOKUP:
	case XFER_PROC_CREATE:
	case XFER_PROC_LINK:
	case XFER_PROC_OPEN:
	case XFER_PROC_UNLINK:
	case XFER_PROC_RENAME:
		results_names(random, proc, results);
		break;
	case XFER_PROC_READ:
	case XFER_PROC_WRITE:
	case XFER_PROC_COMMIT:
		results_io(random, proc, results);
		break;
	case XFER_PROC_READLINK:
	case XFER_PROC_GETXATTR:
	case XFER_PROC_LISTXATTR:
		put_opt_attr(random, &results->bytes.attr);
		put_payload(random, &results->bytes.payload, false);
		break;
	case XFER_PROC_LOCK:
		results->lock.granted = coin(random);
		put_lock(random, &results->lock.conflict);
		break;
	case XFER_PROC_SEEK:
		results->seek.found = (struct xfer_found){
			.offset = random_u64(random), .none = coin(random), .eof = coin(random)
		};
		break;
	case XFER_PROC_ALLOCATE:
	case XFER_PROC_SETXATTR:
	case XFER_PROC_REMOVEXATTR:
	case XFER_PROC_GETATTR:
	case XFER_PROC_SETATTR:
		put_opt_attr(random, &results->attr.attr);
		break;
	case XFER_PROC_READDIR:
		put_opt_attr(random, &results->readdir.dir_attr);
		results->readdir.eof = coin(random);
		results->readdir.entries = variable;
		results->readdir.entries_len = put_entries(random, variable);
		break;
	case XFER_PROC_STATFS:
		results_statfs(random, &results->statfs.statfs);
		break;
	default:
		results_session(random, proc, results, variable);
		break;
	}
}
