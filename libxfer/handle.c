/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* handle.c -- what both ends know of wire handles: the volume id and the root */

#include <errno.h>
#include <string.h>

#include <openssl/sha.h>

#include "control/protocol.h"

static void put_be(uint8_t *to, uint32_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		to[i] = value >> (8 * (bytes - 1 - i));
}

void xfer_handle_root(uint32_t volume_id, struct xfer_handle *handle)
{
	memset(handle, 0, sizeof(*handle));
	put_be(handle->data, volume_id, 4);
	put_be(handle->data + 4, XFER_HANDLE_ROOT, 2);
	handle->len = 6;
}

bool xfer_handle_equal(const struct xfer_handle *a, const struct xfer_handle *b)
{
	return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

static uint32_t get_be32(const uint8_t *from)
{
	return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

bool xfer_handle_volume(const struct xfer_handle *handle, uint32_t *volume_id)
{
	if (handle->len < 6)
		return false;
	*volume_id = get_be32(handle->data);
	return true;
}

uint32_t xfer_volume_id(const char *name)
{
	uint8_t digest[SHA256_DIGEST_LENGTH];

	SHA256((const uint8_t *)name, strlen(name), digest);
	return get_be32(digest);
}
