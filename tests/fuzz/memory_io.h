/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* memory_io.h -- a connection's bytes come from memory, in pieces that follow from a number */
#ifndef TESTS_FUZZ_MEMORY_IO_H
#define TESTS_FUZZ_MEMORY_IO_H

#include "control/conn_io.h"
#include "fuzz.h"

struct memory_io;

/* The connection gets memory_io_seam(), which it frees; this stays until memory_io_put. pieces: 0: all bytes at once. */
struct memory_io *memory_io_new(uint8_t pieces);
void memory_io_put(struct memory_io *io);
struct xfer_conn_io *memory_io_seam(struct memory_io *io);

/* More bytes to be received, which are copied. */
void memory_io_feed(struct memory_io *io, const uint8_t *bytes, size_t len);
/* A record: a fragment of the head and, with a payload, one of so many bytes. */
void memory_io_feed_record(struct memory_io *io, const struct input *head, uint32_t payload_length);
/* The peer closes the connection, behind what is to be received. */
void memory_io_end(struct memory_io *io);

/* Waits until all was received, or the connection has ended. */
void memory_io_wait(struct memory_io *io);
/* Waits until nothing is received any more. */
void memory_io_wait_end(struct memory_io *io);

/* Checks that what was sent is records. After the end of the connection. */
void memory_io_check_sent(struct memory_io *io);

#endif
