/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* listing.c -- listings of directories: from the parts that are known, else from the owner */

#include <errno.h>

#include "errors.h"
#include "gate.h"
#include "listing.h"

/* A listing on its way to MDCACHE. */
struct listing {
	struct rdx_object *dir;
	fsal_readdir_cb cb;
	void *dir_state;
	attrmask_t attrmask;
	fsal_cookie_t cookie; /* of the last entry */
	bool enough;          /* MDCACHE has all that its client asked for */
	bool eof;
	fsal_status_t status;
};

/* --- to MDCACHE ----------------------------------------------------------------------------------- */

static void give_entry(
	struct listing *listing, const struct place *place, const struct xfer_attr *attr)
{
	struct fsal_obj_handle *obj;
	struct fsal_attrlist attrs;

	fsal_prepare_attrs(&attrs, listing->attrmask);
	rdx_object_of_entry(listing->dir->volume, place->object, attr, &obj, &attrs);
	listing->enough = listing->cb(place->name, obj, &attrs, listing->dir_state,
				  place->cookie) != DIR_CONTINUE;
	fsal_release_attrs(&attrs);
	listing->cookie = place->cookie;
}

/*
 * What is behind a place. fresh: the owner was asked for it just now; else it ends before the first entry whose
 * attributes aren't believed. Whether there was anything to say.
 */
static bool give_part(struct listing *listing, const struct place *place, bool fresh)
{
	struct attrcache *cache = listing->dir->volume->cache;
	const struct part *part = place->part;
	fsal_cookie_t before = listing->cookie;
	struct xfer_attr attr;

	for (place = place_next(place); place && !listing->enough; place = place_next(place)) {
		if (fresh ? !attrcache_latest(cache, place->object, &attr)
			  : !attrcache_read(cache, place->object, ATTR_TELL, rdx_request_begun(),
				    validity_now(), &attr))
			break;
		give_entry(listing, place, &attr);
	}
	listing->eof = !place && !listing->enough && part_is_last(part);
	return listing->eof || listing->cookie != before;
}

/* --- from memory ---------------------------------------------------------------------------------- */

static struct xfer_cred cred_of_request(void)
{
	const struct user_cred *creds = &op_ctx->creds;

	return (struct xfer_cred){
		.uid = creds->caller_uid,
		.gid = creds->caller_gid,
		.ngroups = creds->caller_glen,
		.groups = creds->caller_garray,
	};
}

/* False: nothing that goes on here is known, or believed any more. */
static bool list_from_memory(struct listing *listing)
{
	struct rdx_object *dir = listing->dir;
	struct rdx_volume *volume = dir->volume;
	struct xfer_cred cred = cred_of_request();
	uint64_t now = validity_now();
	const struct place *place;
	struct xfer_attr attr;
	bool told;

	if (!attrcache_read(volume->cache, dir->attrs, ATTR_TELL, rdx_request_begun(), now, &attr))
		return false;
	place = parts_find(volume->parts, dir->attrs, listing->cookie, &cred, attr.change, now);
	if (!place)
		return false;
	told = give_part(listing, place, false);
	part_put(place->part);
	return told;
}

/* --- from the owner ------------------------------------------------------------------------------- */

/* A reply on its way into memory. */
struct reading {
	struct rdx_volume *volume;
	struct part *part;
	struct attrcache_entry *dir;
	const struct asked *asked;
	struct xfer_opt_attr dir_attr;
	bool complete; /* there was memory for all */
};

static bool read_entry(void *arg, const struct xfer_dirent *entry)
{
	struct reading *reading = arg;
	struct rdx_volume *volume = reading->volume;
	struct attrcache_entry *object =
		attrcache_get(volume->cache, &entry->node.handle, entry->node.attr.fileid);

	reading->complete = object && part_add(reading->part, entry->cookie, entry->name, object);
	if (reading->complete) {
		(void)attrcache_feed(
			volume->cache, object, &entry->node.attr, reading->asked, validity_now());
		if (reading->dir_attr.valid && reading->dir_attr.attr.promised)
			names_learn(
				volume->names, reading->dir, entry->name, object, reading->asked);
	}
	if (object)
		attrcache_put(volume->cache, object);
	return reading->complete;
}

/* One request. */
static int read_part(struct listing *listing, const struct rdx_op *op, struct part *part)
{
	struct rdx_object *dir = listing->dir;
	struct reading reading = {
		.volume = dir->volume,
		.part = part,
		.dir = dir->attrs,
		.asked = &op->asked,
		.complete = true,
	};
	bool eof = false;
	int err = xfer_op_readdir(op->session, &op->cred, &dir->handle, listing->cookie,
		XFER_READDIR_MAX, read_entry, &reading, &eof, &reading.dir_attr);

	rdx_object_feed(dir, &reading.dir_attr, &op->asked);
	if (err == 0 && !reading.complete)
		err = -ENOMEM;
	if (err == 0) {
		part_end(part, eof, &reading.dir_attr);
		parts_keep(part);
	}
	return err;
}

static void list_from_owner(struct listing *listing)
{
	struct rdx_object *dir = listing->dir;
	struct part *part;
	struct rdx_op op;
	int err = -ENOMEM;

	listing->status = rdx_op_begin(dir->volume, &op);
	if (FSAL_IS_ERROR(listing->status))
		return;
	part = part_new(dir->volume->parts, dir->attrs, listing->cookie, &op.cred, &op.asked);
	if (part)
		err = read_part(listing, &op, part);
	rdx_op_end(&op);
	listing->status = rdx_status(err);
	if (err == 0)
		(void)give_part(listing, part_begin(part), true);
	if (part)
		part_put(part);
}

fsal_status_t rdx_readdir(struct fsal_obj_handle *dir, fsal_cookie_t *whence, void *dir_state,
	fsal_readdir_cb cb, attrmask_t attrmask, bool *eof)
{
	struct listing listing = {
		.dir = rdx_object(dir),
		.cb = cb,
		.dir_state = dir_state,
		.attrmask = attrmask,
		.cookie = whence ? *whence : 0,
		.status = fsalstat(ERR_FSAL_NO_ERROR, 0),
	};

	do {
		if (!list_from_memory(&listing))
			list_from_owner(&listing);
	} while (!FSAL_IS_ERROR(listing.status) && !listing.eof && !listing.enough);
	*eof = listing.eof;
	return listing.status;
}
