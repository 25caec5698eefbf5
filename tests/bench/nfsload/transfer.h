/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* transfer.h -- reads or writes of one file, many at a time, over all connections */
#ifndef NFSLOAD_TRANSFER_H
#define NFSLOAD_TRANSFER_H

#include "content.h"
#include "nfs.h"
#include "stats.h"

struct transfer_plan {
	bool writing;
	bool random;
	uint32_t size;      /* of one operation */
	unsigned depth;     /* operations under way on each connection */
	uint64_t file_size; /* the last operation of a pass may be shorter */
	uint64_t ops;       /* 0: no limit but the next */
	double seconds;     /* 0: no limit; neither: once over the file */
	uint64_t each;      /* operations of each connection, instead of these; 0: none */
	enum nfs_stable stable;
	const struct cpu *cpu; /* of the servers; NULL: not measured */
	uint8_t *written;      /* set for each block that is written, if not NULL */
	const uint8_t
		*only; /* blocks not set here are left out of a sequential pass, if not NULL */
};

/*
 * Run it and count into stats, which it begins and ends; unstable writes are committed within that
 * time. The first failure is printed, counted and stops the run; wrong data counts as one.
 */
void transfer_run(struct nfs *nfs, struct nfs_file *file, struct content *content,
	const struct transfer_plan *plan, struct stats *stats);

#endif
