/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* handle.h -- wire handles: made from kernel handles, and checked when they come back */
#ifndef XFER_OWNER_HANDLE_H
#define XFER_OWNER_HANDLE_H

#include "control/protocol.h"
#include "owner/store.h"

#define HANDLE_KEY_SIZE 16
#define HANDLE_MAC_SIZE 8

/* What a volume's handles are made with; constant while the volume is served. */
struct handle_maker {
	uint32_t volume_id;
	bool mac; /* false only where every object of the file system is in the volume */
	uint8_t key[HANDLE_KEY_SIZE];
};

/* Errors that aren't errno values are negated wire statuses. */
#define HANDLE_BAD (-(int)XFER_ST_BAD_HANDLE)

/* -EOVERFLOW: the kernel handle is too long for NFSv3; -EOPNOTSUPP: its type has no room. Any thread. */
int handle_encode(const struct handle_maker *maker, const union kernel_handle *kernel,
	struct xfer_handle *handle);

/* HANDLE_BAD: not a handle of this volume, or forged. *root: {volume id, ROOT}; then *kernel is not set. */
int handle_decode(const struct handle_maker *maker, const struct xfer_handle *handle, bool *root,
	union kernel_handle *kernel);

#endif
