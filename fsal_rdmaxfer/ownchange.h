/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* ownchange.h -- what an operation is about to change, from before it is sent until after its answer is noted */
#ifndef FSAL_RDMAXFER_OWNCHANGE_H
#define FSAL_RDMAXFER_OWNCHANGE_H

#include "object.h"

/*
 * While a change is under way nothing is told that it may have ended (validity.h). To be used on one thread, or handed
 * from one to the next.
 */
struct rdx_change {
	struct rdx_volume *volume;
	unsigned nparts, nnames;
	struct {
		uint32_t bucket;
		enum own_change kind;
	} parts[4];
	struct names_change names[2];
};

void rdx_change_init(struct rdx_change *change, struct rdx_volume *volume);

/* All these before the request is sent. */
void rdx_change_object(
	struct rdx_change *change, const struct rdx_object *object, enum own_change kind);
void rdx_change_entry(
	struct rdx_change *change, const struct attrcache_entry *entry, enum own_change kind);
/* Of some object, which isn't known yet. */
void rdx_change_any(struct rdx_change *change, enum own_change kind);
/* The names of a directory, this one above all; the text has to stay. Names are ended in the order in which they begin. */
void rdx_change_name(struct rdx_change *change, const struct rdx_object *dir, const char *name);

/*
 * What became of the first name that was begun, when the answer is here. dir_attr: of the answer. object: what has the
 * name now, or NULL.
 */
void rdx_change_named(struct rdx_change *change, const struct xfer_opt_attr *dir_attr,
	const struct asked *asked, struct attrcache_entry *object);

/* When the answer's attributes are noted. Of names of which nothing was said nothing is known. */
void rdx_change_end(struct rdx_change *change);

#endif
