/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* wire.h -- XDR by hand: big-endian words written into and read from a caller's buffer */
#ifndef NFSLOAD_WIRE_H
#define NFSLOAD_WIRE_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Once something didn't fit, bad stays set and nothing more is moved. */
struct wire_out {
	uint8_t *at;
	uint8_t *end;
	bool bad;
};

struct wire_in {
	const uint8_t *at;
	const uint8_t *end;
	bool bad;
};

static inline size_t wire_padded(size_t len)
{
	return (len + 3) & ~(size_t)3;
}

static inline void wire_put_fixed(struct wire_out *out, const void *data, size_t len)
{
	size_t padded = wire_padded(len);

	if (out->bad || (size_t)(out->end - out->at) < padded) {
		out->bad = true;
		return;
	}
	memcpy(out->at, data, len);
	memset(out->at + len, 0, padded - len);
	out->at += padded;
}

static inline void wire_put_u32(struct wire_out *out, uint32_t value)
{
	uint32_t big = htobe32(value);

	wire_put_fixed(out, &big, sizeof(big));
}

static inline void wire_put_u64(struct wire_out *out, uint64_t value)
{
	uint64_t big = htobe64(value);

	wire_put_fixed(out, &big, sizeof(big));
}

static inline void wire_put_opaque(struct wire_out *out, const void *data, size_t len)
{
	wire_put_u32(out, (uint32_t)len);
	wire_put_fixed(out, data, len);
}

static inline void wire_put_string(struct wire_out *out, const char *text)
{
	wire_put_opaque(out, text, strlen(text));
}

/* The len bytes that come next, in place; NULL if there are fewer. */
static inline const uint8_t *wire_get_fixed(struct wire_in *in, size_t len)
{
	const uint8_t *data = in->at;
	size_t padded = wire_padded(len);

	if (in->bad || padded < len || (size_t)(in->end - in->at) < padded) {
		in->bad = true;
		return NULL;
	}
	in->at += padded;
	return data;
}

static inline uint32_t wire_get_u32(struct wire_in *in)
{
	const uint8_t *data = wire_get_fixed(in, 4);
	uint32_t big = 0;

	if (data)
		memcpy(&big, data, sizeof(big));
	return be32toh(big);
}

static inline uint64_t wire_get_u64(struct wire_in *in)
{
	const uint8_t *data = wire_get_fixed(in, 8);
	uint64_t big = 0;

	if (data)
		memcpy(&big, data, sizeof(big));
	return be64toh(big);
}

static inline const uint8_t *wire_get_opaque(struct wire_in *in, uint32_t *len)
{
	*len = wire_get_u32(in);
	return wire_get_fixed(in, *len);
}

#endif
