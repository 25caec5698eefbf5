/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* options.h -- the command line */
#ifndef NFSLOAD_OPTIONS_H
#define NFSLOAD_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "cpu.h"
#include "nfs.h"

enum workload { WORKLOAD_IO, WORKLOAD_COPY, WORKLOAD_META, WORKLOAD_LIST };

struct options {
	enum workload workload;
	struct nfs_target target;
	bool json;
	const char *file; /* on the server */
	uint32_t size;
	unsigned depth;
	struct cpu cpu; /* count is 0: not measured */
	/* io: */
	bool reading;
	bool writing;
	bool fill;
	bool verify;
	bool existing;
	bool random;
	uint64_t file_size;
	uint64_t ops;
	double seconds;
	uint64_t each;
	uint64_t seed;
	enum nfs_stable stable;
	/* copy: */
	const char *local;
	bool put;
	bool get;
	bool compare;
	/* meta and list: */
	const char *dir; /* in the export's root; NULL: that itself */
	unsigned count;
	unsigned times;
};

/* Ends the program with status 2 and a message on what isn't right. */
void options_parse(int argc, char **argv, struct options *options);

#endif
