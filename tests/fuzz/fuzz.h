/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* fuzz.h -- decoders and connections fed with valid messages that were damaged */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include "support/messages.h"

/* One thing that takes bytes from a stranger. */
struct fuzz_target {
	const char *name;
	/* Around the process that runs it, whichever way that ends; NULL: nothing to do. */
	void (*prepare)(void);
	void (*clean)(void);
	/* In that process, once each; NULL: nothing to do. */
	void (*start)(void);
	void (*stop)(void);
	/* One iteration; everything about it follows from *random. A violated promise ends the process. */
	void (*run)(struct random *random);
};

extern const struct fuzz_target fuzz_args, fuzz_results, fuzz_calls, fuzz_replies, fuzz_entries,
	fuzz_handles, fuzz_server, fuzz_caller;

/* A promise that has to hold for whatever bytes. */
#define FUZZ_CHECK(condition) fuzz_check((condition), #condition, __FILE__, __LINE__)
void fuzz_check(bool condition, const char *text, const char *file, int line);

/* --- bytes that grow ----------------------------------------------------------------------------- */

struct bytes {
	uint8_t *data;
	size_t len, size;
};

void bytes_add(struct bytes *bytes, const void *data, size_t len);
void bytes_free(struct bytes *bytes);

/* Damages them: bits, words, lengths, parts left out, doubled or put in. Often only a little. */
void bytes_damage(struct bytes *bytes, struct random *random);

/* A record: a fragment of the head and, with a payload, one of that many bytes. */
void bytes_add_record(
	struct bytes *bytes, const uint8_t *head, uint32_t len, uint32_t payload_length);

/* --- sockets ------------------------------------------------------------------------------------- */

/* Sends all, in parts of random length; false: the other end has closed. In which parts they are received is up to
 * the scheduler: what failed once may need some more iterations to fail again. */
bool fuzz_send(int fd, const struct bytes *bytes, struct random *random);
/* Reads until the other end closes; false: it didn't within `seconds`. */
bool fuzz_drain(int fd, int seconds);

#endif
