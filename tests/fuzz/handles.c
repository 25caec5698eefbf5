/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* handles.c -- wire handles that clients bring back: a byte (0: with MAC), the handle */

#include <string.h>

#include "fuzz.h"
#include "owner/handle.h"
#include "seeds.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	fuzz_quiet();
	return 0;
}

/* Nothing decodes but what the same maker makes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	struct handle_maker maker = seed_maker(input_u8(&input) == 0);
	struct xfer_handle handle = { 0 }, again;
	union kernel_handle kernel = { 0 };
	struct input rest = input_part(&input, XFER_HANDLE_MAX);
	uint32_t id;
	bool root;
	int err;

	handle.len = (uint32_t)rest.size;
	if (rest.size > 0)
		memcpy(handle.data, rest.data, rest.size);
	if (xfer_handle_volume(&handle, &id))
		FUZZ_CHECK(handle.len >= 6);
	err = handle_decode(&maker, &handle, &root, &kernel);
	FUZZ_CHECK(err == 0 || err == HANDLE_BAD);
	if (err == 0 && root)
		xfer_handle_root(maker.volume_id, &again);
	else if (err == 0)
		FUZZ_CHECK(handle_encode(&maker, &kernel, &again) == 0);
	if (err == 0)
		FUZZ_CHECK(xfer_handle_equal(&handle, &again));
	return 0;
}
