/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* ownchange.c -- what an operation is about to change, from before it is sent until after its answer is noted */

#include "ownchange.h"

void rdx_change_init(struct rdx_change *change, struct rdx_volume *volume)
{
	change->volume = volume;
	change->nparts = 0;
	change->nnames = 0;
}

static void begin(struct rdx_change *change, uint32_t bucket, enum own_change kind)
{
	change->parts[change->nparts].bucket = bucket;
	change->parts[change->nparts].kind = kind;
	change->nparts++;
	validity_change_begin(change->volume->validity, bucket, kind);
}

void rdx_change_object(
	struct rdx_change *change, const struct rdx_object *object, enum own_change kind)
{
	rdx_change_entry(change, object->attrs, kind);
}

void rdx_change_entry(
	struct rdx_change *change, const struct attrcache_entry *entry, enum own_change kind)
{
	begin(change, attrcache_bucket(entry), kind);
}

void rdx_change_any(struct rdx_change *change, enum own_change kind)
{
	begin(change, VALIDITY_ANY, kind);
}

void rdx_change_name(struct rdx_change *change, const struct rdx_object *dir, const char *name)
{
	begin(change, attrcache_bucket(dir->attrs), OWN_CONTENT);
	names_change_begin(
		change->volume->names, dir->attrs, name, &change->names[change->nnames++]);
}

/* The first one is taken out. */
static void end_name(
	struct rdx_change *change, const struct asked *asked, struct attrcache_entry *object)
{
	names_change_end(change->volume->names, &change->names[0], asked, object);
	change->names[0] = change->names[1];
	change->nnames--;
}

void rdx_change_named(struct rdx_change *change, const struct xfer_opt_attr *dir_attr,
	const struct asked *asked, struct attrcache_entry *object)
{
	bool promised = dir_attr->valid && dir_attr->attr.promised;

	end_name(change, promised ? asked : NULL, object);
}

void rdx_change_end(struct rdx_change *change)
{
	while (change->nnames > 0)
		end_name(change, NULL, NULL);
	while (change->nparts > 0) {
		change->nparts--;
		validity_change_end(change->volume->validity, change->parts[change->nparts].bucket,
			change->parts[change->nparts].kind);
	}
}
