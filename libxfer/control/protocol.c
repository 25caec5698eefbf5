/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* protocol.c -- XDR codecs of the control protocol, one function per type for both directions */

#include <errno.h>
#include <string.h>

#include <rpc/rpc.h>
#include <rpc/xdr_inline.h>

#include "control/protocol.h"

const struct xfer_limits xfer_own_limits = {
	.record_max = XFER_RECORD_MAX,
	.calls_max = 256,
	.groups_max = XFER_GROUPS_MAX,
	.inline_max = XFER_IO_MAX,
	.heartbeat_ms = 1000,
};

/* --- parts ------------------------------------------------------------------------------------ */

static bool xdr_flag(XDR *xdrs, bool *flag)
{
	bool_t wire = xdrs->x_op == XDR_ENCODE ? *flag : FALSE;

	if (!xdr_bool(xdrs, &wire))
		return false;
	*flag = wire;
	return true;
}

/* An enumeration whose values are 0..max; anything else does not decode. */
#define XDR_ENUM_UP_TO(xdrs, lvalue, max)                                                          \
	({                                                                                         \
		uint32_t wire_ = (uint32_t) * (lvalue);                                            \
		bool ok_ = xdr_uint32_t((xdrs), &wire_) && wire_ <= (max);                         \
		if (ok_)                                                                           \
			*(lvalue) = wire_;                                                         \
		ok_;                                                                               \
	})

static bool xdr_fixed(XDR *xdrs, uint8_t *bytes, uint32_t len)
{
	return xdr_opaque(xdrs, (char *)bytes, len);
}

/* A string of at most max bytes without NUL inside; buffer has max + 1 bytes. */
static bool xdr_text(XDR *xdrs, char *buffer, uint32_t max)
{
	uint32_t len = xdrs->x_op == XDR_ENCODE ? strlen(buffer) : 0;

	if (!xdr_opaques(xdrs, buffer, &len, max))
		return false;
	if (xdrs->x_op == XDR_DECODE) {
		if (memchr(buffer, '\0', len))
			return false;
		buffer[len] = '\0';
	}
	return true;
}

/* Bytes in a buffer that the decoding side provides: *len is its size and becomes what came. */
static bool xdr_buffer(XDR *xdrs, uint8_t *buffer, uint32_t *len)
{
	uint32_t capacity = *len;

	return xdr_opaques(xdrs, (char *)buffer, len, capacity);
}

static bool xdr_handle(XDR *xdrs, struct xfer_handle *handle)
{
	return xdr_opaques(xdrs, (char *)handle->data, &handle->len, XFER_HANDLE_MAX);
}

static bool xdr_time(XDR *xdrs, struct xfer_time *time)
{
	return xdr_int64_t(xdrs, &time->sec) && xdr_uint32_t(xdrs, &time->nsec) &&
	       time->nsec < 1000000000u;
}

static bool xdr_type(XDR *xdrs, enum xfer_type *type)
{
	return XDR_ENUM_UP_TO(xdrs, type, XFER_SOCK) && *type >= XFER_REG;
}

static bool xdr_attr(XDR *xdrs, struct xfer_attr *attr)
{
	return xdr_type(xdrs, &attr->type) && xdr_uint32_t(xdrs, &attr->mode) &&
	       xdr_uint32_t(xdrs, &attr->nlink) && xdr_uint32_t(xdrs, &attr->uid) &&
	       xdr_uint32_t(xdrs, &attr->gid) && xdr_uint32_t(xdrs, &attr->rdev_major) &&
	       xdr_uint32_t(xdrs, &attr->rdev_minor) && xdr_uint64_t(xdrs, &attr->size) &&
	       xdr_uint64_t(xdrs, &attr->used) && xdr_uint64_t(xdrs, &attr->fileid) &&
	       xdr_uint64_t(xdrs, &attr->change) && xdr_time(xdrs, &attr->atime) &&
	       xdr_time(xdrs, &attr->mtime) && xdr_time(xdrs, &attr->ctime) &&
	       xdr_flag(xdrs, &attr->promised);
}

static bool xdr_opt_attr(XDR *xdrs, struct xfer_opt_attr *opt)
{
	return xdr_flag(xdrs, &opt->valid) && (!opt->valid || xdr_attr(xdrs, &opt->attr));
}

static bool xdr_node(XDR *xdrs, struct xfer_node *node)
{
	return xdr_handle(xdrs, &node->handle) && xdr_attr(xdrs, &node->attr);
}

