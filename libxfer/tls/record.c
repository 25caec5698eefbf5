/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* record.c -- where a TLS record ends */

#include "tls/record.h"

#define CHANGE_CIPHER_SPEC 20
#define ALERT              21
#define HANDSHAKE          22
#define APPLICATION_DATA   23

size_t xfer_tls_record_length(const uint8_t header[XFER_TLS_HEADER], bool first)
{
	size_t body = (size_t)header[3] << 8 | header[4];

	if (header[1] != 3 || body == 0 || body > XFER_TLS_RECORD_MAX - XFER_TLS_HEADER)
		return 0;
	if (header[0] < CHANGE_CIPHER_SPEC || header[0] > APPLICATION_DATA)
		return 0;
	if (first && header[0] != HANDSHAKE && header[0] != ALERT)
		return 0;
	return XFER_TLS_HEADER + body;
}
