/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* main.c -- nfsload: loads an NFS server and checks every byte that it gives back */
#include "workload.h"

int main(int argc, char **argv)
{
	static uint64_t (*const workloads[])(struct nfs * nfs, const struct options *options) = {
		[WORKLOAD_IO] = workload_io,
		[WORKLOAD_COPY] = workload_copy,
		[WORKLOAD_META] = workload_meta,
		[WORKLOAD_LIST] = workload_list,
	};
	struct options options;
	struct nfs nfs;
	uint64_t errors;

	options_parse(argc, argv, &options);
	nfs_attach(&nfs, &options.target);
	errors = workloads[options.workload](&nfs, &options);
	nfs_detach(&nfs);
	return errors ? 1 : 0;
}
