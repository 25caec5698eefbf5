/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* abi.h -- whether the running server lays its structures out as this module does */
#ifndef FSAL_RDMAXFER_ABI_H
#define FSAL_RDMAXFER_ABI_H

#include <stddef.h>

/* One variable that the server exports. */
struct xfer_abi_object {
	const char *name;
	size_t built;   /* bytes: its size in the headers this module was built with */
	size_t running; /* bytes: its size in the server's binary */
};

/*
 * Compares the running server's structures with this module's. Registering checks the version of
 * the FSAL interface only, which stays the same when the server was built with other options. To be
 * called before anything of the server is used. -ENOEXEC: they differ, -ENOENT: it can't be told;
 * `why` then names cause and remedy in at most `len` bytes with the NUL.
 */
int xfer_abi_check(char *why, size_t len);

/* The comparison alone. */
int xfer_abi_compare(const struct xfer_abi_object *objects, size_t count, char *why, size_t len);

#endif
