/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* volume.h -- what objects belong to: a volume of an owner, whichever exports show it */
#ifndef FSAL_RDMAXFER_VOLUME_H
#define FSAL_RDMAXFER_VOLUME_H

#include "ahead.h"
#include "attrcache.h"
#include "module.h"
#include "names.h"
#include "parts.h"
#include "unstable.h"

/*
 * MDCACHE shares an object between all exports of a file system and keeps it when the export goes that
 * it was found through. So objects refer to the volume, never to an export.
 */
struct rdx_volume {
	struct glist_head link; /* in the module's list, under its lock */
	uint32_t refs;          /* under the module's lock */
	struct rdx_owner *owner;
	uint32_t id;
	char *name;
	enum xfer_path_wish path; /* of its files' data, as each of its exports says */
	struct validity *validity;
	struct attrcache *cache;
	struct names *names;
	struct parts *parts;
	struct aheads *aheads;
	struct unstable *unstable; /* what NFSv3 clients have not committed */
	int32_t inside; /* atomic: threads of Ganesha inside a synchronous call about it */
};

/*
 * The volume, made when it isn't there yet; with a reference. -EEXIST: the id belongs to another volume; -EBUSY: another
 * export of it says another path; -ENOMEM.
 */
int rdx_volume_get(struct rdx_owner *owner, const char *name, uint32_t id, enum xfer_path_wish path,
	struct rdx_volume **volume);
void rdx_volume_ref(struct rdx_volume *volume);
void rdx_volume_put(struct rdx_volume *volume);

/* Of an owner's volumes: nothing that was promised of these is to be believed any more; count 0: nothing at all. Any
 * thread; doesn't block. */
void rdx_volumes_invalidate(const struct rdx_owner *owner,
	const struct xfer_invalidation *invalidations, unsigned count);

#endif
