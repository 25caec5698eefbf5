/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* parts.h -- parts of directories, as owners' replies listed them, as long as they may be believed */
#ifndef FSAL_RDMAXFER_PARTS_H
#define FSAL_RDMAXFER_PARTS_H

/*
 * A part is what one reply has listed: names with the objects that have them, in the owner's order. Clients take other
 * amounts at a time than owners give, so a listing may go on behind any of its entries.
 *
 * It is what the directory has as long as
 *
 *   - the promise holds that came with it (validity.h), and
 *   - the directory's change counter is what it was before its names were read, as far as is known: so a change by this
 *     process ends it, too.
 *
 * Only whoever the owner has shown it to is shown it again: the owner knows rights that attributes don't tell. Of the
 * objects' attributes a part says nothing: attrcache.h has them.
 *
 * One per volume, of bounded size: what is too old to be believed goes, then the oldest. Any function may be called from
 * any thread but a lane's; none blocks.
 */

#include <sys/queue.h>

#include "attrcache.h"

struct parts;
struct part;

/* Behind an entry, or (no name) before the first one. Constant. */
struct place {
	LIST_ENTRY(place) link;   /* parts.c's: the chain's, while the part is kept */
	STAILQ_ENTRY(place) next; /* in the part; read by place_next */
	struct part *part;
	uint64_t cookie;
	struct attrcache_entry *object; /* referenced; NULL: before the first one */
	char name[];
};

/* With altogether `max` places at most. NULL: no memory. cache and validity: the volume's; they have to outlive it. */
struct parts *parts_create(struct validity *validity, struct attrcache *cache, unsigned max);
void parts_destroy(struct parts *parts);

/* What a reply is about to list for `cred` behind a cookie; asked: before it was asked for. NULL: no memory. */
struct part *part_new(struct parts *parts, struct attrcache_entry *dir, uint64_t cookie,
	const struct xfer_cred *cred, const struct asked *asked);
/* The next entry of the reply, whose object gets a reference. False: no memory. */
bool part_add(struct part *part, uint64_t cookie, const char *name, struct attrcache_entry *object);
/* The reply has listed all: dir is what it said of the directory. */
void part_end(struct part *part, bool eof, const struct xfer_opt_attr *dir);
void part_put(struct part *part);

/* The first place of a part, and the last. */
const struct place *part_begin(const struct part *part);
const struct place *part_last(const struct part *part);
/* NULL: the part ends here. */
const struct place *place_next(const struct place *place);
/* Whether the directory ends with it. */
bool part_is_last(const struct part *part);

/* Keeps an ended part if it was promised: true. The caller's reference stays the caller's. */
bool parts_keep(struct part *part);

/*
 * Where a listing for `cred` goes on behind a cookie, when the directory's counter is `change` now. The place's part is
 * referenced. NULL: the owner has to be asked.
 */
const struct place *parts_find(struct parts *parts, const struct attrcache_entry *dir,
	uint64_t cookie, const struct xfer_cred *cred, uint64_t change, uint64_t now);

#endif
