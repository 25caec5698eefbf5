/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* errors.h -- libxfer's -errno values as Ganesha's FSAL errors */
#ifndef FSAL_RDMAXFER_ERRORS_H
#define FSAL_RDMAXFER_ERRORS_H

#include "fsal_types.h"

/* err: 0 or a negative errno value of libxfer. Every other value becomes ERR_FSAL_SERVERFAULT. */
fsal_errors_t rdx_error(int err);

/* The same as a status whose minor number is the errno value. */
static inline fsal_status_t rdx_status(int err)
{
	return fsalstat(rdx_error(err), -err);
}

#endif