static bool xdr_setattr(XDR *xdrs, struct xfer_setattr *set)
{
	return xdr_uint32_t(xdrs, &set->mask) && xdr_uint32_t(xdrs, &set->mode) &&
	       xdr_uint32_t(xdrs, &set->uid) && xdr_uint32_t(xdrs, &set->gid) &&
	       xdr_uint64_t(xdrs, &set->size) && xdr_time(xdrs, &set->atime) &&
	       xdr_time(xdrs, &set->mtime);
}

static bool xdr_lock(XDR *xdrs, struct xfer_lock *lock)
{
	return xdr_flag(xdrs, &lock->exclusive) && xdr_uint64_t(xdrs, &lock->offset) &&
	       xdr_uint64_t(xdrs, &lock->length);
}

static bool xdr_limits(XDR *xdrs, struct xfer_limits *limits)
{
	return xdr_uint32_t(xdrs, &limits->record_max) && xdr_uint32_t(xdrs, &limits->calls_max) &&
	       xdr_uint32_t(xdrs, &limits->groups_max) && xdr_uint32_t(xdrs, &limits->inline_max) &&
	       xdr_uint32_t(xdrs, &limits->heartbeat_ms);
}

static bool xdr_slot_layout(XDR *xdrs, struct xfer_slot_layout *layout)
{
	if (!XDR_ENUM_UP_TO(xdrs, &layout->nclasses, XFER_SLOT_CLASSES_MAX))
		return false;
	for (uint32_t i = 0; i < layout->nclasses; i++)
		if (!xdr_uint32_t(xdrs, &layout->classes[i].slot_size) ||
			!xdr_uint32_t(xdrs, &layout->classes[i].slots))
			return false;
	return true;
}

static bool xdr_addresses(XDR *xdrs, uint32_t *count, struct xfer_rdma_address *list)
{
	if (!XDR_ENUM_UP_TO(xdrs, count, XFER_RDMA_ADDRESSES_MAX))
		return false;
	for (uint32_t i = 0; i < *count; i++)
		if (!xdr_fixed(xdrs, list[i].bytes, sizeof(list[i].bytes)))
			return false;
	return true;
}

static bool xdr_tokens(XDR *xdrs, uint32_t *count, struct xfer_token *list)
{
	if (!XDR_ENUM_UP_TO(xdrs, count, XFER_LANES_MAX))
		return false;
	for (uint32_t i = 0; i < *count; i++)
		if (!xdr_fixed(xdrs, list[i].bytes, sizeof(list[i].bytes)))
			return false;
	return true;
}

static bool xdr_keys(XDR *xdrs, struct xfer_chunk *chunk)
{
	if (!xdr_uint64_t(xdrs, &chunk->base) ||
		!XDR_ENUM_UP_TO(xdrs, &chunk->nkeys, XFER_LANES_MAX))
		return false;
	for (uint32_t i = 0; i < chunk->nkeys; i++)
		if (!xdr_uint32_t(xdrs, &chunk->keys[i]))
			return false;
	return true;
}

static bool xdr_chunk(XDR *xdrs, struct xfer_chunk *chunk)
{
	if (!xdr_uint32_t(xdrs, &chunk->id) || !xdr_slot_layout(xdrs, &chunk->layout) ||
		!XDR_ENUM_UP_TO(xdrs, &chunk->nplaces, XFER_PLACES_MAX))
		return false;
	for (uint32_t i = 0; i < chunk->nplaces; i++)
		if (!XDR_ENUM_UP_TO(xdrs, &chunk->places[i].first, XFER_SLOT_NUMBERS - 1) ||
			!xdr_uint32_t(xdrs, &chunk->places[i].generation))
			return false;
	return xdr_keys(xdrs, chunk);
}

/* epoch 0: nothing follows. */
static bool xdr_slot_ref(XDR *xdrs, struct xfer_slot_ref *ref)
{
	if (!xdr_uint32_t(xdrs, &ref->name.epoch))
		return false;
	if (ref->name.epoch == 0) {
		*ref = (struct xfer_slot_ref){ 0 };
		return true;
	}
	return XDR_ENUM_UP_TO(xdrs, &ref->lane, UINT16_MAX) &&
	       XDR_ENUM_UP_TO(xdrs, &ref->name.slot, XFER_SLOT_NUMBERS - 1) &&
	       xdr_uint32_t(xdrs, &ref->name.generation);
}

