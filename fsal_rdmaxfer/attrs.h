/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* attrs.h -- attributes in Ganesha's form and in libxfer's */
#ifndef FSAL_RDMAXFER_ATTRS_H
#define FSAL_RDMAXFER_ATTRS_H

#include "object.h"

/* Locations are the export's own path, for who asks: there is no referral. */
#define RDX_SUPPORTED_ATTRS (ATTRS_POSIX | ATTR4_FS_LOCATIONS | ATTR4_XATTR)

/* What clients tell file systems apart by. */
fsal_fsid_t rdx_fsid(const struct rdx_volume *volume);

object_file_type_t rdx_type_to_fsal(enum xfer_type type);

/* Fills what is supported; the request mask stays. */
void rdx_attrs_to_fsal(
	const struct rdx_volume *volume, const struct xfer_attr *attr, struct fsal_attrlist *out);

/* What shall be set; attributes that no volume has are left out. in: NULL: nothing. -EINVAL: a time that is none. */
int rdx_attrs_from_fsal(const struct fsal_attrlist *in, struct xfer_setattr *set);

/* Whether these times are what an exclusive creation with this verifier leaves in its file. */
bool rdx_attrs_bear_verifier(const struct xfer_attr *attr, const uint8_t verifier[8]);

/* What may be believed, else from the owner. */
fsal_status_t rdx_attrs_read(struct rdx_object *object, enum attr_use use, struct xfer_attr *attr);

fsal_status_t rdx_getattrs(struct fsal_obj_handle *obj, struct fsal_attrlist *attrs_out);
fsal_status_t rdx_setattr2(struct fsal_obj_handle *obj, bool bypass, struct state_t *state,
	struct fsal_attrlist *attrs);

#endif
