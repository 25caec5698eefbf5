/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* object.h -- a file system object as Ganesha holds it */
#ifndef FSAL_RDMAXFER_OBJECT_H
#define FSAL_RDMAXFER_OBJECT_H

#include "volume.h"

struct rdx_object {
	struct fsal_obj_handle obj;
	struct rdx_volume *volume;     /* referenced */
	struct xfer_handle handle;     /* constant; also the key in Ganesha's caches */
	struct attrcache_entry *attrs; /* referenced */
	struct fsal_share share;       /* under obj.obj_lock */
	int32_t stateless;             /* atomic: opens without a state that Ganesha has counted */
};

static inline struct rdx_object *rdx_object(struct fsal_obj_handle *obj)
{
	return container_of(obj, struct rdx_object, obj);
}

/* A new object. attr: NULL for the root, which is there while its owner is away. NULL: no memory. */
struct rdx_object *rdx_object_new(struct rdx_volume *volume, const struct xfer_handle *handle,
	object_file_type_t type, const struct xfer_attr *attr);

/* The object of a reply. attrs_out: NULL or what is to be filled. */
fsal_status_t rdx_object_of_node(struct rdx_volume *volume, const struct xfer_node *node,
	const struct asked *asked, struct fsal_obj_handle **obj, struct fsal_attrlist *attrs_out);

/* The object of a name that is known, with attributes that may be told. */
void rdx_object_of_entry(struct rdx_volume *volume, struct attrcache_entry *entry,
	const struct xfer_attr *attr, struct fsal_obj_handle **obj,
	struct fsal_attrlist *attrs_out);

void rdx_object_release(struct fsal_obj_handle *obj);

/* What a reply says of an object goes into the cache. */
void rdx_object_feed(
	struct rdx_object *object, const struct xfer_opt_attr *attr, const struct asked *asked);

/* The same after an own change: if the reply doesn't tell, nothing is known any more. begun: of
 * the client's request (rdx_request_begun). */
void rdx_object_note(struct rdx_object *object, const struct xfer_opt_attr *attr,
	const struct asked *asked, uint64_t begun);

/* As rdx_object_feed; *attr becomes what a reply has said that overtook this one. */
void rdx_object_learn(struct rdx_object *object, struct xfer_attr *attr, const struct asked *asked);

#endif