static bool xdr_payload(XDR *xdrs, struct xfer_payload *payload)
{
	if (!XDR_ENUM_UP_TO(xdrs, &payload->kind, XFER_PAYLOAD_SLOT))
		return false;
	if (payload->kind == XFER_PAYLOAD_SLOT &&
		(!xdr_slot_ref(xdrs, &payload->slot) || payload->slot.name.epoch == 0))
		return false;
	if (payload->kind == XFER_PAYLOAD_NONE) {
		payload->length = 0;
		return true;
	}
	return xdr_uint32_t(xdrs, &payload->length) && payload->length <= XFER_IO_MAX;
}

/* What has no business in a slot. */
static bool xdr_inline_payload(XDR *xdrs, struct xfer_payload *payload)
{
	return xdr_payload(xdrs, payload) && payload->kind != XFER_PAYLOAD_SLOT;
}

bool xfer_xdr_request_header(XDR *xdrs, struct xfer_request_header *header)
{
	if (!(xdr_uint32_t(xdrs, &header->call_slot) && xdr_uint32_t(xdrs, &header->sequence) &&
		    xdr_uint32_t(xdrs, &header->uid) && xdr_uint32_t(xdrs, &header->gid) &&
		    xdr_uint32_t(xdrs, &header->ngroups)))
		return false;
	if (header->ngroups > XFER_GROUPS_MAX)
		return false;
	for (uint32_t i = 0; i < header->ngroups; i++)
		if (!xdr_uint32_t(xdrs, &header->groups[i]))
			return false;
	return true;
}

bool xfer_xdr_dirent(XDR *xdrs, struct xfer_dirent *entry)
{
	return xdr_uint64_t(xdrs, &entry->cookie) && xdr_text(xdrs, entry->name, XFER_NAME_MAX) &&
	       xdr_node(xdrs, &entry->node);
}

/* --- arguments -------------------------------------------------------------------------------- */

static bool args_none(XDR *xdrs, union xfer_args *args)
{
	(void)xdrs;
	(void)args;
	return true;
}

static bool args_hello(XDR *xdrs, union xfer_args *args)
{
	struct xfer_hello_args *a = &args->hello;

	return xdr_uint32_t(xdrs, &a->minor_min) && xdr_uint32_t(xdrs, &a->minor_max) &&
	       xdr_uint64_t(xdrs, &a->features_required) &&
	       xdr_uint64_t(xdrs, &a->features_optional) &&
	       xdr_fixed(xdrs, a->boot_id, sizeof(a->boot_id)) &&
	       xdr_fixed(xdrs, a->kernel_boot_id, sizeof(a->kernel_boot_id)) &&
	       xdr_uint64_t(xdrs, &a->session_id) && xdr_text(xdrs, a->node, XFER_NODE_MAX) &&
	       xdr_text(xdrs, a->owner, XFER_NODE_MAX) && xdr_limits(xdrs, &a->limits);
}

static bool args_attach(XDR *xdrs, union xfer_args *args)
{
	struct xfer_attach_args *a = &args->attach;

	return xdr_fixed(xdrs, a->token.bytes, sizeof(a->token.bytes)) &&
	       xdr_uint32_t(xdrs, &a->lane);
}

static bool args_cancel(XDR *xdrs, union xfer_args *args)
{
	struct xfer_cancel_args *a = &args->cancel;

	return xdr_uint32_t(xdrs, &a->call_slot) && xdr_uint32_t(xdrs, &a->sequence);
}

static bool args_events(XDR *xdrs, union xfer_args *args)
{
	return xdr_flag(xdrs, &args->events.fresh) && xdr_uint64_t(xdrs, &args->events.seen);
}

static bool args_share(XDR *xdrs, union xfer_args *args)
{
	struct xfer_share_args *a = &args->share;

	if (!xdr_uint32_t(xdrs, &a->epoch) || !xdr_uint32_t(xdrs, &a->lanes) ||
		!xdr_slot_layout(xdrs, &a->read) ||
		!XDR_ENUM_UP_TO(xdrs, &a->kind, XFER_SHARE_VERBS))
		return false;
	return a->kind != XFER_SHARE_VERBS ||
	       (xdr_slot_layout(xdrs, &a->write) && xdr_addresses(xdrs, &a->nsources, a->sources));
}

static bool args_grow(XDR *xdrs, union xfer_args *args)
{
	return xdr_uint32_t(xdrs, &args->grow.epoch) && xdr_slot_layout(xdrs, &args->grow.layout);
}

