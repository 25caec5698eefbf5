/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* record.h -- where a TLS record ends */
#ifndef XFER_TLS_RECORD_H
#define XFER_TLS_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define XFER_TLS_HEADER     5
#define XFER_TLS_RECORD_MAX (XFER_TLS_HEADER + 16384 + 256) /* RFC 8446, section 5.2 */

/*
 * The length of the record, its header included, whose header this is. 0: it isn't one of TLS. first: nothing has come
 * before it, so it has to begin a handshake, or be an alert.
 */
size_t xfer_tls_record_length(const uint8_t header[XFER_TLS_HEADER], bool first);

#endif
