/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* heap_path.h -- a host's data path whose memory nobody else has: slots that are wrong are noticed */
#ifndef FUZZ_HEAP_PATH_H
#define FUZZ_HEAP_PATH_H

#include "control/server.h"

/* Carries SHARE, GROW or RETIRE of little memory out; 0 or -errno, with which it is to be answered. One thread. */
int heap_path_request(struct xfer_request *request);

#endif