static bool args_retire(XDR *xdrs, union xfer_args *args)
{
	return xdr_uint32_t(xdrs, &args->retire.epoch) &&
	       xdr_uint32_t(xdrs, &args->retire.returned);
}

static bool args_handle(XDR *xdrs, union xfer_args *args)
{
	return xdr_handle(xdrs, &args->handle.handle);
}

static bool args_name(XDR *xdrs, union xfer_args *args)
{
	return xdr_handle(xdrs, &args->name.dir) && xdr_text(xdrs, args->name.name, XFER_NAME_MAX);
}

static bool args_setattr(XDR *xdrs, union xfer_args *args)
{
	struct xfer_setattr_args *a = &args->setattr;

	return xdr_handle(xdrs, &a->handle) && xdr_uint64_t(xdrs, &a->open_id) &&
	       xdr_setattr(xdrs, &a->set);
}

static bool args_readdir(XDR *xdrs, union xfer_args *args)
{
	struct xfer_readdir_args *a = &args->readdir;

	return xdr_handle(xdrs, &a->dir) && xdr_uint64_t(xdrs, &a->cookie) &&
	       xdr_uint32_t(xdrs, &a->max_bytes);
}

static bool args_open(XDR *xdrs, union xfer_args *args)
{
	struct xfer_open_args *a = &args->open;

	return xdr_handle(xdrs, &a->handle) && xdr_text(xdrs, a->name, XFER_NAME_MAX) &&
	       xdr_uint32_t(xdrs, &a->flags) && XDR_ENUM_UP_TO(xdrs, &a->create, XFER_EXCLUSIVE) &&
	       xdr_fixed(xdrs, a->verifier, sizeof(a->verifier)) && xdr_setattr(xdrs, &a->set);
}

static bool args_close(XDR *xdrs, union xfer_args *args)
{
	return xdr_handle(xdrs, &args->close.handle) && xdr_uint64_t(xdrs, &args->close.open_id);
}

static bool args_create(XDR *xdrs, union xfer_args *args)
{
	struct xfer_create_args *a = &args->create;

	return xdr_handle(xdrs, &a->dir) && xdr_text(xdrs, a->name, XFER_NAME_MAX) &&
	       xdr_type(xdrs, &a->type) && xdr_uint32_t(xdrs, &a->rdev_major) &&
	       xdr_uint32_t(xdrs, &a->rdev_minor) && xdr_setattr(xdrs, &a->set) &&
	       xdr_inline_payload(xdrs, &a->payload);
}

static bool args_rename(XDR *xdrs, union xfer_args *args)
{
	struct xfer_rename_args *a = &args->rename;

	return xdr_handle(xdrs, &a->from_dir) && xdr_handle(xdrs, &a->to_dir) &&
	       xdr_text(xdrs, a->from_name, XFER_NAME_MAX) &&
	       xdr_text(xdrs, a->to_name, XFER_NAME_MAX);
}

static bool args_read(XDR *xdrs, union xfer_args *args)
{
	struct xfer_read_args *a = &args->read;

	return xdr_handle(xdrs, &a->handle) && xdr_uint64_t(xdrs, &a->open_id) &&
	       xdr_uint64_t(xdrs, &a->offset) && xdr_uint32_t(xdrs, &a->count) &&
	       xdr_uint32_t(xdrs, &a->flags) && xdr_payload(xdrs, &a->payload);
}

static bool args_write(XDR *xdrs, union xfer_args *args)
{
	struct xfer_write_args *a = &args->write;

	return xdr_handle(xdrs, &a->handle) && xdr_uint64_t(xdrs, &a->open_id) &&
	       xdr_uint64_t(xdrs, &a->offset) && xdr_uint32_t(xdrs, &a->flags) &&
	       XDR_ENUM_UP_TO(xdrs, &a->stability, XFER_FILE_SYNC) &&
	       xdr_payload(xdrs, &a->payload);
}

static bool args_commit(XDR *xdrs, union xfer_args *args)
{
	struct xfer_commit_args *a = &args->commit;

	return xdr_handle(xdrs, &a->handle) && xdr_uint64_t(xdrs, &a->open_id) &&
	       xdr_uint64_t(xdrs, &a->offset) && xdr_uint64_t(xdrs, &a->count);
}

static bool args_link(XDR *xdrs, union xfer_args *args)
{
	struct xfer_link_args *a = &args->link;

	return xdr_handle(xdrs, &a->handle) && xdr_handle(xdrs, &a->dir) &&
	       xdr_text(xdrs, a->name, XFER_NAME_MAX);
}

