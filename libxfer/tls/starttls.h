/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* starttls.h -- the two records by which RPC peers agree on TLS (RFC 9289, section 4.1), for any program */
#ifndef XFER_TLS_STARTTLS_H
#define XFER_TLS_STARTTLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of the two records, with their marks. */
#define XFER_STARTTLS_PROBE 44
#define XFER_STARTTLS_REPLY 36
/* The same without the word: no TLS here. */
#define XFER_STARTTLS_REFUSAL 28

/* A NULL call with the credential AUTH_TLS. */
void xfer_starttls_probe(
	uint8_t probe[XFER_STARTTLS_PROBE], uint32_t xid, uint32_t program, uint32_t version);

/*
 * Whether the first `len` bytes of a connection are such a call, all of it: 1; may still become one: 0; are something
 * else: -EPROTO.
 */
int xfer_starttls_is_probe(
	const uint8_t *bytes, size_t len, uint32_t program, uint32_t version, uint32_t *xid);

/* A reply with the verifier "STARTTLS", or an empty one. Its length. */
size_t xfer_starttls_reply(uint8_t reply[XFER_STARTTLS_REPLY], uint32_t xid, bool starttls);

/*
 * What the first `len` bytes from the other end are: 1: the word; 0: not complete yet; -EOPNOTSUPP: a reply without it;
 * -EPROTO: something else. *used: how many bytes the reply has.
 */
int xfer_starttls_is_reply(const uint8_t *bytes, size_t len, uint32_t xid, size_t *used);

#endif
