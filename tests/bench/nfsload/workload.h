/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* workload.h -- what can be done to a server; each prints its results, gives its errors */
#ifndef NFSLOAD_WORKLOAD_H
#define NFSLOAD_WORKLOAD_H

#include "options.h"

uint64_t workload_io(struct nfs *nfs, const struct options *options);
uint64_t workload_copy(struct nfs *nfs, const struct options *options);
uint64_t workload_meta(struct nfs *nfs, const struct options *options);
uint64_t workload_list(struct nfs *nfs, const struct options *options);

#endif
