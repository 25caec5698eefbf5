/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* heap_path.h -- a host's data path whose memory nobody else has: slots that are wrong are noticed */
#ifndef FUZZ_HEAP_PATH_H
#define FUZZ_HEAP_PATH_H

#include "control/server.h"
#include "fuzz.h"

/*
 * Carries SHARE, GROW or RETIRE of little memory out; 0 or -errno, with which it is to be answered. One thread. Queue
 * pairs are memory, too: their bytes are there already, and are announced by heap_path_tell.
 */
int heap_path_request(struct xfer_request *request);

/* What happens to the latest data path, if there is one of queue pairs. The thread of the following, as well. */
void heap_path_tell(enum path_event event, uint32_t lane, uint32_t immediate);
/* Whatever waits for its bytes has waited for too long, on all paths but those that have ended: they keep nobody. */
void heap_paths_late(void);
/* Nobody uses any path any more: they go. */
void heap_paths_free(void);

#endif
