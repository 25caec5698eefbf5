/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* cred.h -- on whose behalf something was asked */
#ifndef FSAL_RDMAXFER_CRED_H
#define FSAL_RDMAXFER_CRED_H

#include <stdbool.h>
#include <string.h>

#include "xfer/xfer.h"

static inline bool rdx_cred_equal(const struct xfer_cred *a, const struct xfer_cred *b)
{
	return a->uid == b->uid && a->gid == b->gid && a->ngroups == b->ngroups &&
	       (a->ngroups == 0 ||
		       memcmp(a->groups, b->groups, a->ngroups * sizeof(*a->groups)) == 0);
}

/* With its groups in the caller's memory, which has room for them. */
static inline struct xfer_cred rdx_cred_copy(const struct xfer_cred *cred, uint32_t *groups)
{
	struct xfer_cred copy = *cred;

	if (cred->ngroups > 0)
		memcpy(groups, cred->groups, cred->ngroups * sizeof(*groups));
	copy.groups = groups;
	return copy;
}

#endif