static bool args_lock(XDR *xdrs, union xfer_args *args)
{
	struct xfer_lock_args *a = &args->lock;

	return xdr_handle(xdrs, &a->handle) && xdr_uint64_t(xdrs, &a->open_id) &&
	       XDR_ENUM_UP_TO(xdrs, &a->op, XFER_LOCK_CLEAR) && xdr_lock(xdrs, &a->lock);
}

static bool args_seek(XDR *xdrs, union xfer_args *args)
{
	struct xfer_seek_args *a = &args->seek;

	return xdr_handle(xdrs, &a->handle) && xdr_uint64_t(xdrs, &a->open_id) &&
	       xdr_uint64_t(xdrs, &a->offset) && xdr_flag(xdrs, &a->hole);
}

static bool args_allocate(XDR *xdrs, union xfer_args *args)
{
	struct xfer_allocate_args *a = &args->allocate;

	return xdr_handle(xdrs, &a->handle) && xdr_uint64_t(xdrs, &a->open_id) &&
	       xdr_uint64_t(xdrs, &a->offset) && xdr_uint64_t(xdrs, &a->length) &&
	       xdr_flag(xdrs, &a->punch);
}

static bool args_xattr(XDR *xdrs, union xfer_args *args)
{
	struct xfer_xattr_args *a = &args->xattr;

	return xdr_handle(xdrs, &a->handle) && xdr_text(xdrs, a->name, XFER_NAME_MAX);
}

static bool args_setxattr(XDR *xdrs, union xfer_args *args)
{
	struct xfer_setxattr_args *a = &args->setxattr;

	return xdr_handle(xdrs, &a->handle) && xdr_text(xdrs, a->name, XFER_NAME_MAX) &&
	       XDR_ENUM_UP_TO(xdrs, &a->how, XFER_XATTR_REPLACE) &&
	       xdr_inline_payload(xdrs, &a->payload);
}

/* --- results ---------------------------------------------------------------------------------- */

static bool results_none(XDR *xdrs, union xfer_results *results)
{
	(void)xdrs;
	(void)results;
	return true;
}

static bool results_status(XDR *xdrs, union xfer_results *results)
{
	return xdr_uint32_t(xdrs, &results->status);
}

static bool results_hello(XDR *xdrs, union xfer_results *results)
{
	struct xfer_hello_res *r = &results->hello;

	return xdr_uint32_t(xdrs, &r->status) && xdr_text(xdrs, r->reason, sizeof(r->reason) - 1) &&
	       xdr_uint32_t(xdrs, &r->minor) && xdr_uint64_t(xdrs, &r->features) &&
	       xdr_fixed(xdrs, r->boot_id, sizeof(r->boot_id)) &&
	       xdr_fixed(xdrs, r->kernel_boot_id, sizeof(r->kernel_boot_id)) &&
	       xdr_uint64_t(xdrs, &r->session_id) && xdr_uint32_t(xdrs, &r->epoch) &&
	       XDR_ENUM_UP_TO(xdrs, &r->standing, XFER_STANDING_RECOVER) &&
	       xdr_fixed(xdrs, r->write_verifier, sizeof(r->write_verifier)) &&
	       xdr_text(xdrs, r->node, XFER_NODE_MAX) && xdr_limits(xdrs, &r->limits);
}

static bool results_token(XDR *xdrs, union xfer_results *results)
{
	struct xfer_token_res *r = &results->token;

	return xdr_uint32_t(xdrs, &r->status) &&
	       xdr_fixed(xdrs, r->token.bytes, sizeof(r->token.bytes));
}

static bool results_events(XDR *xdrs, union xfer_results *results)
{
	struct xfer_events_res *r = &results->events;

	if (!xdr_uint32_t(xdrs, &r->status) || !xdr_uint64_t(xdrs, &r->number) ||
		!xdr_flag(xdrs, &r->all) || !XDR_ENUM_UP_TO(xdrs, &r->count, XFER_EVENTS_MAX))
		return false;
	for (uint32_t i = 0; i < r->count; i++)
		if (!xdr_uint32_t(xdrs, &r->list[i].volume_id) ||
			!XDR_ENUM_UP_TO(xdrs, &r->list[i].bucket, XFER_BUCKETS - 1))
			return false;
	return true;
}

