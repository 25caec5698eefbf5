/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* peek.c -- the session that a COMPOUND is in, before Ganesha decodes its arguments */

#include <stdlib.h>
#include <string.h>

#include "session_guard.h"

#include "fuzz.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *bytes = malloc(size + 1);
	uint8_t id[NFS4_SESSIONID_SIZE];
	XDR xdrs;

	memcpy(bytes, data, size);
	xdrmem_create(&xdrs, bytes, (u_int)size, XDR_DECODE);
	if (session_guard_peek(&xdrs, id))
		FUZZ_CHECK(memmem(bytes, size, id, sizeof(id)));
	FUZZ_CHECK(XDR_GETPOS(&xdrs) == 0);
	XDR_DESTROY(&xdrs);
	free(bytes);
	return 0;
}
