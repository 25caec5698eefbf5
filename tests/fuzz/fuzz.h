/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* fuzz.h -- what fuzz targets share: one file each, which defines the two functions that libFuzzer calls */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* libFuzzer's, or replay.c's: once, and for each input. Both give 0. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A promise that has to hold for whatever bytes. */
#define FUZZ_CHECK(condition) fuzz_check((condition), #condition, __FILE__, __LINE__)
void fuzz_check(bool condition, const char *text, const char *file, int line);

/* No lines of the log that nobody wants to read; they are formatted, though. */
void fuzz_quiet(void);

/* An input that is taken from its front; what is missing reads as zeros. */
struct input {
	const uint8_t *data;
	size_t size;
};

uint8_t input_u8(struct input *input);
uint16_t input_u16(struct input *input);
/* The next `max` bytes, or what there is of them. */
struct input input_part(struct input *input, size_t max);

/* A copy in memory of just the right size, so that a byte too far is noticed; to be freed. input_text's ends with a NUL. */
uint8_t *input_bytes(const struct input *input);
char *input_text(const struct input *input);

/*
 * What inputs of `server` and `caller` are made of: one of these in a byte, and what belongs to it. Numbers of 16 bits
 * are little-endian.
 */
enum step {
	STEP_RECORD, /* length of the head, length of the payload (16 bits each), the head */
	STEP_BYTES,  /* length (16 bits), bytes that are sent as they are */
	STEP_NEXT, /* server: another connection. caller: a call: procedure, bytes of room (16 bits) */
	STEP_END, /* server: the connection is closed by the peer. caller: nothing */
	STEP_PATH, /* server: what comes over the latest data path: enum path_event, lane, slot and generation (16 bits
		    * each). caller: nothing */
	STEPS,
};

/* What a transport tells the host's end of a data path, when all that was sent so far has been received. */
enum path_event {
	PATH_IMMEDIATE, /* on the lane, for that generation of the slot */
	PATH_LATE,      /* the lane's RPCs have waited for too long */
	PATH_FULL,      /* nothing can be staged any more */
	PATH_CUT,       /* nothing can be sent any more */
	PATH_LOST,
	PATH_OWED, /* an immediate, which comes when the host looks next, for an RPC on that lane */
	PATH_EVENTS,
};

#endif
