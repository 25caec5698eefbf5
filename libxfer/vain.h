/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* vain.h -- how often something that may be in vain is left out */
#ifndef XFER_VAIN_H
#define XFER_VAIN_H

#include <stdbool.h>

#define XFER_VAIN_MAX 63u

/* So many times it is left out now: 1, 3, 7 ... XFER_VAIN_MAX after tries in vain, none after one that wasn't.
 * before: what this was after the last try, at first 0. */
static inline unsigned xfer_vain_next(unsigned before, bool in_vain)
{
	unsigned next = in_vain ? 2 * before + 1 : 0;

	return next < XFER_VAIN_MAX ? next : XFER_VAIN_MAX;
}

#endif
