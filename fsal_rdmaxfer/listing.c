/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* listing.c -- listings of directories: from the parts that are known, else from the owner */

#include <errno.h>

#include "admit.h"
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
	bool taken; /* something that was asked for ahead */
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

/* --- what is asked for ahead ---------------------------------------------------------------------- */

/* Where it goes on behind a cookie; the place's part is referenced. NULL: it isn't known, or believed any more. */
static const struct place *find_place(struct rdx_object *dir, uint64_t cookie)
{
	struct rdx_volume *volume = dir->volume;
	struct xfer_cred cred = rdx_request_cred();
	uint64_t now = validity_now();
	struct xfer_attr attr;

	if (!attrcache_read(volume->cache, dir->attrs, ATTR_TELL, rdx_request_begun(), now, &attr))
		return NULL;
	return parts_find(volume->parts, dir->attrs, cookie, &cred, attr.change, now);
}

static void came(struct xfer_listing *reply)
{
	struct ahead *ahead = container_of(reply, struct ahead, listing);
	struct rdx_volume *volume = ahead->user;

	ahead_came(ahead);
	rdx_volume_put(volume);
}

/* What is behind a part, unless it is known; the client is about to be given this one. */
static void ask_ahead(struct rdx_object *dir, const struct part *part)
{
	uint64_t cookie = part_last(part)->cookie;
	const struct place *place = find_place(dir, cookie);
	struct ahead *ahead = NULL;
	struct rdx_op op;

	if (place)
		part_put(place->part);
	if (place || part_is_last(part) || FSAL_IS_ERROR(rdx_op_begin_async(dir->volume, &op)))
		return;
	ahead = ahead_begin(dir->volume->aheads, dir->attrs, cookie, &op.cred, &op.asked);
	if (ahead) {
		rdx_volume_ref(dir->volume);
		ahead->user = dir->volume;
		ahead->listing.session = op.session;
		ahead->listing.done = came;
		xfer_op_list(&ahead->listing);
	}
	rdx_op_end(&op);
}

/* --- from memory ---------------------------------------------------------------------------------- */

/* False: nothing that goes on here is known, or believed any more. */
static bool list_from_memory(struct listing *listing)
{
	const struct place *place = find_place(listing->dir, listing->cookie);
	bool told;

	if (!place)
		return false;
	ask_ahead(listing->dir, place->part);
	told = give_part(listing, place, false);
	part_put(place->part);
	return told;
}

/* --- from the owner ------------------------------------------------------------------------------- */

/* A reply on its way into memory. */
struct reading {
	struct rdx_object *dir;
	struct part *part;
	const struct asked *asked;
	struct xfer_opt_attr dir_attr;
	bool complete; /* there was memory for all */
	bool kept;
};

static bool read_entry(void *arg, const struct xfer_dirent *entry)
{
	struct reading *reading = arg;
	struct rdx_volume *volume = reading->dir->volume;
	struct attrcache_entry *object =
		attrcache_get(volume->cache, &entry->node.handle, entry->node.attr.fileid);

	reading->complete = object && part_add(reading->part, entry->cookie, entry->name, object);
	if (reading->complete) {
		(void)attrcache_feed(
			volume->cache, object, &entry->node.attr, reading->asked, validity_now());
		if (reading->dir_attr.valid && reading->dir_attr.attr.promised)
			names_learn(volume->names, reading->dir->attrs, entry->name, object,
				reading->asked);
	}
	if (object)
		attrcache_put(volume->cache, object);
	return reading->complete;
}

/* False: no memory. */
static bool begin_reading(struct reading *reading, struct rdx_object *dir, uint64_t cookie,
	const struct xfer_cred *cred, const struct asked *asked)
{
	*reading = (struct reading){ .dir = dir, .asked = asked, .complete = true };
	reading->part = part_new(dir->volume->parts, dir->attrs, cookie, cred, asked);
	return reading->part != NULL;
}

/* err: of the reply. */
static int end_reading(struct reading *reading, int err, bool eof)
{
	rdx_object_feed(reading->dir, &reading->dir_attr, reading->asked);
	if (err == 0 && !reading->complete)
		err = -ENOMEM;
	if (err == 0) {
		part_end(reading->part, eof, &reading->dir_attr);
		reading->kept = parts_keep(reading->part);
	}
	return err;
}

/* What was asked for ahead comes into memory. False: it wasn't, or didn't come. */
static bool read_ahead(struct listing *listing)
{
	struct rdx_object *dir = listing->dir;
	struct reading reading;
	struct ahead *ahead;
	struct rdx_op op;

	if (FSAL_IS_ERROR(rdx_op_begin(dir->volume, &op)))
		return false;
	ahead = ahead_take(dir->volume->aheads, dir->attrs, listing->cookie, &op.cred);
	rdx_op_end(&op);
	if (!ahead)
		return false;
	if (begin_reading(&reading, dir, listing->cookie, &ahead->listing.cred, &ahead->asked)) {
		reading.dir_attr = ahead->listing.dir_attr;
		(void)end_reading(&reading,
			xfer_listing_walk(&ahead->listing, read_entry, &reading),
			ahead->listing.eof);
		part_put(reading.part);
	}
	ahead_drop(ahead);
	listing->taken = true;
	return true;
}

/* Where things change so fast that what was asked for ahead was of no use it isn't done again at once. */
static void give_fresh(struct listing *listing, const struct reading *reading)
{
	if (reading->kept && !listing->taken)
		ask_ahead(listing->dir, reading->part);
	(void)give_part(listing, part_begin(reading->part), true);
}

static void list_from_owner(struct listing *listing)
{
	struct rdx_object *dir = listing->dir;
	struct reading reading;
	bool eof = false;
	struct rdx_op op;
	int err = -ENOMEM;

	listing->status = rdx_op_begin(dir->volume, &op);
	if (FSAL_IS_ERROR(listing->status))
		return;
	if (begin_reading(&reading, dir, listing->cookie, &op.cred, &op.asked)) {
		err = xfer_op_readdir(op.session, &op.cred, &dir->handle, listing->cookie,
			XFER_READDIR_MAX, read_entry, &reading, &eof, &reading.dir_attr);
		err = end_reading(&reading, err, eof);
	}
	rdx_op_end(&op);
	listing->status = rdx_status(err);
	if (err == 0)
		give_fresh(listing, &reading);
	if (reading.part)
		part_put(reading.part);
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
		.status = rdx_admit(),
	};

	if (FSAL_IS_ERROR(listing.status))
		return listing.status;
	do {
		if (!list_from_memory(&listing) && !read_ahead(&listing))
			list_from_owner(&listing);
	} while (!FSAL_IS_ERROR(listing.status) && !listing.eof && !listing.enough);
	*eof = listing.eof;
	return listing.status;
}