static bool results_share(XDR *xdrs, union xfer_results *results)
{
	struct xfer_share_res *r = &results->share;

	return xdr_uint32_t(xdrs, &r->status) &&
	       (r->status != XFER_ST_OK ||
		       (xdr_slot_layout(xdrs, &r->read) &&
			       XDR_ENUM_UP_TO(xdrs, &r->port, UINT16_MAX) &&
			       xdr_addresses(xdrs, &r->naddresses, r->addresses) &&
			       xdr_tokens(xdrs, &r->ntokens, r->tokens)));
}

static bool results_grow(XDR *xdrs, union xfer_results *results)
{
	struct xfer_grow_res *r = &results->grow;

	return xdr_uint32_t(xdrs, &r->status) &&
	       (r->status != XFER_ST_OK || xdr_chunk(xdrs, &r->chunk));
}

static bool results_retire(XDR *xdrs, union xfer_results *results)
{
	return xdr_uint32_t(xdrs, &results->retire.status) &&
	       xdr_uint32_t(xdrs, &results->retire.chunk);
}

static bool results_text(XDR *xdrs, union xfer_results *results)
{
	struct xfer_status_res *r = &results->text;

	return xdr_uint32_t(xdrs, &r->status) && xdr_buffer(xdrs, (uint8_t *)r->text, &r->text_len);
}

static bool results_attr(XDR *xdrs, union xfer_results *results)
{
	return xdr_uint32_t(xdrs, &results->attr.status) && xdr_opt_attr(xdrs, &results->attr.attr);
}

static bool results_node(XDR *xdrs, union xfer_results *results)
{
	struct xfer_node_res *r = &results->node;

	return xdr_uint32_t(xdrs, &r->status) && xdr_opt_attr(xdrs, &r->dir_attr) &&
	       (r->status != XFER_ST_OK || xdr_node(xdrs, &r->node));
}

static bool results_readdir(XDR *xdrs, union xfer_results *results)
{
	struct xfer_readdir_res *r = &results->readdir;

	return xdr_uint32_t(xdrs, &r->status) && xdr_opt_attr(xdrs, &r->dir_attr) &&
	       xdr_flag(xdrs, &r->eof) && xdr_buffer(xdrs, r->entries, &r->entries_len);
}

static bool results_open(XDR *xdrs, union xfer_results *results)
{
	struct xfer_open_res *r = &results->open;

	if (!xdr_uint32_t(xdrs, &r->status) || !xdr_opt_attr(xdrs, &r->dir_attr))
		return false;
	return r->status != XFER_ST_OK ||
	       (xdr_node(xdrs, &r->node) && xdr_uint64_t(xdrs, &r->open_id) &&
		       xdr_flag(xdrs, &r->created));
}

static bool results_link(XDR *xdrs, union xfer_results *results)
{
	struct xfer_link_res *r = &results->link;

	return xdr_uint32_t(xdrs, &r->status) && xdr_opt_attr(xdrs, &r->dir_attr) &&
	       xdr_opt_attr(xdrs, &r->object);
}

static bool results_rename(XDR *xdrs, union xfer_results *results)
{
	struct xfer_rename_res *r = &results->rename;

	return xdr_uint32_t(xdrs, &r->status) && xdr_opt_attr(xdrs, &r->from_dir) &&
	       xdr_opt_attr(xdrs, &r->to_dir) && xdr_opt_attr(xdrs, &r->object) &&
	       xdr_opt_attr(xdrs, &r->replaced);
}

static bool results_read(XDR *xdrs, union xfer_results *results)
{
	struct xfer_read_res *r = &results->read;

	return xdr_uint32_t(xdrs, &r->status) && xdr_opt_attr(xdrs, &r->attr) &&
	       xdr_flag(xdrs, &r->eof) && xdr_payload(xdrs, &r->payload);
}

static bool results_write(XDR *xdrs, union xfer_results *results)
{
	struct xfer_write_res *r = &results->write;

	return xdr_uint32_t(xdrs, &r->status) && xdr_opt_attr(xdrs, &r->attr) &&
	       xdr_uint32_t(xdrs, &r->count) &&
	       XDR_ENUM_UP_TO(xdrs, &r->committed, XFER_FILE_SYNC) &&
	       xdr_fixed(xdrs, r->verifier, sizeof(r->verifier)) &&
	       xdr_slot_ref(xdrs, &r->released);
}

static bool results_commit(XDR *xdrs, union xfer_results *results)
{
	struct xfer_commit_res *r = &results->commit;

	return xdr_uint32_t(xdrs, &r->status) && xdr_opt_attr(xdrs, &r->attr) &&
	       xdr_fixed(xdrs, r->verifier, sizeof(r->verifier));
}

