/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* entries.c -- directory entries, as readers walk through an answer to READDIR */

#include <stdlib.h>
#include <string.h>

#include <rpc/xdr_inline.h>

#include "control/protocol.h"
#include "fuzz.h"

#define LEFT_OVER 0xa5 /* what the decoder finds in its target */

/* What was decoded is encoded to something that decodes to the same. */
static void check_again(struct xfer_dirent *entry)
{
	struct xfer_dirent again;
	_Alignas(4) uint8_t bytes[sizeof(*entry) + 64];
	XDR xdrs;

	xdrmem_ncreate(&xdrs, (char *)bytes, sizeof(bytes), XDR_ENCODE);
	FUZZ_CHECK(xfer_xdr_dirent(&xdrs, entry));
	xdrmem_ncreate(&xdrs, (char *)bytes, (uint32_t)XDR_GETPOS(&xdrs), XDR_DECODE);
	memset(&again, LEFT_OVER, sizeof(again));
	FUZZ_CHECK(xfer_xdr_dirent(&xdrs, &again));
	FUZZ_CHECK(memcmp(entry, &again, sizeof(again)) == 0);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	uint8_t *bytes = input_bytes(&input);
	struct xfer_dirent entry;
	XDR xdrs;

	xdrmem_ncreate(&xdrs, (char *)bytes, (uint32_t)size, XDR_DECODE);
	while (XDR_GETPOS(&xdrs) < size) {
		uint32_t before = (uint32_t)XDR_GETPOS(&xdrs);

		memset(&entry, LEFT_OVER, sizeof(entry));
		if (!xfer_xdr_dirent(&xdrs, &entry))
			break;
		FUZZ_CHECK(XDR_GETPOS(&xdrs) > before);
		FUZZ_CHECK(strnlen(entry.name, sizeof(entry.name)) <= XFER_NAME_MAX);
		FUZZ_CHECK(entry.node.handle.len <= XFER_HANDLE_MAX);
		check_again(&entry);
	}
	free(bytes);
	return 0;
}
