/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* replies.c -- heads of replies: the procedure (a byte), room for what has no fixed length (16 bits), the head */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/rpc.h"
#include "fuzz.h"
#include "support/messages.h"

/* A reply as it was decoded, with memory for what has no fixed length. */
struct decoded {
	union xfer_results results;
	uint8_t *variable;
	uint32_t room;
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

static int decode(const uint8_t *head, uint32_t len, uint32_t proc, struct decoded *decoded)
{
	memset(&decoded->results, 0, sizeof(decoded->results));
	decoded->variable = malloc(decoded->room ? decoded->room : 1);
	FUZZ_CHECK(decoded->variable != NULL);
	message_results_room(proc, &decoded->results, decoded->variable, decoded->room);
	return xfer_rpc_decode_reply(head, len, proc, &decoded->results);
}

static void check(uint32_t proc, union xfer_results *results, uint32_t room)
{
	const struct xfer_payload *payload = xfer_results_payload(proc, results);

	FUZZ_CHECK(!payload || payload->length <= XFER_IO_MAX);
	if (proc == XFER_PROC_READDIR)
		FUZZ_CHECK(results->readdir.entries_len <= room);
	if (proc == XFER_PROC_STATUS)
		FUZZ_CHECK(results->text.text_len <= room);
}

/* Encoded, decoded and encoded again it is the same: so texts end, and enumerations have values that there are. */
static void check_again(uint32_t proc, struct decoded *first)
{
	static _Alignas(4) uint8_t heads[2][XFER_HEAD_MAX];
	struct decoded again = { .room = first->room };
	int len = xfer_rpc_encode_reply(heads[0], XFER_HEAD_MAX, 1, proc, &first->results);

	FUZZ_CHECK(len > 0);
	FUZZ_CHECK(decode(heads[0], (uint32_t)len, proc, &again) == 0);
	FUZZ_CHECK(xfer_rpc_encode_reply(heads[1], XFER_HEAD_MAX, 1, proc, &again.results) == len);
	FUZZ_CHECK(memcmp(heads[0], heads[1], (size_t)len) == 0);
	free(again.variable);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	uint32_t proc = input_u8(&input) % XFER_PROC_COUNT, xid;
	struct decoded decoded = { .room = input_u16(&input) };
	uint8_t *head = input_bytes(&input);

	if (xfer_proc_info(proc) && xfer_rpc_is_reply(head, (uint32_t)input.size, &xid)) {
		if (decode(head, (uint32_t)input.size, proc, &decoded) == 0) {
			check(proc, &decoded.results, decoded.room);
			check_again(proc, &decoded);
		}
		free(decoded.variable);
	}
	free(head);
	return 0;
}
