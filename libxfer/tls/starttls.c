/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* starttls.c -- the two records by which RPC peers agree on TLS */

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "tls/starttls.h"

#define LAST_FRAGMENT UINT32_C(0x80000000)
#define CALL          0
#define REPLY         1
#define RPC_VERSION   2
#define AUTH_NONE     0
#define AUTH_TLS      7

#define WORDS(bytes) ((bytes) / sizeof(uint32_t))

static const char starttls_word[8] = { 'S', 'T', 'A', 'R', 'T', 'T', 'L', 'S' };

static void put(uint8_t *bytes, const uint32_t *words, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint32_t word = htobe32(words[i]);

		memcpy(bytes + i * sizeof(word), &word, sizeof(word));
	}
}

/* Whether these are the first bytes of what is expected; any xid, the second word, will do. */
static bool begins(const uint8_t *bytes, size_t len, const uint8_t *expected)
{
	for (size_t i = 0; i < len; i++)
		if (bytes[i] != expected[i] && (i < 4 || i >= 8))
			return false;
	return true;
}

void xfer_starttls_probe(
	uint8_t probe[XFER_STARTTLS_PROBE], uint32_t xid, uint32_t program, uint32_t version)
{
	const uint32_t words[WORDS(XFER_STARTTLS_PROBE)] = { LAST_FRAGMENT |
								     (XFER_STARTTLS_PROBE - 4),
		xid, CALL, RPC_VERSION, program, version, 0, AUTH_TLS, 0, AUTH_NONE, 0 };

	put(probe, words, WORDS(XFER_STARTTLS_PROBE));
}

int xfer_starttls_is_probe(
	const uint8_t *bytes, size_t len, uint32_t program, uint32_t version, uint32_t *xid)
{
	uint8_t expected[XFER_STARTTLS_PROBE];
	size_t have = len < sizeof(expected) ? len : sizeof(expected);
	uint32_t word;

	xfer_starttls_probe(expected, 0, program, version);
	if (!begins(bytes, have, expected))
		return -EPROTO;
	if (have < sizeof(expected))
		return 0;
	memcpy(&word, bytes + 4, sizeof(word));
	*xid = be32toh(word);
	return 1;
}

size_t xfer_starttls_reply(uint8_t reply[XFER_STARTTLS_REPLY], uint32_t xid, bool starttls)
{
	const uint32_t len = starttls ? XFER_STARTTLS_REPLY : XFER_STARTTLS_REFUSAL;
	const uint32_t words[] = { LAST_FRAGMENT | (len - 4), xid, REPLY, 0, AUTH_NONE,
		starttls ? sizeof(starttls_word) : 0 };

	memset(reply, 0, XFER_STARTTLS_REPLY);
	put(reply, words, WORDS(sizeof(words)));
	if (starttls)
		memcpy(reply + sizeof(words), starttls_word, sizeof(starttls_word));
	return len;
}

int xfer_starttls_is_reply(const uint8_t *bytes, size_t len, uint32_t xid, size_t *used)
{
	uint8_t with[XFER_STARTTLS_REPLY], without[XFER_STARTTLS_REPLY];
	size_t with_len = xfer_starttls_reply(with, xid, true);
	size_t without_len = xfer_starttls_reply(without, xid, false);

	if (len >= with_len && memcmp(bytes, with, with_len) == 0) {
		*used = with_len;
		return 1;
	}
	if (len >= without_len && memcmp(bytes, without, without_len) == 0) {
		*used = without_len;
		return -EOPNOTSUPP;
	}
	if ((len < with_len && memcmp(bytes, with, len) == 0) ||
		(len < without_len && memcmp(bytes, without, len) == 0))
		return 0;
	return -EPROTO;
}