static bool results_statfs(XDR *xdrs, union xfer_results *results)
{
	struct xfer_statfs *s = &results->statfs.statfs;

	return xdr_uint32_t(xdrs, &results->statfs.status) && xdr_uint64_t(xdrs, &s->total_bytes) &&
	       xdr_uint64_t(xdrs, &s->free_bytes) && xdr_uint64_t(xdrs, &s->avail_bytes) &&
	       xdr_uint64_t(xdrs, &s->total_files) && xdr_uint64_t(xdrs, &s->free_files) &&
	       xdr_uint64_t(xdrs, &s->avail_files);
}

static bool results_lock(XDR *xdrs, union xfer_results *results)
{
	struct xfer_lock_res *r = &results->lock;

	return xdr_uint32_t(xdrs, &r->status) && xdr_flag(xdrs, &r->granted) &&
	       xdr_lock(xdrs, &r->conflict);
}

static bool results_seek(XDR *xdrs, union xfer_results *results)
{
	struct xfer_found *f = &results->seek.found;

	return xdr_uint32_t(xdrs, &results->seek.status) && xdr_uint64_t(xdrs, &f->offset) &&
	       xdr_flag(xdrs, &f->none) && xdr_flag(xdrs, &f->eof);
}

static bool results_bytes(XDR *xdrs, union xfer_results *results)
{
	struct xfer_bytes_res *r = &results->bytes;

	return xdr_uint32_t(xdrs, &r->status) && xdr_opt_attr(xdrs, &r->attr) &&
	       xdr_inline_payload(xdrs, &r->payload);
}

/* --- the table -------------------------------------------------------------------------------- */

static const struct xfer_proc_info procs[XFER_PROC_COUNT] = {
	[XFER_PROC_NULL] = { "NULL", args_none, results_none, false },
	[XFER_PROC_HELLO] = { "HELLO", args_hello, results_hello, true },
	[XFER_PROC_TOKEN] = { "TOKEN", args_none, results_token, true },
	[XFER_PROC_ATTACH] = { "ATTACH", args_attach, results_status, true },
	[XFER_PROC_PING] = { "PING", args_none, results_none, false },
	[XFER_PROC_STATUS] = { "STATUS", args_none, results_text, false },
	[XFER_PROC_SHARE] = { "SHARE", args_share, results_share, true },
	[XFER_PROC_END] = { "END", args_none, results_status, true },
	[XFER_PROC_RECOVERED] = { "RECOVERED", args_none, results_status, true },
	[XFER_PROC_CANCEL] = { "CANCEL", args_cancel, results_status, true },
	[XFER_PROC_EVENTS] = { "EVENTS", args_events, results_events, false },
	[XFER_PROC_GROW] = { "GROW", args_grow, results_grow, true },
	[XFER_PROC_RETIRE] = { "RETIRE", args_retire, results_retire, true },
	[XFER_PROC_LOOKUP] = { "LOOKUP", args_name, results_node, false },
	[XFER_PROC_GETATTR] = { "GETATTR", args_handle, results_attr, false },
	[XFER_PROC_SETATTR] = { "SETATTR", args_setattr, results_attr, true },
	[XFER_PROC_READDIR] = { "READDIR", args_readdir, results_readdir, false },
	[XFER_PROC_OPEN] = { "OPEN", args_open, results_open, true },
	[XFER_PROC_CLOSE] = { "CLOSE", args_close, results_status, true },
	[XFER_PROC_CREATE] = { "CREATE", args_create, results_node, true },
	[XFER_PROC_UNLINK] = { "UNLINK", args_name, results_link, true },
	[XFER_PROC_RENAME] = { "RENAME", args_rename, results_rename, true },
	[XFER_PROC_READ] = { "READ", args_read, results_read, false },
	[XFER_PROC_WRITE] = { "WRITE", args_write, results_write, true },
	[XFER_PROC_COMMIT] = { "COMMIT", args_commit, results_commit, false },
	[XFER_PROC_STATFS] = { "STATFS", args_handle, results_statfs, false },
	[XFER_PROC_READLINK] = { "READLINK", args_handle, results_bytes, false },
	[XFER_PROC_LINK] = { "LINK", args_link, results_link, true },
	[XFER_PROC_LOCK] = { "LOCK", args_lock, results_lock, true },
	[XFER_PROC_SEEK] = { "SEEK", args_seek, results_seek, false },
	[XFER_PROC_ALLOCATE] = { "ALLOCATE", args_allocate, results_attr, true },
	[XFER_PROC_GETXATTR] = { "GETXATTR", args_xattr, results_bytes, false },
	[XFER_PROC_SETXATTR] = { "SETXATTR", args_setxattr, results_attr, true },
	[XFER_PROC_LISTXATTR] = { "LISTXATTR", args_handle, results_bytes, false },
	[XFER_PROC_REMOVEXATTR] = { "REMOVEXATTR", args_xattr, results_attr, true },
};

