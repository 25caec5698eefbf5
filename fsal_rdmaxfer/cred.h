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

#endif
