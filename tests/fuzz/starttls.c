/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* starttls.c -- RFC 9289's probe and its answers, and where a TLS record ends: whatever bytes begin a connection */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "tls/record.h"
#include "tls/starttls.h"

#define PROGRAM 0x20524d41u
#define VERSION 1u

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

/* What has been said of fewer bytes stays true, and a probe is byte for byte what we would send. */
static void check_probe(const uint8_t *bytes, size_t size)
{
	uint8_t same[XFER_STARTTLS_PROBE];
	uint32_t xid = 0;
	int said = 0;

	for (size_t len = 0; len <= size && len <= XFER_STARTTLS_PROBE + 1; len++) {
		uint8_t *exact = input_bytes(&(struct input){ bytes, len });
		int now = xfer_starttls_is_probe(exact, len, PROGRAM, VERSION, &xid);

		free(exact);
		FUZZ_CHECK(now == 0 || now == 1 || now == -EPROTO);
		FUZZ_CHECK(said == 0 || now == said);
		FUZZ_CHECK((now == 1) == (now != -EPROTO && len >= XFER_STARTTLS_PROBE));
		said = now;
	}
	if (said != 1)
		return;
	xfer_starttls_probe(same, xid, PROGRAM, VERSION);
	FUZZ_CHECK(memcmp(same, bytes, sizeof(same)) == 0);
}

static void check_reply(const uint8_t *bytes, size_t size)
{
	uint8_t same[XFER_STARTTLS_REPLY];
	uint32_t xid = 0x01020304;
	int said = 0;

	for (size_t len = 0; len <= size && len <= XFER_STARTTLS_REPLY + 1; len++) {
		uint8_t *exact = input_bytes(&(struct input){ bytes, len });
		size_t used = 0;
		int now = xfer_starttls_is_reply(exact, len, xid, &used);

		free(exact);
		FUZZ_CHECK(now == 0 || now == 1 || now == -EPROTO || now == -EOPNOTSUPP);
		FUZZ_CHECK(said == 0 || now == said);
		said = now;
		if (now != 1 && now != -EOPNOTSUPP)
			continue;
		FUZZ_CHECK(used == xfer_starttls_reply(same, xid, now == 1) && used <= len);
		FUZZ_CHECK(memcmp(same, bytes, used) == 0);
	}
}

static void check_record(const uint8_t *bytes, size_t size)
{
	size_t first, later;

	if (size < XFER_TLS_HEADER)
		return;
	first = xfer_tls_record_length(bytes, true);
	later = xfer_tls_record_length(bytes, false);
	FUZZ_CHECK(first == 0 || first == later);
	FUZZ_CHECK(later == 0 || (later > XFER_TLS_HEADER && later <= XFER_TLS_RECORD_MAX));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_probe(data, size);
	check_reply(data, size);
	check_record(data, size);
	return 0;
}