const struct xfer_proc_info *xfer_proc_info(uint32_t proc)
{
	return proc < XFER_PROC_COUNT && procs[proc].name ? &procs[proc] : NULL;
}

struct xfer_payload *xfer_args_payload(uint32_t proc, union xfer_args *args)
{
	switch (proc) {
	case XFER_PROC_WRITE:
		return &args->write.payload;
	case XFER_PROC_CREATE:
		return &args->create.payload;
	case XFER_PROC_SETXATTR:
		return &args->setxattr.payload;
	default:
		return NULL;
	}
}

struct xfer_payload *xfer_args_file_data(uint32_t proc, union xfer_args *args)
{
	return proc == XFER_PROC_READ    ? &args->read.payload
	       : proc == XFER_PROC_WRITE ? &args->write.payload
					 : NULL;
}

struct xfer_payload *xfer_results_payload(uint32_t proc, union xfer_results *results)
{
	switch (proc) {
	case XFER_PROC_READ:
		return &results->read.payload;
	case XFER_PROC_READLINK:
	case XFER_PROC_GETXATTR:
	case XFER_PROC_LISTXATTR:
		return &results->bytes.payload;
	default:
		return NULL;
	}
}

const struct xfer_handle *xfer_args_handle(uint32_t proc, const union xfer_args *args)
{
	switch (proc) {
	case XFER_PROC_LOOKUP:
	case XFER_PROC_UNLINK:
		return &args->name.dir;
	case XFER_PROC_GETATTR:
	case XFER_PROC_STATFS:
	case XFER_PROC_READLINK:
	case XFER_PROC_LISTXATTR:
		return &args->handle.handle;
	case XFER_PROC_SETATTR:
		return &args->setattr.handle;
	case XFER_PROC_READDIR:
		return &args->readdir.dir;
	case XFER_PROC_OPEN:
		return &args->open.handle;
	case XFER_PROC_CLOSE:
		return &args->close.handle;
	case XFER_PROC_CREATE:
		return &args->create.dir;
	case XFER_PROC_RENAME:
		return &args->rename.from_dir;
	case XFER_PROC_READ:
		return &args->read.handle;
	case XFER_PROC_WRITE:
		return &args->write.handle;
	case XFER_PROC_COMMIT:
		return &args->commit.handle;
	case XFER_PROC_LINK:
		return &args->link.handle;
	case XFER_PROC_LOCK:
		return &args->lock.handle;
	case XFER_PROC_SEEK:
		return &args->seek.handle;
	case XFER_PROC_ALLOCATE:
		return &args->allocate.handle;
	case XFER_PROC_GETXATTR:
	case XFER_PROC_REMOVEXATTR:
		return &args->xattr.handle;
	case XFER_PROC_SETXATTR:
		return &args->setxattr.handle;
	default:
		return NULL;
	}
}

/* --- statuses --------------------------------------------------------------------------------- */

int xfer_status_to_errno(uint32_t status)
{
	switch (status) {
	case XFER_ST_OK:
		return 0;
	case XFER_ST_DELAY:
	case XFER_ST_NO_VOLUME:
		return -EAGAIN;
	case XFER_ST_NOT_ALLOWED:
		return -EACCES;
	case XFER_ST_VERSION:
	case XFER_ST_WRONG_NODE:
	case XFER_ST_BAD_TOKEN:
		return -EPROTO;
	case XFER_ST_BAD_HANDLE:
		return -EBADF;
	case XFER_ST_BAD_OPEN:
		return -EBADFD;
	case XFER_ST_TOO_LATE:
		return -EREMOTEIO;
	case EAGAIN:
	case EREMOTEIO:
		/* These have a meaning of libxfer's own; the owner's file system doesn't mean that.
		 */
		return -EIO;
	default:
		return status < XFER_ST_DELAY ? -(int)status : -EIO;
	}
}

uint32_t xfer_status_from_errno(int err)
{
	if (err >= 0)
		return XFER_ST_OK;
	return err == -EAGAIN ? XFER_ST_DELAY : (uint32_t)-err;
}
