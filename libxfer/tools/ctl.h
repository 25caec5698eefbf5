/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* ctl.h -- what rdmaxferctl's subcommands share */
#ifndef XFER_TOOLS_CTL_H
#define XFER_TOOLS_CTL_H

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>

#include "xfer/xfer.h"

/* Exit codes. */
enum { CTL_OK, CTL_FAILED, CTL_USAGE, CTL_CONFIG, CTL_UNREACHABLE };

#define CTL_TIMEOUT_MS 5000

/* What only bench is told. */
struct ctl_bench_options {
	const char *volume;
	uint32_t volume_id; /* 0: the one that follows from the name */
	const char *owner;  /* NULL: to be found out */
	const char *as;     /* this node's name; NULL: to be found out */
	uint32_t size;      /* bytes of an operation */
	unsigned depth, lanes;
	enum xfer_path_wish path;
	const char *certificate, *key, *ca; /* files of this node's certificate; NULL: none */
	bool insecure;                      /* TCP in cleartext */
	double seconds;                     /* of one measurement */
	uint64_t file_size;                 /* bytes */
	bool raw;                           /* queue pairs of this host, without an owner */
	const char *address; /* raw: this host's; NULL: the first by which RDMA works */
	bool verify;         /* raw: the bytes of all writes */
};

struct ctl {
	const char *run_dir;
	bool json;
	unsigned count;     /* of pings */
	const char *target; /* a socket or a node; NULL: none given */
	struct ctl_bench_options bench;
};

/* Parses bench's own options; its input is a struct ctl_bench_options, which it sets to the defaults. */
extern const struct argp ctl_bench_argp;

int ctl_status(const struct ctl *ctl);
int ctl_ping(const struct ctl *ctl);
int ctl_bench(const struct ctl *ctl);
int ctl_devices(const struct ctl *ctl);

/*
 * Calls each(arg, address) for each socket in the run directory, "unix:PATH"; returns how many there are, or
 * -errno of reading the directory.
 */
int ctl_each_socket(const struct ctl *ctl, void (*each)(void *arg, const char *address), void *arg);

/* An owner, as far as the processes on this node know it. */
struct ctl_owner {
	char address[512];
	char name[XFER_NODE_MAX + 1]; /* empty: none of them has a session with it */
	char node[XFER_NODE_MAX + 1]; /* this node's own name; empty: there is no process */
	bool down;                    /* the session of one of them with it is */
};

/* By its name or its address, ctl->target. */
void ctl_find_owner(const struct ctl *ctl, struct ctl_owner *owner);

#endif
